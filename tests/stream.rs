//! What the library does to the device's own random stream, and whatever depends on what is drawn from it.
//!
//! A binary of its own whose tests take turns: the device has one generator for all threads, and a test
//! that draws between a seed and its use would change the numbers.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation fails the test"
)]

mod align {
    mod barriers;
}
mod curvature {
    mod masks;
}
#[cfg(feature = "ndarray")]
mod devices {
    mod draws;
    #[allow(dead_code, reason = "shared with other binaries")]
    mod fixture;
}
mod dynamics {
    mod masks;
}
mod landscape {
    mod draws;
}
mod loss {
    mod settings;
}
mod optim {
    #[allow(dead_code, reason = "shared with other binaries")]
    mod fixture;
    #[cfg(feature = "train")]
    mod learner;
    mod masks;
    mod trust_region_draws;
}
mod path {
    mod digits;
    mod draws;
}

/// The parts of the survey that train and connect.
#[path = "../examples/survey"]
#[allow(dead_code, reason = "the survey uses more of them")]
mod survey {
    pub(crate) mod alignment;
    pub(crate) mod data;
    pub(crate) mod models;
    pub(crate) mod paths;
    pub(crate) mod settings;
    pub(crate) mod train;
}

use burn::module::Module;
use burn::nn::LinearConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{DType, Device, Distribution, Tensor};
use burnscape::dynamics::{CurvatureMonitorConfig, Due, Moment, Monitor, Watch};
use burnscape::loss::{LossError, Mode, Risk};
use burnscape::optim::SamConfig;
use burnscape::sharpness::SharpnessReportConfig;
use burnscape::space::{ParamSpace, ParamVector};
use burnscape_testkit::models::Dropped;
use burnscape_testkit::{single as element, turn};

fn network(device: &Device) -> Dropped {
    Dropped::new([4, 16, 2], device)
}

fn loss(model: &Dropped, x: Tensor<2>) -> Tensor<1> {
    (model.forward(x) - 1.0).square().mean()
}

#[test]
fn with_a_draws_seed_both_passes_draw_the_same_mask() {
    let _turn = turn();
    let device = Device::flex().autodiff();
    let x = Tensor::<2>::ones([16, 4], &device);
    // At a radius of zero both passes differ by their masks alone.
    let losses = |seed: Option<u64>| {
        let mut model = network(&device);
        let config = SamConfig::new().with_rho(0.0).with_draws_seed(seed);
        let mut sam = config
            .init(SgdConfig::new().init())
            .expect("a valid configuration");
        let mut step = || {
            sam.step(0.01, &mut model, |m: &Dropped| loss(m, x.clone()))
                .expect("a step")
        };
        [step(), step()].map(|report| (report.loss, report.perturbed_loss))
    };
    for (plain, perturbed) in losses(Some(3)) {
        assert_eq!(plain, perturbed);
    }
    assert!(
        losses(None)
            .iter()
            .any(|(plain, perturbed)| plain != perturbed)
    );
}

#[test]
fn directions_leave_the_stream_alone() {
    let _turn = turn();
    let device = Device::flex();
    let layer = LinearConfig::new(3, 2).init(&device);
    let space = ParamSpace::of(&layer).expect("a space");
    let draw = || Tensor::<1>::random([4], Distribution::Default, &device).into_data();
    device.seed(9);
    let expected = draw();
    for direction in [
        ParamVector::gaussian,
        ParamVector::rademacher,
        ParamVector::sphere,
        ParamVector::ball,
    ] {
        device.seed(9);
        direction(&space, 1).expect("a direction");
        assert_eq!(draw(), expected);
    }
}

/// What a measurement with a seed takes from the device's stream, by its documentation.
fn documented_draw(device: &Device) {
    let uniform = Distribution::Uniform(0.0, 1.0);
    let drawn = Tensor::<1>::random([2], uniform, (device, DType::F32)).into_data();
    let bits = drawn
        .iter::<f64>()
        .map(|number| (number * 16_777_216.0) as u64);
    device.seed(bits.fold(0, |all, bits| (all << 24) | bits));
}

#[test]
fn training_with_a_monitor_is_training_with_one_draw_in_its_place() {
    let _turn = turn();
    let plain = Device::flex();
    let device = plain.clone().autodiff();
    let x = Tensor::<2>::ones([16, 4], &plain);
    let start = network(&device);
    let weights = start.clone().into_record().into_bytes().expect("a record");
    let train = |look: &mut dyn FnMut(usize, &Dropped)| {
        let record = burn::store::ModuleRecord::from_bytes(weights.clone()).expect("a record");
        let mut model = network(&device).load_record(record);
        let mut sgd = SgdConfig::new().init();
        plain.seed(5);
        let mut losses = Vec::new();
        for step in 0..6 {
            look(step, &model);
            let loss = loss(&model, x.clone().autodiff());
            losses.push(loss.clone().into_scalar::<f32>());
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            model = sgd.step(0.1, model, gradients);
        }
        losses
    };
    let data = [x.clone()];
    let evaluated = Risk::new(&loss, &data);
    let trained = evaluated.clone().with_mode(Mode::Train).with_draws_seed(1);
    let watch = |risk| {
        let monitor = CurvatureMonitorConfig::new().init().expect("a monitor");
        Watch::new(Due::Every(2), monitor, risk).expect("a schedule")
    };
    let mut in_training = watch(trained);
    let watched = train(&mut |step, model| {
        let moment = Moment::new(step, 0.1, model);
        in_training.observe(&moment).expect("a reading");
    });
    assert_eq!(in_training.readings().len(), 3);
    let drawn = train(&mut |step, _| {
        if step % 2 == 0 {
            documented_draw(&plain);
        }
    });
    assert_eq!(watched, drawn);
    // Readings in evaluation mode draw nothing.
    let mut quiet = watch(evaluated);
    let watched = train(&mut |step, model| {
        let moment = Moment::new(step, 0.1, model);
        quiet.observe(&moment).expect("a reading");
    });
    assert_eq!(watched, train(&mut |_, _| ()));
}

#[test]
fn two_measurements_leave_the_stream_in_two_states() {
    let _turn = turn();
    let device = Device::flex();
    let (model, data) = (network(&device), [Tensor::<2>::ones([4, 4], &device)]);
    let draw = || Tensor::<1>::random([4], Distribution::Default, &device).into_data();
    let risk = Risk::new(&loss, &data)
        .with_mode(Mode::Train)
        .with_draws_seed(7);
    let mut states = Vec::new();
    let mut losses = Vec::new();
    for _ in 0..3 {
        losses.push(risk.loss(&model).expect("a loss").value);
        states.push(draw());
    }
    assert!(losses[0] == losses[1] && losses[1] == losses[2]);
    assert!(states[0] != states[1] && states[1] != states[2]);
}

#[test]
fn what_draws_is_refused_without_a_seed() {
    let _turn = turn();
    let device = Device::flex();
    let (model, data) = (network(&device), [Tensor::<2>::ones([4, 4], &device)]);
    let risk = Risk::new(&loss, &data).with_mode(Mode::Train);
    let text = LossError::Draws.to_string();
    let said = |error: Option<String>| assert_eq!(error.as_ref(), Some(&text));
    said(risk.loss(&model).err().map(|e| e.to_string()));
    let error = risk.loss_and_gradient(&model).err();
    said(error.map(|e| e.to_string()));
    let error = risk.hessian(&model).err();
    said(error.map(|e| e.to_string()));
    let error = risk.finite_difference(&model).err();
    said(error.map(|e| e.to_string()));
    let error = SharpnessReportConfig::new().run(&risk, &model).err();
    said(error.map(|e| e.to_string()));
    let mut monitor = CurvatureMonitorConfig::new().init().expect("a monitor");
    let error = monitor.measure(&risk, &Moment::new(0, 0.1, &model)).err();
    said(error.map(|e| e.to_string()));
}
