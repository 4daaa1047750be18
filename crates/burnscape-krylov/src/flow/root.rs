/// Many more than a bisection of the numbers between two times takes.
const MAX_EVALUATIONS: usize = 200;

/// A root between two times (each with the value there) at which a function has different signs, to rounding of the
/// time.
///
/// Bisection, and interpolation by an inverse quadratic where that is safe: Chandrupatla, *A new hybrid
/// quadratic/bisection algorithm for finding the zero of a nonlinear function*, Adv. Eng. Softw. 28 (1997).
pub(super) fn root_between<E>(
    low: (f64, f64),
    high: (f64, f64),
    mut function: impl FnMut(f64) -> Result<f64, E>,
) -> Result<f64, E> {
    // The newest point, the other end of the bracket, and the point before.
    let (mut a, mut b) = (low, high);
    let mut share = 0.5;
    for _ in 0..MAX_EVALUATIONS {
        let time = a.0 + share * (b.0 - a.0);
        let new = (time, function(time)?);
        let c = if (new.1 > 0.0) == (a.1 > 0.0) {
            a
        } else {
            std::mem::replace(&mut b, a)
        };
        a = new;
        let best = nearer(a, b);
        let (tolerance, width) = (2.0 * f64::EPSILON * best.0.abs(), (b.0 - a.0).abs());
        if best.1 == 0.0 || tolerance >= 0.5 * width {
            break;
        }
        let least = tolerance / width;
        share = next_share(a, b, c).clamp(least, 1.0 - least);
    }
    Ok(nearer(a, b).0)
}

/// The point with the smaller value.
fn nearer(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    if a.1.abs() < b.1.abs() { a } else { b }
}

/// Where to look next, as a share of the way from `a` to `b`.
fn next_share(a: (f64, f64), b: (f64, f64), c: (f64, f64)) -> f64 {
    let xi = (a.0 - b.0) / (c.0 - b.0);
    let phi = (a.1 - b.1) / (c.1 - b.1);
    if !(phi * phi < xi && (1.0 - phi) * (1.0 - phi) < 1.0 - xi) {
        return 0.5;
    }
    let linear = a.1 / (b.1 - a.1) * c.1 / (b.1 - c.1);
    let bend = a.1 / (c.1 - a.1) * b.1 / (c.1 - b.1);
    let share = linear + (c.0 - a.0) / (b.0 - a.0) * bend;
    if share.is_finite() { share } else { 0.5 }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn root(function: fn(f64) -> f64, low: f64, high: f64) -> (f64, usize) {
        let mut count = 0;
        let counted = |time| {
            count += 1;
            Ok::<_, Infallible>(function(time))
        };
        let found = root_between((low, function(low)), (high, function(high)), counted);
        (found.unwrap_or(f64::NAN), count)
    }

    fn assert_root(found: (f64, usize), expected: f64, most: usize) {
        let (time, count) = found;
        let error = (time - expected).abs();
        assert!(error <= 4.0 * f64::EPSILON * expected.abs(), "{time}");
        assert!(count <= most, "{count} evaluations");
    }

    #[test]
    fn smooth_functions_take_a_dozen_evaluations() {
        let cubic = root(|t| t * t * t - 2.0, 0.0, 4.0);
        assert_root(cubic, 2.0_f64.cbrt(), 12);
        let steep = root(|t| (50.0 * (t - 0.3)).tanh(), 0.0, 1.0);
        assert_root(steep, 0.3, 12);
        assert_root(root(|t| 0.75 - t, 0.0, 1.0), 0.75, 2);
    }

    #[test]
    fn no_function_takes_more_than_bisection() {
        let jump = root(|t| if t < 0.7 { -1.0 } else { 1e300 }, 0.0, 1.0);
        assert_root(jump, 0.7, 60);
        let flat = root(|t| (t - 1.0).powi(9), 0.0, 3.0);
        assert_root(flat, 1.0, 60);
    }
}
