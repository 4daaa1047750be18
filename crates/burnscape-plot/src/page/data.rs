//! The numbers of a page as JSON, for its scripts.

use serde::Serialize;

use super::numbers::{self, Number};
use super::{Content, Report};
use crate::{
    AxisScale, BarrierBracket, CurveFigure, LandscapeFigure, PlotAxis, PlotError, Series,
    ShadedRegion, TrajectoryMark, TreeBranch,
};

/// The content of a `<script type="application/json">`.
pub(super) fn island(report: &Report) -> Result<String, PlotError> {
    let panels = report
        .panels
        .iter()
        .map(|panel| PanelData::of(&panel.content))
        .collect();
    let page = Page {
        palette: palette(),
        panels,
        csv: &report.csv,
    };
    let json = serde_json::to_string(&page).map_err(|error| PlotError::Draw {
        message: format!("the data of the page are no JSON: {error}; please report this"),
    })?;
    // Inside of a script element only `<` has a meaning.
    Ok(json.replace('<', "\\u003c"))
}

/// 256 colors of viridis, six hexadecimal digits each.
fn palette() -> String {
    let color = |index: u32| colorous::VIRIDIS.eval_rational(index as usize, 256);
    (0..256)
        .map(|index| format!("{:x}", color(index)))
        .collect()
}

#[derive(Serialize)]
struct Page<'a> {
    palette: String,
    panels: Vec<PanelData<'a>>,
    csv: &'a [(String, String)],
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum PanelData<'a> {
    Landscapes {
        views: Vec<View<'a>>,
    },
    Curves {
        charts: Vec<Chart<'a>>,
    },
    Topology {
        branches: Vec<Branch<'a>>,
    },
    /// Nothing moves.
    Static,
}

impl<'a> PanelData<'a> {
    fn of(content: &'a Content) -> Self {
        match content {
            Content::Landscapes(views) => Self::Landscapes {
                views: views.iter().map(View::of).collect(),
            },
            Content::Curves(charts) => Self::Curves {
                charts: charts.iter().map(Chart::of).collect(),
            },
            Content::Topology(branches) => Self::Topology {
                branches: Branch::list(branches),
            },
            _ => Self::Static,
        }
    }
}

#[derive(Serialize)]
struct View<'a> {
    name: &'a str,
    labels: &'a [String; 3],
    log: bool,
    x: Vec<Number>,
    y: Vec<Number>,
    /// The values, then the metrics.
    fields: Vec<Field<'a>>,
    trajectory: Trajectory,
    branches: Vec<Branch<'a>>,
    basins: &'a [u32],
}

impl<'a> View<'a> {
    fn of(figure: &'a LandscapeFigure) -> Self {
        let metrics = figure
            .metrics
            .iter()
            .map(|(name, values)| Field::of(name, values));
        let values = Field::of(&figure.labels[2], &figure.values);
        Self {
            name: &figure.name,
            labels: &figure.labels,
            log: figure.scale == AxisScale::Log,
            x: numbers::coordinates(&figure.x),
            y: numbers::coordinates(&figure.y),
            fields: std::iter::once(values).chain(metrics).collect(),
            trajectory: Trajectory::of(&figure.trajectory),
            branches: Branch::list(&figure.branches),
            basins: &figure.basins,
        }
    }
}

#[derive(Serialize)]
struct Field<'a> {
    name: &'a str,
    /// Null where there is no finite number.
    values: Vec<Number>,
    /// Cells that are not a number.
    nan: Vec<usize>,
    /// Cells that are infinite.
    inf: Vec<usize>,
}

impl<'a> Field<'a> {
    fn of(name: &'a str, values: &[f64]) -> Self {
        Self {
            name,
            values: numbers::field(values),
            nan: cells(values, f64::is_nan),
            inf: cells(values, f64::is_infinite),
        }
    }
}

fn cells(values: &[f64], is_meant: fn(f64) -> bool) -> Vec<usize> {
    let indexed = values.iter().enumerate();
    indexed
        .filter(|&(_, &value)| is_meant(value))
        .map(|(index, _)| index)
        .collect()
}

/// A list for each quantity is shorter than an object for each mark.
#[derive(Serialize)]
struct Trajectory {
    step: Vec<usize>,
    x: Vec<Number>,
    y: Vec<Number>,
    loss: Vec<Number>,
    plane: Vec<Number>,
    off: Vec<Number>,
}

impl Trajectory {
    fn of(marks: &[TrajectoryMark]) -> Self {
        let list = |pick: fn(&TrajectoryMark) -> f64| {
            marks.iter().map(|mark| numbers::one(pick(mark))).collect()
        };
        Self {
            step: marks.iter().map(|mark| mark.step).collect(),
            x: list(|mark| mark.x),
            y: list(|mark| mark.y),
            loss: list(|mark| mark.loss),
            plane: list(|mark| mark.plane_loss),
            off: list(|mark| mark.off_plane_share),
        }
    }
}

#[derive(Serialize)]
struct Branch<'a> {
    birth: Number,
    /// Null if it never dies.
    death: Option<Number>,
    parent: Option<usize>,
    volume: usize,
    resolved: Option<bool>,
    at: Vec<Number>,
    label: &'a str,
}

impl<'a> Branch<'a> {
    fn list(branches: &'a [TreeBranch]) -> Vec<Self> {
        branches.iter().map(Self::of).collect()
    }

    fn of(branch: &'a TreeBranch) -> Self {
        Self {
            birth: numbers::one(branch.birth),
            death: branch.death.map(numbers::one),
            parent: branch.parent,
            volume: branch.volume,
            resolved: branch.is_resolved,
            at: branch.at.iter().map(|&it| numbers::one(it)).collect(),
            label: &branch.label,
        }
    }
}

#[derive(Serialize)]
struct Chart<'a> {
    x: AxisData<'a>,
    y: AxisData<'a>,
    series: Vec<Curve<'a>>,
    regions: Vec<RegionData<'a>>,
    bracket: Option<BracketData<'a>>,
}

impl<'a> Chart<'a> {
    fn of(figure: &'a CurveFigure) -> Self {
        Self {
            x: AxisData::of(&figure.x),
            y: AxisData::of(&figure.y),
            series: figure.series.iter().map(Curve::of).collect(),
            regions: figure.regions.iter().map(RegionData::of).collect(),
            bracket: figure.bracket.as_ref().map(BracketData::of),
        }
    }
}

#[derive(Serialize)]
struct AxisData<'a> {
    label: &'a str,
    log: bool,
}

impl<'a> AxisData<'a> {
    fn of(axis: &'a PlotAxis) -> Self {
        Self {
            label: &axis.label,
            log: axis.scale == AxisScale::Log,
        }
    }
}

#[derive(Serialize)]
struct Curve<'a> {
    name: &'a str,
    x: Vec<Number>,
    y: Vec<Number>,
    /// Points at +∞ and at −∞, which `y` has as null.
    above: Vec<usize>,
    below: Vec<usize>,
    band: Option<[Vec<Number>; 2]>,
}

impl<'a> Curve<'a> {
    fn of(series: &'a Series) -> Self {
        let ends = |[low, high]: &[Vec<f64>; 2]| [numbers::field(low), numbers::field(high)];
        Self {
            name: &series.name,
            x: numbers::coordinates(&series.x),
            y: numbers::field(&series.y),
            above: cells(&series.y, |value| value == f64::INFINITY),
            below: cells(&series.y, |value| value == f64::NEG_INFINITY),
            band: series.band.as_ref().map(ends),
        }
    }
}

#[derive(Serialize)]
struct RegionData<'a> {
    from: Number,
    to: Number,
    label: &'a str,
}

impl<'a> RegionData<'a> {
    fn of(region: &'a ShadedRegion) -> Self {
        let [from, to] = [region.from, region.to].map(numbers::one);
        Self {
            from,
            to,
            label: &region.label,
        }
    }
}

#[derive(Serialize)]
struct BracketData<'a> {
    at: Number,
    low: Number,
    high: Number,
    label: &'a str,
}

impl<'a> BracketData<'a> {
    fn of(bracket: &'a BarrierBracket) -> Self {
        let [at, low, high] = [bracket.at, bracket.low, bracket.high].map(numbers::one);
        Self {
            at,
            low,
            high,
            label: &bracket.label,
        }
    }
}
