//! Stages of trainings: modes of linear networks at exact times, and bigrams before copying in transformers.

use super::criteria::stages::{ALIGNED, TIMES, judge};
use super::frame::{Measured, Plan, Reference, Study};
use crate::Failure;

mod attention;
mod coefficient;
mod copying;
mod linear;
mod posterior;
mod sequences;
mod training;

pub(crate) static STUDY: Study = Study {
    name: "stages",
    claim: "Networks learn in stages: linear ones a mode after the other, at times that a law gives; attention first \
            bigrams, and then to copy by an induction head, for which it needs two layers; and the local learning \
            coefficient rises at each stage.",
    papers: &[
        "Saxe, McClelland and Ganguli 2013, arXiv:1312.6120",
        "Elhage et al. 2021, A Mathematical Framework for Transformer Circuits",
        "Olsson et al. 2022, arXiv:2209.11895",
        "Hoogland et al. 2024, arXiv:2402.02364",
        "Furman and Lau 2024, arXiv:2402.03698",
    ],
    ran: "Linear networks with 8 inputs and outputs and 16 hidden units learn a random map of rank three, with modes of \
          strengths 4, 1.5 and 0.6, along the gradient flow: two layers and three aligned with the modes at the start, \
          at 1e-4 and 1e-3, and two layers of independent normal weights of 0.0035, each mode of which starts in the \
          law at ¼ |W₁ᵀ v + W₂ u|². λ̂ of two aligned layers, 5-3-5, against its own outputs, by MALA at 41 times, nβ = \
          1000, γ = 1, and its stages; there seeds differ in the chains alone. Transformers without feed-forward \
          layers or normalization (20 tokens, 20 predictions, width 32, two heads, scores by distance in place of \
          positions) on sequences of a Markov chain, three quarters of which begin again after 6 to 10 tokens, new \
          ones in each of 1,200 steps of AdamW with batches of 24 at 3e-3. Bigrams: the loss where the chain chooses. \
          Copying is seen on random tokens that begin again, of which bigrams say nothing. Gain: how far the loss \
          behind the first period is below that of a guess, ln 20. Induction score: attention of the last layer's \
          best head to what followed the same token whole periods before. λ̂ by two unadjusted Langevin chains of 90 \
          iterations on 64 sequences (nβ = 15, γ = 300): on the data, and on the divergence from the network's own \
          outputs, of which it is a minimum.",
    would_change: "A time more than 0.5 % off the law for aligned layers or 10 % for random ones, or modes in another \
                   order; a mode without a rise of λ̂ in two of five seeds; two of five seeds without an induction \
                   score of 0.3, or that copy less than 1.5 times later than they know bigrams, or in which one layer \
                   gains more than half of what two gain; a rise of λ̂ within three of its standard errors.",
    wrong: "That λ̂ counts the parameters that a transformer uses. It is measured at networks in the middle of their \
            training and with a strong localizer; where a reading is flagged as localizer-dominated, it is a trace of \
            the Hessian over the localizer more than a dimension. That stages of a transformer are saddles: linear \
            networks pass near them, here nobody has looked. And that one layer of attention gains nothing from a \
            sequence that repeats itself, or that attention to what followed shows an induction head: one layer can \
            favor the tokens that a sequence has, and on the data those that bigrams expect.",
    references: &[
        // ln(s/a₀ − 1) / (2s) for a start at 1e-4.
        Reference::new(ALIGNED, TIMES[0], 1.3246, 5e-5),
        Reference::new(ALIGNED, TIMES[1], 3.2052, 5e-5),
        Reference::new(ALIGNED, TIMES[2], 7.2495, 5e-5),
    ],
    run,
    judge,
};

fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    linear::run(plan, found)?;
    coefficient::run(plan, found)?;
    copying::run(plan, found)?;
    found.note(
        "Times over the law are of the same seed's start. The excess of bigrams over the chain is the least of a \
         training, and gains and scores are means over its last five looks. Steps are on the line between two looks, \
         ten steps apart. λ̂ before and after are at the last look with at most 20 % of what the induction score \
         gains, and the first one with 90 %. Charts are of the first seed.",
    );
    Ok(())
}

/// Where a curve comes to a height from below, on the line between two points. Not a number if it does not.
fn reached(points: &[(f64, f64)], height: f64) -> f64 {
    let mut pairs = points.windows(2);
    let pair = pairs.find(|pair| pair[0].1 < height && pair[1].1 >= height);
    pair.map_or(f64::NAN, |pair| {
        let [(from, low), (to, high)] = [pair[0], pair[1]];
        from + (to - from) * (height - low) / (high - low)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_height_is_reached_between_two_points() {
        let points = [(0.0, 2.0), (1.0, 1.0), (3.0, 5.0), (4.0, 0.0), (5.0, 9.0)];
        assert_eq!(reached(&points, 3.0), 2.0);
        assert!(reached(&points, 9.5).is_nan() && reached(&points[..1], 0.0).is_nan());
    }
}
