//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::job::{ElementType, Layout};
use super::method::Method;
use super::scoped::Scoped;
use super::settings::Settings;
use super::size::Size;

/// Merges, inspects and compares checkpoints
///
/// Checkpoints are .safetensors files, the .safetensors.index.json of shards, and .bpk files.
#[derive(Debug, Parser)]
#[command(name = "burnscape", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 all went well, 1 a file cannot be read, written or merged, 2 the command is wrong.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Merge checkpoints of one architecture into one
    Merge(Box<MergeArguments>),
    /// List the tensors of a checkpoint
    Inspect(InspectArguments),
    /// Print how far apart two checkpoints are, for each tensor and in all
    Distance(DistanceArguments),
}

#[derive(Debug, Args)]
#[command(after_help = METHODS)]
pub(crate) struct MergeArguments {
    /// Checkpoints to merge
    #[arg(value_name = "MODEL")]
    pub(crate) models: Vec<PathBuf>,
    /// How to merge; the names are below
    #[arg(long)]
    pub(crate) method: Option<Method>,
    /// Checkpoint that the models were fine-tuned from; tensors that are not floats are copied from it
    #[arg(long, value_name = "FILE")]
    pub(crate) base: Option<PathBuf>,
    /// Checkpoint to write: .safetensors or .bpk, or with --max-shard-size a directory
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Weight of each model, in their order: 1 by default
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true)]
    pub(crate) weights: Vec<f64>,
    /// Configuration in TOML instead of models and settings, with a method for each part of the model
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// Element type of merged tensors: that of the base or the first model by default
    #[arg(long, value_enum, value_name = "TYPE")]
    pub(crate) dtype: Option<ElementType>,
    /// Axes of weights, out-in or in-out, for methods that distinguish outputs from inputs; `pattern=layout` for parts
    /// of the model
    #[arg(long)]
    pub(crate) layout: Vec<Scoped<Layout>>,
    /// Write shards of at most this size, for instance 5GB, and an index, to a directory
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_shard_size: Option<Size>,
    /// Replace the output if it exists
    #[arg(long)]
    pub(crate) force: bool,
    /// Print what would be done with each tensor, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print what was done with each tensor
    #[arg(long, conflicts_with = "json")]
    pub(crate) verbose: bool,
    /// Print neither progress nor a summary
    #[arg(long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const METHODS: &str = "\
Methods:
  average            weighted mean
  task-arithmetic    base + scale × weighted sum of the differences from the base
  ties               the same of the largest differences that agree in sign
  dare, dare-ties    differences that are dropped at random, the others enlarged; their mean, or as in ties
  della, della-ties  the same, large differences more likely kept
  breadcrumbs, breadcrumbs-ties
                     differences without the largest and the small ones
  slerp              arc between two models
  karcher            mean direction of several models
  model-stock        mean of the models, moved towards the base by the angle between them
  fisher             mean weighted by the importance of each element (--fisher)
  regmean            least squares on the inputs of linear layers (--grams)
  tsv-m              singular vectors of the differences, made orthogonal
  iso-c              sum of the differences with equal singular values
  base, model:0      leave the tensors as one of the files has them

Examples:
  burnscape merge --method average a.safetensors b.safetensors --out merged.safetensors
  burnscape merge --method ties --base base.safetensors a.safetensors b.safetensors \\
      --density 0.5 --weights 0.5,0.5 --out merged.safetensors
  burnscape merge --config merge.toml

A configuration has keys with the names of the flags, and rules for parts of the model:
  base = \"base.safetensors\"
  models = [\"a.safetensors\", \"b.safetensors\"]
  weights = [{ default = 0.5, lm_head = 0.1 }, 0.5]
  out = \"merged.safetensors\"
  method = \"ties\"
  density = { default = 0.5, \"encoder.layers.0\" = 0.2 }
  [[rules]]
  names = \"lm_head\"
  method = \"average\"
A pattern is the beginning of a path; `*` is any one name. The first rule that matches decides.

The result is written beside the output and moved there at the end: a run that is stopped leaves the output as it was, and
a file that ends with .tmp.";

#[derive(Debug, Args)]
pub(crate) struct InspectArguments {
    /// Checkpoint to read
    pub(crate) file: PathBuf,
    /// Read the values, too, and print the norm of each float tensor
    #[arg(long)]
    pub(crate) norms: bool,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DistanceArguments {
    /// First checkpoint
    pub(crate) a: PathBuf,
    /// Second checkpoint
    pub(crate) b: PathBuf,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
