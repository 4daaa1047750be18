//! Two layers with a square between them.

use burn::module::{Module, Param};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

use super::task::{Examples, Task};
use crate::Failure;
use crate::studies::digits::Place;
use crate::studies::losses::number;
use crate::studies::network::normal;

/// Adds the rows of the first matrix at the ones of an input, squares, and multiplies by the last.
#[derive(Module, Debug)]
pub(super) struct Quadratic {
    first: Param<Tensor<2>>,
    last: Param<Tensor<2>>,
}

impl Quadratic {
    pub(super) fn new(
        task: &Task,
        width: usize,
        seed: u64,
        place: Place<'_>,
    ) -> Result<Self, Failure> {
        let deviation = (width as f64).sqrt().recip();
        Ok(Self {
            first: normal([task.inputs, width], task.deviation, (seed, 0), place)?,
            last: normal([width, task.num_classes], deviation, (seed, 1), place)?,
        })
    }

    /// The numbers of the first matrix, row by row.
    pub(super) fn rows(&self) -> Result<Vec<f64>, Failure> {
        Ok(self.first.val().try_into_vec_as::<f64>()?)
    }

    /// `[n, ones]` to `[n, classes]`.
    pub(super) fn forward(&self, ones: Tensor<2, Int>) -> Tensor<2> {
        let first = self.first.val();
        let ([inputs, count], [_, width]) = (ones.dims(), first.dims());
        let rows = first.select(0, ones.flatten::<1>(0, 1));
        let sums = rows.reshape([inputs, count, width]).sum_dim(1);
        let squares = sums.squeeze_dim::<2>(1).square();
        squares.matmul(self.last.val())
    }
}

/// Mean over the examples.
pub(super) fn cross_entropy(net: &Quadratic, (ones, classes): Examples) -> Tensor<1> {
    let logs = log_softmax(net.forward(ones), 1);
    -logs.gather(1, classes.unsqueeze_dim::<2>(1)).mean()
}

/// The fraction of examples whose class has the largest output.
pub(super) fn accuracy(net: &Quadratic, examples: &Examples) -> Result<f64, Failure> {
    let (ones, classes) = examples.clone();
    let guesses = net.forward(ones).argmax(1).flatten::<1>(0, 1);
    number(guesses.equal(classes).float().mean())
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device};

    use super::*;

    #[test]
    fn outputs_are_quadratic_in_the_ones_of_an_input() {
        let (task, device) = (Task::addition(7, 500), Device::default());
        let net = Quadratic::new(&task, 5, 1, (&device, DType::F64)).unwrap();
        let numbers = |tensor: Tensor<2>| tensor.try_into_vec_as::<f64>().unwrap();
        let (first, last) = (numbers(net.first.val()), numbers(net.last.val()));
        // 2 + 6.
        let (ones, classes) = task.examples(&[2 * 7 + 6], &device);
        let found = numbers(net.forward(ones.clone()));
        for class in 0..7 {
            let unit = |unit: usize| {
                let sum = first[2 * 5 + unit] + first[(7 + 6) * 5 + unit];
                sum * sum * last[unit * 7 + class]
            };
            let expected: f64 = (0..5).map(unit).sum();
            assert!((found[class] - expected).abs() < 1e-12);
        }
        let total: f64 = found.iter().map(|output| output.exp()).sum();
        let expected = total.ln() - found[1];
        let loss = number(cross_entropy(&net, (ones, classes))).unwrap();
        assert!((loss - expected).abs() < 1e-12);
    }
}
