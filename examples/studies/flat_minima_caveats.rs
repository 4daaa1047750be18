//! Minima of one function that are flat or sharp, and convex losses whose flat minimum is worse, or better, than a sharp
//! one.

mod convex;
mod rescaled;

use super::criteria::flat_minima_caveats::{RISE, RISK, judge};
use super::digits::Digits;
use super::frame::{Measured, Plan, Reference, Study};
use crate::Failure;

pub(crate) static STUDY: Study = Study {
    name: "flat-minima-caveats",
    claim: "Layers of a ReLU network can be rescaled so that λ_max and trace grow without bound while the function stays, \
            and even on a convex loss a flat minimum can be far worse for new data than a sharp one.",
    papers: &[
        "Dinh et al. 2017, arXiv:1703.04933",
        "Schliserman, Vansover-Hager and Koren 2025, arXiv:2511.03548",
    ],
    ran: "ReLU 64-64-10 with cross-entropy on 1,280 digits in double precision: SGD with momentum 0.9, batches of 64, 400 \
          steps at a rate of 0.1 that falls along half a cosine. First layer and its biases times a, last layer over a; \
          every measure, on 256 of the images, over that of the trained network. Beside: random factors for each hidden \
          unit, and λ_max in the canonical form, the point of the orbit with the smallest weights. The convex losses are \
          our constructions in the spirit of the second paper, in 64 dimensions, each smooth, not negative, and zero on \
          many points. Unseen: ½ Σ v_j max(w_j, 0)² + ½ max(−Σ w_j / 8, 0)², 3 samples v of independent bits: of the \
          minima, 0 is sharp, and the flat one has −0.05 in all coordinates that a sample shows, and large weights in the \
          others. Margin: ½ Σ max(z_j − w_j, 0)² + ½ Σ max(z_j + w_j − 4, 0)², 5 samples z uniform from 0 to 1: 2 is flat, \
          the largest samples are a sharp minimum. Gradient descent, SAM and SA-GD (10 steps of ascent from 2 starts) take \
          2,500 steps at 0.5 from Σ w_j / 8 = −½, and 1,000 steps at 1 from 0. Balls have radii ρ of 0.05 and 0.2; those \
          of SAM and SA-GD are 0.2 and 0.6, since starts at random in 64 dimensions see about a third of a radius along \
          single coordinates. The rise is the largest in the ball of ρ that ascents from 8 starts find, or a step along \
          one coordinate. The second paper also has a loss on which SAM ends in a sharp minimum that is bad; here is tested \
          only whether it ends in a sharp one.",
    would_change: "A relative measure that changes by more than rounding; a λ_max, trace or worst rise that does not grow \
                   with a; SA-GD that ends with less population risk than gradient descent or than its start on the first \
                   convex loss, with more than gradient descent on the second, or not in a flat minimum; SAM that ends in \
                   a flat one.",
    wrong: "That flatness says nothing: λ_max decides which learning rates are stable, and relative measures do not see the \
            rescaling. And that flat minima are bad, because of the first convex loss: its flat minimum uses weights that \
            no sample has tested. On the second one the same optimizer gains. What a flat minimum is \
            worth depends on whether new data move the loss in the way that the ball moves the weights. And that a minimum \
            is flat because ascents from random points find no rise around it: where the loss is zero nearby, they have \
            nothing to climb, and miss single coordinates.",
    references: &[
        // Exact: half the square of the radius, and 0.
        Reference::new("unseen: sharp minimum", RISE, 1.0, 5e-4),
        Reference::new("unseen: sharp minimum", RISK, 0.0, 0.0),
        Reference::new("margin: flat minimum", RISK, 0.0, 0.0),
    ],
    run,
    judge,
};

fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    rescaled::run(plan, &Digits::of_recipes()?, found)?;
    convex::run(plan, found)
}

#[cfg(test)]
mod tests {
    use super::super::criteria::flat_minima_caveats::{FLAT, MARGIN, SHARP, UNSEEN, of_point};
    use super::*;

    #[test]
    fn references_are_of_cells() {
        let rows = [
            of_point(UNSEEN, SHARP),
            of_point(MARGIN, SHARP),
            of_point(MARGIN, FLAT),
        ];
        for reference in STUDY.references {
            assert!(
                rows.iter().any(|row| row == reference.row),
                "{}",
                reference.row
            );
        }
    }
}
