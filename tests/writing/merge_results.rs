//! Results of merging and of transport go through JSON and back.

use std::collections::BTreeSet;

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burnscape::align::TransportConfig;
use burnscape::merge::{Average, Recipe};
use burnscape_testkit::models::TwoLayers;

use super::results::goes_through;
use crate::sharpness::models::{net, regression};

#[test]
fn reports_of_merges_and_plans_of_transport_go_through_json_and_back() {
    let mut seen = BTreeSet::new();
    let (a, b) = (net(), net());
    let merged = Recipe::new(Average).run(None, &[&a, &b]).unwrap();
    goes_through(&mut seen, &merged.report);
    let outputs = |m: &TwoLayers, x: &Tensor<2>| m.forward(x.clone(), relu);
    let batch = regression()[0].0.clone();
    let moved = TransportConfig::new().run(&outputs, batch, &b, &a).unwrap();
    goes_through(&mut seen, &moved.plans[0]);
    let found: Vec<&str> = seen.into_iter().collect();
    assert_eq!(found, ["MergeReport", "TransportPlan"]);
}

#[cfg(feature = "files")]
#[test]
fn distances_of_checkpoints_go_through_json_and_back() {
    use burn::tensor::TensorData;
    use burnscape::merge::{CheckpointDistance, CheckpointFile, TensorMap};

    let mut seen = BTreeSet::new();
    let folder = std::env::temp_dir().join(format!("burnscape-distance-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let written = |name: &str, values: [f32; 2]| {
        let mut tensors = TensorMap::new();
        tensors.insert("w", TensorData::from(values));
        let path = folder.join(name);
        tensors.write(&path).unwrap();
        CheckpointFile::open(&path).unwrap()
    };
    let zero = written("zero.safetensors", [0.0, 0.0]);
    let one = written("one.safetensors", [3.0, 4.0]);
    let distance = CheckpointDistance::between(&zero, &one).unwrap();
    assert_eq!(
        (distance.total.distance, distance.total.relative),
        (5.0, None)
    );
    goes_through(&mut seen, &distance);
    std::fs::remove_dir_all(&folder).unwrap();
}
