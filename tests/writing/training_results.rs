//! Results of watching and pruning a training go through JSON and back.

use std::collections::BTreeSet;

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burnscape::curvature::OffRowSpace;
use burnscape::dynamics::{
    CentralFlow, CentralFlowConfig, Due, GradientFlow, GradientFlowConfig, Moment,
    TangentKernelConfig, Watch,
};
use burnscape::optim::{TicketSearch, TicketSearchConfig, WeightMask};
use burnscape::prelude::*;
use burnscape_testkit::models::TwoLayers;
use burnscape_testkit::objectives::Point;

use super::results::{ends, goes_through};
use crate::path::models::{nothing, ring};
use crate::sharpness::models::{net, regression, squared_error};

#[test]
fn readings_of_tangent_kernels_go_through_json_and_back() {
    let mut seen = BTreeSet::new();
    let (model, data) = (net(), regression());
    let outputs = |m: &TwoLayers, (x, _): &(Tensor<2>, Tensor<2>)| m.forward(x.clone(), relu);
    let criterion = |z: Tensor<2>, (_, y): (Tensor<2>, Tensor<2>)| (z - y).square().mean();
    let risk = Risk::split(outputs, criterion, &data);
    let monitor = TangentKernelConfig::new().init().unwrap();
    let mut watch = Watch::new(Due::Every(1), monitor, risk).unwrap();
    let observation = watch.observe(&Moment::new(0, 0.1, &model)).unwrap();
    goes_through(&mut seen, &observation.unwrap().reading);
    goes_through(&mut seen, &watch.to_record().unwrap().state);
    let found: Vec<&str> = seen.into_iter().collect();
    assert_eq!(found, ["TangentKernelMonitorState", "TangentKernelReading"]);
}

#[test]
fn searches_for_tickets_go_through_json_and_back() {
    let mut seen = BTreeSet::new();
    let (model, data) = (net(), regression());
    let train = |model: TwoLayers, _: &WeightMask, _, _| Ok::<_, String>(model);
    let config = TicketSearchConfig::new(1)
        .with_levels(1)
        .with_reinitialized(false);
    let risk = Risk::new(&squared_error, &data);
    let found = config.run(&risk, |_| model.clone(), train).unwrap();
    goes_through(&mut seen, &found);
    goes_through(&mut seen, &found.levels[1]);
    goes_through(&mut seen, &found.levels[1].ticket);
    goes_through(&mut seen, &found.levels[1].masks[0]);
    assert_eq!(seen.len(), 4);
    let read: TicketSearch<TwoLayers> = Json::from_json(&found.to_json().unwrap()).unwrap();
    assert!(read.rewound.is_empty() && read.config == config);
}

#[test]
fn flows_are_read_back_without_their_models() {
    let mut seen = BTreeSet::new();
    let ([model, _], data) = (ends(), nothing());
    let risk = Risk::new(&ring, &data);
    let flow = GradientFlowConfig::new(0.1).run(&risk, &model).unwrap();
    let read: GradientFlow = Json::from_json(&flow.to_json().unwrap()).unwrap();
    assert_eq!(read.losses.len(), flow.num_accepted + 1);
    goes_through(&mut seen, &read);
    let flow = CentralFlowConfig::new(0.01, 2.0)
        .run(&risk, &model)
        .unwrap();
    let read: CentralFlow = Json::from_json(&flow.to_json().unwrap()).unwrap();
    goes_through(&mut seen, &read);
    let outputs = |m: &Point, _: &Tensor<1>| m.w.val().unsqueeze::<2>();
    let split = Risk::split(
        outputs,
        |z: Tensor<2>, _: Tensor<1>| z.square().sum(),
        &data,
    );
    let jacobian = split.jacobian(&model).unwrap();
    let moved = ParamVector::gaussian(jacobian.space(), 1).unwrap();
    let off: OffRowSpace = jacobian.off_row_space(&moved).unwrap();
    goes_through(&mut seen, &off);
    assert_eq!(seen.len(), 3);
}
