//! Numbers, names and lists as they stand in sentences.

/// A number with so many significant digits, without zeros at its end. Small and large ones have a power of ten.
pub(super) fn short(value: f64, digits: usize) -> String {
    if value.is_nan() {
        return "not a number".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "∞" } else { "−∞" }.to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits = digits.clamp(1, 17);
    let written = format!("{value:.*e}", digits - 1);
    let (mantissa, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let text = if (-4..6).contains(&exponent) {
        let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
        trimmed(&format!("{value:.decimals$}")).to_owned()
    } else {
        format!("{} × 10{}", trimmed(mantissa), superscript(exponent))
    };
    text.replace('-', "−")
}

/// A share in percent, with two digits.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", short(100.0 * share, 2))
}

/// A count and its noun.
pub(super) fn counted(count: usize, one: &str, several: &str) -> String {
    let noun = if count == 1 { one } else { several };
    format!("{} {noun}", grouped(count))
}

/// A count with its thousands apart.
pub(super) fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A name in quotes, cut to what a sentence bears.
pub(super) fn quoted(name: &str) -> String {
    const LONGEST: usize = 40;
    let mut text: String = name.chars().take(LONGEST).collect();
    if name.chars().nth(LONGEST).is_some() {
        text.push('…');
    }
    format!("“{text}”")
}

/// A title with the name of what it is about, if that has one.
pub(super) fn title(what: &str, name: &str) -> String {
    if name.is_empty() {
        what.to_owned()
    } else {
        format!("{what} of {name}")
    }
}

/// `a, b and c`.
pub(super) fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Without zeros that say nothing.
fn trimmed(number: &str) -> &str {
    if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    }
}

fn superscript(number: i32) -> String {
    let raised = |digit: char| match digit {
        '0' => '⁰',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '4' => '⁴',
        '5' => '⁵',
        '6' => '⁶',
        '7' => '⁷',
        '8' => '⁸',
        '9' => '⁹',
        _ => '⁻',
    };
    number.to_string().chars().map(raised).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let shown = [4.04, 0.382, 0.0, -0.0, -1.26, 12.3, 99.96, 412.0, 123_456.0];
        let shown = shown.map(|value| short(value, 2));
        let expected = ["4", "0.38", "0", "0", "−1.3", "12", "100", "412", "123456"];
        assert_eq!(shown, expected);
        let shown = [1.2e-7, -2.34e9, 1e-4, 5e-324, f64::MAX].map(|value| short(value, 2));
        let expected = [
            "1.2 × 10⁻⁷",
            "−2.3 × 10⁹",
            "0.0001",
            "4.9 × 10⁻³²⁴",
            "1.8 × 10³⁰⁸",
        ];
        assert_eq!(shown, expected);
        let shown = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(|value| short(value, 2));
        assert_eq!(shown, ["not a number", "∞", "−∞"]);
        assert_eq!(
            (percent(0.04), percent(0.3817)),
            ("4 %".into(), "38 %".into())
        );
    }

    #[test]
    fn counts_have_nouns() {
        assert_eq!(counted(1, "well", "wells"), "1 well");
        assert_eq!(counted(0, "well", "wells"), "0 wells");
        let shown = [999, 1_437, 60_000, 1_000_000].map(grouped);
        assert_eq!(shown, ["999", "1,437", "60,000", "1,000,000"]);
    }

    #[test]
    fn lists_and_names_are_part_of_a_sentence() {
        let list = |items: &[&str]| {
            let items: Vec<String> = items.iter().map(|&item| item.to_owned()).collect();
            listed(&items)
        };
        assert_eq!(list(&[]), "");
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b"]), "a and b");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(quoted("SGD"), "“SGD”");
        assert_eq!(quoted(&"ä".repeat(41)).chars().count(), 43);
    }
}
