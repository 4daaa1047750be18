//! What it takes to align models by weights, on Flex.
//!
//! ```text
//! cargo bench -p burnscape --bench align
//! ```
//!
//! - Two perceptrons 64-512-512-512-10, trained on digits from different seeds: the time of weight matching from the
//!   identity, a median. `benches/peers/align.py` runs the same algorithm in NumPy and SciPy on the same weights, with
//!   the same start and order. The bar is 1.2 times its time.
//! - Two encoders of 10 million parameters (6 layers, width 384, 6 heads, 1,536 units), which are random: the time until
//!   a sweep brings nothing, with a bar of 2 minutes, and the peak of memory beyond the models, with a bar of 6 times a
//!   model and a matrix of the largest group.
//!
//! Options: `--rounds N` (9 by default), `--only perceptrons` or `--only encoders`, and `--json FILE`, which writes
//! figures, weights and order for the peer.
#![allow(clippy::expect_used, reason = "a benchmark stops at its first error")]

use std::cell::RefCell;
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
    WeightSimilarity,
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
    let is_chosen = |name: &str| only.as_deref().is_none_or(|only| only == name);
    // So that glibc does not hand memory back between rounds; a program with data has done this.
    drop(black_box(vec![1_u8; 31 << 20]));
    let device = Device::flex();
    if is_chosen("perceptrons") {
        let figures = perceptrons(&device, rounds);
        if let Some(path) = option("--json") {
            let text = serde_json::to_string(&figures).expect("numbers");
            std::fs::write(path, text).expect("a file");
        }
    }
    if is_chosen("encoders") {
        encoders(&device);
    }
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
