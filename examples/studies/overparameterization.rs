//! More weights than equations: the manifold of zero loss, and which runs reach it.

mod manifold;
mod widths;

use burn::tensor::{Tensor, TensorData};
use burnscape::krylov::Probe;

use super::criteria::overparameterization::{FITS, NULLS, RANK, judge};
use super::digits::Place;
use super::frame::{Measured, Plan, Reference, Study};
use crate::Failure;

pub(crate) static STUDY: Study = Study {
    name: "overparameterization",
    claim: "The weights that fit all points are a manifold whose dimension is the number of weights less that of the \
            outputs of all points, and runs of wide networks reach it from every start, which those of narrow networks do \
            not.",
    papers: &[
        "Cooper 2018, arXiv:1804.10200",
        "Livni, Shalev-Shwartz and Shamir 2014, arXiv:1410.1141",
        "Safran and Shamir 2018, arXiv:1712.08968",
    ],
    ran: "Manifold: tanh networks with one hidden layer on normal points with normal targets, half the mean squared error, in \
          double precision; 2,000 steps of Adam, then Newton's method in a trust region to a loss below 1e-24. An eigenvalue \
          of the Hessian counts as zero up to 1e-9 of the largest one; the gap is that of sizes of eigenvalues at the rank \
          that is claimed. The walk starts at the first network: 200 times it steps along the part of the last direction that \
          is off the rows of the Jacobian, by at most 0.1, and back by at most 5 Gauss-Newton steps of least length; a step \
          that does not come back to 1e-12 is halved. Runs: 2,000 steps of Adam on all points at a rate of 0.02 that falls \
          along half a cosine, from 6 starts for each seed. ReLU teacher: 200 normal points in 5 dimensions, a teacher of 5 \
          hidden units, students of 5 to 64. Random signs: 24 normal points in 4 dimensions, tanh networks of 4 units, which \
          have 25 weights, to 32. Targets have a variance of one; zero loss is half a mean squared error below 0.001.",
    would_change: "A rank that is not n times the outputs in one seed; a walk that ends nearer than the length of the \
                   weights, or whose chords rise to more than a hundredth of the straight line between its ends; a share \
                   of runs at zero loss that does not clearly rise from the narrowest students to the widest, or is below \
                   one for these; a spread of the last loss that falls by less than a factor of 10.",
    wrong: "That narrow networks cannot fit: a student as wide as its teacher has weights of zero loss, and does not find them \
            from most starts in this budget. That every width has its share: the share depends on the optimizer, the budget \
            and the task, and the claim is about its rise. And that all points of the manifold are one network: along the \
            walk the outputs between the points change.",
    references: &[
        // Exact.
        Reference::new("tanh 4-16-1, 20 points", RANK, 20.0, 0.0),
        Reference::new("tanh 4-16-1, 20 points", NULLS, 77.0, 0.0),
        Reference::new("tanh 4-12-3, 12 points", RANK, 36.0, 0.0),
        Reference::new("tanh 4-12-3, 12 points", NULLS, 63.0, 0.0),
        Reference::new("tanh 4-32-1, 40 points", RANK, 40.0, 0.0),
        Reference::new("tanh 4-32-1, 40 points", NULLS, 153.0, 0.0),
    ],
    run,
    judge,
};

fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    manifold::run(plan, plan.pick(&FITS[..], &FITS[..1]), found)?;
    widths::run(plan, found)
}

/// Independent standard normal numbers: number `index` of the seed. Those of networks have small numbers.
fn gaussian(
    [rows, columns]: [usize; 2],
    (seed, index): (u64, u64),
    place: Place<'_>,
) -> Result<Tensor<2>, Failure> {
    let values: Vec<f64> = Probe::Gaussian.draw(&(rows * columns), seed, index)?;
    let values = TensorData::new(values, [rows, columns]);
    Ok(Tensor::from_data(values, place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_the_numbers_of_the_fits() {
        for reference in STUDY.references {
            let fit = FITS.iter().find(|fit| fit.row == reference.row).unwrap();
            let rank = fit.equations();
            let exact = match reference.column {
                RANK => rank,
                _ => fit.weights() - rank,
            };
            assert_eq!(reference.mean, exact as f64, "{}", reference.row);
        }
    }
}
