//! One list for all models.

use std::any::Any;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::MutexGuard;

use burn::module::Module;
use burn::tensor::{Device, Distribution, Tensor};
use burnscape::loss::{Batch, Mode, Objective};
use burnscape::optim::SamConfig;

use super::fixture::{device, drawn, stream};

/// What the library offers for a model, a loss and data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// Exact products, which agree with differences of Burn's gradient.
    Hessian,
    /// The largest eigenvalue.
    Spectrum,
    /// All measures of sharpness.
    Report,
    /// A reading of the curvature monitor, and its record.
    Monitor,
    /// The loss along a line.
    Slice,
    /// A step of SAM, which is Burn's two gradients.
    SamStep,
    /// The recorded loss and its gradient, which are Burn's.
    Recorded,
    /// Model and optimizer saved, loaded, and run on.
    Resume,
    /// The same with a model that was built anew and given the weights, as from another format: its
    /// parameters have other identifiers.
    ResumeRebuilt,
}

impl Door {
    pub(crate) const ALL: [Self; 8] = [
        Self::Hessian,
        Self::Spectrum,
        Self::Report,
        Self::Monitor,
        Self::Slice,
        Self::SamStep,
        Self::Recorded,
        Self::Resume,
    ];
    /// Those that say something about the loss as a function.
    pub(crate) const MEASURING: [Self; 5] = [
        Self::Hessian,
        Self::Spectrum,
        Self::Report,
        Self::Monitor,
        Self::Slice,
    ];
}

/// Words of a refusal: its cause, then its remedy.
pub(crate) type Words = &'static [&'static str];

/// A tensor, or a whole network, that the closure holds and the trace does not know.
pub(crate) const FOREIGN: Words = &[
    "a tensor from another device",
    "neither to the model",
    "Add it to the batch",
];
/// A loss that draws random numbers, measured without a seed for them.
pub(crate) const DRAWS: Words = &["draw", "seed"];

/// Why a door did not let a model through.
#[derive(Debug)]
pub(crate) enum Failure {
    /// By an error.
    Refused(String),
    /// By a number that is not the expected one.
    Wrong(String),
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Refused(error.to_string())
    }
}

pub(crate) type Outcome = Result<(), Failure>;

macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        // Not a number is no success.
        let holds: bool = $condition;
        if !holds {
            return Err($crate::real_models::checklist::Failure::Wrong(format!($($text)+)));
        }
    };
}
pub(crate) use ensure;

/// A model, its loss and its data, and what is expected of them.
pub(crate) struct Checklist<'a, M, B, O> {
    pub(super) build: &'a dyn Fn(&Device) -> M,
    /// On the autodiff device, as in training.
    pub(super) model: M,
    pub(super) loss: &'a O,
    /// Without autodiff.
    pub(super) data: &'a [B],
    pub(super) sam: SamConfig,
    pub(super) modes: Vec<Mode>,
    /// The length of the displacement for differences.
    pub(super) step: f64,
    /// The seed of what the loss draws.
    pub(super) draws: Option<u64>,
    refusals: Vec<(Door, Words)>,
    _stream: MutexGuard<'static, ()>,
}

impl<'a, M, B, O> Checklist<'a, M, B, O>
where
    M: Module + 'static,
    B: Batch + Sync,
    O: Objective<M, B> + Sync,
{
    /// Everything is expected to work in [`Mode::Eval`], for a smooth loss.
    pub(crate) fn new(build: &'a dyn Fn(&Device) -> M, loss: &'a O, data: &'a [B]) -> Self {
        let held = stream(3);
        Self {
            build,
            model: drawn(build),
            loss,
            data,
            sam: SamConfig::new(),
            modes: vec![Mode::Eval],
            step: 1e-5,
            draws: None,
            refusals: Vec::new(),
            _stream: held,
        }
    }

    /// Products are checked in training mode as well.
    pub(crate) fn in_both_modes(mut self) -> Self {
        self.modes = vec![Mode::Eval, Mode::Train];
        self
    }

    /// The network has kinks (ReLU, max pooling): differences must stay between them.
    pub(crate) fn with_kinks(mut self) -> Self {
        self.step = 1e-7;
        self
    }

    pub(crate) fn with_sam(mut self, sam: SamConfig) -> Self {
        self.sam = sam;
        self
    }

    /// Training draws random numbers, from this seed in both passes of SAM.
    pub(crate) fn with_draws_in_training(mut self, seed: u64) -> Self {
        self.sam = self.sam.with_draws_seed(Some(seed));
        self
    }

    /// The loss draws in either mode; operators freeze what this seed gives.
    pub(crate) fn with_frozen_draws(mut self, seed: u64) -> Self {
        self.draws = Some(seed);
        self.with_draws_in_training(seed)
    }

    /// These doors refuse with an error that holds all the words.
    pub(crate) fn refused_by(mut self, doors: &[Door], words: Words) -> Self {
        self.refusals
            .extend(doors.iter().map(|&door| (door, words)));
        self
    }

    /// Tries every door, and fails with the list of those that did something else than expected.
    pub(crate) fn run(self) {
        self.run_doors(&Door::ALL);
    }

    /// Tries some of the doors.
    pub(crate) fn run_doors(self, doors: &[Door]) {
        let mut complaints = Vec::new();
        for &door in doors {
            let outcome = catch_unwind(AssertUnwindSafe(|| self.pass_quietly(door)));
            let words = self.refusals.iter().find(|(refused, _)| *refused == door);
            complaints.extend(complaint(door, outcome, words.map(|(_, words)| *words)));
        }
        assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    }

    fn pass(&self, door: Door) -> Outcome {
        match door {
            Door::Hessian => self.hessian(),
            Door::Spectrum => self.spectrum(),
            Door::Report => self.report(),
            Door::Monitor => self.monitor(),
            Door::Slice => self.slice(),
            Door::SamStep => self.sam_step(),
            Door::Recorded => self.recorded(),
            Door::Resume => self.resume(),
            Door::ResumeRebuilt => self.resume_rebuilt(),
        }
    }

    /// A measurement of a loss that draws nothing leaves the device's generator alone.
    fn pass_quietly(&self, door: Door) -> Outcome {
        let is_quiet = Door::MEASURING.contains(&door) && self.draws.is_none();
        if !is_quiet {
            return self.pass(door);
        }
        let number = || -> f64 {
            let uniform = Distribution::Uniform(0.0, 1.0);
            Tensor::<1>::random([1], uniform, &device()).into_scalar()
        };
        device().seed(9);
        let expected = number();
        device().seed(9);
        self.pass(door)?;
        ensure!(number() == expected, "the device's generator has moved on");
        Ok(())
    }
}

fn complaint(
    door: Door,
    outcome: Result<Outcome, Box<dyn Any + Send>>,
    expected: Option<Words>,
) -> Option<String> {
    match (outcome, expected) {
        (Ok(Ok(())), None) => None,
        (Ok(Ok(())), Some(words)) => Some(format!("{door:?}: works, but should say {words:?}")),
        (Ok(Err(Failure::Refused(text))), Some(words))
            if words.iter().all(|word| text.contains(word)) =>
        {
            None
        }
        (Ok(Err(Failure::Refused(text))), _) => Some(format!("{door:?}: refused: {text}")),
        (Ok(Err(Failure::Wrong(text))), _) => Some(format!("{door:?}: wrong: {text}")),
        (Err(panic), _) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            Some(format!("{door:?}: panicked: {}", text.unwrap_or_default()))
        }
    }
}
