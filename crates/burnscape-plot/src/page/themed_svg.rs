//! One drawing for both themes: colors become variables of the page's style.

use std::fmt::Write;

/// The pairs of colors that drawings of a page use, light and dark.
#[derive(Debug, Default)]
pub(super) struct ThemedColors(Vec<(String, String)>);

impl ThemedColors {
    /// The drawing with variables for its colors, as an element of a page. If the drawings differ in more than colors, both,
    /// of which the style shows one.
    pub(super) fn merge(&mut self, light: &str, dark: &str) -> String {
        let (light, dark) = (as_element(light), as_element(dark));
        self.merged(&light, &dark).unwrap_or_else(|| {
            format!("<div class=\"only-light\">{light}</div><div class=\"only-dark\">{dark}</div>")
        })
    }

    fn merged(&mut self, light: &str, dark: &str) -> Option<String> {
        let (lights, darks) = (split(light), split(dark));
        if lights.len() != darks.len() {
            return None;
        }
        let is_same = lights
            .iter()
            .zip(&darks)
            .all(|(light, dark)| light.1 == dark.1);
        if !is_same {
            return None;
        }
        let mut merged = String::with_capacity(light.len());
        for ((light, rest), (dark, _)) in lights.into_iter().zip(darks) {
            match (light, dark) {
                (Some(light), Some(dark)) if light != dark => {
                    let number = self.number(light, dark);
                    let _ = write!(merged, "var(--c{number})");
                }
                (Some(light), Some(_)) => merged.push_str(light),
                (None, None) => {}
                _ => return None,
            }
            merged.push_str(rest);
        }
        Some(merged)
    }

    fn number(&mut self, light: &str, dark: &str) -> usize {
        let known = self
            .0
            .iter()
            .position(|pair| pair.0 == light && pair.1 == dark);
        known.unwrap_or_else(|| {
            self.0.push((light.to_owned(), dark.to_owned()));
            self.0.len() - 1
        })
    }

    /// The variables.
    pub(super) fn style(&self) -> String {
        let variables = |pick: fn(&(String, String)) -> &str| -> String {
            let pairs = self.0.iter().enumerate();
            pairs
                .map(|(number, pair)| format!("--c{number}:{};", pick(pair)))
                .collect()
        };
        let (light, dark) = (variables(|pair| &pair.0), variables(|pair| &pair.1));
        format!(
            ":root{{{light}}}\n@media screen and (prefers-color-scheme:dark){{:root:not(.printing){{{dark}}}}}\n"
        )
    }
}

/// An SVG document without what only a document needs.
fn as_element(svg: &str) -> String {
    svg.replacen(" xmlns=\"http://www.w3.org/2000/svg\"", "", 1)
}

/// Cuts a drawing at the values of its colors: `="#rrggbb"` of an attribute, never in a text.
fn split(svg: &str) -> Vec<(Option<&str>, &str)> {
    let mut parts = Vec::new();
    let (mut color, mut rest) = (None, svg);
    while let Some(start) = next_color(rest) {
        parts.push((color, &rest[..start]));
        color = Some(&rest[start..start + 7]);
        rest = &rest[start + 7..];
    }
    parts.push((color, rest));
    parts
}

fn next_color(text: &str) -> Option<usize> {
    let is_color = |start: usize| {
        let digits = text.as_bytes().get(start + 1..start + 8);
        digits.is_some_and(|it| it[..6].iter().all(u8::is_ascii_hexdigit) && it[6] == b'"')
    };
    let starts = text.match_indices("=\"#").map(|(index, _)| index + 2);
    starts.into_iter().find(|&start| is_color(start))
}

#[cfg(test)]
mod tests {
    use super::ThemedColors;

    #[test]
    fn colors_become_variables() {
        let mut colors = ThemedColors::default();
        let merged = colors.merge(
            "<svg xmlns=\"http://www.w3.org/2000/svg\"><path fill=\"#ffffff\" stroke=\"#123456\"/>#ffffff</svg>",
            "<svg xmlns=\"http://www.w3.org/2000/svg\"><path fill=\"#000000\" stroke=\"#123456\"/>#ffffff</svg>",
        );
        assert_eq!(
            merged,
            "<svg><path fill=\"var(--c0)\" stroke=\"#123456\"/>#ffffff</svg>"
        );
        assert!(colors.style().starts_with(":root{--c0:#ffffff;}\n"));
    }

    #[test]
    fn different_drawings_are_both_there() {
        let mut colors = ThemedColors::default();
        let both = colors.merge("<svg>a</svg>", "<svg>b</svg>");
        assert!(both.contains("only-light\"><svg>a<") && both.contains("only-dark\"><svg>b<"));
    }
}
