//! How often 95 % intervals of learning coefficients hold the exact numbers, and whether those that do not are flagged.
//!
//! `cargo xtask sweep coefficient` runs seeds 0 to 999; seeds 0 to 19 are an ordinary test.

use std::fmt;
use std::ops::Range;
use std::thread;

use burnscape::posterior::{
    ChainDiagnostics, Finding, LearningCoefficientConfig, PosteriorConfig, Potential, Sampler,
    Thresholds,
};

use super::potentials::{Crossing, ReducedRank, Well, at};

const SHARE: u64 = 20;
const ALL: u64 = 1000;

/// What the intervals of some seeds did.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    runs: usize,
    covered: usize,
    /// Runs whose chains are too short by the default thresholds, and those of them that missed.
    short: usize,
    short_misses: usize,
    /// Sums over runs.
    error: f64,
    width: f64,
    ess: f64,
}

impl Tally {
    fn add(mut self, other: Self) -> Self {
        self.runs += other.runs;
        self.covered += other.covered;
        self.short += other.short;
        self.short_misses += other.short_misses;
        self.error += other.error;
        self.width += other.width;
        self.ess += other.ess;
        self
    }

    fn share(&self, count: usize) -> f64 {
        count as f64 / self.runs as f64
    }

    fn coverage(&self) -> f64 {
        self.share(self.covered)
    }

    fn misses(&self) -> usize {
        self.runs - self.covered
    }

    /// The share of misses whose chains are too short; 1 without misses.
    fn flagged_misses(&self) -> f64 {
        match self.misses() {
            0 => 1.0,
            misses => self.short_misses as f64 / misses as f64,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = self.runs as f64;
        write!(
            f,
            "{:>5} {:>7.1} % {:>8} {:>9.1} % {:>9.1} % {:>9.4} {:>9.4} {:>8.0}",
            self.runs,
            100.0 * self.coverage(),
            self.misses(),
            100.0 * self.flagged_misses(),
            100.0 * self.share(self.short),
            self.error / runs,
            self.width / runs,
            self.ess / runs,
        )
    }
}

const HEADER: &str =
    "seeds   covered   misses  of them flagged  flagged  mean error  half width  ESS";

/// By the default thresholds.
fn is_long(found: &ChainDiagnostics) -> bool {
    let limits = Thresholds::new();
    found.ess >= limits.min_ess
        && found.drift.abs() <= limits.standard_errors
        && found.rank_rhat <= limits.max_rhat
}

/// One posterior, without the checks that take further posteriors.
fn one<P: Potential>(config: &PosteriorConfig, potential: &P, exact: f64) -> Tally {
    let posterior = config.run_on(potential).unwrap();
    let found = posterior.diagnostics().unwrap();
    let nbeta = config.nbeta();
    let error = posterior.nbeta_rise() - exact;
    let width = nbeta * found.half_width(0.95).unwrap();
    let is_long = is_long(&found);
    let is_covered = error.abs() <= width;
    Tally {
        runs: 1,
        covered: usize::from(is_covered),
        short: usize::from(!is_long),
        short_misses: usize::from(!is_long && !is_covered),
        error,
        width,
        ess: found.ess,
    }
}

/// The same for many seeds, on several threads.
fn tally<P: Potential>(
    config: &PosteriorConfig,
    potential: &P,
    exact: f64,
    seeds: Range<u64>,
) -> Tally {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let part = |potential: P, first: usize| {
        let mut tally = Tally::default();
        for seed in seeds.clone().skip(first).step_by(threads) {
            let config = config.clone().with_seed(seed);
            tally = tally.add(one(&config, &potential, exact));
        }
        tally
    };
    thread::scope(|scope| {
        let parts: Vec<_> = (0..threads)
            .map(|first| {
                let (potential, part) = (potential.clone(), &part);
                scope.spawn(move || part(potential, first))
            })
            .collect();
        let found = parts.into_iter().map(|part| part.join().unwrap());
        found.fold(Tally::default(), Tally::add)
    })
}

/// Four curvatures at `nβ = 1000 / ln 1000` and `γ = 1`, by default.
fn quadratic(seeds: Range<u64>) -> Tally {
    let well = Well::new(vec![4.0, 1.0, 0.25, 0.0]);
    let config = PosteriorConfig::new(1000);
    let exact = well.exact(config.nbeta(), 1.0);
    tally(&config, &well, exact, seeds)
}

/// `nβ = 1000`, and the default number and length of chains.
fn usual() -> PosteriorConfig {
    PosteriorConfig::new(1000).with_inverse_temperature(1.0)
}

/// Reduced-rank regression from the zero map, at `nβ = 1000` and `γ = 1`.
fn reduced_rank(config: &PosteriorConfig, seeds: Range<u64>) -> Tally {
    tally(config, &ReducedRank::new([2, 2, 2], 1), 1.441761, seeds)
}

#[test]
fn twenty_seeds_are_covered_about_as_often_as_they_should_be() {
    let found = [quadratic(0..SHARE), reduced_rank(&usual(), 0..SHARE)];
    println!("{HEADER}");
    for tally in found {
        println!("{tally}");
    }
    // With coverages of 95 and of 90 %, fewer than these are covered in less than one of a hundred cases.
    assert!(found[0].covered >= 15, "{}", found[0]);
    assert!(found[1].covered >= 14, "{}", found[1]);
}

#[test]
#[ignore = "cargo xtask sweep coefficient"]
fn sweep_coefficient() {
    let long = usual().with_burn_in(5000).with_num_draws(10_000);
    let found = [
        ("quadratic, default length", quadratic(0..ALL)),
        (
            "reduced rank, default length",
            reduced_rank(&usual(), 0..ALL),
        ),
        ("reduced rank, 8 × 10,000", reduced_rank(&long, 0..ALL)),
    ];
    println!("{:<30} {HEADER}", "95 % intervals");
    for (name, tally) in &found {
        println!("{name:<30} {tally}");
    }
    let [(_, quadratic), (_, short), (_, long)] = found;
    let coverage = quadratic.coverage();
    assert!((0.93..=0.97).contains(&coverage), "{coverage}");
    let is_known = short.coverage() >= 0.9 || short.flagged_misses() >= 0.95;
    assert!(is_known, "{short}");
    assert!(long.coverage() >= 0.9, "{long}");
}

/// Langevin steps of 4e-4 in reduced-rank regression at `nβ = 1000`: 16 % too high, at an R-hat near 1.
#[test]
#[ignore = "cargo xtask sweep coefficient"]
fn sweep_coefficient_of_biased_steps() {
    // Ten copies at once, for a tenth of the noise.
    let network = ReducedRank::new([2, 2, 2], 10);
    let exact = 10.0 * 1.441761;
    println!("seed  estimate  with half of the step  extrapolated  R-hat  exact {exact:.4}");
    for seed in 0..3 {
        let posterior = at(1000.0)
            .with_sampler(Sampler::Langevin { step: Some(4e-4) })
            .with_num_chains(8)
            .with_burn_in(8000)
            .with_num_draws(20_000)
            .with_seed(seed);
        let config = LearningCoefficientConfig::new(posterior).with_localizer_check(false);
        let found = config.run_on(&network).unwrap();
        let (at_half, _) = found.half_step.unwrap();
        let extrapolated = found.extrapolated.unwrap();
        let (estimate, rhat) = (found.estimate, found.diagnostics.rank_rhat);
        println!("{seed:>4} {estimate:>9.4} {at_half:>9.4} {extrapolated:>9.4} {rhat:.4}");
        // 16.9 ± 0.24 over seeds.
        assert!(estimate > 1.08 * exact && rhat < 1.03, "{found}");
        let is_biased = |it: &Finding| matches!(it, Finding::BiasedStep { .. });
        assert!(found.findings.iter().any(is_biased), "{found}");
    }
}

/// `nβ E[K]` of normal crossings in a box at `nβ` of 100, 1,000 and 10,000.
const CROSSINGS: [(&[i32], [f64; 3]); 7] = [
    (&[1], [0.5, 0.5, 0.5]),
    (&[2], [0.25, 0.25, 0.25]),
    (&[3], [0.1666667, 0.1666667, 0.1666667]),
    (&[1, 1], [0.347762, 0.387277, 0.410505]),
    (&[1, 2], [0.204284, 0.226197, 0.237150]),
    (&[2, 2], [0.136783, 0.160195, 0.175583]),
    (&[3, 3], [0.075236, 0.091137, 0.102327]),
];

/// `nβ E[½|BA|²]` of reduced-rank regression at the same `nβ`, `γ = 1`.
const RANKS: [([usize; 3], [f64; 3]); 6] = [
    ([1, 1, 1], [0.338768, 0.381344, 0.406677]),
    ([2, 1, 3], [0.939436, 0.980397, 0.993755]),
    ([3, 1, 3], [1.267031, 1.344923, 1.385311]),
    ([2, 2, 2], [1.356324, 1.441761, 1.476870]),
    ([2, 2, 3], [1.723476, 1.824569, 1.874236]),
    ([3, 2, 3], [2.297434, 2.417809, 2.467056]),
];

/// Every value, by tuned MALA: what is outside of its interval is flagged.
#[test]
#[ignore = "cargo xtask sweep coefficient"]
fn sweep_coefficient_of_singular_losses() {
    fn print<P: Potential>(name: &str, exact: f64, config: &PosteriorConfig, potential: &P) {
        let nbeta = config.nbeta();
        print!("{name:<24} {nbeta:>7} {exact:>9.6}");
        for seed in 0..3 {
            let posterior = config.clone().with_seed(seed).run_on(potential).unwrap();
            let found = posterior.diagnostics().unwrap();
            let (estimate, error) = (nbeta * found.mean, nbeta * found.standard_error);
            let is_long = is_long(&found);
            let mark = if is_long { " " } else { "*" };
            print!("  {estimate:.4} ± {error:.4}{mark}");
            // Student's interval of eight chains: one of a hundred numbers is beyond with a probability of 1 %.
            let width = nbeta * found.half_width(0.9999).unwrap();
            let is_near = (estimate - exact).abs() < width;
            assert!(is_near || !is_long, "{name} {nbeta}: {estimate} ± {error}");
        }
        println!();
    }
    println!("loss                          nβ     exact  seeds 0, 1, 2; * chains too short");
    for (at_nbeta, nbeta) in [100.0, 1e3, 1e4].into_iter().enumerate() {
        let config = PosteriorConfig::new(10_000)
            .with_inverse_temperature(nbeta / 10_000.0)
            .with_burn_in(5_000)
            .with_num_draws(20_000);
        for (powers, exact) in CROSSINGS {
            let crossing = Crossing(powers.to_vec());
            // Flat at the start, which has no curvature to begin from.
            let config = config.clone().with_localizer(0.0).with_sharpness(Some(1.0));
            print(
                &format!("crossing {powers:?}"),
                exact[at_nbeta],
                &config,
                &crossing,
            );
        }
        for (shape, exact) in RANKS {
            let network = ReducedRank::new(shape, 1);
            print(
                &format!("reduced rank {shape:?}"),
                exact[at_nbeta],
                &config,
                &network,
            );
        }
    }
}
