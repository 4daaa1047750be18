//! The colors of the page: those of the drawings.

use crate::draw::theme::{Color, DARK, LIGHT, Theme, dash};

/// Variables of the style, for both themes. Paper is light.
pub(super) fn variables() -> String {
    let (light, dark) = (theme(&LIGHT), theme(&DARK));
    format!(
        ":root{{{light}{}}}\n@media screen and (prefers-color-scheme:dark){{:root:not(.printing){{{dark}}}}}\n",
        dashes()
    )
}

fn theme(theme: &Theme) -> String {
    let named = [
        ("ground", theme.ground),
        ("ink", theme.ink),
        ("secondary", theme.secondary),
        ("axis", theme.axis),
        ("grid", theme.grid),
        ("gray", theme.gray),
        ("warning", theme.warning),
    ];
    let series = theme.series.iter().enumerate();
    named
        .into_iter()
        .map(|(name, color)| format!("--{name}:{};", hexadecimal(color)))
        .chain(series.map(|(index, &color)| format!("--series-{index}:{};", hexadecimal(color))))
        .collect()
}

/// The dashes of the first 36 curves, which all differ in color or in dash.
fn dashes() -> String {
    let texts = (0..36).map(|index| {
        let lengths: Vec<String> = dash(index).iter().map(f64::to_string).collect();
        lengths.join(" ")
    });
    format!("--dashes:\"{}\";", texts.collect::<Vec<String>>().join("|"))
}

fn hexadecimal([red, green, blue]: Color) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}
