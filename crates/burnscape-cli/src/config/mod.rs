//! Merges that a file in TOML describes. Keys have the names of the flags.

mod hints;
mod section;
mod values;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use self::section::{Section, Table};
use self::values::{choice, list, names, numbers, path, scoped, weights, whole, word};
use super::arguments::MergeArguments;
use super::error::CommandError;
use super::job::{Job, Part};
use super::place::Place;
use super::settings::Settings;

/// Keys that a rule and the top have.
const OF_BOTH: [&str; 14] = [
    "method",
    "density",
    "keep",
    "epsilon",
    "top",
    "scale",
    "seed",
    "unit",
    "threshold",
    "off-diagonal",
    "ridge",
    "fisher",
    "grams",
    "rank-share",
];

/// Keys that only the top has.
const OF_TOP: [&str; 9] = [
    "base",
    "models",
    "weights",
    "out",
    "dtype",
    "layout",
    "max-shard-size",
    "copy-from",
    "rules",
];

/// Keys that only a rule has.
const OF_RULES: [&str; 1] = ["names"];

/// The merge that a file describes. Paths in it are relative to its folder.
pub(crate) fn read(path: &Path, arguments: &MergeArguments) -> Result<Job, CommandError> {
    let shown = path.display().to_string();
    let bytes = fs::read(path).map_err(|error| CommandError::File {
        path: shown.clone(),
        message: format!("cannot be read ({error}); check the path"),
    })?;
    let Ok(text) = String::from_utf8(bytes) else {
        return Err(CommandError::Usage(format!(
            "`{shown}` is not a TOML file; `burnscape merge --help` has an example of a configuration"
        )));
    };
    let document = DeTable::parse(&text);
    let document = document.map_err(|error| hints::not_toml(&shown, &text, &error))?;
    let config = Config {
        shown: &shown,
        text: &text,
        folder: path.parent().unwrap_or(Path::new("")),
    };
    config.job(document.get_ref(), arguments)
}

/// What all parts of a configuration need.
#[derive(Clone, Copy)]
struct Config<'c> {
    shown: &'c str,
    text: &'c str,
    folder: &'c Path,
}

impl Config<'_> {
    fn job(self, table: &DeTable<'_>, arguments: &MergeArguments) -> Result<Job, CommandError> {
        let known = [&OF_TOP[..], &OF_BOTH].concat();
        let mut top = self.section(table, None, &known)?;
        let mut parts = Vec::new();
        if let Some(rules) = top.value("rules") {
            let tables = tables(rules).map_err(|message| top.place.wrong("rules", message))?;
            for (index, table) in tables.into_iter().enumerate() {
                parts.push(self.rule(table, index + 1)?);
            }
        }
        let own = |path: PathBuf| self.folder.join(path);
        let models = top.take("models", |value| list(value, path))?;
        let models = models.ok_or_else(|| missing(&top, "models"))?;
        let out = top.take("out", path)?.map(own);
        let out = arguments.out.clone().or(out);
        Ok(Job {
            base: top.take("base", path)?.map(own),
            models: models.into_iter().map(own).collect(),
            out: out.ok_or_else(|| missing(&top, "out"))?,
            weights: top.take("weights", weights)?,
            dtype: arguments.dtype.or(top.take("dtype", choice)?),
            layout: top
                .take("layout", |value| scoped(value, word))?
                .unwrap_or_default(),
            max_shard_size: top.take("max-shard-size", word)?,
            copy_from: arguments
                .copy_from
                .clone()
                .or(top.take("copy-from", path)?.map(own)),
            own: self.part(&mut top, Vec::new())?,
            parts,
        })
    }

    fn rule(self, table: &DeTable<'_>, number: usize) -> Result<Part, CommandError> {
        let known = [&OF_RULES[..], &OF_BOTH].concat();
        let mut rule = self.section(table, Some(number), &known)?;
        let names = rule.take("names", names)?.unwrap_or_default();
        if names.is_empty() {
            let message = "it has no `names`; add the beginning of the paths that it is for";
            return Err(rule.place.wrong("names", message));
        }
        self.part(&mut rule, names)
    }

    fn part(self, section: &mut Section<'_>, names: Vec<String>) -> Result<Part, CommandError> {
        let method = section.take("method", word)?;
        let method = method.ok_or_else(|| missing(section, "method"))?;
        let settings = self.settings(section)?;
        Ok(Part {
            names,
            method,
            settings,
            place: section.place.clone(),
        })
    }

    fn settings(self, section: &mut Section<'_>) -> Result<Settings, CommandError> {
        let files = |value: &DeValue<'_>| -> Result<Vec<PathBuf>, String> {
            let files = list(value, path)?.into_iter();
            Ok(files.map(|file| self.folder.join(file)).collect())
        };
        Ok(Settings {
            density: section.take("density", numbers)?.unwrap_or_default(),
            keep: section.take("keep", numbers)?.unwrap_or_default(),
            epsilon: section.take("epsilon", values::number)?,
            top: section.take("top", values::number)?,
            scale: section.take("scale", numbers)?.unwrap_or_default(),
            seed: section.take("seed", whole)?,
            unit: section.take("unit", choice)?,
            threshold: section.take("threshold", choice)?,
            off_diagonal: section.take("off-diagonal", values::number)?,
            ridge: section.take("ridge", values::number)?,
            fisher: section.take("fisher", files)?.unwrap_or_default(),
            grams: section.take("grams", files)?.unwrap_or_default(),
            rank_share: section.take("rank-share", values::number)?,
        })
    }

    /// A table whose keys are all known.
    fn section<'t>(
        self,
        table: &'t DeTable<'_>,
        rule: Option<usize>,
        known: &[&'static str],
    ) -> Result<Section<'t>, CommandError> {
        let place = Place {
            file: Some(self.shown.to_string()),
            rule,
            lines: BTreeMap::new(),
        };
        let table = Table {
            text: self.text,
            table,
        };
        Section::new(table, place, known, |key| match rule {
            None if OF_RULES.contains(&key) => {
                Some(format!("`{key}` belongs below [[rules]]; move it there"))
            }
            Some(_) if OF_TOP.contains(&key) => Some(format!(
                "`{key}` belongs above the rules; move it to the top of the file"
            )),
            _ => None,
        })
    }
}

/// The rules.
fn tables<'t>(value: &'t DeValue<'_>) -> Result<Vec<&'t DeTable<'t>>, String> {
    let wrong = || "write each rule as a table below [[rules]]".to_string();
    let rules = value.as_array().ok_or_else(wrong)?;
    let tables = rules.iter().map(|rule| rule.get_ref().as_table());
    tables
        .collect::<Option<Vec<&DeTable<'_>>>>()
        .ok_or_else(wrong)
}

fn missing(section: &Section<'_>, key: &str) -> CommandError {
    let message = match section.place.rule {
        None => format!("`{key}` is missing; add it at the top of the file"),
        Some(_) => format!("`{key}` is missing; add one, for instance {key} = \"average\""),
    };
    section.place.wrong(key, message)
}
