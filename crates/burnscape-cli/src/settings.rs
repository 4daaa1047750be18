//! The settings of methods, and which method uses which.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Deserialize;

use super::error::CommandError;
use super::method::Method;
use super::scoped::Scoped;

/// The settings of methods, as they were given.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings of methods")]
pub(crate) struct Settings {
    /// Share of each task vector that is kept, more than 0 and at most 1: 0.2 by default for ties, as in its paper, no
    /// default for breadcrumbs; `pattern=share` for parts of the model
    #[arg(long, value_name = "SHARE")]
    pub(crate) density: Vec<Scoped<f64>>,
    /// Probability to keep an element in dare and della, more than 0 and at most 1, no default; `pattern=share` for
    /// parts of the model
    #[arg(long, value_name = "SHARE")]
    pub(crate) keep: Vec<Scoped<f64>>,
    /// How far the probabilities of della are from --keep at most, no default
    #[arg(long, value_name = "WINDOW")]
    pub(crate) epsilon: Option<f64>,
    /// Share of the largest elements that breadcrumbs drops: 0.01 by default
    #[arg(long, value_name = "SHARE")]
    pub(crate) top: Option<f64>,
    /// Factor of the merged task vector: 1 by default; `pattern=factor` for parts of the model
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true)]
    pub(crate) scale: Vec<Scoped<f64>>,
    /// Seed of random draws, which do not depend on the order of tensors: 0 by default
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// What has an angle of its own in slerp, and a mean direction in karcher: each tensor by default
    #[arg(long, value_enum)]
    pub(crate) unit: Option<Unit>,
    /// Where ties looks for its threshold: in each tensor by default, or over the whole model
    #[arg(long, value_enum)]
    pub(crate) threshold: Option<Threshold>,
    /// Factor of the off-diagonal elements of Gram matrices in regmean: 0.9 by default, as in its paper
    #[arg(long, value_name = "FACTOR")]
    pub(crate) off_diagonal: Option<f64>,
    /// What regmean adds to the diagonal of the sum of Gram matrices, as a share of its mean: 0 by default
    #[arg(long, value_name = "SHARE")]
    pub(crate) ridge: Option<f64>,
    /// Files with the importances of each model for fisher, as the library writes them, in the order of the models
    #[arg(long, value_name = "FILES", value_delimiter = ',')]
    pub(crate) fisher: Vec<PathBuf>,
    /// Files with the Gram matrices of each model for regmean, as the library writes them, in the order of the models
    #[arg(long, value_name = "FILES", value_delimiter = ',')]
    pub(crate) grams: Vec<PathBuf>,
    /// Share of the singular vectors of each task that tsv-m keeps: one over the number of models by default
    #[arg(long, value_name = "SHARE")]
    pub(crate) rank_share: Option<f64>,
}

/// What has an angle or a direction of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Unit {
    /// Each tensor
    Tensor,
    /// Each output unit of a weight; needs --layout
    Filter,
    /// All tensors together
    Model,
}

/// Where a threshold holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Threshold {
    /// In each tensor
    Tensor,
    /// Over the model, which reads every file twice
    Model,
}

/// Methods that merge task vectors element by element.
const TASK_VECTORS: [Method; 8] = [
    Method::TaskArithmetic,
    Method::Ties,
    Method::Dare,
    Method::DareTies,
    Method::Della,
    Method::DellaTies,
    Method::Breadcrumbs,
    Method::BreadcrumbsTies,
];

const DELLA: [Method; 2] = [Method::Della, Method::DellaTies];
const DROPPING: [Method; 4] = [
    Method::Dare,
    Method::DareTies,
    Method::Della,
    Method::DellaTies,
];
const BREADCRUMBS: [Method; 2] = [Method::Breadcrumbs, Method::BreadcrumbsTies];

/// A setting, with the methods that use it.
type Use = (&'static str, Vec<Method>);

impl Settings {
    /// Returns an error if a setting was given that this method does not use.
    pub(crate) fn check(&self, method: Method) -> Result<(), CommandError> {
        for (setting, methods) in self.given() {
            if !methods.contains(&method) {
                return Err(unused(setting, method, &methods));
            }
        }
        Ok(())
    }

    /// The names of the settings that were given.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let given = self.given().into_iter();
        given.map(|(setting, _)| setting).collect()
    }

    /// The files with statistics of data.
    pub(crate) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.fisher.iter().chain(&self.grams)
    }

    fn given(&self) -> Vec<Use> {
        let density = [&[Method::Ties][..], &BREADCRUMBS].concat();
        let scale = [&TASK_VECTORS[..], &[Method::TsvM, Method::IsoC]].concat();
        let by_unit = vec![Method::Slerp, Method::Karcher];
        let all = [
            (!self.density.is_empty(), "density", density),
            (!self.keep.is_empty(), "keep", DROPPING.to_vec()),
            (self.epsilon.is_some(), "epsilon", DELLA.to_vec()),
            (self.top.is_some(), "top", BREADCRUMBS.to_vec()),
            (!self.scale.is_empty(), "scale", scale),
            (self.seed.is_some(), "seed", DROPPING.to_vec()),
            (self.unit.is_some(), "unit", by_unit),
            (self.threshold.is_some(), "threshold", vec![Method::Ties]),
            (
                self.off_diagonal.is_some(),
                "off-diagonal",
                vec![Method::RegMean],
            ),
            (self.ridge.is_some(), "ridge", vec![Method::RegMean]),
            (!self.fisher.is_empty(), "fisher", vec![Method::Fisher]),
            (!self.grams.is_empty(), "grams", vec![Method::RegMean]),
            (self.rank_share.is_some(), "rank-share", vec![Method::TsvM]),
        ];
        let given = all.into_iter().filter(|(is_given, ..)| *is_given);
        given
            .map(|(_, setting, methods)| (setting, methods))
            .collect()
    }

    /// Whether this method distinguishes the rows of a matrix from its columns.
    pub(crate) fn has_rows(&self, method: Method) -> bool {
        let by_filter = matches!(method, Method::Slerp | Method::Karcher);
        let by_filter = by_filter && self.unit == Some(Unit::Filter);
        by_filter || DELLA.contains(&method) || method == Method::RegMean
    }
}

/// Methods of which each result depends on the weights of the models.
pub(crate) fn has_weights(method: Method) -> bool {
    !matches!(method, Method::Base | Method::Model(_))
}

fn unused(setting: &str, method: Method, methods: &[Method]) -> CommandError {
    let methods: Vec<String> = methods.iter().map(|other| format!("`{other}`")).collect();
    let methods = methods.join(", ");
    CommandError::Usage(format!(
        "`{method}` does not use `{setting}`, which is a setting of {methods}; leave it out"
    ))
}
