//! Layer-wise barriers on a loss of two parameters, where the definitions differ.

use std::ops::ControlFlow;

use burn::module::{Module, Param, ParamGroup};
use burn::tensor::{DType, Device, Tensor};
use burnscape::loss::Work;
use burnscape::path::{CurveProfileConfig, LayerBarrier, LayerwiseBarriersConfig, PathError};
use burnscape::prelude::*;

use super::models::nothing;

#[derive(Module, Debug)]
struct Two {
    x: Param<Tensor<1>>,
    y: Param<Tensor<1>>,
}

impl Two {
    fn new(x: f64, y: f64) -> Self {
        let value = |value: f64| {
            let device = Device::default();
            Param::from_tensor(Tensor::from_data([value], (&device, DType::F64)))
        };
        Self {
            x: value(x),
            y: value(y),
        }
    }
}

fn config<'a>(num_points: usize) -> LayerwiseBarriersConfig<'a, Two> {
    LayerwiseBarriersConfig::new()
        .with_profile(CurveProfileConfig::new().with_num_points(num_points))
        .with_seed(3)
}

/// `(x y − 1)²`: zero at (1, 1) and at (−1, −1).
fn product(two: &Two, _: Tensor<1>) -> Tensor<1> {
    (two.x.val() * two.y.val() - 1.0).square()
}

#[test]
fn the_definitions_differ_where_layers_work_together() {
    let (a, b) = (Two::new(1.0, 1.0), Two::new(-1.0, -1.0));
    let data = nothing();
    let risk = Risk::new(&product, &data);
    let config = config(21);
    let found = config.run(&risk, [&a, &b]).unwrap();
    let whole = &found.whole.train.values;
    assert_eq!((whole[0], whole[20]), (0.0, 0.0));
    let names: Vec<&str> = found
        .layers
        .iter()
        .map(|layer| layer.name.as_str())
        .collect();
    assert_eq!(names, ["x", "y"]);
    for layer in &found.layers {
        assert_eq!((layer.num_parameters, layer.distance), (1, 2.0));
        // Others at (1, 1): the loss is 4t², below the line to its end, where it is 4.
        let first = &layer.others_at_first;
        assert!(first.barriers().unwrap().above_line.abs() < 1e-12);
        assert!((found.above_models(first) - 4.0).abs() < 1e-12);
        for (t, loss) in first.times.iter().zip(&first.train.values) {
            assert!((loss - 4.0 * t * t).abs() < 1e-12);
        }
        // Others at (−1, −1): 4(1 − t)².
        let last = &layer.others_at_last;
        let losses = &last.train.values;
        assert!((losses[0] - 4.0).abs() < 1e-12 && losses[20].abs() < 1e-12);
        assert!((found.above_models(last) - 4.0).abs() < 1e-12);
    }
    // Together: (x² − 1)² with x = 1 − 2t.
    let whole = found.cumulative.last().unwrap();
    assert_eq!(whole.num_parameters, 2);
    let together = &whole.others_at_first;
    assert!((together.barriers().unwrap().above_line - 1.0).abs() < 1e-12);
    assert!((found.above_models(together) - 1.0).abs() < 1e-12);
    let first = |layers: &[LayerBarrier]| layers[0].others_at_first.clone();
    assert_eq!(first(&found.cumulative), first(&found.layers));
}

/// `(x² y − 1)²`: zero at (2, ¼) and at (−1, 1).
fn lopsided(two: &Two, _: Tensor<1>) -> Tensor<1> {
    (two.x.val().square() * two.y.val() - 1.0).square()
}

#[test]
fn other_layers_stay_at_their_end() {
    let (a, b) = (Two::new(2.0, 0.25), Two::new(-1.0, 1.0));
    let data = nothing();
    let risk = Risk::new(&lopsided, &data);
    let config = config(7);
    let found = config.run(&risk, [&a, &b]).unwrap();
    let loss = |x: f64, y: f64| (x * x * y - 1.0).powi(2);
    for (index, t) in found.whole.times.iter().enumerate() {
        let (x, y) = (2.0 - 3.0 * t, 0.25 + 0.75 * t);
        let near = |layer: usize, first: f64, last: f64| {
            let layer = &found.layers[layer];
            assert!((layer.others_at_first.train.values[index] - first).abs() < 1e-12);
            assert!((layer.others_at_last.train.values[index] - last).abs() < 1e-12);
        };
        near(0, loss(x, 0.25), loss(x, 1.0));
        near(1, loss(2.0, y), loss(-1.0, y));
    }
}

#[test]
fn the_random_control_has_the_same_length_and_layer() {
    let (a, b) = (Two::new(1.0, 1.0), Two::new(-1.0, -1.0));
    let data = nothing();
    let risk = Risk::new(&product, &data);
    let config = config(5);
    let ends: Vec<f64> = (0..8)
        .map(|seed| {
            let found = config.clone().with_seed(seed).run(&risk, [&a, &b]);
            found.unwrap().layers[0].random.train.values[4]
        })
        .collect();
    // One parameter moves by two, to −1 or to 3, both with loss 4.
    assert!(ends.iter().all(|end| (end - 4.0).abs() < 1e-12), "{ends:?}");
}

#[test]
fn groups_may_overlap_and_must_not_be_empty() {
    let (a, b) = (Two::new(1.0, 1.0), Two::new(-1.0, -1.0));
    let data = nothing();
    let risk = Risk::new(&product, &data);
    let config = config(3);
    let group =
        |name: &str, pattern: &'static str| (name.to_string(), ParamGroup::from_predicate(pattern));
    let groups = vec![group("both", ""), group("second", "y")];
    let found = config
        .clone()
        .with_groups(groups)
        .run(&risk, [&a, &b])
        .unwrap();
    assert_eq!(found.layers[0].num_parameters, 2);
    assert_eq!(found.layers[1].num_parameters, 1);
    let none = vec![group("none", "z")];
    let error = config.with_groups(none).run(&risk, [&a, &b]).unwrap_err();
    assert!(matches!(error, PathError::Space(_)), "{error}");
}

#[test]
fn a_measurement_can_be_stopped_and_written() {
    let (a, b) = (Two::new(1.0, 1.0), Two::new(-1.0, -1.0));
    let data = nothing();
    let risk = Risk::new(&product, &data).with_observer(|progress| {
        match (progress.work, progress.done, progress.total) {
            (Work::Layer, 2, Some(4)) => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    let config = config(3);
    let found = config.run(&risk, [&a, &b]).unwrap();
    assert!(!found.completed);
    assert_eq!((found.layers.len(), found.cumulative.len()), (1, 1));
    assert!(found.to_json().unwrap().contains("\"others_at_first\""));
}
