use thiserror::Error;

/// Errors in conversions between a model and the vector of its parameters.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SpaceError {
    /// No parameter of the model requires a gradient in training.
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
    /// The parameters are on two devices.
    #[error(
        "the parameters are on two devices: `{first}` on {first_device}, `{second}` on \
         {second_device}; move the model to one device with `Module::fork`, or restrict the space \
         to the parameters on one device with a `ParamGroup`"
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
    /// The parameters have two element types; a flat vector has one.
    #[error(
        "a flat vector needs a single element type, but `{first}` is {first_dtype} and `{second}` is \
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
         architecture with the same parameter group, or take output vectors from the range of the operator"
    )]
    DifferentSpaces {
        /// The leaf (or count) of the left-hand space.
        expected: String,
        /// The leaf (or count) of the right-hand space.
        found: String,
    },
    /// A flat tensor has the wrong number of elements.
    #[error("the tensor has {found} elements; a vector of this space needs {expected}")]
    WrongLength {
        /// Number of coordinates of the space.
        expected: usize,
        /// Number of elements of the tensor.
        found: usize,
    },
    /// No parameter of the space has a gradient.
    #[error(
        "none of the {parameters} parameters has a gradient: the model's leaves were lost (a \
         weight rebuilt with `Param::map` is not a leaf), or the loss does not depend on the parameters; \
         restore the leaves with `detach().require_grad()`, or use the parameters in the loss"
    )]
    NoGradients {
        /// Number of parameters of the space.
        parameters: usize,
    },
    /// A gradient and its parameter have different shapes.
    #[error(
        "the gradient of `{path}` has shape {found:?}, but the parameter has shape {expected:?}; pass the \
         gradients of this model"
    )]
    GradientShape {
        /// Path of the parameter.
        path: String,
        /// Shape of the parameter.
        expected: Vec<usize>,
        /// Shape of the gradient.
        found: Vec<usize>,
    },
    /// A gradient and its parameter differ in element type or device.
    #[error(
        "the gradient of `{path}` is {found}, but the parameter is {expected}; convert the gradient to the \
         element type and device of its parameter"
    )]
    GradientPlace {
        /// Path of the parameter.
        path: String,
        /// Element type and device of the parameter.
        expected: String,
        /// Element type and device of the gradient.
        found: String,
    },
    /// A vector of norm zero (or not finite) has no direction.
    #[error(
        "a vector of norm {norm} has no direction; pass a vector of finite numbers that are not all zero, or normalize it \
         with `UnfilteredRule::AsOneFilter` if the model has no weights with filters"
    )]
    NoDirection {
        /// The norm.
        norm: f64,
    },
    /// A parameter has a rank that Burn's optimizers do not support.
    #[error("the parameter `{path}` has rank {rank}; reshape it to a rank from 1 to 8")]
    UnsupportedRank {
        /// Path of the parameter.
        path: String,
        /// Its rank.
        rank: usize,
    },
    /// A grid has too few points.
    #[error("the grid has {found} points; pass at least {needed}")]
    TooFewPoints {
        /// Number of points given.
        found: usize,
        /// Number of points needed.
        needed: usize,
    },
    /// A range is empty, reversed or not finite.
    #[error("the range from {start} to {end} is empty; pass finite bounds with start < end")]
    EmptyRange {
        /// Lower bound.
        start: f64,
        /// Upper bound.
        end: f64,
    },
    /// The coordinates of a grid are not finite and ascending.
    #[error("grid coordinate {index} is {value}; pass finite, strictly ascending coordinates")]
    BadCoordinate {
        /// Index of the first invalid coordinate.
        index: usize,
        /// Its value.
        value: f64,
    },
    /// A scale is zero for every parameter.
    #[error(
        "the scale is zero for every parameter: the model has no weight with filters, or all weights are \
         zero; use `Scale::Absolute` or `UnfilteredRule::AsOneFilter`"
    )]
    NothingToPerturb,
    /// A rule for directions in a scale.
    #[error(
        "`UnfilteredRule::OwnWeights` is a rule for directions, not for a scale; use \
         `UnfilteredRule::AsOneFilter`"
    )]
    OwnWeightsScale,
    /// Two directions, or three models, do not span a plane.
    #[error(
        "no plane: {what}; pass two directions that are not parallel, or three models that are not on a line"
    )]
    NoPlane {
        /// The reason.
        what: &'static str,
    },
    /// Two directions are parallel, or three models are on a line.
    #[error(
        "no plane: the directions are parallel (cosine {cosine}); pass two directions that are not parallel, or \
         three models that are not on a line"
    )]
    ParallelDirections {
        /// The cosine of the angle between the directions, 1 or −1 up to rounding.
        cosine: f64,
    },
    /// A coordinate of a plane is NaN or infinite.
    #[error("a coordinate of the plane is {value}; pass a finite number")]
    NonFiniteCoordinate {
        /// The coordinate.
        value: f64,
    },
    /// Reading a value from the device failed.
    #[error("cannot read a value from the device: {message}")]
    Device {
        /// The message of the device.
        message: String,
    },
    /// A device did not answer within the limit.
    #[error(
        "{device} has not answered for {seconds} s, and {blocked_threads} threads wait for it; make the list of \
         devices anew, with a longer `with_wait_limit` or without this device"
    )]
    TimedOut {
        /// The device.
        device: String,
        /// The limit in seconds.
        seconds: f64,
        /// The threads that wait for the device, and may stay until the process ends.
        blocked_threads: usize,
    },
    /// The device for the bases of Krylov methods cannot be used.
    #[error(
        "no basis can be stored on {device}: {message}; pass another device to `with_basis_device`, or none to store it \
         beside the model"
    )]
    BasisDevice {
        /// The device.
        device: String,
        /// Why it cannot be used.
        message: String,
    },
    /// A vector or matrix on the host has the wrong size.
    #[error(transparent)]
    Krylov(#[from] burnscape_krylov::KrylovFault),
}
