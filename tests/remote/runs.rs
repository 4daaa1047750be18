//! Lanczos runs that go on where a device has ended.

use std::sync::OnceLock;
use std::time::Duration;

use burn::tensor::Device;
use burnscape::curvature::{CurvatureError, Hessian};
use burnscape::krylov::{LanczosCheckpoint, LanczosFactorization};
use burnscape::space::ParamVector;

use super::problem::{Problem, Spread};

pub(crate) const STEPS: usize = 20;

/// Longer than any wait for a healthy device, also on a machine that is busy.
pub(crate) const WAIT: Duration = Duration::from_secs(5);

/// Longer than any run.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// When a device failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Steps before, if the operator was made.
    pub(crate) step: Option<usize>,
    pub(crate) error: CurvatureError,
}

/// A whole run, and what failed on the way.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) checkpoint: LanczosCheckpoint,
    pub(crate) failure: Option<Failure>,
}

/// A run without steps.
pub(crate) fn begun(hessian: &Hessian<'_>) -> LanczosFactorization<ParamVector> {
    LanczosFactorization::from_random(hessian, 0, 7).unwrap()
}

/// The run of one Flex device.
pub(crate) fn uninterrupted() -> &'static LanczosCheckpoint {
    static RUN: OnceLock<LanczosCheckpoint> = OnceLock::new();
    RUN.get_or_init(|| {
        let problem = Problem::on(&Device::flex());
        let hessian = problem.risk().hessian(&problem.net).unwrap();
        let mut run = begun(&hessian);
        run.extend(&hessian, STEPS).unwrap();
        run.checkpoint().unwrap()
    })
}

/// A run on these devices, the first of which has the model. It goes on without the last one if anything fails.
pub(crate) fn finished(devices: &[Device]) -> Finished {
    let problem = Problem::on(&devices[0]);
    let last = devices.len() - 1;
    let risk = problem.spread(Spread::InOrder(devices));
    let risk = risk.with_checks(false).with_wait_limit(WAIT);
    let mut failure = None;
    let mut hessian = match risk.hessian(&problem.net) {
        Ok(hessian) => hessian,
        Err(error) => {
            failure = Some(Failure { step: None, error });
            let rest = risk.without_device(last).unwrap();
            rest.hessian(&problem.net).unwrap()
        }
    };
    let mut run = begun(&hessian);
    while let Err(error) = run.extend(&hessian, STEPS - run.num_matvecs()) {
        assert!(failure.is_none(), "after {failure:?}: {error}");
        let step = Some(run.num_matvecs());
        failure = Some(Failure { step, error });
        hessian = hessian.without_device(last).unwrap();
    }
    Finished {
        checkpoint: run.checkpoint().unwrap(),
        failure,
    }
}
