//! Linear maps of a model agree: single and in blocks, with residuals stored and recomputed.

use burn::backend::DispatchTensor;
use burn::module::{Flag, Module, ModuleMapper, Param};
use burn::nn::attention::{MhaInput, MultiHeadAttention, MultiHeadAttentionConfig};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::MaxPool2dConfig;
use burn::nn::{
    BatchNorm, BatchNormConfig, Dropout, DropoutConfig, LayerNorm, LayerNormConfig, Linear,
    LinearConfig,
};
use burn::tensor::Distribution::{Normal, Uniform};
use burn::tensor::activation::gelu;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use burnscape_linearize::{
    Batching, Checkpointing, GradientTrace, Likelihood, LinearMap, LinearizeError, Linearized,
    OutputMetric, OutputTrace, Point, Sharing,
};
use burnscape_testkit::double::device;
use rand::SeedableRng;
use rand::rngs::StdRng;

/// A convolution, a normalization, a pool, attention, and linear layers on matrices and words.
#[derive(Module, Debug)]
struct Net {
    conv: Conv2d,
    norm: BatchNorm,
    attention: MultiHeadAttention,
    between: LayerNorm,
    dropout: Dropout,
    last: Linear,
}

impl Net {
    fn new(device: &Device) -> Self {
        // One number a head: Burn's backward pass divides by the root of their number in f32.
        let attention = MultiHeadAttentionConfig::new(4, 4).with_dropout(0.0);
        Self {
            conv: Conv2dConfig::new([2, 4], [3, 3]).init(device),
            norm: BatchNormConfig::new(4).init(device),
            attention: attention.init(device),
            between: LayerNormConfig::new(4).init(device),
            dropout: DropoutConfig::new(0.3).init(),
            last: LinearConfig::new(4, 3).init(device),
        }
    }

    fn logits(&self, x: Tensor<4>) -> Tensor<2> {
        let hidden = gelu(self.norm.forward(self.conv.forward(x)));
        let hidden = MaxPool2dConfig::new([2, 2]).init().forward(hidden);
        let [batch, channels, height, width] = hidden.dims();
        let words = hidden
            .reshape([batch, channels, height * width])
            .swap_dims(1, 2);
        let context = self
            .attention
            .forward(MhaInput::self_attn(words.clone()))
            .context;
        let words = self.dropout.forward(self.between.forward(context + words));
        self.last
            .forward(words.tanh().mean_dim(1).squeeze_dim::<2>(1))
    }
}

type Batch = (Tensor<4>, Tensor<1, Int>);

fn criterion(z: Tensor<2>, y: Tensor<1, Int>) -> Tensor<1> {
    let device = z.device();
    CrossEntropyLossConfig::new().init(&device).forward(z, y)
}

fn waves(len: usize, phase: f64) -> Tensor<1> {
    let wave = |i: usize| (1.0 + 0.37 * (i as f64 + phase).powf(1.31)).sin();
    let numbers: Vec<f64> = (0..len).map(wave).collect();
    Tensor::from_data(TensorData::new(numbers, [len]), &device())
}

struct Setup {
    net: Net,
    batch: Batch,
}

fn setup() -> Setup {
    let device = device();
    let x = waves(5 * 2 * 6 * 6, 0.3).reshape([5, 2, 6, 6]);
    let y = Tensor::<1, Int>::from_data([0, 2, 1, 1, 0], &device);
    let net = Net::new(&device.autodiff());
    Setup { net, batch: (x, y) }
}

impl Setup {
    fn split(&self, training: bool) -> OutputTrace {
        let net = self.net.valid().train();
        let net = if training { net } else { eval(net) };
        OutputTrace::with_criterion(
            net,
            device().settings(),
            |inputs| {
                (
                    inputs.float(self.batch.0.clone()),
                    inputs.int(self.batch.1.clone()),
                )
            },
            |net: &Net, (x, _): &Batch| net.logits(x.clone()),
            |z, (_, y)| criterion(z, y),
        )
        .expect("a trace")
    }

    fn hessian(&self, training: bool) -> (LinearMap, Vec<DispatchTensor>) {
        let net = self.net.valid().train();
        let net = if training { net } else { eval(net) };
        let trace = GradientTrace::new(
            net,
            device().settings(),
            |inputs| {
                (
                    inputs.float(self.batch.0.clone()),
                    inputs.int(self.batch.1.clone()),
                )
            },
            |net: &Net, (x, y): Batch| criterion(net.logits(x), y),
        );
        let trace = trace.expect("a trace");
        let wrt: Vec<usize> = (0..trace.parameters.len()).collect();
        let map = LinearMap::hessian(&trace, &wrt, device().settings()).expect("a map");
        (map, trace.bindings)
    }
}

/// The model in inference, with parameters that require gradients all the same.
fn eval(net: Net) -> Net {
    struct Off;
    impl ModuleMapper for Off {
        fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
            flag.with_value(false)
        }
    }
    net.map(&mut Off)
}

fn all(trace: &OutputTrace) -> Vec<usize> {
    (0..trace.parameters.len()).collect()
}

fn dense(at: &mut Linearized, point: &Point) -> Vec<Vec<f64>> {
    let columns = at.map().num_columns();
    let identity: Vec<f64> = (0..columns * columns)
        .map(|i| f64::from(u8::from(i / columns == i % columns)))
        .collect();
    let identity = TensorData::new(identity, [columns, columns]);
    let identity = Tensor::<2>::from_data(identity, &device());
    let block = at.apply_block(point, identity).expect("products");
    let rows = at.map().num_rows();
    let numbers: Vec<f64> = block.into_data().iter::<f64>().collect();
    // Row i of the block is column i of the matrix.
    (0..rows)
        .map(|row| {
            (0..columns)
                .map(|column| numbers[column * rows + row])
                .collect()
        })
        .collect()
}

fn host(tensor: &Tensor<1>) -> Vec<f64> {
    tensor.to_data().iter::<f64>().collect()
}

#[track_caller]
fn assert_close(a: &[f64], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len());
    let size = a.iter().map(|x| x * x).sum::<f64>().sqrt();
    let difference = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b));
    let difference = difference.sum::<f64>().sqrt();
    assert!(size > 1e-6, "nothing to compare: {size:e}");
    assert!(difference <= tolerance * size, "{difference:e} of {size:e}");
}

#[test]
fn blocks_agree_with_single_products_and_with_recomputed_ones() {
    let setup = setup();
    let all = [false, true].map(|training| {
        [Batching::Together, Batching::InTurn].map(|batching| (training, batching))
    });
    for (training, batching) in all.concat() {
        let (map, bindings) = setup.hessian(training);
        let at = Linearized::new(&map, &device()).expect("a device");
        let mut at = at.with_batching(batching);
        let kept = at.point(&bindings, Checkpointing::Store).expect("a point");
        let n = map.num_columns();
        let single = at.apply(&kept, &[waves(n, 3.0)]).expect("a product");
        let again = at.apply(&kept, &[waves(n, 3.0)]).expect("a product");
        assert_eq!(host(&single[0]), host(&again[0]));
        let block = Tensor::stack::<2>(vec![waves(n, 1.0), waves(n, 3.0), waves(n, 9.0)], 0);
        let products = at.apply_block(&kept, block.clone()).expect("products");
        let second = products.clone().slice([1..2, 0..n]).reshape([n]);
        assert_close(&host(&single[0]), &host(&second), 1e-12);

        // Drawn masks are kept with the point, so a second point differs in training.
        let other = at
            .point(&bindings, Checkpointing::Recompute)
            .expect("a point");
        let recomputed = at.apply_block(&other, block).expect("products");
        let one = at.apply(&other, &[waves(n, 3.0)]).expect("a product");
        let two = at.apply(&other, &[waves(n, 3.0)]).expect("a product");
        assert_eq!(host(&one[0]), host(&two[0]));
        let row = recomputed.slice([1..2, 0..n]).reshape([n]);
        assert_close(&host(&one[0]), &host(&row), 1e-12);
        if !training {
            assert_close(&host(&single[0]), &host(&one[0]), 1e-13);
        }
    }
}

#[test]
fn segments_change_no_bit() {
    let setup = setup();
    let settings = device().settings();
    let trace = setup.split(true);
    let wrt = all(&trace);
    let (hessian, bindings) = setup.hessian(true);
    let maps = [
        (hessian, bindings),
        (
            LinearMap::gauss_newton(&trace, &wrt, settings).expect("a map"),
            trace.bindings.clone(),
        ),
        (
            LinearMap::jacobian(&trace, &wrt, settings).expect("a map"),
            trace.bindings.clone(),
        ),
        (
            LinearMap::jacobian_transposed(&trace, &wrt, settings).expect("a map"),
            trace.bindings.clone(),
        ),
    ];
    for (map, bindings) in maps {
        let mut at = Linearized::new(&map, &device()).expect("a device");
        let kept = at.point(&bindings, Checkpointing::Store).expect("a point");
        let tangent = [waves(map.num_columns(), 2.0)];
        let product = at.apply(&kept, &tangent).expect("a product");
        for segments in [1, 2, 3, 7] {
            at = at.with_segments(segments);
            let point = at.point_with_draws_of(&kept, &bindings, Checkpointing::Recompute);
            let point = point.expect("a point");
            for (value, expected) in point.values().iter().zip(kept.values()) {
                assert_eq!(host(value), host(expected));
            }
            let found = at.apply(&point, &tangent).expect("a product");
            assert_eq!(host(&found[0]), host(&product[0]), "{segments} segments");
        }
    }
}

#[test]
fn a_block_is_the_same_where_residuals_are_not_shared() {
    let setup = setup();
    let (map, bindings) = setup.hessian(false);
    let at = Linearized::new(&map, &device()).expect("a device");
    let mut at = at.with_batching(Batching::InTurn);
    let point = at
        .point(&bindings, Checkpointing::Recompute)
        .expect("a point");
    let n = map.num_columns();
    let block = Tensor::stack::<2>(vec![waves(n, 1.0), waves(n, 3.0)], 0);
    let shared = at.apply_block(&point, block.clone()).expect("products");
    at.share_residuals(Sharing::Groups(1));
    let alone = at.apply_block(&point, block).expect("products");
    assert_eq!(shared.into_data(), alone.into_data());
}

/// Enough of them to be made several at a time, where there are threads for it.
#[test]
fn each_of_many_products_is_the_single_one() {
    let setup = setup();
    let (map, bindings) = setup.hessian(false);
    let mut at = Linearized::new(&map, &device()).expect("a device");
    let n = map.num_columns();
    let tangents: Vec<_> = (0..40).map(|i| waves(n, 0.5 * f64::from(i))).collect();
    for residuals in [Checkpointing::Store, Checkpointing::Recompute] {
        let point = at.point(&bindings, residuals).expect("a point");
        let block = Tensor::stack::<2>(tangents.clone(), 0);
        let products = at.apply_block(&point, block).expect("products");
        for (index, tangent) in tangents.iter().enumerate() {
            let single = at
                .apply(&point, std::slice::from_ref(tangent))
                .expect("a product");
            let row = products
                .clone()
                .slice([index..index + 1, 0..n])
                .reshape([n]);
            assert_close(&host(&single[0]), &host(&row), 1e-12);
        }
    }
}

#[test]
fn a_sandwich_is_the_product_of_its_layers() {
    let setup = setup();
    let trace = setup.split(false);
    let (wrt, settings) = (all(&trace), device().settings());
    let take = |map: &LinearMap| {
        let at = Linearized::new(map, &device()).expect("a device");
        let mut at = at.with_batching(Batching::Together);
        let point = at
            .point(&trace.bindings, Checkpointing::Store)
            .expect("a point");
        let matrix = dense(&mut at, &point);
        (matrix, host(&point.values()[0]))
    };
    let (jacobian, z) = take(&LinearMap::jacobian(&trace, &wrt, settings).expect("J"));
    let transposed = LinearMap::jacobian_transposed(&trace, &wrt, settings);
    let (transposed, z2) = take(&transposed.expect("J'"));
    assert_eq!(z, z2);
    for (row, line) in jacobian.iter().enumerate() {
        let column: Vec<f64> = transposed.iter().map(|line| line[row]).collect();
        assert_close(line, &column, 1e-12);
    }

    // Mean cross-entropy: (diag p − p pᵀ) / n for each example.
    let n = 5;
    let middle = |row: usize, column: usize| -> f64 {
        if row / 3 != column / 3 {
            return 0.0;
        }
        let logits = &z[row / 3 * 3..row / 3 * 3 + 3];
        let total: f64 = logits.iter().map(|z| z.exp()).sum();
        let p = |i: usize| logits[i % 3].exp() / total;
        let diagonal = if row == column { p(row) } else { 0.0 };
        (diagonal - p(row) * p(column)) / n as f64
    };
    let columns = jacobian[0].len();
    let mut expected = vec![0.0; columns * columns];
    for a in 0..z.len() {
        for b in 0..z.len() {
            let m = middle(a, b);
            for i in 0..columns {
                for j in 0..columns {
                    expected[i * columns + j] += m * jacobian[a][i] * jacobian[b][j];
                }
            }
        }
    }
    let (newton, _) = take(&LinearMap::gauss_newton(&trace, &wrt, settings).expect("G"));
    assert_close(&expected, &newton.concat(), 1e-11);
    let metric = OutputMetric::Fisher {
        likelihood: Likelihood::Categorical,
        scale: 1.0 / n as f64,
    };
    let fisher = LinearMap::pulled_back(&trace, &wrt, metric, settings).expect("F");
    let (fisher, _) = take(&fisher);
    assert_close(&expected, &fisher.concat(), 1e-11);
    let metric = OutputMetric::Identity { scale: 0.5 };
    let gram = LinearMap::pulled_back(&trace, &wrt, metric, settings).expect("a Gram matrix");
    let (gram, _) = take(&gram);
    let mut expected = vec![0.0; columns * columns];
    for line in &jacobian {
        for i in 0..columns {
            for j in 0..columns {
                expected[i * columns + j] += 0.5 * line[i] * line[j];
            }
        }
    }
    assert_close(&expected, &gram.concat(), 1e-11);
}

#[test]
fn outputs_that_do_not_move_give_a_zero_matrix() {
    let net = Net::new(&device().autodiff());
    let trace = OutputTrace::new(
        eval(net),
        device().settings(),
        |_| (),
        |net: &Net, ()| net.last.bias.clone().expect("a bias").val(),
    );
    let trace = trace.expect("a trace");
    // The first parameter has no part in the outputs.
    let wrt = [0];
    let metric = OutputMetric::Identity { scale: 1.0 };
    let map = LinearMap::pulled_back(&trace, &wrt, metric, device().settings()).expect("a map");
    let mut at = Linearized::new(&map, &device()).expect("a device");
    let point = at
        .point(&trace.bindings, Checkpointing::Store)
        .expect("a point");
    let product = at.apply(&point, &[waves(map.num_columns(), 1.0)]);
    assert!(
        host(&product.expect("a product")[0])
            .iter()
            .all(|&x| x == 0.0)
    );
    // The bias is its own output: the identity.
    let last = trace.parameters.len() - 1;
    let map = LinearMap::pulled_back(&trace, &[last], metric, device().settings()).expect("a map");
    let mut at = Linearized::new(&map, &device()).expect("a device");
    let point = at
        .point(&trace.bindings, Checkpointing::Recompute)
        .expect("a point");
    let product = at.apply(&point, &[waves(3, 1.0)]).expect("a product");
    assert_eq!(host(&product[0]), host(&waves(3, 1.0)));
    let block = Tensor::stack::<2>(vec![waves(3, 1.0), waves(3, 2.0)], 0);
    let products = at.apply_block(&point, block.clone()).expect("products");
    assert_eq!(products.into_data(), block.into_data());
}

#[test]
fn sampled_fisher_information_converges_to_the_exact_one() {
    let setup = setup();
    let trace = setup.split(false);
    let settings = device().settings();
    for likelihood in [
        Likelihood::Categorical,
        Likelihood::Bernoulli,
        Likelihood::Gaussian,
    ] {
        let last = trace.parameters.len() - 1;
        let wrt = [last - 1, last];
        let take = |metric: OutputMetric, seed: u64| {
            let map = LinearMap::pulled_back(&trace, &wrt, metric, settings).expect("a map");
            let mut at = Linearized::new(&map, &device()).expect("a device");
            let mut inputs = trace.bindings.clone();
            if let Some(noise) = metric.noise(trace.output_shape()) {
                let law = if noise.is_normal {
                    Normal(0.0, 1.0)
                } else {
                    Uniform(0.0, 1.0)
                };
                let dims: [usize; 3] = noise.shape.try_into().expect("three axes");
                let mut rng = StdRng::seed_from_u64(seed);
                let data = TensorData::random::<f64, _, _>(dims, law, &mut rng);
                inputs.push(Tensor::<3>::from_data(data, &device()).into_dispatch());
            }
            let point = at.point(&inputs, Checkpointing::Store).expect("a point");
            dense(&mut at, &point).concat()
        };
        let exact = OutputMetric::Fisher {
            likelihood,
            scale: 0.2,
        };
        let exact = take(exact, 0);
        let error = |samples: usize, seed: u64| {
            let sampled = OutputMetric::SampledFisher {
                likelihood,
                scale: 0.2,
                samples,
            };
            let sampled = take(sampled, seed);
            let square = |x: f64| x * x;
            let size: f64 = exact.iter().map(|x| square(*x)).sum();
            let difference = exact.iter().zip(&sampled).map(|(a, b)| square(a - b));
            (difference.sum::<f64>() / size).sqrt()
        };
        // A single small sample may be near by chance.
        let few = (0..8).map(|seed| error(100, seed)).sum::<f64>() / 8.0;
        let many = error(10_000, 3);
        println!("{likelihood:?}: {few:.3} with 100 samples, {many:.4} with 10,000");
        // As one over the root of the number of samples.
        assert!(many < 0.05 && many < 0.35 * few, "{few} {many}");
    }
}

#[test]
fn inputs_of_another_shape_or_type_are_refused() {
    let setup = setup();
    let (map, bindings) = setup.hessian(false);
    let mut at = Linearized::new(&map, &device()).expect("a device");
    let refused = |at: &mut Linearized, index: usize, tensor: DispatchTensor| {
        let mut inputs = bindings.clone();
        inputs[index] = tensor;
        let error = at.point(&inputs, Checkpointing::Store).map(|_| ());
        assert!(
            matches!(error, Err(LinearizeError::Mismatch { .. })),
            "{error:?}"
        );
    };
    let batch = bindings.len() - 2;
    let turned = setup.batch.0.clone().permute([1, 0, 2, 3]);
    refused(&mut at, batch, turned.into_dispatch());
    let single = setup.batch.0.clone().cast(DType::F32);
    refused(&mut at, batch, single.into_dispatch());
    let fewer = setup.batch.1.clone().narrow(0, 0, 4);
    refused(&mut at, batch + 1, fewer.into_dispatch());
    let point = at.point(&bindings, Checkpointing::Store).expect("a point");
    let n = map.num_columns();
    let short = at.apply(&point, &[waves(n - 1, 1.0)]).map(|_| ());
    assert!(matches!(short, Err(LinearizeError::Mismatch { .. })));
    let single = at
        .apply(&point, &[waves(n, 1.0).cast(DType::F32)])
        .map(|_| ());
    assert!(matches!(single, Err(LinearizeError::Mismatch { .. })));
    // Nothing at all is nothing at all.
    let none = at.apply_block(&point, Tensor::zeros([0, n], &device()));
    assert_eq!(none.expect("nothing").dims(), [0, n]);
}
