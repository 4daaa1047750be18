//! The panel of landscapes.

use burnscape_plot::{Content, Panel};

use super::view::View;
use super::words::{listed, quoted};

const CAPTION: &str = "Each point is the network with its weights moved along two directions, as far as \
    the axes say. Height and color are the loss there: the darker, the lower.";
const ONE_SCALE: &str = " All networks have the same scale, so that you can compare them.";
const TRAINING_RUN: &str = " The line is the training run, seen from this plane. A filled dot is at the true loss of \
    the network, a hollow one at the loss of the plane there.";
/// No more names than these stand in a sentence.
const MOST_NAMES: usize = 6;
const CANNOT_TELL: &str = "This is one plane through a space with as many dimensions as the network has weights. \
    Other planes look different, two wells in it may be one outside of it, and a training run that seems to climb \
    may have gone around.";

/// All landscapes as views of one panel, with one scale of colors and heights; none without any.
pub(super) fn panel(views: &[View]) -> Option<Panel> {
    let mut caption = CAPTION.to_owned();
    if views.len() > 1 {
        caption += ONE_SCALE;
    }
    if views.iter().any(|view| !view.figure.trajectory.is_empty()) {
        caption += TRAINING_RUN;
    }
    caption += &lowest_at_border(views);
    let title = match views.len() {
        1 => "The surface of the loss",
        _ => "The surfaces of the loss",
    };
    let figures = views.iter().map(|view| view.figure.clone());
    (!views.is_empty()).then(|| Panel {
        title: title.to_owned(),
        caption,
        cannot_tell: CANNOT_TELL.to_owned(),
        content: Content::Landscapes(figures.collect()),
    })
}

/// Where the lowest point may lie outside of the picture.
fn lowest_at_border(views: &[View]) -> String {
    let found = views.iter().filter(|view| view.is_lowest_at_border());
    let names: Vec<String> = found.map(|view| quoted(&view.figure.name)).collect();
    let pictures = match &names[..] {
        [] => return String::new(),
        [_] if views.len() == 1 => {
            return " The lowest point in view is at the border of the picture, not at the trained network."
                .to_owned();
        }
        [_, _] if views.len() == 2 => "both pictures".to_owned(),
        names if names.len() == views.len() => "all pictures".to_owned(),
        [name] => format!("the picture of {name}"),
        names if names.len() > MOST_NAMES => format!("{} pictures", names.len()),
        names => format!("the pictures of {}", listed(names)),
    };
    format!(" In {pictures} the lowest point in view is at the border, not at the trained network.")
}
