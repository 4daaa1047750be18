use thiserror::Error;

/// What can go wrong between a model and its vector of parameters.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SpaceError {
    /// Nothing in the model would require a gradient in training.
    #[error(
        "the model has no trainable parameter (frozen: {frozen}); unfreeze one with \
         `Module::unfreeze` or `set_require_grad(true)`"
    )]
    NoTrainableParameters {
        /// Float parameters that exist but are frozen.
        frozen: usize,
    },
    /// The parameter group selects no trainable parameter.
    #[error(
        "the parameter group matches none of the model's {available} trainable parameters; \
         paths look like `{example}`"
    )]
    EmptyGroup {
        /// Trainable parameters of the model.
        available: usize,
        /// One path as the model spells it.
        example: String,
    },
    /// Parameters live on two devices.
    #[error(
        "the parameters live on two devices: `{first}` on {first_device}, `{second}` on \
         {second_device}; move the model to one device with `Module::fork`, or restrict the space \
         to one of them with a `ParamGroup`"
    )]
    TwoDevices {
        /// Path of a parameter on the first device.
        first: String,
        /// The first device.
        first_device: String,
        /// Path of a parameter on the second device.
        second: String,
        /// The second device.
        second_device: String,
    },
    /// A flat vector has one element type, the parameters have two.
    #[error(
        "a flat vector needs one element type, but `{first}` is {first_dtype} and `{second}` is \
         {second_dtype}; restrict the space with a `ParamGroup`, or use a `LeafVector`"
    )]
    MixedDTypes {
        /// Path of the first parameter.
        first: String,
        /// Its element type.
        first_dtype: String,
        /// Path of the first parameter that differs.
        second: String,
        /// Its element type.
        second_dtype: String,
    },
    /// A trainable parameter is quantized.
    #[error(
        "the trainable parameter `{path}` is quantized ({dtype}); dequantize it, or freeze it and \
         train an adapter"
    )]
    Quantized {
        /// Path of the parameter.
        path: String,
        /// Its element type.
        dtype: String,
    },
    /// Two vectors, or a vector and a model, belong to different spaces.
    #[error(
        "the spaces differ: expected {expected}, found {found}; build both from models of the same \
         architecture and the same group, or take a vector of outputs from the operator's own range"
    )]
    DifferentSpaces {
        /// The leaf (or count) of the left-hand space.
        expected: String,
        /// The leaf (or count) of the right-hand space.
        found: String,
    },
    /// A flat tensor has the wrong number of elements.
    #[error("a vector of this space has {expected} elements, the tensor has {found}")]
    WrongLength {
        /// Number of coordinates of the space.
        expected: usize,
        /// Number of elements of the tensor.
        found: usize,
    },
    /// The gradients hold nothing for any parameter of the space.
    #[error(
        "no gradient for any of the {parameters} parameters: the model's leaves were lost (a \
         weight rebuilt with `Param::map` is no leaf) or the loss does not depend on them"
    )]
    NoGradients {
        /// Number of parameters of the space.
        parameters: usize,
    },
    /// A gradient has another shape than its parameter.
    #[error("the gradient of `{path}` has shape {found:?}, the parameter {expected:?}")]
    GradientShape {
        /// Path of the parameter.
        path: String,
        /// Shape of the parameter.
        expected: Vec<usize>,
        /// Shape of the gradient.
        found: Vec<usize>,
    },
    /// A gradient has another element type, or lives elsewhere, than its parameter.
    #[error("the gradient of `{path}` is {found}, the parameter {expected}")]
    GradientPlace {
        /// Path of the parameter.
        path: String,
        /// Element type and device of the parameter.
        expected: String,
        /// Those of the gradient.
        found: String,
    },
    /// A vector of norm zero (or not finite) has no direction.
    #[error(
        "a vector of norm {norm} has no direction; give one with finite numbers that are not all zero"
    )]
    NoDirection {
        /// The norm.
        norm: f64,
    },
    /// A parameter has a rank that Burn's optimizers do not serve.
    #[error("the parameter `{path}` has rank {rank}; ranks 1 to 8 are supported")]
    UnsupportedRank {
        /// Path of the parameter.
        path: String,
        /// Its rank.
        rank: usize,
    },
    /// A grid has too few points.
    #[error("a grid of {found} points; give at least {needed}")]
    TooFewPoints {
        /// Number of points given.
        found: usize,
        /// Number of points needed.
        needed: usize,
    },
    /// A range is empty, reversed or not finite.
    #[error("the range from {start} to {end} is empty; give finite ends with start < end")]
    EmptyRange {
        /// Where it starts.
        start: f64,
        /// Where it ends.
        end: f64,
    },
    /// The coordinates of a grid are not finite and ascending.
    #[error(
        "grid coordinate {index} is {value}; coordinates must be finite and strictly ascending"
    )]
    BadCoordinate {
        /// Index of the first coordinate that is wrong.
        index: usize,
        /// Its value.
        value: f64,
    },
    /// A scale is zero for every parameter.
    #[error(
        "the scale is zero for every parameter: there is no weight with filters, or all weights are \
         zero; use `Scale::Absolute` or `UnfilteredRule::AsOneFilter`"
    )]
    NothingToPerturb,
    /// Two directions, or three models, span no plane.
    #[error(
        "there is no plane: {what}; give two directions that differ, or three models that do not lie on a line"
    )]
    NoPlane {
        /// What is missing.
        what: &'static str,
    },
    /// A coordinate of a plane is NaN or infinite.
    #[error("a coordinate of the plane is {value}; give a finite number")]
    NonFiniteCoordinate {
        /// The coordinate.
        value: f64,
    },
    /// The device failed to give a value back.
    #[error("the device could not return a value: {message}")]
    Device {
        /// What the device said.
        message: String,
    },
    /// Numbers on the host do not fit.
    #[error(transparent)]
    Host(#[from] burnscape_krylov::HostError),
}
