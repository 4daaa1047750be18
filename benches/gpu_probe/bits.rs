//! How many bits of matrix products are right.

use burn::tensor::{Device, Distribution, Tensor};
use burnscape::krylov::{VectorBlock, VectorSpace};
use burnscape::space::{ParamSpace, ParamVector};

use crate::{Options, say};

pub(crate) fn report(options: &Options, device: &Device) {
    let size = options.size;
    for [m, k, n] in [
        [size, size, size],
        [size, size, 1],
        [1, size, size],
        [64, options.numbers, 1],
        [1, 64, options.numbers],
    ] {
        let (a, b) = (random([m, k], device), random([k, n], device));
        let found = host(a.clone().matmul(b.clone()));
        // Some rows and columns are enough.
        let (rows, columns) = (m.min(8), n.min(64));
        let (a, b) = (host(a), host(b));
        let error = (0..rows * columns).map(|index| {
            let (i, j) = (index / columns, index % columns);
            let terms = (0..k).map(|l| (a[i * k + l], b[l * n + j]));
            let (sum, size) = terms.fold((0.0, 0.0_f64), |(sum, size), (x, y)| {
                (sum + x * y, size + (x * y).powi(2))
            });
            // Relative to the length of the terms, whose signs are random.
            ((found[i * n + j] - sum) / size.sqrt()).powi(2)
        });
        let error = (error.sum::<f64>() / (rows * columns) as f64).sqrt();
        say(format!(
            "matrix product [{m}, {k}] [{k}, {n}]: error {error:.1e}, {:.1} bits",
            -error.log2()
        ));
    }
    basis(options, device);
}

/// The same for the products of a basis.
fn basis(options: &Options, device: &Device) {
    let model = burn::nn::LinearConfig::new(options.numbers, 1)
        .with_bias(false)
        .init(device);
    let space = ParamSpace::of(&model).expect("a space");
    let draw = |seed| ParamVector::gaussian(&space, seed).expect("a vector");
    let mut block = <ParamVector as VectorSpace>::Block::with_capacity(&space, 64).expect("room");
    (0..64).for_each(|seed| block.push(draw(seed)).expect("a row"));
    let v = draw(100);
    let found = block.dots(&v).expect("numbers");
    let host = v.to_host().expect("numbers");
    let error = found.iter().take(8).enumerate().map(|(index, found)| {
        let row = block.get(index).expect("a device").expect("a row");
        let row = row.to_host().expect("numbers");
        let (sum, size) = row.iter().zip(&host).fold((0.0, 0.0_f64), |sums, (x, y)| {
            (sums.0 + x * y, sums.1 + (x * y).powi(2))
        });
        ((found - sum) / size.sqrt()).powi(2)
    });
    let error = (error.sum::<f64>() / 8.0).sqrt();
    say(format!(
        "basis [64, {}] times a vector, as the library computes it: error {error:.1e}, {:.1} bits",
        options.numbers,
        -error.log2()
    ));
}

fn random(shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

fn host(values: Tensor<2>) -> Vec<f64> {
    values.into_data().iter::<f64>().collect()
}
