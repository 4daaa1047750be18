//! Random programs that are differentiated twice by their inputs, from a seed.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};
use burnscape_linearize::Field;
use burnscape_testkit::double::device;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::evaluated::tensor;
use super::steps::{STEPS, WIDTH};

/// What is asked of a field `u = f(x)`: two derivatives by the input, one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Request {
    Partial,
    Laplacian,
    JvpOfJvp,
    JvpOfVjp,
    VjpOfJvp,
    PartialOfJacobian,
    GradientOfDivergence,
    JvpOfGradient,
    VjpOfGradient,
    GradientOfPartial,
    JacobianOfGradient,
    DivergenceOfGradient,
}

pub(crate) const REQUESTS: [Request; 12] = [
    Request::Partial,
    Request::Laplacian,
    Request::JvpOfJvp,
    Request::JvpOfVjp,
    Request::VjpOfJvp,
    Request::PartialOfJacobian,
    Request::GradientOfDivergence,
    Request::JvpOfGradient,
    Request::VjpOfGradient,
    Request::GradientOfPartial,
    Request::JacobianOfGradient,
    Request::DivergenceOfGradient,
];

/// The parameters: two matrices and offsets for the first values, a last matrix, a shift of the input and a scale of
/// the direction, and those of the layers.
#[derive(Module, Debug)]
pub(crate) struct Net {
    pub(crate) all: Vec<Param<Tensor<2>>>,
}

struct Link {
    step: usize,
    /// Counted from the last value backwards.
    late: usize,
    other: usize,
}

/// A program with a point and directions.
pub(crate) struct Program {
    pub(crate) request: Request,
    pub(crate) rows: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// The columns of partial derivatives.
    pub(crate) columns: [usize; 2],
    pub(crate) x: Vec<f64>,
    /// Directions in the shape of the input.
    pub(crate) directions: [Vec<f64>; 2],
    /// In the shape of what is pulled back.
    pub(crate) cotangent: Vec<f64>,
    /// Whether the input and the first direction depend on parameters.
    pub(crate) is_moved: bool,
    pub(crate) shapes: Vec<[usize; 2]>,
    pub(crate) parameters: Vec<Vec<f64>>,
    pub(crate) is_frozen: Vec<bool>,
    links: Vec<Link>,
    weights: Vec<f64>,
}

/// The last matrix, which is always trained.
const LAST: usize = 4;
/// The parameters before those of the layers.
const FIRST: usize = 7;

fn draws(rng: &mut StdRng, len: usize, size: f64) -> Vec<f64> {
    (0..len).map(|_| rng.random_range(-size..size)).collect()
}

impl Program {
    pub(crate) fn new(index: usize) -> Self {
        let mut rng = StdRng::seed_from_u64(index as u64);
        let request = REQUESTS[index % REQUESTS.len()];
        let (rows, inputs) = (rng.random_range(1..4), rng.random_range(1..4));
        let outputs = match request {
            Request::GradientOfDivergence => inputs,
            request if request >= Request::JvpOfGradient => 1,
            _ => rng.random_range(1..4),
        };
        let links = (0..rng.random_range(2..6)).map(|made| Link {
            step: rng.random_range(0..STEPS.len()),
            late: rng.random_range(0..2),
            other: rng.random_range(0..made + 2),
        });
        let links: Vec<Link> = links.collect();
        let mut shapes = vec![
            [inputs, WIDTH],
            [1, WIDTH],
            [inputs, WIDTH],
            [1, WIDTH],
            [WIDTH, outputs],
            [1, inputs],
            [1, inputs],
        ];
        for link in &links {
            shapes.extend(STEPS[link.step].parameters);
        }
        let sizes = shapes.iter().map(|[rows, columns]| rows * columns);
        let parameters = sizes.map(|len| draws(&mut rng, len, 0.8)).collect();
        let of_input = rows * inputs;
        let cotangent = match request {
            Request::VjpOfGradient => of_input,
            _ => rows * outputs,
        };
        Self {
            x: draws(&mut rng, of_input, 1.0),
            directions: [
                draws(&mut rng, of_input, 1.0),
                draws(&mut rng, of_input, 1.0),
            ],
            cotangent: draws(&mut rng, cotangent, 1.0),
            weights: draws(&mut rng, rows * outputs.max(inputs) * inputs, 1.0),
            is_frozen: (0..shapes.len())
                .map(|index| index != LAST && rng.random_bool(0.15))
                .collect(),
            is_moved: rng.random_bool(0.5),
            columns: [rng.random_range(0..inputs), rng.random_range(0..inputs)],
            request,
            rows,
            inputs,
            outputs,
            links,
            shapes,
            parameters,
        }
    }

    /// The layers by name.
    pub(crate) fn layers(&self) -> Vec<&'static str> {
        self.links
            .iter()
            .map(|link| STEPS[link.step].name)
            .collect()
    }

    pub(crate) fn net(&self) -> Net {
        let all = self.shapes.iter().zip(&self.parameters);
        let all = all.zip(&self.is_frozen);
        let device = device().autodiff();
        let all = all.map(|((shape, numbers), is_frozen)| {
            let numbers = TensorData::new(numbers.clone(), *shape);
            Param::from_tensor(Tensor::from_data(numbers, &device)).set_require_grad(!is_frozen)
        });
        Net { all: all.collect() }
    }

    pub(crate) fn field(&self, net: &Net, x: Tensor<2>) -> Tensor<2> {
        let of = |index: usize| net.all[index].val();
        let mut values = vec![
            x.clone().matmul(of(0)) + of(1),
            (x.matmul(of(2)) + of(3)).tanh(),
        ];
        let mut next = FIRST;
        for link in &self.links {
            let step = &STEPS[link.step];
            let own: Vec<Tensor<2>> = (next..next + step.parameters.len()).map(of).collect();
            next += own.len();
            let late = values[values.len() - 1 - link.late].clone();
            let other = values[link.other].clone();
            values.push((step.apply)(late, other, &own));
        }
        let last = values.swap_remove(values.len() - 1);
        last.matmul(of(LAST))
    }

    /// The input and the first direction that a loss uses.
    pub(crate) fn moved(&self, net: &Net, [x, v]: [Tensor<2>; 2]) -> [Tensor<2>; 2] {
        match self.is_moved {
            true => [x + net.all[5].val(), v * net.all[6].val()],
            false => [x, v],
        }
    }

    /// The input, both directions and the cotangent.
    pub(crate) fn batch(&self) -> Vec<Tensor<2>> {
        let like_input = |numbers: &[f64]| tensor(numbers, [self.rows, self.inputs]);
        let [v, w] = &self.directions;
        let width = self.cotangent.len() / self.rows;
        vec![
            like_input(&self.x),
            like_input(v),
            like_input(w),
            tensor(&self.cotangent, [self.rows, width]),
        ]
    }

    /// The second derivative, `[n, …]` with all axes after the first as one.
    pub(crate) fn derivative(&self, net: &Net, batch: &[Tensor<2>]) -> Tensor<2> {
        let [x, v, w, c] = [0, 1, 2, 3].map(|index| batch[index].clone());
        let [x, v] = self.moved(net, [x, v]);
        let u = |x: Tensor<2>| Field::new(x, |x| self.field(net, x));
        let [i, j] = self.columns;
        let flat = |all: Tensor<3>| {
            let [rows, inner, last] = all.dims();
            all.reshape([rows, inner * last])
        };
        match self.request {
            Request::Partial => u(x).partial(&[i, j]),
            Request::Laplacian => u(x).laplacian(),
            Request::JvpOfJvp => Field::new(x, |x| u(x).jvp(v)).jvp(w),
            Request::JvpOfVjp => Field::new(x, |x| u(x).vjp(c)).jvp(v),
            Request::VjpOfJvp => Field::new(x, |x| u(x).jvp(v)).vjp(c),
            Request::PartialOfJacobian => flat(Field::new(x, |x| u(x).jacobian()).partial(&[i])),
            Request::GradientOfDivergence => Field::new(x, |x| u(x).divergence()).gradient(),
            Request::JvpOfGradient => Field::new(x, |x| u(x).gradient()).jvp(v),
            Request::VjpOfGradient => Field::new(x, |x| u(x).gradient()).vjp(c),
            Request::GradientOfPartial => Field::new(x, |x| u(x).partial(&[i])).gradient(),
            Request::JacobianOfGradient => flat(Field::new(x, |x| u(x).gradient()).jacobian()),
            Request::DivergenceOfGradient => Field::new(x, |x| u(x).gradient()).divergence(),
        }
    }

    /// A loss of the second derivative and of the value.
    pub(crate) fn loss(&self, net: &Net, batch: &[Tensor<2>]) -> Tensor<1> {
        let derivative = self.derivative(net, batch);
        let [rows, width] = derivative.dims();
        let weights = &self.weights[..rows * width];
        let weights = TensorData::new(weights.to_vec(), [rows, width]);
        let weights = Tensor::from_data(weights, &batch[0].device());
        let value = self.field(net, batch[0].clone());
        (derivative.clone() * weights + derivative.square() * 0.1).sum() + value.sin().mean()
    }

    /// The field without a recording, moved along a direction of the input.
    pub(crate) fn value(&self, net: &Net, direction: &[f64], step: f64) -> Vec<f64> {
        let moved = self.x.iter().zip(direction).map(|(x, d)| x + step * d);
        let shape = [self.rows, self.inputs];
        let x = tensor(&moved.collect::<Vec<_>>(), shape);
        let [x, _] = self.moved(net, [x.clone(), x]);
        super::evaluated::numbers(self.field(net, x))
    }

    /// The first direction that a loss uses, as numbers.
    pub(crate) fn first_direction(&self) -> Vec<f64> {
        let scale = &self.parameters[6];
        let direction = self.directions[0].iter().enumerate();
        let scaled = direction.map(|(index, v)| match self.is_moved {
            true => v * scale[index % self.inputs],
            false => *v,
        });
        scaled.collect()
    }

    /// The network off autodiff.
    pub(crate) fn plain(&self) -> Net {
        self.net().valid()
    }
}
