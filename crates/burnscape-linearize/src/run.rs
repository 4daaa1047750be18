use std::time::Instant;

use burn::backend::ops::FloatTensorOps;
use burn::backend::{
    Backend, BackendTensor, BackendTypes, Dispatch, DispatchDevice, DispatchKindConversion,
    DispatchTensor, TensorMetadata,
};
use burn::tensor::{Device, Tensor};
use burn_ir::{BackendIr, HandleKind, TensorId, TensorIr, TensorStatus};
use burn_router::TensorInterpreter;
use rustc_hash::FxHashMap;

use super::LinearizeError;
use super::executable::Executable;
use super::panics::caught;
use super::program::{Port, Program};
use super::ties::{self, Tie};
use super::upstream;

impl Program {
    /// Runs the program once: values for its inputs in, those of its outputs out, flat.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::Device`], [`LinearizeError::Mismatch`] if the values do not fit the inputs,
    /// [`LinearizeError::Run`] if Burn cannot run an operation, [`LinearizeError::Upstream`] if it computes one
    /// wrongly on this device, and [`LinearizeError::Tie`] if the program is a derivative, selects by equality,
    /// and something is equal that moves.
    pub fn run(
        &self,
        inputs: &[DispatchTensor],
        device: &Device,
    ) -> Result<Vec<Tensor<1>>, LinearizeError> {
        if inputs.len() != self.inputs.len() {
            return Err(LinearizeError::Mismatch {
                what: "the number of inputs".into(),
                expected: self.inputs.len().to_string(),
                found: inputs.len().to_string(),
            });
        }
        let mut engine = engine(device)?;
        upstream::check(self, &*engine)?;
        engine.constants(self);
        let mut watched = self.clone();
        watched.outputs.extend(self.ties.iter().map(Tie::port));
        let executable = Executable::new(&watched);
        let mut outputs = engine.run(&watched, &executable, inputs)?;
        let counts = ties::counts(outputs.split_off(self.outputs.len()))?;
        if counts.iter().any(|count| *count != 0.0) {
            let nearby = ties::displaced(&self.ties, &self.inputs, inputs)?;
            let mut nearby = engine.run(&watched, &executable, &nearby)?;
            let nearby = ties::counts(nearby.split_off(self.outputs.len()))?;
            ties::stay(&self.ties, &counts, &nearby)?;
        }
        Ok(outputs.into_iter().map(flat).collect())
    }
}

/// A float tensor of any rank as a vector; row by row.
pub(crate) fn flat(tensor: DispatchTensor) -> Tensor<1> {
    let len = tensor.shape().num_elements();
    Tensor::from_dispatch(Dispatch::float_reshape(tensor, [len].into()))
}

/// Runs programs on one device.
pub(crate) trait Engine: Send {
    /// Gives a tensor a name.
    fn bind(&mut self, port: &Port, tensor: DispatchTensor) -> Result<(), LinearizeError>;
    /// Gives host data a name, for good.
    fn constant(&mut self, id: TensorId, data: burn::tensor::TensorData);
    /// Runs the steps. Burn's panics become errors.
    fn execute(&mut self, executable: &Executable) -> Result<(), LinearizeError>;
    /// Takes a result out; `is_last` if nothing reads it again.
    fn take(&mut self, port: &Port, is_last: bool) -> DispatchTensor;
    /// Whether one large kernel is quicker than many small ones: on a device that has to be fed.
    fn is_accelerator(&self) -> bool;
    /// Whether kernels run on a pool of threads that we may use as well.
    fn has_pool(&self) -> bool;
}

impl dyn Engine {
    /// Makes the program's constants known. They stay.
    pub(crate) fn constants(&mut self, program: &Program) {
        for (id, data) in &program.constants {
            self.constant(*id, data.clone());
        }
    }

    /// One run: values for the inputs in, those of the outputs out.
    pub(crate) fn run(
        &mut self,
        program: &Program,
        executable: &Executable,
        inputs: &[DispatchTensor],
    ) -> Result<Vec<DispatchTensor>, LinearizeError> {
        for &index in &executable.read {
            self.bind(&program.inputs[index], inputs[index].clone())?;
        }
        self.execute(executable)?;
        // Two outputs may be one tensor; the last reader takes it. Constants stay.
        let mut last: FxHashMap<TensorId, usize> = FxHashMap::default();
        for (index, port) in program.outputs.iter().enumerate() {
            if !program.constants.contains_key(&port.tensor.id) {
                last.insert(port.tensor.id, index);
            }
        }
        let outputs = program.outputs.iter().enumerate();
        Ok(outputs
            .map(|(index, port)| self.take(port, last.get(&port.tensor.id) == Some(&index)))
            .collect())
    }
}

/// Runs `work` on a thread of the pool that Flex's kernels share, whose other threads then find it at
/// work instead of waiting to be woken.
fn in_pool<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    #[cfg(feature = "flex")]
    return rayon::scope(|_| work());
    #[cfg(not(feature = "flex"))]
    work()
}

struct BackendEngine<B: BackendIr> {
    interpreter: TensorInterpreter<B>,
    is_accelerator: bool,
    has_pool: bool,
}

impl<B> Engine for BackendEngine<B>
where
    B: BackendIr + Backend,
    DispatchTensor: DispatchKindConversion<B>,
    TensorInterpreter<B>: Send,
{
    fn bind(&mut self, port: &Port, tensor: DispatchTensor) -> Result<(), LinearizeError> {
        let expected = &port.tensor;
        let refused = |found: String| LinearizeError::Mismatch {
            what: port.name.clone(),
            expected: format!(
                "{:?} {:?} on the model's device",
                expected.shape, expected.dtype
            ),
            found,
        };
        let (shape, dtype) = (tensor.shape(), tensor.dtype());
        // Vectors come in flat.
        let is_flat = shape.num_dims() == 1
            && dtype.is_float()
            && shape.num_elements() == expected.shape.num_elements();
        if dtype != expected.dtype || (shape != expected.shape && !is_flat) {
            return Err(refused(format!("{shape:?} {dtype:?}")));
        }
        let tensor = <DispatchTensor as DispatchKindConversion<B>>::try_into_backend(tensor);
        let handle = match tensor.map_err(|found| refused(found.to_string()))? {
            // A reshape to its own shape would copy a transposed view, in every product.
            BackendTensor::Float(tensor) if shape == expected.shape => HandleKind::Float(tensor),
            BackendTensor::Float(tensor) => {
                HandleKind::Float(B::float_reshape(tensor, expected.shape.clone()))
            }
            BackendTensor::Int(tensor) => HandleKind::Int(tensor),
            BackendTensor::Bool(tensor) => HandleKind::Bool(tensor),
            _ => return Err(refused("a quantized tensor".into())),
        };
        self.interpreter
            .register_tensor_to_device(port.tensor.id, handle);
        Ok(())
    }

    fn constant(&mut self, id: TensorId, data: burn::tensor::TensorData) {
        self.interpreter.register_tensor_data_id(id, data);
    }

    fn execute(&mut self, executable: &Executable) -> Result<(), LinearizeError> {
        let interpreter = &mut self.interpreter;
        let steps = || {
            for step in &executable.steps {
                interpreter.register_op(step.clone());
            }
        };
        let start = Instant::now();
        let is_pooled = self.has_pool && executable.pace.is_long();
        // In the pool the steps run on another thread, which has to be watched as well.
        let run = match is_pooled {
            true => in_pool(|| caught(steps)),
            false => caught(steps),
        };
        executable.pace.note(start.elapsed());
        run.map_err(|panic| LinearizeError::Run {
            message: panic.message(),
        })
    }

    fn take(&mut self, port: &Port, is_last: bool) -> DispatchTensor {
        let status = if is_last {
            TensorStatus::ReadWrite
        } else {
            TensorStatus::ReadOnly
        };
        let tensor = TensorIr {
            status,
            ..port.tensor.clone()
        };
        let tensor = match self.interpreter.get_tensor(&tensor) {
            HandleKind::Float(tensor) => BackendTensor::Float(tensor),
            HandleKind::Int(tensor) => BackendTensor::Int(tensor),
            HandleKind::Bool(tensor) => BackendTensor::Bool(tensor),
            HandleKind::Quantized(tensor) => BackendTensor::Quantized(tensor),
        };
        <DispatchTensor as DispatchKindConversion<B>>::from_backend(tensor)
    }

    fn is_accelerator(&self) -> bool {
        self.is_accelerator
    }

    fn has_pool(&self) -> bool {
        self.has_pool
    }
}

/// The engine of a device.
pub(crate) fn engine(device: &Device) -> Result<Box<dyn Engine>, LinearizeError> {
    fn new<B>(
        device: &<B as BackendTypes>::Device,
        is_accelerator: bool,
        has_pool: bool,
    ) -> Box<dyn Engine>
    where
        B: BackendIr,
        DispatchTensor: DispatchKindConversion<B>,
        TensorInterpreter<B>: Send,
    {
        Box::new(BackendEngine {
            interpreter: TensorInterpreter::<B>::new(device.clone()),
            is_accelerator,
            has_pool,
        })
    }
    let device = device.clone().inner();
    match device.as_dispatch() {
        #[cfg(feature = "flex")]
        DispatchDevice::Flex(device) => Ok(new::<burn::backend::Flex>(device, false, true)),
        #[cfg(feature = "ndarray")]
        #[allow(deprecated, reason = "deprecated by Burn, served while Burn has it")]
        DispatchDevice::NdArray(device) => Ok(new::<burn::backend::NdArray>(device, false, false)),
        // One backend for all of CubeCL's runtimes; the device says which one.
        #[cfg(any(
            feature = "wgpu",
            feature = "vulkan",
            feature = "metal",
            feature = "webgpu",
            feature = "cuda",
            feature = "rocm",
            feature = "cpu"
        ))]
        DispatchDevice::Cube(device) => Ok(new::<burn::backend::Cube>(device, true, false)),
        other => Err(LinearizeError::Device {
            device: format!("{other:?}"),
        }),
    }
}
