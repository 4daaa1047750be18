//! What is printed and written.

use std::path::Path;

use serde::Serialize;
use serde_json::json;

use super::network::{Kind, LEAST_LOSS, WIDTH};
use super::spirals::NUM_POINTS;
use super::surfaces::{Counts, DECADES, NORM, Plane, RADIUS, RATIO};
use super::training::{RATE, TARGET, Trained};
use crate::{Args, Failure};

/// How many times as many pairs plain networks must have.
const FACTOR: f64 = 5.0;

/// What is about to be done.
pub(crate) fn heading(args: &Args) -> String {
    format!(
        "Two spirals, {NUM_POINTS} points. Networks with rectifiers, {} layers of {WIDTH} units between the first and the \
         last layer:\n\
         plain, and residual, whose branches are scaled by 1/√depth. Adam on all points at rate {RATE:e}, until the loss \
         is below\n\
         {TARGET:e} or {} steps are done.\n\
         Planes of two random directions, filter-normalized, biases not moved (UnfilteredRule::Zero); coordinates from \
         -{RADIUS} to {RADIUS}.\n\
         Counted are pairs of the merge tree of log10 of the loss that last for more than {DECADES} decades; q is the \
         resolution ratio.\n",
        args.depth, args.steps
    )
}

/// A row for each plane, the means, and what to know about them.
pub(crate) fn table(args: &Args, trained: &[Trained], planes: &[Plane]) -> String {
    let (fine, coarse) = (args.points, args.points.div_ceil(2));
    let mut text = format!(
        "{:<9}{:>5}{:>7}{:>11}{:>7}{:>20}{:>16}{:>7}{:>16}{:>7}\n",
        "network",
        "seed",
        "steps",
        "final loss",
        "plane",
        "log10 of the loss",
        format!("{fine}×{fine} pairs"),
        "q > 1",
        format!("{coarse}×{coarse} pairs"),
        "q > 1"
    );
    for network in trained {
        let is_own = |plane: &&Plane| plane.kind == network.kind && plane.seed == network.seed;
        for plane in planes.iter().filter(is_own) {
            let [low, high] = plane.losses.map(f64::log10);
            text += &format!(
                "{:<9}{:>5}{:>7}{:>11.2e}{:>7}{:>20}{:>16}{:>7}{:>16}{:>7}\n",
                network.kind,
                network.seed,
                network.steps,
                network.loss,
                plane.plane,
                format!("{low:.1} to {high:.1}"),
                plane.fine.pairs,
                plane.fine.resolved,
                plane.coarse.pairs,
                plane.coarse.resolved
            );
        }
    }
    text.push('\n');
    for kind in [Kind::Plain, Kind::Residual] {
        let fine_means = Means::of(planes, kind, |plane| plane.fine);
        let coarse_means = Means::of(planes, kind, |plane| plane.coarse);
        text += &format!(
            "{kind:<9} mean over {} planes: {:.2} pairs, {:.2} with q > 1 on {fine}×{fine} points; {:.2} and {:.2} on \
             {coarse}×{coarse}\n",
            fine_means.planes,
            fine_means.pairs,
            fine_means.resolved,
            coarse_means.pairs,
            coarse_means.resolved
        );
    }
    text.push('\n');
    for network in trained.iter().filter(|network| !network.is_done()) {
        text += &format!(
            "The {} network of seed {} ends at a loss of {:.2e} after {} steps, above {TARGET:e}: its planes are those of \
             another height.\n",
            network.kind, network.seed, network.loss, network.steps
        );
    }
    text + "Confounds: the branches of a residual network start scaled by 1/√depth, so that it starts nearer to a linear \
           function;\n\
           and the two kinds take different numbers of steps to the same loss. The count of a surface that is not \
           resolved grows\n\
           with the grid: the direction is a finding, the number is not.\n"
}

/// Mean counts of one kind of network on one grid.
#[derive(Serialize, Debug)]
struct Means {
    planes: usize,
    pairs: f64,
    resolved: f64,
}

impl Means {
    fn of(planes: &[Plane], kind: Kind, counts: impl Fn(&Plane) -> Counts) -> Self {
        let own = planes.iter().filter(|plane| plane.kind == kind);
        let own: Vec<Counts> = own.map(counts).collect();
        let mean = |count: fn(&Counts) -> usize| {
            own.iter().map(count).sum::<usize>() as f64 / own.len() as f64
        };
        Self {
            planes: own.len(),
            pairs: mean(|counts| counts.pairs),
            resolved: mean(|counts| counts.resolved),
        }
    }
}

/// The criterion: mean counts of pairs with q > 1 on the whole grid.
#[derive(Serialize, Debug)]
pub(crate) struct Verdict {
    plain: f64,
    residual: f64,
    is_met: bool,
}

impl Verdict {
    pub(crate) fn of(planes: &[Plane]) -> Self {
        let mean = |kind| Means::of(planes, kind, |plane| plane.fine).resolved;
        let (plain, residual) = (mean(Kind::Plain), mean(Kind::Residual));
        Self {
            plain,
            residual,
            is_met: plain >= FACTOR * residual.max(1.0),
        }
    }

    pub(crate) fn text(&self, args: &Args) -> String {
        let Self {
            plain,
            residual,
            is_met,
        } = self;
        format!(
            "verdict: {} at depth {}, mean count with q > 1 on {points}×{points} points: plain {plain:.2} {} {FACTOR} × \
             max(residual {residual:.2}, 1)",
            if *is_met { "met" } else { "not met" },
            args.depth,
            if *is_met { "≥" } else { "<" },
            points = args.points
        )
    }
}

/// Writes everything.
pub(crate) fn write(
    path: &Path,
    args: &Args,
    trained: &[Trained],
    planes: &[Plane],
) -> Result<(), Failure> {
    let means = |kind: Kind| {
        json!({
            "fine": Means::of(planes, kind, |plane| plane.fine),
            "coarse": Means::of(planes, kind, |plane| plane.coarse),
        })
    };
    let document = json!({
        "schema_version": 1,
        "program": "skip_connections",
        "version": env!("CARGO_PKG_VERSION"),
        "settings": {
            "examples": NUM_POINTS,
            "width": WIDTH,
            "depth": args.depth,
            "optimizer": "Adam",
            "learning_rate": RATE,
            "target_loss": TARGET,
            "most_steps": args.steps,
            "direction_norm": NORM,
            "radius": RADIUS,
            "points": args.points,
            "least_loss": LEAST_LOSS,
            "min_persistence_in_decades": DECADES,
            "min_resolution_ratio": RATIO,
        },
        "networks": trained,
        "planes": planes,
        "means": { "plain": means(Kind::Plain), "residual": means(Kind::Residual) },
        "verdict": Verdict::of(planes),
    });
    let text = serde_json::to_string_pretty(&document)?;
    std::fs::write(path, text + "\n")
        .map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}
