use burn::module::Module;
use burnscape_krylov::Eigenpairs;

use super::direction_record::{length, length_outside};
use super::{DirectionKind, LandscapeError};
use crate::loss::{LossError, Risk};
use crate::space::{DirectionNorm, ParamSpace, ParamVector, RunningStatistics, SpaceError};

/// A direction of a landscape: a vector of parameter space, and what it is.
///
/// A landscape uses the vector as it is: its length is the unit of the coordinate. Results keep the
/// [kind](DirectionKind), the length, and the inner products with the other directions.
///
/// | constructor | direction | coordinate 1 |
/// |---|---|---|
/// | [`random`](Self::random) | Gaussian, normalized by a [`DirectionNorm`] | as long as the norm says |
/// | [`eigenvectors`](Self::eigenvectors) | eigenvectors of length 1, for example of the Hessian | distance 1 |
/// | [`between`](Self::between) | from one model to another | the other model |
/// | [`gradient`](Self::gradient) | the gradient: the loss rises along it | `w + ∇L`, a step of ascent with rate 1 |
/// | [`update`](Self::update) | a step of an optimizer | the model after the step |
/// | [`new`](Self::new) | any vector: a worst case, a component of a trajectory | the vector |
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burnscape::landscape::Direction;
/// use burnscape::space::{DirectionNorm, ParamSpace, UnfilteredRule};
///
/// let model = LinearConfig::new(3, 2).init(&Device::default());
/// let space = ParamSpace::of(&model)?;
/// let norm = DirectionNorm::Filter(UnfilteredRule::Zero);
/// let direction = Direction::random(&space, &model, norm, 7)?;
/// assert_eq!(direction.kind().to_string(), "random, filter (zero), seed 7");
/// # Ok::<(), burnscape::space::SpaceError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Direction {
    vector: ParamVector,
    kind: DirectionKind,
    /// How running statistics change along the direction; none if they do not.
    statistics: Option<RunningStatistics>,
}

impl Direction {
    /// The vector as it is; nothing is normalized.
    pub fn new(kind: DirectionKind, vector: ParamVector) -> Self {
        Self {
            vector,
            kind,
            statistics: None,
        }
    }

    /// A Gaussian direction, normalized at the model.
    ///
    /// # Errors
    ///
    /// [`SpaceError::NoDirection`] if nothing but zeros is left, as for a model without weights with
    /// [`UnfilteredRule::Zero`](crate::space::UnfilteredRule::Zero); [`SpaceError::DifferentSpaces`],
    /// [`SpaceError::MixedDTypes`], [`SpaceError::Device`].
    ///
    /// # Reproducibility
    ///
    /// The direction depends on the weights of the model and the seed only. Different norms normalize the same numbers.
    ///
    /// # References
    ///
    /// Li et al. 2018, *Visualizing the Loss Landscape of Neural Nets*, arXiv:1712.09913.
    pub fn random<M: Module>(
        space: &ParamSpace,
        model: &M,
        norm: DirectionNorm,
        seed: u64,
    ) -> Result<Self, SpaceError> {
        let weights = ParamVector::from_module(space, model)?;
        let vector = norm.normalize(ParamVector::gaussian(space, seed)?, &weights)?;
        Ok(Self::new(DirectionKind::Random { norm, seed }, vector))
    }

    /// Eigenvectors as they are, in the order of the pairs. They are not normalized again: their length is 1, so that
    /// coordinates are distances and, at a minimum with the Hessian, `L ≈ L(w) + ½ Σ λ_a x_a²`.
    ///
    /// The sign of an eigenvector is arbitrary. Here, its component of largest magnitude (the first of equals) is
    /// positive, so that runs can be compared.
    ///
    /// # Cost
    ///
    /// One transfer of each vector to the host.
    ///
    /// # Errors
    ///
    /// [`LandscapeError::MissingVectors`] for pairs that were read from JSON, which does not hold the vectors;
    /// [`LandscapeError::Space`] from the device.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::{Linear, LinearConfig};
    /// use burn::tensor::{Device, Tensor};
    /// use burnscape::krylov::{EigenpairsConfig, Which};
    /// use burnscape::landscape::Direction;
    /// use burnscape::prelude::*;
    ///
    /// let model = LinearConfig::new(2, 1).with_bias(false).init(&Device::default());
    /// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).square().sum();
    /// let data = [Tensor::<2>::from_floats([[3.0, 0.0], [0.0, 1.0]], &Device::default())];
    /// let risk = Risk::new(&loss, &data);
    /// let top = EigenpairsConfig::new(1, Which::Largest).run(&risk.hessian(&model)?)?;
    /// let directions = Direction::eigenvectors(&top)?;
    /// assert!((directions[0].vector().to_host()?[0] - 1.0).abs() < 1e-3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn eigenvectors(pairs: &Eigenpairs<ParamVector>) -> Result<Vec<Self>, LandscapeError> {
        let (values, vectors) = (pairs.values.len(), pairs.vectors.len());
        if values != vectors {
            return Err(LandscapeError::MissingVectors { values, vectors });
        }
        let pairs = pairs.values.iter().zip(&pairs.vectors);
        let directions = pairs.map(|(&eigenvalue, vector)| -> Result<Self, LandscapeError> {
            let kind = DirectionKind::Eigenvector { eigenvalue };
            let vector = match Self::sign(&vector.to_host()?) {
                1.0 => vector.clone(),
                sign => vector.clone().scale(sign),
            };
            Ok(Self::new(kind, vector))
        });
        directions.collect()
    }

    /// From one model to another: coordinate 0 is `a` and 1 is `b`. A landscape starts from `a`.
    ///
    /// The difference of the running statistics of normalization layers is kept, for landscapes that
    /// [interpolate](crate::loss::NormalizationPolicy::Interpolate) them.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`] if the models differ in more than numbers, [`SpaceError::MixedDTypes`].
    pub fn between<M: Module>(a: &M, b: &M) -> Result<Self, SpaceError> {
        Self::difference(DirectionKind::BetweenModels, a, b)
    }

    /// The step that an optimizer took, from the model before it to the model after it, with the difference of running
    /// statistics as in [`between`](Self::between).
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`], [`SpaceError::MixedDTypes`].
    pub fn update<M: Module>(before: &M, after: &M) -> Result<Self, SpaceError> {
        Self::difference(DirectionKind::Update, before, after)
    }

    /// The gradient as it is: the direction of steepest ascent, as long as the slope.
    ///
    /// # Cost
    ///
    /// That of [`Risk::loss_and_gradient`].
    ///
    /// # Errors
    ///
    /// Those of [`Risk::loss_and_gradient`], and [`LossError::Stopped`] if the observer stops the pass.
    pub fn gradient<M: Module, K>(risk: &Risk<'_, M, K>, model: &M) -> Result<Self, LossError> {
        let gradient = risk.whole_gradient(model)?.gradient;
        Ok(Self::new(DirectionKind::Gradient, gradient))
    }

    /// The directions with the second and later ones replaced by their part orthogonal to all earlier ones, with their
    /// length kept (Gram-Schmidt); [`DirectionKind::Orthogonalized`] records it. Lengths and angles of a picture are
    /// then those of parameter space, if the directions are equally long. A filter-normalized direction stays so only
    /// approximately.
    ///
    /// # Cost
    ///
    /// Four host synchronizations and two passes over the vectors for each pair.
    ///
    /// # Errors
    ///
    /// [`LandscapeError::NoDirection`] for a direction whose length is zero or not finite,
    /// [`LandscapeError::Parallel`] for one in the span of those before it, up to rounding;
    /// [`LandscapeError::Space`] for directions of different spaces.
    pub fn orthogonalized(directions: Vec<Self>) -> Result<Vec<Self>, LandscapeError> {
        let mut done: Vec<Self> = Vec::with_capacity(directions.len());
        for (index, direction) in directions.into_iter().enumerate() {
            let norm = length(index, &direction.vector)?;
            if done.is_empty() {
                done.push(direction);
                continue;
            }
            let rest = direction.clone().without(&done)?;
            let earlier = done.iter().map(Self::vector);
            let whole = (&direction.vector, norm);
            let left = length_outside(index, whole, &rest.vector, earlier)?;
            let rest = rest.scaled(norm / left)?;
            done.push(Self {
                kind: DirectionKind::Orthogonalized(Box::new(rest.kind)),
                ..rest
            });
        }
        Ok(done)
    }

    /// The vector: the displacement of coordinate 1.
    pub fn vector(&self) -> &ParamVector {
        &self.vector
    }

    /// What the direction is.
    pub fn kind(&self) -> &DirectionKind {
        &self.kind
    }

    /// The factor, 1 or −1, that makes the first of the components of largest magnitude positive.
    pub(crate) fn sign(components: &[f64]) -> f64 {
        let larger = |largest: f64, x: &f64| if x.abs() > largest.abs() { *x } else { largest };
        if components.iter().fold(0.0, larger) < 0.0 {
            -1.0
        } else {
            1.0
        }
    }

    /// The change of running statistics at coordinate 1; none if the direction has no part in them.
    pub(crate) fn statistics(&self) -> Option<&RunningStatistics> {
        self.statistics.as_ref()
    }

    fn difference<M: Module>(kind: DirectionKind, from: &M, to: &M) -> Result<Self, SpaceError> {
        let space = ParamSpace::of(from)?;
        space.check_same(&ParamSpace::of(to)?)?;
        let start = ParamVector::from_module(&space, from)?;
        let vector = ParamVector::from_module(&space, to)?.axpy(-1.0, &start)?;
        let statistics =
            RunningStatistics::of(to).axpby(1.0, -1.0, &RunningStatistics::of(from))?;
        Ok(Self {
            vector,
            kind,
            statistics: (!statistics.is_empty()).then_some(statistics),
        })
    }

    /// The part orthogonal to `earlier`, which are orthogonal to each other: two passes of modified Gram-Schmidt.
    /// Running statistics take part, so that every point keeps its own.
    fn without(mut self, earlier: &[Self]) -> Result<Self, SpaceError> {
        for _pass in 0..2 {
            for other in earlier {
                let square = other.vector.wide_dot(&other.vector)?;
                let component = self.vector.wide_dot(&other.vector)? / square;
                self = self.plus(-component.value(), other)?;
            }
        }
        Ok(self)
    }

    /// `self + factor · other`.
    fn plus(self, factor: f64, other: &Self) -> Result<Self, SpaceError> {
        let statistics = match (self.statistics, &other.statistics) {
            (Some(own), Some(other)) => Some(own.axpby(1.0, factor, other)?),
            (None, Some(other)) => Some(other.clone().axpby(factor, 0.0, other)?),
            (own, None) => own,
        };
        Ok(Self {
            vector: self.vector.axpy(factor, &other.vector)?,
            kind: self.kind,
            statistics,
        })
    }

    /// `factor · self`.
    fn scaled(self, factor: f64) -> Result<Self, SpaceError> {
        let statistics = match self.statistics {
            Some(own) => Some(own.clone().axpby(factor, 0.0, &own)?),
            None => None,
        };
        Ok(Self {
            vector: self.vector.scale(factor),
            kind: self.kind,
            statistics,
        })
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use burnscape_testkit::models::Normalized;

    use super::*;
    use crate::space::{UnfilteredRule, unshared_copy};

    /// A network, another with all running statistics 3, and what changes between them.
    fn between() -> (Normalized, Direction) {
        let a = Normalized::new([2, 3, 1], &Device::default());
        let statistics = RunningStatistics::of(&a).filled(3.0);
        let step = ParamVector::gaussian(&ParamSpace::of(&a).unwrap(), 1).unwrap();
        let b = statistics.write_to(unshared_copy(&step.perturb(&a, 1.0).unwrap()));
        let direction = Direction::between(&a, &b).unwrap();
        (a, direction)
    }

    fn statistic(direction: &Direction, path: &str) -> f64 {
        let values = direction.statistics().unwrap().get(path).unwrap().clone();
        values.into_data().iter::<f64>().next().unwrap()
    }

    #[test]
    fn running_statistics_change_between_models() {
        let (_, direction) = between();
        // From a mean of 0 and a variance of 1.
        assert_eq!(statistic(&direction, "norm.running_mean"), 3.0);
        assert_eq!(statistic(&direction, "norm.running_var"), 2.0);
    }

    #[test]
    fn an_orthogonalized_direction_keeps_the_statistics_of_its_points() {
        let (model, first) = between();
        let space = first.vector().space().clone();
        let norm = DirectionNorm::Filter(UnfilteredRule::AsOneFilter);
        let second = Direction::random(&space, &model, norm, 5).unwrap();
        assert!(second.statistics().is_none());
        let (along, whole) = (
            second.vector().dot(first.vector()).unwrap(),
            first.vector().norm().unwrap(),
        );
        let length = second.vector().norm().unwrap();
        let pair = Direction::orthogonalized(vec![first, second]).unwrap();
        // d₂' = s (d₂ − c d₁), and d₂ has no part in the statistics.
        let component = along / (whole * whole);
        let left = (length * length - component * along).sqrt();
        let expected = -component * length / left * 2.0;
        let found = statistic(&pair[1], "norm.running_var");
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        assert_eq!(statistic(&pair[0], "norm.running_var"), 2.0);
    }
}
