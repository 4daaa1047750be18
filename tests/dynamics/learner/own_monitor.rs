//! A monitor of one's own beside that of the library: what metrics show, and their names.

use burn::train::metric::{Metric, NumericEntry};
use burnscape::dynamics::{
    Cost, Due, DynamicsError, EdgeRule, LearnerMonitors, Moment, Monitor, Monitors, Quantity,
    Reading, Watch,
};
use burnscape::loss::{Risk, Whole};
use serde::{Deserialize, Serialize};

use super::{Directory, Mlp, data, launch, logged, parts, sgd, squared, training, watch};

/// Every second measurement finds a number.
struct Sometimes(usize);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Found {
    gradient_norm: Option<f64>,
}

impl Reading for Found {
    fn quantities() -> &'static [Quantity<Self>] {
        const QUANTITIES: &[Quantity<Found>] = &[Quantity {
            name: "gradient_norm",
            description: "norm of the gradient",
            value: |found| found.gradient_norm,
        }];
        QUANTITIES
    }

    fn cost(&self) -> Cost {
        Cost {
            num_gradients: 1,
            ..Cost::default()
        }
    }
}

impl Monitor<Mlp> for Sometimes {
    type Reading = Found;
    type State = usize;

    fn name(&self) -> &'static str {
        "sometimes"
    }

    fn measure(
        &mut self,
        risk: &Risk<'_, Mlp>,
        moment: &Moment<'_, Mlp>,
    ) -> Result<Found, DynamicsError> {
        let norm = risk.loss_and_gradient(moment.model)?.gradient.norm()?;
        self.0 += 1;
        Ok(Found {
            gradient_norm: self.0.is_multiple_of(2).then_some(norm),
        })
    }

    fn to_state(&self) -> Result<usize, DynamicsError> {
        Ok(self.0)
    }

    fn load_state(&mut self, state: usize) -> Result<(), DynamicsError> {
        self.0 = state;
        Ok(())
    }
}

fn sometimes(every: usize) -> Watch<'static, Mlp, Whole, Sometimes> {
    let risk = Risk::owned(squared, data());
    Watch::new(Due::Every(every), Sometimes(0), risk).unwrap()
}

#[test]
fn a_reading_without_the_quantity_shows_nothing() {
    let directory = Directory::new();
    let watch = sometimes(2);
    let readings = watch.readings();
    let monitors = LearnerMonitors::new(Monitors::new().with(watch).unwrap());
    let metric = monitors.metric(&readings, "gradient_norm").unwrap();
    let training = training(&directory, (1, 1)).metric_train_numeric(metric);
    let result = launch(training, Some(monitors.plain().unwrap()));
    assert!(result.error.is_none(), "{:?}", result.error);
    // At steps 0, 2 and 4; the number belongs to items 3 and 4.
    let found = readings.to_vec().into_iter();
    let found: Vec<Option<f64>> = found.map(|seen| seen.reading.gradient_norm).collect();
    let [None, Some(norm), None] = found[..] else {
        panic!("{found:?}");
    };
    let lines = logged(&directory, "gradient_norm", 1);
    let (whole, items) = lines.split_last().unwrap();
    let items: Vec<(f64, bool)> = items.iter().map(parts).collect();
    assert_eq!(items, [(norm, true), (norm, false)]);
    assert!(matches!(whole, NumericEntry::Final(value) if *value == norm));
    let table = monitors.to_string();
    assert!(table.contains("sometimes"), "{table}");
}

#[test]
fn metrics_of_several_watches_have_names_of_their_own() {
    let rule = EdgeRule::of(&sgd()).unwrap();
    let (all, odd) = (watch(2, &rule), watch(3, &rule).named("odd steps: λ/2"));
    let own = sometimes(1);
    let (readings, named, others) = (all.readings(), odd.readings(), own.readings());
    let monitors = Monitors::new().with(all).unwrap();
    let monitors = monitors.with(odd).unwrap().with(own).unwrap();
    let monitors = LearnerMonitors::new(monitors);
    // Twice, as for a training after this one.
    for _ in 0..2 {
        let metric = monitors.metric(&readings, "gradient_norm").unwrap();
        assert_eq!(*metric.name(), "gradient_norm");
        let metric = monitors.metric(&named, "gradient_norm").unwrap();
        assert_eq!(*metric.name(), "odd steps_ λ_2 gradient_norm");
        let metric = monitors.metric(&others, "gradient_norm").unwrap();
        assert_eq!(*metric.name(), "sometimes gradient_norm");
        // Burn has a metric `Loss`.
        let metric = monitors.metric(&readings, "loss").unwrap();
        assert_eq!(*metric.name(), "curvature loss");
    }
    let elsewhere = watch(2, &rule).readings();
    let error = monitors.metric(&elsewhere, "trace").err().unwrap();
    assert_eq!(error, DynamicsError::NoWatch);

    let error = monitors.metric(&readings, "lambda_max").err().unwrap();
    let text = error.to_string();
    assert!(matches!(error, DynamicsError::NoQuantity { .. }), "{text}");
    for known in ["lambda_max", "sharpness", "edge_ratio", "trace"] {
        assert!(text.contains(known), "{text}");
    }
}
