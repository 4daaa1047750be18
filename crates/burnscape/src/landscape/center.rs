use burn::module::Module;

use super::{Landscape, LandscapeError, LandscapeMetric};
use crate::loss::{LossError, Mode, NormalizationPolicy, Risk};
use crate::space::Grid;

/// A landscape before anything is evaluated.
pub(super) fn unevaluated<M>(
    grids: &[Grid],
    metrics: &[(String, Risk<'_, M>)],
    policy: NormalizationPolicy,
    mode: Mode,
) -> Result<Landscape, LandscapeError> {
    let points: usize = grids.iter().map(Grid::len).product();
    let metrics = metrics.iter();
    let metrics = metrics.map(|(name, _)| -> Result<LandscapeMetric, LandscapeError> {
        Ok(LandscapeMetric {
            name: name.clone(),
            values: filled(f64::NAN, points)?,
            base: f64::NAN,
        })
    });
    Ok(Landscape {
        axes: grids
            .iter()
            .map(|grid| grid.coordinates().to_vec())
            .collect(),
        losses: filled(f64::NAN, points)?,
        metrics: metrics.collect::<Result<Vec<_>, LandscapeError>>()?,
        evaluated: filled(false, points)?,
        base_loss: f64::NAN,
        directions: Vec::new(),
        gram: Vec::new(),
        policy,
        mode,
        num_examples: 0,
        num_batches: 0,
        data: None,
        rounding: 0.0,
        num_losses: 0,
        num_cached: 0,
        completed: false,
    })
}

/// The same number at every point.
fn filled<T: Clone>(value: T, points: usize) -> Result<Vec<T>, LandscapeError> {
    let mut values = Vec::new();
    match values.try_reserve_exact(points) {
        Ok(()) => {
            values.resize(points, value);
            Ok(values)
        }
        Err(_) => Err(LandscapeError::OutOfMemory { points }),
    }
}

/// Enters the values at the model. Returns the number of batches of a point.
pub(super) fn evaluate_center<M: Module, K>(
    landscape: &mut Landscape,
    risk: &Risk<'_, M, K>,
    metrics: &[(String, Risk<'_, M>)],
    model: &M,
) -> Result<usize, LandscapeError> {
    let found = risk.whole_loss(model)?;
    landscape.base_loss = found.value;
    landscape.num_examples = found.num_examples;
    landscape.num_batches = found.num_batches;
    let mut num_batches = found.num_batches;
    for (column, (_, metric)) in landscape.metrics.iter_mut().zip(metrics) {
        let (base, own) = match metric.whole_loss(model) {
            Ok(found) => (found.value, found.num_batches),
            Err(LossError::NonFinite { batch, value }) => {
                (value, metric.num_batches().unwrap_or(batch + 1))
            }
            Err(error) => return Err(error.into()),
        };
        num_batches += own;
        column.base = base;
    }
    landscape.num_losses = 1 + landscape.metrics.len();
    Ok(num_batches)
}
