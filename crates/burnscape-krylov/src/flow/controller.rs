/// What error is tolerated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tolerances {
    /// The tolerance of a coordinate times the root of their number.
    pub(super) absolute: f64,
    pub(super) relative: f64,
}

impl Tolerances {
    /// A norm over the norm that is tolerated for a vector of that size.
    pub(super) fn ratio(&self, norm: f64, size: f64) -> f64 {
        if norm == 0.0 {
            return 0.0;
        }
        norm / (self.absolute + self.relative * size)
    }
}

/// The share of the length at which the error would be as tolerated.
const SAFETY: f64 = 0.9;
const SMALLEST: f64 = 0.2;
const LARGEST: f64 = 10.0;

/// Chooses the next length from the errors of the last two accepted steps (PI control), relative to what is tolerated.
///
/// With the last error alone, steps that stability limits alternate between too long and too short, and are rejected.
#[derive(Debug, Clone)]
pub(super) struct Controller {
    /// The error of a step is proportional to its length to this power.
    power: f64,
    previous: Option<f64>,
    may_grow: bool,
}

impl Controller {
    pub(super) fn new(power: usize) -> Self {
        Self {
            power: power as f64,
            previous: None,
            may_grow: true,
        }
    }

    /// The factor of the length after an accepted step.
    pub(super) fn accepted(&mut self, error: f64) -> f64 {
        let wanted = match self.previous {
            None => error.powf(-1.0 / self.power),
            Some(previous) => error.powf(-0.7 / self.power) * previous.powf(0.4 / self.power),
        };
        // A step just rejected is not made longer at once.
        let most = if self.may_grow { LARGEST } else { 1.0 };
        self.previous = Some(error.max(1e-4));
        self.may_grow = true;
        (SAFETY * wanted).clamp(SMALLEST, most)
    }

    /// The factor of the length after a rejected step, whose error may be infinite.
    pub(super) fn rejected(&mut self, error: f64) -> f64 {
        self.may_grow = false;
        (SAFETY * error.powf(-1.0 / self.power)).clamp(SMALLEST, SAFETY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_stay_in_their_range() {
        let mut controller = Controller::new(5);
        assert_eq!(controller.rejected(f64::INFINITY), SMALLEST);
        assert_eq!(controller.accepted(0.0), 1.0);
        assert_eq!(controller.accepted(0.0), LARGEST);
        assert_eq!(controller.accepted(1e-300), LARGEST);
        assert!(controller.rejected(1.0 + 1e-15) <= SAFETY);
        assert!(controller.accepted(1.0) < 1.0);
    }

    #[test]
    fn lengths_settle_where_errors_are_below_the_tolerance() {
        // The error is h³ exactly.
        let (mut controller, mut h) = (Controller::new(3), 1e-3_f64);
        for _ in 0..100 {
            h *= controller.accepted(h.powi(3));
        }
        assert!((h.powi(3) - SAFETY.powf(3.0 / 0.3)).abs() < 1e-6, "{h}");
    }

    #[test]
    fn nothing_is_tolerated_of_zero_without_an_absolute_tolerance() {
        let tolerances = Tolerances {
            absolute: 0.0,
            relative: 0.5,
        };
        assert_eq!(tolerances.ratio(0.0, 0.0), 0.0);
        assert_eq!(tolerances.ratio(1e-300, 0.0), f64::INFINITY);
        assert_eq!(tolerances.ratio(3.0, 2.0), 3.0);
    }
}
