//! The memory of curvature operators, and of the principal components of a trajectory, by a counting allocator.
//!
//! A binary of its own with a single test: what others allocate meanwhile would count.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation fails the test"
)]

#[path = "../benches/curvature/models.rs"]
#[allow(dead_code, reason = "shared with the benchmark")]
mod models;

use burn::optim::GradientsParams;
use burn::tensor::Device;
use burnscape::curvature::CurvatureError;
use burnscape::krylov::LinearOperator;
use burnscape::linearize::{Conv, Kind};
use burnscape::loss::{Risk, Split};
use burnscape::space::ParamVector;
use models::{Batch, Classifier, ConvNet, Gpt, batch, loss, risk};

#[global_allocator]
static ALLOCATOR: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// The most that `work` allocates beyond what is allocated before it, in bytes, the second time.
fn peak<T>(work: impl Fn() -> T) -> f64 {
    drop(work());
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    drop(work());
    (ALLOCATOR.peak_usage() - before) as f64
}

fn gradient_peak<M: Classifier<D>, const D: usize>(model: &M, batch: &Batch<D>) -> f64 {
    let lifted = (batch.0.clone().autodiff(), batch.1.clone().autodiff());
    peak(|| {
        let loss = loss(model, lifted.clone());
        GradientsParams::from_grads(loss.backward(), model)
    })
}

/// Making a Hessian and a product, in units of `gradient`. It must be near what was predicted.
fn measured<M: Classifier<D>, const D: usize>(
    name: &str,
    risk: &Risk<'_, M, Split>,
    model: &M,
    gradient: f64,
) -> f64 {
    let plan = risk.hessian(model).expect("a Hessian").memory_plan();
    let measured = peak(|| {
        let hessian = risk.hessian(model).expect("a Hessian");
        let v = ParamVector::gaussian(hessian.space(), 1).expect("a vector");
        hessian.matvec(&v).expect("a product")
    });
    let predicted = plan.peak_bytes as f64 / measured;
    let ratio = measured / gradient;
    println!("{name}: {ratio:.2} gradients, predicted {predicted:.2} of it ({plan})");
    // What the host keeps of each of many small parts is not predicted.
    let least = if plan.recomputed_batches > 8 {
        0.7
    } else {
        0.8
    };
    assert!((least..=1.2).contains(&predicted), "{name}: {predicted}");
    ratio
}

fn product<M: Classifier<D>, const D: usize>(risk: &Risk<'_, M, Split>, model: &M) -> Vec<f64> {
    let hessian = risk.hessian(model).expect("a Hessian");
    let v = ParamVector::gaussian(hessian.space(), 1).expect("a vector");
    let product = hessian.matvec(&v).expect("a product");
    product.to_host().expect("numbers")
}

/// The least budget, as the refusal of a smaller one tells.
fn least<M: Classifier<D>, const D: usize>(risk: &Risk<'_, M, Split>, model: &M) -> usize {
    match risk.clone().with_memory_budget(1).hessian(model).map(drop) {
        Err(CurvatureError::MemoryBudget { least, .. }) => least as usize,
        other => panic!("{other:?}"),
    }
}

/// Blocks within a budget are single products, and take no more than the budget, beside their vectors and results.
fn assert_blocks<M: Classifier<D>, const D: usize>(
    name: &str,
    risk: &Risk<'_, M, Split>,
    model: &M,
    budget: usize,
) {
    let risk = risk.clone().with_memory_budget(budget);
    let space = risk.space(model).expect("a space");
    let vector = |seed| ParamVector::gaussian(&space, seed).expect("a vector");
    let vectors: Vec<ParamVector> = (0..8).map(vector).collect();
    let peak = peak(|| {
        let hessian = risk.hessian(model).expect("a Hessian");
        hessian.matmat(&vectors).expect("products")
    });
    let given = 2.0 * (vectors.len() * space.len() * 4) as f64;
    println!(
        "{name}: {:.2} of the budget",
        (peak - given) / budget as f64
    );
    assert!(peak - given <= 1.2 * budget as f64, "{name}");
    let hessian = risk.hessian(model).expect("a Hessian");
    for (v, product) in vectors
        .iter()
        .zip(hessian.matmat(&vectors).expect("products"))
    {
        let single = hessian.matvec(v).expect("a product");
        let [single, product] = [single, product].map(|x| x.to_host().expect("numbers"));
        assert_eq!(single, product);
    }
}

/// The buffers of convolutions, beside operands and results.
fn assert_buffers() {
    let square = |batch, inputs, size: usize, outputs, kernel, stride, padding| Conv {
        batch,
        groups: 1,
        inputs,
        outputs,
        input: [1, size, size],
        kernel: [1, kernel, kernel],
        output: [
            1,
            (size + 2 * padding - kernel) / stride + 1,
            (size + 2 * padding - kernel) / stride + 1,
        ],
        stride: [1, stride, stride],
        padding: [0, padding, padding],
        dilation: [1; 3],
    };
    let mut grouped = square(16, 64, 16, 64, 3, 1, 1);
    grouped.groups = 4;
    let all = [
        square(128, 1, 28, 8, 3, 1, 0),
        square(128, 8, 13, 16, 3, 1, 0),
        square(16, 64, 32, 64, 3, 1, 1),
        square(16, 64, 32, 128, 3, 2, 1),
        square(1, 128, 16, 128, 3, 1, 1),
        square(32, 128, 8, 128, 1, 1, 0),
        grouped,
    ];
    let ones = |len| vec![1.0_f32; len];
    let threads = std::thread::available_parallelism().map_or(1.0, |count| count.get() as f64);
    for conv in all {
        let [x, weight, gradient] =
            [conv.input_len(), conv.weight_len(), conv.output_len()].map(ones);
        for (kind, operands, len) in [
            (Kind::Forward, [&x, &weight], gradient.len()),
            (Kind::Input, [&weight, &gradient], x.len()),
            (Kind::Weight, [&x, &gradient], weight.len()),
        ] {
            let [a, b] = operands.map(Vec::as_slice);
            let measured = peak(|| conv.run(kind, conv.is_tiled(kind), [a, b])) - (4 * len) as f64;
            let predicted = conv.buffers(kind, 4) as f64;
            println!("{kind:?} {conv:?}: {measured} bytes, predicted {predicted}");
            // Plans and lists of places are not counted, and threads may come one after the other.
            assert!(measured <= 1.1 * predicted + 131072.0);
            assert!(predicted <= threads * measured + 131072.0);
        }
    }
}

/// The principal components of files: the pieces of all checkpoints are two models, beside the components in f64.
#[cfg(feature = "files")]
fn assert_pieces(device: &Device) {
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::Tensor;
    use burnscape::dynamics::{Due, Moment, Watch};
    use burnscape::space::ParamSpace;
    use burnscape::trajectory::{Trajectory, TrajectoryLog, TrajectoryPcaConfig};

    let directory = std::env::temp_dir().join(format!("burnscape-memory-{}", std::process::id()));
    drop(std::fs::remove_dir_all(&directory));
    let start = LinearConfig::new(600, 500).init(device);
    let space = ParamSpace::of(&start).expect("a space");
    let loss = |_: &Linear, x: Tensor<2>| x.mean();
    let data = [Tensor::<2>::ones([1, 1], device)];
    let log = TrajectoryLog::create(&directory).expect("a log");
    let mut watch = Watch::new(Due::Every(1), log, Risk::new(&loss, &data)).expect("a watch");
    for step in 0..20 {
        let weights = ParamVector::gaussian(&space, step as u64).expect("a vector");
        let model = weights.apply_to(&start).expect("a model");
        let moment = Moment::new(step, 0.1, &model);
        watch.observe(&moment).expect("a checkpoint");
    }
    let trajectory = Trajectory::open(&directory, &start).expect("a trajectory");
    let count = 2;
    let peak = peak(|| {
        let config = TrajectoryPcaConfig::new(count);
        config.run(&trajectory).expect("components")
    });
    let components = (8 * count * space.len()) as f64;
    let models = (peak - components) / (4 * space.len()) as f64;
    println!("{count} components of 20 checkpoints: {models:.2} models beside them");
    // The piece that is read, and the blocks of the products, come to it.
    assert!((1.9..=2.6).contains(&models), "{models}");
    std::fs::remove_dir_all(&directory).expect("a directory");
}

#[test]
fn peaks_are_as_predicted_and_within_budgets() {
    assert_buffers();
    let device = Device::flex();
    #[cfg(feature = "files")]
    assert_pieces(&device);
    let lifted = device.clone().autodiff();
    let convolutions = ConvNet::new(&lifted);
    let images = [batch([128, 1, 28, 28], &device)];
    let gradient = gradient_peak(&convolutions, &images[0]);
    let kept = risk::<ConvNet, 4>(&images);
    measured("convolutions, kept", &kept, &convolutions, gradient);
    let recomputed = kept.clone().with_residual_budget(0);
    let ratio = measured(
        "convolutions, recomputed",
        &recomputed,
        &convolutions,
        gradient,
    );
    assert!(ratio < 1.5);
    let budget = least(&kept, &convolutions);
    for budget in [budget, 2 * budget] {
        let split = kept.clone().with_memory_budget(budget);
        let ratio = measured("convolutions, split", &split, &convolutions, gradient);
        assert!(ratio * gradient <= budget as f64 / 0.7);
        let plan = split
            .hessian(&convolutions)
            .expect("a Hessian")
            .memory_plan();
        assert!(plan.examples_per_batch.is_some(), "{plan}");
    }

    let gpt = Gpt::new(64, 3, 128, &lifted);
    let tokens = [Gpt::batch(4, 128, &device)];
    let gradient = gradient_peak(&gpt, &tokens[0]);
    let kept = risk::<Gpt, 2>(&tokens);
    let ratio = measured("GPT, kept", &kept, &gpt, gradient);
    assert!(ratio > 3.0);
    let reference = product(&kept, &gpt);
    let recomputed = kept.clone().with_residual_budget(0);
    let ratio = measured("GPT, recomputed", &recomputed, &gpt, gradient);
    assert!(ratio < 2.1);
    assert_eq!(product(&recomputed, &gpt), reference);
    let budget = 1.3 * gradient;
    let segments = kept.clone().with_memory_budget(budget as usize);
    let plan = segments.hessian(&gpt).expect("a Hessian").memory_plan();
    assert!(
        plan.segments > 1 && plan.examples_per_batch.is_none(),
        "{plan}"
    );
    let ratio = measured("GPT, in segments", &segments, &gpt, gradient);
    assert!(ratio < 1.3 * 1.2);
    for factor in [1.3, 2.5, 4.0, 8.0] {
        let budget = (factor * gradient) as usize;
        assert_blocks(
            &format!("GPT, 8 rows, {factor} gradients"),
            &kept,
            &gpt,
            budget,
        );
    }
    assert_eq!(product(&segments, &gpt), reference);
}
