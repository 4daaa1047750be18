use burn::config::Config;
use burn::module::Module;

use super::filter::describe;
use super::matching::{Make, Parts, Rest};
use super::{
    ActivationMeasure, ActivationSimilarity, AlignError, Alignment, CoordinateDescentConfig,
    Matching, WeightSimilarity,
};
use crate::loss::{Batch, DataSet};
use crate::symmetry::Symmetries;

/// Alignment by activations: the element under which the units of one model compute what the units of another one do, on
/// some data.
///
/// It maximizes the correlation or covariance of the units' activations: [`CoordinateDescentConfig`] with
/// [`ActivationSimilarity`], where formulas, cost and references are. Groups do not depend on each other then,
/// except those that are beside each other, so that one start finds the optimum of most models.
///
/// Groups that have no activations, as the channels of queries and keys, are an error, unless they are left out (`except`, with
/// their indices), or `weights_for_the_rest` is set: they are then permuted by their weights, as by
/// [`WeightMatchingConfig`](super::WeightMatchingConfig), once all others are in place. The objective is that of the
/// activations, and [`AlignmentRecord::rest`](super::AlignmentRecord::rest) has the objectives of the weights, which an
/// observer sees as well.
///
/// # Cost
///
/// That of [`ActivationSimilarity`]. There should be more samples than the widest layer has units; every place of an image or
/// of a sequence is a sample.
///
/// # Reproducibility
///
/// `seed` draws the random starts and the order of sweeps.
///
/// # Defaults
///
/// Correlations, as Li et al. 2016. Otherwise those of [`CoordinateDescentConfig`].
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::activation::relu;
/// use burn::tensor::{Device, Distribution, Tensor};
/// use burnscape::align::ActivationMatchingConfig;
/// use burnscape::symmetry::SymmetriesConfig;
///
/// #[derive(Module, Debug)]
/// struct Mlp {
///     first: Linear,
///     second: Linear,
///     third: Linear,
/// }
///
/// let device = Device::default();
/// let model = || Mlp {
///     first: LinearConfig::new(4, 8).init(&device),
///     second: LinearConfig::new(8, 6).init(&device),
///     third: LinearConfig::new(6, 2).init(&device),
/// };
/// let (a, b) = (model(), model());
/// let outputs = |m: &Mlp, x: &Tensor<2>| {
///     let hidden = relu(m.first.forward(x.clone()));
///     m.third.forward(relu(m.second.forward(hidden)))
/// };
/// let data = [(); 4].map(|()| Tensor::<2>::random([16, 4], Distribution::Default, &device));
/// let symmetries = SymmetriesConfig::new().run(&outputs, &a, data[0].clone())?;
///
/// let found = ActivationMatchingConfig::new().run(&symmetries, &outputs, &data, &a, &b)?;
/// // A sum of 8 + 6 correlations.
/// assert!(found.objective > 0.0 && found.objective <= 14.0);
/// # Ok::<(), burnscape::align::AlignError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct ActivationMatchingConfig {
    /// How activations are compared.
    #[config(default = "ActivationMeasure::Correlation")]
    pub measure: ActivationMeasure,
    /// Whether groups without activations are permuted by their weights.
    #[config(default = false)]
    pub weights_for_the_rest: bool,
    /// Seed of random starts and orders.
    #[config(default = 0)]
    pub seed: u64,
    /// Starts: the identity, and random elements.
    #[config(default = 1)]
    pub starts: usize,
    /// Sweeps of a start, at most.
    #[config(default = 100)]
    pub max_sweeps: usize,
    /// If not empty, only groups are permuted whose members are all below these paths: see
    /// [`CoordinateDescentConfig::only`].
    #[config(default = "Vec::new()")]
    pub only: Vec<String>,
    /// No group is permuted that has a member below one of these paths.
    #[config(default = "Vec::new()")]
    pub except: Vec<String>,
}

impl ActivationMatchingConfig {
    /// The search for an element that moves `b` onto `a`, which can be given starts and an observer. The data is read when
    /// it runs, and each batch is reported.
    ///
    /// # Errors
    ///
    /// Those of [`CoordinateDescentConfig::init`].
    pub fn init<'m, M, B, T, F, D>(
        &self,
        symmetries: &Symmetries,
        outputs: &'m F,
        data: &'m D,
        a: &'m M,
        b: &'m M,
    ) -> Result<Matching<'m, M>, AlignError>
    where
        M: Module,
        B: Batch,
        T: Batch,
        F: Fn(&M, &B) -> T,
        D: DataSet<B> + ?Sized,
    {
        let (known, measure) = (symmetries.clone(), self.measure);
        let weights_for_the_rest = self.weights_for_the_rest;
        let make: Make<'m> = Box::new(move |is_active, observe| {
            let check = |has_activations: &[bool]| {
                let rest = rest(is_active, has_activations);
                if rest.is_empty() || weights_for_the_rest {
                    Ok(())
                } else {
                    let groups = rest.into_iter();
                    Err(AlignError::NoActivations {
                        groups: groups.map(|index| describe(&known, index)).collect(),
                    })
                }
            };
            let similarity = ActivationSimilarity::observed(
                &known,
                outputs,
                data,
                [a, b],
                measure,
                &check,
                observe,
            )?;
            let mut has_activations = vec![true; is_active.len()];
            for &group in similarity.without_activations() {
                has_activations[group] = false;
            }
            let groups = rest(is_active, &has_activations);
            let rest = if groups.is_empty() {
                None
            } else {
                let weights = WeightSimilarity::new(&known, a, b)?;
                Some(Rest {
                    groups,
                    similarity: Box::new(weights),
                })
            };
            Ok(Parts {
                similarity: Box::new(similarity),
                rest,
            })
        });
        Matching::made(&self.descent(), symmetries, make, b)
    }

    /// The best element that is found, and `b` moved by it. Neither model is changed. `outputs` and `data` are those of
    /// [`ActivationSimilarity::new`].
    ///
    /// # Errors
    ///
    /// Those of [`init`](Self::init) and of [`Matching::run`].
    pub fn run<M, B, T, F, D>(
        &self,
        symmetries: &Symmetries,
        outputs: &F,
        data: &D,
        a: &M,
        b: &M,
    ) -> Result<Alignment<M>, AlignError>
    where
        M: Module,
        B: Batch,
        T: Batch,
        F: Fn(&M, &B) -> T,
        D: DataSet<B> + ?Sized,
    {
        self.init(symmetries, outputs, data, a, b)?.run()
    }

    fn descent(&self) -> CoordinateDescentConfig {
        CoordinateDescentConfig {
            seed: self.seed,
            starts: self.starts,
            max_sweeps: self.max_sweeps,
            only: self.only.clone(),
            except: self.except.clone(),
        }
    }
}

/// The active groups without activations.
fn rest(is_active: &[bool], has_activations: &[bool]) -> Vec<usize> {
    let groups = 0..is_active.len();
    groups
        .filter(|&group| is_active[group] && !has_activations[group])
        .collect()
}
