use std::fmt;

use burn::tensor::TensorData;
use serde::{Deserialize, Serialize};

use super::CheckpointFile;
use super::sources::{Types, check_same};
use crate::merge::{MergeError, MergeTensor};
use crate::writing::{number, write_aligned};

/// How far two checkpoints are apart, tensor by tensor and in all. It prints as a table.
///
/// # Cost
///
/// Each checkpoint is read once. Memory for one tensor of each.
///
/// # Example
///
/// ```
/// use burn::tensor::TensorData;
/// use burnscape::merge::{CheckpointFile, CheckpointDistance, TensorMap};
///
/// let folder = std::env::temp_dir().join(format!("distance-{}", std::process::id()));
/// std::fs::create_dir_all(&folder)?;
/// let checkpoint = |name: &str, numbers: [f32; 2]| {
///     let mut map = TensorMap::new();
///     map.insert("w", TensorData::new(numbers.to_vec(), [2]));
///     let path = folder.join(name);
///     map.write(&path)?;
///     CheckpointFile::open(&path)
/// };
/// let a = checkpoint("a.safetensors", [3.0, 4.0])?;
/// let b = checkpoint("b.safetensors", [3.0, 0.0])?;
/// let distance = CheckpointDistance::between(&a, &b)?;
/// assert_eq!(distance.total.distance, 4.0);
/// assert_eq!(distance.total.relative, Some(0.8));
/// println!("{distance}");
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CheckpointDistance {
    /// Each float tensor, by name.
    pub tensors: Vec<TensorDistance>,
    /// All of them as one vector.
    pub total: TensorDistance,
    /// The tensors of integers, of Booleans and of quantized numbers, equal or not.
    pub not_compared: Vec<String>,
}

/// How far two tensors `a` and `b` are apart, as vectors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TensorDistance {
    /// The name of the tensor; `total` for all of them.
    pub name: String,
    /// `|a − b|`, the Euclidean norm.
    #[serde(with = "number")]
    pub distance: f64,
    /// `|a|`.
    #[serde(with = "number")]
    pub norm_a: f64,
    /// `|b|`.
    #[serde(with = "number")]
    pub norm_b: f64,
    /// `|a − b| / |a|`; none if `a` is zero.
    #[serde(with = "number")]
    pub relative: Option<f64>,
    /// `⟨a, b⟩ / (|a| |b|)`; none if one of them is zero.
    #[serde(with = "number")]
    pub cosine: Option<f64>,
    /// The largest `|a_i − b_i|`.
    #[serde(with = "number")]
    pub largest: f64,
}

impl CheckpointDistance {
    /// Compares two checkpoints, in any formats and float types.
    ///
    /// # Errors
    ///
    /// [`MergeError::DifferentTensors`] unless both have the same tensors, by name and shape; [`MergeError::File`].
    pub fn between(a: &CheckpointFile, b: &CheckpointFile) -> Result<Self, MergeError> {
        check_same(a, b, Types::Any)?;
        let (mut tensors, mut not_compared) = (Vec::new(), Vec::new());
        let mut total = Sums::default();
        for (index, tensor) in a.tensors().iter().enumerate() {
            if !tensor.is_float() {
                not_compared.push(tensor.name.clone());
                continue;
            }
            let sums = Sums::of(&tensor.name, &[a.read_at(index)?, b.read_at(index)?])?;
            total.add(&sums);
            tensors.push(sums.distance(&tensor.name));
        }
        Ok(Self {
            tensors,
            total: total.distance("total"),
            not_compared,
        })
    }
}

/// Sums of squares and products.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    difference: f64,
    a: f64,
    b: f64,
    product: f64,
    largest: f64,
}

impl Sums {
    fn of(name: &str, pair: &[TensorData; 2]) -> Result<Self, MergeError> {
        let mut sums = Self::default();
        MergeTensor::new(name, pair)?.each(|block| {
            for (&a, &b) in block.models[0].iter().zip(block.models[1]) {
                let difference = a - b;
                sums.difference += difference * difference;
                sums.a += a * a;
                sums.b += b * b;
                sums.product += a * b;
                sums.largest = larger(sums.largest, difference.abs());
            }
        });
        Ok(sums)
    }

    fn add(&mut self, other: &Self) {
        self.difference += other.difference;
        self.a += other.a;
        self.b += other.b;
        self.product += other.product;
        self.largest = larger(self.largest, other.largest);
    }

    fn distance(&self, name: &str) -> TensorDistance {
        let [distance, norm_a, norm_b] = [self.difference, self.a, self.b].map(f64::sqrt);
        TensorDistance {
            name: name.to_string(),
            distance,
            norm_a,
            norm_b,
            relative: (norm_a != 0.0).then(|| distance / norm_a),
            cosine: (norm_a != 0.0 && norm_b != 0.0)
                .then(|| (self.product / (norm_a * norm_b)).clamp(-1.0, 1.0)),
            largest: self.largest,
        }
    }
}

/// The larger number, or NaN if one of them is: `f64::max` would ignore it.
fn larger(a: f64, b: f64) -> f64 {
    if a >= b || a.is_nan() { a } else { b }
}

impl fmt::Display for CheckpointDistance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = [
            "tensor", "|a - b|", "|a|", "|b|", "relative", "cosine", "largest",
        ];
        let mut cells = vec![header.map(str::to_string)];
        cells.extend(self.tensors.iter().chain([&self.total]).map(row));
        let to_the_right = [false, true, true, true, true, true, true];
        write_aligned(f, &cells, to_the_right)?;
        if !self.not_compared.is_empty() {
            writeln!(f, "not compared: {}", self.not_compared.join(", "))?;
        }
        Ok(())
    }
}

fn row(tensor: &TensorDistance) -> [String; 7] {
    let short = |value: f64| format!("{value:.4e}");
    let known = |value: Option<f64>| value.map_or_else(|| "none".to_string(), short);
    let cosine = |value: f64| format!("{value:.6}");
    [
        tensor.name.clone(),
        short(tensor.distance),
        short(tensor.norm_a),
        short(tensor.norm_b),
        known(tensor.relative),
        tensor.cosine.map_or_else(|| "none".to_string(), cosine),
        short(tensor.largest),
    ]
}
