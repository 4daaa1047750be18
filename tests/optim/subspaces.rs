//! Training in random subspaces: what a subspace can reach, and what it keeps.

use burn::module::Module;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, SgdConfig};
use burn::tensor::{DType, Tensor, TensorData};
use burnscape::krylov::{Orthonormal, VectorBlock};
use burnscape::optim::{
    ClosureStep, IntoEvaluation, IntrinsicDimensionConfig, OptimError, OptimRecord,
    RandomSubspaceConfig, StepReport,
};
use burnscape::space::{LeafVector, ParamSpace, ParamVector};
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
        OptimRecord::new("conjugate gradients", model)?.with_state(&"no memory")
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
            assert!(square > 1e-6 && (square + along).abs() < 1e-10 * square);
        }
    }
    assert_ne!(first_move(2, 0), first_move(2, 1));
    assert_eq!(first_move(2, 0), first_move(2, 0));
}

#[test]
fn every_step_of_any_base_stays_in_the_subspace() {
    let start = [0.5; 50];
    let diagonal: Vec<f64> = (0..50).map(|i| 1.0 + f64::from(i % 7)).collect();
    let bowl = |m: &Point| quadratic(m, &diagonal);
    let config = RandomSubspaceConfig::new(2);
    let decay = WeightDecayConfig::new(0.1);
    let adam = AdamConfig::new().with_weight_decay(Some(decay)).init();
    let mut model = point(&start);
    let mut optimizer = config.init(&model, adam).expect("an optimizer");
    // Two moves of plain gradient descent span the plane.
    let mut other = point(&start);
    let mut plain = config.init(&other, sgd()).expect("an optimizer");
    plain.closure_step(0.1, &mut other, bowl).expect("a step");
    let space = ParamSpace::of(&model).expect("a space");
    let vector = |values: &[f64]| ParamVector::from_host(&space, values).expect("a vector");
    let away = |w: Vec<f64>| -> Vec<f64> { w.iter().map(|w| w - 0.5).collect() };
    let moves = [first_move(2, 0), away(other.coordinates())];
    let moves = moves.map(|values| vector(&values)).to_vec();
    let plane = Orthonormal::orthonormalize(&space, moves).expect("a plane");
    for _ in 0..5 {
        optimizer
            .closure_step(0.1, &mut model, bowl)
            .expect("a step");
        let values = away(model.coordinates());
        let rest = plane
            .block()
            .project_out(vector(&values))
            .expect("a vector");
        let size = dot(&values, &values).sqrt();
        assert!(rest.norm().expect("a norm") < 1e-12 * size && size > 0.05);
        // The columns have norm one, and these two are nearly orthogonal.
        let z = optimizer.coordinates().expect("coordinates");
        assert!(z.len() == 2 && (0.7..1.4).contains(&(dot(&z, &z).sqrt() / size)));
    }
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
