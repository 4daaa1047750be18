//! Long files must be split.

use std::path::Path;

use crate::finding::Finding;

/// Files of the library.
const LIBRARY: usize = 500;
/// Tests, examples and tools.
const OTHER: usize = 600;

pub(super) fn check(path: &Path, text: &str) -> Option<Finding> {
    let is_library =
        path.starts_with("crates") && path.components().any(|c| c.as_os_str() == "src");
    let most = if is_library { LIBRARY } else { OTHER };
    let lines = text.lines().count();
    (lines > most).then(|| {
        let message = format!("{lines} lines; split the file (at most {most})");
        Finding::new(path, most + 1, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_at_its_limit_passes_and_one_more_line_does_not() {
        for (path, most) in [("crates/a/src/b/c.rs", 500), ("tests/a.rs", 600)] {
            let path = Path::new(path);
            assert_eq!(check(path, &"\n".repeat(most)), None);
            let finding = check(path, &"\n".repeat(most + 1)).unwrap();
            assert_eq!(finding.line(), most + 1);
        }
    }
}
