//! A small model, its data, and dense matrices.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Int, Tensor, TensorData};
use burnscape::krylov::{Dense, LinearOperator};
use burnscape::loss::{Batch, DataSet, Reduction, Risk, Split};
use burnscape::space::{ParamSpace, ParamVector};
pub(crate) use burnscape_testkit::double::device;
pub(crate) use burnscape_testkit::models::Dropped;

fn wave(index: usize, phase: f64) -> f64 {
    (1.0 + 0.37 * (index as f64 + phase).powf(1.31)).sin()
}

/// Three inputs, four tanh units, dropout, three classes.
pub(crate) fn net() -> Dropped {
    let net = Dropped::new([3, 4, 3], &device());
    let space = ParamSpace::of(&net).expect("a space");
    let numbers: Vec<f64> = (0..space.len()).map(|i| 0.6 * wave(i, 9.1)).collect();
    let weights = ParamVector::from_host(&space, &numbers).expect("a vector");
    weights.apply_to(&net).expect("a model")
}

#[derive(Batch, Clone, Debug)]
pub(crate) struct Labeled {
    pub(crate) x: Tensor<2>,
    pub(crate) y: Tensor<1, Int>,
}

/// Cross-entropy `[n]`, written out: one loss an example.
pub(crate) fn losses(z: Tensor<2>, y: Tensor<1, Int>) -> Tensor<1> {
    let log = burn::tensor::activation::log_softmax(z, 1);
    -log.gather(1, y.unsqueeze_dim::<2>(1)).squeeze_dim::<1>(1)
}

/// Cross-entropy in halves, with the reduction that is asked for.
pub(crate) fn cross_entropy<D>(reduction: Reduction, data: &D) -> Risk<'_, Dropped, Split>
where
    D: DataSet<Labeled> + Sync + ?Sized,
{
    let outputs = |net: &Dropped, batch: &Labeled| net.forward(batch.x.clone());
    let criterion = move |z: Tensor<2>, batch: Labeled| match reduction {
        Reduction::Mean => {
            let criterion = CrossEntropyLossConfig::new().init(&z.device());
            criterion.forward(z, batch.y)
        }
        Reduction::Sum => losses(z, batch.y).sum(),
    };
    Risk::split(outputs, criterion, data).with_reduction(reduction)
}

pub(crate) const EXAMPLES: usize = 7;

/// The data in batches of the given sizes.
pub(crate) fn batches(sizes: &[usize]) -> Vec<Labeled> {
    assert_eq!(sizes.iter().sum::<usize>(), EXAMPLES);
    let numbers: Vec<f64> = (0..EXAMPLES * 3).map(|i| wave(i, 0.5)).collect();
    let x = Tensor::<2>::from_data(TensorData::new(numbers, [EXAMPLES, 3]), &device());
    let y = Tensor::<1, Int>::from_data([0, 2, 1, 1, 0, 2, 2], &device());
    let mut start = 0;
    let mut cut = |len: usize| {
        start += len;
        Labeled {
            x: x.clone().slice([start - len..start, 0..3]),
            y: y.clone().narrow(0, start - len, len),
        }
    };
    sizes.iter().map(|&len| cut(len)).collect()
}

/// The matrix of an operator, from blocks of unit vectors.
pub(crate) fn dense<A: LinearOperator>(operator: &A) -> Dense {
    burnscape::krylov::Dense::of(operator).expect("products")
}

/// `|a − b| / |a|` over all entries.
pub(crate) fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let size = norm(&mut a.iter().copied());
    assert!(size > 1e-6, "nothing to compare: {size:e}");
    norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / size
}

#[track_caller]
pub(crate) fn assert_close(a: &Dense, b: &Dense, tolerance: f64) {
    let distance = distance(a.as_slice(), b.as_slice());
    assert!(distance <= tolerance, "{distance:e}");
}
