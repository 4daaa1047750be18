//! The documentation of a published crate is read without this repository: its README has no relative links, and its
//! examples do not use the testkit, which is not published.

use std::path::Path;

use crate::finding::Finding;
use crate::tree::has_extension;

const TESTKIT: &str = "burnscape_testkit";

pub(super) fn check(path: &Path, text: &str) -> Vec<Finding> {
    let mut parts = path.iter();
    let is_published = parts.next().is_some_and(|folder| folder == "crates")
        && parts.next().is_some_and(|name| name != "burnscape-testkit");
    if !is_published {
        return Vec::new();
    }
    let is_readme = path.ends_with("README.md");
    let is_page = has_extension(path, "md");
    let lines = text.lines().enumerate();
    let found = lines.filter_map(|(index, line)| {
        let is_example = is_page || line.trim_start().starts_with("//");
        let message = if is_example && line.contains(TESTKIT) {
            format!("`{TESTKIT}` is not published; write the example without it")
        } else if let Some(target) = relative_link(line).filter(|_| is_readme) {
            format!(
                "`{target}` is a relative link, which registries cannot follow; make it absolute"
            )
        } else if is_page && is_placeholder(line) {
            format!("`{line}` is a placeholder; replace it")
        } else {
            return None;
        };
        Some(Finding::new(path, index + 1, message))
    });
    found.collect()
}

/// Whether a line consists of one word in capitals.
fn is_placeholder(line: &str) -> bool {
    line.len() > 3 && line.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

/// The target of the first link of a line that is neither absolute nor within the page.
fn relative_link(line: &str) -> Option<&str> {
    let targets = line.split("](").skip(1);
    let mut targets = targets.filter_map(|rest| rest.split(')').next());
    targets.find(|target| !target.starts_with("http") && !target.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let findings = check(Path::new(path), text);
        findings.iter().map(Finding::line).collect()
    }

    #[test]
    fn relative_links_of_a_readme_are_found() {
        let text = "[a](https://b.c) [d](#e)\n[f](docs/g.md)\n[h](https://i) [j](k)\n";
        assert_eq!(lines("crates/burnscape/README.md", text), [2, 3]);
        assert!(lines("crates/burnscape/guide/index.md", text).is_empty());
        assert!(lines("README.md", text).is_empty());
    }

    #[test]
    fn placeholders_of_pages_are_found() {
        let text = "text\nBUILD_TIMES\nGPU\n";
        assert_eq!(lines("crates/burnscape/guide/a.md", text), [2]);
    }

    #[test]
    fn examples_with_the_testkit_are_found() {
        let text = "use burnscape_testkit::turn;\n/// use burnscape_testkit::turn;\n";
        assert_eq!(lines("crates/burnscape/src/a.rs", text), [2]);
        assert!(lines("crates/burnscape-testkit/src/a.rs", text).is_empty());
    }
}
