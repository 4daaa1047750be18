//! The operations of Burn's intermediate representation, and how each is differentiated.
//!
//! The list is a `match` without a wildcard, so an operation added by Burn breaks the build until it is
//! classified here.

use std::fmt;

use burn_ir::{
    ActivationOperationIr, BaseOperationIr, FloatOperationIr, ModuleOperationIr,
    NumericOperationIr, OperationIr,
};

/// How an operation is differentiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// The same operation applied to the tangent. Scattering is linear if it adds or assigns, and refused
    /// otherwise.
    Linear,
    /// A product of two arguments: one term for each argument.
    Bilinear,
    /// The tangent times a derivative.
    Smooth,
    /// The tangent of the selected elements. At kinks, the same side as in Burn's backward pass.
    PiecewiseLinear,
    /// Replaced by elementary operations before differentiation.
    Decomposed,
    /// No tangent: discrete, constant, or random.
    Constant,
    /// No rule: an error, [`LinearizeError::NoRule`](crate::LinearizeError::NoRule).
    Refused,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Linear => "linear",
            Self::Bilinear => "bilinear",
            Self::Smooth => "smooth",
            Self::PiecewiseLinear => "piecewise linear",
            Self::Decomposed => "decomposed",
            Self::Constant => "constant",
            Self::Refused => "refused",
        })
    }
}

/// Lists every operation on floats, as `family::operation`, with its rule.
///
#[doc = include_str!("../coverage.md")]
pub fn coverage() -> impl Iterator<Item = (String, Rule)> {
    let listed = LISTED.iter();
    listed.map(|(family, name, rule)| (format!("{family}::{name}"), *rule))
}

/// The name of the operation, for instance `NumericFloat::Add`, and its rule.
pub(crate) fn describe(operation: &OperationIr) -> (String, Rule) {
    let floats = |family: &str, (name, rule): (&str, Rule)| (format!("{family}::{name}"), rule);
    let discrete = |family: &str, (name, _)| (format!("{family}::{name}"), Rule::Constant);
    match operation {
        OperationIr::BaseFloat(op) => floats("BaseFloat", base(op)),
        OperationIr::NumericFloat(_, op) => floats("NumericFloat", numeric(op)),
        OperationIr::Float(_, op) => floats("Float", float(op)),
        OperationIr::Activation(op) => floats("Activation", activation(op)),
        OperationIr::Module(op) => floats("Module", module(op)),
        OperationIr::BaseInt(op) => discrete("BaseInt", base(op)),
        OperationIr::BaseBool(op) => discrete("BaseBool", base(op)),
        OperationIr::NumericInt(_, op) => discrete("NumericInt", numeric(op)),
        OperationIr::Int(_) => ("Int".into(), Rule::Constant),
        OperationIr::Bool(_) => ("Bool".into(), Rule::Constant),
        OperationIr::Init(_) => ("Init".into(), Rule::Constant),
        OperationIr::Drop(_) => ("Drop".into(), Rule::Constant),
        OperationIr::Custom(op) => (format!("Custom::{}", op.id), Rule::Refused),
        OperationIr::Distributed(_) => ("Distributed".into(), Rule::Refused),
    }
}

macro_rules! operations {
    ($($family:ident($label:literal): $kind:ident { $($rule:ident: $($variant:ident)+;)+ })+) => {
        $(fn $family(operation: &$kind) -> (&'static str, Rule) {
            match operation {
                $($($kind::$variant(..) => (stringify!($variant), Rule::$rule),)+)+
            }
        })+

        const LISTED: &[(&str, &str, Rule)] = &[
            $($($(($label, stringify!($variant), Rule::$rule),)+)+)+
        ];
    };
}

operations! {
    base("BaseFloat"): BaseOperationIr {
        Linear: Reshape SwapDims Permute Flip Expand Unfold Slice SliceAssign Select SelectAssign
            MaskWhere MaskFill Gather Scatter ScatterNd GatherNd RepeatDim Cat Cast;
        Constant: Equal EqualElem NotEqual NotEqualElem All Any AllDim AnyDim Empty Ones Zeros;
    }
    numeric("NumericFloat"): NumericOperationIr {
        Linear: Add AddScalar Sub SubScalar DivScalar RemScalar MulScalar MeanDim Mean Sum SumDim
            SumDims CumSum Neg Pad;
        Bilinear: Mul;
        Smooth: Div Rem Prod ProdDim PowiScalar CumProd;
        PiecewiseLinear: Abs TopK TopKWithIndices Max MaxDimWithIndices MinDimWithIndices Min MaxDim MinDim
            Clamp CumMin CumMax ClampMin ClampMax Sort SortWithIndices;
        Decomposed: MaxAbs MaxAbsDim;
        Constant: Full Greater GreaterElem GreaterEqual GreaterEqualElem Lower LowerElem LowerEqual
            LowerEqualElem ArgMax ArgTopK ArgMin ArgSort IntRandom Sign;
        // Burn refuses to record floats to the power of integers.
        Refused: Powi;
    }
    float("Float"): FloatOperationIr {
        Bilinear: Matmul Cross;
        Smooth: Exp Log Log1p Erf PowfScalar Sqrt Cos Cosh Sin Sinh Tan Tanh ArcCos ArcCosh ArcSin
            ArcSinh ArcTan ArcTanh ArcTan2 Recip Powf Hypot;
        Constant: Round Floor Ceil Trunc IntoInt Random IsNan IsInf;
        Refused: Quantize Dequantize GridSample2d;
    }
    activation("Activation"): ActivationOperationIr {
        Smooth: Sigmoid SigmoidBackward LogSigmoid LogSigmoidBackward Softmax LogSoftmax Softmin;
        PiecewiseLinear: Relu ReluBackward LeakyRelu HardSigmoid;
        Decomposed: PRelu Gelu GeluBackward;
    }
    module("Module"): ModuleOperationIr {
        Linear: Embedding EmbeddingBackward LinearBiasBackward Conv1dBiasBackward
            Conv2dBiasBackward Conv3dBiasBackward ConvTranspose1dBiasBackward
            ConvTranspose2dBiasBackward ConvTranspose3dBiasBackward AvgPool1d AvgPool2d
            AvgPool1dBackward AvgPool2dBackward AdaptiveAvgPool1d AdaptiveAvgPool2d
            AdaptiveAvgPool3d AdaptiveAvgPool1dBackward AdaptiveAvgPool2dBackward
            AdaptiveAvgPool3dBackward MaxPool1dWithIndicesBackward MaxPool2dWithIndicesBackward
            Interpolate InterpolateBackward Unfold4d;
        Bilinear: Linear LinearXBackward LinearWeightBackward Conv1d Conv1dXBackward
            Conv1dWeightBackward Conv2d Conv2dXBackward Conv2dWeightBackward Conv3d Conv3dXBackward
            Conv3dWeightBackward ConvTranspose1d ConvTranspose2d ConvTranspose3d
            ConvTranspose1dWeightBackward ConvTranspose2dWeightBackward
            ConvTranspose3dWeightBackward;
        PiecewiseLinear: MaxPool1d MaxPool1dWithIndices MaxPool2d MaxPool2dWithIndices;
        Decomposed: BatchNorm LayerNorm Attention DeformableConv2d DeformableConv2dBackward;
        Refused: CtcLoss CtcLossBackward;
    }
}
