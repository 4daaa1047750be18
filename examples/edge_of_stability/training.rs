use std::time::Instant;

use burn::tensor::Device;
use burnscape::dynamics::{
    CurvatureMonitorConfig, CurvatureReading, Due, Moment, Observation, Watch,
};
use burnscape::loss::Risk;

use super::digits::Digits;
use super::network::{Mlp, loss};
use super::optimizers::Name;
use crate::{Args, Failure};

/// One training: of an optimizer, or of the gradient flow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job {
    /// None for the flow.
    pub(crate) optimizer: Option<Name>,
    pub(crate) seed: u64,
}

pub(crate) struct Run {
    pub(crate) job: Job,
    pub(crate) observations: Vec<Observation<CurvatureReading>>,
}

/// The flow has shown that it passes the edge once its sharpness is this multiple of it.
pub(crate) const PASSED: f64 = 1.25;

impl Job {
    pub(crate) fn name(&self) -> &'static str {
        self.optimizer.map_or("gradient flow", Name::label)
    }

    pub(crate) fn run(self, args: &Args, digits: &Digits) -> Result<Run, Failure> {
        let started = Instant::now();
        let device = Device::default().autodiff();
        let data = digits.tensors(&device);
        let mut model = Mlp::new(args.width, self.seed, &device)?;
        let mut setting = self.optimizer.unwrap_or(Name::GradientDescent).setting()?;
        let (mut steps, mut every, mut enough) = (args.steps, args.every, f64::INFINITY);
        if self.optimizer.is_none() {
            // The same time of training, in smaller steps.
            enough = PASSED * 2.0 / setting.lr;
            setting.lr /= args.flow as f64;
            (steps, every) = (steps * args.flow, every * args.flow);
        }
        let monitor = CurvatureMonitorConfig::new().with_optimizer(setting.rule.clone());
        let risk = Risk::new(&loss, std::slice::from_ref(&data));
        let mut watch = Watch::new(Due::Every(every), monitor.init()?, risk)?;
        for step in 0..=steps {
            let mut moment = Moment::new(step, setting.lr, &model);
            if let Some(optimizer) = setting.trainer.burn() {
                moment = moment.with_optimizer(optimizer);
            }
            let seen = watch.observe(&moment)?;
            if seen.is_some_and(|seen| seen.reading.sharpness > enough) {
                break;
            }
            model = setting.trainer.step(setting.lr, model, &data)?;
        }
        eprintln!(
            "{}, seed {}: {:.0} s",
            self.name(),
            self.seed,
            started.elapsed().as_secs_f64()
        );
        Ok(Run {
            job: self,
            observations: watch.readings().to_vec(),
        })
    }
}

/// Mean and standard deviation.
fn statistics(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares = values.iter().map(|value| (value - mean).powi(2));
    (mean, (squares.sum::<f64>() / count).sqrt())
}

/// The last third of a run.
pub(crate) struct Tail<'r> {
    pub(crate) readings: &'r [Observation<CurvatureReading>],
    /// Mean and standard deviation of the ratio of sharpness and edge.
    pub(crate) ratio: (f64, f64),
}

impl Run {
    pub(crate) fn ratios(&self) -> Vec<f64> {
        ratios(&self.observations)
    }

    pub(crate) fn tail(&self) -> Tail<'_> {
        let readings = &self.observations[self.observations.len() * 2 / 3..];
        Tail {
            readings,
            ratio: statistics(&ratios(readings)),
        }
    }
}

impl Tail<'_> {
    pub(crate) fn is_within(&self, (low, high): (f64, f64)) -> bool {
        (low..=high).contains(&self.ratio.0)
    }

    pub(crate) fn sharpness(&self) -> f64 {
        let values: Vec<f64> = self
            .readings
            .iter()
            .map(|seen| seen.reading.sharpness)
            .collect();
        statistics(&values).0
    }

    /// The loss at the start and at the end.
    pub(crate) fn losses(&self) -> Option<[f64; 2]> {
        let loss = |seen: &Observation<CurvatureReading>| seen.reading.loss;
        Some([
            self.readings.first().map(loss)?,
            self.readings.last().map(loss)?,
        ])
    }
}

/// Adam and RMSProp have no ratio before their first step.
fn ratios(observations: &[Observation<CurvatureReading>]) -> Vec<f64> {
    let ratios = observations.iter().map(|seen| seen.reading.edge_ratio);
    ratios.flatten().collect()
}
