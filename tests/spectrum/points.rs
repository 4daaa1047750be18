//! Kinds of points, and their evidence.

use burn::tensor::Tensor;
use burnscape::krylov::LanczosFactorization;
use burnscape::loss::Risk;
use burnscape::spectrum::{CriticalPoint, PointKind, Spectrum};
use burnscape_testkit::objectives::{Point, saddle};

use super::fixture::{device, nothing, origin, point, with_hessian};

fn at_origin(values: &[f64]) -> CriticalPoint {
    with_hessian(&origin(values.len()), values, |hessian| {
        Spectrum::of(hessian).critical_point(1e-9).unwrap()
    })
}

#[test]
fn quadratics_are_what_their_eigenvalues_say() {
    let minimum: Vec<f64> = (1..=30).map(f64::from).collect();
    let flat: Vec<f64> = (0..30).map(|i| f64::from(i / 10)).collect();
    let maximum: Vec<f64> = minimum.iter().map(|value| -value).collect();
    for (values, expected) in [
        (&minimum, PointKind::Minimum),
        (&flat, PointKind::DegenerateMinimum),
        (&maximum, PointKind::Maximum),
        (&vec![0.0; 30], PointKind::Plateau),
    ] {
        let found = at_origin(values);
        assert_eq!(found.kind, expected, "{found}");
        assert_eq!(found.confidence, 1.0, "{found:?}");
        let (low, high) = (values[0].min(values[29]), values[0].max(values[29]));
        assert!((found.lambda_min - low).abs() < 1e-10, "{found:?}");
        assert!((found.lambda_max - high).abs() < 1e-10, "{found:?}");
    }
}

#[test]
fn saddles_have_their_index() {
    for index in 1..20 {
        let values: Vec<f64> = (0..20)
            .map(|i| {
                if i < index {
                    -1.0 - i as f64
                } else {
                    1.0 + i as f64
                }
            })
            .collect();
        let found = at_origin(&values);
        assert_eq!(
            (found.kind, found.negative.exact),
            (PointKind::Saddle, Some(index))
        );
        assert!(
            found
                .to_string()
                .starts_with(&format!("a saddle of index {index} ("))
        );
    }
}

#[test]
fn away_from_where_the_gradient_vanishes_nothing_is_critical() {
    let values: Vec<f64> = (1..=12).map(f64::from).collect();
    let found = with_hessian(&point(12), &values, |hessian| {
        Spectrum::of(hessian).critical_point(1e-3).unwrap()
    });
    assert_eq!(found.kind, PointKind::NotCritical);
    let gradient: f64 = (0..12)
        .map(|i| (values[i] * (0.3 + 0.01 * i as f64)).powi(2))
        .sum();
    assert!((found.gradient_norm - gradient.sqrt()).abs() < 1e-12);
}

#[test]
fn the_textbook_saddle_and_its_minima() {
    // x²/2 − y²/2 + y⁴/4.
    let loss = |point: &Point, batch: Tensor<1>| saddle(point) + batch.sum() * 0.0;
    let data = nothing();
    let ask = |x: f64, y: f64| {
        let point = Point::new(&[x, y], &device(), burn::tensor::DType::F64);
        let hessian = Risk::new(&loss, &data).hessian(&point).unwrap();
        Spectrum::of(&hessian).critical_point(1e-9).unwrap()
    };
    let found = ask(0.0, 0.0);
    assert_eq!(
        (found.kind, found.negative.exact),
        (PointKind::Saddle, Some(1))
    );
    assert!((found.lambda_min + 1.0).abs() < 1e-12 && (found.lambda_max - 1.0).abs() < 1e-12);
    let found = ask(0.0, 1.0);
    assert_eq!(found.kind, PointKind::Minimum);
    assert!((found.lambda_min - 1.0).abs() < 1e-12 && (found.lambda_max - 2.0).abs() < 1e-12);
}

#[test]
fn a_run_too_short_to_know_says_so() {
    // One negative eigenvalue, close to the bulk: few steps cannot see it.
    let mut values: Vec<f64> = (0..400).map(|i| 1.0 + f64::from(i)).collect();
    values[0] = -0.01;
    let ask = |steps: usize| {
        with_hessian(&origin(400), &values, |hessian| {
            let spectrum = Spectrum::of(hessian).with_steps(steps);
            spectrum.critical_point(1e-9).unwrap()
        })
    };
    let short = ask(10);
    assert_eq!(short.kind, PointKind::Minimum);
    assert!(short.confidence < 0.5, "{short:?}");
    let long = ask(400);
    assert_eq!(
        (long.kind, long.negative.exact),
        (PointKind::Saddle, Some(1))
    );
    assert_eq!(long.confidence, 1.0);
}

#[test]
fn confidence_in_a_minimum_grows_with_steps_and_is_earned() {
    // Positive definite, and far from zero: a share of the spread that few steps resolve.
    let values: Vec<f64> = (0..300).map(|i| 1.0 + f64::from(i) / 300.0).collect();
    let ask = |steps: usize| {
        with_hessian(&origin(300), &values, |hessian| {
            let spectrum = Spectrum::of(hessian).with_steps(steps);
            spectrum.critical_point(1e-9).unwrap()
        })
    };
    let (few, more) = (ask(3), ask(20));
    assert_eq!(few.kind, PointKind::Minimum);
    assert!(few.confidence < more.confidence);
    assert!(more.confidence > 0.999_999, "{more:?}");
    assert_eq!(more.negative.exact, None);
}

#[test]
fn the_confidence_in_a_minimum_is_that_of_the_theorem() {
    // For λ_min to be zero while λ_max is 2 and the smallest Ritz value just above 1, Lanczos would have
    // to be off by half the spread: 1.648 √300 exp(−√½ 11) is 0.012.
    let values: Vec<f64> = (0..300).map(|i| 1.0 + f64::from(i) / 300.0).collect();
    let ask = |values: &[f64]| {
        with_hessian(&origin(300), values, |hessian| {
            let spectrum = Spectrum::of(hessian).with_steps(6);
            spectrum.critical_point(1e-9).unwrap()
        })
    };
    let found = ask(&values);
    let share = found.lambda_min / (found.lambda_max + found.lambda_max_residual);
    let expected = 1.0 - 1.648 * 300.0_f64.sqrt() * (-share.sqrt() * 11.0).exp();
    assert!((found.confidence - expected).abs() < 1e-9, "{found:?}");
    assert!((0.98..0.995).contains(&found.confidence), "{found:?}");
    // The mirror image is as sure.
    let mirrored: Vec<f64> = values.iter().map(|value| -value).collect();
    let other = ask(&mirrored);
    assert_eq!(other.kind, PointKind::Maximum);
    assert!(
        (other.confidence - found.confidence).abs() < 1e-9,
        "{other:?}"
    );
}

#[test]
fn a_strict_minimum_is_sure_only_as_far_as_nothing_is_near_zero() {
    let values: Vec<f64> = (0..300).map(|i| 1.0 + f64::from(i) / 300.0).collect();
    let ask = |zero: f64| {
        with_hessian(&origin(300), &values, |hessian| {
            let spectrum = Spectrum::of(hessian).with_steps(10).with_zero(zero);
            spectrum.critical_point(1e-9).unwrap()
        })
    };
    let (small, large) = (ask(1e-6), ask(0.9));
    assert_eq!(large.kind, PointKind::Minimum);
    assert!(small.confidence > 0.999, "{small:?}");
    // Ten steps cannot distinguish 0.9 from the smallest Ritz value, which is below 1.1.
    assert!(large.confidence < 0.95, "{large:?}");
}

#[test]
fn an_index_is_counted_by_the_residuals_and_proved_by_a_ritz_value() {
    // Ten negative eigenvalues in a dense spectrum: after a few steps some Ritz values are negative, and their residuals
    // are larger than they are.
    let values: Vec<f64> = (0..400).map(|i| f64::from(i) - 9.5).collect();
    with_hessian(&origin(400), &values, |hessian| {
        let record = LanczosFactorization::from_random(hessian, 12, 0).unwrap();
        let found = Spectrum::of(hessian).with_steps(12);
        let found = found.critical_point(1e-9).unwrap();
        assert_eq!(found.negative, record.count_in(..-found.zero));
        assert!(found.lambda_min < 0.0 && found.negative.at_least <= 10);
        assert_eq!(found.kind, PointKind::Saddle);
        let text = found.to_string();
        let index = found.negative.at_least.max(1);
        assert!(
            text.starts_with(&format!("a saddle of index {index} or more")),
            "{text}"
        );
    });
}
