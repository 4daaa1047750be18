//! Traces: every method right within its interval, the interval as good as it says, the choice sound.

use std::ops::ControlFlow;

use crate::counted::Counted;
use crate::spectra::{Diagonal, Single, size, with_spectrum};
use burnscape_krylov::{
    Dense, DiagonalConfig, KrylovFault, LinearOperator, Outcome, Symmetric, TraceConfig,
    TraceMethod, VectorSpace,
};

const METHODS: [TraceMethod; 5] = [
    TraceMethod::Hutchinson,
    TraceMethod::HutchPlusPlus,
    TraceMethod::XTrace,
    TraceMethod::XNysTrace,
    TraceMethod::Auto,
];

/// Median error over twenty seeds, relative to the trace. (The choice of a method from a pilot is wrong for a
/// seed now and then.)
fn error(values: &[f64], method: TraceMethod, num_matvecs: usize) -> f64 {
    let a = with_spectrum(values, 11);
    let exact: f64 = values.iter().sum();
    let config = TraceConfig::new()
        .with_method(method)
        .with_max_matvecs(num_matvecs);
    let error = |seed: u64| {
        let found = config.clone().with_seed(seed).run(&a).unwrap();
        assert!(found.num_matvecs <= num_matvecs);
        (found.value - exact).abs()
    };
    let mut errors: Vec<f64> = (0..20).map(error).collect();
    errors.sort_by(f64::total_cmp);
    errors[10] / exact.abs()
}

#[test]
fn intervals_cover_the_trace_as_often_as_they_say() {
    let values: Vec<f64> = (0..36).map(|i| 0.2 + 0.9_f64.powi(i)).collect();
    let a = with_spectrum(&values, 4);
    let exact: f64 = values.iter().sum();
    for method in METHODS {
        let config = TraceConfig::new().with_method(method).with_max_matvecs(30);
        let covers = |seed: &u64| {
            let found = config.clone().with_seed(*seed).run(&a).unwrap();
            (found.value - exact).abs() <= found.half_width.unwrap()
        };
        // The jackknife's intervals are wide by design, never narrow.
        let (seeds, most) = match method {
            TraceMethod::Hutchinson | TraceMethod::HutchPlusPlus => (1000, 985),
            _ => (200, 200),
        };
        let covered = (0..seeds).filter(covers).count();
        println!("{method:?}: {covered} of {seeds} intervals cover the trace");
        let least = seeds as usize * 93 / 100;
        assert!((least..=most).contains(&covered), "{method:?}: {covered}");
    }
}

#[test]
fn each_method_wins_where_it_should() {
    let decay: Vec<f64> = (0..80).map(|i| 0.7_f64.powi(i)).collect();
    let slow: Vec<f64> = (0..80).map(|i| 1.0 / f64::from(1 + i).powi(2)).collect();
    let flat: Vec<f64> = (0..80).map(|i| 1.0 + f64::from(i % 7) / 3.0).collect();
    for (name, values) in [("decay", &decay), ("slow", &slow), ("flat", &flat)] {
        for num_matvecs in [20, 60] {
            let errors = METHODS.map(|method| error(values, method, num_matvecs));
            let shown = errors.map(|error| format!("{error:.1e}"));
            println!("{name}, {num_matvecs} products: {METHODS:?} {shown:?}");
            let [plain, _, xtrace, nystrom, auto] = errors;
            match (name, num_matvecs) {
                ("decay", 60) => assert!(xtrace < 1e-3 * plain && nystrom < 1e-2 * xtrace),
                ("slow", 60) => assert!(xtrace < 0.1 * plain && nystrom < xtrace),
                ("flat", 20) => assert!(plain < xtrace),
                _ => {}
            }
            // The choice costs its pilot, no more.
            if num_matvecs == 20 {
                assert_eq!(auto, plain);
            } else {
                assert!(auto < 2.0 * plain.min(xtrace), "{name}");
            }
        }
    }
}

#[test]
fn the_choice_follows_the_spectrum() {
    let choice = |values: &[f64], num_matvecs: usize, seed: u64| {
        let config = TraceConfig::new().with_method(TraceMethod::Auto);
        let a = with_spectrum(values, 3);
        let found = config.with_max_matvecs(num_matvecs).with_seed(seed).run(&a);
        found.unwrap().method
    };
    let decay: Vec<f64> = (0..70).map(|i| 0.7_f64.powi(i)).collect();
    let flat: Vec<f64> = (0..70)
        .map(|i| if i % 2 == 0 { 1.0 } else { -1.5 })
        .collect();
    let count = |values: &[f64], method: TraceMethod| {
        (0..20)
            .filter(|&seed| choice(values, 60, seed) == method)
            .count()
    };
    let (right, other) = (
        count(&decay, TraceMethod::XTrace),
        count(&flat, TraceMethod::Hutchinson),
    );
    println!("XTrace for decay {right} of 20, Hutchinson for a flat spectrum {other} of 20");
    assert!(right >= 18 && other >= 14);
    assert_eq!(choice(&decay, 29, 0), TraceMethod::Hutchinson);
}

#[test]
fn prescribed_spectra_have_their_traces() {
    for (name, values) in crate::spectra::all(40) {
        let a = Counted::new(with_spectrum(&values, 6));
        let exact: f64 = values.iter().sum();
        let scale = values.iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-300);
        for method in METHODS {
            let before = a.num_matvecs();
            let config = TraceConfig::new().with_method(method).with_max_matvecs(36);
            let found = match config.run(&a) {
                Err(KrylovFault::Indefinite { value }) => {
                    assert!(method == TraceMethod::XNysTrace && value < 0.0);
                    assert!(values.iter().any(|x| *x < 0.0), "{name}");
                    continue;
                }
                other => other.unwrap(),
            };
            assert_eq!(
                found.num_matvecs,
                a.num_matvecs() - before,
                "{name} {method:?}"
            );
            let error = (found.value - exact).abs();
            let half = found.half_width.unwrap();
            // Ninety-five percent are within one half width; nearly all within three.
            assert!(
                error <= 3.0 * half + 1e-12 * scale,
                "{name} {method:?}: {} {exact} {half}",
                found.value
            );
            // Low rank is exact for every method that finds a subspace.
            if name == "rank 3" && [TraceMethod::XTrace, TraceMethod::XNysTrace].contains(&method) {
                assert!(error < 1e-12 * scale, "{method:?} {error}");
            }
        }
    }
}

#[test]
fn single_precision_has_the_accuracy_of_its_products() {
    for (name, values) in crate::spectra::all(40) {
        if values.iter().any(|x| *x < 0.0) {
            continue;
        }
        let a = Single::of(with_spectrum(&values, 6).operator());
        let exact: f64 = values.iter().sum();
        for method in METHODS {
            let config = TraceConfig::new().with_method(method).with_max_matvecs(36);
            let found = config.run(&a).unwrap();
            let error = (found.value - exact).abs();
            let allowed = 3.0 * found.half_width.unwrap() + 2e-5 * size(&values);
            assert!(
                error <= allowed,
                "{name} {method:?}: {} {exact}",
                found.value
            );
        }
    }
}

#[test]
fn a_whole_space_gives_the_trace_itself() {
    let a = with_spectrum(&[3.0, 1.0, 0.5, 0.25, 2.0], 1);
    for method in [TraceMethod::HutchPlusPlus, TraceMethod::XTrace] {
        let config = TraceConfig::new().with_method(method);
        let found = config.run(&a).unwrap();
        assert!((found.value - 6.75).abs() < 1e-13, "{method:?} {found:?}");
        assert_eq!(found.half_width, Some(0.0));
    }
    let nystrom = TraceConfig::new().with_method(TraceMethod::XNysTrace);
    let found = nystrom.run(&a).unwrap();
    assert!((found.value - 6.75).abs() < 1e-11, "{found:?}");
}

#[test]
fn methods_stop_at_their_tolerance() {
    let values: Vec<f64> = (0..80).map(|i| 0.7_f64.powi(i)).collect();
    let a = with_spectrum(&values, 11);
    let exact: f64 = values.iter().sum();
    for method in METHODS {
        let config = TraceConfig::new()
            .with_method(method)
            .with_max_matvecs(6000)
            .with_tolerance(0.03);
        let found = config.run(&a).unwrap();
        println!("{method:?}: {} products to 3 %", found.num_matvecs);
        assert!(found.outcome.is_converged() && found.num_matvecs < 6000);
        assert!(found.half_width.unwrap() <= 0.03 * found.value.abs());
        assert!((found.value - exact).abs() < 0.1 * exact);
        // What an observer sees last is what comes out; it can stop before.
        let mut seen = Vec::new();
        let observed = (&a).observed(|step| {
            seen.push((step.num_matvecs, step.value));
            ControlFlow::Continue(())
        });
        let again = config.run(&observed).unwrap();
        let last = seen.last().copied();
        let said = (found.num_matvecs, Some(found.value));
        assert_eq!((again, last), (found, Some(said)));
        let stopped = (&a).observed(|_| ControlFlow::Break(()));
        let first = config.run(&stopped).unwrap();
        assert_eq!((first.num_matvecs, Some(first.value)), seen[0]);
        assert_eq!(first.outcome, Outcome::Stopped);
    }
}

/// Sums of the products within 0..15, 15..40 and the rest.
#[allow(
    clippy::ptr_arg,
    reason = "vectors are what the function is called with"
)]
fn parts(v: &Vec<f64>, product: &Vec<f64>) -> Result<Vec<f64>, KrylovFault> {
    let dot = |range: std::ops::Range<usize>| {
        let pairs = v[range.clone()].iter().zip(&product[range]);
        pairs.map(|(a, b)| a * b).sum::<f64>()
    };
    Ok(vec![dot(0..15), dot(15..40), dot(40..v.len())])
}

#[test]
fn traces_of_blocks_come_from_the_same_products() {
    let values: Vec<f64> = (0..60).map(|i| f64::from(i) / 10.0 - 1.0).collect();
    let a = with_spectrum(&values, 7);
    let matrix = Dense::of(&a).unwrap();
    let diagonal: Vec<f64> = (0..60).map(|i| matrix.row(i).unwrap()[i]).collect();
    let exact = [
        diagonal[..15].iter().sum::<f64>(),
        diagonal[15..40].iter().sum(),
        diagonal[40..].iter().sum(),
    ];
    let config = TraceConfig::new().with_max_matvecs(24);
    let whole = config.run(&a).unwrap();
    let blocks = config.run_integrands(&a, parts).unwrap();
    let sum: f64 = blocks.iter().map(|block| block.value).sum();
    assert!((sum - whole.value).abs() < 1e-11 * whole.value.abs());
    // Each interval covers its own trace as often as it says.
    let mut covered = [0; 3];
    for seed in 0..1000 {
        let blocks = config.clone().with_seed(seed).run_integrands(&a, parts);
        for ((block, exact), covered) in blocks.unwrap().iter().zip(exact).zip(&mut covered) {
            *covered += usize::from((block.value - exact).abs() <= block.half_width.unwrap());
        }
    }
    println!("blocks covered: {covered:?} of 1000");
    assert!(covered.iter().all(|covered| (930..=985).contains(covered)));
    // They stop together, and refuse blocks that come and go.
    let stopped = config
        .clone()
        .with_max_matvecs(100_000)
        .with_tolerance(0.05)
        .run_integrands(&a, parts)
        .unwrap();
    let total: f64 = stopped.iter().map(|block| block.value).sum();
    assert!(
        stopped
            .iter()
            .all(|block| block.outcome.is_converged() && block.half_width.unwrap() <= 0.05 * total)
    );
    let calls = std::cell::Cell::new(0);
    let changing = |_: &Vec<f64>, _: &Vec<f64>| -> Result<Vec<f64>, KrylovFault> {
        calls.set(calls.get() + 1);
        Ok(vec![1.0; calls.get()])
    };
    let count = KrylovFault::IntegrandCount {
        expected: 1,
        found: 2,
    };
    assert_eq!(config.run_integrands(&a, changing).map(|_| ()), Err(count));
}

/// `|A v|²`, with the squared Frobenius norm as its mean.
fn square(_: &Vec<f64>, product: &Vec<f64>) -> Result<Vec<f64>, KrylovFault> {
    Ok(vec![product.dot(product)?])
}

#[test]
fn frobenius_norms_of_rectangles() {
    let entries: Vec<f64> = (0..60).map(|i| (f64::from(i) * 0.7).sin()).collect();
    let exact: f64 = entries.iter().map(|x| x * x).sum();
    let a = Dense::from_row_major(12, 5, entries).unwrap();
    let config = TraceConfig::new().with_max_matvecs(30);
    let covers = |seed: &u64| {
        let config = config.clone().with_seed(*seed);
        let found = config.run_integrands(&a, square).unwrap()[0];
        (found.value - exact).abs() <= found.half_width.unwrap()
    };
    let covered = (0..1000).filter(covers).count();
    println!("squared Frobenius norm: {covered} of 1000 intervals cover it");
    assert!((930..=985).contains(&covered));
    // Orthogonal columns: every draw is exact.
    let exact = config.run_integrands(&Diagonal(vec![1.0, 2.0, 3.0]), square);
    let exact = exact.unwrap()[0];
    assert_eq!((exact.value, exact.half_width), (14.0, Some(0.0)));
}

/// Counts its passes: products that come together share one.
struct Passes(Diagonal, std::cell::Cell<usize>);

impl LinearOperator for Passes {
    type Domain = Vec<f64>;
    type Range = Vec<f64>;
    type Error = KrylovFault;
    fn domain(&self) -> usize {
        self.0.domain()
    }
    fn range(&self) -> usize {
        self.0.range()
    }
    fn matvec(&self, v: &Vec<f64>) -> Result<Vec<f64>, KrylovFault> {
        self.1.set(self.1.get() + 1);
        // No diagonal matrix, so that samples differ.
        let sum: f64 = v.iter().sum();
        Ok(self.0.matvec(v)?.iter().map(|x| x + sum).collect())
    }
    fn matmat(&self, vectors: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, KrylovFault> {
        let before = self.1.get();
        let products = vectors.iter().map(|v| self.matvec(v)).collect();
        self.1.set(before + 1);
        products
    }
}

impl burnscape_krylov::SelfAdjoint for Passes {}

#[test]
fn blocks_share_passes_and_change_no_sample() {
    let a = Passes(
        Diagonal((0..30).map(f64::from).collect()),
        std::cell::Cell::new(0),
    );
    let config = TraceConfig::new().with_max_matvecs(21);
    let one = config.run(&a).unwrap();
    assert_eq!(a.1.take(), 21);
    let block = config.clone().with_block(8);
    assert_eq!((block.run(&a).unwrap(), a.1.take()), (one, 3));
    let norm = config.run_integrands(&a, square).unwrap();
    a.1.take();
    assert_eq!(
        (block.run_integrands(&a, square).unwrap(), a.1.take()),
        (norm, 3)
    );
    let halves = |v: &Vec<f64>, product: &Vec<f64>| -> Result<Vec<f64>, KrylovFault> {
        Ok(vec![v[..15].to_vec().dot(&product[..15].to_vec())?])
    };
    let parts = config.run_integrands(&a, halves).unwrap();
    a.1.take();
    assert_eq!(
        (block.run_integrands(&a, halves).unwrap(), a.1.take()),
        (parts, 3)
    );
}

#[test]
fn samples_do_not_depend_on_how_many_there_are() {
    let a = with_spectrum(
        &(0..60).map(|i| 1.0 / f64::from(i + 1)).collect::<Vec<_>>(),
        2,
    );
    for method in METHODS {
        let config = TraceConfig::new().with_method(method).with_max_matvecs(29);
        let mut seen = Vec::new();
        let observed = (&a).observed(|step| {
            seen.push((step.num_matvecs, step.value, step.error));
            ControlFlow::Continue(())
        });
        config.run(&observed).unwrap();
        // Hutch++ plans its thirds; the others go on from where they are.
        if method != TraceMethod::HutchPlusPlus {
            let middle = seen[seen.len() / 2];
            let short = config.with_max_matvecs(middle.0).run(&a).unwrap();
            let said = (short.num_matvecs, Some(short.value), short.half_width);
            assert_eq!(said, middle, "{method:?}");
        }
    }
}

struct Broken;

impl LinearOperator for Broken {
    type Domain = Vec<f64>;
    type Range = Vec<f64>;
    type Error = KrylovFault;
    fn domain(&self) -> usize {
        10
    }
    fn range(&self) -> usize {
        10
    }
    fn matvec(&self, v: &Vec<f64>) -> Result<Vec<f64>, KrylovFault> {
        Ok(v.clone().scale(f64::NAN))
    }
}

impl burnscape_krylov::SelfAdjoint for Broken {}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let a = Diagonal((0..20).map(f64::from).collect());
    for method in METHODS {
        let config = TraceConfig::new().with_method(method);
        let fewest = match method {
            TraceMethod::HutchPlusPlus => 3,
            TraceMethod::XTrace => 4,
            TraceMethod::XNysTrace => 2,
            _ => 1,
        };
        let refused = config.clone().with_max_matvecs(fewest - 1).run(&a);
        let method_name = match method {
            TraceMethod::HutchPlusPlus => "Hutch++",
            TraceMethod::XTrace => "XTrace",
            TraceMethod::XNysTrace => "XNysTrace",
            _ => "Hutchinson's method",
        };
        let error = KrylovFault::NoProbes {
            method: method_name,
            name: "max_matvecs",
            needed: fewest,
            found: fewest - 1,
        };
        assert_eq!(refused.map(|_| ()), Err(error));
        assert!(
            config.clone().with_max_matvecs(fewest).run(&a).is_ok(),
            "{method:?}"
        );
        let refused = config.clone().with_tolerance(0.0).run(&a).map(|_| ());
        assert_eq!(
            refused,
            Err(KrylovFault::OutOfBounds {
                name: "tolerance",
                value: 0.0,
                allowed: "a positive, finite number"
            })
        );
        let refused = config.run(&Broken).map(|_| ());
        assert_eq!(
            refused,
            Err(KrylovFault::NonFinite { product: 0 }),
            "{method:?}"
        );
    }
}

#[test]
fn two_samples_that_agree_by_chance_have_not_converged() {
    // Off the diagonal alone: every sample is 6 or −6, and two of them agree every other time.
    let a = Dense::from_rows(&[[1.0, 3.0], [3.0, -1.0]]).unwrap();
    let a = Symmetric::verified(a, 1e-12, 0).unwrap();
    let run = |num_matvecs: usize, seed: u64| {
        let config = TraceConfig::new().with_tolerance(0.01);
        config
            .with_max_matvecs(num_matvecs)
            .with_seed(seed)
            .run(&a)
            .unwrap()
    };
    let mut agreed = 0;
    for seed in 0..50 {
        for num_matvecs in [2, 3] {
            let found = run(num_matvecs, seed);
            agreed += usize::from(found.half_width == Some(0.0));
            assert!(!found.outcome.is_converged(), "{found:?}");
        }
        let blocks = |v: &Vec<f64>, product: &Vec<f64>| -> Result<Vec<f64>, KrylovFault> {
            Ok(vec![v.dot(product)?])
        };
        let config = TraceConfig::new().with_tolerance(0.01).with_max_matvecs(2);
        let config = config.with_seed(seed);
        let found = config.run_integrands(&a, blocks).unwrap();
        assert!(!found[0].outcome.is_converged());
        let config = DiagonalConfig::new()
            .with_tolerance(0.01)
            .with_max_matvecs(2);
        assert!(
            !config
                .with_seed(seed)
                .run(&a)
                .unwrap()
                .outcome
                .is_converged()
        );
    }
    assert!(agreed > 20);
}
