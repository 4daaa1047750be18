//! The settings of methods, and which method uses which.

use std::path::PathBuf;

use burnscape::merge::ByPath;
use clap::{Args, ValueEnum};

use super::error::CommandError;
use super::method::Method;
use super::place::Place;
use super::scoped::{Scoped, by_path};

/// The settings of methods, as they were given.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings of methods")]
pub(crate) struct Settings {
    /// Share of the differences that ties and breadcrumbs keep
    ///
    /// More than 0 and at most 1: 0.2 by default for ties, as in its paper; no default for
    /// breadcrumbs. `pattern=share` is for a part of the model; repeat the flag for several.
    #[arg(
        long,
        value_name = "SHARE",
        allow_negative_numbers = true,
        verbatim_doc_comment
    )]
    pub(crate) density: Vec<Scoped<f64>>,
    /// Probability to keep a difference in dare and della, such as 0.5
    ///
    /// More than 0 and at most 1, for instance 0.5; no default. `pattern=share` is for a part of
    /// the model; repeat the flag for several.
    #[arg(
        long,
        value_name = "SHARE",
        allow_negative_numbers = true,
        verbatim_doc_comment
    )]
    pub(crate) keep: Vec<Scoped<f64>>,
    /// Largest distance of della's probabilities from --keep, such as 0.1
    ///
    /// The largest difference of a row has the probability keep + epsilon, the smallest one
    /// keep - epsilon; no default.
    #[arg(
        long,
        value_name = "WINDOW",
        allow_negative_numbers = true,
        verbatim_doc_comment
    )]
    pub(crate) epsilon: Option<f64>,
    /// Share of the largest differences that breadcrumbs drops
    ///
    /// 0.01 by default. With --density it is at most 1.
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub(crate) top: Option<f64>,
    /// Factor of the merged differences: 1 by default
    ///
    /// Of task-arithmetic, ties, dare, dare-ties, della, della-ties, breadcrumbs,
    /// breadcrumbs-ties, tsv-m and iso-c. `pattern=factor` is for a part of the model; repeat the
    /// flag for several.
    #[arg(
        long,
        value_name = "FACTOR",
        allow_negative_numbers = true,
        verbatim_doc_comment
    )]
    pub(crate) scale: Vec<Scoped<f64>>,
    /// Seed of the random draws of dare and della: 0 by default
    ///
    /// Of dare, dare-ties, della and della-ties. Draws depend on the seed and the name of the
    /// tensor, not on the order of tensors.
    #[arg(long, allow_negative_numbers = true, value_parser = seed, verbatim_doc_comment)]
    pub(crate) seed: Option<u64>,
    /// What is rotated as one vector: tensor, filter or model
    ///
    /// What is rotated as one vector in slerp and karcher: each tensor by default, each filter,
    /// which is an output unit of a weight and needs --layout, or the whole model.
    #[arg(long, value_enum, hide_possible_values = true, verbatim_doc_comment)]
    pub(crate) unit: Option<Unit>,
    /// Whether ties ranks elements within each tensor or over the model
    ///
    /// Whether ties ranks elements within each tensor, by default, or over the whole model, for
    /// which files are read twice: tensor or model.
    #[arg(
        long,
        value_enum,
        value_name = "WHERE",
        hide_possible_values = true,
        verbatim_doc_comment
    )]
    pub(crate) threshold: Option<Threshold>,
    /// Factor of off-diagonal elements of Gram matrices: 0.9 by default
    ///
    /// Of regmean; 0.9 as in its paper.
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true)]
    pub(crate) off_diagonal: Option<f64>,
    /// What is added to the diagonal of Gram matrices: 0 by default
    ///
    /// Of regmean, to the sum of the Gram matrices, as a share of the mean of its diagonal.
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub(crate) ridge: Option<f64>,
    /// Files with the importances of each model for fisher
    ///
    /// As the library writes them, separated by commas, in the order of the models.
    #[arg(long, value_name = "FILES", value_delimiter = ',')]
    pub(crate) fisher: Vec<PathBuf>,
    /// Files with the Gram matrices of each model for regmean
    ///
    /// As the library writes them, separated by commas, in the order of the models.
    #[arg(long, value_name = "FILES", value_delimiter = ',')]
    pub(crate) grams: Vec<PathBuf>,
    /// Share of the singular vectors of each model that tsv-m keeps
    ///
    /// One over the number of models by default.
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub(crate) rank_share: Option<f64>,
}

/// A seed of the command line.
fn seed(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let refused = |_| {
        format!(
            "`{text}` is no seed; use a whole number from 0 to {}",
            u64::MAX
        )
    };
    text.parse::<u64>().map_err(refused)
}

/// What has an angle or a direction of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Unit {
    /// Each tensor
    Tensor,
    /// Each output unit of a weight; needs --layout
    Filter,
    /// All tensors together
    Model,
}

/// Where a threshold holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Threshold {
    /// In each tensor
    Tensor,
    /// Over the model, which reads every file twice
    Model,
}

/// The density of TIES in its paper.
const TIES_DENSITY: f64 = 0.2;

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

/// The methods that use a setting.
fn users(setting: &str) -> Vec<Method> {
    match setting {
        "density" => [&[Method::Ties][..], &BREADCRUMBS].concat(),
        "keep" | "seed" => DROPPING.to_vec(),
        "epsilon" => DELLA.to_vec(),
        "top" => BREADCRUMBS.to_vec(),
        "scale" => [&TASK_VECTORS[..], &[Method::TsvM, Method::IsoC]].concat(),
        "unit" => vec![Method::Slerp, Method::Karcher],
        "threshold" => vec![Method::Ties],
        "fisher" => vec![Method::Fisher],
        "rank-share" => vec![Method::TsvM],
        // The factor and the ridge of Gram matrices, and these.
        _ => vec![Method::RegMean],
    }
}

impl Settings {
    /// Returns an error if a setting was given that this method does not use.
    pub(crate) fn check(&self, method: Method, place: &Place) -> Result<(), CommandError> {
        for setting in self.names() {
            if !users(setting).contains(&method) {
                return Err(unused(setting, method, place));
            }
        }
        Ok(())
    }

    /// The names of the settings that were given.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let all = [
            (!self.density.is_empty(), "density"),
            (!self.keep.is_empty(), "keep"),
            (self.epsilon.is_some(), "epsilon"),
            (self.top.is_some(), "top"),
            (!self.scale.is_empty(), "scale"),
            (self.seed.is_some(), "seed"),
            (self.unit.is_some(), "unit"),
            (self.threshold.is_some(), "threshold"),
            (self.off_diagonal.is_some(), "off-diagonal"),
            (self.ridge.is_some(), "ridge"),
            (!self.fisher.is_empty(), "fisher"),
            (!self.grams.is_empty(), "grams"),
            (self.rank_share.is_some(), "rank-share"),
        ];
        let given = all.into_iter().filter(|(is_given, _)| *is_given);
        given.map(|(_, setting)| setting).collect()
    }

    /// The values of a setting that depends on the path: `density`, `keep` or `scale`.
    pub(crate) fn scoped(&self, setting: &str) -> &[Scoped<f64>] {
        match setting {
            "density" => &self.density,
            "keep" => &self.keep,
            _ => &self.scale,
        }
    }

    /// The values of `density`, `keep` or `scale` by path. Those that have no default have to be given for all tensors.
    pub(crate) fn by_path(
        &self,
        setting: &str,
        method: Method,
        place: &Place,
    ) -> Result<ByPath<f64>, CommandError> {
        let values = self.scoped(setting);
        let all = values.iter().find(|scoped| scoped.pattern.is_none());
        let default = match (setting, method) {
            ("scale", _) => 1.0,
            ("density", Method::Ties) => TIES_DENSITY,
            _ => match (all, values.first()) {
                (Some(all), _) => all.value,
                (None, Some(part)) => return Err(partly(setting, part, place)),
                (None, None) => return Err(missing(setting, method, place)),
            },
        };
        by_path(setting, default, values, place)
    }

    /// Whether this method distinguishes the rows of a matrix from its columns.
    pub(crate) fn has_rows(&self, method: Method) -> bool {
        let by_filter = matches!(method, Method::Slerp | Method::Karcher);
        let by_filter = by_filter && self.unit == Some(Unit::Filter);
        by_filter || DELLA.contains(&method) || method == Method::RegMean
    }
}

/// Whether this method uses a setting.
pub(crate) fn is_used(setting: &str, method: Method) -> bool {
    users(setting).contains(&method)
}

/// Methods of which each result depends on the weights of the models.
pub(crate) fn has_weights(method: Method) -> bool {
    !matches!(method, Method::Base | Method::Model(_))
}

/// The error for a setting that has no default, and was not given.
pub(crate) fn missing(setting: &str, method: Method, place: &Place) -> CommandError {
    let example = if setting == "epsilon" { "0.1" } else { "0.5" };
    let (key, example) = (place.key(setting), place.with_value(setting, example));
    let message =
        format!("`{method}` has no default for `{key}`; set one, for instance `{example}`");
    place.wrong(setting, message)
}

/// The error for a setting that was given for parts of the model only.
fn partly(setting: &str, part: &Scoped<f64>, place: &Place) -> CommandError {
    let pattern = part.pattern.as_deref().unwrap_or_default();
    let value = part.value;
    let message = if place.file.is_some() {
        format!(
            "`{setting}` for `{pattern}` leaves other tensors without a value; add `default = {value}` to its table"
        )
    } else {
        format!(
            "`--{setting} {pattern}={value}` leaves other tensors without a value; add `--{setting} {value}` as well"
        )
    };
    place.wrong(setting, message)
}

fn unused(setting: &str, method: Method, place: &Place) -> CommandError {
    let other = match setting {
        "density" if DROPPING.contains(&method) => Some("keep"),
        "keep" if is_used("density", method) => Some("density"),
        _ => None,
    };
    let key = place.key(setting);
    let message = match other.map(|other| place.key(other)) {
        Some(other) => format!("`{method}` does not use `{key}`; use {other} for `{method}`"),
        None => {
            let methods = users(setting).into_iter();
            let methods: Vec<String> = methods.map(|other| format!("`{other}`")).collect();
            format!(
                "`{method}` does not use `{key}`, which is a setting of {}; leave it out",
                methods.join(", ")
            )
        }
    };
    place.wrong(setting, message)
}
