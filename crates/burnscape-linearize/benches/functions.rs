//! Elementwise functions on Flex, by Burn's kernels and by those of a program that runs here.
//!
//! `cargo bench -p burnscape-linearize --bench functions` prints the least time of a hundred rounds in milliseconds, which
//! depends less on what else runs than medians of so short times do. A program's time includes its preparation, some ten
//! microseconds.
#![allow(clippy::expect_used, reason = "a benchmark has nobody to report to")]

use std::hint::black_box;
use std::time::Instant;

use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Distribution, Tensor, activation};
use burnscape_linearize::OutputTrace;

#[derive(Module, Debug)]
struct Numbers {
    values: Param<Tensor<2>>,
}

type Function = fn(Tensor<2>) -> Tensor<2>;

const FUNCTIONS: [(&str, Function); 6] = [
    ("exp", |x| x.exp()),
    ("tanh", |x| x.tanh()),
    ("sigmoid", activation::sigmoid),
    ("erf", |x| x.erf()),
    ("gelu", activation::gelu),
    ("softmax", |x| activation::softmax(x, 1)),
];

fn main() {
    // So that glibc does not hand memory back between rounds; a program with data has done this.
    drop(black_box(vec![1_u8; 31 << 20]));
    println!("function     dtype    numbers    Burn ms    ours ms    Burn / ours");
    for dtype in [DType::F32, DType::F64] {
        for rows in [256, 4096] {
            for (name, function) in FUNCTIONS {
                report(name, function, dtype, rows);
            }
        }
    }
}

/// Rows of 256 normal numbers.
fn report(name: &str, function: Function, dtype: DType, rows: usize) {
    let device = Device::flex();
    let normal = Distribution::Normal(0.0, 2.0);
    let values = Tensor::<2>::random([rows, 256], normal, &device.clone().autodiff()).cast(dtype);
    let model = Numbers {
        values: Param::from_tensor(values.clone()),
    };
    let values = values.inner();
    let trace = OutputTrace::new(
        model,
        device.settings(),
        |_| (),
        |model, ()| function(model.values.val()),
    );
    let trace = trace.expect("a trace");
    let (program, inputs) = (trace.forward(), &trace.bindings);
    let mut least = [f64::INFINITY; 2];
    for _ in 0..100 {
        let burn = timed(|| drop(black_box(function(values.clone()))));
        let ours = timed(|| drop(black_box(program.run(inputs, &device).expect("a run"))));
        for (least, time) in least.iter_mut().zip([burn, ours]) {
            *least = least.min(time);
        }
    }
    let ([burn, ours], numbers) = (least.map(|time| time * 1e3), rows * 256);
    let ratio = burn / ours;
    println!("{name:11}  {dtype:?}    {numbers:9}   {burn:8.3}   {ours:8.3}   {ratio:12.1}");
}

fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}
