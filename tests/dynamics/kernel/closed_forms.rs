//! Kernels that are known in closed form.

use burn::nn::{Linear, LinearConfig};
use burn::tensor::{DType, Tensor};
use burnscape::dynamics::{LinearizedModel, TangentKernelConfig, TangentKernelReading};
use burnscape::loss::Risk;
use burnscape::space::{ParamSpace, ParamVector};
use burnscape_testkit::double::device;

use super::models::{assert_near, of_squares, ones, point};

fn target(values: [f64; 2]) -> Tensor<1> {
    Tensor::from_data(values, (&device(), DType::F64))
}

/// From the identity to `diag(2, 0)`.
fn from_identity(config: &TangentKernelConfig) -> TangentKernelReading {
    let data = ones(2);
    let end = point(&[2.0_f64.sqrt(), 0.0]);
    let reading = config.run(&of_squares(&data), &point(&[1.0, 1.0]), &end);
    reading.unwrap()
}

#[test]
fn from_the_identity_to_rank_one_the_drift_is_one() {
    let new = TangentKernelConfig::new;
    // Of a diagonal matrix the products with random signs are exact.
    for config in [new(), new().with_num_probes(Some(1))] {
        let reading = from_identity(&config);
        assert_near(reading.drift, 1.0, 1e-14);
        assert_near(reading.distance.unwrap(), 1.0 - 0.5_f64.sqrt(), 1e-14);
        assert_near(reading.distance.unwrap(), 0.292_893_2, 1e-7);
        assert_near(reading.effective_rank.unwrap(), 1.0, 1e-14);
        assert_near(reading.trace, 2.0, 1e-14);
        assert_eq!((reading.num_examples, reading.num_outputs), (2, 2));
        assert_eq!(reading.drift_standard_error, None);
        assert_eq!(
            (reading.alignment, reading.centered_alignment),
            (None, None)
        );
        // From (1, 1) by (√2 − 1, −1).
        let moved = ((2.0_f64.sqrt() - 1.0).powi(2) + 1.0).sqrt() / 2.0_f64.sqrt();
        assert_near(reading.relative_move.unwrap(), moved, 1e-14);
    }
    let several = from_identity(&new().with_num_probes(Some(4)));
    assert_near(several.drift_standard_error.unwrap(), 0.0, 1e-14);
    assert_near(several.trace_standard_error.unwrap(), 0.0, 1e-14);
}

#[test]
fn alignments_are_those_of_the_definition() {
    let new = TangentKernelConfig::new;
    for probes in [None, Some(3)] {
        let along = |y| from_identity(&new().with_num_probes(probes).with_targets(target(y)));
        // yᵀ K y / (|K| |y|²), with K = diag(2, 0).
        for (y, expected) in [([1.0, 0.0], 1.0), ([1.0, 1.0], 0.5), ([0.0, 3.0], 0.0)] {
            assert_near(along(y).alignment.unwrap(), expected, 1e-14);
        }
        // A constant target has no centered part.
        assert_eq!(along([1.0, 1.0]).centered_alignment, None);
        assert_eq!(along([0.0, 0.0]).alignment, None);
    }
    // C K C = ½ [[1, −1], [−1, 1]] is that of every centered target.
    let along = |y| from_identity(&new().with_targets(target(y)));
    assert_near(along([1.0, 0.0]).centered_alignment.unwrap(), 1.0, 1e-14);
    let reading = along([5.0, 2.0]);
    assert_eq!(reading.alignment_per_output, [reading.alignment.unwrap()]);
    let centered = reading.centered_alignment.unwrap();
    assert_eq!(reading.centered_alignment_per_output, [centered]);
}

#[test]
fn a_linear_model_has_no_drift_to_the_bit() {
    let layer: Linear = LinearConfig::new(3, 2).init(&device());
    let space = ParamSpace::of(&layer).unwrap();
    let at = |phase: f64| {
        let weights: Vec<f64> = (0..8).map(|i| (f64::from(i) * 1.7 + phase).sin()).collect();
        let weights = ParamVector::from_host(&space, &weights).unwrap();
        weights.apply_to(&layer).unwrap()
    };
    let place = (&device(), DType::F64);
    let rows = [
        [0.3, -1.0, 2.0],
        [1.0, 0.1, 0.7],
        [0.0, 5.0, -0.2],
        [9.0, 1.0, 1.0],
    ];
    let data = [Tensor::<2>::from_data(rows, place)];
    let risk = Risk::split(
        |layer: &Linear, x: &Tensor<2>| layer.forward(x.clone()),
        |z: Tensor<2>, _: Tensor<2>| z.square().mean(),
        &data,
    );
    for probes in [None, Some(5)] {
        let config = TangentKernelConfig::new().with_num_probes(probes);
        let reading = config.run(&risk, &at(0.0), &at(1.0)).unwrap();
        assert_eq!((reading.drift, reading.distance), (0.0, Some(0.0)));
        assert!(reading.linearization_gap.is_some_and(|gap| gap < 1e-13));
        // Each output has the inputs and a bias as gradient.
        let squares: f64 = rows.iter().flatten().map(|x| x * x).sum();
        if probes.is_none() {
            assert_near(reading.trace, 2.0 * (squares + 4.0), 1e-12);
        }
    }
}

#[test]
fn the_linearized_model_leaves_out_the_second_order() {
    let (start, data) = (point(&[1.0, 2.0]), ones(2));
    let linearized = LinearizedModel::new(&of_squares(&data), &start).unwrap();
    let host = |point: &[f64]| {
        let found = linearized.predict(&self::point(point)).unwrap();
        found.to_host().unwrap()
    };
    assert_eq!(linearized.start_outputs().to_host().unwrap(), [0.5, 2.0]);
    // ½ w₀² + w₀ δ, without ½ δ².
    assert_eq!(host(&[2.0, 1.5]), [1.5, 1.0]);
    let gap = |at: &[f64]| linearized.gap(&point(at)).unwrap();
    assert_near(gap(&[2.0, 2.0]).unwrap(), 0.5 / 1.5, 1e-14);
    assert_eq!(gap(&[1.0, 2.0]), None);
    // The sign of a weight does not change its output.
    assert_eq!(gap(&[1.0, -2.0]), None);
}

#[test]
fn a_kernel_that_becomes_zero_has_drift_one_and_nothing_to_divide_by() {
    let data = ones(2);
    let config = TangentKernelConfig::new().with_targets(target([1.0, -1.0]));
    for probes in [None, Some(3)] {
        let config = config.clone().with_num_probes(probes);
        let (start, end) = (point(&[1.0, 1.0]), point(&[0.0, 0.0]));
        let reading = config.run(&of_squares(&data), &start, &end).unwrap();
        assert_eq!((reading.drift, reading.trace), (1.0, 0.0));
        let none = [
            reading.distance,
            reading.alignment,
            reading.centered_alignment,
            reading.effective_rank,
        ];
        assert_eq!(none, [None; 4]);
        assert!(reading.alignment_per_output.iter().all(|x| x.is_nan()));
    }
}
