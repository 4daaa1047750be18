//! Contrast of what is really in the pictures, by the formula of WCAG 2.2.

use roxmltree::Document;

use crate::data::all;
use crate::documents::drawing;

fn luminance(color: [f64; 3]) -> f64 {
    let [r, g, b] = color.map(|c| {
        let c = c / 255.0;
        if c <= 0.04045 {
            c / 12.92
        } else {
            ((c + 0.055) / 1.055).powf(2.4)
        }
    });
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn color(hex: &str) -> [f64; 3] {
    let channel = |at: usize| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap());
    [channel(1), channel(3), channel(5)]
}

/// The color behind a figure: that of its first rectangle.
fn ground(document: &Document<'_>) -> [f64; 3] {
    let mut nodes = document.descendants();
    let ground = nodes.find(|node| node.has_tag_name("rect")).unwrap();
    color(ground.attribute("fill").unwrap())
}

#[test]
fn all_text_can_be_read() {
    for (kind, figure) in all() {
        for is_dark in [false, true] {
            let svg = figure.to_svg(&drawing(is_dark)).unwrap();
            let document = Document::parse(&svg).unwrap();
            let ground = ground(&document);
            let mut count = 0;
            for text in document
                .descendants()
                .filter(|node| node.has_tag_name("text"))
            {
                let contrast = contrast(color(text.attribute("fill").unwrap()), ground);
                assert!(contrast >= 4.5, "{kind}: {contrast}");
                count += 1;
            }
            assert!(count > 5, "{kind}");
        }
    }
}

#[test]
fn curves_and_branches_can_be_seen() {
    for (kind, figure) in all() {
        if !["curve", "spectrum", "merge tree"].contains(&kind) {
            continue;
        }
        for is_dark in [false, true] {
            let svg = figure.to_svg(&drawing(is_dark)).unwrap();
            let document = Document::parse(&svg).unwrap();
            let ground = ground(&document);
            let paths = document
                .descendants()
                .filter(|node| node.has_tag_name("path"));
            // Lines of the grid are one unit wide, and decoration.
            let wide = paths.filter(|path| {
                path.attribute("stroke") != Some("none")
                    && path
                        .attribute("stroke-width")
                        .is_some_and(|width| width.parse::<f64>().unwrap() > 1.1)
            });
            let mut count = 0;
            for path in wide {
                let contrast = contrast(color(path.attribute("stroke").unwrap()), ground);
                assert!(contrast >= 3.0, "{kind}: {contrast}");
                count += 1;
            }
            assert!(count > 0, "{kind}");
        }
    }
}

#[test]
fn curves_differ_without_color() {
    let svg = all().remove(0).1.to_svg(&drawing(false)).unwrap();
    let document = Document::parse(&svg).unwrap();
    let dashes: std::collections::BTreeSet<_> = document
        .descendants()
        .filter(|node| node.attribute("stroke-width") == Some("1.75"))
        .map(|node| node.attribute("stroke-dasharray").unwrap_or("none"))
        .collect();
    assert_eq!(dashes.len(), 3, "{dashes:?}");
}
