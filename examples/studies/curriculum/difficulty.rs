//! How difficult examples are for networks that have not seen them.

use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Device};
use burnscape::loss::{Batch, Recorded};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::{BATCH, MOMENTUM, RATE, network};
use crate::Failure;
use crate::studies::digits::{CLASSES, Digits, Labeled};
use crate::studies::frame::Plan;
use crate::studies::losses::cross_entropy;
use crate::studies::network::{Mlp, Network};
use crate::studies::training::{Course, Draws, heavy_ball, minibatch, unwatched};

/// Ways to halve the data.
const HALVINGS: u64 = 2;
/// Steps of each network.
const STEPS: usize = 200;

/// The loss of each of the first examples under networks that were trained on the other half of them, mean over the
/// halvings.
pub(super) fn held_out_losses(
    plan: &Plan,
    digits: &Digits,
    count: usize,
    seed: u64,
) -> Result<Vec<f64>, Failure> {
    let device = Device::default().autodiff();
    let place = (&device, DType::F32);
    let data = digits.labeled(0..count, place);
    let loss = Recorded::new(cross_entropy::<Mlp>);
    let course = Course::cosine(plan.steps(STEPS), RATE);
    let mut means = vec![0.0; count];
    for halving in 0..HALVINGS {
        // Other seeds than those of the trainings that are compared.
        let own = !(HALVINGS * seed + halving);
        let order = shuffled(count, own);
        let (one, other) = order.split_at(count / 2);
        for (seen, unseen) in [(one, other), (other, one)] {
            let half = data.select(seen)?;
            let mut sgd = heavy_ball(MOMENTUM).init();
            let mut draws = Draws::epochs(seen.len(), BATCH, own);
            let net = network(plan, own, place)?;
            let net = minibatch(net, &mut sgd, &loss, &half, &mut draws, course, unwatched)?;
            let losses = losses(&net, data.select(unseen)?)?;
            for (example, loss) in unseen.iter().zip(losses) {
                means[*example] += loss / HALVINGS as f64;
            }
        }
    }
    Ok(means)
}

/// The cross-entropy of each image.
fn losses(net: &Mlp, (images, labels): Labeled) -> Result<Vec<f64>, Failure> {
    let logs = log_softmax(net.forward(images), 1);
    let own = logs.gather(1, labels.unsqueeze_dim::<2>(1));
    Ok((-own).flatten::<1>(0, 1).try_into_vec_as::<f64>()?)
}

/// The examples from the smallest loss to the largest. All classes come in at the same pace: an example is compared
/// with those that have its label, by the share of them that is easier.
pub(super) fn easiest_first(losses: &[f64], labels: &[usize]) -> Vec<usize> {
    let mut shares = vec![0.0; losses.len()];
    for class in 0..CLASSES {
        let has_label = |example: &usize| labels[*example] == class;
        let mut own: Vec<usize> = (0..losses.len()).filter(has_label).collect();
        own.sort_by(|a, b| losses[*a].total_cmp(&losses[*b]));
        for (rank, example) in own.iter().enumerate() {
            shares[*example] = (rank as f64 + 0.5) / own.len() as f64;
        }
    }
    let mut order: Vec<usize> = (0..losses.len()).collect();
    order.sort_by(|a, b| shares[*a].total_cmp(&shares[*b]));
    order
}

/// The examples in an order that the seed decides.
pub(super) fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut StdRng::seed_from_u64(seed));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn easy_examples_of_each_class_come_first() {
        // The second class is more difficult as a whole.
        let labels = [0, 0, 0, 0, 1, 1];
        let losses = [0.4, 0.1, 0.3, 0.2, 9.0, 8.0];
        // Shares of 1/8 to 7/8, and of 1/4 and 3/4.
        assert_eq!(easiest_first(&losses, &labels), [1, 5, 3, 2, 4, 0]);
    }

    #[test]
    fn wrong_labels_are_difficult() {
        let (count, plan) = (400, Plan::new("a", vec![0], false));
        let digits = Digits::load(0).unwrap();
        let noisy = digits.clone().with_noisy_labels(0..count, 0.4, 1);
        let losses = held_out_losses(&plan, &noisy, count, 0).unwrap();
        let is_wrong = |example: &usize| digits.labels()[*example] != noisy.labels()[*example];
        let order = easiest_first(&losses, &noisy.labels()[..count]);
        let wrong = |part: &[usize]| part.iter().filter(|it| is_wrong(it)).count();
        let (easy, hard) = (wrong(&order[..100]), wrong(&order[300..]));
        assert!(4 * easy < hard, "{easy} and {hard}");
    }
}
