//! Gradient descent on a full batch drives the sharpness to `2/lr`, and keeps it there (Cohen et al. 2021,
//! arXiv:2103.00065).

use burn::optim::SgdConfig;
use burn::tensor::Device;
use burnscape::dynamics::{CurvatureMonitorConfig, CurvatureReading, Due, EdgeRule, Moment, Watch};
use burnscape::loss::Risk;

use super::model::{Batch, Mlp, clusters, squared, step};

const LR: f64 = 0.35;
const STEPS: usize = 3000;

/// Plain gradient descent with Burn's SGD.
fn descend(data: &[Batch], lr: f64, steps: usize, every: usize) -> Vec<CurvatureReading> {
    let device = Device::default().autodiff();
    let mut model = Mlp::new([8, 16, 16, 3], 3, &device);
    let mut sgd = SgdConfig::new().init();
    let monitor = CurvatureMonitorConfig::new()
        .with_optimizer(EdgeRule::gradient_descent())
        .init()
        .unwrap();
    let risk = Risk::new(&squared, data);
    let mut watch = Watch::new(Due::Every(every), monitor, risk).unwrap();
    for index in 0..=steps {
        watch.observe(&Moment::new(index, lr, &model)).unwrap();
        model = step(&mut sgd, lr, model, squared, &data[0]);
    }
    let observations = watch.readings().to_vec();
    observations.into_iter().map(|seen| seen.reading).collect()
}

fn ratio(reading: &CurvatureReading) -> f64 {
    reading.edge_ratio.unwrap()
}

#[test]
fn sharpness_stays_at_the_edge_that_gradient_flow_passes() {
    let device = Device::default().autodiff();
    let data = [clusters(40, 8, 3, &device)];

    // Ten times smaller steps follow the gradient flow for the same time.
    let flow = descend(&data, LR / 10.0, 10 * STEPS, STEPS);
    let of_flow = flow.iter().map(|reading| reading.sharpness);
    let highest = of_flow.fold(0.0, f64::max) * LR / 2.0;
    let far_from_its_own_edge = flow.iter().all(|reading| ratio(reading) < 0.2);
    assert!(highest > 1.3 && far_from_its_own_edge, "{highest}");

    // At the edge, weights jump from side to side: an even number of steps would show one side only.
    let readings = descend(&data, LR, STEPS, 31);
    assert!(
        readings
            .iter()
            .all(|reading| reading.outcome.is_converged())
    );
    let tail = &readings[readings.len() / 2..];
    let ratios = tail.iter().map(ratio);
    let mean = ratios.clone().sum::<f64>() / tail.len() as f64;
    let farthest = ratios.fold(0.0_f64, |far, ratio| far.max((ratio - 1.0).abs()));
    println!(
        "flow {highest:.3}, tail of {}: mean {mean:.5}, farthest {farthest:.4}",
        tail.len()
    );
    assert!((mean - 1.0).abs() < 0.01, "{mean}");
    assert!(farthest < 0.05, "{farthest}");
    // The loss still falls there.
    let (first, last) = (&tail[0], &tail[tail.len() - 1]);
    assert!(last.loss < 0.8 * first.loss, "{} {}", first.loss, last.loss);
}
