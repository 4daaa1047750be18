use burn::module::Module;
use burn::tensor::Tensor;

use super::SharpnessError;
use crate::loss::{Agreement, LossError, Risk, Sides, Tolerance, compare};
use crate::range::{POSITIVE, ensure};
use crate::space::{Distance, Nearby, ParamSpace, ParamVector, epsilon};

/// The model with the weight and bias of one layer multiplied by `alpha`, and the weight of the next divided
/// by it: Dinh's rescaling, under which the loss of `risk` must not change.
///
/// `W₁ ← α W₁`, `b₁ ← α b₁`, `W₂ ← W₂ / α`. If only ReLU, pooling, or another map with `f(α x) = α f(x)` for positive α lies
/// between the layers, the function stays the same; the losses of both models, also at displaced weights, show whether it
/// does. A layer is a linear map or a convolution (any module with a `weight`, and a `bias` or none), and its name is the
/// path of its fields: `first`, `blocks.0.conv`.
///
/// [`SharpnessReport::compare`](super::SharpnessReport::compare) shows which measures change. Measures relative to
/// elements or filters, the Fisher-Rao norm and relative flatness do not; absolute ones change by an arbitrary factor,
/// which is Dinh's objection to them.
///
/// # Cost
///
/// Two losses, and a few more if the losses are zero; a few copies of the parameters.
///
/// # Reproducibility
///
/// The rescaling is free of rounding if `alpha` is a power of two.
///
/// # Errors
///
/// [`SharpnessError::OutOfRange`] for an `alpha` that is not positive, [`SharpnessError::NoLayer`],
/// [`SharpnessError::FunctionChanged`], [`SharpnessError::Loss`], [`SharpnessError::Space`].
///
/// # References
///
/// Dinh, Pascanu, Bengio, Bengio 2017, *Sharp Minima Can Generalize For Deep Nets*, arXiv:1703.04933
/// (the transformation of a pair of layers).
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Initializer, Linear, LinearConfig};
/// use burn::tensor::activation::relu;
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::sharpness::{SharpnessMeasure, SharpnessReportConfig, rescale_relu_pair};
/// use burnscape::space::Scale;
///
/// #[derive(Module, Debug)]
/// struct Net { first: Linear, second: Linear }
///
/// let device = Device::default();
/// let layer = |from, to| {
///     let initializer = Initializer::Constant { value: 0.3 };
///     LinearConfig::new(from, to).with_initializer(initializer).init(&device)
/// };
/// let net = Net { first: layer(2, 4), second: layer(4, 1) };
/// let loss = |net: &Net, x: Tensor<2>| {
///     (net.second.forward(relu(net.first.forward(x))) - 1.0).powi_scalar(2).mean()
/// };
/// let data = [Tensor::<2>::from_floats([[1.0, 2.0], [-1.0, 0.5], [0.5, -2.0]], &device)];
/// let risk = Risk::new(&loss, &data);
/// let rescaled = rescale_relu_pair(&risk, &net, ["first", "second"], 8.0)?;
///
/// let adaptive = Scale::ElementRelative;
/// let config = SharpnessReportConfig::new().with_scales(vec![adaptive]).with_num_samples(2);
/// let comparison = config.run(&risk, &net)?.compare(&config.run(&risk, &rescaled)?);
/// println!("{comparison}");
/// let change = |measure, scale| {
///     comparison.change(measure, scale).map_or(0.0, |change| change.relative_change)
/// };
/// assert!(change(SharpnessMeasure::LambdaMax, Some(adaptive)) < 0.01);
/// assert!(change(SharpnessMeasure::Keskar, None) > 0.01);
/// # Ok::<(), burnscape::sharpness::SharpnessError>(())
/// ```
pub fn rescale_relu_pair<M: Module, K>(
    risk: &Risk<'_, M, K>,
    model: &M,
    [first, second]: [&str; 2],
    alpha: f64,
) -> Result<M, SharpnessError> {
    let rescale = |model: &M| rescaled(model, [first, second], alpha);
    let rescaled = rescale(model)?;
    let before = risk.whole_loss(model)?.value;
    let after = risk.whole_loss(&rescaled)?.value;
    let sides = |before: f64, after: f64| Sides {
        difference: (after - before).abs(),
        size: before.abs().max(after.abs()),
    };
    let weights = ParamVector::from_module(&ParamSpace::of(model)?, model)?;
    let dtype = weights.values().dtype();
    let nearby = Nearby::around(&weights)?;
    let loss = |model: &M| match risk.whole_loss(model) {
        Err(LossError::NonFinite { .. }) => Ok(None),
        other => other.map(|loss| Some(loss.value)),
    };
    // The tolerance leaves half of the digits to rounding. A loss of zero is rounding only, whose size shows at other
    // weights.
    let points = [Distance::NONE].into_iter();
    let points = points.chain(Distance::growing(dtype));
    let found = compare(Tolerance::of(epsilon(dtype).sqrt()), points, |distance| {
        if distance == Distance::NONE {
            return Ok(Some(sides(before, after)));
        }
        let moved = nearby.displacement(distance)?.perturb(model, 1.0)?;
        let losses = (loss(&moved)?, loss(&rescale(&moved)?)?);
        let (Some(before), Some(after)) = losses else {
            return Ok(None);
        };
        Ok::<_, SharpnessError>(Some(sides(before, after)))
    })?;
    if found == Agreement::Equal {
        return Ok(rescaled);
    }
    Err(SharpnessError::FunctionChanged {
        first: first.to_owned(),
        second: second.to_owned(),
        before,
        after,
    })
}

fn rescaled<M: Module>(
    model: &M,
    [first, second]: [&str; 2],
    alpha: f64,
) -> Result<M, SharpnessError> {
    ensure("alpha", alpha, POSITIVE)?;
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
