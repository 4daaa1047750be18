use crate::optim::evaluation::LossValue;
use crate::space::{LeafVector, SpaceError, Wide};

/// The gradients of one step, over the whole batch.
#[derive(Debug)]
pub(super) struct StepGradients {
    /// `g`, at the weights.
    pub(super) plain: LeafVector,
    /// `g_p`, at the displaced weights; `None` in a step without an ascent.
    pub(super) perturbed: Option<LeafVector>,
    /// `|g|²`.
    pub(super) square: Wide,
    /// Known if there is a `perturbed`.
    pub(super) products: Option<Products>,
}

/// Inner products of the two gradients, from one transfer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Products {
    /// `⟨g_p, g_p⟩`.
    pub(super) perturbed: Wide,
    /// `⟨g, g_p⟩`.
    pub(super) mixed: Wide,
}

impl StepGradients {
    /// Both gradients with their products, if the step has both.
    pub(super) fn both(&self) -> Option<(&LeafVector, &LeafVector, Products)> {
        Some((&self.plain, self.perturbed.as_ref()?, self.products?))
    }

    /// Reads the products, and the losses that are still on the device, in one transfer.
    pub(super) fn read_products(
        &mut self,
        losses: &mut [LossValue],
    ) -> Result<Option<Products>, SpaceError> {
        let (g, Some(g_p)) = (&self.plain, &self.perturbed) else {
            return Ok(None);
        };
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
        self.products = Some(Products {
            perturbed: dots[0],
            mixed: dots[1],
        });
        Ok(self.products)
    }
}

impl Products {
    /// The cosine of the angle between the gradients, if both have a direction. `plain` is `⟨g, g⟩`.
    pub(super) fn cosine(self, plain: Wide) -> Option<f64> {
        let norms = (plain * self.perturbed).sqrt();
        let have_direction = norms.is_positive() && norms.is_finite();
        have_direction.then(|| (self.mixed / norms).value().clamp(-1.0, 1.0))
    }
}

/// A quotient that is zero where the denominator is: a zero gradient has no direction.
pub(super) fn ratio(numerator: Wide, denominator: Wide) -> Wide {
    if denominator.is_positive() {
        numerator / denominator
    } else {
        Wide::ZERO
    }
}
