//! The digits: to learn from, to choose by, and to judge by.

use burn::tensor::Device;
use burnscape::loss::Batch;

use super::scores::CONFIDENCE;
use crate::Failure;
use crate::survey::data::{ATTRIBUTION, Digits, Split};
use crate::training_dynamics::table::heading;

/// Examples in a batch.
pub(crate) const BATCH_SIZE: usize = 64;
/// Of the images to learn from, the last ones are held out.
const NUM_HELD_OUT: usize = 192;

/// Images with their labels as numbers.
pub(crate) struct Set {
    pub(crate) digits: Digits,
    pub(crate) labels: Vec<usize>,
}

impl Set {
    fn of(digits: Digits) -> Self {
        let labels = digits.labels.to_data();
        let labels = labels.iter::<i64>().map(|label| label as usize).collect();
        Self { digits, labels }
    }
}

/// All images.
pub(crate) struct Data {
    pub(crate) train: Set,
    pub(crate) held_out: Set,
    pub(crate) test: Set,
    /// The images to learn from, in batches.
    pub(crate) batches: Vec<Digits>,
    /// The images to learn from, on the device that differentiates.
    pub(crate) lesson: Digits,
}

impl Data {
    pub(crate) fn load() -> Result<Self, Failure> {
        let split = Split::load(&Device::default())?;
        let examples: Vec<usize> = (0..split.num_train).collect();
        let (learn, held_out) = examples.split_at(split.num_train - NUM_HELD_OUT);
        let train = split.train.select(learn)?;
        let batches = learn.chunks(BATCH_SIZE);
        let batches = batches.map(|examples| train.select(examples));
        Ok(Self {
            batches: batches.collect::<Result<_, _>>()?,
            lesson: train.clone().to_device(&Device::default().autodiff()),
            train: Set::of(train),
            held_out: Set::of(split.train.select(held_out)?),
            test: Set::of(split.test),
        })
    }

    pub(crate) fn describe(&self) {
        heading(
            "Merging networks for handwritten digits",
            &format!(
                "{} images of 8 × 8 pixels to learn from, {} held out to choose by, {} to test. SGD with a \
                 momentum of 0.9 and batches of {BATCH_SIZE}, unless another is named. Numbers are means ± standard \
                 errors over repetitions with other seeds. A difference is taken within each repetition; it is clear if \
                 the {:.0} % interval of its mean (Student's, wider where differences are skewed) does not contain \
                 zero. {ATTRIBUTION}.",
                self.train.labels.len(),
                self.held_out.labels.len(),
                self.test.labels.len(),
                100.0 * CONFIDENCE,
            ),
        );
    }

    /// The images to learn from that show one of these digits.
    pub(crate) fn showing(&self, digits: &[usize]) -> Vec<usize> {
        let labels = self.train.labels.iter().enumerate();
        labels
            .filter(|(_, label)| digits.contains(label))
            .map(|(example, _)| example)
            .collect()
    }

    /// Batches of some of the images to learn from.
    pub(crate) fn batches_of(&self, examples: &[usize]) -> Result<Vec<Digits>, Failure> {
        let batches = examples.chunks(BATCH_SIZE);
        let batches = batches.map(|examples| self.train.digits.select(examples));
        Ok(batches.collect::<Result<_, _>>()?)
    }
}
