use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::backend::{
    Backend, BackendTensor, BackendTypes, DispatchDevice, DispatchKindConversion, DispatchTensor,
    TensorMetadata,
};
use burn::tensor::{Device, Tensor};
use burn_ir::{BackendIr, HandleKind, IrVisitorMut, OperationIr, TensorId, TensorIr, TensorStatus};
use burn_router::TensorInterpreter;

use super::LinearizeError;
use super::program::{Port, Program};
use super::recording::words;

/// A program that is ready to run: reads that are last are marked, so that Burn reuses their memory,
/// and what is left over is dropped as early as it can be.
#[derive(Debug, Clone)]
pub(crate) struct Executable {
    steps: Vec<OperationIr>,
}

impl Executable {
    /// `kept` are inputs that survive a run: residuals, of which the next run reads again.
    pub(crate) fn new(program: &Program, kept: impl Fn(usize) -> bool) -> Self {
        let mut alive: HashSet<TensorId> =
            program.outputs.iter().map(|port| port.tensor.id).collect();
        alive.extend(program.constants.keys());
        let survivors = program
            .inputs
            .iter()
            .enumerate()
            .filter(|(index, _)| kept(*index));
        alive.extend(survivors.map(|(_, port)| port.tensor.id));
        let mut steps = Vec::with_capacity(program.operations.len());
        for operation in program.operations.iter().rev() {
            let mut operation = operation.clone();
            // Results that nobody reads, of operations with several.
            for tensor in operation.outputs().cloned().collect::<Vec<_>>() {
                if !alive.contains(&tensor.id) {
                    steps.push(OperationIr::Drop(as_last(&tensor)));
                }
            }
            let mut reads: HashMap<TensorId, usize> = HashMap::new();
            for tensor in operation.inputs() {
                *reads.entry(tensor.id).or_default() += 1;
            }
            // Read twice by one operation, a tensor cannot be overwritten by it.
            for tensor in operation.inputs().cloned().collect::<Vec<_>>() {
                if reads[&tensor.id] > 1 && alive.insert(tensor.id) {
                    steps.push(OperationIr::Drop(as_last(&tensor)));
                }
            }
            operation.visit_mut(&mut LastReads { alive: &mut alive });
            steps.push(operation);
        }
        steps.reverse();
        Self { steps }
    }
}

fn as_last(tensor: &TensorIr) -> TensorIr {
    TensorIr {
        status: TensorStatus::ReadWrite,
        ..tensor.clone()
    }
}

/// Walking backwards, the first time that a tensor is met is its last read.
struct LastReads<'a> {
    alive: &'a mut HashSet<TensorId>,
}

impl IrVisitorMut for LastReads<'_> {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        if tensor.status == TensorStatus::ReadOnly && self.alive.insert(tensor.id) {
            tensor.status = TensorStatus::ReadWrite;
        }
    }
}

impl Program {
    /// Runs the program once: values for its inputs in, those of its outputs out, flat.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::Device`], [`LinearizeError::Mismatch`] if the values do not fit the inputs, and
    /// [`LinearizeError::Run`] if Burn cannot run an operation.
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
        for (port, tensor) in self.inputs.iter().zip(inputs) {
            engine.bind(port, tensor.clone())?;
        }
        for (id, data) in &self.constants {
            engine.constant(*id, data.clone());
        }
        engine.execute(&Executable::new(self, |_| false))?;
        let outputs = self.outputs.iter();
        Ok(outputs
            .map(|port| Tensor::from_dispatch(engine.take(port, false)))
            .collect())
    }
}

/// Runs programs on one device.
pub(crate) trait Engine: Send {
    /// Gives a tensor a name.
    fn bind(&mut self, port: &Port, tensor: DispatchTensor) -> Result<(), LinearizeError>;
    /// Gives host data a name.
    fn constant(&mut self, id: TensorId, data: burn::tensor::TensorData);
    /// Runs the steps. Burn's panics become errors.
    fn execute(&mut self, executable: &Executable) -> Result<(), LinearizeError>;
    /// Takes a result out, flat; `is_last` if nothing reads it again.
    fn take(&mut self, port: &Port, is_last: bool) -> DispatchTensor;
}

struct BackendEngine<B: BackendIr>(TensorInterpreter<B>);

impl<B> Engine for BackendEngine<B>
where
    B: BackendIr + Backend,
    DispatchTensor: DispatchKindConversion<B>,
    TensorInterpreter<B>: Send,
{
    fn bind(&mut self, port: &Port, tensor: DispatchTensor) -> Result<(), LinearizeError> {
        let refused = |found: String| LinearizeError::Mismatch {
            what: port.name.clone(),
            expected: "a tensor of the model's device".into(),
            found,
        };
        let tensor = <DispatchTensor as DispatchKindConversion<B>>::try_into_backend(tensor);
        let handle = match tensor.map_err(|found| refused(found.to_string()))? {
            BackendTensor::Float(tensor) => {
                let (found, expected) = (tensor.shape(), &port.tensor.shape);
                if found.num_elements() != expected.num_elements() {
                    return Err(refused(format!("a tensor of shape {found:?}")));
                }
                // Vectors come in flat.
                HandleKind::Float(B::float_reshape(tensor, expected.clone()))
            }
            BackendTensor::Int(tensor) => HandleKind::Int(tensor),
            BackendTensor::Bool(tensor) => HandleKind::Bool(tensor),
            _ => return Err(refused("a quantized tensor".into())),
        };
        self.0.register_tensor_to_device(port.tensor.id, handle);
        Ok(())
    }

    fn constant(&mut self, id: TensorId, data: burn::tensor::TensorData) {
        self.0.register_tensor_data_id(id, data);
    }

    fn execute(&mut self, executable: &Executable) -> Result<(), LinearizeError> {
        let interpreter = &mut self.0;
        let run = catch_unwind(AssertUnwindSafe(|| {
            for step in &executable.steps {
                interpreter.register_op(step.clone());
            }
        }));
        run.map_err(|panic| LinearizeError::Run {
            message: words(&*panic),
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
        let tensor = match self.0.get_tensor(&tensor) {
            HandleKind::Float(tensor) => {
                let len = tensor.shape().num_elements();
                BackendTensor::Float(B::float_reshape(tensor, [len].into()))
            }
            HandleKind::Int(tensor) => BackendTensor::Int(tensor),
            HandleKind::Bool(tensor) => BackendTensor::Bool(tensor),
            HandleKind::Quantized(tensor) => BackendTensor::Quantized(tensor),
        };
        <DispatchTensor as DispatchKindConversion<B>>::from_backend(tensor)
    }
}

/// The engine of a device.
pub(crate) fn engine(device: &Device) -> Result<Box<dyn Engine>, LinearizeError> {
    fn new<B>(device: &<B as BackendTypes>::Device) -> Box<dyn Engine>
    where
        B: BackendIr,
        DispatchTensor: DispatchKindConversion<B>,
        TensorInterpreter<B>: Send,
    {
        Box::new(BackendEngine(TensorInterpreter::<B>::new(device.clone())))
    }
    let device = device.clone().inner();
    match device.as_dispatch() {
        #[cfg(feature = "flex")]
        DispatchDevice::Flex(device) => Ok(new::<burn::backend::Flex>(device)),
        #[cfg(feature = "ndarray")]
        #[allow(deprecated, reason = "deprecated by Burn, served while Burn has it")]
        DispatchDevice::NdArray(device) => Ok(new::<burn::backend::NdArray>(device)),
        other => Err(LinearizeError::Device {
            device: format!("{other:?}"),
        }),
    }
}
