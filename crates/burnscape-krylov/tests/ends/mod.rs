//! The ends of spectra whose other end is far away: the `i`-th value lies within its residual and rounding
//! of the `i`-th wanted eigenvalue, counted with multiplicity, or the run has not converged.

mod cases;
mod neighbors;

use std::collections::BTreeMap;
use std::ops::Range;
use std::thread;

use crate::spectra::Diagonal;
use burnscape_krylov::{EigenMethod, EigenpairsConfig, Which};
use cases::{Bulk, METHODS, Method, Said, bulks, say};

const ENDS: [(&str, &[Which]); 3] = [
    ("one", &[Which::Smallest, Which::Largest]),
    ("both", &[Which::BothEnds]),
    ("magnitude", &[Which::LargestMagnitude]),
];

const OUTLIERS: [f64; 5] = [0.0, 1e3, 1e6, 1e9, 1e12];

/// Products that each run took before residuals had to distinguish eigenvalues (at the bottom end, for seeds
/// 0 to 19), where its values were right; zero where they were not.
fn products_before() -> BTreeMap<String, Vec<usize>> {
    let file: serde_json::Value = serde_json::from_str(include_str!("products.json")).unwrap();
    serde_json::from_value(file["products"].clone()).unwrap()
}

/// Prints the products that this version takes, in the form of `products.json`.
#[test]
#[ignore = "writes what `products.json` was recorded with"]
fn record_products() {
    let mut products = BTreeMap::new();
    for method in METHODS {
        for outlier in OUTLIERS {
            for bulk in bulks() {
                let mut values = bulk.values.clone();
                values.extend((outlier > 0.0).then_some(outlier));
                for k in 1..=values.len().min(5) {
                    let runs = (0..20).map(|seed| {
                        let said = say(method, &values, (k, Which::Smallest), seed);
                        said.num_matvecs * usize::from(said.converged && said.is_right())
                    });
                    let name = format!("{method:?} {} {outlier:e} {k}", bulk.name);
                    products.insert(name, runs.collect::<Vec<_>>());
                }
            }
        }
    }
    println!("{}", serde_json::to_string(&products).unwrap());
}

/// The results of all runs of a method with an outlier.
#[derive(Default)]
struct Row {
    runs: usize,
    converged: usize,
    wrong: Vec<String>,
    unconverged: Vec<String>,
    before: usize,
    now: usize,
}

impl Row {
    fn take(&mut self, name: &str, runs: &[Said], before: Option<&[usize]>, is_within: bool) {
        self.runs += runs.len();
        let converged = runs.iter().filter(|said| said.converged).count();
        self.converged += converged;
        for (seed, said) in runs.iter().enumerate() {
            if said.converged && !said.is_right() {
                let excess = said.excess;
                self.wrong.push(format!("{name}, seed {seed}: {excess:.2}"));
            }
            let old = before.map_or(0, |before| before[seed]);
            if old > 0 {
                self.before += old;
                self.now += said.num_matvecs;
            }
        }
        // 19 of 20.
        if is_within && converged + 1 + runs.len() / 40 < runs.len() {
            self.unconverged.push(format!("{name}: {converged}"));
        }
    }

    fn ratio(&self) -> f64 {
        self.now as f64 / self.before.max(1) as f64
    }
}

/// What the runs of a method with an outlier have shown.
#[derive(Default)]
struct Shown {
    lines: Vec<String>,
    failures: Vec<String>,
    unclaimed: BTreeMap<String, Row>,
}

/// Runs every method with these seeds, each with each outlier on a thread, prints tables, and holds the claims.
fn sweep(seeds: Range<u64>) {
    let before = products_before();
    let each = METHODS.map(|method| OUTLIERS.map(|outlier| (method, outlier)));
    let shown: Vec<Shown> = thread::scope(|scope| {
        let threads = each.as_flattened().iter().map(|&(method, outlier)| {
            let (seeds, before) = (&seeds, &before);
            scope.spawn(move || sweep_one((method, outlier), seeds, before))
        });
        let threads: Vec<_> = threads.collect();
        let shown = threads.into_iter().map(|thread| thread.join().unwrap());
        shown.collect()
    });
    println!(
        "| method | ends | outlier | runs | converged | wrong | products, over those before |"
    );
    println!("|---|---|---|---|---|---|---|");
    for line in shown.iter().flat_map(|shown| &shown.lines) {
        println!("{line}");
    }
    println!("\nSpectra that a method does not claim (copies, clusters, near eigenvalues):\n");
    println!("| method | spectrum | runs | converged | wrong and converged |");
    println!("|---|---|---|---|---|");
    let mut unclaimed: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for (name, row) in shown.iter().flat_map(|shown| &shown.unclaimed) {
        let sums = unclaimed.entry(name).or_default();
        for (sum, own) in sums
            .iter_mut()
            .zip([row.runs, row.converged, row.wrong.len()])
        {
            *sum += own;
        }
    }
    for (name, [runs, converged, wrong]) in unclaimed {
        println!("| {name} | {runs} | {converged} | {wrong} |");
    }
    let failures: Vec<&String> = shown.iter().flat_map(|shown| &shown.failures).collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

fn sweep_one(
    (method, outlier): (Method, f64),
    seeds: &Range<u64>,
    before: &BTreeMap<String, Vec<usize>>,
) -> Shown {
    let mut shown = Shown::default();
    for (name, ends) in ENDS {
        let mut row = Row::default();
        for bulk in bulks() {
            for k in 1..=5 {
                let what = (outlier, ends, seeds);
                one_case(
                    (&mut row, &mut shown.unclaimed),
                    (method, &bulk, k),
                    what,
                    before,
                );
            }
        }
        if row.runs == 0 {
            continue;
        }
        shown.lines.push(format!(
            "| {method:?} | {name} | {outlier:e} | {} | {} | {} | {:.3} |",
            row.runs,
            row.converged,
            row.wrong.len(),
            row.ratio()
        ));
        // The second largest magnitude is an end only next to the first: at 1e12 one start of 20 has
        // so small a part along it that the values settle on its neighbor. Counted, not claimed.
        if name == "magnitude" {
            continue;
        }
        let failures = &mut shown.failures;
        failures.extend(row.wrong.iter().map(|wrong| format!("wrong: {wrong}")));
        let unconverged = row.unconverged.iter();
        failures.extend(unconverged.map(|case| format!("not converged: {case}")));
        let is_dear = outlier < 1e6 && row.before > 0 && row.ratio() > 1.1;
        if method != Method::Verified && is_dear {
            failures.push(format!("{method:?} {outlier:e}: {} times", row.ratio()));
        }
    }
    shown
}

fn one_case(
    (claimed, unclaimed): (&mut Row, &mut BTreeMap<String, Row>),
    (method, bulk, k): (Method, &Bulk, usize),
    (outlier, ends, seeds): (f64, &[Which], &Range<u64>),
    before: &BTreeMap<String, Vec<usize>>,
) {
    let mut values = bulk.values.clone();
    if outlier > 0.0 {
        values.push(outlier);
    }
    for &end in ends {
        let is_double = matches!(end, Which::BothEnds | Which::LargestMagnitude);
        // Of double ends one number is enough; the power method has no other than magnitudes.
        let is_left_out = match method {
            Method::Power => end != Which::LargestMagnitude,
            _ => is_double && k != 2,
        };
        if k > values.len() || is_left_out {
            continue;
        }
        if end == Which::Largest {
            values.iter_mut().for_each(|x| *x = -*x);
        }
        let runs = seeds
            .clone()
            .map(|seed| say(method, &values, (k, end), seed));
        let runs: Vec<Said> = runs.collect();
        let name = format!("{method:?} {} {outlier:e} {k}", bulk.name);
        let full = format!("{name} {end:?}");
        if !bulk.is_for(method, k) {
            let row = format!(
                "{method:?} | {}, k {}",
                bulk.name,
                if k == 1 { "= 1" } else { "> 1" }
            );
            unclaimed
                .entry(row)
                .or_default()
                .take(&full, &runs, None, false);
            continue;
        }
        let range = seeds.start as usize..seeds.end as usize;
        // A mirrored spectrum takes the same steps.
        let old = before.get(&name.replace("Verified", "Lanczos"));
        let old = old
            .filter(|_| !is_double)
            .and_then(|products| products.get(range));
        let is_within = !is_double && outlier <= 1e6 && bulk.is_within_defaults(method, k);
        claimed.take(&full, &runs, old, is_within);
    }
}

#[test]
fn far_ends_are_right_or_not_converged() {
    sweep(0..2);
}

#[test]
#[ignore = "cargo xtask sweep ends"]
fn sweep_ends() {
    sweep(0..20);
}

fn assert_near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance, "{found} {expected}");
    }
}

#[test]
fn davidson_does_not_take_an_outlier_of_the_other_end_for_the_second_smallest() {
    let a = Diagonal(vec![1e9, 0.1, 0.2, 0.3, 0.4, 0.5]);
    let found = EigenpairsConfig::new(2, Which::Smallest)
        .with_method(EigenMethod::Davidson)
        .run(&a)
        .unwrap();
    assert!(found.outcome.is_converged());
    assert_near(&found.values, &[0.1, 0.2], 1e-6);
    let b = Diagonal(vec![-1e9, 0.1, 0.2, 0.3, 0.4, 0.5]);
    let found = EigenpairsConfig::new(2, Which::Largest)
        .with_method(EigenMethod::Davidson)
        .run(&b)
        .unwrap();
    assert!(found.outcome.is_converged());
    assert_near(&found.values, &[0.5, 0.4], 1e-6);
}

#[test]
fn lanczos_finds_the_smallest_three_hundred_millionths_of_the_norm() {
    let a = Diagonal(
        (0..300)
            .map(|i| if i == 0 { 1e12 } else { f64::from(i) })
            .collect(),
    );
    let config = EigenpairsConfig::new(3, Which::Smallest).with_tolerance(1e-10);
    let found = config.run(&a).unwrap();
    assert!(found.outcome.is_converged());
    for (i, expected) in (0..found.values.len()).zip([1.0, 2.0, 3.0]) {
        let rounding = 8.0 * f64::EPSILON * 1e12;
        assert!((found.values[i] - expected).abs() <= found.residuals[i] + rounding);
        assert!(found.residuals[i] < 0.5, "{}", found.residuals[i]);
    }
}

#[test]
fn the_next_eigenvalues_by_magnitude_are_no_accidents_of_the_largest() {
    // A power iteration whose goal is relative to the first eigenvalue stops anywhere.
    let a = Diagonal(vec![1e6, 5.0, -3.0, 1.0, 0.5, 0.25]);
    for seed in 0..20 {
        let said = say(Method::Power, &a.0, (3, Which::LargestMagnitude), seed);
        assert!(said.converged && said.is_right(), "{seed}: {}", said.excess);
    }
}

#[test]
fn both_ends_are_right_where_one_of_them_is_far() {
    let mut values: Vec<f64> = (0..80).map(|i| f64::from(i) / 80.0).collect();
    values.push(1e7);
    for method in METHODS.into_iter().filter(|m| *m != Method::Power) {
        for end in [Which::BothEnds, Which::LargestMagnitude] {
            for (k, seed) in [(2, 0), (3, 1), (4, 2)] {
                let said = say(method, &values, (k, end), seed);
                let is_right = !said.converged || said.is_right();
                assert!(is_right, "{method:?} {end:?} {k}: {}", said.excess);
            }
        }
    }
}
