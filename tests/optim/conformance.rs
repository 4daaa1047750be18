//! Properties of every variant around every Burn optimizer.

use burn::module::{Module, Param};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{
    AdaGradConfig, AdafactorConfig, AdamConfig, AdamWConfig, AdanConfig, LambConfig, LionConfig,
    ModuleOptimizer, MuonConfig, RmsPropConfig, SgdConfig,
};
use burn::tensor::{DType, Device, Distribution, Tensor, TensorData};
use burnscape::loss::{ExampleLosses, Reduction};
use burnscape::optim::{OptimRecord, Sam, SamConfig, SkipReason, StepReport};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::fixture::device;
use super::registry::variants;

/// Linear regression with a frozen offset. One matrix, because Muon supports nothing else.
#[derive(Module, Debug)]
struct Regression {
    weight: Param<Tensor<2>>,
    frozen: Param<Tensor<1>>,
}

type Batch = (Tensor<2>, Tensor<2>);

impl Regression {
    fn new(device: &Device) -> Self {
        Self::of(DType::F32, device)
    }

    fn of(dtype: DType, device: &Device) -> Self {
        let options = (device, dtype);
        let weight = Tensor::from_data([[0.5, -1.0], [1.5, 0.3], [-0.7, 0.9]], options);
        let frozen = Tensor::from_data([0.25, -0.5], options);
        Self {
            weight: Param::from_tensor(weight),
            frozen: Param::from_tensor(frozen).set_require_grad(false),
        }
    }

    fn example_losses(&self, (x, y): Batch) -> Tensor<1> {
        let output = x.matmul(self.weight.val()) + self.frozen.val().unsqueeze();
        (output - y).square().sum_dim(1).squeeze_dim(1)
    }
}

fn batch() -> Batch {
    let device = device();
    // Drawn on the host: all tests of the process share the device's generator.
    let mut rng = StdRng::seed_from_u64(5);
    let x = TensorData::random::<f32, _, _>([12, 3], Distribution::Normal(0.0, 1.0), &mut rng);
    let x = Tensor::<2>::from_data(x, &device);
    let truth = Tensor::<2>::from_data([[1.0, 0.0], [0.0, 1.0], [0.5, -0.5]], &device);
    let y = x.clone().matmul(truth) + Tensor::<1>::from_data([0.25, -0.5], &device).unsqueeze();
    (x, y)
}

fn objective() -> ExampleLosses<impl Fn(&Regression, Batch) -> Tensor<1>> {
    ExampleLosses::new(
        |m: &Regression, batch| m.example_losses(batch),
        Reduction::Mean,
    )
}

/// Every Burn optimizer that steps a module, with a rate at which the quadratic falls.
fn bases() -> Vec<(&'static str, f64, ModuleOptimizer)> {
    let momentum = MomentumConfig::new().with_momentum(0.8).with_dampening(0.0);
    vec![
        ("sgd", 0.1, SgdConfig::new().init()),
        (
            "momentum",
            0.03,
            SgdConfig::new().with_momentum(Some(momentum)).init(),
        ),
        ("adam", 0.1, AdamConfig::new().init()),
        ("adamw", 0.1, AdamWConfig::new().init()),
        ("adagrad", 0.5, AdaGradConfig::new().init()),
        ("rmsprop", 0.03, RmsPropConfig::new().init()),
        ("adan", 0.1, AdanConfig::new().init()),
        ("lamb", 0.05, LambConfig::new().init()),
        ("lion", 0.03, LionConfig::new().init()),
        ("muon", 0.05, MuonConfig::new().init()),
        ("adafactor", 0.1, AdafactorConfig::new().init()),
    ]
}

fn data(model: &Regression) -> (TensorData, TensorData) {
    (
        model.weight.val().into_data(),
        model.frozen.val().into_data(),
    )
}

fn step(sam: &mut Sam, lr: f64, model: &mut Regression, batch: Batch) -> StepReport {
    sam.step_on(lr, model, batch, &objective()).expect("a step")
}

/// Runs `check` on every variant around every base; the message names the pair.
fn for_each(mut check: impl FnMut(&str, f64, SamConfig, ModuleOptimizer)) {
    for (variant, config) in variants() {
        for (base, lr, optimizer) in bases() {
            check(
                &format!("{variant} around {base}"),
                lr,
                config.clone(),
                optimizer,
            );
        }
    }
}

#[test]
fn every_variant_falls_on_a_quadratic() {
    let batch = batch();
    for_each(|name, lr, config, base| {
        let mut model = Regression::new(&device());
        let mut sam = config
            .with_rho(0.01)
            .init(base)
            .expect("a valid configuration");
        let first = step(&mut sam, lr, &mut model, batch.clone())
            .loss
            .expect("a loss");
        // Sign descent needs a falling rate to converge, and moves by the rate alone: with three times the rate, 60 steps
        // are enough.
        for index in 0..60 {
            let lr = 3.0 * lr * (1.0 - f64::from(index) / 60.0);
            step(&mut sam, lr, &mut model, batch.clone());
        }
        let last = step(&mut sam, 0.0, &mut model, batch.clone())
            .loss
            .expect("a loss");
        assert!(last < first / 10.0, "{name}: {first} to {last}");
    });
}

#[test]
fn without_a_radius_every_variant_is_its_base() {
    // In f64, so that combining gradients and splitting the batch round far below 1e-6.
    let batch = || {
        let (x, y) = batch();
        (x.cast(DType::F64), y.cast(DType::F64))
    };
    for_each(|name, lr, config, mut base| {
        let mut plain = Regression::of(DType::F64, &device());
        let mut displaced = plain.clone();
        // ESAM takes its second gradient on a part of the batch; here on all of it.
        let config = match config.selection {
            Some(_) => config.with_selection(Some(1.0)),
            None => config,
        };
        let mut sam = config
            .with_rho(0.0)
            .init(base.clone())
            .expect("a valid configuration");
        for _ in 0..4 {
            let loss = objective_mean(&plain, batch());
            let gradients = burn::optim::GradientsParams::from_grads(loss.backward(), &plain);
            plain = base.step(lr, plain, gradients);
            step(&mut sam, lr, &mut displaced, batch());
        }
        let (plain, displaced) = (data(&plain).0, data(&displaced).0);
        let rounds = ["gsam", "wsam", "looksam", "m-sharpness"];
        if rounds.iter().any(|part| name.starts_with(part)) {
            for (a, b) in plain.iter::<f64>().zip(displaced.iter::<f64>()) {
                assert!((a - b).abs() <= 1e-6 * a.abs(), "{name}: {a} and {b}");
            }
        } else {
            assert_eq!(plain, displaced, "{name}");
        }
    });
}

fn objective_mean(model: &Regression, batch: Batch) -> Tensor<1> {
    model.example_losses(batch).mean()
}

#[test]
fn a_zero_gradient_gives_no_displacement_and_no_nan() {
    for_each(|name, lr, config, base| {
        let (x, _) = batch();
        let zero = (
            x.clone().zeros_like(),
            Tensor::<2>::from_data([[0.25, -0.5]], &device()),
        );
        let zero = (zero.0, zero.1.expand([12, 2]));
        let mut model = Regression::new(&device());
        let mut sam = config.init(base).expect("a valid configuration");
        for _ in 0..4 {
            let report = step(&mut sam, lr, &mut model, zero.clone());
            assert_eq!(report.skipped, None, "{name}");
            assert_eq!(report.gradient_norm, 0.0, "{name}");
            assert_eq!(report.cosine, None, "{name}");
        }
        let weights: Vec<f64> = data(&model).0.iter::<f64>().collect();
        assert!(weights.iter().all(|w| w.is_finite()), "{name}: {weights:?}");
    });
}

#[test]
fn a_pass_that_is_not_finite_is_skipped_and_reported() {
    for_each(|name, lr, config, base| {
        let (x, y) = batch();
        let mut model = Regression::new(&device());
        let mut sam = config.init(base).expect("a valid configuration");
        step(&mut sam, lr, &mut model, (x.clone(), y.clone()));
        let before = data(&model);
        for poison in [f64::NAN, f64::INFINITY] {
            let report = step(&mut sam, lr, &mut model, (x.clone() * poison, y.clone()));
            assert_eq!(report.skipped, Some(SkipReason::NonFinite), "{name}");
            assert_eq!(data(&model), before, "{name}");
        }
        let report = step(&mut sam, lr, &mut model, (x, y));
        assert_eq!(report.skipped, None, "{name} must go on after a skip");
    });
}

#[test]
fn frozen_parameters_stay_bit_for_bit() {
    for_each(|name, lr, config, base| {
        let mut model = Regression::new(&device());
        let (weight, frozen) = data(&model);
        let mut sam = config.init(base).expect("a valid configuration");
        for _ in 0..3 {
            step(&mut sam, lr, &mut model, batch());
        }
        assert_eq!(data(&model).1, frozen, "{name}");
        assert_ne!(data(&model).0, weight, "{name}");
        assert!(!model.frozen.is_require_grad(), "{name}");
        assert!(model.weight.is_require_grad(), "{name}");
    });
}

#[test]
fn a_resumed_run_is_the_uninterrupted_one_bit_for_bit() {
    for_each(|name, lr, config, base| {
        let fresh = |config: &SamConfig, base: &ModuleOptimizer| {
            config
                .clone()
                .init(base.clone())
                .expect("a valid configuration")
        };
        let mut model = Regression::new(&device());
        let mut sam = fresh(&config, &base);
        for _ in 0..4 {
            step(&mut sam, lr, &mut model, batch());
        }
        let bytes = sam
            .to_record(&model)
            .and_then(OptimRecord::into_bytes)
            .expect("a record");
        let weights = model.clone().into_record();
        // As from a file with tensors only: with other identifiers.
        let rebuilt = Regression {
            weight: Param::from_tensor(model.weight.val().detach()),
            ..Regression::new(&device())
        };
        assert_ne!(rebuilt.weight.id, model.weight.id);
        for _ in 0..4 {
            step(&mut sam, lr, &mut model, batch());
        }

        let reloaded = Regression::new(&device()).load_record(weights);
        for mut resumed in [reloaded, rebuilt] {
            let record = OptimRecord::from_bytes(bytes.clone()).expect("a record");
            let mut sam = fresh(&config, &base)
                .load_record(record, &resumed)
                .expect("its own record");
            for _ in 0..4 {
                step(&mut sam, lr, &mut resumed, batch());
            }
            assert_eq!(data(&model), data(&resumed), "{name}");
        }
    });
}
