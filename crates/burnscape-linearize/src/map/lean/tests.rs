//! How many tensors of the size of attention weights are in memory, for each head of a layer.

use burn::module::Module;
use burn::nn::Linear;
use burn::nn::attention::{MhaInput, MultiHeadAttention, MultiHeadAttentionConfig};
use burn::tensor::activation::softmax;
use burn::tensor::{Tensor, TensorData};
use burn_ir::{OperationIr, TensorId};
use rustc_hash::FxHashSet;

use crate::map::LinearMap;
use crate::map::copies::TwoPasses;
use crate::program::Storage;
use crate::rule::tests::plain;
use crate::run::{Batching, Checkpointing, Linearized, Sharing};
use crate::trace::GradientTrace;

const HEADS: usize = 2;

#[derive(Module, Debug)]
struct Layers {
    layers: Vec<MultiHeadAttention>,
}

type Attention = fn(&MultiHeadAttention, Tensor<3>) -> Tensor<3>;

const BOTH: [Attention; 2] = [whole, composed];

fn whole(layer: &MultiHeadAttention, x: Tensor<3>) -> Tensor<3> {
    layer.forward(MhaInput::self_attn(x)).context
}

/// The same without a scale, from its parts.
fn composed(layer: &MultiHeadAttention, x: Tensor<3>) -> Tensor<3> {
    let [batch, len, size] = x.dims();
    let heads = |linear: &Linear| {
        let whole = linear.forward(x.clone());
        let heads = whole.reshape([batch, len, layer.n_heads, layer.d_k]);
        heads.swap_dims(1, 2)
    };
    let [query, key, value] = [&layer.query, &layer.key, &layer.value].map(heads);
    let weights = softmax(query.matmul(key.transpose()), 3);
    let context = weights.matmul(value).swap_dims(1, 2);
    layer.output.forward(context.reshape([batch, len, size]))
}

fn waves(len: usize, phase: f64) -> Tensor<1> {
    let wave = |i: usize| (1.0 + 0.37 * (i as f64 + phase).powf(1.31)).sin();
    let numbers: Vec<f64> = (0..len).map(wave).collect();
    Tensor::from_data(TensorData::new(numbers, [len]), &plain())
}

/// The trace of layers of attention over `len` tokens of `size` numbers, and its Hessian.
fn hessian(
    attention: Attention,
    num_layers: usize,
    [len, size]: [usize; 2],
) -> (GradientTrace, LinearMap) {
    let device = plain().autodiff();
    let config = MultiHeadAttentionConfig::new(size, HEADS).with_dropout(0.0);
    let layers = (0..num_layers).map(|_| config.init(&device)).collect();
    let x = waves(len * size, 0.3).reshape([1, len, size]);
    let trace = GradientTrace::new(
        Layers { layers },
        plain().settings(),
        |inputs| inputs.float(x.clone()),
        |net: &Layers, x: Tensor<3>| {
            let layers = net.layers.iter();
            layers
                .fold(x, |x, layer| attention(layer, x))
                .square()
                .mean()
        },
    );
    let trace = trace.expect("a trace");
    let wrt: Vec<usize> = (0..trace.parameters.len()).collect();
    let map = LinearMap::hessian(&trace, &wrt, plain().settings()).expect("a map");
    (trace, map)
}

/// The number of tensors of attention weights among the residuals. Views share memory.
fn kept(map: &LinearMap, len: usize) -> usize {
    let storage = Storage::of(&map.once.operations);
    let residuals = map.each.inputs[..map.num_residuals()].iter();
    let squares = residuals.filter(|port| port.shape() == [1, HEADS, len, len]);
    let owners: FxHashSet<TensorId> = squares.map(|port| storage.owner(port.tensor.id)).collect();
    owners.len()
}

/// The number of those that are held between the passes where residuals are recomputed, tangents included.
fn held(map: &LinearMap, len: usize) -> usize {
    let passes = TwoPasses::of(&map.whole(1), &map.forward);
    let storage = Storage::of(&passes.forward);
    let made = passes.forward.iter().flat_map(OperationIr::outputs);
    let made: FxHashSet<TensorId> = made.map(|tensor| tensor.id).collect();
    let reads = passes.backward.iter().flat_map(OperationIr::inputs);
    let squares = reads.filter(|tensor| tensor.shape.as_slice() == [1, HEADS, len, len]);
    let owners: FxHashSet<TensorId> = squares
        .map(|tensor| storage.owner(tensor.id))
        .filter(|id| made.contains(id))
        .collect();
    owners.len()
}

/// What a third layer adds to the counts of two. All layers share the ones that are the gradient of a sum.
fn added(attention: Attention, shape: [usize; 2]) -> [usize; 2] {
    let [two, three] = [2, 3].map(|num_layers| {
        let (_, map) = hessian(attention, num_layers, shape);
        [kept(&map, shape[0]), held(&map, shape[0])]
    });
    [three[0] - two[0], three[1] - two[1]]
}

/// All six are stored. Where residuals are recomputed, the exponentials and their tangents are held.
#[test]
fn attention_holds_two_square_tensors_a_head_where_residuals_are_recomputed() {
    for attention in BOTH {
        assert_eq!(added(attention, [64, 8]), [6, 2]);
        // Over few tokens nothing is gained by computing them again.
        assert_eq!(added(attention, [5, 32])[0], 6);
    }
}

#[test]
fn residuals_that_are_computed_again_change_no_bit() {
    let host = |x: &Tensor<1>| -> Vec<f64> { x.to_data().iter::<f64>().collect() };
    for attention in BOTH {
        let (trace, map) = hessian(attention, 2, [64, 8]);
        let n = map.num_columns();
        let at = Linearized::new(&map, &plain()).expect("a device");
        let mut at = at.with_batching(Batching::InTurn);
        let tangents = [waves(n, 1.0), waves(n, 3.0)];
        let [stored, recomputed] = [Checkpointing::Store, Checkpointing::Recompute]
            .map(|residuals| at.point(&trace.bindings, residuals).expect("a point"));
        let mut products = Vec::new();
        for tangent in &tangents {
            let tangent = std::slice::from_ref(tangent);
            let product = at.apply(&stored, tangent).expect("a product");
            let again = at.apply(&recomputed, tangent).expect("a product");
            assert_eq!(host(&product[0]), host(&again[0]));
            assert!(host(&product[0]).iter().any(|x| x.abs() > 1e-6));
            products.extend(host(&product[0]));
        }
        // Two products of one program, which computes again what both read.
        at.share_residuals(Sharing::Groups(2));
        let block = Tensor::stack::<2>(tangents.to_vec(), 0);
        let found = at
            .apply_block(&recomputed, block.clone())
            .expect("products");
        assert_eq!(host(&found.reshape([2 * n])), products);

        let mut at = at.with_batching(Batching::Together);
        let found = at.apply_block(&stored, block).expect("products");
        for (x, y) in host(&found.reshape([2 * n])).iter().zip(&products) {
            assert!((x - y).abs() < 1e-12, "{x} for {y}");
        }
    }
}
