//! Convolutions of one to three dimensions and their gradients, transposed ones included.
//!
//! A convolution is a sum over the taps of its kernel, each a matrix product of weights with the shifted input. Burn
//! copies the shifted inputs side by side (columns) for each convolution, and takes the gradient with respect to
//! a weight as a convolution with a kernel as large as the image. Here the input is copied once, with zeros around
//! it, and the products read it at shifted places (`plan`). So there are no columns to make or to keep.
//!
//! | file | purpose |
//! |---|---|
//! | `operation` | Burn's operations as ours |
//! | `cost` | which of the two is faster, from the shapes |
//! | `memory` | the buffers of either |
//! | `forward`, `input`, `weight` | the convolution and its two gradients |
//! | `plan` | where the numbers lie |
//! | `correlate`, `inner` | sums of weighted stretches, and inner products of stretches |
//! | `vectors` | vector instructions |

mod correlate;
mod cost;
mod forward;
mod inner;
mod input;
mod memory;
mod operation;
mod plan;
#[cfg(test)]
mod tests;
mod vectors;
mod weight;

pub(super) use memory::workspace;
pub(super) use operation::{register, replace};
use plan::Axis;

/// A convolution of three axes; those that are missing are the first ones, with one index.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv {
    pub batch: usize,
    pub groups: usize,
    /// The channels of the input.
    pub inputs: usize,
    /// The channels of the output.
    pub outputs: usize,
    pub input: [usize; 3],
    pub kernel: [usize; 3],
    pub output: [usize; 3],
    pub stride: [usize; 3],
    /// The zeros before each axis. Those behind follow from the sizes.
    pub padding: [usize; 3],
    pub dilation: [usize; 3],
}

/// A convolution, or one of its gradients.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// From input and weight to the output.
    Forward,
    /// From weight and gradient to the gradient with respect to the input. This is also the transposed convolution.
    Input,
    /// From input and gradient to the gradient with respect to the weight.
    Weight,
}

impl Conv {
    /// The numbers of a channel of the input.
    fn plane(&self) -> usize {
        self.input.iter().product()
    }

    /// The numbers of a channel of the output.
    fn positions(&self) -> usize {
        self.output.iter().product()
    }

    fn taps(&self) -> usize {
        self.kernel.iter().product()
    }

    /// The channels of a group, of the input and of the output.
    fn channels(&self) -> [usize; 2] {
        [self.inputs / self.groups, self.outputs / self.groups]
    }

    #[doc(hidden)]
    pub fn input_len(&self) -> usize {
        self.batch * self.inputs * self.plane()
    }

    #[doc(hidden)]
    pub fn output_len(&self) -> usize {
        self.batch * self.outputs * self.positions()
    }

    #[doc(hidden)]
    pub fn weight_len(&self) -> usize {
        self.outputs * self.inputs / self.groups * self.taps()
    }

    /// The products of two numbers.
    fn products(&self) -> usize {
        self.output_len() * self.inputs / self.groups * self.taps()
    }

    /// Whether a few tasks should be split among all threads.
    fn is_split(&self, num_tasks: usize) -> bool {
        num_tasks < 2 * rayon::current_num_threads() && self.products() > 1 << 20
    }

    /// The axes of the convolution itself.
    fn axes(&self) -> [Axis; 3] {
        std::array::from_fn(|a| Axis {
            size: self.input[a],
            out: self.output[a],
            step: self.stride[a],
            shifts: (0..self.kernel[a])
                .map(|k| (k * self.dilation[a]) as isize - self.padding[a] as isize)
                .collect(),
        })
    }
}
