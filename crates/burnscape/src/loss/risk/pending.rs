//! Losses that stay on the device until several are read together.

use burn::module::Module;
use burn::tensor::Tensor;

use super::on_devices::main_device;
use super::spread::{Spread, Told};
use super::{Progress, Risk, Work, each};
use crate::loss::pass::Pass;
use crate::loss::{LossError, Reduction};
use crate::space::{SpaceError, Waits, limited_by, transfer};

/// A pass over the data whose numbers are not read yet.
pub(crate) struct PendingLoss {
    reduction: Reduction,
    /// The loss of each batch, and its weight.
    batches: Vec<(BatchLoss, f64)>,
    is_complete: bool,
    /// Those of the device, if they have a limit.
    waits: Option<Waits>,
}

/// The loss of a batch.
enum BatchLoss {
    OnDevice(Box<Tensor<1>>),
    /// Several devices read their own.
    Read(f64),
}

impl<M: Module, K> Risk<'_, M, K> {
    /// The loss over the data as [`loss`](Self::loss) computes it, left on the device.
    ///
    /// Batches are reported without their values.
    ///
    /// # Cost
    ///
    /// One forward pass per batch. No host synchronization, except for seeded draws, in the first pass of a risk, and
    /// on several devices, where there is one per batch.
    ///
    /// # Errors
    ///
    /// Those of [`loss`](Self::loss), without [`LossError::NonFinite`].
    pub(crate) fn pending_loss(&self, model: &M) -> Result<PendingLoss, LossError> {
        self.in_time(model, || {
            if let Some((devices, main)) = self.spread(model)? {
                let spread = Spread::new(self, (&devices, main), (Work::Loss, Told::Nothing));
                let found = spread.losses(model)?;
                found.note_probe(self);
                let losses = found.losses.into_iter();
                let batches = losses.map(|loss| (BatchLoss::Read(loss.value), loss.weight));
                return Ok(PendingLoss {
                    reduction: self.reduction(),
                    batches: batches.collect(),
                    is_complete: found.is_complete,
                    waits: None,
                });
            }
            let mut pass = Pass::of(self, model, false)?;
            let total = self.num_batches();
            let mut batches = Vec::new();
            let is_complete = each(&**self.source(), |index, batch| {
                let (_, weight) = batch.examples_and_weight(index)?;
                let loss = self.batch_loss(&mut pass, model, index, batch)?;
                // In training mode the loss would hold its graph until it is read.
                batches.push((BatchLoss::OnDevice(Box::new(loss.inner())), weight));
                let progress = Progress::new(Work::Loss, batches.len());
                Ok::<_, LossError>(self.report(progress.of(total)))
            })?;
            if batches.is_empty() {
                return Err(LossError::EmptyData);
            }
            Ok(PendingLoss {
                reduction: self.reduction(),
                batches,
                is_complete,
                waits: self
                    .devices()
                    .and_then(|list| list.waits_on(&main_device(model))),
            })
        })
    }
}

impl PendingLoss {
    /// False if the observer broke before the end of the data.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// The batches that were evaluated.
    pub(crate) fn num_batches(&self) -> usize {
        self.batches.len()
    }

    /// The values of several passes: each is that of [`Risk::loss`], bit for bit, or the loss of the first batch that
    /// is not finite.
    ///
    /// # Cost
    ///
    /// One transfer for each element type.
    pub(crate) fn read(passes: &[Self]) -> Result<Vec<f64>, SpaceError> {
        let batches = passes.iter().flat_map(|pass| &pass.batches);
        let waiting = batches.filter_map(|(loss, _)| match loss {
            BatchLoss::OnDevice(loss) => Some(Tensor::clone(loss)),
            BatchLoss::Read(_) => None,
        });
        let waits = passes.iter().find_map(|pass| pass.waits.as_ref());
        let mut read = limited_by(waits, || transfer(waiting.collect()))?.into_iter();
        let values = passes.iter().map(|pass| pass.value(&mut read));
        Ok(values.collect())
    }

    /// The sum or mean of the losses of the batches, in the order of the data. Those that were on the device are the
    /// next ones of `read`.
    fn value(&self, read: &mut impl Iterator<Item = f64>) -> f64 {
        let losses = self.batches.iter().map(|(loss, weight)| match loss {
            BatchLoss::OnDevice(_) => (read.next().unwrap_or(f64::NAN), *weight),
            BatchLoss::Read(loss) => (*loss, *weight),
        });
        // All of them, since the next pass follows.
        let losses: Vec<(f64, f64)> = losses.collect();
        let (mut sum, mut weight) = (0.0, 0.0);
        for (loss, own) in losses {
            if !loss.is_finite() {
                return loss;
            }
            sum += match self.reduction {
                Reduction::Mean => own * loss,
                Reduction::Sum => loss,
            };
            weight += own;
        }
        match self.reduction {
            Reduction::Mean => sum / weight,
            Reduction::Sum => sum,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::{Device, Int};

    use super::*;
    use crate::loss::{Mode, SumLoss};
    use crate::space::READS;

    fn data() -> Vec<Tensor<2>> {
        let device = Device::default();
        let batch = |(rows, shift): (usize, f64)| {
            let numbers = Tensor::<1, Int>::arange(0..3 * rows as i64, &device).float();
            (numbers.reshape([rows, 3]) * 1.7 + shift).sin()
        };
        vec![batch((7, 0.1)), batch((2, 0.5)), batch((5, 0.9))]
    }

    fn loss(model: &Linear, x: Tensor<2>) -> Tensor<1> {
        (model.forward(x) - 0.3).square().mean()
    }

    #[test]
    fn values_are_those_of_passes_bit_for_bit_and_are_read_together() {
        let (device, data) = (Device::default(), data());
        let models = [(); 4].map(|()| LinearConfig::new(3, 2).init(&device));
        let sums = SumLoss(loss);
        for mode in [Mode::Eval, Mode::Train] {
            let means: Risk<'_, Linear> = Risk::new(&loss, &data).with_mode(mode);
            let sums: Risk<'_, Linear> = Risk::new(&sums, &data).with_mode(mode);
            for risk in [means, sums] {
                let expected = [0, 1, 2, 3].map(|at| risk.loss(&models[at]).unwrap().value);
                let before = READS.get();
                let passes: Vec<PendingLoss> = models
                    .iter()
                    .map(|model| risk.pending_loss(model).unwrap())
                    .collect();
                assert!(passes.iter().all(PendingLoss::is_complete));
                assert_eq!(READS.get(), before);
                let found = PendingLoss::read(&passes).unwrap();
                assert_eq!(READS.get(), before + 1);
                let bits = |values: &[f64]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&found), bits(&expected));
            }
        }
        assert!(PendingLoss::read(&[]).unwrap().is_empty());
    }

    #[test]
    fn a_batch_that_is_not_finite_is_the_value() {
        let device = Device::default();
        let model = LinearConfig::new(1, 1).with_bias(false).init(&device);
        let loss = |_: &Linear, x: Tensor<2>| x.log().sum();
        let data = [1.0, 0.0, -1.0, 2.0].map(|x| Tensor::<2>::full([1, 1], x, &device));
        let risk: Risk<'_, Linear> = Risk::new(&loss, &data);
        let pending = risk.pending_loss(&model).unwrap();
        assert_eq!(PendingLoss::read(&[pending]).unwrap(), [f64::NEG_INFINITY]);
    }

    #[test]
    fn a_break_leaves_a_pass_incomplete() {
        let (device, data) = (Device::default(), data());
        let model = LinearConfig::new(3, 2).init(&device);
        let mut seen = Vec::new();
        let risk = Risk::new(&loss, &data).with_observer(|progress| {
            seen.push((progress.work, progress.done, progress.total, progress.value));
            match progress.done {
                2 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        });
        assert!(!risk.pending_loss(&model).unwrap().is_complete());
        assert!(
            risk.clone()
                .unobserved()
                .pending_loss(&model)
                .unwrap()
                .is_complete()
        );
        drop(risk);
        let report = |done: usize| (Work::Loss, done, Some(3_usize), None::<f64>);
        assert_eq!(seen, [report(1), report(2)]);
    }

    #[test]
    fn data_without_batches_are_refused() {
        let model = LinearConfig::new(3, 2).init(&Device::default());
        let data: Vec<Tensor<2>> = Vec::new();
        let found = Risk::new(&loss, &data).pending_loss(&model);
        assert_eq!(found.err(), Some(LossError::EmptyData));
    }
}
