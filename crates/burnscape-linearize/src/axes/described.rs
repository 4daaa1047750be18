//! What the rule of each operation does with axes, for the published table.

/// The operations by what happens to their axes.
const RULES: &[(&str, &str, &str)] = &[
    ("pass", "BaseFloat", "EqualElem NotEqualElem Cast MaskFill"),
    (
        "pass",
        "NumericFloat",
        "AddScalar SubScalar DivScalar RemScalar MulScalar PowiScalar Neg Abs Sign Clamp ClampMin ClampMax \
         GreaterElem GreaterEqualElem LowerElem LowerEqualElem",
    ),
    (
        "pass",
        "Float",
        "Exp Log Log1p Erf PowfScalar Sqrt Cos Cosh Sin Sinh Tan Tanh ArcCos ArcCosh ArcSin ArcSinh ArcTan ArcTanh Recip \
         Round Floor Ceil Trunc IntoInt IsNan IsInf",
    ),
    (
        "pass",
        "Activation",
        "Sigmoid LogSigmoid Relu LeakyRelu HardSigmoid Gelu",
    ),
    ("meet", "BaseFloat", "MaskWhere Equal NotEqual"),
    (
        "meet",
        "NumericFloat",
        "Add Sub Mul Div Rem Powi Greater GreaterEqual Lower LowerEqual",
    ),
    ("meet", "Float", "ArcTan2 Powf Hypot"),
    (
        "meet",
        "Activation",
        "PRelu ReluBackward GeluBackward SigmoidBackward LogSigmoidBackward",
    ),
    ("meet", "Module", "BatchNorm"),
    ("move", "BaseFloat", "SwapDims Permute Expand"),
    ("divide", "BaseFloat", "Reshape"),
    ("cut", "BaseFloat", "Slice SliceAssign"),
    ("join", "BaseFloat", "Cat RepeatDim"),
    ("join", "NumericFloat", "Pad"),
    ("reduce", "BaseFloat", "All Any AllDim AnyDim"),
    (
        "reduce",
        "NumericFloat",
        "MeanDim Mean Sum SumDim SumDims Prod ProdDim Max Min MaxDim MinDim MaxAbs MaxAbsDim MaxDimWithIndices \
         MinDimWithIndices",
    ),
    ("mix", "Activation", "Softmax LogSoftmax Softmin"),
    ("mix", "Module", "LayerNorm Attention"),
    ("contract", "Float", "Matmul"),
    ("contract", "Module", "Linear"),
    (
        "channels",
        "Module",
        "Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d AvgPool1d AvgPool2d AdaptiveAvgPool1d \
         AdaptiveAvgPool2d AdaptiveAvgPool3d MaxPool1d MaxPool1dWithIndices MaxPool2d MaxPool2dWithIndices Interpolate \
         Unfold4d DeformableConv2d",
    ),
    ("channels", "Float", "GridSample2d"),
    (
        "indexed",
        "BaseFloat",
        "Select SelectAssign Gather Scatter ScatterNd GatherNd",
    ),
    ("indexed", "NumericFloat", "ArgMax ArgTopK ArgMin ArgSort"),
    ("indexed", "Module", "Embedding"),
    ("ordered", "BaseFloat", "Flip Unfold"),
    (
        "ordered",
        "NumericFloat",
        "CumSum CumProd CumMin CumMax TopK TopKWithIndices Sort SortWithIndices",
    ),
    ("ordered", "Float", "Cross"),
    ("uniform", "BaseFloat", "Empty Ones Zeros"),
    ("uniform", "NumericFloat", "Full"),
    ("fixed", "NumericFloat", "IntRandom"),
    ("fixed", "Float", "Random Quantize Dequantize"),
    (
        "fixed",
        "Module",
        "EmbeddingBackward LinearXBackward LinearWeightBackward LinearBiasBackward Conv1dXBackward Conv1dWeightBackward \
         Conv1dBiasBackward Conv2dXBackward Conv2dWeightBackward Conv2dBiasBackward Conv3dXBackward Conv3dWeightBackward \
         Conv3dBiasBackward ConvTranspose1dWeightBackward ConvTranspose1dBiasBackward ConvTranspose2dWeightBackward \
         ConvTranspose2dBiasBackward ConvTranspose3dWeightBackward ConvTranspose3dBiasBackward DeformableConv2dBackward \
         AvgPool1dBackward AvgPool2dBackward AdaptiveAvgPool1dBackward AdaptiveAvgPool2dBackward \
         AdaptiveAvgPool3dBackward MaxPool1dWithIndicesBackward MaxPool2dWithIndicesBackward InterpolateBackward CtcLoss \
         CtcLossBackward",
    ),
];

/// What happens to the axes of an operation, by its name, for instance `NumericFloat::Add`.
pub fn axis_rule(operation: &str) -> Option<&'static str> {
    let (family, name) = operation.split_once("::")?;
    let rule = RULES
        .iter()
        .find(|(_, of, names)| *of == family && names.split_whitespace().any(|one| one == name));
    rule.map(|(rule, ..)| *rule)
}
