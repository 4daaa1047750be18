//! A new project that depends on the packages, as a user would start one.

use std::fs;
use std::path::Path;

use super::archive::{Package, cannot};
use super::workspace::patch;
use crate::invocation::Invocation;

/// The features that the project is run with.
const FEATURES: &[&str] = &["flex", "train"];
/// Only procedural macros and a tiny model run.
const RUN: &str = "cargo run --quiet --config profile.dev.package.\"*\".opt-level=0 --features";

/// Creates the project in `folder` and runs the first program of the README.
pub(super) fn run(root: &Path, folder: &Path, packages: &[Package]) -> Result<(), String> {
    let readme = root.join("README.md");
    let text = fs::read_to_string(&readme).map_err(|error| cannot("read", &readme, &error))?;
    let program = first_program(&text).ok_or("README.md has no program in Rust")?;
    let source = folder.join("src");
    fs::create_dir_all(&source).map_err(|error| cannot("create", &source, &error))?;
    let manifest = format!("{MANIFEST}\n{}", patch(packages));
    for (path, text) in [
        (folder.join("Cargo.toml"), manifest.as_str()),
        (source.join("main.rs"), program),
    ] {
        fs::write(&path, text).map_err(|error| cannot("write", &path, &error))?;
    }
    let lock = folder.join("Cargo.lock");
    fs::copy(root.join("Cargo.lock"), &lock).map_err(|error| cannot("write", &lock, &error))?;
    for features in FEATURES {
        println!("== with `{features}`");
        Invocation::new(&format!("{RUN} {features}")).run(folder)?;
    }
    Ok(())
}

/// As README's "Installation" has it. The empty workspace keeps cargo from looking for one above.
const MANIFEST: &str = r#"[package]
name = "new-project"
version = "0.1.0"
edition = "2024"

[workspace]

[features]
flex = ["burnscape/flex"]
train = ["flex", "burnscape/train"]

[dependencies]
burn = { version = "0.22.1", default-features = false, features = ["std", "optim", "autodiff"] }
burnscape = { version = "0.1", default-features = false }
"#;

/// The first block of Rust with a `main` function.
fn first_program(markdown: &str) -> Option<&str> {
    let blocks = markdown.split("```rust\n").skip(1);
    let mut programs = blocks.filter_map(|rest| rest.split("```").next());
    programs.find(|program| program.contains("fn main"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_program_has_a_main_function() {
        let text = "```rust\nlet x = 1;\n```\ntext\n```rust\nfn main() {}\n```\n";
        assert_eq!(first_program(text), Some("fn main() {}\n"));
        assert_eq!(first_program("fn main() {}"), None);
    }
}
