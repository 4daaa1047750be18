//! Curves of a training run: losses, readings of monitors, plateaus.

use burnscape::dynamics::{Cost, DynamicsError, Observation, Quantity, Reading};
use burnscape::prelude::*;
use burnscape::report::ReportBuilder;
use burnscape::trajectory::{Plateau, PlateausConfig};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::models::Page;

/// A reading of one's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Measured {
    sharpness: f64,
    edge_ratio: Option<f64>,
}

impl Reading for Measured {
    fn quantities() -> &'static [Quantity<Self>] {
        const QUANTITIES: &[Quantity<Measured>] = &[
            Quantity {
                name: "sharpness",
                description: "how sharp it is",
                value: |reading| Some(reading.sharpness),
            },
            Quantity {
                name: "edge_ratio",
                description: "how near the edge is",
                value: |reading| reading.edge_ratio,
            },
        ];
        QUANTITIES
    }

    fn cost(&self) -> Cost {
        Cost::default()
    }
}

/// Sharpness 1, 2, 3 at steps 0, 10, 20, with a ratio at the last one only.
fn readings() -> Vec<Observation<Measured>> {
    Json::from_json(
        r#"[
            {"step": 0, "lr": 0.1, "reading": {"sharpness": 1.0, "edge_ratio": null}},
            {"step": 10, "lr": 0.1, "reading": {"sharpness": 2.0, "edge_ratio": null}},
            {"step": 20, "lr": 0.1, "reading": {"sharpness": 3.0, "edge_ratio": 0.5}}
        ]"#,
    )
    .unwrap()
}

fn plateaus() -> Vec<Plateau> {
    PlateausConfig::new(1, 0.1).run(&[1.0, 1.0, 1.0]).unwrap()
}

/// The charts of a page.
fn charts(builder: ReportBuilder) -> Vec<Value> {
    let page = Page::of(&builder.build());
    let charts = page.content("Training", "curves");
    charts.as_array().unwrap().clone()
}

fn builder() -> ReportBuilder {
    ReportBuilder::new("Page")
}

#[test]
fn losses_share_a_chart() {
    let found = charts(
        builder()
            .with_losses("train", &[0.0, 1.0, 2.0], &[8.0, 2.0, 1.0])
            .with_losses("test", &[0.0, 2.0], &[8.0, f64::NAN]),
    );
    let [chart] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(chart["x"], json!({"label": "step", "scale": "linear"}));
    assert_eq!(chart["y"], json!({"label": "loss", "scale": "log"}));
    assert_eq!(chart["series"][0]["name"], "train");
    assert_eq!(chart["series"][0]["y"], json!([8, 2, 1]));
    assert_eq!(chart["series"][1]["y"], json!([8, "nan"]));
}

#[test]
fn losses_that_hardly_differ_or_are_negative_have_a_linear_axis() {
    for losses in [[2.0, 1.0], [8.0, -1.0], [8.0, 0.0]] {
        let found = charts(builder().with_losses("train", &[0.0, 1.0], &losses));
        assert_eq!(found[0]["y"]["scale"], "linear", "{losses:?}");
    }
}

#[test]
fn readings_of_the_same_quantities_share_a_chart_below_the_losses() {
    let readings = readings();
    let both = ["sharpness", "edge_ratio"];
    let found = charts(
        builder()
            .with_readings("SGD", &readings, &both)
            .unwrap()
            .with_readings("SAM", &readings, &both)
            .unwrap()
            .with_readings("SGD", &readings, &["sharpness"])
            .unwrap()
            .with_losses("train", &[0.0, 20.0], &[2.0, 1.0]),
    );
    let labels: Vec<&Value> = found.iter().map(|chart| &chart["y"]["label"]).collect();
    assert_eq!(labels, ["loss", "sharpness, edge ratio", "sharpness"]);
    let names = |chart: usize| -> Vec<&str> {
        let series = found[chart]["series"].as_array().unwrap().iter();
        series.map(|one| one["name"].as_str().unwrap()).collect()
    };
    assert_eq!(
        names(1),
        [
            "SGD: sharpness",
            "SGD: edge ratio",
            "SAM: sharpness",
            "SAM: edge ratio"
        ]
    );
    assert_eq!(names(2), ["SGD"]);
    assert_eq!(found[1]["series"][0]["x"], json!([0, 10, 20]));
    // What a reading does not have is no point.
    assert_eq!(found[1]["series"][1]["x"], json!([20]));
    assert_eq!(found[1]["series"][1]["y"], json!([0.5]));
}

#[test]
fn the_caption_says_what_was_measured() {
    let page = builder()
        .with_readings("", &readings(), &["sharpness", "edge_ratio"])
        .unwrap();
    let page = Page::of(&page.build());
    assert_eq!(
        page.panels()[0]["caption"],
        "Measured during the training: sharpness (how sharp it is) and edge ratio (how near the edge is)."
    );
    assert_eq!(
        page.content("Training", "curves")[0]["series"][1]["name"],
        "edge ratio"
    );
}

#[test]
fn a_quantity_that_readings_do_not_have_is_refused() {
    let empty: [Observation<Measured>; 0] = [];
    for readings in [&readings()[..], &empty] {
        let refused = builder().with_readings("SGD", readings, &["sharpness", "trace"]);
        let expected = DynamicsError::NoQuantity {
            name: "trace".to_string(),
            known: "sharpness, edge_ratio".to_string(),
        };
        assert_eq!(refused.map(|_| ()), Err(expected));
    }
}

#[test]
fn plateaus_are_shaded_in_the_first_chart() {
    let steps = [0, 10, 20];
    let found = charts(
        builder()
            .with_plateaus(&steps, &plateaus())
            .with_readings("SGD", &readings(), &["sharpness"])
            .unwrap()
            .with_losses("train", &[0.0, 20.0], &[1.0, 1.0]),
    );
    let region = json!([{"from": 0, "to": 20, "label": "plateau"}]);
    assert_eq!(found[0]["regions"], region);
    assert_eq!(found[1]["regions"], json!([]));
    let mut saddle = plateaus();
    saddle[0].saddle_like = Some(true);
    let found = charts(
        builder()
            .with_plateaus(&steps, &saddle)
            .with_readings("SGD", &readings(), &["sharpness"])
            .unwrap(),
    );
    assert_eq!(found[0]["regions"][0]["label"], "plateau, like a saddle");
}

#[test]
fn what_has_no_place_is_said() {
    let page = builder()
        .with_plateaus(&[0, 10], &plateaus())
        .with_losses("train", &[0.0, 1.0], &[f64::NAN; 2])
        .with_readings("SGD", &readings()[..1], &["sharpness", "edge_ratio"])
        .unwrap();
    let page = Page::of(&page.build());
    assert_eq!(
        page.answer("What is not drawn?"),
        "1 plateau beyond the steps that were given; the losses “train”: none is finite; “SGD: edge ratio” has no \
         value in any reading."
    );
    let lost = builder().with_plateaus(&[0, 10, 20], &plateaus());
    assert_eq!(
        Page::of(&lost.build()).answer("What is not drawn?"),
        "the plateaus: there is no training curve."
    );
}

#[test]
fn empty_curves_are_left_out() {
    let nothing: [Observation<Measured>; 0] = [];
    let page = builder()
        .with_losses("train", &[], &[])
        .with_readings("SGD", &nothing, &["sharpness"])
        .unwrap()
        .with_readings("SGD", &readings(), &[])
        .unwrap()
        .with_plateaus(&[], &[]);
    assert!(Page::of(&page.build()).panels().is_empty());
}
