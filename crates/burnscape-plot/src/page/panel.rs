use serde::Serialize;

use crate::{Bar, CurveFigure, Figure, LandscapeFigure, TreeBranch};

/// A part of a page: a heading, a caption, what to see, and what it does not show.
///
/// # Example
///
/// ```
/// use burnscape_plot::{Content, Panel, Report};
///
/// let panel = Panel {
///     title: "How much to trust the picture".into(),
///     caption: "The plane holds little of the training run.".into(),
///     cannot_tell: "How the loss looks in other directions.".into(),
///     content: Content::Trust(vec![("Share of the run in the plane".into(), "62 %".into())]),
/// };
/// assert!(Report::new("Digits CNN").with_panel(panel).to_html()?.contains("62 %"));
/// # Ok::<(), burnscape_plot::PlotError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Panel {
    /// The heading. One that is longer than its line is cut, and shown whole under the pointer.
    pub title: String,
    /// What one sees, in plain words.
    pub caption: String,
    /// What one might read into it and must not, below the words "What this cannot tell you". Left out if empty.
    pub cannot_tell: String,
    /// What to see.
    pub content: Content,
}

/// What a panel shows.
///
/// # Example
///
/// ```
/// use burnscape_plot::{Content, Panel, Report};
///
/// let row = |cells: [&str; 2]| cells.map(String::from).to_vec();
/// let content = Content::Table {
///     header: row(["Networks", "Barrier"]),
///     rows: vec![row(["as they are", "1.87"]), row(["aligned", "0.24"])],
/// };
/// let panel = Panel {
///     title: "Alignment".into(),
///     caption: "With units in the same order the barrier is lower.".into(),
///     cannot_tell: String::new(),
///     content,
/// };
/// assert!(Report::new("Digits CNN").with_panel(panel).to_html().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[expect(
    clippy::large_enum_variant,
    reason = "a page has a few panels, and a box would stand in the way of those who build them"
)]
pub enum Content {
    /// A surface to turn, with water to pour into it, beside a map of the same. Several landscapes share the scale of
    /// colors and heights, and buttons choose between them.
    ///
    /// Values of `branches` are in the units of the values or their decimal logarithms; the page finds out which.
    Landscapes(Vec<LandscapeFigure>),
    /// Charts below each other, for quantities with different units along one horizontal axis. A pointer on one is on all,
    /// and on the training runs of the landscapes if the axis counts their steps.
    ///
    /// Points are joined in the order of their horizontal coordinates.
    Curves(Vec<CurveFigure>),
    /// Questions and answers.
    Trust(Vec<(String, String)>),
    /// A drawing with a text for those who do not see it. It is drawn for wide and for narrow windows, so surfaces and heat
    /// maps of many cells make large pages; [`Landscapes`](Self::Landscapes) does not.
    Figure(Figure, String),
    /// A persistence diagram beside its merge tree. If a landscape of the page has the same branches, a branch lights its
    /// basin there.
    Topology(Vec<TreeBranch>),
    /// A table of values with errors, with a scale for each group.
    Bars(Vec<Bar>),
    /// A table. Columns of numbers stand to the right.
    Table {
        /// The names of the columns.
        header: Vec<String>,
        /// The rows, each with as many cells as the header.
        rows: Vec<Vec<String>>,
    },
}
