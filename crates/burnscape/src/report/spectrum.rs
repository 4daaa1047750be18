use burnscape_krylov::{Axis, DensityCurve, SpectralDensity};
use burnscape_plot::{Content, Figure, Panel, SpectrumFigure};

use super::words::{counted, percent, short, title};

const CAPTION: &str = "How the eigenvalues are distributed, on a logarithmic scale. Those of a Hessian are the \
    curvatures of the loss: along a direction with a positive eigenvalue the loss curves up, with a negative one down.";
const BAND: &str = " The band is two standard errors to either side; where its lower end is near zero, a thin line is \
    its upper end.";
const ONE_AXIS: &str = " All spectra have the same horizontal axis.";

/// Points of the curve.
const POINTS: usize = 301;
/// Eigenvalues closer to zero than this part of the largest count as zero: rounding in single precision.
const ZERO: f64 = 1e-5;
/// A share with bounds that are farther apart is not known.
const RESOLVED: f64 = 0.1;

/// The density of eigenvalues as a figure: a curve over all nodes, the known eigenvalues as sticks, and the share below
/// zero.
///
/// The curve is that of [`SpectralDensity::curve`] at 301 points of a linear axis, with its default bandwidth; the band
/// is two standard errors to either side, and there is none for a single probe. The share below zero is the weight of
/// the nodes there; eigenvalues that are closer to zero than 10⁻⁵ of the largest do not count as negative. There is no
/// share where its [bounds](SpectralDensity::fraction_below) are more than a tenth apart: many eigenvalues are then as
/// near to zero as the nodes are to each other. If no curve can be drawn, the figure has the known eigenvalues only.
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
        caption += BAND;
    }
    if !sticks.is_empty() {
        let count = counted(
            sticks.len(),
            "eigenvalue is known by itself and a stick",
            "eigenvalues are known one by one and are sticks",
        );
        caption += &format!(" {count}.");
    }
    if let Some(bandwidth) = bandwidth {
        caption += &range(density, &places, bandwidth);
    }
    caption += &match (figure.negative_mass, bounds_below_zero(density)) {
        (Some(share), _) => {
            let share = percent(share);
            format!(" By the weights of the quadrature's nodes, {share} of all are below zero.")
        }
        (None, Some([low, high])) => {
            let (low, high) = (percent(low), percent(high));
            format!(
                " Between {low} and {high} of all are below zero: the quadrature does not resolve on \
                 which side those near zero are."
            )
        }
        (None, None) => String::new(),
    };
    let mut cannot_tell = match bandwidth.filter(|_| !places.is_empty()) {
        Some(bandwidth) => {
            let bandwidth = short(bandwidth, 2);
            format!(
                "Where single eigenvalues of the curve are: it is smoothed over {bandwidth}, and two \
                 that are closer make one hill."
            )
        }
        None => "Which directions the eigenvalues belong to.".to_owned(),
    };
    if figure.band.is_some() {
        cannot_tell += " The band covers the error from random probe vectors, not from smoothing.";
    }
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

/// Where the eigenvalues end, and that the curve does not end there.
fn range(density: &SpectralDensity, places: &[f64], bandwidth: f64) -> String {
    let nodes = density.measure().nodes;
    let (Some(&low), Some(&high)) = (nodes.first(), nodes.last()) else {
        return String::new();
    };
    let is_wider = places.iter().any(|place| *place < low || *place > high);
    let [low, high] = [low, high].map(|end| short(end, 2));
    let smoothed = match is_wider {
        true => {
            let bandwidth = short(bandwidth, 2);
            format!("; the curve reaches further only because it is smoothed over {bandwidth}")
        }
        false => String::new(),
    };
    format!(" The smallest eigenvalue found is {low} and the largest {high}{smoothed}.")
}

/// Eigenvalues above this are not negative.
fn zero(density: &SpectralDensity) -> f64 {
    let nodes = density.probes().iter().flat_map(|probe| &probe.nodes);
    -ZERO * nodes.fold(0.0_f64, |largest, node| largest.max(node.abs()))
}

/// Bounds of the share of negative eigenvalues; none if they are no numbers.
fn bounds_below_zero(density: &SpectralDensity) -> Option<[f64; 2]> {
    let found = density.fraction_below(zero(density));
    let bounds = [found.low.value, found.high.value];
    bounds.iter().all(|end| end.is_finite()).then_some(bounds)
}

/// The share of negative eigenvalues; none if it is not known.
fn negative_share(density: &SpectralDensity) -> Option<f64> {
    let [low, high] = bounds_below_zero(density)?;
    let zero = zero(density);
    let share = density.mean_of(|value| if value < zero { 1.0 } else { 0.0 });
    let is_known = share.value.is_finite() && high - low <= RESOLVED;
    is_known.then_some(share.value)
}

/// The panels of several spectra with one horizontal axis.
pub(super) fn on_one_axis(mut panels: Vec<Panel>) -> Vec<Panel> {
    if panels.len() < 2 {
        return panels;
    }
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for panel in &panels {
        let Content::Figure(Figure::Spectrum(figure), _) = &panel.content else {
            continue;
        };
        let curve = figure.eigenvalues.iter().zip(&figure.density);
        let drawn = curve.filter(|(_, y)| y.is_finite() && **y > 0.0);
        let places = drawn.map(|(x, _)| x).chain(&figure.outliers);
        for place in places.filter(|place| place.is_finite()) {
            (low, high) = (low.min(*place), high.max(*place));
        }
    }
    for panel in &mut panels {
        if let Content::Figure(Figure::Spectrum(figure), _) = &mut panel.content {
            extend(figure, low, high);
            panel.caption += ONE_AXIS;
        }
    }
    panels
}

/// Adds the ends of an axis to a curve, where its density is zero.
fn extend(figure: &mut SpectrumFigure, low: f64, high: f64) {
    let ends = (figure.eigenvalues.first(), figure.eigenvalues.last());
    let (Some(&first), Some(&last)) = ends else {
        return;
    };
    let bands = figure.band.iter_mut().flatten();
    let heights: Vec<&mut Vec<f64>> = bands.chain([&mut figure.density]).collect();
    for values in heights {
        if low < first {
            values.insert(0, 0.0);
        }
        if high > last {
            values.push(0.0);
        }
    }
    if low < first {
        figure.eigenvalues.insert(0, low);
    }
    if high > last {
        figure.eigenvalues.push(high);
    }
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
