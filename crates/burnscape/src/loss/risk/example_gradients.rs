use std::ops::ControlFlow;

use burn::module::Module;

use super::{PerExample, Risk, each};
use crate::loss::LossError;
use crate::loss::pass::Pass;
use crate::space::ParamVector;

// One pass per example, which costs as much as one gradient of the mean, apart from the launches of kernels. Pulling rows of
// an identity matrix back through the trace of a batch of `b` examples would run its whole backward pass for every row:
// `b` times as many operations. Fewer launches are not worth that, and a loss that cannot be traced has gradients as well.
impl<M: Module> Risk<'_, M, PerExample> {
    /// The gradient `gᵢ` of the loss of every example, in the order of the data, whatever the reduction.
    ///
    /// Each is that of the example as a batch of its own. In [`Mode::Eval`](crate::loss::Mode::Eval) that is its gradient
    /// within the batch; in [`Mode::Train`](crate::loss::Mode::Train), normalization uses the statistics of the single
    /// example, and a [seed](Self::with_draws_seed) gives every example its own draws.
    ///
    /// # Cost
    ///
    /// `n` forward and backward passes of single examples, about one of all data together, but one host synchronization for
    /// each; and one forward pass of each batch. Memory: `n` vectors. Products with the covariance of the gradients need
    /// none of them: [`gradient_covariance`](Self::gradient_covariance).
    ///
    /// # Errors
    ///
    /// Those of [`loss_and_gradient`](Self::loss_and_gradient), [`LossError::WrongExampleLosses`], and
    /// [`LossError::Stopped`]. Gradients are not checked to be finite.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::{Linear, LinearConfig};
    /// use burn::tensor::{Device, Tensor};
    /// use burnscape::loss::Risk;
    ///
    /// let device = Device::default();
    /// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
    /// let losses = |m: &Linear, x: Tensor<2>| m.forward(x).squeeze_dim::<1>(1);
    /// let data = [Tensor::<2>::from_data([[3.0, 4.0], [0.0, 2.0]], &device)];
    /// let risk = Risk::per_example(losses, &data);
    /// // The gradient of each example is its input.
    /// assert_eq!(risk.example_gradients(&model)?[0].to_host()?, [3.0, 4.0]);
    /// assert_eq!(risk.example_gradient_norms(&model)?, [5.0, 2.0]);
    /// # Ok::<(), burnscape::loss::LossError>(())
    /// ```
    pub fn example_gradients(&self, model: &M) -> Result<Vec<ParamVector>, LossError> {
        let mut gradients = Vec::new();
        self.each_example_gradient(model, &mut |gradient| {
            gradients.push(gradient);
            Ok(())
        })?;
        Ok(gradients)
    }

    /// The norms `|gᵢ|` of the [gradients of the examples](Self::example_gradients), one after the other.
    ///
    /// # Cost
    ///
    /// As for the gradients, and another host synchronization for each. Memory: one vector.
    ///
    /// # Errors
    ///
    /// Those of [`example_gradients`](Self::example_gradients), and [`LossError::NonFiniteGradient`].
    pub fn example_gradient_norms(&self, model: &M) -> Result<Vec<f64>, LossError> {
        let mut norms = Vec::new();
        self.each_example_gradient(model, &mut |gradient| {
            let norm = gradient.norm()?;
            if !norm.is_finite() {
                return Err(LossError::NonFiniteGradient { norm });
            }
            norms.push(norm);
            Ok(())
        })?;
        Ok(norms)
    }

    /// Passes the gradient of every example to `visit`, in the order of the data.
    pub(crate) fn each_example_gradient(
        &self,
        model: &M,
        visit: &mut dyn FnMut(ParamVector) -> Result<(), LossError>,
    ) -> Result<(), LossError> {
        self.in_time(model, || self.check_example_losses(model))?;
        let mut batches = 0;
        let completed = self.each_part_gradient(model, Some(1), &mut |part| {
            batches = part.batch + 1;
            visit(part.gradient)?;
            Ok(ControlFlow::Continue(()))
        })?;
        if completed {
            Ok(())
        } else {
            Err(LossError::Stopped { batches })
        }
    }

    /// Returns an error unless every batch has one loss for each example. A single example would not tell: its loss and
    /// a mean over its batch look the same.
    fn check_example_losses(&self, model: &M) -> Result<(), LossError> {
        let pass = Pass::of(self, model, true)?;
        each(&**self.source(), |index, batch| {
            let (expected, _) = batch.examples_and_weight(index)?;
            let [found] = pass.outputs(index, batch)?.dims();
            if found == expected {
                Ok(ControlFlow::Continue(()))
            } else {
                Err(LossError::WrongExampleLosses { expected, found })
            }
        })
        .map(drop)
    }
}
