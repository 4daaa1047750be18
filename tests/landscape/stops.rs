//! Landscapes that an observer watches and stops: they are coarser landscapes, and nothing is lost but the rest.

use std::ops::ControlFlow;
use std::sync::Mutex;

use burn::tensor::Tensor;
use burnscape::landscape::{Direction, Landscape, LandscapeConfig, LandscapeError};
use burnscape::loss::{Progress, Work};
use burnscape::prelude::*;
use burnscape::space::Grid;
use burnscape_testkit::objectives::Point;

use super::models::{bits, diagonal, drawn, point, quadratic};

/// Five by four points; the model is none of them.
fn axes() -> [Grid; 2] {
    [
        Grid::symmetric(1.0, 5).unwrap(),
        Grid::linspace(0.25, 1.0, 4).unwrap(),
    ]
}

/// How many bisections it takes to reach each index of these axes.
const DEPTHS: [&[usize]; 2] = [&[0, 2, 1, 2, 0], &[0, 1, 2, 0]];

/// The points of the grid by level, then by index.
fn order() -> Vec<usize> {
    let level = |index: &usize| DEPTHS[0][index / 4].max(DEPTHS[1][index % 4]);
    let mut order: Vec<usize> = (0..20).collect();
    order.sort_by_key(level);
    order
}

fn sizes(model: &Point, _: Tensor<1>) -> Tensor<1> {
    model.w.val().abs().sum()
}

struct Case {
    model: Point,
    data: [Tensor<1>; 2],
    directions: Vec<Direction>,
}

impl Case {
    /// Two batches.
    fn new() -> Self {
        let model = point(&[1.0, -2.0, 0.5]);
        let [first] = diagonal(&[4.0, 0.3, 1.0]);
        let [second] = diagonal(&[0.1, 2.0, 3.0]);
        Self {
            directions: drawn(&model, &[1, 2]),
            data: [first, second],
            model,
        }
    }

    fn run(&self, axes: impl IntoIterator<Item = Grid>) -> Landscape {
        self.watched(axes, |_| ControlFlow::Continue(())).unwrap()
    }

    /// The landscape of the loss and a metric, with an observer of the loss.
    fn watched(
        &self,
        axes: impl IntoIterator<Item = Grid>,
        observe: impl FnMut(&Progress) -> ControlFlow<()> + Send,
    ) -> Result<Landscape, LandscapeError> {
        let metric = Risk::new(&sizes, &self.data);
        let risk = Risk::new(&quadratic, &self.data).with_observer(observe);
        LandscapeConfig::new(axes).with_metric("size", &metric).run(
            &risk,
            &self.model,
            &self.directions,
        )
    }
}

/// The landscape has exactly these points of `whole`, bit for bit.
fn has_points(found: &Landscape, whole: &Landscape, points: &[usize]) {
    for index in 0..whole.num_points() {
        let is_there = points.contains(&index);
        assert_eq!(found.evaluated[index], is_there, "{index} of {points:?}");
        let pairs = [
            (&found.losses, &whole.losses),
            (&found.metrics[0].values, &whole.metrics[0].values),
        ];
        for (found, whole) in pairs {
            if is_there {
                assert_eq!(found[index].to_bits(), whole[index].to_bits());
            } else {
                assert!(found[index].is_nan());
            }
        }
    }
}

#[test]
fn a_landscape_stopped_at_any_point_is_a_coarser_one() {
    let case = Case::new();
    let whole = case.run(axes());
    assert!(whole.completed);
    assert_eq!(whole.coarser().unwrap(), whole);
    let order = order();
    for stop in 1..=20 {
        let found = case.watched(axes(), |progress| {
            match (progress.work, progress.done) == (Work::Point, stop) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        let found = found.unwrap();
        has_points(&found, &whole, &order[..stop]);
        assert_eq!(found.completed, stop == 20);
        assert_eq!(found.num_losses, 2 + 2 * stop);
        let at = |index: usize| [index / 4, index % 4];
        for index in 0..20 {
            let is_there = order[..stop].contains(&index);
            assert_eq!(found.loss(&at(index)).is_some(), is_there);
        }
        // 4 corners, 3 × 3 points, all 5 × 4.
        let level = match stop {
            0..4 => {
                assert_eq!(found.coarser(), Err(LandscapeError::Stopped));
                continue;
            }
            4..9 => 0,
            9..20 => 1,
            _ => 2,
        };
        let coarser = found.coarser().unwrap();
        assert!(coarser.completed && coarser.evaluated.iter().all(|&is| is));
        assert_eq!(coarser.num_losses, found.num_losses);
        let kept = [0, 1].map(|axis| -> Vec<f64> {
            let axis = whole.axes[axis].iter().zip(DEPTHS[axis]);
            axis.filter(|(_, depth)| **depth <= level)
                .map(|(x, _)| *x)
                .collect()
        });
        assert_eq!(coarser.axes, kept);
        let own = case.run(kept.map(|axis| Grid::from_coordinates(axis).unwrap()));
        assert_eq!(bits(&coarser.losses), bits(&own.losses));
        assert_eq!(
            bits(&coarser.metrics[0].values),
            bits(&own.metrics[0].values)
        );
        assert_eq!(coarser.shape(), own.shape());
        assert_eq!(
            (coarser.base_loss, &coarser.gram),
            (own.base_loss, &own.gram)
        );
    }
}

#[test]
fn every_batch_and_every_point_is_reported_once() {
    let case = Case::new();
    let seen: Mutex<Vec<Progress>> = Mutex::default();
    let found = case.watched(axes(), |progress| {
        seen.lock().unwrap().push(progress.clone());
        ControlFlow::Continue(())
    });
    let found = found.unwrap();
    let seen = seen.into_inner().unwrap();
    let of = |work: Work| seen.iter().filter(move |progress| progress.work == work);
    // Two batches at the model, with their values, and two at each point.
    let batches: Vec<&Progress> = of(Work::Loss).collect();
    assert_eq!(batches.len(), 2 * 21);
    for (index, progress) in batches.iter().enumerate() {
        assert_eq!((progress.done, progress.total), (index % 2 + 1, Some(2)));
        assert_eq!(progress.value.is_some(), index < 2);
    }
    let points: Vec<&Progress> = of(Work::Point).collect();
    for ((progress, index), done) in points.iter().zip(order()).zip(1..) {
        assert_eq!((progress.done, progress.total), (done, Some(20)));
        assert_eq!(progress.value, Some(found.losses[index]));
    }
    assert_eq!((points.len(), seen.len()), (20, 62));
}

#[test]
fn a_break_within_a_point_keeps_the_points_before_it() {
    let case = Case::new();
    let whole = case.run(axes());
    let order = order();
    // Two batches at the model, then two a point.
    for stop in 1..=42 {
        let (mut batches, mut points) = (0, 0);
        let found = case.watched(axes(), |progress| {
            batches += usize::from(progress.work == Work::Loss);
            points += usize::from(progress.work == Work::Point);
            match batches == stop {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        if stop <= 2 {
            assert_eq!(found, Err(LandscapeError::Stopped));
            continue;
        }
        let found = found.unwrap();
        let complete = (stop - 3) / 2;
        has_points(&found, &whole, &order[..complete]);
        assert!(!found.completed);
        assert_eq!((batches, found.num_losses), (stop, 2 + 2 * complete));
        // Points of four batches are read sixteen at a time, and reported before the next ones are evaluated.
        let num_reported = if stop > 2 + 2 * 16 { 16 } else { 0 };
        assert_eq!(points, num_reported, "{stop}");
    }
}

#[test]
fn an_observer_of_a_metric_stops_the_landscape_too() {
    let case = Case::new();
    let whole = case.run(axes());
    let mut batches = 0;
    let metric = Risk::new(&sizes, &case.data).with_observer(move |_| {
        batches += 1;
        match batches == 7 {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    let risk = Risk::new(&quadratic, &case.data);
    let found = LandscapeConfig::new(axes())
        .with_metric("size", &metric)
        .run(&risk, &case.model, &case.directions)
        .unwrap();
    // Two batches at the model, two at each of two points, and one more.
    has_points(&found, &whole, &order()[..2]);
}

#[test]
fn many_batches_are_read_point_by_point() {
    let case = Case::new();
    let [first, second] = &case.data;
    let data: Vec<Tensor<1>> = (0..40)
        .flat_map(|_| [first.clone(), second.clone()])
        .collect();
    let seen: Mutex<Vec<Work>> = Mutex::default();
    let risk = Risk::new(&quadratic, &data).with_observer(|progress| {
        seen.lock().unwrap().push(progress.work);
        ControlFlow::Continue(())
    });
    let config = LandscapeConfig::new([Grid::linspace(0.5, 1.0, 2).unwrap()]);
    let line = config
        .run(&risk, &case.model, &case.directions[..1])
        .unwrap();
    drop(risk);
    let seen = seen.into_inner().unwrap();
    let points: Vec<usize> = seen
        .iter()
        .enumerate()
        .filter(|(_, work)| **work == Work::Point)
        .map(|(index, _)| index)
        .collect();
    assert_eq!(points, [160, 241]);
    let risk = Risk::new(&quadratic, &data);
    let moved = case.directions[0]
        .vector()
        .perturb(&case.model, 0.5)
        .unwrap();
    assert_eq!(line.losses[0], risk.loss(&moved).unwrap().value);
}
