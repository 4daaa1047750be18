//! Paths between networks that were trained on digits, with the survey's own code.

use std::error::Error;

use burn::tensor::Device;
use burnscape::loss::{Batch, NormalizationPolicy, Risk};
use burnscape::path::{BezierCurve, CurveProfile, CurveProfileConfig, PolygonalChain};
use burnscape_testkit::turn;

use crate::survey::data::Split;
use crate::survey::models::{Classifier, Cnn, DeepMlp};
use crate::survey::paths::{Effort, drawn, fit, sgd};
use crate::survey::train::{Course, loss, train};

const EFFORT: Effort = Effort {
    train_epochs: 30,
    fit_epochs: 60,
    num_points: 21,
};

/// What is between two networks.
struct Connection {
    seeds: [u64; 2],
    /// The straight line.
    line: CurveProfile,
    /// A fitted Bézier curve of degree 2.
    bezier: CurveProfile,
    /// The same curve with the running statistics of the nearer end.
    bezier_left: CurveProfile,
}

fn connection<M: Classifier>(seeds: [u64; 2]) -> Result<Connection, Box<dyn Error>> {
    let device = Device::default();
    let split = Split::load(&device)?;
    let device = device.autodiff();
    let [a, b] = {
        // For the weights alone: the minutes that follow draw nothing, and other tests run beside them.
        let _turn = turn();
        seeds.map(|seed| drawn::<M>(&device, seed))
    };
    let digits = split.train.clone().to_device(&device);
    let trained = |model: M, seed: u64| -> Result<M, Box<dyn Error>> {
        let course = Course {
            digits: &digits,
            num_examples: split.num_train,
            epochs: EFFORT.train_epochs,
            seed,
        };
        Ok(train(model, sgd().init(), &course, |_| ())?.model)
    };
    let (a, b) = (trained(a?, seeds[0])?, trained(b?, seeds[1])?);
    let line = PolygonalChain::line(&a, &b)?;
    let bezier = BezierCurve::between(&a, &b, 2)?;
    let bezier = fit(bezier, &digits, EFFORT, seeds[0], &|| ())?;
    let (loss, data) = (loss::<M>, [split.train.clone()]);
    let risk = Risk::new(&loss, &data);
    let again = CurveProfileConfig::new().with_num_points(EFFORT.num_points);
    let left = CurveProfileConfig::new()
        .with_policy(NormalizationPolicy::Leave)
        .with_num_points(EFFORT.num_points);
    Ok(Connection {
        seeds,
        line: again.run(&risk, &line)?,
        bezier: again.run(&risk, &bezier)?,
        bezier_left: left.run(&risk, &bezier)?,
    })
}

/// The maximum of the curve is at most 1.1 times the worse end, or 0.02 above it; that of the line is at least 5 times
/// the worse end.
fn is_connected(name: &str, connection: &Connection) -> bool {
    let losses = &connection.line.train.values;
    let end = losses[0].max(losses[losses.len() - 1]);
    let [line, bezier] = [&connection.line, &connection.bezier].map(|profile| profile.train.max);
    println!(
        "{name}, seeds {:?}: worse end {end:.5}, line {line:.4}, Bézier {bezier:.5}",
        connection.seeds
    );
    line >= 5.0 * end && bezier <= (1.1 * end).max(end + 0.02)
}

#[test]
fn a_bezier_curve_connects_two_mlps_where_the_line_does_not() {
    let connection = connection::<DeepMlp>([1, 2]).unwrap();
    assert!(is_connected("mlp", &connection));
}

#[test]
fn a_bezier_curve_connects_two_cnns_where_the_line_does_not() {
    let connection = connection::<Cnn>([1, 2]).unwrap();
    assert!(is_connected("cnn", &connection));
    // A common error: with the statistics of the ends, the same curve seems to have a barrier.
    let (again, left) = (
        connection.bezier.train.max,
        connection.bezier_left.train.max,
    );
    println!("cnn, statistics left as they are: Bézier {left:.4}");
    assert!(left > 10.0 * again, "{left} {again}");
}

#[test]
#[ignore = "minutes; prints three seed pairs of each network"]
fn three_pairs_of_each_are_connected() {
    for seeds in [[1, 2], [3, 4], [5, 6]] {
        let mlps = connection::<DeepMlp>(seeds).unwrap();
        assert!(is_connected("mlp", &mlps));
        let cnns = connection::<Cnn>(seeds).unwrap();
        assert!(is_connected("cnn", &cnns));
    }
}
