use thiserror::Error;

use crate::OutOfRange;
use crate::curvature::CurvatureError;
use crate::loss::LossError;
use crate::space::SpaceError;

/// A measurement that cannot be made.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum DynamicsError {
    /// A setting or an argument is outside its range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// A measured number is NaN or infinite, although the loss is finite.
    #[error(
        "{what} is {value} at step {step}; lower the learning rate, or measure in a type with a \
         larger range"
    )]
    NonFinite {
        /// The measured number.
        what: &'static str,
        /// The step.
        step: usize,
        /// The value.
        value: f64,
    },
    /// A curvature operator could not be made or multiplied.
    #[error(transparent)]
    Curvature(#[from] CurvatureError),
    /// Vectors of another model, or a device that cannot be read.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// The loss or the data are invalid.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// Theory knows no number above which this optimizer is unstable.
    #[error(
        "no edge is known for {optimizer}; leave `with_optimizer` out: the sharpness is measured without an edge"
    )]
    NoEdge {
        /// The optimizer or its setting.
        optimizer: String,
    },
    /// The edge depends on the state of the optimizer.
    #[error(
        "the edge of this optimizer depends on its state, and the moment has no optimizer; pass it with \
         `Moment::with_optimizer`"
    )]
    MissingOptimizer,
    /// The state of the optimizer is not that of the optimizer whose edge is asked for.
    #[error("the state of the optimizer does not fit: {message}")]
    OtherOptimizer {
        /// What it has and what it should have.
        message: String,
    },
    /// Two watches have one name.
    #[error("two monitors are called `{name}`; give one of them another name with `Watch::named`")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A reading has no quantity of this name.
    #[error("a reading has no `{name}`; use one of {known}")]
    NoQuantity {
        /// The name that was asked for.
        name: String,
        /// The names of the quantities.
        known: String,
    },
    /// The readings are those of a watch that is not among these monitors.
    #[error(
        "the readings are those of another watch; pass what `Watch::readings` returned for one of these monitors"
    )]
    NoWatch,
    /// The record is that of other monitors.
    #[error(
        "the record has the monitors [{found}], and these are [{expected}]; add the same monitors under the same names, \
         or start without the record"
    )]
    OtherMonitors {
        /// The names of the monitors, in alphabetical order.
        expected: String,
        /// Those of the record.
        found: String,
    },
    /// A state that cannot be read or written.
    #[error("the state cannot be read or written: {message}")]
    Record {
        /// The reason.
        message: String,
    },
    /// One of several monitors failed.
    #[error("the monitor `{name}` failed at step {step}: {source}")]
    Watch {
        /// The name of its watch.
        name: String,
        /// The step.
        step: usize,
        /// The reason.
        source: Box<DynamicsError>,
    },
    /// A measurement of another module failed for a reason of its own.
    #[error("{message}")]
    Measurement {
        /// What is wrong, and what to do.
        message: String,
    },
    /// An estimate needs more examples, micro-batches or batches.
    #[error("{found} {what} are too few, {needed} is the least; {remedy}")]
    TooFewBatches {
        /// The least number.
        needed: usize,
        /// The number found.
        found: usize,
        /// What is counted, for instance micro-batches.
        what: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A micro-batch is larger than the batch that it is a part of.
    #[error(
        "{size} examples a micro-batch are more than the {available} of a batch; use smaller micro-batches, or \
         larger batches"
    )]
    BatchSize {
        /// The size asked for.
        size: usize,
        /// The examples of the batch.
        available: usize,
    },
    /// Batches differ in their number of examples.
    #[error(
        "one batch has {first} examples and another {second}; use batches of one size, without the remainder"
    )]
    UnequalBatches {
        /// The examples of a batch.
        first: usize,
        /// Those of another.
        second: usize,
    },
    /// The gradients of the parts of a batch do not add up to that of the batch.
    #[error(
        "the gradients of the parts of a batch differ from that of the batch by {defect:.1e} of its norm: the loss is \
         not a mean or sum over its examples; measure in `Mode::Eval`, and without terms that several examples share"
    )]
    NotExampleMean {
        /// The relative difference.
        defect: f64,
    },
    /// Finite steps are so short that rounding shows in the difference of two orders.
    #[error(
        "{what} is {value:.1e}, and what is below {floor:.1e} may be rounding; raise the learning rate to {least:.1e} or \
         more, or use the exact bracket of `CommutatorConfig`, which takes no steps"
    )]
    BelowFloor {
        /// What is too short.
        what: &'static str,
        /// Its length.
        value: f64,
        /// The least length.
        floor: f64,
        /// The least learning rate that gives that length, to leading order.
        least: f64,
    },
    /// A difference of finite steps needs double precision.
    #[error(
        "in {dtype} the difference of two steps is rounding, which alone may make a defect of {floor:.1e}; convert the \
         model to f64, or use the exact bracket of `CommutatorConfig`, which takes no steps and works in any precision"
    )]
    SinglePrecision {
        /// The element type of the parameters.
        dtype: String,
        /// The defect that rounding alone may make.
        floor: f64,
    },
    /// The tangent kernel of the start is zero, so that nothing can be compared with it.
    #[error(
        "the tangent kernel of the start is zero: no output depends on a parameter of the risk there; check that the \
         outputs use these parameters, or start from other weights"
    )]
    ZeroKernel,
    /// A gradient flow takes too many steps, however coarse its tolerances are.
    #[error(
        "the flow is stiff: at a sharpness of {sharpness:.3e}, stability takes {gradients:.0} gradients or more until time \
         {end_time}, above the limit of {max_gradients}; choose a shorter `end_time` (a sum over examples flows as \
         many times as fast as their mean), take steps of gradient descent instead, or raise the limit with \
         `with_max_gradients`"
    )]
    StiffFlow {
        /// `λ_max` at the start.
        sharpness: f64,
        /// The time at which the flow ends.
        end_time: f64,
        /// The gradients that stability takes.
        gradients: f64,
        /// The limit.
        max_gradients: usize,
    },
    /// Gradient descent is unstable where its central flow is to start.
    #[error(
        "the sharpness of the start is {sharpness:.6}, more than 5 % above the edge 2/η = {edge:.6}, where gradient descent \
         is unstable; lower the rate, or start from the weights of an earlier step"
    )]
    AboveEdge {
        /// `λ_max` at the start.
        sharpness: f64,
        /// `2/η`.
        edge: f64,
    },
    /// A second eigenvalue is at the edge where a central flow is to start.
    #[error(
        "the second eigenvalue of the start, {second:.6}, is within 5 % of the edge 2/η = {edge:.6}, and the central flow is \
         that of a single critical direction; start from the weights of an earlier step, or lower the rate"
    )]
    SecondDirection {
        /// The second eigenvalue.
        second: f64,
        /// `2/η`.
        edge: f64,
    },
    /// A search for the sharpness ended before its tolerance.
    #[error(
        "the search for the sharpness has a residual of {residual:.1e} after {num_matvecs} products; raise its limit with \
         `with_max_matvecs`, or `with_tolerance`"
    )]
    NotConverged {
        /// The residual of the eigenpair.
        residual: f64,
        /// The limit of products.
        num_matvecs: usize,
    },
    /// Two layers are not consecutive.
    #[error(
        "the first layer has {hidden} outputs, and the second takes {inputs} inputs; pass the weights of two consecutive \
         layers, `[inputs, hidden]` and `[hidden, outputs]`"
    )]
    NotConsecutive {
        /// Columns of the first.
        hidden: usize,
        /// Rows of the second.
        inputs: usize,
    },
}
