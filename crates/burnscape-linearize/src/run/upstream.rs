//! Gradients that Burn computes incorrectly. `docs/upstream.md` describes each of them.

use burn_ir::{Conv1dWeightBackwardOpIr, ModuleOperationIr as Module, OperationIr};

use crate::LinearizeError;
use crate::program::Program;

/// Fails if a program contains one that this device computes incorrectly.
pub(crate) fn check(program: &Program, is_accelerator: bool) -> Result<(), LinearizeError> {
    // The CubeCL backends use different kernels.
    if is_accelerator {
        return Ok(());
    }
    for operation in &program.operations {
        if let OperationIr::Module(Module::Conv1dWeightBackward(o)) = operation {
            conv1d_weight(o)?;
        }
    }
    Ok(())
}

/// The weight gradient of a grouped convolution whose stride leaves a remainder of the input.
///
/// Input positions that no window reaches give the gradient more places than the kernel has. Burn drops the
/// surplus for a single group, but for several groups writes all of them over the kernel's places.
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
             {left} (input {:?}, weight {:?}, padding {before} and {after}, dilation {dilation}), which \
             training uses as well",
            options.groups,
            o.x.shape.as_slice(),
            o.weight.shape.as_slice()
        ),
        remedy: format!(
            "remove the last {left} padded positions, which no window reaches (slice the input, or pad less at \
             its end), or use `Conv2d` with a second axis of one; see docs/upstream.md"
        ),
    })
}
