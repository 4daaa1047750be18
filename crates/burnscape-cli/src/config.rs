//! Merges that a file in TOML describes.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::arguments::MergeArguments;
use super::error::CommandError;
use super::job::{ElementType, Job, Layout, Part};
use super::method::Method;
use super::scoped::Values;
use super::settings::{Settings, Threshold, Unit};
use super::size::Size;

/// The top of a configuration, or one of its rules. Keys have the names of the flags.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Section {
    // Of the top only.
    base: Option<PathBuf>,
    models: Option<Vec<PathBuf>>,
    weights: Option<Vec<Values<f64>>>,
    out: Option<PathBuf>,
    dtype: Option<ElementType>,
    layout: Option<Values<Layout>>,
    max_shard_size: Option<Size>,
    rules: Option<Vec<Section>>,
    // Of rules only.
    names: Option<Names>,
    // Of both.
    method: Option<Method>,
    density: Option<Values<f64>>,
    keep: Option<Values<f64>>,
    epsilon: Option<f64>,
    top: Option<f64>,
    scale: Option<Values<f64>>,
    seed: Option<u64>,
    unit: Option<Unit>,
    threshold: Option<Threshold>,
    off_diagonal: Option<f64>,
    ridge: Option<f64>,
    fisher: Option<Vec<PathBuf>>,
    grams: Option<Vec<PathBuf>>,
    rank_share: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "expected the beginning of a path, or a list such as [\"encoder\", \"head\"]"
)]
enum Names {
    One(String),
    Several(Vec<String>),
}

/// The merge that a file describes. Paths in it are relative to its folder.
pub(crate) fn read(path: &Path, arguments: &MergeArguments) -> Result<Job, CommandError> {
    let shown = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| CommandError::File {
        path: shown.clone(),
        message: format!("{error}; check the path"),
    })?;
    let refused = |message: &str| CommandError::Usage(format!("`{shown}`: {message}"));
    let top: Section = toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.matches('\n').count() + 1);
        let message = error.message();
        refused(&format!(
            "line {line}: {message}; `burnscape merge --help` explains the keys"
        ))
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    job(top, folder, arguments).map_err(|message| refused(&message))
}

fn job(mut top: Section, folder: &Path, arguments: &MergeArguments) -> Result<Job, String> {
    if top.names.is_some() {
        return Err("`names` belongs below [[rules]]; move it there".to_string());
    }
    let rules = top.rules.take().unwrap_or_default().into_iter().enumerate();
    let parts = rules.map(|(index, rule)| {
        part(rule, folder).map_err(|message| format!("rule {}: {message}", index + 1))
    });
    let parts: Vec<Part> = parts.collect::<Result<_, String>>()?;
    let missing = |key: &str| format!("`{key}` is missing; add it at the top of the file");
    let models = top.models.take().ok_or_else(|| missing("models"))?;
    let out = top.out.take().map(|out| folder.join(out));
    let out = arguments
        .out
        .clone()
        .or(out)
        .ok_or_else(|| missing("out"))?;
    let weights = top.weights.take().map(|weights| {
        let weights = weights.into_iter().map(Values::into_scoped);
        weights.collect()
    });
    Ok(Job {
        base: top.base.take().map(|base| folder.join(base)),
        models: models.iter().map(|model| folder.join(model)).collect(),
        out,
        weights,
        method: top.method.ok_or_else(|| missing("method"))?,
        dtype: arguments.dtype.or(top.dtype),
        layout: top.layout.take().map_or(Vec::new(), Values::into_scoped),
        max_shard_size: top.max_shard_size,
        settings: settings(top, folder),
        parts,
    })
}

fn part(rule: Section, folder: &Path) -> Result<Part, String> {
    let of_top = [
        (rule.base.is_some(), "base"),
        (rule.models.is_some(), "models"),
        (rule.weights.is_some(), "weights"),
        (rule.out.is_some(), "out"),
        (rule.dtype.is_some(), "dtype"),
        (rule.layout.is_some(), "layout"),
        (rule.max_shard_size.is_some(), "max-shard-size"),
        (rule.rules.is_some(), "rules"),
    ];
    if let Some((_, key)) = of_top.iter().find(|(is_given, _)| *is_given) {
        return Err(format!(
            "`{key}` belongs above the rules; move it to the top of the file"
        ));
    }
    let names = match rule.names {
        Some(Names::One(ref name)) => vec![name.clone()],
        Some(Names::Several(ref names)) => names.clone(),
        None => Vec::new(),
    };
    if names.is_empty() {
        let message = "it has no `names`; add the beginning of the paths that it is for";
        return Err(message.to_string());
    }
    let missing = "`method` is missing; add one, for instance \"average\"";
    Ok(Part {
        names,
        method: rule.method.ok_or(missing)?,
        settings: settings(rule, folder),
    })
}

fn settings(section: Section, folder: &Path) -> Settings {
    let values = |values: Option<Values<f64>>| values.map_or(Vec::new(), Values::into_scoped);
    let files = |files: Option<Vec<PathBuf>>| {
        let files = files.unwrap_or_default().into_iter();
        files.map(|file| folder.join(file)).collect()
    };
    Settings {
        density: values(section.density),
        keep: values(section.keep),
        epsilon: section.epsilon,
        top: section.top,
        scale: values(section.scale),
        seed: section.seed,
        unit: section.unit,
        threshold: section.threshold,
        off_diagonal: section.off_diagonal,
        ridge: section.ridge,
        fisher: files(section.fisher),
        grams: files(section.grams),
        rank_share: section.rank_share,
    }
}

#[cfg(test)]
mod tests {
    use super::super::scoped::Scoped;
    use super::*;

    fn scoped<const N: usize>(texts: [&str; N]) -> [Scoped<f64>; N] {
        texts.map(|text| text.parse().unwrap())
    }

    fn parsed(text: &str) -> Result<Section, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn numbers_may_be_integers_and_tables_of_patterns() {
        let section = parsed("density = 1\nscale = { default = 0.5, \"a.b\" = 2 }").unwrap();
        let [scale, density] =
            [section.scale, section.density].map(|values| values.unwrap().into_scoped());
        assert_eq!(scale, scoped(["a.b=2", "0.5"]));
        assert_eq!(density, scoped(["1"]));
    }

    #[test]
    fn keys_that_belong_elsewhere_are_refused() {
        let rule = parsed("names = \"a\"\nmethod = \"ties\"\nout = \"b\"").unwrap();
        let refused = part(rule, Path::new("")).unwrap_err();
        let expected = "`out` belongs above the rules";
        assert!(refused.contains(expected), "{refused}");
        let rule = parsed("method = \"ties\"").unwrap();
        let refused = part(rule, Path::new("")).unwrap_err();
        assert!(refused.contains("no `names`"), "{refused}");
    }

    #[test]
    fn unknown_keys_have_a_place() {
        let error = parsed("method = \"ties\"\ndensty = 0.5\n").unwrap_err();
        let expected = "unknown field `densty`";
        assert!(error.message().contains(expected), "{error}");
        let is_second_line = error.span().is_some_and(|span| span.start >= 16);
        assert!(is_second_line, "{error}");
    }
}
