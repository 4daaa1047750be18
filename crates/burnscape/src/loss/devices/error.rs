use thiserror::Error;

/// Errors of lists of devices, and of the devices themselves.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The list has no device.
    #[error("the list of devices is empty; pass at least one device")]
    NoDevice,
    /// The list has a device twice.
    #[error(
        "devices {first} and {second} of the list are the same ({device}); pass each device once"
    )]
    Twice {
        /// Index of the device.
        first: usize,
        /// Its second index.
        second: usize,
        /// The device.
        device: String,
    },
    /// The limit of waits is zero.
    #[error(
        "the limit of waits is zero, which no device meets; pass a longer one to `with_wait_limit`, or leave it out"
    )]
    NoWait,
    /// New tensors have different float types on two devices.
    #[error(
        "the default float type is {first_dtype} on {first} and {second_dtype} on {second}; give both the same with \
         `Device::configure`"
    )]
    FloatTypes {
        /// The first device of the list.
        first: String,
        /// Its default float type.
        first_dtype: String,
        /// A device with another one.
        second: String,
        /// Its default float type.
        second_dtype: String,
    },
    /// The device of the model is not in the list.
    #[error(
        "the model is on {device}, which is not in the list of devices; add that device, or move the model with \
         `Module::fork`"
    )]
    NotListed {
        /// The device of the model.
        device: String,
    },
    /// The list has no device with this index.
    #[error("there is no device {index} in a list of {devices}; pass an index below {devices}")]
    NoSuchDevice {
        /// The index.
        index: usize,
        /// Devices in the list.
        devices: usize,
    },
    /// A device failed, or the loss panicked on it.
    #[error(
        "device {index} ({device}) failed{}: {message}; try again, or make the list of devices anew \
         without it (a risk on several has `without_device({index})`)",
        at(*batch)
    )]
    Failed {
        /// The device.
        device: String,
        /// Its index in the list.
        index: usize,
        /// The batch that was under way, or the job of a queue.
        batch: Option<usize>,
        /// The message of the device or of the panic.
        message: String,
    },
    /// A device did not answer within the limit. It is not asked again.
    #[error(
        "device {index} ({device}) has not answered for {seconds} s{}; {blocked_threads} threads may wait for it until \
         the process ends; make the list of devices anew, with a longer `with_wait_limit` or without this device (a \
         risk on several has `without_device({index})`)",
        at(*batch)
    )]
    TimedOut {
        /// The device.
        device: String,
        /// Its index in the list.
        index: usize,
        /// The batch that was under way, or the job of a queue.
        batch: Option<usize>,
        /// The limit in seconds.
        seconds: f64,
        /// The threads that wait for the device.
        blocked_threads: usize,
    },
    /// A device did not answer earlier.
    #[error(
        "device {index} ({device}) did not answer earlier, so that it is not asked again; make the list of devices \
         anew, with this device if it answers again, or without it (a risk on several has `without_device({index})`)"
    )]
    Dead {
        /// The device.
        device: String,
        /// Its index in the list.
        index: usize,
    },
}

/// Where a device failed, as part of a message.
fn at(batch: Option<usize>) -> String {
    match batch {
        Some(batch) => format!(" at batch {batch}"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_batch_if_it_is_known() {
        let failed = |batch| {
            let failed = DeviceError::Failed {
                device: "Flex".into(),
                index: 1,
                batch,
                message: "no memory".into(),
            };
            failed.to_string()
        };
        assert!(failed(Some(3)).starts_with("device 1 (Flex) failed at batch 3: no memory; "));
        assert!(failed(None).starts_with("device 1 (Flex) failed: no memory; "));
    }
}
