//! What is checked at each door.

use burn::module::Module;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use burnscape::curvature::Hessian;
use burnscape::dynamics::{CurvatureMonitor, CurvatureMonitorConfig, EdgeRule, Moment, Monitor};
use burnscape::krylov::LinearOperator;
use burnscape::landscape::{Direction, LandscapeConfig};
use burnscape::loss::{Batch, Mode, Objective, Recorded, Risk};
use burnscape::optim::{OptimRecord, Sam};
use burnscape::sharpness::{SharpnessMeasure, SharpnessReportConfig};
use burnscape::space::{DirectionNorm, Grid, ParamSpace, ParamVector, Scale, unshared_copy};
use burnscape::spectrum::Spectrum;

use super::checklist::{Checklist, Failure, Outcome, ensure};
use super::fixture::{device, drawn, for_training};

/// The largest eigenvalue is searched for with this tolerance, relative to the norm of the Hessian.
const TOLERANCE: f64 = 1e-3;
const RATE: f64 = 0.05;

/// The seed of the draws of a batch: SplitMix64's finalizer over the seed of the measurement and the index.
fn seed_of_batch(seed: u64, index: usize) -> u64 {
    let golden = 0x9E37_79B9_7F4A_7C15_u64;
    let mut z = seed.wrapping_add((index as u64 + 1).wrapping_mul(golden));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// `|a − b| / |a|`, refused where there is nothing to compare.
fn distance(a: &ParamVector, b: &ParamVector) -> Result<f64, Failure> {
    let size = a.norm()?;
    ensure!(size > 1e-8, "nothing to compare: {size:e}");
    Ok(a.clone().axpy(-1.0, b)?.norm()? / size)
}

impl<M, B, O> Checklist<'_, M, B, O>
where
    M: Module + 'static,
    B: Batch + Sync,
    O: Objective<M, B> + Sync,
{
    fn risk(&self) -> Risk<'_, M> {
        let risk = Risk::new(self.loss, self.data);
        match self.draws {
            Some(seed) => risk.with_draws_seed(seed),
            None => risk,
        }
    }

    /// At the weights of the model and at others, for which the same programs run.
    pub(super) fn recorded(&self) -> Outcome {
        let recorded = Recorded::new(|model: &M, batch: B| self.loss.loss(model, batch));
        let risk = Risk::new(&recorded, self.data);
        let risk = match self.draws {
            Some(seed) => risk.with_draws_seed(seed),
            None => risk,
        };
        let space = ParamSpace::of(&self.model)?;
        let moved = ParamVector::gaussian(&space, 4)?.perturb(&self.model, 0.01)?;
        for model in [&self.model, &moved] {
            let expected = self.risk().loss_and_gradient(model)?;
            let found = risk.loss_and_gradient(model)?;
            let gap = (found.value - expected.value).abs() / expected.value.abs();
            ensure!(gap < 1e-12, "the recorded loss is off by {gap:e}");
            let gap = distance(&expected.gradient, &found.gradient)?;
            ensure!(gap < 1e-10, "the recorded gradient is off by {gap:e}");
            let absent = [&expected, &found].map(|found| found.num_without_gradient);
            ensure!(absent[0] == absent[1], "{absent:?} without a gradient");
        }
        Ok(())
    }

    fn measured(&self) -> Result<Hessian<'_>, Failure> {
        Ok(self.risk().hessian(&self.model)?)
    }

    /// Burn's gradient over the data.
    fn gradient(&self, model: &M, mode: Mode) -> Result<ParamVector, Failure> {
        match mode {
            Mode::Train => Ok(self.training_loss_and_gradient(model, self.data)?.1),
            Mode::Eval => Ok(self.risk().loss_and_gradient(model)?.gradient),
        }
    }

    /// Seeds what the loss of a batch draws, as a measurement does.
    fn seed(&self, index: usize) {
        if let Some(seed) = self.draws {
            device().seed(seed_of_batch(seed, index));
        }
    }

    /// Loss and gradient as a training loop of Burn takes them.
    fn training_loss_and_gradient(
        &self,
        model: &M,
        batches: &[B],
    ) -> Result<(f64, ParamVector), Failure> {
        let space = ParamSpace::of(model)?;
        let (mut sum, mut weight) = (ParamVector::zeros(&space)?, 0.0);
        let mut total = 0.0;
        for (index, batch) in batches.iter().enumerate() {
            self.seed(index);
            let copy = unshared_copy(model);
            let loss = self.loss.loss(&copy, for_training(batch));
            let value: f64 = loss.clone().into_scalar();
            let gradients = GradientsParams::from_grads(loss.backward(), &copy);
            let gradient = ParamVector::from_gradients(&space, &gradients)?;
            let own = batch.weight()?;
            sum = sum.axpy(own, &gradient)?;
            weight += own;
            total += own * value;
        }
        Ok((total / weight, sum.scale(1.0 / weight)))
    }

    pub(super) fn hessian(&self) -> Outcome {
        for &mode in &self.modes {
            let hessian = self.risk().with_mode(mode).hessian(&self.model)?;
            let burn = self.gradient(&self.model, mode)?;
            let off = distance(&burn, &hessian.gradient()?)?;
            ensure!(off < 1e-10, "{mode:?}: the gradient is off by {off:.1e}");
            for seed in 0..2 {
                let v = ParamVector::gaussian(hessian.space(), seed)?.normalize()?;
                let at = |step: f64| self.gradient(&v.perturb(&self.model, step)?, mode);
                let slope = at(self.step)?.axpy(-1.0, &at(-self.step)?)?;
                let slope = slope.scale(0.5 / self.step);
                let off = distance(&hessian.matvec(&v)?, &slope)?;
                println!("{mode:?}: {} parameters, {off:.1e}", v.space().len());
                ensure!(off < 1e-6, "{mode:?}: a product is off by {off:.1e}");
            }
        }
        Ok(())
    }

    /// The largest eigenvalue of the Hessian in evaluation mode.
    fn top(&self) -> Result<(f64, f64), Failure> {
        let hessian = self.measured()?;
        let top = Spectrum::of(&hessian)
            .with_tolerance(TOLERANCE)
            .top_eigenpairs(1)?;
        ensure!(
            top.outcome.is_converged(),
            "the top eigenpair did not converge"
        );
        let (value, vector) = (top.values[0], &top.vectors[0]);
        let product = hessian.matvec(vector)?;
        let residual = product.axpy(-value, vector)?.norm()?;
        ensure!(residual <= 1.01 * top.goal, "a residual of {residual:e}");
        for seed in 0..3 {
            let v = ParamVector::gaussian(hessian.space(), seed)?.normalize()?;
            let along = v.dot(&hessian.matvec(&v)?)?;
            ensure!(along <= value + top.goal, "{along} along a vector, {value}");
        }
        Ok((value, top.goal))
    }

    pub(super) fn spectrum(&self) -> Outcome {
        let (value, _) = self.top()?;
        ensure!(value > 0.0, "the largest eigenvalue is {value}");
        Ok(())
    }

    pub(super) fn report(&self) -> Outcome {
        let scale = Scale::Absolute;
        let config = SharpnessReportConfig::new()
            .with_scales(vec![scale])
            .with_num_samples(1)
            .with_num_steps(2)
            .with_trace_matvecs(4);
        let report = config.run(&self.risk(), &self.model)?;
        ensure!(report.completed, "not completed");
        for row in &report.rows {
            let is_number = row.value.is_some_and(f64::is_finite);
            ensure!(is_number, "{}: {:?}", row.measure, row.note);
        }
        let (expected, goal) = self.top()?;
        let found = report.value(SharpnessMeasure::LambdaMax, Some(scale));
        let off = (found.unwrap_or(f64::NAN) - expected).abs();
        // That of the report has a tolerance of its own.
        let allowed = goal + 1e-2 * expected;
        ensure!(off <= allowed, "{found:?}, but {expected}");
        let loss = self.plain_loss(&self.model)?;
        let off = (report.base_loss - loss).abs();
        ensure!(off <= 1e-12 * loss.abs(), "loss {}", report.base_loss);
        Ok(())
    }

    pub(super) fn monitor(&self) -> Outcome {
        let momentum = EdgeRule::momentum(&MomentumConfig::new())?;
        let config = CurvatureMonitorConfig::new().with_optimizer(momentum);
        let (risk, mut monitor) = (self.risk(), config.init()?);
        let reading = monitor.measure(&risk, &Moment::new(0, RATE, &self.model))?;
        ensure!(reading.outcome.is_converged(), "{reading:?}");
        if self.draws.is_some() {
            // Every reading has draws of its own.
            return Ok(());
        }
        let (expected, goal) = self.top()?;
        let off = (reading.sharpness - expected).abs();
        // Either is within the square of its residual over a gap, at most its residual.
        let allowed = goal + reading.residual;
        ensure!(off <= allowed, "{}, but {expected}", reading.sharpness);
        let gradient = self.gradient(&self.model, Mode::Eval)?;
        let off = (gradient.norm()? - reading.gradient_norm).abs();
        ensure!(off <= 1e-10 * reading.gradient_norm, "gradient {off:e}");

        // The next reading is the same from the state.
        let moved = gradient.perturb(&self.model, -RATE)?;
        let moment = Moment::new(1, RATE, &moved);
        let mut resumed = config.init()?;
        let state = <CurvatureMonitor as Monitor<M>>::to_state(&monitor)?;
        <CurvatureMonitor as Monitor<M>>::load_state(&mut resumed, state)?;
        let next = monitor.measure(&risk, &moment)?;
        let again = resumed.measure(&risk, &moment)?;
        ensure!(next == again, "{next:?}, resumed {again:?}");
        Ok(())
    }

    /// The loss over the data without autodiff.
    fn plain_loss(&self, model: &M) -> Result<f64, Failure> {
        let model = model.valid();
        let (mut sum, mut weight) = (0.0, 0.0);
        for (index, batch) in self.data.iter().enumerate() {
            self.seed(index);
            let loss: f64 = self.loss.loss(&model, batch.clone()).into_scalar();
            let own = batch.weight()?;
            sum += own * loss;
            weight += own;
        }
        Ok(sum / weight)
    }

    pub(super) fn slice(&self) -> Outcome {
        let risk = self.risk();
        let space = risk.space(&self.model)?;
        let direction = Direction::random(&space, &self.model, DirectionNorm::Sphere, 5)?;
        let config = LandscapeConfig::new([Grid::symmetric(0.1, 3)?]);
        let line = config.run(&risk, &self.model, std::slice::from_ref(&direction))?;
        ensure!(line.completed, "not completed");
        for (&x, &found) in line.axes[0].iter().zip(&line.losses) {
            let expected = self.plain_loss(&direction.vector().perturb(&self.model, x)?)?;
            let off = (found - expected).abs();
            ensure!(
                off <= 1e-12 * expected.abs(),
                "{found} at {x}, but {expected}"
            );
        }
        let [low, here, high] = line.losses[..] else {
            return Err(Failure::Wrong(format!("{:?}", line.losses)));
        };
        ensure!(low != here && here != high, "a flat line: {here}");
        Ok(())
    }

    fn optimizer(&self) -> Result<Sam, Failure> {
        let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
        let sgd = SgdConfig::new().with_momentum(Some(momentum)).init();
        Ok(self.sam.clone().init(sgd)?)
    }

    /// A step on the first batch.
    fn step(&self, sam: &mut Sam, model: &mut M) -> Outcome {
        let batch = for_training(&self.data[0]);
        let closure = |model: &M| self.loss.loss(model, batch.clone());
        let report = sam.step(RATE, model, closure)?;
        ensure!(report.skipped.is_none(), "{:?}", report.skipped);
        Ok(())
    }

    pub(super) fn sam_step(&self) -> Outcome {
        if self.sam.draws_seed.is_some() {
            return self.rise_of_a_drawing_loss();
        }
        let first = &self.data[..1];
        let (_, gradient) = self.training_loss_and_gradient(&self.model, first)?;
        let uphill = gradient.perturb(&self.model, self.sam.rho / gradient.norm()?)?;
        let (_, second) = self.training_loss_and_gradient(&uphill, first)?;
        let expected = second.perturb(&self.model, -RATE)?;

        let mut moved = unshared_copy(&self.model);
        self.step(&mut self.optimizer()?, &mut moved)?;
        let space = ParamSpace::of(&self.model)?;
        let weights = |model: &M| ParamVector::from_module(&space, model);
        let start = weights(&self.model)?;
        let expected = weights(&expected)?.axpy(-1.0, &start)?;
        let off = distance(&expected, &weights(&moved)?.axpy(-1.0, &start)?)?;
        ensure!(off < 1e-9, "the step is off by {off:.1e}");
        let change = distance(&gradient, &second)?;
        ensure!(change > 1e-6, "the second gradient is the first");
        Ok(())
    }

    /// Both passes draw the same numbers, or the loss would not rise by the radius times the norm of the
    /// gradient.
    fn rise_of_a_drawing_loss(&self) -> Outcome {
        let batch = for_training(&self.data[0]);
        let closure = |model: &M| self.loss.loss(model, batch.clone());
        let rho = 1e-5;
        let sgd = SgdConfig::new().init();
        let mut sam = self.sam.clone().with_rho(rho).init(sgd)?;
        let report = sam.step(RATE, &mut unshared_copy(&self.model), closure)?;
        let (Some(loss), Some(above)) = (report.loss, report.perturbed_loss) else {
            return Err(Failure::Wrong(format!("{report:?}")));
        };
        let ratio = (above - loss) / (rho * report.gradient_norm);
        ensure!((ratio - 1.0).abs() < 1e-2, "{ratio} of the expected rise");
        Ok(())
    }

    pub(super) fn resume(&self) -> Outcome {
        let saved = self.saved_run()?;
        let fresh = drawn(self.build);
        let weights = saved.model.clone().into_record().into_bytes()?;
        let resumed = fresh.load_record(ModuleRecord::from_bytes(weights)?);
        let resumed = self.run_on(saved.state, resumed, &saved.end)?;
        let run = |model: &M| {
            if let Some(seed) = self.sam.draws_seed {
                device().seed(seed);
            }
            self.plain_loss(model)
        };
        // Running statistics included.
        let (expected, found) = (run(&saved.end)?, run(&resumed)?);
        ensure!(expected == found, "loss {expected}, resumed {found}");
        Ok(())
    }

    pub(super) fn resume_rebuilt(&self) -> Outcome {
        let saved = self.saved_run()?;
        let fresh = drawn(self.build);
        let space = ParamSpace::of(&fresh)?;
        let is_rebuilt = ParamSpace::of(&saved.model)?.leaves()[0].id() != space.leaves()[0].id();
        ensure!(is_rebuilt, "the same identifiers");
        let weights = ParamVector::from_host(&space, &numbers(&saved.model)?)?;
        let resumed = weights.apply_to(&fresh)?;
        self.run_on(saved.state, resumed, &saved.end)?;
        Ok(())
    }

    /// Three steps, with the optimizer's record after two of them.
    fn saved_run(&self) -> Result<Run<M>, Failure> {
        let mut model = unshared_copy(&self.model);
        let mut sam = self.optimizer()?;
        for _ in 0..2 {
            self.step(&mut sam, &mut model)?;
        }
        let state = sam.to_record(&model)?.into_bytes()?;
        let mut end = unshared_copy(&model);
        self.step(&mut sam, &mut end)?;
        Ok(Run { model, state, end })
    }

    /// The third step again, of a model that was resumed.
    fn run_on(&self, state: Bytes, mut resumed: M, end: &M) -> Result<M, Failure> {
        let state = OptimRecord::from_bytes(state)?;
        let mut sam = self.optimizer()?.load_record(state, &resumed)?;
        self.step(&mut sam, &mut resumed)?;
        let is_same = numbers(end)? == numbers(&resumed)?;
        ensure!(is_same, "other weights after resuming");
        Ok(resumed)
    }
}

/// What was saved of a run, and where it ended.
struct Run<M> {
    model: M,
    state: Bytes,
    end: M,
}

fn numbers<M: Module>(model: &M) -> Result<Vec<f64>, Failure> {
    let space = ParamSpace::of(model)?;
    Ok(ParamVector::from_module(&space, model)?.to_host()?)
}
