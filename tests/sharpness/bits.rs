//! Bits per weight of quadratics, where the average rise of rounding is `Δ² tr H / 24`.

use burn::module::{Module, Param, ParamGroup};
use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape::loss::{Risk, Work};
use burnscape::prelude::Csv;
use burnscape::sharpness::{BitsPerWeight, BitsPerWeightConfig, SharpnessError};

use super::models::{H, Point, TRACE, matrix, net, quadratic, regression, squared_error, stop_at};
use crate::path::models::nothing;
use crate::path::settings::each_matters;

/// The rise of every number of bits tried is that of the formula, `scale / 4^bits`, within four standard errors.
#[track_caller]
fn assert_follows(found: &BitsPerWeight, scale: f64) {
    for (index, bits) in found.tried.iter().enumerate() {
        let exact = scale / 4.0_f64.powi(*bits as i32);
        let error = found.standard_errors[index].unwrap();
        let off = (found.rises[index] - exact).abs();
        assert!(off < 4.0 * error && error < 0.1 * exact, "{found:?}");
    }
}

#[test]
fn the_rise_of_a_quadratic_is_a_twenty_fourth_of_the_squared_cell_times_the_trace() {
    let (model, data) = (Point::new(&[1.0, -0.5, 0.3]), matrix(H));
    let risk = Risk::new(&quadratic, &data);
    // Δ = 2 / 2^b, so that Δ² tr H / 24 is tr H / (6 · 4^b): 0.0046 for four bits, four times that for three.
    let scale = TRACE / 6.0;
    for seed in 0..3 {
        let found = BitsPerWeightConfig::new(0.009)
            .with_num_samples(100)
            .with_seed(seed)
            .run(&risk, &model)
            .unwrap();
        assert_follows(&found, scale);
        assert_eq!(found.bits, Some(4));
        assert_eq!(found.tried, [2, 3, 4, 8, 16]);
        assert_eq!(found.num_losses, 1 + 5 * 201);
        assert!(found.completed);
    }
}

/// Two vectors with other ranges.
#[derive(Module, Debug)]
struct Two {
    a: Param<Tensor<1>>,
    b: Param<Tensor<1>>,
}

impl Two {
    fn new() -> Self {
        let vector = |values: [f64; 2]| {
            let place = (&Device::default(), DType::F64);
            Param::from_tensor(Tensor::from_data(TensorData::from(values), place))
        };
        Self {
            a: vector([0.1, -0.2]),
            b: vector([3.0, 1.0]),
        }
    }
}

/// `½ (100 |a|² + |b|²)`.
fn bowls(model: &Two, _: Tensor<1>) -> Tensor<1> {
    (model.a.val().square().sum() * 100.0 + model.b.val().square().sum()) * 0.5
}

#[test]
fn every_tensor_has_cells_of_its_own_width() {
    let (model, data) = (Two::new(), nothing());
    let config = BitsPerWeightConfig::new(0.03).with_num_samples(60);
    let risk = Risk::new(&bowls, &data);
    for seed in 0..3 {
        let found = config.clone().with_seed(seed).run(&risk, &model).unwrap();
        // (0.2² · 200 + 3² · 2) · 4 / 24 for one bit that is none.
        assert_follows(&found, (0.2 * 0.2 * 200.0 + 9.0 * 2.0) / 6.0);
    }
    // The second tensor alone.
    let risk = risk.with_group(ParamGroup::from_path("b"));
    let found = config.run(&risk, &model).unwrap();
    assert_follows(&found, 9.0 * 2.0 / 6.0);
}

#[test]
fn a_loss_four_times_as_large_needs_one_more_bit() {
    let (model, data) = (Point::new(&[1.0, -0.5, 0.3]), matrix(H));
    let larger = |m: &Point, h: Tensor<2>| quadratic(m, h) * 4.0;
    let config = BitsPerWeightConfig::new(0.009);
    let one = config.run(&Risk::new(&quadratic, &data), &model).unwrap();
    let four = config.run(&Risk::new(&larger, &data), &model).unwrap();
    assert_eq!((one.bits, four.bits), (Some(4), Some(5)));
    // At sixteen bits.
    let (one, four) = (one.rises.last().unwrap(), four.rises.last().unwrap());
    assert!((four / one - 4.0).abs() < 1e-6);
}

#[test]
fn rounding_without_offsets_is_that_to_the_centers_of_cells() {
    // Two bits: the weights go to ±0.25 and ±0.75.
    let (model, data) = (Point::new(&[1.0, -0.5, 0.3]), nothing());
    let distance = |m: &Point, _: Tensor<1>| {
        let center = TensorData::from([0.75_f64, -0.25, 0.25]);
        let center = Tensor::from_data(center, (&m.w.val().device(), DType::F64));
        (m.w.val() - center).square().sum()
    };
    let config = BitsPerWeightConfig::new(1e9).with_max_bits(2);
    let found = config.run(&Risk::new(&distance, &data), &model).unwrap();
    assert_eq!((found.bits, found.tried), (Some(1), vec![1, 2]));
    // −0.5 is the lower edge of its cell.
    let base = 0.25 * 0.25 + 0.25 * 0.25 + 0.05 * 0.05;
    assert!((found.rounded_rises[1] + base).abs() < 1e-15);
    // One bit: all go to ±0.5.
    let rounded = 0.25 * 0.25 + 0.25 * 0.25 + 0.25 * 0.25;
    assert!((found.rounded_rises[0] - (rounded - base)).abs() < 1e-15);
}

#[test]
fn weights_that_round_to_themselves_and_losses_that_are_flat_need_one_bit() {
    let data = nothing();
    let flat = |m: &Point, _: Tensor<1>| m.w.val().sum() * 0.0;
    let config = BitsPerWeightConfig::new(1e-9);
    let found = config.run(&Risk::new(&flat, &data), &Point::new(&[1.0, 2.0]));
    let found = found.unwrap();
    assert_eq!((found.bits, found.tried), (Some(1), vec![1, 2, 4, 8, 16]));
    assert_eq!(found.standard_errors, [Some(0.0); 5]);
    // A tensor of zeros has no cells.
    let square = |m: &Point, _: Tensor<1>| m.w.val().square().sum();
    let found = config.run(&Risk::new(&square, &data), &Point::new(&[0.0, 0.0]));
    let found = found.unwrap();
    assert_eq!((found.bits, found.rises), (Some(1), vec![0.0; 5]));
}

#[test]
fn too_few_bits_are_a_result_and_losses_that_are_not_finite_are_above_the_threshold() {
    let (model, data) = (Point::new(&[1.0, -0.5, 0.3]), matrix(H));
    let config = BitsPerWeightConfig::new(1e-6).with_max_bits(8);
    let found = config.run(&Risk::new(&quadratic, &data), &model).unwrap();
    assert_eq!(
        (found.bits, found.tried.len(), found.completed),
        (None, 1, true)
    );
    // ln w is not finite below zero: with two bits the first weight may move by a quarter.
    let (model, data) = (Point::new(&[0.2, 1.0]), nothing());
    let log = |m: &Point, _: Tensor<1>| m.w.val().log().square().sum();
    let config = BitsPerWeightConfig::new(1e3).with_max_bits(4);
    let found = config.run(&Risk::new(&log, &data), &model).unwrap();
    assert_eq!(found.rises[0], f64::INFINITY);
    assert_eq!(found.standard_errors[0], None);
    assert!(found.bits.is_some_and(|bits| bits > found.tried[0]));
    let mut text = Vec::new();
    found.write_csv(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.starts_with("bits,rise,standard_error,rounded_rise\n"));
    let first = format!("{},inf,,", found.tried[0]);
    assert!(text.lines().nth(1).unwrap().starts_with(&first), "{text}");
}

#[test]
fn a_network_in_single_precision_needs_fewer_bits_for_a_higher_threshold() {
    let (model, data) = (net(), regression());
    let risk = Risk::new(&squared_error, &data);
    let bits = |threshold: f64| {
        let found = BitsPerWeightConfig::new(threshold).run(&risk, &model);
        found.unwrap().bits.unwrap()
    };
    let (fine, coarse) = (bits(1e-4), bits(1e-1));
    assert!(coarse < fine && fine < 12, "{coarse} {fine}");
}

#[test]
fn a_stopped_search_has_the_fewest_bits_that_were_enough() {
    let (model, data) = (Point::new(&[1.0, -0.5, 0.3]), matrix(H));
    let risk = Risk::new(&quadratic, &data).with_observer(stop_at(Work::Step, 2));
    let found = BitsPerWeightConfig::new(0.009).run(&risk, &model).unwrap();
    assert_eq!((found.bits, found.completed), (Some(8), false));
    assert_eq!(found.tried, [8, 16]);
    // At the last number a stop is none.
    let found = BitsPerWeightConfig::new(1e9).with_max_bits(2);
    assert!(found.run(&risk, &model).unwrap().completed);
}

#[test]
fn every_setting_matters() {
    let (model, data) = (Point::new(&[1.0, -0.5, 0.3]), matrix(H));
    let risk = Risk::new(&quadratic, &data);
    let base = BitsPerWeightConfig::new(0.009);
    let settings = vec![
        ("threshold", BitsPerWeightConfig::new(0.03)),
        ("num_samples", base.clone().with_num_samples(11)),
        ("max_bits", base.clone().with_max_bits(9)),
        ("seed", base.clone().with_seed(1)),
    ];
    each_matters(&base, settings, |config| {
        let found = config.run(&risk, &model).unwrap();
        format!("{:?} {:?} {:?}", found.bits, found.tried, found.rises)
    });
}

#[test]
fn settings_without_meaning_are_refused_by_name() {
    let (model, data) = (Point::new(&[1.0, -0.5, 0.3]), matrix(H));
    let risk = Risk::new(&quadratic, &data);
    for (config, text) in [
        (
            BitsPerWeightConfig::new(0.0),
            "`threshold` is 0; use more than 0",
        ),
        (
            BitsPerWeightConfig::new(0.1).with_num_samples(0),
            "`num_samples` is 0; use 1 or more",
        ),
        (
            BitsPerWeightConfig::new(0.1).with_max_bits(0),
            "`max_bits` is 0; use 1 to 52",
        ),
        (
            BitsPerWeightConfig::new(0.1).with_max_bits(53),
            "`max_bits` is 53; use 1 to 52",
        ),
    ] {
        let error = config.run(&risk, &model).unwrap_err();
        assert!(matches!(error, SharpnessError::OutOfRange(_)));
        assert_eq!(error.to_string(), text);
    }
}
