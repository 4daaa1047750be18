//! The methods that merge three networks, with and without a scale.

use std::sync::Arc;

use burnscape::loss::Risk;
use burnscape::merge::{
    FisherAverage, IsotropicMerge, KarcherMean, ModelStock, Recipe, RegMean, TaskArithmetic,
    TaskSingularVectors, TensorMap, TensorStore,
};

use super::data::Data;
use super::networks::{loss_per_example, outputs};
use crate::Failure;
use crate::studies::criteria::merging::ARITHMETIC;
use crate::studies::network::Mlp;

/// Examples from which the importances of a network are computed.
const FISHER_EXAMPLES: usize = 192;
/// What is added to the diagonal of Gram matrices, as a share of its mean: some pixels are never lit.
const RIDGE: f64 = 1e-3;
/// Of each task vector, what TIES and breadcrumbs leave, and what DARE and DELLA keep on average.
const SHARE: f64 = 0.5;

/// The best of these is chosen on held-out images.
pub(super) const SCALES: [f64; 8] = [0.2, 1.0 / 3.0, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0];
/// What the names of methods end with that look at data.
pub(super) const USES_DATA: &str = "(uses data)";
pub(super) const MODEL_STOCK: &str = "model stock";

/// A method, for a scale of the merged task vector or without one.
pub(super) struct Method {
    pub(super) name: &'static str,
    pub(super) recipe: Make,
}

pub(super) enum Make {
    Fixed(Recipe),
    Scaled(fn(f64) -> Recipe),
}

/// All methods that need no data.
pub(super) fn without_data() -> Vec<Method> {
    vec![
        scaled(ARITHMETIC, |scale| {
            Recipe::new(TaskArithmetic::new().with_scale(scale))
        }),
        scaled("TIES", |scale| {
            Recipe::new(TaskArithmetic::ties(SHARE).with_scale(scale))
        }),
        // Means become sums with three times the scale.
        scaled("DARE", |scale| {
            Recipe::new(TaskArithmetic::dare(SHARE).with_scale(3.0 * scale))
        }),
        scaled("DELLA", |scale| {
            Recipe::new(TaskArithmetic::della(SHARE, 0.2).with_scale(3.0 * scale))
        }),
        scaled("breadcrumbs", |scale| {
            Recipe::new(TaskArithmetic::breadcrumbs(SHARE, 0.01).with_scale(3.0 * scale))
        }),
        scaled("TSV-M", |scale| {
            Recipe::new(TaskSingularVectors::new().with_scale(scale))
        }),
        scaled("Iso-C", |scale| {
            Recipe::new(IsotropicMerge::new().with_scale(scale))
        }),
        fixed(MODEL_STOCK, Recipe::new(ModelStock)),
        fixed("Karcher mean", Recipe::new(KarcherMean::new())),
    ]
}

/// Those that look at what each network computes on its own images.
pub(super) fn with_data(
    nets: &[Mlp],
    examples: &[Vec<usize>],
    data: &Data,
) -> Result<Vec<Method>, Failure> {
    let (mut importances, mut grams) = (Vec::new(), Vec::new());
    for (net, examples) in nets.iter().zip(examples) {
        let few: Vec<usize> = examples.iter().copied().take(FISHER_EXAMPLES).collect();
        let few = data.batches_of(&few)?;
        importances.push(stored(FisherAverage::squared_gradients(
            &Risk::per_example(loss_per_example, &few),
            net,
        )?));
        grams.push(stored(RegMean::input_grams(
            &outputs,
            &data.batches_of(examples)?,
            net,
        )?));
    }
    let regmean = RegMean::new(grams).with_ridge(RIDGE);
    Ok(vec![
        fixed(
            "Fisher (uses data)",
            Recipe::new(FisherAverage::new(importances)),
        ),
        fixed("RegMean (uses data)", Recipe::new(regmean)),
    ])
}

fn scaled(name: &'static str, make: fn(f64) -> Recipe) -> Method {
    Method {
        name,
        recipe: Make::Scaled(make),
    }
}

fn fixed(name: &'static str, recipe: Recipe) -> Method {
    Method {
        name,
        recipe: Make::Fixed(recipe),
    }
}

fn stored(map: TensorMap) -> Arc<dyn TensorStore> {
    Arc::new(map)
}
