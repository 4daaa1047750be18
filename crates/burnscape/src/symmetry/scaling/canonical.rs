//! The smallest weights of an orbit.

use super::super::layout::Layout;
use super::found::Scaling;

/// The change of a logarithm below which a sweep has changed nothing.
const SETTLED: f64 = 1e-12;
const MOST_SWEEPS: usize = 10_000;

/// The factors that make the sum of squares of the values as small as possible.
///
/// For one factor with exponents `eₖ` and squared norms `nₖ` of its members, `Σ nₖ λ^(2 eₖ)` is convex in `log λ`. Sweeps
/// minimize over one factor after the other.
pub(super) fn factors(
    layout: &Layout,
    scalings: &[Scaling],
    mut values: Vec<Vec<f64>>,
) -> Vec<Vec<f64>> {
    let mut logs: Vec<Vec<f64>> = scalings
        .iter()
        .map(|scaling| vec![0.0; scaling.num_factors()])
        .collect();
    for _ in 0..MOST_SWEEPS {
        let mut largest = 0.0_f64;
        for (scaling, logs) in scalings.iter().zip(&mut logs) {
            let moved = balanced(layout, scaling, &values);
            for place in scaling.places() {
                let own = &mut values[place.tensor];
                place.each(&layout.tensors[place.tensor], |element, factor| {
                    own[element] *= (place.exponent as f64 * moved[factor]).exp();
                });
            }
            for (log, moved) in logs.iter_mut().zip(moved) {
                *log += moved;
                largest = largest.max(moved.abs());
            }
        }
        if largest <= SETTLED {
            break;
        }
    }
    let exponentials = logs.into_iter();
    exponentials
        .map(|logs| logs.into_iter().map(f64::exp).collect())
        .collect()
}

/// The logarithm of the best factor for each index of one symmetry.
fn balanced(layout: &Layout, scaling: &Scaling, values: &[Vec<f64>]) -> Vec<f64> {
    // The squares of each factor, by exponent.
    let mut squares: Vec<Vec<(i64, f64)>> = vec![Vec::new(); scaling.num_factors()];
    for place in scaling.places() {
        let own = &values[place.tensor];
        place.each(&layout.tensors[place.tensor], |element, factor| {
            let square = own[element].powi(2);
            let squares = &mut squares[factor];
            match squares
                .iter_mut()
                .find(|(exponent, _)| *exponent == place.exponent)
            {
                Some((_, sum)) => *sum += square,
                None => squares.push((place.exponent, square)),
            }
        });
    }
    squares.iter().map(|squares| minimum(squares)).collect()
}

/// The minimum of `Σ nₖ exp(2 eₖ x)` by Newton's method with steps of at most 1; 0 if there is none.
fn minimum(squares: &[(i64, f64)]) -> f64 {
    let has = |sign: i64| {
        let mut terms = squares.iter();
        terms.any(|(exponent, square)| exponent.signum() == sign && *square > 0.0)
    };
    let is_finite = squares.iter().all(|(_, square)| square.is_finite());
    if !has(1) || !has(-1) || !is_finite {
        return 0.0;
    }
    let mut x = 0.0_f64;
    for _ in 0..200 {
        let (mut slope, mut curvature) = (0.0, 0.0);
        for &(exponent, square) in squares {
            let e = exponent as f64;
            let term = square * (2.0 * e * x).exp();
            slope += e * term;
            curvature += 2.0 * e * e * term;
        }
        let step = (-slope / curvature).clamp(-1.0, 1.0);
        x += step;
        if step.abs() < 1e-15 {
            break;
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use super::minimum;

    #[test]
    fn a_unit_is_balanced() {
        // Incoming (3, 4), outgoing 20: (6, 8) and 10.
        assert!((minimum(&[(1, 25.0), (-1, 400.0)]) - 2.0_f64.ln()).abs() < 1e-14);
        assert_eq!(minimum(&[(1, 25.0), (-1, 0.0)]), 0.0);
        // n₁ e^{2x} + n₂ e^{−4x}: x = ln(2 n₂ / n₁) / 6.
        let found = minimum(&[(1, 3.0), (-2, 5.0)]);
        assert!((found - (10.0_f64 / 3.0).ln() / 6.0).abs() < 1e-14);
    }
}
