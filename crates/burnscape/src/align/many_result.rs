use super::AlignError;
use crate::OutOfRange;
use crate::symmetry::Element;

/// Models that have been moved to a common universe, the result of
/// [`MultiMatchingConfig`](super::MultiMatchingConfig::run).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MultiAlignment<M> {
    /// The models, moved: the same functions, with corresponding units at the same places. The first one is as it was.
    pub models: Vec<M>,
    /// The element that moves each model; that of the first one is the identity.
    pub elements: Vec<Element>,
    /// `Σ_{p<q} ⟨g_p θ_p, g_q θ_q⟩`.
    pub objective: f64,
    /// The starts, `barycenter` and `reference 0` and so on, each with the objective that was reached from it. Fewer
    /// than were requested if the observer stopped the search.
    pub starts: Vec<(String, f64)>,
    /// The index of the best one; the first of equal ones.
    pub best: usize,
    /// The groups that `only` and `except` let the search permute.
    pub groups: Vec<usize>,
    /// Linear assignments that were solved.
    pub num_assignments: usize,
    /// False if the observer stopped the search.
    pub completed: bool,
}

impl<M> MultiAlignment<M> {
    /// The element that moves one model onto another one as that was given: `g_to⁻¹ g_from`.
    ///
    /// Such elements are consistent: from `a` to `b` and on to `c` is from `a` to `c`, and every cycle is the identity.
    ///
    /// # Errors
    ///
    /// [`AlignError::OutOfRange`] if there is no such model.
    pub fn between(&self, from: usize, to: usize) -> Result<Element, AlignError> {
        let of = |name: &'static str, index: usize| {
            self.elements.get(index).ok_or_else(|| {
                let expected = format!("an index below {}", self.elements.len());
                OutOfRange::new(name, index as f64, expected)
            })
        };
        let (own, other) = (of("from", from)?, of("to", to)?);
        Ok(other.inverse().compose(own)?)
    }
}
