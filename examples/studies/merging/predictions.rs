//! What networks answer, alone and together.

use burnscape::krylov::Estimate;

use super::data::{Data, Set};
use super::networks::outputs;
use crate::Failure;
use crate::studies::digits::CLASSES;
use crate::studies::network::Mlp;

/// The probabilities of the ten digits, image by image.
#[derive(Debug, Clone)]
pub(super) struct Predictions(Vec<Vec<f64>>);

impl Predictions {
    pub(super) fn of(net: &Mlp, set: &Set) -> Result<Self, Failure> {
        let scores = outputs(net, &set.images).try_into_vec_as::<f64>()?;
        let images = scores.chunks(CLASSES);
        Ok(Self(images.map(probabilities).collect()))
    }

    /// Their means: an ensemble.
    pub(super) fn mean(all: &[Self]) -> Self {
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
    pub(super) fn loss(&self, set: &Set) -> f64 {
        let pairs = self.0.iter().zip(&set.labels);
        // The smallest positive number stands for zero.
        let losses = pairs.map(|(image, &label)| -image[label].max(f64::MIN_POSITIVE).ln());
        losses.sum::<f64>() / self.0.len() as f64
    }

    /// Whether the most probable digit is not the right one.
    pub(super) fn is_wrong(&self, set: &Set) -> Vec<bool> {
        let pairs = self.0.iter().zip(&set.labels);
        pairs
            .map(|(image, &label)| image.iter().any(|p| *p > image[label]))
            .collect()
    }

    /// Percent of the images.
    pub(super) fn accuracy(&self, set: &Set) -> f64 {
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
pub(super) fn held_out_loss(net: &Mlp, data: &Data) -> Result<f64, Failure> {
    Ok(Predictions::of(net, &data.held_out)?.loss(&data.held_out))
}

/// The network with the smallest loss on the held-out images.
pub(super) fn best_single<'n>(nets: &'n [Mlp], data: &Data) -> Result<&'n Mlp, Failure> {
    let losses = nets.iter().map(|net| held_out_loss(net, data));
    let losses = losses.collect::<Result<Vec<f64>, Failure>>()?;
    let pairs = nets.iter().zip(&losses);
    let best = pairs.min_by(|a, b| a.1.total_cmp(b.1));
    Ok(best.ok_or("no networks")?.0)
}

/// The mean over all pairs of networks of the correlation of being wrong on a test image: 1 if they make the same
/// errors. Pairs of which one makes no error are left out.
pub(super) fn error_correlation(nets: &[Mlp], data: &Data) -> Result<f64, Failure> {
    let wrong = nets.iter().map(|net| -> Result<Vec<f64>, Failure> {
        let wrong = Predictions::of(net, &data.test)?.is_wrong(&data.test);
        Ok(wrong.into_iter().map(f64::from).collect())
    });
    let wrong = wrong.collect::<Result<Vec<_>, Failure>>()?;
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
    Ok(Estimate::of(&found).value)
}
