//! What is merged, whether flags or a configuration say it.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use burnscape::merge::{ByPath, WeightLayout};
use clap::ValueEnum;

use super::arguments::MergeArguments;
use super::config;
use super::error::CommandError;
use super::method::Method;
use super::place::Place;
use super::recipe::counted;
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
    /// What is done with everything that no part names.
    pub(crate) own: Part,
    pub(crate) parts: Vec<Part>,
    pub(crate) dtype: Option<ElementType>,
    pub(crate) layout: Vec<Scoped<Layout>>,
    pub(crate) max_shard_size: Option<Size>,
    /// The folder whose other files the output directory gets.
    pub(crate) copy_from: Option<PathBuf>,
}

/// A method for a part of the model, or for the rest.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) names: Vec<String>,
    pub(crate) method: Method,
    pub(crate) settings: Settings,
    pub(crate) place: Place,
}

/// The element types that results may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ElementType {
    #[value(alias = "float64")]
    F64,
    #[value(aliases = ["float32", "fp32"])]
    F32,
    #[value(aliases = ["float16", "fp16", "half"])]
    F16,
    #[value(alias = "bfloat16")]
    Bf16,
}

/// Which axis of a matrix has the output units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// `[outputs, inputs]`, as PyTorch has it.
    OutIn,
    /// `[inputs, outputs]`, as Burn has it by default.
    InOut,
}

impl FromStr for Layout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_lowercase().replace('_', "-").as_str() {
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
        if let Some(t) = &arguments.t {
            return Err(t_of_slerp(t));
        }
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
            own: Part {
                names: Vec::new(),
                method: arguments.method.ok_or_else(|| missing("--method"))?,
                settings: arguments.settings,
                place: Place::default(),
            },
            parts: Vec::new(),
            dtype: arguments.dtype,
            layout: arguments.layout,
            max_shard_size: arguments.max_shard_size,
            copy_from: arguments.copy_from,
        })
    }

    /// The part for everything, and the others.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Part> {
        std::iter::once(&self.own).chain(&self.parts)
    }

    /// The index in [`all`](Self::all) of the part that each tensor belongs to.
    pub(crate) fn parts_by_path(&self) -> ByPath<usize> {
        let mut paths = ByPath::new(0);
        for (index, part) in self.parts.iter().enumerate() {
            for name in &part.names {
                paths = paths.with(name, index + 1);
            }
        }
        paths
    }

    /// The base and the models.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = &PathBuf> {
        self.base.iter().chain(&self.models)
    }

    /// Refuses what no method uses, and what can be told to be wrong without the files.
    fn check(&self) -> Result<(), CommandError> {
        self.check_models()?;
        for part in self.all() {
            part.settings.check(part.method, &part.place)?;
            self.check_take(part)?;
        }
        if self.weights.is_some() && !self.all().any(|part| has_weights(part.method)) {
            return Err(self.unused("weights", "every method that merges"));
        }
        let mut parts = self.all();
        if !self.layout.is_empty() && !parts.any(|part| part.settings.has_rows(part.method)) {
            let methods = "`della`, `della-ties`, `regmean`, and `slerp` and `karcher` by filter";
            return Err(self.unused("layout", methods));
        }
        self.check_output()
    }

    /// Refuses a number of weights that is not that of the models.
    fn check_models(&self) -> Result<(), CommandError> {
        let place = &self.own.place;
        let is_number = |model: &&PathBuf| {
            let is_number = model
                .to_str()
                .is_some_and(|name| name.parse::<f64>().is_ok());
            is_number && !model.exists()
        };
        if let Some(number) = self.models.iter().find(is_number) {
            let message = format!(
                "`{}` is no file; separate weights by commas: --weights 0.5,0.5 (no spaces, or quotes around all)",
                number.display()
            );
            return Err(place.wrong("models", message));
        }
        if self.models.is_empty() {
            let message = "there is no model to merge; name the checkpoints, for instance \
                           a.safetensors b.safetensors";
            return Err(place.wrong("models", message));
        }
        let num_models = self.models.len();
        match &self.weights {
            Some(weights) if weights.len() != num_models => {
                let how = if place.file.is_some() {
                    "as a list"
                } else {
                    "separated by commas"
                };
                let (weights, models) = (
                    counted(weights.len(), "weight"),
                    counted(num_models, "model"),
                );
                let message = format!(
                    "{weights} for {models}; give one for each model (the base has none), {how}"
                );
                Err(place.wrong("weights", message))
            }
            _ => Ok(()),
        }
    }

    /// Refuses to copy from a file that is not there.
    fn check_take(&self, part: &Part) -> Result<(), CommandError> {
        let message = match (part.method, self.models.len()) {
            (Method::Base, _) if self.base.is_none() => {
                let base = if part.place.file.is_some() {
                    "set base = \"FILE\" at the top of the file"
                } else {
                    "pass --base FILE"
                };
                format!("`base` copies from the base; {base}")
            }
            (Method::Model(index), 1) if index > 0 => {
                format!("`model:{index}`: there is only model 0")
            }
            (Method::Model(index), 2) if index > 1 => {
                format!("`model:{index}`: there are models 0 and 1")
            }
            (Method::Model(index), count) if index >= count => {
                format!("`model:{index}`: there are models 0 to {}", count - 1)
            }
            _ => return Ok(()),
        };
        Err(part.place.wrong("method", message))
    }

    /// Refuses an output that is an input, or whose format is not known.
    fn check_output(&self) -> Result<(), CommandError> {
        if self.inputs().any(|input| is_same(input, &self.out)) {
            return Err(unwritable(&self.out));
        }
        let (place, out) = (&self.own.place, self.out.display());
        let shards = place.key("max-shard-size");
        let extension = self.out.extension();
        let is_file = extension.is_some_and(|end| end == "safetensors" || end == "bpk");
        match self.max_shard_size {
            None if extension.is_none() => {
                let size = place.with_value(
                    "max-shard-size",
                    if place.file.is_some() {
                        "\"5GB\""
                    } else {
                        "5GB"
                    },
                );
                let message = format!(
                    "`{out}` has no extension: add `.safetensors`, or pass {size} to write a directory"
                );
                Err(place.wrong("out", message))
            }
            Some(_) if is_file => {
                let message = format!(
                    "`{out}` is the name of a file, and {shards} writes a directory; use a name without extension, or \
                     leave {shards} out"
                );
                Err(place.wrong("out", message))
            }
            None if self.copy_from.is_some() => {
                let message = format!(
                    "{} needs a directory as output; pass {shards}, too, for instance 5GB",
                    place.key("copy-from")
                );
                Err(place.wrong("copy-from", message))
            }
            _ => match &self.copy_from {
                Some(folder) if !folder.is_dir() => {
                    let folder = folder.display();
                    let message = format!(
                        "`{folder}` is no directory; pass the folder that has config.json to {}",
                        place.key("copy-from")
                    );
                    Err(place.wrong("copy-from", message))
                }
                _ => Ok(()),
            },
        }
    }

    fn unused(&self, setting: &str, methods: &str) -> CommandError {
        let Part { method, place, .. } = &self.own;
        let key = place.key(setting);
        let message = format!(
            "`{method}` does not use `{key}`, which is a setting of {methods}; leave it out"
        );
        place.wrong(setting, message)
    }
}

/// The error for mergekit's setting of slerp.
fn t_of_slerp(t: &str) -> CommandError {
    let known = t.trim().parse::<f64>().ok();
    let known = known.filter(|t| (0.0..=1.0).contains(t));
    // Without the rounding of 1 - 0.3.
    let rest = |t: f64| ((1.0 - t) * 1e12).round() / 1e12;
    let weights = known.map_or("0.7,0.3".to_string(), |t| format!("{},{t}", rest(t)));
    CommandError::Usage(format!(
        "there is no --t; for slerp use --weights {weights}, which are 1 - t and t"
    ))
}

/// The error for an output that is an input.
pub(crate) fn unwritable(out: &Path) -> CommandError {
    let out = out.display();
    CommandError::Usage(format!(
        "the output `{out}` is also an input; write to another file"
    ))
}

/// Whether two paths lead to the same file, also through links.
pub(crate) fn is_same(a: &Path, b: &Path) -> bool {
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
        (arguments.t.is_some(), "--t"),
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
        "{} cannot be combined with --config; write the setting into the file (only --out, --dtype, --copy-from, \
         --force, --dry-run, --verbose, --quiet and --json can)",
        flags.join(", ")
    )))
}
