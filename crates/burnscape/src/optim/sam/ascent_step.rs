use burn::module::Module;
use burn::tensor::DType;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::machine::SamMachine;
use super::scale::{Fisher, Target};
use super::step::Plan;
use super::{Metric, group};
use crate::optim::OptimError;
use crate::optim::evaluation::LossValue;
use crate::space::{LeafVector, ParamLeaf, ParamSpace, Wide, scaled};

/// The displacement of one ascent step, and the numbers that were read with it.
pub(super) struct AscentStep {
    /// `|g|²`.
    pub(super) square: Wide,
    pub(super) loss: Option<f64>,
    /// A direction and its factor; their product is the displacement.
    pub(super) displacement: Option<(LeafVector, f64)>,
}

impl AscentStep {
    pub(super) fn is_finite(&self) -> bool {
        self.square.is_finite() && self.loss.is_none_or(f64::is_finite)
    }
}

impl SamMachine {
    /// Finds the displacement `rho T²d / |T d|`, zero where `T d` is, and reads the loss and the norm of the
    /// gradient, usually in one transfer. `examples` is a diagonal Fisher matrix in place of the squared gradient.
    ///
    /// A gradient times a power of two has the same displacement, to the last bit: inner products are formed
    /// within the range ([`LeafVector::dot`]), and nothing is added to the norm.
    pub(super) fn ascent_step<M: Module>(
        &self,
        model: &M,
        gradient: &LeafVector,
        loss: LossValue,
        examples: Option<Fisher>,
        plan: &Plan,
    ) -> Result<AscentStep, OptimError> {
        if !plan.wants_second {
            let (dots, loss) = loss.read_with(&[(gradient, gradient)])?;
            return Ok(AscentStep {
                square: dots[0],
                loss,
                displacement: None,
            });
        }
        let (dots, loss, target, factors) = if self.is_plain() {
            let (dots, loss) = loss.read_with(&[(gradient, gradient)])?;
            (dots, loss, Target::plain(gradient.clone()), Vec::new())
        } else {
            let factors = self.factors(gradient.space());
            let direction = self.parts.direction.direction(gradient)?;
            // Excluded parameters do not count in the norm either.
            let is_included = |factor: f64| f64::from(factor != 0.0);
            let direction = scale_leaves(direction, &factors, is_included);
            let is_of_batch = examples.is_none();
            let metric = &self.config.metric;
            let fisher = match (examples, metric) {
                (None, Metric::Fisher { .. }) => Some(Fisher::of_gradient(gradient)?),
                (examples, _) => examples,
            };
            let mut target = metric.target(model, direction.clone(), fisher.as_ref())?;
            let (mut dots, loss) = loss.read_with(&[(gradient, gradient), target.squares()])?;
            if is_of_batch && metric.overflows(dots[0]) {
                let fisher = Fisher::Roots(gradient.clone(), 0);
                target = metric.target(model, direction, Some(&fisher))?;
                let (start, end) = target.squares();
                dots[1] = start.wide_dot(end)?;
            } else if let Metric::Adaptive { eta } = metric
                && !is_inside(dots[1].sqrt(), gradient.space())
            {
                // A direction of another scale has the same displacement, and products with the weights that
                // are within the range.
                let weights = LeafVector::from_module(gradient.space(), model)?;
                let stretch = weights.wide_norm()? + Wide::from(*eta);
                let middle = Wide::from(1.0) / (direction.wide_norm()? * stretch);
                if middle.is_positive() && middle.is_finite() {
                    let middle = Wide::new(1.0, middle.exponent());
                    target = metric.target(model, direction.scale_wide(middle), None)?;
                    let (start, end) = target.squares();
                    dots[1] = start.wide_dot(end)?;
                }
            }
            (dots, loss, target, factors)
        };
        let square = dots[0];
        let length = dots.last().map_or(Wide::ZERO, |dot| dot.sqrt());
        // A zero gradient has no direction.
        let has_direction = length.is_positive() && length.is_finite();
        let mut scale = if has_direction {
            Wide::from(plan.rho) / length
        } else {
            Wide::ZERO
        };
        if let Some(keep) = self.config.mask {
            scale = scale / Wide::from(keep);
        }
        let (mut direction, scale) = target.displacement(scale);
        if !factors.is_empty() {
            direction = scale_leaves(direction, &factors, |factor| factor);
        }
        if let Some(keep) = self.config.mask {
            let mut rng = StdRng::seed_from_u64(self.seed());
            // Absent leaves are drawn too: a mask must not depend on the heads in use.
            direction = direction.map_all(|_, value| {
                let stays = rng.random_bool(keep);
                value.filter(|_| stays)
            });
        }
        Ok(AscentStep {
            square,
            loss,
            displacement: Some((direction, scale)),
        })
    }

    /// The radius factor of each parameter.
    fn factors(&self, space: &ParamSpace) -> Vec<f64> {
        space
            .leaves()
            .iter()
            .map(|leaf| group::factor(&self.config.groups, leaf))
            .collect()
    }
}

/// Whether a vector with this norm has coordinates that are normal numbers, those that count.
fn is_inside(norm: Wide, space: &ParamSpace) -> bool {
    let is_double = |leaf: &ParamLeaf| leaf.dtype() == DType::F64;
    let least = if space.leaves().iter().all(is_double) {
        -900
    } else {
        -80
    };
    norm.is_positive() && norm.is_finite() && norm.exponent() >= least
}

/// Scales each leaf by a function of its factor; zero drops it, one leaves it alone.
fn scale_leaves(vector: LeafVector, factors: &[f64], f: impl Fn(f64) -> f64) -> LeafVector {
    let mut factors = factors.iter();
    vector.map_all(|_, value| {
        let factor = factors.next().map_or(1.0, |&factor| f(factor));
        match value {
            Some(_) if factor == 0.0 => None,
            Some(value) if factor != 1.0 => Some(scaled(value, factor)),
            value => value,
        }
    })
}
