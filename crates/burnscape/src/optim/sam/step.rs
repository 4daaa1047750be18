use super::StepGradients;
use super::step_gradients::Products;
use crate::loss::LossError;
use crate::optim::evaluation::{Evaluation, LossValue};
use crate::optim::report::{InnerMaximum, StepReport};
use crate::optim::{OptimError, Sam, SkipReason};
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

/// A step that has begun: the gradients so far.
///
/// A step is a weighted sum over parts: one for a closure, one a group for m-sharpness.
#[derive(Debug)]
pub(in crate::optim) struct SamStep {
    pub(super) plan: Plan,
    has_parts: bool,
    pub(super) plain: WeightedSum,
    perturbed: WeightedSum,
    /// `|g|²` of the last part.
    pub(super) square: Wide,
    pub(super) num_gradients: usize,
    pub(super) inner: Option<InnerMaximum>,
    pub(super) skipped: Option<SkipReason>,
}

impl SamStep {
    pub(super) fn new(plan: Plan, num_parts: usize) -> Self {
        let has_parts = num_parts > 1;
        Self {
            plan,
            has_parts,
            plain: WeightedSum::new(has_parts),
            perturbed: WeightedSum::new(has_parts),
            square: Wide::ZERO,
            num_gradients: 0,
            inner: None,
            skipped: None,
        }
    }

    /// Takes in the gradient of a part at the displaced weights.
    pub(super) fn second(
        &mut self,
        weight: f64,
        space: &ParamSpace,
        second: Evaluation,
    ) -> Result<(), OptimError> {
        let gradient = LeafVector::from_gradients(space, &second.gradients)?;
        self.perturbed.add(weight, gradient, second.loss)
    }

    /// Ends the step at a part whose loss or gradient is not finite. The report is about that part.
    pub(super) fn reject(
        &mut self,
        gradient: LeafVector,
        loss: LossValue,
    ) -> Result<(), OptimError> {
        self.has_parts = false;
        self.plain = WeightedSum::new(false);
        self.perturbed = WeightedSum::new(false);
        self.inner = None;
        self.skipped = Some(SkipReason::NonFinite);
        self.plain.add(1.0, gradient, loss)
    }

    /// Reads the products of both gradients, and writes the report.
    pub(super) fn close(self) -> Result<(StepReport, StepGradients), OptimError> {
        let Self {
            plan,
            has_parts,
            plain,
            mut perturbed,
            mut square,
            num_gradients,
            inner,
            skipped,
        } = self;
        let loss = plain.known_loss();
        let Some(gradient) = plain.vector else {
            return Err(LossError::EmptyBatch { batch: 0 }.into());
        };
        if has_parts {
            square = gradient.wide_dot(&gradient)?;
        }
        let gradient_norm = square.sqrt().value();
        let mut report = StepReport {
            loss,
            gradient_norm,
            inner,
            rho: plan.rho,
            num_gradients,
            sam_edge: Sam::edge(gradient_norm, plan.rho, plan.lr).filter(|_| plan.has_edge),
            without_gradient: gradient.num_absent(),
            skipped,
            ..StepReport::default()
        };
        let mut products = None;
        if let Some(vector) = &perturbed.vector {
            let read = Products::read(&gradient, vector, square, &mut perturbed.losses)?;
            report.cosine = read.cosine();
            report.perturbed_loss = perturbed.known_loss();
            let is_finite = report.perturbed_loss.is_none_or(f64::is_finite);
            if !read.perturbed.is_finite() || !is_finite {
                report.skipped = Some(SkipReason::NonFinitePerturbed);
            }
            products = Some(read);
        }
        let gradients = StepGradients {
            plain: gradient,
            perturbed: perturbed.vector,
            square,
            products,
        };
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
    fn new(is_wide: bool) -> Self {
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

    /// The weighted sum of the losses, once they are numbers.
    fn known_loss(&self) -> Option<f64> {
        let losses = self.losses.iter().zip(&self.weights);
        losses
            .map(|(loss, weight)| Some(weight * loss.number()?))
            .sum()
    }
}
