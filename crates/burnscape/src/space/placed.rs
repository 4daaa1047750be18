//! Copies of models on other devices.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Bool, Device, Int, Tensor};
use burnscape_linearize::caught;

use super::SpaceError;
use super::wait::Transfer;
use super::working_copy::unshared_copy;
use super::write::relocated_copy;

/// A copy of `model` on a device that does not share running statistics, with the same values, identifiers, leaf
/// status, checkpointing strategy, flags and ties.
///
/// Burn's `Module::fork` copies a tied parameter once for each of its places, and moves the running statistics that
/// clones share.
///
/// # Errors
///
/// [`SpaceError::TimedOut`] with a limit on waits, and [`SpaceError::Device`] if Burn cannot move a tensor.
pub(crate) fn placed<M: Module>(model: &M, device: &Device) -> Result<M, SpaceError> {
    if model.devices().iter().all(|own| own == device) {
        return Ok(unshared_copy(model));
    }
    relocated_copy(model, |plain| {
        let mut transfer = Transfer::to(device);
        let plain = plain.map(&mut transfer);
        let plain = transfer.finish(plain)?;
        // A mapper does not reach tensors that are no parameters.
        let failed = |message: String| SpaceError::Device { message };
        caught(
            || plain.fork(device),
            failed,
            |error| failed(error.to_string()),
        )
    })
}

impl ModuleMapper for Transfer<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| self.moved(tensor))
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        param.map(|tensor| self.moved(tensor))
    }

    fn map_bool<const D: usize>(
        &mut self,
        param: Param<Tensor<D, Bool>>,
    ) -> Param<Tensor<D, Bool>> {
        param.map(|tensor| self.moved(tensor))
    }
}

#[cfg(test)]
mod tests {
    use burn::module::RunningState;
    use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
    use burn::optim::GradientsParams;

    use super::*;
    use crate::loss::{Mode, Risk};
    use crate::space::{ParamSpace, ParamVector, RunningStatistics, checkpointing_strategy};

    /// A weight at two places, a layer that is frozen, one with running statistics, and a tensor that is no parameter.
    #[derive(Module, Debug)]
    struct Net {
        first: Linear,
        again: Linear,
        frozen: Linear,
        norm: BatchNorm,
        shift: Tensor<1>,
    }

    fn net(device: &Device) -> Net {
        let layer = || LinearConfig::new(2, 2).init(device);
        let first = layer();
        let mut norm = BatchNormConfig::new(2).init(device);
        let numbers = |numbers: [f32; 2]| Tensor::<1>::from_floats(numbers, device);
        norm.running_mean = RunningState::new(numbers([0.5, -1.0]));
        Net {
            again: first.clone(),
            first,
            frozen: layer().no_grad(),
            norm,
            shift: numbers([3.0, 4.0]),
        }
    }

    fn loss(net: &Net, x: Tensor<2>) -> Tensor<1> {
        let x = net.again.forward(net.first.forward(x).tanh());
        let x = net.norm.forward(net.frozen.forward(x));
        (x + net.shift.clone().unsqueeze::<2>()).square().mean()
    }

    fn data(device: &Device) -> Tensor<2> {
        Tensor::from_floats([[1.0, 2.0], [-1.0, 0.5], [0.3, 0.1]], device)
    }

    #[cfg(feature = "ndarray")]
    #[allow(deprecated, reason = "deprecated by Burn, supported while Burn has it")]
    fn other() -> Device {
        Device::ndarray()
    }

    #[cfg(not(feature = "ndarray"))]
    fn other() -> Device {
        Device::default()
    }

    fn statistics(net: &Net) -> Vec<f64> {
        let statistics = RunningStatistics::of(net);
        let mean = statistics.get("norm.running_mean").unwrap().clone();
        mean.into_data().iter::<f64>().collect()
    }

    fn assert_is_placed(net: &Net, placed: &Net, device: &Device) {
        assert_eq!(placed.devices(), std::slice::from_ref(device));
        assert!(placed.shift.device() == *device);
        let [space, own] = [net, placed].map(|net| ParamSpace::of(net).unwrap());
        assert_eq!(own.num_frozen(), space.num_frozen());
        // Paths, identifiers, shapes, types and ties.
        assert_eq!(own.leaves(), space.leaves());
        let numbers = |space: &ParamSpace, net: &Net| {
            let vector = ParamVector::from_module(space, net).unwrap();
            vector.to_host().unwrap()
        };
        assert_eq!(numbers(&own, placed), numbers(&space, net));
        assert_eq!(statistics(placed), statistics(net));
        assert_eq!(checkpointing_strategy(placed), checkpointing_strategy(net));
    }

    #[test]
    fn everything_but_the_device_is_kept() {
        let (here, there) = (Device::default(), other());
        let balanced = here.clone().autodiff().gradient_checkpointing();
        for device in [here.clone(), here.clone().autodiff(), balanced] {
            let net = net(&device);
            let copy = placed(&net, &there).unwrap();
            assert_is_placed(&net, &copy, &there);
            let is_autodiff = device.is_autodiff();
            assert_eq!(copy.first.weight.val().is_autodiff(), is_autodiff);
            assert_eq!(copy.first.weight.val().is_require_grad(), is_autodiff);
            assert!(!copy.frozen.weight.val().is_require_grad());
            // And back.
            let back = placed(&copy, &here).unwrap();
            assert_is_placed(&net, &back, &here);
        }
    }

    #[test]
    fn gradients_of_a_copy_are_those_of_its_model() {
        let (here, there) = (Device::default(), other());
        let net = net(&here.clone().autodiff());
        let copy = placed(&net, &there).unwrap();
        let gradient = |net: &Net, device: &Device| {
            let value = loss(net, data(&device.clone().autodiff()));
            let gradients = GradientsParams::from_grads(value.backward(), net);
            let space = ParamSpace::of(net).unwrap();
            let found = ParamVector::from_gradients(&space, &gradients).unwrap();
            found.to_host().unwrap()
        };
        let (expected, found) = (gradient(&net, &here), gradient(&copy, &there));
        assert!(expected.iter().any(|x| x.abs() > 1e-3));
        for (x, y) in found.iter().zip(&expected) {
            assert!(
                (x - y).abs() < 1e-4 * (1.0 + y.abs()),
                "{found:?} {expected:?}"
            );
        }
    }

    #[test]
    fn running_statistics_are_not_shared() {
        let (here, there) = (Device::default(), other());
        let net = net(&here.clone().autodiff());
        let before = statistics(&net);
        let copy = placed(&net, &there).unwrap();
        drop(loss(&copy, data(&there.clone().autodiff())));
        assert_ne!(statistics(&copy), before);
        assert_eq!(statistics(&net), before);
        assert_eq!(net.devices(), [here]);
    }

    #[test]
    fn a_model_without_autodiff_has_the_same_loss_there() {
        let (here, there) = (Device::default(), other());
        let net = net(&here).valid();
        let copy = placed(&net, &there).unwrap();
        let [one, other] = [(&net, &here), (&copy, &there)].map(|(net, device)| {
            let data = [data(device)];
            let risk = Risk::new(&loss, &data).with_mode(Mode::Eval);
            risk.loss(net).unwrap().value
        });
        assert!((one - other).abs() < 1e-5 * one.abs(), "{one} {other}");
    }
}
