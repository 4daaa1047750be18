use std::collections::BTreeSet;

use burn::module::{Module, ParamGroup};
use serde::{Deserialize, Serialize};

use super::{CurveProfile, CurveProfileConfig, PathError, PolygonalChain};
use crate::loss::{Progress, Risk, Work};
use crate::order_statistics::largest;
use crate::space::{LeafVector, ParamSpace, ParamVector};
use crate::writing::number;

/// A measurement of the barrier of each layer: one layer moves from `a` to `b` with the others fixed, at `a` and
/// then at `b`; and the same for the layers up to each one together. The control is a random
/// direction of the same length in the same layer.
///
/// A barrier depends on its baseline. Each profile has the barriers above its own path's ends, two models of which one
/// or both mix layers of `a` and `b`; [`LayerwiseBarriers::above_models`] is the barrier above the whole models.
///
/// # Cost
///
/// One profile, and six for each layer.
///
/// # Defaults
///
/// The fields of the model as layers, the profile of [`CurveProfileConfig::new`], seed 0.
///
/// # References
///
/// Adilova, Andriushchenko, Kamp, Fischer, Jaggi 2024, *Layer-wise Linear Mode Connectivity*,
/// arXiv:2307.06966.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::path::{CurveProfileConfig, LayerwiseBarriersConfig};
///
/// let device = Device::default();
/// let [a, b] = [(); 2].map(|()| LinearConfig::new(2, 1).init(&device));
/// let data = [Tensor::<2>::ones([8, 2], &device)];
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(2).mean();
/// let risk = Risk::new(&loss, &data);
/// let found = LayerwiseBarriersConfig::new()
///     .with_profile(CurveProfileConfig::new().with_num_points(5))
///     .run(&risk, [&a, &b])?;
/// assert_eq!(found.layers[0].name, "weight");
/// let profile = &found.layers[0].others_at_first;
/// assert!(profile.barriers().ok_or("stopped")?.above_line < 1e-6);
/// assert!(found.above_models(profile) >= 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct LayerwiseBarriersConfig<'a, M> {
    groups: Option<Vec<(String, ParamGroup)>>,
    profile: CurveProfileConfig<'a, M>,
    seed: u64,
}

impl<M: Module> Default for LayerwiseBarriersConfig<'_, M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a, M: Module> LayerwiseBarriersConfig<'a, M> {
    /// Each field of the model is a layer: the first part of the parameters' paths. The entries of a
    /// field that is a list (`layers.0`, `layers.1`, …) are separate layers.
    pub fn new() -> Self {
        Self {
            groups: None,
            profile: CurveProfileConfig::new(),
            seed: 0,
        }
    }

    /// Measures these named groups instead. A parameter in several groups moves with each of them; a parameter in no
    /// group does not move.
    #[must_use]
    pub fn with_groups(mut self, groups: Vec<(String, ParamGroup)>) -> Self {
        self.groups = Some(groups);
        self
    }

    /// The measurement of each line: its places, policy, test data and metrics.
    #[must_use]
    pub fn with_profile(mut self, profile: CurveProfileConfig<'a, M>) -> Self {
        self.profile = profile;
        self
    }

    /// Seed of the random directions.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Measures the layers between two models.
    ///
    /// # Errors
    ///
    /// [`PathError::Space`] if the models differ in a parameter or a group is empty; those of
    /// [`CurveProfileConfig::run`].
    pub fn run<K>(
        &self,
        risk: &Risk<'_, M, K>,
        [a, b]: [&M; 2],
    ) -> Result<LayerwiseBarriers, PathError> {
        risk.in_time(a, || self.between(risk, [a, b]))
    }

    fn between<K>(
        &self,
        risk: &Risk<'_, M, K>,
        [a, b]: [&M; 2],
    ) -> Result<LayerwiseBarriers, PathError> {
        let space = ParamSpace::of(a)?;
        space.check_same(&ParamSpace::of(b)?)?;
        let layers = self.layers(a, &space)?;
        let profile = |first: &M, last: &M| {
            let profile = self
                .profile
                .run(risk, &PolygonalChain::line(first, last)?)?;
            if profile.completed {
                Ok(profile)
            } else {
                Err(PathError::Stopped)
            }
        };
        let _ = risk.take_break();
        let mut found = LayerwiseBarriers {
            whole: profile(a, b)?,
            layers: Vec::new(),
            cumulative: Vec::new(),
            completed: true,
        };
        let [from, to] = [a, b].map(|model| LeafVector::from_module(&space, model));
        let difference = to?.axpby(1.0, -1.0, &from?)?;
        let measure = |name: &str, mask: &[bool], seed: u64| {
            let step = masked(difference.clone(), mask);
            let distance = step.norm()?;
            let random = ParamVector::gaussian(&space, seed)?.to_leaves();
            let random = masked(random, mask);
            let random = random.clone().scale(distance / random.norm()?);
            let moved = space.leaves().iter().zip(mask).filter(|(_, own)| **own);
            Ok(LayerBarrier {
                name: name.to_string(),
                num_parameters: moved.map(|(leaf, _)| leaf.len()).sum(),
                distance,
                others_at_first: profile(a, &step.perturb(a, 1.0)?)?,
                others_at_last: profile(&step.perturb(b, -1.0)?, b)?,
                random: profile(a, &random.perturb(a, 1.0)?)?,
            })
        };
        let total = 2 * layers.len();
        let mut together = vec![false; space.leaves().len()];
        for (index, (name, mask)) in layers.iter().enumerate() {
            for (sum, own) in together.iter_mut().zip(mask) {
                *sum |= own;
            }
            let seed = self.seed.wrapping_add(index as u64);
            for (done, mask) in [(2 * index + 1, mask), (2 * index + 2, &together)] {
                match measure(name, mask, seed) {
                    Err(PathError::Stopped) => {
                        found.completed = false;
                        return Ok(found);
                    }
                    layer if done % 2 == 1 => found.layers.push(layer?),
                    layer => found.cumulative.push(layer?),
                }
                let progress = Progress::new(Work::Layer, done).of(total);
                if risk.take_break() || risk.report(progress).is_break() {
                    found.completed = done == total;
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }

    /// Name and leaves of each layer, in the order of the model or of the groups.
    fn layers(&self, model: &M, space: &ParamSpace) -> Result<Vec<(String, Vec<bool>)>, PathError> {
        let leaves = space.leaves();
        let Some(groups) = &self.groups else {
            let of_leaves: Vec<String> = leaves.iter().map(|leaf| layer(leaf.path())).collect();
            let mut names = of_leaves.clone();
            let mut seen = BTreeSet::new();
            names.retain(|name| seen.insert(name.clone()));
            let mask = |name: &String| of_leaves.iter().map(|own| own == name).collect();
            return Ok(names
                .into_iter()
                .map(|name| (name.clone(), mask(&name)))
                .collect());
        };
        let masks = groups.iter().map(|(name, group)| {
            let own = ParamSpace::of_group(model, group)?;
            let paths: Vec<&str> = own.leaves().iter().map(|leaf| leaf.path()).collect();
            let mask = leaves.iter().map(|leaf| paths.contains(&leaf.path()));
            Ok((name.clone(), mask.collect()))
        });
        masks.collect()
    }
}

/// The profiles of one layer, or of several together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LayerBarrier {
    /// The layer's name; the name of the last one if several move.
    pub name: String,
    /// Number of parameters that move.
    pub num_parameters: usize,
    /// `|b − a|` over these parameters.
    #[serde(with = "number")]
    pub distance: f64,
    /// The layer moves from `a` to `b`, all others stay at `a`.
    pub others_at_first: CurveProfile,
    /// The layer moves from `a` to `b`, all others stay at `b`.
    pub others_at_last: CurveProfile,
    /// The control: the layer moves from `a` by the same distance in a random direction of its parameters, all
    /// others stay at `a`.
    pub random: CurveProfile,
}

/// The barriers of all layers, the result of a [`LayerwiseBarriersConfig`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LayerwiseBarriers {
    /// The straight line between the models, on which all layers move.
    pub whole: CurveProfile,
    /// Each layer alone, in the order of the model.
    pub layers: Vec<LayerBarrier>,
    /// The first layer, the first two, and so on; the last entry moves all of them.
    pub cumulative: Vec<LayerBarrier>,
    /// False if the observer stopped the measurement.
    pub completed: bool,
}

impl LayerwiseBarriers {
    /// The barrier of a layer's profile above the whole models: `max_t [L(t) − ((1 − t) L(a) + t L(b))]` on training
    /// data, and NaN if a loss is NaN. It is also large if an end of the layer's path, a mixture of `a` and `b`, has a large loss. Never negative.
    pub fn above_models(&self, profile: &CurveProfile) -> f64 {
        let losses = &self.whole.train.values;
        let end = |loss: Option<&f64>| loss.copied().unwrap_or(f64::NAN);
        let (first, last) = (end(losses.first()), end(losses.last()));
        let places = profile.times.iter().zip(&profile.train.values);
        let excess = places.map(|(t, loss)| loss - (first + t * (last - first)));
        largest(0.0, excess)
    }
}

/// The layer of a parameter: the first part of its path, with the index that follows if the field is a list.
fn layer(path: &str) -> String {
    let mut parts = path.split('.');
    let first = parts.next().unwrap_or_default();
    match parts.next() {
        Some(index) if index.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{first}.{index}")
        }
        _ => first.to_string(),
    }
}

fn masked(vector: LeafVector, mask: &[bool]) -> LeafVector {
    let mut mask = mask.iter();
    vector.map_all(|_, value| match mask.next() {
        Some(true) => value,
        _ => None,
    })
}
