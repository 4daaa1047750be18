//! Burn's `examples/modern-lstm`: stacked LSTM cells with layer normalization, in both directions.

use burn::nn::loss::{MseLoss, Reduction::Mean};
use burn::nn::{
    Dropout, DropoutConfig, Initializer, LayerNorm, LayerNormConfig, Linear, LinearConfig,
    LstmState, Sigmoid, Tanh,
};
use burn::prelude::*;

use super::checklist::{Checklist, Door};
use super::fixture::{drawn, stream, wave};
use super::groups;

const HIDDEN: usize = 3;
const LAYERS: usize = 2;

#[derive(Module, Debug)]
struct Cell {
    hidden: usize,
    weight_ih: Linear,
    weight_hh: Linear,
    norm_x: LayerNorm,
    norm_h: LayerNorm,
    norm_c: LayerNorm,
    dropout: Dropout,
}

impl Cell {
    fn new(inputs: usize, dropout: f64, device: &Device) -> Self {
        // The bias of the forget gate starts at one.
        let gates = |inputs: usize| {
            let mut gates = LinearConfig::new(inputs, 4 * HIDDEN)
                .with_initializer(Initializer::XavierNormal { gain: 1.0 })
                .init(device);
            let ones = Tensor::<1>::ones([HIDDEN], device);
            let bias = gates.bias.clone().unwrap().val();
            let bias = bias
                .slice_assign(HIDDEN..2 * HIDDEN, ones)
                .detach()
                .require_grad();
            gates.bias = gates.bias.map(|param| param.map(|_| bias));
            gates
        };
        Self {
            hidden: HIDDEN,
            weight_ih: gates(inputs),
            weight_hh: gates(HIDDEN),
            norm_x: LayerNormConfig::new(4 * HIDDEN).init(device),
            norm_h: LayerNormConfig::new(HIDDEN).init(device),
            norm_c: LayerNormConfig::new(HIDDEN).init(device),
            dropout: DropoutConfig::new(dropout).init(),
        }
    }

    fn forward(&self, x: Tensor<2>, state: LstmState<2>) -> LstmState<2> {
        let from_input = self.norm_x.forward(self.weight_ih.forward(x));
        let gates = from_input + self.weight_hh.forward(state.hidden);
        let gates = gates.chunk(4, 1);
        let input = Sigmoid::new().forward(gates[0].clone());
        let forget = Sigmoid::new().forward(gates[1].clone());
        let candidate = Tanh::new().forward(gates[2].clone());
        let output = Sigmoid::new().forward(gates[3].clone());

        let cell = self.norm_c.forward(forget * state.cell + input * candidate);
        let hidden = output * Tanh::new().forward(cell.clone());
        let hidden = self.dropout.forward(self.norm_h.forward(hidden));
        LstmState::new(cell, hidden)
    }

    fn init_state(&self, batch: usize, device: &Device) -> LstmState<2> {
        LstmState::initial([batch, self.hidden], device)
    }
}

#[derive(Module, Debug)]
struct Stacked {
    layers: Vec<Cell>,
}

impl Stacked {
    fn new(inputs: usize, dropout: f64, device: &Device) -> Self {
        let layer = |index: usize| {
            let inputs = if index == 0 { inputs } else { HIDDEN };
            // None on the last layer.
            let dropout = if index + 1 < LAYERS { dropout } else { 0.0 };
            Cell::new(inputs, dropout, device)
        };
        Self {
            layers: (0..LAYERS).map(layer).collect(),
        }
    }

    fn forward(&self, x: Tensor<3>, states: Option<Vec<LstmState<2>>>) -> Tensor<3> {
        let [batch, length, _] = x.dims();
        let device = x.device();
        let initial = || {
            let layers = self.layers.iter();
            layers.map(|cell| cell.init_state(batch, &device)).collect()
        };
        let mut states: Vec<LstmState<2>> = states.unwrap_or_else(initial);
        let mut outputs = vec![];
        for t in 0..length {
            let mut input = x.clone().slice(s![.., t..t + 1, ..]).squeeze_dim::<2>(1);
            for (i, cell) in self.layers.iter().enumerate() {
                let state = LstmState::new(states[i].cell.clone(), states[i].hidden.clone());
                let state = cell.forward(input, state);
                input = state.hidden.clone();
                states[i] = state;
            }
            outputs.push(input);
        }
        Tensor::stack(outputs, 1)
    }
}

#[derive(Module, Debug)]
struct Network {
    forwards: Stacked,
    backwards: Option<Stacked>,
    dropout: Dropout,
    fc: Linear,
}

impl Network {
    fn new(bidirectional: bool, device: &Device) -> Self {
        let dropout = 0.1;
        let width = if bidirectional { 2 * HIDDEN } else { HIDDEN };
        Self {
            forwards: Stacked::new(1, dropout, device),
            backwards: bidirectional.then(|| Stacked::new(1, dropout, device)),
            dropout: DropoutConfig::new(dropout).init(),
            fc: LinearConfig::new(width, 1).init(device),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<2> {
        let mut output = self.forwards.forward(x.clone(), None);
        if let Some(backwards) = &self.backwards {
            let other = backwards.forward(x.flip([1]), None).flip([1]);
            output = Tensor::cat(vec![output, other], 2);
        }
        output = self.dropout.forward(output);
        self.fc.forward(output.slice_dim(1, -1).squeeze_dim::<2>(1))
    }
}

type Sequences = (Tensor<3>, Tensor<2>);

fn loss(model: &Network, (sequences, targets): Sequences) -> Tensor<1> {
    MseLoss::new().forward(model.forward(sequences), targets, Mean)
}

fn data() -> [Sequences; 2] {
    [
        (wave([3, 4, 1], 0.2), wave([3, 1], 31.0)),
        (wave([2, 4, 1], 12.2), wave([2, 1], 47.0)),
    ]
}

#[test]
fn a_modern_lstm_in_both_directions_goes_through_every_door() {
    let build = |device: &Device| Network::new(true, device);
    Checklist::new(&build, &loss, &data())
        .with_draws_in_training(1)
        .run();
}

#[test]
fn a_modern_lstm_in_one_direction_has_exact_products() {
    let build = |device: &Device| Network::new(false, device);
    Checklist::new(&build, &loss, &data()).run_doors(&[Door::Hessian]);
}

#[test]
fn a_modern_lstm_with_dropout_has_the_products_of_the_masks_that_were_drawn() {
    let build = |device: &Device| Network::new(true, device);
    Checklist::new(&build, &loss, &data())
        .in_both_modes()
        .with_frozen_draws(11)
        .run_doors(&[Door::Hessian]);
}

#[test]
fn the_groups_of_a_modern_lstm_in_both_directions_are_those_of_its_architecture() {
    let _drawing = stream(3);
    let outputs = |model: &Network, (sequences, _): &Sequences| model.forward(sequences.clone());
    let [batch, _] = data();
    let model = drawn(|device| Network::new(true, device));
    groups::check(&model, &outputs, batch, groups::MODERN_LSTM);
}
