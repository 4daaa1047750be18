use std::ops::ControlFlow;

use burn::module::Module;
use serde::{Deserialize, Serialize};

use super::collected::Collected;
use super::filter::first_member;
use super::matching::Observe;
use super::moments::Compared;
use super::{AlignError, Similarity};
use crate::loss::{Batch, DataSet, LossError, Progress, Work};
use crate::symmetry::{Element, Symmetries, SymmetryError};

/// How the activations of two units are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ActivationMeasure {
    /// The mean of the product of their differences to their means. Units with large activations decide.
    Covariance,
    /// The covariance divided by both standard deviations: from −1 to 1, and 0 with a unit that is constant (to rounding).
    /// The default.
    #[default]
    Correlation,
}

/// Models compared by what their units compute on data: the cross-covariance or correlation of the activations of the
/// units of `a` with those of `g b`.
///
/// The activations of a group are the tensors that depend on the batch and that parameters multiply in a sum over the
/// group, so what the next layer reads: after nonlinearities, normalizations and pools. They are found in the recorded
/// forward pass. The objective is `Σ C[i, g(i)]` over all channels, with `C` the matrix of one group, or of several
/// that are beside each other, as heads and their channels are.
///
/// - Every sample counts once: an example at a place of an image or of a sequence. Where a group is read at several places
///   of the program, as in each layer of a residual stream, each place has means of its own, and what is left is pooled.
/// - Only the axis counts that the next layer sums over, and on other axes the parents of its groups, as heads that are an
///   axis of their own. Over other axes with groups, whose order is not known, activations are averaged.
/// - Groups whose units are compared with each other and read by no parameter, as the channels of queries and keys,
///   have no activations. [`without_activations`](Self::without_activations) lists them; their matrices are zero.
///
/// # Cost
///
/// Two recordings for all batches of the same shapes, and for each batch a forward pass of each model in evaluation mode, on the
/// model's device and in its element type. Activations are downloaded, and summed in f64 on the CPU: `2 n²` operations for
/// each sample of `n` units. Memory is `n²` numbers for each group (`(h n)²` for one within a parent of size `h`), whatever
/// the number of batches, and the activations of a batch. Later on, a matrix costs `n²` operations, an objective `n`.
///
/// # References
///
/// Li, Yosinski, Clune, Lipson, Hopcroft 2016, *Convergent Learning: Do Different Neural Networks Learn the Same
/// Representations?*, arXiv:1511.07543, for correlations; Ainsworth, Hayase, Srinivasa 2023, *Git Re-Basin*, arXiv:2209.04836,
/// section 3.1.
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Distribution, Tensor};
/// use burnscape::align::{ActivationMeasure, ActivationSimilarity, Similarity};
/// use burnscape::symmetry::SymmetriesConfig;
///
/// #[derive(Module, Debug)]
/// struct Two {
///     first: Linear,
///     second: Linear,
/// }
///
/// let device = Device::default();
/// let model = || Two {
///     first: LinearConfig::new(2, 3).init(&device),
///     second: LinearConfig::new(3, 1).init(&device),
/// };
/// let (a, b) = (model(), model());
/// let outputs = |m: &Two, x: &Tensor<2>| m.second.forward(m.first.forward(x.clone()).tanh());
/// let data = [(); 4].map(|()| Tensor::<2>::random([16, 2], Distribution::Default, &device));
/// let symmetries = SymmetriesConfig::new().run(&outputs, &a, data[0].clone())?;
///
/// let measure = ActivationMeasure::Correlation;
/// let similarity = ActivationSimilarity::new(&symmetries, &outputs, &data, &a, &b, measure)?;
/// assert!(similarity.without_activations().is_empty());
/// let matrix = similarity.matrix(0, &symmetries.identity())?;
/// assert!(matrix.len() == 9 && matrix.iter().all(|entry| entry.abs() <= 1.0));
/// # Ok::<(), burnscape::align::AlignError>(())
/// ```
#[derive(Debug)]
pub struct ActivationSimilarity {
    symmetries: Symmetries,
    terms: Vec<Term>,
    without: Vec<usize>,
}

/// The similarity of all channels of some groups.
#[derive(Debug)]
struct Term {
    /// The group and the size of each factor of a channel.
    factors: Vec<(usize, usize)>,
    /// For each factor the factors of its group's parents.
    parents: Vec<Vec<usize>>,
    compared: Compared,
}

impl ActivationSimilarity {
    /// Compares the activations of two models on all batches of a data set. `outputs` is the closure of
    /// [`SymmetriesConfig::run`](crate::symmetry::SymmetriesConfig::run), `data` a slice, array or `Vec` of batches, or any
    /// other [`DataSet`]. Batches may differ in size, and be on any device.
    ///
    /// # Errors
    ///
    /// [`AlignError::Loss`] with [`LossError::EmptyData`], [`LossError::EmptyBatch`] and errors of the data set;
    /// [`AlignError::DifferentModel`], with the first tensor that differs; [`AlignError::NonFiniteActivation`];
    /// [`AlignError::Similarity`] for a single sample, which has no covariance, and for models that compute different
    /// things; [`AlignError::Symmetry`] with [`SymmetryError::Linearize`] if the closure cannot be recorded or run, and with
    /// [`SymmetryError::NoHostBackend`]; [`AlignError::Space`].
    pub fn new<M, B, T, F, D>(
        symmetries: &Symmetries,
        outputs: &F,
        data: &D,
        a: &M,
        b: &M,
        measure: ActivationMeasure,
    ) -> Result<Self, AlignError>
    where
        M: Module,
        B: Batch,
        T: Batch,
        F: Fn(&M, &B) -> T,
        D: DataSet<B> + ?Sized,
    {
        let observe: Observe<'_> = &mut |_| ControlFlow::Continue(());
        Self::observed(
            symmetries,
            outputs,
            data,
            [a, b],
            measure,
            &|_| Ok(()),
            observe,
        )
    }

    /// The same with a check after the first batch, which gets whether each group has activations, and an observer that
    /// sees every batch. A break is an error.
    pub(super) fn observed<M, B, T, F, D>(
        symmetries: &Symmetries,
        outputs: &F,
        data: &D,
        models: [&M; 2],
        measure: ActivationMeasure,
        check: &dyn Fn(&[bool]) -> Result<(), AlignError>,
        observe: Observe<'_>,
    ) -> Result<Self, AlignError>
    where
        M: Module,
        B: Batch,
        T: Batch,
        F: Fn(&M, &B) -> T,
        D: DataSet<B> + ?Sized,
    {
        let mut collected = Collected::new(symmetries)?;
        let total = data.num_batches();
        let mut done = 0;
        let mut outcome = Ok(());
        data.visit(&mut |batch| {
            let added = batch
                .map_err(AlignError::from)
                .and_then(|batch| collected.add(done, outputs, models, batch));
            outcome = added.and_then(|()| match done {
                0 => check(&collected.has_activations()),
                _ => Ok(()),
            });
            if outcome.is_err() {
                return ControlFlow::Break(());
            }
            done += 1;
            let progress = Progress::new(Work::Product, done).of(total);
            if observe(&progress).is_break() {
                outcome = Err(LossError::Stopped { batches: done }.into());
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        outcome?;
        if done == 0 {
            return Err(LossError::EmptyData.into());
        }
        Self::of(symmetries, &collected, measure)
    }

    fn of(
        symmetries: &Symmetries,
        collected: &Collected<'_>,
        measure: ActivationMeasure,
    ) -> Result<Self, AlignError> {
        let mut terms = Vec::with_capacity(collected.pools.len());
        for pool in &collected.pools {
            if !pool.moments.has_pairs() {
                let group = pool.groups.last().copied();
                let member =
                    group.map_or_else(String::new, |group| first_member(symmetries, group));
                return Err(AlignError::Similarity {
                    group,
                    message: format!(
                        "its activations ({member}) have a single sample, which has no covariance; pass more examples"
                    ),
                });
            }
            let compared = pool.moments.compared(measure, collected.epsilon);
            terms.push(Term::new(symmetries, &pool.groups, compared));
        }
        let has = collected.has_activations();
        Ok(Self {
            without: (0..has.len()).filter(|&group| !has[group]).collect(),
            symmetries: symmetries.clone(),
            terms,
        })
    }

    /// The groups that have no activations, in ascending order.
    pub fn without_activations(&self) -> &[usize] {
        &self.without
    }

    /// Sets of groups that have channels in common, each in ascending order. Groups without activations are in none.
    pub(super) fn families(&self) -> Vec<Vec<usize>> {
        let mut families: Vec<Vec<usize>> = Vec::new();
        for term in &self.terms {
            let mut joined: Vec<usize> = term.factors.iter().map(|(group, _)| *group).collect();
            families.retain(|family| {
                let is_apart = !family.iter().any(|group| joined.contains(group));
                if !is_apart {
                    joined.extend(family);
                }
                is_apart
            });
            joined.sort_unstable();
            joined.dedup();
            families.push(joined);
        }
        families
    }

    /// Multiplies what belongs to a family.
    pub(super) fn scale(&mut self, family: &[usize], factor: f64) {
        for term in &mut self.terms {
            if term.factors.iter().any(|(group, _)| family.contains(group)) {
                let Compared { matrix, bound } = &mut term.compared;
                matrix.iter_mut().for_each(|entry| *entry *= factor);
                *bound *= factor;
            }
        }
    }

    fn check(&self, element: &Element) -> Result<(), AlignError> {
        if element.symmetries == self.symmetries {
            Ok(())
        } else {
            Err(SymmetryError::DifferentSymmetries.into())
        }
    }
}

impl Similarity for ActivationSimilarity {
    fn symmetries(&self) -> &Symmetries {
        &self.symmetries
    }

    fn matrix(&self, group: usize, element: &Element) -> Result<Vec<f64>, AlignError> {
        self.check(element)?;
        let width = element.permutation(group).map_or(0, <[usize]>::len);
        let mut sum = vec![0.0; width * width];
        for term in &self.terms {
            term.add_matrix(group, element, width, &mut sum);
        }
        Ok(sum)
    }

    fn objective(&self, element: &Element) -> Result<f64, AlignError> {
        self.check(element)?;
        Ok(self.terms.iter().map(|term| term.objective(element)).sum())
    }

    fn upper_bound(&self) -> Option<f64> {
        Some(self.terms.iter().map(|term| term.compared.bound).sum())
    }
}

impl Term {
    fn new(symmetries: &Symmetries, groups: &[usize], compared: Compared) -> Self {
        let known = symmetries.groups();
        let place = |parent: &usize| groups.iter().position(|group| group == parent);
        let parents = groups
            .iter()
            .map(|&group| known[group].parents().iter().filter_map(place).collect());
        Self {
            factors: groups
                .iter()
                .map(|&group| (group, known[group].size()))
                .collect(),
            parents: parents.collect(),
            compared,
        }
    }

    fn num_channels(&self) -> usize {
        self.factors.iter().map(|(_, size)| size).product()
    }

    /// Calls `visit` with each channel and the values of its factors.
    fn each(&self, mut visit: impl FnMut(usize, &[usize])) {
        let mut values = vec![0; self.factors.len()];
        for channel in 0..self.num_channels() {
            let mut rest = channel;
            for (value, (_, size)) in values.iter_mut().zip(&self.factors).rev() {
                *value = rest % size;
                rest /= size;
            }
            visit(channel, &values);
        }
    }

    /// The combination of the values of the parents of a factor.
    fn row(&self, factor: usize, values: &[usize]) -> usize {
        let parents = self.parents[factor].iter();
        parents.fold(0, |row, &parent| {
            row * self.factors[parent].1 + values[parent]
        })
    }

    /// For each channel the one that an element moves there.
    fn sources(&self, element: &Element) -> Vec<usize> {
        let groups = self.factors.iter();
        let tables: Vec<&[usize]> = groups
            .map(|(group, _)| element.permutation(*group).unwrap_or_default())
            .collect();
        let mut sources = Vec::with_capacity(self.num_channels());
        self.each(|_, values| {
            let factors = self.factors.iter().enumerate();
            let source = factors.fold(0, |source, (factor, (_, size))| {
                let place = self.row(factor, values) * size + values[factor];
                source * size + tables[factor][place]
            });
            sources.push(source);
        });
        sources
    }

    fn objective(&self, element: &Element) -> f64 {
        let width = self.num_channels();
        let sources = self.sources(element);
        let pairs = sources.iter().enumerate();
        pairs
            .map(|(channel, source)| self.compared.matrix[channel * width + source])
            .sum()
    }

    /// Adds the derivative of the objective by the permutation of a group: for each pair of its values under all
    /// combinations of the parents' values, the sum over the values of all other factors.
    fn add_matrix(&self, group: usize, element: &Element, width: usize, sum: &mut [f64]) {
        let own = self.factors.iter().enumerate();
        let own = own.filter(|(_, (known, _))| *known == group);
        let own: Vec<usize> = own.map(|(factor, _)| factor).collect();
        if own.is_empty() {
            return;
        }
        let num_channels = self.num_channels();
        let sources = self.sources(element);
        for factor in own {
            let size = self.factors[factor].1;
            // The row and the channel of each unit, for each combination of the other factors.
            let mut units: Vec<Vec<(usize, usize)>> = vec![Vec::new(); num_channels / width.max(1)];
            self.each(|channel, values| {
                let is_other =
                    |place: &usize| *place != factor && !self.parents[factor].contains(place);
                let others = (0..values.len()).filter(is_other);
                let other =
                    others.fold(0, |all, place| all * self.factors[place].1 + values[place]);
                units[other].push((self.row(factor, values) * size + values[factor], channel));
            });
            for units in &units {
                for &(row, channel) in units {
                    let similarities = &self.compared.matrix[channel * num_channels..];
                    let sums = &mut sum[row * width..(row + 1) * width];
                    for &(column, other) in units {
                        sums[column] += similarities[sources[other]];
                    }
                }
            }
        }
    }
}
