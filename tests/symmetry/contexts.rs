//! The groups of a model do not depend on autodiff, on what is frozen, or on the element type.

use burn::module::Module;
use burn::tensor::DType;
use burnscape::loss::Batch;
use burnscape::space::unshared_copy;
use burnscape::symmetry::Symmetries;

use super::zoo::{self, Specimen, cast, parameters, same};
use crate::element::{DTYPE, device};

const SEED: u64 = 41;

/// A group: its size, the sizes of its parents, and path, axis, offset and stride of its members.
type Described = (usize, Vec<usize>, Vec<(String, usize, usize, usize)>);

fn described(symmetries: &Symmetries) -> Vec<Described> {
    assert_eq!(symmetries.dropped().len(), 0);
    let groups = symmetries.groups();
    let mut all: Vec<Described> = groups
        .iter()
        .map(|group| {
            let parents = group.parents().iter();
            let mut parents: Vec<usize> = parents.map(|&parent| groups[parent].size()).collect();
            parents.sort_unstable();
            let members = group.members().iter();
            let mut members: Vec<_> = members
                .map(|one| (one.path.clone(), one.axis, one.offset, one.stride))
                .collect();
            members.sort();
            (group.size(), parents, members)
        })
        .collect();
    all.sort();
    all
}

fn check<M: Module, B: Batch, const R: usize>(net: &Specimen<M, B, R>) {
    let symmetries = net.symmetries();
    let expected = described(&symmetries);
    assert!(!expected.is_empty(), "{}: no groups", net.name);

    let copy = || unshared_copy(&net.model);
    let contexts = [
        ("on autodiff", copy().train()),
        ("as valid() leaves it", copy().train().valid()),
        ("without gradients, on autodiff", copy().train().no_grad()),
        ("without gradients, plain", copy().no_grad()),
        ("frozen", copy().train().freeze()),
    ];
    let g = symmetries.random(3);
    let moved = parameters(&g.apply(&net.model).expect("a model"));
    for (context, model) in contexts {
        let name = format!("{} {context}", net.name);
        let before = parameters(&model);
        assert_eq!(described(&net.symmetries_of(&model)), expected, "{name}");
        let is_untouched = same(&before, &parameters(&model));
        assert!(is_untouched, "{name}: the model has changed");
        // An element acts on the model in every context, and in the same way.
        let own = parameters(&g.apply(&model).expect("a model"));
        assert!(same(&own, &moved), "{name}: other numbers");
    }
}

#[test]
fn the_context_of_a_model_is_of_no_account() {
    check(&zoo::mlp(&device(), SEED));
    check(&zoo::cnn(&device(), SEED));
    check(&zoo::encoder(true, &device(), SEED));
}

#[test]
fn the_context_of_the_batch_is_of_no_account() {
    let net = zoo::cnn(&device(), SEED);
    let expected = described(&net.symmetries());
    let trained = unshared_copy(&net.model).train();
    let net = Specimen {
        batch: net.batch.clone().autodiff(),
        ..net
    };
    for model in [&net.model, &trained] {
        assert_eq!(described(&net.symmetries_of(model)), expected);
    }
}

#[test]
fn single_frozen_layers_are_of_no_account() {
    let net = zoo::mlp(&device(), SEED);
    let mut model = unshared_copy(&net.model).train();
    model.second = model.second.no_grad();
    let expected = described(&net.symmetries());
    assert_eq!(described(&net.symmetries_of(&model)), expected);
    let moved = net.symmetries().random(1).apply(&model).expect("a model");
    assert!(moved.first.weight.val().is_require_grad());
    assert!(!moved.second.weight.val().is_require_grad());

    let net = zoo::cnn(&device(), SEED);
    let mut model = unshared_copy(&net.model).train();
    model.norm1 = model.norm1.freeze();
    let expected = described(&net.symmetries());
    assert_eq!(described(&net.symmetries_of(&model)), expected);
}

#[test]
fn the_element_type_is_of_no_account() {
    let other = match DTYPE {
        DType::F64 => DType::F32,
        _ => DType::F64,
    };
    let net = zoo::mlp(&device(), SEED);
    let expected = described(&net.symmetries());
    for dtype in [other, DType::F16, DType::BF16] {
        let model = cast(&net.model, dtype);
        let net = Specimen {
            batch: net.batch.clone().cast(dtype),
            model,
            ..zoo::mlp(&device(), SEED)
        };
        let symmetries = net.symmetries();
        assert_eq!(described(&symmetries), expected, "{dtype:?}");
        let moved = symmetries.random(1).apply(&net.model).expect("a model");
        assert_eq!(moved.first.weight.val().dtype(), dtype);
    }

    let net = zoo::cnn(&device(), SEED);
    let expected = described(&net.symmetries());
    let net = Specimen {
        model: cast(&net.model, other),
        batch: net.batch.clone().cast(other),
        ..net
    };
    assert_eq!(described(&net.symmetries()), expected, "{other:?}");
}
