use burn::config::Config;
use burn::module::Module;
use burnscape_krylov::{Estimate, KrylovFault, SelfAdjoint, Step};

use super::RelativeFlatness;
use super::layer::Layer;
use crate::curvature::{CurvatureError, LayerValue};
use crate::range::{FRACTION, ensure};
use crate::sharpness::SharpnessError;
use crate::sharpness::sample::{sample_seed, take_samples};
use crate::space::{ParamSpace, ParamVector};

/// The relative flatness of weight matrices: `κ = Σ_{s,s'} ⟨w_s, w_s'⟩ tr H_{s,s'}`, layer by layer.
///
/// `w_s` are the weights of neuron (or output channel) `s`, and `H_{s,s'}` is the block of the Hessian
/// between the weights of two neurons, `∂²L / ∂w_s ∂w_s'`. With the neurons as rows of `W`,
/// `κ = tr((W Wᵀ ⊗ I) H)`. It is invariant if a layer is multiplied by a factor and the next divided by it.
/// Biases are not part of it. The larger, the less flat.
///
/// # Exact or estimated
///
/// If the layers need no more than `max_matvecs` products in all, the numbers are exact.
/// A layer of `d` neurons with `m` inputs needs `m min(m, d)`. Otherwise they are estimates with intervals from
/// `max_matvecs` products with random signs, which all layers share. [`RelativeFlatness::exact`] states which.
///
/// # Units
///
/// Those of the loss.
///
/// # Cost
///
/// At most `max_matvecs` products. A few vectors of parameters.
///
/// # Reproducibility
///
/// Sample `i` depends on `seed` and `i` only.
///
/// # Defaults
///
/// Every weight with filters, 64 products, confidence 0.95: ours. Petzka et al. measure the last
/// hidden layer.
///
/// # References
///
/// Petzka, Kamp, Adilova, Sminchisescu, Boley 2021, *Relative Flatness and Generalization*,
/// arXiv:2001.00939.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::sharpness::RelativeFlatnessConfig;
/// use burnscape::space::{ParamSpace, ParamVector};
///
/// // A sum of squares has the Hessian 2 I: tr H_ss = 2 · 2, and κ = 4 |W|².
/// let device = Device::default();
/// let model = LinearConfig::new(2, 3).with_bias(false).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(2).sum();
/// let data = [Tensor::<2>::eye(2, &device)];
/// let hessian = Risk::new(&loss, &data).hessian(&model)?;
/// let flatness = RelativeFlatnessConfig::new().run(&hessian, &model)?;
/// let weights = ParamVector::from_module(&ParamSpace::of(&model)?, &model)?;
/// assert!(flatness.exact && flatness.num_matvecs == 4);
/// assert!((flatness.layers[0].value - 4.0 * weights.norm()?.powi(2)).abs() < 1e-4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct RelativeFlatnessConfig {
    /// Path of the only weight to measure; all weights with filters if there is none.
    #[config(default = "None")]
    pub path: Option<String>,
    /// Products, at most.
    #[config(default = 64)]
    pub max_matvecs: usize,
    /// The probability with which intervals cover the true values.
    #[config(default = 0.95)]
    pub confidence: f64,
    /// Seed of the signs.
    #[config(default = 0)]
    pub seed: u64,
}

impl RelativeFlatnessConfig {
    /// Measures the layers of `model` that `operator`, usually its Hessian, acts on.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::OutOfRange`], [`SharpnessError::NoWeight`], [`SharpnessError::Krylov`] for a
    /// product that is not finite, [`SharpnessError::Curvature`], [`SharpnessError::Space`].
    pub fn run<M, A>(&self, operator: &A, model: &M) -> Result<RelativeFlatness, SharpnessError>
    where
        M: Module,
        A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
    {
        // Two products are the fewest that have a spread.
        ensure("max_matvecs", self.max_matvecs as f64, 2.0..)?;
        ensure("confidence", self.confidence, FRACTION)?;
        let space = operator.domain();
        let layers = self.layers(&space, &ParamVector::from_module(&space, model)?)?;
        let terms: usize = layers.iter().map(Layer::num_terms).sum();
        if terms <= self.max_matvecs {
            self.exactly(operator, &layers, terms)
        } else {
            self.estimated(operator, &layers, &space)
        }
    }

    fn layers(
        &self,
        space: &ParamSpace,
        weights: &ParamVector,
    ) -> Result<Vec<Layer>, SharpnessError> {
        let mut layers = Vec::new();
        for leaf in space.leaves() {
            let is_wanted = self.path.as_deref().is_none_or(|path| path == leaf.path());
            if let (true, Some(axis)) = (is_wanted, leaf.filter_axis()) {
                layers.push(Layer::new(leaf, axis, weights)?);
            }
        }
        if layers.is_empty() {
            let first = space.leaves().first();
            return Err(SharpnessError::NoWeight {
                wanted: match &self.path {
                    Some(path) => format!("at `{path}`"),
                    None => "at all".to_owned(),
                },
                example: first.map(|leaf| leaf.path().to_owned()).unwrap_or_default(),
            });
        }
        Ok(layers)
    }

    fn exactly<A>(
        &self,
        operator: &A,
        layers: &[Layer],
        total: usize,
    ) -> Result<RelativeFlatness, SharpnessError>
    where
        A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
    {
        let mut found = self.empty(true);
        for layer in layers {
            let mut value = 0.0;
            for index in 0..layer.num_terms() {
                let pair = layer.term(index)?;
                let product = match operator.matvec(&pair.right) {
                    Err(error) if operator.is_stop(&error) => {
                        found.completed = false;
                        break;
                    }
                    product => product?,
                };
                let term = pair.left.dot(&product)?;
                value += finite(term, found.num_matvecs)?;
                found.num_matvecs += 1;
                let step = Step::new("relative flatness", found.num_matvecs).with_limit(total);
                if operator.report(&step).is_break() && found.num_matvecs < total {
                    found.completed = false;
                    break;
                }
            }
            if !found.completed {
                break;
            }
            found.layers.push(LayerValue::exact(layer.leaf(), value));
        }
        Ok(found)
    }

    fn estimated<A>(
        &self,
        operator: &A,
        layers: &[Layer],
        space: &ParamSpace,
    ) -> Result<RelativeFlatness, SharpnessError>
    where
        A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
    {
        let mut found = self.empty(false);
        let mut samples = vec![Vec::new(); layers.len()];
        found.completed = take_samples(self.max_matvecs, |sample| {
            let mut all = ParamVector::zeros(space)?;
            let mut lefts = Vec::with_capacity(layers.len());
            for (index, layer) in layers.iter().enumerate() {
                let seed = sample_seed(self.seed, sample * layers.len() + index);
                let pair = layer.sample(seed)?;
                all = all.axpy(1.0, &pair.right)?;
                lefts.push(pair.left);
            }
            let product = operator.matvec(&all)?;
            for (left, values) in lefts.iter().zip(&mut samples) {
                values.push(finite(left.dot(&product)?, sample)?);
            }
            found.num_matvecs += 1;
            let step = Step::new("relative flatness", found.num_matvecs);
            Ok(operator.report(&step.with_limit(self.max_matvecs)))
        })?;
        let estimates = layers.iter().zip(&samples).map(|(layer, values)| {
            let estimate = Estimate::of(values);
            LayerValue {
                value: estimate.value,
                standard_error: estimate.standard_error,
                half_width: estimate.half_width(self.confidence),
                ..LayerValue::exact(layer.leaf(), 0.0)
            }
        });
        found.layers = estimates.collect();
        Ok(found)
    }

    fn empty(&self, exact: bool) -> RelativeFlatness {
        RelativeFlatness {
            layers: Vec::new(),
            exact,
            num_matvecs: 0,
            config: self.clone(),
            completed: true,
        }
    }
}

fn finite(value: f64, product: usize) -> Result<f64, SharpnessError> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(SharpnessError::Krylov(KrylovFault::NonFinite { product }))
    }
}
