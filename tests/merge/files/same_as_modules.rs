//! Merging files is merging modules, bit by bit.

use std::path::Path;

use burn::module::Module;
use burn::tensor::DType;
use burn_store::{BurnpackStore, ModuleSnapshot, SafetensorsStore};
use burnscape::merge::{
    Average, ByPath, Combine, FileMerge, KarcherMean, ModelStock, Recipe, Slerp, SlerpUnit,
    Sparsify, TaskArithmetic, WeightLayout, interpolate,
};
use burnscape::space::unshared_copy;

use super::folder::Folder;
use crate::element::device;
use crate::symmetry::zoo::{self, Specimen, cast, parameters, same, scattered};

const SEED: u64 = 26;

fn save<M: Module>(model: &M, path: &Path) {
    if path.extension().is_some_and(|extension| extension == "bpk") {
        model
            .save_into(&mut BurnpackStore::from_file(path))
            .unwrap();
    } else {
        model
            .save_into(&mut SafetensorsStore::from_file(path))
            .unwrap();
    }
}

/// A copy of a model with the numbers of a file.
fn loaded<M: Module>(model: &M, path: &Path) -> M {
    let mut model = unshared_copy(model);
    let result = if path.extension().is_some_and(|extension| extension == "bpk") {
        let store = &mut BurnpackStore::from_file(path);
        model.load_from(store).unwrap()
    } else {
        let store = &mut SafetensorsStore::from_file(path);
        model.load_from(store).unwrap()
    };
    assert!(result.is_success() && result.unused.is_empty(), "{result}");
    model
}

fn recipes() -> Vec<(&'static str, Recipe)> {
    let weights = || [ByPath::new(1.0), ByPath::new(3.0)];
    let slerp = |unit| Recipe::new(Slerp::new().with_unit(unit)).with_weights(weights());
    let over_model = TaskArithmetic::new()
        .with_sparsify(Sparsify::ModelMagnitude { density: 0.4 })
        .with_combine(Combine::ElectSign);
    vec![
        ("average", Recipe::new(Average).with_weights(weights())),
        ("slerp", slerp(SlerpUnit::Tensor)),
        ("slerp of filters", slerp(SlerpUnit::Filter)),
        ("slerp of models", slerp(SlerpUnit::Model)),
        ("karcher", Recipe::new(KarcherMean::new())),
        ("model stock", Recipe::new(ModelStock::new())),
        ("ties", Recipe::new(TaskArithmetic::ties(0.5))),
        ("ties over the model", Recipe::new(over_model)),
        (
            "dare",
            Recipe::new(TaskArithmetic::dare(0.6).with_seed(SEED)),
        ),
        (
            "della",
            Recipe::new(TaskArithmetic::della(0.6, 0.2).with_seed(SEED)),
        ),
    ]
}

/// Merges a base and two models that have moved the same way for the most part, as modules and as files.
fn agrees<M: Module, B, const R: usize>(
    net: &Specimen<M, B, R>,
    layout: &ByPath<WeightLayout>,
    dtype: DType,
    extension: &str,
) {
    let moved = scattered(&net.model, 1);
    let near = |seed| interpolate(&moved, &scattered(&net.model, seed), 0.2).unwrap();
    let [base, a, b] = [unshared_copy(&net.model), near(2), near(3)].map(|net| cast(&net, dtype));

    let folder = Folder::new();
    let [of_base, of_a, of_b] =
        ["base", "a", "b"].map(|name| folder.path(&format!("{name}.{extension}")));
    save(&base, &of_base);
    save(&a, &of_a);
    save(&b, &of_b);
    let out = folder.path(&format!("merged.{extension}"));
    for (name, recipe) in recipes() {
        let name = format!("{}, {name}, {dtype:?}, {extension}", net.name);
        let expected = recipe.run(Some(&base), &[&a, &b]).expect(&name);
        let report = FileMerge::new(recipe, [&of_a, &of_b], &out)
            .with_base(&of_base)
            .with_layout(layout.clone())
            .run()
            .expect(&name);
        let found = parameters(&loaded(&base, &out));
        assert!(same(&found, &parameters(&expected.model)), "{name}");

        let mut of_modules = expected.report.tensors;
        of_modules.sort_by(|one, other| one.name.cmp(&other.name));
        assert_eq!(report.tensors, of_modules, "{name}");
    }
}

#[test]
fn merging_files_is_merging_modules() {
    let device = device();
    let linear = ByPath::new(WeightLayout::InOut);
    for extension in ["safetensors", "bpk"] {
        for dtype in [DType::F64, DType::F32, DType::BF16, DType::F16] {
            agrees(&zoo::mlp(&device, SEED), &linear, dtype, extension);
        }
        let net = zoo::cnn(&device, SEED);
        agrees(&net, &linear, DType::F32, extension);
        let net = zoo::encoder(true, &device, SEED);
        let layout = linear.clone().with("embedding", WeightLayout::OutIn);
        agrees(&net, &layout, DType::F32, extension);
    }
}

#[test]
fn without_a_base_the_first_model_gives_everything_else() {
    let net = zoo::cnn(&device(), SEED);
    let (a, b) = (net.model.clone(), scattered(&net.model, 1));
    let folder = Folder::new();
    let [of_a, of_b, out] = ["a.bpk", "b.safetensors", "out.bpk"].map(|name| folder.path(name));
    save(&a, &of_a);
    save(&b, &of_b);
    let recipe = Recipe::new(Average);
    let expected = recipe.run(None, &[&a, &b]).unwrap();
    FileMerge::new(recipe, [&of_a, &of_b], &out).run().unwrap();
    let found = parameters(&loaded(&a, &out));
    assert!(same(&found, &parameters(&expected.model)));
    // The identities of parameters, by which states of optimizers find them.
    let ids = |path: &Path| -> Vec<Option<u64>> {
        let reader = burn_pack::Reader::from_file(path).unwrap();
        let tensors = reader.into_tensors().unwrap();
        tensors.iter().map(|tensor| tensor.param_id).collect()
    };
    assert_eq!(ids(&out), ids(&of_a));
    assert!(ids(&out).iter().all(Option::is_some));
}
