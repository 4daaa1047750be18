//! The page that says which operations and layers are differentiated, and what tests them.

use std::fs;
use std::path::Path;

use crate::check::FEATURES;
use crate::invocation::Invocation;

const PAGE: &str = "crates/burnscape-linearize/coverage.md";

/// The test that makes the page from the cases it iterates over, and compares it with the one there.
const TEST: &str = "--test modules -- --exact coverage::the_published_table_says_what_is_tested";

/// Writes the page and prints it; with `only_check`, fails if the one there is another.
pub(crate) fn run(root: &Path, only_check: bool) -> Result<(), String> {
    let test = Invocation::new(&format!("cargo test --quiet --workspace {FEATURES} {TEST}"));
    if only_check {
        return test.run(root);
    }
    test.with_env("BURNSCAPE_WRITE_COVERAGE", "1").run(root)?;
    let page = fs::read_to_string(root.join(PAGE));
    let page = page.map_err(|error| format!("{PAGE} is not readable: {error}"))?;
    println!("{page}");
    Ok(())
}
