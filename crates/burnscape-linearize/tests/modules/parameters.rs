//! Reading and moving the trained parameters of a module, as one vector of doubles.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, FloatDType, Tensor, TensorData};

use super::referee::waves;

/// Every trained parameter becomes a wave, so that a failure can be repeated.
pub(crate) struct Fill(pub(crate) usize);

/// The numbers of a parameter by its place. Scales stay scales: a wave about what the layer was
/// initialized to would be random again.
pub(crate) fn filled(len: usize, place: usize) -> Vec<f64> {
    let numbers = waves(len, 17.0 * (place + 1) as f64);
    numbers.into_iter().map(|x| 0.2 + 0.6 * x).collect()
}

impl ModuleMapper for Fill {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        if !value.is_require_grad() {
            return Param::from_mapped_value(id, value, mapper);
        }
        let shape = value.shape();
        let numbers = filled(shape.num_elements(), self.0);
        self.0 += 1;
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

/// Brings everything that a mapper reaches into another precision.
pub(crate) struct Narrow(pub(crate) FloatDType);

impl ModuleMapper for Narrow {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        let is_trained = value.is_require_grad();
        let value = value.inner().cast(self.0);
        let value = if is_trained {
            value.autodiff().require_grad()
        } else {
            value
        };
        Param::from_mapped_value(id, value, mapper)
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
