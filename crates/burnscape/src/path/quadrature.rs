//! Gauss-Legendre quadrature on the unit interval.

/// Nodes in ascending order and weights that sum to one; exact for polynomials of degree
/// `2 count − 1`. Roots of the Legendre polynomial by Newton's method.
pub(super) fn gauss_legendre(count: usize) -> Vec<(f64, f64)> {
    let n = count as f64;
    let mut rule: Vec<(f64, f64)> = (0..count)
        .map(|index| {
            let mut x = (std::f64::consts::PI * (index as f64 + 0.75) / (n + 0.5)).cos();
            let mut slope = 1.0;
            for _ in 0..100 {
                let (value, derivative) = legendre(count, x);
                slope = derivative;
                let step = value / derivative;
                x -= step;
                if step.abs() < 1e-15 {
                    break;
                }
            }
            (0.5 * (1.0 + x), 1.0 / ((1.0 - x * x) * slope * slope))
        })
        .collect();
    rule.reverse();
    rule
}

/// `P_n(x)` and its derivative, for `n` of 1 or more.
fn legendre(degree: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (1.0, x);
    for k in 2..=degree {
        let k = k as f64;
        (before, value) = (
            value,
            ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k,
        );
    }
    let n = degree as f64;
    (value, n * (x * value - before) / (x * x - 1.0))
}

/// The integral of `f` over `[0, 1]`, in panels of five nodes. Panels do not cross the joints of `pieces` equal pieces.
pub(super) fn integrate(pieces: usize, f: impl Fn(f64) -> f64) -> f64 {
    let panels = pieces * 64_usize.div_ceil(pieces.max(1));
    let rule = gauss_legendre(5);
    let width = 1.0 / panels as f64;
    let panel = |index: usize| -> f64 {
        let at = |&(node, weight): &(f64, f64)| weight * f((index as f64 + node) * width);
        rule.iter().map(at).sum()
    };
    width * (0..panels).map(panel).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_is_exact_for_polynomials_of_its_degree() {
        for count in 1..20_usize {
            let rule = gauss_legendre(count);
            for degree in 0..2 * count {
                let sum: f64 = rule.iter().map(|(t, w)| w * t.powi(degree as i32)).sum();
                let exact = 1.0 / (degree as f64 + 1.0);
                assert!((sum - exact).abs() < 1e-14, "{count} {degree} {sum}");
            }
        }
    }
}
