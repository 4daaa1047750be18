//! The effect of seeds, and the worst case against samples of the same ball.

use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape::loss::Risk;
use burnscape::sharpness::{AverageSharpnessConfig, WorstCaseSharpnessConfig};
use proptest::prelude::{ProptestConfig, proptest};

use super::models::{H, Point, matrix, net, quadratic, regression, squared_error};

#[test]
fn the_same_seed_gives_the_same_numbers_and_another_seed_others() {
    let (model, data) = (net(), regression());
    let risk = Risk::new(&squared_error, &data);
    for fixed_length in [false, true] {
        let average = |seed| {
            AverageSharpnessConfig::new(0.1)
                .with_fixed_length(fixed_length)
                .with_num_samples(5)
                .with_seed(seed)
                .run(&risk, &model)
                .unwrap()
        };
        assert_eq!(average(1), average(1));
        assert_ne!(average(1).rises, average(2).rises);
    }
    let worst = |seed| {
        WorstCaseSharpnessConfig::new(0.1)
            .with_num_steps(3)
            .with_seed(seed)
            .run(&risk, &model)
            .unwrap()
    };
    assert_eq!(worst(1).rises, worst(1).rises);
    assert_ne!(worst(1).rises, worst(2).rises);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn more_samples_change_none_of_the_first(
        seed in proptest::num::u64::ANY,
        few in 1_usize..6,
        extra in 1_usize..6,
        antithetic in proptest::bool::ANY,
        fixed_length in proptest::bool::ANY,
    ) {
        let (model, data) = (Point::new(&[1.0, -0.5, 0.3]), matrix(H));
        let risk = Risk::new(&quadratic, &data);
        let rises = |num_samples| {
            AverageSharpnessConfig::new(0.1)
                .with_num_samples(num_samples)
                .with_antithetic(antithetic)
                .with_fixed_length(fixed_length)
                .with_seed(seed)
                .run(&risk, &model)
                .unwrap()
                .rises
        };
        assert_eq!(rises(few), rises(few + extra)[..few]);
    }

    #[test]
    fn the_worst_case_is_above_every_sampled_rise_of_the_same_ball(seed in proptest::num::u64::ANY) {
        let (model, data) = (Point::new(&[1.0, -0.5, 0.3]), matrix(H));
        let risk = Risk::new(&quadratic, &data);
        let worst = WorstCaseSharpnessConfig::new(0.4).with_seed(seed);
        let worst = worst.run(&risk, &model).unwrap();
        let others = AverageSharpnessConfig::new(0.4).with_fixed_length(true);
        let others = others.with_seed(seed).with_num_samples(30);
        let others = others.run(&risk, &model).unwrap();
        assert!(worst.rise >= others.quantile(1.0).unwrap());
        assert!(worst.scaled_norm <= 0.4 * (1.0 + 1e-12));
    }
}

#[test]
fn models_are_perturbed_by_the_same_noise() {
    // On a linear loss the rise is g · e: common random numbers make it proportional to g.
    let loss = |model: &Point, g: Tensor<1>| (model.w.val() * g).sum();
    let batch = |g: [f64; 2]| {
        let data = TensorData::from(g);
        [Tensor::<1>::from_data(
            data,
            (&Device::default(), DType::F64),
        )]
    };
    let rises = |start: &[f64], g| {
        AverageSharpnessConfig::new(1.0)
            .with_num_samples(4)
            .run(&Risk::new(&loss, &batch(g)), &Point::new(start))
            .unwrap()
            .rises
    };
    let (one, two) = (
        rises(&[0.0, 0.0], [1.0, 2.0]),
        rises(&[5.0, -3.0], [2.0, 4.0]),
    );
    for (one, two) in one.iter().zip(&two) {
        assert!((2.0 * one - two).abs() < 1e-12);
    }
}
