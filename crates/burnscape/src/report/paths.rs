use burnscape_plot::{BarrierBracket, Content, CurveFigure, Figure, Panel, PlotAxis, Series};

use super::words::{counted, quoted, short};
use crate::path::CurveProfile;

const CAPTION: &str =
    "The loss on the training data along each path, from one network to the other.";

/// An alternative text names no more paths than these.
const MOST_NAMES: usize = 8;

/// The training loss along paths, with the barrier of the first one.
///
/// A profile with [controls](crate::path::CurveProfileConfig::with_controls) also brings the straight line between its
/// ends and the line in a random direction. The bracket stands where the first path is highest above the straight
/// line between the losses of its ends, [`above_line`](crate::path::Barriers::above_line); there is none without a
/// barrier, and for a profile that was stopped.
///
/// # Example
///
/// ```
/// use burn::nn::{Initializer, Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::path::{CurveProfileConfig, PolygonalChain};
/// use burnscape::report::path_figure;
///
/// // Two models of one weight, in wells at −1 and 1 with a pass of height 1 between them.
/// let device = Device::default();
/// let [a, b] = [-1.0, 1.0].map(|value| {
///     let config = LinearConfig::new(1, 1).with_bias(false);
///     config.with_initializer(Initializer::Constant { value }).init(&device)
/// });
/// let loss = |m: &Linear, x: Tensor<2>| (m.forward(x).square() - 1.0).square().mean();
/// let data = [Tensor::<2>::ones([1, 1], &device)];
/// let line = PolygonalChain::line(&a, &b)?;
/// let profile = CurveProfileConfig::new().run(&Risk::new(&loss, &data), &line)?;
/// let figure = path_figure(&[("straight line", &profile)]);
/// let bracket = figure.bracket.ok_or("no barrier")?;
/// assert_eq!((bracket.at, bracket.high, bracket.label.as_str()), (0.5, 1.0, "barrier 1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn path_figure(paths: &[(&str, &CurveProfile)]) -> CurveFigure {
    let series = paths
        .iter()
        .flat_map(|(name, profile)| along(name, profile));
    CurveFigure {
        x: PlotAxis::new("from one network (0) to the other (1)"),
        y: PlotAxis::new("training loss"),
        series: series.collect(),
        regions: Vec::new(),
        bracket: paths.first().and_then(|(_, profile)| bracket(profile)),
    }
}

/// Whether there is anything to draw.
pub(super) fn has_value(profile: &CurveProfile) -> bool {
    let mut places = profile.times.iter().zip(&profile.train.values);
    places.any(|(t, loss)| (t + loss).is_finite())
}

/// The panel; none without paths.
pub(super) fn panel(paths: &[(String, CurveProfile)]) -> Option<Panel> {
    let named = paths.iter();
    let named: Vec<(&str, &CurveProfile)> = named.map(|(name, it)| (name.as_str(), it)).collect();
    let (first, profile) = named.first()?;
    let figure = path_figure(&named);
    let mut caption = CAPTION.to_owned();
    if figure.bracket.is_some() {
        let first = quoted(first);
        caption += &format!(
            " The bracket is the barrier of {first}: how far the loss rises above the straight line \
             between the losses of its ends."
        );
    }
    let places = counted(profile.times.len(), "place", "places");
    Some(Panel {
        title: "Paths between networks".to_owned(),
        caption,
        cannot_tell: format!(
            "Whether a lower path exists: every barrier is an upper bound of the lowest one. And how the \
             loss is between the {places} that were measured on the first path."
        ),
        content: Content::Figure(Figure::Curve(figure), alternative(&named)),
    })
}

/// A path and its controls.
fn along(name: &str, profile: &CurveProfile) -> Vec<Series> {
    let line = profile.line.as_deref();
    let random = profile.random.as_deref();
    let all = [
        Some((name.to_owned(), profile)),
        line.map(|line| (format!("{name}: straight line"), line)),
        random.map(|random| (format!("{name}: random direction"), random)),
    ];
    let all = all.into_iter().flatten();
    let series = all.map(|(name, it)| Series::new(name, it.times.clone(), it.train.values.clone()));
    series.collect()
}

fn bracket(profile: &CurveProfile) -> Option<BarrierBracket> {
    let height = profile.barriers()?.above_line;
    if !(height > 0.0 && height.is_finite()) {
        return None;
    }
    let losses = &profile.train.values;
    let (first, last) = (*losses.first()?, *losses.last()?);
    let line = |t: f64| first + t * (last - first);
    let places = profile.times.iter().copied().zip(losses.iter().copied());
    let places = places.map(|(t, loss)| (t, loss, loss - line(t)));
    let finite = places.filter(|(_, _, excess)| excess.is_finite());
    let (at, high, _) = finite.reduce(|highest, place| match place.2 > highest.2 {
        true => place,
        false => highest,
    })?;
    Some(BarrierBracket {
        at,
        low: line(at),
        high,
        label: format!("barrier {}", short(height, 3)),
    })
}

/// The paths in words.
fn alternative(paths: &[(&str, &CurveProfile)]) -> String {
    let sentence = |(name, profile): &(&str, &CurveProfile)| {
        let (name, path) = (quoted(name), &profile.train);
        let (most, at) = (short(path.max, 3), short(path.argmax, 2));
        format!("{name} rises to {most} at {at}.")
    };
    let sentences: Vec<String> = paths.iter().take(MOST_NAMES).map(sentence).collect();
    let count = counted(paths.len(), "path", "paths");
    format!("The loss along {count}. {}", sentences.join(" "))
}
