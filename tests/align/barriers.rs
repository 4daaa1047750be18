//! Barriers between networks trained on digits, before and after alignment and repair, with the survey's own code.
//!
//! `cargo xtask sweep barriers` trains three pairs of each network and prints all of them. An ordinary test trains one
//! pair of small networks.

mod networks;

use std::error::Error;

use burn::optim::SgdConfig;
use burn::optim::momentum::MomentumConfig;
use burn::tensor::{Device, Tensor};
use burnscape::align::{ActivationMeasure, GaugeAlignmentConfig, WeightMatchingConfig};
use burnscape::loss::{Batch, Risk};
use burnscape::path::{BezierCurve, CurveProfileConfig};
use burnscape::space::ParamSpace;
use burnscape::symmetry::{GaugesConfig, SymmetriesConfig};
use burnscape_testkit::turn;

use self::networks::{Rows, rectified};
use crate::survey::alignment::{AlignedLine, By, line, lines, logits};
use crate::survey::data::{Digits, Split};
use crate::survey::models::{Classifier, Cnn};
use crate::survey::paths::{Effort, fit};
use crate::survey::settings::{DAMPENING, MOMENTUM};
use crate::survey::train::{Course, loss, train};

/// Images to learn from; the other 360 are for tests.
const NUM_TRAIN: usize = 1437;
/// Places on a line.
const NUM_POINTS: usize = 11;

const COVARIANCES: By = By::Activations(ActivationMeasure::Covariance);
/// The default.
const CORRELATIONS: By = By::Activations(ActivationMeasure::Correlation);
const WAYS: [By; 4] = [By::Nothing, By::Weights, COVARIANCES, CORRELATIONS];

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The digits in the order of the file.
fn split(device: &Device) -> Outcome<Split> {
    let Split { train, test, .. } = Split::load(device)?;
    let all = Digits {
        images: Tensor::cat(vec![train.images, test.images], 0),
        labels: Tensor::cat(vec![train.labels, test.labels], 0),
    };
    let count = all.num_examples()?.unwrap_or(0);
    let examples: Vec<usize> = (0..count).collect();
    let (first, rest) = examples.split_at(NUM_TRAIN);
    Ok(Split {
        train: all.select(first)?,
        test: all.select(rest)?,
        num_train: first.len(),
        num_test: rest.len(),
    })
}

/// A network trained by the survey's SGD. Its weights and the order of batches are drawn from the seed.
fn trained<M: Classifier>(
    new: &dyn Fn(&Device) -> M,
    split: &Split,
    seed: u64,
    epochs: usize,
) -> Outcome<M> {
    let device = Device::default().autodiff();
    device.seed(seed);
    let model = new(&device);
    // Burn draws weights at their first use: here, before other draws.
    ParamSpace::of(&model)?;
    let digits = split.train.clone().to_device(&device);
    let course = Course {
        digits: &digits,
        num_examples: split.num_train,
        epochs,
        seed,
    };
    let momentum = MomentumConfig::new()
        .with_momentum(MOMENTUM)
        .with_dampening(DAMPENING);
    let sgd = SgdConfig::new().with_momentum(Some(momentum)).init();
    Ok(train(model, sgd, &course, |_| ())?.model)
}

fn pair<M: Classifier>(
    new: &dyn Fn(&Device) -> M,
    split: &Split,
    seeds: [u64; 2],
    epochs: usize,
) -> Outcome<[M; 2]> {
    let [a, b] = seeds.map(|seed| trained(new, split, seed, epochs));
    Ok([a?, b?])
}

/// A row of the table: barriers on training and test images above the line between the losses of the ends.
struct Row {
    title: String,
    plain: [f64; 2],
    repaired: Option<[f64; 2]>,
}

impl Row {
    fn of(by: By, lines: &[AlignedLine]) -> Outcome<Self> {
        let barriers = |repaired: bool| {
            let mut found = lines.iter();
            let found = found.find(|line| line.by == by && line.repaired == repaired)?;
            let sides = [&found.line.train, &found.line.test];
            Some(sides.map(|side| side.barriers.above_line))
        };
        Ok(Self {
            title: by.title().to_string(),
            plain: barriers(false).ok_or("no line")?,
            repaired: barriers(true),
        })
    }
}

/// Two networks and what is between them.
struct Case {
    name: String,
    rows: Vec<Row>,
}

impl Case {
    fn of<M: Classifier>(
        name: &str,
        split: &Split,
        seeds: [u64; 2],
        [a, b]: [&M; 2],
        ways: &[By],
    ) -> Outcome<Self> {
        let lines = lines(split, [a, b], ways, NUM_POINTS, &|_| ())?;
        let rows = ways.iter().map(|&by| Row::of(by, &lines));
        Ok(Self {
            name: format!("{name}, seeds {} and {}", seeds[0], seeds[1]),
            rows: rows.collect::<Outcome<_>>()?,
        })
    }

    fn row(&self, by: By) -> &Row {
        let mut rows = self.rows.iter();
        let found = rows.find(|row| row.title == by.title());
        found.expect("a row")
    }

    /// By how much the barrier on training images falls.
    fn ratio(&self, by: By) -> f64 {
        self.row(By::Nothing).plain[0] / self.row(by).plain[0]
    }

    /// Whether a repair makes no barrier on training images higher, but for a thousandth.
    fn is_no_worse_repaired(&self, by: By) -> bool {
        let row = self.row(by);
        row.repaired
            .is_some_and(|repaired| repaired[0] <= row.plain[0] + 1e-3)
    }

    fn print(&self) {
        let first = self.row(By::Nothing).plain;
        println!("{}", self.name);
        for row in &self.rows {
            let side = |side: usize| {
                let cell = |barriers: Option<[f64; 2]>| match barriers {
                    Some(barriers) => {
                        let ratio = first[side] / barriers[side];
                        format!("{:7.4} ÷ {ratio:6.1}", barriers[side])
                    }
                    None => " ".repeat(16),
                };
                format!("{}  {}", cell(Some(row.plain)), cell(row.repaired))
            };
            println!("  {:30}{}    {}", row.title, side(0), side(1));
        }
    }
}

fn print_heading() {
    println!(
        "Barriers above the line between the ends, at {NUM_POINTS} places; ÷: below that of the plain line"
    );
    println!(
        "  {:30}{:18}{:20}{:18}repaired",
        "", "train", "repaired", "test"
    );
}

/// A Bézier curve between the networks as they are.
fn bezier<M: Classifier>(split: &Split, [a, b]: [&M; 2], effort: Effort) -> Outcome<Row> {
    let digits = split.train.clone().to_device(&Device::default().autodiff());
    let curve = BezierCurve::between(a, b, 2)?;
    let curve = fit(curve, &digits, effort, 0, &|| ())?;
    let loss = loss::<M>;
    let (train, test) = ([split.train.clone()], [split.test.clone()]);
    let test = Risk::new(&loss, &test);
    let profile = CurveProfileConfig::new()
        .with_test(&test)
        .with_num_points(effort.num_points)
        .run(&Risk::new(&loss, &train), &curve)?;
    let sides = [Some(&profile.train), profile.test.as_ref()];
    let barriers = sides.map(|side| side.and_then(|side| side.barriers));
    let [Some(train), Some(test)] = barriers else {
        return Err("the profile was stopped".into());
    };
    Ok(Row {
        title: "Bézier curve, not aligned".to_string(),
        plain: [train.above_line, test.above_line],
        repaired: None,
    })
}

/// Aligned by weights, and then in the bases of heads.
fn gauged<M: Classifier>(split: &Split, [a, b]: [&M; 2]) -> Outcome<Row> {
    let (a, b) = (a.valid(), b.valid());
    let few = split.train.select(&[0, 1])?;
    let symmetries = SymmetriesConfig::new().run(&logits::<M>, &a, few.clone())?;
    let gauges = GaugesConfig::new().run(&logits::<M>, &a, few)?;
    let b = WeightMatchingConfig::new().run(&symmetries, &a, &b)?.model;
    let turned = GaugeAlignmentConfig::new().run(&gauges, &a, &b)?;
    let barriers = |is_repaired: bool| {
        let ends = [&turned.reference, &turned.model];
        let found = line(split, ends, NUM_POINTS, is_repaired)?;
        Ok::<_, Box<dyn Error>>([&found.train, &found.test].map(|side| side.barriers.above_line))
    };
    Ok(Row {
        title: "by weights, and head gauges".to_string(),
        plain: barriers(false)?,
        repaired: Some(barriers(true)?),
    })
}

/// The bars of a perceptron: by how much the barrier falls by weights, and by activations with either measure.
fn misses(case: &Case, by_weights: f64, by_activations: f64) -> Vec<String> {
    let bars = [
        (By::Weights, by_weights),
        (COVARIANCES, by_activations),
        (CORRELATIONS, by_activations),
    ];
    let mut misses = Vec::new();
    for (by, bar) in bars {
        let ratio = case.ratio(by);
        if ratio.is_nan() || ratio < bar {
            misses.push(format!("{}, {}: ÷ {ratio}", case.name, by.title()));
        }
        if !case.is_no_worse_repaired(by) {
            misses.push(format!("{}, {}: repaired", case.name, by.title()));
        }
    }
    misses
}

#[test]
fn the_barrier_of_a_small_network_falls_when_it_is_aligned() {
    let _turn = turn();
    let split = split(&Device::default()).expect("the digits");
    let seeds = [1, 2];
    let new = |device: &Device| rectified(1, 64, device);
    let [a, b] = pair(&new, &split, seeds, 6).expect("networks");
    let case = Case::of("64-64-10", &split, seeds, [&a, &b], &WAYS).expect("lines");
    print_heading();
    case.print();
    let misses = misses(&case, 2.0, 2.0);
    assert!(misses.is_empty(), "{misses:?}");
}

#[test]
#[ignore = "cargo xtask sweep barriers"]
fn sweep_barriers() {
    let _turn = turn();
    sweep().expect("networks and lines");
}

fn sweep() -> Outcome<()> {
    let split = split(&Device::default())?;
    let mut missed = Vec::new();
    print_heading();
    for seeds in [[0, 1], [2, 3], [4, 5]] {
        let new = |device: &Device| rectified(1, 512, device);
        let [a, b] = pair(&new, &split, seeds, 60)?;
        let case = Case::of("64-512-10", &split, seeds, [&a, &b], &WAYS)?;
        case.print();
        missed.extend(misses(&case, 3.0, 6.0));
    }
    for seeds in [[0, 1], [2, 3], [4, 5]] {
        let new = |device: &Device| rectified(3, 512, device);
        let [a, b] = pair(&new, &split, seeds, 40)?;
        let case = Case::of("64-512-512-512-10", &split, seeds, [&a, &b], &WAYS)?;
        case.print();
        missed.extend(misses(&case, 2.0, 10.0));
    }
    let effort = Effort {
        train_epochs: 60,
        fit_epochs: 60,
        num_points: NUM_POINTS,
    };
    for seeds in [[0, 1], [2, 3], [4, 5]] {
        let [a, b] = pair::<Cnn>(&Cnn::new, &split, seeds, 30)?;
        let mut case = Case::of("the survey's CNN", &split, seeds, [&a, &b], &WAYS)?;
        case.rows.push(bezier(&split, [&a, &b], effort)?);
        case.print();
    }
    for seeds in [[0, 1], [2, 3], [4, 5]] {
        let [a, b] = pair::<Rows>(&Rows::new, &split, seeds, effort.train_epochs)?;
        let mut case = Case::of("transformer", &split, seeds, [&a, &b], &WAYS)?;
        case.rows.push(gauged(&split, [&a, &b])?);
        case.rows.push(bezier(&split, [&a, &b], effort)?);
        case.print();
    }
    assert!(missed.is_empty(), "{missed:#?}");
    Ok(())
}
