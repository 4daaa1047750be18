//! All runs: every network with every optimizer and every seed.

use std::error::Error;
use std::time::Duration;

use burn::optim::SgdConfig;
use burn::optim::momentum::MomentumConfig;
use burn::tensor::Device;
use burnscape::dynamics::EdgeRule;
use burnscape::loss::Batch;
use burnscape::optim::{ClosureStep, SamConfig};
use burnscape::space::ParamSpace;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::arguments::Arguments;
use super::data::{Digits, Split};
use super::measure::{Measured, measure};
use super::models::{Classifier, Cnn, Mlp, ModelName};
use super::optimizer_name::OptimizerName;
use super::recorder::{Recorder, Recording};
use super::settings::{BATCH_SIZE, DAMPENING, MOMENTUM};
use super::train::{Course, Trained, train_watched};

/// One network, trained once.
#[derive(Serialize, Debug, Clone)]
pub(crate) struct Run {
    pub(crate) model: ModelName,
    pub(crate) optimizer: OptimizerName,
    pub(crate) seed: u64,
    #[serde(flatten)]
    pub(crate) measured: Measured,
    pub(crate) gradients: usize,
    pub(crate) steps: usize,
    pub(crate) skipped_steps: usize,
    pub(crate) seconds_per_step: f64,
    pub(crate) parameters: usize,
    /// Mean training loss of each epoch.
    pub(crate) loss_history: Vec<f64>,
}

/// An MLP that was trained, to be joined to others.
pub(crate) struct TrainedMlp {
    pub(crate) optimizer: OptimizerName,
    pub(crate) seed: u64,
    pub(crate) model: Mlp,
}

/// All that was trained.
pub(crate) struct Trainings {
    pub(crate) runs: Vec<Run>,
    /// The MLPs among the networks.
    pub(crate) mlps: Vec<TrainedMlp>,
    /// The CNNs of the first seed, if something shows them.
    pub(crate) recordings: Vec<Recording>,
}

pub(crate) struct Experiment<'a> {
    arguments: &'a Arguments,
    split: &'a Split,
}

impl<'a> Experiment<'a> {
    pub(crate) fn new(arguments: &'a Arguments, split: &'a Split) -> Result<Self, Box<dyn Error>> {
        // Checked even where there is only SGD, which would ignore it.
        if let Some(rho) = arguments.rho {
            SamConfig::new().with_rho(rho).validate()?;
        }
        Ok(Self { arguments, split })
    }

    /// Trains and measures every network.
    pub(crate) fn run(&self, device: &Device) -> Result<Trainings, Box<dyn Error>> {
        let device = device.clone().autodiff();
        let digits = self.split.train.clone().to_device(&device);
        let progress = self.progress()?;
        let (mut runs, mut mlps, mut recordings) = (Vec::new(), Vec::new(), Vec::new());
        for model in self.arguments.models() {
            // The optimizers of one seed follow each other, so that a busy machine slows down all.
            for seed in self.arguments.seeds() {
                for optimizer in self.arguments.optimizers() {
                    let title = format!("{model} · {optimizer} · seed {seed}");
                    let one = OneRun {
                        experiment: self,
                        device: &device,
                        digits: &digits,
                        seed,
                        title: &title,
                        progress: &progress,
                    };
                    let run = match model {
                        ModelName::Cnn => one.run::<Cnn>(model, optimizer).map(|done| {
                            recordings.extend(done.recording);
                            done.run
                        }),
                        ModelName::Mlp => one.run::<Mlp>(model, optimizer).map(|done| {
                            mlps.push(TrainedMlp {
                                optimizer,
                                seed,
                                model: done.model,
                            });
                            done.run
                        }),
                    };
                    runs.push(run.map_err(|error| format!("{title}: {error}"))?);
                }
            }
        }
        progress.finish_and_clear();
        Ok(Trainings {
            runs,
            mlps,
            recordings,
        })
    }

    /// A bar on standard error; hidden where that is no terminal.
    fn progress(&self) -> Result<ProgressBar, Box<dyn Error>> {
        let optimizers = self.arguments.optimizers();
        let epochs: usize = optimizers.iter().map(|name| self.epochs(*name)).sum();
        let total = epochs * self.arguments.models().len() * self.arguments.seeds().len();
        let style = "{bar:32.cyan/dim} {percent:>3} %  {msg}  ({elapsed}, about {eta} left)";
        let progress = ProgressBar::new(total as u64);
        progress.set_style(ProgressStyle::with_template(style)?.progress_chars("━╸─"));
        progress.enable_steady_tick(Duration::from_millis(500));
        Ok(progress)
    }

    fn epochs(&self, optimizer: OptimizerName) -> usize {
        self.arguments.epochs as usize * optimizer.epoch_factor()
    }
}

/// A run, the network that was trained, and what was kept.
struct Done<M> {
    run: Run,
    model: M,
    recording: Option<Recording>,
}

struct OneRun<'a> {
    experiment: &'a Experiment<'a>,
    device: &'a Device,
    digits: &'a Digits,
    seed: u64,
    title: &'a str,
    progress: &'a ProgressBar,
}

impl OneRun<'_> {
    fn run<M: Classifier>(
        &self,
        name: ModelName,
        optimizer: OptimizerName,
    ) -> Result<Done<M>, Box<dyn Error>> {
        let Experiment { arguments, split } = self.experiment;
        self.device.seed(self.seed);
        let model = M::new(self.device);
        // Burn draws weights when they are first looked at: here, before anything else draws.
        let parameters = ParamSpace::of(&model)?.len();
        let base = SgdConfig::new().with_momentum(Some(
            MomentumConfig::new()
                .with_momentum(MOMENTUM)
                .with_dampening(DAMPENING),
        ));
        let mut recorder = self.recorder(name, optimizer, &base)?;
        let kept = recorder.as_mut();
        let trained = match optimizer.sharpness_aware(arguments.rho, self.seed) {
            None => self.train(model, base.init(), optimizer, kept)?,
            Some(sam) => self.train(model, sam.init(base.init())?, optimizer, kept)?,
        };
        let kept_seconds = recorder.as_ref().map_or(0.0, Recorder::seconds);
        let recording = match recorder {
            Some(recorder) => Some(recorder.finish(optimizer, trained.steps, &trained.model)?),
            None => None,
        };
        self.progress
            .set_message(format!("{} · measuring", self.title));
        let run = Run {
            model: name,
            optimizer,
            seed: self.seed,
            measured: measure(&trained.model, split, self.is_first())?,
            gradients: trained.gradients,
            steps: trained.steps,
            skipped_steps: trained.skipped,
            seconds_per_step: (trained.seconds - kept_seconds) / trained.steps as f64,
            parameters,
            loss_history: trained.losses,
        };
        Ok(Done {
            run,
            model: trained.model,
            recording,
        })
    }

    /// Whether this is the first seed.
    fn is_first(&self) -> bool {
        self.experiment.arguments.seeds().first() == Some(&self.seed)
    }

    /// What keeps the run, if it is one of a CNN with the first seed and something shows it.
    fn recorder<M: Classifier>(
        &self,
        name: ModelName,
        optimizer: OptimizerName,
        base: &SgdConfig,
    ) -> Result<Option<Recorder<M>>, Box<dyn Error>> {
        let Experiment { arguments, split } = self.experiment;
        let is_kept = name == ModelName::Cnn && self.is_first();
        let Some(directory) = arguments.trajectories().filter(|_| is_kept) else {
            return Ok(None);
        };
        let edge = match optimizer.sharpness_aware(arguments.rho, self.seed) {
            None => EdgeRule::of(base)?,
            // No edge is known for them around momentum.
            Some(_) => EdgeRule::none(),
        };
        let batches = split.num_train.div_ceil(BATCH_SIZE);
        let steps = self.experiment.epochs(optimizer) * batches;
        let directory = directory.join(optimizer.to_string());
        Ok(Some(Recorder::new(directory, split, steps, edge)?))
    }

    fn train<M: Classifier, O: ClosureStep>(
        &self,
        model: M,
        optimizer: O,
        name: OptimizerName,
        mut recorder: Option<&mut Recorder<M>>,
    ) -> Result<Trained<M>, Box<dyn Error>> {
        let course = Course {
            digits: self.digits,
            num_examples: self.experiment.split.num_train,
            epochs: self.experiment.epochs(name),
            seed: self.seed,
        };
        let before_step = |step: usize, rate: f64, model: &M| match &mut recorder {
            Some(recorder) => recorder.observe(step, rate, model),
            None => Ok(()),
        };
        train_watched(model, optimizer, &course, before_step, |loss| {
            self.progress
                .set_message(format!("{} · loss {loss:.4}", self.title));
            self.progress.inc(1);
        })
    }
}
