//! Digits that are shifted, noisy or rotated.

use std::f64::consts::PI;

use burnscape::krylov::Probe;

use super::{NOISY, ROTATED, SHIFTED};
use crate::Failure;
use crate::studies::digits::{Digits, PIXELS};

/// Pixels of a row and of a column.
const SIDE: usize = 8;
/// The standard deviation of the noise; pixels are from 0 to 1.
const NOISE: f64 = 0.2;
const NOISE_SEED: u64 = 1;
/// Draws of the noise.
const NUM_NOISY: u64 = 4;
const DEGREES: f64 = 15.0;

/// Each change in several variants, over which accuracies are means.
pub(super) fn changed(digits: &Digits) -> Result<Vec<(&'static str, Vec<Digits>)>, Failure> {
    let places = [(0.0, 1.0), (0.0, -1.0), (1.0, 0.0), (-1.0, 0.0)];
    let shifted = places.map(|place| digits.changed(|image| shifted(image, place)));
    let rotated = [DEGREES, -DEGREES].map(|angle| digits.changed(|image| rotated(image, angle)));
    let noisy = (0..NUM_NOISY).map(|draw| noisy(digits, draw));
    Ok(vec![
        (SHIFTED, shifted.into()),
        (NOISY, noisy.collect::<Result<_, _>>()?),
        (ROTATED, rotated.into()),
    ])
}

/// With the same noise for all networks.
fn noisy(digits: &Digits, draw: u64) -> Result<Digits, Failure> {
    let noise: Vec<f64> = Probe::Gaussian.draw(&(digits.len() * PIXELS), NOISE_SEED, draw)?;
    let mut noise = noise.chunks(PIXELS);
    Ok(digits.changed(|image| {
        let pairs = image.iter().zip(noise.next().unwrap_or_default());
        pairs.map(|(pixel, noise)| pixel + NOISE * noise).collect()
    }))
}

/// By so many pixels down and to the right.
fn shifted(image: &[f64], (down, right): (f64, f64)) -> Vec<f64> {
    moved(image, |row, column| (row - down, column - right))
}

/// About the center, by an angle in degrees.
fn rotated(image: &[f64], degrees: f64) -> Vec<f64> {
    let (sine, cosine) = (degrees * PI / 180.0).sin_cos();
    let center = (SIDE - 1) as f64 / 2.0;
    moved(image, |row, column| {
        let (row, column) = (row - center, column - center);
        let (from_row, from_column) = (cosine * row - sine * column, sine * row + cosine * column);
        (from_row + center, from_column + center)
    })
}

/// Each pixel from another place, between the four pixels around it. There is nothing outside of the image.
fn moved(image: &[f64], from: impl Fn(f64, f64) -> (f64, f64)) -> Vec<f64> {
    let pixel = |row: f64, column: f64| {
        let inside = 0.0..SIDE as f64;
        match inside.contains(&row) && inside.contains(&column) {
            true => image[row as usize * SIDE + column as usize],
            false => 0.0,
        }
    };
    let places = (0..PIXELS).map(|index| from((index / SIDE) as f64, (index % SIDE) as f64));
    let between = |(row, column): (f64, f64)| {
        let (top, left) = (row.floor(), column.floor());
        let (down, right) = (row - top, column - left);
        let line = |row: f64| (1.0 - right) * pixel(row, left) + right * pixel(row, left + 1.0);
        (1.0 - down) * line(top) + down * line(top + 1.0)
    };
    places.map(between).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Vec<f64> {
        (0..PIXELS).map(|index| index as f64 / 64.0).collect()
    }

    #[test]
    fn a_shift_moves_pixels_and_leaves_nothing_behind() {
        let found = shifted(&image(), (1.0, 0.0));
        assert_eq!(found[..SIDE], [0.0; SIDE]);
        assert_eq!(found[SIDE..], image()[..PIXELS - SIDE]);
        let found = shifted(&image(), (0.0, -1.0));
        assert_eq!(found[0], image()[1]);
        assert_eq!(found[SIDE - 1], 0.0);
    }

    #[test]
    fn four_right_angles_are_none() {
        let mut found = image();
        for _ in 0..4 {
            found = rotated(&found, 90.0);
        }
        let mut pairs = found.iter().zip(image());
        assert!(pairs.all(|(found, own)| (found - own).abs() < 1e-9));
        // A quarter of a turn takes the first row to the last column.
        let quarter = rotated(&image(), 90.0);
        let column = quarter.iter().skip(SIDE - 1).step_by(SIDE);
        let mut pairs = column.zip(image());
        assert!(pairs.all(|(found, own)| (found - own).abs() < 1e-9));
    }

    #[test]
    fn changes_have_their_variants_and_the_same_labels() {
        let digits = Digits::of_recipes().unwrap();
        let found = changed(&digits).unwrap();
        let counts: Vec<usize> = found.iter().map(|(_, variants)| variants.len()).collect();
        assert_eq!(counts, [4, 4, 2]);
        for variant in found.iter().flat_map(|(_, variants)| variants) {
            assert_eq!(variant.labels(), digits.labels());
            assert_ne!(variant.image(3), digits.image(3));
        }
    }
}
