use super::least_squares::{solve, variance};
use super::{TemperatureLaw, TemperatureRung};

/// What rounding may make of a loss, in units of the largest.
const ROUNDING: f64 = 64.0 * f64::EPSILON;

/// The range of `ln nβ + c` at the smallest `β`. Below it the law has a pole, above it `c` is as good as infinite.
const OFFSETS: (f64, f64) = (0.5, 1000.0);

/// Points of the range from which the search for the offset starts.
const NUM_OFFSETS: usize = 64;

/// Steps of the golden section: the offset to the root of rounding.
const NUM_SECTIONS: usize = 60;

/// `n E[L]` over `1/β`, weighted by standard errors.
pub(super) struct Regression {
    /// `1/β`.
    temperatures: Vec<f64>,
    /// `ln nβ`, less its least value.
    logarithms: Vec<f64>,
    least_logarithm: f64,
    /// Less the first, which is added again.
    losses: Vec<f64>,
    first_loss: f64,
    /// The inverse standard errors, or ones.
    weights: Vec<f64>,
    has_errors: bool,
    /// The least mean square of residuals that is not rounding.
    rounding: f64,
}

/// A law with its numbers.
pub(super) struct Fit {
    pub(super) law: TemperatureLaw,
    /// `n L₀`.
    pub(super) intercept: f64,
    pub(super) learning_coefficient: f64,
    pub(super) standard_error: f64,
    pub(super) multiplicity: f64,
    /// The constant beside `ln nβ`.
    pub(super) offset: Option<f64>,
    /// The corrected criterion of Akaike; none if there are too few rungs.
    pub(super) aicc: Option<f64>,
}

impl Regression {
    /// At least two rungs of different temperatures, with standard errors that are all positive or all zero.
    pub(super) fn new(num_examples: usize, rungs: &[TemperatureRung]) -> Self {
        let logs = rungs.iter().map(|rung| rung.inverse_temperature.ln());
        let logs: Vec<f64> = logs.map(|log| log + (num_examples as f64).ln()).collect();
        let least_logarithm = logs.iter().copied().fold(f64::INFINITY, f64::min);
        let first_loss = rungs.first().map_or(0.0, |rung| rung.mean_loss);
        let has_errors = rungs.iter().any(|rung| rung.standard_error > 0.0);
        let weight = |rung: &TemperatureRung| match has_errors {
            true => rung.standard_error.recip(),
            false => 1.0,
        };
        let largest = rungs.iter().map(|rung| rung.mean_loss.abs());
        let largest = largest.fold(0.0, f64::max);
        Self {
            temperatures: rungs
                .iter()
                .map(|rung| rung.inverse_temperature.recip())
                .collect(),
            logarithms: logs.iter().map(|log| log - least_logarithm).collect(),
            least_logarithm,
            losses: rungs
                .iter()
                .map(|rung| rung.mean_loss - first_loss)
                .collect(),
            first_loss,
            weights: rungs.iter().map(weight).collect(),
            has_errors,
            rounding: (ROUNDING * largest).powi(2).max(f64::MIN_POSITIVE),
        }
    }

    /// The fit of a law; none if it has more numbers than there are rungs.
    pub(super) fn fit(&self, law: TemperatureLaw) -> Option<Fit> {
        let count = self.losses.len();
        if count < law.num_parameters() {
            return None;
        }
        let distance = match law {
            TemperatureLaw::Regular => None,
            _ => Some(self.distance(law)),
        };
        let (coefficients, cost) = self.at(law, distance)?;
        let [intercept, learning_coefficient, ..] = coefficients[..] else {
            return None;
        };
        let multiplicity = match law {
            TemperatureLaw::Regular => 1.0,
            TemperatureLaw::Double => 2.0,
            TemperatureLaw::Free => 1.0 + coefficients.get(2)?,
        };
        let mut others = vec![self.weighted(|_, _| 1.0)];
        if let Some(distance) = distance {
            let excess = multiplicity - 1.0;
            let slope =
                |temperature: f64, log: f64| excess * temperature / (log + distance).powi(2);
            others.push(self.weighted(slope));
        }
        if law == TemperatureLaw::Free {
            others.extend(self.columns(law, distance).into_iter().nth(2));
        }
        let variance = variance(&self.weighted(|temperature, _| temperature), &others);
        Some(Fit {
            law,
            intercept: intercept + self.first_loss,
            learning_coefficient,
            standard_error: (variance * self.residual_variance(law, cost)).sqrt(),
            multiplicity,
            offset: distance.map(|distance| distance - self.least_logarithm),
            aicc: self.aicc(law, cost),
        })
    }

    /// The variance of residuals in units of the weights.
    fn residual_variance(&self, law: TemperatureLaw, cost: f64) -> f64 {
        if self.has_errors {
            return 1.0;
        }
        match self.losses.len().saturating_sub(law.num_parameters()) {
            0 => 0.0,
            free => cost / free as f64,
        }
    }

    fn aicc(&self, law: TemperatureLaw, cost: f64) -> Option<f64> {
        let count = self.losses.len() as f64;
        // Without standard errors the variance of the residuals is fitted as well.
        let (misfit, parameters) = match self.has_errors {
            true => (cost, law.num_parameters()),
            false => {
                let square = (cost / count).max(self.rounding);
                (count * square.ln(), law.num_parameters() + 1)
            }
        };
        let parameters = parameters as f64;
        let free = count - parameters - 1.0;
        (free > 0.0)
            .then(|| misfit + 2.0 * parameters + 2.0 * parameters * (parameters + 1.0) / free)
    }

    /// The `ln nβ + c` at the smallest `β` with which a law fits best.
    fn distance(&self, law: TemperatureLaw) -> f64 {
        let cost = |log: f64| {
            let found = self.at(law, Some(log.exp()));
            found.map_or(f64::INFINITY, |(_, cost)| cost)
        };
        let (from, to) = (OFFSETS.0.ln(), OFFSETS.1.ln());
        let width = (to - from) / (NUM_OFFSETS - 1) as f64;
        let costs = (0..NUM_OFFSETS).map(|index| {
            let log = from + width * index as f64;
            (log, cost(log))
        });
        let best = costs.min_by(|(_, one), (_, other)| one.total_cmp(other));
        let best = best.map_or(from, |(log, _)| log);
        let (mut low, mut high) = ((best - width).max(from), (best + width).min(to));
        let golden = 0.5 * (5.0_f64.sqrt() - 1.0);
        let mut inner = [high - golden * (high - low), low + golden * (high - low)];
        let mut costs = inner.map(cost);
        for _ in 0..NUM_SECTIONS {
            if costs[0] <= costs[1] {
                high = inner[1];
                inner = [high - golden * (high - low), inner[0]];
                costs = [cost(inner[0]), costs[0]];
            } else {
                low = inner[0];
                inner = [inner[1], low + golden * (high - low)];
                costs = [costs[1], cost(inner[1])];
            }
        }
        (0.5 * (low + high)).exp()
    }

    /// The coefficients of a law at an offset, and the weighted sum of squared residuals.
    fn at(&self, law: TemperatureLaw, distance: Option<f64>) -> Option<(Vec<f64>, f64)> {
        let columns = self.columns(law, distance);
        let losses = self.losses.iter().zip(&self.weights);
        let mut target: Vec<f64> = losses.map(|(loss, weight)| loss * weight).collect();
        if let (TemperatureLaw::Double, Some(distance)) = (law, distance) {
            // The known term is subtracted.
            let known = self.weighted(|temperature, log| temperature / (log + distance));
            for (target, known) in target.iter_mut().zip(known) {
                *target += known;
            }
        }
        let solution = solve(&columns, &target)?;
        Some((solution.coefficients, solution.cost))
    }

    /// What the linear coefficients of a law multiply.
    fn columns(&self, law: TemperatureLaw, distance: Option<f64>) -> Vec<Vec<f64>> {
        let mut columns = vec![
            self.weighted(|_, _| 1.0),
            self.weighted(|temperature, _| temperature),
        ];
        if let (TemperatureLaw::Free, Some(distance)) = (law, distance) {
            columns.push(self.weighted(|temperature, log| -temperature / (log + distance)));
        }
        columns
    }

    /// A function of `1/β` and the logarithm at every rung, times the weights.
    fn weighted(&self, column: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        let places = self.temperatures.iter().zip(&self.logarithms);
        places
            .zip(&self.weights)
            .map(|((temperature, log), weight)| weight * column(*temperature, *log))
            .collect()
    }
}
