use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use burn::module::Module;
use burnscape_krylov::{LinearOperator, SelfAdjoint, Step};

use super::CurvatureError;
use crate::OutOfRange;
use crate::loss::{Agreement, LossError, Observer, Risk, Sides, compare_nearby};
use crate::space::{Nearby, ParamSpace, ParamVector, epsilon};

/// The Hessian by central differences of Burn's gradient:
/// `H v ≈ (∇L(w + h u) − ∇L(w − h u)) / 2h · |v|` with `u = v / |v|`.
///
/// Use it for a loss that cannot be traced, or to verify the exact [`Hessian`](super::Hessian) of a smooth model.
/// Across the kinks of ReLU or max pooling, differences do not converge to the second derivative that autodiff
/// defines.
///
/// # Step
///
/// The truncation error decreases as `h²`, and the rounding error of the gradients grows as `ε / h`. They balance
/// near `h = ε^(1/3)` times the scale of the parameters. The default is `h = ε^(1/3) max(1, |w|)`, with the ε of the
/// element type (`ε^(1/3)` is 6e-6 in f64 and 5e-3 in f32). [`with_step`](Self::with_step) changes it.
///
/// # Cost
///
/// Construction: two gradients, unless [checks](Risk::with_checks) are off. A product: two gradients over
/// the data. A loss that draws random numbers needs a [seed](Risk::with_draws_seed).
///
/// # Errors
///
/// [`CurvatureError::Loss`], [`CurvatureError::Space`]. A product: [`CurvatureError::OutOfRange`] for a step that is
/// not positive and finite, or too small to move the parameters in their element type.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::space::ParamVector;
/// use burnscape::krylov::LinearOperator;
///
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(2).mean();
/// let data = [Tensor::<2>::from_data([[1.0, 2.0]], &device)];
/// let hessian = Risk::new(&loss, &data).finite_difference(&model)?;
/// let v = ParamVector::from_host(hessian.space(), &[1.0, 0.0])?;
/// let product = hessian.matvec(&v)?.to_host()?;
/// assert!((product[0] - 2.0).abs() < 1e-2 && (product[1] - 4.0).abs() < 1e-2);
/// # Ok::<(), burnscape::curvature::CurvatureError>(())
/// ```
pub struct FiniteDifference<'a> {
    space: ParamSpace,
    step: f64,
    weights: ParamVector,
    /// The gradient at `w + scale · v`.
    gradient: Box<Gradient<'a>>,
    observer: Observer<'a>,
}

type Gradient<'a> =
    dyn Fn(&ParamVector, f64) -> Result<ParamVector, CurvatureError> + Send + Sync + 'a;

impl FiniteDifference<'_> {
    /// Sets `h`, the length of the displacement. Products return an error for an invalid step.
    #[must_use]
    pub fn with_step(mut self, step: f64) -> Self {
        self.step = step;
        self
    }

    /// `h`, the length of the displacement.
    pub fn step(&self) -> f64 {
        self.step
    }

    /// Returns an error for a step that rounding would remove.
    fn check_step(&self, v: &ParamVector, scale: f64) -> Result<(), CurvatureError> {
        let value = self.step;
        let refused = |expected| Err(OutOfRange::new("step", value, expected).into());
        if !(value > 0.0 && value.is_finite()) {
            return refused("a finite number > 0");
        }
        if value > epsilon(self.space.dtype()?) * self.weights.norm()? {
            return Ok(());
        }
        let moved = self.weights.clone().axpy(scale, v)?;
        let moved = moved.axpy(-1.0, &self.weights)?;
        if moved.to_host()?.iter().any(|step| *step != 0.0) {
            Ok(())
        } else {
            refused("a step large enough to move the parameters in their element type")
        }
    }

    /// The space of the parameters, on which the operator acts.
    pub fn space(&self) -> &ParamSpace {
        &self.space
    }
}

impl LinearOperator for FiniteDifference<'_> {
    type Domain = ParamVector;
    type Range = ParamVector;
    type Error = CurvatureError;

    fn domain(&self) -> ParamSpace {
        self.space.clone()
    }

    fn range(&self) -> ParamSpace {
        self.space.clone()
    }

    fn matvec(&self, v: &ParamVector) -> Result<ParamVector, CurvatureError> {
        self.space.check_same(v.space())?;
        let norm = v.norm()?;
        if norm == 0.0 {
            return Ok(ParamVector::zeros(&self.space)?);
        }
        let scale = self.step / norm;
        self.check_step(v, scale)?;
        self.observer.forget_break();
        let up = (self.gradient)(v, scale)?;
        if self.observer.take_break() {
            return Err(CurvatureError::Stopped);
        }
        let down = (self.gradient)(v, -scale)?;
        Ok(up.axpy(-1.0, &down)?.scale(0.5 / scale))
    }

    fn report(&self, step: &Step) -> ControlFlow<()> {
        self.observer.report_step(step)
    }

    fn is_stop(&self, error: &CurvatureError) -> bool {
        error.is_stop()
    }
}

impl SelfAdjoint for FiniteDifference<'_> {}

impl<'a, M: Module + 'a, K> Risk<'a, M, K> {
    /// The [`FiniteDifference`] operator at a model. It stores no residuals and multiplies the vectors of a block one
    /// by one, within every residual budget and block size.
    ///
    /// # Errors
    ///
    /// Those of [`FiniteDifference`].
    pub fn finite_difference(&self, model: &M) -> Result<FiniteDifference<'a>, CurvatureError> {
        let operators = self.operators()?;
        let space = self.space(model)?;
        let weights = ParamVector::from_module(&space, model)?;
        let risk = self.whole();
        let observer = risk.observer().clone();
        // A module need not be `Sync`.
        let model = Mutex::new(model.clone());
        let gradient = move |v: &ParamVector, scale: f64| {
            let model = model.lock().unwrap_or_else(PoisonError::into_inner);
            let moved = v.perturb(&*model, scale)?;
            drop(model);
            Ok(risk.whole_gradient(&moved)?.gradient)
        };
        if operators.checks {
            check_repeatable(&gradient, &weights)?;
        }
        let step = epsilon(space.dtype()?).cbrt() * weights.norm()?.max(1.0);
        Ok(FiniteDifference {
            space,
            step,
            weights,
            gradient: Box::new(gradient),
            observer,
        })
    }
}

/// Checks that two gradients at the same point are finite and equal. On a GPU the order of sums may differ: at a
/// minimum the gradients are then rounding errors, which must be small relative to the gradients nearby.
fn check_repeatable(gradient: &Gradient<'_>, weights: &ParamVector) -> Result<(), CurvatureError> {
    let dtype = weights.values().dtype();
    let (first, second) = (gradient(weights, 0.0)?, gradient(weights, 0.0)?);
    let (norm, other) = (first.norm()?, second.norm()?);
    if !norm.is_finite() {
        return Err(LossError::NonFiniteGradient { norm }.into());
    }
    let sides = |first: &ParamVector, second: &ParamVector| {
        let size = first.norm()?.max(second.norm()?);
        let difference = first.clone().axpy(-1.0, second)?.norm()?;
        let sides = Sides { difference, size };
        Ok::<_, CurvatureError>(sides.size.is_finite().then_some(sides))
    };
    let tolerance = 100.0 * epsilon(dtype);
    let own = sides(&first, &second)?;
    if own.is_some_and(|own| own.difference <= tolerance * own.size) {
        return Ok(());
    }
    let nearby = Nearby::around(weights)?;
    let found = compare_nearby(tolerance, dtype, own, |distance| {
        let step = nearby.displacement(distance)?;
        match (gradient(&step, 1.0), gradient(&step, 1.0)) {
            (Ok(first), Ok(second)) => sides(&first, &second),
            (Err(CurvatureError::Loss(LossError::NonFinite { .. })), _)
            | (_, Err(CurvatureError::Loss(LossError::NonFinite { .. }))) => Ok(None),
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    })?;
    match found {
        Agreement::Equal => Ok(()),
        _ => Err(LossError::NotDeterministic {
            what: "gradient",
            first: norm,
            second: other,
        }
        .into()),
    }
}

impl std::fmt::Debug for FiniteDifference<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FiniteDifference")
            .field("num_parameters", &self.space.len())
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}
