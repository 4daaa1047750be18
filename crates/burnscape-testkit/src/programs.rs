//! Random networks on plain tensors, for what is claimed of any program.

mod draws;
mod generator;

use std::ops::Range;

use burn::module::{Module, Param};
use burn::tensor::activation::{gelu, relu, sigmoid, softmax};
use burn::tensor::module::{layer_norm, linear};
use burn::tensor::{Device, Tensor, TensorData};

pub use draws::Draws;
use generator::{Generator, Plan};

/// Two examples of three places with four numbers.
const INPUT: [usize; 3] = [2, 3, 4];
/// Numbers for each place of an output.
const OUTPUTS: usize = 2;
/// Separates the stream of the values from that of the program.
const VALUES: u64 = 0x5EED_0F7A_1E5A;
const EPSILON: f64 = 1e-5;

/// All tensors have rank 4, `[batch, groups, places, features]`; axes that are not needed have length 1.
type Shape = [usize; 4];

/// One operation. Operands are indices of tensors: first those made of the input, then one of each step.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// A matrix, maybe one that other steps have, and a bias.
    Linear {
        of: usize,
        weight: usize,
        transposed: bool,
        bias: Option<usize>,
        product: Product,
    },
    /// Element by element.
    Unary {
        of: usize,
        kind: Unary,
    },
    /// Element by element, with broadcasting.
    Binary {
        left: usize,
        right: usize,
        kind: Binary,
    },
    Cat {
        left: usize,
        right: usize,
        axis: usize,
    },
    Slice {
        of: usize,
        axis: usize,
        start: usize,
        length: usize,
    },
    Reshape {
        of: usize,
        shape: Shape,
    },
    Permute {
        of: usize,
        axes: Shape,
    },
    /// Over the last two axes, divided by the root of the contracted length.
    Matmul {
        left: usize,
        right: usize,
        transposed: bool,
    },
    Softmax {
        of: usize,
        axis: usize,
    },
    /// Layer normalization, as one operation or written out.
    Norm {
        of: usize,
        gain: usize,
        shift: usize,
        is_whole: bool,
    },
    /// The axis stays, with length 1.
    Reduce {
        of: usize,
        axis: usize,
        kind: Reduction,
    },
    /// Copies, one after the other; an expansion where the length is 1.
    Repeat {
        of: usize,
        axis: usize,
        times: usize,
    },
    /// Zeros around it.
    Place {
        of: usize,
        axis: usize,
        before: usize,
        after: usize,
    },
    /// What depends on the order along an axis.
    Ordered {
        of: usize,
        axis: usize,
        kind: Ordered,
    },
}

/// The ways in which a product with a matrix is written.
#[derive(Debug, Clone, Copy)]
enum Product {
    /// Burn's linear layer.
    Layer,
    /// A batched product with the same matrix.
    Batched,
    /// A product of matrices, all places and examples in one axis.
    Rows,
}

#[derive(Debug, Clone, Copy)]
enum Unary {
    Relu,
    Tanh,
    Sigmoid,
    Gelu,
    Square,
    /// `0.7 x + 0.3`
    Affine,
}

#[derive(Debug, Clone, Copy)]
enum Binary {
    Add,
    Sub,
    Mul,
    Max,
}

#[derive(Debug, Clone, Copy)]
enum Reduction {
    Sum,
    Mean,
    Max,
}

#[derive(Debug, Clone, Copy)]
enum Ordered {
    CumSum,
    Flip,
    Sort,
}

/// A random network: matrices and vectors, and a program that depends on the seed alone.
///
/// Linear layers (some with the weights of others, or their transposes), residual sums, gates, concatenations, slices,
/// reshapes, permutations, attention with one or several heads, normalizations, softmax, reductions, and now and then
/// what depends on the order of an axis.
#[derive(Module, Debug)]
pub struct RandomNet {
    matrices: Vec<Param<Tensor<2>>>,
    vectors: Vec<Param<Tensor<1>>>,
    #[module(skip)]
    steps: Vec<Step>,
    /// The tensors that the outputs consist of.
    #[module(skip)]
    outputs: Vec<usize>,
    #[module(skip)]
    seed: u64,
}

impl RandomNet {
    /// The network of this seed.
    pub fn new(seed: u64, device: &Device) -> Self {
        let Plan {
            matrices,
            vectors,
            steps,
            outputs,
        } = Generator::new(seed).plan();
        let mut draws = Draws::new(seed ^ VALUES);
        let matrices = matrices.into_iter().map(|[from, to]| {
            let size = 1.0 / (from as f64).sqrt();
            let values: Vec<f64> = (0..from * to).map(|_| size * draws.normal()).collect();
            let data = TensorData::new(values, [from, to]);
            Param::from_tensor(Tensor::<2>::from_data(data, device))
        });
        let matrices = matrices.collect();
        let vectors = vectors.into_iter().map(|vector| {
            let center = if vector.is_gain { 1.0 } else { 0.0 };
            let values: Vec<f64> = (0..vector.length)
                .map(|_| center + 0.3 * draws.normal())
                .collect();
            let data = TensorData::new(values, [vector.length]);
            Param::from_tensor(Tensor::<1>::from_data(data, device))
        });
        let vectors = vectors.collect();
        Self {
            matrices,
            vectors,
            steps,
            outputs,
            seed,
        }
    }

    /// An input, `[2, 3, 4]`.
    pub fn input(&self, device: &Device) -> Tensor<3> {
        let mut draws = Draws::new(!self.seed);
        let count: usize = INPUT.iter().product();
        let values: Vec<f64> = (0..count).map(|_| draws.normal()).collect();
        Tensor::from_data(TensorData::new(values, INPUT), device)
    }

    /// The outputs, `[2, n]`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<2> {
        let mut pool = inputs(x);
        for step in &self.steps {
            let made = self.made(*step, &pool);
            pool.push(made);
        }
        let parts = self.outputs.iter().map(|&index| {
            let part = pool[index].clone();
            let [batch, groups, places, features] = part.dims();
            part.reshape([batch, groups * places * features])
        });
        Tensor::cat(parts.collect(), 1)
    }

    fn vector(&self, index: usize) -> Tensor<1> {
        self.vectors[index].val()
    }

    fn made(&self, step: Step, pool: &[Tensor<4>]) -> Tensor<4> {
        let at = |index: usize| pool[index].clone();
        match step {
            Step::Linear {
                of,
                weight,
                transposed,
                bias,
                product,
            } => {
                let weight = self.matrices[weight].val();
                let weight = if transposed {
                    weight.transpose()
                } else {
                    weight
                };
                let bias = bias.map(|bias| self.vector(bias));
                multiplied(at(of), weight, bias, product)
            }
            Step::Unary { of, kind } => unary(at(of), kind),
            Step::Binary { left, right, kind } => binary(at(left), at(right), kind),
            Step::Cat { left, right, axis } => Tensor::cat(vec![at(left), at(right)], axis),
            Step::Slice {
                of,
                axis,
                start,
                length,
            } => at(of).narrow(axis, start, length),
            Step::Reshape { of, shape } => at(of).reshape(shape),
            Step::Permute { of, axes } => at(of).permute(axes),
            Step::Matmul {
                left,
                right,
                transposed,
            } => {
                let (left, right) = (at(left), at(right));
                let right = if transposed { right.transpose() } else { right };
                let size = 1.0 / (left.dims()[3] as f64).sqrt();
                left.matmul(right).mul_scalar(size)
            }
            Step::Softmax { of, axis } => softmax(at(of), axis),
            Step::Norm {
                of,
                gain,
                shift,
                is_whole,
            } => normalized(at(of), self.vector(gain), self.vector(shift), is_whole),
            Step::Reduce { of, axis, kind } => match kind {
                Reduction::Sum => at(of).sum_dim(axis),
                Reduction::Mean => at(of).mean_dim(axis),
                Reduction::Max => at(of).max_dim(axis),
            },
            Step::Repeat { of, axis, times } => repeated(at(of), axis, times),
            Step::Place {
                of,
                axis,
                before,
                after,
            } => placed(at(of), axis, before, after),
            Step::Ordered { of, axis, kind } => match kind {
                Ordered::CumSum => at(of).cumsum(axis),
                Ordered::Flip => at(of).flip([axis]),
                Ordered::Sort => at(of).sort(axis),
            },
        }
    }
}

/// The shapes of what [`inputs`] returns.
const INPUTS: [Shape; 3] = [
    [INPUT[0], 1, INPUT[1], INPUT[2]],
    [INPUT[0], 1, 1, INPUT[2]],
    [INPUT[0], 1, 1, INPUT[1] * INPUT[2]],
];

/// All places, the first place, and all places as features.
fn inputs(x: Tensor<3>) -> Vec<Tensor<4>> {
    let [all, first, flat] = INPUTS;
    vec![
        x.clone().reshape(all),
        x.clone().narrow(1, 0, 1).reshape(first),
        x.reshape(flat),
    ]
}

fn multiplied(
    x: Tensor<4>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    product: Product,
) -> Tensor<4> {
    let y = match product {
        Product::Layer => return linear(x, weight, bias),
        Product::Batched => x.matmul(weight.unsqueeze::<4>()),
        Product::Rows => {
            let [batch, groups, places, from] = x.dims();
            let to = weight.dims()[1];
            let rows: Tensor<2> = x.reshape([batch * groups * places, from]);
            rows.matmul(weight).reshape([batch, groups, places, to])
        }
    };
    match bias {
        Some(bias) => y + bias.unsqueeze::<4>(),
        None => y,
    }
}

fn unary(x: Tensor<4>, kind: Unary) -> Tensor<4> {
    match kind {
        Unary::Relu => relu(x),
        Unary::Tanh => x.tanh(),
        Unary::Sigmoid => sigmoid(x),
        Unary::Gelu => gelu(x),
        Unary::Square => x.square(),
        Unary::Affine => x.mul_scalar(0.7).add_scalar(0.3),
    }
}

fn binary(left: Tensor<4>, right: Tensor<4>, kind: Binary) -> Tensor<4> {
    match kind {
        Binary::Add => left + right,
        Binary::Sub => left - right,
        Binary::Mul => left * right,
        Binary::Max => left.max_pair(right),
    }
}

fn normalized(x: Tensor<4>, gain: Tensor<1>, shift: Tensor<1>, is_whole: bool) -> Tensor<4> {
    if is_whole {
        return layer_norm(x, gain, Some(shift), EPSILON);
    }
    let centered = x.clone() - x.mean_dim(3);
    let variance = centered.clone().square().mean_dim(3);
    let normal = centered / variance.add_scalar(EPSILON).sqrt();
    normal * gain.unsqueeze::<4>() + shift.unsqueeze::<4>()
}

fn repeated(x: Tensor<4>, axis: usize, times: usize) -> Tensor<4> {
    let mut shape = x.dims();
    if shape[axis] == 1 {
        shape[axis] = times;
        x.expand::<4, _>(shape)
    } else {
        x.repeat_dim(axis, times)
    }
}

fn placed(x: Tensor<4>, axis: usize, before: usize, after: usize) -> Tensor<4> {
    let own = x.dims();
    let mut shape = own;
    shape[axis] += before + after;
    let ranges: [Range<usize>; 4] = std::array::from_fn(|index| {
        if index == axis {
            before..before + own[index]
        } else {
            0..own[index]
        }
    });
    Tensor::<4>::zeros(shape, &x.device()).slice_assign(ranges, x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(net: &RandomNet) -> Vec<f64> {
        let device = Device::flex();
        let data = net.forward(net.input(&device)).into_data();
        data.iter::<f64>().collect()
    }

    #[test]
    fn programs_run_and_depend_on_nothing_but_their_seed() {
        let device = Device::flex();
        let mut steps = 0;
        for seed in 0..200 {
            let found = numbers(&RandomNet::new(seed, &device));
            assert!(found.iter().all(|x| x.is_finite()), "{seed}: {found:?}");
            let net = RandomNet::new(seed, &device);
            assert_eq!(found, numbers(&net), "{seed}");
            steps += net.steps.len();
        }
        assert!(steps > 200 * 8, "{steps} steps");
        let others = [3, 4].map(|seed| numbers(&RandomNet::new(seed, &device)));
        assert_ne!(others[0], others[1]);
    }
}
