//! Tail indices of the gradients of single examples.

use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::{Int, Tensor};

use super::config::PLACES;
use super::samples::repeated;
use super::{TailIndex, TailIndexConfig};
use crate::OutOfRange;
use crate::dynamics::{Cost, DynamicsError, Moment, Monitor};
use crate::loss::{DataReading, Risk};
use crate::space::{mix, to_host};

/// How many coordinates are read for each that is asked for, in case many have no tail index.
const SPARE: usize = 4;

impl TailIndexConfig {
    /// Estimates the tail index of the gradient noise `gᵢ − ḡ` of single examples at random coordinates.
    ///
    /// A coordinate at which many examples have the same gradient is left out with a warning: units that are off and inputs
    /// that are zero give gradients of zero, and their number says nothing about tails.
    ///
    /// For the norms of the gradients, call [`TailIndex::of`] with
    /// [`example_gradient_norms`](Risk::example_gradient_norms).
    ///
    /// # Cost
    ///
    /// One forward and backward pass and two host synchronizations for each example, and two forward passes that
    /// compare the loss of each batch with those of its examples, and two readings of the data that compare its bits, unless
    /// the risk has no [checks](Risk::with_checks). Memory: one gradient, and `4 · num_coordinates` numbers per example.
    ///
    /// # Errors
    ///
    /// Those of [`TailIndex::of`], [`DynamicsError::OutOfRange`] if all coordinates are left out,
    /// [`DynamicsError::NotExampleMean`] if the loss is not a mean or sum over its examples, and
    /// [`DynamicsError::Loss`] as the risk returns it.
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<TailIndex, DynamicsError> {
        self.check()?;
        risk.in_time(model, || self.of_examples(risk, model))
    }

    fn of_examples<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<TailIndex, DynamicsError> {
        let checks = risk.has_checks();
        let before = checks.then(|| risk.read_data()).transpose()?;
        let mut cost = Cost {
            num_gradients: 1,
            ..Cost::default()
        };
        if checks {
            cost.num_losses = 2;
            if let Some(defect) = risk.check_parts(model, 1)? {
                return Err(DynamicsError::NotExampleMean { defect });
            }
        }
        let places = self.places(risk.space(model)?.len());
        let mut coordinates = vec![Vec::new(); places.len()];
        let mut indices = None;
        let completed = risk.each_part_gradient(model, Some(1), &mut |part| {
            let values = part.gradient.values();
            let indices = indices.get_or_insert_with(|| {
                Tensor::<1, Int>::from_data(places.as_slice(), &values.device())
            });
            let values = to_host(values.clone().select(0, indices.clone()))?;
            for (samples, value) in coordinates.iter_mut().zip(values) {
                samples.push(value);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if let Some(before) = before {
            // Examples in another order have other sums.
            DataReading::check_same(&before.digests, &risk.read_data()?.digests)?;
        }
        let mut warnings = Vec::new();
        if !completed {
            let examples = coordinates.first().map_or(0, Vec::len);
            warnings.push(format!("the observer stopped after {examples} examples"));
        }
        let (mut chosen, mut left_out) = (Vec::new(), 0);
        for samples in coordinates {
            if chosen.len() == self.num_coordinates {
                break;
            }
            // What is not finite has an error of its own.
            if samples.iter().all(|x| x.is_finite()) && repeated(&samples).is_some() {
                left_out += 1;
            } else {
                chosen.push(samples);
            }
        }
        if chosen.is_empty() {
            let expected = format!(
                "coordinates whose gradients differ between examples, which none of {left_out} does; choose parameters \
                 that all examples use by `Risk::with_group`"
            );
            return Err(OutOfRange::new("coordinates", 0.0, expected).into());
        }
        if left_out > 0 {
            warnings.push(format!(
                "{left_out} of {} coordinates were left out, since many examples have the same gradient there",
                left_out + chosen.len()
            ));
        }
        self.index(&chosen, cost, warnings)
    }

    /// Coordinates in a random order: those that are read.
    fn places(&self, len: usize) -> Vec<i64> {
        let seed = mix(self.seed, PLACES);
        let key = |place: &usize| mix(seed, *place as u64);
        let count = self.num_coordinates.saturating_mul(SPARE);
        let mut places: Vec<usize> = (0..len).collect();
        if count < len {
            places.select_nth_unstable_by_key(count, key);
            places.truncate(count);
        }
        places.sort_unstable_by_key(key);
        places.into_iter().map(|place| place as i64).collect()
    }
}

impl<M: Module, K> Monitor<M, K> for TailIndexConfig {
    type Reading = TailIndex;
    type State = ();

    fn name(&self) -> &'static str {
        "tail_index"
    }

    fn measure(
        &mut self,
        risk: &Risk<'_, M, K>,
        moment: &Moment<'_, M>,
    ) -> Result<TailIndex, DynamicsError> {
        self.run(risk, moment.model)
    }

    fn to_state(&self) -> Result<(), DynamicsError> {
        Ok(())
    }

    fn load_state(&mut self, (): ()) -> Result<(), DynamicsError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::TailEstimator;

    #[test]
    fn places_are_random_and_distinct() {
        let config = TailIndexConfig::new(TailEstimator::LogVariance).with_num_coordinates(3);
        let few = config.places(1_000);
        assert_eq!(few.len(), 12);
        let mut sorted = few.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), 12);
        assert_ne!(sorted, few);
        assert!(sorted.iter().all(|place| (0..1_000).contains(place)));
        assert_ne!(few, config.clone().with_seed(1).places(1_000));
        let mut all = config.places(10);
        all.sort_unstable();
        assert!(all.into_iter().eq(0..10));
    }
}
