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
//! | `cost` | which kernel is faster, from the shapes |
//! | `memory` | their buffers |
//! | `pairs` | sums of two convolutions as one |
//! | `forward`, `input`, `weight` | the convolution and its two gradients |
//! | `plan` | where the numbers lie |
//! | `correlate`, `inner` | sums of weighted stretches, and inner products of stretches |
//! | `winograd`, `tiles`, `kernels` | kernels of three by three with fewer products |
//! | `vectors` | vector instructions |

mod correlate;
mod cost;
mod forward;
mod inner;
mod input;
mod kernels;
mod memory;
mod operation;
mod pairs;
mod plan;
#[cfg(test)]
mod tests;
mod tiles;
mod vectors;
mod weight;
mod winograd;

pub(super) use memory::{joined, workspace};
pub(super) use operation::{is_ours, register, replace};
use plan::Axis;
use vectors::Number;

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

    /// The sum over pairs of operands, in the order of [`Kind`], to which a bias is added; in tiles if that is
    /// possible.
    fn sum<N: Number>(
        &self,
        kind: Kind,
        is_tiled: bool,
        pairs: &[[&[N]; 2]],
        bias: Option<&[N]>,
    ) -> Vec<N> {
        match (kind, is_tiled && self.has_tiles()) {
            (Kind::Weight, true) => self.tiled_weight(pairs),
            (_, true) => self.tiled(kind, pairs, bias),
            (Kind::Forward, false) => self.forward(pairs, bias),
            (Kind::Input, false) => self.input(pairs, bias),
            (Kind::Weight, false) => self.weight(pairs),
        }
    }

    /// The numbers of a channel of one image, of an input.
    fn input_plane<'n, N>(&self, x: &'n [N], image: usize, channel: usize) -> &'n [N] {
        &x[(image * self.inputs + channel) * self.plane()..][..self.plane()]
    }

    /// The same of an output, or of its gradient.
    fn output_plane<'n, N>(&self, y: &'n [N], image: usize, channel: usize) -> &'n [N] {
        &y[(image * self.outputs + channel) * self.positions()..][..self.positions()]
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
