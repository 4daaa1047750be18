//! Finite steps in both orders: against the exact bracket, and refused where rounding shows.

use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{DType, Tensor};
use burnscape::dynamics::{
    CommutatorConfig, DynamicsError, FiniteCommutator, FiniteCommutatorConfig,
};
use burnscape::loss::Risk;
use burnscape_testkit::double::device;
use burnscape_testkit::objectives::Point;

use super::dense::{examples, loss, net};
use super::losses::{A, B, Golden, assert_near, batch, norm, pair, point, quadratic};

fn sgd() -> ModuleOptimizer {
    SgdConfig::new().init()
}

/// Both quadratics at (1, 1).
fn finite(
    lr: f64,
    dtype: DType,
    optimizer: &ModuleOptimizer,
) -> Result<FiniteCommutator, DynamicsError> {
    let data = pair(dtype);
    let config = FiniteCommutatorConfig::new(lr).with_num_pairs(1);
    config.run(
        &Risk::new(&quadratic, &data),
        &point(&[1.0, 1.0], dtype),
        optimizer,
    )
}

#[test]
fn gradient_descent_on_quadratics_has_the_bracket_at_every_rate() {
    let expected = Golden::load().quadratics.bracket;
    for lr in [1.0, 0.1, 1e-2, 1e-3] {
        let found = finite(lr, DType::F64, &sgd()).unwrap();
        // Rounding is 2e-17/lr² of the bracket.
        assert_near(found.bracket.unwrap(), expected, 1e-9);
        let floor = 0.5 * f64::EPSILON * 2.0_f64.sqrt() / (lr * lr * 74.0_f64.sqrt());
        assert_near(found.floor.unwrap(), floor, 1e-9);
        assert_near(found.loss, 3.5, 1e-14);
        assert_eq!((found.lr, found.batch_size, found.num_pairs), (lr, 1, 1));
        assert_eq!((found.num_gradients, found.brackets.len()), (2, 1));
    }
    let text = finite(0.1, DType::F64, &sgd()).unwrap().to_string();
    let expected = "steps of 0.1 on 1 pair of batches of 1: defect 9.3722e-1, rounding below ";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn in_single_precision_it_is_refused_with_the_floor() {
    let text = |dtype| finite(1e-3, dtype, &sgd()).unwrap_err().to_string();
    // 6e-8 √2 / (1e-6 √74).
    let single = text(DType::F32);
    assert!(
        single.contains("in F32 the difference of two steps is rounding"),
        "{single}"
    );
    assert!(single.contains("a defect of 9.8e-3"), "{single}");
    assert!(single.contains("`CommutatorConfig`"), "{single}");
    assert!(text(DType::F16).contains("in F16"));
}

/// What a script finds that does not care, in f32.
fn naive(lr: f32) -> f64 {
    type Quadratic = ([f32; 4], [f32; 2]);
    let [a, b] = [A, B].map(|(m, c)| (m.map(|x| x as f32), c.map(|x| x as f32)));
    let step = |w: [f32; 2], (m, c): &Quadratic| {
        let offset = [w[0] - c[0], w[1] - c[1]];
        let row = |row: usize| m[2 * row] * offset[0] + m[2 * row + 1] * offset[1];
        [w[0] - lr * row(0), w[1] - lr * row(1)]
    };
    let both = |first, second| step(step([1.0, 1.0], first), second);
    let (one, other) = (both(&a, &b), both(&b, &a));
    let difference = [0, 1].map(|i| f64::from((one[i] - other[i]) / (lr * lr)));
    norm(&difference) / 74.0_f64.sqrt()
}

#[test]
fn what_is_refused_in_single_precision_would_be_wrong() {
    // The bracket is 0.9372184.
    let expected = [(1e-1, 0.93722), (1e-3, 0.93419), (1e-4, 1.549), (1e-5, 0.0)];
    for (lr, expected) in expected {
        let found = naive(lr);
        assert!((found - expected).abs() < 5e-4, "{lr}: {found}");
    }
}

#[test]
fn steps_that_are_too_short_are_refused_with_the_least_rate() {
    let error = finite(1e-6, DType::F64, &sgd()).unwrap_err();
    let text = error.to_string();
    let DynamicsError::BelowFloor { what, least, .. } = error else {
        panic!("{text}");
    };
    assert!(what.contains("length of a step"), "{text}");
    // The shorter gradient is as long as the weights.
    assert_near(least, 1e-5, 1e-6);
    assert!(
        text.contains("raise the learning rate to 1.0e-5 or more"),
        "{text}"
    );
    let found = finite(1.01 * least, DType::F64, &sgd()).unwrap();
    assert_near(found.bracket.unwrap(), 0.937_218_4, 1e-5);
}

#[test]
fn a_difference_that_may_be_rounding_is_refused() {
    // A batch commutes with itself.
    let same = [A, A].map(|(matrix, center)| batch(matrix, center, DType::F64));
    let risk = Risk::new(&quadratic, &same);
    let at = point(&[1.0, 1.0], DType::F64);
    let config = FiniteCommutatorConfig::new(0.1).with_num_pairs(1);
    let error = config.run(&risk, &at, &sgd()).unwrap_err();
    let text = error.to_string();
    let DynamicsError::BelowFloor {
        what,
        value,
        floor,
        least,
    } = error
    else {
        panic!("{text}");
    };
    assert!(what.contains("distance between the ends"), "{text}");
    assert_eq!(value, 0.0);
    assert_near(floor, 20.0 * 0.5 * f64::EPSILON * 2.0_f64.sqrt(), 1e-9);
    assert_near(least, 0.1 * 20.0_f64.sqrt(), 1e-9);
    assert!(text.contains("`CommutatorConfig`"), "{text}");
}

#[test]
fn gradients_of_zero_have_no_steps() {
    let centered = [A.0, B.0].map(|matrix| batch(matrix, [1.0, 0.0], DType::F64));
    let risk = Risk::new(&quadratic, &centered);
    let config = FiniteCommutatorConfig::new(0.1).with_num_pairs(1);
    let found = config
        .run(&risk, &point(&[1.0, 0.0], DType::F64), &sgd())
        .unwrap();
    assert_eq!((found.bracket, found.floor), (None, None));
    assert!(found.brackets.is_empty());
    assert!(found.to_string().contains("gradients are zero"));
}

#[test]
fn a_network_has_the_exact_bracket_to_first_order() {
    let (net, data) = (net(), [examples()]);
    let risk = Risk::new(&loss, &data);
    let exact = CommutatorConfig::new()
        .with_batch_size(Some(3))
        .with_num_pairs(2)
        .run(&risk, &net)
        .unwrap();
    let errors = [2e-3, 1e-3].map(|lr| {
        let found = FiniteCommutatorConfig::new(lr)
            .with_batch_size(Some(3))
            .with_num_pairs(2)
            .run(&risk, &net, &sgd())
            .unwrap();
        let both = found.brackets.iter().zip(&exact.brackets);
        let errors: Vec<f64> = both.map(|(found, exact)| found / exact - 1.0).collect();
        errors
    });
    let [coarse, fine] = errors;
    for (coarse, fine) in coarse.into_iter().zip(fine) {
        assert!(fine.abs() < 0.02, "{fine}");
        let ratio = coarse / fine;
        assert!((1.7..2.3).contains(&ratio), "{coarse} {fine}");
    }
}

/// Both orders by Burn alone, from the state that the optimizer has.
fn by_hand(lr: f64, optimizer: &ModuleOptimizer) -> f64 {
    let data = pair(DType::F64);
    let at = point(&[1.0, 1.0], DType::F64);
    let step = |optimizer: &mut ModuleOptimizer, at: Point, index: usize| {
        let gradients = quadratic(&at, data[index].clone()).backward();
        let gradients = GradientsParams::from_grads(gradients, &at);
        optimizer.step(lr, at, gradients)
    };
    let ends = [[0, 1], [1, 0]].map(|[first, second]| {
        let mut optimizer = optimizer.clone();
        let middle = step(&mut optimizer, at.clone(), first);
        step(&mut optimizer, middle, second).coordinates()
    });
    let difference: Vec<f64> = ends[0].iter().zip(&ends[1]).map(|(a, b)| a - b).collect();
    norm(&difference) / (lr * lr * 74.0_f64.sqrt())
}

#[test]
fn optimizers_step_from_their_state_and_keep_it() {
    // Burn's optimizers keep some of their numbers in single precision, here and by hand alike.
    let momentum = SgdConfig::new().with_momentum(Some(MomentumConfig::new()));
    let fresh = [momentum.init(), AdamConfig::new().init()];
    for mut optimizer in fresh {
        let lr = 0.05;
        let unused = finite(lr, DType::F64, &optimizer).unwrap();
        assert_near(unused.bracket.unwrap(), by_hand(lr, &optimizer), 1e-9);
        // A step elsewhere gives it a state for the parameters of this point.
        let at = point(&[3.0, -2.0], DType::F64);
        let data = pair(DType::F64);
        let gradients = quadratic(&at, data[0].clone()).backward();
        let gradients = GradientsParams::from_grads(gradients, &at);
        let at = optimizer.step(lr, at, gradients);
        let config = FiniteCommutatorConfig::new(lr).with_num_pairs(1);
        let risk = Risk::new(&quadratic, &data);
        let used = config.run(&risk, &at, &optimizer).unwrap();
        // The optimizer is as it was, and so is the point.
        assert_eq!(config.run(&risk, &at, &optimizer).unwrap(), used);
    }
}

#[test]
fn momentum_repeats_the_first_step_in_part() {
    // Of linear losses with gradients a and b one end is at lr ((1 + β) a + (1 − d) b): Burn dampens the second step only.
    let (beta, dampening) = (0.875, 0.25);
    let momentum = MomentumConfig::new()
        .with_momentum(beta)
        .with_dampening(dampening);
    let optimizer = SgdConfig::new().with_momentum(Some(momentum)).init();
    let loss = |at: &Point, x: Tensor<2>| x.matmul(at.w.val().unsqueeze_dim::<2>(1)).mean();
    let place = (&device().autodiff(), DType::F64);
    let data = [[[3.0, 0.0]], [[0.0, 4.0]]].map(|x| Tensor::<2>::from_data(x, place));
    let lr = 0.25;
    let config = FiniteCommutatorConfig::new(lr).with_num_pairs(1);
    let at = point(&[1.0, 1.0], DType::F64);
    let found = config
        .run(&Risk::new(&loss, &data), &at, &optimizer)
        .unwrap();
    let difference = lr * (1.0 + beta - (1.0 - dampening)) * 5.0;
    assert_near(found.bracket.unwrap(), difference / (lr * lr * 12.0), 1e-9);
}
