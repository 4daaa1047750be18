//! Widths of texts, and texts that are safe to draw.

/// Widths of the characters from space to `~` in DejaVu Sans, the widest of the fonts that draw our text, in thousandths of
/// the size.
const ASCII: [u16; 95] = [
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636,
    636, 636, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632,
    575, 775, 752, 295, 295, 656, 557, 863, 748, 787, 603, 787, 695, 635, 611, 732, 684, 989, 685,
    611, 685, 390, 337, 390, 838, 500, 500, 613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579,
    278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838,
];

/// Longer texts are cut before anybody measures them.
const MOST_CHARACTERS: usize = 400;

fn advance(character: char) -> f64 {
    let thousandths = match character {
        ' '..='~' => ASCII[character as usize - 0x20],
        '⁰'..='⁹' | '²' | '³' | '¹' | '₀'..='₉' => 401,
        '⁻' => 528,
        '·' => 318,
        '–' => 500,
        '−' | '×' | '±' | '→' | '≤' | '≥' | '∞' => 838,
        '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' => 0,
        '\u{a0}'..='\u{24f}' | '\u{370}'..='\u{3ff}' | '\u{590}'..='\u{5ff}' => 650,
        '\u{400}'..='\u{52f}' | '\u{600}'..='\u{6ff}' => 720,
        _ => 1000,
    };
    f64::from(thousandths) / 1000.0
}

/// The width of a line of text.
pub(super) fn width(text: &str, size: f64, is_bold: bool) -> f64 {
    let regular: f64 = text.chars().map(advance).sum();
    regular * size * if is_bold { 1.1 } else { 1.0 }
}

/// One line that XML allows and that does not turn the text around it: without controls, and without those of bidirectional
/// text.
pub(super) fn clean(text: &str) -> String {
    let kept = text.chars().take(MOST_CHARACTERS).filter_map(|c| match c {
        '\n' | '\t' | '\r' | '\u{2028}' | '\u{2029}' => Some(' '),
        '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            None
        }
        '\u{fffe}' | '\u{ffff}' | '\u{feff}' => None,
        c if c.is_control() => None,
        c => Some(c),
    });
    let mut line: String = kept.collect();
    if text.chars().nth(MOST_CHARACTERS).is_some() {
        line.push('…');
    }
    line.trim().to_owned()
}

/// The text, or as much of it as fits, with an ellipsis.
pub(super) fn fit(text: &str, size: f64, is_bold: bool, room: f64) -> String {
    let text = clean(text);
    if width(&text, size, is_bold) <= room {
        return text;
    }
    let mut fitting = String::new();
    let mut used = width("…", size, is_bold);
    for character in text.chars() {
        used += width(character.encode_utf8(&mut [0; 4]), size, is_bold);
        if used > room {
            break;
        }
        fitting.push(character);
    }
    format!("{}…", fitting.trim_end())
}

/// Words in lines that fit.
pub(super) fn wrapped(text: &str, size: f64, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    for word in clean(text).split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line)
                if width(line, size, false) + width(word, size, false) + size / 3.0 <= room =>
            {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(fit(word, size, false, room)),
        }
    }
    lines
}

/// The characters from left to right as a reader of Hebrew or Arabic expects them, for a canvas that knows no directions:
/// runs from the right are reversed, except for the numbers in them.
pub(super) fn in_visual_order(text: &str) -> String {
    if !text.chars().any(is_from_right) {
        return text.to_owned();
    }
    let characters: Vec<char> = text.chars().collect();
    let mut ordered = Vec::with_capacity(characters.len());
    let mut start = 0;
    while start < characters.len() {
        if !is_from_right(characters[start]) {
            ordered.push(characters[start]);
            start += 1;
            continue;
        }
        // The run ends with the last letter from the right before one from the left.
        let mut end = start;
        for (index, &character) in characters.iter().enumerate().skip(start) {
            if is_from_right(character) {
                end = index;
            } else if character.is_alphabetic() {
                break;
            }
        }
        ordered.extend(reversed(&characters[start..=end]));
        start = end + 1;
    }
    ordered.into_iter().collect()
}

fn reversed(run: &[char]) -> Vec<char> {
    let mut reversed: Vec<char> = run.iter().rev().map(|&c| mirrored(c)).collect();
    let mut start = 0;
    while start < reversed.len() {
        let is_number = |c: &char| c.is_ascii_digit() || *c == '.' || *c == ',';
        let length = reversed[start..]
            .iter()
            .take_while(|c| is_number(c))
            .count();
        reversed[start..start + length].reverse();
        start += length.max(1);
    }
    reversed
}

fn is_from_right(character: char) -> bool {
    matches!(character, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}')
}

fn mirrored(character: char) -> char {
    match character {
        '(' => ')',
        ')' => '(',
        '[' => ']',
        ']' => '[',
        '<' => '>',
        '>' => '<',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_go() {
        assert_eq!(clean("a\u{0}b\nc\u{202e}d\u{ffff}"), "ab cd");
        assert_eq!(
            clean(&"x".repeat(10_000)).chars().count(),
            MOST_CHARACTERS + 1
        );
    }

    #[test]
    fn long_text_is_cut() {
        let cut = fit("a rather long title", 10.0, false, 60.0);
        assert!(
            cut.ends_with('…') && width(&cut, 10.0, false) <= 60.0,
            "{cut}"
        );
        assert_eq!(fit("short", 10.0, false, 60.0), "short");
    }

    #[test]
    fn text_from_the_right_is_turned() {
        assert_eq!(in_visual_order("loss"), "loss");
        assert_eq!(in_visual_order("אבג 12.5 ד (x)"), "ד 12.5 גבא (x)");
    }
}
