//! What networks answer, alone and together.

use burnscape::krylov::Estimate;

use super::data::{Data, Set};
use super::network::{CLASSES, Net, logits};
use crate::Failure;

/// The probabilities of the ten digits, image by image.
#[derive(Debug, Clone)]
pub(crate) struct Predictions(Vec<Vec<f64>>);

impl Predictions {
    pub(crate) fn of(net: &Net, set: &Set) -> Self {
        let scores = logits(net, &set.digits).into_data();
        let scores: Vec<f64> = scores.iter::<f64>().collect();
        let images = scores.chunks(CLASSES);
        Self(images.map(probabilities).collect())
    }

    /// Their means: an ensemble.
    pub(crate) fn mean(all: &[Self]) -> Self {
        let mut mean = vec![vec![0.0; CLASSES]; all.first().map_or(0, |one| one.0.len())];
        for one in all {
            for (image, own) in mean.iter_mut().zip(&one.0) {
                for (share, p) in image.iter_mut().zip(own) {
                    *share += p / all.len() as f64;
                }
            }
        }
        Self(mean)
    }

    /// The mean of `−ln p` of the right digits.
    pub(crate) fn loss(&self, set: &Set) -> f64 {
        let pairs = self.0.iter().zip(&set.labels);
        // The smallest positive number stands for zero.
        let losses = pairs.map(|(image, &label)| -image[label].max(f64::MIN_POSITIVE).ln());
        losses.sum::<f64>() / self.0.len() as f64
    }

    /// Whether the most probable digit is not the right one.
    pub(crate) fn is_wrong(&self, set: &Set) -> Vec<bool> {
        let pairs = self.0.iter().zip(&set.labels);
        pairs
            .map(|(image, &label)| image.iter().any(|p| *p > image[label]))
            .collect()
    }

    /// Percent of the images.
    pub(crate) fn accuracy(&self, set: &Set) -> f64 {
        let wrong = self.is_wrong(set);
        100.0 * wrong.iter().filter(|is_wrong| !**is_wrong).count() as f64 / wrong.len() as f64
    }
}

fn probabilities(scores: &[f64]) -> Vec<f64> {
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let shares: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
    let sum: f64 = shares.iter().sum();
    shares.into_iter().map(|share| share / sum).collect()
}

/// The loss on the held-out images, by which everything is chosen.
pub(crate) fn held_out_loss(net: &Net, data: &Data) -> f64 {
    Predictions::of(net, &data.held_out).loss(&data.held_out)
}

/// The network with the smallest loss on the held-out images.
pub(crate) fn best_single<'n>(nets: &'n [Net], data: &Data) -> Result<&'n Net, Failure> {
    let losses = nets.iter().map(|net| (net, held_out_loss(net, data)));
    let best = losses.min_by(|a, b| a.1.total_cmp(&b.1));
    Ok(best.ok_or("no networks")?.0)
}

/// The mean over all pairs of networks of the correlation of being wrong on a test image: 1 if they make the same
/// errors. Pairs of which one makes no error are left out.
pub(crate) fn error_correlation(nets: &[Net], data: &Data) -> f64 {
    let wrong = nets.iter().map(|net| {
        let wrong = Predictions::of(net, &data.test).is_wrong(&data.test);
        wrong.into_iter().map(f64::from).collect::<Vec<f64>>()
    });
    let wrong: Vec<Vec<f64>> = wrong.collect();
    let mut found = Vec::new();
    for (index, a) in wrong.iter().enumerate() {
        for b in &wrong[index + 1..] {
            let [mean_a, mean_b] = [a, b].map(|x| x.iter().sum::<f64>() / x.len() as f64);
            let products = a.iter().zip(b);
            let covariance = products
                .map(|(a, b)| (a - mean_a) * (b - mean_b))
                .sum::<f64>();
            let covariance = covariance / a.len() as f64;
            let variances = mean_a * (1.0 - mean_a) * mean_b * (1.0 - mean_b);
            if variances > 0.0 {
                found.push(covariance / variances.sqrt());
            }
        }
    }
    Estimate::of(&found).value
}
