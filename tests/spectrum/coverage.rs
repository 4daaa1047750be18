//! Intervals cover as often as they say.

use burn::nn::loss::{MseLoss, Reduction};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::Tensor;
use burnscape::curvature::Hessian;
use burnscape::krylov::{Dense, to_dense};
use burnscape::space::{ParamSpace, ParamVector};
use burnscape::spectrum::Spectrum;

use super::fixture::{Matrix, device};
use burn::module::Module;

#[derive(Module, Debug)]
struct Net {
    first: Linear,
    last: Linear,
}

/// The Hessian of a tanh network of 43 parameters, as a matrix.
fn matrix() -> Matrix {
    let device = device();
    let net = Net {
        first: LinearConfig::new(4, 5).init(&device),
        last: LinearConfig::new(5, 3).init(&device),
    };
    let space = ParamSpace::of(&net).unwrap();
    let numbers: Vec<f64> = (0..space.len()).map(|i| 0.7 * (i as f64).sin()).collect();
    let net = ParamVector::from_host(&space, &numbers)
        .unwrap()
        .apply_to(&net)
        .unwrap();
    let loss = |net: &Net, x: Tensor<2>| {
        let z = net.last.forward(net.first.forward(x.clone()).tanh());
        MseLoss::new().forward(z, x.clone().slice([0..8, 0..3]), Reduction::Mean)
    };
    let x: Vec<f64> = (0..32).map(|i| (1.0 + 1.7 * f64::from(i)).cos()).collect();
    let x = Tensor::<1>::from_data(x.as_slice(), &device).reshape([8, 4]);
    let data = [x];
    let hessian = Hessian::new(&net, &loss, &data).unwrap();
    Matrix {
        space,
        entries: to_dense(&hessian).unwrap(),
    }
}

fn trace(entries: &Dense, from: usize, to: usize) -> f64 {
    let rows: Vec<&[f64]> = entries.rows().collect();
    (from..to).map(|i| rows[i][i]).sum()
}

#[test]
fn intervals_of_traces_cover_nineteen_times_in_twenty() {
    let matrix = matrix();
    let truth = trace(&matrix.entries, 0, matrix.space.len());
    let covers = |seed: u64| {
        let trace = Spectrum::of(&matrix)
            .with_seed(seed)
            .with_max_products(64)
            .trace()
            .unwrap();
        assert_eq!(trace.products, 64);
        (trace.value - truth).abs() <= trace.half_width.unwrap()
    };
    let covered = (0..1000).filter(|seed| covers(*seed)).count();
    assert!((930..=970).contains(&covered), "{covered}");
}

#[test]
fn intervals_of_layers_cover_as_well() {
    let matrix = matrix();
    let leaves: Vec<(usize, usize)> = matrix
        .space
        .leaves()
        .iter()
        .map(|leaf| (leaf.offset(), leaf.offset() + leaf.len()))
        .collect();
    let layers = [(leaves[0].0, leaves[1].1), (leaves[2].0, leaves[3].1)];
    let truths = layers.map(|(from, to)| trace(&matrix.entries, from, to));
    let mut covered = [0; 2];
    for seed in 0..1000 {
        let traces = Spectrum::of(&matrix)
            .with_seed(seed)
            .with_probes(64)
            .trace_by_layer()
            .unwrap();
        for ((layer, truth), covered) in traces.layers.iter().zip(truths).zip(&mut covered) {
            *covered += usize::from((layer.value - truth).abs() <= layer.half_width.unwrap());
        }
    }
    assert!(
        covered.iter().all(|count| (920..=980).contains(count)),
        "{covered:?}"
    );
}

#[test]
fn stopping_at_an_interval_keeps_most_of_its_coverage() {
    let matrix = matrix();
    let truth = trace(&matrix.entries, 0, matrix.space.len());
    let (mut covered, mut products) = (0, 0);
    for seed in 0..1000 {
        let trace = Spectrum::of(&matrix)
            .with_seed(seed)
            .with_trace_tolerance(0.2)
            .trace()
            .unwrap();
        assert!(trace.converged);
        products += trace.products;
        covered += usize::from((trace.value - truth).abs() <= trace.half_width.unwrap());
    }
    println!(
        "{covered} of 1000 covered, {} products on average",
        products / 1000
    );
    assert!(covered >= 900, "{covered}");
}
