//! What the table says, in sentences: what is not part of the criterion.

use super::federated::TOGETHER;
use super::pair::BY_ACTIVATIONS;
use super::repetition::{ENSEMBLE, LOSS};
use super::soups::{ALIGNED_GREEDY, CORRELATION, MEMBERS};
use super::task_methods::{MODEL_STOCK, SCALES, USES_DATA};
use super::tasks::{SCALE, START};
use crate::studies::criteria::merging::{
    ACCURACY, ALIGNED, ARITHMETIC, AVERAGE, BY_WEIGHTS, CONFIDENCE, FEDERATED, GREEDY, LOCAL_STEPS,
    ONE_START, OWN_STARTS, PAIR, SINGLE, TASKS, every, lead, repaired, row,
};
use crate::studies::frame::Measured;

/// One note for each part.
pub(super) fn notes(found: &Measured) -> Vec<String> {
    let parts = [
        (PAIR, pair(found)),
        (ONE_START, one_start(found)),
        (OWN_STARTS, own_starts(found)),
        (TASKS, tasks(found)),
        (FEDERATED, federated(found)),
    ];
    parts
        .into_iter()
        .map(|(part, sentences)| format!("{}: {}", capitalized(part), sentences.join(" ")))
        .collect()
}

fn pair(found: &Measured) -> Vec<String> {
    let names = [BY_WEIGHTS, BY_ACTIVATIONS].map(str::to_string);
    let names = names.into_iter().flat_map(|name| [repaired(&name), name]);
    let names: Vec<String> = names.collect();
    let mut sentences = vec![
        compared(found, PAIR, AVERAGE, SINGLE),
        compared(found, PAIR, &repaired(AVERAGE), AVERAGE),
    ];
    let best = best(found, PAIR, |name| names.iter().any(|own| own == name));
    if let Some(best) = best {
        sentences.push(compared(found, PAIR, best, SINGLE));
        sentences.push(
            "The best of the four aligned averages was found on the test images, so that its lead over the others is \
             partly luck."
                .to_string(),
        );
    }
    sentences
}

fn one_start(found: &Measured) -> Vec<String> {
    let mut sentences = vec![compared(found, ONE_START, ENSEMBLE, AVERAGE)];
    sentences.extend(alone(found, ONE_START, GREEDY));
    sentences
}

fn own_starts(found: &Measured) -> Vec<String> {
    let mut sentences = vec![
        compared(found, OWN_STARTS, ALIGNED, SINGLE),
        compared(found, OWN_STARTS, ENSEMBLE, ALIGNED),
    ];
    sentences.extend(alone(found, OWN_STARTS, GREEDY));
    sentences.extend(alone(found, OWN_STARTS, ALIGNED_GREEDY));
    let [alike, unlike] =
        [ONE_START, OWN_STARTS].map(|part| found.mean(&row(part, ENSEMBLE), CORRELATION));
    let relation = if alike > unlike {
        "more alike than these, so that there is less to gain from an ensemble of them"
    } else {
        "not more alike than these"
    };
    sentences.push(format!(
        "The errors of networks from one start are {relation}: their correlation is {alike:.2} beside {unlike:.2}."
    ));
    sentences
}

fn tasks(found: &Measured) -> Vec<String> {
    let is_method = |name: &str| ![START, SINGLE, AVERAGE, ENSEMBLE].contains(&name);
    let bests = [
        best(found, TASKS, |name| {
            is_method(name) && !name.ends_with(USES_DATA)
        }),
        best(found, TASKS, is_method),
    ];
    let mut bests: Vec<&str> = bests.into_iter().flatten().collect();
    bests.dedup();
    let mut sentences = vec![
        compared(found, TASKS, AVERAGE, SINGLE),
        compared(found, TASKS, AVERAGE, START),
        compared(found, TASKS, ARITHMETIC, AVERAGE),
    ];
    let mean = |name: &str, column: &str| found.mean(&row(TASKS, name), column);
    let is_torn = mean(ARITHMETIC, LOSS) < mean(AVERAGE, LOSS)
        && mean(ARITHMETIC, ACCURACY) < mean(AVERAGE, ACCURACY);
    if is_torn {
        sentences.push(
            "Task arithmetic has a lower test loss than the plain average: its scale was chosen by the loss, not by \
             the accuracy."
                .to_string(),
        );
    }
    let others = bests.iter().filter(|name| **name != ARITHMETIC);
    sentences.extend(others.map(|name| compared(found, TASKS, name, AVERAGE)));
    sentences.push(
        "The best of all methods and the best of those without data were found on the test images: their lead is \
         partly luck."
            .to_string(),
    );
    if mean(ENSEMBLE, ACCURACY) < mean(AVERAGE, ACCURACY) {
        sentences.push(
            "The ensemble is less accurate than the plain average: each network is sure that every image shows one of \
             its own digits, and the mean of the probabilities cannot tell which network is right."
                .to_string(),
        );
    }
    if are_equal(found, TASKS, MODEL_STOCK, START) {
        sentences.push(
            "Model stock is the base: the differences of networks with disjoint digits are at right angles or wider on \
             average, so that its t is 0, and nothing of them is added."
                .to_string(),
        );
    }
    for name in names(found, TASKS) {
        sentences.extend(at_the_ends(found, name));
    }
    sentences
}

/// Sentences about choices of the smallest and the largest scale: a better one may lie beyond it.
fn at_the_ends(found: &Measured, name: &str) -> Vec<String> {
    let chosen = found.values(&row(TASKS, name), SCALE);
    let ends = [
        (SCALES[0], "smallest", "smaller"),
        (SCALES[SCALES.len() - 1], "largest", "larger"),
    ];
    let sentences = ends.into_iter().filter_map(|(scale, which, beyond)| {
        let times = chosen.iter().filter(|own| **own == scale).count();
        (times > 0).then(|| {
            format!(
                "{} chose the {which} scale in {times} of {} repetitions: the best one may be {beyond}.",
                capitalized(name),
                chosen.len()
            )
        })
    });
    sentences.collect()
}

fn federated(found: &Measured) -> Vec<String> {
    let mut sentences = Vec::new();
    let pairs = LOCAL_STEPS.map(|local| [true, false].map(|is| every(local, is, false)));
    let mut each = pairs.iter();
    if each.all(|[aligned, plain]| are_equal(found, FEDERATED, aligned, plain)) {
        sentences.push(
            "Without own starts the alignment changed nothing: clients that begin each round with one network keep \
             their units in the same order."
                .to_string(),
        );
    } else {
        let each = pairs.iter();
        sentences.extend(each.map(|[aligned, plain]| compared(found, FEDERATED, aligned, plain)));
    }
    let often = every(LOCAL_STEPS[0], false, false);
    sentences.push(compared(found, FEDERATED, &often, TOGETHER));
    sentences.push(
        "With own starts each client begins the first round with other initial weights, so that there is something to \
         align."
            .to_string(),
    );
    sentences
}

/// The accuracy of one row on test images beside that of another one, seed by seed.
fn compared(found: &Measured, part: &str, name: &str, with: &str) -> String {
    let gap = lead(found, &row(part, name), &row(part, with));
    let name = capitalized(name);
    if gap.value == 0.0 && gap.standard_error.unwrap_or(0.0) == 0.0 {
        return format!("{name}: as accurate as the {with} in every repetition.");
    }
    let side = if gap.value < 0.0 { "below" } else { "above" };
    let points = gap.value.abs();
    let clearly = match gap.half_width(CONFIDENCE) {
        None => "one repetition, which does not tell",
        Some(width) if width >= points => "not clear",
        Some(_) => "clear",
    };
    let error = gap.standard_error.map(|error| format!(" ± {error:.2}"));
    let error = error.unwrap_or_default();
    format!("{name}: {points:.2}{error} points {side} the {with} ({clearly}).")
}

/// A sentence about greedy soups of one network.
fn alone(found: &Measured, part: &str, name: &str) -> Option<String> {
    let members = found.values(&row(part, name), MEMBERS);
    let times = members.iter().filter(|count| **count == 1.0).count();
    let count = members.len();
    (times > 0).then(|| {
        format!("The {name} kept the best network alone in {times} of {count} repetitions.")
    })
}

/// Whether two rows have the same test losses and accuracies in every repetition.
fn are_equal(found: &Measured, part: &str, one: &str, other: &str) -> bool {
    [LOSS, ACCURACY].iter().all(|column| {
        found.values(&row(part, one), column) == found.values(&row(part, other), column)
    })
}

/// The names of the rows of a part.
fn names<'f>(found: &'f Measured, part: &str) -> Vec<&'f str> {
    let before = row(part, "");
    let rows = found.rows().into_iter();
    rows.filter_map(|row| row.strip_prefix(before.as_str()))
        .collect()
}

/// The name of the row with the highest mean accuracy on test images, of those that `is_candidate`.
fn best<'f>(
    found: &'f Measured,
    part: &str,
    is_candidate: impl Fn(&str) -> bool,
) -> Option<&'f str> {
    let names = names(found, part).into_iter();
    let candidates = names.filter(|name| is_candidate(name));
    let means = candidates.map(|name| (name, found.mean(&row(part, name), ACCURACY)));
    let best = means.max_by(|a, b| a.1.total_cmp(&b.1));
    best.map(|(name, _)| name)
}

/// A text that begins with a capital letter.
fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}
