use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::{Panel, html};
use crate::PlotError;
use crate::write::write_atomically;

/// A page: a headline, panels, and the details behind them, in one HTML file.
///
/// The file needs no network, no other file and no WebGL. It follows the reader's choice of a light or a dark theme, fits
/// a telephone and prints on A4. Text given to it stands in the page as it is, whatever it contains.
///
/// # Cost
///
/// About 150 kB, and 7 bytes for each value of a landscape: with two landscapes of 51 × 51 values, a run with 100
/// checkpoints and all kinds of panels 330 kB. Numbers keep five significant digits of what they span.
///
/// # Example
///
/// ```
/// use burnscape_plot::{Content, Panel, Report};
///
/// let page = Report::new("Digits CNN")
///     .with_line("48 938 parameters")
///     .with_sentence("The loss can double when the weights move by 4 % of their norm.")
///     .with_panel(Panel {
///         title: "How much to trust the picture".into(),
///         caption: "The plane holds little of the training run.".into(),
///         cannot_tell: "How the loss looks in other directions.".into(),
///         content: Content::Trust(vec![("Share of the run in the plane".into(), "62 %".into())]),
///     })
///     .to_html()?;
/// assert!(page.starts_with("<!DOCTYPE html>"));
/// # Ok::<(), burnscape_plot::PlotError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[must_use]
pub struct Report {
    pub(super) title: String,
    pub(super) lines: Vec<String>,
    pub(super) sentences: Vec<String>,
    pub(super) panels: Vec<Panel>,
    pub(super) details: Vec<(String, Value)>,
    pub(super) csv: Vec<(String, String)>,
}

impl Report {
    /// A page without panels.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            ..Self::default()
        }
    }

    /// Adds a fact: the number of parameters, the data, the date, the device, a seed.
    pub fn with_line(mut self, text: impl Into<String>) -> Self {
        self.lines.push(text.into());
        self
    }

    /// Adds a sentence to the headline: what the reader should remember.
    pub fn with_sentence(mut self, text: impl Into<String>) -> Self {
        self.sentences.push(text.into());
        self
    }

    /// Adds a panel below the others.
    pub fn with_panel(mut self, panel: Panel) -> Self {
        self.panels.push(panel);
        self
    }

    /// Adds settings or results, to be read, copied and saved at the end of the page.
    pub fn with_details(mut self, name: impl Into<String>, json: Value) -> Self {
        self.details.push((name.into(), json));
        self
    }

    /// Adds a table to be saved from the page.
    pub fn with_csv(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.csv.push((name.into(), text.into()));
        self
    }

    /// The page.
    ///
    /// # Errors
    ///
    /// [`PlotError::Empty`] without panels and for panels without data, [`NothingFinite`](PlotError::NothingFinite),
    /// [`Lengths`](PlotError::Lengths), [`Coordinates`](PlotError::Coordinates), and those of
    /// [`Figure::to_svg`](crate::Figure::to_svg).
    pub fn to_html(&self) -> Result<String, PlotError> {
        html::page(self)
    }

    /// Writes the page. The file is there as a whole or not at all.
    ///
    /// # Errors
    ///
    /// Those of [`to_html`](Self::to_html), and [`PlotError::File`].
    pub fn write_html(&self, path: impl AsRef<Path>) -> Result<(), PlotError> {
        write_atomically(path.as_ref(), self.to_html()?.as_bytes())
    }
}
