//! Networks with one function and other weights.

use std::slice::from_ref;

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Device, Tensor};
use burnscape::krylov::{EigenpairsConfig, Which};
use burnscape::loss::{Likelihood, Recorded, Risk, Split};
use burnscape::sharpness::{SharpnessMeasure as Measure, SharpnessReportConfig, rescale_relu_pair};
use burnscape::space::{Scale, UnfilteredRule};
use burnscape::symmetry::{Scales, ScalesConfig};

use crate::Failure;
use crate::studies::criteria::flat_minima_caveats::{
    AVERAGE, BY_UNIT, CANONICAL, ELEMENT_LAMBDA, ELEMENT_TRACE, ELEMENT_WORST, FACTORS,
    FILTER_AVERAGE, FILTER_LAMBDA, FISHER_RAO, FLATNESS, KESKAR, LAMBDA, OUTPUTS, TRACE, TRAINED,
    WORST, of_factor,
};
use crate::studies::digits::{CLASSES, Digits, Labeled, NUM_TRAIN, PIXELS};
use crate::studies::frame::{Measured, Plan};
use crate::studies::losses::{accuracy, cross_entropy, number};
use crate::studies::network::{Activation, Mlp, Network};
use crate::studies::numbers;
use crate::studies::training::{Course, Draws, heavy_ball, minibatch, unwatched};

const HIDDEN: usize = 64;
const STEPS: usize = 400;
const RATE: f64 = 0.1;
const MOMENTUM: f64 = 0.9;
const BATCH: usize = 64;
/// Training images of a measurement.
const MEASURED: usize = 256;
/// The layers of a pair, by the paths of their fields.
const LAYERS: [&str; 2] = ["layers.0", "layers.1"];

const TEST_LOSS: &str = "test loss";
const TEST: &str = "test accuracy";

const ABSOLUTE: Scale = Scale::Absolute;
const FILTERS: Scale = Scale::FilterRelative(UnfilteredRule::AsOneFilter);
const ELEMENTS: Scale = Scale::ElementRelative;

/// The measures of a report, but for relative flatness.
const MEASURES: [(&str, Measure, Option<Scale>); 11] = [
    (LAMBDA, Measure::LambdaMax, Some(ABSOLUTE)),
    (TRACE, Measure::Trace, Some(ABSOLUTE)),
    (AVERAGE, Measure::AverageSharpness, Some(ABSOLUTE)),
    (WORST, Measure::WorstCaseSharpness, Some(ABSOLUTE)),
    (KESKAR, Measure::Keskar, None),
    (ELEMENT_LAMBDA, Measure::LambdaMax, Some(ELEMENTS)),
    (ELEMENT_TRACE, Measure::Trace, Some(ELEMENTS)),
    (ELEMENT_WORST, Measure::WorstCaseSharpness, Some(ELEMENTS)),
    (FILTER_LAMBDA, Measure::LambdaMax, Some(FILTERS)),
    (FILTER_AVERAGE, Measure::AverageSharpness, Some(FILTERS)),
    (FISHER_RAO, Measure::FisherRaoNorm, None),
];

/// Those on the chart.
const SHOWN: [&str; 6] = [
    LAMBDA,
    TRACE,
    WORST,
    ELEMENT_LAMBDA,
    FISHER_RAO,
    FLATNESS[1],
];

/// Row, column and value.
type Entry = (String, &'static str, f64);

pub(super) fn run(plan: &Plan, digits: &Digits, found: &mut Measured) -> Result<(), Failure> {
    let factors = plan.pick(&FACTORS[..], &FACTORS[2..]);
    let runs = plan.over_seeds(|seed| {
        let entries = compared(plan, digits, factors, seed)?;
        plan.progress(format!("seed {seed}: rescaled"));
        Ok(entries)
    })?;
    for (row, column, value) in runs.into_iter().flatten() {
        found.push(row, column, value);
    }
    for column in SHOWN {
        let ratios = factors.iter();
        let ratios = ratios.map(|&factor| (factor, found.mean(&of_factor(factor), column)));
        let points = std::iter::once((1.0, 1.0)).chain(ratios).collect();
        let chart = "One function: measures over those of the trained network";
        found.line(
            chart,
            "factor a of the first layer",
            "ratio",
            column,
            points,
        );
    }
    note(found);
    Ok(())
}

fn note(found: &mut Measured) {
    let last = of_factor(FACTORS[2]);
    let ratio = |column| numbers::number(found.mean(&last, column));
    let text = format!(
        "With a = 30 the same function has {} times the λ_max, {} times the trace, and {} times the worst rise in a ball \
         of 0.05. Rows of factors have ratios, but for outputs and test data; the row of the trained network has the \
         measures.",
        ratio(LAMBDA),
        ratio(TRACE),
        ratio(WORST)
    );
    found.note(text);
    let [by_filter, flatness] =
        [FILTER_LAMBDA, FLATNESS[1]].map(|column| numbers::number(found.mean(BY_UNIT, column)));
    found.note(format!(
        "Factors for units multiply λ_max by filter by {by_filter} and the relative flatness of the last layer by \
         {flatness}: these are invariant to a factor for a layer, not to one for each unit."
    ));
}

fn logits(net: &Mlp, (images, _): &Labeled) -> Tensor<2> {
    net.forward(images.clone())
}

fn criterion(logits: Tensor<2>, (_, labels): Labeled) -> Tensor<1> {
    let logs = log_softmax(logits, 1);
    -logs.gather(1, labels.unsqueeze_dim::<2>(1)).mean()
}

/// A network, and others with its function.
fn compared(
    plan: &Plan,
    digits: &Digits,
    factors: &[f64],
    seed: u64,
) -> Result<Vec<Entry>, Failure> {
    let net = trained(plan, digits, seed)?;
    let device = Device::default();
    let place = (&device, DType::F64);
    let train = digits.labeled(0..plan.pick(MEASURED, 16), place);
    let test = digits.test(place);
    let risk = Risk::split(logits, criterion, from_ref(&train));
    let images = |net: &Mlp, images: &Tensor<2>| net.forward(images.clone());
    let few = digits.labeled(0..2, place).0;
    let scales = ScalesConfig::new().run(&images, &net, few)?;

    let mut twins = Vec::new();
    for &factor in factors {
        let twin = rescale_relu_pair(&risk, &net, LAYERS, factor)?;
        twins.push((of_factor(factor), twin));
    }
    let by_unit = scales.apply(&net, &scales.random(seed))?;
    twins.push((BY_UNIT.to_string(), by_unit));

    let before = measures(plan, &risk, &net)?;
    let mut entries = Vec::new();
    for &(column, value) in &before {
        entries.push((TRAINED.to_string(), column, value));
    }
    of_test(TRAINED, &net, &test, &mut entries)?;
    let lowest = canonical_lambda(&risk, &scales, &net)?;
    for (row, twin) in &twins {
        let after = measures(plan, &risk, twin)?;
        for ((column, one), (_, other)) in before.iter().zip(after) {
            entries.push((row.clone(), *column, other / one));
        }
        entries.push((row.clone(), OUTPUTS, change([&net, twin], &test)?));
        let own = canonical_lambda(&risk, &scales, twin)?;
        entries.push((row.clone(), CANONICAL, own / lowest));
        of_test(row, twin, &test, &mut entries)?;
    }
    Ok(entries)
}

/// A network after training, without autodiff.
fn trained(plan: &Plan, digits: &Digits, seed: u64) -> Result<Mlp, Failure> {
    let device = Device::default().autodiff();
    let place = (&device, DType::F64);
    let train = digits.train(place);
    let sizes = [PIXELS, plan.pick(HIDDEN, 6), CLASSES];
    let net = Mlp::new(&sizes, Activation::Relu, seed, place)?;
    let loss = Recorded::new(cross_entropy::<Mlp>);
    let mut sgd = heavy_ball(MOMENTUM).init();
    let mut draws = Draws::epochs(NUM_TRAIN, BATCH, seed);
    let course = Course::cosine(plan.steps(STEPS), RATE);
    let net = minibatch(net, &mut sgd, &loss, &train, &mut draws, course, unwatched)?;
    Ok(net.valid())
}

/// All measures of a network, with their columns.
fn measures(
    plan: &Plan,
    risk: &Risk<'_, Mlp, Split>,
    net: &Mlp,
) -> Result<Vec<(&'static str, f64)>, Failure> {
    let mut config = SharpnessReportConfig::new();
    if plan.quick {
        config = config
            .with_num_samples(1)
            .with_num_steps(2)
            .with_trace_matvecs(2)
            .with_lambda_max_matvecs(4);
    }
    let mut report = config.run(risk, net)?;
    report.add_fisher(&risk.fisher(net, Likelihood::Categorical)?, net)?;
    let known = |value: Option<f64>| value.unwrap_or(f64::NAN);
    let mut values = Vec::new();
    for (column, measure, scale) in MEASURES {
        values.push((column, known(report.value(measure, scale))));
    }
    let rows = report.rows.iter();
    let mut layers = rows.filter(|row| row.measure == Measure::RelativeFlatness);
    for column in FLATNESS {
        let value = layers.next().and_then(|row| row.value);
        values.push((column, known(value)));
    }
    Ok(values)
}

/// λ_max of the network with the smallest weights on the orbit.
fn canonical_lambda(
    risk: &Risk<'_, Mlp, Split>,
    scales: &Scales,
    net: &Mlp,
) -> Result<f64, Failure> {
    let net = scales.canonicalize(net)?;
    let top = EigenpairsConfig::new(1, Which::Largest).run(&risk.hessian(&net)?)?;
    Ok(top.values[0])
}

/// The largest change of an output on test images, over the largest output.
fn change([net, twin]: [&Mlp; 2], (images, _): &Labeled) -> Result<f64, Failure> {
    let before = net.forward(images.clone());
    let moved = twin.forward(images.clone()) - before.clone();
    number(moved.abs().max() / before.abs().max())
}

fn of_test(row: &str, net: &Mlp, test: &Labeled, entries: &mut Vec<Entry>) -> Result<(), Failure> {
    let loss = number(cross_entropy(net, test.clone()))?;
    entries.push((row.to_string(), TEST_LOSS, loss));
    entries.push((row.to_string(), TEST, accuracy(net, test)?));
    Ok(())
}
