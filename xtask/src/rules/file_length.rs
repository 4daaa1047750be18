//! Long files must be split.

use std::path::Path;

use crate::finding::Finding;

const MOST_LINES: usize = 600;

pub(super) fn check(path: &Path, text: &str) -> Option<Finding> {
    let lines = text.lines().count();
    (lines > MOST_LINES).then(|| {
        let message = format!("{lines} lines; split the file (at most {MOST_LINES})");
        Finding::new(path, MOST_LINES + 1, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_hundred_lines_pass_and_one_more_does_not() {
        let path = Path::new("a.rs");
        assert_eq!(check(path, &"\n".repeat(600)), None);
        assert_eq!(check(path, &"\n".repeat(601)).unwrap().line(), 601);
    }
}
