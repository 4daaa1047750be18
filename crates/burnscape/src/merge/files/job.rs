//! A merge of files at work: one tensor of all checkpoints at a time.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::tensor::{Bytes, DType};

use super::output::Output;
use super::sources::{Sources, Types};
use super::stored_type::StoredType;
use super::writer::{self, Item, Notes, Produce};
use super::{CheckpointFile, FileMerge, StoredTensor, WeightLayout, refused};
use crate::loss::{Progress, Work};
use crate::merge::plan::{Entry, Plan, Role, model_name};
use crate::merge::whole_models::checked_cast;
use crate::merge::{
    ByPath, MergeError, MergeMethod, MergeReport, MergedTensor, Recipe, Take, TensorStore,
};
use crate::path_pattern::is_below;

pub(super) type FileObserver = Box<dyn FnMut(&Progress) -> ControlFlow<()> + Send>;

/// What is done with a tensor.
#[derive(Debug, Clone, Copy)]
enum Step {
    Merge {
        entry: usize,
        /// The type of the result.
        dtype: DType,
    },
    Copy {
        from: Role,
    },
}

pub(super) struct Job {
    sources: Sources,
    plan: Plan,
    out: PathBuf,
    output: Output,
    /// Of each tensor.
    steps: Vec<Step>,
    /// The tensor of each entry of the plan.
    floats: Vec<usize>,
    set_dtype: Option<DType>,
    observer: Mutex<Option<FileObserver>>,
    /// Tensors that were merged or copied.
    done: AtomicUsize,
    /// The tensors that were copied, and whether they differ between the models.
    copied: Mutex<BTreeMap<usize, bool>>,
}

impl Job {
    /// Opens everything and checks what can be checked without a number.
    pub(super) fn new(
        merge: &FileMerge,
        observer: Option<FileObserver>,
    ) -> Result<Self, MergeError> {
        let output = Output::of(&merge.out, merge.max_shard_size)?;
        let types = if merge.dtype.is_some() {
            Types::Any
        } else {
            Types::Same
        };
        let sources = Sources::open(merge.base.as_deref(), &merge.models, types)?;
        let recipe = &merge.recipe;
        let mut inputs: Vec<PathBuf> = sources.all().flat_map(CheckpointFile::files).collect();
        inputs.extend(statistics(recipe));
        output.check(&merge.out, &inputs)?;

        let (num_models, has_base) = (sources.num_models(), sources.has_base());
        let tensors = sources.first().tensors();
        let layout = merge.layout.as_ref();
        if let Some(layout) = layout {
            check_patterns(layout, tensors)?;
        }
        let (mut steps, mut floats, mut entries) = (Vec::new(), Vec::new(), Vec::new());
        for (index, tensor) in tensors.iter().enumerate() {
            let Some(own) = tensor.kind.float() else {
                let from = source(recipe, &tensor.name, num_models, has_base)?;
                steps.push(Step::Copy { from });
                continue;
            };
            steps.push(Step::Merge {
                entry: entries.len(),
                dtype: merge.dtype.unwrap_or(own),
            });
            floats.push(index);
            entries.push(entry(tensor, layout));
        }
        if floats.is_empty() {
            return Err(nothing_to_merge(sources.first()));
        }
        let has_filters = layout.is_some();
        let recipe = planned(recipe, tensors);
        let plan = Plan::new(&recipe, entries, num_models, has_base, has_filters)?;
        let job = Self {
            sources,
            plan,
            out: merge.out.clone(),
            output,
            steps,
            floats,
            set_dtype: merge.dtype,
            observer: Mutex::new(observer),
            done: AtomicUsize::new(0),
            copied: Mutex::default(),
        };
        job.output.check_types(&job.out, &job.items())?;
        Ok(job)
    }

    /// Lets methods see all tensors that have to.
    pub(super) fn prepare(&mut self) -> Result<(), MergeError> {
        let Self {
            sources,
            plan,
            steps,
            floats,
            observer,
            ..
        } = self;
        let observer: &Mutex<Option<FileObserver>> = observer;
        let total = steps.len();
        let read = |role: Role, entry: usize, is_sampled: bool| {
            if matches!(role, Role::Model(0)) {
                observe(observer, 0, total)?;
            }
            sources.read(role, floats[entry], is_sampled)
        };
        plan.prepare(&read).map_err(|error| sources.named(error))
    }

    /// Merges and writes.
    pub(super) fn write(self: &Arc<Self>) -> Result<(), MergeError> {
        let first = self.sources.first();
        let notes = Notes {
            metadata: first.metadata(),
            scalars: first.scalars(),
        };
        let job = Arc::clone(self);
        let produce: Produce = Arc::new(move |index: usize| job.bytes(index));
        writer::write(self.output, &self.out, &notes, self.items(), &produce)
    }

    /// What is done with every tensor; after the merge also whether copied tensors differ between the models.
    pub(super) fn report(&self) -> MergeReport {
        let mut report = self.plan.report();
        let copied = locked(&self.copied);
        let tensors = self.sources.first().tensors().iter().zip(&self.steps);
        for (index, (tensor, step)) in tensors.enumerate() {
            let from = match *step {
                Step::Merge { .. } => continue,
                Step::Copy {
                    from: Role::Model(0),
                } => "the first model".to_string(),
                Step::Copy { from } => model_name(from),
            };
            let equal = match copied.get(&index) {
                Some(true) => "; it differs between the checkpoints",
                Some(false) => "; it is the same in all checkpoints",
                None => "",
            };
            report.tensors.push(MergedTensor {
                name: tensor.name.clone(),
                shape: tensor.shape.clone(),
                method: "copied".to_string(),
                note: Some(format!("{} from {from}{equal}", tensor.dtype)),
            });
        }
        report
            .tensors
            .sort_by(|one, other| one.name.cmp(&other.name));
        report
    }

    /// The tensors of the result.
    fn items(&self) -> Vec<Item> {
        let tensors = self.sources.first().tensors().iter().zip(&self.steps);
        let item = |(index, (tensor, step)): (usize, (&StoredTensor, &Step))| {
            let (kind, bytes) = match *step {
                Step::Copy { from } => {
                    let source = &self.sources.at(from).tensors()[index];
                    (source.kind, source.bytes)
                }
                Step::Merge { dtype, .. } => {
                    let kind = self.set_dtype.map_or(tensor.kind, StoredType::Burnpack);
                    let count: usize = tensor.shape.iter().product();
                    (kind, (count * dtype.size()) as u64)
                }
            };
            Item {
                index,
                name: tensor.name.clone(),
                shape: tensor.shape.clone(),
                kind,
                bytes,
                param_id: tensor.param_id,
            }
        };
        tensors.enumerate().map(item).collect()
    }

    /// The bytes of a tensor of the result.
    fn bytes(&self, index: usize) -> Result<Bytes, MergeError> {
        let bytes = match self.steps[index] {
            Step::Merge { entry, dtype } => {
                let read = |role: Role, entry: usize, is_sampled: bool| {
                    self.sources.read(role, self.floats[entry], is_sampled)
                };
                let merged = self.plan.merged(entry, &read);
                let merged = merged.map_err(|error| self.sources.named(error))?;
                let name = &self.sources.first().tensors()[index].name;
                checked_cast(merged, dtype, &self.plan.method_name(entry), name)?.into_bytes()
            }
            Step::Copy { from } => self.copy(index, from)?,
        };
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        observe(&self.observer, done, self.steps.len())?;
        Ok(bytes)
    }

    /// The bytes of a tensor that is copied. Those of the others are read one after the other.
    fn copy(&self, index: usize, from: Role) -> Result<Bytes, MergeError> {
        let bytes = self.sources.at(from).bytes_at(index)?;
        let mut differs = false;
        for role in self.sources.roles().filter(|role| *role != from) {
            let found = self.sources.at(role).bytes_at(index)?;
            differs |= found[..] != bytes[..];
        }
        locked(&self.copied).insert(index, differs);
        Ok(bytes)
    }
}

fn entry(tensor: &StoredTensor, layout: Option<&ByPath<WeightLayout>>) -> Entry {
    let name = tensor.name.clone();
    let rank = tensor.shape.len();
    Entry {
        is_running_statistic: name.ends_with("running_mean") || name.ends_with("running_var"),
        filter_axis: layout.and_then(|layout| layout.at(&name).filter_axis(rank)),
        shape: tensor.shape.clone(),
        name,
    }
}

/// The files that methods read beside the checkpoints.
fn statistics(recipe: &Recipe) -> impl Iterator<Item = PathBuf> {
    let rules = recipe.rules.iter().map(|(_, method)| method);
    let methods = rules.chain([&recipe.method]);
    methods.flat_map(|method| method.files())
}

/// The checkpoint that gives a tensor that is not merged: the one from which the recipe takes it, or else the first.
fn source(
    recipe: &Recipe,
    name: &str,
    num_models: usize,
    has_base: bool,
) -> Result<Role, MergeError> {
    let take = recipe.taken(name);
    if let Some(take) = &take {
        take.check(name, &vec![1.0; num_models])?;
    }
    match take {
        Some(Take::Model(model)) => Ok(Role::Model(model)),
        Some(Take::Base) if !has_base => Err(MergeError::NoBase {
            method: Take::Base.name(),
        }),
        _ if has_base => Ok(Role::Base),
        _ => Ok(Role::Model(0)),
    }
}

/// The recipe for the tensors that are merged: without rules that only take some of the others.
fn planned(recipe: &Recipe, tensors: &[StoredTensor]) -> Recipe {
    let mut recipe = recipe.clone();
    recipe.rules.retain(|(pattern, method)| {
        let selected = tensors
            .iter()
            .filter(|tensor| is_below(&tensor.name, pattern));
        let selected: Vec<&StoredTensor> = selected.collect();
        let are_merged = selected.iter().any(|tensor| tensor.is_float());
        are_merged || selected.is_empty() || method.takes().is_none()
    });
    recipe
}

/// Refuses a checkpoint without numbers that are merged.
fn nothing_to_merge(checkpoint: &CheckpointFile) -> MergeError {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for tensor in checkpoint.tensors() {
        *counts.entry(&tensor.dtype).or_default() += 1;
    }
    let counts = counts.into_iter();
    let counts = counts.map(|(dtype, count)| format!("{dtype}: {count}"));
    let counts: Vec<String> = counts.collect();
    let message = if counts.is_empty() {
        "has no tensors; pass a checkpoint that has some".to_string()
    } else {
        format!(
            "no tensor has a type that is merged (f16, bf16, f32, f64), and those that it has are \
             only copied ({}); convert the checkpoint to one of these types",
            counts.join(", ")
        )
    };
    refused(checkpoint.path(), message)
}

/// Refuses a pattern that selects nothing.
fn check_patterns(
    layout: &ByPath<WeightLayout>,
    tensors: &[StoredTensor],
) -> Result<(), MergeError> {
    for (pattern, _) in &layout.rules {
        if !tensors.iter().any(|tensor| is_below(&tensor.name, pattern)) {
            let example = tensors.first().map(|tensor| tensor.name.clone());
            return Err(MergeError::NoSuchTensor {
                pattern: pattern.clone(),
                example: example.unwrap_or_default(),
            });
        }
    }
    Ok(())
}

/// Calls the observer, and returns an error if it breaks.
fn observe(
    observer: &Mutex<Option<FileObserver>>,
    done: usize,
    total: usize,
) -> Result<(), MergeError> {
    let mut observer = locked(observer);
    let Some(observe) = observer.as_mut() else {
        return Ok(());
    };
    let progress = Progress::new(Work::Tensor, done).of(total);
    match observe(&progress) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(MergeError::Stopped { done, total }),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use burn::tensor::TensorData;

    use super::*;
    use crate::merge::{Average, Combine, Sparsify, TaskArithmetic, TensorMap};

    fn wave(len: usize, phase: f32) -> TensorData {
        let values = (0..len).map(|index| (phase + 0.37 * index as f32).sin());
        TensorData::new(values.collect::<Vec<f32>>(), [len])
    }

    /// A tensor of which a sample is a small part, and a small one.
    fn write(path: &Path, phase: f32) {
        let mut map = TensorMap::new();
        map.insert("large", wave(1_000_000, phase));
        map.insert("small", wave(100, phase));
        map.write(path).unwrap();
    }

    /// How often the base and the models are read.
    fn passes(folder: &Path, recipe: Recipe) -> Vec<f64> {
        let [base, a, b, out] =
            ["base", "a", "b", "out"].map(|name| folder.join(format!("{name}.safetensors")));
        let merge = FileMerge::new(recipe, [a, b], out).with_base(base);
        let mut job = Job::new(&merge, None).unwrap();
        let read =
            |job: &Job| -> Vec<u64> { job.sources.all().map(CheckpointFile::bytes_read).collect() };
        assert_eq!(read(&job), [0; 3]);
        job.prepare().unwrap();
        let job = Arc::new(job);
        job.write().unwrap();
        let size = 4.0 * 1_000_100.0;
        let read = read(&job).into_iter();
        read.map(|bytes| bytes as f64 / size).collect()
    }

    #[test]
    fn inputs_are_read_once_and_twice_for_a_threshold_over_the_model() {
        let name = format!("burnscape-passes-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        for (name, phase) in [("base", 0.0), ("a", 0.2), ("b", 0.3)] {
            write(&folder.join(format!("{name}.safetensors")), phase);
        }
        let passes = |recipe| passes(&folder, recipe);
        assert_eq!(passes(Recipe::new(TaskArithmetic::ties(0.5))), [1.0; 3]);
        assert_eq!(passes(Recipe::new(Average)), [0.0, 1.0, 1.0]);
        let over_model = TaskArithmetic::new()
            .with_sparsify(Sparsify::ModelMagnitude { density: 0.5 })
            .with_combine(Combine::ElectSign);
        let found = passes(Recipe::new(over_model));
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(
            found.iter().all(|passes| (2.0..2.1).contains(passes)),
            "{found:?}"
        );
    }
}
