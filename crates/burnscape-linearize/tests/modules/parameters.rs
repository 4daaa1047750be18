//! Reading and moving the trained parameters of a module, as one vector of doubles.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Tensor, TensorData};

use super::referee::waves;

/// Every trained parameter becomes a wave, so that a failure can be repeated.
pub(crate) struct Fill(pub(crate) f64);

impl ModuleMapper for Fill {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        if !value.is_require_grad() {
            return Param::from_mapped_value(id, value, mapper);
        }
        self.0 += 17.0;
        let shape = value.shape();
        let numbers = waves(shape.num_elements(), self.0);
        // Scales stay scales: a wave about what the layer was initialized to would be random again.
        let numbers = numbers.into_iter().map(|x| 0.2 + 0.6 * x).collect();
        let data = TensorData::new::<f64, _>(numbers, shape);
        let value = Tensor::<D>::from_data(data, (&value.device(), DType::F64));
        Param::from_mapped_value(id, value.require_grad(), mapper)
    }
}

/// Moves the trained parameters along a direction.
pub(crate) struct Shift<'a> {
    pub(crate) direction: &'a [f64],
    pub(crate) scale: f64,
}

impl ModuleMapper for Shift<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        if !value.is_require_grad() {
            return Param::from_mapped_value(id, value, mapper);
        }
        let value = value.inner();
        let (own, rest) = self.direction.split_at(value.shape().num_elements());
        self.direction = rest;
        let step = TensorData::new(own.to_vec(), value.shape());
        let step = Tensor::<D>::from_data(step, (&value.device(), DType::F64));
        let moved = (value + step * self.scale).autodiff().require_grad();
        Param::from_mapped_value(id, moved, mapper)
    }
}

struct Collect<'a> {
    gradients: &'a GradientsParams,
    values: Vec<f64>,
    lengths: Vec<usize>,
}

impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !param.val().is_require_grad() {
            return;
        }
        let len = param.val().shape().num_elements();
        self.lengths.push(len);
        match self.gradients.get::<D>(param.id) {
            Some(gradient) => self.values.extend(gradient.into_data().iter::<f64>()),
            None => self.values.extend(vec![0.0; len]),
        }
    }
}

/// Burn's gradient, flat, and the length of each part. Zeros where there is none.
pub(crate) fn gradient<M: Module>(model: &M, loss: Tensor<1>) -> (Vec<f64>, Vec<usize>) {
    let gradients = GradientsParams::from_grads(loss.backward(), model);
    let mut collect = Collect {
        gradients: &gradients,
        values: vec![],
        lengths: vec![],
    };
    model.visit(&mut collect);
    (collect.values, collect.lengths)
}
