use burn::module::Module;
use burn::tensor::Tensor;

use crate::sharpness::SharpnessError;
use crate::sharpness::argument::check_positive;
use crate::space::{ParamSpace, ParamVector};

/// The model with the weight and bias of one layer multiplied by α, and the weight of the next divided
/// by it: Dinh's rescaling.
///
/// `W₁ ← α W₁`, `b₁ ← α b₁`, `W₂ ← W₂ / α`. If nothing stands between the layers but ReLU, pooling, or
/// what else has `f(α x) = α f(x)` for positive α, the function stays the same. Layers are linear maps
/// or convolutions (anything with a `weight`, and a `bias` or none), named by the path of their fields:
/// `first`, `blocks.0.conv`. Whether the function did stay the same is for
/// [`ReparameterizationConfig`](super::ReparameterizationConfig) to check.
///
/// # Cost
///
/// Two copies of the parameters.
///
/// # Errors
///
/// [`SharpnessError::OutOfRange`] for an `alpha` that is not positive, [`SharpnessError::NoLayer`],
/// [`SharpnessError::Space`].
///
/// # References
///
/// Dinh, Pascanu, Bengio, Bengio 2017, *Sharp Minima Can Generalize For Deep Nets*, arXiv:1703.04933
/// (the transformation of a pair of layers).
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::module::Module;
/// use burn::tensor::activation::relu;
/// use burn::tensor::{Device, Tensor};
/// use burnscape::sharpness::rescale_relu_pair;
///
/// #[derive(Module, Debug)]
/// struct Net { first: Linear, second: Linear }
///
/// let device = Device::default();
/// let net = Net {
///     first: LinearConfig::new(2, 3).init(&device),
///     second: LinearConfig::new(3, 1).init(&device),
/// };
/// let output = |net: &Net| -> f32 {
///     let x = Tensor::<2>::ones([1, 2], &device);
///     net.second.forward(relu(net.first.forward(x))).into_scalar()
/// };
/// let other = rescale_relu_pair(&net, "first", "second", 4.0)?;
/// assert!((output(&net) - output(&other)).abs() < 1e-6);
/// # Ok::<(), burnscape::sharpness::SharpnessError>(())
/// ```
pub fn rescale_relu_pair<M: Module>(
    model: &M,
    first: &str,
    second: &str,
    alpha: f64,
) -> Result<M, SharpnessError> {
    check_positive("alpha", alpha)?;
    let space = ParamSpace::of(model)?;
    let [weight, bias] = ["weight", "bias"].map(|name| format!("{first}.{name}"));
    let next = format!("{second}.weight");
    for path in [&weight, &next] {
        if !space.leaves().iter().any(|leaf| leaf.path() == path) {
            let example = space.leaves().first();
            return Err(SharpnessError::NoLayer {
                path: path.clone(),
                example: example
                    .map(|leaf| leaf.path().to_owned())
                    .unwrap_or_default(),
            });
        }
    }
    let place = (space.device(), space.dtype()?);
    let factors = space.leaves().iter().map(|leaf| {
        let factor = match leaf.path() {
            path if path == weight || path == bias => alpha,
            path if path == next => alpha.recip(),
            _ => 1.0,
        };
        Tensor::<1>::full([leaf.len()], factor, place)
    });
    let factors = ParamVector::from_values(&space, Tensor::cat(factors.collect(), 0))?;
    let weights = ParamVector::from_module(&space, model)?;
    Ok(weights.hadamard(&factors)?.apply_to(model)?)
}
