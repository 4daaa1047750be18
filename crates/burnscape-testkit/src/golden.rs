//! Golden files: reference numbers that a script in `golden/scripts` computed independently of this library.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The origin of a golden file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenHeader {
    /// Path of the script, relative to the root of the repository.
    pub script: String,
    /// Versions of the packages that it used.
    pub packages: BTreeMap<String, String>,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Element type of the computation.
    pub dtype: String,
    /// Date of the computation.
    pub date: String,
}

/// A tensor of any rank in row-major order.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenArray {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its elements.
    pub values: Vec<f64>,
}

impl GoldenArray {
    /// The tensor on a device.
    ///
    /// # Errors
    ///
    /// If the rank is not `D`, or the number of elements does not match the shape.
    pub fn tensor<const D: usize>(
        &self,
        device: &Device,
        dtype: DType,
    ) -> Result<Tensor<D>, Box<dyn Error>> {
        let shape: [usize; D] = self.shape.as_slice().try_into()?;
        if self.values.len() != shape.iter().product::<usize>() {
            let found = self.values.len();
            return Err(format!("the shape {shape:?} does not have {found} values").into());
        }
        let data = TensorData::new(self.values.clone(), shape);
        Ok(Tensor::from_data(data, (device, dtype)))
    }
}

/// The optimizer of a [`GoldenRun`]: its name and its settings.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenMethod {
    /// `sam`, `asam`, `gsam`, `wsam`, `look_sam` or `friendly_sam`.
    pub name: String,
    /// Radius of the ascent.
    pub rho: f64,
    /// Floor of the adaptive metric.
    pub eta: Option<f64>,
    /// Weight of the second term in GSAM and LookSAM.
    pub alpha: Option<f64>,
    /// WSAM's weight of the sharpness.
    pub gamma: Option<f64>,
    /// Steps from one ascent of LookSAM to the next.
    pub every: Option<usize>,
    /// Weight of the average that Friendly SAM removes.
    pub sigma: Option<f64>,
    /// Decay of that average.
    pub decay: Option<f64>,
}

/// A training run on one fixed batch, and its results.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenRun {
    /// The origin of the file.
    pub header: GoldenHeader,
    /// `mlp` or `cnn`: [`Mlp`](crate::models::Mlp) or [`Cnn`](crate::models::Cnn).
    pub model: String,
    /// The optimizer around the base.
    pub method: GoldenMethod,
    /// The learning rate.
    pub lr: f64,
    /// Momentum of the base optimizer (plain gradient descent), without dampening.
    pub momentum: Option<f64>,
    /// The examples.
    pub input: GoldenArray,
    /// Their classes.
    pub target: Vec<i64>,
    /// The parameters before the first step, by path.
    pub initial: BTreeMap<String, GoldenArray>,
    /// The parameters after the last step.
    #[serde(rename = "final")]
    pub last: BTreeMap<String, GoldenArray>,
    /// The loss of each step at the weights.
    pub losses: Vec<f64>,
    /// The loss of each step at the displaced weights, if any.
    pub perturbed_losses: Vec<Option<f64>>,
    /// The norm of the gradient of each step at the weights.
    pub gradient_norms: Vec<f64>,
    /// The cosine of the angle between both gradients of each step.
    pub cosines: Vec<Option<f64>>,
    /// The running statistics after the last step, by path.
    pub running: BTreeMap<String, GoldenArray>,
}

impl GoldenRun {
    /// Reads `golden/optim/<case>.json`.
    ///
    /// # Errors
    ///
    /// Those of [`load`].
    pub fn load(case: &str) -> Result<Self, Box<dyn Error>> {
        load("optim", case)
    }

    /// The classes on a device.
    pub fn target_tensor(&self, device: &Device) -> Tensor<1, Int> {
        let data = TensorData::new(self.target.clone(), [self.target.len()]);
        Tensor::from_data(data, device)
    }
}

/// Reads `golden/<room>/<case>.json`.
///
/// # Errors
///
/// If the file does not exist or does not contain a `T`. The message names the file.
pub fn load<T: DeserializeOwned>(room: &str, case: &str) -> Result<T, Box<dyn Error>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../golden")
        .join(room)
        .join(format!("{case}.json"));
    let name = |error: &dyn Error| format!("golden/{room}/{case}.json: {error}");
    let text = std::fs::read_to_string(path).map_err(|error| name(&error))?;
    Ok(serde_json::from_str(&text).map_err(|error| name(&error))?)
}

/// The largest absolute difference between two lists.
///
/// It is infinite if the lengths differ, and NaN if a difference is NaN; every comparison `<=` then fails.
pub fn max_difference(x: &[f64], y: &[f64]) -> f64 {
    if x.len() != y.len() {
        return f64::INFINITY;
    }
    x.iter().zip(y).fold(0.0, |largest, (x, y)| {
        let difference = (x - y).abs();
        // `f64::max` would ignore a NaN.
        if difference <= largest || f64::is_nan(largest) {
            largest
        } else {
            difference
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_difference_is_found() {
        assert_eq!(max_difference(&[1.0, 2.0, 3.0], &[1.5, 0.0, 3.0]), 2.0);
        assert_eq!(max_difference(&[], &[]), 0.0);
    }

    #[test]
    fn a_nan_or_another_length_is_within_no_tolerance() {
        assert!(max_difference(&[f64::NAN, 1.0], &[0.0, 5.0]).is_nan());
        assert!(max_difference(&[0.0, f64::NAN], &[5.0, 0.0]).is_nan());
        assert_eq!(max_difference(&[1.0], &[]), f64::INFINITY);
    }

    #[test]
    fn numbers_are_read_to_one_unit_in_the_last_place() {
        // serde_json parses exactly only with a feature that would rebuild all of Burn.
        let array: GoldenArray =
            serde_json::from_str(r#"{"shape": [2], "values": [0.1, -1.2345678901234567e-8]}"#)
                .unwrap();
        for (read, exact) in array.values.iter().zip([0.1, -1.2345678901234567e-8_f64]) {
            assert!((read - exact).abs() <= f64::EPSILON * exact.abs());
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = load::<GoldenRun>("optim", "no_such_case").unwrap_err();
        assert!(error.to_string().contains("golden/optim/no_such_case.json"));
    }
}
