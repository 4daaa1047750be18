//! The panel about trust: answers that are made from known numbers.

use burnscape::landscape::{DirectionKind, Landscape, LossScale};
use burnscape::loss::{Mode, NormalizationPolicy};
use burnscape::report::ReportBuilder;
use burnscape::space::DirectionNorm;
use burnscape::trajectory::TrajectoryPcaConfig;

use super::models::{Page, bowl, double_well, projection, trajectory};

fn with(name: &str, landscape: &Landscape) -> ReportBuilder {
    let builder = ReportBuilder::new("Page");
    builder
        .with_landscape(name, landscape, LossScale::Linear)
        .unwrap()
}

/// What the page of one landscape answers.
#[track_caller]
fn answers(landscape: &Landscape, question: &str, expected: &str) {
    let page = Page::of(&with("SGD", landscape).build());
    assert_eq!(page.answer(question), expected);
}

#[test]
fn directions_have_their_lengths_and_their_angle() {
    let question = "Which directions does the picture show?";
    let given = "given (20 % as long as the weights)";
    let mut landscape = bowl();
    answers(
        &landscape,
        question,
        &format!("First: {given}. Second: {given}. They are at right angles."),
    );
    landscape.gram[0][1] = 0.05;
    answers(
        &landscape,
        question,
        &format!(
            "First: {given}. Second: {given}. They are nearly at right angles, with a cosine of 0.05."
        ),
    );
    landscape.gram[0][1] = 0.5;
    answers(
        &landscape,
        question,
        &format!(
            "First: {given}. Second: {given}. They are not at right angles as in the picture: their cosine is 0.5."
        ),
    );
}

#[test]
fn random_planes_are_counted() {
    let question = "How many random planes were drawn?";
    let drawn = |seed: u64| {
        let mut landscape = bowl();
        for (record, seed) in landscape.directions.iter_mut().zip([seed, seed + 1]) {
            let norm = DirectionNorm::Sphere;
            record.kind = DirectionKind::Random { norm, seed };
        }
        landscape
    };
    let few = "1. Other planes look different: draw three or more before you compare.";
    answers(&drawn(1), question, few);
    // The same plane for two networks.
    let two = with("SGD", &drawn(1)).with_landscape("SAM", &drawn(1), LossScale::Linear);
    assert_eq!(Page::of(&two.unwrap().build()).answer(question), few);
    let mut builder = with("a", &drawn(1));
    for (name, seed) in [("b", 3), ("c", 5)] {
        builder = builder
            .with_landscape(name, &drawn(seed), LossScale::Linear)
            .unwrap();
    }
    assert_eq!(Page::of(&builder.build()).answer(question), "3.");
    // Others are not drawn.
    let page = Page::of(&with("SGD", &bowl()).build());
    let asked = page.answers();
    assert!(asked.iter().all(|(asked, _)| *asked != question));
}

#[test]
fn the_grid_says_what_it_cannot_show() {
    let question = "How fine is the grid?";
    let mut landscape = bowl();
    answers(
        &landscape,
        question,
        "5 × 3 points, the nearest of them 20 % of the weights' norm apart. What is narrower does not show.",
    );
    landscape.losses[3] = f64::NAN;
    landscape.evaluated[3] = false;
    landscape.completed = false;
    answers(
        &landscape,
        question,
        "3 × 3 points, the nearest of them 20 % of the weights' norm apart. What is narrower does not show. The \
         evaluation was stopped after 14 of 15 points: this is the finest grid that is complete.",
    );
    landscape.directions[0].relative_norm = f64::INFINITY;
    let expected = "3 × 3 points. What is narrower does not show. The evaluation was stopped after 14 of 15 points: this \
                    is the finest grid that is complete.";
    answers(&landscape, question, expected);
}

#[test]
fn wells_have_their_ratios() {
    let question = "Does the grid resolve the wells?";
    answers(&bowl(), question, "The deepest one only.");
    let mut landscape = double_well();
    answers(
        &landscape,
        question,
        "1 besides the deepest: B (q = 23). Here q is the depth of a well over what the spacing alone may have made; a \
         well counts above 2.",
    );
    landscape.rounding = 1.0;
    answers(
        &landscape,
        question,
        "The deepest one only. Not counted: 1 other well, which the spacing of the grid or rounding may have made.",
    );
}

#[test]
fn rounding_and_missing_numbers_are_said() {
    let mut landscape = bowl();
    landscape.rounding = 2.5e-7;
    answers(
        &landscape,
        "How large are rounding errors?",
        "About 2.5 × 10⁻⁷ at the network, and elsewhere in proportion to the loss. Smaller differences say nothing.",
    );
    landscape.losses[0] = f64::NAN;
    landscape.losses[1] = f64::INFINITY;
    landscape.losses[2] = f64::INFINITY;
    answers(
        &landscape,
        "Is the loss a number everywhere?",
        "No: of 15 points it is not a number at 1 (hatched) and infinite at 2 (gray).",
    );
}

#[test]
fn the_loss_has_its_data_and_its_mode() {
    let question = "Which loss does the picture show?";
    let mut landscape = bowl();
    landscape.num_examples = 1_437;
    landscape.num_batches = 23;
    landscape.policy = NormalizationPolicy::Leave;
    let data = "That of 1,437 examples in 23 batches, with the network as it is ";
    let statistics = "The running statistics of normalization layers, if there are any, are ";
    let used = format!("{data}used. {statistics}left as they are.");
    answers(&landscape, question, &used);
    landscape.mode = Mode::Train;
    landscape.policy = NormalizationPolicy::Reestimate(3);
    let trained = format!(
        "{data}trained, with dropout and statistics of the batch. {statistics}measured again at every point, over 3 \
         batches."
    );
    answers(&landscape, question, &trained);
}

#[test]
fn a_training_run_is_off_its_picture() {
    let page = with("SGD", &bowl()).with_projection("SGD", &projection());
    let page = Page::of(&page.build());
    assert_eq!(
        page.answer("How far is the training run from the picture?"),
        "On average over 2 checkpoints, the distance from the plane is 60 % of that from the end of training; 60 % at \
         most."
    );
    assert_eq!(
        page.answer("Is the training run as high as the picture shows it?"),
        "No: the network of step 0 has a loss of 26, and the picture shows 17 there. No other difference is larger."
    );
    let mut level = projection();
    for point in &mut level.points {
        point.loss = point.plane_loss;
        point.height_gap = 0.0;
    }
    let page = with("SGD", &bowl()).with_projection("SGD", &level);
    assert_eq!(
        Page::of(&page.build()).answer("Is the training run as high as the picture shows it?"),
        "Yes, to three digits at every checkpoint."
    );
}

#[test]
fn components_stand_beside_their_nulls() {
    let pca = TrajectoryPcaConfig::new(1).run(&trajectory()).unwrap();
    let page = ReportBuilder::new("Page").with_components("SGD", &pca, None);
    let question = "How much of the training run “SGD” is in its largest component?";
    assert_eq!(
        Page::of(&page.build()).answer(question),
        "88 % of its spread, a sum of squared distances in which the farthest checkpoints weigh most. In a random walk \
         with as many checkpoints it is 87 %. That is more than chance gives."
    );
    // Two steps are no evidence.
    let signs = pca.sign_flip(19, 0).unwrap();
    let page = ReportBuilder::new("Page").with_components("SGD", &pca, Some(&signs));
    let page = Page::of(&page.build());
    let answer = page.answer(question);
    assert!(answer.contains("forward or backward at random"), "{answer}");
    assert!(answer.contains(" for such steps). "), "{answer}");
    assert!(
        answer.ends_with("That is no more than chance gives."),
        "{answer}"
    );
    let mut unknown = pca;
    unknown.shares[0] = f64::NAN;
    let page = ReportBuilder::new("Page").with_components("SGD", &unknown, None);
    assert!(Page::of(&page.build()).panels().is_empty());
}

#[test]
fn several_runs_share_a_question() {
    let pca = TrajectoryPcaConfig::new(1).run(&trajectory()).unwrap();
    let page = ReportBuilder::new("Page")
        .with_components("SGD", &pca, None)
        .with_components("SAM", &pca, None);
    let page = Page::of(&page.build());
    let answer = page.answer("How much of a training run is in its largest component?");
    let lines: Vec<&str> = answer.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(
        lines[0].starts_with("“SGD”: 88 % of its spread"),
        "{answer}"
    );
    assert!(
        lines[1].starts_with("“SAM”: 88 % of its spread"),
        "{answer}"
    );
}

#[test]
fn equal_answers_are_given_once() {
    let builder = with("SGD", &bowl()).with_landscape("SAM", &bowl(), LossScale::Linear);
    let page = Page::of(&builder.unwrap().build());
    let asked = page.answers();
    let asked = asked
        .iter()
        .filter(|(asked, _)| asked.starts_with("How fine"));
    assert_eq!(asked.count(), 1);
    let builder = with("SGD", &bowl()).with_landscape("SAM", &double_well(), LossScale::Linear);
    let page = Page::of(&builder.unwrap().build());
    // Others have a line for each landscape.
    let lines: Vec<&str> = page.answer("How fine is the grid?").lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("“SGD”: 5 × 3"), "{}", lines[0]);
    assert!(lines[1].starts_with("“SAM”: 41 × 21"), "{}", lines[1]);
}
