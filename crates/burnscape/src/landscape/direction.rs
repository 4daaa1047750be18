use burn::module::Module;

use super::LandscapeError;
use crate::space::{ParamSpace, ParamVector, UnfilteredRule};

/// A random direction with every filter as long as the model's: `d_f = z_f |w_f| / |z_f|`, `z`
/// standard normal.
///
/// A coordinate of 1 along it displaces every filter by its own length, so pictures of networks of
/// different size can be compared. `rule` says what becomes of biases and normalization parameters;
/// [`UnfilteredRule::Zero`] keeps them where they are, as Li et al. do.
///
/// # Errors
///
/// [`LandscapeError::NoDirection`] if nothing is left of the direction, [`LandscapeError::Space`].
///
/// # Reproducibility
///
/// A function of the model's weights and the seed.
///
/// # References
///
/// Li, Xu, Taylor, Studer, Goldstein 2018, *Visualizing the Loss Landscape of Neural Nets*,
/// arXiv:1712.09913, section 4.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burnscape::landscape::filter_normalized;
/// use burnscape::space::{ParamSpace, ParamVector, UnfilteredRule};
///
/// let model = LinearConfig::new(3, 2).init(&Device::default());
/// let space = ParamSpace::of(&model)?;
/// let direction = filter_normalized(&space, &model, 7, UnfilteredRule::Zero)?;
/// let weights = ParamVector::from_module(&space, &model)?;
/// let (own, wanted) = (direction.filter_norms()?, weights.filter_norms()?);
/// assert!((own[0][1] - wanted[0][1]).abs() < 1e-6);
/// assert_eq!(own[1], [0.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn filter_normalized<M: Module>(
    space: &ParamSpace,
    model: &M,
    seed: u64,
    rule: UnfilteredRule,
) -> Result<ParamVector, LandscapeError> {
    let weights = ParamVector::from_module(space, model)?;
    let direction = ParamVector::gaussian(space, seed)?.filter_normalize(&weights, rule)?;
    check_direction(&direction, 0)?;
    Ok(direction)
}

/// The norm of a direction, refused if it leads nowhere.
pub(super) fn check_direction(
    direction: &ParamVector,
    index: usize,
) -> Result<f64, LandscapeError> {
    let norm = direction.norm()?;
    if norm > 0.0 && norm.is_finite() {
        Ok(norm)
    } else {
        Err(LandscapeError::NoDirection { index, norm })
    }
}
