//! Burn's backward passes of `prod`, `prod_dim` and `cumprod`, found in what was recorded.
//!
//! They tell factors that are zero from others by masks, which is right for a gradient and nothing that can
//! be differentiated: a mask does not move, so that the derivative of what was recorded is wrong wherever a
//! factor is exactly zero. Burn's own code is recorded alone, for the same shape, and looked up in the program
//! step by step; what it computes is then made of [products](super::products) without division.

use burn::backend::ops::FloatTensorOps;
use burn::backend::{AutodiffBackend, TensorMetadata};
use burn::tensor::DeviceSettings;
use burn_capture::CaptureDevice;
use burn_ir::{
    BaseOperationIr as Base, NumericOperationIr as Numeric, OperationIr, TensorId, TensorIr,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::LinearizeError;
use super::lifter::{AC, C};
use super::merge::{Key, key};
use super::products::{cumulative_backward, exclusive};
use super::program::{Program, Rename};
use super::recording::{Symbol, completed, record};
use super::trace::{port, unique};

/// The backward passes of products in a program, by the tensor in which they end.
#[derive(Default)]
pub(crate) struct ProductBackward {
    found: FxHashMap<TensorId, Found>,
}

/// One of them.
struct Found {
    product: Product,
    /// For running products, the gradient that comes in. Of a product there is only what its factors'
    /// gradients are multiplied by.
    gradient: Option<TensorIr>,
    out: TensorIr,
}

impl ProductBackward {
    /// Those of a program. Nothing is looked for where nothing is multiplied up.
    pub(crate) fn of(program: &Program, settings: DeviceSettings) -> Result<Self, LinearizeError> {
        let forward: Vec<Product> = program.operations.iter().filter_map(Product::of).collect();
        let mut all = Self::default();
        if forward.is_empty() {
            return Ok(all);
        }
        // The forward pass may be gone where nothing needs its value; a comparison with zero is left.
        let compared = program.operations.iter().filter_map(|op| match op {
            OperationIr::BaseFloat(Base::EqualElem(o)) => Some(&o.lhs),
            _ => None,
        });
        let compared: Vec<&TensorIr> = compared.collect();
        let lookup = Lookup::of(program);
        let mut patterns: Vec<(Product, Pattern)> = Vec::new();
        for own in &forward {
            let others = compared.iter().filter(|x| own.fits(x)).map(|x| Product {
                kind: own.kind,
                factors: (*x).clone(),
            });
            for product in [own.clone()].into_iter().chain(others) {
                let is_known = |(known, _): &(Product, Pattern)| {
                    known.kind == product.kind && known.fits(&product.factors)
                };
                let index = match patterns.iter().position(is_known) {
                    Some(index) => index,
                    None => {
                        let pattern = Pattern::of(&product, settings)?;
                        patterns.push((product.clone(), pattern));
                        patterns.len() - 1
                    }
                };
                let found = patterns[index].1.matches(&product, &lookup);
                all.found
                    .extend(found.into_iter().map(|found| (found.out.id, found)));
            }
        }
        Ok(all)
    }

    /// Whether the operation ends one of them.
    pub(crate) fn ends_with(&self, operation: &OperationIr) -> bool {
        !self.found.is_empty() && self.ended(operation).is_some()
    }

    /// The result of an operation that ends one of them, and how it is recorded instead.
    pub(crate) fn written(
        &self,
        operation: &OperationIr,
        symbol: impl Fn(&TensorIr) -> Symbol,
        device: &CaptureDevice,
    ) -> Option<(TensorIr, Symbol)> {
        if self.found.is_empty() {
            return None;
        }
        let Found {
            product,
            gradient,
            out,
        } = self.ended(operation)?;
        let x = symbol(&product.factors);
        let result = match (product.kind, gradient) {
            (Kind::Running(axis), Some(gradient)) => cumulative_backward(x, symbol(gradient), axis),
            (Kind::Along(axis), _) | (Kind::Running(axis), None) => exclusive(x, axis, device),
            (Kind::All, _) => exclusive_of_all(x, device),
        };
        Some((out.clone(), result))
    }

    fn ended(&self, operation: &OperationIr) -> Option<&Found> {
        let mut outputs = operation.outputs();
        outputs.find_map(|out| self.found.get(&out.id))
    }
}

/// `Π_{j ≠ i} x_j` over all elements.
pub(crate) fn exclusive_of_all(x: Symbol, device: &CaptureDevice) -> Symbol {
    let shape = x.shape();
    let flat = C::float_reshape(x, [shape.num_elements()].into());
    C::float_reshape(exclusive(flat, 0, device), shape)
}

/// A product with its factors.
#[derive(Clone, PartialEq)]
struct Product {
    kind: Kind,
    factors: TensorIr,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    All,
    Along(usize),
    Running(usize),
}

impl Product {
    /// Whether a tensor is of the shape and the type of the factors.
    fn fits(&self, tensor: &TensorIr) -> bool {
        tensor.shape == self.factors.shape && tensor.dtype == self.factors.dtype
    }

    fn of(operation: &OperationIr) -> Option<Self> {
        let OperationIr::NumericFloat(_, numeric) = operation else {
            return None;
        };
        let (kind, factors) = match numeric {
            Numeric::Prod(o) => (Kind::All, &o.input),
            Numeric::ProdDim(o) => (Kind::Along(o.axis), &o.input),
            Numeric::CumProd(o) => (Kind::Running(o.axis), &o.input),
            _ => return None,
        };
        Some(Self {
            kind,
            factors: factors.clone(),
        })
    }
}

/// A program by what its operations compute.
struct Lookup<'p> {
    by_key: FxHashMap<Key, &'p OperationIr>,
    operations: &'p [OperationIr],
}

impl<'p> Lookup<'p> {
    fn of(program: &'p Program) -> Self {
        let operations = program.operations.iter();
        Self {
            by_key: operations.map(|op| (key(op), op)).collect(),
            operations: &program.operations,
        }
    }
}

/// Burn's backward pass of a product, recorded alone.
pub(crate) struct Pattern {
    pub(crate) program: Program,
    factors: TensorId,
    /// The tensors that depend on the factors, and on the gradient that comes in.
    decided: FxHashSet<TensorId>,
    driven: FxHashSet<TensorId>,
}

impl Pattern {
    fn of(product: &Product, settings: DeviceSettings) -> Result<Self, LinearizeError> {
        let mut ports = None;
        let (graph, ()) = record(settings, |_, recorder, scope| {
            let input = |shape, dtype| {
                let symbol = recorder.placeholder(shape, dtype);
                drop(C::float_neg(symbol.clone()));
                symbol
            };
            let TensorIr { shape, dtype, .. } = product.factors.clone();
            let x = input(shape, dtype);
            let leaf =
                <AC as FloatTensorOps<AC>>::float_set_require_grad(AC::from_inner(x.clone()), true);
            let y = match product.kind {
                Kind::All => AC::float_prod(leaf.clone()),
                Kind::Along(axis) => AC::float_prod_dim(leaf.clone(), axis),
                Kind::Running(axis) => AC::float_cumprod(leaf.clone(), axis),
            };
            let g = input(y.shape(), dtype);
            let inputs = vec![
                port(recorder, "factors", &x),
                port(recorder, "gradient", &g),
            ];
            let loss = AC::float_sum(AC::float_mul(y, AC::from_inner(g)));
            let gradients = AC::backward(loss);
            let outputs = AC::grad(&leaf, &gradients)
                .map(|gradient| port(recorder, "gradient of the factors", &gradient));
            let completed = completed(scope, unique(&inputs));
            ports = Some((inputs, outputs));
            Ok((completed, ()))
        })?;
        let (inputs, outputs) = ports.unwrap_or_default();
        let (factors, gradient) = match inputs.as_slice() {
            [factors, gradient] => (factors.tensor.id, gradient.tensor.id),
            _ => return Err(malformed()),
        };
        let outputs = outputs.into_iter().collect();
        let program = Program::new(graph.graph.operations, inputs, outputs, graph.values)?;
        Ok(Self {
            decided: dependent(&program, factors),
            driven: dependent(&program, gradient),
            program,
            factors,
        })
    }

    /// Where the pattern occurs for the product.
    fn matches(&self, product: &Product, lookup: &Lookup<'_>) -> Vec<Found> {
        let mut rename = Rename::default();
        rename.0.insert(self.factors, product.factors.id);
        // First what the factors alone decide: every step of it has to be there.
        let (driven, decided): (Vec<_>, Vec<_>) = self
            .program
            .operations
            .iter()
            .partition(|op| reads(op, &self.driven));
        for operation in decided {
            // The seed of the gradient may be another there.
            extend(&mut rename, operation, lookup);
        }
        let Some(last) = self.program.operations.last() else {
            return Vec::new();
        };
        match product.kind {
            Kind::All | Kind::Along(_) => {
                let mut factors = last.inputs().filter(|t| !self.driven.contains(&t.id));
                let found = factors.next().and_then(|local| {
                    let id = rename.0.get(&local.id)?;
                    Some(Found {
                        product: product.clone(),
                        gradient: None,
                        out: TensorIr {
                            id: *id,
                            ..local.clone()
                        },
                    })
                });
                found.into_iter().collect()
            }
            Kind::Running(_) => self.running(product, &driven, &rename, lookup),
        }
    }

    /// Running products: from each tensor that can be the gradient to the end.
    fn running(
        &self,
        product: &Product,
        driven: &[&OperationIr],
        rename: &Rename,
        lookup: &Lookup<'_>,
    ) -> Vec<Found> {
        // The gradient comes in where it first meets something that the factors decide.
        let entry = driven.iter().position(|op| reads(op, &self.decided));
        let steps = &driven[entry.unwrap_or(driven.len())..];
        let (Some(first), Some(last)) = (steps.first(), steps.last()) else {
            return Vec::new();
        };
        let mut gradients = first.inputs().filter(|t| self.driven.contains(&t.id));
        let (Some(gradient), Some(out)) = (gradients.next(), last.outputs().next()) else {
            return Vec::new();
        };
        let operands = lookup.operations.iter().flat_map(|operation| {
            let operands = match operation {
                OperationIr::NumericFloat(_, Numeric::Mul(o)) => [Some(&o.lhs), Some(&o.rhs)],
                _ => [None, None],
            };
            operands.into_iter().flatten()
        });
        let fitting = operands
            .filter(|candidate| {
                candidate.shape == gradient.shape && candidate.dtype == gradient.dtype
            })
            .filter_map(|candidate| {
                let mut rename = Rename(rename.0.clone());
                rename.0.insert(gradient.id, candidate.id);
                let is_here = steps.iter().all(|step| extend(&mut rename, step, lookup));
                let id = rename.0.get(&out.id).filter(|_| is_here)?;
                Some(Found {
                    product: product.clone(),
                    gradient: Some(candidate.clone()),
                    out: TensorIr {
                        id: *id,
                        ..out.clone()
                    },
                })
            });
        fitting.collect()
    }
}

fn reads(operation: &OperationIr, tensors: &FxHashSet<TensorId>) -> bool {
    operation
        .inputs()
        .any(|tensor| tensors.contains(&tensor.id))
}

/// What depends on a tensor.
fn dependent(program: &Program, on: TensorId) -> FxHashSet<TensorId> {
    let mut dependent = FxHashSet::from_iter([on]);
    for operation in &program.operations {
        if reads(operation, &dependent) {
            dependent.extend(operation.outputs().map(|tensor| tensor.id));
        }
    }
    dependent
}

/// Finds the step of a pattern in the program; its results then have the names they have there.
fn extend(rename: &mut Rename, step: &OperationIr, lookup: &Lookup<'_>) -> bool {
    // Names of one recording mean nothing in another.
    if !step
        .inputs()
        .all(|tensor| rename.0.contains_key(&tensor.id))
    {
        return false;
    }
    let mut renamed = step.clone();
    renamed.visit_mut(rename);
    let Some(there) = lookup.by_key.get(&key(&renamed)) else {
        return false;
    };
    let pairs = step.outputs().zip(there.outputs());
    rename
        .0
        .extend(pairs.map(|(own, there)| (own.id, there.id)));
    true
}

fn malformed() -> LinearizeError {
    LinearizeError::Malformed {
        message: "a product without a backward pass".into(),
    }
}

#[cfg(test)]
mod tests;
