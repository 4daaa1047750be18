//! What a walk over the axes of a program finds.

use std::fmt;

use crate::program::Port;

/// The axes of the tensors of a forward pass, and the groups that permute them.
#[derive(Debug, Clone, PartialEq)]
pub struct Axes {
    /// The groups. Parents come before those that depend on them.
    pub groups: Vec<AxisGroup>,
    /// The axes of each input of the program, in order.
    pub inputs: Vec<Vec<AxisBlocks>>,
    /// The tensors that depend on the batch and are multiplied by parameters along an axis with groups.
    pub activations: Vec<Activation>,
    /// The sums over whole axes of parameters that are multiplied with what depends on the batch, in the order of the
    /// program.
    pub contractions: Vec<Contraction>,
    /// What layers make of the batch, in the order of the program.
    pub producers: Vec<Producer>,
    /// The number of times that the program was walked.
    pub passes: usize,
}

/// A tensor that depends on the batch and that parameters scale and shift along an axis: a product with a weight, with its
/// bias, or a normalization. A product that only a normalization reads is no producer by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Producer {
    /// The tensor, for [`Forward::with_outputs`](crate::Forward::with_outputs).
    pub tensor: Port,
    /// The blocks of all of its axes.
    pub axes: Vec<AxisBlocks>,
    /// The axis of the tensor along which it is scaled and shifted.
    pub axis: usize,
    /// The inputs of the program that scale it, each with the axis of the input: a weight by its output axis, or a gain.
    pub scale: Vec<(usize, usize)>,
    /// The input that is added, a vector.
    pub shift: Option<usize>,
    /// The inputs that scale and shift the product that this normalization alone reads.
    pub replaced: Vec<usize>,
}

/// A tensor that depends on the batch and is multiplied by parameters: what the next layer reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Activation {
    /// The tensor, for [`Forward::with_outputs`](crate::Forward::with_outputs).
    pub tensor: Port,
    /// The axis that the product sums over.
    pub axis: usize,
    /// The blocks of all of its axes.
    pub axes: Vec<AxisBlocks>,
}

/// A tensor that depends on the batch, multiplied with a parameter and summed over an axis of both. One for each use.
///
/// Products with a part of a parameter's axis, convolutions with several groups, and look-ups in embeddings are none.
#[derive(Debug, Clone, PartialEq)]
pub struct Contraction {
    /// The tensor, for [`Forward::with_outputs`](crate::Forward::with_outputs).
    pub tensor: Port,
    /// The axis of the tensor that is summed over.
    pub axis: usize,
    /// The input of the program that it is multiplied with.
    pub by: usize,
    /// The axis of that input that is summed over: of a convolution's weight that of the channels that it reads.
    pub by_axis: usize,
}

/// A set of indices that can be permuted in all tensors at once without an effect on the outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AxisGroup {
    /// The number of indices.
    pub size: usize,
    /// The groups for each of whose values this one may be permuted differently, in ascending order. A parent's
    /// parents are among them.
    pub parents: Vec<usize>,
}

/// The blocks that an axis consists of, in order and without gaps.
pub type AxisBlocks = Vec<AxisBlock>;

/// Consecutive indices of an axis, as a product of factors: an index is `offset + Σ stride · i`, with one `i` for each
/// factor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AxisBlock {
    /// The first index.
    pub offset: usize,
    /// The factors, in row-major order. None for a block of length 1.
    pub factors: Vec<AxisFactor>,
}

/// A factor of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AxisFactor {
    /// The number of values.
    pub size: usize,
    /// The distance of two neighboring values on the axis.
    pub stride: usize,
    /// The group that permutes the values, or why none does.
    pub group: Result<usize, Fixed>,
}

/// Why the values of an axis cannot be permuted, and the operation that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    /// Why.
    pub reason: FixedReason,
    /// The operation, for instance `Module::Conv2d`; empty if there is none.
    pub operation: String,
}

/// Why the values of an axis cannot be permuted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FixedReason {
    /// The batch has this axis.
    Input,
    /// The outputs have this axis.
    Output,
    /// A tensor that is not a float parameter varies along this axis.
    Constant,
    /// Neighbors matter: a window of a convolution or pool, or a place among the parts of a reshaped axis.
    Position,
    /// Data select along this axis.
    IndexedByData,
    /// The order matters: sorting, cumulative sums, flips, strides.
    Ordered,
    /// Two views of the axis divide it in ways that do not nest.
    DoesNotNest,
    /// The operation has no rule.
    NoRule,
    /// No operation reads these values.
    Unused,
    /// A random element of the group changed the outputs.
    Dropped,
}

impl fmt::Display for FixedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Input => "an axis of the batch",
            Self::Output => "an axis of the outputs",
            Self::Constant => "meets a constant that varies",
            Self::Position => "positions matter",
            Self::IndexedByData => "indexed by data",
            Self::Ordered => "the order matters",
            Self::DoesNotNest => "is divided in ways that do not nest",
            Self::NoRule => "meets an operation without a rule",
            Self::Unused => "is not read",
            Self::Dropped => "did not pass verification",
        })
    }
}

impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)?;
        if self.operation.is_empty() {
            Ok(())
        } else {
            write!(f, " ({})", self.operation)
        }
    }
}
