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
    /// The mean loss where bigrams are all that is known.
    pub(super) bigrams: f64,
    /// By how much the loss is below that of a guess where random tokens can be copied.
    pub(super) gain: f64,
    /// How much of its attention, on random tokens, the best head of the last layer has on what followed the same token
    /// before.
    pub(super) induction: f64,
    /// How much the best head of the first layer has on the position before.
    pub(super) previous: f64,
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
    let chain_loss = chain.loss(&held_out.bigrams.sequences);
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
        chain_loss,
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

    /// The share of what bigrams can gain, from the start to the loss of the chain, that is gained where half of copying
    /// is. Not a number if copying is not learned.
    pub(super) fn known(&self) -> f64 {
        let half = self.times().copying;
        let at = self.looks.iter().find(|look| look.step as f64 >= half);
        let start = self.looks.first();
        start.zip(at).map_or(f64::NAN, |(start, at)| {
            (start.bigrams - at.bigrams) / (start.bigrams - self.chain_loss)
        })
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
            copying: if_formed(half(|look| look.gain, self.end(|look| look.gain))),
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
    /// Of the chain.
    bigrams: Held,
    /// Of random tokens: what is copied there, or attended to, bigrams do not explain.
    copies: Held,
    /// The loss where all tokens are alike.
    guess: f64,
}

impl HeldOut {
    fn new(chain: &Chain, sizes: &Sizes, seed: u64) -> Self {
        let of = |chain: &Chain, for_what: Use| {
            let mut rng = for_what.numbers(seed);
            Held::new(chain.sequences(sizes.held_out, &mut rng))
        };
        Self {
            bigrams: of(chain, Use::HeldOut),
            copies: of(&Chain::random(*sizes), Use::Random),
            guess: (sizes.tokens as f64).ln(),
        }
    }

    fn look(&self, step: usize, net: &Transformer) -> Result<Look, Failure> {
        let (bigrams, _) = self.bigrams.seen(net)?;
        let (copies, patterns) = self.copies.seen(net)?;
        let ends = patterns.first().zip(patterns.last());
        let (first, last) = ends.ok_or("a network without layers")?;
        Ok(Look {
            step,
            bigrams: -self.bigrams.mean(&bigrams, Sequence::is_bigram),
            gain: self.guess + self.copies.mean(&copies, Sequence::is_copy),
            induction: self.copies.best(last, Sequence::followers)?,
            previous: self.copies.best(first, |_, position| {
                position.checked_sub(1).into_iter().collect()
            })?,
        })
    }
}

struct Held {
    sequences: Vec<Sequence>,
    examples: Examples,
}

impl Held {
    fn new(sequences: Vec<Sequence>) -> Self {
        Self {
            examples: examples(&sequences, &Device::default()),
            sequences,
        }
    }

    /// Logarithms of the probabilities of what follows, and the patterns of attention.
    fn seen(&self, net: &Transformer) -> Result<(Vec<f64>, Vec<Tensor<4>>), Failure> {
        let (tokens, next) = self.examples.clone();
        let (scores, patterns) = net.forward(tokens);
        let next = next.flatten::<1>(0, 1).unsqueeze_dim::<2>(1);
        let logs = log_softmax(scores, 1).gather(1, next);
        Ok((logs.try_into_vec_as::<f64>()?, patterns))
    }

    /// Over the positions that count.
    fn mean(&self, numbers: &[f64], counts: fn(&Sequence, usize) -> bool) -> f64 {
        let length = numbers.len() / self.sequences.len();
        let rows = zip(&self.sequences, numbers.chunks(length));
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

    fn look(step: usize, [bigrams, gain, induction]: [f64; 3]) -> Look {
        Look {
            step,
            bigrams,
            gain,
            induction,
            previous: 0.2,
        }
    }

    /// Bigrams at once, copying later.
    fn course(score: f64) -> Trained {
        let looks = (0..20).map(|index| {
            let formed = 1.0 / (1.0 + (8.0 - index as f64).exp());
            let bigrams = if index == 0 { 3.0 } else { 2.0 };
            let numbers = [bigrams, 1.5 * formed, 0.1 + score * formed];
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
    fn bigrams_are_known_before_copying_or_not() {
        // From 3 to 2, where the chain has 1.9.
        assert!((course(0.6).known() - 1.0 / 1.1).abs() < 1e-12);
        assert!(course(0.1).known().is_nan());
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
        let (count, length) = (sizes.held_out, sizes.length);
        let chain = Chain::random(sizes);
        let held = Held::new(chain.sequences(count, &mut Use::Random.numbers(2)));
        // The first head is uniform over the past, the second attends to what followed a period before.
        let mut shares = vec![0.0; count * 2 * length * length];
        for (index, sequence) in held.sequences.iter().enumerate() {
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
        let score = held.best(&pattern, Sequence::followers).unwrap();
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
        assert!(last.gain.is_finite() && last != trained.looks[0]);
        assert!((0.0..=1.0).contains(&last.induction) && (0.0..=1.0).contains(&last.previous));
    }
}
