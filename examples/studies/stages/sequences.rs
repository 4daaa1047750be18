//! Sequences of a Markov chain, most of which repeat themselves: the first period can be predicted by bigrams, the rest by
//! copying.

use burn::tensor::{Device, Int, Tensor, TensorData};
use burnscape::krylov::Probe;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::Failure;

/// Tokens and those that follow them, both `[n, length]`.
pub(super) type Examples = (Tensor<2, Int>, Tensor<2, Int>);

/// How large networks and data are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// Different ones.
    pub(super) tokens: usize,
    /// Predictions of a sequence.
    pub(super) length: usize,
    /// The shortest period and the longest.
    pub(super) periods: [usize; 2],
    pub(super) width: usize,
    pub(super) heads: usize,
    /// Sequences of a step.
    pub(super) batch: usize,
    pub(super) steps: usize,
    /// Steps between two looks.
    pub(super) every: usize,
    /// Sequences of a look.
    pub(super) held_out: usize,
}

impl Sizes {
    pub(super) const FULL: Self = Self {
        tokens: 20,
        length: 20,
        periods: [6, 10],
        width: 32,
        heads: 2,
        batch: 24,
        steps: 1200,
        every: 10,
        held_out: 64,
    };

    pub(super) const QUICK: Self = Self {
        tokens: 6,
        length: 8,
        periods: [3, 4],
        width: 8,
        heads: 2,
        batch: 2,
        steps: 12,
        every: 4,
        held_out: 4,
    };
}

/// What random numbers are for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Use {
    Training,
    HeldOut,
    Posterior,
    Random,
}

impl Use {
    pub(super) fn numbers(self, seed: u64) -> StdRng {
        StdRng::seed_from_u64(8 * seed + self as u64)
    }
}

/// The standard deviation of the logarithms of probabilities, but for their sum.
const SPREAD: f64 = 1.5;
/// The number of the probabilities among the random vectors of a seed.
const CHAIN: u64 = 1000;
/// The share of sequences that repeat themselves. The others leave bigrams to learn before copying is known.
const REPEATING: f64 = 0.75;

/// A Markov chain, and the lengths of what it is cut into.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    sizes: Sizes,
    /// The probabilities of the next token, for each token.
    rows: Vec<Vec<f64>>,
    /// The share of sequences that repeat themselves.
    repeating: f64,
}

impl Chain {
    pub(super) fn new(sizes: Sizes, seed: u64) -> Result<Self, Failure> {
        let tokens = sizes.tokens;
        let logs = Probe::Gaussian.draw::<Vec<f64>>(&(tokens * tokens), seed, CHAIN)?;
        let rows = logs.chunks(tokens).map(|logs| {
            let weights = logs.iter().map(|log| (SPREAD * log).exp());
            let total: f64 = weights.clone().sum();
            weights.map(|weight| weight / total).collect::<Vec<f64>>()
        });
        Ok(Self {
            sizes,
            rows: rows.collect(),
            repeating: REPEATING,
        })
    }

    /// Tokens that are drawn alike, of which bigrams say nothing. All sequences repeat themselves.
    pub(super) fn random(sizes: Sizes) -> Self {
        let tokens = sizes.tokens;
        Self {
            sizes,
            rows: vec![vec![1.0 / tokens as f64; tokens]; tokens],
            repeating: 1.0,
        }
    }

    /// Sequences from any token on, each with a period of its own.
    pub(super) fn sequences(&self, count: usize, rng: &mut StdRng) -> Vec<Sequence> {
        (0..count).map(|_| self.sequence(rng)).collect()
    }

    fn sequence(&self, rng: &mut StdRng) -> Sequence {
        let [shortest, longest] = self.sizes.periods;
        let period = match rng.random::<f64>() < self.repeating {
            true => rng.random_range(shortest..=longest),
            false => self.sizes.length + 1,
        };
        let mut tokens = vec![rng.random_range(0..self.sizes.tokens)];
        for place in 1..=self.sizes.length {
            let token = match place < period {
                true => self.next(tokens[place - 1], rng),
                false => tokens[place - period],
            };
            tokens.push(token);
        }
        Sequence { tokens, period }
    }

    fn next(&self, token: usize, rng: &mut StdRng) -> usize {
        let row = &self.rows[token];
        let mut left: f64 = rng.random();
        let found = row.iter().position(|probability| {
            left -= probability;
            left < 0.0
        });
        found.unwrap_or(row.len() - 1)
    }

    /// The loss of the chain's own probabilities where bigrams are all that is known.
    pub(super) fn loss(&self, sequences: &[Sequence]) -> f64 {
        let losses = sequences.iter().flat_map(|sequence| {
            let places = (0..self.sizes.length).filter(|place| sequence.is_bigram(*place));
            places.map(|place| {
                let [from, to] = [sequence.tokens[place], sequence.tokens[place + 1]];
                -self.rows[from][to].ln()
            })
        });
        let losses: Vec<f64> = losses.collect();
        losses.iter().sum::<f64>() / losses.len() as f64
    }
}

/// Tokens, one more than predictions, which begin again after each period.
#[derive(Debug, Clone)]
pub(super) struct Sequence {
    pub(super) tokens: Vec<usize>,
    /// All of them if nothing is repeated.
    pub(super) period: usize,
}

impl Sequence {
    /// Whether what follows a position is the chain's choice. The first repeated token, which is neither this nor seen
    /// to follow another one before, is none.
    pub(super) fn is_bigram(&self, position: usize) -> bool {
        position + 1 < self.period
    }

    /// Whether what follows a position has followed the same token before.
    pub(super) fn is_copy(&self, position: usize) -> bool {
        position >= self.period
    }

    /// The positions behind those that are whole periods before this one: what an induction head attends to.
    pub(super) fn followers(&self, position: usize) -> Vec<usize> {
        let back = (1..).map(|turn| turn * self.period);
        let back = back.take_while(|back| *back <= position);
        back.map(|back| position + 1 - back).collect()
    }
}

pub(super) fn examples(sequences: &[Sequence], device: &Device) -> Examples {
    let count = sequences.len();
    let from = |first: usize| {
        let tokens = sequences.iter().flat_map(|sequence| {
            let length = sequence.tokens.len() - 1;
            &sequence.tokens[first..first + length]
        });
        let tokens: Vec<i64> = tokens.map(|&token| token as i64).collect();
        let shape = [count, tokens.len() / count.max(1)];
        Tensor::from_data(TensorData::new(tokens, shape), device)
    };
    (from(0), from(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequences() -> (Chain, Vec<Sequence>) {
        let chain = Chain::new(Sizes::FULL, 3).unwrap();
        let sequences = chain.sequences(200, &mut Use::HeldOut.numbers(3));
        (chain, sequences)
    }

    #[test]
    fn what_is_copied_follows_the_same_token() {
        let (_, sequences) = sequences();
        for sequence in sequences {
            let tokens = &sequence.tokens;
            assert_eq!(tokens.len(), Sizes::FULL.length + 1);
            assert!((6..=10).contains(&sequence.period) || sequence.period == tokens.len());
            for position in (0..Sizes::FULL.length).filter(|it| sequence.is_copy(*it)) {
                assert!(!sequence.is_bigram(position));
                let places = sequence.followers(position);
                assert!(!places.is_empty());
                for place in places {
                    assert_eq!(tokens[place - 1], tokens[position]);
                    assert_eq!(tokens[place], tokens[position + 1]);
                }
            }
            assert!(sequence.followers(sequence.period - 1).is_empty());
        }
    }

    #[test]
    fn three_quarters_of_the_sequences_repeat_themselves() {
        let (_, sequences) = sequences();
        let length = Sizes::FULL.length;
        let whole = sequences.iter().filter(|it| it.period > length);
        // A quarter of 200, ± 6.
        assert!((25..75).contains(&whole.clone().count()));
        for sequence in whole {
            assert!((0..length).all(|place| sequence.is_bigram(place) && !sequence.is_copy(place)));
        }
        let random = Chain::random(Sizes::FULL);
        let sequences = random.sequences(50, &mut Use::Random.numbers(3));
        assert!(sequences.iter().all(|it| it.period <= 10));
        assert!((random.loss(&sequences) - 20.0_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn losses_of_the_chain_are_below_those_of_guesses() {
        let (chain, sequences) = sequences();
        for row in &chain.rows {
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
        let loss = chain.loss(&sequences);
        // ln 20 is 3.0.
        assert!((1.0..2.6).contains(&loss), "{loss}");
    }

    #[test]
    fn examples_are_tokens_and_the_next_ones() {
        let (_, sequences) = sequences();
        let (tokens, next) = examples(&sequences[..2], &Device::default());
        assert_eq!((tokens.dims(), next.dims()), ([2, 20], [2, 20]));
        let next: Vec<i64> = next.try_into_vec_as().unwrap();
        assert_eq!(next[20], sequences[1].tokens[1] as i64);
    }
}
