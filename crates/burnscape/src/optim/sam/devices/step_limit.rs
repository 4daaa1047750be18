use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use burn::tensor::Device;

use super::StepDevices;
use crate::loss::Devices;
use crate::optim::OptimError;
use crate::optim::sam::machine::SamMachine;

/// The limit on waits of all steps of an optimizer.
#[derive(Debug, Clone, Default)]
pub(in crate::optim) struct WaitLimit {
    limit: Option<Duration>,
    /// The device of the last step that was on no list. Clones share whether it answers.
    alone: Arc<Mutex<Option<Devices>>>,
}

/// The limit on waits of the thread that takes a step.
pub(in crate::optim) struct StepLimit(Option<(Devices, Device)>);

impl WaitLimit {
    /// Another limit. A device that has not answered is not asked again.
    pub(in crate::optim) fn with(self, limit: Duration) -> Self {
        Self {
            limit: Some(limit),
            ..self
        }
    }

    pub(in crate::optim) fn get(&self) -> Option<Duration> {
        self.limit
    }

    /// The limit of a step of a model on `device`: that of the list of the optimizer if the device is on it.
    pub(in crate::optim) fn of_step(
        &self,
        listed: Option<&StepDevices>,
        device: &Device,
    ) -> StepLimit {
        let Some(limit) = self.limit else {
            return StepLimit(None);
        };
        let has = |list: &Devices| list.index_of(device).is_some();
        let listed = listed.map(StepDevices::devices);
        let list = match listed.filter(|list| has(list)) {
            Some(list) => list.clone(),
            None => {
                let mut alone = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
                let known = alone.take().filter(has);
                let new = || Devices::new([device.clone()]);
                let list = alone.insert(known.unwrap_or_else(new)).clone();
                list.with_wait_limit(Some(limit))
            }
        };
        StepLimit(Some((list, device.clone())))
    }
}

impl StepLimit {
    /// Runs a part of the step. A wait beyond the limit is an error that names the device.
    pub(in crate::optim) fn in_time<T>(
        &self,
        work: impl FnOnce() -> Result<T, OptimError>,
    ) -> Result<T, OptimError> {
        match &self.0 {
            Some((list, device)) => list.in_time(device, work),
            None => work(),
        }
    }

    /// Runs a part of the step that moves the memories of `machine`. After an error they are as before: the part may
    /// have come to its end although a wait has passed the limit.
    pub(in crate::optim) fn advance<T>(
        &self,
        machine: &mut SamMachine,
        work: impl FnOnce(&mut SamMachine) -> Result<T, OptimError>,
    ) -> Result<T, OptimError> {
        if self.0.is_none() {
            return work(machine);
        }
        let mut advanced = machine.clone();
        let found = self.in_time(|| work(&mut advanced))?;
        *machine = advanced;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::loss::{DeviceError, LossError};
    use crate::optim::SamConfig;
    use crate::space::waited;

    #[test]
    fn memories_move_with_a_part_that_ends_in_time_and_not_with_another() {
        let device = Device::default();
        let limit = WaitLimit::default();
        let mut machine = SamMachine::new(SamConfig::new());
        let is_dead = |found: Result<(), OptimError>| match found {
            Err(OptimError::Loss(LossError::Device(error))) => match *error {
                DeviceError::TimedOut { .. } => false,
                DeviceError::Dead { .. } => true,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        };
        let step = |machine: &mut SamMachine| {
            machine.step += 1;
            Ok(())
        };
        let unlimited = limit.of_step(None, &device);
        unlimited.advance(&mut machine, step).unwrap();
        let limit = limit.with(Duration::from_secs(60));
        let patient = limit.of_step(None, &device);
        patient.advance(&mut machine, step).unwrap();
        assert_eq!(machine.step, 2);
        let hasty = limit.clone().with(Duration::from_millis(20));
        let hasty = hasty.of_step(None, &device);
        let (sender, receiver) = mpsc::channel::<()>();
        let found = hasty.advance(&mut machine, |machine| {
            step(machine)?;
            // Whatever becomes of the error: nothing is read after it.
            drop(waited(move || receiver.recv()));
            Ok(())
        });
        drop(sender);
        assert!(!is_dead(found));
        assert_eq!(machine.step, 2);
        // A longer limit does not make the device answer.
        let again = limit.with(Duration::from_secs(60));
        let again = again.of_step(None, &device);
        assert!(is_dead(again.advance(&mut machine, step)));
        assert_eq!(machine.step, 2);
    }
}
