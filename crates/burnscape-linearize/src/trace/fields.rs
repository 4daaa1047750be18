//! The derivatives that fields request while a loss is recorded.
//!
//! A request is one operation that only names its operands. The operations that compute the derivative are put in its
//! place when the recording is complete, since only then those of the field can be read.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::TensorMetadata;
use burn::tensor::{DType, Shape};
use burn_capture::CaptureClient;
use burn_ir::{CustomOpIr, OperationIr, TensorIr, TensorStatus};
use burn_router::{RouterClient, RouterTensor};

use super::inputs::{Leaf, ParamLeaf};
use super::parameter::TracedParam;
use crate::LinearizeError;
use crate::derive::Derivative;
use crate::program::Program;
use crate::record::{Recorder, Symbol};

thread_local! {
    /// The recordings of this thread, one within another.
    static OPEN: RefCell<Vec<Open>> = const { RefCell::new(Vec::new()) };
}

/// A recording that takes requests.
struct Open {
    client: CaptureClient,
    leaves: Vec<Leaf>,
    requests: Vec<Derivative>,
    held: Vec<Symbol>,
}

/// Takes requests until it is closed or dropped.
pub(super) struct Fields {
    depth: usize,
}

impl Fields {
    pub(super) fn open(recorder: &Recorder, leaves: &[ParamLeaf]) -> Self {
        let open = Open {
            client: recorder.client().clone(),
            leaves: leaves.iter().map(|known| known.leaf.clone()).collect(),
            requests: Vec::new(),
            held: Vec::new(),
        };
        OPEN.with_borrow_mut(|all| {
            all.push(open);
            Self { depth: all.len() }
        })
    }

    /// The requests, in order.
    pub(super) fn close(self, recorder: &Recorder) -> Vec<Derivative> {
        let open = OPEN.with_borrow_mut(|all| {
            all.get_mut(self.depth - 1).map(|open| {
                (
                    std::mem::take(&mut open.requests),
                    std::mem::take(&mut open.held),
                )
            })
        });
        let (requests, held) = open.unwrap_or_default();
        held.iter().for_each(|symbol| recorder.hold(symbol));
        requests
    }
}

impl Drop for Fields {
    fn drop(&mut self) {
        OPEN.with_borrow_mut(|all| all.truncate(self.depth - 1));
    }
}

/// Whether a recording on this thread takes requests.
pub(super) fn is_open() -> bool {
    OPEN.with_borrow(|all| !all.is_empty())
}

fn with_open<T>(symbol: &Symbol, work: impl FnOnce(&mut Open) -> T) -> Result<T, LinearizeError> {
    OPEN.with_borrow_mut(|all| {
        let device = symbol.client.device();
        let mut all = all.iter_mut();
        let open = all.find(|open| open.client.device() == device);
        open.map(work).ok_or(LinearizeError::NotRecorded)
    })
}

/// Records a request. Returns the symbol of its result, and the trained parameters, of which it is a function.
pub(super) fn request(
    what: Derivative,
    x: &Symbol,
    u: &Symbol,
    operand: Option<&Symbol>,
    shape: Shape,
) -> Result<(Symbol, Vec<Leaf>), LinearizeError> {
    with_open(x, |open| {
        let result = open.symbol(shape, u.dtype());
        let operands = [Some(x), Some(u), operand];
        let operands: Vec<Symbol> = operands.into_iter().flatten().cloned().collect();
        open.name(Derivative::REQUEST, &operands, &[&result]);
        open.requests.push(what);
        (result, open.leaves.clone())
    })
}

/// The pullback of a derivative, recorded as one request when the first of its results is needed.
#[derive(Debug, Clone)]
pub(super) struct Pullback(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    derivative: TensorIr,
    parents: Vec<Symbol>,
    results: Option<Vec<Symbol>>,
}

impl Pullback {
    pub(super) fn new(derivative: &Symbol, parents: Vec<Symbol>) -> Self {
        Self(Arc::new(Mutex::new(State {
            derivative: ir(derivative),
            parents,
            results: None,
        })))
    }

    /// The part for one parent. All parts belong to the same cotangent.
    pub(super) fn of(&self, above: &Symbol, index: usize) -> Symbol {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let State {
            derivative,
            parents,
            results,
        } = &mut *state;
        let results = results.get_or_insert_with(|| {
            let made = with_open(above, |open| {
                let results = parents.iter();
                let results = results.map(|parent| open.symbol(parent.shape(), parent.dtype()));
                let results: Vec<Symbol> = results.collect();
                let known = RouterTensor::new(
                    derivative.id,
                    derivative.shape.clone(),
                    derivative.dtype,
                    open.client.clone(),
                );
                let mut operands = vec![known, above.clone()];
                operands.extend(parents.iter().cloned());
                open.name(
                    Derivative::PULLBACK,
                    &operands,
                    &results.iter().collect::<Vec<_>>(),
                );
                results
            });
            made.unwrap_or_else(|error| crate::error::fail(error))
        });
        results[index].clone()
    }
}

impl Open {
    fn symbol(&mut self, shape: Shape, dtype: DType) -> Symbol {
        let id = self.client.create_empty_handle();
        let symbol = RouterTensor::new(id, shape, dtype, self.client.clone());
        self.held.push(symbol.clone());
        symbol
    }

    /// Records an operation that only has a name.
    fn name(&mut self, name: &'static str, operands: &[Symbol], results: &[&Symbol]) {
        let operands: Vec<TensorIr> = operands.iter().map(ir).collect();
        let results: Vec<TensorIr> = results.iter().map(|symbol| ir(symbol)).collect();
        let operation = CustomOpIr::new(name, &operands, &results);
        self.client.register_op(OperationIr::Custom(operation));
    }
}

/// Removes gradients that are zero whatever the values, as those of parameters that nothing reads. Gradients are the
/// outputs after the first `num_others`, and count from `1` where there is a loss, from `0` elsewhere.
pub(super) fn without_zeros(
    program: &mut Program,
    are_zero: &[bool],
    num_others: usize,
    parameters: &mut [TracedParam],
) {
    let is_gone = |output: usize| output >= num_others && are_zero[output];
    let gradients = parameters
        .iter_mut()
        .map(|parameter| &mut parameter.gradient);
    let gradients = gradients.filter(|gradient| gradient.is_some());
    for (place, gradient) in gradients.enumerate() {
        let gone = (0..place)
            .filter(|before| is_gone(num_others + before))
            .count();
        let is_kept = !is_gone(num_others + place);
        *gradient = gradient.filter(|_| is_kept).map(|index| index - gone);
    }
    let mut output = 0;
    program.outputs.retain(|_| {
        output += 1;
        !is_gone(output - 1)
    });
    program.remove_dead();
}

fn ir(symbol: &Symbol) -> TensorIr {
    TensorIr {
        id: symbol.id(),
        shape: symbol.shape(),
        status: TensorStatus::ReadOnly,
        dtype: symbol.dtype(),
    }
}
