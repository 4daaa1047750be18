//! Gradients that Burn itself computes wrongly. `docs/upstream.md` tells of each.

use burn_ir::{Conv1dWeightBackwardOpIr, ModuleOperationIr as Module, OperationIr};

use super::run::Engine;
use super::{LinearizeError, Program};

/// Refuses a program that holds one, on a device that computes it so.
pub(crate) fn check(program: &Program, engine: &dyn Engine) -> Result<(), LinearizeError> {
    // CubeCL's backends have kernels of their own.
    if engine.is_accelerator() {
        return Ok(());
    }
    for operation in &program.operations {
        if let OperationIr::Module(Module::Conv1dWeightBackward(o)) = operation {
            conv1d_weight(o)?;
        }
    }
    Ok(())
}

/// The weight gradient of a grouped convolution whose stride does not divide what the kernel slides over.
///
/// The positions of the input that no window reaches give the gradient more places than the kernel has.
/// Burn cuts them off for one group, and for several writes all of them where the kernel's places are.
fn conv1d_weight(o: &Conv1dWeightBackwardOpIr) -> Result<(), LinearizeError> {
    let options = &o.options;
    let ([stride], [dilation], [(before, after)]) =
        (options.stride, options.dilation, options.padding);
    let (length, kernel, outputs) = (o.x.shape[2], o.weight.shape[2], o.output_grad.shape[2]);
    let padded = length + before + after;
    let reached = stride * (outputs - 1) + 1;
    let places = (padded - reached) / dilation + 1;
    if options.groups == 1 || places == kernel {
        return Ok(());
    }
    let window = dilation * (kernel - 1) + 1;
    let left = padded - window - stride * (outputs - 1);
    Err(LinearizeError::Upstream {
        what: format!(
            "the weight gradient of a `Conv1d` with {} groups, where stride {stride} leaves a remainder of \
             {left} (input {:?}, weight {:?}, padding {before} and {after}, dilation {dilation}), and so do \
             optimizers get it",
            options.groups,
            o.x.shape.as_slice(),
            o.weight.shape.as_slice()
        ),
        remedy: format!(
            "leave out the last {left} of the padded places, which no window reaches (slice the input, or pad \
             less at its end), or use `Conv2d` with a second axis of one; docs/upstream.md says more"
        ),
    })
}
