//! A figure and its drawing as JSON, and back.

use std::fmt::Debug;

use burnscape_plot::{Drawing, Figure, Series};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::data::{all, replaced};
use crate::documents::drawing;

/// Every figure with five digits, which any JSON reader gives back to the last bit.
fn short() -> impl Iterator<Item = (&'static str, Figure)> {
    all().into_iter().map(|(kind, figure)| {
        let mut json = serde_json::to_value(figure).unwrap();
        shorten(&mut json);
        (kind, serde_json::from_value(json).unwrap())
    })
}

fn shorten(json: &mut Value) {
    match json {
        Value::Number(number) if number.is_f64() => {
            *json = serde_json::from_str(&format!("{:.4e}", number.as_f64().unwrap())).unwrap();
        }
        Value::Array(values) => values.iter_mut().for_each(shorten),
        Value::Object(entries) => entries.values_mut().for_each(shorten),
        _ => {}
    }
}

fn again<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let json = serde_json::to_string(value).unwrap();
    serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

/// As text, NaN is equal to itself and zeros have their sign.
fn assert_same<T: Debug>(a: &T, b: &T, what: &str) {
    assert_eq!(format!("{a:?}"), format!("{b:?}"), "{what}");
}

#[test]
fn every_figure_comes_back() {
    for (kind, figure) in short() {
        let read = again(&figure);
        assert_same(&read, &figure, kind);
        let draw = |figure: &Figure| figure.to_svg(&drawing(false)).unwrap();
        assert_eq!(draw(&read), draw(&figure), "{kind}");
    }
}

#[test]
fn every_number_comes_back() {
    let hard = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        -0.0,
        0.0,
        0.333_33,
        -2.5e-17,
        1.234_5e22,
        -999_999_999_999_999.0,
        1e15,
    ];
    for (kind, figure) in short() {
        let mut hard = hard.iter().cycle();
        let mut figure = replaced(&figure, |_| *hard.next().unwrap());
        if let Figure::Contour(it) = &mut figure {
            it.metrics = vec![("error".into(), it.values.clone()), ("none".into(), vec![])];
        }
        assert_same(&again(&figure), &figure, kind);
        // The same in a format that has all numbers.
        let bytes = rmp_serde::to_vec(&figure).unwrap();
        assert_same(&rmp_serde::from_slice(&bytes).unwrap(), &figure, kind);
    }
}

#[test]
fn drawings_come_back() {
    let plain = Drawing::new(600, 400);
    let full = Drawing::new(200, 4000)
        .with_title("a \"title\"\n</script>")
        .with_alt("ω")
        .with_dark(true);
    for drawing in [plain, full] {
        assert_eq!(again(&drawing), drawing);
    }
}

#[test]
fn numbers_are_as_short_as_they_can_be() {
    let x = vec![0.0, -0.0, 0.1, 1e-7, -31.0];
    let y = vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    assert_eq!(
        serde_json::to_string(&Series::new("a", x, y)).unwrap(),
        r#"{"name":"a","x":[0,-0.0,0.1,1e-7,-31],"y":["nan","inf","-inf"],"band":null}"#
    );
}

#[test]
fn what_is_no_number_is_refused() {
    for x in ["null", "true", "\"1.5\"", "\"NaN\"", "[0]", "\"\""] {
        let json = format!(r#"{{"name": "a", "x": [1, {x}], "y": [], "band": null}}"#);
        let error = serde_json::from_str::<Series>(&json).unwrap_err();
        let expected = r#"expected a number, "nan", "inf" or "-inf""#;
        assert!(error.to_string().contains(expected), "{x}: {error}");
    }
}

#[test]
fn each_kind_has_its_name() {
    let names: Vec<String> = all()
        .iter()
        .filter_map(|(_, figure)| {
            let json = serde_json::to_value(figure).unwrap();
            json.as_object().unwrap().keys().next().cloned()
        })
        .collect();
    assert_eq!(
        names,
        [
            "curve",
            "contour",
            "surface",
            "heat_map",
            "spectrum",
            "persistence",
            "merge_tree",
            "bars"
        ]
    );
}
