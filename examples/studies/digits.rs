//! The handwritten digits as rows of pixels, in an order of their own.

use std::ops::Range;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::numpy_order::numpy_order;
use crate::Failure;
use crate::survey::data::{Digits as Stored, Split};

pub(crate) const PIXELS: usize = 64;
pub(crate) const CLASSES: usize = 10;
/// Images to train on; the others are for tests.
pub(crate) const NUM_TRAIN: usize = 1280;

/// Where tensors are made, and of which type.
pub(crate) type Place<'d> = (&'d Device, DType);

/// Images as rows, `[n, 64]`, and the digits that they show, `[n]`.
pub(crate) type Labeled = (Tensor<2>, Tensor<1, Int>);

/// Images as rows, `[n, 64]`, and their digits as one-hot rows, `[n, 10]`.
pub(crate) type Targeted = (Tensor<2>, Tensor<2>);

/// All 1,797 images, with pixels from 0 to 1 minus their means over all of them.
#[derive(Debug, Clone)]
pub(crate) struct Digits {
    /// From 0 to 1.
    pixels: Vec<f64>,
    /// Of each pixel.
    means: Vec<f64>,
    /// Minus the means.
    images: Vec<f64>,
    labels: Vec<usize>,
}

impl Digits {
    /// In an order that the seed decides.
    pub(crate) fn load(seed: u64) -> Result<Self, Failure> {
        Self::ordered(|count| {
            let mut order: Vec<usize> = (0..count).collect();
            order.shuffle(&mut StdRng::seed_from_u64(seed));
            order
        })
    }

    /// In the order in which the recipes were tried, the same for all seeds.
    pub(crate) fn of_recipes() -> Result<Self, Failure> {
        Self::ordered(|count| numpy_order(count as u32))
    }

    fn ordered(order: impl FnOnce(usize) -> Vec<usize>) -> Result<Self, Failure> {
        let Split { train, test, .. } = Split::load(&Device::default())?;
        let (mut rows, mut digits) = (Vec::new(), Vec::new());
        for Stored { images, labels } in [train, test] {
            rows.extend(images.try_into_vec_as::<f64>()?);
            digits.extend(labels.try_into_vec_as::<i64>()?);
        }
        let order = order(digits.len());
        let row = |&index: &usize| rows[index * PIXELS..(index + 1) * PIXELS].to_vec();
        let pixels: Vec<f64> = order.iter().flat_map(row).collect();
        let mut means = vec![0.0; PIXELS];
        for image in pixels.chunks(PIXELS) {
            for (mean, pixel) in means.iter_mut().zip(image) {
                *mean += pixel / digits.len() as f64;
            }
        }
        let labels = order.iter().map(|&index| digits[index] as usize);
        Ok(Self::of(pixels, means, labels.collect()))
    }

    fn of(pixels: Vec<f64>, means: Vec<f64>, labels: Vec<usize>) -> Self {
        let both = pixels.iter().zip(means.iter().cycle());
        let images = both.map(|(pixel, mean)| pixel - mean).collect();
        Self {
            pixels,
            means,
            images,
            labels,
        }
    }

    /// Images.
    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    pub(crate) fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The 64 pixels of an image, minus the means.
    pub(crate) fn image(&self, index: usize) -> &[f64] {
        &self.images[index * PIXELS..(index + 1) * PIXELS]
    }

    /// Images with digits.
    pub(crate) fn labeled(&self, range: Range<usize>, place: Place<'_>) -> Labeled {
        let labels = self.labels[range.clone()].iter();
        let labels: Vec<i64> = labels.map(|&label| label as i64).collect();
        let labels = TensorData::new(labels, [range.len()]);
        (
            self.images(range, place),
            Tensor::from_data(labels, place.0),
        )
    }

    /// Images with one-hot rows.
    pub(crate) fn targeted(&self, range: Range<usize>, place: Place<'_>) -> Targeted {
        let labels = self.labels[range.clone()].iter();
        let targets: Vec<f64> = labels
            .flat_map(|&label| (0..CLASSES).map(move |class| f64::from(class == label)))
            .collect();
        let targets = TensorData::new(targets, [range.len(), CLASSES]);
        (self.images(range, place), Tensor::from_data(targets, place))
    }

    fn images(&self, range: Range<usize>, place: Place<'_>) -> Tensor<2> {
        let count = range.len();
        let images = self.images[range.start * PIXELS..range.end * PIXELS].to_vec();
        Tensor::from_data(TensorData::new(images, [count, PIXELS]), place)
    }

    /// The first 1,280.
    pub(crate) fn train(&self, place: Place<'_>) -> Labeled {
        self.labeled(0..NUM_TRAIN, place)
    }

    /// The other 517.
    pub(crate) fn test(&self, place: Place<'_>) -> Labeled {
        self.labeled(NUM_TRAIN..self.len(), place)
    }

    /// With each label of the range drawn anew from all ten with the probability `share`.
    pub(crate) fn with_noisy_labels(mut self, range: Range<usize>, share: f64, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        for label in &mut self.labels[range] {
            if rng.random::<f64>() < share {
                *label = rng.random_range(0..CLASSES);
            }
        }
        self
    }

    /// With every image changed, before the same means are subtracted: it takes 64 pixels from 0 to 1, and returns as
    /// many.
    pub(crate) fn changed(&self, change: impl FnMut(&[f64]) -> Vec<f64>) -> Self {
        let pixels = self.pixels.chunks(PIXELS).flat_map(change).collect();
        Self::of(pixels, self.means.clone(), self.labels.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_have_a_mean_of_zero_over_all_images() {
        let digits = Digits::load(3).unwrap();
        assert_eq!(digits.len(), 1797);
        for pixel in 0..PIXELS {
            let own = (0..digits.len()).map(|index| digits.image(index)[pixel]);
            assert!(own.sum::<f64>().abs() < 1e-9);
        }
    }

    #[test]
    fn an_order_takes_the_labels_with_the_images() {
        let (one, two) = (Digits::load(1).unwrap(), Digits::of_recipes().unwrap());
        assert_ne!(one.labels()[..20], two.labels()[..20]);
        for index in 0..10 {
            // Means are sums in another order.
            let is_same = |other: &usize| {
                let pixels = two.image(*other).iter().zip(one.image(index));
                pixels.into_iter().all(|(a, b)| (a - b).abs() < 1e-12)
            };
            let same = (0..two.len()).find(is_same);
            assert_eq!(two.labels()[same.unwrap()], one.labels()[index]);
        }
    }

    #[test]
    fn tensors_have_the_images_and_the_digits() {
        let digits = Digits::of_recipes().unwrap();
        let device = Device::default();
        let (images, targets) = digits.targeted(2..5, (&device, DType::F64));
        assert_eq!(images.dims(), [3, PIXELS]);
        assert_eq!(images.dtype(), DType::F64);
        let first: Vec<f64> = images.try_into_vec_as().unwrap();
        assert_eq!(first[..PIXELS], *digits.image(2));
        let targets: Vec<f64> = targets.try_into_vec_as().unwrap();
        assert_eq!(targets[digits.labels()[2]], 1.0);
        let (images, labels) = digits.test((&device, DType::F32));
        assert_eq!((images.dims(), labels.dims()), ([517, PIXELS], [517]));
    }

    #[test]
    fn noise_is_on_the_chosen_labels_alone() {
        let digits = Digits::of_recipes().unwrap();
        let noisy = digits.clone().with_noisy_labels(0..400, 0.5, 1);
        let differs = |index: &usize| noisy.labels()[*index] != digits.labels()[*index];
        // 0.5 · 9/10 of 400, ± 10.
        let count = (0..400).filter(differs).count();
        assert!((130..230).contains(&count), "{count}");
        assert_eq!(noisy.labels()[400..], digits.labels()[400..]);
    }

    #[test]
    fn images_are_changed_before_the_means_are_subtracted() {
        let digits = Digits::of_recipes().unwrap();
        let black = digits.changed(|image| vec![0.0; image.len()]);
        assert_eq!(black.image(0), black.image(7));
        let same = digits.changed(<[f64]>::to_vec);
        assert_eq!(same.image(7), digits.image(7));
    }
}
