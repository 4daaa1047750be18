//! What it takes to assign units and to align models by weights, on Flex.
//!
//! ```text
//! cargo bench -p burnscape --bench align
//! ```
//!
//! - `assignment`: linear assignments of n = 512, 1024 and 2048 units for four kinds of matrices, a median each, from the matrix
//!   that a similarity returns to the element that is tried: a search of one sweep with one group. `benches/peers/align.py`
//!   makes the same matrices, solves them with SciPy and compares the optima. The bar is 1.5 times its time.
//! - `matching`: two perceptrons 64-512-512-512-10, trained on digits from different seeds: the time of weight matching from the
//!   identity, a median. `benches/peers/align.py` runs the same algorithm in NumPy and SciPy on the same weights, with
//!   the same start and order. The bar is 1.2 times its time.
//! - `encoder`: two encoders of 10 million parameters (6 layers, width 384, 6 heads, 1,536 units), which are random: the time until
//!   a sweep brings nothing, with a bar of 2 minutes, and the peak of memory beyond the models, with a bar of 6 times a
//!   model and a matrix of the largest group.
//!
//! Options: `--rounds N` (9 by default), `--only assignment`, `matching` or `encoder`, and `--json FILE`, which writes figures, weights
//! and order for the peer.
#![allow(clippy::expect_used, reason = "a benchmark stops at its first error")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use burn::module::Module;
use burn::nn::transformer::{
    TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::optim::SgdConfig;
use burn::optim::momentum::MomentumConfig;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor};
use burnscape::align::{
    AlignError, Alignment, CoordinateDescentConfig, Similarity, WeightMatchingConfig,
    WeightSimilarity, reordered,
};
use burnscape::loss::Batch;
use burnscape::space::{ParamSpace, ParamVector};
use burnscape::symmetry::{Element, Group, Symmetries, SymmetriesConfig};
use serde_json::{Value, json};

use survey::data::{Digits, Split};
use survey::models::Classifier;
use survey::settings::{DAMPENING, MOMENTUM};
use survey::train::{Course, train};

/// The survey's data and training.
#[path = "../examples/survey"]
#[allow(dead_code, reason = "the survey uses more of them")]
mod survey {
    pub(crate) mod data;
    pub(crate) mod models;
    pub(crate) mod settings;
    pub(crate) mod train;
}

#[global_allocator]
static ALLOCATOR: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

const EPOCHS: usize = 10;

fn main() {
    let option = |name: &str| std::env::args().skip_while(|arg| arg != name).nth(1);
    let rounds = option("--rounds").map_or(9, |rounds| rounds.parse().expect("a number"));
    let only = option("--only");
    let names = ["assignment", "matching", "encoder"];
    let is_known = only.as_deref().is_none_or(|only| names.contains(&only));
    assert!(is_known, "--only takes one of {names:?}");
    let is_chosen = |name: &str| only.as_deref().is_none_or(|only| only == name);
    // So that glibc does not hand memory back between rounds; a program with data has done this.
    drop(black_box(vec![1_u8; 31 << 20]));
    let device = Device::flex();
    let mut figures = serde_json::Map::new();
    if is_chosen("assignment") {
        figures.insert("assignment".to_string(), assignments(&device, rounds));
    }
    if is_chosen("matching") {
        figures.insert("matching".to_string(), perceptrons(&device, rounds));
    }
    if is_chosen("encoder") {
        encoders(&device);
    }
    if let Some(path) = option("--json") {
        let text = serde_json::to_string(&figures).expect("numbers");
        std::fs::write(path, text).expect("a file");
    }
}

/// One hidden layer: a single group.
#[derive(Module, Debug)]
struct Shallow {
    first: Linear,
    second: Linear,
}

/// A matrix between the units of one group, with the time from when it is asked for to the element that is tried.
struct Timed {
    symmetries: Symmetries,
    matrix: Vec<f64>,
    begin: Cell<Option<Instant>>,
    ms: Cell<f64>,
}

impl Similarity for Timed {
    fn symmetries(&self) -> &Symmetries {
        &self.symmetries
    }

    fn matrix(&self, group: usize, element: &Element) -> Result<Vec<f64>, AlignError> {
        let matrix = reordered(&self.matrix, group, element)?;
        self.begin.set(Some(Instant::now()));
        Ok(matrix)
    }

    fn objective(&self, element: &Element) -> Result<f64, AlignError> {
        if let Some(begin) = self.begin.take() {
            self.ms.set(begin.elapsed().as_secs_f64() * 1e3);
        }
        let table = element.permutation(0).unwrap_or_default();
        let rows = table.iter().enumerate();
        Ok(rows
            .map(|(row, column)| self.matrix[row * table.len() + column])
            .sum())
    }
}

/// Prints the times of assignments, and returns them with the optima.
fn assignments(device: &Device, rounds: usize) -> Value {
    let mut figures = Vec::new();
    for n in [512, 1024, 2048] {
        let linear = |from, to| LinearConfig::new(from, to).with_bias(false).init(device);
        let model = Shallow {
            first: linear(1, n),
            second: linear(n, 1),
        };
        let outputs = |model: &Shallow, x: &Tensor<2>| {
            let hidden = model.first.forward(x.clone()).tanh();
            model.second.forward(hidden)
        };
        let x = Tensor::<2>::ones([1, 1], device);
        let symmetries = SymmetriesConfig::new().run(&outputs, &model, x);
        let symmetries = symmetries.expect("symmetries");
        for kind in ["normal", "planted", "low-rank", "rectified"] {
            let timed = Timed {
                symmetries: symmetries.clone(),
                matrix: matrix(kind, n),
                begin: Cell::new(None),
                ms: Cell::new(0.0),
            };
            let mut times = Vec::new();
            let mut optimum = 0.0;
            for _ in 0..rounds {
                let found = CoordinateDescentConfig::new().with_max_sweeps(1);
                optimum = found.run(&timed, &model).expect("an element").objective;
                times.push(timed.ms.get());
            }
            times.sort_by(f64::total_cmp);
            let ms = times[times.len() / 2];
            println!("assignment {n:>5} {kind:10}{ms:>10.1} ms");
            figures.push(json!({ "n": n, "kind": kind, "ms": ms, "optimum": optimum }));
        }
    }
    println!();
    Value::Array(figures)
}

/// A matrix of similarities, row by row. The peer makes the same one, bit by bit.
fn matrix(kind: &str, n: usize) -> Vec<f64> {
    // Products of features, added one after the other.
    let products = |a: &[f64], b: &[f64], features: usize| -> Vec<f64> {
        let rows = a.chunks_exact(features);
        rows.flat_map(|a| {
            let columns = b.chunks_exact(features);
            columns.map(move |b| a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + a * b))
        })
        .collect()
    };
    let rectified = |values: Vec<f64>| -> Vec<f64> {
        let values = values.into_iter();
        values.map(|value| value.max(0.0)).collect()
    };
    match kind {
        "normal" => normal(1, n * n),
        "planted" => {
            let mut matrix = normal(2, n * n);
            matrix.iter_mut().for_each(|entry| *entry *= 0.2);
            for row in 0..n {
                matrix[row * n + (5 * row + 3) % n] += 1.0;
            }
            matrix
        }
        "low-rank" => products(&normal(3, n * 16), &normal(4, n * 16), 16),
        _ => {
            let [a, b] = [5, 6].map(|seed| rectified(normal(seed, n * 32)));
            products(&a, &b, 32)
        }
    }
}

/// Sums of twelve uniform numbers, which are nearly normal and the same in every language.
fn normal(seed: u64, count: usize) -> Vec<f64> {
    let mut sums = vec![-6.0; count];
    for part in 0..12 {
        for (place, sum) in (1..).zip(&mut sums) {
            *sum += uniform(12 * seed + part, place);
        }
    }
    sums
}

/// A number of SplitMix64, from 0 to 1.
fn uniform(seed: u64, place: u64) -> f64 {
    let z = seed.wrapping_add(place.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// 64-512-512-512-10 with rectifiers.
#[derive(Module, Debug)]
struct Perceptron {
    hidden: [Linear; 3],
    last: Linear,
}

impl Classifier for Perceptron {
    fn new(device: &Device) -> Self {
        let hidden = |from| LinearConfig::new(from, 512).init(device);
        Self {
            hidden: [hidden(64), hidden(512), hidden(512)],
            last: LinearConfig::new(512, 10).init(device),
        }
    }

    fn logits(&self, images: Tensor<3>) -> Tensor<2> {
        let input = images.flatten(1, 2);
        let hidden = self.hidden.iter();
        self.last
            .forward(hidden.fold(input, |x, layer| relu(layer.forward(x))))
    }
}

fn trained(seed: u64, split: &Split, device: &Device) -> Perceptron {
    let device = device.clone().autodiff();
    device.seed(seed);
    let model = Perceptron::new(&device);
    // Burn draws weights at their first use: here, before other draws.
    ParamSpace::of(&model).expect("a space");
    let momentum = MomentumConfig::new()
        .with_momentum(MOMENTUM)
        .with_dampening(DAMPENING);
    let sgd = SgdConfig::new().with_momentum(Some(momentum)).init();
    let digits = split.train.clone().to_device(&device);
    let course = Course {
        digits: &digits,
        num_examples: split.num_train,
        epochs: EPOCHS,
        seed,
    };
    let trained = train(model, sgd, &course, |_| ()).expect("a trained network");
    trained.model.valid()
}

/// Weights as the similarity, with a list of the groups that the search asks for: one for each step.
struct Watched {
    weights: WeightSimilarity,
    order: RefCell<Vec<usize>>,
}

impl Similarity for Watched {
    fn symmetries(&self) -> &Symmetries {
        self.weights.symmetries()
    }

    fn matrix(&self, group: usize, element: &Element) -> Result<Vec<f64>, AlignError> {
        self.order.borrow_mut().push(group);
        self.weights.matrix(group, element)
    }

    fn mean_matrix(&self, group: usize, element: &Element) -> Result<Option<Vec<f64>>, AlignError> {
        self.weights.mean_matrix(group, element)
    }

    fn objective(&self, element: &Element) -> Result<f64, AlignError> {
        self.weights.objective(element)
    }

    fn upper_bound(&self) -> Option<f64> {
        self.weights.upper_bound()
    }
}

/// Prints the time of an alignment, and returns it with everything that the peer needs.
fn perceptrons(device: &Device, rounds: usize) -> Value {
    let split = Split::load(device).expect("the digits");
    let [a, b] = [0, 1].map(|seed| trained(seed, &split, device));
    let logits = |model: &Perceptron, digits: &Digits| model.logits(digits.images.clone());
    let few = split.train.select(&[0, 1]).expect("a batch");
    let symmetries = SymmetriesConfig::new().run(&logits, &a, few);
    let symmetries = symmetries.expect("symmetries");
    let config = WeightMatchingConfig::new();
    let mut found = config.run(&symmetries, &a, &b).expect("an alignment");
    let mut times = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        found = config.run(&symmetries, &a, &b).expect("an alignment");
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let ms = times[times.len() / 2];
    println!("perceptrons          {:>10} parameters", a.num_params());
    println!(
        "weight matching      {ms:>10.1} ms, the median of {rounds}, {:.1} to {:.1}",
        times[0],
        times[times.len() - 1]
    );
    shown(&found);

    let watched = Watched {
        weights: WeightSimilarity::new(&symmetries, &a, &b).expect("a similarity"),
        order: RefCell::default(),
    };
    let again = CoordinateDescentConfig::new().run(&watched, &b);
    let again = again.expect("an alignment");
    assert_eq!(again.objective, found.objective, "another search");
    let groups: Vec<Value> = symmetries.groups().iter().map(described).collect();
    let tables = (0..groups.len()).filter_map(|group| found.element.permutation(group));
    json!({
        "ms": ms,
        "objective": found.objective,
        "permutations": tables.collect::<Vec<&[usize]>>(),
        "num_assignments": found.record.num_assignments,
        "order": watched.order.take(),
        "groups": groups,
        "a": parameters(&a),
        "b": parameters(&b),
    })
}

fn described(group: &Group) -> Value {
    let members = group.members().iter();
    let members = members.map(|member| json!({ "path": member.path, "axis": member.axis }));
    json!({ "size": group.size(), "members": members.collect::<Vec<Value>>() })
}

/// The parameters by path.
fn parameters<M: Module>(model: &M) -> BTreeMap<String, Value> {
    let space = ParamSpace::of(model).expect("a space");
    let weights = ParamVector::from_module(&space, model).expect("weights");
    let leaves = space.leaves().iter().map(|leaf| {
        let values: Vec<f32> = weights.leaf(leaf).into_data().iter().collect();
        let entry = json!({ "shape": leaf.shape(), "values": values });
        (leaf.path().to_string(), entry)
    });
    leaves.collect()
}

fn shown<M>(found: &Alignment<M>) {
    let start = &found.record.starts[found.record.best];
    println!(
        "sweeps               {:>10}, {:?}",
        start.num_sweeps, start.outcome
    );
    println!("assignments          {:>10}", found.record.num_assignments);
    println!(
        "objective            {:>10.3} to {:.3}",
        start.objectives[0], found.objective
    );
}

const WIDTH: usize = 384;
const HIDDEN: usize = 1536;
const WORDS: usize = 64;

#[derive(Module, Debug)]
struct Encoder {
    embedding: Embedding,
    layers: TransformerEncoder,
    head: Linear,
}

impl Encoder {
    fn new(device: &Device) -> Self {
        Self {
            embedding: EmbeddingConfig::new(WORDS, WIDTH).init(device),
            layers: TransformerEncoderConfig::new(WIDTH, HIDDEN, 6, 6)
                .with_norm_first(true)
                .init(device),
            head: LinearConfig::new(WIDTH, 10).init(device),
        }
    }

    fn outputs(&self, words: &Tensor<2, Int>) -> Tensor<3> {
        let x = self.embedding.forward(words.clone());
        let x = self.layers.forward(TransformerEncoderInput::new(x));
        self.head.forward(x)
    }
}

/// Prints the time and the memory of an alignment of random encoders.
fn encoders(device: &Device) {
    device.seed(2);
    let [a, b] = [(); 2].map(|()| {
        let model = Encoder::new(device);
        ParamSpace::of(&model).expect("a space");
        model
    });
    let words = Tensor::<1, Int>::arange(0..32, device).reshape([2, 16]);
    let outputs = |model: &Encoder, words: &Tensor<2, Int>| model.outputs(words);
    let symmetries = SymmetriesConfig::new().run(&outputs, &a, words);
    let symmetries = symmetries.expect("symmetries");
    let megabytes = |bytes: f64| bytes / f64::from(1 << 20);
    let model = (a.num_params() * size_of::<f32>()) as f64;
    let sizes = symmetries.groups().iter().map(Group::size);
    let largest = sizes.max().unwrap_or(0);
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let start = Instant::now();
    let found = WeightMatchingConfig::new().run(&symmetries, &a, &b);
    let found = found.expect("an alignment");
    let seconds = start.elapsed().as_secs_f64();
    let peak = (ALLOCATOR.peak_usage() - before) as f64;
    let matrix = (largest * largest * size_of::<f64>()) as f64;
    println!();
    println!("encoders             {:>10} parameters", a.num_params());
    println!(
        "groups               {:>10}, the largest of {largest}",
        symmetries.groups().len()
    );
    println!("weight matching      {seconds:>10.1} s (the bar is 120)");
    shown(&found);
    println!(
        "peak beyond models   {:>10.1} MiB (the bar is {:.1})",
        megabytes(peak),
        megabytes(6.0 * model + matrix)
    );
    println!("in models            {:>10.2}", peak / model);
}
