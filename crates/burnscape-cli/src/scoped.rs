//! Values of settings for all tensors, and for those that a pattern names.

use std::cmp::Reverse;
use std::fmt::Display;
use std::str::FromStr;

use burnscape::merge::ByPath;

use super::error::CommandError;
use super::place::Place;

/// A value for all tensors, or for those at or below a pattern: `0.5`, `encoder.layers.0=0.2`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scoped<T> {
    pub(crate) pattern: Option<String>,
    pub(crate) value: T,
}

impl<T> FromStr for Scoped<T>
where
    T: FromStr,
    T::Err: Display,
{
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains(',') {
            let values = text.split(',').map(|value| format!("`{}`", value.trim()));
            let values: Vec<String> = values.collect();
            return Err(format!(
                "it takes one value; repeat the flag for each of {}",
                values.join(", ")
            ));
        }
        let (pattern, value) = match text.rsplit_once('=') {
            Some((pattern, value)) => (Some(pattern.trim().to_string()), value.trim()),
            None => (None, text.trim()),
        };
        if pattern.as_deref() == Some("") {
            return Err("the pattern is empty; write `pattern=value`".to_string());
        }
        let value = value
            .parse::<T>()
            .map_err(|error| format!("`{value}`: {error}"))?;
        Ok(Self { pattern, value })
    }
}

/// The values by path. Of the patterns that match a path, the one with most names decides, and of those the one with
/// fewest `*`.
pub(crate) fn by_path<T: Clone>(
    setting: &str,
    default: T,
    values: &[Scoped<T>],
    place: &Place,
) -> Result<ByPath<T>, CommandError> {
    for (index, scoped) in values.iter().enumerate() {
        let mut before = values[..index].iter();
        if before.any(|other| other.pattern == scoped.pattern) {
            let what = match &scoped.pattern {
                Some(pattern) => format!("for `{pattern}`"),
                None => "for all tensors".to_string(),
            };
            let key = place.key(setting);
            let message = format!("`{key}` has two values {what}; leave one out");
            return Err(place.wrong(setting, message));
        }
    }
    let all = values.iter().find(|scoped| scoped.pattern.is_none());
    let mut paths = ByPath::new(all.map_or(default, |scoped| scoped.value.clone()));
    let parts = values.iter();
    let parts = parts.filter_map(|scoped| Some((scoped.pattern.as_deref()?, &scoped.value)));
    let mut parts: Vec<(&str, &T)> = parts.collect();
    parts.sort_by_key(|(pattern, _)| {
        let names = pattern.split('.');
        let num_wild = names.clone().filter(|name| *name == "*").count();
        (Reverse(names.count()), num_wild)
    });
    for (pattern, value) in parts {
        paths = paths.with(pattern, value.clone());
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_special_pattern_decides_in_any_order() {
        let mut values: Vec<Scoped<f64>> = ["0.5", "a=1", "a.*=2", "a.b=3", "a.b.c=4"]
            .map(|text| text.parse().unwrap())
            .to_vec();
        for _ in 0..values.len() {
            values.rotate_left(1);
            let paths = by_path("density", 0.1, &values, &Place::default()).unwrap();
            for (path, expected) in [
                ("b", 0.5),
                ("a", 1.0),
                ("a.x", 2.0),
                ("a.b", 3.0),
                ("a.b.c.d", 4.0),
            ] {
                assert_eq!(*paths.at(path), expected, "{path}");
            }
        }
    }

    #[test]
    fn without_a_value_for_all_the_default_stays() {
        let values = ["a=1".parse().unwrap()];
        let paths = by_path("scale", 0.3, &values, &Place::default()).unwrap();
        assert_eq!((*paths.at("b"), *paths.at("a")), (0.3, 1.0));
    }

    #[test]
    fn two_values_for_the_same_tensors_are_refused() {
        let values = ["1".parse().unwrap(), "2".parse().unwrap()];
        let refused = by_path("scale", 0.3, &values, &Place::default()).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "`--scale` has two values for all tensors; leave one out"
        );
    }

    #[test]
    fn several_values_in_one_are_refused() {
        let refused = "0.3,lm_head=0.5".parse::<Scoped<f64>>().unwrap_err();
        assert_eq!(
            refused,
            "it takes one value; repeat the flag for each of `0.3`, `lm_head=0.5`"
        );
    }
}
