//! MLPs of the comparison, joined by fitted paths: in which wells they lie, and how high the passes between them are.

use std::error::Error;
use std::time::Instant;

use burn::tensor::Device;
use burnscape::loss::{Batch, NormalizationPolicy, Risk};
use burnscape::path::{
    BezierCurve, CurveProfile, CurveProfileConfig, PolygonalChain, model_merge_tree,
};
use burnscape::topology::MergeTree;
use serde::Serialize;

use super::data::Split;
use super::experiment::TrainedMlp;
use super::models::Mlp;
use super::paths::{Effort, fit};
use super::train::loss;

/// Networks of the graph at most.
const MOST: usize = 5;

/// Networks and the paths between them.
#[derive(Serialize, Debug, Clone)]
pub(crate) struct Graph {
    /// The names of the networks.
    pub(crate) networks: Vec<String>,
    /// Their losses on the training images.
    pub(crate) losses: Vec<f64>,
    /// The paths that were fitted.
    pub(crate) edges: Vec<Edge>,
    /// Deaths are upper bounds, up to what lies between the measured places: another path can only lower them.
    pub(crate) tree: MergeTree,
    /// Passes over the training images to fit each path.
    pub(crate) fit_epochs: usize,
    pub(crate) seconds: f64,
}

/// A fitted path between two networks, given by their numbers.
#[derive(Serialize, Debug, Clone)]
pub(crate) struct Edge {
    pub(crate) first: usize,
    pub(crate) second: usize,
    /// The largest loss on the straight line, for comparison.
    pub(crate) largest_on_line: f64,
    /// The largest loss on the fitted curve.
    pub(crate) largest_on_curve: f64,
    /// The length of the curve.
    pub(crate) length: f64,
}

/// The pairs that are joined: all pairs of the networks that are chosen.
pub(crate) fn num_pairs(mlps: &[TrainedMlp]) -> usize {
    pairs(mlps.len().min(MOST)).len()
}

/// Fits a curve between all pairs of at most five networks: those of the first optimizer, then others. None with fewer
/// than two networks. `after_epoch` is called with the pair that is being fitted.
pub(crate) fn joined(
    mlps: &[TrainedMlp],
    split: &Split,
    device: &Device,
    effort: Effort,
    after_epoch: &dyn Fn(&str),
) -> Result<Option<Graph>, Box<dyn Error>> {
    let chosen = chosen(mlps);
    if chosen.len() < 2 {
        return Ok(None);
    }
    let start = Instant::now();
    let digits = split.train.clone().to_device(device);
    let loss = loss::<Mlp>;
    let risk = Risk::new(&loss, std::slice::from_ref(&split.train));
    let networks: Vec<String> = chosen.iter().map(|mlp| name(mlp)).collect();
    let losses = chosen.iter().map(|mlp| risk.loss(&mlp.model));
    let losses = losses.map(|found| found.map(|found| found.value));
    let losses = losses.collect::<Result<Vec<f64>, _>>()?;
    // MLPs have no running statistics.
    let config = CurveProfileConfig::new()
        .with_policy(NormalizationPolicy::Leave)
        .with_num_points(effort.num_points);
    let (mut edges, mut profiles) = (Vec::new(), Vec::new());
    for (number, (first, second)) in pairs(chosen.len()).into_iter().enumerate() {
        let [a, b] = [first, second].map(|network| &chosen[network].model);
        let title = format!("{} – {}", networks[first], networks[second]);
        let curve = BezierCurve::between(a, b, 2)?;
        let after = || after_epoch(&title);
        let curve = fit(curve, &digits, effort, number as u64, &after)?;
        let line = config.run(&risk, &PolygonalChain::line(a, b)?)?;
        let profile = config.run(&risk, &curve)?;
        edges.push(Edge {
            first,
            second,
            largest_on_line: line.train.max,
            largest_on_curve: profile.train.max,
            length: profile.length(),
        });
        profiles.push((first, second, profile));
    }
    let paths: Vec<(usize, usize, &CurveProfile)> = profiles
        .iter()
        .map(|(first, second, profile)| (*first, *second, profile))
        .collect();
    Ok(Some(Graph {
        tree: model_merge_tree(&losses, &paths)?,
        networks,
        losses,
        edges,
        fit_epochs: effort.fit_epochs,
        seconds: start.elapsed().as_secs_f64(),
    }))
}

fn chosen(mlps: &[TrainedMlp]) -> Vec<&TrainedMlp> {
    let first = mlps.first().map(|mlp| mlp.optimizer);
    let mut chosen: Vec<&TrainedMlp> = mlps.iter().collect();
    // Those of an optimizer stay in order.
    chosen.sort_by_key(|mlp| Some(mlp.optimizer) != first);
    chosen.truncate(MOST);
    chosen
}

fn name(mlp: &TrainedMlp) -> String {
    format!("{} seed {}", mlp.optimizer, mlp.seed)
}

/// All pairs of so many networks.
fn pairs(count: usize) -> Vec<(usize, usize)> {
    let from = |first: usize| (first + 1..count).map(move |second| (first, second));
    (0..count).flat_map(from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_there_once() {
        assert_eq!(pairs(3), [(0, 1), (0, 2), (1, 2)]);
        assert_eq!(pairs(5).len(), 10);
        assert!(pairs(1).is_empty() && pairs(0).is_empty());
    }
}
