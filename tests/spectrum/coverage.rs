//! Intervals cover as often as they state.

use burn::nn::loss::{MseLoss, Reduction};
use burn::tensor::Tensor;
use burnscape::OutOfRange;
use burnscape::curvature::CurvatureError;
use burnscape::krylov::{Dense, EigenvalueCount};
use burnscape::loss::Risk;
use burnscape::space::{ParamSpace, ParamVector};
use burnscape::spectrum::Spectrum;
use burnscape_testkit::models::TwoLayers;

use super::fixture::{Matrix, device, point, with_hessian};

/// The Hessian of a tanh network of 43 parameters, as a matrix.
fn matrix() -> Matrix {
    let device = device();
    let net = TwoLayers::new([4, 5, 3], &device);
    let space = ParamSpace::of(&net).unwrap();
    let numbers: Vec<f64> = (0..space.len()).map(|i| 0.7 * (i as f64).sin()).collect();
    let net = ParamVector::from_host(&space, &numbers)
        .unwrap()
        .apply_to(&net)
        .unwrap();
    let loss = |net: &TwoLayers, x: Tensor<2>| {
        let z = net.forward(x.clone(), Tensor::tanh);
        MseLoss::new().forward(z, x.clone().slice([0..8, 0..3]), Reduction::Mean)
    };
    let x: Vec<f64> = (0..32).map(|i| (1.0 + 1.7 * f64::from(i)).cos()).collect();
    let x = Tensor::<1>::from_data(x.as_slice(), &device).reshape([8, 4]);
    let data = [x];
    let hessian = Risk::new(&loss, &data).hessian(&net).unwrap();
    Matrix {
        space,
        entries: Dense::of(&hessian).unwrap(),
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
            .with_max_matvecs(64)
            .trace()
            .unwrap();
        assert_eq!(trace.num_matvecs, 64);
        (trace.value - truth).abs() <= trace.half_width.unwrap()
    };
    let covered = (0..1000).filter(|seed| covers(*seed)).count();
    assert!((930..=985).contains(&covered), "{covered}");
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
            .with_num_probes(64)
            .trace_by_layer()
            .unwrap();
        for ((layer, truth), covered) in traces.layers.iter().zip(truths).zip(&mut covered) {
            *covered += usize::from((layer.value - truth).abs() <= layer.half_width.unwrap());
        }
    }
    assert!(
        covered.iter().all(|count| (930..=985).contains(count)),
        "{covered:?}"
    );
}

#[test]
fn stopping_at_an_interval_keeps_its_coverage() {
    let matrix = matrix();
    let truth = trace(&matrix.entries, 0, matrix.space.len());
    let (mut covered, mut products) = (0, 0);
    for seed in 0..1000 {
        let trace = Spectrum::of(&matrix)
            .with_seed(seed)
            .with_trace_tolerance(0.2)
            .trace()
            .unwrap();
        assert!(trace.outcome.is_converged());
        products += trace.num_matvecs;
        covered += usize::from((trace.value - truth).abs() <= trace.half_width.unwrap());
    }
    println!(
        "{covered} of 1000 covered, {} products on average",
        products / 1000
    );
    assert!((930..=985).contains(&covered), "{covered}");
}

#[test]
fn counts_and_effective_dimension_have_room_for_what_the_steps_cannot_resolve() {
    // A cluster around zero that eight steps see as one node, and few eigenvalues apart: on a diagonal matrix
    // all probes agree, and the spread of the draw is zero.
    let values: Vec<f64> = (0..200)
        .map(|i| match i {
            0..20 => f64::from(i - 25) * 0.02,
            20..120 => f64::from(i - 70) * 1e-3,
            _ => 0.1 + f64::from(i - 120) * 0.02,
        })
        .collect();
    let count = |is_one: &dyn Fn(f64) -> bool| values.iter().filter(|x| is_one(**x)).count();
    with_hessian(&point(200), &values, |hessian| {
        let spectrum = || Spectrum::of(hessian).with_num_probes(4).with_steps(8);
        for zero in [0.0, 1e-3 / 2.0, 0.01, 0.03] {
            let found = spectrum().with_zero(zero).inertia().unwrap();
            let (above, below) = (count(&|x| x > zero), count(&|x| x < -zero));
            for (kind, truth) in [
                (found.positive, above),
                (found.negative, below),
                (found.near_zero, 200 - above - below),
            ] {
                let (low, high) = kind.interval.unwrap();
                let truth = truth as f64;
                assert!(low <= truth && truth <= high, "{found:?} {truth}");
                assert!(kind.standard_error.unwrap() < 1e-6, "{found:?}");
                let estimate = kind.estimate.unwrap();
                assert!(low <= estimate && estimate <= high);
            }
            let kinds = [found.positive, found.negative, found.near_zero];
            let sum: f64 = kinds.iter().map(|kind| kind.estimate.unwrap()).sum();
            assert!((sum - 200.0).abs() < 1e-9);
            // The interval is far wider than the draw alone.
            assert!(high_less_low(found.near_zero) > 10.0, "{found:?}");
            assert!(found.positive.at_least <= above && found.negative.at_least <= below);
        }
        for gamma in [1e-3, 0.1] {
            let found = spectrum().effective_dimension(gamma).unwrap();
            let truth: f64 = values
                .iter()
                .map(|x| x.max(0.0) / (x.max(0.0) + gamma))
                .sum();
            let (low, high) = found.interval.unwrap();
            assert!(low <= truth && truth <= high, "{found:?} {truth}");
        }
    });
}

fn high_less_low(count: EigenvalueCount) -> f64 {
    let (low, high) = count.interval.unwrap();
    high - low
}

#[test]
fn twice_the_steps_close_the_interval_of_a_count() {
    let values: Vec<f64> = (0..300).map(|i| (f64::from(i) - 60.5) * 0.01).collect();
    let width = |steps: usize| {
        with_hessian(&point(300), &values, |hessian| {
            let found = Spectrum::of(hessian)
                .with_num_probes(4)
                .with_steps(steps)
                .with_zero(0.0)
                .inertia()
                .unwrap();
            assert_eq!(found.negative.exact, None);
            let (low, high) = found.negative.interval.unwrap();
            assert!(low <= 61.0 && 61.0 <= high, "{found:?}");
            high - low
        })
    };
    let widths = [10, 20, 40].map(width);
    assert!(
        widths[1] < 0.7 * widths[0] && widths[2] < 0.7 * widths[1],
        "{widths:?}"
    );
}

#[test]
fn a_single_probe_has_no_interval_and_an_exact_count_one_of_no_width() {
    let values: Vec<f64> = (0..50).map(|i| f64::from(i) - 10.0).collect();
    with_hessian(&point(50), &values, |hessian| {
        let one = Spectrum::of(hessian).with_num_probes(1).with_steps(12);
        let found = { one }.inertia().unwrap();
        assert_eq!(found.positive.interval, None);
        assert_eq!(found.positive.standard_error, None);
        let exact = Spectrum::of(hessian).inertia().unwrap();
        assert_eq!(exact.negative.interval, Some((10.0, 10.0)));
        assert_eq!(exact.confidence, 0.95);
        for confidence in [0.0, 1.0, f64::NAN] {
            let spectrum = || Spectrum::of(hessian).with_confidence(confidence);
            let name = "confidence";
            for error in [
                spectrum().inertia().unwrap_err(),
                spectrum().effective_dimension(1.0).unwrap_err(),
            ] {
                assert!(
                    matches!(
                        error,
                        CurvatureError::OutOfRange(OutOfRange { name: n, .. }) if n == name
                    ),
                    "{error}"
                );
            }
        }
    });
}
