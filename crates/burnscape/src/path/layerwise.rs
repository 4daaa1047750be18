use burn::module::Module;
use serde::{Deserialize, Serialize};

use super::places::Places;
use super::{Barriers, CurveProfileConfig, Layers, PathError, Segment};
use crate::loss::{NormalizationPolicy, Progress, Risk, Work};
use crate::space::{Grid, LeafVector, ParamSpace, ParamVector};
use crate::writing::number;

/// A measurement of the barrier of each layer: one layer is moved from `a` to `b`, the others are fixed, at `a` and
/// then at `b`; and the same for the layers up to each one together. Beside each stands a random
/// direction of the same length in the same layer.
///
/// The baseline is part of the definition, so both are reported; see [`LayerLosses`].
///
/// # Cost
///
/// Six profiles a layer.
///
/// # Defaults
///
/// The fields of the model as layers, 61 places, statistics re-estimated over all data of the risk, seed 0.
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
/// use burnscape::path::LayerwiseBarriersConfig;
///
/// let device = Device::default();
/// let [a, b] = [(); 2].map(|()| LinearConfig::new(2, 1).init(&device));
/// let data = [Tensor::<2>::ones([8, 2], &device)];
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(2).mean();
/// let risk = Risk::new(&loss, &data);
/// let found = LayerwiseBarriersConfig::new().with_num_points(5).run(&risk, [&a, &b])?;
/// assert_eq!(found.layers[0].name, "weight");
/// assert!(found.layers[0].others_at_first.against_path_ends.above_line < 1e-6);
/// # Ok::<(), burnscape::path::PathError>(())
/// ```
#[derive(Debug, Clone)]
pub struct LayerwiseBarriersConfig {
    layers: Layers,
    places: Places,
    policy: NormalizationPolicy,
    seed: u64,
}

impl Default for LayerwiseBarriersConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl LayerwiseBarriersConfig {
    /// Each field of the model is a layer.
    pub fn new() -> Self {
        Self {
            layers: Layers::TopLevel,
            places: Places::default(),
            policy: NormalizationPolicy::default(),
            seed: 0,
        }
    }

    /// The layers.
    #[must_use]
    pub fn with_layers(mut self, layers: Layers) -> Self {
        self.layers = layers;
        self
    }

    /// This many places at equal distances, 2 or more.
    #[must_use]
    pub fn with_num_points(mut self, num_points: usize) -> Self {
        self.places = Places::Equidistant(num_points);
        self
    }

    /// These places, from 0 to 1.
    #[must_use]
    pub fn with_grid(mut self, grid: Grid) -> Self {
        self.places = Places::Given(grid);
        self
    }

    /// How running statistics are treated.
    #[must_use]
    pub fn with_policy(mut self, policy: NormalizationPolicy) -> Self {
        self.policy = policy;
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
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        [a, b]: [&M; 2],
    ) -> Result<LayerwiseBarriers, PathError> {
        let space = ParamSpace::of(a)?;
        space.check_same(&ParamSpace::of(b)?)?;
        let masks = self.layers.masks(a, &space)?;
        let profile = CurveProfileConfig::at(self.places.clone(), self.policy);
        let losses = |first: &M, last: &M| -> Result<Vec<f64>, PathError> {
            let line = Segment::new(first, last)?;
            let profile = profile.run(risk, &line)?;
            if profile.completed {
                Ok(profile.train.losses)
            } else {
                Err(PathError::Stopped)
            }
        };
        let _ = risk.take_break();
        let whole = losses(a, b)?;
        let ends = (whole[0], whole[whole.len() - 1]);
        let mut mover = Mover {
            a,
            b,
            space: &space,
            difference: LeafVector::from_module(&space, b)?.axpby(
                1.0,
                -1.0,
                &LeafVector::from_module(&space, a)?,
            )?,
            times: self.places.times()?,
            ends,
            seed: self.seed,
        };
        let mut found = LayerwiseBarriers {
            policy: self.policy,
            times: mover.times.clone(),
            first_loss: ends.0,
            last_loss: ends.1,
            layers: Vec::new(),
            cumulative: Vec::new(),
            completed: true,
        };
        let total = 2 * masks.len();
        let mut together = vec![false; space.leaves().len()];
        for (index, (name, mask)) in masks.iter().enumerate() {
            for (sum, own) in together.iter_mut().zip(mask) {
                *sum |= own;
            }
            mover.seed = self.seed.wrapping_add(index as u64);
            for (done, mask) in [(2 * index + 1, mask), (2 * index + 2, &together)] {
                match mover.layer(name, mask, &losses) {
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
}

/// The losses as one layer alone, or a few together, are moved from one model to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LayerBarrier {
    /// The layer's name; of the last one, where several are moved.
    pub name: String,
    /// Its parameters, of all layers that are moved.
    pub num_parameters: usize,
    /// `|b − a|` over these parameters.
    #[serde(with = "number")]
    pub distance: f64,
    /// The layer goes from `a` to `b`, all others stay at `a`.
    pub others_at_first: LayerLosses,
    /// The layer goes from `a` to `b`, all others stay at `b`.
    pub others_at_last: LayerLosses,
    /// The layer leaves `a` by the same distance in a random direction of its own parameters, all
    /// others stay at `a`: the control.
    pub random: LayerLosses,
}

/// The losses as a layer is moved, and the barrier against each baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LayerLosses {
    /// On the training data, at places from 0 to 1.
    pub losses: Vec<f64>,
    /// Against the ends of *this* path: two models of which one, or both, mix layers of `a` and `b`.
    pub against_path_ends: Barriers,
    /// Against the whole models: `max_t [L(t) − ((1 − t) L(a) + t L(b))]`. It can be large where the
    /// path's own end is bad, and is never below zero.
    #[serde(with = "number")]
    pub against_models: f64,
}

/// The barriers of all layers. `layers` one by one, `cumulative` with all layers before them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LayerwiseBarriers {
    /// How running statistics were treated.
    pub policy: NormalizationPolicy,
    /// Places at which the losses were measured.
    pub times: Vec<f64>,
    /// The loss of the first model, on the training data.
    pub first_loss: f64,
    /// The loss of the last model.
    pub last_loss: f64,
    /// Each layer alone, in the order of the model.
    pub layers: Vec<LayerBarrier>,
    /// The first layer, the first two, and so on; the last entry moves everything.
    pub cumulative: Vec<LayerBarrier>,
    /// False if the observer stopped the measurement.
    pub completed: bool,
}

/// Moves parts of the way from `a` to `b`.
struct Mover<'a, M> {
    a: &'a M,
    b: &'a M,
    space: &'a ParamSpace,
    difference: LeafVector,
    times: Vec<f64>,
    /// The losses of `a` and `b`.
    ends: (f64, f64),
    seed: u64,
}

impl<M: Module> Mover<'_, M> {
    fn layer(
        &self,
        name: &str,
        mask: &[bool],
        losses: &impl Fn(&M, &M) -> Result<Vec<f64>, PathError>,
    ) -> Result<LayerBarrier, PathError> {
        let step = masked(self.difference.clone(), mask);
        let distance = step.norm()?;
        let random = masked(
            ParamVector::gaussian(self.space, self.seed)?.to_leaves(),
            mask,
        );
        let length = random.norm()?;
        let random = random.scale(distance / length);
        let leaves = self.space.leaves().iter().zip(mask);
        Ok(LayerBarrier {
            name: name.to_string(),
            num_parameters: leaves
                .filter(|(_, own)| **own)
                .map(|(leaf, _)| leaf.len())
                .sum(),
            distance,
            others_at_first: self.judge(losses(self.a, &step.perturb(self.a, 1.0)?)?)?,
            others_at_last: self.judge(losses(&step.perturb(self.b, -1.0)?, self.b)?)?,
            random: self.judge(losses(self.a, &random.perturb(self.a, 1.0)?)?)?,
        })
    }

    fn judge(&self, losses: Vec<f64>) -> Result<LayerLosses, PathError> {
        let barriers = Barriers::of(&self.times, &losses).ok_or(PathError::Degenerate {
            what: "a layer was measured at fewer than two places",
        })?;
        let (first, last) = self.ends;
        let places = self.times.iter().zip(&losses);
        let excess = places.map(|(t, loss)| loss - (first + t * (last - first)));
        Ok(LayerLosses {
            against_models: excess.fold(0.0, f64::max),
            against_path_ends: barriers,
            losses,
        })
    }
}

fn masked(vector: LeafVector, mask: &[bool]) -> LeafVector {
    let mut mask = mask.iter();
    vector.map_all(|_, value| match mask.next() {
        Some(true) => value,
        _ => None,
    })
}
