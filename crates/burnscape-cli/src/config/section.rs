//! A table of a configuration, whose keys are known and have lines.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::hints;
use crate::error::CommandError;
use crate::near::nearest;
use crate::place::Place;

/// A table, and the text of the file that it is in.
#[derive(Clone, Copy)]
pub(super) struct Table<'t, 's> {
    pub(super) text: &'s str,
    pub(super) table: &'t DeTable<'t>,
}

/// The values of a table by key.
pub(super) struct Section<'t> {
    values: BTreeMap<String, &'t DeValue<'t>>,
    pub(super) place: Place,
}

impl<'t> Section<'t> {
    /// Refuses keys that are not known; `misplaced` says what is wrong with one of another section. `_` stands for `-`.
    pub(super) fn new(
        Table { text, table }: Table<'t, '_>,
        mut place: Place,
        known: &[&'static str],
        misplaced: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, CommandError> {
        let mut values: BTreeMap<String, &'t DeValue<'t>> = BTreeMap::new();
        for (written, value) in table {
            let key = written.get_ref().replace('_', "-");
            let line = hints::line_of(text, written.span().start);
            let is_second = place.lines.insert(key.clone(), line).is_some();
            if is_second {
                let message = format!("`{key}` is there twice, once with `_`; leave one out");
                return Err(place.wrong(&key, message));
            }
            if known.contains(&key.as_str()) {
                values.insert(key, value.get_ref());
                continue;
            }
            let message =
                misplaced(&key).unwrap_or_else(|| unknown(written.get_ref(), &key, known));
            return Err(place.wrong(&key, message));
        }
        Ok(Self { values, place })
    }

    /// A value that is not taken yet.
    pub(super) fn value(&self, key: &str) -> Option<&'t DeValue<'t>> {
        self.values.get(key).copied()
    }

    /// The value of a key, if it is there.
    pub(super) fn take<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&DeValue<'_>) -> Result<T, String>,
    ) -> Result<Option<T>, CommandError> {
        let Some(value) = self.values.remove(key) else {
            return Ok(None);
        };
        let value = read(value);
        let value = value.map_err(|message| self.place.wrong(key, format!("`{key}`: {message}")));
        value.map(Some)
    }
}

fn unknown(written: &str, key: &str, known: &[&'static str]) -> String {
    let advice = match (hints::foreign(key), nearest(key, known.iter().copied())) {
        (Some(advice), _) => format!("; {advice}"),
        (None, Some(name)) => format!("; did you mean `{name}`?"),
        (None, None) => ".".to_string(),
    };
    format!(
        "`{written}` is not a key here{advice} Keys: {}",
        known.join(", ")
    )
}
