//! The pictures of `docs/images`, which are drawn from the data beside them.
//!
//! A test of burnscape-plot draws them, so that this program needs none of the crates that it checks, and kuva is compiled
//! once.

use std::path::Path;

use crate::check::FEATURES;
use crate::invocation::Invocation;
use crate::step::{Step, Work};

const TEST: &str =
    "--test figures -- --exact committed::pictures_are_what_their_data_draw --nocapture";

/// Draws `NAME.svg` and `NAME-dark.svg` for every `NAME.json`; with `only_check`, fails if any of them differs.
pub(crate) fn run(root: &Path, only_check: bool) -> Result<(), String> {
    let test = test();
    if only_check {
        test.run(root)
    } else {
        test.with_env("BURNSCAPE_WRITE_FIGURES", "1").run(root)
    }
}

pub(crate) fn step() -> Step {
    Step {
        name: "figures",
        about: "pictures of the documentation are what their data draw",
        work: Work::Run(vec![test()]),
    }
}

/// All packages, so that their features are those of the other steps.
fn test() -> Invocation {
    Invocation::new(&format!("cargo test --quiet --workspace {FEATURES} {TEST}"))
}
