//! Names that are nearly right.

use strsim::osa_distance;

/// The name that is most like a text, if one is.
pub(crate) fn nearest<'n>(text: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let text = text.to_lowercase().replace('_', "-");
    let distances = names
        .into_iter()
        .map(|name| (osa_distance(name, &text), name))
        .min_by_key(|(distance, _)| *distance);
    let (distance, name) = distances?;
    (distance <= name.len() / 3).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_in_any_case() {
        let names = ["density", "max-shard-size", "out", "ties"];
        for (text, expected) in [
            ("densty", Some("density")),
            ("tise", Some("ties")),
            ("MAX_SHARD_SIZES", Some("max-shard-size")),
            ("something", None),
        ] {
            assert_eq!(nearest(text, names), expected, "{text}");
        }
    }
}
