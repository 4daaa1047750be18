//! The whole spectrum of a network on digits, against its dense Hessian.

use burn::module::Module;
use burn::optim::SgdConfig;
use burn::optim::momentum::MomentumConfig;
use burn::tensor::{Tensor, TensorData};
use burnscape::curvature::{CurvatureError, LayerValue};
use burnscape::krylov::{Dense, LinearOperator, SelfAdjoint};
use burnscape::loss::{Batch, Risk};
use burnscape::optim::ClosureStep;
use burnscape::space::{ParamSpace, ParamVector};
use burnscape::spectrum::Spectrum;
use burnscape_testkit::eigenvalues;
use burnscape_testkit::models::{Classifier, Mlp};

use super::fixture::device;
use crate::survey::data::{Digits, Split};

/// 64-24-16-10 with tanh: 2,130 parameters.
fn network() -> Mlp {
    let mlp = Mlp::new([64, 24, 16, 10], &device());
    let space = ParamSpace::of(&mlp).unwrap();
    let weights = ParamVector::gaussian(&space, 3).unwrap().scale(0.2);
    weights.apply_to(&mlp).unwrap()
}

fn loss(mlp: &Mlp, digits: Digits) -> Tensor<1> {
    mlp.loss(digits.images.flatten::<2>(1, 2), digits.labels)
}

fn trained(data: &Digits) -> Mlp {
    let mut mlp = network().train();
    let momentum = MomentumConfig::new()
        .with_momentum(0.875)
        .with_dampening(0.0);
    let mut sgd = SgdConfig::new().with_momentum(Some(momentum)).init();
    for _ in 0..60 {
        sgd.closure_step(0.1, &mut mlp, |mlp: &Mlp| loss(mlp, data.clone()))
            .unwrap();
    }
    mlp
}

/// Products of a trace.
const PROBES: usize = 32;

/// The network trained on 256 digits, and those in two uneven batches.
fn trained_on_some() -> (Mlp, [Digits; 2]) {
    let split = Split::load(&device().autodiff()).unwrap();
    let some: Vec<usize> = (0..256).collect();
    let training = split.train.select(&some).unwrap();
    let data = [
        training.select(&some[..100]).unwrap(),
        training.select(&some[100..]).unwrap(),
    ];
    (trained(&training), data)
}

/// A matrix, stored: its products take milliseconds.
struct Stored {
    space: ParamSpace,
    matrix: Tensor<2>,
}

impl LinearOperator for Stored {
    type Domain = ParamVector;
    type Range = ParamVector;
    type Error = CurvatureError;

    fn domain(&self) -> ParamSpace {
        self.space.clone()
    }

    fn range(&self) -> ParamSpace {
        self.space.clone()
    }

    fn matvec(&self, v: &ParamVector) -> Result<ParamVector, CurvatureError> {
        let n = self.space.len();
        let product = self
            .matrix
            .clone()
            .matmul(v.values().clone().reshape([n, 1]));
        Ok(ParamVector::from_values(&self.space, product.reshape([n]))?)
    }
}

impl SelfAdjoint for Stored {}

#[test]
#[ignore = "a thousand traces of 2,130 parameters take minutes"]
fn intervals_of_its_traces_cover_nineteen_times_in_twenty() {
    let (model, data) = trained_on_some();
    let hessian = Risk::new(&loss, &data).hessian(&model).unwrap();
    let (n, matrix) = (
        hessian.space().len(),
        Dense::of(&hessian).unwrap().as_slice().to_vec(),
    );
    let diagonal: Vec<f64> = (0..n).map(|i| matrix[i * n + i]).collect();
    let stored = Stored {
        space: hessian.space().clone(),
        matrix: Tensor::from_data(TensorData::new(matrix, [n, n]), &device()),
    };
    let (mut covered, mut by_layer) = (0, [0; 3]);
    for seed in 0..1000 {
        let traces = Spectrum::of(&stored)
            .with_seed(seed)
            .with_num_probes(PROBES)
            .trace_by_layer()
            .unwrap();
        let covers = |trace: &LayerValue, start: usize| {
            let exact: f64 = diagonal[start..start + trace.len].iter().sum();
            usize::from((trace.value - exact).abs() <= trace.half_width.unwrap())
        };
        covered += covers(&traces.total, 0);
        let mut start = 0;
        for (layer, count) in traces.layers.iter().zip(&mut by_layer) {
            *count += covers(layer, start);
            start += layer.len;
        }
        if seed == 0 {
            let trace = Spectrum::of(&stored).with_max_matvecs(PROBES).trace();
            assert!((trace.unwrap().value - traces.total.value).abs() < 1e-9);
        }
    }
    println!("of 1000 seeds {covered} cover the trace, {by_layer:?} those of the layers");
    assert!((930..=985).contains(&covered), "{covered}");
    for count in by_layer {
        assert!((930..=985).contains(&count), "{by_layer:?}");
    }
}

#[test]
fn the_spectrum_of_a_network_on_digits_is_that_of_its_matrix() {
    let (model, data) = trained_on_some();
    let hessian = Risk::new(&loss, &data).hessian(&model).unwrap();
    let n = hessian.space().len();
    assert_eq!(n, 2130);

    let matrix = Dense::of(&hessian).unwrap().as_slice().to_vec();
    let diagonal: Vec<f64> = (0..n).map(|i| matrix[i * n + i]).collect();
    let eigenvalues = eigenvalues(&matrix);
    let (low, high) = (eigenvalues[0], eigenvalues[n - 1]);
    let size = high.max(-low);
    assert!(
        low < -1e-3 * high,
        "a Hessian with both signs: {low} {high}"
    );

    let spectrum = Spectrum::of(&hessian).with_tolerance(1e-7);
    let top = spectrum.top_eigenpairs(20).unwrap();
    assert!(top.outcome.is_converged());
    for (found, expected) in top.values.iter().zip(eigenvalues.iter().rev()) {
        assert!(
            (found - expected).abs() <= 1e-6 * size,
            "{found} {expected}"
        );
    }
    // Of the lower end only what is apart: its values are closer to each other than the tolerance
    // resolves.
    let bottom = spectrum.bottom_eigenpairs(2).unwrap();
    for (found, expected) in bottom.values.iter().zip(&eigenvalues) {
        assert!(
            (found - expected).abs() <= 1e-6 * size,
            "{found} {expected}"
        );
    }

    let density = spectrum.density().unwrap();
    assert_eq!(density.num_matvecs(), 800);
    let distance = density.measure().wasserstein1(&eigenvalues).unwrap() / (high - low);
    println!(
        "eigenvalues {low:.4} to {high:.4}, {} and {} products for 20 and 2 pairs, distance of the \
         density {distance:.5}",
        top.num_matvecs, bottom.num_matvecs
    );
    assert!(distance <= 0.0015, "{distance}");

    let exact: f64 = diagonal.iter().sum();
    let trace = spectrum.trace();
    let trace = trace.unwrap();
    assert!((trace.value - exact).abs() < 2.0 * trace.half_width.unwrap());
    let layers = spectrum.with_num_probes(64).trace_by_layer().unwrap();
    let mut start = 0;
    for layer in &layers.layers {
        let exact: f64 = diagonal[start..start + layer.len].iter().sum();
        assert!(
            (layer.value - exact).abs() < 2.0 * layer.half_width.unwrap(),
            "{layer:?} {exact}"
        );
        start += layer.len;
    }

    let inertia = Spectrum::of(&hessian).inertia().unwrap();
    let zero = inertia.zero;
    let negative = eigenvalues.iter().filter(|value| **value < -zero).count();
    assert!(inertia.negative.at_least <= negative);
    let error = inertia.negative.standard_error.unwrap();
    let estimate = inertia.negative.estimate.unwrap();
    println!(
        "negative: {negative}, at least {}, about {estimate:.0} ± {error:.0}",
        inertia.negative.at_least
    );
    let off = (estimate - negative as f64).abs();
    assert!(off < 4.0 * error && error < 0.02 * n as f64, "{inertia:?}");
}
