use burnscape_krylov::{Estimate, KrylovFault, Probe, SelfAdjoint, Step};

use crate::curvature::CurvatureError;
use crate::sharpness::SharpnessError;
use crate::sharpness::sample::take_samples;
use crate::space::{ParamVector, Wide};

/// The trace and the Frobenius norm of an operator with standard errors, from the same products with Rademacher
/// vectors.
pub(super) struct Moments {
    pub(super) trace: Estimate,
    pub(super) frobenius_norm: f64,
    pub(super) frobenius_error: Option<f64>,
    pub(super) completed: bool,
}

impl Moments {
    pub(super) fn of<A>(operator: &A, max_matvecs: usize, seed: u64) -> Result<Self, SharpnessError>
    where
        A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError>,
    {
        let space = operator.domain();
        let (mut traces, mut squares) = (Vec::new(), Vec::new());
        let completed = take_samples(max_matvecs, |index| {
            let v = Probe::Rademacher.draw::<ParamVector>(&space, seed, index as u64)?;
            let product = operator.matvec(&v)?;
            let square = product.wide_dot(&product)?;
            if !square.is_finite() {
                return Err(SharpnessError::Krylov(KrylovFault::NonFinite {
                    product: index,
                }));
            }
            let trace: f64 = v.leaf_dots(&product)?.iter().sum();
            if !trace.is_finite() {
                return Err(SharpnessError::Overflow { what: "the trace" });
            }
            traces.push(trace);
            squares.push(square);
            let step = Step::new("trace", index + 1).with_limit(max_matvecs);
            Ok(operator.report(&step.with_value(Estimate::of(&traces).value)))
        })?;
        let (squares, unit) = scaled(&squares);
        let squares = Estimate::of(&squares);
        let root = squares.value.sqrt();
        // d√x = dx / 2√x; if all samples are zero, so is the error.
        let error_of_root = |error: f64| {
            if root > 0.0 {
                error / (2.0 * root) * unit
            } else {
                0.0
            }
        };
        Ok(Self {
            trace: Estimate::of(&traces),
            frobenius_norm: root * unit,
            frobenius_error: squares.standard_error.map(error_of_root),
            completed,
        })
    }
}

/// Squares in a unit whose root is the second number: `|Hv|²` may leave the range of `f64` where `|Hv|` does not.
fn scaled(squares: &[Wide]) -> (Vec<f64>, f64) {
    let positive = squares.iter().filter(|square| square.is_positive());
    let largest = positive.map(|square| square.exponent()).max();
    // The estimate sums the squares of these numbers.
    let half = match largest.unwrap_or(0) {
        exponent if exponent.abs() < 400 => 0,
        exponent => exponent.div_euclid(2),
    };
    let scaled = squares
        .iter()
        .map(|square| square.shifted(-2 * half).value());
    (scaled.collect(), Wide::new(1.0, half).value())
}
