//! Numbers and lists as they stand in sentences.

/// `a, b and c`.
pub(crate) fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A small number as a word.
pub(crate) fn spelled(count: usize) -> String {
    const WORDS: [&str; 13] = [
        "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
        "eleven", "twelve",
    ];
    WORDS
        .get(count)
        .map_or_else(|| count.to_string(), |word| (*word).to_string())
}

/// With a large first letter.
pub(crate) fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

/// Two digits that are no smaller than the number.
pub(crate) fn rounded_up(value: f64) -> String {
    rounded(value, f64::ceil, -1e-9)
}

/// Two digits that are no larger than the number.
pub(crate) fn rounded_down(value: f64) -> String {
    rounded(value, f64::floor, 1e-9)
}

/// Numbers that have two digits stay as they are, up to the rounding of `slack`.
fn rounded(value: f64, to_whole: fn(f64) -> f64, slack: f64) -> String {
    if !(value > 0.0 && value.is_finite()) {
        return format!("{value}");
    }
    let decimals = 1 - value.log10().floor() as i32;
    let unit = 10_f64.powi(decimals);
    let rounded = to_whole(value * unit + slack) / unit;
    let decimals = decimals.max(0) as usize;
    format!("{rounded:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_have_two_digits() {
        let up = [0.0379, 0.038, 0.46, 1.0747, 12.0].map(rounded_up);
        assert_eq!(up, ["0.038", "0.038", "0.46", "1.1", "12"]);
        let down = [0.4602, 0.46, 7.62, 123.0].map(rounded_down);
        assert_eq!(down, ["0.46", "0.46", "7.6", "120"]);
        assert_eq!(rounded_up(f64::INFINITY), "inf");
    }

    #[test]
    fn words_are_part_of_a_sentence() {
        assert_eq!([5, 13].map(spelled), ["five", "13"]);
        assert_eq!(capitalized("the MLP"), "The MLP");
        let items = ["a", "b", "c"].map(str::to_string);
        assert_eq!(listed(&items), "a, b and c");
        assert_eq!((listed(&items[..1]), listed(&[])), ("a".into(), "".into()));
    }
}
