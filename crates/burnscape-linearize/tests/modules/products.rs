//! A loss of a model on a batch, and our products with its Hessian in a precision.

use burn::backend::DispatchTensor;
use burn::module::Module;
use burn::tensor::{Device, DeviceSettings, FloatDType, Tensor, TensorData};
use burnscape_linearize::{
    Batching, Checkpointing, GradientTrace, LinearMap, Linearized, LinearizedGradient, Program,
};
pub(crate) use burnscape_testkit::double::device as plain;

use super::batch::Batch;

/// The same with autodiff.
pub(crate) fn device() -> Device {
    plain().autodiff()
}

/// Starts the device's random stream again, so that a loss that draws is one function.
pub(crate) fn draw_again() {
    plain().seed(20_261_124);
}

/// A closure from a model and a batch to a loss.
pub(crate) type Loss<M, B> = dyn Fn(&M, B) -> Tensor<1>;

pub(crate) struct Products {
    pub(crate) trace: GradientTrace,
    settings: DeviceSettings,
    linearized: LinearizedGradient,
    /// Elements of each parameter.
    lengths: Vec<usize>,
}

impl Products {
    pub(crate) fn of<M: Module, B: Batch>(
        model: &M,
        batch: &B,
        loss: &Loss<M, B>,
        dtype: FloatDType,
        lengths: &[usize],
    ) -> Self {
        let settings = DeviceSettings {
            float_dtype: dtype,
            ..plain().settings()
        };
        let trace = trace(model, batch, loss, settings);
        draw_again();
        let linearized = LinearizedGradient::new(&trace, settings, &plain());
        Self {
            linearized: linearized.unwrap_or_else(|error| panic!("{error}")),
            trace,
            settings,
            lengths: lengths.to_vec(),
        }
    }

    pub(crate) fn gradient(&self) -> Vec<f64> {
        self.flat(self.linearized.gradients())
    }

    /// The Hessian times a direction.
    pub(crate) fn along(&mut self, direction: &[f64]) -> Vec<f64> {
        let parts: Vec<Tensor<1>> = self.parts(direction);
        let product = self.linearized.hvp(&parts).expect("a product");
        self.flat(&product)
    }

    /// The Hessian times two directions in one run, as accelerators do it.
    pub(crate) fn together(&self, directions: [&[f64]; 2]) -> [Vec<f64>; 2] {
        let wrt: Vec<usize> = (0..self.trace.parameters.len()).collect();
        let map = LinearMap::hessian(&self.trace, &wrt, self.settings).expect("a map");
        let at = Linearized::new(&map, &plain()).expect("a device");
        let mut at = at.with_batching(Batching::Together);
        draw_again();
        let point = at.point(&self.trace.bindings, Checkpointing::Store);
        let point = point.expect("a point");
        let n = directions[0].len();
        let block = TensorData::new(directions.concat(), [2, n]);
        let block = Tensor::<2>::from_data(block, (&plain(), self.settings.float_dtype.into()));
        let products = at.apply_block(&point, block).expect("products");
        let products: Vec<f64> = products.into_data().iter().collect();
        [products[..n].to_vec(), products[n..].to_vec()]
    }

    /// The decisions of the derivative at each of the points: see [`Program::decisions`].
    pub(crate) fn decisions(&self, points: &[Vec<DispatchTensor>], along: &[f64]) -> Vec<Vec<f64>> {
        let wrt = self.trace.parameters.iter().map(|p| p.input);
        let derivative = self
            .trace
            .program
            .jvp(&wrt.collect::<Vec<_>>(), self.settings);
        let derivative = derivative.expect("a derivative").program;
        let program = derivative.decisions(self.settings).expect("a program");
        points
            .iter()
            .map(|point| self.decided(&program, point, along))
            .collect()
    }

    fn decided(&self, program: &Program, point: &[DispatchTensor], along: &[f64]) -> Vec<f64> {
        let tangents = self.parts(along).into_iter().map(Tensor::into_dispatch);
        let inputs: Vec<DispatchTensor> = point.iter().cloned().chain(tangents).collect();
        draw_again();
        let outputs = program.run(&inputs, &plain()).expect("decisions");
        let values = outputs.into_iter().map(|output| output.into_data());
        values
            .flat_map(|data| data.iter::<f64>().collect::<Vec<_>>())
            .collect()
    }

    fn parts(&self, flat: &[f64]) -> Vec<Tensor<1>> {
        let mut rest = flat;
        let part = |&len: &usize| {
            let (own, others) = rest.split_at(len);
            rest = others;
            let data = TensorData::new(own.to_vec(), [len]);
            Tensor::from_data(data, (&plain(), self.settings.float_dtype.into()))
        };
        self.lengths.iter().map(part).collect()
    }

    /// One vector; a part that is absent is zero.
    fn flat(&self, parts: &[Option<Tensor<1>>]) -> Vec<f64> {
        let mut values = Vec::new();
        for (part, &len) in parts.iter().zip(&self.lengths) {
            match part {
                Some(part) => values.extend(part.clone().into_data().iter::<f64>()),
                None => values.extend(vec![0.0; len]),
            }
        }
        values
    }
}

pub(crate) fn trace<M: Module, B: Batch>(
    model: &M,
    batch: &B,
    loss: &Loss<M, B>,
    settings: DeviceSettings,
) -> GradientTrace {
    let trace = GradientTrace::new(
        model.clone(),
        settings,
        |inputs| batch.declare(inputs),
        |model, batch| loss(model, batch),
    );
    trace.unwrap_or_else(|error| panic!("{error}"))
}
