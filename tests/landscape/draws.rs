//! Landscapes of models whose running statistics follow what dropout draws.
#![cfg(feature = "files")]

use std::fs;
use std::ops::ControlFlow;

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use burnscape::landscape::{Direction, DirectionKind, LandscapeConfig, LandscapeError};
use burnscape::loss::{LossError, NormalizationPolicy, Work};
use burnscape::prelude::*;
use burnscape::space::Grid;
use burnscape_testkit::turn;

/// Dropout before batch norm.
#[derive(Module, Debug)]
struct Net {
    first: Linear,
    dropout: Dropout,
    norm: BatchNorm,
    second: Linear,
}

impl Net {
    fn new() -> Self {
        let device = Device::default();
        let net = Self {
            first: LinearConfig::new(3, 6).init(&device),
            dropout: DropoutConfig::new(0.5).init(),
            norm: BatchNormConfig::new(6).init(&device),
            second: LinearConfig::new(6, 1).init(&device),
        };
        let space = ParamSpace::of(&net).unwrap();
        let weights = ParamVector::gaussian(&space, 1).unwrap();
        weights.apply_to(&net).unwrap()
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let hidden = self.dropout.forward(self.first.forward(x));
        self.second.forward(self.norm.forward(hidden).tanh())
    }
}

fn squares(net: &Net, x: Tensor<2>) -> Tensor<1> {
    (net.forward(x) - 1.0).square().mean()
}

fn data() -> Vec<Tensor<2>> {
    let batch = |rows: usize| {
        let numbers = (0..3 * rows).map(|i| (1.3 * i as f32 + rows as f32).sin());
        let numbers = TensorData::new(numbers.collect::<Vec<f32>>(), [rows, 3]);
        Tensor::from_data(numbers, &Device::default())
    };
    vec![batch(16), batch(9)]
}

fn directions(net: &Net) -> [Direction; 2] {
    let space = ParamSpace::of(net).unwrap();
    [2, 3].map(|seed| {
        let vector = ParamVector::sphere(&space, seed).unwrap();
        Direction::new(DirectionKind::Other("drawn".to_string()), vector)
    })
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn a_seed_makes_the_statistics_of_a_resumed_run_those_of_an_uninterrupted_one() {
    let _turn = turn();
    let (net, data) = (Net::new(), data());
    let directions = directions(&net);
    let risk = Risk::new(&squares, &data).with_draws_seed(5);
    let grid = Grid::symmetric(1.0, 5).unwrap();
    let plain =
        LandscapeConfig::new([grid.clone(), grid]).with_policy(NormalizationPolicy::ReestimateAll);
    let whole = plain.run(&risk, &net, &directions).unwrap();
    let other = plain
        .run(&risk.clone().with_draws_seed(6), &net, &directions)
        .unwrap();
    assert_ne!(bits(&whole.losses), bits(&other.losses));
    let name = format!("burnscape-draws-{}.csv", std::process::id());
    let path = std::env::temp_dir().join(name);
    let config = plain.with_cache(&path);
    for stop in [1, 7, 25] {
        let watched = risk.clone().with_observer(move |progress| {
            match (progress.work, progress.done) == (Work::Point, stop) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        let stopped = config.run(&watched, &net, &directions).unwrap();
        assert_eq!(stopped.completed, stop == 25);
        // What others draw in between changes nothing.
        let normal = Distribution::Normal(0.0, 1.0);
        drop(Tensor::<1>::random([3], normal, &Device::default()));
        let resumed = config.run(&risk, &net, &directions).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(resumed.num_cached, stop);
        assert_eq!(bits(&resumed.losses), bits(&whole.losses), "{stop}");
    }
}

#[test]
fn statistics_that_draws_change_need_a_seed() {
    let _turn = turn();
    let (net, data) = (Net::new(), data());
    let directions = directions(&net);
    let risk = Risk::new(&squares, &data);
    let config = LandscapeConfig::new([Grid::symmetric(1.0, 3).unwrap()]);
    let line = &directions[..1];
    // In evaluation mode nothing is drawn.
    assert!(config.run(&risk, &net, line).is_ok());
    for policy in [
        NormalizationPolicy::ReestimateAll,
        NormalizationPolicy::Reestimate(1),
    ] {
        let config = config.clone().with_policy(policy);
        let error = config.run(&risk, &net, line).unwrap_err();
        assert_eq!(error, LandscapeError::Loss(LossError::Draws));
        let seeded = risk.clone().with_draws_seed(1);
        assert!(config.run(&seeded, &net, line).is_ok());
        let error = config.with_threads(2).run(&seeded, &net, line).unwrap_err();
        assert_eq!(error, LandscapeError::DrawsOnThreads);
    }
}
