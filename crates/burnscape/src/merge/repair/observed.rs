use std::ops::ControlFlow;

use burn::module::Module;

use super::ends::{Ends, measured};
use super::probe::{NAMES, Probe};
use super::rescaling::{Parameters, Seen};
use super::{RepairMethod, RepairReport, Repaired};
use crate::loss::{Batch, DataSet, Progress, Work};
use crate::merge::MergeError;
use crate::space::{FloatTensor, with_values};

type Observer<'a> = Box<dyn FnMut(&Progress) -> ControlFlow<()> + 'a>;
type Job<'a, M> = Box<dyn FnOnce(Observer<'a>) -> Result<Repaired<M>, MergeError> + 'a>;

/// A repair of a merged model, before it runs. Made by [`RepairConfig::init`](super::RepairConfig::init).
///
/// # Example
///
/// ```
/// use std::ops::ControlFlow;
///
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Distribution, Tensor};
/// use burnscape::merge::{RepairConfig, average};
///
/// #[derive(Module, Debug)]
/// struct Two {
///     first: Linear,
///     second: Linear,
/// }
///
/// let device = Device::default();
/// let model = || Two {
///     first: LinearConfig::new(2, 3).init(&device),
///     second: LinearConfig::new(3, 1).init(&device),
/// };
/// let (a, b) = (model(), model());
/// let merged = average(&[&a, &b])?;
/// let outputs = |m: &Two, x: &Tensor<2>| m.second.forward(m.first.forward(x.clone()).tanh());
/// let data = [Tensor::<2>::random([16, 2], Distribution::Default, &device)];
///
/// let repaired = RepairConfig::new()
///     .init(&outputs, &data, &a, &b, &merged, 0.5)?
///     .with_observer(|progress| {
///         println!("{progress}"); // layer 0 of 1, then layer 1 of 1
///         ControlFlow::Continue(())
///     })
///     .run()?;
/// assert!(repaired.report.completed);
/// assert_eq!(repaired.report.layers.len(), 1);
/// # Ok::<(), burnscape::merge::MergeError>(())
/// ```
pub struct Repair<'a, M> {
    job: Job<'a, M>,
    observer: Observer<'a>,
}

impl<'a, M: Module> Repair<'a, M> {
    pub(super) fn new(
        job: impl FnOnce(Observer<'a>) -> Result<Repaired<M>, MergeError> + 'a,
    ) -> Self {
        Self {
            job: Box::new(job),
            observer: Box::new(|_| ControlFlow::Continue(())),
        }
    }

    /// Sets an observer, which is called after the pass of both models, with no layer done, and after every layer. A break
    /// ends the repair with the layers so far: later ones are as they were.
    #[must_use]
    pub fn with_observer(mut self, observe: impl FnMut(&Progress) -> ControlFlow<()> + 'a) -> Self {
        self.observer = Box::new(observe);
        self
    }

    /// Runs the repair.
    ///
    /// # Errors
    ///
    /// [`MergeError::DifferentLayers`] if models or batches run through different layers; [`MergeError::NonFiniteOutput`];
    /// [`MergeError::Symmetry`] and [`MergeError::Linearize`] if the closure cannot be recorded or the program cannot run;
    /// [`MergeError::Loss`] for empty data and for batches without examples or weight; [`MergeError::Space`].
    pub fn run(self) -> Result<Repaired<M>, MergeError> {
        (self.job)(self.observer)
    }
}

/// What is repaired, and by what.
pub(super) struct Given<'a, M, F, D: ?Sized> {
    pub(super) method: RepairMethod,
    pub(super) outputs: &'a F,
    pub(super) data: &'a D,
    /// Both models, and the merged one.
    pub(super) models: [&'a M; 3],
    pub(super) alpha: f64,
    /// Those of the merged model.
    pub(super) tensors: Vec<FloatTensor>,
}

impl<M: Module, F, D: ?Sized> Given<'_, M, F, D> {
    pub(super) fn repaired<B, T>(
        &self,
        mut observe: impl FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Repaired<M>, MergeError>
    where
        B: Batch,
        T: Batch,
        F: Fn(&M, &B) -> T,
        D: DataSet<B>,
    {
        let [a, b, merged] = self.models;
        let (outputs, data, alpha) = (self.outputs, self.data, self.alpha);
        let mut of_a = Probe::new(NAMES[0], outputs, a)?;
        let mut of_b = Probe::new(NAMES[1], outputs, b)?;
        let mut of_merged = Probe::new(NAMES[2], outputs, merged)?;
        let mixed = match self.method {
            RepairMethod::Exact => None,
            RepairMethod::ClosedForm => Some(alpha),
        };
        let ends = Ends::measured::<M, B, T, F, D>(&mut of_a, &mut of_b, data, mixed)?;
        let mut parameters = Parameters::new(&self.tensors);
        let mut layers = Vec::with_capacity(ends.layers.len());
        let mut is_stopped = |done: usize| {
            let progress = Progress::new(Work::Layer, done).of(ends.layers.len());
            observe(&progress).is_break()
        };
        if !is_stopped(0) {
            for (index, layer) in ends.layers.iter().enumerate() {
                let [of_a, of_b, mixed] = &ends.moments[index];
                let measured = match self.method {
                    RepairMethod::Exact => {
                        measured::<M, B, T, F, D>(&mut of_merged, data, index, &ends.layers)?
                    }
                    RepairMethod::ClosedForm => mixed.clone(),
                };
                let seen = Seen {
                    a: of_a,
                    b: of_b,
                    merged: &measured,
                };
                parameters.check(layer, &seen)?;
                layers.push(parameters.repair(layer, &seen, alpha, &mut of_merged)?);
                if is_stopped(index + 1) {
                    break;
                }
            }
        }
        Ok(Repaired {
            model: with_values(merged, parameters.into_changed()),
            report: RepairReport {
                completed: layers.len() == ends.layers.len(),
                layers,
                left: ends.left,
                num_batches: ends.num_batches,
            },
        })
    }
}
