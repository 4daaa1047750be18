//! Searches for critical points, against losses whose critical points are known.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use burn::module::{Module, Param};
use burn::tensor::{DType, Tensor, TensorData};
use burnscape::curvature::CurvatureError;
use burnscape::loss::{Risk, Work};
use burnscape::spectrum::{CriticalPoints, CriticalPointsConfig, PointKind};
use burnscape::{Csv, OutOfRange};
use burnscape_testkit::objectives::{Point, saddle};

use super::fixture::{device, nothing, quadratic};

fn at(coordinates: &[f64]) -> Point {
    Point::new(coordinates, &device(), DType::F64)
}

/// A search from a list of starts.
fn found(
    config: &CriticalPointsConfig,
    loss: impl Fn(&Point) -> Tensor<1> + Sync,
    starts: &[&[f64]],
) -> CriticalPoints {
    let loss = |m: &Point, _: Tensor<1>| loss(m);
    let data = nothing();
    let start = |seed: u64| at(starts[seed as usize]);
    let config = CriticalPointsConfig {
        num_starts: starts.len(),
        ..config.clone()
    };
    config.run(&Risk::new(&loss, &data), start).unwrap()
}

/// `½ |UV − diag(3, 2, 1)|²` with four hidden units.
#[derive(Module, Debug)]
struct LinearNet {
    u: Param<Tensor<2>>,
    v: Param<Tensor<2>>,
}

fn factorization(net: &LinearNet, target: Tensor<2>) -> Tensor<1> {
    let product = net.u.val().matmul(net.v.val());
    (product - target).square().sum() * 0.5
}

/// Weights that are uniform, of three sizes. SplitMix64, so that other languages can make the same starts.
fn net(seed: u64) -> LinearNet {
    let size = [0.4, 0.8, 1.6][seed as usize % 3] * 3.0_f64.sqrt();
    let mut state = seed.wrapping_mul(0xD134_2543_DE82_EF95);
    let mut draw = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let unit = ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64;
        size * (2.0 * unit - 1.0)
    };
    let mut matrix = |rows: usize, columns: usize| {
        let values: Vec<f64> = (0..rows * columns).map(|_| draw()).collect();
        let data = TensorData::new(values, [rows, columns]);
        Param::from_tensor(Tensor::from_data(data, &device()))
    };
    LinearNet {
        u: matrix(3, 4),
        v: matrix(4, 3),
    }
}

#[test]
fn the_saddles_of_a_linear_network_have_the_losses_and_indices_of_their_table() {
    // A critical point keeps a subset of the singular values 3, 2, 1. Its loss is half the sum of the squares of the
    // others. Its index is the number of the others times the number of units that are left, plus one for each pair of
    // a value that it keeps and a larger one that it does not.
    let table = [
        (7.0, 12, 0),
        (2.5, 6, 7),
        (5.0, 7, 7),
        (6.5, 8, 7),
        (0.5, 2, 12),
        (2.0, 3, 12),
        (4.5, 4, 12),
        (0.0, 0, 15),
    ];
    let target = TensorData::new(vec![3.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 1.0], [3, 3]);
    let data = [Tensor::<2>::from_data(target, &device())];
    let risk = Risk::new(&factorization, &data);
    let mut rows = BTreeSet::new();
    for seed in 0..3 {
        let config = CriticalPointsConfig::new(30, 1e-9)
            .with_max_steps(50)
            .with_seed(1000 * seed);
        let found = config.run(&risk, net).unwrap();
        let mut own = BTreeSet::new();
        for end in &found.points {
            let numbers = (end.index(), end.num_zero());
            let is_row = |(loss, index, zero): &(f64, usize, usize)| {
                (end.point.loss - loss).abs() < 1e-8 && numbers == (Some(*index), Some(*zero))
            };
            let row = table.iter().position(is_row);
            let row = row.unwrap_or_else(|| panic!("{end} is in no row"));
            assert!(own.insert(row), "{end} is in the result twice");
            assert!(end.point.gradient_norm <= 1e-9);
            assert_eq!(
                end.point.kind == PointKind::DegenerateMinimum,
                end.index() == Some(0)
            );
        }
        println!("{found}");
        assert!(own.len() >= 7 && found.num_converged() >= 24, "{found}");
        assert_eq!((found.num_starts(), found.gradient_flat.len()), (30, 0));
        rows.extend(own);
    }
    assert_eq!(rows.len(), table.len());
}

#[test]
fn the_textbook_saddle_is_found_with_its_minima_once_or_twice() {
    let starts: [&[f64]; 6] = [
        &[0.5, 0.1],
        &[-0.3, 0.9],
        &[0.2, -1.2],
        &[1.0, -0.2],
        &[0.1, 1.4],
        &[0.0, 0.0],
    ];
    let config = CriticalPointsConfig::new(1, 1e-10);
    let both = found(&config, saddle, &starts);
    let rows = |found: &CriticalPoints| -> Vec<(f64, Option<usize>, Vec<u64>)> {
        let row = |end: &burnscape::spectrum::FoundPoint| {
            let loss = (end.point.loss * 4.0).round() / 4.0;
            assert!((end.point.loss - loss).abs() < 1e-12);
            (loss, end.index(), end.seeds.clone())
        };
        found.points.iter().map(row).collect()
    };
    let expected = vec![
        (-0.25, Some(0), vec![1, 2, 4]),
        (0.0, Some(1), vec![0, 3, 5]),
    ];
    assert_eq!(rows(&both), expected);
    assert_eq!((both.num_converged(), both.completed), (6, true));
    // The start at the saddle takes no step, and its gradient is zero.
    let at_zero = &both.points[1];
    assert_eq!((at_zero.num_steps, at_zero.curved_gradient), (0, None));
    // The weights are those of the point.
    let minimum = both.points[0].weights.clone().unwrap().to_host().unwrap();
    assert!(minimum[0].abs() < 1e-9 && (minimum[1].abs() - 1.0).abs() < 1e-9);
    // By their distance, the minima are two points.
    let apart = found(&config.with_distance(Some(0.1)), saddle, &starts);
    let seeds: Vec<Vec<u64>> = rows(&apart)
        .into_iter()
        .map(|(_, _, seeds)| seeds)
        .collect();
    assert_eq!(seeds.len(), 3);
    assert!(seeds[..2].contains(&vec![1, 4]) && seeds[..2].contains(&vec![2]));
    assert_eq!(seeds[2], [0, 3, 5]);

    let mut table = Vec::new();
    both.write_csv(&mut table).unwrap();
    let table = String::from_utf8(table).unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(
        lines[0],
        "loss,index,near_zero,gradient_norm,curved_gradient,starts"
    );
    assert_eq!(lines.len(), 3);
    assert!(lines[2].ends_with(",1,0,0,,3"), "{}", lines[2]);
    let text = both.to_string();
    assert!(text.contains("a saddle of index 1"), "{text}");
    assert!(
        text.ends_with(
            "6 starts: 6 ended at critical points, 0 where the gradient is flat, 0 did not converge, 0 left \
             the range of numbers"
        ),
        "{text}"
    );
}

#[test]
fn a_slope_without_curvature_is_no_critical_point_however_small_it_is() {
    let slope = |rate: f64| {
        move |m: &Point| {
            let (x, y) = (m.w.val().slice(0..1), m.w.val().slice(1..2));
            x.square() + y * rate
        }
    };
    let config = CriticalPointsConfig::new(1, 1e-6).with_max_steps(40);
    for (rate, kind) in [
        // The gradient is below the tolerance, and the Hessian has no negative eigenvalue.
        (1e-7, PointKind::DegenerateMinimum),
        // It never is.
        (1e-3, PointKind::NotCritical),
    ] {
        let found = found(&config, slope(rate), &[&[1.0, 0.5]]);
        assert!(found.points.is_empty());
        assert_eq!(found.gradient_flat.len(), 1, "{found}");
        let end = &found.gradient_flat[0];
        assert_eq!(end.point.kind, kind);
        assert!((end.point.gradient_norm - rate).abs() < 1e-9);
        assert!(end.curved_gradient.unwrap() < 1e-6);
        assert_eq!((found.num_converged(), found.num_starts()), (0, 1));
    }
    // Without any curvature there is no step at all.
    let plane = |m: &Point| m.w.val().sum();
    let ends = found(&config, plane, &[&[1.0, 0.5]]);
    assert_eq!(ends.gradient_flat[0].num_steps, 0);
    assert_eq!((ends.points.len(), ends.num_gradients), (0, 1));
}

#[test]
fn what_does_not_converge_or_leaves_the_numbers_is_counted() {
    // y − ln y has its minimum at 1; below zero there is no logarithm.
    let well = |m: &Point| {
        let y = m.w.val();
        y.clone() - y.log()
    };
    let config = CriticalPointsConfig::new(1, 1e-10);
    let found_all = found(&config, well, &[&[2.0], &[-1.0], &[0.5], &[3.0]]);
    assert_eq!(found_all.num_not_finite, 1, "{found_all}");
    assert_eq!(found_all.points.len(), 1);
    let end = &found_all.points[0];
    assert_eq!((end.point.kind, end.index()), (PointKind::Minimum, Some(0)));
    assert!((end.point.loss - 1.0).abs() < 1e-12);
    assert_eq!(end.seeds, [0, 2, 3]);
    // x³/3 + x has no critical point: Newton's method wanders about.
    let monotone = |m: &Point| {
        let x = m.w.val();
        x.clone().powi_scalar(3) / 3.0 + x
    };
    let ends = found(&config.with_max_steps(7), monotone, &[&[1.0]]);
    assert_eq!(ends.num_unconverged, 1, "{ends}");
    assert_eq!((ends.points.len(), ends.num_gradients), (0, 8));
}

#[test]
fn a_small_krylov_space_finds_the_same_point_without_an_exact_index() {
    let values: Vec<f64> = (0..30).map(|i| 1.0 + f64::from(i) / 10.0).collect();
    let loss = quadratic(&values);
    let data = nothing();
    let risk = Risk::new(&loss, &data);
    let start = |seed: u64| at(&[0.3 + seed as f64; 30]);
    let config = CriticalPointsConfig::new(2, 1e-8).with_max_step(None);
    let exact = config.run(&risk, start).unwrap();
    let rough = config.with_max_basis(5).run(&risk, start).unwrap();
    for found in [&exact, &rough] {
        assert_eq!((found.points.len(), found.num_converged()), (1, 2));
        assert!(found.points[0].point.loss < 1e-15);
    }
    // One step of Newton's method from each start.
    assert_eq!(exact.points[0].num_steps, 1);
    assert_eq!(
        (exact.points[0].index(), rough.points[0].index()),
        (Some(0), None)
    );
    assert_eq!(rough.points[0].num_zero(), None);
    assert!(rough.num_gradients > exact.num_gradients);
}

#[test]
fn more_starts_extend_a_search() {
    let loss = |m: &Point, _: Tensor<1>| saddle(m);
    let data = nothing();
    let risk = Risk::new(&loss, &data);
    let start = |seed: u64| {
        let angle = seed as f64;
        at(&[0.7 * angle.cos(), 1.3 * angle.sin()])
    };
    let search = |count: usize, seed: u64| {
        let config = CriticalPointsConfig::new(count, 1e-10).with_seed(seed);
        config.run(&risk, start).unwrap()
    };
    let (whole, parts) = (search(8, 3), [search(5, 3), search(3, 8)]);
    for end in &whole.points {
        let mut seeds = Vec::new();
        for part in &parts {
            let same = part.points.iter().find(|own| own.index() == end.index());
            seeds.extend(same.map(|own| own.seeds.clone()).unwrap_or_default());
        }
        assert_eq!(end.seeds, seeds);
    }
    let costs = parts.map(|part| (part.num_gradients, part.num_matvecs));
    assert_eq!(whole.num_gradients, costs[0].0 + costs[1].0);
    assert_eq!(whole.num_matvecs, costs[0].1 + costs[1].1);
}

#[test]
fn a_stopped_search_has_the_starts_before() {
    let loss = |m: &Point, _: Tensor<1>| saddle(m);
    let data = nothing();
    let config = CriticalPointsConfig::new(5, 1e-10);
    let start = |seed: u64| at(&[0.5, 0.1 + seed as f64]);
    let stop_at = |work: Work, done: usize| {
        let mut count = 0;
        let risk = Risk::new(&loss, &data).with_observer(move |progress| {
            if progress.work == work {
                count += 1;
            }
            match count == done {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        config.run(&risk, start)
    };
    let whole = config.run(&Risk::new(&loss, &data), start).unwrap();
    assert!(whole.completed && whole.num_starts() == 5);
    let found = stop_at(Work::Start, 2).unwrap();
    assert_eq!((found.completed, found.num_starts()), (false, 2));
    assert!(found.to_string().ends_with(" (stopped; 5 were asked for)"));
    assert!(stop_at(Work::Start, 5).unwrap().completed);
    // In the middle of the first start there is nothing yet.
    for work in [Work::Linearization, Work::Matvec] {
        let error = stop_at(work, 1).unwrap_err();
        assert_eq!(error, CurvatureError::Stopped, "{work}");
    }
    let steps: usize = whole.num_gradients;
    let found = stop_at(Work::Linearization, steps).unwrap();
    assert!(!found.completed && found.num_starts() == 4);
}

#[test]
fn settings_out_of_range_are_refused() {
    let config = || CriticalPointsConfig::new(3, 1e-6);
    for (name, config) in [
        ("num_starts", CriticalPointsConfig::new(0, 1e-6)),
        ("gradient_tolerance", CriticalPointsConfig::new(3, 0.0)),
        ("max_steps", config().with_max_steps(0)),
        ("floor", config().with_floor(0.0)),
        ("floor", config().with_floor(1.5)),
        ("max_step", config().with_max_step(Some(-0.5))),
        ("max_basis", config().with_max_basis(0)),
        ("zero", config().with_zero(1.0)),
        ("loss_tolerance", config().with_loss_tolerance(f64::NAN)),
        ("distance", config().with_distance(Some(-1.0))),
    ] {
        let loss = |m: &Point, _: Tensor<1>| saddle(m);
        let data = nothing();
        let error = config.run(&Risk::new(&loss, &data), |_| at(&[0.5, 0.1]));
        let Err(CurvatureError::OutOfRange(OutOfRange { name: found, .. })) = error else {
            panic!("{name} was accepted");
        };
        assert_eq!(found, name);
    }
}
