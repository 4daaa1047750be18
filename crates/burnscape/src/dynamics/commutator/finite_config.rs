use burn::config::Config;
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::tensor::DType;

use super::FiniteCommutator;
use super::pairs::{Pairing, Pairs};
use crate::dynamics::DynamicsError;
use crate::loss::{LossError, Mode, Reduction, Risk};
use crate::order_statistics::median;
use crate::range::{POSITIVE, ensure};
use crate::space::{ParamSpace, ParamVector, copy_for_gradients, epsilon};

/// The most that rounding may contribute to a result.
const SHARE: f64 = 0.05;

/// The shortest step, relative to the weights.
const SHORTEST: f64 = 1e-5;

/// The commutator of two steps of an optimizer: both orders are taken, and their ends compared.
///
/// From the weights `θ` and the state of the optimizer, one copy of both steps on a batch A and then on B, to `θ_AB`, and
/// another in the other order. The defect is
///
/// ```text
/// |θ_AB − θ_BA| / (lr² |g_A| |g_B|)
/// ```
///
/// with the gradients at `θ`. For plain gradient descent it is the bracket `D` of
/// [`CommutatorConfig`](super::CommutatorConfig) up to `O(lr)`, and exactly for quadratic losses. For an optimizer with state
/// it is the defect of its steps, which are not `lr g`: momentum repeats the first step in part, so that both orders differ
/// by the order of `lr` even where the losses are linear, and the defect by that of `1/lr`.
///
/// # Precision
///
/// The difference of the ends is of the order of `lr²`, and rounding of the weights is not. So the parameters must be f64, and the
/// rate large enough: the rounding `1.1e-16 |θ|` must be at most 5 % of the difference, and the first steps at least
/// `1e-5 |θ|` long. Other rates are refused with the least rate that passes. In f32 the same floor is `6e-8 |θ|`, and what
/// is measured once gradients are small is rounding.
///
/// # Cost
///
/// Four gradients per pair, each over a batch, and one forward pass for each of its batches; several models. The data are
/// read once more, for the sizes of the batches, and up to each batch for its gradients. Unless the
/// [checks](Risk::with_checks) of the risk are off, the batches in question are also read before and after, which
/// downloads them.
///
/// # Errors
///
/// [`DynamicsError::SinglePrecision`] for parameters that are not f64, [`DynamicsError::BelowFloor`];
/// [`DynamicsError::OutOfRange`] for a rate that is not positive, zero pairs or a batch size of zero;
/// [`DynamicsError::BatchSize`], [`DynamicsError::UnequalBatches`] and [`DynamicsError::TooFewBatches`] as for
/// [`CommutatorConfig`](super::CommutatorConfig); [`LossError::DataChanged`], [`LossError::NonFiniteGradient`],
/// [`LossError::Stopped`], and those of [`Risk::loss_and_gradient`]. Gradients of zero are no error: the result is none.
///
/// # Reproducibility
///
/// The seed decides the pairs, which are those of [`CommutatorConfig`](super::CommutatorConfig) with the same settings. If the
/// risk fixes [random draws](Risk::with_draws_seed), each batch has the same at all weights. Neither the model nor the
/// optimizer changes.
///
/// # Defaults
///
/// Whole batches, five pairs, seed 0.
///
/// # Example
///
/// ```
/// use burn::module::{Module, Param};
/// use burn::optim::SgdConfig;
/// use burn::tensor::{DType, Device, Tensor};
/// use burnscape::dynamics::{CommutatorConfig, FiniteCommutatorConfig};
/// use burnscape::loss::Risk;
///
/// #[derive(Module, Debug)]
/// struct Point {
///     w: Param<Tensor<1>>,
/// }
///
/// let device = Device::default().autodiff();
/// let place = (&device, DType::F64);
/// let model = Point { w: Param::from_tensor(Tensor::ones([2], place)) };
/// // The mean of ½ (x·w)² over the rows x.
/// let loss = |point: &Point, x: Tensor<2>| {
///     x.matmul(point.w.val().unsqueeze_dim::<2>(1)).square().mean() * 0.5
/// };
/// let data = [[[1.0, 0.0]], [[1.0, 1.0]]].map(|x| Tensor::<2>::from_data(x, place));
/// let risk = Risk::new(&loss, &data);
///
/// let finite = FiniteCommutatorConfig::new(0.01)
///     .with_num_pairs(1)
///     .run(&risk, &model, &SgdConfig::new().init())?;
/// let exact = CommutatorConfig::new().with_num_pairs(1).run(&risk, &model)?;
/// // The loss is quadratic.
/// let pair = finite.bracket.zip(exact.bracket);
/// assert!(pair.is_some_and(|(finite, exact)| (finite - exact).abs() < 1e-10));
/// # Ok::<(), burnscape::dynamics::DynamicsError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct FiniteCommutatorConfig {
    /// The learning rate of the steps.
    pub lr: f64,
    /// Examples of a batch: the batches of the data are cut into parts of this size. `None`: the batches of the data as they
    /// are.
    pub batch_size: Option<usize>,
    /// Pairs of batches.
    #[config(default = 5)]
    pub num_pairs: usize,
    /// Seed of the pairs.
    #[config(default = 0)]
    pub seed: u64,
}

/// A batch at any weights.
struct Batch<'a, M>(Risk<'a, M>);

/// What one pair gives.
struct Measured {
    /// The mean of both losses.
    loss: f64,
    /// The defect and the floor; none if a gradient is zero.
    defect: Option<[f64; 2]>,
    num_gradients: usize,
}

impl FiniteCommutatorConfig {
    /// Measures `risk` at `model` with steps of `optimizer`, from its state. Neither is changed.
    ///
    /// # Errors
    ///
    /// As [`FiniteCommutatorConfig`] states.
    pub fn run<M: Module + 'static, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
        optimizer: &ModuleOptimizer,
    ) -> Result<FiniteCommutator, DynamicsError> {
        ensure("lr", self.lr, POSITIVE)?;
        let pairing = Pairing {
            batch_size: self.batch_size,
            num_pairs: self.num_pairs,
            seed: self.seed,
        };
        pairing.check()?;
        risk.in_time(model, || self.measure(risk, model, (pairing, optimizer)))
    }

    fn measure<M: Module + 'static, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
        (pairing, optimizer): (Pairing, &ModuleOptimizer),
    ) -> Result<FiniteCommutator, DynamicsError> {
        let pairs = pairing.draw(risk, false)?;
        let digests = || {
            let chosen = risk.chosen(self.batch_size, pairs.parts.clone());
            Ok::<_, LossError>(chosen.read_data()?.digests)
        };
        let before = risk.has_checks().then(digests).transpose()?;
        let start = Start::new(self.lr, risk, model, optimizer)?;
        let mut measured = Vec::with_capacity(pairs.pairs.len());
        for pair in &pairs.pairs {
            let part =
                |index: usize| Batch(risk.chosen_as(index, self.batch_size, pairs.parts[index]));
            measured.push(start.measure(&pair.map(part))?);
        }
        if let Some(before) = before {
            pairs.check_same(&before, &digests()?)?;
        }
        Ok(self.result(&pairs, &measured))
    }

    fn result(&self, pairs: &Pairs, measured: &[Measured]) -> FiniteCommutator {
        let defects = measured.iter().filter_map(|pair| pair.defect);
        let (brackets, floors): (Vec<f64>, Vec<f64>) =
            defects.map(|[bracket, floor]| (bracket, floor)).unzip();
        let num_gradients = measured.iter().map(|pair| pair.num_gradients).sum();
        let losses = measured.iter().map(|pair| pair.loss).sum::<f64>();
        FiniteCommutator {
            bracket: median(&brackets),
            brackets,
            floor: floors.into_iter().reduce(f64::max),
            lr: self.lr,
            batch_size: pairs.size,
            num_pairs: measured.len(),
            loss: losses / measured.len() as f64,
            num_gradients: pairs.passes(num_gradients),
        }
    }
}

/// Where the steps begin.
struct Start<'s, M> {
    lr: f64,
    model: M,
    optimizer: &'s ModuleOptimizer,
    weights: ParamVector,
    /// `|θ|`.
    norm: f64,
}

impl<'s, M: Module + 'static> Start<'s, M> {
    fn new<K>(
        lr: f64,
        risk: &Risk<'_, M, K>,
        model: &M,
        optimizer: &'s ModuleOptimizer,
    ) -> Result<Self, DynamicsError> {
        let model = copy_for_gradients(model, risk.mode() == Mode::Train);
        let space = risk.space(&model)?;
        let weights = ParamVector::from_module(&space, &model)?;
        Ok(Self {
            lr,
            optimizer,
            norm: weights.norm()?,
            weights,
            model,
        })
    }

    fn space(&self) -> &ParamSpace {
        self.weights.space()
    }

    fn measure(&self, pair: &[Batch<'_, M>; 2]) -> Result<Measured, DynamicsError> {
        let [a, b] = pair;
        let (one, other) = (a.at(&self.model)?, b.at(&self.model)?);
        let loss = 0.5 * (one.loss + other.loss);
        let squares = self.lr * self.lr * one.norm * other.norm;
        let dtype = self.space().dtype()?;
        let rounding = 0.5 * epsilon(dtype) * self.norm;
        if dtype != DType::F64 {
            return Err(DynamicsError::SinglePrecision {
                dtype: format!("{dtype:?}"),
                floor: rounding / squares,
            });
        }
        if one.norm == 0.0 || other.norm == 0.0 {
            return Ok(Measured {
                loss,
                defect: None,
                num_gradients: 2,
            });
        }
        let (on_a, on_b) = (self.step(one.gradient)?, self.step(other.gradient)?);
        let (length, least) = (on_a.length.min(on_b.length), SHORTEST * self.norm);
        if length < least {
            return Err(DynamicsError::BelowFloor {
                what: "the length of a step",
                value: length,
                floor: least,
                least: self.lr * least / length.max(rounding),
            });
        }
        let (end, other_end) = (self.then(on_a, b)?, self.then(on_b, a)?);
        let distance = end.axpy(-1.0, &other_end)?.norm()?;
        let least = rounding / SHARE;
        // Of ends that are the same bits, the distance may be anything up to the rounding.
        if distance < least {
            return Err(DynamicsError::BelowFloor {
                what: "the distance between the ends of both orders of steps",
                value: distance,
                floor: least,
                least: self.lr * (least / distance.max(rounding)).sqrt(),
            });
        }
        Ok(Measured {
            loss,
            defect: Some([distance / squares, rounding / squares]),
            num_gradients: 4,
        })
    }

    /// A step with this gradient.
    fn step(&self, gradient: ParamVector) -> Result<Stepped<M>, DynamicsError> {
        let mut optimizer = self.optimizer.clone();
        let model = self.model.clone();
        let model = optimizer.step(self.lr, model, gradient.into_gradients());
        let weights = ParamVector::from_module(self.space(), &model)?;
        Ok(Stepped {
            length: weights.axpy(-1.0, &self.weights)?.norm()?,
            model,
            optimizer,
        })
    }

    /// The weights after another step, on a batch.
    fn then(
        &self,
        stepped: Stepped<M>,
        batch: &Batch<'_, M>,
    ) -> Result<ParamVector, DynamicsError> {
        let Stepped {
            model,
            mut optimizer,
            ..
        } = stepped;
        let gradient = batch.at(&model)?.gradient;
        let model = optimizer.step(self.lr, model, gradient.into_gradients());
        Ok(ParamVector::from_module(self.space(), &model)?)
    }
}

/// Where a step has led.
struct Stepped<M> {
    model: M,
    optimizer: ModuleOptimizer,
    length: f64,
}

/// The mean loss of a batch, and its gradient.
struct Evaluated {
    loss: f64,
    gradient: ParamVector,
    norm: f64,
}

impl<M: Module> Batch<'_, M> {
    fn at(&self, model: &M) -> Result<Evaluated, DynamicsError> {
        let Self(risk) = self;
        let found = risk.whole_gradient(model)?;
        let scale = match risk.reduction() {
            Reduction::Mean => 1.0,
            Reduction::Sum => 1.0 / found.num_examples as f64,
        };
        let norm = scale * found.gradient.norm()?;
        if !norm.is_finite() {
            return Err(LossError::NonFiniteGradient { norm }.into());
        }
        Ok(Evaluated {
            loss: scale * found.value,
            gradient: if scale == 1.0 {
                found.gradient
            } else {
                found.gradient.scale(scale)
            },
            norm,
        })
    }
}
