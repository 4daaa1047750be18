//! The frequencies of a network that adds: their power in its first layer, and the loss with and without them.

use std::f64::consts::PI;
use std::iter::zip;

use burn::module::Module;
use burn::tensor::Device;

use super::network::Quadratic;
use super::task::Task;
use crate::Failure;

/// Frequencies that count as the strongest.
pub(super) const STRONGEST: usize = 5;

/// What a network computes with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Circuit {
    pub(super) step: usize,
    /// Of the power of the first term's rows, without its mean, that of the five strongest frequencies.
    pub(super) share: f64,
    /// Of the power of a unit, that of its own strongest frequency; the mean over units.
    pub(super) own: f64,
    /// Cross-entropies.
    pub(super) train: f64,
    pub(super) test: f64,
    /// On the test data, with outputs of nothing but their means and waves of `a + b` at the frequencies that are strongest
    /// at the end.
    pub(super) restricted: f64,
    /// On the training data, without these waves.
    pub(super) excluded: f64,
}

/// The circuits of the networks of a training, whose last one decides on the frequencies.
pub(super) fn circuits(
    task: &Task,
    seed: u64,
    nets: &[&(usize, Quadratic)],
) -> Result<Vec<Circuit>, Failure> {
    let Some((_, last)) = nets.last() else {
        return Ok(Vec::new());
    };
    let modulus = task.num_classes;
    let waves = waves(modulus, &strongest(&totals(&powers(last, modulus)?)));
    let (shown, others) = task.split(seed);
    let circuit = |(step, net): &(usize, Quadratic)| -> Result<Circuit, Failure> {
        let powers = powers(net, modulus)?;
        let totals = totals(&powers);
        let largest: f64 = strongest(&totals).iter().map(|index| totals[*index]).sum();
        let outputs = outputs(task, net)?;
        let [restricted, excluded] = ablated(&outputs, &waves, modulus);
        let loss = |outputs: &[f64], inputs: &[usize]| cross_entropy(task, outputs, inputs);
        Ok(Circuit {
            step: *step,
            share: largest / totals.iter().sum::<f64>(),
            own: own(&powers),
            train: loss(&outputs, &shown),
            test: loss(&outputs, &others),
            restricted: loss(&restricted, &others),
            excluded: loss(&excluded, &shown),
        })
    };
    nets.iter().copied().map(circuit).collect()
}

/// The power of every frequency from one on (rows), in every unit (columns).
fn powers(net: &Quadratic, modulus: usize) -> Result<Vec<Vec<f64>>, Failure> {
    let first = net.rows()?;
    let width = first.len() / (2 * modulus);
    let power = |frequency: usize| -> Vec<f64> {
        let parts = (0..modulus).map(|term| angle(frequency * term, modulus).sin_cos());
        let parts: Vec<(f64, f64)> = parts.collect();
        let of_unit = |unit: usize| {
            let (mut cosine, mut sine) = (0.0, 0.0);
            for (term, (sin, cos)) in parts.iter().enumerate() {
                let weight = first[term * width + unit];
                cosine += weight * cos;
                sine += weight * sin;
            }
            cosine * cosine + sine * sine
        };
        (0..width).map(of_unit).collect()
    };
    Ok((1..=modulus / 2).map(power).collect())
}

fn angle(steps: usize, modulus: usize) -> f64 {
    2.0 * PI * (steps % modulus) as f64 / modulus as f64
}

/// Of every frequency.
fn totals(powers: &[Vec<f64>]) -> Vec<f64> {
    powers.iter().map(|units| units.iter().sum()).collect()
}

/// The indices of the strongest frequencies, in descending order.
fn strongest(totals: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..totals.len()).collect();
    order.sort_by(|a, b| totals[*b].total_cmp(&totals[*a]));
    order.truncate(STRONGEST);
    order
}

/// The mean over units of the share of their own strongest frequency.
fn own(powers: &[Vec<f64>]) -> f64 {
    let width = powers.first().map_or(0, Vec::len);
    let shares = (0..width).map(|unit| {
        let of_unit = || powers.iter().map(move |units| units[unit]);
        of_unit().fold(0.0, f64::max) / of_unit().sum::<f64>()
    });
    shares.sum::<f64>() / width as f64
}

/// Cosine and sine of the sum of both terms at these frequencies, of norm one over all pairs.
fn waves(modulus: usize, frequencies: &[usize]) -> Vec<Vec<f64>> {
    let norm = modulus as f64 / 2.0_f64.sqrt();
    let wave = |index: usize, phase: f64| -> Vec<f64> {
        let sums = (0..modulus).flat_map(|a| (0..modulus).map(move |b| a + b));
        let values = sums.map(|sum| (angle((index + 1) * sum, modulus) + phase).cos() / norm);
        values.collect()
    };
    let both = |&index: &usize| [wave(index, 0.0), wave(index, -PI / 2.0)];
    frequencies.iter().flat_map(both).collect()
}

/// For all pairs, `[p², p]`.
fn outputs(task: &Task, net: &Quadratic) -> Result<Vec<f64>, Failure> {
    let (ones, _) = task.examples(&task.all(), &Device::default());
    Ok(net.valid().forward(ones).try_into_vec_as::<f64>()?)
}

/// Outputs of nothing but their means and these waves, and outputs without the waves.
fn ablated(outputs: &[f64], waves: &[Vec<f64>], classes: usize) -> [Vec<f64>; 2] {
    let count = (outputs.len() / classes) as f64;
    let (mut restricted, mut excluded) = (vec![0.0; outputs.len()], outputs.to_vec());
    for class in 0..classes {
        let of_class = || outputs.iter().skip(class).step_by(classes);
        let mean = of_class().sum::<f64>() / count;
        let kept = restricted.iter_mut().skip(class).step_by(classes);
        kept.for_each(|output| *output = mean);
        for wave in waves {
            let products = zip(wave, of_class()).map(|(wave, output)| wave * output);
            let size: f64 = products.sum();
            for (pair, wave) in wave.iter().enumerate() {
                restricted[pair * classes + class] += size * wave;
                excluded[pair * classes + class] -= size * wave;
            }
        }
    }
    [restricted, excluded]
}

/// The mean over these inputs.
fn cross_entropy(task: &Task, outputs: &[f64], inputs: &[usize]) -> f64 {
    let losses = inputs.iter().map(|&input| {
        let classes = task.num_classes;
        let row = &outputs[input * classes..(input + 1) * classes];
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = row.iter().map(|output| (output - largest).exp()).sum();
        total.ln() + largest - row[task.class(input)]
    });
    losses.sum::<f64>() / inputs.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULUS: usize = 7;

    #[test]
    fn waves_are_orthonormal_and_depend_on_the_sum() {
        let waves = waves(MODULUS, &[0, 2]);
        for (i, one) in waves.iter().enumerate() {
            for (j, other) in waves.iter().enumerate() {
                let dot: f64 = zip(one, other).map(|(a, b)| a * b).sum();
                assert!((dot - f64::from(i == j)).abs() < 1e-12);
            }
            assert!((one[MODULUS + 2] - one[3]).abs() < 1e-12);
            assert!(one.iter().sum::<f64>().abs() < 1e-12);
        }
    }

    #[test]
    fn outputs_of_waves_and_means_are_kept_whole() {
        let waves = waves(MODULUS, &[0, 2]);
        let pairs = MODULUS * MODULUS;
        let mut outputs = vec![0.0; pairs * 2];
        for pair in 0..pairs {
            outputs[2 * pair] = 3.0 + 2.0 * waves[1][pair];
            outputs[2 * pair + 1] = -1.0 - waves[2][pair];
        }
        let [restricted, excluded] = ablated(&outputs, &waves, 2);
        for (place, output) in outputs.iter().enumerate() {
            assert!((restricted[place] - output).abs() < 1e-12);
            let mean = if place % 2 == 0 { 3.0 } else { -1.0 };
            assert!((excluded[place] - mean).abs() < 1e-12);
        }
    }

    #[test]
    fn powers_are_shared_among_frequencies() {
        let powers = vec![vec![1.0, 0.0], vec![1.0, 4.0], vec![0.0, 0.0]];
        let totals = totals(&powers);
        assert_eq!(totals, [1.0, 5.0, 0.0]);
        assert_eq!(strongest(&totals), [1, 0, 2]);
        assert_eq!(own(&powers), 0.75);
    }

    #[test]
    fn losses_are_those_of_softmax() {
        let task = Task::addition(MODULUS, 500);
        let outputs = vec![0.0; MODULUS.pow(3)];
        let loss = cross_entropy(&task, &outputs, &[0, 5, 9]);
        assert!((loss - (MODULUS as f64).ln()).abs() < 1e-12);
    }
}
