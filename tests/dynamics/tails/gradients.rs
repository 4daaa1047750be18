//! The noise of gradients of a linear model, which is that of its labels.

use std::ops::ControlFlow;

use burn::nn::{Initializer, Linear, LinearConfig};
use burn::tensor::{Tensor, TensorData};
use burnscape::dynamics::{
    Due, DynamicsError, Moment, TailEstimator, TailIndex, TailIndexConfig, Watch,
};
use burnscape::loss::Risk;

use super::draws::{by_quantiles, normal, stable, student_2, uniform};
use crate::element::{DTYPE, device};

type Batch = (Tensor<2>, Tensor<2>);

const FEATURES: usize = 8;
const BATCH: usize = 128;
const BATCHES: usize = 4;
const EXAMPLES: usize = BATCH * BATCHES;

/// With all weights alike; with zeros, residuals are the labels.
fn constant(value: f64) -> Linear {
    LinearConfig::new(FEATURES, 1)
        .with_bias(false)
        .with_initializer(Initializer::Constant { value })
        .init(&device())
}

fn model() -> Linear {
    constant(0.0)
}

fn loss(model: &Linear, (x, y): Batch) -> Tensor<1> {
    (model.forward(x) - y).square().mean()
}

fn tensor(values: &[f64], columns: usize) -> Tensor<2> {
    let data = TensorData::new(values.to_vec(), [values.len() / columns, columns]);
    Tensor::from_data(data, (&device(), DTYPE))
}

/// Inputs of ±1, so that each coordinate of a gradient is a label but for its sign; the first `absent` inputs are zero.
fn data(seed: u64, labels: &[f64], absent: usize) -> Vec<Batch> {
    let inputs = uniform(100 + seed, EXAMPLES * FEATURES);
    let inputs: Vec<f64> = inputs
        .iter()
        .enumerate()
        .map(|(place, u)| match place % FEATURES {
            feature if feature < absent => 0.0,
            _ if *u < 0.5 => -1.0,
            _ => 1.0,
        })
        .collect();
    let inputs = inputs.chunks_exact(BATCH * FEATURES);
    let batches = inputs.zip(labels.chunks_exact(BATCH));
    batches
        .map(|(inputs, labels)| (tensor(inputs, FEATURES), tensor(labels, 1)))
        .collect()
}

fn configs() -> [TailIndexConfig; 2] {
    [
        TailEstimator::Mohammadi { sums_of: 16 },
        TailEstimator::LogVariance,
    ]
    .map(TailIndexConfig::new)
}

fn index(config: &TailIndexConfig, data: &[Batch]) -> Result<TailIndex, DynamicsError> {
    config.run(&Risk::new(&loss, data), &model())
}

#[test]
fn gradients_are_as_heavy_as_labels() {
    for (labels, expected, is_heavier) in [
        (normal(300, EXAMPLES), 2.0, false),
        (stable(1.0, 300, EXAMPLES), 1.0, true),
        // An infinite variance.
        (by_quantiles(200, EXAMPLES, student_2), 1.5, true),
    ] {
        let data = data(0, &labels, 0);
        for config in configs() {
            let found = index(&config, &data).unwrap();
            assert_eq!(found.is_heavier, is_heavier, "{found}");
            assert!((found.alpha - expected).abs() < 0.2, "{found}");
            assert_eq!(found.num_coordinates, FEATURES);
            assert_eq!(found.num_samples, EXAMPLES);
            assert_eq!((found.cost.num_gradients, found.cost.num_losses), (1, 2));
            assert!(found.warnings.is_empty(), "{found}");
        }
    }
}

#[test]
fn gradients_of_examples_give_what_the_samples_give() {
    let labels = stable(1.5, 300, EXAMPLES);
    let data = data(0, &labels, 0);
    // The gradient of an example at one coordinate is -2 x y.
    for config in configs().map(|config| config.with_num_coordinates(1)) {
        let found = index(&config, &data).unwrap();
        let of_input = |feature: usize| -> TailIndex {
            let inputs = data.iter().flat_map(|(x, _)| {
                let column = x.clone().slice([0..BATCH, feature..feature + 1]);
                column.into_data().iter::<f64>().collect::<Vec<_>>()
            });
            let gradients = inputs.zip(&labels).map(|(x, y)| -2.0 * x * y);
            TailIndex::of(&[gradients.collect()], &config).unwrap()
        };
        let all = (0..FEATURES).map(of_input);
        let same: Vec<TailIndex> = all
            .filter(|one| (one.alpha / found.alpha - 1.0).abs() < 1e-9)
            .collect();
        assert_eq!(same.len(), 1, "{found}");
        assert!((same[0].interval.1 / found.interval.1 - 1.0).abs() < 1e-9);
    }
}

#[test]
fn coordinates_that_rest_are_left_out_with_a_warning() {
    let labels = normal(300, EXAMPLES);
    let config = &configs()[0];
    let found = index(config, &data(0, &labels, 3)).unwrap();
    assert_eq!(found.num_coordinates, FEATURES - 3);
    let [warning] = found.warnings.as_slice() else {
        panic!("{found}");
    };
    assert!(
        warning.starts_with("3 of 8 coordinates were left out"),
        "{warning}"
    );
    let refused = index(config, &data(0, &labels, FEATURES)).unwrap_err();
    assert!(
        refused.to_string().contains("which none of 8 does"),
        "{refused}"
    );
}

#[test]
fn a_loss_that_is_no_mean_over_examples_is_refused() {
    let loss = |model: &Linear, (x, y): Batch| {
        let rest = model.forward(x) - y;
        (rest.clone() - rest.mean_dim(0)).square().mean()
    };
    let data = data(0, &normal(300, EXAMPLES), 0);
    let refused = configs()[0].run(&Risk::new(&loss, &data), &constant(0.5));
    assert!(
        matches!(refused, Err(DynamicsError::NotExampleMean { .. })),
        "{refused:?}"
    );
}

#[test]
fn an_observer_may_stop() {
    let data = data(0, &normal(300, EXAMPLES), 0);
    let config = &configs()[0];
    let risk = Risk::new(&loss, &data).with_checks(false);
    let risk = risk.with_observer(|progress| match progress.done {
        100 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    let found = config.run(&risk, &model()).unwrap();
    assert_eq!((found.num_samples, found.cost.num_losses), (100, 0));
    assert_eq!(found.warnings, ["the observer stopped after 100 examples"]);
}

#[test]
fn a_watch_reads_it() {
    let data = data(0, &normal(300, EXAMPLES), 0);
    let config = configs()[0].clone();
    let model = model();
    let expected = index(&config, &data).unwrap();
    let mut watch = Watch::new(Due::At(vec![5]), config, Risk::new(&loss, &data)).unwrap();
    assert!(
        watch
            .observe(&Moment::new(4, 0.1, &model))
            .unwrap()
            .is_none()
    );
    let seen = watch.observe(&Moment::new(5, 0.1, &model)).unwrap();
    assert_eq!(seen.unwrap().reading, expected);
}
