//! From names and settings to methods of the library.

use std::path::PathBuf;
use std::sync::Arc;

use burnscape::merge::{
    Average, ByPath, CheckpointFile, Combine, FisherAverage, IsotropicMerge, KarcherMean,
    MergeMethod, MergeReport, ModelStock, Recipe, RegMean, Slerp, SlerpUnit, Sparsify, Take,
    TaskArithmetic, TaskSingularVectors, TensorStore,
};

use super::error::CommandError;
use super::job::Job;
use super::method::Method;
use super::scoped::{Scoped, by_path};
use super::settings::{Settings, Threshold, Unit};

/// The density of TIES in its paper.
const TIES_DENSITY: f64 = 0.2;
/// The share of outliers that breadcrumbs drops.
const OUTLIERS: f64 = 0.01;

/// The recipe of a job. Files with statistics are opened.
pub(crate) fn recipe(job: &Job) -> Result<Recipe, CommandError> {
    let own = Place {
        recipe: None,
        names: &[],
    };
    let mut recipe = own.method(job.method, &job.settings)?;
    for part in &job.parts {
        let place = Place {
            recipe: Some(recipe),
            names: &part.names,
        };
        recipe = place.method(part.method, &part.settings)?;
    }
    let Some(weights) = &job.weights else {
        return Ok(recipe);
    };
    let weights = weights.iter().map(|values| by_path("weights", 1.0, values));
    let weights = weights.collect::<Result<Vec<ByPath<f64>>, CommandError>>()?;
    Ok(recipe.with_weights(weights))
}

/// Refuses patterns of values that select no tensor of the plan. Those of rules, weights and layouts are known to be right.
pub(crate) fn check_patterns(job: &Job, plan: &MergeReport) -> Result<(), CommandError> {
    let own = std::iter::once(&job.settings);
    let all = own.chain(job.parts.iter().map(|part| &part.settings));
    for values in all.flat_map(|settings| [&settings.density, &settings.keep, &settings.scale]) {
        for pattern in values.iter().filter_map(|scoped| scoped.pattern.as_deref()) {
            let selected = ByPath::new(false).with(pattern, true);
            let mut tensors = plan.tensors.iter();
            if !tensors.any(|tensor| *selected.at(&tensor.name)) {
                return Err(CommandError::Usage(format!(
                    "no tensor is `{pattern}` or below it; `burnscape inspect` lists the names"
                )));
            }
        }
    }
    Ok(())
}

/// Where a method belongs: to everything, or to these names of a recipe.
struct Place<'j> {
    recipe: Option<Recipe>,
    names: &'j [String],
}

impl Place<'_> {
    fn put(self, method: impl MergeMethod + Clone + 'static) -> Recipe {
        match self.recipe {
            None => Recipe::new(method),
            Some(recipe) => {
                let names = self.names.iter();
                names.fold(recipe, |recipe, name| recipe.with(name, method.clone()))
            }
        }
    }

    fn method(self, method: Method, settings: &Settings) -> Result<Recipe, CommandError> {
        Ok(match method {
            Method::Average => self.put(Average),
            Method::TaskArithmetic
            | Method::Ties
            | Method::Dare
            | Method::DareTies
            | Method::Della
            | Method::DellaTies
            | Method::Breadcrumbs
            | Method::BreadcrumbsTies => self.put(task_arithmetic(method, settings)?),
            Method::Slerp => self.put(Slerp::new().with_unit(unit(settings))),
            Method::Karcher => self.put(KarcherMean::new().with_unit(unit(settings))),
            Method::ModelStock => self.put(ModelStock),
            Method::Fisher => {
                let stores = stores("fisher", "--fisher", &settings.fisher)?;
                self.put(FisherAverage::new(stores))
            }
            Method::RegMean => {
                let mut regmean = RegMean::new(stores("regmean", "--grams", &settings.grams)?);
                if let Some(factor) = settings.off_diagonal {
                    regmean = regmean.with_off_diagonal(factor);
                }
                if let Some(ridge) = settings.ridge {
                    regmean = regmean.with_ridge(ridge);
                }
                self.put(regmean)
            }
            Method::TsvM => {
                let scale = one("scale", method, 1.0, &settings.scale)?;
                let share = settings.rank_share;
                self.put(
                    TaskSingularVectors::new()
                        .with_rank_share(share)
                        .with_scale(scale),
                )
            }
            Method::IsoC => {
                let scale = one("scale", method, 1.0, &settings.scale)?;
                self.put(IsotropicMerge::new().with_scale(scale))
            }
            Method::Base => self.put(Take::Base),
            Method::Model(index) => self.put(Take::Model(index)),
        })
    }
}

fn task_arithmetic(method: Method, settings: &Settings) -> Result<TaskArithmetic, CommandError> {
    let keep = || required("keep", method, &settings.keep);
    let plain = match method {
        Method::Ties if settings.threshold == Some(Threshold::Model) => {
            let density = one("density", method, TIES_DENSITY, &settings.density)?;
            TaskArithmetic::new().with_sparsify(Sparsify::ModelMagnitude { density })
        }
        Method::Ties => TaskArithmetic::ties(by_path("density", TIES_DENSITY, &settings.density)?),
        Method::Dare | Method::DareTies => TaskArithmetic::dare(keep()?),
        Method::Della | Method::DellaTies => {
            let epsilon = settings.epsilon.ok_or_else(|| missing("epsilon", method))?;
            TaskArithmetic::della(keep()?, epsilon)
        }
        Method::Breadcrumbs | Method::BreadcrumbsTies => {
            let density = required("density", method, &settings.density)?;
            TaskArithmetic::breadcrumbs(density, settings.top.unwrap_or(OUTLIERS))
        }
        _ => TaskArithmetic::new(),
    };
    let elects = [
        Method::Ties,
        Method::DareTies,
        Method::DellaTies,
        Method::BreadcrumbsTies,
    ];
    let combined = if elects.contains(&method) {
        plain.with_combine(Combine::ElectSign)
    } else {
        plain
    };
    Ok(combined
        .with_scale(by_path("scale", 1.0, &settings.scale)?)
        .with_seed(settings.seed.unwrap_or(0)))
}

fn unit(settings: &Settings) -> SlerpUnit {
    match settings.unit {
        None | Some(Unit::Tensor) => SlerpUnit::Tensor,
        Some(Unit::Filter) => SlerpUnit::Filter,
        Some(Unit::Model) => SlerpUnit::Model,
    }
}

/// Values of a setting that has no default.
fn required(
    setting: &str,
    method: Method,
    values: &[Scoped<f64>],
) -> Result<ByPath<f64>, CommandError> {
    let all = values.iter().find(|scoped| scoped.pattern.is_none());
    let all = all.ok_or_else(|| missing(setting, method))?;
    by_path(setting, all.value, values)
}

fn missing(setting: &str, method: Method) -> CommandError {
    CommandError::Usage(format!(
        "`{method}` has no default for `{setting}`; set one, which `burnscape merge --help` explains"
    ))
}

/// The value of a setting that is the same for all tensors.
fn one(
    setting: &str,
    method: Method,
    default: f64,
    values: &[Scoped<f64>],
) -> Result<f64, CommandError> {
    let paths = by_path(setting, default, values)?;
    match paths.rules.first() {
        None => Ok(paths.default),
        Some((pattern, _)) => Err(CommandError::Usage(format!(
            "`{method}` has one `{setting}` for all tensors, here also one for `{pattern}`; leave the pattern out, or use \
             a rule of a configuration"
        ))),
    }
}

/// The statistics of each model.
fn stores(
    method: &str,
    flag: &str,
    files: &[PathBuf],
) -> Result<Vec<Arc<dyn TensorStore>>, CommandError> {
    if files.is_empty() {
        return Err(CommandError::Usage(format!(
            "`{method}` needs a file of statistics for each model; set {flag}"
        )));
    }
    let mut stores: Vec<Arc<dyn TensorStore>> = Vec::with_capacity(files.len());
    for file in files {
        stores.push(Arc::new(CheckpointFile::open(file)?));
    }
    Ok(stores)
}
