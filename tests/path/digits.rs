//! Paths between networks that were trained on digits, with the survey's own code.

use burn::tensor::Device;
use burnscape_testkit::turn;

use crate::survey::data::Split;
use crate::survey::models::{Classifier, Cnn, DeepMlp};
use crate::survey::paths::{Connection, Effort, connect};

fn connection<M: Classifier>(seeds: [u64; 2], effort: Effort) -> Connection {
    let _turn = turn();
    let device = Device::default();
    let split = Split::load(&device).unwrap();
    let connected = connect::<M>(&device.autodiff(), &split, seeds, effort, &|_, _| ());
    connected.unwrap().0
}

/// The maximum of the curve is at most 1.1 times the worse end, or 0.02 above it; that of the line is at least 5 times
/// the worse end.
fn is_connected(name: &str, connection: &Connection) -> bool {
    let losses = &connection.line.train.values;
    let end = losses[0].max(losses[losses.len() - 1]);
    let [line, bezier, chain] =
        [&connection.line, &connection.bezier, &connection.chain].map(|profile| profile.train.max);
    println!(
        "{name}, seeds {:?}: worse end {end:.5}, line {line:.4}, Bézier {bezier:.5}, chain {chain:.5}",
        connection.seeds
    );
    line >= 5.0 * end && bezier <= (1.1 * end).max(end + 0.02)
}

const EFFORT: Effort = Effort {
    train_epochs: 30,
    fit_epochs: 60,
    num_points: 21,
};

#[test]
fn a_bezier_curve_connects_two_mlps_where_the_line_does_not() {
    assert!(is_connected("mlp", &connection::<DeepMlp>([1, 2], EFFORT)));
}

#[test]
fn a_bezier_curve_connects_two_cnns_where_the_line_does_not() {
    let connection = connection::<Cnn>([1, 2], EFFORT);
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
        assert!(is_connected("mlp", &connection::<DeepMlp>(seeds, EFFORT)));
        assert!(is_connected("cnn", &connection::<Cnn>(seeds, EFFORT)));
    }
}
