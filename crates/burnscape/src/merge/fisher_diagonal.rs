use burn::module::Module;
use burn::tensor::TensorData;

use super::{FisherAverage, MergeError, TensorMap};
use crate::loss::{LossError, PerExample, Risk};
use crate::space::ParamSpace;

impl FisherAverage {
    /// The diagonal of the empirical Fisher matrix: how much the loss of an example depends on each parameter,
    ///
    /// ```text
    /// F = (1/n) Σ_i (∂ℓ_i/∂θ)²,
    /// ```
    ///
    /// over the `n` examples of a data set, element by element, in f64. These are the importances of
    /// [`FisherAverage`](super::FisherAverage).
    ///
    /// The result has a tensor of the shape of each trained parameter, by its first path; parameters that are frozen, or
    /// not in the [group](Risk::with_group) of the risk, have none. Every example counts once, whatever the weights of
    /// batches and the reduction of the risk.
    ///
    /// For the losses `ℓ_i` of a negative log-likelihood this is the *empirical* Fisher matrix: labels are those of the
    /// data. Matena & Raffel (2022) take them from the model's own predictive distribution, which gives the Fisher matrix
    /// proper. Both agree where the labels are distributed as the model predicts. For that version, write a loss whose
    /// labels are drawn, and give the risk a [seed](Risk::with_draws_seed).
    ///
    /// # Cost
    ///
    /// One forward and backward pass and one host synchronization for each example, and a forward pass of each batch.
    /// Memory: two vectors in f64, however many examples there are.
    ///
    /// # Errors
    ///
    /// Those of [`Risk::example_gradients`]; [`LossError::NonFiniteGradient`], as [`MergeError::Loss`].
    ///
    /// # References
    ///
    /// Matena & Raffel 2022, *Merging Models with Fisher-Weighted Averaging*, arXiv:2111.09832; Kunstner, Balles & Hennig
    /// 2019, *Limitations of the Empirical Fisher Approximation for Natural Gradient Descent*, arXiv:1905.12558.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::{Linear, LinearConfig};
    /// use burn::tensor::{Device, Tensor, TensorData};
    /// use burnscape::loss::Risk;
    /// use burnscape::merge::FisherAverage;
    ///
    /// let device = Device::default();
    /// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
    /// let losses = |m: &Linear, x: Tensor<2>| m.forward(x).squeeze_dim::<1>(1);
    /// let data = [Tensor::<2>::from_floats([[3.0, 4.0], [1.0, 2.0]], &device)];
    /// let importances = FisherAverage::squared_gradients(&Risk::per_example(losses, &data), &model)?;
    /// // The gradient of each example is its input.
    /// let expected = TensorData::from([[5.0_f64], [10.0]]);
    /// assert_eq!(importances.get("weight"), Some(&expected));
    /// # Ok::<(), burnscape::merge::MergeError>(())
    /// ```
    pub fn squared_gradients<M: Module>(
        risk: &Risk<'_, M, PerExample>,
        model: &M,
    ) -> Result<TensorMap, MergeError> {
        let mut num_examples = 0_usize;
        let mut space: Option<ParamSpace> = None;
        let mut sums: Vec<f64> = Vec::new();
        risk.each_example_gradient(model, &mut |gradient| {
            let gradient_space = space.get_or_insert_with(|| gradient.space().clone());
            sums.resize(gradient_space.len(), 0.0);
            let values = gradient.to_host()?;
            if !values.iter().all(|value| value.is_finite()) {
                let square: f64 = values.iter().map(|value| value * value).sum();
                let norm = square.sqrt();
                return Err(LossError::NonFiniteGradient { norm });
            }
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum += value * value;
            }
            num_examples += 1;
            Ok(())
        })?;
        let leaves = space.iter().flat_map(|space| space.leaves());
        let tensors = leaves.map(|leaf| {
            let part = &sums[leaf.offset()..leaf.offset() + leaf.len()];
            let means: Vec<f64> = part.iter().map(|sum| sum / num_examples as f64).collect();
            let data = TensorData::new(means, leaf.shape().to_vec());
            (leaf.path().to_string(), data)
        });
        Ok(tensors.collect())
    }
}
