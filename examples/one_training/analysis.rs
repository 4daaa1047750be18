//! What the checkpoints tell.

use std::error::Error;

use burnscape::landscape::{LandscapeConfig, LossScale};
use burnscape::loss::{NormalizationPolicy, Risk};
use burnscape::space::{Grid, ParamSpace};
use burnscape::topology::MergeTreeConfig;
use burnscape::trajectory::{
    Centering, PlateausConfig, Projection, ProjectionConfig, QuasiConvexityConfig, RibbonConfig,
    Trajectory, TrajectoryPcaConfig,
};
use indicatif::ProgressBar;

use crate::Args;
use crate::survey::data::Split;
use crate::survey::models::Cnn;
use crate::survey::train::loss;

/// Lines of the table of checkpoints.
const ROWS: usize = 6;
/// Wells that count are deeper, in decades of the loss.
const DECADES: f64 = 0.05;
/// The loss falls less on a plateau, from one checkpoint to the next.
const FLAT: f64 = 0.02;
/// The running statistics of batch normalization: those of the weights, wherever a loss is evaluated.
const POLICY: NormalizationPolicy = NormalizationPolicy::ReestimateAll;

/// Everything, from first to last.
pub(crate) fn text(
    args: &Args,
    split: &Split,
    trajectory: &Trajectory<Cnn>,
    progress: &ProgressBar,
) -> Result<String, Box<dyn Error>> {
    let loss = loss::<Cnn>;
    let risk = Risk::new(&loss, std::slice::from_ref(&split.train));
    let mut text = checkpoints(trajectory)?;
    progress.set_message("principal components");
    text += &components(args, trajectory)?;
    text += "Below, running statistics are re-estimated over the training images wherever a loss is evaluated.\n\n";
    progress.set_message("the plane");
    text += &plane(args, &risk, trajectory)?;
    progress.set_message("the ribbon");
    text += &ribbon(&risk, trajectory)?;
    progress.set_message("gradients");
    text += &gradients(&risk, trajectory)?;
    text += &plateaus(trajectory)?;
    Ok(text)
}

/// Loss and metrics of some checkpoints, the first and the last among them.
fn checkpoints(trajectory: &Trajectory<Cnn>) -> Result<String, Box<dyn Error>> {
    let all = trajectory.checkpoints();
    let parameters = ParamSpace::of(&trajectory.model(0)?)?.len();
    let (Some(first), Some(last)) = (all.first(), all.last()) else {
        return Err("the trajectory is empty".into());
    };
    let mut text = format!(
        "{} checkpoints of the survey's CNN, {parameters} parameters, from step {} to step {}\n  {:>8}{:>12}",
        all.len(),
        first.step,
        last.step,
        "step",
        "train loss"
    );
    for (name, _) in &first.metrics {
        text += &format!("{name:>12}");
    }
    text.push('\n');
    let mut shown: Vec<usize> = (0..ROWS)
        .map(|row| row * (all.len() - 1) / (ROWS - 1))
        .collect();
    shown.dedup();
    for checkpoint in shown.into_iter().map(|index| &all[index]) {
        let loss = checkpoint.loss.unwrap_or(f64::NAN);
        text += &format!("  {:>8}{loss:>12.4}", checkpoint.step);
        for (_, value) in &checkpoint.metrics {
            text += &format!("{value:>12.4}");
        }
        text.push('\n');
    }
    Ok(text + "\n")
}

/// What two principal components explain, of the checkpoints and by chance.
fn components(args: &Args, trajectory: &Trajectory<Cnn>) -> Result<String, Box<dyn Error>> {
    let mut text = format!(
        "Variance of the checkpoints that principal components explain, beside that of chance\n  \
         {:<22}{:>9}{:>9}{:>16}{:>32}{:>9}\n",
        "center", "first", "two", "two of a walk", "two under random signs", "p"
    );
    for (center, centering) in [
        ("the last checkpoint", Centering::End),
        ("the mean", Centering::Mean),
    ] {
        let pca = TrajectoryPcaConfig::new(2)
            .with_centering(centering)
            .run(trajectory)?;
        let first = pca.shares.first().copied().unwrap_or(f64::NAN);
        let walk: f64 = pca.random_walk_shares().iter().take(2).sum();
        let signs = pca.sign_flip(args.draws, 0)?;
        let drawn = format!(
            "{}, 95 % below {}",
            percent(signs.mean),
            percent(signs.quantile_95)
        );
        text += &format!(
            "  {center:<22}{:>9}{:>9}{:>16}{drawn:>32}{:>9.4}\n",
            percent(first),
            percent(pca.explained_share()),
            percent(walk),
            signs.p_value
        );
    }
    text += "  walk: independent steps of equal size, as many as here; random signs: the real steps, each forward or back\n  \
             p: (1 + draws that explain as much) / (1 + draws)\n\n";
    Ok(text)
}

/// The surface over the plane of two components, and how far from it the checkpoints are.
fn plane(
    args: &Args,
    risk: &Risk<'_, Cnn>,
    trajectory: &Trajectory<Cnn>,
) -> Result<String, Box<dyn Error>> {
    let pca = TrajectoryPcaConfig::new(2).run(trajectory)?;
    let plane = pca.plane(trajectory)?;
    let config = ProjectionConfig::new();
    let left = config.run(risk, trajectory, &plane)?;
    let projection = config.with_policy(POLICY).run(risk, trajectory, &plane)?;
    let points = &projection.points;
    let grids = [
        around(points.iter().map(|point| point.x), args.points)?,
        around(points.iter().map(|point| point.y), args.points)?,
    ];
    let surface = LandscapeConfig::new(grids)
        .with_policy(POLICY)
        .with_threads(args.threads)
        .run(risk, plane.origin(), pca.directions())?;
    let tree = surface.merge_tree(LossScale::Log10, &MergeTreeConfig::new())?;
    let wells = match tree.count(DECADES) {
        0 => format!("no wells deeper than {DECADES} decades"),
        count => format!(
            "wells deeper than {DECADES} decades: {count}, and {} of them resolved (q > 2)",
            tree.count_resolved(DECADES, 2.0)
        ),
    };
    let highest = surface.losses.iter().copied().fold(0.0, f64::max);
    let (at, lowest) = surface.lowest().ok_or("no loss on the plane is finite")?;
    let at: Vec<String> = at.iter().map(|x| format!("{x:.2}")).collect();
    let mut text = format!(
        "The plane of two components through the last checkpoint, {0} × {0} points\n  \
         loss from {lowest:.4} at ({at}) to {highest:.2}, {base:.4} at the last checkpoint; {wells}\n  \
         the checkpoints are off the plane by {share} of their distance from the last one, on average\n  \
         their loss differs from that of the plane below by {gap:.4} (median)",
        args.points,
        at = at.join(", "),
        base = surface.base_loss,
        share = percent(projection.mean_off_plane_share()),
        gap = median_gap(&projection),
    );
    if let Some(point) = projection.largest_gap() {
        text += &format!(
            ", most at step {}:\n  {:.4} is the true loss, {:.4} that of the plane",
            point.step, point.loss, point.plane_loss
        );
    }
    text += &format!(
        "\n  with running statistics as they are in the checkpoints, the median difference is {:.4}\n\n",
        median_gap(&left)
    );
    Ok(text)
}

/// The median size of the height gaps.
fn median_gap(projection: &Projection) -> f64 {
    let gaps = projection.points.iter();
    median(gaps.map(|point| point.height_gap.abs()).collect())
}

/// Where along its own velocity the loss of each checkpoint is lowest.
fn ribbon(risk: &Risk<'_, Cnn>, trajectory: &Trajectory<Cnn>) -> Result<String, Box<dyn Error>> {
    let grid = Grid::linspace(-1.0, 3.0, 9)?;
    let config = RibbonConfig::new(grid).with_policy(POLICY);
    let ribbon = config.run(risk, trajectory)?;
    let rows = (0..ribbon.steps.len()).filter_map(|row| ribbon.row(row));
    let lowest = rows.filter_map(|losses| {
        let places = ribbon.coordinates.iter().zip(losses);
        let (place, _) = places.min_by(|(_, one), (_, other)| one.total_cmp(other))?;
        Some(*place)
    });
    let lowest: Vec<f64> = lowest.collect();
    let count = |is_there: fn(f64) -> bool| {
        let places = lowest.iter().filter(|place| is_there(**place));
        places.count()
    };
    Ok(format!(
        "The ribbon: the loss from each checkpoint along its way to the next, which is at 1, from -1 to 3 in steps of ½\n  \
         lowest at the checkpoint or behind it for {} of {}, between it and the next for {}, at the next for {}, beyond \
         for {};\n  median at {:.2}\n\n",
        count(|place| place <= 0.0),
        lowest.len(),
        count(|place| 0.0 < place && place < 1.0),
        count(|place| place == 1.0),
        count(|place| place > 1.0),
        median(lowest.clone())
    ))
}

/// Whether gradients point away from the last checkpoint, and from points of chance.
fn gradients(risk: &Risk<'_, Cnn>, trajectory: &Trajectory<Cnn>) -> Result<String, Box<dyn Error>> {
    let config = QuasiConvexityConfig::new().with_policy(POLICY);
    let found = config.run(risk, trajectory)?;
    let points = &found.points;
    let cosines = points.iter().map(|point| point.cosine);
    let nulls = points.iter().map(|point| point.null_cosine.abs());
    let gaps: Vec<f64> = points.iter().filter_map(|point| point.chord_gap).collect();
    let above = gaps.iter().filter(|gap| **gap > 0.0).count();
    Ok(format!(
        "Gradients: positive cosine with the way from the last checkpoint at {} of the others, median {:.3}\n  \
         by chance: {} with a random point as far away, {:.3} in size; {} with the first checkpoint mirrored\n  \
         halfway to the last checkpoint the loss is above the chord for {above} of {}\n\n",
        percent(found.share_positive),
        median(cosines.collect()),
        percent(found.null_share_positive),
        median(nulls.collect()),
        percent(found.reflected_share_positive.unwrap_or(f64::NAN)),
        gaps.len()
    ))
}

/// Where the loss stands still.
fn plateaus(trajectory: &Trajectory<Cnn>) -> Result<String, Box<dyn Error>> {
    let losses: Vec<f64> = trajectory
        .checkpoints()
        .iter()
        .filter_map(|checkpoint| checkpoint.loss)
        .collect();
    let window = (losses.len() / 10).max(2);
    if window >= losses.len() {
        return Ok(String::new());
    }
    let steps = trajectory.steps();
    let found = PlateausConfig::new(window, FLAT).run(&losses)?;
    let found: Vec<String> = found
        .iter()
        .map(|plateau| {
            let after = if plateau.followed_by_drop {
                "a drop follows"
            } else {
                "no drop follows"
            };
            let (start, end) = (steps[plateau.start], steps[plateau.end]);
            format!("steps {start} to {end} ({after})")
        })
        .collect();
    let found = if found.is_empty() {
        "none".to_string()
    } else {
        found.join(", ")
    };
    Ok(format!(
        "Plateaus, where the training loss falls by less than {} a checkpoint over {window} of them: {found}\n",
        percent(FLAT)
    ))
}

/// Coordinates around these values, with a tenth of their range on either side.
fn around(
    values: impl Iterator<Item = f64> + Clone,
    points: usize,
) -> Result<Grid, Box<dyn Error>> {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    let margin = 0.1 * (high - low);
    Ok(Grid::linspace(low - margin, high + margin, points)?)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// The upper one of two middle values.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
