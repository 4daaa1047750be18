//! What is merged, whether flags or a configuration say it.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use burnscape::merge::WeightLayout;
use clap::ValueEnum;
use serde::Deserialize;

use super::arguments::MergeArguments;
use super::config;
use super::error::CommandError;
use super::method::Method;
use super::scoped::Scoped;
use super::settings::{Settings, has_weights};
use super::size::Size;

/// A merge of files.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) base: Option<PathBuf>,
    pub(crate) models: Vec<PathBuf>,
    pub(crate) out: PathBuf,
    /// The weights of each model by path, if there are any.
    pub(crate) weights: Option<Vec<Vec<Scoped<f64>>>>,
    /// The method for everything that no part names.
    pub(crate) method: Method,
    pub(crate) settings: Settings,
    pub(crate) parts: Vec<Part>,
    pub(crate) dtype: Option<ElementType>,
    pub(crate) layout: Vec<Scoped<Layout>>,
    pub(crate) max_shard_size: Option<Size>,
}

/// A method for a part of the model.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) names: Vec<String>,
    pub(crate) method: Method,
    pub(crate) settings: Settings,
}

/// The element types that results may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ElementType {
    F64,
    F32,
    F16,
    Bf16,
}

/// Which axis of a matrix has the output units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Layout {
    /// `[outputs, inputs]`, as PyTorch has it.
    OutIn,
    /// `[inputs, outputs]`, as Burn has it by default.
    InOut,
}

impl FromStr for Layout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "out-in" => Ok(Self::OutIn),
            "in-out" => Ok(Self::InOut),
            _ => Err("use out-in, as PyTorch has it, or in-out, as Burn has it".to_string()),
        }
    }
}

impl From<Layout> for WeightLayout {
    fn from(layout: Layout) -> Self {
        match layout {
            Layout::OutIn => Self::OutIn,
            Layout::InOut => Self::InOut,
        }
    }
}

impl Job {
    /// The merge that the flags say, or the configuration that they name.
    pub(crate) fn new(arguments: MergeArguments) -> Result<Self, CommandError> {
        let job = match &arguments.config {
            Some(path) => {
                refuse_beside_config(&arguments)?;
                config::read(path, &arguments)?
            }
            None => Self::of_flags(arguments)?,
        };
        job.check()?;
        Ok(job)
    }

    fn of_flags(arguments: MergeArguments) -> Result<Self, CommandError> {
        let missing = |what: &str| {
            let message = format!("there is no {what}; `burnscape merge --help` has an example");
            CommandError::Usage(message)
        };
        let weights = arguments.weights.into_iter().map(|value| {
            let pattern = None;
            vec![Scoped { pattern, value }]
        });
        let weights: Vec<Vec<Scoped<f64>>> = weights.collect();
        Ok(Self {
            base: arguments.base,
            models: arguments.models,
            out: arguments.out.ok_or_else(|| missing("--out"))?,
            weights: (!weights.is_empty()).then_some(weights),
            method: arguments.method.ok_or_else(|| missing("--method"))?,
            settings: arguments.settings,
            parts: Vec::new(),
            dtype: arguments.dtype,
            layout: arguments.layout,
            max_shard_size: arguments.max_shard_size,
        })
    }

    /// Refuses what no method uses, and an output that is an input.
    fn check(&self) -> Result<(), CommandError> {
        let own = std::iter::once((self.method, &self.settings));
        let parts = self.parts.iter().map(|part| (part.method, &part.settings));
        let methods: Vec<(Method, &Settings)> = own.chain(parts).collect();
        for (method, settings) in &methods {
            settings.check(*method)?;
        }
        if self.weights.is_some() && !methods.iter().any(|(method, _)| has_weights(*method)) {
            return Err(self.unused("weights", "every method that merges"));
        }
        let mut with_rows = methods.iter();
        if !self.layout.is_empty()
            && !with_rows.any(|(method, settings)| settings.has_rows(*method))
        {
            let methods = "`della`, `della-ties`, `regmean`, and `slerp` and `karcher` by filter";
            return Err(self.unused("layout", methods));
        }
        let inputs = self.base.iter().chain(&self.models);
        let statistics = methods.iter();
        let statistics = statistics.flat_map(|(_, settings)| settings.files());
        for input in inputs.chain(statistics) {
            if is_same(input, &self.out) {
                return Err(CommandError::Usage(format!(
                    "the output `{}` is also an input; write to another file",
                    self.out.display()
                )));
            }
        }
        Ok(())
    }

    fn unused(&self, setting: &str, methods: &str) -> CommandError {
        CommandError::Usage(format!(
            "`{}` does not use `{setting}`, which is a setting of {methods}; leave it out",
            self.method
        ))
    }
}

/// Whether two paths lead to the same file, also through links.
fn is_same(a: &Path, b: &Path) -> bool {
    let of_files = a.canonicalize().ok().zip(b.canonicalize().ok());
    a == b || of_files.is_some_and(|(a, b)| a == b)
}

/// Refuses flags that say the same as a configuration.
fn refuse_beside_config(arguments: &MergeArguments) -> Result<(), CommandError> {
    let flags = [
        (!arguments.models.is_empty(), "models"),
        (arguments.base.is_some(), "--base"),
        (arguments.method.is_some(), "--method"),
        (!arguments.weights.is_empty(), "--weights"),
        (!arguments.layout.is_empty(), "--layout"),
        (arguments.max_shard_size.is_some(), "--max-shard-size"),
    ];
    let flags = flags.into_iter().filter(|(is_given, _)| *is_given);
    let flags = flags.map(|(_, flag)| flag.to_string());
    let settings = arguments.settings.names();
    let settings = settings.into_iter().map(|name| format!("--{name}"));
    let flags: Vec<String> = flags.chain(settings).collect();
    if flags.is_empty() {
        return Ok(());
    }
    Err(CommandError::Usage(format!(
        "{} cannot stand beside --config; write the setting into the file (only --out, --dtype, --force, --dry-run, \
         --verbose, --quiet and --json can)",
        flags.join(", ")
    )))
}
