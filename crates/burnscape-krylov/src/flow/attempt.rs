use super::tableau::Tableau;
use crate::VectorSpace;

/// The end of an attempted step.
pub(super) struct Attempt<V> {
    pub(super) value: V,
    /// The field at the end.
    pub(super) slope: V,
    /// The norm of the estimated error.
    pub(super) error: f64,
}

impl Tableau {
    /// A step from a value, whose slope is the only one of `stages`; adds all other stages but the last.
    pub(super) fn attempt<V, E>(
        &self,
        [time, end]: [f64; 2],
        value: &V,
        stages: &mut Vec<V>,
        field: &mut impl FnMut(f64, &V) -> Result<V, E>,
    ) -> Result<Attempt<V>, E>
    where
        V: VectorSpace,
        E: From<V::Error>,
    {
        let h = end - time;
        for (node, weights) in self.inner {
            let point = moved(value, h, weights, stages.iter())?;
            stages.push(field(time + node * h, &point)?);
        }
        let next = moved(value, h, self.solution, stages.iter())?;
        let slope = field(end, &next)?;
        let error = match weighted(h, self.error, stages.iter().chain([&slope]))? {
            Some(error) => error.norm()?,
            None => 0.0,
        };
        Ok(Attempt {
            value: next,
            slope,
            error,
        })
    }
}

/// `from + h Σ wᵢ kᵢ`. The sum is made first: it is small next to the value.
pub(super) fn moved<'a, V: VectorSpace + 'a>(
    from: &V,
    h: f64,
    weights: &[f64],
    stages: impl Iterator<Item = &'a V>,
) -> Result<V, V::Error> {
    match weighted(h, weights, stages)? {
        Some(sum) => sum.axpy(1.0, from),
        None => Ok(from.clone()),
    }
}

/// `h Σ wᵢ kᵢ`; none if all weights are zero.
fn weighted<'a, V: VectorSpace + 'a>(
    h: f64,
    weights: &[f64],
    stages: impl Iterator<Item = &'a V>,
) -> Result<Option<V>, V::Error> {
    let mut terms = weights
        .iter()
        .zip(stages)
        .filter(|(weight, _)| **weight != 0.0);
    let Some((weight, stage)) = terms.next() else {
        return Ok(None);
    };
    let first = stage.clone().scale(h * weight);
    let sum = terms.try_fold(first, |sum, (weight, stage)| sum.axpy(h * weight, stage))?;
    Ok(Some(sum))
}

#[cfg(test)]
mod tests {
    use crate::{KrylovFault, RungeKutta};

    /// The estimated error of a step of length `h` on `dy/dt = −2 t y²` from the exact `1 / (1 + t²)`.
    fn estimate(method: RungeKutta, h: f64) -> Result<f64, KrylovFault> {
        let mut field = |t: f64, y: &Vec<f64>| Ok::<_, KrylovFault>(vec![-2.0 * t * y[0] * y[0]]);
        let start = vec![1.0 / (1.0 + 0.3 * 0.3)];
        let mut stages = vec![field(0.3, &start)?];
        let (tableau, times) = (method.tableau(), [0.3, 0.3 + h]);
        let found = tableau.attempt(times, &start, &mut stages, &mut field)?;
        assert_eq!(stages.len(), method.evaluations_per_step());
        Ok(found.error)
    }

    #[test]
    fn the_estimated_error_is_that_of_the_lower_order() -> Result<(), KrylovFault> {
        for method in [RungeKutta::BogackiShampine, RungeKutta::DormandPrince] {
            let ratio = estimate(method, 0.05)? / estimate(method, 0.025)?;
            // Of order 2 or 4, so that the error of one step is of order 3 or 5.
            let order = ratio.log2();
            assert!((order - method.order() as f64).abs() < 0.1, "{order}");
        }
        Ok(())
    }
}
