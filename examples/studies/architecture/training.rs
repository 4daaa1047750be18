//! A network from its start to its ends with several rates.

use std::cell::Cell;
use std::ops::{ControlFlow, Range};
use std::slice::from_ref;

use burn::optim::SgdConfig;
use burn::tensor::{DType, Device};
use burnscape::curvature::Hessian;
use burnscape::krylov::{EigenpairsConfig, TraceConfig, Which};
use burnscape::loss::{Objective, Recorded, Risk};

use super::Setting;
use super::network::{Deep, Deployed, Kind};
use crate::Failure;
use crate::studies::digits::{Digits, Labeled};
use crate::studies::frame::Plan;
use crate::studies::losses::{accuracy, cross_entropy, number};
use crate::studies::training::{Course, train};

const STEPS: usize = 200;
/// Curvature is measured at ends below this loss; guessing has 2.3.
const LEARNED: f64 = 3.0;

/// The images to train on, and those to test on.
pub(super) struct Images {
    train: Labeled,
    test: Labeled,
    device: Device,
}

impl Images {
    pub(super) fn new(digits: &Digits, train: Range<usize>, test: Range<usize>) -> Self {
        let device = Device::default().autodiff();
        let [train, test] = [train, test].map(|part| digits.labeled(part, (&device, DType::F32)));
        Self {
            train,
            test,
            device,
        }
    }
}

/// A network before it is trained, and after.
pub(super) struct Run {
    pub(super) start: Start,
    /// One for each rate.
    pub(super) ends: Vec<End>,
}

pub(super) struct Start {
    pub(super) lambda: f64,
    /// `tr(H)² / (p |H|²)`: 1 for multiples of the identity.
    pub(super) isotropy: f64,
    /// The norm of the gradient of each layer, from the first.
    pub(super) gradients: Vec<f64>,
}

/// Numbers that are not known are NaN.
pub(super) struct End {
    pub(super) loss: f64,
    pub(super) accuracy: f64,
    pub(super) lambda: f64,
    /// The loss without each block; empty if the network has not learned.
    pub(super) without: Vec<f64>,
}

impl Run {
    pub(super) fn of(
        plan: &Plan,
        setting: Setting,
        images: &Images,
        seed: u64,
    ) -> Result<Self, Failure> {
        let place = (&images.device, DType::F32);
        let net = Deep::new(setting.kind, [setting.depth, setting.width], seed, place)?;
        // Where derivatives grow from layer to layer, rounding grows with them, and is no error.
        let has_checks = ![Kind::UnscaledSkip, Kind::BatchNorm].contains(&setting.kind);
        let loss = Recorded::new(cross_entropy::<Deep>).with_checks(has_checks);
        let objective = cross_entropy::<Deep>;
        let risk = || Risk::new(&objective, from_ref(&images.train));
        let start = risk().with_checks(has_checks).hessian(&net)?;
        let start = Start::of(plan, &start, seed)?;
        let risk = risk().with_checks(false);
        let course = |rate| Course::constant(plan.steps(STEPS), rate);
        let ends = setting.rates.iter().map(|&rate| -> Result<End, Failure> {
            let (net, loss) = trained(net.clone(), &loss, images, course(rate))?;
            if !loss.is_finite() {
                return Ok(End {
                    loss,
                    accuracy: f64::NAN,
                    lambda: f64::NAN,
                    without: Vec::new(),
                });
            }
            let (mut lambda, mut without) = (f64::NAN, Vec::new());
            if loss < LEARNED {
                lambda = sharpness(&risk.hessian(&net)?)?;
                for block in 0..setting.depth {
                    let rest = cross_entropy(&net.without(block), images.train.clone());
                    without.push(number(rest)?);
                }
            }
            let train = images.train.0.clone();
            Ok(End {
                loss,
                accuracy: accuracy(&Deployed { net: &net, train }, &images.test)?,
                lambda,
                without,
            })
        });
        let ends = ends.collect::<Result<_, _>>()?;
        Ok(Self { start, ends })
    }
}

impl Start {
    fn of(plan: &Plan, hessian: &Hessian<'_>, seed: u64) -> Result<Self, Failure> {
        let moments = TraceConfig::new()
            .with_max_matvecs(plan.pick(24, 2))
            .with_seed(seed)
            .run_integrands(hessian, |v, image| {
                Ok(vec![v.dot(image)?, image.dot(image)?])
            })?;
        let [trace, square] = [0, 1].map(|index| moments[index].value);
        Ok(Self {
            lambda: sharpness(hessian)?,
            isotropy: trace * trace / (hessian.space().len() as f64 * square),
            gradients: hessian.gradient()?.leaf_norms()?,
        })
    }
}

/// The largest eigenvalue.
fn sharpness(hessian: &Hessian<'_>) -> Result<f64, Failure> {
    let config = EigenpairsConfig::new(1, Which::Largest).with_tolerance(1e-2);
    Ok(config.run(hessian)?.values[0])
}

/// The network after gradient descent, and its loss. It ends where a loss is not finite.
fn trained(
    net: Deep,
    loss: &Recorded<impl Objective<Deep, Labeled>>,
    images: &Images,
    course: Course,
) -> Result<(Deep, f64), Failure> {
    let last = Cell::new(0.0_f64);
    let net = train(
        net,
        &mut SgdConfig::new().init(),
        course,
        |net, _| {
            let value = loss.loss_on(net, images.train.clone())?;
            last.set(number(value.clone())?);
            Ok(value)
        },
        |_| {
            Ok(match last.get().is_finite() {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            })
        },
    )?;
    if !last.get().is_finite() {
        return Ok((net, f64::NAN));
    }
    let end = number(loss.loss_on(&net, images.train.clone())?)?;
    Ok((net, end))
}
