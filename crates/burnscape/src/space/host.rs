use burn::tensor::kind::Basic;
use burn::tensor::{DType, Tensor, TensorData};

use super::SpaceError;
use super::wait::waited_for;

/// Downloads a tensor: one host synchronization.
pub(crate) fn to_host(values: Tensor<1>) -> Result<Vec<f64>, SpaceError> {
    #[cfg(test)]
    READS.set(READS.get() + 1);
    Ok(downloaded(values)?.iter::<f64>().collect())
}

/// The data of a tensor of any kind, with the limit on waits of this thread.
pub(crate) fn downloaded<const D: usize, K: Basic + Send + 'static>(
    tensor: Tensor<D, K>,
) -> Result<TensorData, SpaceError> {
    let device = tensor.device();
    waited_for(&device, move || {
        let data = tensor.try_into_data();
        data.map_err(|error| SpaceError::Device {
            message: format!("{error:?}"),
        })
    })
}

/// Downloads one-element tensors, with one transfer per element type.
pub(crate) fn transfer(scalars: Vec<Tensor<1>>) -> Result<Vec<f64>, SpaceError> {
    let mut values = vec![0.0; scalars.len()];
    let mut by_dtype: Vec<(DType, Vec<usize>, Vec<Tensor<1>>)> = Vec::new();
    for (index, scalar) in scalars.into_iter().enumerate() {
        let dtype = scalar.dtype();
        match by_dtype.iter_mut().find(|(known, ..)| *known == dtype) {
            Some((_, indices, tensors)) => {
                indices.push(index);
                tensors.push(scalar);
            }
            None => by_dtype.push((dtype, vec![index], vec![scalar])),
        }
    }
    for (_, indices, tensors) in by_dtype {
        let read = to_host(Tensor::cat(tensors, 0))?;
        for (index, value) in indices.into_iter().zip(read) {
            values[index] = value;
        }
    }
    Ok(values)
}

#[cfg(test)]
std::thread_local! {
    /// Host synchronizations of this thread, for tests that count them.
    pub(crate) static READS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn scalars_of_several_types_keep_their_places_and_their_bits() {
        let device = Device::default();
        let scalar = |value: f64, dtype| Tensor::from_data([value], (&device, dtype));
        let values = transfer(vec![
            scalar(0.1, DType::F64),
            scalar(0.5, DType::F32),
            scalar(0.3, DType::F64),
            scalar(0.25, DType::F16),
            scalar(0.125, DType::F32),
        ]);
        assert_eq!(values.unwrap(), [0.1, 0.5, 0.3, 0.25, 0.125]);
        assert!(transfer(Vec::new()).unwrap().is_empty());
    }
}
