//! Panics of closures and kernels as values, with the place where they happened.
//!
//! Burn panics where a closure does what cannot be recorded. What it says becomes an error, so it must
//! not stand on standard error as well. One panic hook is installed, once, on top of the one that was
//! there; it is silent only on threads that are inside [`caught`], and passes everything else on.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;

/// A panic that was caught.
pub struct Panic {
    pub(crate) payload: Box<dyn Any + Send>,
    pub(crate) place: Place,
}

/// The place in a closure that a [`LinearizeError`](crate::LinearizeError) is about.
///
/// It is read off a backtrace: both parts are missing where function names were stripped, and the line
/// is missing in builds without debug information.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The function of Burn that the closure called, `into_scalar` for instance.
    pub call: Option<String>,
    /// File and line of that call, or of the panic itself.
    pub at: Option<String>,
}

/// ` by `into_scalar` (src/main.rs:12)`, or nothing where nothing is known.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(call) = &self.call {
            write!(f, " by `{call}`")?;
        }
        match &self.at {
            Some(at) => write!(f, " ({at})"),
            None => Ok(()),
        }
    }
}

impl Panic {
    /// What the panic said.
    pub fn message(&self) -> String {
        let text = self.payload.downcast_ref::<String>().cloned();
        let text = text.or_else(|| self.payload.downcast_ref::<&str>().map(ToString::to_string));
        text.unwrap_or_else(|| "a panic without a message".into())
    }

    /// The same with file and line, where they are known.
    pub fn message_and_place(&self) -> String {
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
    /// How many calls of [`caught`] this thread is in.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static LAST: RefCell<Place> = const { RefCell::new(Place { call: None, at: None }) };
}

/// Runs `work`; a panic in it prints nothing and is returned.
///
/// Values that `work` was changing when it panicked are left as they are then: whoever calls this
/// does not use them again, or knows that they are whole.
#[doc(hidden)]
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Panic> {
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
    // A thread that is panicking may not change the hook; the next call will.
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

impl Place {
    fn of(info: &PanicHookInfo<'_>) -> Self {
        let trace = Backtrace::force_capture().to_string();
        let mut place = Self::in_trace(&trace);
        if place.at.is_none() && place.call.is_none() {
            place.at = info
                .location()
                .map(|at| format!("{}:{}", at.file(), at.line()));
        }
        place
    }

    /// The innermost call into Burn from code that is neither Burn's nor ours.
    ///
    /// A backtrace as the standard library prints it: a line `  12: path::of::function` for each
    /// frame, and below it, if there is debug information, `at file:line:column`.
    fn in_trace(trace: &str) -> Self {
        let mut called = None;
        let mut lines = trace.lines().map(str::trim).peekable();
        while let Some(line) = lines.next() {
            let Some((number, name)) = line.split_once(": ") else {
                continue;
            };
            if number.parse::<usize>().is_err() {
                continue;
            }
            let at = lines.next_if(|next| next.starts_with("at "));
            let at = at.map(|at| at.trim_start_matches("at "));
            match owner(name, at) {
                Owner::Runtime => (),
                Owner::Burn => called = Some(last_segment(name)),
                Owner::Burnscape if called.is_none() => (),
                // Burn was called by the engine itself, or nothing of Burn was on the way.
                Owner::Burnscape => return Self::default(),
                Owner::User => {
                    let at = at.map(|at| at.rsplit_once(':').map_or(at, |(line, _)| line));
                    return match called {
                        Some(_) => Self {
                            call: called,
                            at: at.map(str::to_string),
                        },
                        // The closure's own panic: the hook knows its place better.
                        None => Self::default(),
                    };
                }
            }
        }
        Self::default()
    }
}

enum Owner {
    /// The standard library and the panic machinery.
    Runtime,
    Burn,
    Burnscape,
    User,
}

/// Who wrote a frame's function: by its path, or by its file where the compiler inlined it and names
/// it without one.
fn owner(name: &str, at: Option<&str>) -> Owner {
    let path = name.trim_start_matches(['<', '&', ' ']);
    let path = path.trim_start_matches("dyn ");
    let generic = path.find('<').unwrap_or(path.len());
    if !path[..generic].contains("::") {
        return match at {
            Some(at) if at.starts_with("/rustc/") => Owner::Runtime,
            Some(at) if at.contains("/burnscape") => Owner::Burnscape,
            Some(at) if at.contains("/burn-") => Owner::Burn,
            _ if path.starts_with("rust_") || path.starts_with("__rust") => Owner::Runtime,
            _ => Owner::User,
        };
    }
    let is_of = |crates: &[&str]| {
        crates.iter().any(|name| {
            path.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with("::") || rest.starts_with('['))
        })
    };
    let runtime = [
        "core",
        "std",
        "alloc",
        "hashbrown",
        "spin",
        "rayon",
        "rayon_core",
        "__rustc",
    ];
    if is_of(&runtime) {
        Owner::Runtime
    } else if is_of(&["burnscape", "burnscape_linearize"]) {
        Owner::Burnscape
    } else if is_of(&["burn"]) || path.starts_with("burn_") {
        Owner::Burn
    } else {
        Owner::User
    }
}

/// `into_scalar` of `burn_tensor::…::Tensor<_,_>::into_scalar::<f32>`, also of a closure within it.
fn last_segment(name: &str) -> String {
    let plain = name.split("::{{closure}}").next().unwrap_or(name);
    let mut depth = 0_usize;
    // What stands between angle brackets is not part of the path.
    let path: String = plain
        .chars()
        .filter(|character| match character {
            '<' => {
                depth += 1;
                false
            }
            '>' => {
                depth = depth.saturating_sub(1);
                false
            }
            _ => depth == 0,
        })
        .collect();
    let segments = path.split("::").filter(|segment| !segment.is_empty());
    segments.last().unwrap_or(plain).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_into_burn_is_named_with_the_line_that_calls_it() {
        let trace = "\
   0: std::backtrace::Backtrace::force_capture
   1: burnscape_linearize::panics::Place::of
   2: core::panicking::panic_fmt
   3: core::result::Result<T,E>::expect
             at /rustc/abc/library/core/src/result.rs:100:5
   4: burn_backend::tensor::read_sync
   5: burn_tensor::tensor::api::base::Tensor<_,K>::into_data
             at /registry/burn-tensor/src/base.rs:900:14
   6: burn_tensor::tensor::api::numeric::<impl burn_tensor::tensor::api::base::Tensor<_,K>>::into_scalar
   7: my_model::main::{{closure}}
             at src/main.rs:12:34
   8: core::ops::function::FnOnce::call_once
   9: burnscape_linearize::trace::trace_gradient";
        let place = Place::in_trace(trace);
        assert_eq!(place.call.as_deref(), Some("into_scalar"));
        assert_eq!(place.at.as_deref(), Some("src/main.rs:12"));
    }

    #[test]
    fn functions_that_were_inlined_are_known_by_their_files() {
        let trace = "\
   0: burnscape_linearize::panics::Place::of
   1: expect<i32, ()>
             at /rustc/abc/library/core/src/result.rs:1185:23
   2: into_scalar<1, burn_tensor::bridge::kind::Bool, bool>
             at /registry/burn-tensor-0.22.1/src/base.rs:3032:37
   3: forward<2>
             at /registry/burn-nn-0.22.1/src/loss/poisson.rs:135:25
   4: {closure#0}<burn_tensor::Tensor>
             at src/main.rs:12:34
   5: burnscape_linearize::trace::trace_gradient";
        let place = Place::in_trace(trace);
        assert_eq!(place.call.as_deref(), Some("forward"));
        assert_eq!(place.at.as_deref(), Some("src/main.rs:12"));
    }

    #[test]
    fn a_panic_of_the_engine_has_no_call() {
        let trace = "\
   2: core::panicking::panic_fmt
   3: burn_capture::capture::get
   4: burnscape_linearize::trace::trace_gradient
   5: my_model::main";
        assert_eq!(Place::in_trace(trace), Place::default());
    }

    #[test]
    fn a_text_that_is_no_backtrace_has_no_place() {
        assert_eq!(Place::in_trace("disabled backtrace"), Place::default());
    }

    #[test]
    fn a_panic_is_returned_with_its_words_and_line() {
        let line = line!() + 1;
        let panic = caught(|| panic!("the cat sat on the keyboard")).unwrap_err();
        assert_eq!(panic.message(), "the cat sat on the keyboard");
        let at = panic.place.at.clone().unwrap_or_default();
        assert!(at.ends_with(&format!("panics.rs:{line}")), "{at}");
        // The next one does not inherit it.
        assert_eq!(caught(|| 1).ok(), Some(1));
    }
}
