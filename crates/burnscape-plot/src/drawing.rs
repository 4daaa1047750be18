use serde::{Deserialize, Serialize};

/// How a figure is drawn.
///
/// A PNG has two pixels for each unit of width and height, so that text is sharp: `Drawing::new(600, 400)` makes one of
/// 1200 × 800 pixels that reads well at 600.
///
/// # Defaults
///
/// No title, light, and the kind of figure as the alternative text.
///
/// # Example
///
/// ```
/// use burnscape_plot::{Bar, Drawing, Figure};
///
/// let drawing = Drawing::new(600, 200)
///     .with_title("A digits CNN, SGD")
///     .with_alt("The largest eigenvalue is 81.4.")
///     .with_dark(true);
/// let bar = Bar { label: "largest eigenvalue".into(), value: 81.4, ..Bar::default() };
/// let svg = Figure::Bars(vec![bar]).to_svg(&drawing)?;
/// assert!(svg.contains("aria-label=\"The largest eigenvalue is 81.4.\""));
/// # Ok::<(), burnscape_plot::PlotError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[must_use]
pub struct Drawing {
    pub(crate) title: String,
    pub(crate) alt: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) is_dark: bool,
}

impl Drawing {
    /// The size in units of 1/96 inch, the pixels of CSS. From 200 to 4000 each.
    pub fn new(width: u32, height: u32) -> Self {
        Self {
            title: String::new(),
            alt: String::new(),
            width,
            height,
            is_dark: false,
        }
    }

    /// A title. It is cut where it does not fit.
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// What the picture shows, for those who do not see it: `aria-label` of the SVG.
    pub fn with_alt(mut self, text: impl Into<String>) -> Self {
        self.alt = text.into();
        self
    }

    /// Light colors on a dark ground, or the other way round.
    pub fn with_dark(mut self, is_dark: bool) -> Self {
        self.is_dark = is_dark;
        self
    }
}
