//! What happens along a training run: how sharp the loss is and how far from instability, how noisy its gradients are,
//! how much two batches disagree.
//!
//! A [`Monitor`] measures a risk at one moment of the run. A [`Watch`] decides when, and keeps the readings; [`Monitors`]
//! are several watches. In your own loop, call [`observe`](Monitors::observe) before each step; for Burn's `Learner`, use
//! `LearnerMonitors` (feature `train`). Between the steps that are due a watch costs nothing.
//!
//! | monitor | readings |
//! |---|---|
//! | [`CurvatureMonitor`] | sharpness, gradient norm, trace, and the edge of stability of the optimizer ([`EdgeRule`]) |
//! | [`GradientNoiseMonitor`] | the variance of gradients between examples, and the batch size at which it equals the gradient |
//! | [`CommutatorMonitor`] | how much the order of two batches matters |
//! | [`TangentKernelMonitor`] | how far the tangent kernel moves from its start, and what it aligns with |
//! | [`TailIndexConfig`] | how heavy the tails of the gradient noise are, beside Gaussian noise |
//!
//! You can write monitors of your own: [`Monitor`] has an example.
//!
//! [`GradientFlowConfig`] and [`CentralFlowConfig`] follow a model in continuous time, without and with the oscillations of
//! gradient descent; [`imbalance`] is what linear layers conserve.

mod commutator;
mod curvature;
mod edges;
mod error;
mod flow;
mod kernel;
#[cfg(feature = "train")]
mod learner;
mod monitor;
mod noise;
mod tails;

pub use commutator::{
    Alarm, AlarmConfig, AlarmPoint, CommutatorConfig, CommutatorDefect, CommutatorMonitor,
    FiniteCommutator, FiniteCommutatorConfig,
};
pub use curvature::{
    CurvatureMonitor, CurvatureMonitorConfig, CurvatureMonitorState, CurvatureReading,
};
pub use edges::{EdgeRule, WatchedOptimizer};
pub use error::DynamicsError;
pub use flow::{CentralFlow, CentralFlowConfig, GradientFlow, GradientFlowConfig, imbalance};
pub use kernel::{
    LinearizedModel, ScaledOutputs, TangentKernelConfig, TangentKernelMonitor,
    TangentKernelMonitorState, TangentKernelReading,
};
#[cfg(feature = "train")]
pub use learner::LearnerMonitors;
pub use monitor::{
    Cost, Due, Moment, Monitor, Monitors, MonitorsRecord, Observation, Quantity, Reading, Readings,
    Watch, WatchRecord,
};
pub use noise::{GradientNoise, GradientNoiseConfig, GradientNoiseMonitor, NoiseEstimator};
pub use tails::{TailEstimator, TailIndex, TailIndexConfig};
