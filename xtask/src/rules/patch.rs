//! The patch of `cargo xtask burn-next` applies: the lines that a hunk replaces, and those around them, are in its file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::burn_next::PATCH;
use crate::finding::Finding;

/// A place that the patch changes.
struct Hunk<'a> {
    path: &'a Path,
    /// The line of the patch where it begins.
    line: usize,
    /// What is in the file now.
    old: Vec<&'a str>,
}

pub(super) fn check(root: &Path, files: &[PathBuf]) -> io::Result<Vec<Finding>> {
    let name = Path::new(PATCH);
    if files.iter().all(|path| path != name) {
        return Ok(Vec::new());
    }
    let patch = fs::read_to_string(root.join(name))?;
    Ok(findings(&patch, |path| {
        fs::read_to_string(root.join(path)).ok()
    }))
}

/// `read` returns the content of a file, or `None` if the file does not exist.
fn findings(patch: &str, read: impl Fn(&Path) -> Option<String>) -> Vec<Finding> {
    let applies = |hunk: &Hunk<'_>| {
        let text = read(hunk.path).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        // A new file has no lines yet.
        hunk.old.is_empty() || lines.windows(hunk.old.len()).any(|lines| lines == hunk.old)
    };
    let stale = hunks(patch).into_iter().filter(|hunk| !applies(hunk));
    stale
        .map(|hunk| {
            let path = hunk.path.display();
            let message = format!(
                "does not apply to {path} any more; write the hunk anew, as docs/burn-next.md says"
            );
            Finding::new(Path::new(PATCH), hunk.line, message)
        })
        .collect()
}

fn hunks(patch: &str) -> Vec<Hunk<'_>> {
    let mut hunks: Vec<Hunk<'_>> = Vec::new();
    let mut path = Path::new("");
    // A removed line may look like a line of the header.
    let mut is_header = true;
    for (line, text) in (1..).zip(patch.lines()) {
        if text.starts_with("diff ") {
            is_header = true;
        } else if text.starts_with("@@ ") {
            is_header = false;
            let old = Vec::new();
            hunks.push(Hunk { path, line, old });
        } else if is_header {
            path = text.strip_prefix("--- a/").map_or(path, Path::new);
        } else if let (Some(hunk), Some(old)) = (hunks.last_mut(), text.strip_prefix([' ', '-'])) {
            hunk.old.push(old);
        }
    }
    hunks
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "\
diff --git a/a.md b/a.md
--- a/a.md
+++ b/a.md
@@ -1,3 +1,3 @@
 one
--- a/two
+2
 three
@@ -7,2 +7,3 @@
 seven
+seven and a half
 eight
diff --git a/b/c.md b/b/c.md
--- a/b/c.md
+++ b/b/c.md
@@ -1 +1 @@
-old
+new
";
    const A: &str = "one\n-- a/two\nthree\nfour\nseven\neight\n";

    /// The lines of the findings in the patch, for these files.
    fn lines(files: &[(&str, &str)]) -> Vec<usize> {
        let read = |path: &Path| {
            let file = files.iter().find(|(name, _)| Path::new(name) == path);
            file.map(|(_, text)| (*text).to_string())
        };
        let findings = findings(SAMPLE, read);
        findings.iter().map(Finding::line).collect()
    }

    #[test]
    fn hunks_may_have_moved() {
        assert!(lines(&[("a.md", A), ("b/c.md", "old\n")]).is_empty());
        let moved = format!("zero\n{A}");
        assert!(lines(&[("a.md", &moved), ("b/c.md", "0\nold\n")]).is_empty());
    }

    #[test]
    fn a_line_that_is_another_one_is_found() {
        for (changed, line) in [
            ("one", 4),
            ("two", 4),
            ("three", 4),
            ("seven", 9),
            ("eight", 9),
        ] {
            let text = A.replace(changed, "other");
            assert_eq!(lines(&[("a.md", &text), ("b/c.md", "old\n")]), [line]);
        }
        assert_eq!(lines(&[("a.md", A), ("b/c.md", "new\n")]), [16]);
    }

    #[test]
    fn a_line_between_those_of_a_hunk_is_found() {
        let text = A.replace("seven\n", "seven\n\n");
        assert_eq!(lines(&[("a.md", &text), ("b/c.md", "old\n")]), [9]);
    }

    #[test]
    fn a_missing_file_is_found_in_each_of_its_hunks() {
        assert_eq!(lines(&[("b/c.md", "old\n")]), [4, 9]);
    }
}
