use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::{DType, FloatDType};

use super::WeightLayout;
use super::job::{FileObserver, Job};
use crate::loss::Progress;
use crate::merge::{ByPath, MergeError, MergeReport, Recipe};

/// Merges checkpoints in files by a [`Recipe`], one tensor of all of them at a time.
///
/// The result has the bits that [`Recipe::run`] gives for modules with these numbers: both read f16, bf16, f32 and f64
/// numbers, compute in double precision, and round to f32 (f64 if an input is), then to the type of the result.
///
/// # Files
///
/// Inputs are what [`CheckpointFile::open`](super::CheckpointFile::open) opens, in any mix of formats. All of them must
/// have the same tensors, by name and shape; all that differ are named. Merge files of one writer: a linear layer of
/// PyTorch is the transpose of Burn's, and a name is all that a file says about a tensor.
///
/// The result is a `.safetensors` or `.bpk` file by its extension, or with
/// [`with_max_shard_size`](Self::with_max_shard_size) a directory of safetensors files with an index, as Hugging Face
/// writes them. It may not replace an input, nor a file of statistics that a method reads. It has the metadata of the
/// base, or without one of the first model, and in burnpack its scalars and the identities of its parameters. It is
/// written beside its place, under a name that ends in `.tmp`, and moved there at the end: a run that is stopped or
/// killed leaves the old file or none. Only a killed run leaves what it has written beside it, which may be deleted.
///
/// # What is not merged
///
/// Tensors of integers, of Booleans and of quantized numbers are copied: from the checkpoint that a
/// [`Take`](crate::merge::Take) of the recipe names for them, or else from the base, or without one from the first
/// model. A checkpoint that has only such tensors is refused. Tensors whose names end in `running_mean` or
/// `running_var` are running statistics, which methods average. The [report](MergeReport) says all of that.
///
/// A file has no ties: a weight that it has under two names is two tensors, of which random methods drop other
/// elements, and which count twice in a norm or threshold over the model. To keep the tie, merge modules, or give both
/// names a method that is not random.
///
/// # Seed behavior
///
/// Random methods draw from their seed, the name of the tensor and the index of the model. So neither the order of the
/// tensors in a file nor its format matters. The order of the models does.
///
/// # Cost
///
/// Each input is read once; of the base only what a method needs and what is copied. Methods that see all tensors before
/// they merge the first one read what they merge twice, and for a threshold over the model
/// ([`ModelMagnitude`](crate::merge::Sparsify::ModelMagnitude)) a sample of it besides; f64 numbers for such a
/// threshold three or four times. Memory for one tensor of each checkpoint in its own element type, its result in f32
/// (f64 if an input is), and the same in the type of the file, plus what the method needs (see its Cost).
///
/// # Defaults
///
/// No base, one file, the element types of the base, or without one of the first model, no layout.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burnscape::merge::{Average, CheckpointFile, FileMerge, Recipe, TensorMap};
///
/// let folder = std::env::temp_dir().join(format!("file-merge-{}", std::process::id()));
/// std::fs::create_dir_all(&folder)?;
/// let paths = ["a", "b"].map(|name| folder.join(format!("{name}.safetensors")));
/// for path in &paths {
///     TensorMap::of_module(&LinearConfig::new(3, 2).init(&Device::default()))?.write(path)?;
/// }
///
/// let out = folder.join("merged.safetensors");
/// let report = FileMerge::new(Recipe::new(Average), &paths, &out).run()?;
/// assert_eq!(report.tensors.len(), 2); // `bias` and `weight`
/// let [a, b, merged] = [&paths[0], &paths[1], &out].map(CheckpointFile::open);
/// let (a, b, merged) = (a?.read("bias")?, b?.read("bias")?, merged?.read("bias")?);
/// let means = a.iter::<f32>().zip(b.iter::<f32>()).map(|(a, b)| (a + b) / 2.0);
/// assert!(means.zip(merged.iter::<f32>()).all(|(mean, merged)| (mean - merged).abs() < 1e-6));
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FileMerge {
    pub(super) recipe: Recipe,
    pub(super) base: Option<PathBuf>,
    pub(super) models: Vec<PathBuf>,
    pub(super) out: PathBuf,
    pub(super) dtype: Option<DType>,
    pub(super) max_shard_size: Option<u64>,
    pub(super) layout: Option<ByPath<WeightLayout>>,
    observer: Option<FileObserver>,
}

impl FileMerge {
    /// A merge of models into a file, or into a directory of shards.
    pub fn new(
        recipe: Recipe,
        models: impl IntoIterator<Item = impl Into<PathBuf>>,
        out: impl Into<PathBuf>,
    ) -> Self {
        Self {
            recipe,
            base: None,
            models: models.into_iter().map(Into::into).collect(),
            out: out.into(),
            dtype: None,
            max_shard_size: None,
            layout: None,
            observer: None,
        }
    }

    /// Sets the base: the model from which the others were trained.
    #[must_use]
    pub fn with_base(mut self, base: impl Into<PathBuf>) -> Self {
        self.base = Some(base.into());
        self
    }

    /// Sets the element type of all float tensors of the result. Inputs may then differ in theirs. Numbers are rounded
    /// to the nearest one of the type; those beyond its range are an error. `Flex32` is stored as f32.
    #[must_use]
    pub fn with_dtype(mut self, dtype: FloatDType) -> Self {
        self.dtype = Some(match dtype {
            FloatDType::Flex32 => DType::F32,
            other => other.into(),
        });
        self
    }

    /// Writes shards of at most this many bytes, without their headers, to a directory that is new or empty. A tensor
    /// that is larger has a shard of its own, which is then larger, too. If one shard is enough, there is no index, as
    /// in checkpoints of Hugging Face.
    #[must_use]
    pub fn with_max_shard_size(mut self, bytes: u64) -> Self {
        self.max_shard_size = Some(bytes);
        self
    }

    /// Says which axis of a weight has the outputs, the same for all tensors or by path. Methods that distinguish rows
    /// from columns need it.
    #[must_use]
    pub fn with_layout(mut self, layout: impl Into<ByPath<WeightLayout>>) -> Self {
        self.layout = Some(layout.into());
        self
    }

    /// Sets an observer, which is called after every tensor with the number of tensors that are merged or copied, as
    /// [`Work::Tensor`](crate::loss::Work::Tensor). If methods see all tensors first, it is also called before each of
    /// them, with none done. A break is an error, and leaves nothing behind.
    #[must_use]
    pub fn with_observer(
        mut self,
        observe: impl FnMut(&Progress) -> ControlFlow<()> + Send + 'static,
    ) -> Self {
        self.observer = Some(Box::new(observe));
        self
    }

    /// What [`run`](Self::run) would do, from the headers alone. Whether copied tensors are the same in all models is
    /// not known yet.
    ///
    /// # Errors
    ///
    /// Those of [`run`](Self::run) that need no number.
    pub fn plan(&self) -> Result<MergeReport, MergeError> {
        Ok(Job::new(self, None)?.report())
    }

    /// Merges, and writes the result.
    ///
    /// # Errors
    ///
    /// [`MergeError::File`] for inputs that cannot be read or have no float tensor, for a result that cannot be written
    /// or that would replace an input or statistics, a directory that is a link or not empty, and types that its format
    /// does not have; [`MergeError::DifferentTensors`] with all names that are missing, extra or different in the first
    /// checkpoint that differs; [`MergeError::MixedTypes`] if only element types differ and [none](Self::with_dtype) is
    /// set; [`MergeError::NonFinite`] with the path of the input; [`MergeError::Method`] for results beyond the range
    /// of their type; [`MergeError::NoLayout`] if a method distinguishes rows from columns;
    /// [`MergeError::NoSuchTensor`] for patterns; [`MergeError::OutOfRange`] for shards of zero bytes;
    /// [`MergeError::Stopped`]; all errors of [`Recipe::run`].
    pub fn run(mut self) -> Result<MergeReport, MergeError> {
        let observer = self.observer.take();
        let mut job = Job::new(&self, observer)?;
        job.prepare()?;
        let job = Arc::new(job);
        job.write()?;
        Ok(job.report())
    }
}

impl fmt::Debug for FileMerge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let models: Vec<&Path> = self.models.iter().map(PathBuf::as_path).collect();
        f.debug_struct("FileMerge")
            .field("recipe", &self.recipe)
            .field("base", &self.base)
            .field("models", &models)
            .field("out", &self.out)
            .finish_non_exhaustive()
    }
}
