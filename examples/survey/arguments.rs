//! The command line.

use std::path::{Path, PathBuf};

use clap::{Parser, value_parser};

use super::data::NUM_TRAIN;
use super::device_name::DeviceName;
use super::models::ModelName;
use super::optimizer_name::OptimizerName;

/// Train a small CNN and an MLP on handwritten digits with each optimizer, several times over, and
/// compare loss, accuracy, sharpness and cost.
///
/// The data are part of the program; nothing is downloaded. What one wants to read first goes to
/// standard output, everything with its pictures to a page, and progress to standard error.
#[derive(Parser, Debug)]
#[command(name = "survey", allow_negative_numbers = true)]
pub(crate) struct Arguments {
    /// Where to compute. Others than flex need the cargo feature of the same name.
    #[arg(long, value_enum, default_value_t = DeviceName::Flex)]
    pub(crate) device: DeviceName,

    /// First seed. A seed decides the initial weights and the order of the batches.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u32,

    /// Number of seeds, counted up from the first.
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u32).range(1..=1000))]
    pub(crate) seeds: u32,

    /// Passes over the training data.
    #[arg(long, default_value_t = 30, value_parser = value_parser!(u32).range(1..=100_000))]
    pub(crate) epochs: u32,

    /// Images to learn from, the first ones. Fewer are for a quick look.
    #[arg(long, default_value_t = NUM_TRAIN as u32, value_parser = value_parser!(u32).range(128..=1280))]
    pub(crate) images: u32,

    /// Optimizers to compare, separated by commas or given again. The others are compared with the
    /// first.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_values_t = [OptimizerName::Sgd, OptimizerName::Sam],
    )]
    pub(crate) optimizer: Vec<OptimizerName>,

    /// Networks to train.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_values_t = [ModelName::Cnn, ModelName::Mlp],
    )]
    pub(crate) model: Vec<ModelName>,

    /// Radius of the ascent, in place of each method's own default.
    #[arg(long)]
    pub(crate) rho: Option<f64>,

    /// Passes over the training data to fit each path between two networks; half as many train the
    /// networks, which are also aligned to each other. 0 leaves paths, alignments, and the graph of
    /// MLPs of the comparison out.
    #[arg(long, default_value_t = 60, value_parser = value_parser!(u32).range(0..=100_000))]
    pub(crate) path_epochs: u32,

    /// Pairs of networks to connect, for each kind of network.
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u32).range(1..=1000))]
    pub(crate) path_pairs: u32,

    /// Print all tables: curvature, eigenvalues, every measure of sharpness, losses along paths.
    #[arg(long, short)]
    pub(crate) verbose: bool,

    /// Write the page to this file. Beside it, checkpoints of the CNNs of the first seed are kept.
    #[arg(long, value_name = "FILE", default_value = "target/survey.html")]
    pub(crate) report: PathBuf,

    /// Write no page, and leave out what is made for it: surfaces, and the checkpoints behind them.
    #[arg(long, conflicts_with = "report")]
    pub(crate) no_report: bool,

    /// Points along each axis of the surfaces around the CNNs of the first seed.
    #[arg(long, default_value_t = 31, value_parser = value_parser!(u32).range(7..=201))]
    pub(crate) surface_points: u32,

    /// Write the data of three figures into this directory, as JSON.
    #[arg(long, value_name = "DIR")]
    pub(crate) figures: Option<PathBuf>,

    /// Write the densities of eigenvalues into this directory, as CSV.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Write all runs, the summary and the settings to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn seeds(&self) -> Vec<u64> {
        let first = u64::from(self.seed);
        (first..first + u64::from(self.seeds)).collect()
    }

    /// `seeds 0 to 4`.
    pub(crate) fn seeds_in_words(&self) -> String {
        let seeds = self.seeds();
        match (seeds.first(), seeds.last()) {
            (Some(first), Some(last)) if first != last => format!("seeds {first} to {last}"),
            _ => format!("seed {}", self.seed),
        }
    }

    pub(crate) fn optimizers(&self) -> Vec<OptimizerName> {
        distinct(&self.optimizer)
    }

    pub(crate) fn models(&self) -> Vec<ModelName> {
        distinct(&self.model)
    }

    /// Where the page is written.
    pub(crate) fn report_path(&self) -> Option<&Path> {
        (!self.no_report).then_some(self.report.as_path())
    }

    /// The directory of the checkpoints; none if nothing shows them.
    pub(crate) fn trajectories(&self) -> Option<PathBuf> {
        let is_shown = !self.no_report || self.figures.is_some();
        let is_kept = is_shown && self.models().contains(&ModelName::Cnn);
        is_kept.then(|| self.report.with_extension("trajectories"))
    }
}

/// The values without repetitions, in the order of their first appearance.
fn distinct<T: Copy + PartialEq>(values: &[T]) -> Vec<T> {
    let mut found = Vec::new();
    for value in values {
        if !found.contains(value) {
            found.push(*value);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn optimizers_may_be_repeated_and_joined() {
        let parse = |line: &str| Arguments::try_parse_from(line.split(' '));
        let arguments = parse("survey --optimizer sgd,sam --optimizer sam,asam").unwrap();
        let names = [OptimizerName::Sgd, OptimizerName::Sam, OptimizerName::Asam];
        assert_eq!(arguments.optimizers(), names);
    }

    #[test]
    fn nothing_to_do_is_refused() {
        for line in [
            "survey --epochs 0",
            "survey --seeds 0",
            "survey --optimizer adam",
        ] {
            assert!(
                Arguments::try_parse_from(line.split(' ')).is_err(),
                "{line}"
            );
        }
    }

    #[test]
    fn a_page_is_written_and_checkpoints_are_kept_unless_nothing_shows_them() {
        let paths = |line: &str| {
            let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
            let page = arguments.report_path().map(Path::to_path_buf);
            [page, arguments.trajectories()].map(|path| path.unwrap_or_default())
        };
        let [page, kept] = ["target/survey.html", "target/survey.trajectories"].map(PathBuf::from);
        assert_eq!(paths("survey"), [page, kept]);
        let [page, kept] = ["a.html", ""].map(PathBuf::from);
        assert_eq!(paths("survey --report a.html --model mlp"), [page, kept]);
        assert_eq!(
            paths("survey --no-report"),
            [(); 2].map(|()| PathBuf::new())
        );
        let [page, kept] = ["", "target/survey.trajectories"].map(PathBuf::from);
        assert_eq!(paths("survey --no-report --figures images"), [page, kept]);
        let both = "survey --report a.html --no-report";
        assert!(Arguments::try_parse_from(both.split(' ')).is_err());
    }
}
