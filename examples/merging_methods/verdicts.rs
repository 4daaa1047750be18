//! What the tables say, one sentence a line.

/// The longest line of text.
const WIDTH: usize = 108;

/// Prints sentences as a list below its title.
pub(crate) fn list(title: &str, sentences: &[String]) {
    println!("  {title}");
    for sentence in sentences {
        let mut line = "  -".to_string();
        for word in sentence.split_whitespace() {
            if line.chars().count() + word.chars().count() >= WIDTH {
                println!("{line}");
                line = "   ".to_string();
            }
            line.push(' ');
            line.push_str(word);
        }
        println!("{line}");
    }
    println!();
}

/// A text that begins with a capital letter.
pub(crate) fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}
