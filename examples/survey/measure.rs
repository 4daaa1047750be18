//! What is measured on a trained network, in evaluation mode.

use std::error::Error;

use burn::tensor::Tensor;
use burnscape::loss::Risk;
use burnscape::sharpness::{AverageSharpnessConfig, SharpnessReport, WorstCaseSharpnessConfig};
use burnscape::space::{Scale, UnfilteredRule};
use serde::Serialize;

use super::curvature::{Curvature, curvature};
use super::data::{Digits, Split};
use super::models::Classifier;
use super::settings::{BALL, BALL_STARTS, BALL_STEPS, NOISE, NOISE_SAMPLES};
use super::sharpness_table;
use super::spectrum::{Eigenvalues, eigenvalues};
use super::train::loss;

#[derive(Serialize, Debug, Clone)]
pub(crate) struct Measured {
    pub(crate) train_loss: f64,
    pub(crate) test_loss: f64,
    pub(crate) train_accuracy: f64,
    pub(crate) test_accuracy: f64,
    pub(crate) sharpness: Sharpness,
    pub(crate) curvature: Curvature,
    pub(crate) spectrum: Eigenvalues,
    /// Of the first seed only.
    pub(crate) sharpness_report: Option<SharpnessReport>,
}

/// How much the loss on the training images rises around the weights.
#[derive(Serialize, Debug, Clone)]
pub(crate) struct Sharpness {
    /// Under Gaussian noise relative to the norm of each filter.
    pub(crate) average_rise: f64,
    pub(crate) average_rise_standard_error: Option<f64>,
    /// At the worst point found in a ball.
    pub(crate) worst_case_rise: f64,
    pub(crate) worst_case_on_boundary: bool,
}

/// The fraction of images whose digit has the highest score, as a mean over the batch.
fn accuracy<M: Classifier>(model: &M, digits: Digits) -> Tensor<1> {
    let guesses = model.logits(digits.images).argmax(1).flatten::<1>(0, 1);
    guesses.equal(digits.labels).float().mean()
}

pub(crate) fn measure<M: Classifier>(
    model: &M,
    split: &Split,
    is_first: bool,
) -> Result<Measured, Box<dyn Error>> {
    let train = std::slice::from_ref(&split.train);
    let test = std::slice::from_ref(&split.test);
    let (loss, accuracy) = (loss::<M>, accuracy::<M>);
    let risk = Risk::new(&loss, train);
    let value = |risk: Risk<'_, M>| risk.loss(model).map(|found| found.value);
    // One seed for all, so that all runs meet the same noise.
    let average = AverageSharpnessConfig::new(NOISE)
        .with_num_samples(NOISE_SAMPLES)
        .with_scale(Scale::FilterRelative(UnfilteredRule::Zero))
        .run(&risk, model)?;
    let worst = WorstCaseSharpnessConfig::new(BALL)
        .with_num_steps(BALL_STEPS)
        .with_num_starts(BALL_STARTS)
        .run(&risk, model)?;
    Ok(Measured {
        train_loss: value(risk.clone())?,
        test_loss: value(Risk::new(&loss, test))?,
        train_accuracy: value(Risk::new(&accuracy, train))?,
        test_accuracy: value(Risk::new(&accuracy, test))?,
        sharpness: Sharpness {
            average_rise: average.rise,
            average_rise_standard_error: average.standard_error,
            worst_case_rise: worst.rise,
            worst_case_on_boundary: worst.on_boundary,
        },
        curvature: curvature(&risk, model)?,
        spectrum: eigenvalues(&risk, model, is_first)?,
        sharpness_report: match is_first {
            true => Some(sharpness_table::measure(model, train)?),
            false => None,
        },
    })
}
