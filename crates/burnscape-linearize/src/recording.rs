//! Scopes in which Burn records operations instead of running them.

use std::cell::RefCell;
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};

use burn::backend::{DispatchDevice, set_default_dtypes};
use burn::tensor::{DType, Device, DeviceConfig, DeviceSettings, Shape};
use burn_capture::{
    CaptureBackend, CaptureChannel, CaptureClient, CaptureDevice, CaptureScope, CapturedGraph,
    CompletedCaptureScope,
};
use burn_ir::TensorId;
use burn_router::{RouterClient, RouterTensor, get_client};

use super::LinearizeError;
use super::panics::{Panic, caught};
use super::refusal::refusal;

pub(crate) type Symbol = RouterTensor<CaptureClient>;

/// Idle capture devices with the settings that they were given. A process can make 65,536 and no
/// more, and settings stick to a device, so they are used again.
static IDLE: Mutex<Vec<(DeviceSettings, CaptureDevice)>> = Mutex::new(Vec::new());

/// A place to record: a fresh name for a tensor is a shape and a type, no memory.
pub(crate) struct Recorder {
    client: CaptureClient,
    /// Every name given out is held until the scope ends, so that Burn sees it shared and never
    /// records a write in place.
    held: RefCell<Vec<Symbol>>,
}

impl Recorder {
    /// The client, to record an operation as it is.
    pub(crate) fn client(&self) -> &CaptureClient {
        &self.client
    }

    /// A tensor that is bound when the program runs.
    pub(crate) fn placeholder(&self, shape: Shape, dtype: DType) -> Symbol {
        self.named(self.client.create_empty_handle(), shape, dtype)
    }

    /// A tensor under a name that exists.
    pub(crate) fn named(&self, id: TensorId, shape: Shape, dtype: DType) -> Symbol {
        let symbol = RouterTensor::new(id, shape, dtype, self.client.clone());
        self.hold(&symbol);
        symbol
    }

    /// Keeps a tensor from being overwritten.
    pub(crate) fn hold(&self, symbol: &Symbol) {
        self.held.borrow_mut().push(symbol.clone());
    }
}

/// Ends a scope in which `inputs` were read and not made.
///
/// Its results are not named: Burn would look for each of them in every operation, and a [`Program`]
/// checks all of its own at once.
///
/// [`Program`]: super::Program
pub(crate) fn completed(
    scope: CaptureScope,
    inputs: impl IntoIterator<Item = TensorId>,
) -> CompletedCaptureScope {
    scope.complete(inputs, [])
}

/// Runs `record` in a capture scope for devices with the given settings.
///
/// `record` gets the device, the recorder and the scope, and returns the scope's completion with a
/// value of its own. A panic in it closes the scope and becomes an error.
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
    let captured = caught(|| {
        capture.capture_scope(|scope| {
            let mut device = Device::new(DispatchDevice::Capture(capture));
            if is_new {
                // Settings are given inside the scope and before the first operation: outside Burn
                // has no client to ask, afterwards it has settled on its defaults.
                // Twice, because Burn remembers them by the device's type, and an operation may ask
                // for those of the dispatched device or of the capture device itself.
                let configured = device.configure(config(settings)).and_then(|()| {
                    set_default_dtypes::<CaptureBackend>(
                        &capture,
                        settings.float_dtype,
                        settings.int_dtype,
                        settings.bool_dtype,
                    )
                });
                if let Err(error) = configured {
                    refuse(LinearizeError::Capture {
                        message: format!("{error:?}"),
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
    // A device that did not take its settings is not to be met again.
    if is_configured {
        put(settings, capture);
    }
    match (captured, outcome) {
        (Ok(Ok(graph)), Some(value)) => Ok((graph, value)),
        (Ok(Ok(_)), None) => Err(LinearizeError::Malformed {
            message: "an empty scope".into(),
        }),
        (Ok(Err(error)), _) => Err(LinearizeError::Capture {
            message: error.to_string(),
        }),
        (Err(panic), _) => Err(reason(panic)),
    }
}

/// An error on its way out of a scope. Only unwinding closes a scope without completing it, and no
/// panic hook is run.
struct Refusal(LinearizeError);

fn refuse(error: LinearizeError) -> ! {
    resume_unwind(Box::new(Refusal(error)))
}

fn reason(panic: Panic) -> LinearizeError {
    match panic.payload.downcast::<Refusal>() {
        Ok(refusal) => refusal.0,
        Err(payload) => refusal(&Panic {
            payload,
            place: panic.place,
        }),
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
