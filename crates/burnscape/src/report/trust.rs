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
pub(super) type Row = (String, String);

/// The p-value up to which chance explains too little.
const SIGNIFICANT: f64 = 0.05;

/// The panel; none without anything to say.
pub(super) fn panel(views: &[View], components: Vec<Row>, left_out: &[String]) -> Option<Panel> {
    let mut rows = components;
    rows.extend(each(views, answers::off_plane, |of| {
        format!("How far is the training run{of} from the picture?")
    }));
    rows.extend(each(views, answers::heights, |of| {
        format!("Is the training run{of} as high as the picture shows it?")
    }));
    rows.extend(each(views, answers::directions, |of| {
        format!("Which directions does the picture{of} show?")
    }));
    rows.extend(planes(views));
    rows.extend(each(views, answers::grid, |of| {
        format!("How fine is the grid{of}?")
    }));
    rows.extend(each(views, answers::wells, |of| {
        format!("Does the grid resolve the wells{of}?")
    }));
    rows.extend(each(views, answers::rounding, |of| {
        format!("How large are rounding errors{of}?")
    }));
    rows.extend(each(views, answers::not_finite, |of| {
        format!("Is the loss{of} a number everywhere?")
    }));
    rows.extend(each(views, answers::loss, |of| {
        format!("Which loss does the picture{of} show?")
    }));
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
) -> Option<Row> {
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
        "{} of its spread. In a random walk with as many checkpoints it is {}",
        percent(share),
        percent(walk)
    );
    let is_more = match signs {
        Some(signs) => {
            let (mean, p_value) = (percent(signs.mean), short(signs.p_value, 2));
            answer += &format!(
                ", and with the same steps forward or backward at random {mean} on average (p = {p_value})"
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
    let run = quoted(name);
    Some((
        format!("How much of the training run {run} is in its {largest}?"),
        answer,
    ))
}

/// The answers of all views; one for all if they are the same.
fn each(
    views: &[View],
    answer: fn(&View) -> Option<String>,
    question: fn(&str) -> String,
) -> Vec<Row> {
    let answers = views.iter().filter_map(|view| Some((view, answer(view)?)));
    let answers: Vec<(&View, String)> = answers.collect();
    let is_same =
        answers.len() == views.len() && answers.windows(2).all(|two| two[0].1 == two[1].1);
    match &answers[..] {
        [(_, answer), ..] if is_same => vec![(question(""), answer.clone())],
        answers => {
            let of = |view: &View| format!(" of {}", quoted(&view.figure.name));
            let rows = answers.iter();
            let rows = rows.map(|(view, answer)| (question(&of(view)), answer.clone()));
            rows.collect()
        }
    }
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
