use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use burn::tensor::Device;

use super::{DeviceError, DeviceWork, Devices, WorkerError};
use crate::loss::LossError;

/// Several devices for a list of jobs that do not depend on each other: training runs with different seeds, models that
/// are measured, settings that are compared.
///
/// A device takes the next job when it is free, on a thread of its own. Results are in the order of the jobs.
/// Everything that a job needs must be on the device that it gets: models with Burn's `Module::fork`, batches with
/// [`Batch::to_device`](crate::loss::Batch::to_device). To divide the batches of a single measurement, use
/// [`Risk::with_devices`](crate::loss::Risk::with_devices).
///
/// # Cost
///
/// A thread for each device. Jobs share nothing, so that data on one device are moved by every job elsewhere.
///
/// # Reproducibility
///
/// Which device does a job depends on time, so that a job has the same result everywhere only if the devices compute
/// alike. Devices of one backend may share one generator of random numbers: a job that draws is reproducible in a list
/// of one device, or if no other device of the list has the same backend.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::{GradientsParams, SgdConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::{DeviceError, DeviceQueue};
///
/// // On a machine with GPUs: `[Device::cuda(0), Device::cuda(1)]`.
/// let queue = DeviceQueue::new([Device::flex()])?;
/// let losses = queue.run(3, |seed, device| {
///     device.seed(seed as u64);
///     let device = device.clone().autodiff();
///     let mut model = LinearConfig::new(2, 1).init(&device);
///     let mut sgd = SgdConfig::new().init();
///     let x = Tensor::<2>::ones([4, 2], &device);
///     let loss = |model: &Linear| model.forward(x.clone()).sub_scalar(1.0).square().mean();
///     for _ in 0..20 {
///         let gradients = GradientsParams::from_grads(loss(&model).backward(), &model);
///         model = sgd.step(0.1, model, gradients);
///     }
///     Ok::<f32, DeviceError>(loss(&model).into_scalar())
/// })?;
/// assert!(losses.len() == 3 && losses.iter().all(|loss| *loss < 1e-4));
/// # Ok::<(), DeviceError>(())
/// ```
#[derive(Debug, Clone)]
pub struct DeviceQueue {
    devices: Devices,
}

impl DeviceQueue {
    /// A queue for these devices; whether they are on autodiff does not matter.
    ///
    /// # Errors
    ///
    /// [`DeviceError::NoDevice`], [`DeviceError::Twice`].
    pub fn new(devices: impl IntoIterator<Item = Device>) -> Result<Self, DeviceError> {
        let devices = Devices::new(devices);
        devices.check_list()?;
        Ok(Self { devices })
    }

    /// Sets how long this library waits for a device; without a limit by default. Lists of devices that a job uses, in a
    /// risk, in steps of SAM and in a training, have this limit unless they have one of their own, and so do vectors
    /// that come from no list with one. Reads that a job itself makes, with Burn's `into_data` say, are not limited,
    /// nor are those on threads that it starts.
    #[must_use]
    pub fn with_wait_limit(self, limit: Duration) -> Self {
        Self {
            devices: self.devices.with_wait_limit(Some(limit)),
        }
    }

    /// Does the jobs `0..count`, and returns their results in order. `work` is given the number of the job and a device
    /// without autodiff.
    ///
    /// # Errors
    ///
    /// The error of the first job that has one; no job begins after an error. A panic is [`DeviceError::Failed`] with
    /// the number of the job as its batch. [`DeviceError::TimedOut`] after a wait beyond the limit, and
    /// [`DeviceError::Dead`] for a device that did not answer in an earlier run. [`DeviceError::NoWait`] for a limit of
    /// zero. A list that a job uses has its own accounts: a wait for one of its devices is an error of that job, with
    /// the index in that list, and makes the device dead there and not in the queue.
    pub fn run<T: Send, E: Send + From<DeviceError>>(
        &self,
        count: usize,
        work: impl Fn(usize, &Device) -> Result<T, E> + Sync,
    ) -> Result<Vec<T>, E> {
        self.devices.check_limit()?;
        self.devices.check_alive()?;
        let next = AtomicUsize::new(0);
        let results: Mutex<BTreeMap<usize, T>> = Mutex::default();
        // No device is that of a model.
        let found: Result<Vec<()>, Fault<E>> = self.devices.each(usize::MAX, false, |worker| {
            loop {
                let job = next.fetch_add(1, Ordering::Relaxed);
                if job >= count || !worker.begin(job) {
                    return Ok(());
                }
                let found = work(job, worker.device()).map_err(Fault::Job)?;
                let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                results.insert(job, found);
            }
        });
        match found {
            Ok(_) => {
                let results = results.into_inner();
                let results = results.unwrap_or_else(PoisonError::into_inner);
                Ok(results.into_values().collect())
            }
            Err(Fault::Job(error)) => Err(error),
            Err(Fault::Loss(LossError::Device(error))) => Err((*error).into()),
            Err(Fault::Loss(other)) => Err(DeviceError::Failed {
                device: "a device of the queue".into(),
                index: 0,
                batch: None,
                message: other.to_string(),
            }
            .into()),
        }
    }

    /// What each device has done so far, in order; a job counts as a batch.
    pub fn work(&self) -> Vec<DeviceWork> {
        self.devices.work()
    }
}

/// The error of a job, or of the work around it.
enum Fault<E> {
    Job(E),
    Loss(LossError),
}

impl<E> From<LossError> for Fault<E> {
    fn from(error: LossError) -> Self {
        Self::Loss(error)
    }
}

impl<E: Send> WorkerError for Fault<E> {
    fn device_failure(&self) -> Option<String> {
        match self {
            Self::Job(_) => None,
            Self::Loss(error) => error.device_failure(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::Tensor;

    use super::*;
    use crate::loss::Risk;
    use crate::space::waited;

    fn queue(devices: usize) -> DeviceQueue {
        DeviceQueue {
            devices: Devices::new(vec![Device::default(); devices]),
        }
    }

    #[test]
    fn lists_are_checked() {
        let found = DeviceQueue::new([]).map(drop);
        assert_eq!(found, Err(DeviceError::NoDevice));
        let found = DeviceQueue::new([Device::default(), Device::default().autodiff()]);
        assert!(matches!(
            found,
            Err(DeviceError::Twice {
                first: 0,
                second: 1,
                ..
            })
        ));
    }

    #[test]
    fn results_are_in_the_order_of_the_jobs() {
        for devices in [1, 3] {
            let queue = queue(devices);
            let found = queue.run(20, |job, _| {
                // Later jobs end first.
                std::thread::sleep(Duration::from_millis((job % 3) as u64));
                Ok::<_, DeviceError>(job * job)
            });
            let expected = (0..20).map(|job| job * job).collect();
            assert_eq!(found, Ok(expected));
            let jobs = queue.work().iter().map(|work| work.batches).sum::<usize>();
            assert_eq!(jobs, 20);
        }
        assert_eq!(
            queue(2).run(0, |_, _| Ok::<(), DeviceError>(())),
            Ok(vec![])
        );
    }

    #[test]
    fn the_error_of_the_first_job_is_returned_and_no_other_job_begins() {
        let begun = AtomicUsize::new(0);
        let found = queue(3).run(30, |job, _| {
            begun.fetch_add(1, Ordering::Relaxed);
            if job == 4 {
                // Other jobs have failed.
                std::thread::sleep(Duration::from_millis(20));
            }
            if job < 4 {
                Ok(())
            } else {
                Err(LossError::EmptyBatch { batch: job })
            }
        });
        assert_eq!(found, Err(LossError::EmptyBatch { batch: 4 }));
        assert!(begun.load(Ordering::Relaxed) < 10);
    }

    #[test]
    fn the_limit_reaches_the_lists_that_a_job_uses() {
        let queue = queue(1).with_wait_limit(Duration::from_millis(20));
        let (sender, receiver) = mpsc::channel::<()>();
        let receiver = Mutex::new(Some(receiver));
        let data = [Tensor::<2>::ones([1, 2], &Device::default())];
        let found = queue.run(1, |_, device| {
            let model = LinearConfig::new(2, 1).init(device);
            let loss = |model: &Linear, x: Tensor<2>| {
                if let Some(receiver) = receiver.lock().unwrap().take() {
                    // Whatever becomes of the error.
                    drop(waited(move || receiver.recv()));
                }
                model.forward(x).mean()
            };
            let risk: Risk<'_, Linear> = Risk::new(&loss, &data);
            let risk = risk.with_devices([device.clone()]);
            let found = risk.loss(&model).map(|loss| loss.value);
            assert!(risk.devices().unwrap().is_dead(0));
            found
        });
        drop(sender);
        assert!(!queue.devices.is_dead(0));
        let expected = DeviceError::TimedOut {
            device: queue.work()[0].device.clone(),
            index: 0,
            batch: None,
            seconds: 0.02,
            blocked_threads: 1,
        };
        assert_eq!(found, Err(LossError::from(expected)));
    }

    #[test]
    fn a_panic_is_an_error_that_names_the_job() {
        let queue = queue(2);
        let found = queue.run(9, |job, _| {
            assert!(job != 5, "no such seed");
            Ok::<_, DeviceError>(job)
        });
        let Err(DeviceError::Failed { batch, message, .. }) = found else {
            panic!("{found:?}");
        };
        assert!(
            batch == Some(5) && message.contains("no such seed"),
            "{message}"
        );
        assert_eq!(
            queue.run(2, |job, _| Ok::<_, DeviceError>(job)),
            Ok(vec![0, 1])
        );
    }
}
