//! Digits as rows of pixels, for small networks.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use crate::Failure;
use crate::survey::data::Split;

const SIDE: usize = 8;
pub(crate) const PIXELS: usize = SIDE * SIDE;
/// Pixels of the small images.
pub(crate) const SMALL_PIXELS: usize = PIXELS / 4;

/// Training images and their labels.
pub(crate) struct Pixels {
    /// Pixels from 0 to 1, minus their means over all training images: with these, networks start sharp.
    values: Vec<f64>,
    labels: Vec<i64>,
}

impl Pixels {
    /// The first training images.
    pub(crate) fn first(count: usize) -> Result<Self, Failure> {
        let split = Split::load(&Device::default())?;
        let mut values: Vec<f64> = split.train.images.to_data().iter::<f64>().collect();
        for pixel in 0..PIXELS {
            let own = values.iter().skip(pixel).step_by(PIXELS);
            let mean = own.sum::<f64>() / split.num_train as f64;
            for value in values.iter_mut().skip(pixel).step_by(PIXELS) {
                *value -= mean;
            }
        }
        let mut labels: Vec<i64> = split.train.labels.to_data().iter::<i64>().collect();
        values.truncate(count * PIXELS);
        labels.truncate(count);
        Ok(Self { values, labels })
    }

    /// `[n, 64]`.
    pub(crate) fn images(&self, place: (&Device, DType)) -> Tensor<2> {
        let values = TensorData::new(self.values.clone(), [self.labels.len(), PIXELS]);
        Tensor::from_data(values, place)
    }

    /// Means over blocks of 2 × 2 pixels, `[n, 16]`.
    pub(crate) fn small_images(&self, place: (&Device, DType)) -> Tensor<2> {
        let images = self.values.chunks(PIXELS);
        let small = images.flat_map(|image| {
            (0..SMALL_PIXELS).map(move |block| {
                let (row, column) = (2 * (block / (SIDE / 2)), 2 * (block % (SIDE / 2)));
                let at = |down: usize, right: usize| image[(row + down) * SIDE + column + right];
                0.25 * (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1))
            })
        });
        let small: Vec<f64> = small.collect();
        let small = TensorData::new(small, [self.labels.len(), SMALL_PIXELS]);
        Tensor::from_data(small, place)
    }

    /// `[n]`.
    pub(crate) fn labels(&self, device: &Device) -> Tensor<1, Int> {
        let labels = TensorData::new(self.labels.clone(), [self.labels.len()]);
        Tensor::from_data(labels, device)
    }

    /// 1 for the digits from 0 to 4 and −1 for the others, `[n, 1]`.
    pub(crate) fn halves(&self, place: (&Device, DType)) -> Tensor<2> {
        let sign = |label: &i64| if *label < 5 { 1.0 } else { -1.0 };
        let halves: Vec<f64> = self.labels.iter().map(sign).collect();
        let halves = TensorData::new(halves, [self.labels.len(), 1]);
        Tensor::from_data(halves, place)
    }
}
