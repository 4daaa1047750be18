use std::fmt;

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::tensor::Bytes;

use super::WeightMask;
use super::placed::Placed;
use crate::loss::LossError;
use crate::optim::{ClosureStep, Evaluation, IntoEvaluation, OptimError, OptimRecord, StepReport};
use crate::space::{LeafVector, ParamSpace, SpaceCache};

/// Any optimizer, held to a [`WeightMask`]: pruned weights are zero before and after every step, whatever the base
/// does.
///
/// The gradient is masked, so that pruned weights change neither its norm nor the base's memories; and the weights are
/// masked, because a gradient alone does not hold them: the momentum of a base that had steps before, noise, and bases
/// that mix coordinates move weights whose gradient is zero. Pruned weights are zero to the bit (`+0`), and the other
/// weights are what the base made of them, to the bit.
///
/// The model may be given without the mask. A base that displaces weights by its gradient, such as
/// [`Sam`](crate::optim::Sam), takes its second gradient with pruned weights at zero too; one that adds noise does not.
///
/// # Cost
///
/// A step of the base, and three passes over the parameters that have pruned weights; no host synchronization.
///
/// # Example
///
/// ```
/// use burn::module::Param;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::SgdConfig;
/// use burn::tensor::Device;
/// use burnscape::optim::{ClosureStep, MaskedOptimizer, WeightMask};
///
/// let device = Device::default().autodiff();
/// let mut model = LinearConfig::new(3, 1).with_bias(false).init(&device);
/// model.weight = Param::from_data([[1.0], [0.1], [-2.0]], &device);
/// let mask = WeightMask::of(&model)?.without_smallest(&model, 1.0 / 3.0)?;
///
/// let mut sgd = MaskedOptimizer::new(SgdConfig::new().init(), mask);
/// let loss = |m: &Linear| m.weight.val().sub_scalar(5.0).powi_scalar(2).sum();
/// for _ in 0..40 {
///     sgd.closure_step(0.25, &mut model, loss)?;
/// }
/// let weights: Vec<f64> = model.weight.val().into_data().iter::<f64>().collect();
/// assert_eq!(weights, [5.0, 0.0, 5.0]);
/// # Ok::<(), burnscape::optim::OptimError>(())
/// ```
#[derive(Clone)]
pub struct MaskedOptimizer<O> {
    base: O,
    mask: WeightMask,
    spaces: SpaceCache,
    /// The mask on the device of the last step.
    placed: Option<Placed>,
}

impl<O> fmt::Debug for MaskedOptimizer<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaskedOptimizer")
            .field("mask", &self.mask)
            .finish_non_exhaustive()
    }
}

impl<O> MaskedOptimizer<O> {
    /// Holds `base` to `mask`.
    pub fn new(base: O, mask: WeightMask) -> Self {
        Self {
            base,
            mask,
            spaces: SpaceCache::default(),
            placed: None,
        }
    }

    /// The mask.
    pub fn mask(&self) -> &WeightMask {
        &self.mask
    }

    /// The optimizer without its mask.
    pub fn into_base(self) -> O {
        self.base
    }
}

const KIND: &str = "masked";
const RECORD: &str = "masked.base";

/// A step has the errors of the base, and [`OptimError::OtherMask`]. The mask is part of the saved state: loading
/// replaces the optimizer's own.
impl<O: ClosureStep> ClosureStep for MaskedOptimizer<O> {
    fn closure_step<M: Module, R: IntoEvaluation>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: &mut M,
        mut closure: impl FnMut(&M) -> R,
    ) -> Result<StepReport, OptimError> {
        let space = self.spaces.of(model)?;
        self.mask.check(&space)?;
        let placed = self.placed.take();
        let placed = placed.filter(|placed| placed.is_on(space.device()));
        let placed = placed.unwrap_or_else(|| Placed::new(&self.mask, &space));
        let mut moved = placed.apply_to(&space, model)?;
        let masked = |model: &M| MaskedLoss {
            loss: closure(model),
            space: &space,
            placed: &placed,
        };
        let report = self.base.closure_step(lr, &mut moved, masked)?;
        *model = placed.apply_to(&space, &moved)?;
        self.placed = Some(placed);
        Ok(report)
    }

    fn save_state<M: Module>(&self, model: &M) -> Result<OptimRecord, OptimError> {
        let base = self.base.save_state(model)?.into_bytes()?.to_vec();
        let record = OptimRecord::new(KIND, model)?.with_state(&self.mask)?;
        Ok(record.with_bytes(RECORD, base))
    }

    fn load_state<M: Module>(self, record: OptimRecord, model: &M) -> Result<Self, OptimError> {
        let space = record.check(KIND, model)?;
        let mask: WeightMask = record.state()?;
        mask.check(&space)?;
        let base = Bytes::from_bytes_vec(record.bytes(RECORD)?);
        let base = OptimRecord::from_bytes(base)?;
        Ok(Self::new(self.base.load_state(base, model)?, mask))
    }
}

/// A loss whose gradient is masked.
struct MaskedLoss<'a, R> {
    loss: R,
    space: &'a ParamSpace,
    placed: &'a Placed,
}

impl<R: IntoEvaluation> IntoEvaluation for MaskedLoss<'_, R> {
    fn into_evaluation<M: Module>(self, model: &M) -> Result<Evaluation, LossError> {
        let Evaluation { loss, gradients } = self.loss.into_evaluation(model)?;
        let gradient = LeafVector::from_gradients(self.space, &gradients)?;
        Ok(Evaluation {
            loss,
            gradients: self.placed.restrict(gradient).into_gradients(),
        })
    }
}
