//! The programs of `golden/scripts/zeros.py`: the same numbers in the same order decide the same.

use burn::module::{Module, Param};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};

const VALUES: &[f64] = &[-2.0, -1.0, 0.0, 0.0, 1.0, 2.0, 3.0];
const DIRECTIONS: &[f64] = &[-2.0, -1.0, 1.0, 2.0];

/// The kinds of zeros among the factors of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Weights,
    Relu,
    Mask,
    Gate,
    Padding,
}

/// Two matrices of parameters.
#[derive(Module, Debug)]
pub(crate) struct Pair {
    pub(crate) w: Param<Tensor<2>>,
    pub(crate) s: Param<Tensor<2>>,
}

/// SplitMix64.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    fn values(&mut self, of: &[f64], len: usize) -> Vec<f64> {
        (0..len).map(|_| of[self.below(of.len())]).collect()
    }
}

/// A program: what its loss is made of, the point and two directions.
pub(crate) struct Program {
    pub(crate) kind: Kind,
    pub(crate) shape: [usize; 2],
    pub(crate) point: [Vec<f64>; 2],
    slope: Vec<f64>,
    shift: Vec<f64>,
    mask: Vec<f64>,
    first: usize,
    second: Option<usize>,
    is_mixed: bool,
    weights: Vec<f64>,
    /// Both parameters one after the other.
    pub(crate) directions: [Vec<f64>; 2],
}

impl Program {
    pub(crate) fn new(index: usize) -> Self {
        let mut draws = Draws(index as u64);
        let kinds = [
            Kind::Weights,
            Kind::Relu,
            Kind::Mask,
            Kind::Gate,
            Kind::Padding,
        ];
        let kind = kinds[index % 5];
        let (rows, columns) = (2 + draws.below(2), 2 + draws.below(3));
        let len = rows * columns;
        let point = [draws.values(VALUES, len), draws.values(VALUES, len)];
        let slope = draws.values(&[-1.0, 1.0, 1.0, 2.0], len);
        let shift = draws.values(&[0.0, 0.0, 0.0, 1.0, -1.0], len);
        let mask = draws.values(&[0.0, 1.0, 1.0], len);
        let (first, second) = (draws.below(5), draws.below(5));
        let (is_twice, is_mixed) = (draws.below(2) == 1, draws.below(2) == 1);
        let shape = [rows, columns];
        let weights = draws.values(DIRECTIONS, rows * width(kind, shape));
        let directions = [
            draws.values(DIRECTIONS, 2 * len),
            draws.values(DIRECTIONS, 2 * len),
        ];
        Self {
            kind,
            shape,
            point,
            slope,
            shift,
            mask,
            first,
            second: is_twice.then_some(second),
            is_mixed,
            weights,
            directions,
        }
    }

    /// The parameters at the point, moved along a direction.
    pub(crate) fn pair(&self, direction: &[f64], scale: f64, device: &Device) -> Pair {
        let len = self.point[0].len();
        let part = |index: usize| {
            let along = &direction[index * len..][..len];
            let moved = self.point[index].iter().zip(along);
            let moved: Vec<f64> = moved.map(|(x, d)| x + scale * d).collect();
            Param::from_tensor(Tensor::from_data(
                TensorData::new(moved, self.shape),
                device,
            ))
        };
        Pair {
            w: part(0),
            s: part(1),
        }
    }

    pub(crate) fn loss(&self, pair: &Pair) -> Tensor<1> {
        let (w, s) = (pair.w.val(), pair.s.val());
        let device = w.device();
        let constant = |x: &[f64], shape: [usize; 2]| {
            Tensor::<2>::from_data(TensorData::new(x.to_vec(), shape), &device)
        };
        let scaled = w.clone() * constant(&self.slope, self.shape);
        let shifted = || scaled.clone() + constant(&self.shift, self.shape);
        let x = match self.kind {
            Kind::Weights => shifted(),
            // A half keeps it off the kink.
            Kind::Relu => relu(shifted() + 0.5),
            Kind::Mask => shifted() * constant(&self.mask, self.shape),
            Kind::Gate => w * s.clone(),
            Kind::Padding => padded(scaled.clone()),
        };
        let y = product(x, self.first);
        let [rows, columns] = y.dims();
        let gate = match self.kind {
            Kind::Padding => padded(s),
            _ => s,
        };
        let gate = gate.slice([0..rows, 0..columns]);
        let mut y = match self.is_mixed {
            true => y * gate,
            false => y + gate,
        };
        if let Some(second) = self.second {
            y = product(y, second);
        }
        let [rows, columns] = y.dims();
        let weights = constant(&self.weights, [self.shape[0], width(self.kind, self.shape)]);
        (y * weights.slice([0..rows, 0..columns])).sum()
    }
}

fn width(kind: Kind, [_, columns]: [usize; 2]) -> usize {
    columns + usize::from(kind == Kind::Padding)
}

fn padded(x: Tensor<2>) -> Tensor<2> {
    let zeros = Tensor::zeros([x.dims()[0], 1], &x.device());
    Tensor::cat(vec![x, zeros], 1)
}

fn product(x: Tensor<2>, kind: usize) -> Tensor<2> {
    match kind {
        0 => {
            let columns = x.dims()[1];
            x.slice([0..1, 0..columns]).prod().reshape([1, 1])
        }
        1 | 2 => x.prod_dim(kind - 1),
        _ => x.cumprod(kind - 3),
    }
}
