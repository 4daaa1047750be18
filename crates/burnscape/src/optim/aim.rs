use burn::module::Module;

use super::core::{Plan, SamCore};
use super::evaluation::LossValue;
use super::{Metric, OptimError, rho};
use crate::space::{LeafVector, ParamSpace};

/// Where a step looks, and what was read on the way.
pub(super) struct Aim {
    /// `|g|²`.
    pub(super) square: f64,
    pub(super) loss: Option<f64>,
    /// A direction and its factor; their product is the displacement.
    pub(super) displacement: Option<(LeafVector, f64)>,
}

impl Aim {
    pub(super) fn is_finite(&self) -> bool {
        self.square.is_finite() && self.loss.is_none_or(f64::is_finite)
    }
}

impl SamCore {
    /// Finds the displacement `rho T²d / (|T d| + 1e-12)`, and reads the loss and the norm of the
    /// gradient, all in one transfer. `squares` is a diagonal Fisher matrix, if it is not to be the
    /// squared gradient.
    pub(super) fn aim<M: Module>(
        &self,
        model: &M,
        gradient: &LeafVector,
        loss: LossValue,
        squares: Option<LeafVector>,
        plan: &Plan,
    ) -> Result<Aim, OptimError> {
        let (scalars, known) = loss.split();
        let read = |pairs: &[(&LeafVector, &LeafVector)]| -> Result<_, OptimError> {
            let (dots, values) = LeafVector::dots(pairs, &scalars)?;
            Ok((dots, known.or(values.first().copied())))
        };
        if !plan.wants_second {
            let (dots, loss) = read(&[(gradient, gradient)])?;
            return Ok(Aim {
                square: dots[0],
                loss,
                displacement: None,
            });
        }
        let (dots, loss, mut direction) = if self.is_plain() {
            let (dots, loss) = read(&[(gradient, gradient)])?;
            (dots, loss, gradient.clone())
        } else {
            let factors = self.factors(gradient.space());
            let direction = self
                .config
                .source
                .direction(gradient, self.state.average.as_ref())?;
            // Excluded parameters do not count in the norm either.
            let direction =
                scale_leaves(
                    direction,
                    &factors,
                    |factor| {
                        if factor == 0.0 { 0.0 } else { 1.0 }
                    },
                );
            let aimed = self.apply_metric(model, gradient, &direction, squares)?;
            let (dots, loss) = read(&[(gradient, gradient), (&direction, &aimed)])?;
            (dots, loss, scale_leaves(aimed, &factors, |factor| factor))
        };
        let length = dots.last().copied().unwrap_or(0.0).max(0.0).sqrt();
        // A zero gradient has no direction, and in half precision `rho / 1e-12` would be infinite.
        let mut scale = if length > 0.0 {
            plan.rho / (length + 1e-12)
        } else {
            0.0
        };
        if let Some(mask) = &self.config.mask {
            direction = mask.apply(direction, self.state.step);
            scale /= mask.keep;
        }
        Ok(Aim {
            square: dots[0],
            loss,
            displacement: Some((direction, scale)),
        })
    }

    fn apply_metric<M: Module>(
        &self,
        model: &M,
        gradient: &LeafVector,
        direction: &LeafVector,
        squares: Option<LeafVector>,
    ) -> Result<LeafVector, OptimError> {
        let metric = &self.config.metric;
        let weights = match metric.needs_weights() {
            true => Some(LeafVector::from_module(gradient.space(), model)?),
            false => None,
        };
        let squares = match (squares, metric) {
            (Some(squares), _) => squares,
            (None, Metric::Fisher { .. }) => gradient.times(gradient)?,
            (None, _) => LeafVector::zeros(gradient.space()),
        };
        Ok(metric.apply_squared(direction, weights.as_ref(), &squares)?)
    }

    /// The radius factor of each parameter.
    fn factors(&self, space: &ParamSpace) -> Vec<f64> {
        space
            .leaves()
            .iter()
            .map(|leaf| rho::factor(&self.config.groups, leaf))
            .collect()
    }
}

/// Scales each leaf by a function of its factor; zero drops it, one leaves it alone.
fn scale_leaves(vector: LeafVector, factors: &[f64], f: impl Fn(f64) -> f64) -> LeafVector {
    let mut factors = factors.iter();
    vector.map_all(|_, value| {
        let factor = factors.next().map_or(1.0, |&factor| f(factor));
        match value {
            Some(_) if factor == 0.0 => None,
            Some(value) if factor != 1.0 => Some(value * factor),
            value => value,
        }
    })
}
