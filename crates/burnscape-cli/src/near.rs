//! Names that are nearly right.

/// The name that is most like a text, if one is.
pub(crate) fn nearest<'n>(text: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let text = text.to_lowercase().replace('_', "-");
    let distances = names
        .into_iter()
        .map(|name| (distance(name, &text), name))
        .min_by_key(|(distance, _)| *distance);
    let (distance, name) = distances?;
    (distance <= name.len() / 3).then_some(name)
}

/// The least number of letters to insert, remove and replace that make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (index, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, other) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_letters() {
        for (a, b, expected) in [("", "ab", 2), ("ties", "tie", 1), ("kitten", "sitting", 3)] {
            assert_eq!(distance(a, b), expected);
        }
    }

    #[test]
    fn the_nearest_name_is_found_in_any_case() {
        let names = ["density", "max-shard-size", "out"];
        for (text, expected) in [
            ("densty", Some("density")),
            ("MAX_SHARD_SIZES", Some("max-shard-size")),
            ("something", None),
        ] {
            assert_eq!(nearest(text, names), expected, "{text}");
        }
    }
}
