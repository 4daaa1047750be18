//! From names and settings to methods of the library.

use std::path::PathBuf;
use std::sync::Arc;

use burnscape::merge::{
    Average, ByPath, CheckpointFile, Combine, FisherAverage, IsotropicMerge, KarcherMean,
    MergeMethod, MergeReport, ModelStock, Recipe, RegMean, Slerp, SlerpUnit, Sparsify, Take,
    TaskArithmetic, TaskSingularVectors, TensorStore,
};

use super::error::CommandError;
use super::job::{Job, Part, is_same, unwritable};
use super::method::Method;
use super::scoped::by_path;
use super::settings::{Settings, Threshold, Unit, missing};
use super::words::refused;

/// The share of outliers that breadcrumbs drops.
const OUTLIERS: f64 = 0.01;

/// Settings whose values depend on the path.
pub(crate) const BY_PATH: [&str; 3] = ["density", "keep", "scale"];

/// The recipe of a job. Files with statistics are opened, and settings checked.
pub(crate) fn recipe(job: &Job) -> Result<Recipe, CommandError> {
    let mut recipe = None;
    for part in job.all() {
        let builder = Builder {
            job,
            part,
            recipe: recipe.take(),
        };
        recipe = Some(builder.with_method()?);
    }
    // There is always the part for everything.
    let recipe = recipe.unwrap_or_else(|| Recipe::new(Average));
    let Some(weights) = &job.weights else {
        return Ok(recipe);
    };
    let place = &job.own.place;
    let weights = weights
        .iter()
        .map(|values| by_path("weights", 1.0, values, place));
    let weights = weights.collect::<Result<Vec<ByPath<f64>>, CommandError>>()?;
    Ok(recipe.with_weights(weights))
}

/// Refuses patterns of values that select no tensor of the plan. Those of rules, weights and layouts are known to be
/// right.
pub(crate) fn check_patterns(job: &Job, plan: &MergeReport) -> Result<(), CommandError> {
    for part in job.all() {
        for setting in BY_PATH {
            let values = part.settings.scoped(setting).iter();
            for pattern in values.filter_map(|scoped| scoped.pattern.as_deref()) {
                let selected = ByPath::new(false).with(pattern, true);
                let mut tensors = plan.tensors.iter();
                if !tensors.any(|tensor| *selected.at(&tensor.name)) {
                    let message = format!(
                        "no tensor is `{pattern}` or below it; `burnscape inspect` lists the names"
                    );
                    return Err(part.place.wrong(setting, message));
                }
            }
        }
    }
    Ok(())
}

/// Adds the method of a part to a recipe, or begins one.
struct Builder<'j> {
    job: &'j Job,
    part: &'j Part,
    recipe: Option<Recipe>,
}

impl Builder<'_> {
    fn put(self, method: impl MergeMethod + Clone + 'static) -> Result<Recipe, CommandError> {
        self.check(&method)?;
        Ok(match self.recipe {
            None => Recipe::new(method),
            Some(recipe) => {
                let names = self.part.names.iter();
                names.fold(recipe, |recipe, name| recipe.with(name, method.clone()))
            }
        })
    }

    /// Lets the method check its settings, for all tensors and for every pattern, while it is known whose they are.
    fn check(&self, method: &dyn MergeMethod) -> Result<(), CommandError> {
        let part = self.part;
        let equal = vec![1.0; self.job.models.len()];
        let values = BY_PATH.iter().flat_map(|name| part.settings.scoped(name));
        let patterns = values.filter_map(|scoped| scoped.pattern.as_deref());
        for path in std::iter::once("").chain(patterns) {
            let checked = method.check(path, &equal);
            checked.map_err(|error| refused(error, &part.place))?;
        }
        Ok(())
    }

    fn with_method(self) -> Result<Recipe, CommandError> {
        let (part, job) = (self.part, self.job);
        let (method, settings) = (part.method, &part.settings);
        match method {
            Method::Average => self.put(Average),
            Method::TaskArithmetic
            | Method::Ties
            | Method::Dare
            | Method::DareTies
            | Method::Della
            | Method::DellaTies
            | Method::Breadcrumbs
            | Method::BreadcrumbsTies => self.put(task_arithmetic(part)?),
            Method::Slerp => self.put(Slerp::new().with_unit(unit(settings))),
            Method::Karcher => self.put(KarcherMean::new().with_unit(unit(settings))),
            Method::ModelStock => self.put(ModelStock),
            Method::Fisher => {
                let stores = stores("fisher", &settings.fisher, part, job)?;
                self.put(FisherAverage::new(stores))
            }
            Method::RegMean => {
                let mut regmean = RegMean::new(stores("grams", &settings.grams, part, job)?);
                if let Some(factor) = settings.off_diagonal {
                    regmean = regmean.with_off_diagonal(factor);
                }
                if let Some(ridge) = settings.ridge {
                    regmean = regmean.with_ridge(ridge);
                }
                self.put(regmean)
            }
            Method::TsvM => {
                let method = TaskSingularVectors::new().with_scale(one("scale", part)?);
                self.put(method.with_rank_share(settings.rank_share))
            }
            Method::IsoC => self.put(IsotropicMerge::new().with_scale(one("scale", part)?)),
            Method::Base => self.put(Take::Base),
            Method::Model(index) => self.put(Take::Model(index)),
        }
    }
}

fn task_arithmetic(part: &Part) -> Result<TaskArithmetic, CommandError> {
    let Part {
        method,
        settings,
        place,
        ..
    } = part;
    let values = |setting| settings.by_path(setting, *method, place);
    let plain = match method {
        Method::Ties if settings.threshold == Some(Threshold::Model) => {
            let density = one("density", part)?;
            TaskArithmetic::new().with_sparsify(Sparsify::ModelMagnitude { density })
        }
        Method::Ties => TaskArithmetic::ties(values("density")?),
        Method::Dare | Method::DareTies => TaskArithmetic::dare(values("keep")?),
        Method::Della | Method::DellaTies => {
            let keep = values("keep")?;
            let epsilon = settings.epsilon;
            let epsilon = epsilon.ok_or_else(|| missing("epsilon", *method, place))?;
            TaskArithmetic::della(keep, epsilon)
        }
        Method::Breadcrumbs | Method::BreadcrumbsTies => {
            let (density, top) = (values("density")?, settings.top.unwrap_or(OUTLIERS));
            check_crumbs(part, &density, top)?;
            TaskArithmetic::breadcrumbs(density, top)
        }
        _ => TaskArithmetic::new(),
    };
    let elects = [
        Method::Ties,
        Method::DareTies,
        Method::DellaTies,
        Method::BreadcrumbsTies,
    ];
    let combined = if elects.contains(method) {
        plain.with_combine(Combine::ElectSign)
    } else {
        plain
    };
    Ok(combined
        .with_scale(values("scale")?)
        .with_seed(settings.seed.unwrap_or(0)))
}

/// Refuses shares of breadcrumbs that are more than all.
fn check_crumbs(part: &Part, density: &ByPath<f64>, top: f64) -> Result<(), CommandError> {
    let parts = density.rules.iter().map(|(_, density)| *density);
    for density in std::iter::once(density.default).chain(parts) {
        // Larger ones are out of range by themselves.
        if density <= 1.0 && top < 1.0 && density + top > 1.0 + 1e-12 {
            let [density_key, top_key] = ["density", "top"].map(|name| part.place.key(name));
            let message = format!(
                "`{density_key}` {density} and `{top_key}` {top} are more than 1 together; lower one of them"
            );
            return Err(part.place.wrong("density", message));
        }
    }
    Ok(())
}

fn unit(settings: &Settings) -> SlerpUnit {
    match settings.unit {
        None | Some(Unit::Tensor) => SlerpUnit::Tensor,
        Some(Unit::Filter) => SlerpUnit::Filter,
        Some(Unit::Model) => SlerpUnit::Model,
    }
}

/// The value of a setting that is the same for all tensors.
fn one(setting: &str, part: &Part) -> Result<f64, CommandError> {
    let paths = part.settings.by_path(setting, part.method, &part.place)?;
    match paths.rules.first() {
        None => Ok(paths.default),
        Some((pattern, _)) => {
            let (method, key) = (part.method, part.place.key(setting));
            let message = format!(
                "`{method}` has one `{key}` for all tensors, here also one for `{pattern}`; leave the pattern out, or \
                 use a rule of a configuration"
            );
            Err(part.place.wrong(setting, message))
        }
    }
}

/// The statistics of each model, which the output may not replace.
fn stores(
    setting: &str,
    files: &[PathBuf],
    part: &Part,
    job: &Job,
) -> Result<Vec<Arc<dyn TensorStore>>, CommandError> {
    let num_models = job.models.len();
    let (key, method) = (part.place.key(setting), part.method);
    if files.is_empty() {
        let message = format!(
            "`{method}` needs a file of statistics for each model; set {key}, one file for each of {num_models}"
        );
        return Err(part.place.wrong(setting, message));
    }
    if files.len() != num_models {
        let number = counted(files.len(), "file");
        let models = counted(num_models, "model");
        let message = format!("{number} in {key} for {models}; give one for each");
        return Err(part.place.wrong(setting, message));
    }
    let mut stores: Vec<Arc<dyn TensorStore>> = Vec::with_capacity(files.len());
    for file in files {
        let checkpoint = CheckpointFile::open(file)?;
        let own = TensorStore::files(&checkpoint);
        if own.iter().any(|own| is_same(own, &job.out)) {
            return Err(unwritable(&job.out));
        }
        stores.push(Arc::new(checkpoint));
    }
    Ok(stores)
}

/// A number with a noun: `1 file`, `2 files`.
pub(crate) fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
