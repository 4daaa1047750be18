//! Every setting of a landscape changes its result, but the number of threads, which must not.

use burnscape::landscape::{Direction, LandscapeConfig};
use burnscape::loss::NormalizationPolicy;
use burnscape::prelude::*;
use burnscape::space::Grid;
use burnscape_testkit::models::Normalized;

use super::models::{absolutes, inputs, squares};
use crate::path::models::network;
use crate::path::settings::each_matters;

#[test]
fn of_landscapes() {
    let (data, other) = (inputs(&[6, 3]), inputs(&[4]));
    let (risk, metric) = (Risk::new(&squares, &data), Risk::new(&absolutes, &other));
    let [a, b, c] = [1, 2, 3].map(|seed| risk.reestimate(&network(seed), None).unwrap());
    let directions = [&b, &c].map(|other| Direction::between(&a, other).unwrap());
    let grid = |end| Grid::linspace(0.0, end, 3).unwrap();
    let base: LandscapeConfig<'_, Normalized> = LandscapeConfig::new([grid(0.5), grid(0.5)]);
    let policy = |policy| base.clone().with_policy(policy);
    let settings = vec![
        ("x", LandscapeConfig::new([grid(0.4), grid(0.5)])),
        ("y", LandscapeConfig::new([grid(0.5), grid(0.4)])),
        ("metric", base.clone().with_metric("test", &metric)),
        ("name", base.clone().with_metric("error", &metric)),
        ("again", policy(NormalizationPolicy::ReestimateAll)),
        ("once", policy(NormalizationPolicy::Reestimate(1))),
        ("between", policy(NormalizationPolicy::Interpolate)),
    ];
    let run = |config: &LandscapeConfig<'_, Normalized>| {
        let found = config.run(&risk, &a, &directions).unwrap();
        found.to_json().unwrap()
    };
    each_matters(&base, settings, run);
    assert_eq!(run(&base.clone().with_threads(3)), run(&base));
    assert!(base.with_max_points(8).run(&risk, &a, &directions).is_err());
}

#[test]
fn of_directions_and_risks() {
    let data = inputs(&[6, 3]);
    let risk = Risk::new(&squares, &data);
    let [a, b, c] = [1, 2, 3].map(network);
    let [first, second] = [&b, &c].map(|other| Direction::between(&a, other).unwrap());
    let grid = Grid::linspace(0.0, 0.5, 3).unwrap();
    let config = LandscapeConfig::new([grid.clone(), grid]);
    let base = (risk.clone(), [first.clone(), second.clone()]);
    let settings = vec![
        ("order", (risk.clone(), [second.clone(), first.clone()])),
        ("mode", (risk.with_mode(Mode::Train), [first, second])),
    ];
    each_matters(&base, settings, |(risk, directions)| {
        let found = config.run(risk, &a, directions).unwrap();
        found.to_json().unwrap()
    });
}
