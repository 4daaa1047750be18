use burnscape_krylov::{Axis, DensityCurve, SpectralDensity};
use burnscape_plot::{Content, Figure, Panel, SpectrumFigure};

use super::words::{counted, percent, short, title};

const CAPTION: &str = "How the eigenvalues are distributed, on a logarithmic scale. Those of a Hessian are the \
    curvatures of the loss: in a direction above zero it rises to both sides, in one below zero it falls.";

/// Points of the curve.
const POINTS: usize = 301;
/// Eigenvalues closer to zero than this part of the largest count as zero: rounding in single precision.
const ZERO: f64 = 1e-5;

/// The density of eigenvalues as a figure: a curve over all nodes, the known eigenvalues as sticks, and the share below
/// zero.
///
/// The curve is that of [`SpectralDensity::curve`] at 301 points of a linear axis, with its default bandwidth; the band
/// is two standard errors to either side, and there is none for a single probe. Eigenvalues that are closer to zero
/// than 10⁻⁵ of the largest do not count as negative. If no curve can be drawn, the figure has the known eigenvalues
/// only.
///
/// # Example
///
/// ```
/// use burnscape::krylov::{Dense, DensityConfig, Symmetric};
/// use burnscape::plot::{Drawing, Figure};
/// use burnscape::report::spectrum_figure;
///
/// // Ten eigenvalues of −1, ninety of 2.
/// let values = [[-1.0; 10].as_slice(), &[2.0; 90]].concat();
/// let a = Symmetric::verified(Dense::diagonal(&values), 1e-12, 0)?;
/// let density = DensityConfig::new().with_num_probes(4).with_steps(10).run(&a)?;
/// let figure = spectrum_figure(&density);
/// assert!((figure.negative_mass.unwrap_or(0.0) - 0.1).abs() < 1e-9);
/// assert!(Figure::Spectrum(figure).to_svg(&Drawing::new(600, 400))?.starts_with("<svg"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn spectrum_figure(density: &SpectralDensity) -> SpectrumFigure {
    let curve = density.curve(Axis::Linear, POINTS, None).ok();
    figure(density, curve)
}

/// The panel; none if nothing can be drawn.
pub(super) fn panel(name: &str, density: &SpectralDensity) -> Option<Panel> {
    let curve = density.curve(Axis::Linear, POINTS, None).ok();
    let bandwidth = curve.as_ref().map(|curve| curve.bandwidth);
    let figure = figure(density, curve);
    let points = figure.eigenvalues.iter().zip(&figure.density);
    let heights = points.filter(|(x, y)| x.is_finite() && y.is_finite() && **y > 0.0);
    let places: Vec<f64> = heights.map(|(x, _)| *x).collect();
    let sticks = figure.outliers.iter().copied().filter(|x| x.is_finite());
    let sticks: Vec<f64> = sticks.collect();
    if places.is_empty() && sticks.is_empty() {
        return None;
    }
    let mut caption = CAPTION.to_owned();
    if figure.band.is_some() {
        caption += " The band is two standard errors to either side.";
    }
    if !sticks.is_empty() {
        let count = counted(
            sticks.len(),
            "eigenvalue is known by itself and a stick",
            "eigenvalues are known one by one and are sticks",
        );
        caption += &format!(" {count}.");
    }
    if let Some(share) = figure.negative_mass {
        let share = percent(share);
        caption += &format!(" {share} of all are below zero.");
    }
    let mut cannot_tell = match bandwidth.filter(|_| !places.is_empty()) {
        Some(bandwidth) => {
            let bandwidth = short(bandwidth, 2);
            format!(
                "Where single eigenvalues of the curve are: it is smoothed over {bandwidth}, and two \
                 that are closer make one hill. The band is about random vectors only, not about this."
            )
        }
        None => "Which directions the eigenvalues belong to.".to_owned(),
    };
    if density.is_stopped() {
        cannot_tell += " The measurement was stopped before its end.";
    }
    let alternative = alternative(&places, &sticks, figure.negative_mass);
    Some(Panel {
        title: title("Spectrum", name),
        caption,
        cannot_tell,
        content: Content::Figure(Figure::Spectrum(figure), alternative),
    })
}

fn figure(density: &SpectralDensity, curve: Option<DensityCurve>) -> SpectrumFigure {
    let (eigenvalues, heights, errors) = match curve {
        Some(curve) => (curve.grid, curve.density, curve.standard_error),
        None => (Vec::new(), Vec::new(), None),
    };
    let band = errors.map(|errors| {
        let end = |side: f64| -> Vec<f64> {
            let pairs = heights.iter().zip(&errors);
            pairs
                .map(|(height, error)| (height + side * error).max(0.0))
                .collect()
        };
        [end(-2.0), end(2.0)]
    });
    SpectrumFigure {
        // Without a curve there is no band either.
        band: band.filter(|_| !heights.is_empty()),
        eigenvalues,
        density: heights,
        outliers: density.outliers().to_vec(),
        negative_mass: negative_share(density),
    }
}

/// The share of negative eigenvalues; none if it is not a number.
fn negative_share(density: &SpectralDensity) -> Option<f64> {
    let nodes = density.probes().iter().flat_map(|probe| &probe.nodes);
    let largest = nodes.fold(0.0_f64, |largest, node| largest.max(node.abs()));
    let is_negative = |value: f64| value < -ZERO * largest;
    let share = density.mean_of(|value| if is_negative(value) { 1.0 } else { 0.0 });
    share.value.is_finite().then_some(share.value)
}

/// The figure in words.
fn alternative(places: &[f64], sticks: &[f64], negative: Option<f64>) -> String {
    let all = || places.iter().chain(sticks).copied();
    let low = short(all().fold(f64::NAN, f64::min), 3);
    let high = short(all().fold(f64::NAN, f64::max), 3);
    let mut text = format!("The density of eigenvalues from {low} to {high}.");
    if !sticks.is_empty() {
        let count = counted(sticks.len(), "single eigenvalue", "single eigenvalues");
        text += &format!(" {count}.");
    }
    if let Some(share) = negative {
        text += &format!(" {} below zero.", percent(share));
    }
    text
}
