//! Burn's operations as ours.

use std::borrow::Cow;

use burn::backend::Flex;
use burn::tensor::{DType, Shape, TensorData};
use burn_ir::{CustomOpIr, ModuleOperationIr as Module, OperationIr, ScalarIr, TensorIr};
use burn_router::CustomOpRegistry;

use super::super::FlexTensor;
use super::pairs::pairs;
use super::vectors::Number;
use super::{Conv, Kind};
use crate::program::Program;

impl Kind {
    const ALL: [Self; 3] = [Self::Forward, Self::Input, Self::Weight];

    /// The name of the operation.
    fn name(self) -> &'static str {
        match self {
            Self::Forward => "conv",
            Self::Input => "conv_input",
            Self::Weight => "conv_weight",
        }
    }
}

/// A convolution as an operation. Tensors that only give a shape to Burn's are not read.
#[derive(Clone, Copy)]
pub(super) struct Operation<'o> {
    pub(super) kind: Kind,
    pub(super) conv: Conv,
    /// In the order of [`Kind`].
    pub(super) operands: [&'o TensorIr; 2],
    pub(super) bias: Option<&'o TensorIr>,
    pub(super) out: &'o TensorIr,
}

/// The options of a convolution by axis, with the zeros before it.
struct Options<'o, const D: usize> {
    stride: &'o [usize; D],
    padding: [usize; D],
    dilation: &'o [usize; D],
    groups: usize,
}

impl Conv {
    /// The convolution from `input` to `output`. `None` if one of them has no numbers.
    fn new<const D: usize>(
        input: &Shape,
        weight: &Shape,
        output: &Shape,
        options: &Options<'_, D>,
    ) -> Option<Self> {
        let mut conv = Self {
            batch: input[0],
            groups: options.groups,
            inputs: input[1],
            outputs: output[1],
            input: [1; 3],
            kernel: [1; 3],
            output: [1; 3],
            stride: [1; 3],
            padding: [0; 3],
            dilation: [1; 3],
        };
        for axis in 0..D {
            let own = 3 - D + axis;
            conv.input[own] = input[2 + axis];
            conv.kernel[own] = weight[2 + axis];
            conv.output[own] = output[2 + axis];
            conv.stride[own] = options.stride[axis];
            conv.padding[own] = options.padding[axis];
            conv.dilation[own] = options.dilation[axis];
        }
        let is_any = conv.input_len() * conv.output_len() * conv.weight_len() > 0;
        is_any.then_some(conv)
    }

    /// All numbers, as arguments of an operation.
    fn scalars(&self) -> Vec<ScalarIr> {
        let single = [self.batch, self.groups, self.inputs, self.outputs];
        let axes = [
            self.input,
            self.kernel,
            self.output,
            self.stride,
            self.padding,
            self.dilation,
        ];
        let numbers = single.into_iter().chain(axes.into_iter().flatten());
        numbers
            .map(|number| ScalarIr::UInt(number as u64))
            .collect()
    }

    fn of_scalars(scalars: &[ScalarIr]) -> Self {
        let number = |index: usize| -> usize { scalars[index].elem::<u64>() as usize };
        let axes = |index: usize| std::array::from_fn(|a| number(4 + 3 * index + a));
        Self {
            batch: number(0),
            groups: number(1),
            inputs: number(2),
            outputs: number(3),
            input: axes(0),
            kernel: axes(1),
            output: axes(2),
            stride: axes(3),
            padding: axes(4),
            dilation: axes(5),
        }
    }
}

macro_rules! options {
    ($o:ident, $before:expr) => {
        &Options {
            stride: &$o.options.stride,
            padding: $o.options.padding.map($before),
            dilation: &$o.options.dilation,
            groups: $o.options.groups,
        }
    };
}

macro_rules! forward {
    ($o:ident, $before:expr) => {
        Some(Operation {
            kind: Kind::Forward,
            conv: Conv::new(
                &$o.x.shape,
                &$o.weight.shape,
                &$o.out.shape,
                options!($o, $before),
            )?,
            operands: [&$o.x, &$o.weight],
            bias: $o.bias.as_ref(),
            out: &$o.out,
        })
    };
}

macro_rules! input {
    ($o:ident, $before:expr) => {
        Some(Operation {
            kind: Kind::Input,
            conv: Conv::new(
                &$o.out.shape,
                &$o.weight.shape,
                &$o.output_grad.shape,
                options!($o, $before),
            )?,
            operands: [&$o.weight, &$o.output_grad],
            bias: None,
            out: &$o.out,
        })
    };
}

macro_rules! weight {
    ($o:ident, $before:expr) => {
        Some(Operation {
            kind: Kind::Weight,
            conv: Conv::new(
                &$o.x.shape,
                &$o.out.shape,
                &$o.output_grad.shape,
                options!($o, $before),
            )?,
            operands: [&$o.x, &$o.output_grad],
            bias: None,
            out: &$o.out,
        })
    };
}

/// A transposed convolution is the gradient of a convolution from its output to its input.
macro_rules! transposed {
    ($o:ident) => {
        Some(Operation {
            kind: Kind::Input,
            conv: Conv::new(
                &$o.out.shape,
                &$o.weight.shape,
                &$o.x.shape,
                options!($o, |p| p),
            )?,
            operands: [&$o.weight, &$o.x],
            bias: $o.bias.as_ref(),
            out: &$o.out,
        })
    };
}

macro_rules! transposed_weight {
    ($o:ident) => {
        Some(Operation {
            kind: Kind::Weight,
            conv: Conv::new(
                &$o.output_grad.shape,
                &$o.out.shape,
                &$o.x.shape,
                options!($o, |p| p),
            )?,
            operands: [&$o.output_grad, &$o.x],
            bias: None,
            out: &$o.out,
        })
    };
}

impl<'o> Operation<'o> {
    pub(super) fn of(operation: &'o OperationIr) -> Option<Self> {
        let OperationIr::Module(module) = operation else {
            return None;
        };
        let found = match module {
            Module::Conv1d(o) => forward!(o, |p| p.0),
            Module::Conv1dXBackward(o) => input!(o, |p| p.0),
            Module::Conv1dWeightBackward(o) => weight!(o, |p| p.0),
            Module::Conv2d(o) => forward!(o, |p| p.0),
            Module::Conv2dXBackward(o) => input!(o, |p| p.0),
            Module::Conv2dWeightBackward(o) => weight!(o, |p| p.0),
            Module::Conv3d(o) => forward!(o, |p| p),
            Module::Conv3dXBackward(o) => input!(o, |p| p),
            Module::Conv3dWeightBackward(o) => weight!(o, |p| p),
            Module::ConvTranspose1d(o) => transposed!(o),
            Module::ConvTranspose1dWeightBackward(o) => transposed_weight!(o),
            Module::ConvTranspose2d(o) => transposed!(o),
            Module::ConvTranspose2dWeightBackward(o) => transposed_weight!(o),
            Module::ConvTranspose3d(o) => transposed!(o),
            Module::ConvTranspose3dWeightBackward(o) => transposed_weight!(o),
            _ => None,
        };
        // Numbers of 16 bits keep Burn's kernels.
        found.filter(|found| matches!(found.out.dtype, DType::F32 | DType::F64))
    }

    /// The sum of convolutions of the same shape as one operation of ours, on pairs of operands and a bias.
    fn custom(terms: &[Self]) -> Option<OperationIr> {
        let first = terms.first()?;
        let operands = terms.iter().flat_map(|term| term.operands);
        let inputs: Vec<TensorIr> = operands.chain(first.bias).cloned().collect();
        let (outputs, scalars) = ([first.out.clone()], first.conv.scalars());
        let custom = CustomOpIr::with_scalars(first.kind.name(), &inputs, &outputs, scalars);
        Some(OperationIr::Custom(custom))
    }
}

/// Registers our kernels.
pub(in super::super) fn register(kernels: &mut CustomOpRegistry<Flex>) {
    for kind in Kind::ALL {
        kernels.register(kind.name(), move |handles, operation, _| {
            let conv = Conv::of_scalars(&operation.scalars);
            let inputs = operation.inputs.iter();
            let inputs =
                inputs.map(|input| handles.get_float_tensor::<Flex>(input).to_contiguous());
            let inputs: Vec<FlexTensor> = inputs.collect();
            for out in &operation.outputs {
                let data = match out.dtype {
                    DType::F64 => {
                        TensorData::new(conv.computed::<f64>(kind, &inputs), out.shape.clone())
                    }
                    _ => TensorData::new(conv.computed::<f32>(kind, &inputs), out.shape.clone()),
                };
                handles.register_float_tensor::<Flex>(&out.id, FlexTensor::from_data(data));
            }
        });
    }
}

/// Whether the operation is one of ours.
pub(in super::super) fn is_ours(operation: &OperationIr) -> bool {
    let OperationIr::Custom(custom) = operation else {
        return false;
    };
    Kind::ALL.iter().any(|kind| kind.name() == custom.id)
}

/// Replaces Burn's convolutions by ours where `is_ours`, and sums of two of them by one.
pub(in super::super) fn replace(
    program: &mut Cow<'_, Program>,
    is_ours: impl Fn(&Conv, Kind) -> bool,
) {
    let is_ours = |found: &Operation<'_>| is_ours(&found.conv, found.kind);
    let mut places: Vec<(usize, Option<OperationIr>)> = Vec::new();
    for (index, operation) in program.operations.iter().enumerate() {
        let found = Operation::of(operation).filter(is_ours);
        places.extend(found.map(|found| (index, Operation::custom(&[found]))));
    }
    let pairs = pairs(program, is_ours);
    let is_paired = !pairs.is_empty();
    let sums = pairs.into_iter();
    places.extend(sums.map(|(index, terms)| (index, Operation::custom(&terms))));
    for (index, custom) in places {
        if let Some(custom) = custom {
            program.to_mut().operations[index] = custom;
        }
    }
    if is_paired {
        // The terms, which only the sums read.
        program.to_mut().remove_dead();
    }
}

impl Conv {
    fn computed<N: Stored>(&self, kind: Kind, inputs: &[FlexTensor]) -> Vec<N> {
        let inputs: Vec<&[N]> = inputs.iter().map(N::stored).collect();
        let (pairs, bias) = inputs.as_chunks();
        self.sum(kind, self.is_tiled(kind), pairs, bias.first().copied())
    }

    #[doc(hidden)]
    pub fn run(&self, kind: Kind, is_tiled: bool, operands: [&[f32]; 2]) -> Vec<f32> {
        self.sum(kind, is_tiled, &[operands], None)
    }
}

/// Numbers that a tensor of Flex consists of.
trait Stored: Number {
    /// The numbers of a contiguous tensor.
    fn stored(tensor: &FlexTensor) -> &[Self];
}

macro_rules! stored {
    ($($number:ty)+) => {$(
        impl Stored for $number {
            fn stored(tensor: &FlexTensor) -> &[Self] {
                tensor.as_slice().unwrap_or_default()
            }
        }
    )+};
}

stored!(f32 f64);
