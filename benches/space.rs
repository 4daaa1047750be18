//! The vector algebra of parameter space at an MLP 784-512-512-10 (670 thousand parameters) on Flex.
//!
//! `cargo bench --bench space`. The flat layout pays one copy on the way in; the leafwise one none.
#![allow(clippy::expect_used, reason = "a benchmark has nobody to report to")]

use std::hint::black_box;

use burn::nn::{Linear, LinearConfig};
use burn::tensor::Device;
use burnscape::krylov::{VectorBlock, VectorSpace};
use burnscape::space::{LeafVector, ParamSpace, ParamVector};
use criterion::{Criterion, criterion_group, criterion_main};

fn layouts(criterion: &mut Criterion) {
    let device = Device::flex().autodiff();
    let layer = |d_in, d_out| LinearConfig::new(d_in, d_out).init(&device);
    let model: [Linear; 3] = [layer(784, 512), layer(512, 512), layer(512, 10)];
    let space = ParamSpace::of(&model).expect("a space");
    let flat = ParamVector::from_module(&space, &model).expect("a vector");
    let leaves = LeafVector::from_module(&space, &model).expect("a vector");

    criterion.bench_function("space of a model", |bench| {
        bench.iter(|| black_box(ParamSpace::of(&model).expect("a space")));
    });
    criterion.bench_function("flat: from a module", |bench| {
        bench.iter(|| black_box(ParamVector::from_module(&space, &model).expect("a vector")));
    });
    criterion.bench_function("leafwise: from a module", |bench| {
        bench.iter(|| black_box(LeafVector::from_module(&space, &model).expect("a vector")));
    });
    criterion.bench_function("flat: norm", |bench| {
        bench.iter(|| black_box(flat.norm().expect("a norm")));
    });
    criterion.bench_function("leafwise: norm", |bench| {
        bench.iter(|| black_box(leaves.norm().expect("a norm")));
    });
    criterion.bench_function("flat: displace a model", |bench| {
        bench.iter(|| black_box(flat.perturb(&model, 1e-3).expect("a model")));
    });
    criterion.bench_function("leafwise: displace a model", |bench| {
        bench.iter(|| black_box(leaves.perturb(&model, 1e-3).expect("a model")));
    });
}

/// A Krylov basis half full: what orthogonalization does with it, and how large it is.
fn blocks(criterion: &mut Criterion) {
    let device = Device::flex();
    let layer = |d_in, d_out| LinearConfig::new(d_in, d_out).init(&device);
    let model: [Linear; 3] = [layer(64, 512), layer(512, 512), layer(512, 10)];
    let space = ParamSpace::of(&model).expect("a space");
    let v = ParamVector::gaussian(&space, 1).expect("a vector");
    for capacity in [50, 100] {
        let mut block =
            <ParamVector as VectorSpace>::Block::with_capacity(&space, capacity).expect("a block");
        for seed in 0..50 {
            let row = ParamVector::gaussian(&space, seed).expect("a vector");
            block.push(row).expect("room");
        }
        criterion.bench_function(&format!("50 of {capacity} rows: dots"), |bench| {
            bench.iter(|| black_box(block.dots(&v).expect("numbers")));
        });
        let coefficients = vec![0.5; 50];
        criterion.bench_function(&format!("50 of {capacity} rows: combine"), |bench| {
            bench.iter(|| black_box(block.linear_combination(&coefficients).expect("a vector")));
        });
    }
}

criterion_group!(benches, layouts, blocks);
criterion_main!(benches);
