//! What the reader should remember, in sentences made from numbers. Where there is no number, there is no sentence.

use super::doubling::Doubling;
use super::view::View;
use super::wells::Wells;
use super::words::{counted, listed, percent, quoted, short};
use crate::landscape::{DirectionKind, Landscape};
use crate::path::CurveProfile;

/// A sentence about more landscapes than these is none.
const MOST: usize = 4;

/// At most three: how far the loss is from twice its value, how far the training run from the picture, how many wells
/// there are, and how high the barrier of the first path is.
pub(super) fn sentences(views: &[View], paths: &[(String, CurveProfile)]) -> Vec<String> {
    let all = [
        doubling(views),
        off_plane(views),
        wells(views),
        barrier(paths),
    ];
    all.into_iter().flatten().take(3).collect()
}

fn doubling(views: &[View]) -> Option<String> {
    let known = views.iter();
    let known = known.filter_map(|view| Some((view, Doubling::of(&view.landscape)?)));
    let known: Vec<(&View, Doubling)> = known.take(MOST).collect();
    if let ([(view, found)], [_]) = (&known[..], views) {
        return Some(match found {
            Doubling::Within(share) => {
                let (share, plane) = (percent(*share), plane(&view.landscape));
                format!("The loss doubles within {share} of the weights' length {plane}.")
            }
            Doubling::Nowhere => {
                "Nowhere in this picture is the loss twice as high as at the network.".to_owned()
            }
        });
    }
    let mut has_unit = false;
    let clauses = known.iter().enumerate().map(|(index, (view, found))| {
        let name = quoted(&view.figure.name);
        let subject = match index {
            0 => format!("The loss of {name} doubles"),
            _ => format!("that of {name}"),
        };
        match found {
            Doubling::Within(share) => {
                let unit = if has_unit {
                    ""
                } else {
                    " of the weights' length"
                };
                has_unit = true;
                format!("{subject} within {}{unit}", percent(*share))
            }
            Doubling::Nowhere => format!("{subject} nowhere in its picture"),
        }
    });
    let clauses: Vec<String> = clauses.collect();
    (!clauses.is_empty()).then(|| format!("{}.", clauses.join(", ")))
}

/// Which plane it is, as far as that has a short name.
fn plane(landscape: &Landscape) -> &'static str {
    let kinds: Vec<&DirectionKind> = landscape
        .directions
        .iter()
        .map(|record| match &record.kind {
            DirectionKind::Orthogonalized(kind) => &**kind,
            kind => kind,
        })
        .collect();
    match &kinds[..] {
        [DirectionKind::Random { .. }, DirectionKind::Random { .. }] => {
            "in the plane of two random directions"
        }
        [
            DirectionKind::Eigenvector { .. },
            DirectionKind::Eigenvector { .. },
        ] => "in the plane of two eigenvectors",
        [
            DirectionKind::PrincipalComponent { .. },
            DirectionKind::PrincipalComponent { .. },
        ] => "in the plane of two components of the training run",
        _ => "in this plane",
    }
}

fn off_plane(views: &[View]) -> Option<String> {
    let known = views.iter().filter_map(|view| {
        let share = view.projection.as_ref()?.mean_off_plane_share();
        share.is_finite().then_some((view, share))
    });
    let known: Vec<(&View, f64)> = known.take(MOST).collect();
    if let ([(_, share)], [_]) = (&known[..], views) {
        let share = percent(*share);
        return Some(format!(
            "The training path lies {share} off this picture, on average."
        ));
    }
    let clauses = known.iter().enumerate().map(|(index, (view, share))| {
        let (name, share) = (quoted(&view.figure.name), percent(*share));
        match index {
            0 => format!("The training path of {name} lies {share} off its picture"),
            _ => format!("that of {name} {share}"),
        }
    });
    let clauses: Vec<String> = clauses.collect();
    (!clauses.is_empty()).then(|| format!("{}, on average.", clauses.join(", ")))
}

fn wells(views: &[View]) -> Option<String> {
    let known = views.iter();
    let known = known.filter_map(|view| Some((view, Wells::of(view)?)));
    let known: Vec<(&View, Wells<'_>)> = known.take(MOST).collect();
    if known.is_empty() {
        return None;
    }
    if known.iter().all(|(_, wells)| wells.resolved.len() < 2) {
        return Some("Nothing here shows a second well that the grid resolves.".to_owned());
    }
    if let ([(_, wells)], [_]) = (&known[..], views) {
        let border = match wells.at_border {
            0 => String::new(),
            count => format!(", {count} of them at the border of the picture"),
        };
        let count = wells.resolved.len();
        return Some(format!(
            "The grid resolves {count} wells in this picture{border}."
        ));
    }
    let counts = known.iter().map(|(view, wells)| {
        let count = counted(wells.resolved.len(), "well", "wells");
        format!("{count} in the picture of {}", quoted(&view.figure.name))
    });
    let counts: Vec<String> = counts.collect();
    Some(format!("The grid resolves {}.", listed(&counts)))
}

fn barrier(paths: &[(String, CurveProfile)]) -> Option<String> {
    let (name, profile) = paths.first()?;
    let height = profile.barriers()?.above_line;
    let name = quoted(name);
    if height > 0.0 && height.is_finite() {
        let height = short(height, 2);
        return Some(format!(
            "Along {name} the loss rises {height} above the straight line between its ends."
        ));
    }
    (height == 0.0).then(|| {
        format!("Along {name} the loss rises nowhere above the straight line between its ends.")
    })
}
