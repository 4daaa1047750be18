//! Trainings of transformers, and what is seen of them.

use std::iter::zip;
use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Device, Tensor};
use burnscape::loss::Recorded;

use super::attention::{Transformer, cross_entropy};
use super::reached;
use super::sequences::{Chain, Examples, Sequence, Sizes, Use, examples};
use crate::Failure;
use crate::studies::criteria::stages::FORMED;
use crate::studies::training::{Course, adam_w, train};

const RATE: f64 = 3e-3;
const BETA_2: f32 = 0.98;
const DECAY: f32 = 0.01;
/// Looks whose mean is the end of a training.
const LAST: usize = 5;
/// The induction stage goes from this share of what the score gains to that one.
const STAGE: (f64, f64) = (0.2, 0.9);

/// What is seen of a network before a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Look {
    pub(super) step: usize,
    /// The mean loss where bigrams are all that is known, and where tokens can be copied.
    pub(super) bigrams: f64,
    pub(super) copies: f64,
    /// How much of its attention the best head of the last layer has on what followed the same token before.
    pub(super) induction: f64,
    /// How much the best head of the first layer has on the position before.
    pub(super) previous: f64,
}

impl Look {
    /// By how much the loss is lower where tokens can be copied.
    pub(super) fn gain(&self) -> f64 {
        self.bigrams - self.copies
    }
}

/// When half of the way is gone, in steps. Not numbers if a network does not get there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Times {
    /// Of the loss of bigrams, from the start to its least.
    pub(super) bigrams: f64,
    /// Of the gain by copying, and of the induction score.
    pub(super) copying: f64,
    pub(super) induction: f64,
}

/// A training, as it was seen.
pub(super) struct Trained {
    pub(super) looks: Vec<Look>,
    /// At each look, without autodiff.
    pub(super) nets: Vec<Transformer>,
    /// Of the chain's own probabilities, where `Look::bigrams` is measured.
    pub(super) chain_loss: f64,
}

pub(super) fn trained(sizes: &Sizes, num_layers: usize, seed: u64) -> Result<Trained, Failure> {
    let device = Device::default().autodiff();
    let chain = Chain::new(*sizes, seed)?;
    let held_out = HeldOut::new(&chain, sizes, seed);
    let net = Transformer::new(sizes, num_layers, seed, (&device, DType::F32))?;
    let loss = Recorded::new(cross_entropy);
    let mut rng = Use::Training.numbers(seed);
    let (mut looks, mut nets) = (Vec::new(), Vec::new());
    train(
        net,
        &mut adam_w(BETA_2, DECAY).init(),
        Course::constant(sizes.steps, RATE),
        |net, _| {
            let sequences = chain.sequences(sizes.batch, &mut rng);
            Ok(loss.loss_on(net, examples(&sequences, &device))?)
        },
        |seen| {
            if seen.step.is_multiple_of(sizes.every) {
                let net = seen.model.valid();
                looks.push(held_out.look(seen.step, &net)?);
                nets.push(net);
            }
            Ok(ControlFlow::Continue(()))
        },
    )?;
    Ok(Trained {
        looks,
        nets,
        chain_loss: chain.loss(&held_out.sequences),
    })
}

impl Trained {
    /// At the end of the training.
    pub(super) fn end(&self, of: fn(&Look) -> f64) -> f64 {
        let last: Vec<f64> = self.looks.iter().rev().take(LAST).map(of).collect();
        last.iter().sum::<f64>() / last.len() as f64
    }

    /// The least loss of bigrams.
    pub(super) fn least(&self) -> f64 {
        let losses = self.looks.iter().map(|look| look.bigrams);
        losses.fold(f64::NAN, f64::min)
    }

    /// Whether there is an induction head at the end.
    fn has_formed(&self) -> bool {
        self.end(|look| look.induction) >= FORMED
    }

    pub(super) fn times(&self) -> Times {
        let half = |of: fn(&Look) -> f64, end: f64| {
            let start = self.looks.first().map_or(f64::NAN, of);
            let points = self.looks.iter().map(|look| (look.step as f64, of(look)));
            reached(&points.collect::<Vec<_>>(), 0.5 * (start + end))
        };
        let if_formed = |time: f64| if self.has_formed() { time } else { f64::NAN };
        Times {
            bigrams: half(|look| -look.bigrams, -self.least()),
            copying: if_formed(half(Look::gain, self.end(Look::gain))),
            induction: if_formed(half(|look| look.induction, self.end(|look| look.induction))),
        }
    }

    /// The looks before and after an induction head forms.
    pub(super) fn stage(&self) -> Option<[usize; 2]> {
        let (start, end) = (
            self.looks.first()?.induction,
            self.end(|look| look.induction),
        );
        let share = |look: &Look| (look.induction - start) / (end - start);
        if !self.has_formed() {
            return None;
        }
        let half = self.looks.iter().position(|look| share(look) >= 0.5)?;
        let (early, late) = self.looks.split_at(half);
        let before = early.iter().rposition(|look| share(look) <= STAGE.0)?;
        let after = late.iter().position(|look| share(look) >= STAGE.1);
        Some([before, half + after.unwrap_or(late.len() - 1)])
    }
}

/// Sequences that no network is trained on.
struct HeldOut {
    length: usize,
    sequences: Vec<Sequence>,
    examples: Examples,
}

impl HeldOut {
    fn new(chain: &Chain, sizes: &Sizes, seed: u64) -> Self {
        let sequences = chain.sequences(sizes.held_out, &mut Use::HeldOut.numbers(seed));
        Self {
            length: sizes.length,
            examples: examples(&sequences, &Device::default()),
            sequences,
        }
    }

    fn look(&self, step: usize, net: &Transformer) -> Result<Look, Failure> {
        let (tokens, next) = self.examples.clone();
        let (scores, patterns) = net.forward(tokens);
        let next = next.flatten::<1>(0, 1).unsqueeze_dim::<2>(1);
        let logs = log_softmax(scores, 1).gather(1, next);
        let logs = logs.try_into_vec_as::<f64>()?;
        let ends = patterns.first().zip(patterns.last());
        let (first, last) = ends.ok_or("a network without layers")?;
        Ok(Look {
            step,
            bigrams: -self.mean(&logs, Sequence::is_bigram),
            copies: -self.mean(&logs, Sequence::is_copy),
            induction: self.best(last, Sequence::followers)?,
            previous: self.best(first, |_, position| {
                position.checked_sub(1).into_iter().collect()
            })?,
        })
    }

    /// Over the positions that count.
    fn mean(&self, numbers: &[f64], counts: fn(&Sequence, usize) -> bool) -> f64 {
        let rows = zip(&self.sequences, numbers.chunks(self.length));
        let kept = rows.flat_map(|(sequence, row)| {
            let row = row.iter().enumerate();
            row.filter(move |(position, _)| counts(sequence, *position))
        });
        let kept: Vec<f64> = kept.map(|(_, number)| *number).collect();
        kept.iter().sum::<f64>() / kept.len() as f64
    }

    /// The mean attention of a layer's best head to the wanted positions, over those from which there are any.
    fn best(
        &self,
        pattern: &Tensor<4>,
        wanted: impl Fn(&Sequence, usize) -> Vec<usize>,
    ) -> Result<f64, Failure> {
        let [_, heads, length, _] = pattern.dims();
        let shares: Vec<f64> = pattern.clone().try_into_vec_as()?;
        let (mut sums, mut count) = (vec![0.0; heads], 0.0);
        let of_sequences = shares.chunks(heads * length * length);
        for (sequence, shares) in zip(&self.sequences, of_sequences) {
            for position in 0..length {
                let places = wanted(sequence, position);
                if places.is_empty() {
                    continue;
                }
                count += 1.0;
                for (sum, rows) in zip(&mut sums, shares.chunks(length * length)) {
                    let row = &rows[position * length..(position + 1) * length];
                    *sum += places.iter().map(|place| row[*place]).sum::<f64>();
                }
            }
        }
        Ok(sums.into_iter().fold(0.0, f64::max) / count)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    fn look(step: usize, [bigrams, copies, induction]: [f64; 3]) -> Look {
        Look {
            step,
            bigrams,
            copies,
            induction,
            previous: 0.2,
        }
    }

    /// Bigrams at once, copying later.
    fn course(score: f64) -> Trained {
        let looks = (0..20).map(|index| {
            let formed = 1.0 / (1.0 + (8.0 - index as f64).exp());
            let bigrams = if index == 0 { 3.0 } else { 2.0 };
            let numbers = [bigrams, bigrams - 1.5 * formed, 0.1 + score * formed];
            look(10 * index, numbers)
        });
        Trained {
            looks: looks.collect(),
            nets: Vec::new(),
            chain_loss: 1.9,
        }
    }

    #[test]
    fn times_are_those_of_half_the_way() {
        let times = course(0.6).times();
        assert!((times.bigrams - 5.0).abs() < 1e-9);
        assert!((times.copying - 80.0).abs() < 0.1, "{times:?}");
        assert!((times.induction - 80.0).abs() < 0.1, "{times:?}");
        let times = course(0.1).times();
        assert!(times.bigrams.is_finite() && times.induction.is_nan());
    }

    #[test]
    fn a_stage_is_around_the_rise_of_the_score() {
        // The logistic function of -2 is 0.12, of -1 it is 0.27, of 2 it is 0.88 and of 3 it is 0.95.
        assert_eq!(course(0.6).stage(), Some([6, 11]));
        assert_eq!(course(0.1).stage(), None);
    }

    #[test]
    fn the_best_head_attends_to_what_followed() {
        let sizes = Sizes::QUICK;
        let chain = Chain::new(sizes, 2).unwrap();
        let held_out = HeldOut::new(&chain, &sizes, 2);
        let (count, length) = (sizes.held_out, sizes.length);
        // The first head is uniform over the past, the second attends to what followed a period before.
        let mut shares = vec![0.0; count * 2 * length * length];
        for (index, sequence) in held_out.sequences.iter().enumerate() {
            for position in 0..length {
                let row = |head: usize| ((index * 2 + head) * length + position) * length;
                for place in 0..=position {
                    shares[row(0) + place] = 1.0 / (position + 1) as f64;
                }
                if let Some(place) = sequence.followers(position).first() {
                    shares[row(1) + place] = 1.0;
                }
            }
        }
        let shares = TensorData::new(shares, [count, 2, length, length]);
        let pattern = Tensor::from_data(shares, (&Device::default(), DType::F64));
        let score = held_out.best(&pattern, Sequence::followers).unwrap();
        assert!((score - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_training_is_seen_from_its_start_to_its_end() {
        let trained = trained(&Sizes::QUICK, 2, 0).unwrap();
        let steps: Vec<usize> = trained.looks.iter().map(|look| look.step).collect();
        assert_eq!(steps, [0, 4, 8, 12]);
        assert_eq!(trained.nets.len(), 4);
        // ln 6 is 1.79.
        assert!((trained.looks[0].bigrams - 1.79).abs() < 0.3);
        let last = trained.looks[3];
        assert!(last.gain().is_finite() && last != trained.looks[0]);
        assert!((0.0..=1.0).contains(&last.induction) && (0.0..=1.0).contains(&last.previous));
    }
}
