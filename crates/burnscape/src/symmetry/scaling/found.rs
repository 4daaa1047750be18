use std::fmt;

use burnscape_linearize::{Axes, AxisScalings, ScalingMode};
use serde::{Deserialize, Serialize};

use super::super::layout::{Layout, TensorAxes};
use super::super::traced::Traced;
use super::super::verifier::Verifier;
use super::super::{Member, SymmetryError};
use super::places::Place;

/// A symmetry with one factor, sign or matrix for each index of a group, and for each combination of its parents' values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Scaling {
    /// The number of indices of the group.
    pub size: usize,
    /// The number of combinations of the parents' values; 1 without parents.
    pub rows: usize,
    /// Where it acts, and with which exponent.
    pub members: Vec<ScaledMember>,
    /// Of the layout.
    group: usize,
    places: Vec<Place>,
}

/// A place of a group, and the exponent with which its factor acts there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScaledMember {
    /// The place.
    pub member: Member,
    /// The exponent: a value is multiplied by the factor to this power. 1 for signs; for a change of basis `G`, 1 means
    /// `x G` and −1 means `x G⁻ᵀ`.
    pub exponent: i64,
}

impl fmt::Display for Scaling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.size)?;
        if self.rows > 1 {
            write!(f, " × {}", self.rows)?;
        }
        let members = self.members.iter();
        let members = members.map(|m| format!("{} ^ {}", m.member, m.exponent));
        write!(f, ": {}", members.collect::<Vec<_>>().join(", "))
    }
}

impl Scaling {
    /// The number of factors.
    pub fn num_factors(&self) -> usize {
        self.rows * self.size
    }

    pub(super) fn group(&self) -> usize {
        self.group
    }

    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }
}

/// The symmetries of one kind, and the tensors on which they act.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) scalings: Vec<Scaling>,
    /// Symmetries that did not pass verification.
    pub(super) dropped: Vec<Scaling>,
    pub(super) layout: Layout,
}

impl Found {
    /// What the program says. Running statistics do not move.
    pub(super) fn of(traced: &Traced, mode: ScalingMode) -> Result<Self, SymmetryError> {
        let AxisScalings { axes, found } = traced.forward.scalings(&movable(traced), mode)?;
        let layout = Layout::found(traced, &axes)?;
        Ok(Self {
            scalings: Self::from_parts(traced, &layout, &axes, &found),
            dropped: Vec::new(),
            layout,
        })
    }

    /// Symmetries of a program as those of a layout that was found in the same program.
    pub(super) fn from_parts(
        traced: &Traced,
        layout: &Layout,
        axes: &Axes,
        found: &[burnscape_linearize::AxisScaling],
    ) -> Vec<Scaling> {
        let scalings = found.iter().map(|scaling| {
            let group = scaling.group;
            let places = scaling.places.iter().filter_map(|place| {
                let tensor = traced.places.iter().position(|&at| at == place.input)?;
                Place::of(layout, tensor, place)
            });
            let places: Vec<Place> = places.collect();
            let parents = axes.groups[group].parents.iter();
            let rows = parents.map(|parent| axes.groups[*parent].size).product();
            Scaling {
                size: axes.groups[group].size,
                rows,
                members: members(layout, &places),
                group,
                places,
            }
        });
        scalings.collect()
    }

    /// Moves the symmetries that `change` says change the outputs to `dropped`.
    pub(super) fn verify(
        &mut self,
        verifier: &mut Verifier,
        mut passes: impl FnMut(&mut Verifier, &[Scaling], &Layout) -> Result<bool, SymmetryError>,
    ) -> Result<(), SymmetryError> {
        if self.scalings.is_empty() || passes(verifier, &self.scalings, &self.layout)? {
            return Ok(());
        }
        for scaling in std::mem::take(&mut self.scalings) {
            let one = std::slice::from_ref(&scaling);
            if passes(verifier, one, &self.layout)? {
                self.scalings.push(scaling);
            } else {
                self.dropped.push(scaling);
            }
        }
        Ok(())
    }

    pub(super) fn tensors(&self) -> &[TensorAxes] {
        &self.layout.tensors
    }

    /// The values that act on each tensor: all pairs of a symmetry and one of its places.
    pub(super) fn acting(&self, tensor: usize) -> impl Iterator<Item = (usize, &Place)> {
        let scalings = self.scalings.iter().enumerate();
        scalings.flat_map(move |(index, scaling)| {
            let places = scaling.places.iter();
            places
                .filter(move |place| place.tensor == tensor)
                .map(move |place| (index, place))
        })
    }

    /// Returns an error unless there is one list for each symmetry, of the right length.
    pub(super) fn check(
        &self,
        given: &[Vec<f64>],
        each: usize,
        what: &str,
    ) -> Result<(), SymmetryError> {
        let refused = |group: usize, message: String| Err(SymmetryError::Group { group, message });
        if given.len() != self.scalings.len() {
            let message = format!(
                "{} lists of {what} were given for {} symmetries; pass one for each",
                given.len(),
                self.scalings.len()
            );
            return refused(given.len().min(self.scalings.len()), message);
        }
        for (index, (given, scaling)) in given.iter().zip(&self.scalings).enumerate() {
            let expected = scaling.num_factors() * each;
            if given.len() != expected {
                let message = format!("{} {what} were given, expected {expected}", given.len());
                return refused(index, message);
            }
            if let Some(wrong) = given.iter().find(|value| !value.is_finite()) {
                return refused(index, format!("{wrong} is not a finite number"));
            }
        }
        Ok(())
    }
}

/// The inputs that change: parameters, trained or not, and not running statistics.
pub(super) fn movable(traced: &Traced) -> Vec<bool> {
    let mut movable = vec![false; traced.forward.num_model_inputs()];
    for (tensor, &place) in traced.tensors.iter().zip(&traced.places) {
        movable[place] = !tensor.is_running_statistic;
    }
    movable
}

/// The members of places, each once: a place is a part of one.
fn members(layout: &Layout, places: &[Place]) -> Vec<ScaledMember> {
    let mut members: Vec<ScaledMember> = Vec::new();
    for place in places {
        let tensor = &layout.tensors[place.tensor];
        let block = &tensor.axes[place.axis][place.blocks[place.axis]];
        let member = ScaledMember {
            member: Member {
                path: tensor.path().to_string(),
                axis: place.axis,
                offset: block.offset,
                stride: block.factors[place.factor].stride,
            },
            exponent: place.exponent,
        };
        if !members.contains(&member) {
            members.push(member);
        }
    }
    members
}
