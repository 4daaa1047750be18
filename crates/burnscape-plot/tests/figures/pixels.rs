//! PNGs: their size, their colors, and text that needs no fonts of the system.

use std::collections::BTreeSet;
use std::process::Command;

use burnscape_plot::{AxisScale, Drawing, Figure, LandscapeFigure};

use crate::data::all;

/// Width, height and the colors of the pixels.
pub(crate) fn pixels(png: &[u8]) -> (u32, u32, Vec<[u8; 3]>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png))
        .read_info()
        .unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    assert_eq!(info.color_type, png::ColorType::Rgb);
    let pixels = bytes
        .chunks_exact(3)
        .map(|pixel| [pixel[0], pixel[1], pixel[2]]);
    (info.width, info.height, pixels.collect())
}

#[test]
fn every_figure_has_pixels() {
    for (kind, figure) in all() {
        for is_dark in [false, true] {
            let drawing = Drawing::new(400, 320)
                .with_title("A title")
                .with_dark(is_dark);
            let (width, height, pixels) = pixels(&figure.to_png(&drawing).unwrap());
            assert_eq!((width, height), (800, 640), "{kind}");
            let colors: BTreeSet<_> = pixels.iter().collect();
            assert!(colors.len() > 20, "{kind} has {} colors", colors.len());
            // The corners are the ground.
            let is_light = pixels[0].iter().all(|c| *c > 200);
            assert_eq!(is_light, !is_dark, "{kind}");
        }
    }
}

#[test]
fn a_title_is_drawn() {
    let figure = all().remove(0).1;
    let without = pixels(&figure.to_png(&Drawing::new(400, 320)).unwrap()).2;
    let with = |title: &str| {
        let drawing = Drawing::new(400, 320).with_title(title);
        pixels(&figure.to_png(&drawing).unwrap()).2
    };
    // Only the text differs between two titles, so it is there.
    let (a, b) = (with("AAAA"), with("BBBB"));
    assert_ne!(a, without);
    let differing: Vec<usize> = (0..a.len()).filter(|&i| a[i] != b[i]).collect();
    assert!(differing.len() > 50);
    assert!(differing.iter().all(|i| i / 800 < 80 && i % 800 < 300));
    // Hebrew has glyphs too, other ones for other letters.
    assert_ne!(with("אבגד"), with("דגבא"));
}

/// Draws in a process that finds no fonts and no home.
#[test]
fn text_needs_no_fonts_of_the_system() {
    const TARGET: &str = "BURNSCAPE_PLOT_TEST_PNG";
    let drawing = Drawing::new(400, 320).with_title("A title");
    let png = all().remove(0).1.to_png(&drawing).unwrap();
    if let Some(target) = std::env::var_os(TARGET) {
        std::fs::write(target, png).unwrap();
        return;
    }
    let folder = std::env::temp_dir().join(format!("burnscape-plot-fonts-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let target = folder.join("title.png");
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "pixels::text_needs_no_fonts_of_the_system"])
        .env_clear()
        .env("FONTCONFIG_FILE", folder.join("none.conf"))
        .env("FONTCONFIG_PATH", &folder)
        .env("HOME", &folder)
        .env(TARGET, &target)
        .output()
        .unwrap()
        .status;
    assert!(status.success());
    assert_eq!(std::fs::read(&target).unwrap(), png);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn cells_without_a_value_have_no_color_of_one() {
    // A row of three: the cell in the middle is the missing one.
    let row = |value: f64| LandscapeFigure {
        x: vec![0.0, 1.0, 2.0],
        y: vec![0.0, 1.0, 2.0],
        values: vec![1.0, 1.0, 1.0, 1.0, value, 1.0, 2.0, 2.0, 2.0],
        scale: AxisScale::Log,
        ..LandscapeFigure::default()
    };
    let drawing = Drawing::new(400, 400);
    let grayish = |pixel: &&[u8; 3]| {
        let spread = pixel.iter().max().unwrap() - pixel.iter().min().unwrap();
        spread < 14 && pixel[0] > 90
    };
    for figure in [
        Figure::HeatMap as fn(LandscapeFigure) -> Figure,
        Figure::Contour,
    ] {
        let count = |value: f64| {
            let (_, _, pixels) = pixels(&figure(row(value)).to_png(&drawing).unwrap());
            pixels.iter().filter(grayish).count()
        };
        let full = count(1.0);
        // A ninth of the map, or a quarter for the squares of a contour map, is no longer viridis.
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0] {
            assert!(
                count(value) > full + 20_000,
                "{value}: {} and {full}",
                count(value)
            );
        }
    }
}
