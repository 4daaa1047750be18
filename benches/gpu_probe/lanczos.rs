//! Whether the basis of a Lanczos run is orthonormal on the device.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use burnscape::krylov::{LanczosFactorization, SelfAdjoint, VectorBlock, VectorList, VectorSpace};

use crate::by_matmul::PlainHessian;
use crate::models::{Batch, Classifier, batch, risk};
use crate::{Options, say};

/// 784-w-w-w-10 with rectifiers.
#[derive(Module, Debug)]
pub(crate) struct Wide {
    layers: Vec<Linear>,
}

impl Wide {
    pub(crate) fn new(width: usize, device: &Device) -> Self {
        let sizes = [784, width, width, width, 10];
        let layer = |pair: &[usize]| LinearConfig::new(pair[0], pair[1]).init(device);
        Self {
            layers: sizes.windows(2).map(layer).collect(),
        }
    }

    pub(crate) fn batch(device: &Device) -> Batch<2> {
        batch([128, 784], device)
    }
}

impl Classifier<2> for Wide {
    fn logits(&self, input: Tensor<2>) -> Tensor<2> {
        let last = self.layers.len() - 1;
        let layers = self.layers.iter().enumerate();
        layers.fold(input, |x, (index, layer)| match layer.forward(x) {
            x if index < last => relu(x),
            x => x,
        })
    }
}

pub(crate) fn report(options: &Options, device: &Device) {
    let model = Wide::new(options.width, &device.clone().autodiff());
    let data = [Wide::batch(device)];
    let risk = risk::<Wide, 2>(&data);
    let hessian = risk.hessian(&model).expect("a Hessian");
    say(format!("MLP with {} parameters", hessian.space().len()));
    run("the library's products", &hessian, options.steps);
    run("matrix products", &PlainHessian(&hessian), options.steps);
}

fn run<A: SelfAdjoint>(name: &str, operator: &A, steps: usize)
where
    A::Error: std::fmt::Debug,
{
    let run = LanczosFactorization::from_random(operator, steps, 0).expect("a run");
    let rows = run.basis().vectors();
    let rows: Vec<Vec<f64>> = rows
        .map(|q| q.expect("a row").to_host().expect("numbers"))
        .collect();
    let space = rows.first().map_or(0, Vec::len);
    let list = VectorList::<Vec<f64>>::from_vectors(&space, rows).expect("a list");
    let gram = list.gram(&list).expect("a matrix");
    let entries = gram.rows().enumerate().flat_map(|(i, row)| {
        let row = row.iter().enumerate();
        row.map(move |(j, x)| (x - f64::from(u8::from(i == j))).abs())
    });
    let defect = entries.fold(0.0, f64::max);
    let values = run.ritz_values();
    let largest = values.last().copied().unwrap_or(0.0);
    let copies = values.iter().filter(|x| **x > 0.999 * largest).count();
    say(format!(
        "{steps} Lanczos steps by {name}: |QQᵀ − I| {defect:.1e}, largest eigenvalue {largest:.6} {copies} times"
    ));
}
