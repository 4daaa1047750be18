//! A new project that depends on the packages, as a user would start one, beside a program in Burn alone.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Instant;

use super::archive::Package;
use super::workspace::patch;
use crate::invocation::Invocation;
use crate::tree::cannot;

/// The features that the project runs with.
const FEATURES: &[&str] = &["flex", "train"];

/// Creates both projects in `folder`, and runs the first program of the README. Prints how many crates each compiles, and
/// how long its first build takes.
pub(crate) fn run(root: &Path, folder: &Path, packages: &[Package]) -> Result<(), String> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|error| cannot("remove", folder, &error))?;
    }
    let readme = root.join("README.md");
    let text = fs::read_to_string(&readme).map_err(|error| cannot("read", &readme, &error))?;
    let program = first_program(&text).ok_or("README.md has no program in Rust")?;

    let plain = folder.join("burn-alone");
    write(root, &plain, &manifest("burn-alone", "", ""), PLAIN)?;
    build(&plain, "flex")?;

    let ours = folder.join("with-burnscape");
    let dependency = "burnscape = { version = \"0.1\", default-features = false }\n";
    let manifest = manifest("with-burnscape", dependency, &patch(packages));
    write(root, &ours, &manifest, program)?;
    for features in FEATURES {
        build(&ours, features)?;
        Invocation::new(&format!("cargo run --quiet --features {features}")).run(&ours)?;
    }
    Ok(())
}

/// Builds a project and prints the number of its crates and the time.
fn build(project: &Path, features: &str) -> Result<(), String> {
    let tree = format!("cargo tree --edges normal,build --prefix none --features {features}");
    let tree = Invocation::new(&tree).output(project)?;
    let names: BTreeSet<&str> = tree
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .collect();
    let start = Instant::now();
    Invocation::new(&format!("cargo build --quiet --features {features}")).run(project)?;
    println!(
        "{} with `{features}`: {} crates, built in {:.0} s",
        project.file_name().unwrap_or_default().to_string_lossy(),
        names.len(),
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// The empty workspace keeps cargo from looking for one above.
fn manifest(name: &str, dependency: &str, patch: &str) -> String {
    let ours = |feature: &str| {
        if dependency.is_empty() {
            String::new()
        } else {
            format!("\"burnscape/{feature}\"")
        }
    };
    let (flex, train) = (ours("flex"), ours("train"));
    format!(
        r#"[package]
name = "{name}"
version = "0.1.0"
edition = "2024"

[workspace]

[features]
flex = ["burn/flex", {flex}]
train = ["flex", {train}]

[dependencies]
burn = {{ version = "0.22.1", default-features = false, features = ["std", "optim", "autodiff"] }}
{dependency}
{patch}"#
    )
}

/// A training loop in Burn.
const PLAIN: &str = r#"use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Device, Tensor};

fn main() {
    let device = Device::default().autodiff();
    let mut model: Linear = LinearConfig::new(1, 1).init(&device);
    let mut optimizer = SgdConfig::new().init();
    let x = Tensor::<2>::ones([4, 1], &device);
    let gradients = model.forward(x).square().mean().backward();
    let gradients = GradientsParams::from_grads(gradients, &model);
    model = optimizer.step(0.1, model, gradients);
    println!("{model}");
}
"#;

fn write(root: &Path, project: &Path, manifest: &str, program: &str) -> Result<(), String> {
    let source = project.join("src");
    fs::create_dir_all(&source).map_err(|error| cannot("create", &source, &error))?;
    for (path, text) in [
        (project.join("Cargo.toml"), manifest),
        (source.join("main.rs"), program),
    ] {
        fs::write(&path, text).map_err(|error| cannot("write", &path, &error))?;
    }
    // The versions that were tested.
    let lock = project.join("Cargo.lock");
    fs::copy(root.join("Cargo.lock"), &lock).map_err(|error| cannot("write", &lock, &error))?;
    Ok(())
}

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
