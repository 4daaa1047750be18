//! Penalties on gradients by the input, against gradients and steps derived by hand.

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Tensor, TensorData};
use burnscape_linearize::{Field, GradientTrace, ModelInputs, RecordedLoss};
use burnscape_testkit::double::device;

use super::evaluated::{assert_close, numbers, tensor};

const REAL: [[f64; 3]; 2] = [[1.0, -0.5, 2.0], [0.3, 0.8, -1.0]];
const FAKE: [[f64; 3]; 2] = [[-0.2, 0.4, 0.1], [0.9, -1.1, 0.6]];
const PLACES: [f64; 2] = [0.25, 0.7];
const WEIGHTS: [f64; 3] = [0.6, -0.9, 1.2];
const PENALTY: f64 = 10.0;
const RATE: f64 = 0.01;

fn critic() -> Linear {
    let device = device().autodiff();
    let mut critic = LinearConfig::new(3, 1).init(&device);
    let weights = TensorData::new(WEIGHTS.to_vec(), [3, 1]);
    critic.weight = Param::from_tensor(Tensor::from_data(weights, &device));
    critic
}

/// The critic's loss of Gulrajani et al. (2017), "Improved training of Wasserstein GANs", arXiv:1704.00028.
fn loss(critic: &Linear, batch: Vec<Tensor<2>>) -> Tensor<1> {
    let [real, fake, places] = [0, 1, 2].map(|index| batch[index].clone());
    let between = real.clone() * places.clone() + fake.clone() * (-places + 1.0);
    let slopes = Field::new(between, |x| critic.forward(x)).gradient();
    let lengths = slopes.square().sum_dim(1).sqrt();
    let penalty = (lengths - 1.0).square().mean() * PENALTY;
    critic.forward(fake).mean() - critic.forward(real).mean() + penalty
}

/// The critic is `w·x + b`, so its slope is `w` everywhere, and the loss
/// `w · (mean fake − mean real) + λ (|w| − 1)²`.
#[test]
fn a_step_of_a_linear_critic_is_the_one_derived_by_hand() {
    let mut critic = critic();
    let bias = numbers(critic.bias.as_ref().expect("a bias").val().inner());
    let batch = [
        tensor(&REAL.concat(), [2, 3]),
        tensor(&FAKE.concat(), [2, 3]),
        tensor(&PLACES, [2, 1]),
    ];
    let trace = GradientTrace::new(
        critic.clone(),
        device().settings(),
        |inputs| -> Vec<Tensor<2>> { batch.iter().map(|x| inputs.float(x.clone())).collect() },
        loss,
    );
    let trace = trace.expect("a trace");
    let mut recorded = RecordedLoss::new(&trace, &device()).expect("a recorded loss");
    let mut sgd = SgdConfig::new().init();
    let mut expected = WEIGHTS;
    for _ in 0..5 {
        let values = batch.each_ref().map(|x| x.clone().into_dispatch());
        let inputs = ModelInputs::of(&critic);
        let value = recorded.tracked(&critic, &inputs, &values).expect("a loss");
        let length = expected.iter().map(|w| w * w).sum::<f64>().sqrt();
        let apart: Vec<f64> = (0..3)
            .map(|i| 0.5 * (FAKE[0][i] + FAKE[1][i] - REAL[0][i] - REAL[1][i]))
            .collect();
        let along: f64 = expected.iter().zip(&apart).map(|(w, d)| w * d).sum();
        let loss = along + PENALTY * (length - 1.0) * (length - 1.0);
        assert_close("loss", &numbers(value.clone().inner()), &[loss], 1e-12);
        for (w, apart) in expected.iter_mut().zip(&apart) {
            *w -= RATE * (apart + 2.0 * PENALTY * (length - 1.0) / length * *w);
        }
        let gradients = GradientsParams::from_grads(value.backward(), &critic);
        critic = sgd.step(RATE, critic, gradients);
        let weights = numbers(critic.weight.val().inner());
        assert_close("weights", &weights, &expected, 1e-12);
        // Its two parts cancel.
        let found = numbers(critic.bias.as_ref().expect("a bias").val().inner());
        assert_close("bias", &found, &bias, 1e-12);
    }
}

/// A generator and a quadratic critic.
#[derive(Module, Debug)]
struct Game {
    generator: Param<Tensor<2>>,
    critic: Param<Tensor<2>>,
}

/// `D(x) = x·A·x / 2` at `x = z·G` has the slope `x·S` with `S = (A + Aᵀ) / 2`. The mean `|x·S|²` over `n` rows has the gradients
/// `2 zᵀ x S² / n` by `G`, which only the place of the derivative depends on, and the symmetric part of
/// `2 xᵀ x S / n` by `A`.
#[test]
fn a_penalty_at_generated_points_has_a_gradient_by_the_generator() {
    let device = device();
    let autodiff = device.clone().autodiff();
    let [z, g, a] = [
        [[0.5, -1.0], [1.5, 0.25]],
        [[1.0, 0.5], [-0.75, 2.0]],
        [[0.8, -0.3], [1.1, 0.4]],
    ];
    let param = |numbers: [[f64; 2]; 2]| {
        let data = TensorData::new(numbers.concat(), [2, 2]);
        Param::from_tensor(Tensor::<2>::from_data(data, &autodiff))
    };
    let game = Game {
        generator: param(g),
        critic: param(a),
    };
    let plain = |numbers: [[f64; 2]; 2]| tensor::<2>(&numbers.concat(), [2, 2]);
    let trace = GradientTrace::new(
        game,
        device.settings(),
        |inputs| inputs.float(plain(z)),
        |game: &Game, z| {
            let critic = |x: Tensor<2>| (x.clone().matmul(game.critic.val()) * x).sum_dim(1) * 0.5;
            let x = z.matmul(game.generator.val());
            let slopes = Field::new(x, critic).gradient();
            slopes.square().sum_dim(1).mean()
        },
    );
    let trace = trace.expect("a trace");
    let outputs = trace.program.run(&trace.bindings, &device).expect("a loss");
    let (z, g, a) = (plain(z), plain(g), plain(a));
    let s = (a.clone() + a.transpose()) * 0.5;
    let x = z.clone().matmul(g);
    let slopes = x.clone().matmul(s.clone());
    let by_generator = z.transpose().matmul(slopes.clone()).matmul(s.clone());
    let inner = x.transpose().matmul(slopes);
    let by_critic = (inner.clone() + inner.transpose()) * 0.5;
    for (index, expected) in [by_generator, by_critic].into_iter().enumerate() {
        let output = trace.parameters[index].gradient.expect("a gradient");
        let found = numbers(outputs[output].clone());
        assert_close("gradient", &found, &numbers(expected), 1e-12);
    }
}
