//! Optimizers in random subspaces: their bases, what they save, and what they refuse.

use burn::module::{Module, ParamGroup};
use burn::nn::{Linear, LinearConfig};
use burn::optim::AdamConfig;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::tensor::{DType, Tensor, TensorData};
use burnscape::OutOfRange;
use burnscape::optim::{
    ClosureStep, OptimError, OptimRecord, PerturbedGdConfig, RandomSubspaceConfig, SamConfig,
    SkipReason,
};
use burnscape::space::{RunningStatistics, SpaceError, unshared_copy};
use burnscape_testkit::models::Normalized;
use burnscape_testkit::objectives::{Point, quadratic};

use super::fixture::{device, point, sgd};

fn value(loss: Tensor<1>) -> f64 {
    loss.into_data().iter::<f64>().next().expect("a number")
}

/// A valley in four directions.
fn bowl(model: &Point) -> Tensor<1> {
    quadratic(model, &[4.0, 1.0, 3.0, 2.0])
}

const START: [f64; 4] = [1.0, -1.0, 0.5, 2.0];

#[test]
fn sharpness_aware_and_perturbed_bases_step_in_a_subspace() {
    let config = RandomSubspaceConfig::new(3);
    let mut model = point(&START);
    let sam = SamConfig::new().with_rho(0.1).init(sgd()).expect("a base");
    let mut optimizer = config.init(&model, sam).expect("an optimizer");
    let before = value(bowl(&model));
    for _ in 0..20 {
        let report = optimizer
            .closure_step(0.1, &mut model, bowl)
            .expect("a step");
        assert!(report.perturbed_loss > report.loss && report.num_gradients == 2);
    }
    assert!(value(bowl(&model)) < before);
    // A search that ends: its optimizer restores the point, and later steps leave the model there.
    let search = PerturbedGdConfig::new(1e-3, 1e9, 1e9).with_patience(1);
    let mut model = point(&START);
    let search = search.init(sgd()).expect("a base");
    let mut optimizer = config.init(&model, search).expect("an optimizer");
    for skipped in [
        None,
        Some(SkipReason::Certified),
        Some(SkipReason::Certified),
    ] {
        let report = optimizer.closure_step(0.1, &mut model, bowl);
        assert_eq!(report.expect("a step").skipped, skipped);
    }
    assert_eq!(model.coordinates(), START);
}

#[test]
fn a_resumed_run_continues_bit_for_bit() {
    let config = RandomSubspaceConfig::new(2).with_seed(5);
    let build = |model: &Point| {
        let base = AdamConfig::new().init();
        config.init(model, base).expect("an optimizer")
    };
    // Burn reads records in the default type of the device.
    let single = |at: &[f64]| Point::new(at, &device(), DType::F32);
    let mut model = single(&START);
    let mut optimizer = build(&model);
    for _ in 0..5 {
        optimizer
            .closure_step(0.1, &mut model, bowl)
            .expect("a step");
    }
    let bytes = optimizer.save_state(&model).expect("a record");
    let bytes = bytes.into_bytes().expect("bytes");
    // A model with other identifiers, as one that was read from a file.
    let mut other = single(&model.coordinates());
    let record = OptimRecord::from_bytes(bytes.clone()).expect("a record");
    // The subspace of the new optimizer goes through the saved origin, not through the present weights.
    let mut resumed = build(&other).load_state(record, &other).expect("a state");
    for _ in 0..5 {
        let one = optimizer
            .closure_step(0.1, &mut model, bowl)
            .expect("a step");
        let two = resumed.closure_step(0.1, &mut other, bowl).expect("a step");
        assert_eq!(one, two);
    }
    assert_eq!(model.coordinates(), other.coordinates());
    let coordinates = [&optimizer, &resumed].map(|o| o.coordinates().expect("coordinates"));
    assert_eq!(coordinates[0], coordinates[1]);

    let load = |config: RandomSubspaceConfig, model: &Point| {
        let record = OptimRecord::from_bytes(bytes.clone()).expect("a record");
        let base = AdamConfig::new().init();
        let optimizer = config.init(model, base).expect("an optimizer");
        optimizer.load_state(record, model).map(|_| ()).unwrap_err()
    };
    for (config, text) in [
        (
            RandomSubspaceConfig::new(3).with_seed(5),
            "this one has dimension 3 and seed 5",
        ),
        (
            RandomSubspaceConfig::new(2),
            "this one has dimension 2 and seed 0",
        ),
    ] {
        let error = load(config, &model).to_string();
        assert!(
            error.contains("dimension 2 with seed 5") && error.contains(text),
            "{error}"
        );
    }
    let error = load(config.clone(), &point(&[1.0; 5]));
    assert!(matches!(error, OptimError::OtherModel { .. }));
}

#[test]
fn running_statistics_are_those_of_the_first_pass_of_a_step() {
    let batch = || {
        let numbers: Vec<f64> = (0..24).map(|i| 5.0 + (1.7 * f64::from(i)).sin()).collect();
        Tensor::<2>::from_data(TensorData::new(numbers, [8, 3]), &device())
    };
    let loss = |m: &Normalized| m.forward(batch()).square().mean();
    let statistics = |model: &Normalized| -> Vec<f64> {
        let found = RunningStatistics::of(model);
        let paths = ["norm.running_mean", "norm.running_var"];
        let values = paths.map(|path| found.get(path).expect("a statistic").clone());
        Tensor::cat(values.to_vec(), 0)
            .into_data()
            .iter::<f64>()
            .collect()
    };
    let start = Normalized::new([3, 4, 2], &device());
    let initial = statistics(&start);
    let expected = {
        let model = unshared_copy(&start);
        let _ = loss(&model);
        statistics(&model)
    };
    assert_ne!(initial, expected);
    let config = RandomSubspaceConfig::new(5);
    let sam = SamConfig::new().with_rho(0.5).init(sgd()).expect("a base");
    let mut model = unshared_copy(&start);
    let mut optimizer = config.init(&model, sam).expect("an optimizer");
    optimizer
        .closure_step(0.1, &mut model, loss)
        .expect("a step");
    assert_eq!(statistics(&model), expected);
    // A step that is skipped leaves them, and the weights.
    let mut model = unshared_copy(&start);
    let mut optimizer = config.init(&model, sgd()).expect("an optimizer");
    let nothing = |m: &Normalized| loss(m) * f64::NAN;
    let report = optimizer
        .closure_step(0.1, &mut model, nothing)
        .expect("a step");
    assert_eq!(report.skipped, Some(SkipReason::NonFinite));
    assert_eq!(statistics(&model), initial);
    let weights = [&model, &start].map(|m| m.first.weight.val().into_data());
    assert_eq!(weights[0], weights[1]);
    assert_eq!(statistics(&start), initial);
}

/// A weight that occurs twice.
#[derive(Module, Debug)]
struct Tied {
    encoder: Linear,
    decoder: Linear,
}

#[test]
fn a_tied_weight_stays_tied() {
    let encoder = LinearConfig::new(3, 3).with_bias(false).init(&device());
    let decoder = encoder.clone();
    let mut model = Tied { encoder, decoder };
    let x = Tensor::<2>::ones([4, 3], &device());
    let loss = |m: &Tied| {
        let hidden = m.encoder.forward(x.clone());
        (m.decoder.forward(hidden) - 1.0).square().mean()
    };
    let config = RandomSubspaceConfig::new(4);
    let mut optimizer = config.init(&model, sgd()).expect("an optimizer");
    let before = value(loss(&model));
    for _ in 0..10 {
        optimizer
            .closure_step(0.01, &mut model, loss)
            .expect("a step");
    }
    assert!(value(loss(&model)) < before);
    let [one, other] = [&model.encoder, &model.decoder].map(|layer| layer.weight.val().into_data());
    assert_eq!(one, other);
    assert_eq!(model.encoder.weight.id, model.decoder.weight.id);
}

#[test]
fn half_precision_moves_in_coordinates_of_single_precision() {
    let mut model = Point::new(&START, &device(), DType::F16);
    let config = RandomSubspaceConfig::new(2);
    let mut optimizer = config.init(&model, sgd()).expect("an optimizer");
    let before = value(bowl(&model));
    for _ in 0..10 {
        let report = optimizer
            .closure_step(0.1, &mut model, bowl)
            .expect("a step");
        assert_eq!(report.skipped, None);
    }
    assert!(value(bowl(&model)) < before);
    assert_eq!(model.w.val().dtype(), DType::F16);
}

#[test]
fn a_model_that_left_the_subspace_is_refused_with_the_remedy() {
    let mut model = point(&START);
    let config = RandomSubspaceConfig::new(2);
    let mut optimizer = config.init(&model, sgd()).expect("an optimizer");
    optimizer
        .closure_step(0.1, &mut model, bowl)
        .expect("a step");
    let mut coordinates = model.coordinates();
    coordinates[3] += 1.0;
    let mut moved = point(&coordinates);
    let error = optimizer.closure_step(0.1, &mut moved, bowl).unwrap_err();
    let OptimError::OutsideSubspace { distance } = &error else {
        panic!("{error}");
    };
    assert!((distance - 1.0).abs() < 1e-12);
    assert!(error.to_string().contains("`RandomSubspaceConfig::init`"));
    // The optimizer goes on where it was.
    optimizer
        .closure_step(0.1, &mut model, bowl)
        .expect("a step");
    let mut other = point(&[1.0, -1.0]);
    let error = optimizer.closure_step(0.1, &mut other, |m: &Point| quadratic(m, &[1.0, 1.0]));
    assert!(matches!(
        error,
        Err(OptimError::Space(SpaceError::DifferentSpaces { .. }))
    ));
}

#[test]
fn dimensions_and_rates_without_meaning_are_refused() {
    let model = point(&START);
    let refused = |dimension: usize| {
        let error = RandomSubspaceConfig::new(dimension).init(&model, sgd());
        match error {
            Err(OptimError::OutOfRange(OutOfRange { name, .. })) => assert_eq!(name, "dimension"),
            other => panic!("{other:?}"),
        }
    };
    refused(0);
    refused(5);
    let error = RandomSubspaceConfig::new(5)
        .init(&model, sgd())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "`dimension` is 5; use at most 4, the number of parameters"
    );
    let whole = RandomSubspaceConfig::new(4).init(&model, sgd());
    let mut optimizer = whole.expect("as many as there are");
    let mut model = model;
    let error = optimizer.closure_step(f64::NAN, &mut model, bowl);
    assert!(matches!(error, Err(OptimError::LearningRate { .. })));
    let rates = || ModuleLrScheduler::new(0.1);
    let mut same = rates().with_group(ParamGroup::from_path("elsewhere"), 0.2);
    assert!(
        optimizer
            .closure_step(same.step(), &mut model, bowl)
            .is_ok()
    );
    let mut other = rates().with_group(ParamGroup::from_path("w"), 0.2);
    let error = optimizer.closure_step(other.step(), &mut model, bowl);
    assert!(matches!(error, Err(OptimError::Incompatible { .. })));
}
