//! Slices of losses that are known exactly.

use std::ops::ControlFlow;

use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape::FormatError;
use burnscape::landscape::{LandscapeError, Slice1d, Slice1dConfig, Slice2d, Slice2dConfig};
use burnscape::loss::Work;
use burnscape::prelude::*;
use burnscape::space::{Grid, Scale, SpaceError, UnfilteredRule};
use burnscape_testkit::models::Normalized;

#[derive(Module, Debug)]
struct Point {
    w: Param<Tensor<1>>,
}

impl Point {
    fn new(values: &[f64]) -> Self {
        let data = TensorData::new(values.to_vec(), [values.len()]);
        Self {
            w: Param::from_tensor(Tensor::from_data(data, (&Device::default(), DType::F64))),
        }
    }
}

/// `½ Σ hᵢ wᵢ²`.
fn quadratic(model: &Point, h: Tensor<1>) -> Tensor<1> {
    (model.w.val().powi_scalar(2) * h).sum() * 0.5
}

fn diagonal(h: &[f64]) -> [Tensor<1>; 1] {
    let data = TensorData::new(h.to_vec(), [h.len()]);
    [Tensor::from_data(data, (&Device::default(), DType::F64))]
}

fn network(device: &Device) -> Normalized {
    Normalized::new([2, 3, 1], device)
}

fn squares(model: &Normalized, x: Tensor<2>) -> Tensor<1> {
    model.forward(x).powi_scalar(2).mean()
}

fn inputs() -> [Tensor<2>; 2] {
    let device = Device::default();
    [
        Tensor::from_floats([[1.0, 2.0], [3.0, -1.0], [0.5, 4.0]], &device),
        Tensor::from_floats([[0.3, -2.0], [1.0, 1.0]], &device),
    ]
}

#[test]
fn a_slice_of_a_quadratic_is_an_exact_parabola() {
    let (w, h, d) = ([1.0, -2.0], [4.0, 0.5], [0.3, 0.7]);
    let model = Point::new(&w);
    let data = diagonal(&h);
    let risk = Risk::new(&quadratic, &data);
    let space = risk.space(&model).unwrap();
    let direction = ParamVector::from_host(&space, &d).unwrap();
    let grid = Grid::symmetric(2.0, 9).unwrap();
    let slice = Slice1dConfig::new(grid.clone())
        .run(&risk, &model, &direction)
        .unwrap();
    assert_eq!(slice.coordinates, grid.coordinates());
    let slope = h[0] * w[0] * d[0] + h[1] * w[1] * d[1];
    let bend = h[0] * d[0] * d[0] + h[1] * d[1] * d[1];
    for (x, loss) in slice.coordinates.iter().zip(&slice.losses) {
        let exact = 3.0 + slope * x + 0.5 * bend * x * x;
        assert!((loss - exact).abs() < 1e-12, "{x}: {loss} {exact}");
    }
    assert!((slice.direction_norm - 0.58_f64.sqrt()).abs() < 1e-12);
    assert_eq!((slice.num_losses, slice.completed), (9, true));
}

#[test]
fn a_plane_through_a_quadratic_is_an_exact_paraboloid() {
    let model = Point::new(&[1.0, -2.0]);
    let data = diagonal(&[4.0, 0.5]);
    let risk = Risk::new(&quadratic, &data);
    let space = risk.space(&model).unwrap();
    let x = ParamVector::from_host(&space, &[1.0, 0.0]).unwrap();
    let y = ParamVector::from_host(&space, &[0.5, 1.0]).unwrap();
    let wide = Grid::linspace(-1.0, 2.0, 4).unwrap();
    let narrow = Grid::linspace(0.5, 1.5, 3).unwrap();
    let config = Slice2dConfig::new(wide, narrow);
    let slice = config.run(&risk, &model, [&x, &y]).unwrap();
    for (i, &x) in slice.x.iter().enumerate() {
        for (j, &y) in slice.y.iter().enumerate() {
            let (a, b) = (1.0 + x + 0.5 * y, y - 2.0);
            let exact = 2.0 * a * a + 0.25 * b * b;
            assert!((slice.loss(i, j).unwrap() - exact).abs() < 1e-12);
        }
    }
    assert_eq!(slice.loss(4, 0), None);
    assert_eq!(slice.loss(0, 3), None);
    // The model itself is not on the grid.
    assert_eq!((slice.num_losses, slice.base_loss), (13, 3.0));
    assert!((slice.cosine - 0.5 / 1.25_f64.sqrt()).abs() < 1e-12);
}

#[test]
fn the_center_is_the_models_loss_and_the_axes_are_lines_bit_for_bit() {
    let model = network(&Device::default().autodiff());
    let data = inputs();
    let risk = Risk::new(&squares, &data);
    let base = risk.loss(&model).unwrap().value;
    let space = risk.space(&model).unwrap();
    let scale = Scale::FilterRelative(UnfilteredRule::Zero);
    let make = |seed| scale.direction(&space, &model, seed).unwrap();
    let (x, y) = (make(1), make(2));
    let grid = Grid::symmetric(0.7, 5).unwrap();
    let config = Slice1dConfig::new(grid.clone());
    let line = config.run(&risk, &model, &x).unwrap();
    assert_eq!(line.losses[2].to_bits(), base.to_bits());
    let across = config.run(&risk, &model, &y).unwrap();
    let config = Slice2dConfig::new(grid.clone(), grid);
    let plane = config.run(&risk, &model, [&x, &y]).unwrap();
    for i in 0..5 {
        assert_eq!(plane.loss(i, 2), Some(line.losses[i]));
        assert_eq!(plane.loss(2, i), Some(across.losses[i]));
    }
    assert_eq!(plane.num_losses, 25);
}

#[test]
fn the_model_and_its_running_statistics_are_not_changed() {
    let model = network(&Device::default().autodiff());
    let space = ParamSpace::of(&model).unwrap();
    let state = || {
        let weights = ParamVector::from_module(&space, &model)
            .unwrap()
            .to_host()
            .unwrap();
        let [mean, var] = model.running().map(Tensor::into_data);
        (weights, mean, var)
    };
    let before = state();
    let x = ParamVector::sphere(&space, 1).unwrap();
    let y = ParamVector::sphere(&space, 2).unwrap();
    let grid = Grid::symmetric(1.0, 3).unwrap();
    let data = inputs();
    for mode in [Mode::Eval, Mode::Train] {
        let risk = Risk::new(&squares, &data).with_mode(mode);
        let config = Slice1dConfig::new(grid.clone());
        config.run(&risk, &model, &x).unwrap();
        let config = Slice2dConfig::new(grid.clone(), grid.clone());
        config.run(&risk, &model, [&x, &y]).unwrap();
        assert_eq!(state(), before, "{mode:?}");
    }
}

#[test]
fn an_orthogonalized_direction_keeps_its_length() {
    // With H = I the loss ½|w|² shows lengths.
    let model = Point::new(&[0.0, 0.0]);
    let data = diagonal(&[1.0, 1.0]);
    let risk = Risk::new(&quadratic, &data);
    let space = risk.space(&model).unwrap();
    let x = ParamVector::from_host(&space, &[2.0, 0.0]).unwrap();
    let y = ParamVector::from_host(&space, &[3.0, 4.0]).unwrap();
    let grid = Grid::linspace(0.0, 1.0, 2).unwrap();
    let config = Slice2dConfig::new(grid.clone(), grid);
    let slice = |orthogonalized| {
        let config = config.clone().with_orthogonalized(orthogonalized);
        config.run(&risk, &model, [&x, &y]).unwrap()
    };
    let given = slice(false);
    assert!((given.loss(1, 1).unwrap() - 0.5 * 41.0).abs() < 1e-12);
    let orthogonal = slice(true);
    assert!((orthogonal.loss(0, 1).unwrap() - 0.5 * 25.0).abs() < 1e-12);
    assert!((orthogonal.loss(1, 1).unwrap() - 0.5 * 29.0).abs() < 1e-12);
    assert!((orthogonal.cosine - 0.6).abs() < 1e-12);
    let config = config.with_orthogonalized(true);
    let error = config.run(&risk, &model, [&x, &x]);
    assert!(
        matches!(error, Err(LandscapeError::Parallel { .. })),
        "{error:?}"
    );
}

#[test]
fn directions_a_millionth_apart_span_a_plane_in_double_precision() {
    let model = Point::new(&[0.0, 0.0]);
    let data = diagonal(&[0.0, 1.0]);
    let risk = Risk::new(&quadratic, &data);
    let space = risk.space(&model).unwrap();
    let x = ParamVector::from_host(&space, &[2.0, 0.0]).unwrap();
    let y = ParamVector::from_host(&space, &[2.0, 2e-6]).unwrap();
    let grid = Grid::linspace(0.0, 1.0, 2).unwrap();
    let config = Slice2dConfig::new(grid.clone(), grid).with_orthogonalized(true);
    let slice = config.run(&risk, &model, [&x, &y]).unwrap();
    // The second axis is orthogonal to the first and keeps its length.
    assert!((slice.loss(0, 1).unwrap() - 0.5 * 4.0).abs() < 1e-8);
}

fn example() -> (Slice1d, Slice2d) {
    let model = Point::new(&[1.0, -2.0]);
    let data = diagonal(&[4.0, 0.3]);
    let risk = Risk::new(&quadratic, &data);
    let space = risk.space(&model).unwrap();
    let x = ParamVector::sphere(&space, 1).unwrap();
    let y = ParamVector::sphere(&space, 2).unwrap();
    let (long, short) = (
        Grid::symmetric(1.0, 7).unwrap(),
        Grid::symmetric(0.1, 3).unwrap(),
    );
    let line = Slice1dConfig::new(long.clone());
    let plane = Slice2dConfig::new(long, short).with_orthogonalized(true);
    (
        line.run(&risk, &model, &x).unwrap(),
        plane.run(&risk, &model, [&x, &y]).unwrap(),
    )
}

/// `serde_json` reads numbers to one unit in the last place, unless its `float_roundtrip` is on.
fn assert_near(read: &[f64], written: &[f64]) {
    assert_eq!(read.len(), written.len());
    for (read, written) in read.iter().zip(written) {
        assert!((read - written).abs() <= f64::EPSILON * written.abs());
    }
}

#[test]
fn json_reads_back_to_the_same_slice() {
    let (line, plane) = example();
    let mut written = Vec::new();
    line.write_json(&mut written).unwrap();
    assert_eq!(written, (line.to_json().unwrap() + "\n").into_bytes());
    let read = Slice1d::read_json(&written[..]).unwrap();
    assert_near(&read.coordinates, &line.coordinates);
    assert_near(&read.losses, &line.losses);
    assert_eq!(read.num_losses, line.num_losses);
    let mut written = Vec::new();
    plane.write_json(&mut written).unwrap();
    assert_eq!(written, (plane.to_json().unwrap() + "\n").into_bytes());
    let read = Slice2d::read_json(&written[..]).unwrap();
    assert_near(&read.x, &plane.x);
    assert_near(&read.y, &plane.y);
    assert_near(&read.losses, &plane.losses);
    assert_eq!(
        (read.orthogonalized, read.completed),
        (plane.orthogonalized, plane.completed)
    );
}

#[test]
fn json_holds_every_digit() {
    let (line, _) = example();
    let json = line.to_json().unwrap();
    let losses = json.split("\"losses\":[").nth(1).unwrap();
    let losses = losses.split(']').next().unwrap();
    let losses: Vec<f64> = losses.split(',').map(|x| x.parse().unwrap()).collect();
    assert_eq!(losses, line.losses);
}

fn read_csv(text: &[u8]) -> (String, Vec<Vec<f64>>) {
    let mut lines = std::str::from_utf8(text).unwrap().lines();
    let header = lines.next().unwrap().to_string();
    let row = |line: &str| line.split(',').map(|cell| cell.parse().unwrap()).collect();
    (header, lines.map(row).collect())
}

#[test]
fn csv_reads_back_to_the_same_numbers() {
    let (line, plane) = example();
    let mut written = Vec::new();
    line.write_csv(&mut written).unwrap();
    let (header, rows) = read_csv(&written);
    assert_eq!(header, "x,loss");
    let wanted: Vec<_> = line
        .coordinates
        .iter()
        .zip(&line.losses)
        .map(|(&x, &loss)| vec![x, loss])
        .collect();
    assert_eq!(rows, wanted);
    let mut written = Vec::new();
    plane.write_csv(&mut written).unwrap();
    let (header, rows) = read_csv(&written);
    assert_eq!((header.as_str(), rows.len()), ("x,y,loss", 21));
    for row in rows {
        let i = plane.x.iter().position(|&x| x == row[0]).unwrap();
        let j = plane.y.iter().position(|&y| y == row[1]).unwrap();
        assert_eq!(plane.loss(i, j), Some(row[2]));
    }
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
    let (line, plane) = example();
    let kind = std::io::ErrorKind::StorageFull;
    for result in [
        line.write_csv(Full),
        line.write_json(Full),
        plane.write_json(Full),
    ] {
        assert!(
            matches!(&result, Err(FormatError::Write { kind: found, .. }) if *found == kind),
            "{result:?}"
        );
    }
}

#[test]
fn a_stopped_slice_returns_what_it_reached() {
    let model = Point::new(&[1.0, -2.0]);
    let data = diagonal(&[4.0, 0.3]);
    let risk = Risk::new(&quadratic, &data).with_observer(|progress| {
        match (progress.work, progress.done) {
            (Work::Point, 3) => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    let space = risk.space(&model).unwrap();
    let direction = ParamVector::sphere(&space, 1).unwrap();
    let other = ParamVector::sphere(&space, 2).unwrap();
    let grid = Grid::symmetric(1.0, 5).unwrap();
    let config = Slice1dConfig::new(grid.clone());
    let line = config.run(&risk, &model, &direction).unwrap();
    assert_eq!((line.coordinates.len(), line.losses.len()), (3, 3));
    assert!(!line.completed);
    let config = Slice2dConfig::new(grid.clone(), grid);
    let plane = config.run(&risk, &model, [&direction, &other]).unwrap();
    assert_eq!((plane.losses.len(), plane.completed), (3, false));
    assert!(plane.loss(2, 0).is_some() && plane.loss(3, 0).is_none());
    let mut written = Vec::new();
    plane.write_csv(&mut written).unwrap();
    assert_eq!(read_csv(&written).1.len(), 3);
}

#[test]
fn losses_that_are_not_finite_are_kept() {
    let model = Point::new(&[1.0]);
    let loss = |model: &Point, x: Tensor<1>| (model.w.val().log() * x).sum();
    let data = diagonal(&[1.0]);
    let risk = Risk::new(&loss, &data);
    let space = risk.space(&model).unwrap();
    let direction = ParamVector::from_host(&space, &[1.0]).unwrap();
    let grid = Grid::symmetric(2.0, 5).unwrap();
    let slice = Slice1dConfig::new(grid)
        .run(&risk, &model, &direction)
        .unwrap();
    assert!(slice.losses[0].is_nan());
    assert_eq!(slice.losses[1], f64::NEG_INFINITY);
    assert_eq!(slice.losses[2], 0.0);
    let read = Slice1d::from_json(&slice.to_json().unwrap()).unwrap();
    assert!(read.losses[0].is_nan());
    assert_eq!(read.losses[1..], slice.losses[1..]);
    let mut written = Vec::new();
    slice.write_csv(&mut written).unwrap();
    assert_eq!(read_csv(&written).1[1][1], f64::NEG_INFINITY);
}

#[test]
fn grids_and_directions_out_of_range_are_refused() {
    assert!(matches!(
        Grid::from_coordinates(Vec::new()),
        Err(SpaceError::TooFewPoints { found: 0, .. })
    ));
    for (start, end) in [
        (1.0, 1.0),
        (1.0, 0.0),
        (f64::NAN, 1.0),
        (0.0, f64::INFINITY),
    ] {
        assert!(matches!(
            Grid::linspace(start, end, 3),
            Err(SpaceError::EmptyRange { .. })
        ));
    }
    for num_points in [0, 1] {
        assert!(matches!(
            Grid::linspace(0.0, 1.0, num_points),
            Err(SpaceError::TooFewPoints { .. })
        ));
    }
    assert!(matches!(
        Grid::from_coordinates(vec![0.0, 1.0, f64::NAN]),
        Err(SpaceError::BadCoordinate { index: 2, .. })
    ));
    assert!(matches!(
        Grid::from_coordinates(vec![0.0, 1.0, 1.0]),
        Err(SpaceError::BadCoordinate { index: 2, .. })
    ));
    let model = Point::new(&[1.0, -2.0]);
    let data = diagonal(&[1.0, 1.0]);
    let risk = Risk::new(&quadratic, &data);
    let space = risk.space(&model).unwrap();
    let grid = Grid::symmetric(1.0, 3).unwrap();
    let nowhere = ParamVector::zeros(&space).unwrap();
    let error = Slice1dConfig::new(grid).run(&risk, &model, &nowhere);
    assert!(matches!(
        error,
        Err(LandscapeError::NoDirection { index: 0, .. })
    ));
    let scale = Scale::FilterRelative(UnfilteredRule::Zero);
    let error = scale.direction(&space, &model, 1).err();
    assert_eq!(error, Some(SpaceError::NothingToPerturb));
}

#[test]
fn filter_normalized_directions_follow_the_seed_and_the_weights() {
    let model = network(&Device::default());
    let space = ParamSpace::of(&model).unwrap();
    let weights = ParamVector::from_module(&space, &model).unwrap();
    let scale = Scale::FilterRelative(UnfilteredRule::AsOneFilter);
    let make = |seed| scale.direction(&space, &model, seed).unwrap();
    let (own, wanted) = (
        make(1).filter_norms().unwrap(),
        weights.filter_norms().unwrap(),
    );
    for (own, wanted) in own.iter().flatten().zip(wanted.iter().flatten()) {
        assert!((own - wanted).abs() < 1e-5);
    }
    assert_eq!(make(1).to_host().unwrap(), make(1).to_host().unwrap());
    assert_ne!(make(1).to_host().unwrap(), make(2).to_host().unwrap());
}
