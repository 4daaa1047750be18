use burnscape_linearize::LinearizeError;
use thiserror::Error;

use crate::OutOfRange;
use crate::loss::LossError;
use crate::space::SpaceError;
use crate::symmetry::SymmetryError;

/// Errors of merging.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum MergeError {
    /// A setting or an argument is outside its range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// The list of models is empty.
    #[error("there is no model to merge; pass at least one")]
    NoModels,
    /// A model does not have the float tensors of the first one.
    #[error(
        "{model} has {found} where the first model has {expected}; merge models of one architecture, with the same \
         element types and the same ties"
    )]
    DifferentModel {
        /// Which model it is, for instance ``model `b` ``.
        model: String,
        /// The first tensor of the first model that differs.
        expected: String,
        /// The tensor of this model in its place.
        found: String,
    },
    /// A parameter or running statistic is NaN or infinite.
    #[error(
        "`{path}` of {model} is {value} at flat index {index}; merge a model from before its training diverged"
    )]
    NonFinite {
        /// Which model it is; of files the path, quoted.
        model: String,
        /// The path of the tensor.
        path: String,
        /// The index of its first element that is not finite.
        index: usize,
        /// That element.
        value: f64,
    },
    /// Two vectors point in opposite directions, so that many arcs connect them.
    #[error(
        "{what} points in opposite directions in the two models (cosine {cosine}), so that no arc between them is the \
         shortest; align the models first, use a larger `SlerpUnit`, or `interpolate`"
    )]
    Antiparallel {
        /// What: the models, a tensor, or a filter of one.
        what: String,
        /// The cosine of the angle.
        cosine: f64,
    },
    /// A method merges differences from a base, and there is none.
    #[error(
        "`{method}` merges differences from a base, and there is none; pass the model from which all models were \
         trained, or use a method without a base, such as `average`"
    )]
    NoBase {
        /// The method.
        method: String,
    },
    /// A method does not merge this number of models.
    #[error("`{method}` merges {found} {}; use {expected}", models(*found))]
    NumModels {
        /// The method.
        method: String,
        /// The number of models.
        found: usize,
        /// The numbers that it merges.
        expected: String,
    },
    /// A pattern selects no tensor.
    #[error(
        "no tensor is `{pattern}` or below it; use the beginning of a path, such as `{example}`, with `*` for any one \
         name"
    )]
    NoSuchTensor {
        /// The pattern.
        pattern: String,
        /// The path of a tensor.
        example: String,
    },
    /// A method distinguishes rows from columns, and a file does not say which are which.
    #[error(
        "`{method}` distinguishes the outputs from the inputs of `{tensor}`, and a file does not say which axis is \
         which; set the layout: out-in for PyTorch, in-out for Burn's linear layers"
    )]
    NoLayout {
        /// The method.
        method: String,
        /// The name of the tensor.
        tensor: String,
    },
    /// A checkpoint does not have the tensors of the first one.
    #[error(
        "{first} and {model} do not have the same tensors: {}; use checkpoints of one architecture",
        tensor_lists(missing, extra, different)
    )]
    DifferentTensors {
        /// The first checkpoint.
        first: Box<str>,
        /// Which checkpoint it is.
        model: Box<str>,
        /// Names that only the first one has.
        missing: Vec<String>,
        /// Names that only this one has.
        extra: Vec<String>,
        /// Names that both have, with what differs.
        different: Vec<String>,
    },
    /// Checkpoints have float tensors of different element types, and the type of the result is not set.
    #[error(
        "{second} has {found} where {first} has {expected} ({}); choose the element type of the result (`with_dtype`, \
         --dtype) to merge both",
        counted(*count, example)
    )]
    MixedTypes {
        /// The first checkpoint.
        first: Box<str>,
        /// The other one.
        second: Box<str>,
        /// The element type of the other one.
        found: Box<str>,
        /// The element type of the first one.
        expected: Box<str>,
        /// The number of tensors with these types.
        count: usize,
        /// The name of the first one of them.
        example: Box<str>,
    },
    /// A sum of Gram matrices is singular.
    #[error(
        "the Gram matrices of `{tensor}` have rank {rank} of {size} in all; collect them on more examples, scale their \
         off-diagonals by less than 1 with `with_off_diagonal`, or add to the diagonal with `with_ridge`"
    )]
    Singular {
        /// The path of the weight.
        tensor: String,
        /// The rank of the sum.
        rank: usize,
        /// The number of inputs.
        size: usize,
    },
    /// An importance or a Gram matrix that cannot be used.
    #[error("the statistics of `{tensor}` cannot be used: {message}")]
    Statistics {
        /// The path of the tensor.
        tensor: String,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A method cannot merge a tensor.
    #[error("`{method}` cannot merge `{tensor}`: {message}")]
    Method {
        /// The method.
        method: String,
        /// The path of the tensor.
        tensor: String,
        /// Why, and what to do.
        message: String,
    },
    /// A file that cannot be read or written.
    #[error("`{path}`: {message}")]
    File {
        /// The path.
        path: String,
        /// What is wrong, and what to do.
        message: String,
    },
    /// The observer stopped the merge. Nothing was written.
    #[error("the merge was stopped after {done} of {total} tensors; nothing was written")]
    Stopped {
        /// Tensors that were merged.
        done: usize,
        /// Tensors in all.
        total: usize,
    },
    /// Running statistics would be estimated again from a single value.
    #[error(
        "batch {batch} has one example, for which the variance `{path}` is zero; leave the batch out, use batches of \
         several examples, or use `NormalizationPolicy::Interpolate`"
    )]
    OneExample {
        /// The index of the batch.
        batch: usize,
        /// The path of the variance.
        path: String,
    },
    /// Models or batches run through different layers.
    #[error(
        "the layers of {model} on batch {batch} are not those of model `a` on the first batch; repair models that run \
         the same layers, on batches for which they do"
    )]
    DifferentLayers {
        /// Which model it is.
        model: String,
        /// The index of the batch.
        batch: usize,
    },
    /// The output of a layer is NaN or infinite.
    #[error(
        "channel {channel} of the output of `{layer}` is not finite on average in {model}; look for values in the data \
         that are not finite, and for layers whose outputs leave the range of their element type"
    )]
    NonFiniteOutput {
        /// Which model it is.
        model: String,
        /// The path of a parameter of the layer.
        layer: String,
        /// The index of the channel.
        channel: usize,
    },
    /// The closure cannot be traced.
    #[error(transparent)]
    Symmetry(#[from] SymmetryError),
    /// The program cannot run.
    #[error(transparent)]
    Linearize(#[from] LinearizeError),
    /// Batches and data, and running statistics that cannot be estimated again.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// Parameters or their device.
    #[error(transparent)]
    Space(#[from] SpaceError),
}

/// The most names of a list that are shown.
const SHOWN: usize = 8;

fn models(count: usize) -> &'static str {
    if count == 1 { "model" } else { "models" }
}

/// How many tensors, and one of them.
fn counted(count: usize, example: &str) -> String {
    match count {
        1 => format!("1 tensor, `{example}`"),
        _ => format!("{count} tensors, the first is `{example}`"),
    }
}

/// The lists that are not empty, each with its length and its first names.
fn tensor_lists(missing: &[String], extra: &[String], different: &[String]) -> String {
    let lists = [
        ("only in the first", missing, prefix(missing, extra)),
        ("only in the second", extra, prefix(extra, missing)),
        ("different", different, None),
    ];
    let lists = lists.iter().filter(|(_, names, _)| !names.is_empty());
    let lists = lists.map(|(title, names, prefix)| {
        let count = names.len();
        let prefix = prefix.map(|prefix| format!(", all names begin with `{prefix}`"));
        let prefix = prefix.unwrap_or_default();
        let more = match count.saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(", … and {more} more"),
        };
        let names = names[..count.min(SHOWN)].join("`, `");
        format!("{title} ({count}{prefix}): `{names}`{more}")
    });
    lists.collect::<Vec<String>>().join("; ")
}

/// The shortest beginning, up to a dot, that all of several names have and none of the others, as wrappers of models
/// leave it.
fn prefix<'n>(names: &'n [String], others: &[String]) -> Option<&'n str> {
    let (first, rest) = names.split_first()?;
    if rest.is_empty() || others.is_empty() {
        return None;
    }
    let mut starts = first.match_indices('.').map(|(dot, _)| &first[..=dot]);
    starts.find(|&start| {
        let is_shared = rest.iter().all(|name| name.starts_with(start));
        is_shared && !others.iter().any(|name| name.starts_with(start))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    fn differing(missing: &[&str], extra: &[&str], different: &[&str]) -> String {
        let error = MergeError::DifferentTensors {
            first: "`a`".into(),
            model: "`b`".into(),
            missing: owned(missing),
            extra: owned(extra),
            different: owned(different),
        };
        error.to_string()
    }

    #[test]
    fn long_lists_are_counted_and_short_ones_are_complete() {
        let names: Vec<String> = (0..18).map(|index| format!("w{index}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let text = differing(&names, &["v"], &[]);
        assert!(
            text.starts_with(
                "`a` and `b` do not have the same tensors: only in the first (18): `w0`, `w1`, "
            ),
            "{text}"
        );
        assert!(
            text.ends_with(
                "`w7`, … and 10 more; only in the second (1): `v`; use checkpoints of one architecture"
            ),
            "{text}"
        );
        let text = differing(&names[..8], &[], &["v (f32 instead of i64)"]);
        assert!(
            text.contains("`w7`; different (1): `v (f32 instead"),
            "{text}"
        );
    }

    #[test]
    fn beginnings_that_only_one_checkpoint_has_are_told() {
        let plain = ["model.head.w", "model.norm.w"];
        let wrapped = ["base_model.model.head.w", "base_model.model.norm.w"];
        let text = differing(&plain, &wrapped, &[]);
        assert!(
            text.contains("only in the first (2, all names begin with `model.`): `model.head.w`"),
            "{text}"
        );
        assert!(
            text.contains("only in the second (2, all names begin with `base_model.`): `base_"),
            "{text}"
        );
        for (missing, extra) in [
            (&plain[..1], &wrapped[..1]),
            (&plain[..0], &wrapped[..]),
            (&["model.a", "b"][..], &["model.c", "model.d"][..]),
        ] {
            let text = differing(missing, extra, &[]);
            assert!(!text.contains("begin with"), "{text}");
        }
    }

    #[test]
    fn one_is_singular() {
        let error = |found| MergeError::NumModels {
            method: "slerp".to_string(),
            found,
            expected: "two".to_string(),
        };
        assert_eq!(error(1).to_string(), "`slerp` merges 1 model; use two");
        assert_eq!(error(3).to_string(), "`slerp` merges 3 models; use two");
        let error = |count| MergeError::MixedTypes {
            first: "`a`".into(),
            second: "`b`".into(),
            found: "bf16".into(),
            expected: "f32".into(),
            count,
            example: "w".into(),
        };
        let text = error(1).to_string();
        assert!(
            text.starts_with("`b` has bf16 where `a` has f32 (1 tensor, `w`); choose"),
            "{text}"
        );
        let text = error(17).to_string();
        assert!(text.contains("(17 tensors, the first is `w`)"), "{text}");
    }
}
