//! Longer parts of the help.

pub(crate) const EXIT_CODES: &str = "\
Exit codes: 0 success, 1 a file cannot be read, written or merged, 2 the command is wrong.";

pub(crate) const METHODS: &str = "\
Methods:
  average            weighted mean
  task-arithmetic    base + scale × weighted sum of the differences from the base
  ties               base + scale × weighted mean of the largest differences whose sign agrees
                     with the majority
  dare, dare-ties    differences dropped at random and the rest rescaled; then averaged (dare) or
                     merged as in ties (dare-ties)
  della, della-ties  the same, large differences more likely kept
  breadcrumbs, breadcrumbs-ties
                     the same with differences that are neither the largest nor small
  slerp              arc between two models
  karcher            mean direction of several models
  model-stock        mean of the models, moved towards the base by the angle between them
  fisher             mean weighted by the importance of each element (--fisher)
  regmean            least squares on the inputs of linear layers (--grams)
  tsv-m              singular vectors of the differences, made orthogonal
  iso-c              sum of the differences, all singular values set to their mean; vectors: their
                     mean
  base, model:0      copy the tensors of the base, or of a model (model:0 is the first)

Weights are normalized in all methods but task-arithmetic, tsv-m and iso-c, which sum; multiply by
--scale N for sums as in mergekit's normalize: false. model-stock takes equal weights only.
mergekit's names are known, too: task_arithmetic, dare_linear, linear.

Inputs are .safetensors and .bpk files, the .safetensors.index.json of shards, or directories with
one such checkpoint, such as folders of Hugging Face.";

pub(crate) const EXAMPLES: &str = "\
Examples:
  burnscape merge --method average a.safetensors b.safetensors --out merged.safetensors
  burnscape merge --method ties --base base.safetensors a.safetensors b.safetensors \\
      --density 0.5 --weights 0.5,0.5 --out merged.safetensors
  burnscape merge --method slerp tuned/ other/ --weights 0.7,0.3 \\
      --max-shard-size 5GB --copy-from tuned/ --out merged
  burnscape merge --config merge.toml

A configuration has keys with the names of the flags, and rules for parts of the model:
  base = \"base.safetensors\"
  models = [\"a.safetensors\", \"b.safetensors\"]
  weights = [{ default = 0.5, lm_head = 0.1 }, 0.5]
  out = \"merged.safetensors\"
  method = \"ties\"
  density = { default = 0.5, \"model.layers.0\" = 0.2 }
  [[rules]]
  names = \"lm_head\"
  method = \"average\"
A pattern is the beginning of a path, name by name, such as model.layers.0, and `*` is any one
name. Of rules, the first that matches decides; of values in a table, that with the most names.

The result is written beside the output and moved there at the end. A run that is stopped leaves
the output as it was; one that is killed also leaves a file that ends with .tmp.";
