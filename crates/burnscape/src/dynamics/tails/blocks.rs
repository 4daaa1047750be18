//! Numbers of blocks of samples, whose mean is an estimate.

/// Samples in a group, of which all pairs are compared.
pub(super) const GROUP: usize = 16;

/// Neighbors on either side that the sum of a block is compared with. More of them hardly make an estimate better.
const SHIFTS: usize = 32;

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Jackknife values of `(E ln|Y − Y'| − E ln|X − X'|) / ln K` for sums `Y` of `K` samples `X`, one for each of at least
/// three blocks. The mean is the estimate, a U-statistic of the blocks: block `j` forms pairs with blocks `j ± 1, …, ±
/// SHIFTS`, or with all.
pub(super) fn of_sums(samples: &[f64], sums_of: usize) -> Vec<f64> {
    let blocks = || samples.chunks_exact(sums_of);
    let mut logs: Vec<f64> = blocks()
        .flat_map(|block| {
            let next = block.iter().cycle().skip(1);
            block
                .iter()
                .zip(next)
                .map(|(x, next)| (x - next).abs().ln())
        })
        .collect();
    replace_infinite(&mut logs);
    let singles: Vec<f64> = logs.chunks_exact(sums_of).map(mean).collect();
    let sums: Vec<f64> = blocks().map(|block| block.iter().sum()).collect();
    let count = sums.len();
    let mut partners = vec![(0.0, 0_usize); count];
    // A pair half the circle apart would count twice.
    for shift in 1..=SHIFTS.min((count - 1) / 2) {
        for first in 0..count {
            let second = (first + shift) % count;
            let log = (sums[first] - sums[second]).abs().ln();
            if log.is_finite() {
                let value = log - 0.5 * (singles[first] + singles[second]);
                for block in [first, second] {
                    partners[block].0 += value;
                    partners[block].1 += 1;
                }
            }
        }
    }
    let values = partners.iter().map(|(sum, pairs)| sum / *pairs as f64);
    let values: Vec<f64> = values.collect();
    // Without block `j` the estimate is `mean − 2 (value_j − mean) / (count − 2)`.
    let mean = mean(&values);
    let stretch = 2.0 * (count - 1) as f64 / (count - 2) as f64;
    let scale = (sums_of as f64).ln();
    let jackknifed = values.iter().map(|x| mean + stretch * (x - mean));
    jackknifed.map(|x| x / scale).collect()
}

/// Numbers whose mean is the variance of `ln|X − X'|`, one for each group of samples.
pub(super) fn of_groups(samples: &[f64]) -> Vec<f64> {
    let groups: Vec<Moments> = samples.chunks_exact(GROUP).map(Moments::of_pairs).collect();
    let count = groups.len() as f64;
    let total = groups
        .iter()
        .fold(Moments::default(), |total, group| Moments {
            count: total.count + group.count,
            sum: total.sum + group.sum,
            squares: total.squares + group.squares,
        });
    let center = total.sum / total.count;
    let pairs = total.count / count;
    let first = |group: &Moments| (group.sum - center * group.count) / pairs;
    // The square of the mean is too large by the variance of the mean, which groups tell.
    let deviations: f64 = groups.iter().map(|group| first(group).powi(2)).sum();
    let excess = deviations / (count - 1.0) / count;
    let second = |group: &Moments| {
        let moved = group.squares - 2.0 * center * group.sum;
        (moved + center * center * group.count) / pairs
    };
    groups.iter().map(|group| second(group) + excess).collect()
}

/// Sums of finite logarithms.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moments {
    pub(super) count: f64,
    pub(super) sum: f64,
    pub(super) squares: f64,
}

impl Moments {
    /// Of the differences of all pairs. Samples that agree do not count.
    fn of_pairs(samples: &[f64]) -> Self {
        let mut moments = Self::default();
        for (index, x) in samples.iter().enumerate() {
            for y in &samples[index + 1..] {
                moments.add((x - y).abs().ln());
            }
        }
        moments
    }

    /// Adds a logarithm, unless it is that of zero.
    pub(super) fn add(&mut self, log: f64) {
        if log.is_finite() {
            self.count += 1.0;
            self.sum += log;
            self.squares += log * log;
        }
    }

    pub(super) fn mean(&self) -> f64 {
        self.sum / self.count
    }
}

/// Gives the logarithms of zero the mean of the others.
fn replace_infinite(logs: &mut [f64]) {
    let mut moments = Moments::default();
    logs.iter().for_each(|&log| moments.add(log));
    for log in logs.iter_mut().filter(|log| !log.is_finite()) {
        *log = moments.mean();
    }
}

#[cfg(test)]
mod tests {
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::space::stream;

    fn normal(count: usize) -> Vec<f64> {
        let mut rng = stream(0, 0);
        StandardNormal.sample_iter(&mut rng).take(count).collect()
    }

    fn log(x: f64) -> f64 {
        x.abs().ln()
    }

    /// The estimate over all blocks but one, from its definition.
    fn without(samples: &[f64], sums_of: usize, left_out: Option<usize>) -> f64 {
        let blocks: Vec<&[f64]> = samples.chunks_exact(sums_of).collect();
        let count = blocks.len();
        let single = |block: &[f64]| {
            let pairs = (0..sums_of).map(|i| log(block[i] - block[(i + 1) % sums_of]));
            pairs.sum::<f64>() / sums_of as f64
        };
        let mut values = Vec::new();
        for shift in 1..=(count - 1) / 2 {
            for i in 0..count {
                let j = (i + shift) % count;
                if left_out.is_none_or(|out| out != i && out != j) {
                    let sums = blocks[i].iter().sum::<f64>() - blocks[j].iter().sum::<f64>();
                    values.push(log(sums) - 0.5 * (single(blocks[i]) + single(blocks[j])));
                }
            }
        }
        mean(&values) / (sums_of as f64).ln()
    }

    #[test]
    fn values_of_sums_are_those_of_a_jackknife() {
        for count in [3, 4, 9, 10] {
            let samples = normal(5 * count + 2);
            let whole = without(&samples, 5, None);
            let found = of_sums(&samples, 5);
            assert_eq!(found.len(), count);
            assert!((mean(&found) - whole).abs() < 1e-12);
            for (block, value) in found.iter().enumerate() {
                let rest = without(&samples, 5, Some(block));
                let expected = count as f64 * whole - (count - 1) as f64 * rest;
                assert!((value - expected).abs() < 1e-10, "{count}, {block}");
            }
        }
    }

    #[test]
    fn values_of_groups_have_the_variance_as_mean() {
        let samples = normal(5 * GROUP + 3);
        let mut logs = Vec::new();
        let mut means = Vec::new();
        for group in samples.chunks_exact(GROUP) {
            let pairs = (0..GROUP).flat_map(|i| (0..i).map(move |j| (i, j)));
            let of_group: Vec<f64> = pairs.map(|(i, j)| log(group[i] - group[j])).collect();
            means.push(mean(&of_group));
            logs.extend(of_group);
        }
        let center = mean(&logs);
        let squares: f64 = logs.iter().map(|x| (x - center).powi(2)).sum();
        let deviations: f64 = means.iter().map(|x| (x - center).powi(2)).sum();
        let expected = squares / logs.len() as f64 + deviations / 4.0 / 5.0;
        let found = of_groups(&samples);
        assert_eq!(found.len(), 5);
        assert!((mean(&found) - expected).abs() < 1e-12);
    }

    #[test]
    fn samples_that_agree_do_not_count() {
        let mut samples = normal(400);
        let apart = [mean(&of_sums(&samples, 10)), mean(&of_groups(&samples))];
        for index in 0..4 {
            samples[100 * index + 1] = samples[100 * index];
        }
        let found = [mean(&of_sums(&samples, 10)), mean(&of_groups(&samples))];
        for (found, apart) in found.into_iter().zip(apart) {
            assert!((found - apart).abs() < 0.1, "{found} {apart}");
        }
    }

    #[test]
    fn neither_scale_nor_location_matters() {
        let samples = normal(400);
        let moved: Vec<f64> = samples.iter().map(|x| 8.0 * x + 3.0).collect();
        for (one, other) in [
            (of_sums(&samples, 10), of_sums(&moved, 10)),
            (of_groups(&samples), of_groups(&moved)),
        ] {
            for (one, other) in one.iter().zip(&other) {
                assert!((one - other).abs() < 1e-9);
            }
        }
    }
}
