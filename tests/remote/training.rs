//! Sharpness-aware training on several devices.

use burn::module::Module;
use burn::optim::SgdConfig;
use burn::tensor::{Device, Tensor};
use burnscape::optim::{AscentScope, Sam, SamConfig};
use burnscape::space::{ParamSpace, ParamVector};
use burnscape_testkit::models::TwoLayers;

use super::problem::{Found, Labeled, Problem, batch, criterion, outputs};

const STEPS: usize = 20;

/// Examples of each batch, which two and three devices can share equally.
pub(crate) const EXAMPLES: usize = 12;

pub(crate) fn loss(net: &TwoLayers, batch: Labeled) -> Tensor<1> {
    criterion(outputs(net, &batch), batch)
}

pub(crate) fn sam(config: &SamConfig) -> Sam {
    config.init(SgdConfig::new().init()).unwrap()
}

/// On these devices, the first of which has the model.
pub(crate) fn on_devices(devices: &[Device], scope: AscentScope) -> Found {
    let sam = sam(&SamConfig::new());
    let mut sam = sam.on_devices(devices.to_vec(), scope).unwrap();
    let found = trained(&devices[0], &mut sam);
    for work in sam.device_work() {
        // A part of every batch.
        assert!(work.batches >= STEPS, "{work:?}");
    }
    found
}

/// The same on one Flex device: with one ascent, or with one for each part of a batch.
pub(crate) fn on_one(parts: usize, scope: AscentScope) -> Found {
    let config = match scope {
        AscentScope::Shared => SamConfig::new(),
        AscentScope::PerDevice => SamConfig::new().with_group_size(Some(EXAMPLES / parts)),
    };
    trained(&Device::flex(), &mut sam(&config))
}

/// The loss before every step, and the weights at the end.
fn trained(device: &Device, sam: &mut Sam) -> Found {
    let mut net = Problem::on(device).net.train();
    let batches: Vec<Labeled> = (0..5).map(|index| batch((index, &EXAMPLES))).collect();
    let mut losses = Vec::new();
    for batch in batches.iter().cycle().take(STEPS) {
        let report = sam.step_on_devices(0.2, &mut net, batch.clone(), &loss);
        losses.extend(report.unwrap().loss);
    }
    assert_eq!(losses.len(), STEPS);
    let space = ParamSpace::of(&net).unwrap();
    let weights = ParamVector::from_module(&space, &net).unwrap();
    vec![("losses", losses), ("weights", weights.to_host().unwrap())]
}
