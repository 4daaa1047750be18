//! Compares the outputs of a program at random weights before and after random elements.

use burn::backend::ops::{BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn::backend::{Dispatch, DispatchTensor, TensorMetadata};
use burn::tensor::{Bool, DType, Device, Int, Shape, Tensor, TensorData};
use burnscape_linearize::PreparedForward;
use rand::RngExt;
use rand::rngs::StdRng;

use super::traced::Traced;
use super::{Element, Symmetries, SymmetryError};
use crate::space::{SpaceError, mix, stream, to_host};

/// The largest change of an output that counts as rounding, relative to the largest value of the output.
const ROUNDING: f64 = 1e-9;
/// An output may be zero everywhere.
const LEAST_SCALE: f64 = 1e-6;
/// How much larger than the median an output may be to count for the scale.
const FAR: f64 = 1e6;
/// The scale of noise for values that are all zero.
const LEAST_NOISE: f64 = 0.1;

/// A program at random weights and inputs, in f64 on the CPU.
///
/// Random weights are necessary: zero biases and unit gains have symmetries of their own.
pub(super) struct Verifier {
    program: PreparedForward,
    inputs: Vec<DispatchTensor>,
    /// The input of each float tensor of the model, and its flat values.
    values: Vec<(usize, Vec<f64>)>,
    device: Device,
    reference: Vec<Output>,
    seed: u64,
    draws: usize,
    /// Elements drawn so far.
    num_drawn: u64,
}

/// An output of the reference pass.
enum Output {
    Float { values: Vec<f64>, scale: f64 },
    Exact(TensorData),
}

impl Verifier {
    /// # Cost
    ///
    /// One forward pass.
    pub(super) fn new(traced: &Traced, seed: u64, draws: usize) -> Result<Self, SymmetryError> {
        let device = host_device()?;
        let values_seed = mix(seed, 0);
        let mut inputs = Vec::with_capacity(traced.forward.bindings.len());
        let mut values = Vec::with_capacity(traced.places.len());
        for (index, tensor) in traced.forward.bindings.iter().enumerate() {
            if !tensor.dtype().is_float() {
                inputs.push(moved(tensor, &device)?);
                continue;
            }
            let own = to_host(flat(tensor.clone()))?;
            let own = randomized(own, &mut stream(values_seed, index as u64));
            inputs.push(on_device(own.clone(), tensor.shape(), &device));
            if traced.places.contains(&index) {
                values.push((index, own));
            }
        }
        let mut verifier = Self {
            program: traced.forward.in_f64().prepare(&device)?,
            values,
            device,
            inputs,
            reference: Vec::new(),
            seed: mix(seed, 1),
            draws,
            num_drawn: 0,
        };
        let outputs = verifier.program.run(&verifier.inputs)?;
        let outputs = outputs.into_iter().map(Output::of);
        verifier.reference = outputs.collect::<Result<_, _>>()?;
        verifier.check_finite()?;
        Ok(verifier)
    }

    /// Returns an error if there are numbers, and none of them is finite.
    fn check_finite(&self) -> Result<(), SymmetryError> {
        let numbers = self.reference.iter().flat_map(|output| match output {
            Output::Float { values, .. } => values.as_slice(),
            Output::Exact(_) => &[],
        });
        let mut numbers = numbers.peekable();
        if numbers.peek().is_some() && !numbers.any(|number| number.is_finite()) {
            return Err(SymmetryError::NothingFinite);
        }
        Ok(())
    }

    /// Whether random elements of the active groups leave the outputs.
    ///
    /// # Cost
    ///
    /// At most `draws` forward passes.
    pub(super) fn passes(
        &mut self,
        symmetries: &Symmetries,
        is_active: &dyn Fn(usize) -> bool,
    ) -> Result<bool, SymmetryError> {
        Ok(self.change(symmetries, is_active)? <= ROUNDING)
    }

    /// The largest change of an output under random elements of the active groups, relative to the largest value of
    /// the output. The first element whose change is not rounding is the last one.
    pub(super) fn change(
        &mut self,
        symmetries: &Symmetries,
        is_active: &dyn Fn(usize) -> bool,
    ) -> Result<f64, SymmetryError> {
        let mut largest = 0.0_f64;
        for draw in 0..self.draws {
            self.num_drawn += 1;
            let seed = mix(self.seed, self.num_drawn);
            let element = Element::of_draw(symmetries, (seed, draw), is_active);
            largest = largest.max(self.change_under(&element)?);
            if largest > ROUNDING {
                break;
            }
        }
        Ok(largest)
    }

    /// Returns an error if the outputs change without a permutation.
    pub(super) fn check_repeatable(
        &mut self,
        symmetries: &Symmetries,
    ) -> Result<(), SymmetryError> {
        if self.change_under(&symmetries.identity())? <= ROUNDING {
            Ok(())
        } else {
            Err(SymmetryError::RandomOutputs)
        }
    }

    /// Whether random changes of the values, made from a seed and the index of the draw, leave the outputs.
    ///
    /// # Cost
    ///
    /// At most `draws` forward passes.
    pub(super) fn passes_with<'c>(
        &mut self,
        mut random: impl FnMut(u64, usize) -> Result<Box<Moves<'c>>, SymmetryError>,
    ) -> Result<bool, SymmetryError> {
        for draw in 0..self.draws {
            self.num_drawn += 1;
            let moves = random(mix(self.seed, self.num_drawn), draw)?;
            if self.change_by(&*moves)? > ROUNDING {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The random values of the float tensors.
    pub(super) fn values(&self) -> Vec<Vec<f64>> {
        let values = self.values.iter();
        values.map(|(_, values)| values.clone()).collect()
    }

    fn change_under(&mut self, element: &Element) -> Result<f64, SymmetryError> {
        self.change_by(&|tensor, values| element.moved_on_host(tensor, values))
    }

    /// The change of the outputs when the values of each float tensor change.
    fn change_by(&mut self, moves: &Moves<'_>) -> Result<f64, SymmetryError> {
        let mut inputs = self.inputs.clone();
        for (tensor, (place, values)) in self.values.iter().enumerate() {
            if let Some(moved) = moves(tensor, values) {
                let shape = inputs[*place].shape();
                inputs[*place] = on_device(moved, shape, &self.device);
            }
        }
        let outputs = self.program.run(&inputs)?;
        let mut largest = 0.0_f64;
        for (reference, output) in self.reference.iter().zip(outputs) {
            largest = largest.max(reference.change(output)?);
        }
        Ok(largest)
    }
}

/// New values of a float tensor, by its index; `None` if they stay.
pub(super) type Moves<'c> = dyn Fn(usize, &[f64]) -> Option<Vec<f64>> + 'c;

/// Values as a tensor in f64.
fn on_device(values: Vec<f64>, shape: Shape, device: &Device) -> DispatchTensor {
    let len = values.len();
    let tensor = Tensor::<1>::from_data(TensorData::new(values, [len]), (device, DType::F64));
    Dispatch::float_reshape(tensor.into_dispatch(), shape)
}

impl Output {
    fn of(tensor: DispatchTensor) -> Result<Self, SpaceError> {
        if !tensor.dtype().is_float() {
            return Ok(Self::Exact(downloaded(tensor)?));
        }
        let values = to_host(flat(tensor))?;
        let scale = scale(&values);
        Ok(Self::Float { values, scale })
    }

    /// The largest difference, relative to the largest value; infinite for integers that differ.
    fn change(&self, other: DispatchTensor) -> Result<f64, SpaceError> {
        match self {
            Self::Float { values, scale } => {
                let other = to_host(flat(other))?;
                let pairs = values.iter().zip(&other);
                let differences =
                    pairs.map(|(a, b)| difference(*a, *b) / finite(a.abs()).max(*scale));
                Ok(differences.fold(0.0, f64::max))
            }
            Self::Exact(data) => {
                let is_same = downloaded(other)?.as_bytes() == data.as_bytes();
                Ok(if is_same { 0.0 } else { f64::INFINITY })
            }
        }
    }
}

/// The largest size of an output, without what is far larger than most: logits that are masked with a large number say
/// nothing of the others.
fn scale(values: &[f64]) -> f64 {
    let sizes = values.iter().map(|value| value.abs());
    let mut sizes: Vec<f64> = sizes
        .filter(|size| size.is_finite() && *size > 0.0)
        .collect();
    sizes.sort_unstable_by(f64::total_cmp);
    let median = sizes.get(sizes.len() / 2).copied().unwrap_or(0.0);
    let ordinary = sizes.iter().filter(|size| **size <= FAR * median);
    ordinary.fold(LEAST_SCALE, |scale, size| scale.max(*size))
}

fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { 0.0 }
}

/// Zero for numbers that are both NaN or the same infinity, infinite if only one of them is.
fn difference(a: f64, b: f64) -> f64 {
    if a == b || (a.is_nan() && b.is_nan()) {
        return 0.0;
    }
    let difference = (a - b).abs();
    if difference.is_nan() {
        f64::INFINITY
    } else {
        difference
    }
}

/// Values of the same kind without structure: positive values times random factors, other ones with noise of their size.
fn randomized(mut values: Vec<f64>, rng: &mut StdRng) -> Vec<f64> {
    for value in values.iter_mut().filter(|value| !value.is_finite()) {
        *value = 0.0;
    }
    // A variance may be zero where a channel is dead.
    let is_positive = values.iter().all(|value| *value >= 0.0) && values.iter().any(|v| *v > 0.0);
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    let squares: f64 = values.iter().map(|value| value * value).sum();
    let size = (squares / values.len().max(1) as f64).sqrt();
    let size = if size > 0.0 && size.is_finite() {
        size
    } else {
        LEAST_NOISE
    };
    for value in &mut values {
        // Of unit variance.
        let noise = 3.0_f64.sqrt() * (2.0 * rng.random::<f64>() - 1.0);
        *value = if is_positive {
            let own = if *value > 0.0 { *value } else { mean };
            own * (0.5 * noise).exp()
        } else {
            *value + size * noise
        };
    }
    values
}

/// A float tensor as a vector.
pub(crate) fn flat(tensor: DispatchTensor) -> Tensor<1> {
    let len = tensor.shape().num_elements();
    Tensor::from_dispatch(Dispatch::float_reshape(tensor, [len].into()))
}

/// The values of an integer or Boolean tensor, flat.
fn downloaded(tensor: DispatchTensor) -> Result<TensorData, SpaceError> {
    let len = tensor.shape().num_elements();
    let data = if tensor.dtype().is_bool() {
        let tensor = Dispatch::bool_reshape(tensor, [len].into());
        Tensor::<1, Bool>::from_dispatch(tensor).try_into_data()
    } else {
        let tensor = Dispatch::int_reshape(tensor, [len].into());
        Tensor::<1, Int>::from_dispatch(tensor).try_into_data()
    };
    data.map_err(|error| SpaceError::Device {
        message: format!("{error:?}"),
    })
}

/// An integer or Boolean tensor on another device.
fn moved(tensor: &DispatchTensor, device: &Device) -> Result<DispatchTensor, SpaceError> {
    let (shape, dtype) = (tensor.shape(), tensor.dtype());
    let data = downloaded(tensor.clone())?;
    Ok(if dtype.is_bool() {
        let tensor = Tensor::<1, Bool>::from_data(data, device);
        Dispatch::bool_reshape(tensor.into_dispatch(), shape)
    } else {
        let tensor = Tensor::<1, Int>::from_data(data, (device, dtype));
        Dispatch::int_reshape(tensor.into_dispatch(), shape)
    })
}

/// The device of verification.
#[cfg(feature = "flex")]
pub(crate) fn host_device() -> Result<Device, SymmetryError> {
    Ok(Device::flex())
}

/// The device of verification.
#[cfg(all(feature = "ndarray", not(feature = "flex")))]
#[allow(deprecated, reason = "deprecated by Burn, supported while Burn has it")]
pub(crate) fn host_device() -> Result<Device, SymmetryError> {
    Ok(Device::ndarray())
}

/// The device of verification.
#[cfg(not(any(feature = "flex", feature = "ndarray")))]
pub(crate) fn host_device() -> Result<Device, SymmetryError> {
    Err(SymmetryError::NoHostBackend)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_values_keep_their_sign_or_their_size() {
        let random = |values: &[f64]| randomized(values.to_vec(), &mut stream(1, 2));
        let variances = random(&[1.0; 100]);
        assert!(variances.iter().all(|value| *value > 0.0));
        assert!(variances.windows(2).all(|pair| pair[0] != pair[1]));
        let with_zero = random(&[1.0, 0.0, 3.0]);
        assert!(with_zero.iter().all(|value| *value > 0.0));
        let biases = random(&[0.0; 1000]);
        let square: f64 = biases.iter().map(|value| value * value).sum();
        assert!((square / 1000.0 - 0.01).abs() < 2e-3, "{square}");
        let weights = random(&[100.0, -100.0, f64::NAN]);
        assert!(weights.iter().all(|value| value.is_finite()));
        assert!(
            weights
                .iter()
                .any(|value| (value.abs() - 100.0).abs() > 1.0)
        );
        assert!(random(&[]).is_empty());
    }

    #[test]
    fn values_that_are_not_finite_are_equal_only_to_themselves() {
        let [nan, infinite] = [f64::NAN, f64::INFINITY];
        for equal in [1.0, nan, infinite] {
            assert_eq!(difference(equal, equal), 0.0);
        }
        assert_eq!(difference(1.0, 1.5), 0.5);
        for (a, b) in [
            (nan, 1.0),
            (1.0, nan),
            (infinite, -infinite),
            (nan, infinite),
        ] {
            assert_eq!(difference(a, b), infinite);
        }
    }
}
