//! Which axes of parameters make the units of their group, and which read them.

use burnscape_linearize::{Axes, FixedReason};

use crate::align::AlignError;
use crate::align::filter::describe;
use crate::symmetry::{Symmetries, Traced};

/// What a product does with an axis of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The axis is one of what is computed: outputs of a product, a bias, a gain, a running statistic.
    Makes,
    /// A product with something that depends on the batch sums over the axis.
    Reads,
    /// Both, by tied weights.
    Both,
}

/// The roles of all axes, by float tensor of the model.
#[derive(Debug)]
pub(super) struct Roles(Vec<Vec<Role>>);

impl Roles {
    pub(super) fn of(traced: &Traced) -> Self {
        let axes = traced.forward.axes();
        let tensors = traced.tensors.iter().zip(&traced.places);
        let roles = tensors.map(|(tensor, &place)| {
            let ranks = 0..tensor.shape.len();
            ranks.map(|axis| role(&axes, place, axis)).collect()
        });
        Self(roles.collect())
    }

    /// The role of an axis of a float tensor.
    pub(super) fn at(&self, tensor: usize, axis: usize) -> Role {
        let axes = self.0.get(tensor);
        let role = axes.and_then(|axes| axes.get(axis));
        role.copied().unwrap_or(Role::Makes)
    }

    /// Returns an error unless the members of a group can have another number of units.
    pub(super) fn check_resizing(
        &self,
        symmetries: &Symmetries,
        group: usize,
        [own, other]: [usize; 2],
    ) -> Result<(), AlignError> {
        if own == other {
            return Ok(());
        }
        let described = describe(symmetries, group);
        let refused = |message: String| Err(AlignError::DifferentStructure { message });
        let mut is_read = false;
        for (index, tensor) in symmetries.layout().tensors.iter().enumerate() {
            for (axis, blocks) in tensor.axes.iter().enumerate() {
                let mut factors = blocks.iter().flat_map(|block| &block.factors);
                if !factors.any(|factor| factor.group == Some(group)) {
                    continue;
                }
                match self.at(index, axis) {
                    Role::Makes => {}
                    Role::Reads => is_read = true,
                    Role::Both => {
                        return refused(format!(
                            "axis {axis} of `{}` both makes and reads the units of {described}, {own} in `source` and \
                             {other} in `target`, and would need different values for that; transport between models \
                             with equal numbers of these units",
                            tensor.path()
                        ));
                    }
                }
            }
        }
        if is_read {
            return Ok(());
        }
        refused(format!(
            "no parameter reads the {own} units of {described} in `source`, so that none can make up for {other} in \
             `target`; transport between models with equal numbers of these units"
        ))
    }
}

fn role(axes: &Axes, place: usize, axis: usize) -> Role {
    let mut contractions = axes.contractions.iter();
    if !contractions.any(|one| (one.by, one.by_axis) == (place, axis)) {
        return Role::Makes;
    }
    let mut producers = axes.producers.iter();
    let is_made = producers.any(|producer| producer.scale.contains(&(place, axis)));
    if is_made || is_looked_up(axes, place, axis) {
        Role::Both
    } else {
        Role::Reads
    }
}

/// Whether the tensor is an embedding, whose rows are looked up along another axis.
fn is_looked_up(axes: &Axes, place: usize, axis: usize) -> bool {
    let blocks = axes.inputs.get(place).into_iter().flatten().enumerate();
    let others = blocks.filter(|(other, _)| *other != axis);
    let mut factors = others.flat_map(|(_, blocks)| blocks.iter().flat_map(|block| &block.factors));
    factors.any(|factor| {
        let fixed = factor.group.as_ref().err();
        fixed.is_some_and(|fixed| {
            fixed.reason == FixedReason::IndexedByData && fixed.operation == "Module::Embedding"
        })
    })
}
