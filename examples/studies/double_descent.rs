//! The error of a model falls with its size, rises to a peak where it just interpolates, and falls again: least squares,
//! whose mean risk is known, random features, and networks.

mod features;
mod least_squares;
mod networks;

use super::criteria::double_descent::{LAMBDA, RISK, TEST_ERROR, TEST_LOSS, judge};
use super::frame::{Measured, Plan, Reference, Study};
use crate::Failure;

pub(crate) static STUDY: Study = Study {
    name: "double-descent",
    claim: "The test error falls with the size of a model, peaks where the model just interpolates its training data, \
            and falls again.",
    papers: &[
        "Belkin et al. 2019, arXiv:1812.11118",
        "Belkin, Hsu and Xu 2019, arXiv:1903.07571",
        "Nakkiran et al. 2019, arXiv:1912.02292",
    ],
    ran: "Least squares on the first p of 100 normal coordinates, 40 examples, equal coefficients, noise of 0.5: 800 \
          draws a seed, in means of 100, beside the exact risk, and medians. Random ReLU features of 300 digits with \
          20 % random labels: the solution of least norm, and ridge regression of 0.01, on two draws of images, labels \
          and features a seed; losses are summed over ten outputs. Networks 64-w-10 with ReLU on 400 digits with 20 % \
          random labels, half the squared error or the cross-entropy, Adam at 5e-3 that falls along a cosine, 4,000 \
          steps on all examples; the same images and labels for all widths and both losses of a seed. At the ends: \
          λ_max and trace (32 products) of the Hessian, the mean rise under filter-relative noise of 0.1 (50 samples), \
          and the loss along one filter-normalized direction. Images, labels and weights are drawn by another generator \
          than in the recipe.",
    would_change: "A largest test loss of random features elsewhere than at p = n in two of ten draws; a test error of \
                   networks with the squared loss that is not larger at width 64 than at 32 and at 128 by two standard \
                   errors of the differences, seed by seed.",
    wrong: "That the peak is one of sharpness, or that the second descent is one of flatness. λ_max of random features \
            grows with their number and has no peak; what peaks is the length of the solution. With the cross-entropy \
            the sharpness follows the training loss, and the test error need not peak at all. Nor does a second descent \
            have to end below the first: that depends on the noise of the labels and on regularization.",
    references: &[
        // Exact numbers, to the digits with which they are printed.
        Reference::new("least squares, p = 5", RISK, 1.3765, 5e-5),
        Reference::new("least squares, p = 20", RISK, 2.1553, 5e-5),
        Reference::new("least squares, p = 30", RISK, 4.1167, 5e-5),
        Reference::new("least squares, p = 37", RISK, 17.16, 5e-3),
        Reference::new("least squares, p = 43", RISK, 17.25, 5e-3),
        Reference::new("least squares, p = 50", RISK, 4.1833, 5e-5),
        Reference::new("least squares, p = 60", RISK, 2.2184, 5e-5),
        Reference::new("least squares, p = 80", RISK, 1.3115, 5e-5),
        Reference::new("least squares, p = 100", RISK, 1.0195, 5e-5),
        // Standard errors of ten draws, and of three seeds at most.
        Reference::new("random features, p/n = 0.25", TEST_LOSS, 0.504, 0.03),
        Reference::new("random features, p/n = 1", TEST_LOSS, 141.0, 59.0),
        Reference::new("random features, p/n = 2", TEST_LOSS, 1.00, 0.05),
        Reference::new("random features, p/n = 10", TEST_LOSS, 0.491, 0.018),
        Reference::new("squared loss, width 64", TEST_ERROR, 0.380, 0.008),
        Reference::new("squared loss, width 64", LAMBDA, 10.2, 0.4),
    ],
    run,
    judge,
};

/// The share of training labels that are drawn anew.
const RANDOM_LABELS: f64 = 0.2;
/// Labels are drawn by seeds from here on, images by those from zero.
const LABEL_SEEDS: u64 = 1 << 32;

fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    plan.progress("least squares");
    least_squares::run(plan, found)?;
    plan.progress("random features");
    features::run(plan, found)?;
    plan.progress("networks");
    networks::run(plan, found)
}

/// The place whose row has the largest mean of a column; none if no row has one.
fn largest<P: Copy>(
    found: &Measured,
    places: &[P],
    row: impl Fn(P) -> String,
    column: &str,
) -> Option<P> {
    let means = places
        .iter()
        .map(|&place| (place, found.mean(&row(place), column)));
    let known = means.filter(|(_, mean)| mean.is_finite());
    let found = known.max_by(|(_, one), (_, other)| one.total_cmp(other));
    found.map(|(place, _)| place)
}
