//! Sweeps: tests over many seeds that take too long for CI, which runs a fixed part of each.
//!
//! A sweep is an ignored test that prints a table. An ordinary test runs the same function with fewer seeds. The seeds
//! are fixed.

use std::path::Path;

use crate::invocation::Invocation;

/// One sweep, as `cargo test` finds it.
struct Sweep {
    name: &'static str,
    about: &'static str,
    /// The targets that contain a test named `sweep_NAME`, for instance one binary per element type.
    targets: &'static [&'static str],
}

const SWEEPS: &[Sweep] = &[
    Sweep {
        name: "ends",
        about: "far ends of spectra: every eigenvalue method, outliers at the other end",
        targets: &["--test krylov"],
    },
    Sweep {
        name: "zeros",
        about: "random programs with exact zeros through products and cumulative products",
        targets: &["--test double"],
    },
    Sweep {
        name: "fields",
        about: "random programs, differentiated twice by the input and once by the parameters",
        targets: &["--test double"],
    },
    Sweep {
        name: "device_faults",
        about: "Lanczos runs over remote devices: lines cut at 100 places, messages lost, silence",
        targets: &["--features ndarray,remote --test remote"],
    },
    Sweep {
        name: "functions",
        about: "vectorized functions: every single-precision number, ten million of double precision",
        targets: &["--lib"],
    },
    Sweep {
        name: "fisher",
        about: "exact Fisher against Gauss-Newton at margins 0 to 80",
        targets: &["--test f32", "--test f64"],
    },
    Sweep {
        name: "minima",
        about: "Hessians and reports at minima; detection of detached tensors there",
        targets: &["--test f32", "--test f64"],
    },
    Sweep {
        name: "scales",
        about: "losses times powers of two: products, spectra, solvers, verdicts, SAM",
        targets: &["--test f32", "--test f64"],
    },
    Sweep {
        name: "symmetry",
        about: "random programs: every group that is found leaves the outputs",
        targets: &["--test f64"],
    },
    Sweep {
        name: "barriers",
        about: "networks on digits: barriers before and after alignment and repair",
        targets: &["--test stream"],
    },
    Sweep {
        name: "multi_matching",
        about: "many models aligned at once: how often each start is the best",
        targets: &["--test f64"],
    },
    Sweep {
        name: "intervals",
        about: "the coverage of 95 % confidence intervals",
        targets: &["--test f64"],
    },
    Sweep {
        name: "noise",
        about: "the coverage of 95 % intervals of gradient noise and of tail indices",
        targets: &["--test f64"],
    },
    Sweep {
        name: "coefficient",
        about: "the coverage of 95 % intervals of learning coefficients, and Langevin steps that are too long",
        targets: &["--test f64"],
    },
];

/// Runs the named sweep in release mode, or lists all sweeps.
pub(crate) fn run(root: &Path, name: Option<&str>) -> Result<(), String> {
    let Some(name) = name else {
        for sweep in SWEEPS {
            println!("{:<14} {}", sweep.name, sweep.about);
        }
        return Ok(());
    };
    let found = SWEEPS.iter().find(|sweep| sweep.name == name);
    let sweep = found.ok_or_else(|| {
        let known: Vec<&str> = SWEEPS.iter().map(|sweep| sweep.name).collect();
        format!("unknown sweep `{name}`; choose from {}", known.join(", "))
    })?;
    for invocation in invocations(sweep) {
        println!("$ {invocation}");
        invocation.run(root)?;
    }
    Ok(())
}

/// Builds the whole workspace: a single package would use other features of Burn and rebuild it.
fn invocations(sweep: &Sweep) -> Vec<Invocation> {
    let name = sweep.name;
    let line = |target: &&str| {
        Invocation::new(&format!(
            "cargo test --release --workspace {target} -- --ignored --nocapture sweep_{name}"
        ))
    };
    sweep.targets.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_sweep_is_an_error_that_lists_the_known_ones() {
        let error = run(Path::new("."), Some("everything")).unwrap_err();
        assert!(error.contains("`everything`") && error.contains("ends, zeros"));
    }

    #[test]
    fn a_sweep_runs_its_ignored_tests_in_release() {
        let lines: Vec<String> = invocations(&SWEEPS[0])
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            lines,
            ["cargo test --release --workspace --test krylov -- --ignored --nocapture sweep_ends"]
        );
    }
}
