//! What networks answer, alone and together.

use burn::tensor::activation::softmax;
use burn::tensor::{Int, Tensor};
use burnscape::krylov::Estimate;

use crate::Failure;
use crate::studies::digits::Labeled;
use crate::studies::losses::number;
use crate::studies::network::{Mlp, Network};

/// The probabilities of the ten digits, `[images, 10]`.
#[derive(Debug, Clone)]
pub(super) struct Answers(Tensor<2>);

impl Answers {
    pub(super) fn of(net: &Mlp, (images, _): &Labeled) -> Self {
        Self(softmax(net.forward(images.clone()), 1))
    }

    /// Their means: an ensemble. There is at least one.
    pub(super) fn together(all: &[Self]) -> Self {
        let all: Vec<Tensor<2>> = all.iter().map(|one| one.0.clone()).collect();
        let mean = Tensor::<2>::stack::<3>(all, 0).mean_dim(0);
        Self(mean.squeeze_dim::<2>(0))
    }

    /// The mean of `−ln p` of the right digits.
    pub(super) fn loss(&self, (_, labels): &Labeled) -> Result<f64, Failure> {
        let labels = labels.clone().unsqueeze_dim::<2>(1);
        let right = self.0.clone().gather(1, labels);
        // The smallest positive number stands for zero.
        number(-right.clamp_min(f32::MIN_POSITIVE).log().mean())
    }

    /// The share of images whose digit is the most probable one.
    pub(super) fn accuracy(&self, (_, labels): &Labeled) -> Result<f64, Failure> {
        number(self.digits().equal(labels.clone()).float().mean())
    }

    /// The share of images on which the most probable digits differ.
    pub(super) fn disagreement(&self, other: &Self) -> Result<f64, Failure> {
        let differ = self.digits().not_equal(other.digits());
        number(differ.float().mean())
    }

    fn digits(&self) -> Tensor<1, Int> {
        self.0.clone().argmax(1).flatten::<1>(0, 1)
    }
}

/// The mean disagreement over all pairs. Not a number without a pair.
pub(super) fn disagreement(all: &[Answers]) -> Result<f64, Failure> {
    let mut found = Vec::new();
    for (index, one) in all.iter().enumerate() {
        for other in &all[index + 1..] {
            found.push(one.disagreement(other)?);
        }
    }
    Ok(Estimate::of(&found).value)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device};

    use super::*;

    fn answers(probabilities: [[f64; 3]; 2]) -> Answers {
        let place = (&Device::default(), DType::F64);
        Answers(Tensor::from_data(probabilities, place))
    }

    #[test]
    fn ensembles_are_means_of_probabilities() {
        let one = answers([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]]);
        let other = answers([[0.2, 0.7, 0.1], [0.2, 0.7, 0.1]]);
        let device = Device::default();
        let images = Tensor::<2>::zeros([2, 1], &device);
        let batch = (images, Tensor::<1, Int>::from_data([0, 1], &device));
        assert_eq!(one.accuracy(&batch).unwrap(), 1.0);
        assert_eq!(other.accuracy(&batch).unwrap(), 0.5);
        assert_eq!(one.disagreement(&other).unwrap(), 0.5);
        let all = [one.clone(), one, other];
        // One of three pairs agrees on both images.
        assert!((disagreement(&all).unwrap() - 1.0 / 3.0).abs() < 1e-12);
        let loss = Answers::together(&all).loss(&batch).unwrap();
        let expected = -0.5 * (0.6_f64.ln() + 0.7_f64.ln());
        assert!((loss - expected).abs() < 1e-6);
        assert!(disagreement(&all[..1]).unwrap().is_nan());
    }
}
