//! From values to places between 0 and 1, for numbers of any size.

use crate::AxisScale;
use crate::draw::number_text::{exponent, fixed, power, significant};

/// Where values lie between the ends of an axis.
///
/// Inside, a value is `(value − offset) / 10^exponent` or its decimal logarithm, so that neither the largest numbers
/// overflow nor small differences of large ones vanish.
#[derive(Debug, Clone)]
pub(super) struct Scale {
    kind: AxisScale,
    offset: f64,
    exponent: i32,
    low: f64,
    high: f64,
}

/// Places of numbers on an axis.
#[derive(Debug, Clone, Default)]
pub(super) struct Ticks {
    /// With their text.
    pub(super) major: Vec<(f64, String)>,
    /// Between them, without.
    pub(super) minor: Vec<f64>,
}

/// Below this, a number is as good as zero on a linear axis.
const TINY: f64 = 1e-300;

impl Scale {
    /// From the smallest to the largest value that has a place; `None` if none has one.
    pub(super) fn of(kind: AxisScale, values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let has_place =
            |value: &f64| value.is_finite() && (kind == AxisScale::Linear || *value > 0.0);
        let mut ends: Option<(f64, f64)> = None;
        for value in values.into_iter().filter(has_place) {
            let (low, high) = ends.unwrap_or((value, value));
            ends = Some((low.min(value), high.max(value)));
        }
        let (low, high) = ends?;
        Some(match kind {
            AxisScale::Linear => Self::linear(low, high),
            AxisScale::Log => Self::log(low.log10(), high.log10()),
        })
    }

    fn linear(low: f64, high: f64) -> Self {
        let of = |offset: f64, exponent: i32| {
            let inside = |value: f64| (value - offset) / 10_f64.powi(exponent);
            Self {
                kind: AxisScale::Linear,
                offset,
                exponent,
                low: inside(low),
                high: inside(high),
            }
        };
        let largest = low.abs().max(high.abs());
        if largest < TINY {
            return Self {
                low: -1.0,
                high: 1.0,
                ..of(0.0, 0)
            };
        }
        let span = high / largest - low / largest;
        if span < 1e-12 {
            let mut scale = of(0.0, unit(largest));
            let around = 0.1 * scale.low.abs().max(scale.high.abs());
            scale.low -= around;
            scale.high += around;
            return scale;
        }
        if span > 1e-5 {
            return of(0.0, unit(largest));
        }
        // Many values in a small interval far from zero: what differs is shown.
        let step = 10_f64.powi(exponent(high - low));
        let offset = (low / step).floor() * step;
        of(offset, unit(high - offset))
    }

    fn log(low: f64, high: f64) -> Self {
        let around = if high - low < 1e-9 { 0.5 } else { 0.0 };
        Self {
            kind: AxisScale::Log,
            offset: 0.0,
            exponent: 0,
            low: low - around,
            high: high + around,
        }
    }

    /// With room around, in shares of the length.
    pub(super) fn padded(mut self, below: f64, above: f64) -> Self {
        let span = self.high - self.low;
        self.low -= below * span;
        self.high += above * span;
        self
    }

    /// From zero, if the values are not negative and zero is near.
    pub(super) fn with_zero_if_near(mut self) -> Self {
        let has_zero = self.kind == AxisScale::Linear && self.offset == 0.0;
        if has_zero && self.low >= 0.0 && self.low < 0.3 * self.high {
            self.low = 0.0;
        }
        self
    }

    /// No lower than this share of the highest value, on a logarithmic scale.
    pub(super) fn with_floor(mut self, decades: f64) -> Self {
        if self.kind == AxisScale::Log {
            self.low = self.low.max(self.high - decades);
        }
        self
    }

    pub(super) fn kind(&self) -> AxisScale {
        self.kind
    }

    /// The length of the scale in its own units: differences, or decades.
    pub(super) fn span(&self) -> f64 {
        match self.kind {
            AxisScale::Linear => (self.high - self.low) * 10_f64.powi(self.exponent),
            AxisScale::Log => self.high - self.low,
        }
    }

    /// 0 at the low end, 1 at the high end; beyond them for values outside.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        let inside = match self.kind {
            AxisScale::Linear => (value - self.offset) / 10_f64.powi(self.exponent),
            AxisScale::Log if value > 0.0 => value.log10(),
            AxisScale::Log => return None,
        };
        let place = (inside - self.low) / (self.high - self.low);
        (value.is_finite() && place.is_finite()).then(|| place.clamp(-100.0, 101.0))
    }

    fn place_of_inside(&self, inside: f64) -> f64 {
        (inside - self.low) / (self.high - self.low)
    }

    /// What belongs after the label of the axis so that the numbers at its ticks are right.
    pub(super) fn factor(&self) -> String {
        let mut text = String::new();
        if self.offset != 0.0 {
            let last = exponent(self.span());
            let first = exponent(self.offset);
            let offset = self.offset.abs();
            let offset = if (-6..12).contains(&first) && last > -15 {
                fixed(offset, (-last).max(0) as usize)
            } else {
                significant(offset, (first - last + 1).clamp(1, 15) as usize)
            };
            text = format!(" {} {offset}", if self.offset > 0.0 { '−' } else { '+' });
        }
        if self.exponent != 0 {
            text.push_str(&format!(" (×{})", power(self.exponent)));
        }
        text
    }

    /// At most about `most` ticks.
    pub(super) fn ticks(&self, most: usize) -> Ticks {
        let most = most.max(2);
        match self.kind {
            AxisScale::Linear => self.linear_ticks(most),
            AxisScale::Log => self.log_ticks(most),
        }
    }

    fn linear_ticks(&self, most: usize) -> Ticks {
        let (step, decimals) = nice_step((self.high - self.low) / most as f64);
        let mut ticks = Ticks::default();
        for index in steps(self.low, self.high, step) {
            let inside = index as f64 * step;
            ticks
                .major
                .push((self.place_of_inside(inside), fixed(inside, decimals)));
        }
        ticks
    }

    fn log_ticks(&self, most: usize) -> Ticks {
        let decades = steps(self.low, self.high, 1.0);
        let count = (decades.end() - decades.start() + 1).max(0) as usize;
        let is_plain = self.low >= -4.01 && self.high <= 5.01;
        let candidates: [&[u8]; 4] = [
            &[1, 3],
            &[1, 2, 5],
            &[1, 2, 3, 5, 7],
            &[1, 2, 3, 4, 5, 6, 7, 8, 9],
        ];
        let mut fitting = candidates
            .iter()
            .map(|mantissas| self.mantissa_ticks(mantissas))
            .filter(|places| (3..=most.max(3)).contains(&places.len()));
        let Some(places) = fitting.next_back().filter(|_| count < 5) else {
            if count >= 2 {
                return self.decade_ticks(stride(count, most), is_plain);
            }
            return self.values_on_log();
        };
        let labeled = |&(inside, mantissa, decade): &(f64, u8, i32)| {
            let text = match mantissa {
                _ if is_plain => {
                    let value = f64::from(mantissa) * 10_f64.powi(decade);
                    fixed(value, (-decade).max(0) as usize)
                }
                1 => power(decade),
                _ => format!("{mantissa}×{}", power(decade)),
            };
            (self.place_of_inside(inside), text)
        };
        Ticks {
            major: places.iter().map(labeled).collect(),
            minor: self.minor(),
        }
    }

    fn decade_ticks(&self, stride: i64, is_plain: bool) -> Ticks {
        let mut ticks = Ticks::default();
        for decade in steps(self.low, self.high, 1.0).filter(|decade| decade % stride == 0) {
            let text = if is_plain {
                fixed(10_f64.powi(decade as i32), (-decade).max(0) as usize)
            } else {
                power(decade as i32)
            };
            ticks
                .major
                .push((self.place_of_inside(decade as f64), text));
        }
        if stride == 1 {
            ticks.minor = self.minor();
        }
        ticks
    }

    fn minor(&self) -> Vec<f64> {
        if self.high - self.low > 7.0 {
            return vec![];
        }
        let all = self.mantissa_ticks(&[2, 3, 4, 5, 6, 7, 8, 9]);
        all.iter()
            .map(|tick| self.place_of_inside(tick.0))
            .collect()
    }

    /// Decimal logarithms of `m · 10ⁿ`, with `m` and `n`.
    fn mantissa_ticks(&self, mantissas: &[u8]) -> Vec<(f64, u8, i32)> {
        let mut found = vec![];
        for decade in (self.low.floor() as i32)..=(self.high.floor() as i32) {
            for &mantissa in mantissas {
                let inside = f64::from(decade) + f64::from(mantissa).log10();
                if inside >= self.low - 1e-9 && inside <= self.high + 1e-9 {
                    found.push((inside, mantissa, decade));
                }
            }
        }
        found
    }

    /// For a range too short for powers of ten: equal differences on the logarithmic axis.
    fn values_on_log(&self) -> Ticks {
        let (low, high) = (10_f64.powf(self.low), 10_f64.powf(self.high));
        let mut ticks = Ticks::default();
        let (step, _) = nice_step((high - low) / 4.0);
        if !(step > TINY && step.is_finite()) {
            return ticks;
        }
        for index in steps(low, high, step) {
            let value = index as f64 * step;
            let digits = exponent(value) - exponent(step) + 1;
            let text = significant(value, digits.clamp(1, 12) as usize);
            ticks
                .major
                .push((self.place_of_inside(value.log10()), text));
        }
        ticks
    }

    /// Places of about `most` round values, in order, for lines of equal value.
    pub(super) fn levels(&self, most: usize) -> Vec<f64> {
        let places: Vec<f64> = match self.kind {
            AxisScale::Linear => self.linear_ticks(most).major.iter().map(|t| t.0).collect(),
            AxisScale::Log => self.log_levels(most),
        };
        places
            .into_iter()
            .filter(|place| *place > 1e-9 && *place < 1.0 - 1e-9)
            .collect()
    }

    fn log_levels(&self, most: usize) -> Vec<f64> {
        let candidates: [&[u8]; 5] = [
            &[1, 2, 3, 4, 5, 6, 7, 8, 9],
            &[1, 2, 3, 4, 6, 8],
            &[1, 2, 5],
            &[1, 3],
            &[1],
        ];
        let inside: Vec<f64> = candidates
            .iter()
            .map(|mantissas| self.mantissa_ticks(mantissas))
            .find(|found| found.len() <= most)
            .map(|found| found.iter().map(|tick| tick.0).collect())
            .unwrap_or_else(|| {
                let decades = (self.high - self.low).ceil() as usize;
                let stride = stride(decades, most);
                steps(self.low, self.high, 1.0)
                    .filter(|decade| decade % stride == 0)
                    .map(|decade| decade as f64)
                    .collect()
            });
        if inside.len() >= 5 {
            return inside
                .into_iter()
                .map(|at| self.place_of_inside(at))
                .collect();
        }
        // Less than a decade.
        (1..most).map(|i| i as f64 / most as f64).collect()
    }
}

/// The power of ten in which an axis is written: that of the largest number, and none for those that read well.
fn unit(largest: f64) -> i32 {
    let exponent = exponent(largest);
    if (-3..=4).contains(&exponent) {
        0
    } else {
        exponent.clamp(-300, 308)
    }
}

/// A step of 1, 2 or 5 times a power of ten, at least as long as asked for, and its decimals.
fn nice_step(least: f64) -> (f64, usize) {
    let exponent = exponent(least);
    let base = 10_f64.powi(exponent);
    for mantissa in [1.0, 2.0, 5.0] {
        if mantissa * base >= least * (1.0 - 1e-9) {
            return (mantissa * base, (-exponent).clamp(0, 15) as usize);
        }
    }
    (10.0 * base, (-exponent - 1).clamp(0, 15) as usize)
}

/// Every so many decades have a tick, so that there are at most `most`.
fn stride(decades: usize, most: usize) -> i64 {
    let round = [1, 2, 3, 5, 10, 20, 50, 100, 200];
    let fitting = round
        .into_iter()
        .find(|stride| decades.div_ceil(*stride) <= most);
    fitting.unwrap_or(500) as i64
}

/// Multiples of a step inside an interval, with its ends.
fn steps(low: f64, high: f64, step: f64) -> std::ops::RangeInclusive<i64> {
    let slack = 1e-6;
    let first = (low / step - slack).ceil() as i64;
    let last = (high / step + slack).floor() as i64;
    first..=last.min(first.saturating_add(1000))
}

#[cfg(test)]
#[path = "scale_tests.rs"]
mod tests;
