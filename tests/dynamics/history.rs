//! Observations are written, read and continued.

use burn::tensor::Device;
use burnscape::FormatError;
use burnscape::dynamics::{
    CurvatureMonitor, CurvatureMonitorConfig, CurvatureMonitorState, CurvatureReading, Due,
    EdgeRule, Moment, Observation, Reading, Watch, WatchRecord,
};
use burnscape::loss::Whole;
use burnscape::prelude::*;

use super::model::{Mlp, clusters, squared, step};

type Record = WatchRecord<CurvatureReading, CurvatureMonitorState>;

fn config() -> CurvatureMonitorConfig {
    CurvatureMonitorConfig::new()
        .with_optimizer(EdgeRule::sam(0.05).unwrap())
        .with_num_probes(2)
}

/// What twelve steps show, measured at every other one; the watch is saved and restored before step `pause`.
fn run(
    config: &CurvatureMonitorConfig,
    pause: Option<usize>,
) -> (Vec<Observation<CurvatureReading>>, Record) {
    let device = Device::default().autodiff();
    let data = [clusters(30, 8, 3, &device)];
    let mut model = Mlp::new([8, 10, 10, 3], 2, &device);
    let mut sgd = burn::optim::SgdConfig::new().init();
    let risk = Risk::new(&squared, &data);
    let new = || -> Watch<'_, Mlp, Whole, CurvatureMonitor> {
        Watch::new(Due::Every(2), config.init().unwrap(), risk.clone()).unwrap()
    };
    let mut watch = new();
    for index in 0..12 {
        if pause == Some(index) {
            let text = watch.to_record().unwrap().to_json().unwrap();
            let record = Record::from_json(&text).unwrap();
            assert_close(&record.observations, &watch.readings().to_vec());
            watch = new().resume(record.clone()).unwrap();
            // Without a measurement in between, the record stays the same.
            assert_eq!(watch.to_record().unwrap(), record);
        }
        watch.observe(&Moment::new(index, 0.1, &model)).unwrap();
        model = step(&mut sgd, 0.1, model, squared, &data[0]);
    }
    (watch.readings().to_vec(), watch.to_record().unwrap())
}

fn seen(config: &CurvatureMonitorConfig) -> Vec<Observation<CurvatureReading>> {
    run(config, None).0
}

/// Equal up to the last binary place, which `serde_json` does not guarantee.
#[track_caller]
fn assert_close(
    found: &[Observation<CurvatureReading>],
    expected: &[Observation<CurvatureReading>],
) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.reading.outcome, expected.reading.outcome);
        for ((name, found), (_, expected)) in cells(found).into_iter().zip(cells(expected)) {
            let is_close = match (found, expected) {
                (Some(a), Some(b)) => (a - b).abs() <= f64::EPSILON * b.abs(),
                (a, b) => a == b,
            };
            assert!(is_close, "{name}: {found:?} {expected:?}");
        }
    }
}

#[test]
fn a_resumed_watch_reads_the_same_bits() {
    let whole = seen(&config());
    assert_eq!(whole.len(), 6);
    for pause in [1, 6] {
        let (resumed, _) = run(&config(), Some(pause));
        assert_close(&resumed, &whole);
        // Readings after the break; before step 6 there were three.
        assert_eq!(resumed[3..], whole[3..], "{pause}");
    }
    // The vectors matter: with others the last digits differ.
    assert_ne!(seen(&config().with_seed(5)), whole);
}

#[test]
fn a_record_of_another_version_is_refused_with_a_remedy() {
    let text = run(&config(), None).1.to_json().unwrap();
    let newer = text.replacen(r#""version":3"#, r#""version":4"#, 1);
    // Records of curvature monitors, before there were watches.
    let first = r#"{"history":[{"step":0,"converged":true}],"vectors":[[1.0]]}"#;
    let second = r#"{"version":2,"readings":[{"step":0,"lr":0.1}],"vectors":[[1.0]]}"#;
    for (text, version) in [(newer.as_str(), 4), (first, 1), (second, 2)] {
        let error = Record::from_json(text).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(&format!("is version {version}")), "{error}");
        assert!(error.contains("start a new monitor"), "{error}");
    }
}

#[test]
fn json_reads_back() {
    let history = seen(&config());
    let text = history.to_json().unwrap();
    assert_close(&Vec::from_json(&text).unwrap(), &history);
    let mut written = Vec::new();
    history.write_json(&mut written).unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), text + "\n");
    let error = Vec::<Observation<CurvatureReading>>::from_json("{}").unwrap_err();
    assert!(matches!(error, FormatError::Read { .. }), "{error}");
}

/// The numbers of a line with the names of their columns.
fn cells(seen: &Observation<CurvatureReading>) -> Vec<(&'static str, Option<f64>)> {
    let reading = &seen.reading;
    let converged = if reading.outcome.is_converged() {
        1.0
    } else {
        0.0
    };
    vec![
        ("step", Some(seen.step as f64)),
        ("lr", Some(seen.lr)),
        ("loss", Some(reading.loss)),
        ("gradient_norm", Some(reading.gradient_norm)),
        ("sharpness", Some(reading.sharpness)),
        ("residual", Some(reading.residual)),
        ("converged", Some(converged)),
        ("edge", reading.edge),
        ("edge_ratio", reading.edge_ratio),
        ("preconditioned_sharpness", reading.preconditioned_sharpness),
        ("preconditioned_residual", reading.preconditioned_residual),
        ("trace", reading.trace),
        ("trace_standard_error", reading.trace_standard_error),
        ("num_matvecs", Some(reading.num_matvecs as f64)),
        ("num_gradients", Some(reading.num_gradients as f64)),
        ("cost_in_gradients", Some(reading.cost().in_gradients())),
    ]
}

#[test]
fn csv_has_every_number_to_the_bit_and_empty_cells_for_none() {
    for config in [config(), CurvatureMonitorConfig::new()] {
        let history = seen(&config);
        let mut text = Vec::new();
        history.write_csv(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let mut lines = text.lines();
        let names: Vec<&str> = lines.next().unwrap().split(',').collect();
        let lines: Vec<&str> = lines.collect();
        assert_eq!(lines.len(), history.len());
        for (line, seen) in lines.iter().zip(&history) {
            let found: Vec<&str> = line.split(',').collect();
            let expected = cells(seen);
            let expected_names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, expected_names);
            for ((name, expected), found) in expected.into_iter().zip(found) {
                match expected {
                    None => assert_eq!(found, "", "{name}"),
                    Some(value) => {
                        let found: f64 = found.parse().unwrap();
                        assert_eq!(found.to_bits(), value.to_bits(), "{name}");
                    }
                }
            }
        }
    }
}

#[test]
fn quantities_have_names_of_their_own_and_no_formulas() {
    let mut names: Vec<&str> = CurvatureReading::quantities()
        .iter()
        .map(|quantity| quantity.name)
        .collect();
    let is_plain = |name: &&str| name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    assert!(names.iter().all(is_plain), "{names:?}");
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn a_writer_that_fails_is_an_error() {
    let history = seen(&config());
    let mut small = [0_u8; 10];
    for error in [
        history.write_csv(&mut small[..]).unwrap_err(),
        history.write_json(&mut small[..]).unwrap_err(),
    ] {
        assert!(matches!(error, FormatError::Write { .. }), "{error}");
    }
}
