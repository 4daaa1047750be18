//! Panics as values, with the place where they happened.
//!
//! Burn panics when a closure does something that cannot be recorded. Such a panic becomes an error, so
//! it must not also appear on standard error. A single panic hook, installed once on top of the existing
//! one, stays silent on threads that are inside [`catch`] and forwards everything else.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};
use std::sync::Once;

use super::LinearizeError;
use super::place::Place;

/// A panic that was caught.
pub(crate) struct Panic {
    pub(crate) payload: Box<dyn Any + Send>,
    pub(crate) place: Place,
}

impl Panic {
    /// The panic message.
    pub(crate) fn message(&self) -> String {
        let text = self.payload.downcast_ref::<String>().cloned();
        let text = text.or_else(|| self.payload.downcast_ref::<&str>().map(ToString::to_string));
        text.unwrap_or_else(|| "a panic without a message".into())
    }

    /// The panic message with file and line, if known.
    pub(crate) fn message_and_place(&self) -> String {
        match &self.place.at {
            Some(at) => format!("{} ({at})", self.message()),
            None => self.message(),
        }
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Panic")
            .field("message", &self.message())
            .field("place", &self.place)
            .finish()
    }
}

thread_local! {
    /// How many calls of [`catch`] are active on this thread.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static LAST: RefCell<Place> = const { RefCell::new(Place { call: None, at: None }) };
}

/// As [`catch`], for `burnscape`: an error that [`fail`] was called with, or one made of the panic message with its
/// file and line.
#[doc(hidden)]
pub fn caught<T, E: 'static>(
    work: impl FnOnce() -> T,
    panicked: impl FnOnce(String) -> E,
    refused: impl FnOnce(LinearizeError) -> E,
) -> Result<T, E> {
    catch(work).map_err(|Panic { payload, place }| {
        let payload = match payload.downcast::<E>() {
            Ok(error) => return *error,
            Err(payload) => payload,
        };
        match payload.downcast::<LinearizeError>() {
            Ok(error) => refused(*error),
            Err(payload) => panicked(Panic { payload, place }.message_and_place()),
        }
    })
}

/// Leaves a closure that cannot return an error: inside of [`caught`] with the error as it is, elsewhere with a panic
/// that has its words.
#[doc(hidden)]
#[allow(
    clippy::panic,
    reason = "the caller is a closure of the user that returns a tensor, and nobody catches"
)]
pub fn fail<E: fmt::Display + Send + 'static>(error: E) -> ! {
    if DEPTH.with(Cell::get) > 0 {
        resume_unwind(Box::new(error));
    }
    panic!("{error}")
}

/// Runs `work` and returns a panic as an error, without printing it.
///
/// Values that `work` was changing when it panicked keep their intermediate state: callers must not use
/// them again unless they know that they are intact.
pub(crate) fn catch<T>(work: impl FnOnce() -> T) -> Result<T, Panic> {
    struct Inside;
    impl Drop for Inside {
        fn drop(&mut self) {
            DEPTH.with(|depth| depth.set(depth.get() - 1));
        }
    }
    install();
    DEPTH.with(|depth| depth.set(depth.get() + 1));
    let inside = Inside;
    let done = catch_unwind(AssertUnwindSafe(work));
    drop(inside);
    done.map_err(|payload| Panic {
        payload,
        place: LAST.take(),
    })
}

fn install() {
    static INSTALLED: Once = Once::new();
    // A panicking thread may not change the hook; the next call will.
    if std::thread::panicking() {
        return;
    }
    INSTALLED.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            if DEPTH.try_with(Cell::get).unwrap_or(0) == 0 {
                return previous(info);
            }
            let place = Place::of(info);
            let _ = LAST.try_with(|last| last.try_borrow_mut().map(|mut last| *last = place));
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_returned_with_its_words_and_line() {
        let line = line!() + 1;
        let panic = catch(|| panic!("the cat sat on the keyboard")).unwrap_err();
        assert_eq!(panic.message(), "the cat sat on the keyboard");
        let at = panic.place.at.clone().unwrap_or_default();
        assert!(at.ends_with(&format!("panics.rs:{line}")), "{at}");
        // The next one does not inherit it.
        assert_eq!(catch(|| 1).ok(), Some(1));
    }
}
