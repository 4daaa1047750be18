//! The index of critical points beside their loss: a linear network, whose points are known, a small network, and random
//! matrices.

mod linear;
mod search;
mod signs;

use super::criteria::critical_points::{CORRELATION, INDEX, NETWORK, ZEROS, judge};
use super::frame::{Measured, Plan, Reference, Study};
use crate::Failure;

pub(crate) static STUDY: Study = Study {
    name: "critical-points",
    claim: "At critical points of the training loss, the loss rises with the index, the number of directions in which it \
            falls.",
    papers: &[
        "Bray and Dean 2007, arXiv:cond-mat/0611023",
        "Dauphin et al. 2014, arXiv:1406.2572",
        "Frye et al. 2020, arXiv:2003.10397",
    ],
    ran: "½ |U V − diag(3, 2, 1)|² with four hidden units at its eight kinds of critical points, with the inertia of the \
          Hessian. A tanh network 4-5-1 (31 parameters) on the four principal components, of unit variance, of 100 \
          digits, targets ±1 by parity, half the squared error plus 0.0005 |w|², in double precision: 400 starts a seed \
          (normal weights of deviation 0.3, 0.6, 1 and 1.5, then 0, 5, 30 or 200 steps of gradient descent at 0.2), and \
          at most 60 steps of Newton's method to |g| < 1e-10. Ends with one loss and index are one point; the interval \
          is that of 1,000 resamples of the distinct points. The recipe floors eigenvalues at 1e-4 and limits steps to \
          a length of 2; here both limits are relative, 1e-4 of the largest eigenvalue and half the length of the \
          weights, so that more starts converge. Symmetric matrices of normal numbers (GOE): the share whose \
          eigenvalues are all positive.",
    would_change: "A lower bound of the rank correlation that is not above zero for one of the seeds.",
    wrong: "That minima of high loss cannot exist, since all of d eigenvalues are positive by chance in one of 2^d cases. \
            That counts independent signs. Eigenvalues of a random matrix repel each other, and the share is much \
            smaller, as the table shows; those of a Hessian are neither independent nor random. Both are heuristics, and \
            31 parameters prove nothing about millions. Nor are the points found all there are: they depend on the \
            starts.",
    references: &[
        Reference::new("linear network, nothing", INDEX, 12.0, 0.0),
        Reference::new("linear network, 1", INDEX, 8.0, 0.0),
        Reference::new("linear network, 2", INDEX, 7.0, 0.0),
        Reference::new("linear network, 2 and 1", INDEX, 4.0, 0.0),
        Reference::new("linear network, 3", INDEX, 6.0, 0.0),
        Reference::new("linear network, 3 and 1", INDEX, 3.0, 0.0),
        Reference::new("linear network, 3 and 2", INDEX, 2.0, 0.0),
        Reference::new("linear network, all", INDEX, 0.0, 0.0),
        Reference::new("linear network, 2 and 1", ZEROS, 12.0, 0.0),
        Reference::new("linear network, all", ZEROS, 15.0, 0.0),
        // From 0.36 to 0.90 with 95 %.
        Reference::new(NETWORK, CORRELATION, 0.70, 0.14),
        Reference::new("random matrices, d = 2", signs::POSITIVE, 0.147, 5e-4),
        Reference::new("random matrices, d = 4", signs::POSITIVE, 0.0025, 5e-5),
        Reference::new("random matrices, d = 6", signs::POSITIVE, 1.5e-5, 5e-7),
    ],
    run,
    judge,
};

fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    linear::run(found)?;
    plan.progress("random matrices");
    signs::run(plan, found)?;
    plan.progress("critical points of a network");
    search::run(plan, found)
}
