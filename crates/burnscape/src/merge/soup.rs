use std::fmt;

use burn::config::Config;
use burn::module::Module;

use super::{MergeError, weighted};
use crate::loss::{LossError, NormalizationPolicy, Risk};
use crate::space::RunningStatistics;

/// A model soup: the mean of those candidates, of several training runs, whose mean is good.
///
/// - Greedy: the candidates are ranked by their loss on held-out data. The soup is the best one; then each further
///   candidate is added, in this order, if the loss of the mean with it is not higher.
/// - Uniform (`greedy` false): the mean of all.
///
/// Of equal losses the lower index comes first. A candidate whose loss is not finite is left out. If the model has
/// running statistics, those of every mean are estimated again before it is scored; the candidates are scored as they
/// are.
///
/// A mean of runs from one start is often better than the best of them; a mean of runs from different starts is not,
/// unless they are [aligned](crate::align) first. The greedy soup is never worse than the best candidate on the
/// held-out data: one that has nothing else in it is a result, too.
///
/// # Cost
///
/// Candidates are loaded one at a time: once to be scored, and once more to be added. Memory for the soup, a candidate,
/// and their mean. A greedy soup of `n` candidates costs `2n − 1` passes over the held-out data and `n − 1` over that
/// of the statistics; a uniform one `n + 1` and 1.
///
/// # Defaults
///
/// Greedy, as the reference recommends.
///
/// # References
///
/// Wortsman et al. 2022, *Model Soups*, arXiv:2203.05482. They rank by accuracy; here it is any loss.
///
/// # Example
///
/// ```
/// use burn::module::{Module, Param};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::merge::{MergeError, SoupConfig};
///
/// #[derive(Module, Debug)]
/// struct Factor {
///     w: Param<Tensor<1>>,
/// }
///
/// let device = Device::default();
/// let load = |index: usize| {
///     let w = Tensor::from_floats([[2.5_f32, 0.0, 9.0][index]], &device);
///     Ok::<_, MergeError>(Factor { w: Param::from_tensor(w) }) // in practice read from a file
/// };
/// let loss = |m: &Factor, x: Tensor<1>| (m.w.val() * x - 1.0).square().mean();
/// let x = Tensor::<1>::ones([4], &device);
/// let (held_out, train) = ([x.clone()], [x]);
/// let (held_out, train) = (Risk::new(&loss, &held_out), Risk::new(&loss, &train));
///
/// let soup = SoupConfig::new().run(3, load, &held_out, &train)?;
/// assert_eq!(soup.included, [1, 0]); // the mean is 1.25, and with the third 3.8
/// assert!(soup.loss < soup.losses[1]);
/// # Ok::<(), burnscape::merge::MergeError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct SoupConfig {
    /// Whether candidates are added only if the mean gets no worse.
    #[config(default = true)]
    pub greedy: bool,
}

/// A model soup, the result of [`SoupConfig::run`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Soup<M> {
    /// The mean of the candidates that are included, with the context of the first one.
    pub model: M,
    /// The indices of the candidates that are included, in the order in which they were added.
    pub included: Vec<usize>,
    /// The held-out loss of each candidate. It may be NaN or infinite.
    pub losses: Vec<f64>,
    /// The held-out loss of the soup.
    pub loss: f64,
    /// How often a candidate was loaded.
    pub num_loads: usize,
}

impl SoupConfig {
    /// Makes a soup of the candidates `0` to `num_candidates − 1`, which `load` returns.
    ///
    /// `held_out` is the loss by which candidates are chosen, on data that neither trained them nor tests the soup. It
    /// may have an observer; a break ends the soup with an error. `statistics` is a loss over training data, on which
    /// running statistics are [estimated again](Risk::reestimate).
    ///
    /// # Errors
    ///
    /// [`MergeError::NoModels`] for zero candidates; [`MergeError::Method`] if `load` fails; [`MergeError::Loss`] for
    /// the errors of both risks, if no candidate has a finite loss, and if the observer breaks; those of [`weighted`]
    /// and of [`NormalizationPolicy::normalize`].
    pub fn run<M, K, L, E>(
        &self,
        num_candidates: usize,
        load: impl FnMut(usize) -> Result<M, E>,
        held_out: &Risk<'_, M, K>,
        statistics: &Risk<'_, M, L>,
    ) -> Result<Soup<M>, MergeError>
    where
        M: Module,
        E: fmt::Display,
    {
        if num_candidates == 0 {
            return Err(MergeError::NoModels);
        }
        // A break of earlier work.
        let _ = held_out.take_break();
        let mut source = Source {
            load,
            held_out,
            num_loads: 0,
        };
        let mut losses = Vec::with_capacity(num_candidates);
        let mut failure = None;
        for index in 0..num_candidates {
            let candidate = source.candidate(index)?;
            losses.push(match held_out.whole_loss(&candidate) {
                Ok(found) => found.value,
                Err(error @ LossError::NonFinite { value, .. }) => {
                    failure.get_or_insert(error);
                    value
                }
                Err(error) => return Err(error.into()),
            });
        }
        let mut order: Vec<usize> = (0..num_candidates).collect();
        order.retain(|index| losses[*index].is_finite());
        if self.greedy {
            order.sort_by(|a, b| losses[*a].total_cmp(&losses[*b]));
        }
        let Some((&first, others)) = order.split_first() else {
            return Err(failure.map_or(MergeError::NoModels, MergeError::from));
        };
        let mut model = source.candidate(first)?;
        let mut loss = losses[first];
        let mut included = vec![first];
        for &index in others {
            let candidate = source.candidate(index)?;
            let members = [(&model, included.len() as f64), (&candidate, 1.0)];
            let mut mean = weighted(&members)?;
            if self.greedy {
                mean = normalized(mean, &members, statistics)?;
                match held_out.whole_loss(&mean) {
                    Ok(found) if found.value <= loss => loss = found.value,
                    Ok(_) | Err(LossError::NonFinite { .. }) => continue,
                    Err(error) => return Err(error.into()),
                }
            }
            model = mean;
            included.push(index);
        }
        if !self.greedy && included.len() > 1 {
            let members = model.clone();
            model = normalized(model, &[(&members, 1.0)], statistics)?;
            loss = held_out.whole_loss(&model)?.value;
        }
        Ok(Soup {
            model,
            included,
            losses,
            loss,
            num_loads: source.num_loads,
        })
    }
}

/// Where candidates come from.
struct Source<'r, 'a, M, K, F> {
    load: F,
    held_out: &'r Risk<'a, M, K>,
    num_loads: usize,
}

impl<M, K, F> Source<'_, '_, M, K, F> {
    /// Loads a candidate, unless the observer broke after the last batch of the work before.
    fn candidate<E>(&mut self, index: usize) -> Result<M, MergeError>
    where
        F: FnMut(usize) -> Result<M, E>,
        E: fmt::Display,
    {
        if self.held_out.take_break() {
            let batches = self.held_out.num_batches().unwrap_or_default();
            return Err(LossError::Stopped { batches }.into());
        }
        self.num_loads += 1;
        (self.load)(index).map_err(|error| MergeError::Method {
            method: "soup".to_string(),
            tensor: format!("candidate {index}"),
            message: format!("it was not loaded: {error}; return every candidate"),
        })
    }
}

/// The model with running statistics of its own, if it has any.
fn normalized<M: Module, L>(
    mean: M,
    members: &[(&M, f64)],
    statistics: &Risk<'_, M, L>,
) -> Result<M, MergeError> {
    if RunningStatistics::of(&mean).is_empty() {
        return Ok(mean);
    }
    NormalizationPolicy::ReestimateAll.normalize(statistics, &mean, members)
}
