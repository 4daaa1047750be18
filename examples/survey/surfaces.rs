//! The loss around the CNNs of the first seed, and the ways that their training took there.
//!
//! Each network has a plane of its own: that of the two principal components of its training run, seen from its end. A
//! plane through several networks holds little of any run, and random directions hold nothing of it. To be compared, all
//! surfaces have one window, in distances between networks, and their axes are turned alike: training comes from the
//! left, and stays above its end more than below. Statistics of batch norm are re-estimated at every point: those of the
//! trained network fit its neighborhood only.

use std::error::Error;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::thread;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use burnscape::dynamics::{CurvatureReading, Observation};
use burnscape::landscape::{Direction, Landscape, LandscapeConfig};
use burnscape::loss::{Batch, NormalizationPolicy, Risk, Work};
use burnscape::space::{Grid, ParameterPlane};
use burnscape::trajectory::{
    Checkpoint, ProjectedPoint, Projection, ProjectionConfig, SignFlipNull, Trajectory,
    TrajectoryPca, TrajectoryPcaConfig,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::arguments::Arguments;
use super::data::{Digits, Split};
use super::device_name::DeviceName;
use super::models::{Classifier, Cnn, ModelName};
use super::optimizer_name::OptimizerName;
use super::recorder::Recording;
use super::settings::{BATCH_SIZE, CHECKPOINTS, STATISTICS_BATCHES};
use super::train::loss;

/// At every point, on the surfaces and of the checkpoints.
const POLICY: NormalizationPolicy = NormalizationPolicy::Reestimate(STATISTICS_BATCHES);
/// Draws of random signs.
const DRAWS: usize = 999;
/// The window reaches beyond the training runs by this share of their extent.
const MARGIN: f64 = 0.15;
/// Threads at most.
const THREADS: usize = 8;

/// The surface around one network.
#[derive(Serialize, Debug)]
pub(crate) struct Surface {
    pub(crate) model: ModelName,
    pub(crate) optimizer: OptimizerName,
    pub(crate) landscape: Landscape,
    /// The checkpoints of its training on the plane.
    pub(crate) projection: Projection,
    /// What the plane explains of them; the axes of the plane may be turned.
    pub(crate) components: TrajectoryPca,
    pub(crate) signs: SignFlipNull,
    pub(crate) checkpoints: Vec<Checkpoint>,
    pub(crate) sharpness: Vec<Observation<CurvatureReading>>,
    /// What checkpoints and sharpness took, and what the surface and the projection took.
    pub(crate) seconds: [f64; 2],
}

impl Surface {
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.model, self.optimizer)
    }
}

/// The surfaces around the networks that were recorded.
pub(crate) fn run(
    arguments: &Arguments,
    split: &Split,
    device: &Device,
    recordings: Vec<Recording>,
) -> Result<Vec<Surface>, Box<dyn Error>> {
    if recordings.is_empty() {
        return Ok(Vec::new());
    }
    let points = arguments.surface_points as usize;
    let progress = bar(recordings.len() * (points * points + CHECKPOINTS + 1))?;
    let shown = progress.clone();
    let loss = loss::<Cnn>;
    let batches = batches(&split.train, split.num_train)?;
    let risk = Risk::new(&loss, &batches).with_observer(move |step| {
        if step.work == Work::Point {
            shown.inc(1);
        }
        ControlFlow::Continue(())
    });
    let mut runs = Vec::with_capacity(recordings.len());
    for recording in recordings {
        progress.set_message(format!("cnn · {} · checkpoints", recording.optimizer));
        runs.push(OnPlane::of(recording, device, &risk)?);
    }
    let window = window(&runs, points)?;
    let threads = threads(arguments.device);
    let mut surfaces = Vec::with_capacity(runs.len());
    for run in runs {
        progress.set_message(format!("cnn · {} · surface", run.recording.optimizer));
        surfaces.push(run.surface(&window, &risk, threads)?);
    }
    progress.finish_and_clear();
    Ok(surfaces)
}

/// A training run on its plane.
struct OnPlane {
    recording: Recording,
    /// The trained network.
    network: Cnn,
    directions: [Direction; 2],
    projection: Projection,
    components: TrajectoryPca,
    signs: SignFlipNull,
    checkpoints: Vec<Checkpoint>,
    seconds: f64,
}

impl OnPlane {
    fn of(
        recording: Recording,
        device: &Device,
        risk: &Risk<'_, Cnn>,
    ) -> Result<Self, Box<dyn Error>> {
        let start = Instant::now();
        let trajectory = Trajectory::open(&recording.directory, &Cnn::new(device))?;
        let network = trajectory.model(trajectory.len() - 1)?;
        let components = TrajectoryPcaConfig::new(2).run(&trajectory)?;
        let directions = turned(&components)?;
        let axes = [directions[0].vector(), directions[1].vector()];
        let plane = ParameterPlane::spanned(&network, axes)?;
        let projection =
            ProjectionConfig::new()
                .with_policy(POLICY)
                .run(risk, &trajectory, &plane)?;
        Ok(Self {
            network,
            directions,
            projection,
            signs: components.sign_flip(DRAWS, 0)?,
            components,
            checkpoints: trajectory.checkpoints().to_vec(),
            seconds: start.elapsed().as_secs_f64(),
            recording,
        })
    }

    fn surface(
        self,
        window: &[Grid; 2],
        risk: &Risk<'_, Cnn>,
        threads: usize,
    ) -> Result<Surface, Box<dyn Error>> {
        let start = Instant::now();
        let landscape = LandscapeConfig::new(window.clone())
            .with_policy(POLICY)
            .with_threads(threads)
            .run(risk, &self.network, &self.directions)?;
        let seconds = self.seconds + start.elapsed().as_secs_f64();
        Ok(Surface {
            model: ModelName::Cnn,
            optimizer: self.recording.optimizer,
            landscape,
            projection: self.projection,
            components: self.components,
            signs: self.signs,
            checkpoints: self.checkpoints,
            sharpness: self.recording.sharpness,
            seconds: [self.recording.seconds, seconds],
        })
    }
}

/// The directions of two components, turned so that training comes from the left, and is above its end more than below.
fn turned(components: &TrajectoryPca) -> Result<[Direction; 2], Box<dyn Error>> {
    let ([first, second], [along, above]) = (components.directions(), &components.coordinates[..])
    else {
        return Err("a plane needs two components".into());
    };
    let starts_right = along.first().is_some_and(|start| *start > 0.0);
    let is_below = above.iter().sum::<f64>() < 0.0;
    Ok([signed(first, starts_right), signed(second, is_below)])
}

/// The direction, or its opposite.
fn signed(direction: &Direction, is_opposite: bool) -> Direction {
    if !is_opposite {
        return direction.clone();
    }
    let vector = direction.vector().clone().scale(-1.0);
    Direction::new(direction.kind().clone(), vector)
}

/// Grids for both axes that hold all runs.
fn window(runs: &[OnPlane], points: usize) -> Result<[Grid; 2], Box<dyn Error>> {
    let axis = |of: fn(&ProjectedPoint) -> f64| {
        let all = runs.iter().flat_map(|run| &run.projection.points);
        let values: Vec<f64> = all.map(of).collect();
        around(&values, points)
    };
    Ok([axis(|point| point.x)?, axis(|point| point.y)?])
}

/// Equal distances around these values and 0, which is a point itself: the trained network.
fn around(values: &[f64], points: usize) -> Result<Grid, Box<dyn Error>> {
    let low = values.iter().copied().fold(0.0, f64::min);
    let high = values.iter().copied().fold(0.0, f64::max);
    let margin = MARGIN * (high - low);
    let distance = (high - low + 2.0 * margin) / (points - 1) as f64;
    let before = ((margin - low) / distance).round();
    let coordinate = |index: usize| (index as f64 - before) * distance;
    Ok(Grid::from_coordinates(
        (0..points).map(coordinate).collect(),
    )?)
}

/// The images in batches, which take less time than all at once.
fn batches(digits: &Digits, count: usize) -> Result<Vec<Digits>, Box<dyn Error>> {
    let examples: Vec<usize> = (0..count).collect();
    let batches = examples.chunks(BATCH_SIZE);
    Ok(batches
        .map(|examples| digits.select(examples))
        .collect::<Result<_, _>>()?)
}

/// Points are evaluated one after another on a GPU, which is busy with one.
fn threads(device: DeviceName) -> usize {
    match device {
        DeviceName::Flex | DeviceName::NdArray => thread::available_parallelism()
            .map_or(1, NonZero::get)
            .min(THREADS),
        _ => 1,
    }
}

/// A bar on standard error; hidden where that is no terminal.
fn bar(total: usize) -> Result<ProgressBar, Box<dyn Error>> {
    let style = "{bar:32.cyan/dim} {percent:>3} %  {msg}  ({elapsed}, about {eta} left)";
    let progress = ProgressBar::new(total as u64);
    progress.set_style(ProgressStyle::with_template(style)?.progress_chars("━╸─"));
    progress.enable_steady_tick(Duration::from_millis(500));
    Ok(progress)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_holds_all_values_and_has_the_trained_network_as_a_point() {
        for values in [vec![-7.3, -2.0, 0.0], vec![-1.0, 0.5, 3.0], vec![0.25, 0.0]] {
            let grid = around(&values, 31).unwrap();
            let [first, .., last] = grid.coordinates() else {
                panic!("a grid has ends");
            };
            assert!(values.iter().all(|value| first < value && value < last));
            assert!(grid.coordinates().contains(&0.0));
        }
        assert!(around(&[0.0], 31).is_err());
    }
}
