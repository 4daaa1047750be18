use std::io;
use std::ops::Bound;

use burn::config::Config;
use serde::{Deserialize, Serialize};

use crate::OutOfRange;
use crate::range::{POSITIVE, ensure};
use crate::writing::{Csv, FormatError, csv, number};

/// The dimension that a task needs: the smallest random subspace in which training reaches a share of the score that it
/// reaches in the whole space.
///
/// The config holds the dimensions to try, in ascending order, and the score in the whole space, the baseline. Scores
/// are numbers of which larger ones are better, like an accuracy; for a loss, pass for instance `1 / (1 + loss)`. A
/// closure trains in a subspace, with a [`RandomSubspaceConfig`](super::RandomSubspaceConfig), and returns the score.
///
/// Where solutions form a plane of codimension `d`, as those of `d` linear equations, the dimension is `d`. Scores vary
/// from seed to seed: near the threshold, run several seeds and return their mean.
///
/// # Cost
///
/// One training run for each dimension up to the result, or for all of them with `all`.
///
/// # Defaults
///
/// A share of 0.9 as Li et al.; no run after the first success.
///
/// # References
///
/// Li, Farkhoor, Liu, Yosinski 2018, *Measuring the Intrinsic Dimension of Objective Landscapes*, arXiv:1804.08838.
///
/// # Example
///
/// ```
/// use burn::nn::{Initializer, Linear, LinearConfig};
/// use burn::optim::SgdConfig;
/// use burn::tensor::{Device, Tensor};
/// use burnscape::optim::{ClosureStep, IntrinsicDimensionConfig, OptimError, RandomSubspaceConfig};
///
/// // Of twelve weights the loss asks for two sums, of six each: 1 and 2.
/// let device = Device::default().autodiff();
/// let layer = LinearConfig::new(6, 2).with_bias(false).with_initializer(Initializer::Zeros);
/// let start: Linear = layer.init(&device);
/// let x = Tensor::<2>::ones([1, 6], &device);
/// let y = Tensor::<2>::from_data([[1.0, 2.0]], &device);
/// let loss = |m: &Linear| (m.forward(x.clone()) - y.clone()).square().sum();
/// let found = IntrinsicDimensionConfig::new(vec![1, 2, 4], 1.0).run(|dimension| {
///     let mut model = start.clone();
///     let subspace = RandomSubspaceConfig::new(dimension);
///     let mut optimizer = subspace.init(&model, SgdConfig::new().init())?;
///     for _ in 0..100 {
///         optimizer.closure_step(0.2, &mut model, loss)?;
///     }
///     let left: f32 = loss(&model).into_scalar();
///     Ok::<_, OptimError>(1.0 / (1.0 + f64::from(left)))
/// })?;
/// assert_eq!((found.dimension, found.scores.len()), (Some(2), 2));
/// # Ok::<(), OptimError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct IntrinsicDimensionConfig {
    /// The dimensions to try, in ascending order.
    pub dimensions: Vec<usize>,
    /// The score of training in the whole space, a positive number.
    pub baseline: f64,
    /// The share of the baseline that counts as success, at most 1.
    #[config(default = 0.9)]
    pub share: f64,
    /// Also trains in the dimensions after the first success, for the curve of scores.
    #[config(default = false)]
    pub all: bool,
}

/// The result of [`IntrinsicDimensionConfig::run`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IntrinsicDimension {
    /// The smallest dimension tried whose score reaches the threshold; none if no score does.
    pub dimension: Option<usize>,
    /// The score to reach: `share · baseline`.
    pub threshold: f64,
    /// The dimensions tried, in ascending order.
    pub dimensions: Vec<usize>,
    /// Their scores. NaN is below every threshold.
    #[serde(with = "number")]
    pub scores: Vec<f64>,
    /// The configuration.
    pub config: IntrinsicDimensionConfig,
}

impl IntrinsicDimensionConfig {
    /// Trains with `train`, which takes a dimension and returns the score reached.
    ///
    /// # Errors
    ///
    /// Those of `train`, and an [`OutOfRange`] for dimensions that do not ascend or are none, a baseline that is not
    /// positive, and a share that is not between 0 and 1.
    pub fn run<E: From<OutOfRange>>(
        &self,
        mut train: impl FnMut(usize) -> Result<f64, E>,
    ) -> Result<IntrinsicDimension, E> {
        self.validate()?;
        let mut found = IntrinsicDimension {
            dimension: None,
            threshold: self.share * self.baseline,
            dimensions: Vec::new(),
            scores: Vec::new(),
            config: self.clone(),
        };
        for &dimension in &self.dimensions {
            let score = train(dimension)?;
            found.dimensions.push(dimension);
            found.scores.push(score);
            if score >= found.threshold && found.dimension.is_none() {
                found.dimension = Some(dimension);
            }
            if found.dimension.is_some() && !self.all {
                break;
            }
        }
        Ok(found)
    }

    fn validate(&self) -> Result<(), OutOfRange> {
        ensure("baseline", self.baseline, POSITIVE)?;
        ensure(
            "share",
            self.share,
            (Bound::Excluded(0.0), Bound::Included(1.0)),
        )?;
        ensure("dimensions.len()", self.dimensions.len() as f64, 1.0..)?;
        let mut least = 1;
        for &dimension in &self.dimensions {
            if dimension < least {
                let expected = format!("{least} or more: dimensions ascend, from 1");
                return Err(OutOfRange::new("dimensions", dimension as f64, expected));
            }
            least = dimension + 1;
        }
        Ok(())
    }
}

impl Csv for IntrinsicDimension {
    /// The columns `dimension,score`, one line for each dimension tried.
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let rows = self.dimensions.iter().zip(&self.scores);
        let rows = rows.map(|(dimension, score)| [dimension.to_string(), score.to_string()]);
        Ok(csv(["dimension", "score"], rows, writer)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::OptimError;
    use crate::space::SpaceError;

    /// Scores 0.1 for every dimension.
    fn found(config: &IntrinsicDimensionConfig) -> Result<IntrinsicDimension, OutOfRange> {
        config.run(|dimension| Ok(0.1 * dimension as f64))
    }

    #[test]
    fn the_first_dimension_that_reaches_the_share_is_the_result() {
        let config = IntrinsicDimensionConfig::new(vec![2, 4, 5, 8], 0.5);
        let result = found(&config).unwrap();
        assert_eq!((result.dimension, result.threshold), (Some(5), 0.45));
        assert_eq!(result.dimensions, [2, 4, 5]);
        let all = found(&config.clone().with_all(true)).unwrap();
        assert_eq!((all.dimension, all.scores.len()), (Some(5), 4));
        let less = found(&config.with_share(0.4)).unwrap();
        assert_eq!(less.dimension, Some(2));
    }

    #[test]
    fn no_dimension_is_a_result_and_nan_is_no_success() {
        let config = IntrinsicDimensionConfig::new(vec![1, 2], 1.0);
        assert_eq!(found(&config).unwrap().dimension, None);
        let result = config.run(|_| Ok::<_, OutOfRange>(f64::NAN)).unwrap();
        assert_eq!((result.dimension, result.scores.len()), (None, 2));
        let mut text = Vec::new();
        result.write_csv(&mut text).unwrap();
        assert_eq!(text, b"dimension,score\n1,NaN\n2,NaN\n");
    }

    #[test]
    fn an_error_of_the_training_keeps_its_type() {
        let config = IntrinsicDimensionConfig::new(vec![1], 1.0);
        let nothing = SpaceError::NothingToPerturb;
        let error = config.run(|_| Err::<f64, OptimError>(nothing.clone().into()));
        assert_eq!(error, Err(OptimError::Space(SpaceError::NothingToPerturb)));
    }

    #[test]
    fn settings_without_meaning_are_refused_by_name() {
        let config = IntrinsicDimensionConfig::new;
        for (config, text) in [
            (
                config(vec![], 1.0),
                "`dimensions.len()` is 0; use 1 or more",
            ),
            (
                config(vec![0], 1.0),
                "`dimensions` is 0; use 1 or more: dimensions ascend, from 1",
            ),
            (
                config(vec![3, 3], 1.0),
                "`dimensions` is 3; use 4 or more: dimensions ascend, from 1",
            ),
            (config(vec![1], 0.0), "`baseline` is 0; use more than 0"),
            (
                config(vec![1], f64::NAN),
                "`baseline` is NaN; use a finite number, more than 0",
            ),
        ] {
            assert_eq!(found(&config).unwrap_err().to_string(), text);
        }
        for share in [0.0, 1.5] {
            let error = found(&config(vec![1], 1.0).with_share(share)).unwrap_err();
            assert_eq!((error.name, error.value), ("share", share));
        }
    }
}
