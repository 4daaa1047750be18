use std::io::Read;

use burn::tensor::{Device, Tensor, TensorData};

use crate::Failure;

/// Images and one-hot labels.
pub(crate) type Data = (Tensor<2>, Tensor<2>);

/// The first digits.
pub(crate) struct Digits {
    pub(crate) count: usize,
    /// Pixels from 0 to 1, minus their mean over the whole file: with it, networks start above the edge.
    images: Vec<f32>,
    /// One-hot labels.
    targets: Vec<f32>,
}

impl Digits {
    pub(crate) fn read(count: usize) -> Result<Self, Failure> {
        const PIXELS: usize = 64;
        let packed: &[u8] = include_bytes!("../data/digits.csv.gz");
        let mut text = String::new();
        flate2::read::GzDecoder::new(packed).read_to_string(&mut text)?;
        let (mut images, mut targets) = (Vec::new(), Vec::new());
        let mut sums = [0.0_f32; PIXELS];
        for line in text.lines() {
            let numbers: Result<Vec<usize>, _> = line.split(',').map(str::parse).collect();
            let mut numbers = numbers?;
            let label = numbers.pop().ok_or("a row of the data is empty")?;
            let pixels = numbers.into_iter().map(|pixel| pixel as f32 / 16.0);
            images.extend(pixels);
            targets.extend((0..10).map(|class| if class == label { 1.0_f32 } else { 0.0 }));
        }
        let total = targets.len() / 10;
        for row in images.chunks(PIXELS) {
            for (sum, pixel) in sums.iter_mut().zip(row) {
                *sum += pixel;
            }
        }
        for row in images.chunks_mut(PIXELS) {
            for (pixel, sum) in row.iter_mut().zip(&sums) {
                *pixel -= sum / total as f32;
            }
        }
        let count = count.min(total);
        images.truncate(count * PIXELS);
        targets.truncate(count * 10);
        Ok(Self {
            count,
            images,
            targets,
        })
    }

    pub(crate) fn tensors(&self, device: &Device) -> Data {
        let images = TensorData::new(self.images.clone(), [self.count, 64]);
        let targets = TensorData::new(self.targets.clone(), [self.count, 10]);
        (
            Tensor::from_data(images, device),
            Tensor::from_data(targets, device),
        )
    }
}
