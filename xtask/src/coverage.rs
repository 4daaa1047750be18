//! The page that lists the differentiated operations and layers with their tests.

use std::fs;
use std::path::Path;

use crate::check::FEATURES;
use crate::invocation::Invocation;

const PAGE: &str = "crates/burnscape-linearize/coverage.md";

/// The test that generates the page from its cases and compares it with the file.
const TEST: &str = "--test modules -- --exact coverage::the_published_table_says_what_is_tested";

/// Writes and prints the page; with `only_check`, fails if the file differs.
pub(crate) fn run(root: &Path, only_check: bool) -> Result<(), String> {
    let test = Invocation::new(&format!("cargo test --quiet --workspace {FEATURES} {TEST}"));
    if only_check {
        return test.run(root);
    }
    test.with_env("BURNSCAPE_WRITE_COVERAGE", "1").run(root)?;
    let page = fs::read_to_string(root.join(PAGE));
    let page = page.map_err(|error| format!("cannot read {PAGE}: {error}"))?;
    println!("{page}");
    Ok(())
}
