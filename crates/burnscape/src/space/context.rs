use burn::module::ParamId;
use burn::tensor::{DType, GradientCheckpointingStrategy, Tensor};

/// All that a parameter carries besides its numbers.
///
/// A weight that is rebuilt from arithmetic is no leaf any more: its gradient disappears without an
/// error. So every write reads this first, computes without autodiff, and puts it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ParamContext {
    autodiff: bool,
    require_grad: bool,
    distributed: bool,
    checkpointing: Option<GradientCheckpointingStrategy>,
}

impl ParamContext {
    pub(super) fn checkpointing(self) -> Option<GradientCheckpointingStrategy> {
        self.checkpointing
    }

    pub(super) fn is_autodiff(self) -> bool {
        self.autodiff
    }

    pub(super) fn is_require_grad(self) -> bool {
        self.require_grad
    }

    pub(super) fn of<const D: usize>(value: &Tensor<D>) -> Self {
        let autodiff = value.is_autodiff();
        let is_quantized = matches!(value.dtype(), DType::QFloat(_));
        Self {
            autodiff,
            require_grad: value.is_require_grad(),
            // Burn panics when it is asked this about a plain or a quantized tensor.
            distributed: autodiff && !is_quantized && value.is_distributed(),
            checkpointing: value.gradient_checkpointing_strategy(),
        }
    }

    /// The context that training needs, where this one may be that of inference.
    pub(super) fn trained(self, is_trainable: bool) -> Self {
        Self {
            autodiff: true,
            require_grad: is_trainable,
            ..self
        }
    }

    pub(super) fn restore<const D: usize>(self, value: Tensor<D>, id: ParamId) -> Tensor<D> {
        if !self.autodiff {
            return value;
        }
        let mut value = value.autodiff();
        if let Some(strategy) = self.checkpointing {
            value = value.with_gradient_checkpointing_strategy(strategy);
        }
        if self.require_grad {
            value = value.require_grad();
        }
        if self.distributed {
            value = value.set_distributed(id);
        }
        value
    }
}
