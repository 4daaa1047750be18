//! What it takes to find the symmetries of a transformer encoder with 12 layers and about ten million parameters.
//!
//! ```text
//! cargo bench -p burnscape --bench symmetry
//! ```
//!
//! Prints the time to record the forward pass, to walk over its axes, and to find and verify the groups, recording
//! included, beside the time of one evaluation of the recorded program in f64. Medians of nine runs.
#![allow(clippy::expect_used, reason = "a benchmark stops at its first error")]

use std::hint::black_box;
use std::time::Instant;

use burn::module::Module;
use burn::nn::transformer::{
    TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::tensor::{Device, Int, Tensor};
use burnscape::linearize::Forward;
use burnscape::symmetry::SymmetriesConfig;

const WIDTH: usize = 256;
const WORDS: usize = 1000;

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
            layers: TransformerEncoderConfig::new(WIDTH, 4 * WIDTH, 8, 12)
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

/// The median time of nine runs in ms.
fn median<T>(mut run: impl FnMut() -> T) -> f64 {
    let mut times: Vec<f64> = (0..9)
        .map(|_| {
            let start = Instant::now();
            black_box(run());
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[4]
}

fn main() {
    let device = Device::flex();
    let model = Encoder::new(&device);
    println!("parameters           {:>10}", model.num_params());
    for length in [64, 256] {
        measure(&model, length, &device);
    }
}

/// A batch of four sequences.
fn measure(model: &Encoder, length: i64, device: &Device) {
    let words = Tensor::<1, Int>::arange(0..4 * length, device) % WORDS as i64;
    let words = words.reshape([4, length]);
    let outputs = |model: &Encoder, words: &Tensor<2, Int>| model.outputs(words);
    let record = || {
        Forward::new(
            model,
            device.settings(),
            |inputs| inputs.int(words.clone()),
            |model: &Encoder, words| vec![model.outputs(words).into_dispatch()],
        )
        .expect("a recording")
    };
    let forward = record();
    let recording = median(record);
    let walk = median(|| forward.axes());
    let discovery = median(|| {
        SymmetriesConfig::new()
            .run(&outputs, model, words.clone())
            .expect("symmetries")
    });
    // The values of the model's inputs, in f64.
    let mut double = forward.in_f64().prepare(device).expect("a program");
    let inputs: Vec<_> = forward
        .bindings
        .iter()
        .map(|tensor| {
            use burn::backend::{Dispatch, TensorMetadata, ops::FloatTensorOps};
            if tensor.dtype().is_float() {
                Dispatch::float_cast(tensor.clone(), burn::tensor::FloatDType::F64)
            } else {
                tensor.clone()
            }
        })
        .collect();
    let evaluation = median(|| double.run(&inputs).expect("outputs"));
    let symmetries = SymmetriesConfig::new()
        .run(&outputs, model, words.clone())
        .expect("symmetries");
    println!("4 sequences of       {length:>10}");
    println!("groups               {:>10}", symmetries.groups().len());
    println!("dropped              {:>10}", symmetries.dropped().len());
    println!("recording            {recording:>10.1} ms");
    println!("walk                 {walk:>10.1} ms");
    println!("evaluation in f64    {evaluation:>10.1} ms");
    println!("discovery            {discovery:>10.1} ms");
    println!(
        "without recording    {:>10.2} evaluations in f64",
        (discovery - recording) / evaluation
    );
}
