//! Landscapes of losses that are known exactly, and of networks point by point.

use std::ops::ControlFlow;

use burn::module::ParamGroup;
use burn::tensor::Tensor;
use burnscape::FormatError;
use burnscape::landscape::{Direction, DirectionKind, Landscape, LandscapeConfig};
use burnscape::loss::{SumLoss, Work};
use burnscape::prelude::*;
use burnscape::space::{DirectionNorm, Grid, ParameterPlane, UnfilteredRule};
use burnscape_testkit::models::Normalized;
use burnscape_testkit::objectives::Point;

use super::models::{absolutes, bits, diagonal, drawn, given, inputs, point, quadratic, squares};
use crate::path::models::{network, parameters};

#[test]
fn a_line_over_a_quadratic_is_an_exact_parabola() {
    let (w, h, d) = ([1.0, -2.0], [4.0, 0.5], [0.3, 0.7]);
    let (model, data) = (point(&w), diagonal(&h));
    let risk = Risk::new(&quadratic, &data);
    let grid = Grid::symmetric(2.0, 9).unwrap();
    let line = LandscapeConfig::new([grid.clone()])
        .run(&risk, &model, &given(&model, &[&d]))
        .unwrap();
    assert_eq!(line.axes, [grid.coordinates().to_vec()]);
    let slope = h[0] * w[0] * d[0] + h[1] * w[1] * d[1];
    let bend = h[0] * d[0] * d[0] + h[1] * d[1] * d[1];
    for (x, loss) in line.axes[0].iter().zip(&line.losses) {
        let exact = 3.0 + slope * x + 0.5 * bend * x * x;
        assert!((loss - exact).abs() < 1e-12, "{x}: {loss} {exact}");
    }
    let direction = &line.directions[0];
    assert!((direction.norm - 0.58_f64.sqrt()).abs() < 1e-12);
    assert!((direction.relative_norm - (0.58_f64 / 5.0).sqrt()).abs() < 1e-12);
    assert_eq!((line.num_losses, line.completed), (9, true));
    assert_eq!((line.num_examples, line.num_batches), (2, 1));
    assert_eq!(line.rounding, 3.0 * f64::EPSILON);
}

#[test]
fn a_plane_over_a_quadratic_is_an_exact_paraboloid() {
    let (model, data) = (point(&[1.0, -2.0]), diagonal(&[4.0, 0.5]));
    let risk = Risk::new(&quadratic, &data);
    let wide = Grid::linspace(-1.0, 2.0, 4).unwrap();
    let narrow = Grid::linspace(0.5, 1.5, 3).unwrap();
    let plane = LandscapeConfig::new([wide, narrow])
        .run(&risk, &model, &given(&model, &[&[1.0, 0.0], &[0.5, 1.0]]))
        .unwrap();
    assert_eq!((plane.shape(), plane.num_points()), (vec![4, 3], 12));
    for (i, &x) in plane.axes[0].iter().enumerate() {
        for (j, &y) in plane.axes[1].iter().enumerate() {
            let (a, b) = (1.0 + x + 0.5 * y, y - 2.0);
            let exact = 2.0 * a * a + 0.25 * b * b;
            let found = plane.loss(&[i, j]).unwrap();
            assert!((found - exact).abs() < 1e-12, "{found} {exact}");
            // The last axis is the fastest.
            assert_eq!(plane.index(&[i, j]), Some(3 * i + j));
            assert_eq!(plane.losses[3 * i + j], found);
        }
    }
    for off in [&[4, 0][..], &[0, 3], &[0], &[0, 0, 0]] {
        assert_eq!((plane.index(off), plane.loss(off)), (None, None));
    }
    // The model itself is not on the grid.
    assert_eq!((plane.num_losses, plane.base_loss), (13, 3.0));
    assert_eq!(plane.gram, [[1.0, 0.5], [0.5, 1.25]]);
    assert!((plane.cosine(0, 1) - 0.5 / 1.25_f64.sqrt()).abs() < 1e-12);
    assert!(plane.cosine(0, 2).is_nan());
    // The first axis down to −1, where the other one is 0.5: 2 · 0.25² + 0.25 · 1.5².
    let (at, lowest) = plane.lowest().unwrap();
    assert_eq!(at, [-1.0, 0.5]);
    assert!((lowest - 0.6875).abs() < 1e-12, "{lowest}");
}

#[test]
fn spaces_of_three_and_four_dimensions_are_exact() {
    let w = [0.3, -0.2, 0.5, -1.0];
    let h = [1.0, 2.0, 3.0, 5.0];
    let (model, data) = (point(&w), diagonal(&h));
    let risk = Risk::new(&quadratic, &data);
    let vectors: [[f64; 4]; 4] = [
        [1.0, 0.2, 0.0, 0.0],
        [0.0, 1.0, 0.3, 0.0],
        [0.0, 0.0, 1.0, 0.4],
        [0.5, 0.0, 0.0, 1.0],
    ];
    for shape in [&[2, 3, 4][..], &[3, 2, 4, 2]] {
        let axes = shape.iter().enumerate();
        let grid =
            |(axis, &len): (usize, &usize)| Grid::linspace(-0.5, 1.0 + axis as f64, len).unwrap();
        let vectors: Vec<&[f64]> = vectors.iter().take(shape.len()).map(|v| &v[..]).collect();
        let found = LandscapeConfig::new(axes.map(grid))
            .run(&risk, &model, &given(&model, &vectors))
            .unwrap();
        assert_eq!(found.shape(), shape);
        let (mut index, mut at) = (0, vec![0; shape.len()]);
        loop {
            let mut moved = w;
            for (axis, vector) in vectors.iter().enumerate() {
                let x = found.axes[axis][at[axis]];
                for (moved, d) in moved.iter_mut().zip(*vector) {
                    *moved += x * d;
                }
            }
            let exact: f64 = moved.iter().zip(h).map(|(w, h)| 0.5 * h * w * w).sum();
            assert!((found.loss(&at).unwrap() - exact).abs() < 1e-12, "{at:?}");
            assert_eq!(found.index(&at), Some(index));
            index += 1;
            // Counts up, the last axis first.
            let Some(axis) = (0..shape.len()).rev().find(|&a| at[a] + 1 < shape[a]) else {
                break;
            };
            at[axis] += 1;
            at[axis + 1..].fill(0);
        }
        assert_eq!(index, found.num_points());
    }
}

#[test]
fn the_center_is_the_models_loss_and_the_axes_are_lines_bit_for_bit() {
    let model = network(1);
    let data = inputs(&[3, 2]);
    let risk = Risk::new(&squares, &data);
    let base = risk.loss(&model).unwrap().value;
    let space = risk.space(&model).unwrap();
    let norm = DirectionNorm::Filter(UnfilteredRule::Zero);
    let directions = [1, 2, 3].map(|seed| Direction::random(&space, &model, norm, seed).unwrap());
    let grid = Grid::symmetric(0.7, 5).unwrap();
    let lines = [0, 1, 2].map(|axis| {
        let line = LandscapeConfig::new([grid.clone()]);
        line.run(&risk, &model, &directions[axis..=axis]).unwrap()
    });
    assert_eq!(lines[0].losses[2].to_bits(), base.to_bits());
    let config = LandscapeConfig::new([grid.clone(), grid.clone()]);
    let plane = config.run(&risk, &model, &directions[..2]).unwrap();
    let config = LandscapeConfig::new([grid.clone(), grid.clone(), grid]);
    let cube = config.run(&risk, &model, &directions).unwrap();
    for i in 0..5 {
        assert_eq!(plane.loss(&[i, 2]), Some(lines[0].losses[i]));
        assert_eq!(plane.loss(&[2, i]), Some(lines[1].losses[i]));
        assert_eq!(cube.loss(&[2, 2, i]), Some(lines[2].losses[i]));
        for j in 0..5 {
            assert_eq!(cube.loss(&[i, j, 2]), plane.loss(&[i, j]));
        }
    }
    assert_eq!((plane.num_losses, cube.num_losses), (25, 125));
}

/// Every value of a plane is that of the risk at the displaced model.
fn compare(risk: &Risk<'_, Normalized>, metric: &Risk<'_, Normalized>) {
    let model = network(2);
    let directions = drawn(&model, &[4, 5]);
    let axes = [
        Grid::symmetric(0.3, 3).unwrap(),
        Grid::from_coordinates(vec![-0.5, 0.0, 0.4, 1.0]).unwrap(),
    ];
    let plane = LandscapeConfig::new(axes)
        .with_metric("metric", metric)
        .run(risk, &model, &directions)
        .unwrap();
    let mut losses = Vec::new();
    let mut metrics = Vec::new();
    for &x in &plane.axes[0] {
        for &y in &plane.axes[1] {
            let [first, second] = [0, 1].map(|axis| directions[axis].vector());
            let moved = match (x == 0.0, y == 0.0) {
                (true, true) => model.clone(),
                (false, true) => first.perturb(&model, x).unwrap(),
                (true, false) => second.perturb(&model, y).unwrap(),
                (false, false) => {
                    let row = first.perturb(&model, x).unwrap();
                    second.perturb(&row, y).unwrap()
                }
            };
            losses.push(risk.loss(&moved).unwrap().value);
            metrics.push(metric.loss(&moved).unwrap().value);
        }
    }
    assert_eq!(bits(&plane.losses), bits(&losses));
    let found = plane.metric("metric").unwrap();
    assert_eq!(bits(&found.values), bits(&metrics));
    assert_eq!(found.base, metric.loss(&model).unwrap().value);
    assert!(plane.metric("other").is_none());
    // The grid holds the model: its passes are those at the center.
    assert_eq!(plane.num_losses, 2 * 12);
}

#[test]
fn every_value_is_that_of_its_risk_bit_for_bit() {
    let (uneven, other) = (inputs(&[7, 2, 5]), inputs(&[4]));
    let (sums, means) = (SumLoss(squares), squares);
    let means = Risk::new(&means, &uneven);
    let sums = Risk::new(&sums, &uneven);
    let metric = Risk::new(&absolutes, &other);
    compare(&means, &metric);
    compare(&sums, &means);
    compare(&metric, &sums);
    compare(&means.clone().with_mode(Mode::Train), &sums);
    let group = ParamGroup::from_predicate("second");
    compare(&means.with_group(group), &metric);
}

/// Every value over a plane is the loss at its point.
fn compare_with_points(model: &Normalized, axes: [&ParamVector; 2], risk: &Risk<'_, Normalized>) {
    let plane = ParameterPlane::spanned(model, axes).unwrap();
    for plane in [plane.clone(), plane.orthonormalized()] {
        let directions = plane.axes().clone().map(|axis| {
            let kind = DirectionKind::Other("an axis".to_string());
            Direction::new(kind, axis)
        });
        // With a coordinate of 1, and both of 0.
        let grids = [
            Grid::symmetric(1.0, 5).unwrap(),
            Grid::from_coordinates(vec![-0.7, 0.0, 0.3]).unwrap(),
        ];
        let found = LandscapeConfig::new(grids)
            .run(risk, plane.origin(), &directions)
            .unwrap();
        let mut losses = Vec::new();
        for &x in &found.axes[0] {
            for &y in &found.axes[1] {
                let point = plane.point(x, y).unwrap();
                losses.push(risk.loss(&point).unwrap().value);
            }
        }
        assert_eq!(bits(&found.losses), bits(&losses));
    }
}

#[test]
fn a_landscape_over_a_plane_has_the_losses_of_its_points_bit_for_bit() {
    let data = inputs(&[4, 3]);
    let risk = Risk::new(&squares, &data);
    let (model, group) = (network(2), ParamGroup::from_predicate("second"));
    let whole = ParamSpace::of(&model).unwrap();
    let part = ParamSpace::of_group(&model, &group).unwrap();
    for space in [whole, part] {
        let [first, second] = [4, 5].map(|seed| ParamVector::gaussian(&space, seed).unwrap());
        compare_with_points(&model, [&first, &second], &risk);
    }
}

#[test]
fn a_direction_of_a_part_moves_that_part() {
    let (model, data) = (network(2), inputs(&[3]));
    let risk = Risk::new(&squares, &data);
    let group = ParamGroup::from_predicate("second");
    let space = ParamSpace::of_group(&model, &group).unwrap();
    let vector = ParamVector::gaussian(&space, 1).unwrap();
    let direction = Direction::new(DirectionKind::Other("a part".to_string()), vector);
    let config = LandscapeConfig::new([Grid::linspace(0.0, 0.5, 2).unwrap()]);
    let line = config
        .run(&risk, &model, std::slice::from_ref(&direction))
        .unwrap();
    let moved = direction.vector().perturb(&model, 0.5).unwrap();
    assert_eq!(line.losses[1], risk.loss(&moved).unwrap().value);
    let weights = ParamVector::from_module(&space, &model).unwrap();
    let share = direction.vector().norm().unwrap() / weights.norm().unwrap();
    assert_eq!(line.directions[0].relative_norm, share);
}

#[test]
fn a_direction_of_another_model_with_the_same_parameters_is_taken() {
    let (model, data) = (network(2), inputs(&[3]));
    let risk = Risk::new(&squares, &data);
    let own = drawn(&model, &[1]);
    // Other identifiers, the same places.
    let others = drawn(&network(3), &[1]);
    let config = LandscapeConfig::new([Grid::symmetric(0.5, 3).unwrap()]);
    let [own, others] =
        [own, others].map(|direction| config.run(&risk, &model, &direction).unwrap());
    assert_eq!(own, others);
}

#[test]
fn the_model_and_its_running_statistics_are_not_changed() {
    let model = network(1);
    let state = || {
        let [mean, var] = model.running().map(Tensor::into_data);
        (parameters(&model), mean, var)
    };
    let before = state();
    let directions = drawn(&model, &[1, 2]);
    let grid = Grid::symmetric(1.0, 3).unwrap();
    let data = inputs(&[3, 2]);
    for mode in [Mode::Eval, Mode::Train] {
        let risk = Risk::new(&squares, &data).with_mode(mode);
        let config = LandscapeConfig::new([grid.clone(), grid.clone()]);
        let plane = config.run(&risk, &model, &directions).unwrap();
        assert_eq!((plane.mode, state()), (mode, before.clone()));
    }
}

#[test]
fn a_closure_that_computes_a_gradient_itself_has_a_landscape() {
    let model = point(&[1.0, -2.0]);
    let data = diagonal(&[4.0, 0.5]);
    // The squared norm of a gradient: Σ hᵢ² wᵢ².
    let loss = |model: &Point, h: Tensor<1>| {
        let value = quadratic(model, h);
        let gradient = model.w.val().grad(&value.backward()).unwrap();
        gradient.square().sum()
    };
    let risk = Risk::new(&loss, &data);
    let config = LandscapeConfig::new([Grid::symmetric(1.0, 3).unwrap()]);
    let line = config
        .run(&risk, &model, &given(&model, &[&[1.0, 0.0]]))
        .unwrap();
    assert_eq!(line.losses, [1.0, 17.0, 65.0]);
}

#[test]
fn losses_that_are_not_finite_are_kept() {
    let model = point(&[1.0]);
    let loss = |model: &Point, x: Tensor<1>| (model.w.val().log() * x).sum();
    let data = diagonal(&[1.0]);
    let risk = Risk::new(&loss, &data);
    let config = LandscapeConfig::new([Grid::symmetric(2.0, 5).unwrap()]);
    let line = config
        .run(&risk, &model, &given(&model, &[&[1.0]]))
        .unwrap();
    assert!(line.losses[0].is_nan());
    assert_eq!(line.losses[1], f64::NEG_INFINITY);
    assert_eq!(line.losses[2], 0.0);
    assert_eq!(line.lowest(), Some((vec![0.0], 0.0)));
    assert!(
        line.to_string().contains("2 losses are not finite"),
        "{line}"
    );
    let read = Landscape::from_json(&line.to_json().unwrap()).unwrap();
    assert!(read.losses[0].is_nan());
    assert_eq!(read.losses[1..], line.losses[1..]);
    assert_eq!(read_csv(&line).1[1][1], f64::NEG_INFINITY);
}

#[test]
fn a_model_alone_among_losses_that_are_not_finite_has_no_lowest_point() {
    let model = point(&[1.0]);
    // Defined less than 0.2 from the model.
    let loss = |model: &Point, x: Tensor<1>| {
        let distance = (model.w.val() - 1.0).abs();
        ((distance * -5.0 + 1.0).log() * x).sum()
    };
    let data = diagonal(&[1.0]);
    let risk = Risk::new(&loss, &data);
    let config = LandscapeConfig::new([Grid::symmetric(1.0, 4).unwrap()]);
    let line = config
        .run(&risk, &model, &given(&model, &[&[1.0]]))
        .unwrap();
    assert_eq!((line.base_loss, line.completed), (0.0, true));
    assert!(line.losses.iter().all(|loss| loss.is_nan()));
    assert_eq!(line.lowest(), None);
    assert!(
        line.to_string().contains("not finite at any point"),
        "{line}"
    );
}

#[test]
fn metrics_that_are_not_finite_are_kept_also_at_the_model() {
    let (model, data) = (point(&[0.0]), diagonal(&[1.0]));
    let logarithm = |model: &Point, x: Tensor<1>| (model.w.val().log() * x).sum();
    let (risk, metric) = (Risk::new(&quadratic, &data), Risk::new(&logarithm, &data));
    let line = LandscapeConfig::new([Grid::symmetric(1.0, 3).unwrap()])
        .with_metric("log", &metric)
        .run(&risk, &model, &given(&model, &[&[1.0]]))
        .unwrap();
    let found = line.metric("log").unwrap();
    assert!(found.values[0].is_nan());
    assert_eq!(found.values[1..], [f64::NEG_INFINITY, 0.0]);
    assert_eq!(found.base, f64::NEG_INFINITY);
    assert_eq!(line.losses, [0.5, 0.0, 0.5]);
    let read = Landscape::from_json(&line.to_json().unwrap()).unwrap();
    assert_eq!(read.metrics[0].base, f64::NEG_INFINITY);
}

/// A line, and a box with a metric.
fn example() -> [Landscape; 2] {
    let (model, data) = (point(&[1.0, -2.0, 0.5]), diagonal(&[4.0, 0.3, 1.0]));
    let risk = Risk::new(&quadratic, &data);
    let directions = drawn(&model, &[1, 2, 3]);
    let (long, short) = (Grid::symmetric(1.0, 7), Grid::symmetric(0.1, 3));
    let (long, short) = (long.unwrap(), short.unwrap());
    let line = LandscapeConfig::new([long.clone()]);
    let solid = LandscapeConfig::new([long, short.clone(), short]).with_metric("again", &risk);
    [
        line.run(&risk, &model, &directions[..1]).unwrap(),
        solid.run(&risk, &model, &directions).unwrap(),
    ]
}

/// `serde_json` reads numbers to one unit in the last place, unless its `float_roundtrip` is on.
fn assert_near(read: &[f64], written: &[f64]) {
    assert_eq!(read.len(), written.len());
    for (read, written) in read.iter().zip(written) {
        assert!((read - written).abs() <= f64::EPSILON * written.abs());
    }
}

#[test]
fn json_reads_back_to_the_same_landscape() {
    for landscape in example() {
        let mut written = Vec::new();
        landscape.write_json(&mut written).unwrap();
        assert_eq!(written, (landscape.to_json().unwrap() + "\n").into_bytes());
        let read = Landscape::read_json(&written[..]).unwrap();
        assert_near(&read.losses, &landscape.losses);
        for (read, written) in read.axes.iter().zip(&landscape.axes) {
            assert_near(read, written);
        }
        for (read, written) in read.metrics.iter().zip(&landscape.metrics) {
            assert_eq!(read.name, written.name);
            assert_near(&read.values, &written.values);
        }
        for (read, written) in read.gram.iter().zip(&landscape.gram) {
            assert_near(read, written);
        }
        assert_eq!(read.directions[0].kind, landscape.directions[0].kind);
        assert_eq!(read.evaluated, landscape.evaluated);
        assert_eq!(
            (read.num_losses, read.completed, read.policy, read.mode),
            (landscape.num_losses, true, landscape.policy, landscape.mode)
        );
    }
}

#[test]
fn json_holds_every_digit() {
    let [line, _] = example();
    let json = line.to_json().unwrap();
    let losses = json.split("\"losses\":[").nth(1).unwrap();
    let losses = losses.split(']').next().unwrap();
    let losses: Vec<f64> = losses.split(',').map(|x| x.parse().unwrap()).collect();
    assert_eq!(losses, line.losses);
}

fn read_csv(landscape: &Landscape) -> (String, Vec<Vec<f64>>) {
    let mut written = Vec::new();
    landscape.write_csv(&mut written).unwrap();
    let mut lines = std::str::from_utf8(&written).unwrap().lines();
    let header = lines.next().unwrap().to_string();
    let row = |line: &str| line.split(',').map(|cell| cell.parse().unwrap()).collect();
    (header, lines.map(row).collect())
}

#[test]
fn csv_reads_back_to_the_same_numbers() {
    let [line, solid] = example();
    let (header, rows) = read_csv(&line);
    assert_eq!(header, "x,loss");
    let wanted: Vec<_> = line.axes[0]
        .iter()
        .zip(&line.losses)
        .map(|(&x, &loss)| vec![x, loss])
        .collect();
    assert_eq!(rows, wanted);
    let (header, rows) = read_csv(&solid);
    assert_eq!((header.as_str(), rows.len()), ("x1,x2,x3,loss,again", 63));
    for row in rows {
        let at = |axis: usize| {
            solid.axes[axis]
                .iter()
                .position(|x| *x == row[axis])
                .unwrap()
        };
        let place = [at(0), at(1), at(2)];
        assert_eq!(solid.loss(&place), Some(row[3]));
        assert_eq!(row[4], row[3]);
    }
    let model = point(&[1.0, -2.0]);
    let data = diagonal(&[4.0, 0.3]);
    let risk = Risk::new(&quadratic, &data).with_observer(|progress| {
        match (progress.work, progress.done) {
            (Work::Point, 3) => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    let grid = Grid::symmetric(1.0, 3).unwrap();
    let config = LandscapeConfig::new([grid.clone(), grid]);
    let plane = config.run(&risk, &model, &drawn(&model, &[1, 2])).unwrap();
    let (header, rows) = read_csv(&plane);
    // Only what is evaluated: three corners.
    assert_eq!((header.as_str(), rows.len()), ("x,y,loss", 3));
    assert_eq!(rows[1], [-1.0, 1.0, plane.loss(&[0, 2]).unwrap()]);
}

#[test]
fn a_writer_that_fails_is_reported() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::new(
                std::io::ErrorKind::StorageFull,
                "no room",
            ))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let kind = std::io::ErrorKind::StorageFull;
    for landscape in example() {
        for result in [landscape.write_csv(Full), landscape.write_json(Full)] {
            assert!(
                matches!(&result, Err(FormatError::Write { kind: found, .. }) if *found == kind),
                "{result:?}"
            );
        }
    }
}

#[test]
fn a_landscape_prints_what_it_is() {
    let (model, data) = (point(&[3.0, 4.0]), diagonal(&[1.0, 1.0]));
    let risk = Risk::new(&quadratic, &data);
    let grid = Grid::linspace(-3.0, 0.0, 3).unwrap();
    let config = LandscapeConfig::new([grid.clone(), grid]);
    let directions = given(&model, &[&[1.0, 0.0], &[3.0, 4.0]]);
    let plane = config.run(&risk, &model, &directions).unwrap();
    let expected = "\
landscape of 3 × 3 points, 9 of 9 evaluated
loss 12.5 at the model, lowest 3.125 at (0, -1.5)
direction 0: given, length 1.000e0 (2.000e-1 of the weights)
direction 1: given, length 5.000e0 (1.000e0 of the weights), cosine 0.6000 with direction 0
";
    assert_eq!(plane.to_string(), expected);
    // A small loss keeps its digits.
    let small = diagonal(&[1e-8, 1e-8]);
    let risk = Risk::new(&quadratic, &small);
    let plane = config.run(&risk, &model, &directions).unwrap();
    let text = plane.to_string();
    assert!(
        text.contains("loss 1.25e-7 at the model, lowest 3.125e-8 at"),
        "{text}"
    );
}

#[test]
fn a_cloned_config_and_its_description_have_all_settings() {
    let (model, data) = (point(&[1.0]), diagonal(&[1.0]));
    let risk = Risk::new(&quadratic, &data);
    let config: LandscapeConfig<'_, Point> =
        LandscapeConfig::new([Grid::symmetric(1.0, 3).unwrap()])
            .with_metric("again", &risk)
            .with_threads(2);
    let text = format!("{:?}", config.clone());
    for part in ["again", "threads: 2", "max_points: 100000", "Leave"] {
        assert!(text.contains(part), "{text}");
    }
    let directions = given(&model, &[&[1.0]]);
    assert!(config.run(&risk, &model, &directions).is_ok());
}
