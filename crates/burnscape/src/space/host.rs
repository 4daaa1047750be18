use burn::tensor::Tensor;

use super::SpaceError;

/// Reads a tensor: one host synchronization.
pub(crate) fn to_host(values: Tensor<1>) -> Result<Vec<f64>, SpaceError> {
    let data = values.try_into_data().map_err(|error| SpaceError::Device {
        message: format!("{error:?}"),
    })?;
    Ok(data.iter::<f64>().collect())
}
