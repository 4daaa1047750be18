//! Histories are written, read and continued.

use burn::optim::momentum::MomentumConfig;
use burn::tensor::Device;
use burnscape::FormatError;
use burnscape::dynamics::{
    CurvatureMonitor, CurvatureMonitorConfig, CurvatureMonitorRecord, CurvatureReading,
};
use burnscape::prelude::*;

use super::model::{Mlp, clusters, squared, step};

fn config() -> CurvatureMonitorConfig {
    CurvatureMonitorConfig::new(2)
        .with_momentum(Some(MomentumConfig::new()))
        .with_rho(Some(0.05))
        .with_num_probes(2)
}

/// Twelve steps; the monitor is saved and restored before step `pause`.
fn run(config: &CurvatureMonitorConfig, pause: Option<usize>) -> CurvatureMonitor {
    let device = Device::default().autodiff();
    let data = [clusters(30, 8, 3, &device)];
    let mut model = Mlp::new([8, 10, 10, 3], 2, &device);
    let mut sgd = burn::optim::SgdConfig::new().init();
    let mut monitor = config.init().unwrap();
    let risk = Risk::new(&squared, &data);
    for index in 0..12 {
        if pause == Some(index) {
            let text = monitor.to_record().unwrap().to_json().unwrap();
            let record = CurvatureMonitorRecord::from_json(&text).unwrap();
            assert_close(&record.history, monitor.history());
            monitor = config.init().unwrap().resume(record.clone());
            // Without a measurement in between, the record stays the same.
            assert_eq!(monitor.to_record().unwrap(), record);
        }
        monitor.observe(&risk, &model, index, 0.1).unwrap();
        model = step(&mut sgd, 0.1, model, squared, &data[0]);
    }
    monitor
}

/// Equal up to the last binary place, which `serde_json` does not guarantee.
#[track_caller]
fn assert_close(found: &[CurvatureReading], expected: &[CurvatureReading]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.outcome, expected.outcome);
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
fn a_resumed_monitor_reads_the_same_bits() {
    let whole = run(&config(), None);
    assert_eq!(whole.history().len(), 6);
    for pause in [1, 6] {
        let resumed = run(&config(), Some(pause));
        assert_close(resumed.history(), whole.history());
        // Readings after the break; before step 6 there were three.
        let resumed = &resumed.history()[3..];
        assert_eq!(resumed, &whole.history()[3..], "{pause}");
    }
    // The vectors matter: with others the last digits differ.
    let other = run(&config().with_seed(5), None);
    assert_ne!(other.history(), whole.history());
}

#[test]
fn a_record_of_another_version_is_refused_with_a_remedy() {
    let text = run(&config(), None).to_record().unwrap().to_json().unwrap();
    let newer = text.replacen(r#""version":2"#, r#""version":3"#, 1);
    // The first version stored its readings under another name, with other fields.
    let first = r#"{"history":[{"step":0,"converged":true}],"vectors":[[1.0]]}"#;
    for (text, version) in [(newer.as_str(), 3), (first, 1)] {
        let error = CurvatureMonitorRecord::from_json(text).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(&format!("is version {version}")), "{error}");
        assert!(error.contains("start a new monitor"), "{error}");
    }
}

#[test]
fn json_reads_back() {
    let monitor = run(&config(), None);
    let history = monitor.history();
    let text = history.to_json().unwrap();
    assert_close(&Vec::from_json(&text).unwrap(), history);
    let mut written = Vec::new();
    history.write_json(&mut written).unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), text + "\n");
    let error = Vec::<CurvatureReading>::from_json("{}").unwrap_err();
    assert!(matches!(error, FormatError::Read { .. }), "{error}");
}

/// The numbers of a line with the names of their columns.
fn cells(reading: &CurvatureReading) -> Vec<(&'static str, Option<f64>)> {
    vec![
        ("step", Some(reading.step as f64)),
        ("lr", Some(reading.lr)),
        ("loss", Some(reading.loss)),
        ("gradient_norm", Some(reading.gradient_norm)),
        ("sharpness", Some(reading.sharpness)),
        ("residual", Some(reading.residual)),
        ("edge_ratio", Some(reading.edge_ratio)),
        ("gd_edge", reading.gd_edge),
        ("momentum_edge", reading.momentum_edge),
        ("sam_edge", reading.sam_edge),
        ("trace", reading.trace),
        ("trace_standard_error", reading.trace_standard_error),
        ("num_matvecs", Some(reading.num_matvecs as f64)),
    ]
}

#[test]
fn csv_has_every_number_to_the_bit_and_empty_cells_for_none() {
    for config in [config(), CurvatureMonitorConfig::new(2)] {
        let monitor = run(&config, None);
        let mut text = Vec::new();
        monitor.history().write_csv(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let mut lines = text.lines();
        let names: Vec<&str> = lines.next().unwrap().split(',').collect();
        let lines: Vec<&str> = lines.collect();
        assert_eq!(lines.len(), monitor.history().len());
        for (line, reading) in lines.iter().zip(monitor.history()) {
            let found: Vec<&str> = line.split(',').collect();
            assert_eq!(found.len(), names.len());
            let cell = |name: &str| found[names.iter().position(|known| *known == name).unwrap()];
            for (name, expected) in cells(reading) {
                let found = cell(name);
                match expected {
                    None => assert_eq!(found, "", "{name}"),
                    Some(value) => {
                        let found: f64 = found.parse().unwrap();
                        assert_eq!(found.to_bits(), value.to_bits(), "{name}");
                    }
                }
            }
            assert_eq!(cell("outcome"), reading.outcome.to_string());
        }
    }
}

#[test]
fn a_writer_that_fails_is_an_error() {
    let monitor = run(&config(), None);
    let mut small = [0_u8; 10];
    for error in [
        monitor.history().write_csv(&mut small[..]).unwrap_err(),
        monitor.history().write_json(&mut small[..]).unwrap_err(),
    ] {
        assert!(matches!(error, FormatError::Write { .. }), "{error}");
    }
}
