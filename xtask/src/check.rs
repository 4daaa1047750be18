//! The steps of `cargo xtask check`, cheapest first.

use std::path::Path;

use crate::invocation::Invocation;
use crate::step::{Step, Work};
use crate::{examples, figures, golden, rules, studies, surface};

/// The features to compile: Burn's Learner, the progress line, a second backend, and remote devices.
///
/// All steps use the same features, so that they share build artifacts.
pub(crate) const FEATURES: &str = "--features burnscape/train,burnscape/progress,burnscape/ndarray,burnscape/files,burnscape/report,burnscape/remote,burnscape-linearize/ndarray";

pub(crate) fn steps() -> Vec<Step> {
    vec![
        Step {
            name: "rules",
            about: "house rules: visitors, file length, names, decisions, examples, package contents, burn-next's patch",
            work: Work::Inspect(rules::check),
        },
        golden::step(),
        surface::step(),
        studies::step(),
        Step {
            name: "fmt",
            about: "formatting",
            work: cargo("fmt --all --check"),
        },
        Step {
            name: "typos",
            about: "spelling, if `typos` is installed",
            work: Work::IfInstalled {
                probe: Invocation::new("typos --version"),
                command: Invocation::new("typos"),
            },
        },
        Step {
            name: "deny",
            about: "licenses and sources of dependencies, if `cargo-deny` is installed",
            work: Work::IfInstalled {
                probe: Invocation::new("cargo deny --version"),
                // `check advisories` would download a database.
                command: Invocation::new("cargo deny check bans licenses sources"),
            },
        },
        Step {
            name: "clippy",
            about: "lints of all targets; warnings are errors",
            work: cargo(&format!(
                "clippy --workspace --all-targets {FEATURES} -- -D warnings"
            )),
        },
        Step {
            name: "doc",
            about: "documentation; warnings are errors",
            work: Work::Run(vec![
                Invocation::new(&format!("cargo doc --workspace --no-deps {FEATURES}"))
                    .with_env("RUSTDOCFLAGS", "-D warnings"),
            ]),
        },
        figures::step(),
        Step {
            name: "tests",
            about: "unit and integration tests, including `coverage --check`",
            work: test_runner(),
        },
        Step {
            name: "doctests",
            about: "examples in the documentation",
            work: cargo(&format!("test --workspace --doc {FEATURES}")),
        },
        Step {
            name: "examples",
            about: "every example at a tiny size",
            work: Work::Run(examples::invocations()),
        },
    ]
}

fn cargo(arguments: &str) -> Work {
    Work::Run(vec![Invocation::new(&format!("cargo {arguments}"))])
}

/// Uses `cargo nextest` if it is installed, which runs the same tests in parallel across binaries.
fn test_runner() -> Work {
    let nextest = Invocation::new("cargo nextest --version");
    if nextest.succeeds(Path::new(".")) {
        cargo(&format!("nextest run --workspace {FEATURES}"))
    } else {
        cargo(&format!("test --workspace --lib --bins --tests {FEATURES}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_have_names_of_their_own() {
        let steps = steps();
        for (position, step) in steps.iter().enumerate() {
            assert!(
                steps[..position]
                    .iter()
                    .all(|other| other.name != step.name),
                "{}",
                step.name
            );
        }
    }
}
