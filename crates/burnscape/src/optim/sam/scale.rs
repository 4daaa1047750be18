use burn::config::Config;
use burn::module::Module;
use burn::tensor::Tensor;

use super::Need;
use crate::OutOfRange;
use crate::range::ensure;
use crate::space::{LeafVector, SpaceError, Wide, as_accumulator, scaled};

/// The norm of displacements: the ball is `|T⁻¹e| ≤ rho` with a diagonal `T`, so that the best first-order
/// displacement is `e = rho T²d / |T d|`.
#[derive(Config, Debug, PartialEq)]
pub enum Metric {
    /// `T = 1` (SAM; Foret et al. 2021).
    Euclidean,
    /// `T = |w| + eta` on weights (rank two and more), one elsewhere (ASAM; Kwon et al. 2021,
    /// arXiv:2102.11600). The ball does not change under the rescaling symmetry of ReLU networks.
    Adaptive {
        /// Floor of the scale. The paper's default is 0.01.
        eta: f64,
    },
    /// `T² = 1 / (1 + eta f)` with `f` the squared gradient of the batch, a diagonal Fisher matrix (Fisher SAM;
    /// Kim et al. 2022, arXiv:2206.04920). It costs nothing, and the paper's code does the same.
    Fisher {
        /// Weight of the Fisher term. The paper's default is 1.
        eta: f64,
    },
    /// As [`Fisher`](Self::Fisher), with `f` the mean of the squares of every example's gradient: one gradient an
    /// example, through [`step_on`](super::Sam::step_on).
    ExampleFisher {
        /// Weight of the Fisher term.
        eta: f64,
    },
}

impl Metric {
    pub(super) fn validate(&self) -> Result<(), OutOfRange> {
        match self {
            Self::Euclidean => Ok(()),
            Self::Adaptive { eta } | Self::Fisher { eta } | Self::ExampleFisher { eta } => {
                ensure("eta", *eta, 0.0..)
            }
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Euclidean => "the Euclidean metric",
            Self::Adaptive { .. } => "the adaptive metric",
            Self::Fisher { .. } => "the Fisher metric",
            Self::ExampleFisher { .. } => "a Fisher metric of example gradients",
        }
    }

    pub(super) fn needs(&self) -> &'static [Need] {
        if self.needs_examples() {
            &[Need::Batch]
        } else {
            &[]
        }
    }

    /// Whether every example's gradient is needed.
    pub(super) fn needs_examples(&self) -> bool {
        matches!(self, Self::ExampleFisher { .. })
    }

    /// Whether a diagonal Fisher matrix of squares whose sum (or its bound) is this may be infinite somewhere
    /// in the type of the gradients. So far below the range it is also where squares and roots agree.
    pub(super) fn overflows(&self, square: Wide) -> bool {
        let most = Wide::new(1.0, 100);
        match self {
            Self::Fisher { eta } | Self::ExampleFisher { eta } => {
                let is_large = |square: Wide| !square.is_finite() || square.is_greater(most);
                is_large(square) || is_large(square * Wide::from(*eta))
            }
            _ => false,
        }
    }

    /// The ascent along `direction`, with a diagonal Fisher matrix for the metrics that have one.
    pub(super) fn target<M: Module>(
        &self,
        model: &M,
        direction: LeafVector,
        fisher: Option<&Fisher>,
    ) -> Result<Target, SpaceError> {
        let (eta, fisher) = match (self, fisher) {
            (Self::Adaptive { eta }, _) => {
                let weights = LeafVector::from_module(direction.space(), model)?;
                let stretch = Stretch::of_weights(&weights, *eta);
                return Ok(Target::stretched(direction, stretch));
            }
            (Self::Fisher { eta } | Self::ExampleFisher { eta }, Some(fisher)) => (*eta, fisher),
            _ => return Ok(Target::plain(direction)),
        };
        match fisher {
            Fisher::Squares(squares) => {
                let scale = squares
                    .clone()
                    .map(|_, square| Some(square.mul_scalar(eta).add_scalar(1.0).recip()));
                Ok(Target {
                    end: direction.clone().widen().hadamard(&scale)?,
                    start: Some(direction),
                    stretch: None,
                })
            }
            Fisher::Roots(roots, exponent) => {
                let stretch = Stretch::of_roots(roots, *exponent, eta);
                Ok(Target::stretched(direction, stretch))
            }
        }
    }
}

/// The ascent `e = rho T²d / |T d|`, in a form in which no weight and no gradient is squared.
pub(super) struct Target {
    /// `⟨start, end⟩ = |T d|²`; `end` itself if there is none.
    start: Option<LeafVector>,
    /// `e` without its factor and the stretch.
    end: LeafVector,
    stretch: Option<Stretch>,
}

impl Target {
    /// That of the Euclidean metric.
    pub(super) fn plain(direction: LeafVector) -> Self {
        Self {
            start: None,
            end: direction,
            stretch: None,
        }
    }

    fn stretched(direction: LeafVector, stretch: Stretch) -> Self {
        Self {
            start: None,
            end: stretch.apply(direction.widen()),
            stretch: Some(stretch),
        }
    }

    /// Two vectors whose inner product is `|T d|²`.
    pub(super) fn squares(&self) -> (&LeafVector, &LeafVector) {
        (self.start.as_ref().unwrap_or(&self.end), &self.end)
    }

    /// The displacement, as a vector and its factor.
    pub(super) fn displacement(self, factor: Wide) -> (LeafVector, f64) {
        match self.stretch {
            // Scaled in between, so that only `e` has to be within the range.
            Some(stretch) => (stretch.apply(self.end.scale_wide(factor)), 1.0),
            None => {
                let value = factor.value();
                // Of subnormal gradients the inverse of the norm leaves even the range of f64.
                if value.is_normal() || value == 0.0 {
                    (self.end, value)
                } else {
                    (self.end.scale_wide(factor), 1.0)
                }
            }
        }
    }
}

/// A diagonal `T`: for each leaf a factor and a divisor, which is one where there is none; the whole is one where
/// a leaf has neither.
struct Stretch(Vec<Option<(Tensor<1>, Option<Tensor<1>>)>>);

impl Stretch {
    /// `|w| + eta` on weights of rank two and more.
    fn of_weights(weights: &LeafVector, eta: f64) -> Self {
        let leaves = weights.leaves().iter().zip(weights.space().leaves());
        let stretch = leaves.map(|(weight, leaf)| match leaf.shape().len() {
            0 | 1 => None,
            _ => Some((as_accumulator(weight.clone()?.abs().add_scalar(eta)), None)),
        });
        Self(stretch.collect())
    }

    /// `1 / √(1 + eta r²)` for `r` of which `2^−exponent r` is given.
    fn of_roots(roots: &LeafVector, exponent: i32, eta: f64) -> Self {
        // From 2^BIG on, 1 + x² is x² up to rounding: the excess is a separate factor, and not squared.
        const BIG: i32 = 30;
        const SPARE: i32 = 70;
        let unit = Wide::from(eta.sqrt()).shifted(exponent - SPARE);
        let (floor, top) = (2.0_f64.powi(-120), 2.0_f64.powi(BIG - SPARE));
        let roots = roots.clone().widen().scale_wide(unit);
        let stretch = roots.leaves().iter().map(|root| {
            let x = root.clone()?.abs().clamp_min(floor);
            let small = x.clone().clamp_max(top);
            let divisor = scaled(small.clone(), 2.0_f64.powi(SPARE)).square();
            Some((small / x, Some(divisor.add_scalar(1.0).sqrt())))
        });
        Self(stretch.collect())
    }

    fn apply(&self, vector: LeafVector) -> LeafVector {
        let mut entries = self.0.iter();
        vector.map_all(|_, value| {
            let entry = entries.next();
            let value = value?;
            let Some(Some((factor, divisor))) = entry else {
                return Some(value);
            };
            let value = value * factor.clone();
            Some(match divisor {
                Some(divisor) => value / divisor.clone(),
                None => value,
            })
        })
    }
}

/// A diagonal Fisher matrix.
pub(super) enum Fisher {
    /// The squares.
    Squares(LeafVector),
    /// Their roots times `2^−exponent`, where squares would overflow.
    Roots(LeafVector, i32),
}

impl Fisher {
    /// That of one gradient.
    pub(super) fn of_gradient(gradient: &LeafVector) -> Result<Self, SpaceError> {
        let wide = gradient.clone().widen();
        Ok(Self::Squares(wide.hadamard(&wide)?))
    }
}
