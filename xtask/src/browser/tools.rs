//! The tools that a page needs, found or installed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::invocation::{Invocation, target_folder};

/// Names of the browser, by system.
const BROWSERS: &[&str] = &["chromium", "chromium-browser", "google-chrome", "chrome"];
/// The size of the window, and how long the page may take, in milliseconds.
const WINDOW: &str = "--window-size=1100,980";
const TIMEOUT: &str = "--timeout=120000";

/// Whether the standard library of a target is installed, or can be.
pub(super) fn has_target(root: &Path, target: &str) -> bool {
    let list = || {
        let installed = Command::new("rustup")
            .args(["target", "list", "--installed"])
            .current_dir(root)
            .output();
        installed.is_ok_and(|output| {
            let list = String::from_utf8_lossy(&output.stdout);
            list.lines().any(|line| line == target)
        })
    };
    list() || (Invocation::new(&format!("rustup target add {target}")).succeeds(root) && list())
}

/// `wasm-bindgen` of the version in the lock file: the one installed, or one that is built now.
pub(super) fn wasm_bindgen(root: &Path) -> Result<Invocation, String> {
    let lock = std::fs::read_to_string(root.join("Cargo.lock"));
    let lock = lock.map_err(|error| format!("cannot read Cargo.lock: {error}"))?;
    let version = version_in(&lock, "wasm-bindgen").ok_or("Cargo.lock has no wasm-bindgen")?;
    let is_version = |program: &Path| {
        let output = Command::new(program).arg("--version").output();
        output.is_ok_and(|output| {
            let text = String::from_utf8_lossy(&output.stdout);
            text.split_whitespace().any(|word| word == version)
        })
    };
    let tools = target_folder(root).join("tools");
    let own = tools.join("bin").join("wasm-bindgen");
    let known = [PathBuf::from("wasm-bindgen"), own.clone()];
    if let Some(program) = known.iter().find(|program| is_version(program)) {
        return Ok(Invocation::program(program));
    }
    Invocation::new("cargo install wasm-bindgen-cli --quiet --version")
        .with_argument(version)
        .with_argument("--root")
        .with_argument(&tools)
        .run(root)?;
    Ok(Invocation::program(&own))
}

/// The version of a package in a lock file.
fn version_in<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let mut lines = lock.lines();
    lines.find(|line| *line == format!("name = \"{package}\""))?;
    lines
        .next()?
        .strip_prefix("version = \"")?
        .strip_suffix('"')
}

/// The program of an installed Chromium.
pub(crate) fn chromium(root: &Path) -> Option<&'static str> {
    let is_there = |name: &&&str| Invocation::new(&format!("{name} --version")).succeeds(root);
    BROWSERS.iter().find(is_there).copied()
}

/// Opens a page without a window and takes a picture when it has loaded.
pub(super) fn open(browser: &str, url: &str, picture: &Path) -> std::io::Result<Child> {
    Command::new(browser)
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
        ])
        .args([WINDOW, TIMEOUT])
        .arg(format!("--screenshot={}", picture.display()))
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_package() {
        let lock = "[[package]]\nname = \"a-b\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"a\"\nversion = \"2.1.3\"\n";
        assert_eq!(version_in(lock, "a"), Some("2.1.3"));
        assert_eq!(version_in(lock, "b"), None);
    }
}
