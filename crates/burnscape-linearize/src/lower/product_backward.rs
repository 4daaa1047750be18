//! Burn's backward passes of `prod`, `prod_dim` and `cumprod`, located in a recording.
//!
//! They treat zero factors specially by means of masks. That gives the correct gradient, but a mask is constant, so
//! the derivative of the recording is wrong wherever a factor is exactly zero. To find these passes, Burn's code
//! is recorded in isolation for the same shape and matched against the program step by step. The result is then
//! computed by [products](super::products) without division instead.

use burn::backend::ops::FloatTensorOps;
use burn::backend::{AutodiffBackend, TensorMetadata};
use burn::tensor::DeviceSettings;
use burn_capture::CaptureDevice;
use burn_ir::{
    BaseOperationIr as Base, NumericOperationIr as Numeric, OperationIr, TensorId, TensorIr,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::products::{cumulative_backward, exclusive, exclusive_of_all};
use crate::LinearizeError;
use crate::program::{Key, Program, Rename, key, unique};
use crate::record::{AC, Symbol, completed, record};

/// The backward passes of products in a program, by their last tensor.
#[derive(Default)]
pub(crate) struct ProductBackward {
    found: FxHashMap<TensorId, Found>,
}

/// A backward pass that was found.
struct Found {
    product: Product,
    /// The incoming gradient, for running products. For a plain product, only the factor that multiplies
    /// the incoming gradient is matched.
    gradient: Option<TensorIr>,
    out: TensorIr,
}

impl ProductBackward {
    /// Searches a program. Programs without products need no search.
    pub(crate) fn of(program: &Program, settings: DeviceSettings) -> Result<Self, LinearizeError> {
        let forward: Vec<Product> = program.operations.iter().filter_map(Product::of).collect();
        let mut all = Self::default();
        if forward.is_empty() {
            return Ok(all);
        }
        // The forward pass may have been removed as dead; its comparison with zero remains.
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

    /// Whether the operation ends a backward pass.
    pub(crate) fn ends_with(&self, operation: &OperationIr) -> bool {
        !self.found.is_empty() && self.ended(operation).is_some()
    }

    /// The result of an operation that ends a backward pass, and the symbol that replaces it.
    pub(crate) fn replaced(
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
    /// Whether a tensor has the shape and type of the factors.
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

/// Finds operations of a program by what they compute.
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

/// Burn's backward pass of a product, recorded in isolation.
pub(crate) struct Pattern {
    pub(crate) program: Program,
    factors: TensorId,
    /// The tensors that depend on the factors.
    decided: FxHashSet<TensorId>,
    /// The tensors that depend on the incoming gradient.
    driven: FxHashSet<TensorId>,
}

impl Pattern {
    fn of(product: &Product, settings: DeviceSettings) -> Result<Self, LinearizeError> {
        let (graph, (inputs, outputs)) = record(settings, |_, recorder, scope| {
            let TensorIr { shape, dtype, .. } = product.factors.clone();
            let x = recorder.input(shape, dtype);
            let leaf =
                <AC as FloatTensorOps<AC>>::float_set_require_grad(AC::from_inner(x.clone()), true);
            let y = match product.kind {
                Kind::All => AC::float_prod(leaf.clone()),
                Kind::Along(axis) => AC::float_prod_dim(leaf.clone(), axis),
                Kind::Running(axis) => AC::float_cumprod(leaf.clone(), axis),
            };
            let g = recorder.input(y.shape(), dtype);
            let inputs = vec![recorder.port("factors", &x), recorder.port("gradient", &g)];
            let loss = AC::float_sum(AC::float_mul(y, AC::from_inner(g)));
            let gradients = AC::backward(loss);
            let outputs = AC::grad(&leaf, &gradients)
                .map(|gradient| recorder.port("gradient of the factors", &gradient));
            let completed = completed(scope, unique(&inputs));
            Ok((completed, (inputs, outputs)))
        })?;
        let [factors, gradient] = [inputs[0].tensor.id, inputs[1].tensor.id];
        let outputs = outputs.into_iter().collect();
        let program = Program::new(graph.graph.operations, inputs, outputs, graph.values)?;
        Ok(Self {
            decided: dependent(&program, factors),
            driven: dependent(&program, gradient),
            program,
            factors,
        })
    }

    /// The occurrences of the pattern for the product.
    fn matches(&self, product: &Product, lookup: &Lookup<'_>) -> Vec<Found> {
        let mut rename = Rename::default();
        rename.0.insert(self.factors, product.factors.id);
        // First match the steps that depend on the factors alone.
        let (driven, decided): (Vec<_>, Vec<_>) = self
            .program
            .operations
            .iter()
            .partition(|op| reads(op, &self.driven));
        for operation in decided {
            // A step may be missing: the program may seed the gradient differently.
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

    /// Matches running products, trying every tensor that may be the incoming gradient.
    fn running(
        &self,
        product: &Product,
        driven: &[&OperationIr],
        rename: &Rename,
        lookup: &Lookup<'_>,
    ) -> Vec<Found> {
        // The incoming gradient enters where it is first combined with a tensor that depends on the factors.
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

/// The tensors that depend on a tensor.
fn dependent(program: &Program, on: TensorId) -> FxHashSet<TensorId> {
    let mut dependent = FxHashSet::from_iter([on]);
    for operation in &program.operations {
        if reads(operation, &dependent) {
            dependent.extend(operation.outputs().map(|tensor| tensor.id));
        }
    }
    dependent
}

/// Finds a step of the pattern in the program, and maps the names of its results.
fn extend(rename: &mut Rename, step: &OperationIr, lookup: &Lookup<'_>) -> bool {
    // Names of the pattern have no meaning in the program until they are mapped.
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

#[cfg(test)]
mod tests;
