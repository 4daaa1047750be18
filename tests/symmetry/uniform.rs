//! Parts of tensors whose values are all equal tie nothing, and hide nothing.

use burn::module::{Module, Param};
use burn::tensor::activation::{relu, softmax};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};
use burnscape::symmetry::{Symmetries, SymmetriesConfig};

use super::zoo::numbers;
use crate::element::device;

/// Parameters of any use.
#[derive(Module, Debug)]
struct Weights<const D: usize> {
    own: Vec<Param<Tensor<D>>>,
}

impl<const D: usize> Weights<D> {
    fn new(shapes: &[[usize; D]], device: &Device) -> Self {
        let own = shapes.iter().zip(1..);
        let own = own.map(|(shape, seed)| Param::from_tensor(numbers(*shape, seed, device)));
        Self { own: own.collect() }
    }

    fn at(&self, index: usize) -> Tensor<D> {
        self.own[index].val()
    }
}

/// The sizes of the groups, with their numbers of members.
fn groups<const D: usize, const R: usize>(
    model: &Weights<D>,
    x: Tensor<R>,
    outputs: impl Fn(&Weights<D>, &Tensor<R>) -> Tensor<2>,
) -> Vec<(usize, usize)> {
    for seed in 0..20 {
        let found: Symmetries = SymmetriesConfig::new()
            .with_seed(seed)
            .run(&outputs, model, x.clone())
            .expect("symmetries");
        assert!(found.dropped().is_empty(), "{:?}", found.dropped());
        if seed == 19 {
            let groups = found.groups().iter();
            return groups
                .map(|one| (one.size(), one.members().len()))
                .collect();
        }
    }
    Vec::new()
}

#[test]
fn a_constant_kernel_for_all_channels_passes_them() {
    let model = Weights::new(&[[6, 3, 3, 3], [2, 6, 1, 1]], &device());
    let blurred = |model: &Weights<4>, x: &Tensor<4>| {
        let same = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
        let hidden = relu(conv2d(x.clone(), model.at(0), None, same));
        let blur = Tensor::<4>::ones([1, 1, 3, 3], &hidden.device()).expand([6, 1, 3, 3]);
        let apart = ConvOptions::new([1, 1], [1, 1], [1, 1], 6);
        let hidden = conv2d(hidden, blur, None, apart);
        let pointwise = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
        let out = conv2d(relu(hidden), model.at(1), None, pointwise);
        out.mean_dim(3).mean_dim(2).reshape([2, 2])
    };
    let x = numbers([2, 3, 5, 5], 9, &device());
    assert_eq!(groups(&model, x, blurred), [(6, 2)]);
}

#[test]
fn zeros_beside_a_parameter_do_not_hide_it() {
    let model = Weights::new(&[[1, 3], [1, 3], [1, 3]], &device());
    let parts = |model: &Weights<2>, x: &Tensor<2>| {
        let zeros = Tensor::<2>::zeros([1, 3], &model.at(0).device());
        let both = Tensor::cat(vec![zeros, model.at(0)], 1).reshape([2, 3]);
        let met = (both + model.at(1)) * model.at(2);
        met.sum_dim(1) * x.clone()
    };
    let x = numbers([2, 1], 9, &device());
    // All three are one, because both rows meet them.
    assert_eq!(groups(&model, x, parts), [(3, 3)]);
}

#[test]
fn a_mixed_axis_with_zeros_is_the_axis_of_its_other_part() {
    let model = Weights::new(&[[1, 3], [3, 2]], &device());
    let mixed = |model: &Weights<2>, x: &Tensor<2>| {
        let zeros = Tensor::<2>::zeros([1, 3], &model.at(0).device());
        let both = Tensor::cat(vec![zeros, model.at(0)], 1).reshape([2, 3]);
        softmax(both, 1).matmul(model.at(1)) * x.clone()
    };
    let x = numbers([2, 1], 9, &device());
    assert_eq!(groups(&model, x, mixed), [(3, 2)]);
}

#[test]
fn a_factor_that_changes_its_neighbor_depends_on_none() {
    let model = Weights::new(&[[6, 2], [2, 3]], &device());
    let regrouped = |model: &Weights<2>, x: &Tensor<2>| {
        let tall = model.at(0).matmul(model.at(1));
        let wide = tall.clone().reshape([3, 6]);
        tall.matmul(wide).sum_dim(0).sum_dim(1) * x.clone()
    };
    let x = numbers([2, 1], 9, &device());
    let found = groups(&model, x, regrouped);
    // The contracted axis of both factors is free in any case.
    assert!(found.contains(&(2, 2)), "{found:?}");
}
