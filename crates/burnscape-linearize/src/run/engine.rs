//! The backends that run programs.

use std::borrow::Cow;

use burn::backend::autodiff::checkpoint::strategy::BalancedCheckpointing;
use burn::backend::ops::FloatTensorOps;
use burn::backend::{
    Autodiff, Backend, BackendTensor, Dispatch, DispatchDevice, DispatchKindConversion,
    DispatchTensor, TensorMetadata,
};
use burn::tensor::{Device, Tensor, TensorData};
use burn_ir::{BackendIr, HandleKind, OperationIr, TensorId, TensorIr, TensorStatus};
use burn_router::TensorInterpreter;
use rustc_hash::FxHashMap;
use web_time::Instant;

use super::executable::{Executable, Output};
#[cfg(feature = "flex")]
use super::flex;
use super::tracked::{Anchor, tracked};
use crate::LinearizeError;
use crate::error::catch;
use crate::program::{Port, Program};

/// A float tensor of any rank as a vector, in row-major order.
pub(crate) fn flat(tensor: DispatchTensor) -> Tensor<1> {
    let len = tensor.shape().num_elements();
    Tensor::from_dispatch(Dispatch::float_reshape(tensor, [len].into()))
}

/// Runs programs on one device.
pub(crate) trait Engine: Send {
    /// Binds a tensor to an input.
    fn bind(&mut self, port: &Port, tensor: DispatchTensor) -> Result<(), LinearizeError>;
    /// Prepares a program to run on this engine.
    fn executable(&self, program: &Program) -> Executable;
    /// The matrix products and convolutions of a program as its executable has them, with every tensor that they read as
    /// an input.
    fn kernels(&self, program: &Program) -> Program;
    /// The memory that an operation needs beside its operands and results, in bytes.
    fn workspace(&self, operation: &OperationIr, is_contiguous: &dyn Fn(&TensorIr) -> bool) -> u64;
    /// What operations need in addition because several of them run as one, in bytes, by their result.
    fn joined(&self, program: &Program) -> FxHashMap<TensorId, u64>;
    /// Registers host data under a name, permanently.
    fn constant(&mut self, id: TensorId, data: TensorData);
    /// Runs the steps. Panics of Burn become errors.
    fn execute(&mut self, executable: &Executable) -> Result<(), LinearizeError>;
    /// Takes an output.
    fn take(&mut self, output: &Output) -> DispatchTensor;
    /// Puts a number on autodiff, as a function of leaves in which its gradients are known.
    fn tracked(
        &self,
        number: DispatchTensor,
        anchors: Vec<Anchor>,
    ) -> Result<DispatchTensor, LinearizeError>;
    /// Whether one large kernel is faster than many small ones.
    fn is_accelerator(&self) -> bool;
    /// Whether kernels run on a thread pool that this crate can use as well.
    fn has_pool(&self) -> bool;
}

impl dyn Engine {
    /// Registers the constants of a program, permanently.
    pub(crate) fn constants(&mut self, program: &Program) {
        for (id, data) in &program.constants {
            self.constant(*id, data.clone());
        }
    }

    /// The peak memory of a run of a program in bytes, predicted from the shapes.
    pub(crate) fn peak_bytes(&self, program: &Program) -> u64 {
        let joined = self.joined(program);
        program.peak_with(&|operation, is_contiguous| {
            let more = operation.outputs().filter_map(|out| joined.get(&out.id));
            self.workspace(operation, is_contiguous) + more.sum::<u64>()
        })
    }

    /// Runs a program on values for its inputs and returns its outputs.
    pub(crate) fn run(
        &mut self,
        executable: &Executable,
        inputs: &[DispatchTensor],
    ) -> Result<Vec<DispatchTensor>, LinearizeError> {
        for &index in &executable.read {
            self.bind(&executable.inputs[index], inputs[index].clone())?;
        }
        self.execute(executable)?;
        let outputs = executable.outputs.iter();
        Ok(outputs.map(|output| self.take(output)).collect())
    }
}

/// Runs `work` on a thread of the pool that Flex's kernels use, so that kernels need not wake the pool from
/// outside.
fn in_pool<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    #[cfg(feature = "flex")]
    return rayon::scope(|_| work());
    #[cfg(not(feature = "flex"))]
    work()
}

/// The buffers of an operation in bytes, given which tensors are contiguous.
type Workspace = fn(&OperationIr, &dyn Fn(&TensorIr) -> bool) -> u64;

struct BackendEngine<B: BackendIr> {
    interpreter: TensorInterpreter<B>,
    /// Replaces operations by kernels of our own.
    with_kernels: fn(&Program) -> Cow<'_, Program>,
    /// See [`Engine::kernels`].
    kernels: fn(&Program) -> Program,
    workspace: Workspace,
    joined: fn(&Program) -> FxHashMap<TensorId, u64>,
    is_accelerator: bool,
    has_pool: bool,
}

impl<B> Engine for BackendEngine<B>
where
    B: BackendIr + Backend,
    DispatchTensor: DispatchKindConversion<B>
        + DispatchKindConversion<Autodiff<B>>
        + DispatchKindConversion<Autodiff<B, BalancedCheckpointing>>,
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
        // Vectors are flat.
        let is_flat = shape.num_dims() == 1
            && dtype.is_float()
            && shape.num_elements() == expected.shape.num_elements();
        if dtype != expected.dtype || (shape != expected.shape && !is_flat) {
            return Err(refused(format!("{shape:?} {dtype:?}")));
        }
        let tensor = <DispatchTensor as DispatchKindConversion<B>>::try_into_backend(tensor);
        let handle = match tensor.map_err(|found| refused(found.to_string()))? {
            // Reshaping a transposed view to its own shape would copy it in every product.
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

    fn executable(&self, program: &Program) -> Executable {
        Executable::new(&(self.with_kernels)(program))
    }

    fn kernels(&self, program: &Program) -> Program {
        (self.kernels)(program)
    }

    fn workspace(&self, operation: &OperationIr, is_contiguous: &dyn Fn(&TensorIr) -> bool) -> u64 {
        (self.workspace)(operation, is_contiguous)
    }

    fn joined(&self, program: &Program) -> FxHashMap<TensorId, u64> {
        (self.joined)(program)
    }

    fn constant(&mut self, id: TensorId, data: TensorData) {
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
        // In the pool the steps run on another thread, so the panic must be caught there.
        let run = if is_pooled {
            in_pool(|| catch(steps))
        } else {
            catch(steps)
        };
        executable.pace.note(start.elapsed());
        run.map_err(|panic| LinearizeError::Execution {
            message: panic.message(),
        })
    }

    fn take(&mut self, output: &Output) -> DispatchTensor {
        let status = if output.is_last {
            TensorStatus::ReadWrite
        } else {
            TensorStatus::ReadOnly
        };
        let tensor = TensorIr {
            status,
            ..output.port.tensor.clone()
        };
        let tensor = match self.interpreter.get_tensor(&tensor) {
            HandleKind::Float(tensor) => BackendTensor::Float(tensor),
            HandleKind::Int(tensor) => BackendTensor::Int(tensor),
            HandleKind::Bool(tensor) => BackendTensor::Bool(tensor),
            HandleKind::Quantized(tensor) => BackendTensor::Quantized(tensor),
        };
        <DispatchTensor as DispatchKindConversion<B>>::from_backend(tensor)
    }

    fn tracked(
        &self,
        number: DispatchTensor,
        anchors: Vec<Anchor>,
    ) -> Result<DispatchTensor, LinearizeError> {
        tracked::<B>(number, anchors).map_err(|found| LinearizeError::Mismatch {
            what: "a parameter".into(),
            expected: "a tensor on autodiff, on the device of the recorded loss".into(),
            found,
        })
    }

    fn is_accelerator(&self) -> bool {
        self.is_accelerator
    }

    fn has_pool(&self) -> bool {
        self.has_pool
    }
}

/// The engine of a backend for which there are no kernels of our own.
#[allow(dead_code, reason = "Flex alone has its own")]
fn without_kernels<B>(device: B::Device, is_accelerator: bool) -> Box<dyn Engine>
where
    B: BackendIr + Backend,
    DispatchTensor: DispatchKindConversion<B>
        + DispatchKindConversion<Autodiff<B>>
        + DispatchKindConversion<Autodiff<B, BalancedCheckpointing>>,
    TensorInterpreter<B>: Send,
{
    Box::new(BackendEngine {
        interpreter: TensorInterpreter::<B>::new(device),
        with_kernels: |program| Cow::Borrowed(program),
        kernels: Program::kernels,
        workspace: crate::program::burn_workspace,
        joined: |_| FxHashMap::default(),
        is_accelerator,
        has_pool: false,
    })
}

/// The engine of a device.
pub(crate) fn engine(device: &Device) -> Result<Box<dyn Engine>, LinearizeError> {
    let device = device.clone().inner();
    match device.as_dispatch() {
        #[cfg(feature = "flex")]
        DispatchDevice::Flex(device) => Ok(Box::new(BackendEngine {
            interpreter: TensorInterpreter::with_custom_ops(*device, flex::kernels()),
            with_kernels: flex::with_kernels,
            kernels: flex::kernels_alone,
            workspace: flex::workspace,
            joined: flex::joined,
            is_accelerator: false,
            has_pool: true,
        })),
        #[cfg(feature = "ndarray")]
        #[allow(deprecated, reason = "deprecated by Burn, supported while Burn has it")]
        DispatchDevice::NdArray(device) => {
            Ok(without_kernels::<burn::backend::NdArray>(*device, false))
        }
        // All CubeCL runtimes share one backend; the device selects the runtime.
        #[cfg(any(
            feature = "wgpu",
            feature = "vulkan",
            feature = "metal",
            feature = "webgpu",
            feature = "cuda",
            feature = "rocm",
            feature = "cpu"
        ))]
        DispatchDevice::Cube(device) => {
            Ok(without_kernels::<burn::backend::Cube>(device.clone(), true))
        }
        // Every operation travels, so that one large kernel is faster than many small ones.
        #[cfg(feature = "remote")]
        DispatchDevice::Remote(device) => Ok(without_kernels::<burn::backend::Remote>(
            device.clone(),
            true,
        )),
        other => Err(LinearizeError::UnsupportedDevice {
            device: format!("{other:?}"),
        }),
    }
}
