//! The digits: to learn from, to choose by, and to judge by.

use burn::tensor::{Device, Tensor};
use burnscape::loss::{Batch, Recorded};

use crate::Failure;
use crate::studies::digits::Labeled;
use crate::studies::losses::cross_entropy;
use crate::studies::network::Mlp;
use crate::studies::training::Draws;
use crate::survey::data::{Digits, Split};

/// Examples in a batch.
pub(super) const BATCH_SIZE: usize = 64;
/// Of the images to learn from, the last ones are held out.
const NUM_HELD_OUT: usize = 192;

type Loss = fn(&Mlp, Labeled) -> Tensor<1>;

/// Images with their labels as numbers.
pub(super) struct Set {
    pub(super) images: Labeled,
    pub(super) labels: Vec<usize>,
}

impl Set {
    fn of(images: Labeled) -> Result<Self, Failure> {
        let labels = images.1.clone().try_into_vec_as::<i64>()?;
        let labels = labels.into_iter().map(|label| label as usize).collect();
        Ok(Self { images, labels })
    }
}

/// All images, split in the order of the file: those of the tests were written by others.
pub(super) struct Data {
    pub(super) train: Set,
    pub(super) held_out: Set,
    pub(super) test: Set,
    /// The images to learn from, in batches.
    pub(super) batches: Vec<Labeled>,
    /// The images to learn from, on the device that differentiates.
    pub(super) lesson: Labeled,
    /// The loss of training.
    pub(super) loss: Recorded<Loss>,
}

impl Data {
    pub(super) fn load() -> Result<Self, Failure> {
        let split = Split::load(&Device::default())?;
        let examples: Vec<usize> = (0..split.num_train).collect();
        let (learn, held_out) = examples.split_at(split.num_train - NUM_HELD_OUT);
        let all = labeled(split.train);
        let train = all.select(learn)?;
        let batches = learn.chunks(BATCH_SIZE);
        let batches = batches.map(|examples| train.select(examples));
        Ok(Self {
            batches: batches.collect::<Result<_, _>>()?,
            lesson: train.clone().to_device(&Device::default().autodiff()),
            train: Set::of(train)?,
            held_out: Set::of(all.select(held_out)?)?,
            test: Set::of(labeled(split.test))?,
            loss: Recorded::new(cross_entropy::<Mlp> as Loss),
        })
    }

    /// Batches of all images to learn from, without end.
    pub(super) fn draws(&self, seed: u64) -> Draws {
        Draws::epochs(self.train.labels.len(), BATCH_SIZE, seed)
    }

    /// The images to learn from that show one of these digits.
    pub(super) fn showing(&self, digits: &[usize]) -> Vec<usize> {
        let labels = self.train.labels.iter().enumerate();
        labels
            .filter(|(_, label)| digits.contains(label))
            .map(|(example, _)| example)
            .collect()
    }

    /// Batches of some of the images to learn from.
    pub(super) fn batches_of(&self, examples: &[usize]) -> Result<Vec<Labeled>, Failure> {
        let batches = examples.chunks(BATCH_SIZE);
        let batches = batches.map(|examples| self.train.images.select(examples));
        Ok(batches.collect::<Result<_, _>>()?)
    }
}

/// Images as rows.
fn labeled(digits: Digits) -> Labeled {
    (digits.images.flatten::<2>(1, 2), digits.labels)
}
