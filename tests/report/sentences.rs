//! The headline: sentences made from known numbers, and silence where there is none.

use burnscape::landscape::{DirectionKind, Landscape, LossScale};
use burnscape::report::ReportBuilder;
use burnscape::space::DirectionNorm;

use super::models::{Page, bowl, bowl_on, double_well, profile, projection};

fn with(landscapes: &[(&str, &Landscape)]) -> ReportBuilder {
    let mut builder = ReportBuilder::new("Page");
    for (name, landscape) in landscapes {
        builder = builder
            .with_landscape(name, landscape, LossScale::Linear)
            .unwrap();
    }
    builder
}

#[track_caller]
fn says(builder: ReportBuilder, expected: &[&str]) {
    let page = Page::of(&builder.build());
    assert_eq!(page.sentences(), expected);
}

const NO_SECOND: &str = "One well in this picture.";
const OFF: &str =
    "On average, 60 % of a checkpoint's distance from the end of training is outside this picture.";

#[test]
fn a_bowl_doubles_where_its_radius_says() {
    says(
        with(&[("SGD", &bowl())]),
        &[
            "The loss can double when the weights move by 20 % of their norm in this plane.",
            NO_SECOND,
        ],
    );
}

#[test]
fn the_plane_has_a_name_if_both_directions_are_of_one_kind() {
    let named = |kind: DirectionKind, plane: &str| {
        let mut landscape = bowl();
        landscape.directions[0].kind = kind.clone();
        landscape.directions[1].kind = DirectionKind::Orthogonalized(Box::new(kind));
        let expected =
            format!("The loss can double when the weights move by 20 % of their norm {plane}.");
        says(
            with(&[("SGD", &landscape)]),
            &[expected.as_str(), NO_SECOND],
        );
    };
    let random = DirectionKind::Random {
        norm: DirectionNorm::Sphere,
        seed: 7,
    };
    named(random, "in the plane of two random directions");
    let eigenvector = DirectionKind::Eigenvector { eigenvalue: 2.0 };
    named(eigenvector, "in the plane of two eigenvectors");
    let component = DirectionKind::PrincipalComponent {
        index: 0,
        share: 0.5,
    };
    named(
        component,
        "in the plane of two components of the training run",
    );
    named(DirectionKind::Gradient, "in this plane");
}

#[test]
fn a_small_window_shows_no_doubling() {
    let axis = vec![-0.1, 0.0, 0.1];
    let nowhere = "Nowhere in this picture is the loss twice as high as at the network.";
    let landscape = bowl_on(&[axis.clone(), axis]);
    says(with(&[("SGD", &landscape)]), &[nowhere, NO_SECOND]);
    // What is not a number may be anything.
    let mut unknown = landscape;
    unknown.losses[0] = f64::NAN;
    says(with(&[("SGD", &unknown)]), &[NO_SECOND]);
}

#[test]
fn a_loss_that_is_not_positive_has_no_double() {
    for base in [0.0, -1.0] {
        let mut landscape = bowl();
        landscape.base_loss = base;
        says(with(&[("SGD", &landscape)]), &[NO_SECOND]);
    }
    let mut landscape = bowl();
    landscape.directions[0].relative_norm = f64::INFINITY;
    says(with(&[("SGD", &landscape)]), &[NO_SECOND]);
}

#[test]
fn a_training_run_lies_off_the_picture() {
    let builder = with(&[("SGD", &bowl())]).with_projection("SGD", &projection());
    says(
        builder,
        &[
            "The loss can double when the weights move by 20 % of their norm in this plane.",
            OFF,
            NO_SECOND,
        ],
    );
}

#[test]
fn wells_are_counted_where_the_grid_resolves_them() {
    says(
        with(&[("SGD", &double_well())]),
        &[
            "The loss can double when the weights move by 33 % of their norm in this plane.",
            "The grid resolves 2 wells in this picture.",
        ],
    );
    // A window with the shallow well at its right end.
    let mut landscape = double_well();
    landscape.axes[0].truncate(31);
    landscape.losses.truncate(31 * 21);
    landscape.evaluated.truncate(31 * 21);
    let page = Page::of(&with(&[("SGD", &landscape)]).build());
    let expected =
        "The grid resolves 2 wells in this picture, 1 of them at the border of the picture.";
    assert_eq!(page.sentences().last(), Some(&expected));
}

#[test]
fn several_landscapes_share_their_sentences() {
    let builder = with(&[("SGD", &double_well()), ("SAM", &bowl())]);
    let builder = builder.with_projection("SAM", &projection());
    says(
        builder,
        &[
            "The loss of “SGD” can double when the weights move by 33 % of their norm in its picture, that of “SAM” by \
             20 %.",
            "On average, 60 % of a checkpoint's distance from the end of training is outside the picture of “SAM”.",
            "The grid resolves 2 wells in the picture of “SGD” and 1 well in the picture of “SAM”.",
        ],
    );
    let axis = vec![-0.1, 0.0, 0.1];
    let small = bowl_on(&[axis.clone(), axis]);
    says(
        with(&[("A", &small), ("B", &bowl()), ("C", &bowl())]),
        &[
            "The loss of “A” doubles nowhere in its picture, that of “B” can double when the weights move by 20 % of \
             their norm in its picture, that of “C” by 20 %.",
            "One well in each picture.",
        ],
    );
}

#[test]
fn a_well_at_the_border_may_continue_outside() {
    // The lowest points of both are those at the right end.
    let axis = |from: i32, to: i32| (from..=to).map(|x| 0.25 * f64::from(x)).collect::<Vec<_>>();
    let half = || bowl_on(&[axis(-8, -2), axis(-4, 4)]);
    let touches = "it touches the border and may continue outside.";
    let last = |builder: ReportBuilder| {
        let page = Page::of(&builder.build());
        page.sentences().last().map(|last| (*last).to_owned())
    };
    let alone = last(with(&[("SGD", &half())]));
    let expected =
        "One well in this picture. It touches the border and may continue outside.".to_owned();
    assert_eq!(alone, Some(expected));
    let one = last(with(&[("SGD", &half()), ("SAM", &bowl())]));
    let expected = format!("One well in each picture. In that of “SGD” {touches}");
    assert_eq!(one, Some(expected));
    let both = last(with(&[("SGD", &half()), ("SAM", &half())]));
    let expected = format!("One well in each picture. In those of “SGD” and “SAM” {touches}");
    assert_eq!(both, Some(expected));
    let caption = |builder: ReportBuilder| {
        let page = Page::of(&builder.build());
        page.panels()[0]["caption"].as_str().unwrap().to_owned()
    };
    let found = caption(with(&[("SGD", &half())]));
    let expected =
        " The lowest point in view is at the border of the picture, not at the trained network.";
    assert!(found.ends_with(expected), "{found}");
    let found = caption(with(&[("SGD", &half()), ("SAM", &bowl())]));
    let expected = " In the picture of “SGD” the lowest point in view is at the border, not at the trained network.";
    assert!(found.ends_with(expected), "{found}");
    let found = caption(with(&[("SGD", &bowl())]));
    assert!(!found.contains("border"), "{found}");
}

#[test]
fn a_barrier_fills_the_third_place() {
    let barrier = "Along “line” the loss rises 1 above the straight line between its ends.";
    let paths = || ReportBuilder::new("Page").with_path("line", &profile());
    says(paths(), &[barrier]);
    let builder = paths().with_landscape("SGD", &bowl(), LossScale::Linear);
    says(
        builder.unwrap().with_projection("SGD", &projection()),
        &[
            "The loss can double when the weights move by 20 % of their norm in this plane.",
            OFF,
            NO_SECOND,
        ],
    );
    let mut flat = profile();
    if let Some(barriers) = &mut flat.train.barriers {
        barriers.above_line = 0.0;
    }
    says(
        ReportBuilder::new("Page").with_path("line", &flat),
        &["Along “line” the loss rises nowhere above the straight line between its ends."],
    );
    flat.train.barriers = None;
    says(ReportBuilder::new("Page").with_path("line", &flat), &[]);
}

#[test]
fn without_numbers_there_is_nothing_to_say() {
    says(ReportBuilder::new("Page"), &[]);
    let losses = ReportBuilder::new("Page").with_losses("training", &[0.0, 1.0], &[2.0, 1.0]);
    says(losses, &[]);
}
