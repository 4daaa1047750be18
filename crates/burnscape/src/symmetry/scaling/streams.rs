//! Rotations of residual streams between normalizations.

use burnscape_linearize::{AxisScalings, ScalingMode};
use serde::{Deserialize, Serialize};

use super::super::SymmetryError;
use super::super::layout::Layout;
use super::super::traced::Traced;
use super::change_of_basis::{Bases, turn_all};
use super::found::{Found, Scaling, movable};

/// How far an orthogonal matrix may be from one.
const DEFECT: f64 = 1e-8;

/// A stream that any rotation leaves as it is, once the gains that it is multiplied by are 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Stream {
    pub(super) scaling: Scaling,
    pub(super) gains: Vec<Gain>,
    /// Whether a rotation must keep the vector of ones, because means are taken along the stream.
    pub(super) keeps_ones: bool,
}

/// A gain, and the scale by which it becomes 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Gain {
    pub(super) tensor: usize,
    scale: Scaling,
    /// The exponent of the gain in the scale.
    exponent: i64,
}

/// The streams of a model, without what turns by any `invertible` matrix. A stream with a gain that no scale moves is left
/// out: it is read in other places, too.
pub(super) fn streams(
    traced: &Traced,
    layout: &Layout,
    invertible: &[Scaling],
) -> Result<Vec<Stream>, SymmetryError> {
    let AxisScalings { axes, found } = traced
        .forward
        .scalings(&movable(traced), ScalingMode::Rotation)?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let scales = Found::of(traced, ScalingMode::Scale)?;
    let turned = Found::from_parts(traced, layout, &axes, &found);
    let mut streams = Vec::new();
    for (scaling, found) in turned.into_iter().zip(&found) {
        let is_known = invertible.iter().any(|one| one.group() == scaling.group());
        if is_known || scaling.rows > 1 {
            continue;
        }
        let gains = found.gains.iter().map(|input| {
            let tensor = traced.places.iter().position(|place| place == input)?;
            let moves =
                |place: &&super::places::Place| place.tensor == tensor && place.exponent.abs() == 1;
            let scale = scales.scalings.iter().find_map(|scale| {
                let exponent = scale.places().iter().find(moves)?.exponent;
                let is_alone = scale.rows == 1 && scale.size == scaling.size;
                is_alone.then(|| (scale.clone(), exponent))
            })?;
            Some(Gain {
                tensor,
                scale: scale.0,
                exponent: scale.1,
            })
        });
        if let Some(gains) = gains.collect::<Option<Vec<Gain>>>() {
            streams.push(Stream {
                scaling,
                gains,
                keeps_ones: found.keeps_ones,
            });
        }
    }
    Ok(streams)
}

impl Stream {
    /// Returns an error unless the matrix is orthogonal, and keeps the vector of ones if it has to.
    pub(super) fn check(&self, index: usize, matrix: &[f64]) -> Result<(), SymmetryError> {
        let size = self.scaling.size;
        let refused = |message: &str| {
            Err(SymmetryError::Group {
                group: index,
                message: message.to_string(),
            })
        };
        let row = |i: usize| &matrix[i * size..(i + 1) * size];
        for i in 0..size {
            for j in 0..=i {
                let dot: f64 = row(i).iter().zip(row(j)).map(|(a, b)| a * b).sum();
                let expected = f64::from(u8::from(i == j));
                if (dot - expected).abs() > DEFECT {
                    return refused(
                        "a stream turns by orthogonal matrices; pass an orthogonal one",
                    );
                }
            }
        }
        let sums = |i: usize| row(i).iter().sum::<f64>();
        if self.keeps_ones && !(0..size).all(|i| (sums(i) - 1.0).abs() <= DEFECT) {
            return refused(
                "means are taken along this stream, so that its matrix must keep the vector of ones; pass one whose rows \
                 sum to 1",
            );
        }
        Ok(())
    }

    /// Makes the gains 1 and turns the values of all tensors.
    pub(super) fn turn(
        &self,
        index: usize,
        layout: &Layout,
        matrix: &[f64],
        values: &mut [Vec<f64>],
    ) -> Result<(), SymmetryError> {
        for gain in &self.gains {
            gain.normalize(index, layout, values)?;
        }
        let scalings = std::slice::from_ref(&self.scaling);
        let bases = Bases::of(scalings, &[matrix.to_vec()])?;
        for (tensor, values) in values.iter_mut().enumerate() {
            turn_all((layout, scalings), &bases, tensor, values);
        }
        Ok(())
    }
}

impl Gain {
    fn normalize(
        &self,
        index: usize,
        layout: &Layout,
        values: &mut [Vec<f64>],
    ) -> Result<(), SymmetryError> {
        let mut factors = vec![1.0; self.scale.num_factors()];
        for place in self.scale.places() {
            if place.tensor == self.tensor {
                let gains = &values[self.tensor];
                place.each(&layout.tensors[self.tensor], |element, factor| {
                    factors[factor] = 1.0 / gains[element];
                });
            }
        }
        if factors.iter().any(|factor| !factor.is_finite()) {
            return Err(SymmetryError::Group {
                group: index,
                message: format!(
                    "the gain `{}` has a zero, so that it cannot be moved into the weights that follow",
                    layout.tensors[self.tensor].path()
                ),
            });
        }
        for place in self.scale.places() {
            let own = &mut values[place.tensor];
            place.each(&layout.tensors[place.tensor], |element, factor| {
                let power = i32::try_from(place.exponent * self.exponent).unwrap_or(0);
                own[element] *= factors[factor].powi(power);
            });
        }
        Ok(())
    }
}
