use serde::{Deserialize, Serialize};

/// Which gradient the ascent follows when a step is taken on several devices.
///
/// Device `d` has the part `d` of the batch. `L_d` is the loss of that part, and `c_d` its weight in the loss of the
/// whole batch, `L(w) = Σ_d c_d L_d(w)`: the share of the part in the weight of the batch for a loss that is a mean,
/// and one for a sum. The formulas are those of the Euclidean metric; other metrics, directions, ascents and descents
/// change them as they do on one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AscentScope {
    /// One ascent, along the gradient of the whole batch:
    ///
    /// ```text
    /// g = Σ_d c_d ∇L_d(w),    e = rho g / |g|,    g_p = Σ_d c_d ∇L_d(w + e).
    /// ```
    ///
    /// It is the step of one device up to rounding. Weights and gradients are moved in both passes.
    Shared,
    /// One ascent a device, along the gradient of its part:
    ///
    /// ```text
    /// e_d = rho ∇L_d(w) / |∇L_d(w)|,    g_p = Σ_d c_d ∇L_d(w + e_d).
    /// ```
    ///
    /// It is m-sharpness with one group a device (Foret et al. 2021, arXiv:2010.01412, section 4.1; Andriushchenko and
    /// Flammarion 2022, arXiv:2206.06232): the step of [`with_group_size`](super::SamConfig::with_group_size) on one
    /// device, if the size is that of the parts. Weights are moved once, and both gradients together: the devices wait
    /// for each other once in a step, not twice.
    PerDevice,
}
