//! Folders and modules must have meaningful names.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::finding::Finding;

const EMPTY_NAMES: [&str; 6] = ["util", "utils", "helper", "helpers", "common", "misc"];

/// Folders, and files that are Rust modules.
pub(super) fn of_files(files: &[PathBuf]) -> Vec<Finding> {
    files
        .iter()
        .filter_map(|path| Some((path, empty_name(path)?)))
        .map(|(path, name)| finding(path, 1, name))
        .collect()
}

/// Declared modules, including inline ones.
pub(super) fn of_modules(path: &Path, text: &str) -> Vec<Finding> {
    (1..)
        .zip(text.lines())
        .filter_map(|(line, code)| Some((line, declared_module(code)?)))
        .filter(|(_, name)| EMPTY_NAMES.contains(name))
        .map(|(line, name)| finding(path, line, name))
        .collect()
}

fn finding(path: &Path, line: usize, name: &str) -> Finding {
    let message = format!("`{name}` is not descriptive; name it after its concept");
    Finding::new(path, line, message)
}

fn empty_name(path: &Path) -> Option<&str> {
    let folders = path.parent().into_iter().flat_map(Path::iter);
    let module = (path.extension() == Some(OsStr::new("rs"))).then(|| path.file_stem());
    folders
        .chain(module.flatten())
        .filter_map(OsStr::to_str)
        .find(|name| EMPTY_NAMES.contains(name))
}

/// `name` in `mod name;`, `pub(crate) mod name {` and the like.
fn declared_module(code: &str) -> Option<&str> {
    let mut words = code.split_whitespace();
    let first = words.next()?;
    let keyword = if first.starts_with("pub") {
        words.find(|word| !word.ends_with(')'))?
    } else {
        first
    };
    let name = words.next()?.trim_end_matches([';', '{']);
    (keyword == "mod").then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn num_files(path: &str) -> usize {
        of_files(&[PathBuf::from(path)]).len()
    }

    #[test]
    fn folders_and_modules_are_found_by_name() {
        assert_eq!(num_files("crates/burnscape/src/utils.rs"), 1);
        assert_eq!(num_files("crates/burnscape/tests/common/mod.rs"), 1);
        assert_eq!(num_files("golden/misc/case.json"), 1);
        assert_eq!(num_files("crates/burnscape/src/space/walk.rs"), 0);
        assert_eq!(num_files("docs/common.md"), 0);
    }

    #[test]
    fn declarations_are_found_with_their_line() {
        let text =
            "//! mod utils;\nmod walk;\npub(crate) mod helpers;\npub(in crate::a) mod misc {\n}";
        let lines: Vec<usize> = of_modules(Path::new("a.rs"), text)
            .iter()
            .map(Finding::line)
            .collect();
        assert_eq!(lines, [3, 4]);
    }
}
