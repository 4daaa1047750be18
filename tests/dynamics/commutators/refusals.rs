//! Bad input is refused, and the error says what to change.

use burn::optim::SgdConfig;
use burn::tensor::{DType, Tensor};
use burnscape::curvature::CurvatureError;
use burnscape::dynamics::{CommutatorConfig, DynamicsError, FiniteCommutatorConfig};
use burnscape::loss::{LossError, Risk};
use burnscape_testkit::double::device;
use burnscape_testkit::objectives::Point;

use super::losses::{Golden, Rows, one_pair, regression};

/// The error of a measurement of batches with so many examples of the regression.
fn refused(config: &CommutatorConfig, sizes: &[usize]) -> DynamicsError {
    let golden = Golden::load().regression;
    let data: Vec<Rows> = sizes
        .iter()
        .map(|&size| golden.rows(&(0..size).collect::<Vec<_>>()))
        .collect();
    let risk = Risk::new(&regression, &data);
    let error = config.run(&risk, &golden.point()).unwrap_err();
    // Finite steps are refused for the same reasons.
    let finite = FiniteCommutatorConfig {
        lr: 0.1,
        batch_size: config.batch_size,
        num_pairs: config.num_pairs,
        seed: config.seed,
    };
    let sgd = SgdConfig::new().init();
    let same = finite.run(&risk, &golden.point(), &sgd).unwrap_err();
    assert_eq!(same, error);
    error
}

#[test]
fn settings_out_of_range_are_named() {
    for (config, expected) in [
        (one_pair().with_num_pairs(0), "num_pairs"),
        (one_pair().with_batch_size(Some(0)), "batch_size"),
    ] {
        let DynamicsError::OutOfRange(found) = refused(&config, &[2, 2]) else {
            panic!("{expected}");
        };
        assert_eq!(found.name, expected);
        assert!(config.init().is_err());
    }
    let golden = Golden::load().regression;
    let data = [golden.rows(&[0]), golden.rows(&[1])];
    let risk = Risk::new(&regression, &data);
    for lr in [0.0, -0.1, f64::NAN, f64::INFINITY] {
        let config = FiniteCommutatorConfig::new(lr).with_num_pairs(1);
        let error = config.run(&risk, &golden.point(), &SgdConfig::new().init());
        assert!(matches!(error, Err(DynamicsError::OutOfRange(found)) if found.name == "lr"));
    }
}

#[test]
fn a_batch_size_above_that_of_the_data_is_refused() {
    let config = one_pair().with_batch_size(Some(5));
    let expected = DynamicsError::BatchSize {
        size: 5,
        available: 4,
    };
    let error = refused(&config, &[4, 4]);
    assert_eq!(error, expected);
    assert!(
        error
            .to_string()
            .contains("use smaller micro-batches, or larger batches")
    );
}

#[test]
fn parts_of_different_sizes_are_refused() {
    let unequal = |first, second| DynamicsError::UnequalBatches { first, second };
    assert_eq!(refused(&one_pair(), &[4, 4, 3]), unequal(4, 3));
    let config = one_pair().with_batch_size(Some(3));
    assert_eq!(refused(&config, &[3, 4]), unequal(3, 1));
    let text = refused(&config, &[5, 5]).to_string();
    assert!(text.contains("without the remainder"), "{text}");
}

#[test]
fn pairs_need_two_batches_each() {
    let few = |needed, found, what| DynamicsError::TooFewBatches {
        needed,
        found,
        what,
        remedy: "compare fewer pairs (`with_num_pairs`), or cut the batches (`with_batch_size`)",
    };
    // A single micro-batch has no partner.
    assert_eq!(refused(&one_pair(), &[4]), few(2, 1, "batches"));
    let config = one_pair().with_batch_size(Some(4));
    assert_eq!(refused(&config, &[4]), few(2, 1, "micro-batches"));
    // Three pairs of five micro-batches.
    let config = one_pair().with_batch_size(Some(1)).with_num_pairs(3);
    let error = refused(&config, &[5]);
    assert_eq!(error, few(6, 5, "micro-batches"));
    let text = error.to_string();
    assert!(
        text.starts_with("5 micro-batches are too few, 6 is the least"),
        "{text}"
    );
}

#[test]
fn empty_data_are_refused() {
    let error = refused(&one_pair(), &[]);
    assert_eq!(error, DynamicsError::Loss(LossError::EmptyData));
}

#[test]
fn what_is_not_finite_is_located_in_the_batches_of_the_data() {
    // The second example of the last batch.
    let loss = |point: &Point, x: Tensor<2>| {
        let outputs = x.matmul(point.w.val().unsqueeze_dim::<2>(1));
        outputs.sqrt().mean()
    };
    let place = (&device().autodiff(), DType::F64);
    let rows = |second: f64| Tensor::<2>::from_data([[1.0], [second]], place);
    let at = Point::new(&[1.0], &device().autodiff(), DType::F64);
    let config = one_pair().with_batch_size(Some(1)).with_num_pairs(3);
    let error = |second: f64| {
        let data = [rows(2.0), rows(3.0), rows(second)];
        config.run(&Risk::new(&loss, &data), &at).unwrap_err()
    };
    let negative = error(-1.0);
    let is_loss = matches!(
        negative,
        DynamicsError::Curvature(CurvatureError::Loss(LossError::NonFinite { batch: 2, .. }))
    );
    assert!(is_loss, "{negative}");
    // The derivative of a root at zero.
    let zero = error(0.0);
    let is_gradient = matches!(
        zero,
        DynamicsError::Curvature(CurvatureError::NonFiniteGradient { batch: 2, .. })
    );
    assert!(is_gradient, "{zero}");
}

#[test]
fn the_invariant_needs_a_mean_over_examples() {
    let golden = Golden::load().regression;
    let data = [golden.rows(&[0, 1, 2, 3])];
    // The root of a mean is not the mean of roots.
    let loss = |point: &Point, batch: Rows| (regression(point, batch) + 1.0).sqrt();
    let risk = Risk::new(&loss, &data);
    let config = one_pair().with_batch_size(Some(2));
    assert!(config.run(&risk, &golden.point()).is_ok());
    let error = config
        .clone()
        .with_invariant(true)
        .run(&risk, &golden.point())
        .unwrap_err();
    assert!(
        matches!(error, DynamicsError::NotExampleMean { .. }),
        "{error}"
    );
    // Whole batches are compared with their halves.
    let data = [golden.rows(&[0, 1]), golden.rows(&[2, 3])];
    let risk = Risk::new(&loss, &data);
    let error = one_pair()
        .with_invariant(true)
        .run(&risk, &golden.point())
        .unwrap_err();
    assert!(
        matches!(error, DynamicsError::NotExampleMean { .. }),
        "{error}"
    );
}

#[test]
fn an_observer_can_stop_a_measurement() {
    use std::ops::ControlFlow;

    let golden = Golden::load().regression;
    let data = [golden.rows(&[0]), golden.rows(&[1])];
    let risk = Risk::new(&regression, &data).with_observer(|_| ControlFlow::Break(()));
    let error = one_pair().run(&risk, &golden.point()).unwrap_err();
    assert_eq!(error, DynamicsError::Curvature(CurvatureError::Stopped));
    let finite = FiniteCommutatorConfig::new(0.1).with_num_pairs(1);
    let error = finite.run(&risk, &golden.point(), &SgdConfig::new().init());
    let is_stopped = matches!(error, Err(DynamicsError::Loss(LossError::Stopped { .. })));
    assert!(is_stopped);
}
