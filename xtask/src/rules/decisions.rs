//! Decision records are numbered 0001, 0002, …, and their titles start with the number.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::finding::Finding;
use crate::tree::has_extension;

pub(super) fn check(root: &Path, files: &[PathBuf]) -> io::Result<Vec<Finding>> {
    let folder = Path::new("docs/adr");
    let mut decisions = Vec::new();
    for path in files.iter().filter(|path| path.parent() == Some(folder)) {
        let name = path.file_name().and_then(|name| name.to_str());
        if has_extension(path, "md") && name != Some("README.md") {
            decisions.push((path.clone(), fs::read_to_string(root.join(path))?));
        }
    }
    Ok(numbered(&decisions))
}

/// `decisions` holds paths and texts, sorted by path.
fn numbered(decisions: &[(PathBuf, String)]) -> Vec<Finding> {
    (1..)
        .zip(decisions)
        .flat_map(|(number, (path, text)): (usize, _)| {
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            let is_next = stem.is_some_and(|stem| stem.starts_with(&format!("{number:04}-")));
            let is_titled = text.starts_with(&format!("# {number:04} "));
            let name = format!("start the file name with `{number:04}-`: numbers have no gaps");
            let title = format!("start the first line with `# {number:04} `");
            [(is_next, name), (is_titled, title)]
                .into_iter()
                .filter(|(holds, _)| !holds)
                .map(|(_, message)| Finding::new(path, 1, message))
                .collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn num_findings(files: &[(&str, &str)]) -> usize {
        let files: Vec<(PathBuf, String)> = files
            .iter()
            .map(|(path, text)| (PathBuf::from(path), (*text).to_string()))
            .collect();
        numbered(&files).len()
    }

    #[test]
    fn numbers_run_without_gaps() {
        let first = ("docs/adr/0001-crates.md", "# 0001 Crates\n");
        assert_eq!(num_findings(&[first]), 0);
        assert_eq!(
            num_findings(&[first, ("docs/adr/0002-init.md", "# 0002 Init\n")]),
            0
        );
        // A gap shows in the name and in the title.
        assert_eq!(
            num_findings(&[first, ("docs/adr/0003-init.md", "# 0003 Init\n")]),
            2
        );
    }

    #[test]
    fn the_title_repeats_the_number() {
        assert_eq!(
            num_findings(&[("docs/adr/0001-crates.md", "# Crates\n")]),
            1
        );
    }
}
