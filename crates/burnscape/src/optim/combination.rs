use burn::config::Config;

use super::OptimConfigError;
use super::error::check_range;
use super::evaluation::LossValue;
use crate::space::{LeafVector, SpaceError, Wide};

/// Which gradient is handed to the base optimizer, from `g` at the weights and `g_p` at the
/// displaced weights.
#[derive(Config, Debug, PartialEq)]
#[non_exhaustive]
pub enum Combination {
    /// `g_p` (SAM).
    Perturbed,
    /// `g_p − alpha g_perp`, with `g_perp` the part of `g` that is orthogonal to `g_p` (GSAM; Zhuang
    /// et al. 2022, arXiv:2203.08065). It lowers the surrogate gap `L(w+e) − L(w)`.
    SurrogateGap {
        /// The paper's default is 0.4.
        alpha: f64,
    },
    /// `a g_p + (1 − a) g` with `a = gamma / (1 − gamma)` (WSAM; Yue et al. 2023, arXiv:2305.15817).
    /// `gamma` ½ is SAM, 0 the base optimizer.
    Weighted {
        /// The paper's default is 0.9.
        gamma: f64,
        /// If true, the base optimizer gets `g`, and the weights then move by `−lr a (g_p − g)`
        /// outside of its state.
        decoupled: bool,
    },
    /// `g_p` every `every` steps, and `g_v = g_p − (⟨g_p, g⟩ / |g|²) g` kept; between,
    /// `g + alpha |g| / |g_v| g_v` without a second gradient (LookSAM; Liu et al. 2022,
    /// arXiv:2203.02714).
    Look {
        /// Steps from one ascent to the next. The paper's default is 5.
        every: usize,
        /// The paper's default is 0.7.
        alpha: f64,
    },
}

/// Inner products of the two gradients, from one transfer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Products {
    /// `⟨g, g⟩`.
    pub(super) plain: Wide,
    /// `⟨g_p, g_p⟩`.
    pub(super) perturbed: Wide,
    /// `⟨g, g_p⟩`.
    pub(super) mixed: Wide,
}

impl Products {
    /// Reads the products, and the losses that are still on the device, in one transfer. `plain` is
    /// known from the first pass.
    pub(super) fn read(
        g: &LeafVector,
        g_p: &LeafVector,
        plain: Wide,
        losses: &mut [LossValue],
    ) -> Result<Self, SpaceError> {
        let mut scalars = Vec::new();
        let mut waiting = Vec::new();
        for loss in losses {
            if let Some(tensor) = loss.take_tensor() {
                scalars.push(tensor);
                waiting.push(loss);
            }
        }
        let (dots, values) = LeafVector::wide_dots(&[(g_p, g_p), (g, g_p)], &scalars)?;
        for (loss, value) in waiting.into_iter().zip(values) {
            *loss = LossValue::Number(value);
        }
        Ok(Self {
            plain,
            perturbed: dots[0],
            mixed: dots[1],
        })
    }

    /// The cosine of the angle between the gradients, if both have a direction.
    pub(super) fn cosine(self) -> Option<f64> {
        let norms = (self.plain * self.perturbed).sqrt();
        let have_direction = norms.is_positive() && norms.is_finite();
        have_direction.then(|| (self.mixed / norms).value().clamp(-1.0, 1.0))
    }
}

/// LookSAM's direction, with its squared norm.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) vector: LeafVector,
    pub(super) square: Wide,
}

impl Kept {
    /// Where `g_p` is parallel to `g`, what is left of it is rounding, and would be blown up to the
    /// length of the gradient; it then counts as nothing.
    fn read(vector: LeafVector, perturbed: Wide) -> Result<Self, SpaceError> {
        let square = vector.wide_dot(&vector)?;
        let epsilon = vector
            .space()
            .leaves()
            .iter()
            .map(|leaf| crate::space::epsilon(leaf.dtype()));
        // Each coordinate is rounded a few times on its way.
        let noise = Wide::from((8.0 * epsilon.fold(0.0, f64::max)).powi(2)) * perturbed;
        Ok(Self {
            square: match square.is_greater(noise) {
                true => square,
                false => Wide::ZERO,
            },
            vector,
        })
    }
}

/// What a combination hands on.
#[derive(Debug)]
pub(super) struct Descent {
    /// For the base optimizer.
    pub(super) gradient: LeafVector,
    /// Added to the weights after the base step, times minus the learning rate.
    pub(super) shift: Option<LeafVector>,
}

impl Descent {
    pub(super) fn only(gradient: LeafVector) -> Self {
        Self {
            gradient,
            shift: None,
        }
    }
}

impl Combination {
    pub(super) fn validate(&self) -> Result<(), OptimConfigError> {
        match self {
            Self::Perturbed => Ok(()),
            Self::SurrogateGap { alpha } => {
                check_range("alpha", *alpha, "a finite number ≥ 0", |alpha| {
                    alpha >= 0.0
                })
            }
            Self::Weighted { gamma, .. } => {
                check_range("gamma", *gamma, "a number in [0, 1)", |gamma| {
                    (0.0..1.0).contains(&gamma)
                })
            }
            Self::Look { every, alpha } => {
                check_range("every", *every as f64, "at least 1", |every| every >= 1.0)?;
                check_range("alpha", *alpha, "a finite number ≥ 0", |alpha| {
                    alpha >= 0.0
                })
            }
        }
    }

    /// Whether this ascent step takes a second gradient. `kept` is whether a direction is kept from
    /// an earlier one.
    pub(super) fn wants_second(&self, step: usize, kept: bool) -> bool {
        match self {
            Self::Look { every, .. } => step.is_multiple_of(*every) || !kept,
            _ => true,
        }
    }

    /// The combination of both gradients. `kept` receives what later steps need.
    pub(super) fn combine(
        &self,
        g: &LeafVector,
        g_p: &LeafVector,
        products: Products,
        kept: &mut Option<Kept>,
    ) -> Result<Descent, SpaceError> {
        let only = |gradient| {
            Ok(Descent {
                gradient,
                shift: None,
            })
        };
        match self {
            Self::Perturbed => only(g_p.clone()),
            Self::SurrogateGap { alpha } => {
                let parallel = ratio(products.mixed, products.perturbed).value();
                only(g_p.linear(1.0 + alpha * parallel, -alpha, g)?)
            }
            Self::Weighted { gamma, decoupled } => {
                let a = gamma / (1.0 - gamma);
                if *decoupled {
                    Ok(Descent {
                        gradient: g.clone(),
                        shift: Some(g_p.linear(a, -a, g)?),
                    })
                } else {
                    only(g_p.linear(a, 1.0 - a, g)?)
                }
            }
            Self::Look { .. } => {
                let parallel = ratio(products.mixed, products.plain).value();
                let vector = g_p.linear(1.0, -parallel, g)?;
                *kept = Some(Kept::read(vector, products.perturbed)?);
                only(g_p.clone())
            }
        }
    }

    /// The gradient of a step between two ascents; `square` is `|g|²`.
    pub(super) fn without_second(
        &self,
        g: &LeafVector,
        square: Wide,
        kept: Option<&Kept>,
    ) -> Result<LeafVector, SpaceError> {
        match (self, kept) {
            (Self::Look { alpha, .. }, Some(kept)) => {
                let length = ratio(square, kept.square).sqrt().value();
                g.linear(1.0, alpha * length, &kept.vector)
            }
            _ => Ok(g.clone()),
        }
    }
}

/// A quotient that is zero where the denominator is: a zero gradient has no direction.
fn ratio(numerator: Wide, denominator: Wide) -> Wide {
    match denominator.is_positive() {
        true => numerator / denominator,
        false => Wide::ZERO,
    }
}
