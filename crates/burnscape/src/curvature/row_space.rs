use std::ops::ControlFlow;

use burnscape_krylov::{HasAdjoint, LinearOperator, Outcome, SelfAdjoint, SolveConfig, Step};
use serde::{Deserialize, Serialize};

use super::output_vector::{OutputSpace, OutputVector};
use super::{CurvatureError, Jacobian};
use crate::space::ParamVector;

/// The residual of the solver, relative to its right-hand side.
const TOLERANCE: f64 = 1e-10;

/// The part of a displacement off the rows of a [`Jacobian`]. [`Jacobian::off_row_space`] computes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OffRowSpace {
    /// `v = (I − J⁺J) Δw`. None after reading: vectors are not stored.
    #[serde(skip)]
    pub vector: Option<ParamVector>,
    /// Its length.
    pub norm: f64,
    /// The length of the displacement, `|Δw|`.
    pub displacement_norm: f64,
    /// `|J v| / |J Δw|`, which is zero if `v` is exactly orthogonal to all rows; zero where `J Δw` is.
    pub residual: f64,
    /// Converged if the solver came within its tolerance.
    pub outcome: Outcome,
    /// Products of `J Jᵀ`.
    pub num_matvecs: usize,
}

impl Jacobian<'_> {
    /// The part `(I − J⁺J) Δw` of a displacement that is orthogonal to all rows of the Jacobian, which are the gradients
    /// of the outputs: to first order, it changes no output.
    ///
    /// The gradient of every loss of the outputs is a combination of rows. If the outputs are linear in the weights, the
    /// steps of gradient descent, with momentum or without, and the gradient flow therefore stay in the row space: the
    /// part is zero to rounding, and training from zero ends in the solution of least norm. Optimizers that scale each
    /// coordinate, such as Adam, leave the row space. For other models the rows change with the weights, and the part is
    /// relative to those at this model.
    ///
    /// # Cost
    ///
    /// MINRES on `J Jᵀ y = J Δw`, to a residual of 1e-10 (4 ε in single precision): about as many products as `J` has
    /// distinct singular values, each a backward pass and a forward derivative, and three products with `J`. Seven
    /// vectors of outputs in memory.
    ///
    /// # Errors
    ///
    /// [`CurvatureError::Space`] for a displacement of another model, [`CurvatureError::Krylov`] for products that are
    /// not finite, [`CurvatureError::Stopped`] if the observer stops the work before there is a result.
    ///
    /// # Reference
    ///
    /// Gunasekar, Lee, Soudry, Srebro 2018, *Characterizing Implicit Bias in Terms of Optimization Geometry*,
    /// arXiv:1802.08246.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::{Linear, LinearConfig};
    /// use burn::tensor::{Device, Tensor};
    /// use burnscape::loss::Risk;
    /// use burnscape::space::ParamVector;
    ///
    /// let device = Device::default();
    /// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
    /// let data = [Tensor::<2>::from_data([[1.0, 2.0]], &device)];
    /// let risk = Risk::split(
    ///     |m: &Linear, x: &Tensor<2>| m.forward(x.clone()),
    ///     |z: Tensor<2>, _: Tensor<2>| z.square().mean(),
    ///     &data,
    /// );
    /// let jacobian = risk.jacobian(&model)?;
    ///
    /// // The only row is (1, 2). Without its part (1, 2), (3, 1) is (2, −1).
    /// let moved = ParamVector::from_host(jacobian.space(), &[3.0, 1.0])?;
    /// let off = jacobian.off_row_space(&moved)?;
    /// assert!((off.norm - 5.0_f64.sqrt()).abs() < 1e-5);
    /// assert!(off.outcome.is_converged());
    /// # Ok::<(), burnscape::curvature::CurvatureError>(())
    /// ```
    pub fn off_row_space(&self, displacement: &ParamVector) -> Result<OffRowSpace, CurvatureError> {
        let image = self.matvec(displacement)?;
        self.check_break()?;
        let size = image.norm()?;
        let solver = SolveConfig::minres().with_tolerance(TOLERANCE);
        let solution = solver.run(&Gram(self), &image)?;
        let inside = self.matvec_adjoint(&solution.x)?;
        let vector = displacement.clone().axpy(-1.0, &inside)?;
        let left = self.matvec(&vector)?.norm()?;
        Ok(OffRowSpace {
            norm: vector.norm()?,
            vector: Some(vector),
            displacement_norm: displacement.norm()?,
            residual: if size > 0.0 { left / size } else { 0.0 },
            outcome: solution.outcome,
            num_matvecs: solution.num_matvecs,
        })
    }
}

/// `J Jᵀ`.
struct Gram<'j, 'a>(&'j Jacobian<'a>);

impl LinearOperator for Gram<'_, '_> {
    type Domain = OutputVector;
    type Range = OutputVector;
    type Error = CurvatureError;

    fn domain(&self) -> OutputSpace {
        self.0.range()
    }

    fn range(&self) -> OutputSpace {
        self.0.range()
    }

    fn matvec(&self, v: &OutputVector) -> Result<OutputVector, CurvatureError> {
        self.0.gram_product(v)
    }

    fn report(&self, step: &Step) -> ControlFlow<()> {
        self.0.report(step)
    }

    fn is_stop(&self, error: &CurvatureError) -> bool {
        error.is_stop()
    }
}

impl SelfAdjoint for Gram<'_, '_> {}
