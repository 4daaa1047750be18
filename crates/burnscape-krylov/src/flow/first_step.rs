use super::controller::Tolerances;
use crate::VectorSpace;

/// The length of the first step, from the size of the solution and of its first two derivatives; one evaluation.
///
/// Hairer, Nørsett and Wanner, *Solving ordinary differential equations I*, section II.4. `order` is the power of the
/// length to which the error of a step is proportional.
pub(super) fn first_step<V, E>(
    (value, size): (&V, f64),
    (slope, steepness): (&V, f64),
    tolerances: Tolerances,
    order: usize,
    longest: f64,
    field: &mut impl FnMut(f64, &V) -> Result<V, E>,
) -> Result<f64, E>
where
    V: VectorSpace,
    E: From<V::Error>,
{
    let (height, first) = (
        tolerances.ratio(size, size),
        tolerances.ratio(steepness, size),
    );
    let is_flat = height < 1e-5 || first < 1e-5;
    let trial = if is_flat { 1e-6 } else { 0.01 * height / first };
    let trial = trial.min(longest);
    let point = value.clone().axpy(trial, slope)?;
    let bend = field(trial, &point)?.axpy(-1.0, slope)?.norm()?;
    let second = tolerances.ratio(bend, size) / trial;
    if !(first.is_finite() && second.is_finite()) {
        return Ok(trial);
    }
    let steepest = first.max(second);
    let length = if steepest <= 1e-15 {
        (1e-3 * trial).max(1e-6)
    } else {
        (0.01 / steepest).powf(1.0 / order as f64)
    };
    Ok(length.min(100.0 * trial).min(longest))
}
