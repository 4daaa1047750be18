//! The numbers of the page beside those of a native run.

use serde_json::Value;

/// The largest relative difference.
const TOLERANCE: f64 = 1e-4;

/// Prints the figures of the page, and returns an error if losses or eigenvalues differ from those of a native run.
pub(super) fn compare(page: &str, native: &str) -> Result<(), String> {
    let parsed = |text: &str| {
        serde_json::from_str::<Value>(text).map_err(|error| format!("not JSON: {error}: {text}"))
    };
    let (page, native) = (parsed(page)?, parsed(native)?);
    let mut worst = 0.0_f64;
    for key in ["losses", "lambda_max"] {
        let (found, expected) = (numbers(&page[key]), numbers(&native[key]));
        if found.len() != expected.len() || expected.is_empty() {
            return Err(format!(
                "`{key}` has {} numbers instead of {}",
                found.len(),
                expected.len()
            ));
        }
        for (found, expected) in found.iter().zip(&expected) {
            let difference = (found - expected).abs() / expected.abs();
            if difference.is_nan() || difference > TOLERANCE {
                return Err(format!(
                    "`{key}`: {found} in the page, {expected} in a native run"
                ));
            }
            worst = worst.max(difference);
        }
    }
    println!(
        "losses of 20 steps and first eigenvalues differ from a native run by at most {worst:.1e}"
    );
    for (key, what) in [
        ("millisecondsPerStep", "a step of both networks"),
        (
            "millisecondsPerMeasurement",
            "eigenvalues and slices of both",
        ),
    ] {
        if let Some(time) = page[key].as_f64() {
            println!("{what}: {time:.2} ms");
        }
    }
    Ok(())
}

/// All numbers of nested lists, in order; NaN for null.
fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(list) => list.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().unwrap_or(f64::NAN)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_number_a_missing_one_and_null_are_errors() {
        let native = r#"{"losses":[[1.0,2.0]],"lambda_max":[3.0]}"#;
        assert!(compare(native, native).is_ok());
        for page in [
            r#"{"losses":[[1.0,2.1]],"lambda_max":[3.0]}"#,
            r#"{"losses":[[1.0]],"lambda_max":[3.0]}"#,
            r#"{"losses":[[1.0,null]],"lambda_max":[3.0]}"#,
            r#"{"losses":[[1.0,2.0]]}"#,
            "nothing",
        ] {
            assert!(compare(page, native).is_err(), "{page}");
        }
    }
}
