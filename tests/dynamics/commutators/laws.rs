//! The exact bracket of two quadratics, and how it scales.

use burn::module::{Module, Param, ParamGroup};
use burn::tensor::{DType, Tensor};
use burnscape::dynamics::{CommutatorConfig, CommutatorDefect};
use burnscape::loss::{Risk, SumLoss};
use burnscape_testkit::double::device;
use burnscape_testkit::objectives::Point;

use super::losses::{
    A, Golden, Quadratics, Rows, assert_near, batch, norm, of_pair, one_pair, pair, point,
    quadratic, quadratic_at, regression,
};

/// Measures at a point with a loss times a factor, of weights times another.
fn scaled(dtype: DType, loss_factor: f64, weight_factor: f64) -> CommutatorDefect {
    let loss = |at: &Point, batch: Quadratics| {
        quadratic_at(at.w.val() / weight_factor, batch) * loss_factor
    };
    let data = pair(dtype);
    let at = point(&[weight_factor, weight_factor], dtype);
    let config = one_pair().with_sharpness((0.1..10.0).contains(&loss_factor));
    config.run(&Risk::new(&loss, &data), &at).unwrap()
}

#[test]
fn two_quadratics_have_the_bracket_of_the_closed_form() {
    let golden = Golden::load().quadratics;
    assert_eq!(golden.c, [-7.0, -4.0]);
    let found = of_pair(&one_pair().with_sharpness(true));
    let bracket = found.bracket.unwrap();
    assert_near(bracket, norm(&golden.c) / 74.0_f64.sqrt(), 1e-14);
    assert_near(bracket, 0.937_218_4, 1e-7);
    assert_near(bracket, golden.bracket, 1e-14);
    let relative = found.relative.unwrap();
    assert_near(
        relative,
        65.0_f64.sqrt() / (10.0_f64.sqrt() + 113.0_f64.sqrt()),
        1e-14,
    );
    assert_near(relative, golden.relative, 1e-14);
    assert_near(found.sharpness.unwrap(), golden.sharpness, 1e-9);
    let over_sharpness = bracket / found.sharpness.unwrap();
    assert_eq!(found.over_sharpness, Some(over_sharpness));
    // ½ (1 + ½ (1 + 12)).
    assert_near(found.loss, 3.5, 1e-14);
    assert_eq!((found.batch_size, found.num_pairs), (1, 1));
    assert_eq!(
        (&found.brackets, &found.relatives),
        (&vec![bracket], &vec![relative])
    );
    assert_eq!((found.invariant, found.variance), (None, None));
    let text = found.to_string();
    let expected = "commutator of 1 pair of batches of 1: D 9.3722e-1, D_rel 0.5845, D/λ_max ";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn a_loss_times_a_power_of_two_has_the_same_bracket_to_the_bit() {
    let plain = scaled(DType::F64, 1.0, 1.0);
    let single = scaled(DType::F32, 1.0, 1.0);
    // At 2^-80 the products of gradients are below the range of f32.
    let factors = [4.0, 2.0_f64.powi(-80), 2.0_f64.powi(40)];
    for factor in factors {
        for (dtype, plain) in [(DType::F64, &plain), (DType::F32, &single)] {
            let found = scaled(dtype, factor, 1.0);
            assert_eq!(found.bracket, plain.bracket, "{factor} {dtype:?}");
            assert_eq!(found.relative, plain.relative, "{factor} {dtype:?}");
        }
    }
    let found = scaled(DType::F64, 4.0, 1.0);
    assert_near(
        found.sharpness.unwrap(),
        4.0 * plain.sharpness.unwrap(),
        1e-9,
    );
    assert_near(
        found.over_sharpness.unwrap(),
        plain.over_sharpness.unwrap() / 4.0,
        1e-9,
    );
}

#[test]
fn weights_of_another_unit_divide_the_bracket_and_leave_the_relative_one() {
    let plain = scaled(DType::F64, 1.0, 1.0);
    let found = scaled(DType::F64, 1.0, 8.0);
    assert_eq!(found.bracket, plain.bracket.map(|bracket| bracket / 8.0));
    assert_eq!(found.relative, plain.relative);
    assert_near(
        found.over_sharpness.unwrap(),
        8.0 * plain.over_sharpness.unwrap(),
        1e-9,
    );
}

#[test]
fn a_batch_commutes_with_itself_and_order_does_not_matter() {
    let same = [A, A].map(|(matrix, center)| batch(matrix, center, DType::F64));
    let at = point(&[1.0, 1.0], DType::F64);
    let found = one_pair().run(&Risk::new(&quadratic, &same), &at).unwrap();
    assert_eq!((found.bracket, found.relative), (Some(0.0), Some(0.0)));
    let mut swapped = pair(DType::F64);
    swapped.reverse();
    let found = one_pair()
        .run(&Risk::new(&quadratic, &swapped), &at)
        .unwrap();
    let plain = of_pair(&one_pair());
    assert_eq!(
        (found.bracket, found.relative),
        (plain.bracket, plain.relative)
    );
}

#[test]
fn single_precision_has_the_bracket_to_its_digits() {
    let found = scaled(DType::F32, 1.0, 1.0);
    let golden = Golden::load().quadratics;
    assert_near(found.bracket.unwrap(), golden.bracket, 1e-6);
    assert_near(found.relative.unwrap(), golden.relative, 1e-6);
}

#[test]
fn a_sum_over_examples_has_the_commutator_of_their_mean() {
    let golden = Golden::load().regression;
    let data = [golden.rows(&[0, 1, 2, 3, 4, 5])];
    let at = golden.point();
    let config = CommutatorConfig::new()
        .with_batch_size(Some(2))
        .with_num_pairs(1)
        .with_invariant(true)
        .with_sharpness(true);
    let mean = config.run(&Risk::new(&regression, &data), &at).unwrap();
    let sum = SumLoss(|point: &Point, batch: Rows| {
        let count = batch.0.dims()[0] as f64;
        regression(point, batch) * count
    });
    let found = config.run(&Risk::new(&sum, &data), &at).unwrap();
    let numbers = |defect: &CommutatorDefect| {
        [
            defect.bracket,
            defect.relative,
            defect.over_sharpness,
            defect.sharpness,
            defect.invariant,
            defect.variance,
            Some(defect.loss),
        ]
        .map(Option::unwrap)
    };
    for (found, expected) in numbers(&found).into_iter().zip(numbers(&mean)) {
        assert_near(found, expected, 1e-9);
    }
}

#[test]
fn gradients_of_zero_have_no_commutator() {
    // The centers of both quadratics are one point.
    let data = [A.0, [1.0, 0.0, 0.0, 3.0]].map(|matrix| batch(matrix, [1.0, 0.0], DType::F64));
    let risk = Risk::new(&quadratic, &data);
    let config = one_pair().with_invariant(true).with_sharpness(true);
    let found = config.run(&risk, &point(&[1.0, 0.0], DType::F64)).unwrap();
    assert_eq!((found.bracket, found.relative), (None, None));
    assert_eq!((found.over_sharpness, found.invariant), (None, None));
    assert_eq!((found.variance, found.loss), (Some(0.0), 0.0));
    assert!(found.sharpness.is_some() && found.brackets.is_empty());
    assert!(found.to_string().contains("gradients are zero"));
    // One gradient of two is zero.
    let data = [A, ([1.0, 0.0, 0.0, 3.0], [1.0, 1.0])]
        .map(|(matrix, center)| batch(matrix, center, DType::F64));
    let risk = Risk::new(&quadratic, &data);
    let found = config.run(&risk, &point(&[1.0, 1.0], DType::F64)).unwrap();
    assert_eq!((found.bracket, found.relative), (None, None));
    assert!(found.invariant.is_some());
}

#[test]
fn a_linear_loss_commutes_without_a_relative_bracket() {
    let loss = |point: &Point, x: Tensor<2>| {
        let outputs = x.matmul(point.w.val().unsqueeze_dim::<2>(1));
        outputs.mean()
    };
    let place = (&device().autodiff(), DType::F64);
    let data = [[[1.0, 2.0]], [[3.0, -1.0]]].map(|x| Tensor::<2>::from_data(x, place));
    let at = point(&[1.0, 1.0], DType::F64);
    let found = one_pair().run(&Risk::new(&loss, &data), &at).unwrap();
    assert_eq!((found.bracket, found.relative), (Some(0.0), None));
    assert!(found.to_string().contains("D 0.0000e0, at loss"), "{found}");
}

#[test]
fn the_group_of_a_risk_restricts_the_commutator() {
    // Of the second coordinate alone both quadratics are parabolas: C = 3 · 1 − 1 · 6, over 1 · 6.
    let loss = |point: &Halves, batch: Quadratics| {
        let w = Tensor::cat(vec![point.first.val(), point.second.val()], 0);
        quadratic_at(w, batch)
    };
    let data = pair(DType::F64);
    let one = || point(&[1.0], DType::F64).w;
    let at = Halves {
        first: one(),
        second: one(),
    };
    let risk = Risk::new(&loss, &data).with_group(ParamGroup::from_predicate("second"));
    let found = one_pair().run(&risk, &at).unwrap();
    assert_near(found.bracket.unwrap(), 0.5, 1e-14);
    assert_near(found.relative.unwrap(), 3.0 / 9.0, 1e-14);
}

/// A point in two parameters.
#[derive(Module, Debug)]
struct Halves {
    first: Param<Tensor<1>>,
    second: Param<Tensor<1>>,
}
