//! Where results are written. What can be refused is refused before minutes are spent.

use std::error::Error;
use std::fs;
use std::path::Path;

use super::arguments::Arguments;

/// Refuses paths that cannot be written, and makes the directory of the page.
pub(crate) fn check(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    if let Some(path) = &arguments.json {
        check_file(path)?;
    }
    for directory in [&arguments.out, &arguments.figures].into_iter().flatten() {
        check_directory(directory)?;
    }
    if let Some(path) = arguments.report_path() {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(|error| {
                format!(
                    "cannot make the directory {}: {error}; name another file with --report",
                    directory.display()
                )
            })?;
        }
        check_file(path)?;
    }
    Ok(())
}

fn check_directory(path: &Path) -> Result<(), Box<dyn Error>> {
    if path.is_dir() {
        return Ok(());
    }
    Err(format!("there is no directory {}; create it first", path.display()).into())
}

fn check_file(path: &Path) -> Result<(), Box<dyn Error>> {
    if path.is_dir() {
        return Err(format!("{} is a directory; name a file in it", path.display()).into());
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => check_directory(parent),
        _ => Ok(()),
    }
}
