//! From shapes to kuva's scenes, and from them to SVG and PNG. The only file that knows kuva.
//!
//! Of kuva, the crate uses the two backends and the font that comes with it. Axes, legends and figures are our own: kuva's
//! charts lose the dashes of finely sampled curves in PNG, mix notations at ticks, and know neither hatched cells nor merge
//! trees.

use std::fmt::Write;

use kuva::RasterBackend;
use kuva::backend::svg::SvgBackend;
use kuva::render::color::Color as Paint;
use kuva::render::render::{PathData, Primitive, Scene, TextAnchor, TextSpan};

use crate::PlotError;
use crate::draw::canvas::{Anchor, Canvas, Shape, Stroke};
use crate::draw::geometry::{Point, Rect, dashed};
use crate::draw::text::in_visual_order;
use crate::draw::theme::Color;

/// Pixels for each unit of a PNG.
const DENSITY: f32 = 2.0;

/// Pictures with more units than this are drawn without the means of four pixels, in less memory.
const MOST_SMOOTH: f64 = 2.5e6;

const FONTS: &str =
    "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, 'DejaVu Sans', sans-serif";

impl Canvas {
    /// The picture as an element that is a document as well.
    pub(crate) fn to_svg(&self) -> String {
        let mut scene = self.scene();
        scene.font_family = Some(FONTS.to_owned());
        let mut is_crisp = false;
        open_group(&mut scene, "stroke-linejoin=\"round\"");
        for shape in self.shapes.iter().filter(|shape| is_finite(shape)) {
            let needs_crisp = matches!(shape, Shape::Tile { .. });
            if needs_crisp != is_crisp {
                if needs_crisp {
                    open_group(&mut scene, "shape-rendering=\"crispEdges\"");
                } else {
                    scene.elements.push(Primitive::GroupEnd);
                }
                is_crisp = needs_crisp;
            }
            vector(&mut scene, shape);
        }
        for _ in 0..=usize::from(is_crisp) {
            scene.elements.push(Primitive::GroupEnd);
        }
        let svg = SvgBackend::new().render_scene(&scene);
        let root = format!(
            "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\" ",
            self.width,
            self.height,
            escaped(&self.alt)
        );
        svg.replacen("<svg ", &root, 1)
    }

    /// The picture as pixels.
    pub(crate) fn to_png(&self) -> Result<Vec<u8>, PlotError> {
        let mut scene = self.scene();
        for shape in self.shapes.iter().filter(|shape| is_finite(shape)) {
            raster(&mut scene, shape);
        }
        let is_smooth = self.width * self.height <= MOST_SMOOTH;
        let density = if is_smooth { 2.0 * DENSITY } else { DENSITY };
        let png = RasterBackend::new()
            .with_scale(density)
            .render_scene(&scene)
            .map_err(failed)?;
        if is_smooth {
            halved(&png).map_err(failed)
        } else {
            Ok(png)
        }
    }

    fn scene(&self) -> Scene {
        let mut scene = Scene::with_capacity(self.width, self.height, self.shapes.len() + 8);
        scene.background_color = Some(hex(self.ground));
        scene
    }
}

fn failed(error: impl std::fmt::Display) -> PlotError {
    PlotError::Draw {
        message: format!("the picture could not be encoded: {error}; draw it as SVG"),
    }
}

fn open_group(scene: &mut Scene, attributes: &str) {
    scene.elements.push(Primitive::GroupStart {
        transform: None,
        title: None,
        extra_attrs: Some(attributes.to_owned()),
    });
}

/// kuva has no answer to coordinates that are not numbers.
fn is_finite(shape: &Shape) -> bool {
    let is_finite = |point: &Point| point.iter().all(|v| v.is_finite());
    match shape {
        Shape::Line { points, .. } | Shape::Area { points, .. } => points.iter().all(is_finite),
        Shape::Tile { rect, .. } => rect.corners().iter().all(is_finite),
        Shape::Dot { center, .. } => is_finite(center),
        Shape::Text { at, .. } => is_finite(at),
    }
}

/// A shape as SVG writes it: short numbers and true dashes.
fn vector(scene: &mut Scene, shape: &Shape) {
    match shape {
        Shape::Line { points, stroke } => {
            scene.elements.push(path(points, None, 1.0, Some(*stroke)))
        }
        Shape::Area {
            points,
            fill,
            opacity,
            outline,
            ..
        } => scene
            .elements
            .push(path(points, Some(*fill), *opacity, *outline)),
        Shape::Tile { rect, fill } => tile(scene, *rect, *fill),
        Shape::Dot { center, .. } => dot(scene, shape, center.map(quarter)),
        Shape::Text { at, text, .. } => write_text(scene, shape, at.map(quarter), text.clone()),
    }
}

/// A shape for kuva's pixels, which start every dash anew at every point and paint hard edges of areas.
fn raster(scene: &mut Scene, shape: &Shape) {
    match shape {
        Shape::Line { points, stroke } => line(scene, points, *stroke),
        Shape::Area {
            points,
            fill,
            opacity,
            outline,
            ..
        } => {
            scene
                .elements
                .push(path(points, Some(*fill), *opacity, None));
            if let Some(stroke) = outline {
                let mut closed = points.clone();
                closed.extend(points.first());
                line(scene, &closed, *stroke);
            }
        }
        Shape::Tile { rect, fill } => tile(scene, *rect, *fill),
        Shape::Dot { center, .. } => dot(scene, shape, *center),
        Shape::Text { at, text, .. } => write_text(scene, shape, *at, in_visual_order(text)),
    }
}

fn line(scene: &mut Scene, points: &[Point], stroke: Stroke) {
    for piece in dashed(points, stroke.dash) {
        scene.elements.push(Primitive::PolyLine {
            points: piece.into_iter().map(|[x, y]| (x, y)).collect(),
            stroke: paint(stroke.color),
            stroke_width: stroke.width,
            stroke_dasharray: None,
        });
    }
}

fn path(points: &[Point], fill: Option<Color>, opacity: f64, stroke: Option<Stroke>) -> Primitive {
    let mut d = String::with_capacity(points.len() * 12);
    let mut before = [f64::NAN; 2];
    for (index, point) in points.iter().enumerate() {
        let point = point.map(|v| (v * 10.0).round() / 10.0);
        if point == before && points.len() > 2 {
            continue;
        }
        before = point;
        let command = if index == 0 { 'M' } else { 'L' };
        // A String takes everything.
        let _ = write!(d, "{command}{} {}", point[0], point[1]);
    }
    if fill.is_some() {
        d.push('Z');
    }
    let dash = stroke
        .filter(|stroke| !stroke.dash.is_empty())
        .map(|stroke| {
            let lengths: Vec<String> = stroke.dash.iter().map(f64::to_string).collect();
            lengths.join(" ")
        });
    Primitive::Path(Box::new(PathData {
        d,
        fill: fill.map(paint),
        stroke: stroke.map_or(Paint::None, |stroke| paint(stroke.color)),
        stroke_width: stroke.map_or(0.0, |stroke| quarter(stroke.width)),
        opacity: (opacity < 1.0).then_some(opacity),
        stroke_dasharray: dash,
    }))
}

fn tile(scene: &mut Scene, rect: Rect, fill: Color) {
    let [left, top, right, bottom] = [rect.left, rect.top, rect.right, rect.bottom].map(quarter);
    scene.elements.push(Primitive::Rect {
        x: left,
        y: top,
        width: right - left,
        height: bottom - top,
        fill: paint(fill),
        stroke: None,
        stroke_width: None,
        opacity: None,
    });
}

fn dot(scene: &mut Scene, shape: &Shape, center: Point) {
    let Shape::Dot {
        radius,
        fill,
        outline,
        ..
    } = shape
    else {
        return;
    };
    scene.elements.push(Primitive::Circle {
        cx: center[0],
        cy: center[1],
        r: quarter(*radius),
        fill: fill.map_or(Paint::None, paint),
        fill_opacity: None,
        stroke: outline.map(|stroke| paint(stroke.color)),
        stroke_width: outline.map(|stroke| quarter(stroke.width)),
    });
}

/// kuva turns `$…$` of a simple text into mathematics, but not that of rich text.
fn write_text(scene: &mut Scene, shape: &Shape, at: Point, content: String) {
    let Shape::Text {
        size,
        anchor,
        color,
        is_bold,
        ..
    } = shape
    else {
        return;
    };
    let mut span = TextSpan::plain(content);
    span.bold = *is_bold;
    scene.elements.push(Primitive::RichText {
        x: at[0],
        y: at[1],
        spans: vec![span],
        size: *size,
        anchor: match anchor {
            Anchor::Start => TextAnchor::Start,
            Anchor::Middle => TextAnchor::Middle,
            Anchor::End => TextAnchor::End,
        },
        color: Some(paint(*color)),
    });
}

fn paint([red, green, blue]: Color) -> Paint {
    Paint::Rgb(red, green, blue)
}

fn hex([red, green, blue]: Color) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// Multiples of a quarter, which kuva writes with two digits.
fn quarter(value: f64) -> f64 {
    (value * 4.0).round() / 4.0
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// A PNG of half the size without transparency: each pixel is the mean of four.
fn halved(png: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info()?;
    let mut pixels = vec![0; reader.output_buffer_size().ok_or("too many pixels")?];
    let info = reader.next_frame(&mut pixels)?;
    let pixel = info.color_type.samples();
    let row = info.width as usize * pixel;
    let mut means = Vec::with_capacity(pixels.len());
    for rows in pixels.chunks_exact(2 * row) {
        let (upper, lower) = rows.split_at(row);
        for (a, b) in upper
            .chunks_exact(2 * pixel)
            .zip(lower.chunks_exact(2 * pixel))
        {
            for channel in 0..3 {
                let other = channel + pixel;
                let sum = u16::from(a[channel])
                    + u16::from(a[other])
                    + u16::from(b[channel])
                    + u16::from(b[other]);
                means.push(((sum + 2) / 4) as u8);
            }
        }
    }
    let mut half = vec![];
    let mut encoder = png::Encoder::new(&mut half, info.width / 2, info.height / 2);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(&means)?;
    Ok(half)
}
