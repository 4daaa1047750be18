//! What restores the moments of a layer, and the parameters that change by it.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::Tensor;

use super::layers::Layer;
use super::moments::Moments;
use super::probe::{NAMES, Probe};
use super::report::RepairedLayer;
use crate::merge::MergeError;
use crate::merge::models::uploaded;
use crate::space::{FloatTensor, SpaceError, epsilon, to_host};

/// Changes up to this many units in the last place are rounding errors of the forward passes, and are not made.
const ROUNDING: f64 = 64.0;
/// The largest unit in the last place for that: the moments of many half-precision numbers have more digits than these.
const LARGEST_UNIT: f64 = f32::EPSILON as f64;

/// The moments of a layer.
pub(super) struct Seen<'s> {
    pub(super) a: &'s Moments,
    pub(super) b: &'s Moments,
    pub(super) merged: &'s Moments,
}

/// What makes the moments of a layer those between two models.
#[derive(Debug, Default)]
pub(super) struct Rescaling {
    pub(super) factors: Vec<f64>,
    /// The shifts after the change; empty without shifts.
    pub(super) shifts: Vec<f64>,
    pub(super) dead: Vec<usize>,
    pub(super) deviation_ratio: f64,
}

impl Rescaling {
    /// With a shift `c`, a channel `y` becomes `r (y − c) + c'`. Without scales `r` is 1.
    pub(super) fn new(
        seen: &Seen<'_>,
        alpha: f64,
        is_scaled: bool,
        shifts: Option<&[f64]>,
        num_channels: usize,
        epsilon: f64,
    ) -> Self {
        let between = |a: f64, b: f64| a - alpha * (a - b);
        let rounding = ROUNDING * epsilon.min(LARGEST_UNIT);
        let mut found = Self::default();
        let (mut ratios, mut num_ratios) = (0.0, 0.0);
        for channel in 0..num_channels {
            let own = (seen.merged.mean(channel), seen.merged.deviation(channel));
            let mean = between(seen.a.mean(channel), seen.b.mean(channel));
            let deviation = between(seen.a.deviation(channel), seen.b.deviation(channel));
            let factor = if own.1 <= epsilon * own.0.hypot(own.1) {
                found.dead.push(channel);
                1.0
            } else {
                if deviation > 0.0 {
                    ratios += own.1 / deviation;
                    num_ratios += 1.0;
                }
                let factor = deviation / own.1;
                let is_same = (factor - 1.0).abs() <= rounding;
                if is_same || !is_scaled { 1.0 } else { factor }
            };
            found.factors.push(factor);
            if let Some(&shift) = shifts.and_then(|shifts| shifts.get(channel)) {
                let gap = mean - (factor * (own.0 - shift) + shift);
                let size = mean.abs() + deviation + factor * (own.0.abs() + shift.abs());
                let is_same = gap.abs() <= rounding * size;
                found.shifts.push(if is_same { shift } else { shift + gap });
            }
        }
        found.deviation_ratio = ratios / num_ratios;
        found
    }
}

/// The parameters of a merged model while its layers are repaired.
pub(super) struct Parameters<'t> {
    tensors: &'t [FloatTensor],
    /// Those that have changed, in f64 and in their own element type.
    changed: BTreeMap<usize, (Vec<f64>, Tensor<1>)>,
}

impl<'t> Parameters<'t> {
    pub(super) fn new(tensors: &'t [FloatTensor]) -> Self {
        Self {
            tensors,
            changed: BTreeMap::new(),
        }
    }

    /// Returns an error if an output of a layer is not finite.
    pub(super) fn check(&self, layer: &Layer, seen: &Seen<'_>) -> Result<(), MergeError> {
        for (name, moments) in NAMES.into_iter().zip([seen.a, seen.b, seen.merged]) {
            if let Some(channel) = moments.non_finite() {
                let scale = layer.scale.first().map(|&(tensor, _)| tensor);
                let path = scale.or(layer.shift).map(|tensor| self.path(tensor));
                return Err(MergeError::NonFiniteOutput {
                    model: name.to_string(),
                    layer: path.unwrap_or_default(),
                    channel,
                });
            }
        }
        Ok(())
    }

    /// Repairs a layer, also for the probe.
    pub(super) fn repair<M: Module, F>(
        &mut self,
        layer: &Layer,
        seen: &Seen<'_>,
        alpha: f64,
        probe: &mut Probe<'_, M, F>,
    ) -> Result<RepairedLayer, SpaceError> {
        let shifts = layer.shift.map(|shift| self.values(shift)).transpose()?;
        let mut parameters = layer.scale.iter().map(|&(tensor, _)| tensor);
        let first = parameters.next().or(layer.shift);
        let dtype = first.map(|tensor| self.tensors[tensor].values.dtype());
        let rescaling = Rescaling::new(
            seen,
            alpha,
            !layer.scale.is_empty(),
            shifts.as_deref(),
            layer.num_channels,
            dtype.map_or(f64::EPSILON, epsilon),
        );
        if rescaling.factors.iter().any(|factor| *factor != 1.0) {
            for &(tensor, axis) in &layer.scale {
                let mut values = self.values(tensor)?;
                scale(
                    &mut values,
                    &self.tensors[tensor].shape,
                    axis,
                    &rescaling.factors,
                );
                probe.replace(tensor, self.write(tensor, values));
            }
        }
        if let (Some(tensor), Some(shifts)) = (layer.shift, shifts)
            && shifts != rescaling.shifts
        {
            let values = self.write(tensor, rescaling.shifts.clone());
            probe.replace(tensor, values);
        }
        let factors = || rescaling.factors.iter().copied();
        let (smallest_factor, largest_factor) = (
            factors().fold(f64::INFINITY, f64::min),
            factors().fold(f64::NEG_INFINITY, f64::max),
        );
        let scale = layer.scale.iter().map(|&(tensor, _)| self.path(tensor));
        Ok(RepairedLayer {
            scale: scale.collect(),
            shift: layer.shift.map(|tensor| self.path(tensor)),
            num_channels: layer.num_channels,
            smallest_factor,
            largest_factor,
            dead: rescaling.dead,
            deviation_ratio: rescaling.deviation_ratio,
        })
    }

    /// The float tensors that have changed, with their new values.
    pub(super) fn into_changed(self) -> impl Iterator<Item = (&'t FloatTensor, Tensor<1>)> {
        let tensors = self.tensors;
        let changed = self.changed.into_iter();
        changed.map(move |(tensor, (_, values))| (&tensors[tensor], values))
    }

    fn path(&self, tensor: usize) -> String {
        let paths = self.tensors[tensor].paths.first();
        paths.cloned().unwrap_or_default()
    }

    fn values(&self, tensor: usize) -> Result<Vec<f64>, SpaceError> {
        match self.changed.get(&tensor) {
            Some((values, _)) => Ok(values.clone()),
            None => to_host(self.tensors[tensor].values.clone()),
        }
    }

    fn write(&mut self, tensor: usize, values: Vec<f64>) -> Tensor<1> {
        let rounded = uploaded(values.clone(), &self.tensors[tensor].values);
        self.changed.insert(tensor, (values, rounded.clone()));
        rounded
    }
}

/// Multiplies the values at each index along an axis by its factor.
fn scale(values: &mut [f64], shape: &[usize], axis: usize, factors: &[f64]) {
    let inner: usize = shape[axis + 1..].iter().product();
    let runs = values.chunks_mut(inner.max(1));
    for (run, factor) in runs.zip(factors.iter().cycle()) {
        for value in run {
            *value *= factor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(values: &[f64]) -> Moments {
        Moments::of(values, [values.len(), 1, 1])
    }

    /// D4: two units of deviation 1 and correlation 0.4.
    #[test]
    fn a_collapsed_deviation_is_restored() {
        let (a, b) = (moments(&[3.0, 1.0]), moments(&[5.0, 3.0]));
        let merged = moments(&[2.0 + 0.83666, 2.0 - 0.83666]);
        let seen = Seen {
            a: &a,
            b: &b,
            merged: &merged,
        };
        let found = Rescaling::new(&seen, 0.5, true, Some(&[0.5]), 1, f64::EPSILON);
        let factor = 1.0 / 0.83666;
        assert!((found.factors[0] - factor).abs() < 1e-14);
        assert!((found.deviation_ratio - 0.83666).abs() < 1e-14);
        // r (2 − 0.5) + c' = 3.
        assert!((found.shifts[0] - (3.0 - 1.5 * factor)).abs() < 1e-14);
        let only_shifted = Rescaling::new(&seen, 0.0, false, Some(&[0.5]), 1, f64::EPSILON);
        assert_eq!(
            (only_shifted.factors[0], only_shifted.shifts[0]),
            (1.0, 0.5)
        );
    }

    #[test]
    fn channels_without_a_deviation_keep_their_scale() {
        let (a, b) = (moments(&[1.0, 3.0]), moments(&[2.0, 2.0]));
        let dead = moments(&[1.5, 1.5]);
        let seen = Seen {
            a: &a,
            b: &b,
            merged: &dead,
        };
        let found = Rescaling::new(&seen, 0.25, true, Some(&[1.0]), 1, f64::EPSILON);
        assert_eq!((found.factors, found.dead), (vec![1.0], vec![0]));
        assert!((found.shifts[0] - 1.5).abs() < 1e-15);
        assert!(found.deviation_ratio.is_nan());
        // A channel that is dead at both ends dies.
        let (ends, alive) = (moments(&[2.0, 2.0]), moments(&[1.0, 2.0]));
        let seen = Seen {
            a: &ends,
            b: &ends,
            merged: &alive,
        };
        let found = Rescaling::new(&seen, 0.5, true, None, 1, f64::EPSILON);
        assert_eq!((found.factors, found.shifts), (vec![0.0], Vec::new()));
    }

    #[test]
    fn factors_act_along_their_axis() {
        let mut values = vec![1.0; 12];
        scale(&mut values, &[2, 3, 2], 1, &[1.0, 2.0, 3.0]);
        assert_eq!(
            values,
            [1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0]
        );
        let mut values = vec![1.0; 4];
        scale(&mut values, &[2, 2], 0, &[1.0, 5.0]);
        assert_eq!(values, [1.0, 1.0, 5.0, 5.0]);
    }
}
