//! Vectors of parameters and of outputs as Krylov methods see them: blocks on the device do what
//! lists on the host do.

use burn::tensor::{DType, Tensor};
use burnscape::krylov::{Dense, Orthonormal, VectorBlock, VectorList, VectorSpace};
use burnscape::loss::Reduction;
use burnscape::space::{FlatSpace, FlatVector, ParamSpace, ParamVector, SpaceError};

use super::fixture::{EXAMPLES, batches, cross_entropy, net};

fn numbers(len: usize, phase: f64) -> Vec<f64> {
    let wave = |i: usize| (1.0 + 0.37 * (i as f64 + phase).powf(1.31)).sin();
    (0..len).map(wave).collect()
}

#[track_caller]
fn assert_near(a: &[f64], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= tolerance, "{a} {b}");
    }
}

/// A basis on the device.
type Block<S> = <FlatVector<S> as VectorSpace>::Block;

/// Every operation of a block, against a list of host vectors.
fn blocks_are_lists<S: FlatSpace>(space: &S, tolerance: f64) {
    let n = space.dimension();
    let host: Vec<Vec<f64>> = (0..5).map(|k| numbers(n, f64::from(k) * 7.3)).collect();
    let device = |values: &Vec<f64>| FlatVector::from_host(space, values).unwrap();
    let list = VectorList::<Vec<f64>>::from_vectors(&n, host.clone()).unwrap();
    // Room for two: the others make it grow.
    let mut block = Block::<S>::with_capacity(space, 2).unwrap();
    assert!(block.is_empty());
    for values in &host {
        block.push(device(values)).unwrap();
    }
    assert_eq!(block.len(), 5);
    let v = numbers(n, 100.5);
    let scale = tolerance * n as f64;
    let close = |a: Vec<f64>, b: FlatVector<S>| assert_near(&a, &b.to_host().unwrap(), scale);
    assert_near(
        &list.dots(&v).unwrap(),
        &block.dots(&device(&v)).unwrap(),
        scale,
    );
    let c = [0.5, -1.0, 2.0, 0.0, 3.0];
    close(
        list.linear_combination(&c).unwrap(),
        block.linear_combination(&c).unwrap(),
    );
    close(
        list.project_out(v.clone()).unwrap(),
        block.project_out(device(&v)).unwrap(),
    );
    close(
        list.get(3).unwrap().unwrap(),
        block.get(3).unwrap().unwrap(),
    );
    assert!(block.get(5).unwrap().is_none());
    let (a, b) = (list.gram(&list).unwrap(), block.gram(&block).unwrap());
    assert_near(a.as_slice(), b.as_slice(), scale);
    let turn = Dense::from_row_major(2, 5, numbers(10, 3.0)).unwrap();
    let (a, b) = (
        list.transform(&turn).unwrap(),
        block.transform(&turn).unwrap(),
    );
    assert_eq!(b.len(), 2);
    close(a.get(1).unwrap().unwrap(), b.get(1).unwrap().unwrap());
    assert!(block.linear_combination(&[1.0]).is_err());
    assert!(block.transform(&Dense::identity(2)).is_err());
    // A clone is a block of its own.
    let before = block.clone();
    block.truncate(1);
    block.push(device(&v)).unwrap();
    close(v.clone(), block.get(1).unwrap().unwrap());
    close(host[1].clone(), before.get(1).unwrap().unwrap());
    block.truncate(0);
    assert!(block.dots(&device(&v)).unwrap().is_empty());
    close(v.clone(), block.project_out(device(&v)).unwrap());
    close(vec![0.0; n], block.linear_combination(&[]).unwrap());

    let basis = Orthonormal::<FlatVector<S>>::checked(space, Vec::new()).unwrap();
    assert!(basis.is_empty());
    let (x, y) = (device(&host[0]), device(&host[1]));
    let dot: f64 = host[0].iter().zip(&host[1]).map(|(x, y)| x * y).sum();
    assert!((x.dot(&y).unwrap() - dot).abs() <= scale);
    let sum: Vec<f64> = host[0]
        .iter()
        .zip(&host[1])
        .map(|(x, y)| 2.0 * (x - 0.5 * y))
        .collect();
    close(sum, x.axpy(-0.5, &y).unwrap().scale(2.0));
    let epsilon = VectorSpace::epsilon(&y);
    assert!(epsilon > 0.0 && epsilon <= tolerance);
}

#[test]
fn blocks_of_parameters_and_outputs_are_lists() {
    let net = net();
    let space = ParamSpace::of(&net).unwrap();
    blocks_are_lists(&space, 1e-15);
    let mut single = net.clone();
    single.first.weight = single.first.weight.map(|w| w.cast(DType::F32));
    let group = burn::module::ParamGroup::from_path("first.weight");
    let space = ParamSpace::of_group(&single, &group).unwrap();
    assert_eq!(space.dtype().unwrap(), DType::F32);
    blocks_are_lists(&space, 1.2e-7);
    let data = batches(&[4, 3]);
    let jacobian = cross_entropy(Reduction::Mean, &data)
        .jacobian(&net)
        .unwrap();
    blocks_are_lists(jacobian.outputs(), 1e-15);
}

#[test]
fn vectors_of_another_space_are_refused() {
    let net = net();
    let space = ParamSpace::of(&net).unwrap();
    let group = burn::module::ParamGroup::from_predicate("second");
    let part = ParamSpace::of_group(&net, &group).unwrap();
    let stranger = ParamVector::zeros(&part).unwrap();
    let mut block = Block::<ParamSpace>::with_capacity(&space, 1).unwrap();
    assert!(block.push(stranger.clone()).is_err());
    assert!(block.is_empty() && block.dots(&stranger).is_err());
    assert!(block.project_out(stranger).is_err());

    let data = batches(&[4, 3]);
    let jacobian = cross_entropy(Reduction::Mean, &data)
        .jacobian(&net)
        .unwrap();
    let outputs = jacobian.outputs();
    assert_eq!(outputs.len(), 3 * EXAMPLES);
    let short = Tensor::<1>::zeros([5], outputs.device());
    let error = FlatVector::from_values(outputs, short)
        .map(|_| ())
        .unwrap_err();
    assert!(
        matches!(error, SpaceError::WrongLength { found: 5, .. }),
        "{error}"
    );
}
