//! Effective sample sizes and R-hats against ArviZ, and against laws and small chains with exact answers.

use burnscape::posterior::{ChainDiagnostics, PosteriorError};
use burnscape_testkit::golden::{GoldenHeader, load};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    header: GoldenHeader,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    mean: f64,
    standard_deviation: f64,
    ess: f64,
    standard_error: f64,
    plain_rhat: Option<f64>,
    split_rhat: Option<f64>,
    rank_rhat: Option<f64>,
    thirds: [f64; 2],
    third_standard_errors: [f64; 2],
    drift: Option<f64>,
    chains: Vec<Vec<f64>>,
}

fn of(chains: &[Vec<f64>]) -> ChainDiagnostics {
    ChainDiagnostics::of(chains).unwrap()
}

/// Stationary autoregressive chains of variance one.
fn autoregressive(phi: f64, num_chains: usize, num_draws: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
    let innovation = (1.0 - phi * phi).sqrt();
    let mut chains = Vec::new();
    for _ in 0..num_chains {
        let mut chain = vec![normal()];
        for t in 1..num_draws {
            chain.push(phi * chain[t - 1] + innovation * normal());
        }
        chains.push(chain);
    }
    chains
}

fn mapped(chains: &[Vec<f64>], f: impl Fn(f64) -> f64) -> Vec<Vec<f64>> {
    let chain = |chain: &Vec<f64>| chain.iter().map(|x| f(*x)).collect();
    chains.iter().map(chain).collect()
}

#[test]
fn diagnostics_are_those_of_arviz() {
    let golden: Golden = load("posterior", "chains").unwrap();
    assert_eq!(golden.header.script, "golden/scripts/chains.py");
    assert_eq!(golden.cases.len(), 17);
    for case in golden.cases {
        let found = of(&case.chains);
        let size = (case.chains.len(), case.chains[0].len());
        assert_eq!((found.num_chains, found.num_draws), size);
        assert_eq!(found.plain_rhat.is_some(), size.0 > 1);
        let is_constant = case.name == "constant";
        // Of constant chains ArviZ says nothing.
        let or_one = |expected: Option<f64>| match expected {
            None if is_constant => 1.0,
            expected => expected.unwrap_or(f64::NAN),
        };
        let drift = case.drift.unwrap_or(0.0);
        assert_eq!(case.drift.is_none(), is_constant);
        let mut pairs = vec![
            ("mean", found.mean, case.mean),
            (
                "standard deviation",
                found.standard_deviation,
                case.standard_deviation,
            ),
            ("effective size", found.ess, case.ess),
            (
                "standard error",
                found.standard_deviation / found.ess.sqrt(),
                case.standard_error,
            ),
            ("split R-hat", found.split_rhat, or_one(case.split_rhat)),
            ("rank R-hat", found.rank_rhat, or_one(case.rank_rhat)),
            ("drift", found.drift, drift),
        ];
        if let Some(plain) = found.plain_rhat {
            pairs.push(("plain R-hat", plain, or_one(case.plain_rhat)));
        }
        for third in 0..2 {
            let errors = [&found.third_standard_errors, &case.third_standard_errors];
            pairs.push(("mean of a third", found.thirds[third], case.thirds[third]));
            pairs.push(("error of a third", errors[0][third], errors[1][third]));
        }
        for (what, found, expected) in pairs {
            assert!(
                (found - expected).abs() <= 1e-10 * expected.abs(),
                "{what} of `{}`: {found} and not {expected}",
                case.name
            );
        }
    }
}

#[test]
fn the_standard_error_is_the_larger_of_that_of_draws_and_that_of_chains() {
    let golden: Golden = load("posterior", "chains").unwrap();
    let mut larger = [0, 0];
    for case in golden.cases {
        let found = of(&case.chains);
        let (count, draws) = (case.chains.len() as f64, case.chains[0].len() as f64);
        if case.chains.len() == 1 {
            assert_eq!(found.chain_standard_error, None);
            assert!((found.standard_error / case.standard_error - 1.0).abs() < 1e-10);
            continue;
        }
        let means = case
            .chains
            .iter()
            .map(|chain| chain.iter().sum::<f64>() / draws);
        let means: Vec<f64> = means.collect();
        let mean = means.iter().sum::<f64>() / count;
        let squares: f64 = means.iter().map(|x| (x - mean) * (x - mean)).sum();
        let of_chains = (squares / (count - 1.0) / count).sqrt();
        let larger_one = of_chains.max(case.standard_error);
        let close = |found: f64, exact: f64| (found - exact).abs() <= 1e-10 * exact;
        let text = format!("{}: {found:?}", case.name);
        assert!(
            close(found.chain_standard_error.unwrap(), of_chains),
            "{text}"
        );
        assert!(close(found.standard_error, larger_one), "{text}");
        larger[usize::from(of_chains > case.standard_error)] += 1;
    }
    // Both decide somewhere.
    assert!(larger[0] > 3 && larger[1] > 3, "{larger:?}");
}

#[test]
fn plain_and_split_rhat_are_those_of_the_definition() {
    let close = |found: f64, exact: f64| assert!((found - exact).abs() < 1e-7, "{found}");
    let cycle = [0.0, 1.0, 2.0, 3.0, 0.0, 1.0, 2.0, 3.0];
    let found = of(&[cycle.to_vec(), cycle.map(|x| x + 1.0).to_vec()]);
    close(found.plain_rhat.unwrap(), 1.1067972);
    close(found.split_rhat, 0.9746794);
    let rising = of(&[(1..=8).map(f64::from).collect()]);
    assert_eq!(rising.plain_rhat, None);
    close(rising.split_rhat, 2.3558438);
}

#[test]
fn the_effective_size_of_autoregressive_chains_follows_their_memory() {
    for seed in 0..3 {
        let chains = autoregressive(0.8, 8, 20_000, seed);
        // τ(w) = (1 + φ) / (1 − φ), and τ(w²) the same of φ². Bars are four standard deviations over seeds.
        for (chains, exact, spread) in [
            (&chains, 9.0, 0.23),
            (&mapped(&chains, |w| w * w), 4.5555556, 0.117),
        ] {
            let time = 160_000.0 / of(chains).ess;
            assert!(
                (time - exact).abs() < 4.0 * spread,
                "{time} and not {exact}"
            );
        }
    }
}

#[test]
fn intervals_cover_the_mean_as_often_as_they_say() {
    let runs = 200;
    let is_covered = |seed: &u64| {
        let found = of(&autoregressive(0.8, 4, 500, *seed));
        found.mean.abs() < found.half_width(0.95).unwrap()
    };
    let covered = (0..runs).filter(is_covered).count();
    // 190 are expected, with a standard deviation of 3.1.
    assert!((177..=199).contains(&covered), "{covered}");
}

#[test]
fn a_half_width_is_students() {
    let found = of(&autoregressive(0.5, 4, 250, 0));
    let [narrow, wide] = [0.5, 0.95].map(|confidence| found.half_width(confidence).unwrap());
    // Of three degrees of freedom.
    let error = found.chain_standard_error.unwrap();
    assert!((narrow / error - 0.764892).abs() < 1e-5);
    assert!((wide / error - 3.182446).abs() < 1e-5);
    for confidence in [0.0, 1.0, -0.5, f64::NAN] {
        assert_eq!(found.half_width(confidence), None);
    }
    // A single chain has its effective sample size.
    let single = of(&autoregressive(0.5, 1, 1000, 0));
    let width = single.half_width(0.95).unwrap();
    assert!((width / single.standard_error - 1.965).abs() < 0.01);
    // Halves that stand apart are one draw or two.
    let mut apart = vec![1.0; 100];
    apart[50..].fill(2.0);
    let found = of(&[apart]);
    assert!(found.ess < 2.0);
    assert_eq!(found.half_width(0.95), None);
}

#[test]
fn units_do_not_change_diagnostics() {
    let chains = autoregressive(0.9, 3, 100, 1);
    let found = of(&chains);
    for exponent in [-1000, -600, -3, 5, 600, 1000] {
        let unit = 2.0_f64.powi(exponent);
        let scaled = of(&mapped(&chains, |x| x * unit));
        let mut expected = found.clone();
        for value in [
            &mut expected.mean,
            &mut expected.standard_deviation,
            &mut expected.standard_error,
        ] {
            *value *= unit;
        }
        expected.chain_standard_error = expected.chain_standard_error.map(|x| x * unit);
        expected.thirds = expected.thirds.map(|x| x * unit);
        expected.third_standard_errors = expected.third_standard_errors.map(|x| x * unit);
        // A draw may be too small for its digits.
        if exponent > -1000 {
            assert_eq!(scaled, expected, "2^{exponent}");
        }
        assert!((scaled.ess / found.ess - 1.0).abs() < 1e-9);
    }
    let largest = of(&mapped(&chains, |x| f64::MAX * x.signum()));
    assert!(largest.mean.is_finite() && largest.standard_deviation.is_finite());
}

#[test]
fn the_order_of_chains_does_not_matter() {
    let mut chains = autoregressive(0.7, 4, 101, 2);
    let found = of(&chains);
    chains.reverse();
    let reversed = of(&chains);
    assert!((reversed.ess / found.ess - 1.0).abs() < 1e-10);
    assert!((reversed.split_rhat - found.split_rhat).abs() < 1e-12);
    assert!((reversed.rank_rhat - found.rank_rhat).abs() < 1e-12);
}

#[test]
fn a_drift_that_all_chains_share_shows() {
    let mut chains = autoregressive(0.5, 4, 600, 3);
    assert!(of(&chains).drift.abs() < 4.0);
    for chain in &mut chains {
        for (t, x) in chain.iter_mut().enumerate() {
            *x += t as f64 / 300.0;
        }
    }
    let found = of(&chains);
    assert!(found.drift > 8.0, "{}", found.drift);
    assert!(found.plain_rhat.unwrap() < 1.01 && found.split_rhat > 1.05);
    assert!((found.thirds[1] - found.thirds[0] - 4.0 / 3.0).abs() < 0.5);
}

#[test]
fn constant_chains_have_no_error() {
    let found = of(&[vec![0.1; 11], vec![0.1; 11]]);
    assert_eq!((found.mean, found.standard_error), (0.1, 0.0));
    assert_eq!(found.ess, 20.0);
    assert_eq!((found.plain_rhat, found.split_rhat), (Some(1.0), 1.0));
    assert_eq!((found.rank_rhat, found.drift), (1.0, 0.0));
    assert_eq!(found.half_width(0.95), Some(0.0));
}

#[test]
fn infinite_diagnostics_survive_json() {
    let mut step = vec![0.1; 12];
    step[6..].fill(0.3);
    let found = of(&[step.clone(), step]);
    assert_eq!(found.plain_rhat.map(f64::is_finite), Some(true));
    assert_eq!(
        (found.split_rhat, found.drift),
        (f64::INFINITY, f64::INFINITY)
    );
    let text = serde_json::to_string(&found).unwrap();
    let read: ChainDiagnostics = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (read.split_rhat, read.drift, read.ess),
        (found.split_rhat, found.drift, found.ess)
    );
}

#[test]
fn chains_without_an_answer_are_refused() {
    let refused = |chains: &[Vec<f64>]| ChainDiagnostics::of(chains).unwrap_err();
    for (chains, found) in [(vec![], 0), (vec![vec![]], 0), (vec![vec![1.0; 7]; 4], 7)] {
        let expected = PosteriorError::TooFewDraws { found, needed: 8 };
        assert_eq!(refused(&chains), expected);
    }
    let (expected, found) = (10, 9);
    assert_eq!(
        refused(&[vec![0.0; expected], vec![0.0; found]]),
        PosteriorError::Length { expected, found }
    );
    for value in [f64::NAN, f64::INFINITY] {
        let mut chain = vec![0.0; 10];
        chain[3] = value;
        let text = refused(&[vec![0.0; 10], chain]).to_string();
        assert!(text.starts_with("draw 3 "), "{text}");
    }
}
