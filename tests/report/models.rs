//! Results with numbers that are known, and pages as data.

use std::sync::OnceLock;

use burn::tensor::{Tensor, TensorData};
use burnscape::krylov::{Dense, DensityConfig, SpectralDensity, Symmetric};
use burnscape::landscape::{Direction, DirectionKind, Landscape, LandscapeConfig};
use burnscape::path::{CurveProfile, CurveProfileConfig, PolygonalChain};
use burnscape::plot::Report;
use burnscape::prelude::*;
use burnscape::sharpness::{SharpnessMeasure, SharpnessReport, SharpnessReportConfig};
use burnscape::space::{Grid, ParameterPlane, Scale};
use burnscape::trajectory::{Projection, ProjectionConfig, Trajectory};
use burnscape_testkit::objectives::Point;
use serde_json::Value;

use crate::path::models::{nothing, point};
use crate::sharpness::models::{net, regression, squared_error};

/// Of length 5.
pub(crate) const MODEL: [f64; 3] = [0.0, 3.0, 4.0];

/// `1 + |w − MODEL|²`.
fn bowl_loss(point: &Point, _: Tensor<1>) -> Tensor<1> {
    let w = point.w.val();
    let center = TensorData::from(MODEL);
    let center = Tensor::<1>::from_data(center, (&w.device(), w.dtype()));
    (w - center).square().sum() + 1.0
}

/// `1 + (x² − 1)² + y² + 0.3 x`, with `y` measured from 3.
fn double_well_loss(point: &Point, _: Tensor<1>) -> Tensor<1> {
    let w = point.w.val();
    let [x, y] = [0_usize, 1].map(|index| w.clone().slice(index..index + 1));
    (x.clone().square() - 1.0).square() + (y - 3.0).square() + x * 0.3 + 1.0
}

/// A landscape around the model, with an axis along each of its first coordinates.
fn landscape(risk: &Risk<'_, Point>, axes: &[Vec<f64>]) -> Landscape {
    let model = point(&MODEL);
    let space = risk.space(&model).unwrap();
    let directions = (0..axes.len()).map(|axis| {
        let mut unit = vec![0.0; 3];
        unit[axis] = 1.0;
        let unit = ParamVector::from_host(&space, &unit).unwrap();
        Direction::new(DirectionKind::Other("given".to_string()), unit)
    });
    let directions: Vec<Direction> = directions.collect();
    let grids = axes
        .iter()
        .map(|axis| Grid::from_coordinates(axis.clone()).unwrap());
    LandscapeConfig::new(grids)
        .run(risk, &model, &directions)
        .unwrap()
}

/// The bowl on a grid of these axes.
pub(crate) fn bowl_on(axes: &[Vec<f64>]) -> Landscape {
    let data = nothing();
    landscape(&Risk::new(&bowl_loss, &data), axes)
}

/// The bowl at `x` from −2 to 2 and `y` from −1 to 1, by ones.
pub(crate) fn bowl() -> Landscape {
    bowl_on(&[vec![-2.0, -1.0, 0.0, 1.0, 2.0], vec![-1.0, 0.0, 1.0]])
}

/// Two wells, at `x` from −2 to 2 and `y` from −1 to 1, by tenths.
pub(crate) fn double_well() -> Landscape {
    let data = nothing();
    let axis = |end: i32| -> Vec<f64> { (-end..=end).map(|x| f64::from(x) / 10.0).collect() };
    landscape(&Risk::new(&double_well_loss, &data), &[axis(20), axis(10)])
}

/// Three checkpoints, which end at the model.
pub(crate) fn trajectory() -> Trajectory<Point> {
    let models = [[4.0, 3.0, 7.0], [0.0, 4.6, 5.2], MODEL].map(|w| point(&w));
    let models = models.into_iter().enumerate();
    Trajectory::of(models.map(|(index, model)| (10 * index, model))).unwrap()
}

/// The checkpoints on the plane of the bowl: 60 % off it, 60 %, and at its origin.
pub(crate) fn projection() -> Projection {
    let data = nothing();
    let model = point(&MODEL);
    let space = ParamSpace::of(&model).unwrap();
    let [x, y] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
        .map(|axis| ParamVector::from_host(&space, &axis).unwrap());
    let plane = ParameterPlane::spanned(&model, [&x, &y]).unwrap();
    ProjectionConfig::new()
        .run(&Risk::new(&bowl_loss, &data), &trajectory(), &plane)
        .unwrap()
}

/// Between two wells, over a pass of height 1.
pub(crate) fn profile() -> CurveProfile {
    let data = nothing();
    let loss = |point: &Point, _: Tensor<1>| (point.w.val().square() - 1.0).square().sum();
    let line = PolygonalChain::line(&point(&[-1.0]), &point(&[1.0])).unwrap();
    let config = CurveProfileConfig::new().with_num_points(11);
    config.run(&Risk::new(&loss, &data), &line).unwrap()
}

/// Ten eigenvalues of −1, ninety of 2.
pub(crate) fn density() -> SpectralDensity {
    let values = [[-1.0; 10].as_slice(), &[2.0; 90]].concat();
    let a = Symmetric::verified(Dense::diagonal(&values), 1e-12, 0).unwrap();
    let config = DensityConfig::new().with_num_probes(4).with_steps(10);
    config.run(&a).unwrap()
}

/// A report of the trace alone, with this value and this standard error.
pub(crate) fn trace(value: Option<f64>, error: Option<f64>) -> SharpnessReport {
    static MEASURED: OnceLock<SharpnessReport> = OnceLock::new();
    let measured = MEASURED.get_or_init(|| {
        let (model, data) = (net(), regression());
        let config = SharpnessReportConfig::new()
            .with_scales(vec![Scale::Absolute])
            .with_num_samples(1)
            .with_num_steps(1)
            .with_trace_matvecs(2);
        let risk = Risk::new(&squared_error, &data);
        config.run(&risk, &model).unwrap()
    });
    let mut report = measured.clone();
    report
        .rows
        .retain(|row| row.measure == SharpnessMeasure::Trace);
    report.rows[0].value = value;
    report.rows[0].standard_error = error;
    report
}

/// What a page has, as data.
pub(crate) struct Page(Value);

impl Page {
    pub(crate) fn of(report: &Report) -> Self {
        Self(serde_json::to_value(report).unwrap())
    }

    pub(crate) fn sentences(&self) -> Vec<&str> {
        let sentences = self.0["sentences"].as_array().unwrap().iter();
        sentences
            .map(|sentence| sentence.as_str().unwrap())
            .collect()
    }

    pub(crate) fn panels(&self) -> &[Value] {
        self.0["panels"].as_array().unwrap()
    }

    pub(crate) fn titles(&self) -> Vec<&str> {
        let panels = self.panels().iter();
        panels
            .map(|panel| panel["title"].as_str().unwrap())
            .collect()
    }

    /// What the panel of this title shows.
    #[track_caller]
    pub(crate) fn content(&self, title: &str, kind: &str) -> &Value {
        let mut panels = self.panels().iter();
        let panel = panels.find(|panel| panel["title"] == title);
        let content = &panel.unwrap_or_else(|| panic!("{:?}", self.titles()))["content"];
        content.get(kind).unwrap_or_else(|| panic!("{content}"))
    }

    /// The questions and answers of the panel about trust.
    #[track_caller]
    pub(crate) fn answers(&self) -> Vec<(&str, &str)> {
        let rows = self.content("How much to trust the pictures", "trust");
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| (row[0].as_str().unwrap(), row[1].as_str().unwrap()))
            .collect()
    }

    #[track_caller]
    pub(crate) fn answer(&self, question: &str) -> &str {
        let answers = self.answers();
        let found = answers.iter().find(|(asked, _)| *asked == question);
        found.unwrap_or_else(|| panic!("{answers:?}")).1
    }
}
