use burn::backend::AutodiffBackend;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, binary, unary};
use burn::backend::ops::FloatTensorOps;
use burn::tensor::{DType, Shape, Tensor};

use super::fields::{self, Pullback};
use super::inputs::Leaf;
use crate::LinearizeError;
use crate::derive::Derivative;
use crate::error::{Place, fail};
use crate::record::{AC, C, Symbol, is_recording};

/// A function of the rows of a batch, `u = f(x)`, with its derivatives by `x`, inside a loss that is recorded.
///
/// `x` has the shape `[n, …]` and a float type. For partial derivatives, gradients, Jacobians, divergences and Laplacians, row `i` of `u`
/// must depend on row `i` of `x` only; a function that mixes rows is refused. All derivatives are exact, and depend on
/// the parameters that `f` uses: the gradient of a loss of them is exact as well, and so are its Hessian products.
///
/// A field exists while a loss is recorded: in a [`GradientTrace`](crate::GradientTrace), in all measurements of
/// curvature, and in a loss that `burnscape::loss::Recorded` wraps. `f` may contain fields itself.
///
/// # Derivatives and the graph
///
/// A derivative is that of what `f` computes. In it, [`detach`](Tensor::detach) inside of `f` has no effect: to hold a
/// tensor fixed, detach the derivative, or compute the tensor outside of `f`.
///
/// At kinks (ReLU at zero, maxima) derivatives take the side of Burn's backward pass; second derivatives of piecewise
/// linear functions are zero.
///
/// # Panics
///
/// Methods cannot return an error into a loss: where they refuse, they end the recording with a
/// [`LinearizeError`], which the caller of the loss returns.
#[derive(Debug, Clone)]
pub struct Field<const D: usize, const E: usize> {
    x: Tensor<D>,
    value: Tensor<E>,
}

impl<const D: usize, const E: usize> Field<D, E> {
    /// The field `f` at `x`.
    pub fn new(x: Tensor<D>, f: impl FnOnce(Tensor<D>) -> Tensor<E>) -> Self {
        if !is_recording(&x.device()) {
            fail(match fields::is_open() {
                true => foreign("Field::new"),
                false => LinearizeError::NotRecorded,
            });
        }
        let x = copied(x);
        let value = f(x.clone());
        // A value that was not recorded has no derivatives.
        Operand::of(value.clone(), "Field::new");
        Self { x, value }
    }

    /// The value `u`.
    pub fn value(&self) -> Tensor<E> {
        self.value.clone()
    }

    /// The directional derivative `Σ ∂u/∂x · v`, of the shape of `u`: the Jacobian times a vector.
    pub fn jvp(&self, v: Tensor<D>) -> Tensor<E> {
        let v = operand("the direction of `Field::jvp`", v, &self.x, "Field::jvp");
        self.derivative(Derivative::Jvp, Some(v), self.value.shape())
    }

    /// The vector-Jacobian product `Σ c · ∂u/∂x`, of the shape of `x`.
    pub fn vjp(&self, c: Tensor<E>) -> Tensor<D> {
        let c = operand(
            "the cotangent of `Field::vjp`",
            c,
            &self.value,
            "Field::vjp",
        );
        self.derivative(Derivative::Vjp, Some(c), self.x.shape())
    }

    /// The gradient by `x` of a field with one number a row, of the shape of `x`.
    pub fn gradient(&self) -> Tensor<D> {
        let rows = self.x.shape()[0];
        let shape = self.value.shape();
        // Not the number of elements, which is zero in an empty batch whatever the width.
        if shape[0] != rows || shape[1..].iter().product::<usize>() != 1 {
            fail(LinearizeError::Mismatch {
                what: "the gradient of a field".into(),
                expected: format!("one number for each of the {rows} rows"),
                found: format!("shape {:?}", self.value.shape().as_slice()),
            });
        }
        self.derivative(Derivative::Gradient, None, self.x.shape())
    }

    fn derivative<const F: usize>(
        &self,
        what: Derivative,
        operand: Option<Operand>,
        shape: Shape,
    ) -> Tensor<F> {
        let [x, u] = [
            Operand::of(self.x.clone(), "Field"),
            Operand::of(self.value.clone(), "Field"),
        ];
        match derived(what, &x, &u, operand, shape) {
            Ok(Operand::Tracked(leaf)) => Tensor::from_primitive::<AC>(leaf),
            Ok(Operand::Plain(symbol)) => Tensor::from_primitive::<C>(symbol),
            Err(error) => fail(error),
        }
    }
}

impl<const E: usize> Field<2, E> {
    /// The partial derivative by columns of `x` `[n, d]`, one after another: `partial(&[0, 0, 1])` is
    /// `∂³u/∂x₀²∂x₁`. It has the shape of `u`; the order is one to four.
    pub fn partial(&self, columns: &[usize]) -> Tensor<E> {
        let width = self.x.shape()[1];
        if !(1..=4).contains(&columns.len()) {
            fail(LinearizeError::Mismatch {
                what: "the order of a partial derivative".into(),
                expected: "1 to 4".into(),
                found: columns.len().to_string(),
            });
        }
        if let Some(column) = columns.iter().find(|column| **column >= width) {
            fail(LinearizeError::Mismatch {
                what: "a column of a partial derivative".into(),
                expected: format!("below {width}"),
                found: column.to_string(),
            });
        }
        // Partial derivatives commute: equal ones are computed once.
        let mut columns = columns.to_vec();
        columns.sort_unstable();
        self.derivative(Derivative::Partial(columns), None, self.value.shape())
    }

    /// The Laplacian `Σ_i ∂²u/∂x_i²` over the columns of `x` `[n, d]`, of the shape of `u`.
    pub fn laplacian(&self) -> Tensor<E> {
        self.derivative(Derivative::Laplacian, None, self.value.shape())
    }
}

impl Field<2, 2> {
    /// The Jacobian of each row, `[n, outputs, inputs]`.
    pub fn jacobian(&self) -> Tensor<3> {
        let [x, u] = [self.x.shape(), self.value.shape()];
        self.derivative(Derivative::Jacobian, None, Shape::from([x[0], u[1], x[1]]))
    }

    /// The divergence `Σ_i ∂u_i/∂x_i` of a field with as many outputs as inputs, `[n, 1]`.
    pub fn divergence(&self) -> Tensor<2> {
        let [x, u] = [self.x.shape(), self.value.shape()];
        if x[1] != u[1] {
            fail(LinearizeError::Mismatch {
                what: "the divergence of a field".into(),
                expected: format!("as many outputs as inputs, {}", x[1]),
                found: u[1].to_string(),
            });
        }
        self.derivative(Derivative::Divergence, None, Shape::from([x[0], 1]))
    }
}

/// A tensor on the recording device, on autodiff or off it.
#[derive(Clone)]
enum Operand {
    Tracked(Leaf),
    Plain(Symbol),
}

impl Operand {
    /// `call` is the method that the tensor was passed to.
    fn of<const D: usize>(tensor: Tensor<D>, call: &str) -> Self {
        if let Ok(leaf) = tensor.clone().try_into_primitive::<AC>() {
            return Self::Tracked(leaf);
        }
        match tensor.try_into_primitive::<C>() {
            Ok(symbol) => Self::Plain(symbol),
            Err(_) => fail(foreign(call)),
        }
    }

    fn symbol(&self) -> Symbol {
        match self {
            Self::Tracked(leaf) => leaf.primitive().clone(),
            Self::Plain(symbol) => symbol.clone(),
        }
    }
}

/// The operand of a derivative, which has the shape and the element type of `like`.
fn operand<const D: usize>(what: &str, tensor: Tensor<D>, like: &Tensor<D>, call: &str) -> Operand {
    let described = |tensor: &Tensor<D>| (tensor.shape(), tensor.dtype());
    let [found, expected] = [described(&tensor), described(like)];
    // First, since a tensor of another device may have another type as well.
    let operand = Operand::of(tensor, call);
    if found != expected {
        let words = |(shape, dtype): (Shape, DType)| format!("{:?} {dtype:?}", shape.as_slice());
        fail(LinearizeError::Mismatch {
            what: what.into(),
            expected: words(expected),
            found: words(found),
        });
    }
    operand
}

fn foreign(call: &str) -> LinearizeError {
    LinearizeError::ForeignTensor {
        place: Place {
            call: Some(call.into()),
            at: None,
        },
    }
}

/// The tensor under a name of its own, so that derivatives are by this occurrence of it only.
fn copied<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let shape = x.shape();
    let copy = |symbol: Symbol| C::float_reshape(symbol, shape.clone());
    match Operand::of(x, "Field::new") {
        Operand::Plain(symbol) => Tensor::from_primitive::<C>(copy(symbol)),
        Operand::Tracked(leaf) => {
            let (symbol, node) = leaf.into_parts();
            let symbol = copy(symbol);
            let same = Same.prepare::<NoCheckpointing>([node]).compute_bound();
            Tensor::from_primitive::<AC>(match same.stateful() {
                OpsKind::Tracked(same) => same.finish((), symbol),
                OpsKind::UnTracked(same) => same.finish(symbol),
            })
        }
    }
}

/// The identity.
#[derive(Debug)]
struct Same;

impl Backward<C, 1> for Same {
    type State = ();

    fn backward(self, ops: Ops<(), 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        unary::<C, _>(ops.parents, ops.node, gradients, |above| above);
    }
}

/// Records the request of a derivative, and makes its result a function of everything that it depends on: `x`, the
/// operand, and the trained parameters.
fn derived(
    what: Derivative,
    x: &Operand,
    u: &Operand,
    operand: Option<Operand>,
    shape: Shape,
) -> Result<Operand, LinearizeError> {
    let (result, leaves) = fields::request(
        what,
        &x.symbol(),
        &u.symbol(),
        operand.as_ref().map(Operand::symbol).as_ref(),
        shape,
    )?;
    let is_plain = |operand: &Operand| matches!(operand, Operand::Plain(_));
    if is_plain(u) && is_plain(x) && operand.as_ref().is_none_or(is_plain) {
        return Ok(Operand::Plain(result));
    }
    let mut parents = leaves;
    for operand in [Some(x.clone()), operand].into_iter().flatten() {
        if let Operand::Tracked(leaf) = operand {
            parents.push(leaf);
        }
    }
    let symbols = parents.iter().map(|leaf| leaf.primitive().clone());
    let pullback = Pullback::new(&result, symbols.collect());
    let mut all: Leaf = AC::from_inner(result);
    for (index, parent) in parents.iter().enumerate() {
        let (symbol, node) = all.into_parts();
        let pull = Pull.prepare::<NoCheckpointing>([node, parent.node()]);
        all = match pull.compute_bound().stateful() {
            OpsKind::Tracked(pull) => pull.finish((pullback.clone(), index), symbol),
            OpsKind::UnTracked(pull) => pull.finish(symbol),
        };
    }
    Ok(Operand::Tracked(all))
}

/// The identity in a derivative, with its pullback to one of the tensors that it was computed from.
#[derive(Debug)]
struct Pull;

impl Backward<C, 2> for Pull {
    type State = (Pullback, usize);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (pullback, index) = ops.state;
        binary::<C, _, _>(
            ops.parents,
            ops.node,
            gradients,
            |above| above,
            |above| pullback.of(&above, index),
        );
    }
}
