//! One tensor of all models, read in blocks of f64 numbers whatever the types are in which it is stored.

use std::borrow::Cow;
use std::ops::Range;

use burn::tensor::{DType, TensorData, f16};

use super::MergeError;

/// Elements of a block: those of a few models stay in the cache of a core.
const BLOCK: usize = 2048;

/// One tensor of all models of a merge, for a [`MergeMethod`](super::MergeMethod).
///
/// The numbers of each model keep the type in which they are stored: f16, bf16, f32 or f64. They are read as f64, in
/// blocks of neighboring elements, and results are f32, or f64 if any input is.
///
/// # Example
///
/// ```
/// use burn::tensor::TensorData;
/// use burnscape::merge::MergeTensor;
///
/// let models = [TensorData::from([1.0_f32, 4.0]), TensorData::from([3.0_f32, -4.0])];
/// let tensor = MergeTensor::new("bias", &models)?;
/// let largest = tensor.map(|block, out| {
///     for (index, out) in out.iter_mut().enumerate() {
///         *out = block.models.iter().map(|model| model[index]).fold(f64::MIN, f64::max);
///     }
/// });
/// assert_eq!(largest, TensorData::from([3.0_f32, 4.0]));
/// # Ok::<(), burnscape::merge::MergeError>(())
/// ```
#[derive(Debug, Clone)]
pub struct MergeTensor<'a> {
    name: &'a str,
    models: &'a [TensorData],
    base: Option<&'a TensorData>,
    weights: Cow<'a, [f64]>,
    filter_axis: Option<usize>,
}

/// Some neighboring elements of all models.
#[derive(Debug, Clone, Copy)]
pub struct MergeBlock<'b> {
    /// The flat index of the first element.
    pub start: usize,
    /// The elements of the base, if there is one.
    pub base: Option<&'b [f64]>,
    /// The elements of each model.
    pub models: &'b [&'b [f64]],
}

impl MergeBlock<'_> {
    /// The number of elements.
    pub fn len(&self) -> usize {
        self.models.first().map_or(0, |model| model.len())
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a> MergeTensor<'a> {
    /// The tensor `name` of these models: at least one, all of one shape. The weights are 1, and there is no base and
    /// no filter axis.
    ///
    /// # Errors
    ///
    /// [`MergeError::NoModels`]; [`MergeError::DifferentModel`] if shapes differ; [`MergeError::Method`] if a type is
    /// not f16, bf16, f32 or f64.
    pub fn new(name: &'a str, models: &'a [TensorData]) -> Result<Self, MergeError> {
        let Some(first) = models.first() else {
            return Err(MergeError::NoModels);
        };
        for (index, model) in models.iter().enumerate() {
            if model.shape() != first.shape() {
                let described =
                    |data: &TensorData| format!("`{name}` {:?}", data.shape().as_slice());
                return Err(MergeError::DifferentModel {
                    model: format!("model {index}"),
                    expected: described(first),
                    found: described(model),
                });
            }
            if !model.dtype().is_float() {
                let dtype = model.dtype().name();
                return Err(MergeError::Method {
                    method: "MergeTensor".to_string(),
                    tensor: name.to_string(),
                    message: format!(
                        "it has the type {dtype} in model {index}; use f16, bf16, f32 or f64"
                    ),
                });
            }
        }
        Ok(Self {
            name,
            models,
            base: None,
            weights: Cow::Owned(vec![1.0; models.len()]),
            filter_axis: None,
        })
    }

    /// Sets the tensor of the base. It has the shape of the others.
    #[must_use]
    pub fn with_base(mut self, base: &'a TensorData) -> Self {
        self.base = Some(base);
        self
    }

    /// Sets the weights: one a model.
    #[must_use]
    pub fn with_weights(mut self, weights: &'a [f64]) -> Self {
        self.weights = Cow::Borrowed(weights);
        self
    }

    /// Sets the axis of the output units or channels of a weight.
    #[must_use]
    pub fn with_filter_axis(mut self, axis: Option<usize>) -> Self {
        self.filter_axis = axis;
        self
    }

    /// The path in a module, or the name in a file.
    pub fn name(&self) -> &str {
        self.name
    }

    /// The shape.
    pub fn shape(&self) -> &[usize] {
        self.models
            .first()
            .map_or(&[], |first| first.shape().as_slice())
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.models.first().map_or(0, TensorData::num_elements)
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of models, without the base.
    pub fn num_models(&self) -> usize {
        self.models.len()
    }

    /// The weight of each model.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The axis of the output units or channels, if it is a weight of which the axes are known.
    pub fn filter_axis(&self) -> Option<usize> {
        self.filter_axis
    }

    /// Whether there is a base.
    pub fn has_base(&self) -> bool {
        self.base.is_some()
    }

    /// Refuses a tensor without a base, with the name of the method that needs one.
    pub(super) fn check_base(&self, method: &str) -> Result<(), MergeError> {
        if self.has_base() {
            return Ok(());
        }
        Err(MergeError::NoBase {
            method: method.to_string(),
        })
    }

    /// Whether results are f64: if an input is.
    pub fn is_double(&self) -> bool {
        let mut all = self.models.iter().chain(self.base);
        all.any(|data| data.dtype() == DType::F64)
    }

    /// Visits all elements in blocks, in order.
    pub fn each(&self, mut visit: impl FnMut(&MergeBlock<'_>)) {
        let len = self.len();
        let block = BLOCK.min(len);
        let inputs: Vec<&TensorData> = self.models.iter().chain(self.base).collect();
        let mut buffers = vec![0.0; block * inputs.len()];
        for start in (0..len).step_by(BLOCK) {
            let size = block.min(len - start);
            for (data, buffer) in inputs.iter().zip(buffers.chunks_exact_mut(block)) {
                read_block(data, start..start + size, &mut buffer[..size]);
            }
            let read = buffers.chunks_exact(block).map(|buffer| &buffer[..size]);
            let read: Vec<&[f64]> = read.collect();
            let (models, base) = read.split_at(self.models.len());
            visit(&MergeBlock {
                start,
                base: base.first().copied(),
                models,
            });
        }
    }

    /// The result whose blocks `combine` computes: it fills the slice, which has the length of the block and arbitrary
    /// numbers.
    pub fn map(&self, mut combine: impl FnMut(&MergeBlock<'_>, &mut [f64])) -> TensorData {
        let len = self.len();
        let mut combined = vec![0.0; BLOCK.min(len)];
        if self.is_double() {
            let mut values: Vec<f64> = Vec::with_capacity(len);
            self.each(|block| {
                let combined = &mut combined[..block.len()];
                combine(block, combined);
                values.extend_from_slice(combined);
            });
            return TensorData::new(values, self.shape().to_vec());
        }
        let mut values: Vec<f32> = Vec::with_capacity(len);
        self.each(|block| {
            let combined = &mut combined[..block.len()];
            combine(block, combined);
            values.extend(combined.iter().map(|value| *value as f32));
        });
        TensorData::new(values, self.shape().to_vec())
    }

    /// All values of one model. There are none for an index that no model has.
    pub fn values(&self, model: usize) -> Vec<f64> {
        self.models.get(model).map_or_else(Vec::new, all_values)
    }

    /// All values of the base.
    pub fn base_values(&self) -> Option<Vec<f64>> {
        self.base.map(all_values)
    }

    /// Values as a result of this tensor: in its shape, and f32 or f64. If their number is another, the result is flat,
    /// and a [`Recipe`](super::Recipe) refuses it.
    pub fn result(&self, values: Vec<f64>) -> TensorData {
        let shape = if values.len() == self.len() {
            self.shape().to_vec()
        } else {
            vec![values.len()]
        };
        if self.is_double() {
            return TensorData::new(values, shape);
        }
        let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
        TensorData::new(values, shape)
    }
}

/// Reads some elements of float data, exactly. What the data does not have, and all of other types, is NaN.
pub(crate) fn read_block(data: &TensorData, range: Range<usize>, out: &mut [f64]) {
    let bytes = data.as_bytes();
    match data.dtype() {
        DType::F64 => convert(elements(bytes, range), out, f64::from_ne_bytes),
        DType::F32 | DType::Flex32 => convert(elements(bytes, range), out, |element: [u8; 4]| {
            f64::from(f32::from_ne_bytes(element))
        }),
        // The upper half of an f32.
        DType::BF16 => convert(elements(bytes, range), out, |element: [u8; 2]| {
            f64::from(f32::from_bits(u32::from(u16::from_ne_bytes(element)) << 16))
        }),
        DType::F16 => convert(elements(bytes, range), out, |element: [u8; 2]| {
            f16::from_ne_bytes(element).to_f64()
        }),
        _ => out.fill(f64::NAN),
    }
}

/// All elements of float data.
pub(crate) fn all_values(data: &TensorData) -> Vec<f64> {
    let mut values = vec![0.0; data.num_elements()];
    read_block(data, 0..values.len(), &mut values);
    values
}

/// The flat index and the value of the first element that is NaN or infinite.
pub(crate) fn first_non_finite(data: &TensorData) -> Option<(usize, f64)> {
    let len = data.num_elements();
    let mut buffer = vec![0.0; BLOCK.min(len)];
    for start in (0..len).step_by(BLOCK) {
        let values = &mut buffer[..BLOCK.min(len - start)];
        read_block(data, start..start + values.len(), values);
        // Without a way out of the loop, which would cost more than it saves.
        let are_finite = values
            .iter()
            .fold(true, |all, value| all & value.is_finite());
        if are_finite {
            continue;
        }
        let found = values.iter().position(|value| !value.is_finite());
        if let Some(index) = found {
            return Some((start + index, values[index]));
        }
    }
    None
}

fn elements<const WIDTH: usize>(bytes: &[u8], range: Range<usize>) -> &[[u8; WIDTH]] {
    let (elements, _) = bytes.as_chunks::<WIDTH>();
    elements.get(range).unwrap_or_default()
}

fn convert<const WIDTH: usize>(
    elements: &[[u8; WIDTH]],
    out: &mut [f64],
    number: impl Fn([u8; WIDTH]) -> f64,
) {
    if elements.len() != out.len() {
        out.fill(f64::NAN);
    }
    for (out, element) in out.iter_mut().zip(elements) {
        *out = number(*element);
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::bf16;

    use super::*;

    /// Numbers that all types have.
    fn numbers(len: usize) -> Vec<f64> {
        (0..len)
            .map(|index| (index % 251) as f64 * 0.125 - 8.0)
            .collect()
    }

    fn stored(values: &[f64], dtype: DType) -> TensorData {
        let shape = [values.len()];
        let values = values.iter();
        match dtype {
            DType::F16 => TensorData::new(values.map(|x| f16::from_f64(*x)).collect(), shape),
            DType::BF16 => TensorData::new(values.map(|x| bf16::from_f64(*x)).collect(), shape),
            DType::F32 => TensorData::new(values.map(|x| *x as f32).collect(), shape),
            _ => TensorData::new(values.copied().collect(), shape),
        }
    }

    #[test]
    fn blocks_have_all_elements_of_every_type_in_order() {
        for len in [0, 1, BLOCK - 1, BLOCK, 3 * BLOCK + 5] {
            let values = numbers(len);
            let dtypes = [DType::F16, DType::BF16, DType::F32];
            let models = dtypes.map(|dtype| stored(&values, dtype));
            let base = stored(&values, DType::F32);
            let tensor = MergeTensor::new("w", &models).unwrap().with_base(&base);
            let mut place = 0;
            tensor.each(|block| {
                assert_eq!(block.start, place);
                let expected = &values[place..place + block.len()];
                assert!(block.models.iter().all(|model| *model == expected));
                assert_eq!(block.base, Some(expected));
                place += block.len();
            });
            assert_eq!(place, len);
            let sum = tensor.map(|block, out| {
                for (index, out) in out.iter_mut().enumerate() {
                    *out = block.models.iter().map(|model| model[index]).sum();
                }
            });
            let expected: Vec<f32> = values.iter().map(|x| 3.0 * *x as f32).collect();
            assert_eq!(sum, TensorData::new(expected, [len]));
            assert_eq!(
                (tensor.values(1), tensor.values(3)),
                (values.clone(), vec![])
            );
            assert_eq!(tensor.base_values(), Some(values));
        }
    }

    #[test]
    fn results_are_f64_if_an_input_is() {
        let third = 1.0 / 3.0;
        let models = [stored(&[third], DType::F64), stored(&[0.5], DType::F16)];
        let tensor = MergeTensor::new("w", &models).unwrap();
        assert!(tensor.is_double());
        let found = tensor.map(|block, out| out.copy_from_slice(block.models[0]));
        assert_eq!(found, TensorData::new(vec![third], [1]));
        assert_eq!(tensor.result(vec![third]), found);
        assert_eq!(tensor.result(vec![third; 2]).shape().as_slice(), [2]);
        let narrow = MergeTensor::new("w", &models[1..]).unwrap();
        assert!(!narrow.is_double());
        assert!(narrow.with_base(&models[0]).is_double());
    }

    #[test]
    fn halves_are_exact_down_to_the_smallest() {
        let bits = [0x0001_u16, 0x8000, 0x03ff, 0x0400, 0x7bff, 0xfbff, 0x7c00];
        let data = TensorData::new(bits.map(f16::from_bits).to_vec(), [bits.len()]);
        let tiny = 2.0_f64.powi(-24);
        let expected = [
            tiny,
            -0.0,
            1023.0 * tiny,
            1024.0 * tiny,
            65504.0,
            -65504.0,
            f64::INFINITY,
        ];
        let found = all_values(&data);
        let bits = |values: &[f64]| -> Vec<u64> { values.iter().map(|x| x.to_bits()).collect() };
        assert_eq!(bits(&found), bits(&expected));
        assert_eq!(first_non_finite(&data), Some((6, f64::INFINITY)));
    }

    #[test]
    fn the_first_number_that_is_not_finite_is_found() {
        let mut values = numbers(2 * BLOCK + 9);
        values[3] = f64::MAX;
        values[4] = f64::MAX;
        assert_eq!(first_non_finite(&stored(&values, DType::F64)), None);
        values[BLOCK + 7] = f64::NEG_INFINITY;
        values[2 * BLOCK] = f64::NAN;
        let found = first_non_finite(&stored(&values, DType::F64));
        assert_eq!(found, Some((BLOCK + 7, f64::NEG_INFINITY)));
        assert_eq!(first_non_finite(&stored(&[], DType::F32)), None);
    }

    #[test]
    fn shapes_and_types_are_checked() {
        let one = stored(&[1.0], DType::F32);
        assert_eq!(
            MergeTensor::new("w", &[]).unwrap_err(),
            MergeError::NoModels
        );
        let other = [one.clone(), stored(&[1.0, 2.0], DType::F32)];
        let error = MergeTensor::new("w", &other).unwrap_err().to_string();
        assert!(error.starts_with("model 1 has `w` [2] where the first model has `w` [1]"));
        let whole = [one, TensorData::new(vec![1_i32], [1])];
        let error = MergeTensor::new("w", &whole).unwrap_err().to_string();
        assert!(error.contains("the type i32 in model 1"), "{error}");
        let mut out = [0.0; 2];
        read_block(&whole[0], 0..2, &mut out);
        assert!(out.iter().all(|value| value.is_nan()));
    }
}
