//! Only a few rooms may visit and map modules, so that ranks are erased in one place.

use std::path::Path;

use crate::finding::Finding;

const TRAITS: [&str; 2] = ["ModuleVisitor", "ModuleMapper"];

/// Alignment permutes axes, so it needs ranks, too. Tracing copies a module to the recording device.
const ALLOWED: [&str; 3] = [
    "crates/burnscape/src/space",
    "crates/burnscape/src/align",
    "crates/burnscape-linearize/src/trace/module.rs",
];

/// Checks library sources. Integration tests may visit modules.
pub(super) fn check(path: &Path, text: &str) -> Vec<Finding> {
    let is_library = path.starts_with("crates") && path.iter().nth(2).is_some_and(|x| x == "src");
    if !is_library || ALLOWED.iter().any(|room| path.starts_with(room)) {
        return Vec::new();
    }
    implementations(text)
        .into_iter()
        .map(|(line, name)| {
            let message = format!(
                "implements `{name}`, which only {} may do; use `ParamSpace`",
                ALLOWED.join(", ")
            );
            Finding::new(path, line, message)
        })
        .collect()
}

/// The lines on which `Trait for` starts; `for` may be on the next line.
fn implementations(text: &str) -> Vec<(usize, &'static str)> {
    let words: Vec<(usize, &str)> = (1..)
        .zip(text.lines())
        .flat_map(|(line, code)| {
            let code = code.split("//").next().unwrap_or_default();
            code.split_whitespace().map(move |word| (line, word))
        })
        .collect();
    words
        .windows(2)
        .filter(|pair| pair[1].1 == "for")
        .filter_map(|pair| {
            let (line, word) = pair[0];
            let last = word.rsplit("::").next()?;
            let name = TRAITS.into_iter().find(|name| *name == last)?;
            Some((line, name))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VISITOR: &str = "struct V;\nimpl ModuleVisitor for V {}\n";

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(Path::new(path), text)
            .iter()
            .map(Finding::line)
            .collect()
    }

    #[test]
    fn space_may_and_others_may_not() {
        assert!(lines("crates/burnscape/src/space/read.rs", VISITOR).is_empty());
        assert_eq!(lines("crates/burnscape/src/loss/lift.rs", VISITOR), [2]);
        assert_eq!(lines("crates/burnscape-linearize/src/lib.rs", VISITOR), [2]);
        assert!(lines("crates/burnscape-linearize/src/trace/module.rs", VISITOR).is_empty());
        assert!(lines("crates/burnscape/tests/space.rs", VISITOR).is_empty());
    }

    #[test]
    fn every_spelling_is_found() {
        let text = "impl<'a> burn::module::ModuleMapper for M<'a> {}\n\
                    impl<Long, Parameters> ModuleVisitor\n    for V<Long, Parameters>\n{}\n";
        assert_eq!(lines("crates/burnscape/src/optim/sam.rs", text), [1, 2]);
    }

    #[test]
    fn use_and_mention_are_free() {
        let text = "use burn::module::ModuleVisitor;\n// impl ModuleVisitor for V {}\n\
                    fn run<V: ModuleVisitor>(v: V) {}\n";
        assert!(lines("crates/burnscape/src/optim/sam.rs", text).is_empty());
    }
}
