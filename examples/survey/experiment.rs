//! All runs: every network with every optimizer and every seed.

use std::error::Error;
use std::time::Duration;

use burn::optim::SgdConfig;
use burn::optim::momentum::MomentumConfig;
use burn::tensor::Device;
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
use super::settings::{DAMPENING, MOMENTUM};
use super::train::{Course, Trained, train};

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

    /// All runs, and the MLPs among the networks.
    pub(crate) fn run(
        &self,
        device: &Device,
    ) -> Result<(Vec<Run>, Vec<TrainedMlp>), Box<dyn Error>> {
        let device = device.clone().autodiff();
        let digits = self.split.train.clone().to_device(&device);
        let progress = self.progress()?;
        let (mut runs, mut mlps) = (Vec::new(), Vec::new());
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
                        ModelName::Cnn => one.run::<Cnn>(model, optimizer).map(|(run, _)| run),
                        ModelName::Mlp => one.run::<Mlp>(model, optimizer).map(|(run, model)| {
                            mlps.push(TrainedMlp {
                                optimizer,
                                seed,
                                model,
                            });
                            run
                        }),
                    };
                    runs.push(run.map_err(|error| format!("{title}: {error}"))?);
                }
            }
        }
        progress.finish_and_clear();
        Ok((runs, mlps))
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

struct OneRun<'a> {
    experiment: &'a Experiment<'a>,
    device: &'a Device,
    digits: &'a Digits,
    seed: u64,
    title: &'a str,
    progress: &'a ProgressBar,
}

impl OneRun<'_> {
    /// The run, and the network that was trained.
    fn run<M: Classifier>(
        &self,
        name: ModelName,
        optimizer: OptimizerName,
    ) -> Result<(Run, M), Box<dyn Error>> {
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
        let trained = match optimizer.sharpness_aware(arguments.rho, self.seed) {
            None => self.train(model, base.init(), optimizer)?,
            Some(sam) => self.train(model, sam.init(base.init())?, optimizer)?,
        };
        let is_first = arguments.seeds().first() == Some(&self.seed);
        self.progress
            .set_message(format!("{} · measuring", self.title));
        let run = Run {
            model: name,
            optimizer,
            seed: self.seed,
            measured: measure(&trained.model, split, is_first)?,
            gradients: trained.gradients,
            steps: trained.steps,
            skipped_steps: trained.skipped,
            seconds_per_step: trained.seconds / trained.steps as f64,
            parameters,
            loss_history: trained.losses,
        };
        Ok((run, trained.model))
    }

    fn train<M: Classifier, O: ClosureStep>(
        &self,
        model: M,
        optimizer: O,
        name: OptimizerName,
    ) -> Result<Trained<M>, Box<dyn Error>> {
        let course = Course {
            digits: self.digits,
            num_examples: self.experiment.split.num_train,
            epochs: self.experiment.epochs(name),
            seed: self.seed,
        };
        train(model, optimizer, &course, |loss| {
            self.progress
                .set_message(format!("{} · loss {loss:.4}", self.title));
            self.progress.inc(1);
        })
    }
}
