use burn::module::ParamId;
use burn::tensor::{DType, GradientCheckpointingStrategy, Tensor};

/// The autodiff state of a parameter: everything except its numbers.
///
/// A weight that results from arithmetic is not a leaf: its gradient is lost without an error. So every
/// write reads the context first, computes without autodiff, and restores the context.
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
            // Burn panics if this is called on a plain or a quantized tensor.
            distributed: autodiff && !is_quantized && value.is_distributed(),
            checkpointing: value.gradient_checkpointing_strategy(),
        }
    }

    /// The same context for training; this one may be for inference.
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

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn a_context_is_restored_to_fresh_numbers() {
        let plain = Device::default();
        let trained = plain.clone().autodiff();
        let balanced = trained.clone().gradient_checkpointing();
        for device in [plain, trained, balanced] {
            for require_grad in [false, device.is_autodiff()] {
                let old = Tensor::<1>::zeros([2], &device).set_require_grad(require_grad);
                let context = ParamContext::of(&old);
                let moved = context.restore(old.inner() + 1.0, ParamId::new());
                assert_eq!(ParamContext::of(&moved), context);
                assert_eq!(moved.is_require_grad(), require_grad);
            }
        }
    }
}
