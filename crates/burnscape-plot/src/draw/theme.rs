//! Colors and dashes.

/// Red, green and blue of sRGB.
pub(crate) type Color = [u8; 3];

/// The colors of a picture.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Theme {
    /// Behind everything.
    pub(crate) ground: Color,
    /// Titles and labels.
    pub(crate) ink: Color,
    /// Numbers at ticks, and notes.
    pub(crate) secondary: Color,
    /// Lines of axes, diagonals, and outlines.
    pub(crate) axis: Color,
    /// Lines of the grid, and the ground of shaded regions.
    pub(crate) grid: Color,
    /// Cells without a place on the scale.
    pub(crate) gray: Color,
    /// What is below zero and should not be.
    pub(crate) warning: Color,
    /// Curves.
    pub(crate) series: [Color; 6],
}

/// Dark on white.
pub(crate) const LIGHT: Theme = Theme {
    ground: [255, 255, 255],
    ink: [26, 28, 32],
    secondary: [84, 90, 98],
    axis: [112, 118, 126],
    grid: [229, 231, 235],
    gray: [176, 180, 186],
    warning: [190, 30, 45],
    series: [
        [19, 128, 227],
        [217, 105, 10],
        [122, 34, 150],
        [63, 98, 90],
        [122, 42, 10],
        [26, 11, 30],
    ],
};

/// Light on nearly black.
pub(crate) const DARK: Theme = Theme {
    ground: [21, 24, 29],
    ink: [236, 238, 241],
    secondary: [176, 182, 190],
    axis: [138, 144, 152],
    grid: [45, 50, 58],
    gray: [104, 110, 118],
    warning: [255, 112, 98],
    series: [
        [58, 156, 240],
        [255, 168, 38],
        [107, 239, 180],
        [168, 119, 166],
        [212, 85, 58],
        [220, 216, 255],
    ],
};

/// Lengths of dashes and gaps of the curves, as many as there are colors. The first is solid.
const DASHES: [&[f64]; 6] = [
    &[],
    &[7.0, 3.0],
    &[1.8, 2.6],
    &[9.0, 3.0, 1.8, 3.0],
    &[4.0, 2.0],
    &[12.0, 3.0, 4.0, 3.0],
];

impl Theme {
    pub(crate) fn of(is_dark: bool) -> &'static Self {
        if is_dark { &DARK } else { &LIGHT }
    }

    /// The color of a curve. They repeat, and then the dash is another one.
    pub(crate) fn series(&self, index: usize) -> Color {
        self.series[index % self.series.len()]
    }
}

/// The dash of a curve. No two of the first 36 curves have the same color and dash.
pub(crate) fn dash(index: usize) -> &'static [f64] {
    DASHES[(index + index / DASHES.len()) % DASHES.len()]
}

/// The color of a value, from the lowest, 0, to the highest, 1.
pub(crate) fn value_color(place: f64) -> Color {
    let color = colorous::VIRIDIS.eval_continuous(place.clamp(0.0, 1.0));
    [color.r, color.g, color.b]
}

/// The share `share` of one color in another.
pub(crate) fn mixed(color: Color, other: Color, share: f64) -> Color {
    std::array::from_fn(|i| {
        let mixed = share * f64::from(color[i]) + (1.0 - share) * f64::from(other[i]);
        mixed.round().clamp(0.0, 255.0) as u8
    })
}

#[cfg(test)]
#[path = "theme_tests.rs"]
mod tests;
