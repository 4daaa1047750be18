//! Patterns that select tensors by their paths.

/// Whether the pattern is the path or its beginning, name by name; `*` is any one name.
pub(crate) fn is_below(path: &str, pattern: &str) -> bool {
    let mut names = path.split('.');
    let mut expected = pattern.split('.');
    expected.all(|expected| {
        names
            .next()
            .is_some_and(|name| expected == "*" || expected == name)
    })
}

#[cfg(test)]
mod tests {
    use super::is_below;

    #[test]
    fn patterns_are_beginnings_name_by_name() {
        let path = "encoder.layers.1.mha.query.weight";
        for pattern in [
            "encoder",
            "encoder.layers.1",
            "encoder.layers.*.mha",
            "*.layers",
            path,
        ] {
            assert!(is_below(path, pattern), "{pattern}");
        }
        for pattern in ["enc", "encoder.layers.0", "layers", "", "*.*.*.*.*.*.*"] {
            assert!(!is_below(path, pattern), "{pattern}");
        }
    }
}
