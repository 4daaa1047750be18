//! All paths: every network, every pair of seeds, and the graph of networks.

use std::cell::Cell;
use std::error::Error;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use burnscape::align::ActivationMeasure;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::alignment::{AlignedLine, By, lines};
use super::arguments::Arguments;
use super::data::Split;
use super::experiment::TrainedMlp;
use super::graph::{self, Graph};
use super::models::{Classifier, Cnn, DeepMlp};
use super::paths::{Connection, Effort, connect};

/// Places of a profile.
const NUM_POINTS: usize = 61;
/// Places of a line to an aligned network, each of which is also repaired.
const ALIGNED_POINTS: usize = 11;

/// The networks that are connected: the CNN of the comparison, and an MLP that is wider and deeper than that of it.
#[derive(Serialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Network {
    Cnn,
    DeepMlp,
}

/// One pair of networks, the paths between them, and the lines after alignment.
#[derive(Serialize, Debug, Clone)]
pub(crate) struct Connected {
    pub(crate) network: Network,
    #[serde(flatten)]
    pub(crate) connection: Connection,
    pub(crate) alignment: Vec<AlignedLine>,
    pub(crate) alignment_seconds: f64,
}

/// Paths between networks.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    /// Pairs of networks that are trained for this.
    pub(crate) pairs: Vec<Connected>,
    /// MLPs of the comparison, joined by paths; none with fewer than two of them.
    pub(crate) graph: Option<Graph>,
}

/// Empty without epochs of a fit. `mlps` are those of the comparison.
pub(crate) fn run(
    arguments: &Arguments,
    split: &Split,
    device: &Device,
    mlps: &[TrainedMlp],
) -> Result<Paths, Box<dyn Error>> {
    if arguments.path_epochs == 0 {
        return Ok(Paths::default());
    }
    let device = device.clone().autodiff();
    let effort = Effort {
        train_epochs: (arguments.path_epochs as usize).div_ceil(2),
        fit_epochs: arguments.path_epochs as usize,
        num_points: NUM_POINTS,
    };
    let networks = [Network::Cnn, Network::DeepMlp];
    let total = effort.epochs() * networks.len() * arguments.path_pairs as usize
        + effort.fit_epochs * graph::num_pairs(mlps);
    let style = "{bar:32.cyan/dim} {percent:>3} %  {msg}  ({elapsed}, about {eta} left)";
    let progress = ProgressBar::new(total as u64);
    progress.set_style(ProgressStyle::with_template(style)?.progress_chars("━╸─"));
    progress.enable_steady_tick(Duration::from_millis(500));
    let done = Cell::new(0);
    let mut found = Vec::new();
    for network in networks {
        for pair in 0..u64::from(arguments.path_pairs) {
            let first = u64::from(arguments.seed) + 2 * pair;
            let seeds = [first, first + 1];
            let title = format!("{} · seeds {} and {}", network.title(), seeds[0], seeds[1]);
            let report = |what: &str, is_epoch: bool| {
                done.set(done.get() + u64::from(is_epoch));
                progress.set_position(done.get());
                progress.set_message(format!("{title} · {what}"));
            };
            let connected = match network {
                Network::Cnn => connected::<Cnn>(network, &device, split, seeds, effort, &report),
                Network::DeepMlp => {
                    connected::<DeepMlp>(network, &device, split, seeds, effort, &report)
                }
            };
            found.push(connected.map_err(|error| format!("{title}: {error}"))?);
        }
    }
    let report = |what: &str| {
        done.set(done.get() + 1);
        progress.set_position(done.get());
        progress.set_message(format!("graph · {what}"));
    };
    let graph = graph::joined(mlps, split, &device, effort, &report);
    let graph = graph.map_err(|error| format!("graph of networks: {error}"))?;
    progress.finish_and_clear();
    Ok(Paths {
        pairs: found,
        graph,
    })
}

/// The paths between two networks, and the lines to the second one aligned to the first.
fn connected<M: Classifier>(
    network: Network,
    device: &Device,
    split: &Split,
    seeds: [u64; 2],
    effort: Effort,
    progress: &dyn Fn(&str, bool),
) -> Result<Connected, Box<dyn Error>> {
    let (connection, [a, b]) = connect::<M>(device, split, seeds, effort, progress)?;
    let ways = [
        By::Nothing,
        By::Weights,
        By::Activations(ActivationMeasure::Correlation),
    ];
    let report = |what: &str| progress(&format!("aligning, {what}"), false);
    let start = Instant::now();
    let alignment = lines(split, [&a, &b], &ways, ALIGNED_POINTS, &report)?;
    Ok(Connected {
        network,
        connection,
        alignment,
        alignment_seconds: start.elapsed().as_secs_f64(),
    })
}

impl Network {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Cnn => "cnn",
            Self::DeepMlp => "wide mlp 64-128-128-128-10",
        }
    }
}
