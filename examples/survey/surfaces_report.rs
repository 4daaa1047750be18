//! What is printed about surfaces.

use burnscape::landscape::{LandscapeTree, LossScale};
use burnscape::topology::MergeTreeConfig;

use super::surfaces::Surface;
use super::table::{Column, aligned};

/// Wells that count are deeper, in decades of the loss.
const DECADES: f64 = 0.05;
/// The grid resolves wells with a larger ratio.
const RATIO: f64 = 2.0;

/// The section; empty without surfaces.
pub(crate) fn section(surfaces: &[Surface]) -> String {
    let Some(first) = surfaces.first() else {
        return String::new();
    };
    let shape: Vec<String> = first
        .landscape
        .shape()
        .iter()
        .map(usize::to_string)
        .collect();
    format!(
        "Surfaces around the CNNs of the first seed, {} points on the plane of two components of each training run\n{}\n  \
         explained        of the variance of checkpoints, beside the mean with steps of random signs\n  \
         off the plane    the distance of checkpoints from the plane over that from the end, on average\n  \
         wells, resolved  deeper than {DECADES} decades of the loss, and those that the grid resolves\n\n",
        shape.join(" × "),
        aligned(&columns(surfaces)),
    )
}

fn columns(surfaces: &[Surface]) -> Vec<Column> {
    let column = |title: &str, cell: &dyn Fn(&Surface) -> String| {
        Column::of_cells(title, surfaces.iter().map(cell).collect())
    };
    vec![
        column("", &Surface::name).left_aligned(),
        column("loss at the end", &|surface| {
            format!("{:.4}", surface.landscape.base_loss)
        }),
        column("highest", &|surface| format!("{:.2}", highest(surface))),
        column("explained", &|surface| {
            percent(surface.components.explained_share())
        }),
        column("by chance", &|surface| percent(surface.signs.mean)),
        column("off the plane", &|surface| {
            percent(surface.projection.mean_off_plane_share())
        }),
        column("wells", &|surface| {
            wells(surface, |tree| tree.count(DECADES))
        }),
        column("resolved", &|surface| {
            wells(surface, |tree| tree.count_resolved(DECADES, RATIO))
        }),
    ]
}

fn highest(surface: &Surface) -> f64 {
    let losses = surface.landscape.losses.iter().copied();
    losses.fold(f64::NEG_INFINITY, f64::max)
}

/// How many wells there are besides the deepest.
fn wells(surface: &Surface, count: fn(&LandscapeTree) -> usize) -> String {
    let tree = surface
        .landscape
        .merge_tree(LossScale::Log10, &MergeTreeConfig::new());
    // A loss that is not a number has no tree.
    tree.map_or("-".to_string(), |tree| count(&tree).to_string())
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
