//! Conversion of run-time ranks to Burn's compile-time ranks.

use burn::module::ParamId;
use burn::optim::GradientsParams;
use burn::tensor::{Shape, Tensor};

/// The largest rank that Burn's optimizers support.
pub(super) const MAX_RANK: usize = 8;

macro_rules! with_rank {
    ($rank:expr, $d:ident => $body:expr, else $otherwise:expr) => {
        with_rank!(@of [1 2 3 4 5 6 7 8], $rank, $d => $body, else $otherwise)
    };
    (@of [$($n:literal)*], $rank:expr, $d:ident => $body:expr, else $otherwise:expr) => {
        match $rank {
            $($n => {
                const $d: usize = $n;
                $body
            })*
            _ => $otherwise,
        }
    };
}

/// The gradient of a parameter, if there is one, as a flat tensor and its shape.
pub(super) fn gradient(
    gradients: &GradientsParams,
    id: ParamId,
    rank: usize,
) -> Option<(Tensor<1>, Vec<usize>)> {
    with_rank!(rank, D => {
        let gradient = gradients.get::<D>(id)?.inner();
        let shape = gradient.shape().as_slice().to_vec();
        let len = gradient.shape().num_elements();
        Some((gradient.reshape([len]), shape))
    }, else None)
}

/// Registers a flat tensor as the gradient of a parameter, in the parameter's shape.
pub(super) fn register(
    gradients: &mut GradientsParams,
    id: ParamId,
    shape: &[usize],
    value: Tensor<1>,
) {
    let shape = Shape::from(shape.to_vec());
    with_rank!(shape.rank(), D => gradients.register::<D>(id, value.reshape(shape)), else ())
}

/// Sums a flat leaf over all axes except one: `[shape[axis]]`.
pub(super) fn sum_but_axis(value: Tensor<1>, shape: &[usize], axis: usize) -> Tensor<1> {
    let sums = around(value, shape, axis).sum_dim(0).sum_dim(2);
    sums.reshape([shape[axis]])
}

/// The maxima of a flat leaf over all axes except one: `[shape[axis]]`.
pub(super) fn max_but_axis(value: Tensor<1>, shape: &[usize], axis: usize) -> Tensor<1> {
    let largest = around(value, shape, axis).max_dim(0).max_dim(2);
    largest.reshape([shape[axis]])
}

/// Repeats `[shape[axis]]` over all other axes into a flat leaf.
pub(super) fn expand_axis(value: Tensor<1>, shape: &[usize], axis: usize) -> Tensor<1> {
    let [outer, kept, inner] = folded(shape, axis);
    let value = value.reshape([1, kept, 1]).expand([outer, kept, inner]);
    value.reshape([outer * kept * inner])
}

/// A flat leaf with all axes before and after the given one folded into one axis each.
fn around(value: Tensor<1>, shape: &[usize], axis: usize) -> Tensor<3> {
    value.reshape(folded(shape, axis))
}

fn folded(shape: &[usize], axis: usize) -> [usize; 3] {
    let [outer, inner] = [&shape[..axis], &shape[axis + 1..]].map(|axes| axes.iter().product());
    [outer, shape[axis], inner]
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn numbers(tensor: Tensor<1>) -> Vec<f64> {
        tensor.into_data().iter().collect()
    }

    #[test]
    fn an_axis_is_kept_and_given_back() {
        // [2, 3, 2], counted from zero.
        let value = Tensor::<1, burn::tensor::Int>::arange(0..12, &Device::default()).float();
        let sums = |axis| numbers(sum_but_axis(value.clone(), &[2, 3, 2], axis));
        assert_eq!(sums(0), [15.0, 51.0]);
        assert_eq!(sums(1), [14.0, 22.0, 30.0]);
        assert_eq!(sums(2), [30.0, 36.0]);
        let most = numbers(max_but_axis(value.clone(), &[2, 3, 2], 1));
        assert_eq!(most, [7.0, 9.0, 11.0]);
        let marks = Tensor::from_floats([1.0, 2.0, 3.0], &Device::default());
        let marks = numbers(expand_axis(marks, &[2, 3, 2], 1));
        let expected = [1.0, 1.0, 2.0, 2.0, 3.0, 3.0];
        assert_eq!(marks, [expected, expected].concat());
    }

    #[test]
    fn a_gradient_goes_in_and_out_under_every_rank() {
        let device = Device::default();
        for rank in 1..=MAX_RANK {
            let (mut gradients, id) = (GradientsParams::new(), ParamId::new());
            let mut shape = vec![1; rank];
            shape[rank - 1] = 3;
            let value = Tensor::from_floats([1.0, 2.0, 3.0], &device);
            register(&mut gradients, id, &shape, value);
            let (value, found) = gradient(&gradients, id, rank).unwrap();
            assert_eq!((numbers(value), found), (vec![1.0, 2.0, 3.0], shape));
        }
        assert!(gradient(&GradientsParams::new(), ParamId::new(), MAX_RANK + 1).is_none());
    }
}
