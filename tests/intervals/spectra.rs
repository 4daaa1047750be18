//! Intervals of what is read off an operator's products.

use burnscape::krylov::{DensityConfig, LinearOperator, TraceConfig, TraceMethod};
use burnscape::loss::Risk;
use burnscape::sharpness::RelativeFlatnessConfig;
use burnscape::space::ParamVector;
use burnscape::spectrum::{Inertia, Spectrum};

use super::networks::{Digits, Network, digits};
use super::stored::{Square, Stored};
use super::tally::Stated::{Conservative, Often};
use super::tally::Tally;
use std::ops::ControlFlow;

pub(crate) fn of_network<N: Network>(tally: &mut Tally) {
    let network = N::trained(!tally.is_whole());
    let loss = |network: &N, digits: Digits| network.loss(digits);
    let data = [digits(256)];
    let hessian = Risk::new(&loss, &data).hessian(&network).unwrap();
    let stored = Stored::of(&hessian);
    let values = &stored.eigenvalues;
    println!(
        "{}: {} parameters, eigenvalues {:.4} to {:.4}",
        N::NAME,
        stored.len(),
        values[0],
        values[stored.len() - 1]
    );
    // The stored matrix stands for the Hessian.
    let products = |trace: burnscape::spectrum::LayerTraces| trace.total.value;
    let few = products(
        Spectrum::of(&hessian)
            .with_num_probes(2)
            .trace_by_layer()
            .unwrap(),
    );
    let same = products(
        Spectrum::of(&stored)
            .with_num_probes(2)
            .trace_by_layer()
            .unwrap(),
    );
    assert!((few - same).abs() < 1e-9 * stored.size() * stored.len() as f64);
    let exact = exact_flatness(&network, &stored);
    for seed in 0..tally.seeds {
        traces(tally, N::NAME, &stored, seed);
        other_traces(tally, N::NAME, &stored, seed);
        layers(tally, N::NAME, &stored, seed);
        flatness(tally, (N::NAME, &network, &exact), &stored, seed);
        counts(tally, N::NAME, &stored, (seed, 5, 40));
        shares(tally, N::NAME, &stored, (seed, 0));
        dimensions(tally, N::NAME, &stored, seed);
        if tally.is_whole() {
            counts(tally, N::NAME, &stored, (seed, 10, 80));
            shares(tally, N::NAME, &stored, (seed, 6));
        }
    }
}

fn trace_config(method: TraceMethod, products: usize, seed: u64) -> TraceConfig {
    TraceConfig::new()
        .with_method(method)
        .with_max_matvecs(products)
        .with_seed(seed)
}

fn traces(tally: &mut Tally, name: &str, stored: &Stored, seed: u64) {
    let truth = stored.trace(0, stored.len());
    // The samples of a short run are the first of a long one.
    let config = trace_config(TraceMethod::Hutchinson, 64, seed);
    let watched = stored.observed(|now| {
        if let (8 | 16 | 24 | 64, Some(value)) = (now.num_matvecs, now.value) {
            let about = format!("{name}, Hutchinson, {}", now.num_matvecs);
            tally.half_width(("trace", &about, Often), truth, (value, now.error));
        }
        ControlFlow::Continue(())
    });
    config.run(&watched).unwrap();
    // Stopped by its own interval.
    let config = trace_config(TraceMethod::Hutchinson, 200, seed).with_tolerance(0.2);
    let found = config.run(stored).unwrap();
    let half = (found.value, found.half_width);
    tally.half_width(("trace, stopped at 20 %", name, Often), truth, half);
}

fn other_traces(tally: &mut Tally, name: &str, stored: &Stored, seed: u64) {
    let truth = stored.trace(0, stored.len());
    let square: f64 = stored.eigenvalues.iter().map(|x| x * x).sum();
    // What chooses for itself may choose XTrace, whose interval is conservative.
    for (about, method, products, stated) in [
        ("Hutch++, 36", TraceMethod::HutchPlusPlus, 36, Often),
        ("XTrace, 32", TraceMethod::XTrace, 32, Conservative),
        ("auto, 48", TraceMethod::Auto, 48, Conservative),
    ] {
        let found = trace_config(method, products, seed).run(stored).unwrap();
        let about = format!("{name}, {about}");
        let half = (found.value, found.half_width);
        tally.half_width(("trace", &about, stated), truth, half);
    }
    let config = trace_config(TraceMethod::XNysTrace, 16, seed);
    let found = config.run(&Square(stored)).unwrap();
    let half = (found.value, found.half_width);
    let kind = "trace of the square, XNysTrace";
    tally.half_width((kind, name, Conservative), square, half);
    let config = trace_config(TraceMethod::Hutchinson, 32, seed);
    let of_square = |_: &ParamVector, product: &ParamVector| Ok(vec![product.dot(product)?]);
    let found = config.run_integrands(stored, of_square).unwrap()[0];
    let half = (found.value, found.half_width);
    tally.half_width(("squared Frobenius norm", name, Often), square, half);
}

fn layers(tally: &mut Tally, name: &str, stored: &Stored, seed: u64) {
    let found = Spectrum::of(stored)
        .with_seed(seed)
        .trace_by_layer()
        .unwrap();
    let mut start = 0;
    for layer in &found.layers {
        let truth = stored.trace(start, start + layer.len);
        start += layer.len;
        let about = format!("{name}, {}", layer.path);
        let half = (layer.value, layer.half_width);
        tally.half_width(("trace of a layer", &about, Often), truth, half);
    }
}

fn flatness<N: Network>(
    tally: &mut Tally,
    (name, network, exact): (&str, &N, &[f64]),
    stored: &Stored,
    seed: u64,
) {
    let found = RelativeFlatnessConfig::new()
        .with_max_matvecs(24)
        .with_seed(seed)
        .run(stored, network)
        .unwrap();
    assert!(!found.exact);
    let pairs = found.layers.iter().zip(exact);
    for (layer, &truth) in pairs {
        let about = format!("{name}, {}", layer.path);
        let half = (layer.value, layer.half_width);
        tally.half_width(("relative flatness", &about, Often), truth, half);
    }
}

/// `Σ ⟨w_s, w_s'⟩ tr H_ss'` by its definition, of each weight with filters.
fn exact_flatness<N: Network>(network: &N, stored: &Stored) -> Vec<f64> {
    let weights = burnscape::space::ParamVector::from_module(&stored.space, network).unwrap();
    let weights = weights.to_host().unwrap();
    let leaves = stored.space.leaves().iter();
    let of_leaf = |leaf: &burnscape::space::ParamLeaf| {
        let axis = leaf.filter_axis()?;
        let shape = leaf.shape();
        let after: usize = shape[axis + 1..].iter().product();
        let neurons = shape[axis];
        let inputs = leaf.len() / neurons;
        // Coordinate `input` of neuron `s`.
        let place = |s: usize, input: usize| {
            leaf.offset() + (input / after * neurons + s) * after + input % after
        };
        let mut sum = 0.0;
        for s in 0..neurons {
            for t in 0..neurons {
                let dot: f64 = (0..inputs)
                    .map(|input| weights[place(s, input)] * weights[place(t, input)])
                    .sum();
                let block = (0..inputs).map(|input| stored.entry(place(s, input), place(t, input)));
                sum += dot * block.sum::<f64>();
            }
        }
        Some(sum)
    };
    leaves.filter_map(of_leaf).collect()
}

fn counts(
    tally: &mut Tally,
    name: &str,
    stored: &Stored,
    (seed, probes, steps): (u64, usize, usize),
) {
    let found: Inertia = Spectrum::of(stored)
        .with_num_probes(probes)
        .with_steps(steps)
        .with_seed(seed)
        .inertia()
        .unwrap();
    assert_eq!(found.positive.exact, None);
    let about = format!("{name}, {probes} by {steps}");
    let zero = found.zero;
    let above = stored.count(|x| x > zero);
    let below = stored.count(|x| x < -zero);
    let near = stored.len() - above - below;
    for (kind, count, truth) in [
        ("inertia, positive", found.positive, above),
        ("inertia, negative", found.negative, below),
        ("inertia, near zero", found.near_zero, near),
    ] {
        let interval = count.interval.unwrap();
        tally.interval((kind, &about, Conservative), truth as f64, interval);
    }
    tally.at_least(
        ("at least positive", &about),
        above,
        found.positive.at_least,
    );
    tally.at_least(
        ("at least negative", &about),
        below,
        found.negative.at_least,
    );
}

fn shares(tally: &mut Tally, name: &str, stored: &Stored, (seed, outliers): (u64, usize)) {
    let n = stored.len();
    // Half way between neighbors, so that rounding has no part in it.
    let at = |share: f64| {
        let place = (share * n as f64) as usize;
        0.5 * (stored.eigenvalues[place - 1] + stored.eigenvalues[place])
    };
    let density = DensityConfig::new()
        .with_num_probes(6)
        .with_steps(30)
        .with_outliers(outliers)
        .with_seed(seed)
        .run(stored)
        .unwrap();
    for share in [0.05, 0.8, 0.95] {
        let x = at(share);
        let below = stored.count(|value| value <= x);
        let truth = below as f64 / n as f64;
        let interval = density.fraction_below(x).interval(0.95).unwrap();
        let about = format!("{name}, {outliers} outliers, {share}");
        tally.interval(("fraction below", &about, Conservative), truth, interval);
        let certain = density.at_least_above(x);
        tally.at_least(("at least above", &about), n - below, certain);
        let certain = density.at_least_below(x);
        tally.at_least(("at least below", &about), below, certain);
    }
    let gamma = 1e-2 * stored.size();
    let count = |value: f64| value.max(0.0) / (value.max(0.0) + gamma);
    let truth = stored.eigenvalues.iter().map(|x| count(*x)).sum();
    let interval = density.effective_dimension(gamma).interval(0.95).unwrap();
    let about = format!("{name}, {outliers} outliers");
    let kind = "effective dimension, indefinite";
    tally.interval((kind, &about, Conservative), truth, interval);
}

/// Of the square, which has no negative eigenvalues.
fn dimensions(tally: &mut Tally, name: &str, stored: &Stored, seed: u64) {
    let density = DensityConfig::new()
        .with_num_probes(6)
        .with_steps(15)
        .with_seed(seed)
        .run(&Square(stored))
        .unwrap();
    for part in [1e-2, 1e-5] {
        let gamma = part * stored.size().powi(2);
        let count = |value: &f64| value * value / (value * value + gamma);
        let truth = stored.eigenvalues.iter().map(count).sum();
        let interval = density.effective_dimension(gamma).interval(0.95).unwrap();
        let about = format!("{name}, gamma {part:e}");
        tally.interval(
            ("effective dimension", &about, Conservative),
            truth,
            interval,
        );
    }
}
