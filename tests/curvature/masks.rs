//! Displaced weights with batch statistics and dropout.

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::{Tensor, TensorData};
use burnscape::curvature::CurvatureError;
use burnscape::loss::{Mode, Risk};
use burnscape::space::RunningStatistics;
use burnscape_testkit::turn;

use crate::element::device;

#[derive(Module, Debug)]
struct Net {
    first: Linear,
    norm: BatchNorm,
    dropout: Dropout,
    last: Linear,
}

impl Net {
    fn outputs(&self, x: Tensor<2>, is_detached: bool) -> Tensor<2> {
        let hidden = self.norm.forward(self.first.forward(x)).tanh();
        let hidden = self.dropout.forward(hidden);
        let hidden = if is_detached { hidden.detach() } else { hidden };
        self.last.forward(hidden)
    }
}

fn waves(shape: [usize; 2]) -> Tensor<2> {
    let count = shape[0] * shape[1];
    let values: Vec<f64> = (0..count).map(|i| (0.3 + 1.9 * i as f64).sin()).collect();
    Tensor::from_data(TensorData::new(values, shape), &device())
}

#[test]
fn batch_statistics_and_masks_are_those_of_the_operator() {
    let _turn = turn();
    let net = Net {
        first: LinearConfig::new(3, 5).init(&device()),
        norm: BatchNormConfig::new(5).init(&device()),
        dropout: DropoutConfig::new(0.4).init(),
        last: LinearConfig::new(5, 2).init(&device()),
    };
    let data = [waves([8, 3]), waves([8, 3]) * 0.7];
    let before = RunningStatistics::of(&net);
    for mode in [Mode::Eval, Mode::Train] {
        let made = |is_detached| {
            let loss = move |m: &Net, x: Tensor<2>| m.outputs(x, is_detached).square().mean();
            let risk = Risk::new(&loss, &data).with_mode(mode).with_draws_seed(1);
            risk.hessian(&net).map(|_| ())
        };
        assert_eq!(made(false), Ok(()), "{mode:?}");
        let detached = made(true);
        assert!(
            matches!(detached, Err(CurvatureError::Detached { .. })),
            "{detached:?}"
        );
    }
    // Displaced passes write nothing either.
    let after = RunningStatistics::of(&net);
    for path in before.paths() {
        let values = |of: &RunningStatistics| of.get(path).unwrap().to_data();
        assert_eq!(values(&before), values(&after));
    }
    let loss = |m: &Net, x: Tensor<2>| m.outputs(x, false).square().mean();
    assert!(Risk::new(&loss, &data).hessian(&net).is_ok());
}
