//! Pictures of a page: their colors, and how much of them changes.

use std::collections::HashMap;
use std::io::Cursor;

use png::{ColorType, Decoder, Transformations};

type Color = [u8; 3];

/// Colors of pixels, row by row.
#[derive(Debug, PartialEq)]
pub(super) struct Picture {
    width: usize,
    pixels: Vec<Color>,
}

impl Picture {
    pub(super) fn decode(png: &[u8]) -> Result<Self, String> {
        let failed = |error: png::DecodingError| format!("the picture is no PNG: {error}");
        let mut decoder = Decoder::new(Cursor::new(png));
        decoder.set_transformations(Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().map_err(failed)?;
        let size = reader
            .output_buffer_size()
            .ok_or("the picture is too large")?;
        let mut bytes = vec![0; size];
        let info = reader.next_frame(&mut bytes).map_err(failed)?;
        let channels = match info.color_type {
            ColorType::Rgb => 3,
            ColorType::Rgba => 4,
            other => return Err(format!("the picture has colors of type {other:?}")),
        };
        let pixels = bytes[..info.buffer_size()]
            .chunks_exact(channels)
            .map(|pixel| [pixel[0], pixel[1], pixel[2]])
            .collect();
        Ok(Self {
            width: info.width as usize,
            pixels,
        })
    }

    #[cfg(test)]
    pub(super) fn of(width: usize, pixels: &[Color]) -> Self {
        Self {
            width,
            pixels: pixels.to_vec(),
        }
    }

    /// The number of different colors.
    pub(super) fn num_colors(&self) -> usize {
        self.counts().len()
    }

    /// The color of most pixels.
    pub(super) fn main_color(&self) -> Color {
        let counts = self.counts().into_iter();
        counts
            .max_by_key(|(color, count)| (*count, *color))
            .map_or([0; 3], |(color, _)| color)
    }

    /// The share of pixels that differ; 1 for pictures of different sizes.
    pub(super) fn difference(&self, other: &Self) -> f64 {
        if self.width != other.width || self.pixels.len() != other.pixels.len() {
            return 1.0;
        }
        let pairs = self.pixels.iter().zip(&other.pixels);
        let different = pairs.filter(|(a, b)| a != b).count();
        different as f64 / self.pixels.len().max(1) as f64
    }

    /// Pixels of each color. Neighbors that are alike are counted together.
    fn counts(&self) -> HashMap<Color, usize> {
        let mut counts = HashMap::new();
        for run in self.pixels.chunk_by(|a, b| a == b) {
            *counts.entry(run[0]).or_insert(0) += run.len();
        }
        counts
    }
}

/// How bright a color is, from 0 to 1.
pub(super) fn brightness([red, green, blue]: Color) -> f64 {
    (0.2126 * f64::from(red) + 0.7152 * f64::from(green) + 0.0722 * f64::from(blue)) / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(colors: &[Color], width: u32, color_type: ColorType) -> Picture {
        let mut bytes = Vec::new();
        let height = colors.len() as u32 / width;
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(color_type);
        let mut writer = encoder.write_header().unwrap();
        let data: Vec<u8> = colors
            .iter()
            .flat_map(|&[red, green, blue]| match color_type {
                ColorType::Rgba => vec![red, green, blue, 255],
                _ => vec![red, green, blue],
            })
            .collect();
        writer.write_image_data(&data).unwrap();
        writer.finish().unwrap();
        Picture::decode(&bytes).unwrap()
    }

    const COLORS: [Color; 4] = [[255, 0, 0], [0, 0, 9], [0, 0, 9], [1, 2, 3]];

    #[test]
    fn pictures_with_and_without_transparency_are_the_same() {
        let opaque = picture(&COLORS, 2, ColorType::Rgb);
        assert_eq!(opaque.pixels, COLORS);
        assert_eq!(opaque, picture(&COLORS, 2, ColorType::Rgba));
        assert_eq!(opaque.num_colors(), 3);
        assert_eq!(opaque.main_color(), [0, 0, 9]);
    }

    #[test]
    fn the_difference_is_a_share_of_the_pixels() {
        let one = picture(&COLORS, 2, ColorType::Rgb);
        let mut changed = COLORS;
        changed[3] = [1, 2, 4];
        assert_eq!(one.difference(&one), 0.0);
        assert_eq!(one.difference(&picture(&changed, 2, ColorType::Rgb)), 0.25);
        assert_eq!(one.difference(&picture(&COLORS, 4, ColorType::Rgb)), 1.0);
    }

    #[test]
    fn bright_is_bright_to_the_eye() {
        assert!((brightness([255; 3]) - 1.0).abs() < 1e-12);
        assert!(brightness([0, 255, 0]) > brightness([255, 0, 255]));
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        assert!(Picture::decode(b"GIF89a").is_err());
    }
}
