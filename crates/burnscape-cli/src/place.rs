//! Where settings stand, for errors.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::error::CommandError;

/// Where settings stand: on the command line, at the top of a configuration, or in a rule of one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    /// The configuration; none for the command line.
    pub(crate) file: Option<String>,
    /// The number of the rule, from 1 on; none for the top.
    pub(crate) rule: Option<usize>,
    /// The line of each key, from 1 on.
    pub(crate) lines: BTreeMap<String, usize>,
}

impl Place {
    /// The name of a setting as it is written there: `--rank-share` or `rank-share`.
    pub(crate) fn key(&self, name: &str) -> String {
        match self.file {
            None => format!("--{name}"),
            Some(_) => name.to_string(),
        }
    }

    /// A setting with a value as it is written there: `--keep 0.5` or `keep = 0.5`.
    pub(crate) fn with_value(&self, name: &str, value: &str) -> String {
        match self.file {
            None => format!("--{name} {value}"),
            Some(_) => format!("{name} = {value}"),
        }
    }

    /// The error that a setting is wrong, with the file, the rule and the line before the message.
    pub(crate) fn wrong(&self, name: &str, message: impl Display) -> CommandError {
        let Some(file) = &self.file else {
            return CommandError::Usage(message.to_string());
        };
        let rule = self.rule.map(|rule| format!(", rule {rule}"));
        let line = self.lines.get(name).map(|line| format!(", line {line}"));
        let (rule, line) = (rule.unwrap_or_default(), line.unwrap_or_default());
        CommandError::Usage(format!("`{file}`{rule}{line}: {message}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_named_as_they_are_written() {
        let flags = Place::default();
        assert_eq!(flags.key("rank-share"), "--rank-share");
        assert_eq!(flags.with_value("keep", "0.5"), "--keep 0.5");
        assert_eq!(flags.wrong("keep", "wrong").to_string(), "wrong");
        let rule = Place {
            file: Some("m.toml".to_string()),
            rule: Some(3),
            lines: [("keep".to_string(), 17)].into(),
        };
        assert_eq!(rule.key("rank-share"), "rank-share");
        assert_eq!(rule.with_value("keep", "0.5"), "keep = 0.5");
        let text = rule.wrong("keep", "wrong").to_string();
        assert_eq!(text, "`m.toml`, rule 3, line 17: wrong");
        let text = rule.wrong("names", "missing").to_string();
        assert_eq!(text, "`m.toml`, rule 3: missing");
    }
}
