//! Scopes in which Burn records operations instead of running them.

use std::cell::RefCell;
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};

use burn::backend::{DispatchDevice, set_default_dtypes};
use burn::tensor::{Device, DeviceConfig, DeviceSettings};
use burn_capture::{
    CaptureBackend, CaptureChannel, CaptureDevice, CaptureScope, CapturedGraph,
    CompletedCaptureScope,
};
use burn_ir::TensorId;
use burn_router::get_client;

use super::recorder::Recorder;
use crate::LinearizeError;
use crate::error::{Panic, catch, refusal};

/// Idle capture devices with their settings. They are reused, because a process can create only 65,536 of
/// them and the settings of a device cannot be changed.
static IDLE: Mutex<Vec<(DeviceSettings, CaptureDevice)>> = Mutex::new(Vec::new());

/// Whether operations on a device are recorded instead of run.
#[doc(hidden)]
pub fn is_recording(device: &Device) -> bool {
    let device = device.clone().inner();
    matches!(device.as_dispatch(), DispatchDevice::Capture(_))
}

/// Ends a scope that reads `inputs` without defining them.
///
/// The results are not declared: Burn would search every operation for each of them, whereas a
/// [`Program`](crate::Program) validates all of its outputs at once.
pub(crate) fn completed(
    scope: CaptureScope,
    inputs: impl IntoIterator<Item = TensorId>,
) -> CompletedCaptureScope {
    scope.complete(inputs, [])
}

/// Runs `record` in a capture scope for devices with the given settings.
///
/// `record` receives the device, the recorder and the scope, and returns the completed scope with any
/// value. A panic inside it closes the scope and becomes an error.
pub(crate) fn record<T>(
    settings: DeviceSettings,
    record: impl FnOnce(
        &Device,
        &Recorder,
        CaptureScope,
    ) -> Result<(CompletedCaptureScope, T), LinearizeError>,
) -> Result<(CapturedGraph, T), LinearizeError> {
    let (capture, is_new) = take(settings);
    let mut outcome = None;
    let mut is_configured = !is_new;
    let captured = catch(|| {
        capture.capture_scope(|scope| {
            let mut device = Device::new(DispatchDevice::Capture(capture));
            if is_new {
                // Settings must be applied inside the scope and before the first operation: outside of
                // it Burn has no client, and later it has already chosen defaults. They are applied
                // twice because Burn stores them by device type, and operations look them up for
                // the dispatched device or for the capture device itself.
                let configured = device.configure(config(settings)).and_then(|()| {
                    set_default_dtypes::<CaptureBackend>(
                        &capture,
                        settings.float_dtype,
                        settings.int_dtype,
                        settings.bool_dtype,
                    )
                });
                if let Err(error) = configured {
                    refuse(LinearizeError::Internal {
                        message: format!("Burn rejected the device settings: {error:?}"),
                    });
                }
                is_configured = true;
            }
            let client = get_client::<CaptureChannel>(&capture);
            let recorder = Recorder {
                client,
                held: RefCell::new(Vec::new()),
            };
            match record(&device, &recorder, scope) {
                Ok((completed, value)) => {
                    outcome = Some(value);
                    completed
                }
                Err(error) => refuse(error),
            }
        })
    });
    // A device that rejected its settings is not reused.
    if is_configured {
        put(settings, capture);
    }
    match (captured, outcome) {
        (Ok(Ok(graph)), Some(value)) => Ok((graph, value)),
        (Ok(Ok(_)), None) => Err(LinearizeError::Internal {
            message: "a recording scope returned nothing".into(),
        }),
        (Ok(Err(error)), _) => Err(LinearizeError::Internal {
            message: format!("Burn could not record the program: {error}"),
        }),
        (Err(panic), _) => Err(reason(panic)),
    }
}

/// An error that leaves a scope by unwinding, which is the only way to close a scope without completing
/// it. No panic hook runs.
struct Refusal(LinearizeError);

fn refuse(error: LinearizeError) -> ! {
    resume_unwind(Box::new(Refusal(error)))
}

fn reason(panic: Panic) -> LinearizeError {
    let Panic { payload, place } = panic;
    let payload = match payload.downcast::<Refusal>() {
        Ok(refusal) => return refusal.0,
        Err(payload) => payload,
    };
    match payload.downcast::<LinearizeError>() {
        Ok(error) => *error,
        Err(payload) => refusal(&Panic { payload, place }),
    }
}

fn config(settings: DeviceSettings) -> DeviceConfig {
    let mut config = DeviceConfig::from((settings.float_dtype, settings.int_dtype));
    config.bool_dtype = Some(settings.bool_dtype);
    config
}

/// An idle device with these settings, or a new one.
fn take(settings: DeviceSettings) -> (CaptureDevice, bool) {
    let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    match idle.iter().position(|(known, _)| *known == settings) {
        Some(index) => (idle.swap_remove(index).1, false),
        None => (CaptureDevice::default(), true),
    }
}

fn put(settings: DeviceSettings, device: CaptureDevice) {
    IDLE.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push((settings, device));
}
