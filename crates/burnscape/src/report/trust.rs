//! How much to trust the pictures: what the page itself knows about them.

use std::collections::BTreeSet;

use burnscape_plot::{Content, Panel};

use super::answers;
use super::view::View;
use super::words::{percent, quoted, short};
use crate::landscape::DirectionKind;
use crate::trajectory::{SignFlipNull, TrajectoryPca};

const CANNOT_TELL: &str = "Whether the loss is measured on the data that matter to you, and whether another training \
    run would look the same.";

/// A question and its answer.
type Row = (String, String);
/// What a view knows about itself.
type Answer = fn(&View) -> Option<String>;

/// The p-value up to which chance explains too little.
const SIGNIFICANT: f64 = 0.05;

/// What the components of a training run explain.
#[derive(Debug, Clone)]
pub(super) struct Explained {
    name: String,
    /// Which components, in words.
    largest: String,
    answer: String,
}

/// The panel; none without anything to say.
pub(super) fn panel(views: &[View], runs: &[Explained], left_out: &[String]) -> Option<Panel> {
    let answers: [(&str, Answer); 3] = [
        (
            "How far is the training run from the picture?",
            answers::off_plane,
        ),
        (
            "Is the training run as high as the picture shows it?",
            answers::heights,
        ),
        (
            "Which directions does the picture show?",
            answers::directions,
        ),
    ];
    let others: [(&str, Answer); 5] = [
        ("How fine is the grid?", answers::grid),
        ("Does the grid resolve the wells?", answers::wells),
        ("How large are rounding errors?", answers::rounding),
        ("Is the loss a number everywhere?", answers::not_finite),
        ("Which loss does the picture show?", answers::loss),
    ];
    let row =
        |(question, answer): (&str, Answer)| Some((question.to_owned(), each(views, answer)?));
    let mut rows = explained(runs);
    rows.extend(answers.into_iter().filter_map(row));
    rows.extend(planes(views));
    rows.extend(others.into_iter().filter_map(row));
    if !left_out.is_empty() {
        let answer = format!("{}.", left_out.join("; "));
        rows.push(("What is not drawn?".to_owned(), answer));
    }
    (!rows.is_empty()).then(|| Panel {
        title: "How much to trust the pictures".to_owned(),
        caption: "What the page itself found out about its pictures.".to_owned(),
        cannot_tell: CANNOT_TELL.to_owned(),
        content: Content::Trust(rows),
    })
}

/// What the components of a training run explain, beside what chance does; none if a share is not a number.
pub(super) fn components(
    name: &str,
    pca: &TrajectoryPca,
    signs: Option<&SignFlipNull>,
) -> Option<Explained> {
    let count = pca.coordinates.len();
    let share = pca.explained_share();
    let walk: f64 = pca.random_walk_shares().iter().take(count).sum();
    if count == 0 || !share.is_finite() {
        return None;
    }
    let largest = match count {
        1 => "largest component".to_owned(),
        count => format!("{count} largest components"),
    };
    let mut answer = format!(
        "{} of its spread, a sum of squared distances in which the farthest checkpoints weigh most. In a \
         random walk with as many checkpoints it is {}",
        percent(share),
        percent(walk)
    );
    let is_more = match signs {
        Some(signs) => {
            let (mean, p_value) = (percent(signs.mean), short(signs.p_value, 2));
            answer += &format!(
                ", and with the same steps forward or backward at random {mean} on average (p = {p_value} \
                 for such steps)"
            );
            signs.p_value <= SIGNIFICANT
        }
        None => share > walk,
    };
    answer += if is_more {
        ". That is more than chance gives."
    } else {
        ". That is no more than chance gives."
    };
    Some(Explained {
        name: name.to_owned(),
        largest,
        answer,
    })
}

/// A question for each number of components, with a line for each run if there are several.
fn explained(runs: &[Explained]) -> Vec<Row> {
    let mut asked: Vec<&str> = Vec::new();
    for run in runs {
        if !asked.contains(&run.largest.as_str()) {
            asked.push(&run.largest);
        }
    }
    let row = |largest: &str| {
        let same: Vec<&Explained> = runs.iter().filter(|run| run.largest == largest).collect();
        if let [run] = same[..] {
            let name = quoted(&run.name);
            let question = format!("How much of the training run {name} is in its {largest}?");
            return (question, run.answer.clone());
        }
        let lines = same.iter().map(|run| line(&run.name, &run.answer));
        let lines: Vec<String> = lines.collect();
        let question = format!("How much of a training run is in its {largest}?");
        (question, lines.join("\n"))
    };
    asked.into_iter().map(row).collect()
}

/// The answers of all views, a line for each; one for all if they are the same.
fn each(views: &[View], answer: Answer) -> Option<String> {
    let answers = views.iter().filter_map(|view| Some((view, answer(view)?)));
    let answers: Vec<(&View, String)> = answers.collect();
    let is_same =
        answers.len() == views.len() && answers.windows(2).all(|two| two[0].1 == two[1].1);
    match &answers[..] {
        [] => None,
        [(_, answer), ..] if is_same => Some(answer.clone()),
        answers => {
            let lines = answers.iter();
            let lines = lines.map(|(view, answer)| line(&view.figure.name, answer));
            let lines: Vec<String> = lines.collect();
            Some(lines.join("\n"))
        }
    }
}

fn line(name: &str, answer: &str) -> String {
    format!("{}: {answer}", quoted(name))
}

/// How many random planes there are.
fn planes(views: &[View]) -> Option<Row> {
    let seeds = |view: &View| -> Vec<u64> {
        let records = view.landscape.directions.iter();
        let seeds = records.filter_map(|record| seed(&record.kind));
        seeds.collect()
    };
    let drawn: BTreeSet<Vec<u64>> = views.iter().map(seeds).collect();
    let count = drawn.iter().filter(|seeds| !seeds.is_empty()).count();
    let advice = match count {
        0 => return None,
        1 | 2 => ". Other planes look different: draw three or more before you compare",
        _ => "",
    };
    Some((
        "How many random planes were drawn?".to_owned(),
        format!("{count}{advice}."),
    ))
}

fn seed(kind: &DirectionKind) -> Option<u64> {
    match kind {
        DirectionKind::Random { seed, .. } => Some(*seed),
        DirectionKind::Orthogonalized(kind) => seed(kind),
        _ => None,
    }
}
