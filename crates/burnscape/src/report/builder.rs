use burnscape_krylov::SpectralDensity;
use burnscape_plot::{Content, Panel, Report};
use burnscape_topology::MergeTree;
use serde_json::Value;

use super::training::Training;
use super::view::View;
use super::words::quoted;
use super::{headline, paths, sharpness, spectrum, surface, topology, trust};
use crate::dynamics::{DynamicsError, Observation, Reading};
use crate::landscape::{Landscape, LandscapeError, LossScale};
use crate::path::CurveProfile;
use crate::sharpness::SharpnessReport;
use crate::trajectory::{Plateau, Projection, SignFlipNull, TrajectoryPca};
use crate::{Csv, FormatError, Json};

/// Puts results into one page for people who do not know the field.
///
/// The page has a headline, of at most three sentences that are made from numbers, and a panel for each kind of result,
/// with a caption and what it cannot tell. A builder that is made from a [`Report`] continues it: your own sentences and
/// panels stand first. Whatever the order of the calls, the order of the panels is this:
///
/// | panel | from |
/// |---|---|
/// | surfaces of the loss, on one scale | [`with_landscape`], [`with_projection`] |
/// | training | [`with_losses`], [`with_readings`], [`with_plateaus`] |
/// | how much to trust the pictures | [`with_landscape`], [`with_projection`], [`with_components`] |
/// | spectrum, one for each, on one axis | [`with_spectrum`] |
/// | sharpness | [`with_sharpness`] |
/// | paths | [`with_path`] |
/// | wells, of each landscape that has two or more | [`with_landscape`] |
/// | networks in one well | [`with_models`] |
/// | tables | [`with_table`] |
/// | details | [`with_details`], [`with_csv`] |
///
/// What is empty has no panel. What has no finite number has none either, and the panel about trust says so.
///
/// [`with_landscape`]: Self::with_landscape
/// [`with_projection`]: Self::with_projection
/// [`with_losses`]: Self::with_losses
/// [`with_readings`]: Self::with_readings
/// [`with_plateaus`]: Self::with_plateaus
/// [`with_components`]: Self::with_components
/// [`with_spectrum`]: Self::with_spectrum
/// [`with_path`]: Self::with_path
/// [`with_models`]: Self::with_models
/// [`with_sharpness`]: Self::with_sharpness
/// [`with_table`]: Self::with_table
/// [`with_details`]: Self::with_details
/// [`with_csv`]: Self::with_csv
///
/// # Cost
///
/// No loss is evaluated. The results are copied.
///
/// # Example
///
/// ```
/// use burn::nn::{Initializer, Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::landscape::{Direction, LandscapeConfig, LossScale};
/// use burnscape::prelude::*;
/// use burnscape::report::ReportBuilder;
/// use burnscape::space::{DirectionNorm, Grid, UnfilteredRule};
///
/// let config = LinearConfig::new(3, 1).with_bias(false);
/// let config = config.with_initializer(Initializer::Constant { value: 0.5 });
/// let model = config.init(&Device::default());
/// let loss = |model: &Linear, x: Tensor<2>| (model.forward(x) - 1.0).square().mean();
/// let data = [Tensor::<2>::eye(3, &Device::default())];
/// let risk = Risk::new(&loss, &data);
///
/// let (space, norm) = (risk.space(&model)?, DirectionNorm::Layer(UnfilteredRule::Zero));
/// let direction = |seed| Direction::random(&space, &model, norm, seed);
/// let directions = [direction(1)?, direction(2)?];
/// let axis = Grid::symmetric(2.0, 11)?;
/// let landscape = LandscapeConfig::new([axis.clone(), axis]).run(&risk, &model, &directions)?;
///
/// let page = ReportBuilder::new("Three weights")
///     .with_fact("3 weights, 3 examples, seeds 1 and 2")
///     .with_landscape("constant", &landscape, LossScale::Log10)?
///     .with_losses("training", &[0.0, 1.0, 2.0], &[1.0, 0.5, 0.25])
///     .with_details("landscape", &landscape)
///     .with_csv("landscape", &landscape)?
///     .build();
/// let path = std::env::temp_dir().join(format!("burnscape-{}.html", std::process::id()));
/// page.write_html(&path)?;
/// let text = std::fs::read_to_string(&path)?;
/// assert!(text.contains("The loss can double when the weights move by"));
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct ReportBuilder {
    /// The title, the facts, and what stands first.
    head: Report,
    views: Vec<View>,
    /// With the names of their landscapes.
    projections: Vec<(String, Projection)>,
    components: Vec<trust::Explained>,
    training: Training,
    spectra: Vec<Panel>,
    paths: Vec<(String, CurveProfile)>,
    models: Vec<Panel>,
    sharpness: Vec<(String, SharpnessReport)>,
    tables: Vec<Panel>,
    details: Vec<(String, Value)>,
    csv: Vec<(String, String)>,
    /// What has no finite number, and why it is not drawn.
    left_out: Vec<String>,
}

impl ReportBuilder {
    /// A page without panels.
    pub fn new(title: impl Into<String>) -> Self {
        Self::from(Report::new(title))
    }

    /// Adds a fact to the headline: the number of parameters, the data, the date, the device, the seeds.
    pub fn with_fact(mut self, fact: impl Into<String>) -> Self {
        self.head = self.head.with_line(fact);
        self
    }

    /// Adds a landscape over two directions, as [`landscape_figure`](super::landscape_figure) draws it. Several are
    /// views of one panel, on one scale of colors and heights. Landscapes with more than one well also have a panel of
    /// these.
    ///
    /// The name tells it apart from others, and is what [`with_projection`](Self::with_projection) finds it by.
    ///
    /// # Errors
    ///
    /// [`LandscapeError::OutOfRange`] unless it has two axes, [`LandscapeError::Stopped`] if it was stopped before its
    /// corners were evaluated.
    pub fn with_landscape(
        mut self,
        name: &str,
        landscape: &Landscape,
        scale: LossScale,
    ) -> Result<Self, LandscapeError> {
        let view = View::new(name, landscape, scale)?;
        if view.has_value() {
            self.views.push(view);
        } else {
            let reason = format!("the landscape {}: its loss is finite nowhere", quoted(name));
            self.left_out.push(reason);
        }
        Ok(self)
    }

    /// Draws a training run on the first landscape of this name, in place of an earlier one. The order of the two calls
    /// does not matter; without such a landscape, the page says that the run is not drawn.
    ///
    /// # Units
    ///
    /// The plane of the projection has the origin and the directions of the landscape, for example those of
    /// [`TrajectoryPca::directions`] and [`TrajectoryPca::plane`].
    pub fn with_projection(mut self, landscape: &str, projection: &Projection) -> Self {
        if !projection.points.is_empty() {
            let own = (landscape.to_owned(), projection.clone());
            self.projections.push(own);
        }
        self
    }

    /// Adds what the components of a training run explain to the panel about trust, beside what a random walk explains,
    /// and what random signs of its steps do.
    pub fn with_components(
        mut self,
        name: &str,
        pca: &TrajectoryPca,
        signs: Option<&SignFlipNull>,
    ) -> Self {
        self.components.extend(trust::components(name, pca, signs));
        self
    }

    /// Adds a training curve: a loss at each step. Curves share a chart; its axis is logarithmic if all losses are
    /// positive and span a factor of more than three.
    ///
    /// Lists of different lengths make a page that is refused when it is written.
    pub fn with_losses(mut self, name: &str, steps: &[f64], losses: &[f64]) -> Self {
        let left_out = self.training.add_losses(name, steps, losses);
        self.left_out.extend(left_out);
        self
    }

    /// Adds a chart of these quantities of a monitor's readings below the losses, for example `sharpness` and `edge`.
    /// Readings with the same quantities share a chart. A reading without a quantity is left out of its curve.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::NoQuantity`] for a name that readings do not have.
    pub fn with_readings<R: Reading>(
        mut self,
        name: &str,
        readings: &[Observation<R>],
        quantities: &[&str],
    ) -> Result<Self, DynamicsError> {
        let left_out = self.training.add_readings(name, readings, quantities)?;
        self.left_out.extend(left_out);
        Ok(self)
    }

    /// Shades plateaus in the chart of losses, or in the first chart without one. `steps` are those of the losses that
    /// the plateaus were found in.
    pub fn with_plateaus(mut self, steps: &[usize], plateaus: &[Plateau]) -> Self {
        let left_out = self.training.add_plateaus(steps, plateaus);
        self.left_out.extend(left_out);
        self
    }

    /// Adds a density of eigenvalues, as [`spectrum_figure`](super::spectrum_figure) draws it. The name is that of the
    /// matrix.
    pub fn with_spectrum(mut self, name: &str, density: &SpectralDensity) -> Self {
        match spectrum::panel(name, density) {
            Some(panel) => self.spectra.push(panel),
            None => {
                let reason = format!("the spectrum of {}: it has no finite part", quoted(name));
                self.left_out.push(reason);
            }
        }
        self
    }

    /// Adds a path between two networks. Paths share a chart, as [`path_figure`](super::path_figure) draws it, with the
    /// barrier of the one added first.
    pub fn with_path(mut self, name: &str, profile: &CurveProfile) -> Self {
        if paths::has_value(profile) {
            self.paths.push((name.to_owned(), profile.clone()));
        } else if !profile.times.is_empty() {
            let reason = format!("the path {}: its loss is finite nowhere", quoted(name));
            self.left_out.push(reason);
        }
        self
    }

    /// Adds the tree of several models, for example of [`model_merge_tree`](crate::path::model_merge_tree). Model `i`
    /// has the name `names[i]`, or its number.
    pub fn with_models(mut self, names: &[&str], tree: &MergeTree) -> Self {
        self.models.extend(topology::models(names, tree));
        self
    }

    /// Adds a table of sharpness. The measures of several networks stand below each other; where one is higher or lower
    /// than the first by more than two standard errors of the difference, the table says so.
    pub fn with_sharpness(mut self, name: &str, report: &SharpnessReport) -> Self {
        if !report.rows.is_empty() {
            self.sharpness.push((name.to_owned(), report.clone()));
        }
        self
    }

    /// Adds a table of your own with its caption and what it cannot tell: accuracies, an alignment. Rows that are not
    /// as long as the header make a page that is refused when it is written.
    pub fn with_table(
        mut self,
        title: &str,
        caption: &str,
        cannot_tell: &str,
        header: &[&str],
        rows: Vec<Vec<String>>,
    ) -> Self {
        if header.is_empty() || rows.is_empty() {
            return self;
        }
        self.tables.push(Panel {
            title: title.to_owned(),
            caption: caption.to_owned(),
            cannot_tell: cannot_tell.to_owned(),
            content: Content::Table {
                header: header.iter().map(|&cell| cell.to_owned()).collect(),
                rows,
            },
        });
        self
    }

    /// Adds settings or a result to the details, to be read and saved as JSON. A result that is no JSON is the reason.
    pub fn with_details(mut self, name: &str, result: &(impl Json + ?Sized)) -> Self {
        let value = serde_json::to_value(result);
        let value = value.unwrap_or_else(|error| Value::String(format!("no JSON: {error}")));
        self.details.push((name.to_owned(), value));
        self
    }

    /// Adds a table to the details, to be saved as CSV.
    ///
    /// # Errors
    ///
    /// [`FormatError::Write`].
    pub fn with_csv(
        mut self,
        name: &str,
        table: &(impl Csv + ?Sized),
    ) -> Result<Self, FormatError> {
        let mut bytes: Vec<u8> = Vec::new();
        table.write_csv(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        self.csv.push((name.to_owned(), text));
        Ok(self)
    }

    /// The page. Without a panel it cannot be written.
    pub fn build(self) -> Report {
        let (mut views, mut left_out) = (self.views, self.left_out);
        for (name, projection) in self.projections {
            match views.iter_mut().find(|view| view.figure.name == name) {
                Some(view) => view.mark(projection),
                None => {
                    let name = quoted(&name);
                    left_out.push(format!(
                        "the training run on {name}: there is no such picture"
                    ));
                }
            }
        }
        left_out.extend(self.training.lost_plateaus());
        let mut report = self.head;
        for sentence in headline::sentences(&views, &self.paths) {
            report = report.with_sentence(sentence);
        }
        let is_only = views.len() == 1;
        let wells = views.iter();
        let wells = wells.filter_map(|view| topology::wells(view, is_only));
        let panels = surface::panel(&views)
            .into_iter()
            .chain(self.training.panel())
            .chain(trust::panel(&views, &self.components, &left_out))
            .chain(spectrum::on_one_axis(self.spectra))
            .chain(sharpness::panel(&self.sharpness))
            .chain(paths::panel(&self.paths))
            .chain(wells)
            .chain(self.models)
            .chain(self.tables);
        for panel in panels {
            report = report.with_panel(panel);
        }
        for (name, json) in self.details {
            report = report.with_details(name, json);
        }
        for (name, text) in self.csv {
            report = report.with_csv(name, text);
        }
        report
    }
}

impl From<Report> for ReportBuilder {
    /// Continues a page: its facts, sentences, panels and details stand before those that are added.
    fn from(head: Report) -> Self {
        Self {
            head,
            ..Self::default()
        }
    }
}
