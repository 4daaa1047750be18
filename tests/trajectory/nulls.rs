//! What random walks explain: exactly, and by random signs.

use std::f64::consts::PI;

use burnscape::prelude::*;
use burnscape::trajectory::{
    Centering, SignFlipNull, TrajectoryError, TrajectoryPca, TrajectoryPcaConfig,
    random_walk_shares,
};

use super::points::{decaying_steps, reached, through};

fn pca(points: &[Vec<f64>], count: usize, centering: Centering) -> TrajectoryPca {
    let config = TrajectoryPcaConfig::new(count).with_centering(centering);
    config.run(&through(points)).unwrap()
}

#[test]
fn shares_of_a_random_walk_are_those_of_the_formula() {
    let exact: [(usize, Centering, &[f64]); 6] = [
        (3, Centering::Mean, &[0.75, 0.25]),
        (3, Centering::End, &[0.872_678_00, 0.127_322_00]),
        (
            5,
            Centering::Mean,
            &[0.654_508_50, 0.180_901_70, 0.095_491_50],
        ),
        (5, Centering::End, &[0.829_085_94, 0.1, 0.042_602_20]),
        (
            50,
            Centering::Mean,
            &[0.608_370_49, 0.152_242_83, 0.067_774_92],
        ),
        (
            50,
            Centering::End,
            &[0.810_720_21, 0.090_140_52, 0.032_494_20],
        ),
    ];
    for (count, centering, expected) in exact {
        let shares = random_walk_shares(count, centering);
        assert_eq!(shares.len(), count - 1);
        for (share, expected) in shares.iter().zip(expected) {
            assert!((share - expected).abs() < 1e-8, "{share} {expected}");
        }
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
    assert_eq!(random_walk_shares(2, Centering::Mean).len(), 1);
    for count in [0, 1] {
        assert!(random_walk_shares(count, Centering::End).is_empty());
    }
}

#[test]
fn shares_of_a_long_walk_have_limits() {
    let mean = random_walk_shares(100_000, Centering::Mean);
    let end = random_walk_shares(100_000, Centering::End);
    for k in 1..=4 {
        let number = k as f64;
        let limit = 6.0 / (PI * number).powi(2);
        assert!((mean[k - 1] - limit).abs() < 1e-8);
        let limit = 8.0 / (PI * (2.0 * number - 1.0)).powi(2);
        assert!((end[k - 1] - limit).abs() < 1e-8);
    }
    // Two components explain most of a walk.
    assert!((mean[0] + mean[1] - 0.760).abs() < 1e-3);
    assert!((end[0] + end[1] - 0.901).abs() < 1e-3);
}

#[test]
fn a_walk_that_drifts_explains_more() {
    // Orthonormal steps and the same step `√s` for all: the Gram matrix is `min(t, u) + s t u`.
    let drifting = |s: f64| {
        let step = |t: usize| -> Vec<f64> {
            let own = (0..49).map(|j| if j == t { 1.0 } else { 0.0 });
            own.chain([s.sqrt()]).collect()
        };
        let steps: Vec<Vec<f64>> = (0..49).map(step).collect();
        pca(&reached(&steps), 2, Centering::Mean)
    };
    for (s, expected) in [(0.1, [0.886_25, 0.043_50]), (0.5, [0.970_43, 0.011_28])] {
        let found = drifting(s);
        for (share, expected) in found.shares.iter().zip(expected) {
            assert!((share - expected).abs() < 5e-6, "{share} {expected}");
        }
        let null = found.sign_flip(19, 0).unwrap();
        assert_eq!(null.p_value, 0.05);
    }
}

#[test]
fn signs_of_orthogonal_steps_do_not_matter() {
    let corner = [
        vec![0.0, 0.0, 0.0],
        vec![1.0, 0.0, 0.0],
        vec![1.0, 2.0, 0.0],
        vec![1.0, 2.0, 0.5],
    ];
    for centering in [Centering::End, Centering::Mean] {
        let found = pca(&corner, 2, centering);
        let null = found.sign_flip(20, 1).unwrap();
        assert_eq!(null.p_value, 1.0);
        assert!((null.mean - null.observed).abs() < 1e-12);
        assert!((null.quantile_95 - null.observed).abs() < 1e-12);
        assert!((null.observed - found.explained_share()).abs() < 1e-12);
        // Two checkpoints have nothing but one component.
        let null = pca(&corner[..2], 1, centering).sign_flip(5, 1).unwrap();
        assert!((null.observed - 1.0).abs() < 1e-12);
        assert_eq!(null.p_value, 1.0);
    }
}

#[test]
fn the_null_of_random_signs_is_that_of_all_signs() {
    // Three steps have four sign patterns that differ, which are drawn about equally often.
    let steps = [vec![1.0, 0.2], vec![0.9, -0.4], vec![0.3, 0.8]];
    for centering in [Centering::End, Centering::Mean] {
        let mut shares: Vec<f64> = [[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]
            .iter()
            .map(|signs| {
                let mut flipped = steps.clone();
                for (step, sign) in flipped[1..].iter_mut().zip(signs) {
                    step.iter_mut().for_each(|x| *x *= sign);
                }
                pca(&reached(&flipped), 1, centering).shares[0]
            })
            .collect();
        let observed = shares[0];
        let mean = shares.iter().sum::<f64>() / 4.0;
        let as_large = shares.iter().filter(|share| **share >= observed - 1e-9);
        let p_value = as_large.count() as f64 / 4.0;
        let null = pca(&reached(&steps), 1, centering).sign_flip(4000, 7);
        let null = null.unwrap();
        assert!((null.observed - observed).abs() < 1e-12);
        // Four standard errors of a share of four equally likely values.
        let spread = 4.0 * 0.5 / 4000.0_f64.sqrt();
        assert!((null.mean - mean).abs() < spread, "{} {mean}", null.mean);
        assert!((null.p_value - p_value).abs() < spread);
        shares.sort_by(f64::total_cmp);
        assert!((null.quantile_95 - shares[3]).abs() < 1e-12);
    }
}

/// `P(X < count)` for the number `X` of successes in some draws.
fn below(count: usize, draws: usize, success: f64) -> f64 {
    let mut coefficient = 1.0;
    let terms = (0..count).map(|k| {
        let term = coefficient * success.powi(k as i32) * (1.0 - success).powi((draws - k) as i32);
        coefficient *= (draws - k) as f64 / (k + 1) as f64;
        term
    });
    terms.sum()
}

#[test]
fn the_test_of_random_signs_has_its_size() {
    const DRAWS: usize = 200;
    // Steps that decay, and of different sizes in different directions. If a step is as likely as its opposite, each of
    // these 32 walks is as likely as the others.
    let steps = decaying_steps(3, 5, 0.9, 0.0);
    let walk = |pattern: u32| {
        let mut steps = steps.clone();
        for (t, step) in steps.iter_mut().enumerate() {
            if (pattern >> t) & 1 == 1 {
                step.iter_mut().for_each(|x| *x = -*x);
            }
        }
        reached(&steps)
    };
    for centering in [Centering::End, Centering::Mean] {
        let nulls: Vec<SignFlipNull> = (0..32)
            .map(|pattern| {
                let found = pca(&walk(pattern), 2, centering);
                found.sign_flip(DRAWS, u64::from(pattern)).unwrap()
            })
            .collect();
        // How likely a draw is to explain as much, of the 32 that there are.
        let as_large = |observed: f64| {
            let larger = nulls.iter().filter(|null| null.observed >= observed - 1e-9);
            larger.count() as f64 / 32.0
        };
        let exact: Vec<f64> = nulls.iter().map(|null| as_large(null.observed)).collect();
        // The draws are such draws, to five standard errors for each walk, and for all together.
        let mut bias = 0.0;
        for (null, exact) in nulls.iter().zip(&exact) {
            let found = (null.p_value * (1 + DRAWS) as f64 - 1.0) / DRAWS as f64;
            let spread = (exact * (1.0 - exact) / DRAWS as f64).sqrt();
            assert!(
                (found - exact).abs() <= 5.0 * spread + 1e-9,
                "{found} {exact}"
            );
            bias += (found - exact) / 32.0;
        }
        let spread = 0.5 / (32.0 * DRAWS as f64).sqrt();
        assert!(bias.abs() <= 5.0 * spread, "{bias}");
        // With 19 draws, p ≤ k/20 if less than k of them explain as much.
        for k in 1..=20 {
            let reject = exact.iter().map(|success| below(k, 19, *success));
            let size = reject.sum::<f64>() / 32.0;
            let level = k as f64 / 20.0;
            assert!(size <= level + 1e-12, "{size} {level}");
            // The test rejects less often because several walks explain the same, and not much less.
            assert!(size >= 0.45 * level, "{size} {level}");
        }
    }
}

#[test]
fn the_test_of_random_signs_sees_a_drift() {
    for seed in 0..5 {
        let steps = decaying_steps(seed, 24, 0.95, 1.5);
        for centering in [Centering::End, Centering::Mean] {
            let found = pca(&reached(&steps), 2, centering);
            let null = found.sign_flip(99, 5).unwrap();
            assert!(null.p_value <= 0.05, "{null:?}");
            assert!(null.observed > null.quantile_95 && null.quantile_95 > null.mean);
        }
    }
}

#[test]
fn every_argument_of_the_test_matters_and_is_recorded() {
    let steps = decaying_steps(3, 10, 0.9, 0.3);
    let found = pca(&reached(&steps), 2, Centering::End);
    let null = |draws, seed| found.sign_flip(draws, seed).unwrap();
    let base = null(20, 1);
    assert_eq!((base.draws, base.seed, base.num_components), (20, 1, 2));
    assert_eq!(base, null(20, 1));
    assert_ne!(base.mean, null(21, 1).mean);
    assert_ne!(base.mean, null(20, 2).mean);
    let one = pca(&reached(&steps), 1, Centering::End);
    assert!(one.sign_flip(20, 1).unwrap().observed < base.observed);
    let read = SignFlipNull::from_json(&base.to_json().unwrap()).unwrap();
    assert_eq!((read.draws, read.seed), (20, 1));
    assert!((read.quantile_95 - base.quantile_95).abs() < 1e-15);
}

#[test]
fn the_test_refuses_what_it_cannot_draw_from() {
    let steps = decaying_steps(3, 10, 0.9, 0.3);
    let mut found = pca(&reached(&steps), 2, Centering::End);
    let error = found.sign_flip(0, 1).unwrap_err();
    assert!(matches!(error, TrajectoryError::OutOfRange(_)), "{error}");
    found.step_gram[2][2] = f64::NAN;
    let error = found.sign_flip(5, 1).unwrap_err();
    assert_eq!(error, TrajectoryError::NonFinite { step: 20 });
    found.step_gram.clear();
    let error = found.sign_flip(5, 1).unwrap_err();
    assert!(matches!(error, TrajectoryError::TooFewCheckpoints { .. }));
}
