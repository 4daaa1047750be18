use std::fmt;

use burn::backend::DispatchTensor;
use burn::tensor::{Device, Tensor};

use super::engine::{Engine, engine, flat};
use super::executable::Executable;
use super::{ties, upstream};
use crate::LinearizeError;
use crate::program::{Port, Program, Tie};

/// A [`Program`] that is ready to run on a device, any number of times.
pub struct PreparedProgram {
    engine: Box<dyn Engine>,
    /// Counts of ties are its last outputs.
    executable: Executable,
    ties: Vec<Tie>,
}

impl fmt::Debug for PreparedProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedProgram").finish_non_exhaustive()
    }
}

impl Program {
    /// Runs the program once and returns its outputs, flat. To run it more than once, [`prepare`](Self::prepare) it.
    ///
    /// # Errors
    ///
    /// Those of [`prepare`](Self::prepare) and [`PreparedProgram::run`].
    pub fn run(
        &self,
        inputs: &[DispatchTensor],
        device: &Device,
    ) -> Result<Vec<Tensor<1>>, LinearizeError> {
        self.prepare(device)?.run(inputs)
    }

    /// Prepares the program to run on `device`: uploads its constants and chooses kernels.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::UnsupportedDevice`], and [`LinearizeError::Upstream`] if Burn computes an operation
    /// incorrectly on this device.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::module::Module;
    /// use burn::nn::{Initializer, Linear, LinearConfig};
    /// use burn::tensor::{Device, Tensor};
    /// use burnscape_linearize::GradientTrace;
    ///
    /// let device = Device::flex();
    /// let layer = LinearConfig::new(2, 1).with_bias(false).with_initializer(Initializer::Ones);
    /// let x = Tensor::<2>::from_data([[1.0, 2.0], [3.0, 4.0]], &device);
    /// let trace = GradientTrace::new(
    ///     layer.init(&device).train(),
    ///     device.settings(),
    ///     |inputs| inputs.float(x.clone()),
    ///     |model: &Linear, x| model.forward(x).square().sum(),
    /// )?;
    /// let mut prepared = trace.program.prepare(&device)?;
    /// // The weight and the batch. The loss is 3² + 7², then that of a batch twice as large.
    /// let mut inputs = trace.bindings.clone();
    /// for (factor, expected) in [(1.0, 58.0), (2.0, 232.0)] {
    ///     inputs[1] = (x.clone() * factor).into_dispatch();
    ///     let outputs = prepared.run(&inputs)?;
    ///     let loss = outputs[0].to_data();
    ///     assert_eq!(loss.iter::<f64>().next(), Some(expected));
    /// }
    /// # Ok::<(), burnscape_linearize::LinearizeError>(())
    /// ```
    pub fn prepare(&self, device: &Device) -> Result<PreparedProgram, LinearizeError> {
        let mut engine = self.engine_on(device)?;
        engine.constants(self);
        let mut watched = self.clone();
        watched.outputs.extend(self.ties.iter().map(Tie::port));
        Ok(PreparedProgram {
            executable: engine.executable(&watched),
            engine,
            ties: self.ties.clone(),
        })
    }

    /// Prepares only the matrix products and convolutions, as they run on `device` within the whole program: sums of
    /// two convolutions are one operation where they are one there. Every tensor that they read is an input. There are no
    /// outputs: a run computes every result and frees it at once.
    ///
    /// # Errors
    ///
    /// Those of [`prepare`](Self::prepare).
    #[doc(hidden)]
    pub fn prepare_kernels(&self, device: &Device) -> Result<PreparedProgram, LinearizeError> {
        let engine = self.engine_on(device)?;
        let mut kernels = engine.kernels(self);
        // An executable runs all operations that it is given, and drops what is neither read nor an output.
        kernels.outputs.clear();
        Ok(PreparedProgram {
            executable: Executable::new(&kernels),
            engine,
            ties: Vec::new(),
        })
    }

    /// The engine of a device on which Burn computes all operations correctly.
    fn engine_on(&self, device: &Device) -> Result<Box<dyn Engine>, LinearizeError> {
        let engine = engine(device)?;
        upstream::check(self, engine.is_accelerator())?;
        Ok(engine)
    }
}

impl PreparedProgram {
    /// The inputs, in the order in which values are bound.
    pub fn inputs(&self) -> &[Port] {
        &self.executable.inputs
    }

    /// Runs the program and returns its outputs, flat. The inputs must be on the device; they are not changed.
    ///
    /// Random numbers are drawn in every run, from the generator of the device.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::Mismatch`] if the inputs do not match the program, [`LinearizeError::Execution`] if Burn
    /// cannot run an operation, and [`LinearizeError::Tie`] if the program is a derivative and compares equal values.
    pub fn run(&mut self, inputs: &[DispatchTensor]) -> Result<Vec<Tensor<1>>, LinearizeError> {
        let (engine, executable) = (&mut self.engine, &self.executable);
        if inputs.len() != executable.inputs.len() {
            return Err(LinearizeError::Mismatch {
                what: "the number of inputs".into(),
                expected: executable.inputs.len().to_string(),
                found: inputs.len().to_string(),
            });
        }
        let num_outputs = executable.outputs.len() - self.ties.len();
        let mut outputs = engine.run(executable, inputs)?;
        let counts = outputs.split_off(num_outputs);
        ties::check(&self.ties, counts, &executable.inputs, inputs, |nearby| {
            let mut outputs = engine.run(executable, nearby)?;
            Ok(outputs.split_off(num_outputs))
        })?;
        Ok(outputs.into_iter().map(flat).collect())
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::backend::ops::{ConvOptions, FloatTensorOps, ModuleOps};
    use burn::tensor::Shape;
    use burn_ir::OperationIr;

    use super::*;
    use crate::record::C;
    use crate::rule::tests::{plain, program};

    #[test]
    fn kernels_alone_are_those_of_the_program_and_keep_no_result() {
        let (images, weight) = ([8, 8, 13, 13], [16, 8, 3, 3]);
        let len = 16 * 11 * 11;
        let shapes: [&[usize]; 5] = [&images, &weight, &images, &weight, &[len, 3]];
        let options = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
        // The derivative of a convolution, a function, and a matrix product.
        let whole = program(&shapes, |given| {
            let conv = |x, w| C::conv2d(given.at(x), given.at(w), None, options.clone());
            let sum = C::float_tanh(C::float_add(conv(0, 3), conv(2, 1)));
            C::float_matmul(C::float_reshape(sum, Shape::from([8, len])), given.at(4))
        });
        let mut kernels = whole.prepare_kernels(&plain()).expect("kernels");
        let steps = &kernels.executable.steps;
        let [
            OperationIr::Custom(conv),
            OperationIr::Drop(sum),
            OperationIr::Float(..),
            OperationIr::Drop(_),
        ] = &steps[..]
        else {
            panic!("{steps:?}");
        };
        assert_eq!((conv.inputs.len(), conv.outputs[0].id), (4, sum.id));
        let shapes: Vec<Vec<usize>> = kernels.inputs().iter().map(|x| x.shape().into()).collect();
        let expected: [&[usize]; 6] = [&images, &weight, &images, &weight, &[8, len], &[len, 3]];
        assert_eq!(shapes, expected);

        let bound = kernels.inputs().iter().map(|port| {
            let ones = Tensor::<1>::ones([port.num_elements()], &plain());
            ones.into_dispatch()
        });
        let bound: Vec<_> = bound.collect();
        for _ in 0..2 {
            assert!(kernels.run(&bound).expect("a run").is_empty());
        }
        let few = kernels.run(&bound[1..]);
        assert!(
            matches!(few, Err(LinearizeError::Mismatch { .. })),
            "{few:?}"
        );
    }
}
