//! Depth, skip connections and normalization: what trains, at which rates, and the curvature at the start.

mod network;
mod training;

use std::cmp::Reverse;

use super::criteria::architecture::{
    BEST_LOSS, LAMBDA, NORM_SKIP, PLAIN, SKIP, USABLE, USABLE_RATES, judge,
};
use super::digits::{Digits, NUM_TRAIN};
use super::frame::{Measured, Plan, Reference, Study};
use super::numbers::number;
use crate::Failure;
use network::Kind;
use training::{End, Images, Run};

pub(crate) static STUDY: Study = Study {
    name: "architecture",
    claim: "Skip connections and normalization make deep networks trainable, and widen the range of rates at which they \
            train.",
    papers: &[
        "He et al. 2015, arXiv:1512.03385",
        "Li et al. 2018, arXiv:1712.09913",
        "Veit et al. 2016, arXiv:1605.06431",
        "Balduzzi et al. 2017, arXiv:1702.08591",
        "Santurkar et al. 2018, arXiv:1805.11604",
    ],
    ran: "ReLU networks of width 32 without biases on 512 digits, the cross-entropy, and 200 steps of gradient descent \
          on all of them at rates of 0.03, 0.1, 0.3 and 1; the weights of a seed are the same for all kinds. A skip is \
          h + f(h)/√depth; layer normalization and batch normalization have no parameters, and stand before the ReLU \
          or, with skips, before the weights. Unscaled skips also run at 0.003. Networks of depth 2 with 8, 128 and 512 \
          units are beside: the widest one at rates of 0.3 and 1 and with three seeds at most. At the start: λ_max, isotropy \
          tr(H)²/(p |H|²) from 24 products, and the norm of the gradient in each layer; at the end, with the rate whose \
          mean loss is lowest: test accuracy on 517 digits with the statistics of all training images, λ_max, and the \
          loss with one block left out at a time. A loss that is not finite counts as 99.",
    would_change: "A plain network of depth 24 whose best loss is below 1; one with skips above 0.5; one with layer \
                   normalization and skips above 0.05, or with a loss above 1 at one of the four rates.",
    wrong: "That skip connections help because they make the loss flat: λ_max at the start is no lower with them, and \
            varies from seed to seed by about its mean. What differs is whether signals and gradients reach all \
            layers. And that a network that trains in 200 steps is better: a lower rate and more steps may train the \
            others.",
    references: &[
        // Printed as the deviation of three seeds over √3, with the divisor 3: times √1.5.
        Reference::new(PLAIN, LAMBDA, 62.0, 46.5),
        Reference::new(SKIP, LAMBDA, 60.0, 42.9),
        Reference::new("layer norm, depth 24", LAMBDA, 35.0, 6.1),
        Reference::new(NORM_SKIP, LAMBDA, 24.0, 20.8),
    ],
    run,
    judge,
};

const RATES: [f64; 4] = [0.03, 0.1, 0.3, 1.0];
/// Of unscaled skips.
const MORE_RATES: [f64; 5] = [0.003, 0.03, 0.1, 0.3, 1.0];
/// Of the widest network.
const LARGE_RATES: [f64; 2] = [0.3, 1.0];
/// What a loss counts as that is not finite.
const NOT_FINITE: f64 = 99.0;
const NUM_EXAMPLES: usize = 512;
const WIDTH: usize = 32;

const BEST_RATE: &str = "best rate";
const ACCURACY: &str = "test accuracy";
const END_LAMBDA: &str = "λ_max at the end";
const ISOTROPY: &str = "isotropy at the start";
const FALL: &str = "|g| of the first block over the last";
const WITHOUT: &str = "loss without a block";
const WORST: &str = "without the worst";

/// A network to train.
#[derive(Debug, Clone, Copy)]
struct Setting {
    kind: Kind,
    depth: usize,
    width: usize,
    rates: &'static [f64],
    /// Seeds at most.
    num_seeds: usize,
}

impl Setting {
    fn new(kind: Kind, depth: usize) -> Self {
        Self {
            kind,
            depth,
            width: WIDTH,
            rates: match kind {
                Kind::UnscaledSkip => &MORE_RATES,
                _ => &RATES,
            },
            num_seeds: usize::MAX,
        }
    }

    fn of_width(width: usize) -> Self {
        let setting = Self {
            width,
            ..Self::new(Kind::Plain, 2)
        };
        match width > 128 {
            true => Self {
                rates: &LARGE_RATES,
                num_seeds: 3,
                ..setting
            },
            false => setting,
        }
    }

    fn row(self) -> String {
        let (kind, depth) = (self.kind.name(), self.depth);
        match self.width {
            WIDTH => format!("{kind}, depth {depth}"),
            width => format!("{kind}, depth {depth}, width {width}"),
        }
    }
}

fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let settings = settings(plan);
    // Those that take longest first, so that both threads end together.
    let mut order: Vec<usize> = (0..settings.len()).collect();
    order.sort_by_key(|&index| Reverse(settings[index].width));
    let mut jobs: Vec<(usize, u64)> = Vec::new();
    for index in order {
        let seeds = plan.seeds.iter().take(settings[index].num_seeds);
        jobs.extend(seeds.map(|&seed| (index, seed)));
    }
    let digits = Digits::of_recipes()?;
    let examples = plan.pick(NUM_EXAMPLES, 64);
    let runs = plan.over(&jobs, |&(index, seed)| {
        let images = Images::new(&digits, 0..examples, NUM_TRAIN..digits.len());
        let run = Run::of(plan, settings[index], &images, seed)?;
        plan.progress(format!("{}, seed {seed}", settings[index].row()));
        Ok(run)
    })?;
    for (index, setting) in settings.iter().enumerate() {
        let own = jobs.iter().zip(&runs).filter(|((job, _), _)| *job == index);
        let own: Vec<&Run> = own.map(|(_, run)| run).collect();
        enter(*setting, &own, found);
    }
    difference(found);
    widths(&settings, found);
    Ok(())
}

/// All networks; for a quick look, small ones.
fn settings(plan: &Plan) -> Vec<Setting> {
    let deep = plan.pick(24, 3);
    let mut settings = vec![Setting::new(Kind::Plain, 2)];
    if !plan.quick {
        settings.push(Setting::new(Kind::Plain, 8));
    }
    settings.extend(
        [
            Kind::Plain,
            Kind::Skip,
            Kind::UnscaledSkip,
            Kind::LayerNorm,
            Kind::LayerNormSkip,
            Kind::BatchNorm,
            Kind::BatchNormSkip,
        ]
        .map(|kind| Setting::new(kind, deep)),
    );
    let widths = plan.pick(&[8, 128, 512][..], &[8][..]);
    settings.extend(widths.iter().map(|&width| Setting::of_width(width)));
    for setting in settings.iter_mut().filter(|_| plan.quick) {
        setting.rates = &setting.rates[..1];
    }
    settings
}

/// The cells and lines of a network.
fn enter(setting: Setting, runs: &[&Run], found: &mut Measured) {
    let row = setting.row();
    for run in runs {
        found.push(row.as_str(), LAMBDA, run.start.lambda);
        found.push(row.as_str(), ISOTROPY, run.start.isotropy);
        if let [_, blocks @ .., _] = run.start.gradients.as_slice()
            && let (Some(first), Some(last)) = (blocks.first(), blocks.last())
        {
            found.push(row.as_str(), FALL, first / last);
        }
    }
    let mut by_rate = Vec::new();
    for (place, &rate) in setting.rates.iter().enumerate() {
        let column = format!("loss at rate {rate}");
        let losses = runs.iter().map(|run| counted(run.ends[place].loss));
        found.extend(&row, &column, losses);
        by_rate.push((rate, found.mean(&row, &column)));
    }
    let usable = by_rate.iter().filter(|(_, loss)| *loss < USABLE).count();
    found.push(row.as_str(), USABLE_RATES, usable as f64);
    let best = by_rate.iter().enumerate();
    let best = best.min_by(|(_, one), (_, other)| one.1.total_cmp(&other.1));
    if let Some((place, &(rate, _))) = best {
        found.push(row.as_str(), BEST_RATE, rate);
        let ends: Vec<&End> = runs.iter().map(|run| &run.ends[place]).collect();
        best_ends(&row, &ends, found);
    }
    found.line("loss after 200 steps", "rate", "loss", &row, by_rate);
    let gradients = runs.iter().map(|run| run.start.gradients.as_slice());
    let gradients = enumerated(means(&gradients.collect::<Vec<_>>()), 0);
    let chart = "gradient at the start";
    found.line(chart, "layer", "|gradient|", &row, gradients);
}

/// What is known of the trainings with the best rate.
fn best_ends(row: &str, ends: &[&End], found: &mut Measured) {
    for end in ends {
        found.push(row, BEST_LOSS, counted(end.loss));
        found.push(row, ACCURACY, end.accuracy);
        found.push(row, END_LAMBDA, end.lambda);
        let count = end.without.len() as f64;
        let mean = end.without.iter().sum::<f64>() / count;
        let worst = end.without.iter().copied().fold(f64::NAN, f64::max);
        found.push(row, WITHOUT, mean);
        found.push(row, WORST, worst);
    }
    let left = ends.iter().map(|end| end.without.as_slice());
    let left = enumerated(means(&left.collect::<Vec<_>>()), 1);
    let chart = "loss with one block left out";
    found.line(chart, "block", "training loss", row, left);
}

/// A loss, or what stands for one that is not finite.
fn counted(loss: f64) -> f64 {
    if loss.is_finite() { loss } else { NOT_FINITE }
}

/// The means of some lists, place by place, of those that are not empty.
fn means(lists: &[&[f64]]) -> Vec<f64> {
    let known: Vec<&&[f64]> = lists.iter().filter(|list| !list.is_empty()).collect();
    let length = known.iter().map(|list| list.len()).min().unwrap_or(0);
    let mean = |place: usize| {
        let sum: f64 = known.iter().map(|list| list[place]).sum();
        sum / known.len() as f64
    };
    (0..length).map(mean).collect()
}

fn enumerated(values: Vec<f64>, first: usize) -> Vec<(f64, f64)> {
    let places = (first..).map(|place| place as f64);
    places.zip(values).collect()
}

/// Whether skips change the sharpness at the start, seed by seed.
fn difference(found: &mut Measured) {
    let [plain, skip] = [PLAIN, SKIP].map(|row| found.values(row, LAMBDA));
    let differences: Vec<f64> = skip.iter().zip(plain).map(|(one, two)| one - two).collect();
    if differences.is_empty() {
        return;
    }
    let row = "skip minus plain, depth 24";
    found.extend(row, LAMBDA, differences);
    let mean = number(found.mean(row, LAMBDA));
    let error = number(found.standard_error(row, LAMBDA));
    found.note(format!(
        "λ_max at the start is higher with skips by {mean} ± {error}, seed by seed."
    ));
}

/// Curvature at the start over the width of plain networks of depth 2.
fn widths(settings: &[Setting], found: &mut Measured) {
    let mut shallow: Vec<&Setting> = settings.iter().filter(|it| it.depth == 2).collect();
    shallow.sort_by_key(|setting| setting.width);
    for column in [LAMBDA, ISOTROPY] {
        let mean = |it: &&Setting| (it.width as f64, found.mean(&it.row(), column));
        let points = shallow.iter().map(mean).collect();
        let chart = format!("depth 2: {column}");
        found.line(&chart, "width", column, "plain", points);
    }
}
