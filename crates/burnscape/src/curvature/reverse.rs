use burn::backend::DispatchTensor;
use burn::tensor::{Device, Tensor};
use burnscape_linearize::{Checkpointing, LinearMap, Linearized, Point};

use super::CurvatureError;
use super::displaced::{Displaced, of_derivatives};
use crate::loss::{Agreement, Sides, Tolerance, compare};
use crate::space::{Distance, as_accumulator, dot, transfer};

/// Two maps that must be adjoint: a forward derivative, which passes through detached tensors, and Burn's backward
/// pass, which stops there.
#[derive(Debug, Clone)]
pub(super) enum Reverse {
    /// The map from parameters to loss; Burn's gradient is its second value.
    Gradient(Box<LinearMap>),
    /// The map from parameters to outputs, and its transpose.
    Outputs(Box<[LinearMap; 2]>),
}

/// Detects a backward pass that does not match its forward pass: a tensor that depends on the parameters is
/// detached.
///
/// The terms of a derivative may cancel at the weights of the model, as they do at every minimum. So the
/// derivatives are compared at displaced weights.
#[derive(Debug)]
pub(super) struct ReverseCheck {
    forwards: Linearized,
    back: Option<Linearized>,
}

/// The batch of a check, at the weights of the model.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    /// Index of the batch.
    pub(super) batch: usize,
    /// A point of the same trace, whose random draws are reused.
    pub(super) drawn: &'p Point,
    pub(super) inputs: &'p [DispatchTensor],
    /// Positions of the parameters among the inputs.
    pub(super) positions: &'p [usize],
    /// Whether the comparison may hold residuals.
    pub(super) residuals: Checkpointing,
}

/// A point and the two derivatives there.
struct Found {
    point: Point,
    sides: Option<Sides>,
}

impl ReverseCheck {
    /// The check of a map whose forward pass is cut into segments where residuals are recomputed.
    pub(super) fn new(
        reverse: &Reverse,
        segments: usize,
        device: &Device,
    ) -> Result<Self, CurvatureError> {
        let (forwards, back) = match reverse {
            Reverse::Gradient(map) => (map.as_ref(), None),
            Reverse::Outputs(maps) => (&maps[0], Some(&maps[1])),
        };
        let prepared = |map: &LinearMap| {
            Ok::<_, CurvatureError>(Linearized::new(map, device)?.with_segments(segments))
        };
        Ok(Self {
            forwards: prepared(forwards)?,
            back: back.map(prepared).transpose()?,
        })
    }

    /// # Cost
    ///
    /// A forward derivative and a backward pass.
    pub(super) fn check(
        &mut self,
        displaced: &Displaced,
        place: Place<'_>,
    ) -> Result<(), CurvatureError> {
        let dtype = displaced.dtype();
        let tolerance = |distance: Distance| {
            let Tolerance {
                at_once,
                throughout,
            } = of_derivatives(dtype);
            Tolerance {
                at_once,
                throughout: throughout.max(distance.rounding(dtype)),
            }
        };
        let growing = Distance::growing(dtype);
        let at = |distance| self.sides(displaced, place, distance);
        let mut found = compare(tolerance(growing[0]), growing, at)?;
        for distance in Distance::shrinking(dtype) {
            if found != Agreement::NotFinite {
                break;
            }
            let at = |distance| self.sides(displaced, place, distance);
            found = compare(tolerance(distance), [distance], at)?;
        }
        match found {
            Agreement::Equal => Ok(()),
            Agreement::Different { defect } => Err(CurvatureError::Detached { defect }),
            Agreement::NotFinite => self.check_finite(displaced, place),
        }
    }

    /// If no derivative near the weights is finite, there is nothing to compare; then the derivatives at the
    /// weights must at least be finite.
    fn check_finite(
        &mut self,
        displaced: &Displaced,
        place: Place<'_>,
    ) -> Result<(), CurvatureError> {
        let Found { point, sides } = self.at(displaced, place, Distance::NONE)?;
        if sides.is_some() {
            return Ok(());
        }
        let tangent = displaced.tangent(Distance::NONE);
        let operation = self.forwards.find_non_finite(&point, &[tangent])?;
        Err(CurvatureError::NonFiniteProduct {
            batch: place.batch,
            operation: operation.unwrap_or_else(|| "in the backward pass".into()),
        })
    }

    fn sides(
        &mut self,
        displaced: &Displaced,
        place: Place<'_>,
        distance: Distance,
    ) -> Result<Option<Sides>, CurvatureError> {
        Ok(self.at(displaced, place, distance)?.sides)
    }

    fn at(
        &mut self,
        displaced: &Displaced,
        place: Place<'_>,
        distance: Distance,
    ) -> Result<Found, CurvatureError> {
        let inputs = displaced.inputs(place.inputs, place.positions, distance);
        let point_of = |map: &mut Linearized| {
            // The noise, which not every map reads, comes last.
            let own = &inputs[..map.map().num_inputs().min(inputs.len())];
            map.point_with_draws_of(place.drawn, own, place.residuals)
        };
        let point = point_of(&mut self.forwards)?;
        let v = displaced.tangent(distance);
        let mut moved = self.forwards.apply(&point, std::slice::from_ref(&v))?;
        let moved = moved.remove(0);
        let (u, back) = match &mut self.back {
            None => {
                let back = point.values().get(1).cloned();
                (moved.ones_like(), back.unwrap_or_else(|| v.zeros_like()))
            }
            Some(map) => {
                let u = displaced.cotangent(distance, &moved);
                let at = point_of(map)?;
                let back = map.apply(&at, std::slice::from_ref(&u))?.remove(0);
                (u, back)
            }
        };
        let value = point.values().first().map(nothing);
        let [moved_scale, moved_square] = length(&moved);
        let [back_scale, back_square] = length(&back);
        let mut numbers = vec![dot(&u, &moved), dot(&back, &v)];
        numbers.extend([moved_scale, moved_square, back_scale, back_square]);
        numbers.extend(value);
        let numbers = transfer(numbers)?;
        let is_finite = numbers.iter().all(|number| number.is_finite());
        let sides = is_finite.then(|| Sides {
            difference: (numbers[0] - numbers[1]).abs(),
            size: numbers[2] * numbers[3].sqrt() + numbers[4] * numbers[5].sqrt(),
        });
        Ok(Found { point, sides })
    }
}

/// The largest absolute value, and the sum of squares in units of it, since squares may leave the range.
fn length(x: &Tensor<1>) -> [Tensor<1>; 2] {
    let x = as_accumulator(x.clone());
    let scale = x.clone().abs().max();
    let unit = scale.clone().mask_fill(scale.clone().equal_elem(0.0), 1.0);
    let x = x / unit;
    [scale, dot(&x, &x)]
}

/// Zero if all numbers are finite, otherwise NaN.
pub(super) fn nothing(x: &Tensor<1>) -> Tensor<1> {
    (as_accumulator(x.clone()) * 0.0).sum()
}
