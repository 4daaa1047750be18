//! What eigenpairs of trained networks cost, on Flex, in single precision.
//!
//! `cargo bench -p burnscape --bench spectra` trains the survey's CNN and an MLP of 301,066 parameters on
//! 1,024 digits, and prints for each
//!
//! - the products and the time of the top five eigenpairs, each with a residual of at most 1e-4 of its
//!   eigenvalue, in a basis of 40 vectors;
//! - the share of a Lanczos run of 100 steps that is not products: orthogonalization against the whole
//!   basis, and the small eigenproblem;
//! - the time of the steps beside products, without the eigenproblem, over that of two reads of the basis: `Q v` and
//!   `Qᵀ c` with the same vectors, one step after the other, in the same round. The bar is 1.2;
//! - the same over the time in which all threads read as many bytes from memory.
//!
//! The two reads use the library's own products with a basis. If these are slower than memory, or if most of their time
//! is that of a call, as for the CNN, the ratio to them does not show it; the ratio to memory does. In other respects
//! both favor the reads: a step finds less of a small basis in the cache, because a Hessian product came between, and it
//! writes to memory that is new.
//!
//! Options: `--rounds N` (5 by default), `--json PATH`, and `--export DIR`, which writes the networks for
//! `benches/peers/spectra.py` to take apart with PyHessian and with SciPy on curvlinops.
#![allow(clippy::expect_used, reason = "a benchmark has nobody to report to")]

mod networks;
mod reads;
mod timed;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use burnscape::krylov::{EigenpairsConfig, LanczosFactorization, Which};
use burnscape::loss::{Batch, Risk};
use burnscape::space::{ParamSpace, ParamVector, RunningStatistics};
use networks::{Classifier, Cnn, Digits, Split, WideMlp, loss, trained};
use serde_json::{Value, json};
use timed::Timed;

const EXAMPLES: usize = 1024;
const PAIRS: usize = 5;
const BASIS: usize = 40;
const TOLERANCE: f64 = 1e-4;
const STEPS: usize = 100;

fn main() {
    let option = |name: &str| std::env::args().skip_while(|arg| arg != name).nth(1);
    let rounds = option("--rounds").map_or(5, |rounds| rounds.parse().expect("a number"));
    let export = option("--export");
    // So that glibc does not hand memory back between rounds; a program with data has done this.
    drop(std::hint::black_box(vec![1_u8; 31 << 20]));
    let device = Device::flex().autodiff();
    device.seed(1);
    let split = Split::load(&device).expect("the digits");
    let some: Vec<usize> = (0..EXAMPLES).collect();
    let digits = split.train.select(&some).expect("examples");
    println!("medians of {rounds} rounds, {EXAMPLES} digits in one batch");
    println!(
        "network    parameters  products     ms  ms/product  largest residual  not products in {STEPS} steps  ÷ two reads  ÷ memory"
    );
    let mut figures = BTreeMap::new();
    let export = export.as_deref().map(Path::new);
    figures.insert(
        "cnn",
        report::<Cnn>("cnn", &digits, &device, rounds, export),
    );
    let mlp = report::<WideMlp>("wide_mlp", &digits, &device, rounds, export);
    figures.insert("wide_mlp", mlp);
    if let Some(path) = option("--json") {
        let text = serde_json::to_string_pretty(&figures).expect("numbers");
        std::fs::write(path, text).expect("a file");
    }
}

fn report<M: Classifier + 'static>(
    name: &str,
    digits: &Digits,
    device: &Device,
    rounds: usize,
    export: Option<&Path>,
) -> Value {
    let model: M = trained(digits, device);
    if let Some(directory) = export {
        write(&model, &directory.join(format!("{name}.json")));
    }
    let objective = loss::<M>;
    let data = std::slice::from_ref(digits);
    let risk = Risk::new(&objective, data);
    let hessian = risk.hessian(&model).expect("a Hessian");
    let pairs = |tolerance: f64| {
        EigenpairsConfig::new(PAIRS, Which::Largest)
            .with_max_basis(BASIS)
            .with_tolerance(tolerance)
            .run(&hessian)
            .expect("pairs")
    };
    // ARPACK's tolerance is relative to each eigenvalue, ours to the largest: the smallest of the five
    // decides.
    let first = pairs(TOLERANCE);
    let tolerance = TOLERANCE * first.values[PAIRS - 1] / first.values[0];
    let mut found = pairs(tolerance);
    let mut times = Vec::new();
    let (mut shares, mut beside) = (Vec::new(), Vec::new());
    let (mut over_products, mut over_memory) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let start = Instant::now();
        found = pairs(tolerance);
        times.push(start.elapsed().as_secs_f64() * 1e3);
        let timed = Timed::new(&hessian);
        let start = Instant::now();
        let record = LanczosFactorization::from_random(&timed, STEPS, 0).expect("a run");
        let steps = start.elapsed().as_secs_f64() - timed.seconds();
        std::hint::black_box(record.ritz_values());
        shares.push(1.0 - timed.seconds() / start.elapsed().as_secs_f64());
        beside.push(steps * 1e3);
        over_memory.push(steps / reads::from_memory(record.len(), hessian.space().len()));
        over_products.push(steps / reads::by_products(record));
    }
    let pairs = found.residuals.iter().zip(&found.values);
    let residual = pairs
        .map(|(residual, value)| residual / value)
        .fold(0.0, f64::max);
    let (ms, share, beside) = (median(times), median(shares), median(beside));
    let (over_products, over_memory) = (median(over_products), median(over_memory));
    let (parameters, products) = (hessian.space().len(), found.num_matvecs);
    println!(
        "{name:<10} {parameters:>10} {products:>9} {ms:>6.0} {:>11.2} {residual:>17.1e} {:>26.1} % {over_products:>12.2} {over_memory:>9.2} ({beside:.0} ms)",
        ms / products as f64,
        100.0 * share
    );
    json!({
        "parameters": parameters, "eigenvalues": found.values, "products": products, "ms": ms,
        "largest_residual": residual, "not_products": share, "beside_products_ms": beside,
        "beside_products_over_two_reads": over_products,
        "beside_products_over_memory": over_memory,
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The parameters and running statistics by path.
fn write<M: Classifier>(model: &M, path: &Path) {
    let space = ParamSpace::of(model).expect("a space");
    let weights = ParamVector::from_module(&space, model).expect("weights");
    let mut entries = BTreeMap::new();
    for leaf in space.leaves() {
        let values: Vec<f32> = weights.leaf(leaf).into_data().iter().collect();
        let entry = json!({ "shape": leaf.shape(), "values": values });
        entries.insert(leaf.path().to_string(), entry);
    }
    let statistics = RunningStatistics::of(model);
    for path in statistics.paths() {
        let values = statistics.get(path).expect("statistics").clone();
        let values: Vec<f32> = values.into_data().iter().collect();
        let entry = json!({ "shape": [values.len()], "values": values });
        entries.insert(path.to_string(), entry);
    }
    let text = serde_json::to_string(&entries).expect("numbers");
    std::fs::write(path, text).expect("a file");
}
