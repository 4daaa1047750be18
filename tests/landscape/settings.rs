//! Every setting of a slice changes its result.

use burnscape::landscape::{Slice1dConfig, Slice2dConfig};
use burnscape::prelude::*;
use burnscape::space::Grid;

use crate::path::models::{nothing, point, ring};
use crate::path::settings::each_matters;

#[test]
fn of_slices() {
    let (model, data) = (point(&[0.3, -0.7, 0.2]), nothing());
    let risk = Risk::new(&ring, &data);
    let space = risk.space(&model).unwrap();
    let [u, v] = [1, 2].map(|seed| ParamVector::gaussian(&space, seed).unwrap());
    let grid = |count| Grid::symmetric(1.0, count).unwrap();
    let base = Slice1dConfig::new(grid(3));
    let settings = vec![("grid", Slice1dConfig::new(grid(5)))];
    each_matters(&base, settings, |config| {
        let slice = config.run(&risk, &model, &u).unwrap();
        slice.to_json().unwrap()
    });
    let base = Slice2dConfig::new(grid(3), grid(3));
    let settings = vec![
        ("x", Slice2dConfig::new(grid(5), grid(3))),
        ("y", Slice2dConfig::new(grid(3), grid(5))),
        ("orthogonalized", base.clone().with_orthogonalized(true)),
    ];
    each_matters(&base, settings, |config| {
        let slice = config.run(&risk, &model, [&u, &v]).unwrap();
        slice.to_json().unwrap()
    });
}
