//! What a view knows about itself: answers to the questions about trust.

use super::view::View;
use super::wells::Wells;
use super::words::{counted, grouped, listed, percent, short};
use crate::landscape::DirectionRecord;
use crate::loss::{Mode, NormalizationPolicy};

/// So many wells are named.
const MOST_WELLS: usize = 6;
/// Smaller cosines are those of a right angle, to rounding in single precision.
const RIGHT_ANGLE: f64 = 1e-6;

pub(super) fn off_plane(view: &View) -> Option<String> {
    let projection = view.projection.as_ref()?;
    let mean = projection.mean_off_plane_share();
    let shares = projection.points.iter().map(|point| point.off_plane_share);
    let most = shares.fold(f64::NAN, f64::max);
    if !mean.is_finite() {
        return None;
    }
    // The mean leaves out those at the origin of the plane.
    let away = projection
        .points
        .iter()
        .filter(|point| (point.x, point.y, point.distance) != (0.0, 0.0, 0.0));
    let checkpoints = counted(away.count(), "checkpoint", "checkpoints");
    let stopped = if projection.completed {
        ""
    } else {
        " The projection was stopped before the last one."
    };
    let (mean, most) = (percent(mean), percent(most));
    let from = match view.ends_at_origin() {
        true => "the end of training",
        false => "the origin of the plane",
    };
    Some(format!(
        "On average over {checkpoints}, the distance from the plane is {mean} of that from {from}; {most} \
         at most.{stopped}"
    ))
}

pub(super) fn heights(view: &View) -> Option<String> {
    let projection = view.projection.as_ref()?;
    let gap = projection.largest_gap()?;
    let [loss, shown] = [gap.loss, gap.plane_loss].map(|loss| short(loss, 3));
    if loss == shown {
        return Some("Yes, to three digits at every checkpoint.".to_owned());
    }
    let step = gap.step;
    Some(format!(
        "No: the network of step {step} has a loss of {loss}, and the picture shows {shown} there. No \
         other difference is larger."
    ))
}

pub(super) fn directions(view: &View) -> Option<String> {
    let landscape = &view.landscape;
    let [first, second] = &landscape.directions[..] else {
        return None;
    };
    let described = |record: &DirectionRecord| {
        let kind = &record.kind;
        if view.is_percent {
            let share = percent(record.relative_norm);
            format!("{kind} ({share} as long as the weights)")
        } else {
            kind.to_string()
        }
    };
    let cosine = landscape.cosine(0, 1);
    let angle = if !cosine.is_finite() {
        String::new()
    } else if cosine.abs() < RIGHT_ANGLE {
        " They are at right angles.".to_owned()
    } else if cosine.abs() < 0.1 {
        let cosine = short(cosine, 1);
        format!(" They are nearly at right angles, with a cosine of {cosine}.")
    } else {
        let cosine = short(cosine, 2);
        format!(" They are not at right angles as in the picture: their cosine is {cosine}.")
    };
    let (first, second) = (described(first), described(second));
    Some(format!("First: {first}. Second: {second}.{angle}"))
}

pub(super) fn grid(view: &View) -> Option<String> {
    let axes = [&view.figure.x, &view.figure.y];
    let gaps = axes.iter().flat_map(|axis| axis.windows(2));
    let gap = gaps.map(|two| two[1] - two[0]).fold(f64::NAN, f64::min);
    let [x, y] = axes.map(|axis| grouped(axis.len()));
    let mut answer = format!("{x} × {y} points");
    if view.is_percent && gap.is_finite() {
        let gap = short(gap, 2);
        answer += &format!(", the nearest of them {gap} % of the weights' norm apart");
    }
    answer += ". What is narrower does not show.";
    if let Some([evaluated, points]) = view.stopped {
        let (evaluated, points) = (grouped(evaluated), grouped(points));
        answer += &format!(
            " The evaluation was stopped after {evaluated} of {points} points: this is the finest \
             grid that is complete."
        );
    }
    Some(answer)
}

pub(super) fn wells(view: &View) -> Option<String> {
    let wells = Wells::of(view)?;
    let others = wells.resolved.get(1..).unwrap_or_default();
    let named = others.iter().take(MOST_WELLS);
    let named = named.map(|(branch, ratio)| format!("{} (q = {})", branch.label, short(*ratio, 2)));
    let mut named: Vec<String> = named.collect();
    if let Some(more) = others.len().checked_sub(MOST_WELLS + 1) {
        named.push(format!("{} more", more + 1));
    }
    let mut answer = match others.len() {
        0 => "The deepest one only.".to_owned(),
        count => format!("{count} besides the deepest: {}.", listed(&named)),
    };
    if wells.unresolved > 0 {
        let count = counted(wells.unresolved, "other well", "other wells");
        answer += &format!(
            " Not counted: {count}, which the spacing of the grid or rounding may have made."
        );
    }
    let outside = "the border of the picture and may continue outside.";
    answer += &match (wells.at_border, others.len()) {
        (0, _) => String::new(),
        (_, 0) => format!(" The deepest one touches {outside}"),
        (1, _) => format!(" One of all touches {outside}"),
        (count, _) => format!(" {} of all touch {outside}", grouped(count)),
    };
    if !others.is_empty() {
        answer += " Here q is the depth of a well over what the spacing alone may have made; a well \
                   counts above 2.";
    }
    Some(answer)
}

pub(super) fn rounding(view: &View) -> Option<String> {
    let rounding = view.landscape.rounding;
    let is_known = rounding > 0.0 && rounding.is_finite();
    is_known.then(|| {
        let rounding = short(rounding, 2);
        format!(
            "About {rounding} at the network, and elsewhere in proportion to the loss. Smaller \
             differences say nothing."
        )
    })
}

pub(super) fn not_finite(view: &View) -> Option<String> {
    let losses = &view.landscape.losses;
    let count = |is_meant: fn(f64) -> bool| losses.iter().filter(|loss| is_meant(**loss)).count();
    let found = [
        (count(f64::is_nan), "not a number", "hatched"),
        (count(f64::is_infinite), "infinite", "gray"),
    ];
    let found = found.into_iter().filter(|(count, ..)| *count > 0);
    let found = found.map(|(count, what, look)| format!("{what} at {} ({look})", grouped(count)));
    let found: Vec<String> = found.collect();
    let (points, list) = (grouped(losses.len()), listed(&found));
    (!found.is_empty()).then(|| format!("No: of {points} points it is {list}."))
}

pub(super) fn loss(view: &View) -> Option<String> {
    let landscape = &view.landscape;
    let mode = match landscape.mode {
        Mode::Eval => "the network as it is used",
        Mode::Train => "the network as it is trained, with dropout and statistics of the batch",
    };
    let policy = match landscape.policy {
        NormalizationPolicy::Leave => "left as they are".to_owned(),
        NormalizationPolicy::ReestimateAll => "measured again at every point".to_owned(),
        NormalizationPolicy::Reestimate(batches) => {
            let batches = counted(batches, "batch", "batches");
            format!("measured again at every point, over {batches}")
        }
        NormalizationPolicy::Interpolate => "interpolated along the directions".to_owned(),
    };
    let examples = counted(landscape.num_examples, "example", "examples");
    let batches = counted(landscape.num_batches, "batch", "batches");
    Some(format!(
        "That of {examples} in {batches}, with {mode}. The running statistics of normalization \
         layers, if there are any, are {policy}."
    ))
}
