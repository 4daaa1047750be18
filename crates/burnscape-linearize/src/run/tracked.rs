//! A number and its known gradients as a tensor of Burn's autodiff.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::{
    BalancedCheckpointing, CheckpointStrategy, NoCheckpointing,
};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, binary};
use burn::backend::{
    Autodiff, AutodiffBackend, Backend, BackendTensor, DispatchKindConversion, DispatchTensor,
    TensorMetadata,
};
use burn::tensor::Shape;

/// A leaf on autodiff, and the gradient of the number in it, off autodiff.
pub(super) type Anchor = (DispatchTensor, DispatchTensor);

/// Puts a number of shape `[1]` on autodiff, as a function of leaves with these gradients. Leaves that are on autodiff
/// with different checkpointing strategies are refused by Burn's own conversion.
pub(super) fn tracked<B: Backend>(
    number: DispatchTensor,
    anchors: Vec<Anchor>,
) -> Result<DispatchTensor, String>
where
    DispatchTensor: DispatchKindConversion<B>
        + DispatchKindConversion<Autodiff<B>>
        + DispatchKindConversion<Autodiff<B, BalancedCheckpointing>>,
{
    let is_balanced = anchors.first().is_some_and(|(leaf, _)| {
        let leaf = leaf.clone();
        <DispatchTensor as DispatchKindConversion<Autodiff<B, BalancedCheckpointing>>>::try_into_backend(leaf)
            .is_ok()
    });
    if is_balanced {
        anchored::<B, BalancedCheckpointing>(number, anchors)
    } else {
        anchored::<B, NoCheckpointing>(number, anchors)
    }
}

fn anchored<B: Backend, C: CheckpointStrategy>(
    number: DispatchTensor,
    anchors: Vec<Anchor>,
) -> Result<DispatchTensor, String>
where
    DispatchTensor: DispatchKindConversion<B> + DispatchKindConversion<Autodiff<B, C>>,
{
    let float = |tensor: DispatchTensor| -> Result<B::FloatTensorPrimitive, String> {
        match <DispatchTensor as DispatchKindConversion<B>>::try_into_backend(tensor)? {
            BackendTensor::Float(tensor) => Ok(tensor),
            other => Err(format!("expected a float tensor, found {}", other.name())),
        }
    };
    let mut all = <Autodiff<B, C> as AutodiffBackend>::from_inner(float(number)?);
    for (leaf, gradient) in anchors {
        let leaf =
            <DispatchTensor as DispatchKindConversion<Autodiff<B, C>>>::try_into_backend(leaf)?;
        let BackendTensor::Float(leaf) = leaf else {
            return Err(format!("expected a float parameter, found {}", leaf.name()));
        };
        let (value, node) = all.into_parts();
        let known = Known.prepare::<C>([node, leaf.node()]).compute_bound();
        all = match known.stateful() {
            OpsKind::Tracked(known) => known.finish(float(gradient)?, value),
            OpsKind::UnTracked(known) => known.finish(value),
        };
    }
    let all = BackendTensor::<Autodiff<B, C>>::Float(all);
    Ok(<DispatchTensor as DispatchKindConversion<Autodiff<B, C>>>::from_backend(all))
}

/// The identity in a number, with a known gradient in a leaf that the number was computed from. It computes nothing
/// on the way forward, so one of them for each parameter costs nothing there.
#[derive(Debug)]
struct Known;

impl<B: Backend> Backward<B, 2> for Known {
    type State = B::FloatTensorPrimitive;

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let known = ops.state;
        binary::<B, _, _>(
            ops.parents,
            ops.node,
            gradients,
            |above| above,
            |above| {
                let ones = Shape::from(vec![1; known.shape().num_dims()]);
                B::float_mul(known, B::float_reshape(above, ones))
            },
        );
    }
}
