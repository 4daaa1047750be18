//! The values at the points of a profile, one point after another or several at a time.

use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::Device;

use super::calibration::calibrate;
use super::{Curve, PathError};
use crate::loss::{
    Classes, Devices, Draws, LossError, NormalizationPolicy, Risk, Worker, in_order,
};
use crate::space::placed;

/// A risk of any kind.
pub(super) trait Valued<M> {
    fn value(&self, model: &M) -> Result<f64, LossError>;

    fn draws(&self) -> Draws;

    /// The same risk with its batches on a device.
    fn located(&self, device: &Device) -> Risk<'_, M>;
}

impl<M: Module, K> Valued<M> for Risk<'_, M, K> {
    fn value(&self, model: &M) -> Result<f64, LossError> {
        Ok(self.whole_loss(model)?.value)
    }

    fn draws(&self) -> Draws {
        Risk::draws(self)
    }

    fn located(&self, device: &Device) -> Risk<'_, M> {
        Risk::located(self, device)
    }
}

/// What is measured at every point.
pub(super) struct ProfilePoints<'p, M> {
    /// Names and risks, the loss on training data first.
    pub(super) risks: Vec<(&'p str, &'p dyn Valued<M>)>,
    pub(super) calibration: Option<&'p Risk<'p, M, Classes<'p, M>>>,
    pub(super) policy: NormalizationPolicy,
}

/// A place of a path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) t: f64,
    /// Where the point is taken: at 0 on a path that does not move.
    pub(super) taken_at: f64,
}

/// What was found at a point.
pub(super) struct Row {
    /// A value for each risk.
    pub(super) values: Vec<f64>,
    /// The best inverse temperature, and the loss there.
    pub(super) calibration: Option<(f64, f64)>,
}

impl<M: Module> ProfilePoints<'_, M> {
    /// Passes the values at every place to `keep`, in order, until it breaks or the observer of a risk does.
    ///
    /// If the first risk has several devices, they take points in turn. Draws would then come from
    /// one generator, so that points with draws are measured one after another.
    pub(super) fn each<K>(
        &self,
        risk: &Risk<'_, M, K>,
        curve: &(impl Curve<M> + ?Sized),
        places: &[Place],
        keep: impl FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), PathError> {
        let mut draws = self.risks.iter().map(|(_, risk)| risk.draws());
        let spread = if draws.any(|draws| draws != Draws::Refused) {
            None
        } else {
            risk.spread(curve.control_points().first())?
        };
        match spread {
            Some((devices, main)) => self.on_devices((&devices, main), risk, curve, places, keep),
            None => self.in_turn(risk, curve, places, keep),
        }
    }

    fn in_turn<K>(
        &self,
        risk: &Risk<'_, M, K>,
        curve: &(impl Curve<M> + ?Sized),
        places: &[Place],
        mut keep: impl FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), PathError> {
        for &Place { t, taken_at } in places {
            let model = self.policy.point(risk, curve, taken_at)?;
            let calibration = self.calibration.map(|risk| calibrate(risk, &model, t));
            let calibration = calibration.transpose()?;
            let values = self
                .risks
                .iter()
                .map(|(name, risk)| risk.value(&model).map_err(PathError::at(t, name)));
            let values = match values.collect::<Result<Vec<f64>, _>>() {
                Err(PathError::Stopped) => break,
                values => values?,
            };
            let row = Row {
                values,
                calibration,
            };
            if keep(row).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Points are made and calibrated on the device of the curve, by the calling thread: a curve need not be `Sync`.
    fn on_devices<K>(
        &self,
        (devices, main): (&Devices, usize),
        risk: &Risk<'_, M, K>,
        curve: &(impl Curve<M> + ?Sized),
        places: &[Place],
        mut keep: impl FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), PathError> {
        let (policy, calibration) = (self.policy, self.calibration);
        let is_calibrated = calibration.is_some();
        policy.check()?;
        let located = |device: Device| {
            let risks = self.risks.iter();
            Stage {
                train: risk.located(&device),
                risks: risks
                    .map(|(name, risk)| (*name, risk.located(&device)))
                    .collect(),
            }
        };
        let stages: Vec<Stage<'_, M>> = devices.list().into_iter().map(located).collect();
        let home = curve.control_points().space().device();
        let mut places = places.iter();
        in_order(
            (devices, main),
            stages,
            |_, stage| Ok(stage),
            |worker, stage, (t, model): (f64, M)| {
                let (values, model) = stage.values(worker, policy, t, &model)?;
                let model = is_calibrated.then(|| placed(&model, home)).transpose()?;
                Ok((t, values, model))
            },
            || {
                let Some(place) = places.next() else {
                    return Ok(None);
                };
                Ok(Some((place.t, policy.point_of(curve, place.taken_at)?)))
            },
            |(t, values, model)| {
                let calibration = match (calibration, model) {
                    (Some(risk), Some(model)) => Some(calibrate(risk, &model, t)?),
                    _ => None,
                };
                Ok(keep(Row {
                    values,
                    calibration,
                }))
            },
        )
    }
}

/// The risks on one device.
struct Stage<'p, M> {
    /// The one that statistics are re-estimated with.
    train: Risk<'p, M>,
    risks: Vec<(&'p str, Risk<'p, M>)>,
}

impl<M: Module> Stage<'_, M> {
    /// The values at a model, and the model with its statistics on this device.
    fn values(
        &self,
        worker: &Worker<'_>,
        policy: NormalizationPolicy,
        t: f64,
        model: &M,
    ) -> Result<(Vec<f64>, M), PathError> {
        let model = policy.reestimated(&self.train, placed(model, worker.device())?)?;
        let mut values = Vec::with_capacity(self.risks.len());
        for (name, risk) in &self.risks {
            let found = risk.whole_loss(&model).map_err(PathError::at(t, name))?;
            worker.note(found.num_batches);
            values.push(found.value);
        }
        Ok((values, model))
    }
}

#[cfg(test)]
#[cfg(all(feature = "flex", feature = "ndarray"))]
mod tests;
