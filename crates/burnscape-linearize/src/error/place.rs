//! The place in a user's closure that an error refers to, read from a backtrace.

use std::backtrace::Backtrace;
use std::fmt;
use std::panic::PanicHookInfo;

/// The place in a closure that a [`LinearizeError`](crate::LinearizeError) refers to.
///
/// It is read from a backtrace: both fields are missing if function names were stripped, and the line
/// is missing in builds without debug information.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The Burn function that the closure called, for instance `into_scalar`.
    pub call: Option<String>,
    /// File and line of that call, or of the panic itself.
    pub at: Option<String>,
}

/// `" by `into_scalar` (src/main.rs:12)"`, or nothing if neither is known.
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

impl Place {
    pub(super) fn of(info: &PanicHookInfo<'_>) -> Self {
        let trace = Backtrace::force_capture().to_string();
        let mut place = Self::in_trace(&trace);
        if place.at.is_none() && place.call.is_none() {
            place.at = info
                .location()
                .map(|at| format!("{}:{}", at.file(), at.line()));
        }
        place
    }

    /// The innermost call into Burn from code that belongs neither to Burn nor to this workspace.
    ///
    /// Parses a backtrace as printed by the standard library: one line `  12: path::of::function` per
    /// frame, followed by `at file:line:column` if there is debug information.
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
                // This crate called Burn itself, or Burn was not involved.
                Owner::Burnscape => return Self::default(),
                Owner::User => {
                    let at = at.map(|at| at.rsplit_once(':').map_or(at, |(line, _)| line));
                    return match called {
                        Some(_) => Self {
                            call: called,
                            at: at.map(str::to_string),
                        },
                        // The closure itself panicked: the hook knows that place more precisely.
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

/// Whose code a frame belongs to: judged by its path, or by its file for inlined functions, which the
/// compiler names without a path.
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

/// `into_scalar` for `burn_tensor::…::Tensor<_,_>::into_scalar::<f32>` and for closures inside it.
fn last_segment(name: &str) -> String {
    let plain = name.split("::{{closure}}").next().unwrap_or(name);
    let mut depth = 0_usize;
    // Text between angle brackets is not part of the path.
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
   9: burnscape_linearize::trace::gradient::GradientTrace::new";
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
   5: burnscape_linearize::trace::gradient::GradientTrace::new";
        let place = Place::in_trace(trace);
        assert_eq!(place.call.as_deref(), Some("forward"));
        assert_eq!(place.at.as_deref(), Some("src/main.rs:12"));
    }

    #[test]
    fn a_panic_of_the_engine_has_no_call() {
        let trace = "\
   2: core::panicking::panic_fmt
   3: burn_capture::capture::get
   4: burnscape_linearize::trace::gradient::GradientTrace::new
   5: my_model::main";
        assert_eq!(Place::in_trace(trace), Place::default());
    }

    #[test]
    fn a_text_that_is_no_backtrace_has_no_place() {
        assert_eq!(Place::in_trace("disabled backtrace"), Place::default());
    }
}
