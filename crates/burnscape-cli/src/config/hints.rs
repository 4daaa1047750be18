//! What those need to hear who write another format, or the keys of another program.

use std::path::Path;

use crate::error::CommandError;

/// The error for a text that is not TOML.
pub(super) fn not_toml(shown: &str, text: &str, error: &toml::de::Error) -> CommandError {
    if is_yaml(shown, text) {
        return CommandError::Usage(format!(
            "`{shown}`: the configuration is TOML; mergekit's YAML is not read; `burnscape merge --help` has an example"
        ));
    }
    let line = match error.span() {
        Some(span) => line_of(text, span.start),
        None => {
            let mut lines = text.lines();
            lines.position(|line| unquoted(line).is_some()).unwrap_or(0) + 1
        }
    };
    let source = text.lines().nth(line - 1).unwrap_or_default();
    let message = error.message();
    let advice = match unquoted(source) {
        Some(quoted) => format!("text needs quotes: {quoted}"),
        None => "`burnscape merge --help` has an example".to_string(),
    };
    CommandError::Usage(format!("`{shown}`, line {line}: {message}; {advice}"))
}

/// The number of the line of a byte, from 1 on.
pub(super) fn line_of(text: &str, byte: usize) -> usize {
    let before = text.bytes().take(byte);
    before.filter(|byte| *byte == b'\n').count() + 1
}

/// By the ending of the name, or a first line such as `models:`.
fn is_yaml(shown: &str, text: &str) -> bool {
    let extension = Path::new(shown).extension();
    if extension.is_some_and(|extension| extension == "yaml" || extension == "yml") {
        return true;
    }
    let mut lines = text.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
    first.is_some_and(|line| {
        let key = line.split_once(':').map(|(key, _)| key);
        let is_word = |key: &str| key.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
        line == "---" || key.is_some_and(is_word)
    })
}

/// A line `key = word`, with the quotes that the word needs.
fn unquoted(line: &str) -> Option<String> {
    let (key, value) = line.split_once('=')?;
    let value = value.split('#').next()?.trim();
    let is_path = ["/", "./", "../", "~"]
        .iter()
        .any(|start| value.starts_with(start));
    let is_word = is_path || value.starts_with(char::is_alphabetic);
    let is_plain = !value.contains(['"', '\'']);
    (is_word && is_plain).then(|| format!("{} = \"{value}\"", key.trim()))
}

/// What stands for a key of mergekit.
pub(super) fn foreign(key: &str) -> Option<&'static str> {
    Some(match key {
        "merge-method" => "use `method`.",
        "base-model" => "use `base`.",
        "lambda" => "use `scale`.",
        "gamma" => "use `top`.",
        "weight" => "use `weights` at the top of the file, one entry for each model.",
        "t" => "for slerp use weights = [0.7, 0.3], which are 1 - t and t.",
        "normalize" => {
            "all methods but task-arithmetic, tsv-m and iso-c normalize the weights; use `scale` for sums."
        }
        "parameters" => "settings stand at the top of the file, or in a rule.",
        "slices" | "layer-range" => "stacking layers is not supported; use rules.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_is_recognized() {
        for text in [
            "models:\n  - model: a\n",
            "# merge\nmerge_method: ties\n",
            "---\n",
        ] {
            assert!(is_yaml("merge.toml", text), "{text}");
        }
        assert!(is_yaml("merge.yml", ""));
        for text in ["", "method = \"ties\"", "[[rules]]", "\"a:b\" = 1"] {
            assert!(!is_yaml("merge.toml", text), "{text}");
        }
    }

    #[test]
    fn words_without_quotes_are_found() {
        let quoted = unquoted("method = ties # the method");
        assert_eq!(quoted.as_deref(), Some("method = \"ties\""));
        for line in ["method = \"ties\"", "density = .5", "[[rules]]"] {
            assert_eq!(unquoted(line), None, "{line}");
        }
    }
}
