use burn::tensor::{DType, Device};

use super::super::gather::sources;
use super::super::layout::{Block, Factor, Layout, TensorAxes};
use super::*;

fn factor(size: usize, stride: usize, group: usize) -> Factor {
    Factor {
        size,
        stride,
        group: Some(group),
    }
}

fn block(offset: usize, factors: &[Factor]) -> Block {
    Block {
        offset,
        factors: factors.to_vec(),
    }
}

fn tensor(path: &str, shape: &[usize], axes: &[&[Block]]) -> TensorAxes {
    TensorAxes {
        paths: vec![path.to_string()],
        shape: shape.to_vec(),
        is_running_statistic: false,
        axes: axes.iter().map(|blocks| blocks.to_vec()).collect(),
    }
}

/// Two groups of heads, three channels within each head, and two parts within each channel, on one axis and on several.
fn nested() -> Symmetries {
    let outer = [block(0, &[factor(2, 1, 0)])];
    let middle = [block(0, &[factor(3, 1, 1)])];
    let inner = [block(0, &[factor(2, 1, 2)])];
    let joined = [block(
        0,
        &[factor(2, 6, 0), factor(3, 2, 1), factor(2, 1, 2)],
    )];
    let beside = [block(0, &[factor(3, 2, 1), factor(2, 1, 2)])];
    // Queries and a fixed index in each head.
    let fixed = Factor {
        group: None,
        ..factor(2, 1, 0)
    };
    let interleaved = [
        block(0, &[factor(2, 5, 0), factor(3, 1, 1)]),
        block(3, &[factor(2, 5, 0), fixed]),
    ];
    let plain = [block(
        0,
        &[Factor {
            group: None,
            ..factor(4, 1, 0)
        }],
    )];
    let tensors = vec![
        tensor("joined", &[4, 12], &[&plain, &joined]),
        tensor("beside", &[6, 2], &[&beside, &outer]),
        tensor("apart", &[2, 4, 3, 2], &[&inner, &plain, &middle, &outer]),
        tensor("interleaved", &[10, 2], &[&interleaved, &outer]),
        tensor("outer", &[2, 2], &[&outer, &outer]),
        tensor("fixed", &[4], &[&plain]),
    ];
    let groups = vec![(2, vec![]), (3, vec![0]), (2, vec![0, 1])];
    Symmetries::of(Layout::new(groups, tensors, Vec::new()).unwrap())
}

fn numbers(symmetries: &Symmetries) -> Vec<Tensor<1>> {
    let tensors = symmetries.layout().tensors.iter();
    let numbers = tensors.map(|tensor| {
        let len: usize = tensor.shape.iter().product();
        let values: Vec<f64> = (0..len).map(|index| index as f64).collect();
        Tensor::from_data(values.as_slice(), (&Device::default(), DType::F64))
    });
    numbers.collect()
}

fn acted(element: &Element, tensors: &[Tensor<1>]) -> Vec<Tensor<1>> {
    let tensors = tensors.iter().enumerate();
    let moved = tensors.map(|(index, values)| element.moved(index, values.clone()));
    moved.collect()
}

fn host(tensors: &[Tensor<1>]) -> Vec<Vec<f64>> {
    let tensors = tensors.iter();
    let host = tensors.map(|values| values.clone().into_data().iter::<f64>().collect());
    host.collect()
}

#[test]
fn a_product_acts_as_its_factors_one_after_the_other() {
    let symmetries = nested();
    let numbers = numbers(&symmetries);
    for seed in 0..50 {
        let [g, h] = [seed, seed + 1000].map(|seed| symmetries.random(seed));
        let product = acted(&g.compose(&h).unwrap(), &numbers);
        assert_eq!(host(&product), host(&acted(&g, &acted(&h, &numbers))));
    }
}

#[test]
fn an_inverse_undoes_its_element_from_both_sides() {
    let symmetries = nested();
    for seed in 0..50 {
        let g = symmetries.random(seed);
        let identity = Ok(symmetries.identity());
        assert_eq!(g.inverse().compose(&g), identity);
        assert_eq!(g.compose(&g.inverse()), identity);
        assert_eq!(g.inverse().inverse(), g);
        let numbers = numbers(&symmetries);
        let there = acted(&g, &numbers);
        assert_eq!(host(&acted(&g.inverse(), &there)), host(&numbers));
    }
}

#[test]
fn products_are_associative() {
    let symmetries = nested();
    for seed in 0..20 {
        let [a, b, c] = [1, 2, 3].map(|k| symmetries.random(10 * seed + k));
        let left = a.compose(&b).unwrap().compose(&c).unwrap();
        let right = a.compose(&b.compose(&c).unwrap()).unwrap();
        assert_eq!(left, right);
    }
}

#[test]
fn a_place_reads_where_its_parents_move() {
    let symmetries = nested();
    // Heads are exchanged; the channels of the new head 0 are turned, those of head 1 are not.
    let tables = vec![
        vec![1, 0],
        vec![1, 2, 0, 0, 1, 2],
        [[0_usize, 1]; 6].concat(),
    ];
    let element = symmetries.element(tables).unwrap();
    let found = host(&acted(&element, &numbers(&symmetries)));
    // `joined`, first row: head 1's channels 1, 2, 0, then head 0's in order.
    let row = [8.0, 9.0, 10.0, 11.0, 6.0, 7.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
    assert_eq!(found[0][..12], row);
    // `beside`, [channels × parts, heads]: element by element.
    let beside = [5.0, 0.0, 7.0, 2.0, 9.0, 4.0, 11.0, 6.0, 1.0, 8.0, 3.0, 10.0];
    assert_eq!(found[1], beside);
    // `interleaved`, [heads × (3 channels and 2 others), heads].
    let first: Vec<f64> = found[3].chunks(2).map(|row| row[0]).collect();
    let rows = [6.0, 7.0, 5.0, 8.0, 9.0, 0.0, 1.0, 2.0, 3.0, 4.0];
    assert_eq!(first, rows.map(|row| 2.0 * row + 1.0));
    assert_eq!(found[4], [3.0, 2.0, 1.0, 0.0]);
    assert_eq!(found[5], [0.0, 1.0, 2.0, 3.0]);
}

#[test]
fn one_selection_for_each_axis_is_one_of_single_elements() {
    let symmetries = nested();
    let numbers = numbers(&symmetries);
    for seed in 0..20 {
        let element = symmetries.random(seed);
        let tables = &element.tables;
        for (index, tensor) in symmetries.layout().tensors.iter().enumerate() {
            let elements = sources(symmetries.layout(), tables, tensor, 0..tensor.shape.len());
            let found = element.moved(index, numbers[index].clone()).into_data();
            let found: Vec<usize> = found.iter::<f64>().map(|number| number as usize).collect();
            assert_eq!(found, elements);
        }
    }
}

#[test]
fn tables_that_are_no_permutations_are_refused() {
    let symmetries = nested();
    let identity = symmetries.identity();
    let tables: Vec<Vec<usize>> = (0..3)
        .map(|group| identity.permutation(group).unwrap().to_vec())
        .collect();
    assert_eq!(symmetries.element(tables.clone()), Ok(identity));
    let refused = |tables: Vec<Vec<usize>>| match symmetries.element(tables).unwrap_err() {
        SymmetryError::Group { group, message } => (group, message),
        other => panic!("{other}"),
    };
    let mut twice = tables.clone();
    twice[1][4] = 2;
    let (group, message) = refused(twice);
    assert_eq!(group, 1);
    assert!(
        message.contains("[0, 2, 2] is not a permutation"),
        "{message}"
    );
    let mut short = tables.clone();
    short[2].pop();
    assert!(refused(short).1.contains("expected 12"));
    assert_eq!(refused(tables[..2].to_vec()).0, 2);
}

#[test]
fn elements_of_other_symmetries_are_refused() {
    let symmetries = nested();
    let other = Symmetries::of(symmetries.layout().with_parents(1, Vec::new()));
    let composed = symmetries.identity().compose(&other.identity());
    assert_eq!(composed, Err(SymmetryError::DifferentSymmetries));
}

#[test]
fn symmetries_are_read_only_if_they_fit_together() {
    let symmetries = nested();
    let layout = symmetries.layout();
    assert_eq!(
        Symmetries::try_from(layout.clone()).as_ref(),
        Ok(&symmetries)
    );
    let broken = |change: &dyn Fn(&mut Layout)| {
        let mut layout = layout.clone();
        change(&mut layout);
        Symmetries::try_from(layout).unwrap_err().to_string()
    };
    let text = broken(&|layout| layout.groups[0].size = 3);
    assert!(text.contains("no group 0 of size 2"), "{text}");
    let text = broken(&|layout| layout.groups[2].parents = vec![1]);
    assert!(text.contains("a parent of its parent 1"), "{text}");
    let text = broken(&|layout| layout.groups[1].parents = vec![1]);
    assert!(text.contains("come before it"), "{text}");
    let text = broken(&|layout| layout.tensors[5].axes[0][0].offset = 1);
    assert!(text.contains("beyond its length 4"), "{text}");
    let text = broken(&|layout| layout.tensors[1].axes[1][0].factors[0].group = None);
    assert!(text.contains("not exactly once beside it"), "{text}");
    let text = broken(&|layout| layout.groups[0].members.clear());
    assert!(text.contains("not those of the tensors"), "{text}");
}

#[test]
fn an_element_is_stored_and_read_if_its_tables_are_permutations() {
    let element = nested().random(7);
    let text = serde_json::to_string(&element).unwrap();
    assert_eq!(serde_json::from_str::<Element>(&text).unwrap(), element);
    let stored = serde_json::to_value(&element).unwrap();
    let refused = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut stored = stored.clone();
        change(&mut stored);
        let read = serde_json::from_value::<Element>(stored);
        read.unwrap_err().to_string()
    };
    let text = refused(&|stored| stored["permutations"][0] = serde_json::json!([1, 1]));
    assert!(text.contains("[1, 1] is not a permutation"), "{text}");
    let text = refused(&|stored| stored["permutations"][1] = serde_json::json!([0, 1, 2]));
    assert!(text.contains("3 entries, expected 6"), "{text}");
    let text = refused(&|stored| stored["permutations"] = serde_json::json!([]));
    assert!(text.contains("3 groups and 0 tables"), "{text}");
    let text = refused(&|stored| stored["symmetries"]["groups"][0]["size"] = 3.into());
    assert!(text.contains("no group 0 of size 2"), "{text}");
}
