//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::help::{EXAMPLES, EXIT_CODES, METHODS};
use super::job::{ElementType, Layout};
use super::method::Method;
use super::scoped::Scoped;
use super::settings::Settings;
use super::size::Size;

/// Merges, inspects and compares checkpoints
///
/// Checkpoints are .safetensors files, the .safetensors.index.json of shards, .bpk files, and
/// directories with one of them.
#[derive(Debug, Parser)]
#[command(name = "burnscape", version, after_help = EXIT_CODES, verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Merge checkpoints of one architecture into one
    Merge(Box<MergeArguments>),
    /// List the tensors of a checkpoint
    Inspect(InspectArguments),
    /// Print how far apart two checkpoints are, for each tensor and in total
    Distance(DistanceArguments),
}

#[derive(Debug, Args)]
#[command(before_long_help = METHODS, after_long_help = EXAMPLES)]
pub(crate) struct MergeArguments {
    /// Checkpoints to merge: files, or directories with one checkpoint
    #[arg(value_name = "MODEL")]
    pub(crate) models: Vec<PathBuf>,
    /// How to merge; `burnscape merge --help` lists the methods
    ///
    /// The methods are listed above.
    #[arg(long)]
    pub(crate) method: Option<Method>,
    /// Checkpoint that the models were fine-tuned from
    ///
    /// Tensors that are not floats are copied from it.
    #[arg(long, value_name = "FILE")]
    pub(crate) base: Option<PathBuf>,
    /// Checkpoint to write: .safetensors, .bpk, or a directory of shards
    ///
    /// The extension says which, and with --max-shard-size it is a directory.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Weight of each model, separated by commas: 1 by default
    ///
    /// In the order of the models; the base has none. Only in a configuration weights may depend
    /// on the path.
    #[arg(
        long,
        value_delimiter = ',',
        allow_hyphen_values = true,
        value_parser = weight,
        verbatim_doc_comment
    )]
    pub(crate) weights: Vec<f64>,
    /// Configuration in TOML, with a method for each part of the model
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// Element type of the result
    ///
    /// That of the base or of the first model by default.
    #[arg(long, value_enum, value_name = "TYPE", ignore_case = true)]
    pub(crate) dtype: Option<ElementType>,
    /// Axes of matrices: out-in (PyTorch) or in-out (Burn)
    ///
    /// For methods that distinguish outputs from inputs: della, regmean, and slerp and karcher by
    /// filter. If all inputs are safetensors files that PyTorch has written, it is out-in.
    /// `pattern=layout` is for a part of the model; repeat the flag for several.
    #[arg(long, verbatim_doc_comment)]
    pub(crate) layout: Vec<Scoped<Layout>>,
    /// Write a directory of shards of at most this size, such as 5GB
    ///
    /// The directory must be new or empty. It gets an index if there are several shards.
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_shard_size: Option<Size>,
    /// Copy config.json and tokenizer files from there to the directory
    ///
    /// Only if the output is a directory. Copied after the merge: *.json but indices, *.txt,
    /// *.model, *.jinja, and files that begin with tokenizer or LICENSE.
    #[arg(long, value_name = "DIR", verbatim_doc_comment)]
    pub(crate) copy_from: Option<PathBuf>,
    /// Replace the output file; a directory must be empty
    #[arg(long)]
    pub(crate) force: bool,
    /// Print what would be done with each tensor, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print what was done with each tensor
    #[arg(long, conflicts_with = "json")]
    pub(crate) verbose: bool,
    /// Print neither progress nor a summary; warnings stay
    #[arg(long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// mergekit's setting of slerp, for which there is an error.
    #[arg(long, hide = true, allow_hyphen_values = true)]
    pub(crate) t: Option<String>,
}

/// A weight of the command line.
fn weight(text: &str) -> Result<f64, String> {
    let text = text.trim();
    if text.contains('=') {
        let message = "weights by path are possible only in a configuration: weights = [{ default \
                       = 0.5, lm_head = 0.1 }, 0.5]";
        return Err(message.to_string());
    }
    let refused =
        |_| "it is no number; separate weights by commas, such as 0.5,0.5, without spaces";
    let number = text.parse::<f64>().map_err(refused);
    number.map_err(str::to_string)
}

#[derive(Debug, Args)]
pub(crate) struct InspectArguments {
    /// Checkpoint to read: a file, or a directory with one checkpoint
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
    /// Order of the tensors
    #[arg(long, value_enum, value_name = "ORDER", default_value = "name")]
    pub(crate) sort: Order,
    /// Print only this number of tensors, the first of the order, and the total
    #[arg(long, value_name = "N")]
    pub(crate) top: Option<usize>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The order of tensors in a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// The largest |a - b| / |a| first
    Relative,
    /// The largest |a - b| first
    Distance,
    /// By name
    Name,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn weights_may_have_spaces_and_no_patterns() {
        assert_eq!(weight(" 0.5"), Ok(0.5));
        assert!(weight("").unwrap_err().contains("by commas"));
        let refused = weight("lm_head=0.5").unwrap_err();
        assert!(refused.contains("only in a configuration"), "{refused}");
    }
}
