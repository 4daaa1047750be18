//! The strategy with a function that finds the loss.

use burn::train::RegressionOutput;
use burnscape::optim::SamConfig;

use super::model::{BATCH, Net, batches, items, read};
use super::training::{Directory, Run, falling, message, observed, sgd, strategy, train};

#[test]
fn several_starts_are_compared_by_the_loss_that_is_named() {
    let config = SamConfig::sa_gd().with_seed(1).with_rho(0.2);
    let run = || Run {
        epochs: 1,
        ..Run::default()
    };
    let named = strategy(config.clone()).with_loss(|output: &RegressionOutput| output.loss.clone());
    let trained = train(run(), named, Net::new(0.0));

    let mut sam = config.clone().init(sgd().init()).unwrap();
    let mut rates = falling();
    let mut model = Net::new(0.0);
    for batch in batches(items()) {
        let closure = |model: &Net| model.loss(batch.clone()).loss;
        sam.step(rates.step(), &mut model, closure).unwrap();
    }
    assert_eq!(trained.state(), model.state());

    let directory = Directory::new();
    let result = run().launch(&directory.0, Net::new(0.0), Some(strategy(config).into()));
    assert!(message(&result).contains("with_loss"));
}

#[test]
fn reports_have_the_losses_once_they_are_named() {
    let run = || Run {
        epochs: 1,
        accumulation: Some(2),
        ..Run::default()
    };
    let (unnamed, reports) = observed(SamConfig::new());
    train(run(), unnamed, Net::new(0.0));
    let report = reports.lock().unwrap()[0].clone();
    assert_eq!((report.loss, report.perturbed_loss), (None, None));

    let (strategy, reports) = observed(SamConfig::new());
    let named = strategy.with_loss(|output: &RegressionOutput| output.loss.clone());
    train(run(), named, Net::new(0.0));
    let report = reports.lock().unwrap()[0].clone();
    // Losses add up over a group, like gradients.
    let batches = batches((0..2 * BATCH).collect());
    let losses = batches
        .into_iter()
        .map(|batch| read(Net::new(0.0).loss(batch).loss)[0]);
    assert_eq!(report.loss, Some(f64::from(losses.sum::<f32>())));
    assert!(report.perturbed_loss > report.loss);
}
