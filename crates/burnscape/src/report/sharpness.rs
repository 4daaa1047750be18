//! The panel of measures of sharpness.

use burnscape_plot::{Bar, Content, Panel};

use super::words::quoted;
use crate::sharpness::{SharpnessMeasure, SharpnessReport, SharpnessRow};
use crate::space::Scale;

const CAPTION: &str = "Measures of how fast the loss rises around the network. Compare bars of one measure only. Each \
    bar is of one network: an error is a standard error of the measurement, not of other seeds.";
const RADII: &str = " Radii differ: do not compare the average rise with the worst-case rise.";
const ARROWS: &str = " An arrow says higher or lower than the first network, where the difference is more than two \
    standard errors.";
const CANNOT_TELL: &str = "Which network is better on new data. Absolute measures also change when weights are \
    rescaled without changing what the network computes.";

/// The note of a number that could not be compared.
const UNTESTED: &str = "no error estimate, not tested";

/// What makes rows of two reports comparable: measure, scale, part and setting.
type Key<'a> = (SharpnessMeasure, Option<Scale>, Option<&'a str>, &'a str);

/// A table with a group of bars for each measure; none without a row.
pub(super) fn panel(reports: &[(String, SharpnessReport)]) -> Option<Panel> {
    let mut keys: Vec<Key<'_>> = Vec::new();
    for row in reports.iter().flat_map(|(_, report)| &report.rows) {
        if !keys.contains(&key(row)) {
            keys.push(key(row));
        }
    }
    let bars: Vec<Bar> = keys.iter().flat_map(|key| bars(reports, key)).collect();
    let mut caption = CAPTION.to_owned();
    let has = |wanted: SharpnessMeasure| keys.iter().any(|(measure, ..)| *measure == wanted);
    if has(SharpnessMeasure::AverageSharpness) && has(SharpnessMeasure::WorstCaseSharpness) {
        caption += RADII;
    }
    if reports.len() > 1 {
        caption += ARROWS;
    }
    (!bars.is_empty()).then(|| Panel {
        title: "Sharpness".to_owned(),
        caption,
        cannot_tell: CANNOT_TELL.to_owned(),
        content: Content::Bars(bars),
    })
}

fn key(row: &SharpnessRow) -> Key<'_> {
    (
        row.measure,
        row.scale,
        row.part.as_deref(),
        row.setting.as_str(),
    )
}

/// The bars of one measure, with its meaning.
fn bars(reports: &[(String, SharpnessReport)], wanted: &Key<'_>) -> Vec<Bar> {
    let rows: Vec<(&str, &SharpnessRow)> = reports
        .iter()
        .flat_map(|(name, report)| report.rows.iter().map(move |row| (name.as_str(), row)))
        .filter(|(_, row)| key(row) == *wanted)
        .collect();
    let notes = rows.iter().enumerate().map(|(index, (_, row))| {
        let first = rows.first().filter(|_| index > 0);
        note(row, first.copied(), rows.len() > 1)
    });
    let notes: Vec<String> = notes.collect();
    let (title, meaning) = words(wanted);
    // A note that all bars share stands beside the title.
    let has_notes = notes.iter().any(|note| !note.is_empty());
    let group = if has_notes {
        format!("{title}: {meaning}")
    } else {
        title
    };
    let bars = rows.iter().zip(notes).map(|((name, row), note)| Bar {
        label: (*name).to_owned(),
        group: group.clone(),
        value: row.value.unwrap_or(f64::NAN),
        error: row.standard_error,
        note: if has_notes { note } else { meaning.to_owned() },
    });
    bars.collect()
}

/// What restricts a number, and how it compares with the first one.
fn note(row: &SharpnessRow, first: Option<(&str, &SharpnessRow)>, has_others: bool) -> String {
    let compared = first.and_then(|(name, other)| compared(row, name, other));
    let has_no_error = row.value.is_some() && row.standard_error.is_none();
    let untested = (has_others && has_no_error).then(|| UNTESTED.to_owned());
    let all = [compared, untested, row.note.clone()];
    let all: Vec<String> = all.into_iter().flatten().collect();
    all.join("; ")
}

/// Higher or lower, by more than two standard errors of the difference; none if an error is not known.
fn compared(row: &SharpnessRow, name: &str, other: &SharpnessRow) -> Option<String> {
    let difference = row.value? - other.value?;
    let error = row.standard_error?.hypot(other.standard_error?);
    let is_clear = difference.abs() > 2.0 * error;
    let word = if difference > 0.0 {
        "↑ higher"
    } else {
        "↓ lower"
    };
    is_clear.then(|| format!("{word} than {}", quoted(name)))
}

/// The name of a measure with what it depends on, and its meaning.
fn words((measure, scale, part, setting): &Key<'_>) -> (String, &'static str) {
    let (name, meaning) = match measure {
        SharpnessMeasure::AverageSharpness => (
            "Average rise",
            "how much the loss rises on average if noise is added to the weights",
        ),
        SharpnessMeasure::WorstCaseSharpness => (
            "Worst-case rise",
            "how much the loss rises at most in a ball around the weights",
        ),
        SharpnessMeasure::PacBayesSigma => (
            "Tolerated noise",
            "the noise of the weights that raises the loss by the threshold; more is flatter",
        ),
        SharpnessMeasure::LambdaMax => (
            "Largest eigenvalue of the Hessian",
            "the steepest curvature of all directions",
        ),
        SharpnessMeasure::Trace => (
            "Trace of the Hessian",
            "the sum of the curvatures of all directions",
        ),
        SharpnessMeasure::FrobeniusNorm => (
            "Frobenius norm of the Hessian",
            "the size of all curvatures, whatever their sign",
        ),
        SharpnessMeasure::Keskar => (
            "Keskar's sharpness",
            "the largest rise in a small box, in percent of one plus the loss",
        ),
        SharpnessMeasure::RelativeFlatness => (
            "Relative flatness",
            "the curvature of a layer times the size of its weights; less is flatter",
        ),
        SharpnessMeasure::McAllesterBound => {
            ("McAllester's bound", "a bound of the loss on new data")
        }
        SharpnessMeasure::FisherRaoNorm => (
            "Fisher-Rao norm",
            "the norm of the weights, measured by how the predictions change",
        ),
        SharpnessMeasure::EffectiveDimension => (
            "Effective dimension",
            "how many directions of the weights the predictions depend on",
        ),
    };
    let scale = scale.map(|scale| scale.to_string());
    let setting = (!setting.is_empty()).then(|| (*setting).to_owned());
    let part = part.map(str::to_owned);
    let all = [Some(name.to_owned()), part, scale, setting];
    let all: Vec<String> = all.into_iter().flatten().collect();
    (all.join(", "), meaning)
}
