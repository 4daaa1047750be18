//! A published crate contains only its own folder, so it must not include files from outside.

use std::path::{Component, Path, PathBuf};

use crate::finding::Finding;

const INCLUDES: [&str; 4] = ["include!(", "include_str!(", "include_bytes!(", "#[path ="];

/// Checks library sources. Tests, benches and examples are not published.
pub(super) fn check(path: &Path, text: &str) -> Vec<Finding> {
    let Some(package) = package_of(path) else {
        return Vec::new();
    };
    included(text)
        .filter(|(_, target)| !stays_below(&package, path, target))
        .map(|(line, target)| {
            let message = format!(
                "`{target}` is outside {}; move it into that folder",
                package.display()
            );
            Finding::new(path, line, message)
        })
        .collect()
}

/// `crates/name` of `crates/name/src/…`.
fn package_of(path: &Path) -> Option<PathBuf> {
    let mut parts = path.iter();
    let package = Path::new(parts.next()?).join(parts.next()?);
    (package.starts_with("crates") && parts.next()? == "src").then_some(package)
}

/// The included paths with their lines. A path that is not a literal counts as absolute, because its target is unknown.
fn included(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let found = INCLUDES.iter().flat_map(move |call| {
        let starts = text.match_indices(call);
        starts.map(|(start, call)| (start, start + call.len()))
    });
    found
        .filter(move |(start, _)| !is_comment(text, *start))
        .map(move |(start, end)| {
            let line = text[..start].matches('\n').count() + 1;
            let argument = text[end..].trim_start();
            let literal = argument.strip_prefix('"');
            let target = literal.and_then(|rest| rest.split('"').next());
            (line, target.unwrap_or("/"))
        })
}

fn is_comment(text: &str, position: usize) -> bool {
    let line = text[..position].rsplit('\n').next().unwrap_or_default();
    line.contains("//")
}

fn stays_below(package: &Path, file: &Path, target: &str) -> bool {
    let folder = file.parent().unwrap_or(package);
    let mut place = PathBuf::new();
    for part in folder.join(target).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                place.pop();
            }
            part => place.push(part),
        }
    }
    place.starts_with(package)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let findings = check(Path::new(path), text);
        findings.iter().map(Finding::line).collect()
    }

    #[test]
    fn what_leaves_the_crate_is_found() {
        let text = "#[doc = include_str!(\"../../guide/a.md\")]\n\
                    #[doc = include_str!(\n    \"../../../../docs/a.md\"\n)]\n\
                    #[path = \"../../../other/src/a.rs\"]\nmod a;\n";
        assert_eq!(lines("crates/burnscape/src/guide/mod.rs", text), [2, 5]);
    }

    #[test]
    fn a_path_that_is_computed_or_absolute_is_refused() {
        let text = "include_str!(env!(\"FILE\"));\ninclude_bytes!(\"/etc/hosts\");";
        assert_eq!(lines("crates/burnscape/src/lib.rs", text), [1, 2]);
    }

    #[test]
    fn comments_and_what_is_not_published_are_free() {
        let text = "/// include_str!(\"../../../docs/a.md\")\n";
        assert!(lines("crates/burnscape/src/lib.rs", text).is_empty());
        let text = "#[path = \"../../examples/survey/data.rs\"]\nmod data;\n";
        assert!(lines("tests/spectrum/digits.rs", text).is_empty());
        assert!(lines("crates/burnscape/tests/space.rs", text).is_empty());
    }
}
