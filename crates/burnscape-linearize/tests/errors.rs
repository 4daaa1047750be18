//! What cannot be traced or differentiated says so, and the next trace works.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation fails the test"
)]

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::interpolate::{Interpolate2dConfig, InterpolateMode};
use burn::nn::loss::{CTCLossConfig, PoissonNllLossConfig, Reduction};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Distribution, Int, Tensor};
use burnscape_linearize::{GradientTrace, LinearizeError, LinearizedGradient, jvp, trace_gradient};

fn device() -> Device {
    Device::flex().autodiff()
}

fn normal<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &device())
}

fn layer() -> Linear {
    LinearConfig::new(3, 2).init(&device())
}

fn trace(
    loss: impl FnOnce(&Linear, Tensor<2>) -> Tensor<1>,
) -> Result<GradientTrace, LinearizeError> {
    let x = normal([4, 3]);
    let settings = Device::flex().settings();
    trace_gradient(layer(), settings, |lifter| lifter.float(x), loss)
}

fn good() -> GradientTrace {
    let traced = trace(|linear, x| linear.forward(x).tanh().sum());
    traced.expect("a loss that can be traced")
}

fn message(error: LinearizeError) -> String {
    match error {
        LinearizeError::Closure { message } => message,
        other => panic!("{other}"),
    }
}

#[test]
fn a_closure_that_reads_a_value_is_refused() {
    let error = trace(|linear, x| {
        let loss = linear.forward(x).sum();
        let size = loss.clone().into_scalar::<f32>();
        if size > 0.0 { loss } else { -loss }
    });
    let error = error.expect_err("no value is known");
    assert!(error.to_string().contains("must not read a value"));
    assert!(message(error).contains("no concrete value"));
    good();
}

#[test]
fn a_loss_of_burn_that_reads_its_targets_is_refused() {
    let error = trace(|linear, x| {
        let poisson = PoissonNllLossConfig::new().init();
        let y = linear.forward(x);
        let targets = y.clone().detach().square();
        poisson.forward(y, targets, Reduction::Mean)
    });
    message(error.expect_err("targets are checked by value"));
    good();
}

/// Burn's debug builds read the lengths of sequences to check them. Lengths made in the closure have
/// values, those of the batch have none.
#[test]
fn ctc_with_lengths_of_the_batch_is_refused_while_burn_checks_them() {
    let ctc = |lengths_of_batch: bool| {
        let (x, d) = (normal([4, 3]), device());
        let lengths = || Tensor::<1, Int>::from_data([4], &d);
        let traced = trace_gradient(
            layer(),
            Device::flex().settings(),
            |lifter| (lifter.float(x), lifter.int(lengths())),
            |linear: &Linear, (x, of_batch)| {
                let d = x.device();
                let lengths = Tensor::<1, Int>::from_data([4], &d);
                let lengths = if lengths_of_batch { of_batch } else { lengths };
                let words = log_softmax(linear.forward(x), 1).reshape([4, 1, 2]);
                let targets = Tensor::<2, Int>::from_data([[1]], &d);
                let kept = Tensor::<1, Int>::from_data([1], &d);
                let loss = CTCLossConfig::new().init();
                loss.forward(words, targets, lengths, kept)
            },
        );
        traced.map(|_| ())
    };
    assert_eq!(ctc(false), Ok(()));
    if cfg!(debug_assertions) {
        message(ctc(true).expect_err("lengths are checked by value"));
    } else {
        assert_eq!(ctc(true), Ok(()));
    }
    good();
}

#[test]
fn a_closure_with_a_tensor_of_another_device_is_refused() {
    let other = normal([4, 2]);
    let error = trace(|linear, x| (linear.forward(x) * other).sum());
    let message = message(error.expect_err("the devices differ"));
    assert!(message.contains("not on the same device"), "{message}");
    good();
}

#[test]
fn a_closure_that_panics_is_refused_with_its_own_words() {
    let error = trace(|_, _| panic!("the cat sat on the keyboard"));
    let message = message(error.expect_err("a panic"));
    assert_eq!(message, "the cat sat on the keyboard");
    good();
}

#[test]
fn a_loss_of_several_elements_is_refused() {
    let error = trace(|linear, x| linear.forward(x).sum_dim(1).reshape([4]));
    let error = error.expect_err("four elements");
    assert_eq!(error, LinearizeError::NotScalar { shape: vec![4] });
    good();
}

#[test]
fn a_loss_that_no_parameter_reaches_is_refused() {
    let detached = trace(|linear, x| linear.forward(x).detach().sum());
    assert_eq!(detached.expect_err("no graph"), LinearizeError::Untracked);
    let unused = trace(|_, x| x.sum());
    assert_eq!(unused.expect_err("no graph"), LinearizeError::Untracked);
    good();
}

#[test]
fn a_kernel_that_the_device_does_not_have_is_an_error_when_the_program_runs() {
    let model: Conv2d = Conv2dConfig::new([1, 1], [2, 2]).init(&device());
    let resize = Interpolate2dConfig::new()
        .with_output_size(Some([5, 5]))
        .with_mode(InterpolateMode::Lanczos)
        .init();
    let (plain, x) = (Device::flex(), normal([1, 1, 4, 4]));
    let traced = trace_gradient(
        model,
        plain.settings(),
        |lifter| lifter.float(x),
        |model, x| resize.forward(model.forward(x)).tanh().sum(),
    );
    let traced = traced.expect("recording needs no kernel");
    let error = LinearizedGradient::new(&traced, plain.settings(), &plain);
    let error = error.map(|_| ()).expect_err("Burn has no backward of it");
    assert!(matches!(error, LinearizeError::Run { .. }), "{error}");
}

#[test]
fn a_direction_of_other_parts_is_refused() {
    let (plain, traced) = (Device::flex(), good());
    let mut linearized =
        LinearizedGradient::new(&traced, plain.settings(), &plain).expect("a linearization");
    let part = |len: usize| Tensor::<1>::zeros([len], &plain);
    let short = linearized.hvp(&[part(6)]);
    assert!(matches!(short, Err(LinearizeError::Mismatch { .. })));
    let wrong = linearized.hvp(&[part(5), part(2)]);
    assert!(matches!(wrong, Err(LinearizeError::Mismatch { .. })));
    linearized.hvp(&[part(6), part(2)]).expect("a product");
}

#[test]
fn an_input_that_is_not_there_cannot_be_differentiated_by() {
    let error = jvp(&good().program, &[17], Device::flex().settings());
    assert!(matches!(error, Err(LinearizeError::Mismatch { .. })));
}

#[test]
fn a_thousand_traces_exhaust_nothing() {
    for _ in 0..1_000 {
        good();
    }
}

/// Burn makes 65,536 capture devices in a process and no more.
#[test]
#[ignore = "takes ten seconds"]
fn seventy_thousand_traces_exhaust_nothing() {
    for _ in 0..70_000 {
        good();
    }
}
