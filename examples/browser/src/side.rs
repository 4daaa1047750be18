use std::error::Error;

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use burnscape::krylov::{EigenpairsConfig, Which};
use burnscape::landscape::{Direction, LandscapeConfig};
use burnscape::loss::Risk;
use burnscape::optim::Sam;
use burnscape::space::{DirectionNorm, Grid, UnfilteredRule};
use serde::Serialize;

use crate::mlp::Mlp;

/// The points along a slice of the landscape, and how far it reaches.
const SLICE_POINTS: usize = 31;
const SLICE_RADIUS: f64 = 1.0;

pub(crate) type Batch = (Tensor<2>, Tensor<1, Int>);

/// The cross-entropy of a batch.
pub(crate) fn loss(model: &Mlp, (points, classes): Batch) -> Tensor<1> {
    let log = burn::tensor::activation::log_softmax(model.forward(points), 1);
    -log.gather(1, classes.unsqueeze_dim::<2>(1)).mean()
}

/// A network in training.
pub struct Side {
    pub(crate) model: Mlp,
    pub(crate) optimizer: Sam,
    /// The norm of the last gradient, which SAM's edge depends on.
    gradient_norm: f64,
}

/// What is known of a network at a step.
#[derive(Debug, Clone, Serialize)]
pub struct Measurement {
    /// The largest eigenvalue of the Hessian; `None` where the loss is not finite.
    pub lambda_max: Option<f64>,
    /// The eigenvalue above which the optimizer's linearized dynamics diverge.
    pub edge: Option<f64>,
    /// The loss along a random, filter-normalized direction; empty where the loss is not finite.
    pub slice: Vec<f64>,
}

impl Side {
    pub(crate) fn new(model: Mlp, optimizer: Sam) -> Self {
        Self {
            model,
            optimizer,
            gradient_norm: 0.0,
        }
    }

    /// One step on all points. Returns the loss before it.
    pub(crate) fn step(&mut self, rate: f64, data: &Batch) -> Result<Option<f64>, Box<dyn Error>> {
        let report = self.optimizer.step(rate, &mut self.model, |model: &Mlp| {
            loss(model, data.clone())
        })?;
        self.gradient_norm = report.gradient_norm;
        Ok(report.loss)
    }

    pub(crate) fn measure(&self, rate: f64, rho: f64, data: &Batch) -> Measurement {
        // A network that has diverged has neither eigenvalues nor a slice.
        Measurement {
            lambda_max: self.lambda_max(data).ok(),
            edge: Sam::edge(self.gradient_norm, rho, rate),
            slice: self.slice(data).unwrap_or_default(),
        }
    }

    /// The largest eigenvalue of the Hessian over all points.
    pub(crate) fn lambda_max(&self, data: &Batch) -> Result<f64, Box<dyn Error>> {
        let data = std::slice::from_ref(data);
        let risk = Risk::new(&loss, data).with_checks(false);
        let hessian = risk.hessian(&self.model)?;
        let top = EigenpairsConfig::new(1, Which::Largest).run(&hessian)?;
        top.values
            .first()
            .copied()
            .ok_or_else(|| "no eigenvalue".into())
    }

    fn slice(&self, data: &Batch) -> Result<Vec<f64>, Box<dyn Error>> {
        let data = std::slice::from_ref(data);
        let risk = Risk::new(&loss, data);
        let norm = DirectionNorm::Filter(UnfilteredRule::Zero);
        let direction = Direction::random(&risk.space(&self.model)?, &self.model, norm, 0)?;
        let grid = Grid::symmetric(SLICE_RADIUS, SLICE_POINTS)?;
        let line = LandscapeConfig::new([grid]).run(&risk, &self.model, &[direction])?;
        Ok(line.losses)
    }

    /// The probability of class one on a square grid over `[−1.2, 1.2]²`, row by row from the top left.
    pub fn decision(&self, resolution: usize) -> Vec<f32> {
        let at = |index: usize| (2.0 * (index as f32 + 0.5) / resolution as f32 - 1.0) * 1.2;
        let cells = 0..resolution * resolution;
        let points = cells.flat_map(|cell| [at(cell % resolution), -at(cell / resolution)]);
        let data = TensorData::new(points.collect::<Vec<_>>(), [resolution * resolution, 2]);
        let points = Tensor::<2>::from_data(data, &Device::default().autodiff());
        let p = softmax(self.model.forward(points).inner(), 1);
        p.narrow(1, 1, 1).into_data().iter::<f32>().collect()
    }
}
