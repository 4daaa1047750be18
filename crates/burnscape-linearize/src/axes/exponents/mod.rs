//! Continuous symmetries and signs along the groups: exponents of a factor for each index.
//!
//! Every group has an unknown in every place where it occurs: `(tensor, block, factor)`. Each operation is an equation
//! between them, and the solutions are the symmetries.

mod equations;
mod layers;
mod number;
mod operations;
mod patch;
mod relation;
mod rotation;
mod solver;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::groups::{groups, published};
use super::term::AtomId;
use super::walk::Walk;
use super::{Axes, AxisGroup, last_walk};
use crate::program::Program;
use equations::Equations;
use number::{Fraction, Number, Parity, gcd};
use solver::{Sum, solutions};

/// What an exponent stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Positive factors `λᵢ`: values are multiplied by `λᵢ` to the power of their exponent.
    Scale,
    /// Signs `±1`.
    Sign,
    /// Invertible matrices `G`: an exponent of 1 means `x G`, of −1 `x G⁻ᵀ`.
    Gauge,
    /// Orthogonal matrices `Q`, everywhere `x Q`, once the gains that the stream is multiplied by are 1.
    Rotation,
}

/// The symmetries of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct AxisScalings {
    /// The axes that the symmetries refer to.
    pub axes: Axes,
    /// Independent symmetries, ordered by group. All others are products of them.
    pub found: Vec<AxisScaling>,
}

/// A symmetry with one factor, sign or matrix for the indices of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AxisScaling {
    /// The group.
    pub group: usize,
    /// Where it acts.
    pub places: Vec<ScaledPlace>,
    /// Of a rotation, the inputs that are gains and have to be 1 along the group.
    pub gains: Vec<usize>,
    /// Of a rotation, whether means are taken along the group, so that `Q` must keep the vector of ones.
    pub keeps_ones: bool,
}

/// A factor of a block of an input, with the exponent with which it takes part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScaledPlace {
    /// The input of the program.
    pub input: usize,
    /// For each axis of the input, the index of the block.
    pub blocks: Vec<usize>,
    /// The axis along which the group lies.
    pub axis: usize,
    /// The index of the factor in the block of this axis.
    pub factor: usize,
    /// The exponent as numerator and denominator; 1 for a sign.
    pub exponent: (i64, i64),
}

/// The symmetries of one kind of a lowered program. Inputs that are not `movable` do not change.
pub(crate) fn scalings(
    program: &Program,
    num_free: usize,
    movable: &[bool],
    mode: Mode,
) -> AxisScalings {
    let (mut walk, passes) = last_walk(program, num_free);
    let found = match mode {
        Mode::Scale | Mode::Gauge | Mode::Rotation => {
            solved::<Fraction>(&mut walk, movable, mode, whole)
        }
        Mode::Sign => solved::<Parity>(&mut walk, movable, mode, |signs| {
            let exponent = |sign: &Parity| i64::from(*sign == Parity::ONE);
            signs.iter().map(|sign| (exponent(sign), 1)).collect()
        }),
    };
    let axes = published(&mut walk, num_free, passes);
    let found = match mode {
        Mode::Scale => independent::<Fraction>(found, &axes.groups),
        Mode::Sign => independent::<Parity>(found, &axes.groups),
        Mode::Gauge | Mode::Rotation => found,
    };
    AxisScalings { axes, found }
}

/// Without those that scale all values of a group alike and are products of symmetries of groups within it.
fn independent<N: Number>(found: Vec<AxisScaling>, groups: &[AxisGroup]) -> Vec<AxisScaling> {
    let mut is_kept = vec![true; found.len()];
    // Inner groups come last.
    for index in (0..found.len()).rev() {
        let group = found[index].group;
        let spanning = found.iter().enumerate().filter(|(other, scaling)| {
            let is_within = groups[scaling.group].parents.contains(&group);
            let is_own = scaling.group == group && *other > index;
            is_kept[*other] && (is_within || is_own)
        });
        let spanning: Vec<&AxisScaling> = spanning.map(|(_, scaling)| scaling).collect();
        let mut with = spanning.clone();
        with.push(&found[index]);
        is_kept[index] = rank::<N>(&with) > rank::<N>(&spanning);
    }
    let mut is_kept = is_kept.into_iter();
    let mut found = found;
    found.retain(|_| is_kept.next() == Some(true));
    found
}

/// The number of independent symmetries among some, where all values of each scale alike.
fn rank<N: Number>(scalings: &[&AxisScaling]) -> usize {
    let mut rows: BTreeMap<(usize, &[usize]), Sum<N>> = BTreeMap::new();
    for (index, scaling) in scalings.iter().enumerate() {
        for place in &scaling.places {
            let row = rows.entry((place.input, &place.blocks)).or_default();
            row.insert(index, N::of(place.exponent.0));
        }
    }
    let rows: Vec<Sum<N>> = rows.into_values().collect();
    solutions(&rows).len()
}

/// The smallest whole numbers in these proportions.
fn whole(exponents: &[Fraction]) -> Vec<(i64, i64)> {
    let denominators = exponents.iter().map(|e| e.denominator);
    let common = denominators.fold(1, |common, d| common / gcd(common, d) * d);
    let scaled: Vec<i64> = exponents
        .iter()
        .map(|e| e.numerator * (common / e.denominator))
        .collect();
    let divisor = scaled.iter().fold(0, |divisor, &e| gcd(divisor, e)).max(1);
    scaled.into_iter().map(|e| (e / divisor, 1)).collect()
}

fn solved<N: Number>(
    walk: &mut Walk<'_>,
    movable: &[bool],
    mode: Mode,
    exponents: impl Fn(&[N]) -> Vec<(i64, i64)>,
) -> Vec<AxisScaling> {
    let atoms: Vec<AtomId> = groups(walk).into_iter().map(|(atom, _)| atom).collect();
    let mut equations = Equations::<N>::new(walk, &atoms, (movable.len(), mode));
    let places = equations.inputs(movable);
    equations.walk();
    let mut found = Vec::new();
    for (group, &atom) in atoms.iter().enumerate() {
        let none = Vec::new();
        let places: &Vec<(usize, ScaledPlace)> = places.get(&atom).unwrap_or(&none);
        let unknowns: Vec<usize> = places.iter().map(|(unknown, _)| *unknown).collect();
        let solutions = match mode {
            Mode::Gauge | Mode::Rotation => equations.gauge(atom, &unknowns).into_iter().collect(),
            Mode::Scale | Mode::Sign => {
                let rows: Vec<_> = unknowns.iter().map(|&u| equations.reduced(u)).collect();
                solutions(&rows)
            }
        };
        for solution in solutions {
            let exponents = exponents(&solution);
            let places = places.iter().zip(exponents);
            let places =
                places
                    .filter(|(_, exponent)| exponent.0 != 0)
                    .map(|((_, place), exponent)| ScaledPlace {
                        exponent,
                        ..place.clone()
                    });
            let (gains, keeps_ones) = equations.conditions(atom);
            found.push(AxisScaling {
                group,
                places: places.collect(),
                gains,
                keeps_ones,
            });
        }
    }
    found
}

/// The unknowns of the inputs, by atom.
type Places = FxHashMap<AtomId, Vec<(usize, ScaledPlace)>>;
