use burn::module::{Module, Param};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{
    AdaGradConfig, AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer, RmsPropConfig,
    SgdConfig,
};
use burn::tensor::{Bytes, DType, Device, Tensor, TensorData};
use burn_pack::{Scalar, Writer};
use burnscape_krylov::LinearOperator;

use super::*;
use crate::loss::Risk;

/// Two parameters, the second of which has one element.
#[derive(Module, Debug)]
struct Two {
    a: Param<Tensor<1>>,
    b: Param<Tensor<2>>,
}

impl Two {
    fn new(dtype: DType) -> Self {
        let device = Device::default().autodiff();
        let place = (&device, dtype);
        Self {
            a: Param::from_tensor(Tensor::zeros([2], place)),
            b: Param::from_tensor(Tensor::zeros([1, 1], place)),
        }
    }

    /// A step with this gradient, which the rate of zero does not take.
    fn step(self, optimizer: &mut ModuleOptimizer, [a, b, c]: [f64; 3]) -> Self {
        let tensor = self.a.val();
        let place = (&tensor.device(), tensor.dtype());
        let slopes = Tensor::<1>::from_data(TensorData::new(vec![a, b], [2]), place);
        let slope = Tensor::<2>::from_data(TensorData::new(vec![c], [1, 1]), place);
        let loss = (tensor * slopes).sum() + (self.b.val() * slope).sum();
        let gradients = GradientsParams::from_grads(loss.backward(), &self);
        optimizer.step(0.0, self, gradients)
    }
}

const GRADIENTS: [[f64; 3]; 3] = [[4.0, 1.0, 0.5], [-2.0, 1.0, -0.25], [1.0, 2.0, 0.5]];

/// `P` after three steps with [`GRADIENTS`].
fn diagonal(rule: &EdgeRule, optimizer: ModuleOptimizer, dtype: DType) -> Vec<f64> {
    let found = preconditioner(rule, optimizer, dtype).unwrap();
    let roots = found.root.to_host().unwrap();
    roots
        .into_iter()
        .map(|root| (root * root).recip())
        .collect()
}

fn preconditioner(
    rule: &EdgeRule,
    mut optimizer: ModuleOptimizer,
    dtype: DType,
) -> Result<Preconditioner, DynamicsError> {
    let mut model = Two::new(dtype);
    for gradient in GRADIENTS {
        model = model.step(&mut optimizer, gradient);
    }
    let space = ParamSpace::of(&model).unwrap();
    let found = rule.preconditioner(optimizer.to_record(), &space)?;
    Ok(found.expect("steps"))
}

#[track_caller]
fn assert_near(found: &[f64], expected: [f64; 3], tolerance: f64) {
    for (found, expected) in found.iter().zip(expected) {
        let error = (found - expected).abs();
        assert!(error < tolerance * expected, "{found} {expected}");
    }
}

/// `beta` and `1/1024` are numbers of single precision, in which Burn keeps them.
const BETA: f32 = 0.75;
const EPSILON: f32 = 1.0 / 1024.0;

/// The moving average of squares, and the largest so far, after three steps.
fn squares(index: usize) -> (f64, f64) {
    let beta = f64::from(BETA);
    let (mut average, mut largest) = (0.0, 0.0_f64);
    for gradient in GRADIENTS {
        average = beta * average + (1.0 - beta) * gradient[index] * gradient[index];
        largest = largest.max(average);
    }
    (average, largest)
}

#[test]
fn adam_divides_by_its_corrected_second_moment() {
    let config = AdamConfig::new()
        .with_beta_1(0.5)
        .with_beta_2(BETA)
        .with_epsilon(EPSILON);
    let (first, second) = (1.0 - 0.5_f64.powi(3), 1.0 - f64::from(BETA).powi(3));
    let of = |square: f64| first * ((square / second).sqrt() + f64::from(EPSILON));
    let expected = [0, 1, 2].map(|index| of(squares(index).0));
    let rule = EdgeRule::of(&config).unwrap();
    assert_near(&diagonal(&rule, config.init(), DType::F64), expected, 1e-14);
    assert_near(&diagonal(&rule, config.init(), DType::F32), expected, 1e-6);

    let decoupled = AdamWConfig::new()
        .with_beta_1(0.5)
        .with_beta_2(BETA)
        .with_epsilon(EPSILON);
    let rule = EdgeRule::of(&decoupled).unwrap();
    assert_near(
        &diagonal(&rule, decoupled.init(), DType::F64),
        expected,
        1e-14,
    );

    let largest = [0, 1, 2].map(|index| of(squares(index).1));
    assert!(largest[0] > expected[0]);
    for (rule, optimizer) in [
        (
            EdgeRule::of(&config.clone().with_amsgrad(true)),
            config.with_amsgrad(true).init(),
        ),
        (
            EdgeRule::of(&decoupled.clone().with_amsgrad(true)),
            decoupled.with_amsgrad(true).init(),
        ),
    ] {
        assert_near(
            &diagonal(&rule.unwrap(), optimizer, DType::F64),
            largest,
            1e-14,
        );
    }
}

#[test]
fn rms_prop_divides_by_its_mean_square() {
    let plain = RmsPropConfig::new()
        .with_alpha(BETA)
        .with_epsilon(EPSILON)
        .with_momentum(0.0);
    let mean_square = [0, 1, 2].map(|index| squares(index).0);
    let expected = mean_square.map(|square| square.sqrt() + f64::from(EPSILON));
    for config in [plain.clone(), plain.clone().with_momentum(0.5)] {
        let rule = EdgeRule::of(&config).unwrap();
        assert_near(&diagonal(&rule, config.init(), DType::F64), expected, 1e-14);
    }

    let centered = plain.with_centered(true);
    let beta = f64::from(BETA);
    let expected = [0, 1, 2].map(|index| {
        let mean = GRADIENTS.iter().fold(0.0, |mean, gradient| {
            beta * mean + (1.0 - beta) * gradient[index]
        });
        (mean_square[index] - mean * mean).sqrt() + f64::from(EPSILON)
    });
    let rule = EdgeRule::of(&centered).unwrap();
    assert_near(
        &diagonal(&rule, centered.init(), DType::F64),
        expected,
        1e-13,
    );
}

#[test]
fn ada_grad_divides_by_its_sum_and_its_rate_decays() {
    let config = AdaGradConfig::new()
        .with_lr_decay(0.1)
        .with_epsilon(EPSILON);
    let expected = [0, 1, 2].map(|index| {
        let sum: f64 = GRADIENTS.iter().map(|g| g[index] * g[index]).sum();
        // The fourth step divides the rate by 1 + 3 · 0.1.
        (sum.sqrt() + f64::from(EPSILON)) * 1.3
    });
    let rule = EdgeRule::of(&config).unwrap();
    assert_near(&diagonal(&rule, config.init(), DType::F64), expected, 1e-14);
}

#[test]
fn half_precision_is_read() {
    let config = AdaGradConfig::new().with_epsilon(0.0);
    let rule = EdgeRule::of(&config).unwrap();
    // Sums of squares that half precision holds exactly; the vector itself is in half precision too.
    let expected = [21.0_f64, 6.0, 0.5625].map(f64::sqrt);
    assert_near(&diagonal(&rule, config.init(), DType::F16), expected, 2e-3);
    assert_near(&diagonal(&rule, config.init(), DType::BF16), expected, 2e-2);
}

#[test]
fn the_scaled_hessian_is_that_of_scaled_weights() {
    // H = 2 x xᵀ over all three parameters.
    let loss = |model: &Two, x: Tensor<2>| {
        let w = Tensor::cat(vec![model.a.val(), model.b.val().reshape([1])], 0);
        x.matmul(w.reshape([3, 1])).square().mean()
    };
    let x = [1.0, -2.0, 3.0];
    let device = Device::default();
    let data = [Tensor::<2>::from_data(
        TensorData::new(x.to_vec(), [1, 3]),
        (&device, DType::F64),
    )];
    let mut optimizer = AdaGradConfig::new().init();
    let mut model = Two::new(DType::F64);
    for gradient in GRADIENTS {
        model = model.step(&mut optimizer, gradient);
    }
    let hessian = Risk::new(&loss, &data).hessian(&model).unwrap();
    for decay in [0.0, 0.5] {
        let config = AdaGradConfig::new().with_weight_decay(Some(WeightDecayConfig::new(decay)));
        let rule = EdgeRule::of(&config).unwrap();
        let found = rule.preconditioner(optimizer.to_record(), hessian.space());
        let found = found.unwrap().expect("steps");
        let roots = found.root.to_host().unwrap();
        let scaled = found.scaled(&hessian).unwrap();
        let units: Vec<ParamVector> = (0..3)
            .map(|index| {
                let mut unit = [0.0; 3];
                unit[index] = 1.0;
                ParamVector::from_host(hessian.space(), &unit).unwrap()
            })
            .collect();
        for (i, product) in scaled.matmat(&units).unwrap().into_iter().enumerate() {
            let product = product.to_host().unwrap();
            let alone = scaled.matvec(&units[i]).unwrap().to_host().unwrap();
            for (j, found) in product.into_iter().enumerate() {
                let own = if i == j { f64::from(decay) } else { 0.0 };
                let expected = (2.0 * x[i] * x[j] + own) * roots[i] * roots[j];
                assert!((found - expected).abs() < 1e-13 && (alone[j] - expected).abs() < 1e-13);
            }
        }
        // The decay is part of the matrix and not of the edge.
        assert_eq!(found.edge(0.5), Some(4.0));
    }
}

#[track_caller]
fn refusal<T>(found: Result<T, DynamicsError>) -> String {
    match found {
        Err(DynamicsError::OtherOptimizer { message }) => message,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it is not refused"),
    }
}

#[test]
fn records_of_other_settings_are_refused() {
    let adam = AdamConfig::new();
    let amsgrad = adam.clone().with_amsgrad(true);
    let rms_prop = RmsPropConfig::new();
    let rule = |config: &AdamConfig| EdgeRule::of(config).unwrap();
    let of_rms_prop = |config: &RmsPropConfig| EdgeRule::of(config).unwrap();
    let momentum = Some(MomentumConfig::new());
    let cases = [
        (
            rule(&adam),
            SgdConfig::new().init(),
            "no `momentum.moment_2` of `a`",
        ),
        (
            rule(&adam),
            SgdConfig::new().with_momentum(momentum).init(),
            "no `momentum.moment_2` of `a`",
        ),
        (
            rule(&adam),
            rms_prop.init(),
            "no `momentum.moment_2` of `a`",
        ),
        (
            rule(&adam),
            amsgrad.init(),
            "has `momentum.max_moment_2` of `a`",
        ),
        (
            rule(&amsgrad),
            adam.init(),
            "no `momentum.max_moment_2` of `a`",
        ),
        (
            of_rms_prop(&rms_prop),
            adam.init(),
            "no `centered.avg` of `a`",
        ),
        (
            of_rms_prop(&rms_prop),
            rms_prop.clone().with_momentum(0.0).init(),
            "no `momentum.buf` of `a`",
        ),
        (
            of_rms_prop(&rms_prop.clone().with_momentum(0.0)),
            rms_prop.init(),
            "has `momentum.buf` of `a`",
        ),
        (
            of_rms_prop(&rms_prop),
            rms_prop.clone().with_centered(true).init(),
            "has `centered.grad_avg` of `a`",
        ),
        (
            EdgeRule::of(&AdaGradConfig::new()).unwrap(),
            adam.init(),
            "no `lr_decay.sum` of `a`",
        ),
    ];
    for (rule, optimizer, expected) in cases {
        let message = refusal(preconditioner(&rule, optimizer, DType::F64));
        assert!(
            message.contains(expected) && message.contains("make the rule from the config"),
            "{message}"
        );
    }
}

#[test]
fn records_of_other_models_are_refused() {
    let rule = EdgeRule::of(&AdamConfig::new()).unwrap();
    let model = Two::new(DType::F64);
    let space = ParamSpace::of(&model).unwrap();
    let mut optimizer = AdamConfig::new().init();
    let before = rule.preconditioner(optimizer.to_record(), &space).unwrap();
    assert!(before.is_none());

    Two::new(DType::F64).step(&mut optimizer, GRADIENTS[0]);
    let message = refusal(rule.preconditioner(optimizer.to_record(), &space));
    assert!(message.contains("no state of `a`"), "{message}");

    // The vectors of this model are not those of another architecture.
    let mut optimizer = AdamConfig::new().init();
    let model = model.step(&mut optimizer, GRADIENTS[0]);
    let loss = |point: &Alone, x: Tensor<1>| (point.w.val() * x).square().sum();
    let device = Device::default();
    let data = [Tensor::<1>::ones([3], (&device, DType::F64))];
    let place = (&device, DType::F64);
    let alone = Alone {
        w: Param::from_tensor(Tensor::zeros([3], place)),
    };
    let hessian = Risk::new(&loss, &data).hessian(&alone).unwrap();
    let found = rule.preconditioner(optimizer.to_record(), &ParamSpace::of(&model).unwrap());
    let refused = found.unwrap().expect("a step").scaled(&hessian).map(|_| ());
    assert!(
        matches!(refused, Err(DynamicsError::Space(_))),
        "{refused:?}"
    );
}

#[derive(Module, Debug)]
struct Alone {
    w: Param<Tensor<1>>,
}

/// A record of AdaGrad for `a` with one tensor of zeros.
fn written(model: &Two, dtype: DType, count: usize) -> OptimizerRecord {
    let id = model.a.id.val();
    let bytes = Bytes::from_bytes_vec(vec![0; count * dtype.size()]);
    let sum = burn_pack::Tensor::new(
        format!("{id}.lr_decay.sum"),
        dtype,
        vec![count],
        Some(id),
        bytes,
    );
    let writer =
        Writer::new(vec![sum]).with_scalar(&format!("{id}.lr_decay.time"), Scalar::from(1_usize));
    OptimizerRecord::from_bytes(writer.into_bytes().unwrap()).unwrap()
}

#[test]
fn states_that_do_not_fit_are_refused() {
    let rule = EdgeRule::of(&AdaGradConfig::new().with_epsilon(0.0)).unwrap();
    let model = Two::new(DType::F64);
    let space = ParamSpace::of(&model).unwrap();
    let cases = [
        (
            DType::F64,
            3,
            "has 3 elements in its record, and the parameter has 2",
        ),
        (DType::I32, 2, "elements of type I32"),
        (DType::F32, 2, "divides a gradient of `a` by 0"),
    ];
    for (dtype, count, expected) in cases {
        let message = refusal(rule.preconditioner(written(&model, dtype, count), &space));
        assert!(message.contains(expected), "{message}");
    }
}
