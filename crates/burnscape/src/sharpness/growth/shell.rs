use burnscape_krylov::Estimate;

/// The losses at one radius.
#[derive(Clone)]
pub(super) struct Shell {
    base_loss: f64,
    /// The rise along each direction, NaN or infinite where a loss is.
    pub(super) samples: Vec<f64>,
    /// The largest loss in magnitude, that of the model included.
    largest: f64,
}

impl Shell {
    /// No losses yet around a model with this one.
    pub(super) fn around(base_loss: f64) -> Self {
        Self {
            base_loss,
            samples: Vec::new(),
            largest: base_loss.abs(),
        }
    }

    /// Adds the losses on both sides of the model along one direction.
    pub(super) fn push(&mut self, losses: [f64; 2]) {
        let [one, other] = losses.map(|loss| loss - self.base_loss);
        self.samples.push(0.5 * (one + other));
        let sizes = losses.into_iter().map(f64::abs);
        self.largest = sizes.fold(self.largest, f64::max);
    }

    fn is_finite(&self) -> bool {
        self.samples.iter().all(|rise| rise.is_finite())
    }

    /// The mean rise with its error; none if a loss is not finite.
    pub(super) fn rise(&self) -> Option<Estimate> {
        self.is_finite().then(|| Estimate::of(&self.samples))
    }

    /// What rounding alone can make of a rise; NaN if a loss is not finite.
    pub(super) fn rounding(&self, epsilon: f64) -> f64 {
        match self.is_finite() {
            true => epsilon * self.largest,
            false => f64::NAN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_that_of_the_largest_loss() {
        let mut shell = Shell::around(-2.0);
        assert_eq!(shell.rounding(0.5), 1.0);
        shell.push([1.0, -3.0]);
        shell.push([6.0, -8.0]);
        shell.push([0.0, 0.0]);
        assert_eq!(shell.samples, [1.0, 1.0, 2.0]);
        assert_eq!(shell.rounding(0.5), 4.0);
        assert_eq!(shell.rise().unwrap().value, 4.0 / 3.0);
    }

    #[test]
    fn one_loss_that_is_not_finite_leaves_no_rise() {
        for loss in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut shell = Shell::around(0.0);
            shell.push([1.0, 1.0]);
            shell.push([1.0, loss]);
            assert!(shell.rise().is_none() && shell.rounding(0.5).is_nan());
            assert!(shell.samples[0] == 1.0 && !shell.samples[1].is_finite());
        }
    }
}
