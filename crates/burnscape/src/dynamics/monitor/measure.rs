use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Moment, Reading};
use crate::dynamics::DynamicsError;
use crate::loss::{Risk, Whole};

/// Something that measures a risk along a training run.
///
/// A [`Watch`](super::Watch) decides when it measures, and keeps the readings. A monitor sees the model and the risk, but
/// not the training loop, so one monitor serves every loop.
///
/// # Laws
///
/// A measurement changes neither the model nor its running statistics, and leaves Burn's random stream as [`Risk`]
/// documents. A measurement that fails leaves the monitor as it was. Settings, state and weights determine a reading to
/// the bit, on devices that compute an operation the same way each time.
///
/// # Example
///
/// A monitor of your own, on any model and kind of risk:
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::dynamics::{
///     Cost, Due, DynamicsError, Moment, Monitor, Quantity, Reading, Watch,
/// };
/// use burnscape::loss::Risk;
/// use serde::{Deserialize, Serialize};
///
/// /// The loss on data that the training does not see.
/// struct Validation;
///
/// #[derive(Debug, Clone, Serialize, Deserialize)]
/// struct Validated {
///     loss: f64,
/// }
///
/// impl Reading for Validated {
///     fn quantities() -> &'static [Quantity<Self>] {
///         const QUANTITIES: &[Quantity<Validated>] = &[Quantity {
///             name: "validation_loss",
///             description: "the loss on data that the training does not see",
///             value: |reading| Some(reading.loss),
///         }];
///         QUANTITIES
///     }
///
///     fn cost(&self) -> Cost {
///         Cost { num_losses: 1, ..Cost::default() }
///     }
/// }
///
/// impl<M: Module, K> Monitor<M, K> for Validation {
///     type Reading = Validated;
///     type State = ();
///
///     fn name(&self) -> &'static str {
///         "validation"
///     }
///
///     fn measure(
///         &mut self,
///         risk: &Risk<'_, M, K>,
///         moment: &Moment<'_, M>,
///     ) -> Result<Validated, DynamicsError> {
///         Ok(Validated { loss: risk.loss(moment.model)?.value })
///     }
///
///     fn to_state(&self) -> Result<(), DynamicsError> {
///         Ok(())
///     }
///
///     fn load_state(&mut self, (): ()) -> Result<(), DynamicsError> {
///         Ok(())
///     }
/// }
///
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).mean();
/// let unseen = [Tensor::<2>::zeros([4, 2], &device)];
/// let mut watch = Watch::new(Due::Every(10), Validation, Risk::new(&loss, &unseen))?;
/// let seen = watch.observe(&Moment::new(20, 0.1, &model))?;
/// assert!(seen.is_some_and(|seen| seen.step == 20 && seen.reading.loss == 0.0));
/// # Ok::<(), DynamicsError>(())
/// ```
pub trait Monitor<M, K = Whole> {
    /// What a measurement finds.
    type Reading: Reading;

    /// What decides later readings besides the settings: starting vectors, counters. `()` if there is nothing.
    type State: Serialize + DeserializeOwned;

    /// The name of its readings, unless the watch has [another](super::Watch::named).
    fn name(&self) -> &'static str;

    /// Measures the risk at the model of the moment.
    ///
    /// # Errors
    ///
    /// Those of the measurement.
    fn measure(
        &mut self,
        risk: &Risk<'_, M, K>,
        moment: &Moment<'_, M>,
    ) -> Result<Self::Reading, DynamicsError>;

    /// The state, for [`load_state`](Self::load_state).
    ///
    /// # Errors
    ///
    /// [`DynamicsError::Space`] if a device cannot be read.
    fn to_state(&self) -> Result<Self::State, DynamicsError>;

    /// Continues from a state of a monitor with the same settings: later readings are those of that monitor.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::Record`] for a state that is not of such a monitor.
    fn load_state(&mut self, state: Self::State) -> Result<(), DynamicsError>;
}
