//! Relative flatness against its definition, from dense Hessians.

use burnscape::curvature::Hessian;
use burnscape::krylov::Dense;
use burnscape::loss::Risk;
use burnscape::sharpness::RelativeFlatnessConfig;
use burnscape::space::{ParamLeaf, ParamSpace, ParamVector};

use super::networks::{ConvNet, close, conv_loss, images, net, net_loss, regression};

/// `Σ_{s,s'} ⟨w_s, w_s'⟩ Σ_j H[(s, j), (s', j)]`, index by index.
fn definition(hessian: &Hessian<'_>, weights: &[f64], leaf: &ParamLeaf) -> f64 {
    let (dense, n) = (Dense::of(hessian).unwrap(), hessian.space().len());
    let axis = leaf.filter_axis().unwrap();
    let neurons = leaf.shape()[axis];
    let inputs = leaf.len() / neurons;
    // Linear weights are [inputs, neurons], those of convolutions [neurons, inputs].
    let place = |s: usize, j: usize| match axis {
        0 => leaf.offset() + s * inputs + j,
        _ => leaf.offset() + j * neurons + s,
    };
    let mut sum = 0.0;
    for s in 0..neurons {
        for t in 0..neurons {
            let product: f64 = (0..inputs)
                .map(|j| weights[place(s, j)] * weights[place(t, j)])
                .sum();
            let trace: f64 = (0..inputs)
                .map(|j| dense.as_slice()[place(s, j) * n + place(t, j)])
                .sum();
            sum += product * trace;
        }
    }
    sum
}

fn weights<M: burn::module::Module>(model: &M) -> Vec<f64> {
    let space = ParamSpace::of(model).unwrap();
    let weights = ParamVector::from_module(&space, model).unwrap();
    weights.to_host().unwrap()
}

#[test]
fn it_is_the_definition_where_products_suffice() {
    let (model, data) = (net(), regression());
    let hessian = Risk::new(&net_loss, &data).hessian(&model).unwrap();
    let found = RelativeFlatnessConfig::new().run(&hessian, &model).unwrap();
    // Four inputs and six neurons take 16 products, six inputs and three neurons 18.
    assert_eq!((found.exact, found.num_matvecs), (true, 34));
    let leaves = hessian.space().leaves();
    for (layer, index) in found.layers.iter().zip([0, 2]) {
        assert_eq!(layer.path, leaves[index].path());
        let exact = definition(&hessian, &weights(&model), &leaves[index]);
        assert!(exact > 0.1);
        close(layer.value, exact, 1e-10);
        assert_eq!(layer.standard_error, Some(0.0));
    }
    let one = RelativeFlatnessConfig::new().with_path(Some("second.weight".into()));
    let one = one.run(&hessian, &model).unwrap();
    assert_eq!((one.layers.len(), one.num_matvecs), (1, 18));
    close(one.layers[0].value, found.layers[1].value, 1e-12);
}

#[test]
fn the_block_of_one_weight_is_enough() {
    let (model, data) = (net(), regression());
    let risk = Risk::new(&net_loss, &data);
    let full = risk.hessian(&model).unwrap();
    let exact = definition(&full, &weights(&model), &full.space().leaves()[2]);
    let group = burn::module::ParamGroup::from_path("second.weight");
    let block = risk.with_group(group).hessian(&model).unwrap();
    let found = RelativeFlatnessConfig::new().run(&block, &model).unwrap();
    close(found.layers[0].value, exact, 1e-10);
}

#[test]
fn estimates_are_within_their_errors() {
    let (model, data) = (net(), regression());
    let hessian = Risk::new(&net_loss, &data).hessian(&model).unwrap();
    let exact = RelativeFlatnessConfig::new().run(&hessian, &model).unwrap();
    // A limit below the 18 products of one layer and of both, but many samples: seeds are averaged.
    let runs: Vec<_> = (0..25)
        .map(|seed| {
            let config = RelativeFlatnessConfig::new().with_max_matvecs(17);
            config.with_seed(seed).run(&hessian, &model).unwrap()
        })
        .collect();
    assert!(runs.iter().all(|run| !run.exact && run.num_matvecs == 17));
    for index in 0..2 {
        let values: Vec<f64> = runs.iter().map(|run| run.layers[index].value).collect();
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let spread = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let error = (spread / count).sqrt();
        let truth = exact.layers[index].value;
        assert!(error < 0.1 * truth, "{error} of {truth}");
        assert!((mean - truth).abs() < 4.0 * error, "{mean} {truth} {error}");
        // The error that a run states is that of its own spread between runs.
        let stated: f64 = runs
            .iter()
            .map(|run| run.layers[index].standard_error.unwrap().powi(2))
            .sum::<f64>()
            / count;
        assert!((0.4..2.5).contains(&(stated / spread)), "{stated} {spread}");
        let covered = runs.iter().filter(|run| {
            let layer = &run.layers[index];
            (layer.value - truth).abs() <= layer.half_width.unwrap()
        });
        assert!(covered.count() >= 20);
    }
}

#[test]
fn channels_are_the_neurons_of_a_convolution() {
    let (model, data) = (ConvNet::new(), images());
    let hessian = Risk::new(&conv_loss, &data).hessian(&model).unwrap();
    let found = RelativeFlatnessConfig::new()
        .with_max_matvecs(200)
        .run(&hessian, &model)
        .unwrap();
    assert!(found.exact);
    for (layer, index) in found.layers.iter().zip([0, 2]) {
        let exact = definition(&hessian, &weights(&model), &hessian.space().leaves()[index]);
        close(layer.value, exact, 1e-10);
    }
}
