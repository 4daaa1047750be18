//! The page that trains in the browser: built, served and tested.

mod numbers;
mod server;
mod tools;

pub(crate) use tools::chromium;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::invocation::{Invocation, target_folder};
use crate::tree::cannot;

/// What to do with the page once it is built.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Purpose {
    /// Write it to `target/browser-page`.
    Build,
    /// Serve it until the program is interrupted.
    Serve,
    /// Open it in a headless browser and compare its numbers with those of a native run.
    Test,
}

const SOURCE: &str = "examples/browser";
const TARGET: &str = "wasm32-unknown-unknown";
const CHECK: &str = "cargo check --package burnscape-browser --lib --target";
const BUILD: &str = "cargo build --package burnscape-browser --lib --profile browser --target";

/// Builds the page and serves or tests it. A test without the wasm target is skipped.
pub(crate) fn run(root: &Path, purpose: Purpose) -> Result<(), String> {
    if !tools::has_target(root, TARGET) {
        let missing = format!("no wasm32 target (`rustup target add {TARGET}`)");
        if purpose != Purpose::Test {
            return Err(missing);
        }
        println!("skipped: {missing}");
        return Ok(());
    }
    match purpose {
        Purpose::Build => build(root).map(drop),
        Purpose::Serve => server::serve(&build(root)?),
        Purpose::Test => test(root),
    }
}

/// The folder of the page.
fn build(root: &Path) -> Result<PathBuf, String> {
    let start = Instant::now();
    Invocation::new(&format!("{BUILD} {TARGET}")).run(root)?;
    let page = target_folder(root).join("browser-page");
    fs::create_dir_all(&page).map_err(|error| cannot("create", &page, &error))?;
    let module = target_folder(root)
        .join(TARGET)
        .join("browser")
        .join("burnscape_browser.wasm");
    tools::wasm_bindgen(root)?
        .with_argument("--target")
        .with_argument("web")
        .with_argument("--no-typescript")
        .with_argument("--remove-name-section")
        .with_argument("--out-dir")
        .with_argument(&page)
        .with_argument(&module)
        .run(root)?;
    let files = root.join(SOURCE).join("page");
    for file in fs::read_dir(&files).map_err(|error| cannot("read", &files, &error))? {
        let file = file.map_err(|error| cannot("read", &files, &error))?;
        let copied = fs::copy(file.path(), page.join(file.file_name()));
        copied.map_err(|error| cannot("copy", &file.path(), &error))?;
    }
    let wasm = page.join("burnscape_browser_bg.wasm");
    let size = fs::metadata(&wasm).map_err(|error| cannot("read", &wasm, &error))?;
    println!(
        "{} (wasm: {} bytes; built in {:.0} s)",
        page.display(),
        size.len(),
        start.elapsed().as_secs_f64()
    );
    Ok(page)
}

/// Without a browser, the page is compiled only.
fn test(root: &Path) -> Result<(), String> {
    let Some(browser) = tools::chromium(root) else {
        println!("skipped: no Chromium; the page is compiled only");
        return Invocation::new(&format!("{CHECK} {TARGET}")).run(root);
    };
    let page = build(root)?;
    let picture = target_folder(root).join("browser.png");
    let found = server::report_of(&page, |url| tools::open(browser, url, &picture))?;
    let reference = root.join(SOURCE).join("reference.json");
    let expected = fs::read_to_string(&reference);
    let expected = expected.map_err(|error| cannot("read", &reference, &error))?;
    numbers::compare(&found, &expected)?;
    println!("{}", picture.display());
    Ok(())
}
