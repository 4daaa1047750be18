//! Watches and monitors: when they measure, what they keep, and how they continue.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::Module;
use burn::optim::{ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Tensor};
use burnscape::curvature::CurvatureError;
use burnscape::dynamics::{
    Cost, CurvatureMonitor, CurvatureMonitorConfig, CurvatureReading, Due, DynamicsError, Moment,
    Monitor, Monitors, MonitorsRecord, Observation, Quantity, Reading, Readings, Watch,
};
use burnscape::loss::{LossError, Whole};
use burnscape::prelude::*;
use serde::{Deserialize, Serialize};

use super::model::{Batch, Mlp, clusters, squared, step};

const LR: f64 = 0.125;

/// A monitor of one's own: the loss, and how far the weights have moved since the last measurement.
#[derive(Default)]
struct Distance {
    last: Option<Vec<f64>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Moved {
    loss: f64,
    /// None in the first reading.
    distance: Option<f64>,
}

impl Reading for Moved {
    fn quantities() -> &'static [Quantity<Self>] {
        const QUANTITIES: &[Quantity<Moved>] = &[
            Quantity {
                name: "loss",
                description: "the loss",
                value: |reading| Some(reading.loss),
            },
            Quantity {
                name: "distance",
                description: "how far the weights have moved since the last reading",
                value: |reading| reading.distance,
            },
        ];
        QUANTITIES
    }

    fn cost(&self) -> Cost {
        Cost {
            num_losses: 1,
            ..Cost::default()
        }
    }
}

impl<M: Module, K> Monitor<M, K> for Distance {
    type Reading = Moved;
    type State = Option<Vec<f64>>;

    fn name(&self) -> &'static str {
        "distance"
    }

    fn measure(
        &mut self,
        risk: &Risk<'_, M, K>,
        moment: &Moment<'_, M>,
    ) -> Result<Moved, DynamicsError> {
        let space = risk.space(moment.model)?;
        let weights = ParamVector::from_module(&space, moment.model)?.to_host()?;
        let loss = risk.loss(moment.model)?.value;
        let distance = self.last.as_ref().map(|last| {
            let squares = last.iter().zip(&weights).map(|(a, b)| (a - b).powi(2));
            squares.sum::<f64>().sqrt()
        });
        self.last = Some(weights);
        Ok(Moved { loss, distance })
    }

    fn to_state(&self) -> Result<Option<Vec<f64>>, DynamicsError> {
        Ok(self.last.clone())
    }

    fn load_state(&mut self, state: Option<Vec<f64>>) -> Result<(), DynamicsError> {
        self.last = state;
        Ok(())
    }
}

fn data() -> [Batch; 1] {
    [clusters(30, 8, 3, &Device::default().autodiff())]
}

fn model() -> Mlp {
    Mlp::new([8, 6, 6, 3], 2, &Device::default().autodiff())
}

fn curvature() -> CurvatureMonitor {
    let config = CurvatureMonitorConfig::new().with_num_probes(2);
    config.init().unwrap()
}

/// Takes some steps; `look` sees each before it is taken.
fn train(
    model: &mut Mlp,
    sgd: &mut ModuleOptimizer,
    steps: Range<usize>,
    mut look: impl FnMut(&Moment<'_, Mlp>),
) {
    let [batch] = data();
    for index in steps {
        look(&Moment::new(index, LR, model).with_optimizer(sgd));
        *model = step(sgd, LR, model.clone(), squared, &batch);
    }
}

#[test]
fn a_watch_measures_when_it_is_due_and_never_otherwise() {
    let data = data();
    let cases = [
        (Due::Every(4), vec![0, 4, 8]),
        (
            Due::Geometric {
                first: 1,
                ratio: 2.0,
            },
            vec![0, 1, 2, 4, 8],
        ),
        (
            Due::Geometric {
                first: 3,
                ratio: 1.4,
            },
            vec![0, 3, 4, 6, 8],
        ),
        (Due::At(vec![9, 2]), vec![2, 9]),
    ];
    for (due, expected) in cases {
        let risk = Risk::new(&squared, &data);
        let mut watch = Watch::new(due.clone(), Distance::default(), risk).unwrap();
        let readings = watch.readings();
        let (mut model, mut sgd) = (model(), SgdConfig::new().init());
        train(&mut model, &mut sgd, 0..10, |moment| {
            let seen = watch.observe(moment).unwrap();
            assert_eq!(seen.is_some(), watch.is_due(moment.step));
            let last = readings.last().filter(|last| last.step == moment.step);
            assert_eq!(seen, last);
        });
        let steps: Vec<usize> = readings.to_vec().iter().map(|seen| seen.step).collect();
        assert_eq!(steps, expected, "{due:?}");
    }
}

#[test]
fn schedules_without_steps_are_refused() {
    let data = data();
    let geometric = |first: usize, ratio: f64| Due::Geometric { first, ratio };
    let cases = [
        (Due::Every(0), "every"),
        (geometric(0, 2.0), "first"),
        (geometric(1, 1.0), "ratio"),
        (geometric(1, f64::INFINITY), "ratio"),
        (Due::At(Vec::new()), "steps.len()"),
    ];
    for (due, name) in cases {
        let risk = Risk::new(&squared, &data);
        match Watch::new(due, Distance::default(), risk) {
            Err(DynamicsError::OutOfRange(refused)) => assert_eq!(refused.name, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    let risk = Risk::new(&squared, &data);
    let mut watch = Watch::new(Due::Every(2), Distance::default(), risk).unwrap();
    let model = model();
    let refused = watch.observe(&Moment::new(0, f64::NAN, &model));
    assert!(matches!(refused, Err(DynamicsError::OutOfRange(_))));
    // A step that is not due is not even looked at.
    let skipped = watch.observe(&Moment::new(1, f64::NAN, &model));
    assert_eq!(skipped, Ok(None));
    assert!(watch.readings().is_empty());
}

#[test]
fn a_watch_that_is_never_due_calls_nothing() {
    let (data, model, calls) = (data(), model(), AtomicUsize::new(0));
    let loss = |model: &Mlp, batch: Batch| {
        calls.fetch_add(1, Ordering::Relaxed);
        squared(model, batch)
    };
    let never = Due::At(vec![1000]);
    let watch = Watch::new(never, curvature(), Risk::new(&loss, &data)).unwrap();
    let mut monitors = Monitors::new().with(watch).unwrap();
    for index in 0..20 {
        let moment = Moment::new(index, LR, &model);
        assert!(!monitors.is_due(index));
        assert_eq!(monitors.observe(&moment), Ok(0));
    }
    monitors.to_record().unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    assert_eq!(monitors.observe(&Moment::new(1000, LR, &model)), Ok(1));
    assert!(calls.load(Ordering::Relaxed) > 0);
}

/// Two watches of different kinds, with handles to what they see.
fn two<'a>(
    risk: &Risk<'a, Mlp>,
) -> (
    Monitors<'a, Mlp>,
    Readings<CurvatureReading>,
    Readings<Moved>,
) {
    let curvature = Watch::new(Due::Every(2), curvature(), risk.clone()).unwrap();
    let due = Due::Geometric {
        first: 1,
        ratio: 2.0,
    };
    let distance = Watch::new(due, Distance::default(), risk.clone()).unwrap();
    let (first, second) = (curvature.readings(), distance.readings());
    let monitors = Monitors::new().with(curvature).unwrap();
    (monitors.with(distance).unwrap(), first, second)
}

#[test]
fn several_watches_measure_at_once_what_each_measures_alone() {
    let data = data();
    let risk = Risk::new(&squared, &data);
    let (mut monitors, together, _) = two(&risk);
    let mut alone = Watch::new(Due::Every(2), curvature(), risk.clone()).unwrap();
    let mut counts = Vec::new();
    let (mut model, mut sgd) = (model(), SgdConfig::new().init());
    train(&mut model, &mut sgd, 0..6, |moment| {
        counts.push(monitors.observe(moment).unwrap());
        alone.observe(moment).unwrap();
    });
    assert_eq!(counts, [2, 1, 2, 0, 2, 0]);
    assert_eq!(together.to_vec(), alone.readings().to_vec());
    assert_eq!(together.len(), 3);
    // The steps are those of a training that nobody watches.
    let (mut other, mut sgd) = (self::model(), SgdConfig::new().init());
    train(&mut other, &mut sgd, 0..6, |_| ());
    let weights = |model: &Mlp| {
        let space = ParamSpace::of(model).unwrap();
        let vector = ParamVector::from_module(&space, model).unwrap();
        vector.to_host().unwrap()
    };
    assert_eq!(weights(&model), weights(&other));
}

#[test]
fn a_monitor_serves_every_kind_of_risk() {
    let (data, model) = (data(), model());
    let split = Risk::split(
        |m: &Mlp, (x, _): &Batch| m.forward(x.clone()),
        |z: Tensor<2>, (_, y): Batch| (z - y).square().sum() / 60.0,
        &data,
    );
    let whole = Risk::new(&squared, &data);
    let whole = Watch::new(Due::Every(1), Distance::default(), whole).unwrap();
    let split = Watch::new(Due::Every(1), Distance::default(), split).unwrap();
    let (first, second) = (whole.readings(), split.readings());
    let monitors = Monitors::new().with(whole).unwrap();
    let mut monitors = monitors.with(split.named("split")).unwrap();
    assert_eq!(monitors.observe(&Moment::new(0, LR, &model)), Ok(2));
    let [first, second] = [first, second].map(|readings| readings.last().unwrap().reading.loss);
    assert!((first - second).abs() < 1e-6 * first, "{first} {second}");
}

#[test]
fn resumed_monitors_read_the_same_bits() {
    let data = data();
    let risk = Risk::new(&squared, &data);
    let run = |pause: Option<usize>| {
        let (mut model, mut sgd) = (model(), SgdConfig::new().init());
        let (mut monitors, mut curvature, mut distance) = two(&risk);
        let end = 10;
        let pause = pause.unwrap_or(end);
        train(&mut model, &mut sgd, 0..pause, |moment| {
            monitors.observe(moment).unwrap();
        });
        // Through JSON, which does not keep all bits of numbers.
        let text = monitors.to_record().unwrap().to_json().unwrap();
        if pause < end {
            (monitors, curvature, distance) = two(&risk);
            let record = MonitorsRecord::from_json(&text).unwrap();
            monitors.load_record(record.clone()).unwrap();
            assert_eq!(monitors.to_record().unwrap(), record);
        }
        train(&mut model, &mut sgd, pause..end, |moment| {
            monitors.observe(moment).unwrap();
        });
        (curvature.to_vec(), distance.to_vec())
    };
    let whole = run(None);
    assert_eq!((whole.0.len(), whole.1.len()), (5, 5));
    assert!(whole.1[4].reading.distance > Some(0.0));
    for pause in [0, 1, 5] {
        assert_eq!(run(Some(pause)), whole, "{pause}");
    }
}

#[test]
fn a_record_of_other_monitors_is_refused() {
    let (data, model) = (data(), model());
    let risk = Risk::new(&squared, &data);
    let (mut monitors, readings, _) = two(&risk);
    monitors.observe(&Moment::new(0, LR, &model)).unwrap();
    let record = monitors.to_record().unwrap();

    let watch = |name: &str| {
        let watch = Watch::new(Due::Every(1), Distance::default(), risk.clone()).unwrap();
        watch.named(name)
    };
    let others = Monitors::new().with(watch("weights")).unwrap();
    let mut others = others.with(watch("curvature")).unwrap();
    let refused = others.load_record(record.clone()).unwrap_err();
    let expected = DynamicsError::OtherMonitors {
        expected: "curvature, weights".to_string(),
        found: "curvature, distance".to_string(),
    };
    assert_eq!(refused, expected);
    let text = refused.to_string();
    assert!(text.contains("[curvature, distance]") && text.contains("[curvature, weights]"));
    let none = monitors.load_record(MonitorsRecord::default());
    assert!(matches!(none, Err(DynamicsError::OtherMonitors { .. })));
    assert_eq!(readings.len(), 1);

    // The names are right, what is stored under them is not.
    let others = Monitors::new().with(watch("distance")).unwrap();
    let mut others = others.with(watch("curvature")).unwrap();
    let refused = others.load_record(record);
    assert!(matches!(refused, Err(DynamicsError::Record { .. })));
    let damaged = r#"{"watches":{"curvature":[1,2,3],"distance":[4]}}"#;
    let damaged = MonitorsRecord::from_json(damaged).unwrap();
    let refused = monitors.load_record(damaged);
    assert!(matches!(refused, Err(DynamicsError::Record { .. })));
}

#[test]
fn two_watches_of_one_name_are_refused() {
    let data = data();
    let watch = || {
        let risk = Risk::new(&squared, &data);
        Watch::new(Due::Every(1), Distance::default(), risk).unwrap()
    };
    let monitors = Monitors::new().with(watch()).unwrap();
    let refused = monitors.with(watch()).unwrap_err();
    let name = "distance".to_string();
    assert_eq!(refused, DynamicsError::DuplicateName { name });
    let monitors = Monitors::new().with(watch()).unwrap();
    let monitors = monitors.with(watch().named("other")).unwrap();
    assert!(format!("{monitors:?}").contains("other"));
}

/// A watch that measures at every step.
fn watch(data: &[Batch; 1]) -> Watch<'_, Mlp, Whole, CurvatureMonitor> {
    let risk = Risk::new(&squared, data).with_checks(false);
    Watch::new(Due::Every(1), curvature(), risk).unwrap()
}

#[test]
fn an_error_names_its_watch_and_leaves_the_others_their_readings() {
    let (data, model) = (data(), model());
    let [(x, y)] = data.clone();
    let bad = [(x * f32::NAN, y)];
    let (good, broken, last) = (watch(&data), watch(&bad), watch(&data));
    let handles = [&good, &broken, &last].map(|watch| watch.readings());
    let monitors = Monitors::new().with(good).unwrap();
    let monitors = monitors.with(broken.named("broken")).unwrap();
    let mut monitors = monitors.with(last.named("last")).unwrap();
    let error = monitors.observe(&Moment::new(7, LR, &model)).unwrap_err();
    let DynamicsError::Watch { name, step, source } = &error else {
        panic!("{error}");
    };
    assert_eq!((name.as_str(), *step), ("broken", 7));
    let is_cause = matches!(
        **source,
        DynamicsError::Curvature(CurvatureError::Loss(LossError::NonFinite { .. }))
    );
    assert!(is_cause, "{source}");
    let text = error.to_string();
    assert!(text.contains("`broken` failed at step 7"), "{text}");
    assert!(text.ends_with(&source.to_string()), "{text}");
    assert_eq!(handles.map(|readings| readings.len()), [1, 0, 0]);
    let error = burnscape::Error::from(error);
    assert!(matches!(
        error,
        burnscape::Error::Dynamics(DynamicsError::Watch { .. })
    ));
}

#[test]
fn costs_are_counted_and_printed() {
    let (data, model) = (data(), model());
    let risk = Risk::new(&squared, &data);
    let (mut monitors, curvature, distance) = two(&risk);
    assert_eq!(curvature.cost().to_string(), "nothing");
    for index in 0..5 {
        monitors.observe(&Moment::new(index, LR, &model)).unwrap();
    }
    let cost = distance.cost();
    let expected = Cost {
        num_losses: 4,
        ..Cost::default()
    };
    assert_eq!(cost, expected);
    assert_eq!(cost.to_string(), "4 losses (about 1.3 gradients)");
    let cost = curvature.cost();
    // Three Hessians, and the checks of the first one.
    assert_eq!((cost.num_losses, cost.num_gradients), (0, 4));
    let products = curvature.to_vec();
    let products = products.iter().map(|seen| seen.reading.num_matvecs);
    assert_eq!(cost.num_matvecs, products.sum::<usize>());

    let table = monitors.to_string();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let products = cost.num_matvecs.to_string();
    let in_gradients = (4 + 2 * cost.num_matvecs).to_string();
    let (products, in_gradients) = (products.as_str(), in_gradients.as_str());
    assert_eq!(rows[0][..2], ["name", "readings"]);
    let expected = ["curvature", "3", "0", "4", products, in_gradients];
    assert_eq!(rows[1], expected);
    assert_eq!(rows[2], ["distance", "4", "4", "0", "0", "1.3"]);
    assert_eq!(rows[3][..5], ["sum", "7", "4", "4", products]);
    assert_eq!(rows.len(), 4);
}

#[test]
fn observations_are_tables_and_lists() {
    let (data, model) = (data(), model());
    let risk = Risk::new(&squared, &data);
    let mut watch = Watch::new(Due::Every(3), Distance::default(), risk).unwrap();
    for index in 0..4 {
        watch.observe(&Moment::new(index, LR, &model)).unwrap();
    }
    let observations = watch.readings().to_vec();
    let loss = observations[0].reading.loss;
    let mut written = Vec::new();
    observations.write_csv(&mut written).unwrap();
    let third = 1.0 / 3.0;
    let expected = format!(
        "step,lr,loss,distance,cost_in_gradients\n0,0.125,{loss},,{third}\n3,0.125,{loss},0,{third}\n"
    );
    assert_eq!(String::from_utf8(written).unwrap(), expected);
    let text = observations.to_json().unwrap();
    let read = Vec::<Observation<Moved>>::from_json(&text).unwrap();
    assert_eq!(read.len(), 2);
    assert_eq!((read[1].step, read[1].lr), (3, LR));
    assert_eq!(read[1].reading.distance, Some(0.0));
    // Handles show what a watch has read, also after it is gone.
    let readings = watch.readings();
    drop(watch);
    assert_eq!(readings.to_vec(), observations);
}

#[test]
fn a_moment_has_the_state_of_its_optimizer() {
    let (mut model, mut sgd) = (model(), SgdConfig::new().init());
    assert!(
        Moment::new(0, LR, &model)
            .optimizer_record()
            .unwrap()
            .is_none()
    );
    let mut adam = burn::optim::AdamConfig::new().init();
    let mut sizes = Vec::new();
    for optimizer in [&mut sgd, &mut adam] {
        train(&mut model, optimizer, 0..2, |moment| {
            let record = moment.optimizer_record().unwrap();
            sizes.push(record.unwrap().len());
        });
    }
    // Gradient descent has none; Adam has two moments for each of six parameters after its first step.
    assert_eq!(sizes, [0, 0, 0, 12]);
}
