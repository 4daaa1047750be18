//! The panels of wells: those of landscapes, and those that networks lie in.

use burnscape_plot::{AxisScale, Content, Figure, Panel, TreeBranch};
use burnscape_topology::MergeTree;

use super::branches::model_branches;
use super::view::View;
use super::words::{counted, grouped, quoted, short, title};

const MODELS: &str = "Each branch is a network, as low as its loss. Two branches meet at the highest loss on the best \
    measured path between them.";
const MODELS_CANNOT_TELL: &str = "Whether networks that meet high up, or not at all, lie in wells of their own: a path \
    that nobody measured may be lower. All heights where branches meet are upper bounds.";

/// An alternative text names no more than these.
const MOST_NAMES: usize = 8;

/// The wells of a landscape; none if there are not two, resolved or not.
pub(super) fn wells(view: &View, is_only: bool) -> Option<Panel> {
    let figure = &view.figure;
    let births = figure.branches.iter().map(|branch| branch.birth);
    if births.filter(|birth| birth.is_finite()).count() < 2 {
        return None;
    }
    let name = if is_only { "" } else { figure.name.as_str() };
    let unit = match figure.scale {
        AxisScale::Linear => "",
        AxisScale::Log => ", on a logarithmic scale",
    };
    let [x, y] = [&figure.x, &figure.y].map(|axis| grouped(axis.len()));
    Some(Panel {
        title: title("Wells", name),
        caption: format!(
            "How low the loss is in each well of the surface, and how high the pass to a deeper one \
             is{unit}. Move the slider to hide the shallow ones. Hollow wells are not resolved by the \
             grid, and not counted."
        ),
        cannot_tell: format!(
            "How many minima the loss has. Counts depend on the plane and on the grid, here {x} × {y} \
             points: a finer one may show more wells, or that two of these are one. The size of a \
             basin is a share of the picture, not of the space of weights."
        ),
        content: Content::Topology(figure.branches.clone()),
    })
}

/// The tree of models; none if nothing of it can be drawn.
pub(super) fn models(names: &[&str], tree: &MergeTree) -> Option<Panel> {
    let branches = model_branches(names, tree);
    let is_drawn =
        |branch: &TreeBranch| branch.birth.is_finite() && branch.death.is_none_or(f64::is_finite);
    branches.iter().any(is_drawn).then(|| Panel {
        title: "Which networks lie in one well".to_owned(),
        caption: MODELS.to_owned(),
        cannot_tell: MODELS_CANNOT_TELL.to_owned(),
        content: Content::Figure(Figure::MergeTree(branches.clone()), alternative(&branches)),
    })
}

/// The tree in words.
fn alternative(branches: &[TreeBranch]) -> String {
    let sentence = |branch: &TreeBranch| {
        let (name, birth) = (quoted(&branch.label), short(branch.birth, 3));
        match branch.death {
            Some(death) => {
                let death = short(death, 3);
                format!("{name} has a loss of {birth} and meets a lower one at {death}.")
            }
            None => format!("{name} has a loss of {birth} and meets none that is lower."),
        }
    };
    let sentences: Vec<String> = branches.iter().take(MOST_NAMES).map(sentence).collect();
    let count = counted(branches.len(), "network", "networks");
    format!("A merge tree of {count}. {}", sentences.join(" "))
}
