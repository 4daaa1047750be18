//! The handwritten digits of the UCI repository.

use std::error::Error;
use std::io::Read;

use burn::tensor::{Device, Int, Tensor, TensorData};
use burnscape::loss::Batch;
use flate2::read::GzDecoder;

/// 1,797 lines of 65 integers: 8×8 pixels from 0 to 16, then the digit.
const CSV: &[u8] = include_bytes!("../data/digits.csv.gz");

/// Who made the data, and under which terms.
pub(crate) const ATTRIBUTION: &str = "Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI Machine Learning \
     Repository, CC BY 4.0";

/// Images to learn from: 20 batches of 64.
pub(crate) const NUM_TRAIN: usize = 1280;
const NUM_PIXELS: usize = 64;
const BRIGHTEST: f32 = 16.0;

/// Images and the digits they show.
#[derive(Batch, Clone, Debug)]
pub(crate) struct Digits {
    /// `[n, 8, 8]`, from 0 to 1.
    pub(crate) images: Tensor<3>,
    /// `[n]`.
    pub(crate) labels: Tensor<1, Int>,
}

/// The images to learn from and those to be judged on.
///
/// The first 1,280 rows against the last 517, in the order of the file and the same for every seed.
pub(crate) struct Split {
    pub(crate) train: Digits,
    pub(crate) test: Digits,
    pub(crate) num_train: usize,
    pub(crate) num_test: usize,
}

impl Split {
    pub(crate) fn load(device: &Device) -> Result<Self, Box<dyn Error>> {
        let mut text = String::new();
        GzDecoder::new(CSV).read_to_string(&mut text)?;
        let rows = text.lines().map(parse).collect::<Result<Vec<_>, _>>()?;
        let (train, test) = rows.split_at_checked(NUM_TRAIN).ok_or("too few digits")?;
        Ok(Self {
            train: upload(train, device),
            test: upload(test, device),
            num_train: train.len(),
            num_test: test.len(),
        })
    }

    /// Learns from the first images only. All of them if there are no more.
    pub(crate) fn first(mut self, images: usize) -> Self {
        self.num_train = images.min(self.num_train);
        self.train = Digits {
            images: self.train.images.narrow(0, 0, self.num_train),
            labels: self.train.labels.narrow(0, 0, self.num_train),
        };
        self
    }
}

/// The pixels and the digit of a line.
fn parse(line: &str) -> Result<(Vec<f32>, i32), Box<dyn Error>> {
    let numbers = line.split(',').map(|number| number.trim().parse::<u8>());
    let numbers = numbers.collect::<Result<Vec<u8>, _>>()?;
    match numbers.split_last() {
        Some((label, pixels)) if pixels.len() == NUM_PIXELS => {
            let pixels = pixels.iter().map(|&pixel| f32::from(pixel) / BRIGHTEST);
            Ok((pixels.collect(), i32::from(*label)))
        }
        _ => Err(format!("a line of the digits has {} numbers", numbers.len()).into()),
    }
}

fn upload(rows: &[(Vec<f32>, i32)], device: &Device) -> Digits {
    let pixels: Vec<f32> = rows.iter().flat_map(|(pixels, _)| pixels.clone()).collect();
    let labels: Vec<i32> = rows.iter().map(|(_, label)| *label).collect();
    Digits {
        images: Tensor::from_data(TensorData::new(pixels, [rows.len(), 8, 8]), device),
        labels: Tensor::from_data(TensorData::new(labels, [rows.len()]), device),
    }
}
