//! The surfaces around the networks, and their wells.

use std::ops::ControlFlow;

use burn::tensor::Device;
use burnscape::landscape::{Direction, Landscape, LandscapeConfig, LossScale};
use burnscape::loss::{Risk, Work};
use burnscape::space::{DirectionNorm, Grid, ParamSpace, UnfilteredRule};
use burnscape::topology::{Death, MergeTreeConfig, PersistencePair, ScalarField};
use indicatif::ProgressBar;
use serde::Serialize;

use super::network::{Kind, loss};
use super::spirals;
use super::training::{Trained, bar};
use crate::{Args, Failure};

/// Biases do not move.
pub(crate) const NORM: DirectionNorm = DirectionNorm::Filter(UnfilteredRule::Zero);
/// Coordinates go from `-RADIUS` to this: at 1, a filter has moved by its own length.
pub(crate) const RADIUS: f64 = 1.0;
/// Pairs count if they last longer, in decades of the loss.
pub(crate) const DECADES: f64 = 0.05;
/// Pairs with a larger ratio are more than what the spacing of the grid can make.
pub(crate) const RATIO: f64 = 1.0;

/// Pairs of the merge tree that die, and last.
#[derive(Serialize, Debug, Clone, Copy)]
pub(crate) struct Counts {
    /// Points along each axis.
    pub(crate) points: usize,
    /// All of them.
    pub(crate) pairs: usize,
    /// Those with a resolution ratio above [`RATIO`].
    pub(crate) resolved: usize,
}

/// What a plane shows.
#[derive(Serialize, Debug, Clone)]
pub(crate) struct Plane {
    pub(crate) kind: Kind,
    pub(crate) seed: u64,
    /// 1 for the first plane of a network.
    pub(crate) plane: usize,
    /// Of both directions.
    pub(crate) direction_seeds: [u64; 2],
    /// Of the angle between them.
    pub(crate) cosine: f64,
    /// The smallest and the largest loss.
    pub(crate) losses: [f64; 2],
    /// On the whole grid.
    pub(crate) fine: Counts,
    /// On every second point of each axis.
    pub(crate) coarse: Counts,
}

/// All planes of all networks. Those of the plain and of the residual network of a seed are drawn from the same numbers.
pub(crate) fn all(args: &Args, trained: &[Trained]) -> Result<Vec<Plane>, Failure> {
    let mut planes = Vec::with_capacity(trained.len() * args.planes);
    let progress = bar(trained.len() * args.planes * args.points.pow(2))?;
    for network in trained {
        for plane in 1..=args.planes {
            let (kind, seed) = (network.kind, network.seed);
            progress.set_message(format!("{kind}, seed {seed}: plane {plane}"));
            let found = measure(args, network, plane, &progress);
            planes.push(
                found.map_err(|error| {
                    format!("{kind} network, seed {seed}, plane {plane}: {error}")
                })?,
            );
        }
    }
    progress.finish_and_clear();
    Ok(planes)
}

fn measure(
    args: &Args,
    network: &Trained,
    plane: usize,
    progress: &ProgressBar,
) -> Result<Plane, Failure> {
    let (net, data) = (&network.net, [spirals::points(&Device::default())]);
    let (shown, before) = (progress.clone(), progress.position());
    let risk = Risk::new(&loss, &data).with_observer(move |step| {
        if step.work == Work::Point {
            shown.set_position(before + step.done as u64);
        }
        ControlFlow::Continue(())
    });
    let first = 1000 * network.seed + 2 * plane as u64;
    let seeds = [first, first + 1];
    let space = ParamSpace::of(net)?;
    let directions = seeds.map(|seed| Direction::random(&space, net, NORM, seed));
    let directions = directions.into_iter().collect::<Result<Vec<_>, _>>()?;
    let grid = Grid::symmetric(RADIUS, args.points)?;
    let surface = LandscapeConfig::new([grid.clone(), grid])
        .with_max_points(args.points.pow(2))
        .with_threads(args.threads)
        .run(&risk, net, &directions)?;
    let tree = surface.merge_tree(LossScale::Log10, &MergeTreeConfig::new())?;
    let losses = surface.losses.iter().copied();
    Ok(Plane {
        kind: network.kind,
        seed: network.seed,
        plane,
        direction_seeds: seeds,
        cosine: surface.cosine(0, 1),
        losses: [
            losses.clone().fold(f64::INFINITY, f64::min),
            losses.fold(0.0, f64::max),
        ],
        fine: Counts {
            points: args.points,
            pairs: tree.count(DECADES),
            resolved: tree.count_resolved(DECADES, RATIO),
        },
        coarse: on_every_second(&surface)?,
    })
}

/// The same counts on a grid with twice the spacing.
fn on_every_second(surface: &Landscape) -> Result<Counts, Failure> {
    let shape: Vec<usize> = surface.shape().iter().map(|n| n.div_ceil(2)).collect();
    let &[points, columns] = &shape[..] else {
        return Err("a surface has two axes".into());
    };
    let places = (0..points).flat_map(|i| (0..columns).map(move |j| [2 * i, 2 * j]));
    let heights = places.filter_map(|place| surface.loss(&place));
    let heights: Vec<f64> = heights.map(f64::log10).collect();
    let field = ScalarField::new(&heights, &shape)?;
    let mut pairs: Vec<PersistencePair> = MergeTreeConfig::new().run(&field)?.diagram().pairs;
    pairs.retain(|pair| pair.death != Death::Never && pair.persistence() > DECADES);
    let ratios = pairs.iter().map(|pair| field.resolution_ratio(pair));
    let ratios = ratios.collect::<Result<Vec<f64>, _>>()?;
    Ok(Counts {
        points,
        pairs: pairs.len(),
        resolved: ratios.iter().filter(|ratio| **ratio > RATIO).count(),
    })
}
