use burn::tensor::{Device, Tensor};

use super::cast::as_accumulator;

/// How many numbers a product of one row and one column sums.
pub(super) const BLOCK: usize = 4096;

/// The inner product `⟨x, y⟩` of two flat tensors on one device, in f32 if the elements are narrower.
///
/// On Flex, long inner products are computed as matrix products of a row and a column, which read both vectors
/// once and write nothing. They run block by block, which keeps f32 sums short. Other backends fuse the
/// elementwise product with the sum, and their matrix products may round to the ten bits of a tensor core.
pub(crate) fn dot(x: &Tensor<1>, y: &Tensor<1>) -> Tensor<1> {
    partial_sums(x, y).sum()
}

/// Numbers whose sum is `⟨x, y⟩`: one for each whole block of 4096 coordinates, then the products of the rest. Same
/// kernels as [`dot`].
///
/// The host adds them in f64. A product, a sum and their concatenation are three operations, whatever the tensors
/// consist of, and the transfer has `n/4096` numbers and 4095 more at most.
pub(super) fn partial_sums(x: &Tensor<1>, y: &Tensor<1>) -> Tensor<1> {
    let (x, y) = (as_accumulator(x.clone()), as_accumulator(y.clone()));
    let [len] = x.dims();
    debug_assert_eq!([len], y.dims());
    let blocks = len / BLOCK;
    if blocks == 0 {
        return x * y;
    }
    let whole = blocks * BLOCK;
    let (sums, rest) = if is_flex(&x.device()) {
        let rows = x.clone().slice(0..whole).reshape([blocks, 1, BLOCK]);
        let columns = y.clone().slice(0..whole).reshape([blocks, BLOCK, 1]);
        let rest = || x.slice(whole..len) * y.slice(whole..len);
        let sums = rows.matmul(columns).reshape([blocks]);
        (sums, (whole < len).then(rest))
    } else {
        let products = x * y;
        let rest = (whole < len).then(|| products.clone().slice(whole..len));
        let rows = products.slice(0..whole).reshape([blocks, BLOCK]);
        (rows.sum_dim(1).reshape([blocks]), rest)
    };
    match rest {
        None => sums,
        Some(rest) => Tensor::cat(vec![sums, rest], 0),
    }
}

#[cfg(feature = "flex")]
pub(super) fn is_flex(device: &Device) -> bool {
    let device = device.clone().inner();
    matches!(device.as_dispatch(), burn::backend::DispatchDevice::Flex(_))
}

#[cfg(not(feature = "flex"))]
pub(super) fn is_flex(_: &Device) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, TensorData};

    use super::*;

    fn waves(len: usize, phase: f64) -> Vec<f64> {
        (0..len).map(|i| (phase + 0.7 * i as f64).sin()).collect()
    }

    #[test]
    fn blocks_and_what_is_left_add_up() {
        let device = Device::default();
        for len in [0, 1, 4095, 4096, 4097, 20_000] {
            let (a, b) = (waves(len, 0.1), waves(len, 0.4));
            let expected: f64 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
            let size: f64 = a.iter().zip(&b).map(|(a, b)| (a * b).abs()).sum();
            // The narrow types are rounded first, then multiplied and summed in f32.
            for (dtype, epsilon) in [
                (DType::F64, 1e-14),
                (DType::F32, 1e-6),
                (DType::F16, 2e-3),
                (DType::BF16, 1e-2),
            ] {
                let tensor = |values: &[f64]| {
                    let data = TensorData::new(values.to_vec(), [len]);
                    Tensor::<1>::from_data(data, (&device, dtype))
                };
                let found = dot(&tensor(&a), &tensor(&b))
                    .into_data()
                    .iter::<f64>()
                    .next();
                let error = (found.unwrap_or(f64::NAN) - expected).abs();
                assert!(error <= epsilon * (size + 1.0), "{len} {dtype:?}: {error}");
            }
        }
    }

    #[test]
    fn one_infinite_number_is_seen() {
        let device = Device::default();
        let mut values = vec![0.0_f32; 9000];
        for place in [17, 8999] {
            values[place] = f32::INFINITY;
            let x = Tensor::<1>::from_floats(values.as_slice(), &device);
            let found = dot(&x, &Tensor::ones([9000], &device)).into_scalar::<f32>();
            assert_eq!(found, f32::INFINITY);
            values[place] = 0.0;
        }
    }
}
