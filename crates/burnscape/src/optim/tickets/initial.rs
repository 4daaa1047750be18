use burn::module::Module;

use super::WeightMask;
use crate::loss::Risk;
use crate::optim::OptimError;
use crate::space::{ParamSpace, unshared_copy};

/// The initial models of a search: of one architecture, and with different weights.
pub(super) struct InitialModels<'r, 'a, M, K, F> {
    risk: &'r Risk<'a, M, K>,
    draw: F,
    /// The mask that keeps all weights, and the weights of the first model.
    first: Option<(WeightMask, Vec<Vec<f64>>)>,
}

impl<'r, 'a, M: Module, K, F: FnMut(u64) -> M> InitialModels<'r, 'a, M, K, F> {
    pub(super) fn new(risk: &'r Risk<'a, M, K>, draw: F) -> Self {
        Self {
            risk,
            draw,
            first: None,
        }
    }

    /// The model of a seed, and the mask that keeps all its weights in the group of the risk.
    pub(super) fn of(&mut self, seed: u64) -> Result<(M, WeightMask), OptimError> {
        let model = unshared_copy(&(self.draw)(seed));
        if let Some((mask, known)) = &self.first {
            return if mask.weights(&model)? == *known {
                Err(OptimError::SameInitialization { seed })
            } else {
                Ok((model, mask.clone()))
            };
        }
        let mask = WeightMask::of_spaces(&ParamSpace::of(&model)?, &self.risk.space(&model)?)?;
        self.first = Some((mask.clone(), mask.weights(&model)?));
        Ok((model, mask))
    }
}
