//! Burn's recurrent networks.

use burn::module::Module;
use burn::nn::{BiLstm, BiLstmConfig, Gru, GruConfig, Linear, LinearConfig, Lstm, LstmConfig};
use burn::tensor::{Device, Tensor};

use super::specimen::{Expected, Specimen, group};
use super::values::{numbers, scattered};

const BATCH: usize = 2;
const LENGTH: usize = 4;
const INPUTS: usize = 3;
const CLASSES: usize = 2;

fn head(from: usize, device: &Device) -> Linear {
    LinearConfig::new(from, CLASSES).init(device)
}

fn sequences(seed: u64, device: &Device) -> Tensor<3> {
    numbers([BATCH, LENGTH, INPUTS], seed, device)
}

/// Layers one above the other.
#[derive(Module, Debug)]
pub(crate) struct LstmNet {
    layers: Vec<Lstm>,
    head: Linear,
}

impl LstmNet {
    fn outputs(&self, x: &Tensor<3>) -> Tensor<3> {
        let layers = self.layers.iter();
        let x = layers.fold(x.clone(), |x, layer| layer.forward(x, None).0);
        self.head.forward(x)
    }
}

fn lstm_net(
    name: &'static str,
    hidden: &[usize],
    expected: Vec<Expected>,
    device: &Device,
    seed: u64,
) -> Specimen<LstmNet, Tensor<3>, 3> {
    let mut from = INPUTS;
    let mut layers = Vec::new();
    for &to in hidden {
        layers.push(LstmConfig::new(from, to, true).init(device));
        from = to;
    }
    let model = LstmNet {
        layers,
        head: head(from, device),
    };
    Specimen {
        name,
        model: scattered(&model, seed),
        batch: sequences(seed + 1, device),
        outputs: LstmNet::outputs,
        expected,
    }
}

/// Each of the four gates has input_transform.weight 1 and bias, and hidden_transform.weight 0 and 1 and bias.
const GATES: usize = 4 * 5;

pub(crate) fn lstm(device: &Device, seed: u64) -> Specimen<LstmNet, Tensor<3>, 3> {
    // The gates, and head.weight 0.
    let expected = vec![group(5, &[], GATES + 1)];
    lstm_net("Lstm", &[5], expected, device, seed)
}

/// Both begin with the same zeros.
pub(crate) fn stacked_lstms(device: &Device, seed: u64) -> Specimen<LstmNet, Tensor<3>, 3> {
    let expected = vec![
        // The gates of the first layer, and input_transform.weight 0 of the four gates of the second.
        group(5, &[], GATES + 4),
        // The gates of the second layer, and head.weight 0.
        group(5, &[], GATES + 1),
    ];
    lstm_net("two Lstms of one size", &[5, 5], expected, device, seed)
}

/// Two directions, side by side.
#[derive(Module, Debug)]
pub(crate) struct BiLstmNet {
    lstm: BiLstm,
    head: Linear,
}

impl BiLstmNet {
    fn outputs(&self, x: &Tensor<3>) -> Tensor<3> {
        self.head.forward(self.lstm.forward(x.clone(), None).0)
    }
}

pub(crate) fn bi_lstm(device: &Device, seed: u64) -> Specimen<BiLstmNet, Tensor<3>, 3> {
    let model = BiLstmNet {
        lstm: BiLstmConfig::new(INPUTS, 6, true).init(device),
        head: head(12, device),
    };
    Specimen {
        name: "BiLstm",
        model: scattered(&model, seed),
        batch: sequences(seed + 1, device),
        outputs: BiLstmNet::outputs,
        expected: vec![
            // The gates of one direction, and the first half of head.weight 0.
            group(6, &[], GATES + 1),
            // The gates of the other direction, and the second half of head.weight 0.
            group(6, &[], GATES + 1),
        ],
    }
}

/// With the reset gate after the product, as Burn has it by default.
#[derive(Module, Debug)]
pub(crate) struct GruNet {
    gru: Gru,
    head: Linear,
}

impl GruNet {
    fn outputs(&self, x: &Tensor<3>) -> Tensor<3> {
        self.head.forward(self.gru.forward(x.clone(), None))
    }
}

pub(crate) fn gru(device: &Device, seed: u64) -> Specimen<GruNet, Tensor<3>, 3> {
    let model = GruNet {
        gru: GruConfig::new(INPUTS, 5, true).init(device),
        head: head(5, device),
    };
    Specimen {
        name: "Gru",
        model: scattered(&model, seed),
        batch: sequences(seed + 1, device),
        outputs: GruNet::outputs,
        expected: vec![
            // Three gates with five each, and head.weight 0.
            group(5, &[], 3 * 5 + 1),
        ],
    }
}
