//! The data of single figures, each a file with a `figure` and its `drawing`.

use std::error::Error;
use std::fs;
use std::path::Path;

use burnscape::landscape::{LandscapeError, LossScale};
use burnscape::plot::{CurveFigure, Drawing, Figure, LandscapeFigure, Series, TrajectoryMark};
use burnscape::report::{landscape_figure, path_figure, spectrum_figure};
use serde_json::json;

use super::barriers_report::lowest;
use super::findings::Findings;
use super::paths_run::{Connected, Network};
use super::surfaces::Surface;

/// Writes `surface.json`, `spectrum.json` and `barrier.json`, as far as the run found what they show.
pub(crate) fn write(directory: &Path, found: &Findings<'_>) -> Result<(), Box<dyn Error>> {
    if let Some(surface) = found.surfaces.first() {
        let drawing = Drawing::new(720, 390)
            .with_title(format!("The training run of {} on the loss", surface.name()))
            .with_alt(
                "Contour lines of the training loss on the plane of two components of a training run, which comes from \
                 the left and ends at the trained network.",
            );
        let figure = Figure::Contour(contour(surface)?);
        write_figure(directory, "surface", &figure, &drawing)?;
    }
    let mut rows = found.summary.rows.iter();
    if let Some((row, density)) = rows.find_map(|row| Some((row, row.density.as_ref()?))) {
        let drawing = Drawing::new(720, 400)
            .with_title(format!("Eigenvalues of the Hessian, {}", row.name()))
            .with_alt(format!(
                "The density of eigenvalues on a logarithmic scale, from {:.3} to {:.2}.",
                row.point.lambda_min, row.point.lambda_max
            ));
        let figure = Figure::Spectrum(spectrum_figure(density));
        write_figure(directory, "spectrum", &figure, &drawing)?;
    }
    let mut pairs = found.paths.pairs.iter();
    if let Some(pair) = pairs.find(|pair| pair.network == Network::Cnn) {
        let drawing = Drawing::new(720, 400)
            .with_title("Between two networks of different seeds")
            .with_alt(format!(
                "The training loss between two networks. It rises to {:.2} on the straight line, and to {:.4} on the \
                 fitted curve.",
                pair.connection.line.train.max, pair.connection.bezier.train.max
            ));
        let figure = Figure::Curve(barrier(pair));
        write_figure(directory, "barrier", &figure, &drawing)?;
    }
    Ok(())
}

/// A surface from above, with the training run on it.
fn contour(surface: &Surface) -> Result<LandscapeFigure, LandscapeError> {
    let landscape = &surface.landscape;
    let mut figure = landscape_figure(&surface.name(), landscape, LossScale::Log10)?;
    // The figure has percent of the length of the weights.
    let percents: Vec<f64> = landscape
        .directions
        .iter()
        .map(|direction| 100.0 * direction.relative_norm)
        .collect();
    if let [x, y] = percents[..] {
        let points = surface.projection.points.iter();
        let marks = points.map(|point| TrajectoryMark {
            step: point.step,
            x: point.x * x,
            y: point.y * y,
            loss: point.loss,
            plane_loss: point.plane_loss,
            off_plane_share: point.off_plane_share,
        });
        figure.trajectory = marks.collect();
    }
    Ok(figure)
}

/// The line between two networks, the same after an alignment, and a fitted curve.
fn barrier(pair: &Connected) -> CurveFigure {
    let connection = &pair.connection;
    let mut figure = path_figure(&[
        ("straight line", &connection.line),
        ("fitted Bézier curve", &connection.bezier),
    ]);
    if let Some(found) = lowest(&pair.alignment, false) {
        let (times, losses) = (found.line.times.clone(), found.line.train.values.clone());
        let series = Series::new("line to the aligned network", times, losses);
        figure.series.insert(1, series);
    }
    figure
}

fn write_figure(
    directory: &Path,
    name: &str,
    figure: &Figure,
    drawing: &Drawing,
) -> Result<(), Box<dyn Error>> {
    let path = directory.join(format!("{name}.json"));
    let text = serde_json::to_string(&json!({ "figure": figure, "drawing": drawing }))?;
    fs::write(&path, text + "\n")
        .map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}
