use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use crate::path_pattern::is_below;

/// A value for each tensor of a model: weights, densities or scales that depend on the path.
///
/// A pattern is a path or its beginning, name by name, and `*` is any one name: `encoder.layers.*.mha` is the attention
/// of all layers. The first pattern that matches decides; where none does, it is the default.
///
/// # Example
///
/// ```
/// use burnscape::merge::ByPath;
///
/// let density = ByPath::new(0.2).with("head", 1.0).with("layers.*.norm", 0.5);
/// assert_eq!(*density.at("head.weight"), 1.0);
/// assert_eq!(*density.at("layers.3.norm.gamma"), 0.5);
/// assert_eq!(*density.at("layers.3.linear.weight"), 0.2);
///
/// // Any function of the path.
/// let paths = ["layers.0.weight", "layers.1.weight"];
/// let weight = ByPath::from_fn(1.0, paths, |path| if path.contains(".0.") { 0.25 } else { 0.75 });
/// assert_eq!(*weight.at("layers.1.weight"), 0.75);
/// # Ok::<(), burnscape::merge::MergeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ByPath<T> {
    /// The value where no pattern matches.
    pub default: T,
    /// Patterns and their values. The first one that matches decides.
    pub rules: Vec<(String, T)>,
}

impl<T> ByPath<T> {
    /// One value for all tensors.
    pub fn new(default: T) -> Self {
        Self {
            default,
            rules: Vec::new(),
        }
    }

    /// Adds a pattern, after those that there are.
    #[must_use]
    pub fn with(mut self, pattern: impl Into<String>, value: T) -> Self {
        self.rules.push((pattern.into(), value));
        self
    }

    /// The values of a function at these paths, and a default elsewhere.
    pub fn from_fn<S: AsRef<str>>(
        default: T,
        paths: impl IntoIterator<Item = S>,
        mut value: impl FnMut(&str) -> T,
    ) -> Self {
        let rules = paths.into_iter().map(|path| {
            let path = path.as_ref();
            (path.to_string(), value(path))
        });
        let mut rules: Vec<(String, T)> = rules.collect();
        // In a file, one name may be the beginning of another.
        rules.sort_by_key(|(path, _)| Reverse(path.len()));
        Self { default, rules }
    }

    /// The value at a path.
    pub fn at(&self, path: &str) -> &T {
        let mut rules = self.rules.iter();
        let rule = rules.find(|(pattern, _)| is_below(path, pattern));
        rule.map_or(&self.default, |(_, value)| value)
    }
}

impl<T> From<T> for ByPath<T> {
    fn from(default: T) -> Self {
        Self::new(default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_matches_decides() {
        let value = ByPath::new(0)
            .with("a.b", 1)
            .with("a", 2)
            .with("a.b.c", 3)
            .with("*.weight", 4);
        for (path, expected) in [
            ("a.b.c", 1),
            ("a.c", 2),
            ("b.weight", 4),
            ("b.bias", 0),
            ("ab", 0),
        ] {
            assert_eq!(*value.at(path), expected, "{path}");
        }
    }

    #[test]
    fn functions_hold_at_their_paths_even_if_one_begins_another() {
        let value = ByPath::from_fn(0, ["a", "a.b", "c"], str::len);
        assert_eq!(
            (*value.at("a"), *value.at("a.b"), *value.at("d")),
            (1, 3, 0)
        );
    }
}
