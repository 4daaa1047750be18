use std::fmt;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// Work that measurements took besides the training, in passes over all data of their risk.
///
/// Work on a part of the data counts as that part, summed over a measurement and rounded up to whole passes.
///
/// # Example
///
/// ```
/// use burnscape::dynamics::Cost;
///
/// let cost = Cost { num_gradients: 3, num_matvecs: 12, ..Cost::default() };
/// assert_eq!(cost.in_gradients(), 27.0);
/// assert_eq!(cost.to_string(), "3 gradients and 12 products (about 27 gradients)");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Forward passes.
    pub num_losses: usize,
    /// Gradients: a forward and a backward pass.
    pub num_gradients: usize,
    /// Products with a curvature matrix.
    pub num_matvecs: usize,
}

impl Cost {
    /// The work in gradients, by the usual count of operations: a forward pass is a third of a gradient, and a product
    /// two. Products here mostly take less time, since they use intermediate results again: `docs/performance.md`.
    pub fn in_gradients(&self) -> f64 {
        self.num_losses as f64 / 3.0 + self.num_gradients as f64 + 2.0 * self.num_matvecs as f64
    }
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            num_losses: self.num_losses + other.num_losses,
            num_gradients: self.num_gradients + other.num_gradients,
            num_matvecs: self.num_matvecs + other.num_matvecs,
        }
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.num_losses, "loss", "losses"),
            (self.num_gradients, "gradient", "gradients"),
            (self.num_matvecs, "product", "products"),
        ];
        let parts = parts.into_iter().filter(|(count, ..)| *count > 0);
        let parts: Vec<String> = parts
            .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
            .collect();
        match parts.as_slice() {
            [] => return f.write_str("nothing"),
            [only] => f.write_str(only)?,
            [others @ .., last] => write!(f, "{} and {last}", others.join(", "))?,
        }
        if self.num_losses + self.num_matvecs > 0 {
            write!(f, " (about {} gradients)", gradients(*self))?;
        }
        Ok(())
    }
}

/// The work in gradients, as it is printed: with one decimal place where it matters.
pub(super) fn gradients(cost: Cost) -> String {
    let gradients = cost.in_gradients();
    if gradients < 10.0 && gradients.fract() > 0.0 {
        format!("{gradients:.1}")
    } else {
        format!("{gradients:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_add_up_and_say_what_they_are() {
        let text = |num_losses, num_gradients, num_matvecs| {
            let cost = Cost {
                num_losses,
                num_gradients,
                num_matvecs,
            };
            (cost + Cost::default()).to_string()
        };
        assert_eq!(text(0, 0, 0), "nothing");
        assert_eq!(text(1, 0, 0), "1 loss (about 0.3 gradients)");
        assert_eq!(text(0, 1, 0), "1 gradient");
        assert_eq!(text(3, 1, 0), "3 losses and 1 gradient (about 2 gradients)");
        let all = "2 losses, 3 gradients and 1 product (about 5.7 gradients)";
        assert_eq!(text(2, 3, 1), all);
        assert_eq!(
            text(2, 0, 8),
            "2 losses and 8 products (about 17 gradients)"
        );
        let mut sum = Cost::default();
        for _ in 0..3 {
            sum += Cost {
                num_losses: 1,
                num_gradients: 2,
                num_matvecs: 3,
            };
        }
        assert_eq!(sum.in_gradients(), 25.0);
    }
}
