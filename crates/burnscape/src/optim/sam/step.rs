use super::StepGradients;
use crate::loss::LossError;
use crate::optim::evaluation::{Evaluation, LossValue};
use crate::optim::{OptimError, Sam, SkipReason, StepReport};
use crate::space::{LeafVector, ParamSpace, Wide};

/// The plan of a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) lr: f64,
    /// Zero in a step without an ascent.
    pub(super) rho: f64,
    /// Whether the step is one of the active ones.
    pub(super) is_active: bool,
    /// Whether it ascends.
    pub(super) wants_second: bool,
    /// Whether [`Sam::edge`] is the edge of this step.
    pub(super) has_edge: bool,
}

/// A step that has begun: the gradients so far, and the report of them.
///
/// A step is a weighted sum over parts: one for a closure, one a group for m-sharpness.
#[derive(Debug)]
pub(in crate::optim) struct SamStep {
    pub(super) plan: Plan,
    pub(super) report: StepReport,
    has_parts: bool,
    pub(super) plain: WeightedSum,
    perturbed: WeightedSum,
    /// `|g|²` of the last part.
    pub(super) square: Wide,
}

impl SamStep {
    pub(super) fn new(plan: Plan, num_parts: usize) -> Self {
        let has_parts = num_parts > 1;
        Self {
            plan,
            report: StepReport {
                rho: plan.rho,
                ..StepReport::default()
            },
            has_parts,
            plain: WeightedSum::new(has_parts),
            perturbed: WeightedSum::new(has_parts),
            square: Wide::ZERO,
        }
    }

    /// Adds the gradient of a part at the displaced weights.
    pub(super) fn second(
        &mut self,
        weight: f64,
        space: &ParamSpace,
        second: Evaluation,
    ) -> Result<(), OptimError> {
        let gradient = LeafVector::from_gradients(space, &second.gradients)?;
        self.perturbed.add(weight, gradient, second.loss)
    }

    /// The same step, with its gradients and losses on the device of the model that has this space.
    pub(super) fn on(self, space: &ParamSpace) -> Result<Self, OptimError> {
        Ok(Self {
            plain: self.plain.on(space)?,
            perturbed: self.perturbed.on(space)?,
            ..self
        })
    }

    /// Adds the parts of another step on the same device. If some are not finite, the step ends at the first of them.
    pub(super) fn join(self, other: Self) -> Result<Self, OptimError> {
        let num_gradients = self.report.num_gradients + other.report.num_gradients;
        let mut joined = if self.report.skipped.is_some() {
            self
        } else if other.report.skipped.is_some() {
            other
        } else {
            Self {
                plain: self.plain.join(other.plain)?,
                perturbed: self.perturbed.join(other.perturbed)?,
                square: other.square,
                ..self
            }
        };
        joined.report.num_gradients = num_gradients;
        Ok(joined)
    }

    /// Ends the step at a part whose loss or gradient is not finite. The report is about that part.
    pub(super) fn reject(
        &mut self,
        gradient: LeafVector,
        loss: LossValue,
    ) -> Result<(), OptimError> {
        let (square, num_gradients) = (self.square, self.report.num_gradients);
        *self = Self::new(self.plan, 1);
        self.square = square;
        self.report.num_gradients = num_gradients;
        self.report.skipped = Some(SkipReason::NonFinite);
        self.plain.add(1.0, gradient, loss)
    }

    /// Reads the products of both gradients, and completes the report.
    pub(super) fn close(mut self) -> Result<(StepReport, StepGradients), OptimError> {
        let mut report = self.report;
        report.loss = self.plain.known_loss();
        let Some(plain) = self.plain.vector else {
            return Err(LossError::EmptyBatch { batch: 0 }.into());
        };
        let square = if self.has_parts {
            plain.wide_dot(&plain)?
        } else {
            self.square
        };
        report.gradient_norm = square.sqrt().value();
        report.without_gradient = plain.num_absent();
        if self.plan.has_edge {
            report.sam_edge = Sam::edge(report.gradient_norm, report.rho, self.plan.lr);
        }
        let mut gradients = StepGradients {
            plain,
            perturbed: self.perturbed.vector.take(),
            square,
            products: None,
        };
        if let Some(products) = gradients.read_products(&mut self.perturbed.losses)? {
            report.cosine = products.cosine(square);
            report.perturbed_loss = self.perturbed.known_loss();
            let is_finite = report.perturbed_loss.is_none_or(f64::is_finite);
            if !products.perturbed.is_finite() || !is_finite {
                report.skipped = Some(SkipReason::NonFinitePerturbed);
            }
        }
        Ok((report, gradients))
    }
}

/// A weighted sum of gradients, with the losses they belong to.
#[derive(Debug)]
pub(super) struct WeightedSum {
    /// Many half-precision gradients are summed in f32.
    is_wide: bool,
    vector: Option<LeafVector>,
    weights: Vec<f64>,
    losses: Vec<LossValue>,
}

impl WeightedSum {
    pub(super) fn new(is_wide: bool) -> Self {
        Self {
            is_wide,
            vector: None,
            weights: Vec::new(),
            losses: Vec::new(),
        }
    }

    pub(super) fn add(
        &mut self,
        weight: f64,
        vector: LeafVector,
        loss: LossValue,
    ) -> Result<(), OptimError> {
        let vector = if self.is_wide { vector.widen() } else { vector };
        self.vector = Some(match self.vector.take() {
            None => vector.scale(weight),
            Some(sum) => sum.axpby(1.0, weight, &vector)?,
        });
        self.weights.push(weight);
        self.losses.push(loss);
        Ok(())
    }

    fn on(self, space: &ParamSpace) -> Result<Self, OptimError> {
        let vector = self.vector.map(|vector| vector.on(space)).transpose()?;
        let losses = self.losses.into_iter().map(|loss| loss.on(space.device()));
        Ok(Self {
            vector,
            losses: losses.collect::<Result<_, _>>()?,
            ..self
        })
    }

    /// This sum and another one.
    fn join(mut self, other: Self) -> Result<Self, OptimError> {
        self.vector = match (self.vector, other.vector) {
            (Some(sum), Some(vector)) => Some(sum.axpby(1.0, 1.0, &vector)?),
            (sum, vector) => sum.or(vector),
        };
        self.weights.extend(other.weights);
        self.losses.extend(other.losses);
        Ok(self)
    }

    /// The sum as one evaluation, whose gradient has the element types of the parameters.
    pub(super) fn into_evaluation(self) -> Result<Evaluation, OptimError> {
        let Some(vector) = self.vector else {
            return Err(LossError::EmptyBatch { batch: 0 }.into());
        };
        let losses = self.weights.into_iter().zip(self.losses);
        Ok(Evaluation {
            loss: LossValue::weighted_sum(losses),
            gradients: vector.narrow().into_gradients(),
        })
    }

    /// The weighted sum of the losses, once they are numbers.
    fn known_loss(&self) -> Option<f64> {
        let losses = self.losses.iter().zip(&self.weights);
        losses
            .map(|(loss, weight)| Some(weight * loss.number()?))
            .sum()
    }
}
