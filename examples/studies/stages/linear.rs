//! Linear networks along the gradient flow: when each mode of a map is learned, beside the law.

use std::array::from_fn;
use std::iter::zip;
use std::slice::from_ref;

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape::dynamics::GradientFlowConfig;
use burnscape::krylov::{Orthonormal, Probe, VectorBlock};
use burnscape::loss::Risk;

use super::reached;
use crate::Failure;
use crate::coefficients::linear_network::MODES;
use crate::studies::criteria::stages::{
    AHEAD, ALIGNED, DEEPER, LAWS, NUM_MODES, ORDERED, RANDOM, TIMES,
};
use crate::studies::digits::Place;
use crate::studies::frame::{Measured, Plan};

/// Inputs and outputs, and units of every hidden layer.
const ENDS: usize = 8;
const WIDTH: usize = 16;
/// The strength of every mode at the start, of two aligned layers and of three.
const STARTS: [f64; 2] = [1e-4, 1e-3];
/// The standard deviation of random weights: modes start at about 1e-4.
const DEVIATION: f64 = 3.5e-3;
/// Where strengths are measured, over the times of the law, and how often between the first mode and the last.
const NEAR: [f64; 8] = [0.7, 0.85, 0.95, 0.99, 1.01, 1.05, 1.15, 1.4];
const BETWEEN: usize = 12;

/// Orthonormal vectors, one for each mode.
type Axes = Vec<Vec<f64>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Each layer takes the axes of its inputs to those of its outputs, all by the same factor.
    Aligned { layers: usize },
    /// Two layers of independent normal weights.
    Random,
}

static KINDS: [Kind; 3] = [
    Kind::Aligned { layers: 2 },
    Kind::Aligned { layers: 3 },
    Kind::Random,
];

impl Kind {
    fn row(self) -> &'static str {
        match self {
            Self::Aligned { layers: 2 } => ALIGNED,
            Self::Aligned { .. } => DEEPER,
            Self::Random => RANDOM,
        }
    }

    fn num_layers(self) -> usize {
        match self {
            Self::Aligned { layers } => layers,
            Self::Random => 2,
        }
    }
}

pub(super) fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let jobs = KINDS.iter();
    let jobs = jobs.flat_map(|&kind| plan.seeds.iter().map(move |&seed| (kind, seed)));
    let jobs: Vec<(Kind, u64)> = jobs.collect();
    let runs = plan.over(&jobs, |&(kind, seed)| {
        let run = followed(plan, kind, seed)?;
        let times = run.times().map(|time| format!("{time:.3}")).join(", ");
        plan.progress(format!("{}, seed {seed}: modes at {times}", kind.row()));
        Ok(run)
    })?;
    for ((kind, seed), run) in zip(&jobs, &runs) {
        let (row, times) = (kind.row(), run.times());
        for ((column, time), (ratio, law)) in zip(zip(TIMES, times), zip(LAWS, run.laws)) {
            found.push(row, column, time);
            found.push(row, ratio, time / law);
        }
        let is_ordered = times.windows(2).all(|pair| pair[0] < pair[1]);
        found.push(row, ORDERED, f64::from(is_ordered));
        found.push(row, AHEAD, run.ahead());
        if plan.seeds.first() == Some(seed) {
            let chart = format!("Modes of {row}");
            for (mode, strength) in MODES.into_iter().enumerate() {
                let line = format!("mode {}, of strength {strength}", mode + 1);
                let points = run.points(mode);
                found.line(&chart, "time", "learned share of the mode", &line, points);
            }
        }
    }
    Ok(())
}

/// A network along the flow.
struct Run {
    /// When the law says that each mode is half learned.
    laws: [f64; NUM_MODES],
    /// Times, and which share of each mode is learned.
    shares: Vec<(f64, [f64; NUM_MODES])>,
}

impl Run {
    fn points(&self, mode: usize) -> Vec<(f64, f64)> {
        let points = self
            .shares
            .iter()
            .map(|(time, shares)| (*time, shares[mode]));
        points.collect()
    }

    /// When half of each mode is learned. With two layers `ln(a / (s − a))` is a line, so that nothing is lost between
    /// two points.
    fn times(&self) -> [f64; NUM_MODES] {
        from_fn(|mode| {
            let points = self.points(mode).into_iter().map(|(time, share)| {
                let share = share.clamp(1e-12, 1.0 - 1e-12);
                (time, (share / (1.0 - share)).ln())
            });
            reached(&points.collect::<Vec<_>>(), 0.0)
        })
    }

    /// The most that is learned of a mode at the first point at which half of the one before is. Not a number if a mode
    /// is not learned.
    fn ahead(&self) -> f64 {
        let mut most = 0.0_f64;
        for mode in 1..NUM_MODES {
            let mut shares = self.shares.iter().map(|(_, shares)| shares);
            match shares.find(|shares| shares[mode - 1] >= 0.5) {
                Some(shares) => most = most.max(shares[mode]),
                None => return f64::NAN,
            }
        }
        most
    }
}

/// Layers without biases.
#[derive(Module, Debug)]
struct Deep {
    first: Linear,
    others: Vec<Linear>,
}

impl Deep {
    /// From inputs (rows) to outputs.
    fn product(&self) -> Tensor<2> {
        let others = self.others.iter().map(|layer| layer.weight.val());
        others.fold(self.first.weight.val(), Tensor::matmul)
    }
}

/// For inputs of unit covariance.
fn loss(net: &Deep, target: Tensor<2>) -> Tensor<1> {
    (net.product() - target).square().sum() * 0.5
}

/// Follows a network to the times of the law and beyond.
fn followed(plan: &Plan, kind: Kind, seed: u64) -> Result<Run, Failure> {
    let device = Device::default();
    let place = (&device, DType::F64);
    let ends = [axes(ENDS, (seed, 0))?, axes(ENDS, (seed, 1))?];
    let [inputs, outputs] = &ends;
    let target = combined(&MODES, inputs, outputs);
    let target = Tensor::<2>::from_data(TensorData::new(target, [ENDS, ENDS]), place);
    let (mut net, starts) = started(kind, &ends, seed, place)?;
    let laws = from_fn(|mode| half_time(kind.num_layers(), MODES[mode], starts[mode]));
    let objective = loss;
    let risk = Risk::new(&objective, from_ref(&target));
    let (mut now, mut shares) = (0.0, Vec::new());
    for time in times(plan, &laws) {
        let flow = GradientFlowConfig::new(time - now)
            .with_relative_tolerance(Some(1e-9))
            .with_absolute_tolerance(Some(1e-12))
            .run(&risk, &net)?;
        (net, now) = (flow.model, time);
        let map = net.product().try_into_vec_as::<f64>()?;
        let share = |mode: usize| strength(&map, &inputs[mode], &outputs[mode]) / MODES[mode];
        shares.push((time, from_fn(share)));
    }
    Ok(Run { laws, shares })
}

/// In rising order.
fn times(plan: &Plan, laws: &[f64; NUM_MODES]) -> Vec<f64> {
    let near = plan.pick(&NEAR[..], &NEAR[3..5]).iter();
    let near = near.flat_map(|factor| laws.iter().map(move |law| factor * law));
    let (first, last) = (0.3 * laws[0], 1.5 * laws[NUM_MODES - 1]);
    let between = (0..plan.pick(BETWEEN, 0)).map(|index| {
        let part = index as f64 / (BETWEEN - 1) as f64;
        first * (last / first).powf(part)
    });
    let mut times: Vec<f64> = near.chain(between).collect();
    times.sort_by(f64::total_cmp);
    times.dedup_by(|later, earlier| *later - *earlier < 1e-6 * *earlier);
    times
}

/// The network at the start, and the strength from which each mode grows.
fn started(
    kind: Kind,
    [inputs, outputs]: &[Axes; 2],
    seed: u64,
    place: Place<'_>,
) -> Result<(Deep, [f64; NUM_MODES]), Failure> {
    let layers = kind.num_layers();
    let mut weights = Vec::new();
    let starts = match kind {
        Kind::Aligned { .. } => {
            let start = STARTS[layers - 2];
            let factors = [start.powf(1.0 / layers as f64); NUM_MODES];
            let mut from = inputs.clone();
            for layer in 1..=layers {
                let to = match layer == layers {
                    true => outputs.clone(),
                    false => axes(WIDTH, (seed, 1 + layer as u64))?,
                };
                weights.push(combined(&factors, &from, &to));
                from = to;
            }
            [start; NUM_MODES]
        }
        Kind::Random => {
            for index in [100, 101] {
                let drawn = Probe::Gaussian.draw::<Vec<f64>>(&(ENDS * WIDTH), seed, index)?;
                weights.push(drawn.into_iter().map(|weight| DEVIATION * weight).collect());
            }
            from_fn(|mode| overlap(&weights[0], &weights[1], &inputs[mode], &outputs[mode]))
        }
    };
    let mut built = weights.into_iter().enumerate().map(|(index, values)| {
        let rows = if index == 0 { ENDS } else { WIDTH };
        let shape = [rows, values.len() / rows];
        Linear {
            weight: Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), place)),
            bias: None,
        }
    });
    let first = built.next().ok_or("a network without layers")?;
    let net = Deep {
        first,
        others: built.collect(),
    };
    Ok((net, starts))
}

/// Random orthonormal vectors.
fn axes(length: usize, (seed, index): (u64, u64)) -> Result<Axes, Failure> {
    let drawn = (0..NUM_MODES as u64).map(|mode| -> Result<Vec<f64>, Failure> {
        let number = NUM_MODES as u64 * index + mode;
        Ok(Probe::Gaussian.draw::<Vec<f64>>(&length, seed, number)?)
    });
    let drawn = drawn.collect::<Result<Vec<_>, Failure>>()?;
    let basis = Orthonormal::orthonormalize(&length, drawn)?;
    Ok(basis.block().vectors().collect::<Result<_, _>>()?)
}

/// `Σ f l rᵀ` over factors and pairs of vectors, row by row.
fn combined(factors: &[f64], left: &[Vec<f64>], right: &[Vec<f64>]) -> Vec<f64> {
    let terms = || zip(factors, zip(left, right));
    let rows = left.first().map_or(0, Vec::len);
    let columns = right.first().map_or(0, Vec::len);
    let entries = (0..rows * columns).map(|place| {
        let (row, column) = (place / columns, place % columns);
        let terms = terms().map(|(factor, (left, right))| factor * left[row] * right[column]);
        terms.sum::<f64>()
    });
    entries.collect()
}

/// `lᵀ M r` of a map from inputs (rows) to outputs.
fn strength(map: &[f64], left: &[f64], right: &[f64]) -> f64 {
    let rows = zip(left, map.chunks(right.len()));
    let rows = rows.map(|(factor, row)| {
        let products = zip(row, right).map(|(entry, right)| entry * right);
        factor * products.sum::<f64>()
    });
    rows.sum()
}

/// `¼ |W₁ᵀ v + W₂ u|²`: as long as weights are small, the strength of a mode with the vectors `v` and `u` is this times
/// `exp(2 s t)`.
fn overlap(first: &[f64], last: &[f64], input: &[f64], output: &[f64]) -> f64 {
    let squares = (0..WIDTH).map(|unit| {
        let from = zip(input, first.chunks(WIDTH)).map(|(factor, row)| factor * row[unit]);
        let to = zip(output, &last[unit * ENDS..]).map(|(factor, entry)| factor * entry);
        (from.sum::<f64>() + to.sum::<f64>()).powi(2)
    });
    0.25 * squares.sum::<f64>()
}

/// When a mode of strength `s` has grown from `a₀` to `s/2` with `N` layers (Saxe et al. 2013): the integral of
/// `1 / (N a^(2 − 2/N) (s − a))`, which is `ln(s/a₀ − 1) / (2s)` for two.
fn half_time(layers: usize, strength: f64, start: f64) -> f64 {
    const INTERVALS: usize = 4000;
    let layers = layers as f64;
    // Over ln a, by Simpson's rule.
    let slope = |log: f64| {
        let a = log.exp();
        a.powf(2.0 / layers - 1.0) / (layers * (strength - a))
    };
    let (from, to) = (start.ln(), (0.5 * strength).ln());
    let step = (to - from) / INTERVALS as f64;
    let terms = (0..=INTERVALS).map(|index| {
        let weight = match index {
            0 | INTERVALS => 1.0,
            _ if index % 2 == 1 => 4.0,
            _ => 2.0,
        };
        weight * slope(from + step * index as f64)
    });
    terms.sum::<f64>() * step / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_law_of_two_layers_has_a_closed_form() {
        for strength in MODES {
            let exact = (strength / 1e-4 - 1.0).ln() / (2.0 * strength);
            assert!((half_time(2, strength, 1e-4) / exact - 1.0).abs() < 1e-9);
        }
        // Layers of one unit: du/dt = u² (s − u³), by small steps.
        let (mut u, mut time): (f64, f64) = (0.1, 0.0);
        while u.powi(3) < 0.75 {
            u += 1e-5 * u * u * (1.5 - u.powi(3));
            time += 1e-5;
        }
        assert!((half_time(3, 1.5, 1e-3) / time - 1.0).abs() < 1e-3);
    }

    #[test]
    fn aligned_layers_have_the_strengths_of_the_start() {
        let device = Device::default();
        let place = (&device, DType::F64);
        let ends = [axes(ENDS, (3, 0)).unwrap(), axes(ENDS, (3, 1)).unwrap()];
        for kind in KINDS {
            let (net, starts) = started(kind, &ends, 3, place).unwrap();
            assert_eq!(net.others.len() + 1, kind.num_layers());
            let map = net.product().try_into_vec_as::<f64>().unwrap();
            if let Kind::Aligned { .. } = kind {
                for (mode, start) in starts.into_iter().enumerate() {
                    let found = strength(&map, &ends[0][mode], &ends[1][mode]);
                    assert!((found / start - 1.0).abs() < 1e-9);
                }
            } else {
                // A mean of 1e-4 over 16 units.
                assert!(starts.iter().all(|start| (1e-5..5e-4).contains(start)));
            }
        }
    }

    #[test]
    fn strengths_are_those_of_the_terms_of_a_map() {
        let (left, right) = (axes(ENDS, (1, 0)).unwrap(), axes(WIDTH, (1, 1)).unwrap());
        let map = combined(&MODES, &left, &right);
        for (mode, exact) in MODES.into_iter().enumerate() {
            assert!((strength(&map, &left[mode], &right[mode]) - exact).abs() < 1e-12);
        }
        assert!(strength(&map, &left[0], &right[1]).abs() < 1e-12);
    }

    #[test]
    fn times_are_found_on_the_sigmoid() {
        let share = |time: f64| 1.0 / (1.0 + (-3.0 * (time - 2.0)).exp());
        let shares = [0.5, 1.7, 2.6, 9.0].map(|time| (time, [share(time), 0.0, 0.0]));
        let run = Run {
            laws: [2.0; NUM_MODES],
            shares: shares.to_vec(),
        };
        let times = run.times();
        assert!((times[0] - 2.0).abs() < 1e-9 && times[1].is_nan());
        assert!(run.ahead().is_nan());
    }
}
