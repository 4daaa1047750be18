//! The files that every page contains.

/// Counts errors from the first line of the page on.
pub(super) const ERRORS: &str = include_str!("../../assets/page/errors.js");

pub(super) const STYLE: &str = concat!(
    include_str!("../../assets/uPlot.min.css"),
    "\n",
    include_str!("../../assets/page.css"),
    "\n",
    include_str!("../../assets/print.css"),
);

pub(super) const UPLOT: &str = include_str!("../../assets/uPlot.iife.min.js");

pub(super) const UPLOT_LICENSE: &str = include_str!("../../assets/uPlot.LICENSE.txt");

/// The scripts of the page share one scope.
pub(super) const SCRIPT: &str = concat!(
    "(() => {\n\"use strict\";\n",
    include_str!("../../assets/page/base.js"),
    include_str!("../../assets/page/numbers.js"),
    include_str!("../../assets/page/field.js"),
    include_str!("../../assets/page/picture.js"),
    include_str!("../../assets/page/surface.js"),
    include_str!("../../assets/page/map.js"),
    include_str!("../../assets/page/landscapes.js"),
    include_str!("../../assets/page/curves.js"),
    include_str!("../../assets/page/tree.js"),
    include_str!("../../assets/page/topology.js"),
    include_str!("../../assets/page/details.js"),
    include_str!("../../assets/page/start.js"),
    "})();\n",
);

/// Without what only those who read the files need: comments, indentation, empty lines. Texts never reach over lines.
pub(super) fn compact(source: &str) -> String {
    let mut is_comment = false;
    let mut kept = String::with_capacity(source.len());
    for line in source.lines().map(str::trim) {
        let starts = line.starts_with("/*") && !line.starts_with("/*!");
        if starts || is_comment {
            is_comment = !line.ends_with("*/");
        } else if !line.is_empty() && !line.starts_with("//") {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::{ERRORS, SCRIPT, STYLE, UPLOT, UPLOT_LICENSE, compact};

    #[test]
    fn comments_go_and_code_stays() {
        let source = "// a\n  let x = 1; // b\n\n/** c */\n/* d\n * e */\n  y();\n/*! f */\n";
        assert_eq!(compact(source), "let x = 1; // b\ny();\n/*! f */\n");
    }

    #[test]
    fn texts_do_not_reach_over_lines() {
        for line in SCRIPT.lines() {
            assert!(line.matches('`').count() % 2 == 0, "{line}");
        }
    }

    #[test]
    fn nothing_ends_its_element_early() {
        for text in [ERRORS, SCRIPT, UPLOT, UPLOT_LICENSE, STYLE] {
            let text = text.to_lowercase();
            for end in ["</script", "<script", "<!--", "</style"] {
                assert!(!text.contains(end), "{end}");
            }
        }
        assert!(!UPLOT_LICENSE.contains("*/"));
    }
}
