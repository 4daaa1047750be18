//! Two networks trained from different seeds, and the paths between them.

use std::error::Error;

use burn::optim::SgdConfig;
use burn::optim::momentum::MomentumConfig;
use burn::tensor::{Device, Tensor};
use burnscape::loss::{Batch, NormalizationPolicy, Risk};
use burnscape::path::{
    BezierCurve, Curve, CurveFitterConfig, CurveProfile, CurveProfileConfig, GaripovLrScheduler,
    PolygonalChain,
};
use burnscape::space::ParamSpace;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde::Serialize;

use super::data::{Digits, Split};
use super::models::Classifier;
use super::settings::{BATCH_SIZE, DAMPENING, MOMENTUM};
use super::train::{Course, loss, train};

/// Learning rate of the first half of a fit.
const FIT_RATE: f64 = 0.05;
/// The initial distance of the inner points from the line, as a fraction of its length.
const OFFSET: f64 = 0.01;

/// Lengths of training and fit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) train_epochs: usize,
    pub(crate) fit_epochs: usize,
    pub(crate) num_points: usize,
}

impl Effort {
    /// Passes over the training images, in both trainings and fits.
    pub(crate) fn epochs(self) -> usize {
        2 * (self.train_epochs + self.fit_epochs)
    }
}

/// The paths between two networks.
#[derive(Serialize, Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) seeds: [u64; 2],
    /// The straight line.
    pub(crate) line: CurveProfile,
    /// A fitted Bézier curve of degree 2.
    pub(crate) bezier: CurveProfile,
    /// The same curve with the running statistics of the nearer end.
    pub(crate) bezier_left: CurveProfile,
    /// A fitted chain with one bend.
    pub(crate) chain: CurveProfile,
    /// A line from the first network, as long as that to the second, in a random direction.
    pub(crate) random: CurveProfile,
}

/// Trains two networks and connects them; returns both, too. `progress` is called for every epoch and every profile.
pub(crate) fn connect<M: Classifier>(
    device: &Device,
    split: &Split,
    seeds: [u64; 2],
    effort: Effort,
    progress: &dyn Fn(&str, bool),
) -> Result<(Connection, [M; 2]), Box<dyn Error>> {
    let digits = split.train.clone().to_device(device);
    let network = |seed: u64| -> Result<M, Box<dyn Error>> {
        let model: M = drawn(device, seed)?;
        let course = Course {
            digits: &digits,
            num_examples: split.num_train,
            epochs: effort.train_epochs,
            seed,
        };
        let title = format!("training network {seed}");
        let trained = train(model, sgd().init(), &course, |_| progress(&title, true))?;
        Ok(trained.model)
    };
    let (a, b) = (network(seeds[0])?, network(seeds[1])?);
    let bezier = fit(
        BezierCurve::between(&a, &b, 2)?,
        &digits,
        effort,
        seeds[0],
        &|| {
            progress("fitting a Bézier curve", true);
        },
    )?;
    let chain = fit(
        PolygonalChain::between(&a, &b, 1)?,
        &digits,
        effort,
        seeds[0],
        &|| {
            progress("fitting a chain", true);
        },
    )?;
    let (loss, accuracy) = (loss::<M>, accuracy::<M>);
    let (train_data, test_data) = ([split.train.clone()], [split.test.clone()]);
    let risk = Risk::new(&loss, &train_data);
    let test_risk = Risk::new(&loss, &test_data);
    let train_accuracy = Risk::new(&accuracy, &train_data);
    let test_accuracy = Risk::new(&accuracy, &test_data);
    let whole = CurveProfileConfig::new()
        .with_test(&test_risk)
        .with_metric("train_accuracy", &train_accuracy)
        .with_metric("test_accuracy", &test_accuracy)
        .with_num_points(effort.num_points);
    let line = PolygonalChain::line(&a, &b)?;
    let random = PolygonalChain::random_line(&a, line.length()?, seeds[0])?;
    let left = CurveProfileConfig::new()
        .with_policy(NormalizationPolicy::Leave)
        .with_num_points(effort.num_points);
    let measure = |name: &str, curve: &dyn Curve<M>| {
        progress(name, false);
        whole.run(&risk, curve)
    };
    let connection = Connection {
        seeds,
        line: measure("measuring the line", &line)?,
        bezier: measure("measuring the Bézier curve", &bezier)?,
        bezier_left: left.run(&risk, &bezier)?,
        chain: measure("measuring the chain", &chain)?,
        random: measure("measuring a random line", &random)?,
    };
    Ok((connection, [a, b]))
}

/// A network whose weights are drawn from the device's random stream. Nothing that follows draws from it.
pub(crate) fn drawn<M: Classifier>(device: &Device, seed: u64) -> Result<M, Box<dyn Error>> {
    device.seed(seed);
    let model = M::new(device);
    // Burn draws weights at their first use: here, before other draws.
    ParamSpace::of(&model)?;
    Ok(model)
}

pub(crate) fn sgd() -> SgdConfig {
    SgdConfig::new().with_momentum(Some(
        MomentumConfig::new()
            .with_momentum(MOMENTUM)
            .with_dampening(DAMPENING),
    ))
}

/// Fits a curve with batches in random order, as networks are trained.
pub(crate) fn fit<M: Classifier, C: Curve<M>>(
    curve: C,
    digits: &Digits,
    effort: Effort,
    seed: u64,
    after_epoch: &dyn Fn(),
) -> Result<C, Box<dyn Error>> {
    let count = digits.num_examples()?.unwrap_or(0);
    let steps = effort.fit_epochs * count.div_ceil(BATCH_SIZE);
    let mut fitter = CurveFitterConfig::new(GaripovLrScheduler::new(FIT_RATE, steps)?)
        .with_seed(seed)
        .init(curve.offset(OFFSET, seed)?, sgd().init())?;
    let loss = loss::<M>;
    let mut order: Vec<usize> = (0..count).collect();
    let mut rng = StdRng::seed_from_u64(seed);
    for _ in 0..effort.fit_epochs {
        order.shuffle(&mut rng);
        for examples in order.chunks(BATCH_SIZE) {
            fitter.step(digits.select(examples)?, &loss)?;
        }
        after_epoch();
    }
    Ok(fitter.curve()?)
}

/// The fraction of correct labels in a batch.
fn accuracy<M: Classifier>(model: &M, digits: Digits) -> Tensor<1> {
    let predicted = model.logits(digits.images).argmax(1).flatten::<1>(0, 1);
    predicted.equal(digits.labels).float().mean()
}
