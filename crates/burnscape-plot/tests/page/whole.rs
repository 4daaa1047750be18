//! The page of the example.

use std::collections::HashSet;

use serde_json::json;

use crate::example::report;
use crate::parts::island;

const POLICY: &str = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline'; \
    style-src 'unsafe-inline'; img-src data:\">";

#[test]
fn two_surfaces_and_a_run_fit_into_400_kb() {
    let page = report().to_html().unwrap();
    assert!(page.len() <= 400_000, "{} bytes", page.len());
    crate::files::keep("page.html", &page);
}

#[test]
fn nothing_is_loaded() {
    let page = report().to_html().unwrap();
    assert!(page.contains(POLICY));
    // The policy stands before all that it is for.
    assert!(page.find(POLICY) < page.find("<style"));
    // The license of uPlot and its banner are comments of a script.
    let (before, rest) = page.split_once("/*!").unwrap();
    let (license, rest) = rest
        .split_once("/*! https://github.com/leeoniya/uPlot (v1.6.32) */")
        .unwrap();
    assert!(license.contains("The MIT License (MIT)") && license.contains("Leon Sorokin"));
    for text in [before, license, rest] {
        let text = text.replace("http-equiv", "");
        assert!(!text.contains("http"), "a reference to elsewhere");
        assert!(!text.contains("@import") && !text.contains("url("));
    }
    for word in [
        "eval(",
        "Function(",
        "fetch(",
        "XMLHttpRequest",
        "import(",
        "webgl",
        "localStorage",
        "WebSocket",
    ] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(!page.contains("<script src") && !page.contains("type=\"module\""));
}

#[test]
fn every_panel_has_its_parts() {
    let page = report().to_html().unwrap();
    let count = |text: &str| page.matches(text).count();
    assert_eq!(count("<section class=\"panel\" id=\"panel-"), 8);
    assert_eq!(count("<h2"), 9);
    assert_eq!(count("<p class=\"caption\""), 9);
    assert_eq!(count(">What this cannot tell you</h3>"), 8);
    assert_eq!(count("<h1"), 1);
    assert_eq!(count("<main"), 1);
    for kind in [
        "landscapes",
        "curves",
        "trust",
        "figure",
        "topology",
        "bars",
        "table",
    ] {
        assert!(count(&format!("data-kind=\"{kind}\"")) >= 1, "{kind}");
    }
    // Both drawings are there for wide and for narrow windows, and say what they show.
    assert_eq!(count("<div class=\"drawing wide\"><svg"), 2);
    assert_eq!(count("<div class=\"drawing narrow\"><svg"), 2);
    assert_eq!(
        count(
            "aria-label=\"Loss along three paths. The straight line rises to 1.9, the curve stays below 0.05.\""
        ),
        2
    );
}

#[test]
fn tests_are_told_what_happened() {
    let page = report().to_html().unwrap();
    for attribute in [
        "dataset.ready = \"1\"",
        "dataset.errors = \"0\"",
        "dataset.panels = ",
        "dataset.drawn = \"1\"",
    ] {
        assert!(page.contains(attribute), "{attribute}");
    }
    // The counter is the first script.
    assert!(page.find("addEventListener(\"error\"") < page.find("<body"));
}

#[test]
fn identifiers_are_unique() {
    let page = report().to_html().unwrap();
    let (text, _) = page.split_once("<script id=\"data\"").unwrap();
    let identifiers: Vec<&str> = text
        .split(" id=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let unique: HashSet<&&str> = identifiers.iter().collect();
    assert_eq!(unique.len(), identifiers.len(), "{identifiers:?}");
    for reference in text
        .split("href=\"#")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
    {
        assert!(identifiers.contains(&reference), "{reference}");
    }
}

#[test]
fn the_data_are_those_of_the_figures() {
    let data = island(&report().to_html().unwrap());
    assert_eq!(data["palette"].as_str().unwrap().len(), 6 * 256);
    assert!(data["palette"].as_str().unwrap().starts_with("440154"));
    let kinds: Vec<&str> = data["panels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|panel| panel["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "landscapes",
            "curves",
            "static",
            "static",
            "static",
            "topology",
            "static",
            "static"
        ]
    );
    let view = &data["panels"][0]["views"][0];
    assert_eq!(view["name"], "SGD");
    assert_eq!(view["log"], true);
    assert_eq!(view["x"].as_array().unwrap().len(), 51);
    assert_eq!(view["x"][0], json!(-30));
    assert_eq!(
        view["fields"][0]["values"].as_array().unwrap().len(),
        51 * 51
    );
    assert_eq!(view["fields"][1]["name"], "accuracy");
    assert_eq!(view["basins"].as_array().unwrap().len(), 51 * 51);
    assert_eq!(view["trajectory"]["step"].as_array().unwrap().len(), 100);
    assert_eq!(data["panels"][5]["branches"], view["branches"]);
    assert_eq!(data["csv"][0][0], "surface of SGD");
}

#[test]
fn two_pages_of_the_same_data_are_equal() {
    assert_eq!(report().to_html().unwrap(), report().to_html().unwrap());
}
