//! The exact curvature of the training loss along directions, and what it took.

use std::error::Error;
use std::time::Instant;

use burnscape::krylov::LinearOperator;
use burnscape::loss::Risk;
use burnscape::space::ParamVector;
use serde::Serialize;

use super::models::Classifier;

/// Timed this often; medians count.
const ROUNDS: usize = 5;
/// The same for all runs.
const DIRECTION_SEED: u64 = 9;

/// `uᵀ H u` for directions `u` of length one, and the cost of `H u`.
#[derive(Serialize, Debug, Clone)]
pub(crate) struct Curvature {
    /// Along the gradient, where a sharpness-aware step looks.
    pub(crate) along_ascent: f64,
    /// Along a random direction: on average, the mean eigenvalue.
    pub(crate) along_random: f64,
    /// Time of a product over that of a gradient, over the training images.
    pub(crate) product_over_gradient: f64,
}

pub(crate) fn curvature<M: Classifier>(
    risk: &Risk<'_, M>,
    model: &M,
) -> Result<Curvature, Box<dyn Error>> {
    let hessian = risk.hessian(model)?;
    let ascent = hessian.gradient()?.normalize()?;
    let random = ParamVector::sphere(hessian.space(), DIRECTION_SEED)?;
    let along =
        |u: &ParamVector| -> Result<f64, Box<dyn Error>> { Ok(u.dot(&hessian.matvec(u)?)?) };
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        risk.loss_and_gradient(model)?;
        let gradient = start.elapsed();
        let start = Instant::now();
        // Read, so that a device that works ahead is waited for.
        hessian.matvec(&random)?.norm()?;
        ratios.push(start.elapsed().as_secs_f64() / gradient.as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    Ok(Curvature {
        along_ascent: along(&ascent)?,
        along_random: along(&random)?,
        product_over_gradient: ratios[ROUNDS / 2],
    })
}
