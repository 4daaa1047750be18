//! Layers one by one and three at a time: reset, disturbed, and averaged between two networks.

use std::iter::zip;
use std::ops::Range;
use std::slice::from_ref;

use burn::module::{Module, ParamGroup};
use burn::tensor::{DType, Device, Tensor};
use burnscape::align::WeightMatchingConfig;
use burnscape::krylov::{EigenpairsConfig, Which};
use burnscape::loss::{Recorded, Risk};
use burnscape::sharpness::AverageSharpnessConfig;
use burnscape::space::{ParamSpace, ParamVector, Scale, UnfilteredRule};
use burnscape::symmetry::SymmetriesConfig;

use super::criteria::layer_wise::{
    ALL, APART, AVERAGED, FRESH, FRESH_INITIAL, LAYERS, LEAST, MIDDLE_FIRST, MIDDLE_LAST, MOST,
    NOISE, RESET, RESET_LOST, TOGETHER, WORST, judge, layer, together,
};
use super::digits::{CLASSES, Digits, Labeled, NUM_TRAIN, PIXELS};
use super::frame::{Measured, Plan, Study};
use super::losses::{accuracy, cross_entropy};
use super::network::{Activation, Mlp, Network};
use super::numbers::{number, with_error};
use super::training::{Course, Draws, heavy_ball, minibatch, unwatched};
use crate::Failure;
use lines::Lines;

mod lines;

pub(crate) static STUDY: Study = Study {
    name: "layer-wise",
    claim: "Layers differ: some bear a reset to their initial values and others do not; averaging one layer of two \
            networks has no barrier, and the barrier of all layers comes from those in the middle together.",
    papers: &[
        "Zhang, Bengio and Singer 2019, arXiv:1902.01996",
        "Adilova et al. 2023, arXiv:2307.06966",
    ],
    ran: "ReLU networks with six hidden layers of 128 units on 1,280 digits; for each seed a pair with initial weights \
          and orders of the batches of their own. SGD with momentum 0.9, batches of 64, a rate of 0.05 that falls along \
          half a cosine, 40 epochs, no weight decay. For each layer of the first network: the rise of the training loss \
          and the fall of the accuracy on 517 other digits with the layer as it was before training, and with fresh \
          initial values (four draws); the rise by Gaussian noise of half the length of each filter (20 draws); λ_max \
          of its block of the Hessian; how far it has moved over its initial length. Then one layer, or three \
          neighbors, go from the first network to the second with the others at either: averaged is the loss in the \
          middle less the mean of both networks, the barrier is over the ends of the line itself, and replaced is at \
          its end; random is the middle of a line as long in a random direction. Columns with alignment have the \
          second network permuted by weight matching. A most and a least sensitive layer is chosen for each seed on \
          the other seeds.",
    would_change: "Whether initial values raise the loss in the most sensitive layer by 3 standard errors more than \
                   in the least sensitive one, and cost 0.3 of test accuracy there and at most 0.02 here; whether \
                   averaging one layer raises the loss by at most a quarter of what averaging all does; and whether \
                   averaging the middle three raises it by 2 standard errors more than averaging the first or the \
                   last three. Deeper networks may differ.",
    wrong: "That middle layers matter most: one by one they may matter least, and a barrier of three layers is no sum \
            over them. That the three places are alike: the first layers have 64 inputs, and the last one has 10 \
            outputs and fewer weights. And that a layer whose reset costs nothing could have been left out: its \
            initial values are those that the other layers were trained with, and fresh ones are not.",
    references: &[],
    run,
    judge,
};

const WIDTH: usize = 128;
const EPOCHS: usize = 40;
const BATCH: usize = 64;
const RATE: f64 = 0.05;
const MOMENTUM: f64 = 0.9;
/// Networks from which fresh values are.
const FRESH_DRAWS: usize = 4;
/// The size of the noise over the length of a filter, and its draws.
const NOISE_SIZE: f64 = 0.5;
const NOISE_DRAWS: usize = 20;
/// Seeds of fresh values start here.
const FRESH_SEEDS: u64 = 1 << 32;

const FRESH_LOST: &str = "accuracy lost, fresh values";
const LAMBDA: &str = "λ_max";
const MOVED: &str = "moved";
const ALIGNED: &str = "averaged, aligned";

/// Of lines between two networks, in the order of `lines::Numbers`.
const NAIVE_COLUMNS: [&str; 4] = [AVERAGED, "barrier", "replaced", "random"];
/// The random direction has no alignment.
const ALIGNED_COLUMNS: [&str; 3] = [ALIGNED, "barrier, aligned", "replaced, aligned"];

fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let digits = Digits::of_recipes()?;
    let pairs = plan.over_seeds(|seed| {
        let pair = Pair::of(plan, &digits, seed)?;
        plan.progress(format!("seed {seed}"));
        Ok(pair)
    })?;
    for pair in &pairs {
        enter(pair, found);
    }
    sensitive(found);
    for pair in &pairs {
        for (lines, column) in [(&pair.naive, AVERAGED), (&pair.aligned, ALIGNED)] {
            for (row, value) in lines.contrasts() {
                found.push(row, column, value);
            }
        }
    }
    draw(found);
    if let Some(pair) = pairs.first() {
        for (name, points) in &pair.naive.shown {
            let chart = "loss along the line, first seed";
            found.line(chart, "place", "training loss", name, points.clone());
        }
    }
    notes(found);
    Ok(())
}

/// What is known of one layer of a network.
struct Alone {
    reset: f64,
    reset_lost: f64,
    fresh: f64,
    fresh_lost: f64,
    noise: f64,
    lambda: f64,
    moved: f64,
}

struct Pair {
    alone: Vec<Alone>,
    naive: Lines,
    aligned: Lines,
}

impl Pair {
    fn of(plan: &Plan, digits: &Digits, seed: u64) -> Result<Self, Failure> {
        let [(start, a), (_, b)] = [
            trained(plan, digits, 2 * seed)?,
            trained(plan, digits, 2 * seed + 1)?,
        ];
        let device = Device::default();
        let place = (&device, DType::F32);
        let train = digits.labeled(0..plan.pick(NUM_TRAIN, BATCH), place);
        let test = digits.test(place);
        let objective = cross_entropy::<Mlp>;
        let risk = Risk::new(&objective, from_ref(&train));

        let few = digits.labeled(0..2, place);
        let symmetries = SymmetriesConfig::new().run(&outputs, &a, few)?;
        let moved = WeightMatchingConfig::new().run(&symmetries, &a, &b)?.model;
        let net = Trained {
            plan,
            start: &start,
            net: &a,
            risk: &risk,
            test: &test,
            loss: risk.loss(&a)?.value,
            accuracy: accuracy(&a, &test)?,
            seed,
        };
        let count = sizes(plan).len() - 1;
        let alone = (0..count).map(|index| net.alone(index));
        Ok(Self {
            alone: alone.collect::<Result<_, _>>()?,
            naive: Lines::between(plan, &risk, [&a, &b], seed)?,
            aligned: Lines::between(plan, &risk, [&a, &moved], seed)?,
        })
    }
}

/// Scores of the digits, for symmetries.
fn outputs(net: &Mlp, (images, _): &Labeled) -> Tensor<2> {
    net.forward(images.clone())
}

/// From the pixels to the classes; fewer layers for a quick look.
fn sizes(plan: &Plan) -> Vec<usize> {
    let hidden = vec![WIDTH; plan.pick(LAYERS - 1, TOGETHER)];
    [vec![PIXELS], hidden, vec![CLASSES]].concat()
}

/// A network before and after training, without autodiff.
fn trained(plan: &Plan, digits: &Digits, seed: u64) -> Result<(Mlp, Mlp), Failure> {
    let device = Device::default().autodiff();
    let place = (&device, DType::F32);
    let net = Mlp::new(&sizes(plan), Activation::Relu, seed, place)?;
    let start = net.valid();
    let loss = Recorded::new(cross_entropy::<Mlp>);
    let mut sgd = heavy_ball(MOMENTUM).init();
    let train = digits.train(place);
    let mut draws = Draws::epochs(NUM_TRAIN, BATCH, seed);
    let course = Course::cosine(plan.steps(EPOCHS * NUM_TRAIN / BATCH), RATE);
    let net = minibatch(net, &mut sgd, &loss, &train, &mut draws, course, unwatched)?;
    Ok((start, net.valid()))
}

/// The weights and biases of some layers.
fn group(layers: Range<usize>) -> ParamGroup {
    let names = |index: usize| ["weight", "bias"].map(|name| format!("layers.{index}.{name}"));
    ParamGroup::from_paths(layers.flat_map(names).collect::<Vec<_>>())
}

/// A trained network, whose layers are changed one at a time.
struct Trained<'t, 'r> {
    plan: &'t Plan,
    /// Before training.
    start: &'t Mlp,
    net: &'t Mlp,
    risk: &'t Risk<'r, Mlp>,
    test: &'t Labeled,
    loss: f64,
    accuracy: f64,
    seed: u64,
}

impl Trained<'_, '_> {
    fn alone(&self, index: usize) -> Result<Alone, Failure> {
        let own = group(index..index + 1);
        let space = ParamSpace::of_group(self.net, &own)?;
        let [now, before] = [self.net, self.start].map(|net| ParamVector::from_module(&space, net));
        let before = before?;
        let moved = now?.axpy(-1.0, &before)?.norm()? / before.norm()?;
        let (reset, reset_lost) = self.with(&before)?;

        let device = Device::default();
        let place = (&device, DType::F32);
        let draws = self.plan.pick(FRESH_DRAWS, 1);
        let (mut fresh, mut fresh_lost) = (0.0, 0.0);
        for draw in 0..draws {
            let seed = FRESH_SEEDS + (FRESH_DRAWS as u64) * self.seed + draw as u64;
            let other = Mlp::new(&sizes(self.plan), Activation::Relu, seed, place)?;
            let (rise, lost) = self.with(&ParamVector::from_module(&space, &other)?)?;
            fresh += rise / draws as f64;
            fresh_lost += lost / draws as f64;
        }

        let risk = self.risk.clone().with_group(own);
        let noise = AverageSharpnessConfig::new(NOISE_SIZE)
            .with_num_samples(self.plan.pick(NOISE_DRAWS, 2))
            .with_scale(Scale::FilterRelative(UnfilteredRule::AsOneFilter))
            .with_seed(self.seed)
            .run(&risk, self.net)?;
        let top = EigenpairsConfig::new(1, Which::Largest).with_tolerance(1e-3);
        Ok(Alone {
            reset,
            reset_lost,
            fresh,
            fresh_lost,
            noise: noise.rise,
            lambda: top.run(&risk.hessian(self.net)?)?.values[0],
            moved,
        })
    }

    /// The rise of the loss and the fall of the accuracy with these values in their layer.
    fn with(&self, values: &ParamVector) -> Result<(f64, f64), Failure> {
        let net = values.apply_to(self.net)?;
        let rise = self.risk.loss(&net)?.value - self.loss;
        Ok((rise, self.accuracy - accuracy(&net, self.test)?))
    }
}

fn enter(pair: &Pair, found: &mut Measured) {
    for (index, alone) in pair.alone.iter().enumerate() {
        for (column, value) in [
            (RESET, alone.reset),
            (RESET_LOST, alone.reset_lost),
            (FRESH, alone.fresh),
            (FRESH_LOST, alone.fresh_lost),
            (NOISE, alone.noise),
            (LAMBDA, alone.lambda),
            (MOVED, alone.moved),
        ] {
            found.push(layer(index), column, value);
        }
    }
    for (lines, columns) in [
        (&pair.naive, &NAIVE_COLUMNS[..]),
        (&pair.aligned, &ALIGNED_COLUMNS[..]),
    ] {
        for (index, line) in lines.layers.iter().enumerate() {
            push(&layer(index), columns, line, found);
        }
        for (first, line) in lines.together.iter().enumerate() {
            push(&together(first), columns, line, found);
        }
        push(ALL, columns, &lines.all, found);
    }
}

/// As many columns as there are values.
fn push(row: &str, columns: &[&str], values: &[f64], found: &mut Measured) {
    for (column, value) in zip(columns, values) {
        found.push(row, *column, *value);
    }
}

/// The values of a column, for each layer those of all seeds.
fn by_layer(found: &Measured, column: &str) -> Vec<Vec<f64>> {
    let values = (0..LAYERS).map(|index| found.values(&layer(index), column).to_vec());
    values.filter(|values| !values.is_empty()).collect()
}

/// The layers with the largest and the smallest sum over all seeds but this one, so that chance does not make them
/// differ. None for a single seed.
fn chosen(rises: &[Vec<f64>], own: usize) -> Option<[usize; 2]> {
    if rises.first()?.len() < 2 {
        return None;
    }
    let sum = |values: &Vec<f64>| {
        let others = values.iter().enumerate().filter(|(seed, _)| *seed != own);
        others.map(|(_, rise)| rise).sum::<f64>()
    };
    let sums: Vec<f64> = rises.iter().map(sum).collect();
    let order = |one: &usize, other: &usize| sums[*one].total_cmp(&sums[*other]);
    let most = (0..sums.len()).max_by(order)?;
    let least = (0..sums.len()).min_by(order)?;
    Some([most, least])
}

/// The most and the least sensitive layer, and what fresh values raise more than initial ones.
fn sensitive(found: &mut Measured) {
    for (by, columns) in [(RESET, &[RESET, RESET_LOST][..]), (NOISE, &[NOISE][..])] {
        let rises = by_layer(found, by);
        let count = rises.first().map_or(0, Vec::len);
        for &column in columns {
            let values = by_layer(found, column);
            for seed in 0..count {
                let value = |layer: usize| values[layer].get(seed).copied();
                let value = |layer| value(layer).unwrap_or(f64::NAN);
                let layers = chosen(&rises, seed);
                let [most, least] = layers.map_or([f64::NAN; 2], |layers| layers.map(value));
                found.push(MOST, column, most);
                found.push(LEAST, column, least);
                found.push(APART, column, most - least);
            }
        }
    }
    let [fresh, initial] = [FRESH, RESET].map(|column| by_layer(found, column));
    let count = fresh.len() as f64;
    for seed in 0..fresh.first().map_or(0, Vec::len) {
        let pairs = zip(&fresh, &initial);
        let sum: f64 = pairs.map(|(one, other)| one[seed] - other[seed]).sum();
        found.push(FRESH_INITIAL, FRESH, sum / count);
    }
}

/// The name of a row.
type Row = fn(usize) -> String;

/// Means by layer, and of three layers by the first of them.
fn draw(found: &mut Measured) {
    let single = [RESET, FRESH, NOISE, AVERAGED, ALIGNED];
    for (chart, x_name, row, columns) in [
        ("one layer", "layer", layer as Row, &single[..]),
        (
            "three layers together",
            "first of them",
            together as Row,
            &single[3..],
        ),
    ] {
        for &column in columns {
            let means = (0..LAYERS).map(|index| (index + 1, found.mean(&row(index), column)));
            let finite = means.filter(|(_, mean)| mean.is_finite());
            let points = finite.map(|(place, mean)| (place as f64, mean)).collect();
            found.line(chart, x_name, "rise of the training loss", column, points);
        }
    }
}

fn notes(found: &mut Measured) {
    let cell = |row: &str, column: &str| {
        let (mean, error) = (found.mean(row, column), found.standard_error(row, column));
        with_error(mean, Some(error))
    };
    let sensitive = format!(
        "Initial values raise the loss by {} in the most sensitive layer, which costs {} of test accuracy, and by {} in \
         the least sensitive one, which costs {}.",
        cell(MOST, RESET),
        cell(MOST, RESET_LOST),
        cell(LEAST, RESET),
        cell(LEAST, RESET_LOST)
    );
    let mut texts = vec![sensitive];
    for (column, which) in [
        (AVERAGED, "Without alignment"),
        (ALIGNED, "After weight matching"),
    ] {
        let [first, middle, last] = [0, (LAYERS - TOGETHER) / 2, LAYERS - TOGETHER]
            .map(|place| cell(&together(place), column));
        texts.push(format!(
            "{which}, averaging all layers raises the loss by {}, and averaging one by at most {} of that. The three in \
             the middle raise it by {middle}, the first three by {first} ({}), the last three by {last} ({}).",
            cell(ALL, column),
            number(found.mean(WORST, column)),
            compared(found, MIDDLE_FIRST, column),
            compared(found, MIDDLE_LAST, column)
        ));
    }
    for text in texts {
        found.note(text);
    }
}

/// What a difference of the middle layers to others says about the others.
fn compared(found: &Measured, row: &str, column: &str) -> &'static str {
    match found.mean(row, column) / found.standard_error(row, column) {
        errors if errors >= 2.0 => "clearly less",
        errors if errors <= -2.0 => "clearly more",
        _ => "no clear difference",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_chosen_on_other_seeds() {
        // By seed 0 the first layer, by the others the second and the third.
        let rises = [
            vec![9.0, 1.0, 1.0],
            vec![0.0, 3.0, 3.0],
            vec![2.0, 0.5, 0.5],
        ];
        assert_eq!(chosen(&rises, 0), Some([1, 2]));
        assert_eq!(chosen(&rises, 1), Some([0, 2]));
        assert_eq!(chosen(&[vec![1.0], vec![2.0]], 0), None);
        assert_eq!(chosen(&[], 0), None);
    }
}
