//! The panel of curves over the steps of a training run.

use burnscape_plot::{Content, CurveFigure, Panel, PlotAxis, Series, ShadedRegion};

use super::words::{counted, listed, quoted};
use crate::dynamics::{DynamicsError, Observation, Quantity, Reading};
use crate::trajectory::Plateau;

/// Positive losses over more than this ratio have a logarithmic axis, and other quantities over more than the second.
const LOSS_RATIO: f64 = 3.0;
const OTHER_RATIO: f64 = 1e2;

const CANNOT_TELL: &str = "Whether another run would look the same: this is one draw of its seeds. And why the loss \
    stops falling: a plateau may be a saddle, or only a slow valley.";

/// Losses, readings and plateaus.
#[derive(Debug, Clone, Default)]
pub(super) struct Training {
    losses: Vec<Series>,
    charts: Vec<Chart>,
    regions: Vec<ShadedRegion>,
}

/// Readings of the same quantities share a chart.
#[derive(Debug, Clone)]
struct Chart {
    quantities: Vec<Named>,
    series: Vec<Series>,
}

/// The name and the description of a quantity.
type Named = (&'static str, &'static str);

/// What cannot be drawn.
type LeftOut = Vec<String>;

impl Training {
    pub(super) fn add_losses(&mut self, name: &str, steps: &[f64], losses: &[f64]) -> LeftOut {
        let series = Series::new(name, steps.to_vec(), losses.to_vec());
        if is_drawn(&series) {
            self.losses.push(series);
        } else if !losses.is_empty() {
            return vec![format!("the losses {}: none is finite", quoted(name))];
        }
        Vec::new()
    }

    pub(super) fn add_readings<R: Reading>(
        &mut self,
        name: &str,
        readings: &[Observation<R>],
        quantities: &[&str],
    ) -> Result<LeftOut, DynamicsError> {
        let chosen = chosen::<R>(quantities)?;
        let mut left_out = LeftOut::new();
        let mut drawn = Vec::new();
        for quantity in &chosen {
            let points = readings.iter().filter_map(|observation| {
                let value = (quantity.value)(&observation.reading)?;
                Some((observation.step as f64, value))
            });
            let (steps, values) = points.unzip();
            let own = in_words(quantity.name);
            let label = match (name, &chosen[..]) {
                ("", _) => own,
                (name, [_]) => name.to_owned(),
                (name, _) => format!("{name}: {own}"),
            };
            let series = Series::new(label, steps, values);
            if is_drawn(&series) {
                drawn.push(series);
            } else if !readings.is_empty() {
                let problem = match series.y.is_empty() {
                    true => "has no value in any reading",
                    false => "has no finite value",
                };
                left_out.push(format!("{} {problem}", quoted(&series.name)));
            }
        }
        if drawn.is_empty() {
            return Ok(left_out);
        }
        let quantities = chosen.iter();
        let quantities = quantities.map(|quantity| (quantity.name, quantity.description));
        let quantities: Vec<Named> = quantities.collect();
        let mut known = self.charts.iter_mut();
        match known.find(|chart| chart.quantities == quantities) {
            Some(chart) => chart.series.extend(drawn),
            None => self.charts.push(Chart {
                quantities,
                series: drawn,
            }),
        }
        Ok(left_out)
    }

    pub(super) fn add_plateaus(&mut self, steps: &[usize], plateaus: &[Plateau]) -> LeftOut {
        let mut lost = 0;
        for plateau in plateaus {
            let (Some(from), Some(to)) = (steps.get(plateau.start), steps.get(plateau.end)) else {
                lost += 1;
                continue;
            };
            let label = match plateau.saddle_like {
                Some(true) => "plateau, like a saddle",
                _ => "plateau",
            };
            self.regions.push(ShadedRegion {
                from: *from as f64,
                to: *to as f64,
                label: label.to_owned(),
            });
        }
        if lost == 0 {
            return Vec::new();
        }
        let count = counted(lost, "plateau", "plateaus");
        vec![format!("{count} beyond the steps that were given")]
    }

    /// Plateaus without a curve that they belong to.
    pub(super) fn lost_plateaus(&self) -> Option<String> {
        let has_curve = !self.losses.is_empty() || !self.charts.is_empty();
        (!has_curve && !self.regions.is_empty())
            .then(|| "the plateaus: there is no training curve".to_owned())
    }

    /// The panel; none without curves.
    pub(super) fn panel(&self) -> Option<Panel> {
        let losses = (!self.losses.is_empty()).then(|| CurveFigure {
            x: PlotAxis::new("step"),
            y: axis("loss".to_owned(), &self.losses, LOSS_RATIO),
            series: self.losses.clone(),
            ..CurveFigure::default()
        });
        let others = self.charts.iter().map(|chart| {
            let names = chart.quantities.iter().map(|(name, _)| in_words(name));
            let names: Vec<String> = names.collect();
            CurveFigure {
                x: PlotAxis::new("step"),
                y: axis(names.join(", "), &chart.series, OTHER_RATIO),
                series: chart.series.clone(),
                ..CurveFigure::default()
            }
        });
        let mut charts: Vec<CurveFigure> = losses.into_iter().chain(others).collect();
        charts.first_mut()?.regions = self.regions.clone();
        Some(Panel {
            title: "Training".to_owned(),
            caption: self.caption(),
            cannot_tell: CANNOT_TELL.to_owned(),
            content: Content::Curves(charts),
        })
    }

    fn caption(&self) -> String {
        let mut sentences = Vec::new();
        if !self.losses.is_empty() {
            sentences.push("The loss over the steps of the training.".to_owned());
        }
        if !self.regions.is_empty() {
            sentences.push("Where it is shaded, the loss hardly falls.".to_owned());
        }
        let mut described: Vec<String> = Vec::new();
        for (name, description) in self.charts.iter().flat_map(|chart| &chart.quantities) {
            let text = format!("{} ({description})", in_words(name));
            if !described.contains(&text) {
                described.push(text);
            }
        }
        if !described.is_empty() {
            let list = listed(&described);
            sentences.push(format!("Measured during the training: {list}."));
        }
        sentences.join(" ")
    }
}

/// The quantities of these names.
fn chosen<R: Reading>(names: &[&str]) -> Result<Vec<Quantity<R>>, DynamicsError> {
    let known = R::quantities();
    let find = |name: &&str| {
        let found = known.iter().find(|quantity| quantity.name == *name);
        found.copied().ok_or_else(|| {
            let known: Vec<&str> = known.iter().map(|quantity| quantity.name).collect();
            DynamicsError::NoQuantity {
                name: (*name).to_owned(),
                known: known.join(", "),
            }
        })
    };
    names.iter().map(find).collect()
}

/// Whether a curve has a point. One with too few or too many values stays, so that the page refuses it.
fn is_drawn(series: &Series) -> bool {
    let mut points = series.x.iter().zip(&series.y);
    series.x.len() != series.y.len() || points.any(|(x, y)| (x + y).is_finite())
}

/// Logarithmic if all values are positive and far apart.
fn axis(label: String, series: &[Series], least_ratio: f64) -> PlotAxis {
    let values = series.iter().flat_map(|series| &series.y).copied();
    let finite = values.filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let axis = PlotAxis::new(label);
    if low > 0.0 && high / low > least_ratio {
        axis.log()
    } else {
        axis
    }
}

/// A name in `snake_case` as words.
fn in_words(name: &str) -> String {
    name.replace('_', " ")
}
