//! Training in random subspaces: what a subspace can reach, and what it keeps.

use burn::module::{Module, Param, ParamGroup};
use burn::nn::{Linear, LinearConfig};
use burn::optim::lr_scheduler::module_lr_scheduler::{ModuleLearningRate, ModuleLrScheduler};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, SgdConfig};
use burn::tensor::{DType, Tensor, TensorData};
use burnscape::OutOfRange;
use burnscape::optim::{
    ClosureStep, IntoEvaluation, IntrinsicDimensionConfig, OptimError, OptimRecord,
    PerturbedGdConfig, RandomSubspaceConfig, SamConfig, SkipReason, StepReport,
};
use burnscape::space::{LeafVector, ParamSpace, ParamVector, RunningStatistics, SpaceError};
use burnscape_testkit::models::Normalized;
use burnscape_testkit::objectives::{Point, quadratic};

use super::fixture::{device, point, sgd};

/// The toy of Li et al.: the sums of ten groups of a hundred numbers are to be 1 to 10.
fn ten_sums(model: &Point) -> Tensor<1> {
    let targets: Vec<f64> = (1..=10).map(f64::from).collect();
    let targets = TensorData::new(targets, [10, 1]);
    let targets = Tensor::<2>::from_data(targets, (&device(), DType::F64));
    let sums = model.w.val().reshape([10, 100]).sum_dim(1);
    (sums - targets).square().sum()
}

fn value(loss: Tensor<1>) -> f64 {
    loss.into_data().iter::<f64>().next().expect("a number")
}

/// Conjugate gradients for a quadratic loss, as another crate would write them.
#[derive(Debug, Clone, Default)]
struct ConjugateGradients {
    /// The last direction, and `|g|²` there.
    last: Option<(LeafVector, f64)>,
}

impl ClosureStep for ConjugateGradients {
    fn closure_step<M: Module, R: IntoEvaluation>(
        &mut self,
        _: impl Into<ModuleLearningRate>,
        model: &mut M,
        mut closure: impl FnMut(&M) -> R,
    ) -> Result<StepReport, OptimError> {
        let space = ParamSpace::of(model)?;
        let mut gradient_at = |model: &M| -> Result<LeafVector, OptimError> {
            Ok(closure(model).into_evaluation(model)?.gradient(&space)?)
        };
        let gradient = gradient_at(model)?;
        let square = gradient.dot(&gradient)?;
        if square == 0.0 {
            return Ok(StepReport::default());
        }
        let direction = match &self.last {
            None => gradient.clone().scale(-1.0),
            Some((last, before)) => gradient.axpby(-1.0, square / before, last)?,
        };
        let unit = direction.clone().scale(1.0 / direction.norm()?);
        // The Hessian times the direction.
        let ahead = gradient_at(&unit.perturb(model, 1.0)?)?;
        let curvature = unit.dot(&ahead.axpby(1.0, -1.0, &gradient)?)?;
        *model = unit.perturb(model, -unit.dot(&gradient)? / curvature)?;
        self.last = Some((direction, square));
        Ok(StepReport::default())
    }

    fn save_state<M: Module>(&self, model: &M) -> Result<OptimRecord, OptimError> {
        OptimRecord::new("conjugate gradients", model)
    }

    fn load_state<M: Module>(self, _: OptimRecord, _: &M) -> Result<Self, OptimError> {
        Ok(Self::default())
    }
}

/// The least loss of the toy in a subspace, by conjugate gradients that begin anew three times.
fn least(dimension: usize, seed: u64) -> Result<f64, OptimError> {
    let mut model = point(&[0.0; 1000]);
    let config = RandomSubspaceConfig::new(dimension).with_seed(seed);
    let mut optimizer = config.init(&model, ConjugateGradients::default())?;
    for step in 0..3 * dimension {
        if step > 0 && step % dimension == 0 {
            optimizer = restarted(optimizer, &model)?;
        }
        optimizer.closure_step(1.0, &mut model, ten_sums)?;
    }
    Ok(value(ten_sums(&model)))
}

/// The same optimizer without the memory of its base.
fn restarted<O: ClosureStep>(optimizer: O, model: &Point) -> Result<O, OptimError> {
    let record = optimizer.save_state(model)?;
    optimizer.load_state(record, model)
}

#[test]
fn ten_equations_have_the_intrinsic_dimension_ten() {
    for seed in 0..3 {
        let [nine, ten] = [9, 10].map(|dimension| least(dimension, seed).expect("a loss"));
        assert!(nine > 1.0 && ten < 1e-20, "{seed}: {nine:e} {ten:e}");
        let found = IntrinsicDimensionConfig::new(vec![8, 9, 10, 12], 1.0)
            .run(|dimension| Ok::<_, OptimError>(1.0 / (1.0 + least(dimension, seed)?)))
            .expect("a dimension");
        assert_eq!(found.dimension, Some(10));
        assert_eq!(found.dimensions, [8, 9, 10]);
    }
}

#[test]
fn an_optimizer_of_burn_solves_ten_equations_in_ten_dimensions() {
    let momentum = MomentumConfig::new()
        .with_momentum(0.85)
        .with_dampening(0.0);
    let base = SgdConfig::new().with_momentum(Some(momentum)).init();
    let mut model = point(&[0.0; 1000]);
    let config = RandomSubspaceConfig::new(10).with_seed(2);
    let mut optimizer = config.init(&model, base).expect("an optimizer");
    for _ in 0..300 {
        let report = optimizer.closure_step(0.2, &mut model, ten_sums);
        assert_eq!(report.expect("a step").skipped, None);
    }
    assert!(value(ten_sums(&model)) < 1e-12);
}

/// `⟨c, w⟩`, with a constant gradient.
fn linear(model: &Point) -> Tensor<1> {
    let numbers: Vec<f64> = (0..50).map(|i| (1.3 * f64::from(i)).sin()).collect();
    let c = Tensor::from_data(TensorData::new(numbers, [50]), (&device(), DType::F64));
    (model.w.val() * c).sum()
}

/// The move of one step of gradient descent along [`linear`].
fn first_move(dimension: usize, seed: u64) -> Vec<f64> {
    let mut model = point(&[0.5; 50]);
    let config = RandomSubspaceConfig::new(dimension).with_seed(seed);
    let mut optimizer = config.init(&model, sgd()).expect("an optimizer");
    optimizer
        .closure_step(1.0, &mut model, linear)
        .expect("a step");
    model.coordinates().iter().map(|w| w - 0.5).collect()
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

#[test]
fn columns_have_norm_one_and_larger_subspaces_contain_smaller_ones() {
    let slope: Vec<f64> = (0..50).map(|i| (1.3 * f64::from(i)).sin()).collect();
    for seed in 0..3 {
        let moves: Vec<Vec<f64>> = (1..=4)
            .map(|dimension| first_move(dimension, seed))
            .collect();
        // A move is −Σ p ⟨p, c⟩ over the columns p: the difference of two neighbors belongs to one column.
        for (index, larger) in moves.iter().enumerate() {
            let smaller = index.checked_sub(1).map(|before| &moves[before]);
            let own = larger.iter().enumerate();
            let own: Vec<f64> = own
                .map(|(at, w)| w - smaller.map_or(0.0, |smaller| smaller[at]))
                .collect();
            let (square, along) = (dot(&own, &own), dot(&own, &slope));
            assert!(square > 1e-6 && (square + along).abs() < 1e-12 * square);
        }
    }
    assert_ne!(first_move(2, 0), first_move(2, 1));
    assert_eq!(first_move(2, 0), first_move(2, 0));
}

#[test]
fn every_step_of_any_base_stays_in_the_subspace() {
    let start = [0.5; 50];
    let mut model = point(&start);
    let adam =
        AdamConfig::new().with_weight_decay(Some(burn::optim::decay::WeightDecayConfig::new(0.1)));
    let config = RandomSubspaceConfig::new(2);
    let mut optimizer = config.init(&model, adam.init()).expect("an optimizer");
    let mut moves = Vec::new();
    for _ in 0..5 {
        let diagonal: Vec<f64> = (0..50).map(|i| 1.0 + f64::from(i % 7)).collect();
        let loss = |m: &Point| quadratic(m, &diagonal);
        optimizer
            .closure_step(0.1, &mut model, loss)
            .expect("a step");
        let w = model.coordinates();
        let step: Vec<f64> = w.iter().zip(&start).map(|(w, start)| w - start).collect();
        moves.push(step);
    }
    // Two moves span the plane.
    let space = ParamSpace::of(&model).expect("a space");
    let vector = |values: &Vec<f64>| ParamVector::from_host(&space, values).expect("a vector");
    let first = vector(&moves[0]).normalize().expect("a direction");
    let second = vector(&moves[4]).orthogonalize(std::slice::from_ref(&first));
    let basis = [
        first,
        second.expect("a vector").normalize().expect("a direction"),
    ];
    for step in &moves {
        let rest = vector(step).orthogonalize(&basis).expect("a vector");
        assert!(rest.norm().expect("a norm") < 1e-12);
    }
    // The coordinates are those of the last move: P z has the norm of a combination of two nearly orthogonal columns.
    let z = optimizer.coordinates().expect("coordinates");
    assert_eq!(z.len(), 2);
    let ratio = dot(&moves[4], &moves[4]) / dot(&z, &z);
    assert!((0.5..2.0).contains(&ratio), "{ratio}");
}

#[test]
fn the_gradient_of_the_coordinates_is_the_projected_one() {
    // In one dimension `P` is a column: Δw = −lr p ⟨p, g⟩, and the report has |⟨p, g⟩|.
    let mut model = point(&[0.5; 50]);
    let config = RandomSubspaceConfig::new(1).with_seed(4);
    let mut optimizer = config.init(&model, sgd()).expect("an optimizer");
    let report = optimizer
        .closure_step(2.0, &mut model, linear)
        .expect("a step");
    let w = model.coordinates();
    let step: Vec<f64> = w.iter().map(|w| w - 0.5).collect();
    assert!((dot(&step, &step).sqrt() - 2.0 * report.gradient_norm).abs() < 1e-12);
    assert_eq!(report.loss, Some(value(linear(&point(&[0.5; 50])))));
    assert_eq!((report.num_gradients, report.without_gradient), (1, 0));
}

#[test]
fn sharpness_aware_and_perturbed_bases_step_in_a_subspace() {
    let loss = |m: &Point| quadratic(m, &[4.0, 1.0, 3.0, 2.0]);
    let config = RandomSubspaceConfig::new(3);
    let mut model = point(&[1.0, -1.0, 0.5, 2.0]);
    let sam = SamConfig::new().with_rho(0.1).init(sgd()).expect("a base");
    let mut optimizer = config.init(&model, sam).expect("an optimizer");
    let before = value(loss(&model));
    for _ in 0..20 {
        let report = optimizer
            .closure_step(0.1, &mut model, loss)
            .expect("a step");
        assert!(report.perturbed_loss > report.loss && report.num_gradients == 2);
    }
    assert!(value(loss(&model)) < before);
    // A search that ends: its optimizer restores the point, and later steps leave the model there.
    let search = PerturbedGdConfig::new(1e-3, 1e9, 1e9).with_patience(1);
    let mut model = point(&[1.0, -1.0, 0.5, 2.0]);
    let search = search.init(sgd()).expect("a base");
    let mut optimizer = config.init(&model, search).expect("an optimizer");
    for skipped in [
        None,
        Some(SkipReason::Certified),
        Some(SkipReason::Certified),
    ] {
        let report = optimizer.closure_step(0.1, &mut model, loss);
        assert_eq!(report.expect("a step").skipped, skipped);
    }
    assert_eq!(model.coordinates(), [1.0, -1.0, 0.5, 2.0]);
}

#[test]
fn a_resumed_run_continues_bit_for_bit() {
    let loss = |m: &Point| quadratic(m, &[4.0, 1.0, 3.0, 2.0]);
    let start = [1.0, -1.0, 0.5, 2.0];
    let config = RandomSubspaceConfig::new(2).with_seed(5);
    let build = |model: &Point| {
        let base = AdamConfig::new().init();
        config.init(model, base).expect("an optimizer")
    };
    let mut model = point(&start);
    let mut optimizer = build(&model);
    for _ in 0..5 {
        optimizer
            .closure_step(0.1, &mut model, loss)
            .expect("a step");
    }
    let bytes = optimizer.save_state(&model).expect("a record");
    let bytes = bytes.into_bytes().expect("bytes");
    // A model with other identifiers, as one that was read from a file.
    let mut other = point(&model.coordinates());
    let record = OptimRecord::from_bytes(bytes.clone()).expect("a record");
    // The subspace of the new optimizer goes through the saved origin, not through the present weights.
    let mut resumed = build(&other).load_state(record, &other).expect("a state");
    for _ in 0..5 {
        let one = optimizer
            .closure_step(0.1, &mut model, loss)
            .expect("a step");
        let two = resumed.closure_step(0.1, &mut other, loss).expect("a step");
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
        let model = burnscape::space::unshared_copy(&start);
        let _ = loss(&model);
        statistics(&model)
    };
    assert_ne!(initial, expected);
    let config = RandomSubspaceConfig::new(5);
    let sam = SamConfig::new().with_rho(0.5).init(sgd()).expect("a base");
    let mut model = burnscape::space::unshared_copy(&start);
    let mut optimizer = config.init(&model, sam).expect("an optimizer");
    optimizer
        .closure_step(0.1, &mut model, loss)
        .expect("a step");
    assert_eq!(statistics(&model), expected);
    // A step that is skipped leaves them, and the weights.
    let mut model = burnscape::space::unshared_copy(&start);
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
            .closure_step(0.1, &mut model, loss)
            .expect("a step");
    }
    assert!(value(loss(&model)) < before);
    let [one, other] = [&model.encoder, &model.decoder].map(|layer| layer.weight.val().into_data());
    assert_eq!(one, other);
    assert_eq!(model.encoder.weight.id, model.decoder.weight.id);
}

#[test]
fn half_precision_moves_in_coordinates_of_single_precision() {
    let mut model = Point::new(&[1.0, -1.0, 0.5, 2.0], &device(), DType::F16);
    let config = RandomSubspaceConfig::new(2);
    let mut optimizer = config.init(&model, sgd()).expect("an optimizer");
    let loss = |m: &Point| quadratic(m, &[4.0, 1.0, 3.0, 2.0]);
    let before = value(loss(&model));
    for _ in 0..10 {
        let report = optimizer
            .closure_step(0.1, &mut model, loss)
            .expect("a step");
        assert_eq!(report.skipped, None);
    }
    assert!(value(loss(&model)) < before);
    assert_eq!(model.w.val().dtype(), DType::F16);
}

#[test]
fn a_model_that_left_the_subspace_is_refused_with_the_remedy() {
    let loss = |m: &Point| quadratic(m, &[4.0, 1.0, 3.0, 2.0]);
    let mut model = point(&[1.0, -1.0, 0.5, 2.0]);
    let config = RandomSubspaceConfig::new(2);
    let mut optimizer = config.init(&model, sgd()).expect("an optimizer");
    optimizer
        .closure_step(0.1, &mut model, loss)
        .expect("a step");
    let mut moved = point(&model.coordinates().map_last(|w| w + 1.0));
    let error = optimizer.closure_step(0.1, &mut moved, loss).unwrap_err();
    let OptimError::OutsideSubspace { distance } = error else {
        panic!("{error}");
    };
    assert!((distance - 1.0).abs() < 1e-12);
    assert!(error.to_string().contains("`RandomSubspaceConfig::init`"));
    // The optimizer goes on where it was.
    optimizer
        .closure_step(0.1, &mut model, loss)
        .expect("a step");
    let mut other = point(&[1.0, -1.0]);
    let error = optimizer.closure_step(0.1, &mut other, |m: &Point| quadratic(m, &[1.0, 1.0]));
    assert!(matches!(
        error,
        Err(OptimError::Space(SpaceError::DifferentSpaces { .. }))
    ));
}

trait MapLast {
    fn map_last(self, f: impl Fn(f64) -> f64) -> Self;
}

impl MapLast for Vec<f64> {
    fn map_last(mut self, f: impl Fn(f64) -> f64) -> Self {
        if let Some(last) = self.last_mut() {
            *last = f(*last);
        }
        self
    }
}

#[test]
fn dimensions_and_rates_without_meaning_are_refused() {
    let model = point(&[1.0, -1.0, 0.5, 2.0]);
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
    let loss = |m: &Point| quadratic(m, &[4.0, 1.0, 3.0, 2.0]);
    let error = optimizer.closure_step(f64::NAN, &mut model, loss);
    assert!(matches!(error, Err(OptimError::LearningRate { .. })));
    let rates = || ModuleLrScheduler::new(0.1);
    let mut same = rates().with_group(ParamGroup::from_path("elsewhere"), 0.2);
    assert!(
        optimizer
            .closure_step(same.step(), &mut model, loss)
            .is_ok()
    );
    let mut other = rates().with_group(ParamGroup::from_path("w"), 0.2);
    let error = optimizer.closure_step(other.step(), &mut model, loss);
    assert!(matches!(error, Err(OptimError::Incompatible { .. })));
}
