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
                format!(
                    "The loss can double when the weights move by {share} of their norm {plane}."
                )
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
            0 => format!("The loss of {name}"),
            _ => format!("that of {name}"),
        };
        match found {
            Doubling::Within(share) if has_unit => format!("{subject} by {}", percent(*share)),
            Doubling::Within(share) => {
                has_unit = true;
                let share = percent(*share);
                format!(
                    "{subject} can double when the weights move by {share} of their norm in its picture"
                )
            }
            Doubling::Nowhere if index == 0 => format!("{subject} doubles nowhere in its picture"),
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
    let from = match known.iter().all(|(view, _)| view.ends_at_origin()) {
        true => "the end of training",
        false => "the origin of the plane",
    };
    let distance = format!("of a checkpoint's distance from {from} is outside");
    if let ([(_, share)], [_]) = (&known[..], views) {
        let share = percent(*share);
        return Some(format!("On average, {share} {distance} this picture."));
    }
    let clauses = known.iter().enumerate().map(|(index, (view, share))| {
        let (name, share) = (quoted(&view.figure.name), percent(*share));
        match index {
            0 => format!("{share} {distance} the picture of {name}"),
            _ => format!("{share} outside that of {name}"),
        }
    });
    let clauses: Vec<String> = clauses.collect();
    (!clauses.is_empty()).then(|| format!("On average, {}.", clauses.join(", ")))
}

fn wells(views: &[View]) -> Option<String> {
    let known = views.iter();
    let known = known.filter_map(|view| Some((view, Wells::of(view)?)));
    let known: Vec<(&View, Wells<'_>)> = known.take(MOST).collect();
    if known.is_empty() {
        return None;
    }
    if known.iter().all(|(_, wells)| wells.resolved.len() < 2) {
        return Some(one_well(&known, views.len()));
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

/// No picture has a second well, as far as the grid resolves them.
fn one_well(known: &[(&View, Wells<'_>)], num_views: usize) -> String {
    let name = |(view, _): &(&View, Wells<'_>)| quoted(&view.figure.name);
    let names: Vec<String> = known.iter().map(name).collect();
    let place = match &names[..] {
        names if names.len() == num_views && num_views == 1 => "in this picture".to_owned(),
        names if names.len() == num_views => "in each picture".to_owned(),
        [name] => format!("in the picture of {name}"),
        names => format!("in each of the pictures of {}", listed(names)),
    };
    let subject = match known.iter().all(|(_, wells)| wells.unresolved == 0) {
        true => "One well",
        false => "The grid resolves one well",
    };
    let at_border = known.iter().filter(|(_, wells)| wells.at_border > 0);
    let at_border: Vec<String> = at_border.map(name).collect();
    let touches = "it touches the border and may continue outside.";
    let border = match &at_border[..] {
        [] => String::new(),
        _ if names.len() == 1 => " It touches the border and may continue outside.".to_owned(),
        [name] => format!(" In that of {name} {touches}"),
        names => format!(" In those of {} {touches}", listed(names)),
    };
    format!("{subject} {place}.{border}")
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
