//! Posteriors of losses that draw random numbers.

use burn::tensor::{Distribution, Tensor, TensorData};
use burnscape::loss::LossError;
use burnscape::posterior::{Posterior, PosteriorConfig, PosteriorError, Sampler};
use burnscape::prelude::*;
use burnscape_testkit::double::device;
use burnscape_testkit::models::Dropped;
use burnscape_testkit::turn;

type Pairs = (Tensor<2>, Tensor<2>);

fn waves(shape: [usize; 2], phase: f64) -> Tensor<2> {
    let count = shape[0] * shape[1];
    let wave = |index: usize| (1.0 + 0.37 * (index as f64 + phase).powf(1.31)).sin();
    let values: Vec<f64> = (0..count).map(wave).collect();
    Tensor::from_data(TensorData::new(values, shape), &device())
}

fn net() -> Dropped {
    let net = Dropped::new([3, 5, 2], &device());
    let space = ParamSpace::of(&net).unwrap();
    let weights = ParamVector::gaussian(&space, 5).unwrap();
    weights.apply_to(&net).unwrap()
}

fn squared(net: &Dropped, (x, y): Pairs) -> Tensor<1> {
    (net.forward(x) - y).square().mean()
}

fn data() -> Vec<Pairs> {
    [(9, 0.5), (4, 3.0)]
        .map(|(rows, phase)| (waves([rows, 3], phase), waves([rows, 2], phase + 20.0)))
        .to_vec()
}

fn config() -> PosteriorConfig {
    PosteriorConfig::new(100)
        .with_num_chains(2)
        .with_burn_in(6)
        .with_num_draws(10)
        .with_sampler(Sampler::langevin())
}

#[test]
fn a_loss_that_draws_is_refused_unless_a_seed_fixes_what_it_draws() {
    let _held = turn();
    let (net, data) = (net(), data());
    let risk = Risk::new(&squared, &data);
    let refused = |found: Result<Posterior, PosteriorError>| {
        assert_eq!(found, Err(PosteriorError::Loss(LossError::Draws)));
    };
    // In evaluation nothing is dropped.
    let plain = config().run(&risk, &net).unwrap();
    let training = risk.clone().with_mode(Mode::Train);
    refused(config().run(&training, &net));
    let noisy = |net: &Dropped, (x, y): Pairs| {
        let noise = x.random_like(Distribution::Normal(0.0, 1.0));
        (net.forward(x + noise) - y).square().mean()
    };
    refused(config().run(&Risk::new(&noisy, &data), &net));

    let seeded = |seed| training.clone().with_draws_seed(seed);
    let one = config().run(&seeded(1), &net).unwrap();
    assert_eq!(config().run(&seeded(1), &net).unwrap(), one);
    assert_ne!(config().run(&seeded(2), &net).unwrap().rises, one.rises);
    assert_ne!(one.base_loss, plain.base_loss);
    for config in [
        config(),
        config().with_batches_per_step(Some(1)),
        config().with_sampler(Sampler::mala()),
    ] {
        let one = config.run(&seeded(1), &net).unwrap();
        // Threads take turns with the generator of the device.
        let two = config.clone().with_num_threads(2);
        let two = two.run(&seeded(1), &net).unwrap();
        assert_eq!(two.rises, one.rises);
    }
}
