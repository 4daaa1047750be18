//! Two devices of one process, a small network, and its data.

use std::sync::Once;

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Device, FloatDType, Int, Tensor, TensorData};
use burnscape::krylov::{Dense, LinearOperator};
use burnscape::loss::{Batch, DataSet, Reduction, Risk, Split};
use burnscape::space::{ParamSpace, ParamVector};
use burnscape_testkit::models::TwoLayers;

use crate::element::{DTYPE, device};

/// The relative difference that the kernels of two devices may make in a loss; ten times as much in a product or a
/// gradient, whose numbers partly cancel.
pub(crate) const NEAR: f64 = match DTYPE {
    DType::F64 => 1e-13,
    _ => 1e-6,
};

/// Batch sizes whose weights are powers of two, as is their sum, so that no factor rounds.
pub(crate) const SIZES: [usize; 6] = [4, 2, 2, 4, 2, 2];

/// The devices of these batches.
pub(crate) const PLACES: [usize; 6] = [0, 1, 1, 0, 1, 1];

#[allow(
    deprecated,
    reason = "the only second device that every machine has; Burn deprecates its constructor"
)]
fn ndarray() -> Device {
    Device::ndarray()
}

/// NdArray, with the default type of the first device.
pub(crate) fn second() -> Device {
    static CONFIGURED: Once = Once::new();
    CONFIGURED.call_once(|| {
        if DTYPE == DType::F64 {
            ndarray()
                .configure(FloatDType::F64)
                .expect("the first use of the device");
        }
    });
    ndarray()
}

/// Flex and NdArray.
pub(crate) fn both() -> [Device; 2] {
    [device(), second()]
}

/// Numbers without a pattern, between −1 and 1.
pub(crate) fn wave(index: usize, phase: f64) -> f64 {
    (1.0 + 0.37 * (index as f64 + phase).powf(1.31)).sin()
}

/// A model with parameters that depend on `phase` alone.
pub(crate) fn filled<M: Module>(model: &M, phase: f64) -> M {
    let space = ParamSpace::of(model).expect("a space");
    let numbers: Vec<f64> = (0..space.len()).map(|i| 0.6 * wave(i, phase)).collect();
    let weights = ParamVector::from_host(&space, &numbers).expect("a vector");
    weights.apply_to(model).expect("a model")
}

/// Three inputs, four tanh units, three classes, on the first device.
pub(crate) fn network(phase: f64) -> TwoLayers {
    filled(&TwoLayers::new([3, 4, 3], &device()), phase)
}

pub(crate) fn net() -> TwoLayers {
    network(9.1)
}

#[derive(Batch, Clone, Debug)]
pub(crate) struct Labeled {
    pub(crate) x: Tensor<2>,
    pub(crate) y: Tensor<1, Int>,
}

/// The same examples in batches of the given sizes, on the first device.
pub(crate) fn batches(sizes: &[usize]) -> Vec<Labeled> {
    batches_on(sizes, &device())
}

/// The same on a device, with its autodiff.
pub(crate) fn batches_on(sizes: &[usize], device: &Device) -> Vec<Labeled> {
    let mut first = 0;
    let batch = |&rows: &usize| {
        let numbers: Vec<f64> = (3 * first..3 * (first + rows))
            .map(|i| wave(i, 0.5))
            .collect();
        let labels: Vec<i64> = (first..first + rows).map(|i| (i * i % 3) as i64).collect();
        first += rows;
        Labeled {
            x: Tensor::from_data(TensorData::new(numbers, [rows, 3]), (device, DTYPE)),
            y: Tensor::from_data(TensorData::new(labels, [rows]), device),
        }
    };
    sizes.iter().map(batch).collect()
}

pub(crate) fn logits(net: &TwoLayers, batch: &Labeled) -> Tensor<2> {
    net.forward(batch.x.clone(), |z| z.tanh())
}

fn cross_entropies(z: Tensor<2>, y: Tensor<1, Int>) -> Tensor<1> {
    let log = log_softmax(z, 1);
    -log.gather(1, y.unsqueeze_dim::<2>(1)).squeeze_dim::<1>(1)
}

/// The cross-entropy of each example.
pub(crate) fn losses(net: &TwoLayers, batch: Labeled) -> Tensor<1> {
    cross_entropies(logits(net, &batch), batch.y)
}

/// The mean cross-entropy.
pub(crate) fn mean(net: &TwoLayers, batch: Labeled) -> Tensor<1> {
    losses(net, batch).mean()
}

/// The mean cross-entropy, or its sum, in outputs and criterion.
pub(crate) fn split<D>(data: &D, reduction: Reduction) -> Risk<'_, TwoLayers, Split>
where
    D: DataSet<Labeled> + Sync + ?Sized,
{
    let criterion = move |z: Tensor<2>, batch: Labeled| {
        let losses = cross_entropies(z, batch.y);
        match reduction {
            Reduction::Mean => losses.mean(),
            Reduction::Sum => losses.sum(),
        }
    };
    Risk::split(logits, criterion, data).with_reduction(reduction)
}

/// A vector that has the same numbers on every device.
pub(crate) fn vector(space: &ParamSpace, phase: f64) -> ParamVector {
    let numbers: Vec<f64> = (0..space.len()).map(|i| wave(i, phase)).collect();
    ParamVector::from_host(space, &numbers).expect("a vector")
}

/// The matrix of an operator, in row-major order.
pub(crate) fn entries<A: LinearOperator>(operator: &A) -> Vec<f64> {
    let matrix = Dense::of(operator).expect("products");
    matrix.as_slice().to_vec()
}

/// `|a − b| / |b|`.
pub(crate) fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let size = norm(&mut b.iter().copied());
    assert!(size > 1e-6, "nothing to compare: {size:e}");
    norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / size
}

/// Equal up to the kernels of the devices.
#[track_caller]
pub(crate) fn assert_near(found: &[f64], expected: &[f64]) {
    let distance = distance(found, expected);
    assert!(distance <= 10.0 * NEAR, "{distance:e}");
}

/// The device of each batch, by its work: the one with the least so far, the first of several.
pub(crate) fn greedy(work: &[usize], devices: usize) -> Vec<usize> {
    let mut sums = vec![0; devices];
    let place = |&work: &usize| {
        let least = (0..devices).min_by_key(|&index| sums[index]).expect("one");
        sums[least] += work;
        least
    };
    work.iter().map(place).collect()
}

/// How many batches each device gets.
pub(crate) fn counts(places: &[usize], devices: usize) -> Vec<usize> {
    let count = |device| places.iter().filter(|&&place| place == device).count();
    (0..devices).map(count).collect()
}

/// How many batches the devices of a risk have evaluated.
pub(crate) fn evaluated<M, K>(risk: &Risk<'_, M, K>) -> Vec<usize> {
    let work = risk.device_work();
    work.iter().map(|work| work.batches).collect()
}

/// How many of them during some work.
pub(crate) fn evaluated_in<M, K>(risk: &Risk<'_, M, K>, work: impl FnOnce()) -> Vec<usize> {
    let before = evaluated(risk);
    work();
    let after = evaluated(risk);
    after.iter().zip(&before).map(|(a, b)| a - b).collect()
}
