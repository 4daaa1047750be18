//! Everything that cannot be traced or differentiated is an error, and the next trace works.

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::interpolate::{Interpolate2dConfig, InterpolateMode};
use burn::nn::loss::{CTCLossConfig, CrossEntropyLossConfig, PoissonNllLossConfig, Reduction};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Distribution, Int, Tensor};
use burnscape_linearize::{GradientTrace, LinearizeError, LinearizedGradient};

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
    GradientTrace::new(layer(), settings, |inputs| inputs.float(x), loss)
}

fn good() -> GradientTrace {
    let traced = trace(|linear, x| linear.forward(x).tanh().sum());
    traced.expect("a loss that can be traced")
}

fn refused(loss: impl FnOnce(&Linear, Tensor<2>) -> Tensor<1>) -> (LinearizeError, String) {
    let error = trace(loss).expect_err("a refusal");
    let text = error.to_string();
    good();
    (error, text)
}

#[test]
fn a_closure_that_reads_a_value_is_refused_by_the_call_that_reads() {
    let line = line!() + 3;
    let (error, text) = refused(|linear, x| {
        let loss = linear.forward(x).sum();
        let size = loss.clone().into_scalar::<f32>();
        if size > 0.0 { loss } else { -loss }
    });
    let LinearizeError::ReadValue { place } = error else {
        panic!("{text}");
    };
    assert_eq!(place.call.as_deref(), Some("into_scalar"));
    let at = place.at.expect("tests have line tables");
    assert!(at.ends_with(&format!("errors.rs:{line}")), "{at}");
    assert!(text.contains("reads a value by `into_scalar`"), "{text}");
    assert!(text.contains("`mask_where` instead of `if`"), "{text}");
}

#[test]
fn a_loss_of_burn_that_reads_its_targets_is_refused_by_its_name() {
    let (error, text) = refused(|linear, x| {
        let poisson = PoissonNllLossConfig::new().init();
        let y = linear.forward(x);
        let targets = y.clone().detach().square();
        poisson.forward(y, targets, Reduction::Mean)
    });
    assert!(matches!(error, LinearizeError::ReadValue { .. }), "{text}");
    assert!(text.contains("by `forward`"), "{text}");
}

/// Burn's debug builds read the lengths of sequences to check them. Lengths made in the closure have
/// values, those of the batch have none.
#[test]
fn ctc_with_lengths_of_the_batch_is_refused_while_burn_checks_them() {
    let ctc = |lengths_of_batch: bool| {
        let (x, d) = (normal([4, 3]), device());
        let lengths = || Tensor::<1, Int>::from_data([4], &d);
        let traced = GradientTrace::new(
            layer(),
            Device::flex().settings(),
            |inputs| (inputs.float(x), inputs.int(lengths())),
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
        let error = ctc(true).expect_err("lengths are checked by value");
        assert!(matches!(error, LinearizeError::ReadValue { .. }), "{error}");
    } else {
        assert_eq!(ctc(true), Ok(()));
    }
    good();
}

#[test]
fn a_closure_with_a_tensor_of_another_device_is_refused() {
    let other = normal([4, 2]);
    let (error, text) = refused(|linear, x| (linear.forward(x) * other).sum());
    assert!(
        matches!(error, LinearizeError::ForeignTensor { .. }),
        "{text}"
    );
    assert!(text.contains("class weights"), "{text}");
}

#[test]
fn a_criterion_with_class_weights_of_outside_is_refused_as_such() {
    let weights = CrossEntropyLossConfig::new().with_weights(Some(vec![1.0, 2.0]));
    let criterion = weights.init(&device());
    let (error, text) = refused(|linear, x| {
        let labels = Tensor::<1, Int>::zeros([4], &x.device());
        criterion.forward(linear.forward(x), labels)
    });
    assert!(
        matches!(error, LinearizeError::ForeignTensor { .. }),
        "{text}"
    );
}

#[test]
fn a_closure_that_moves_what_depends_on_the_parameters_is_refused() {
    let (error, text) = refused(|linear, x| {
        let y = linear.forward(x);
        let there = y.device();
        y.to_device(&there).sum()
    });
    let LinearizeError::MovedTensor { place } = error else {
        panic!("{text}");
    };
    assert_eq!(place.call.as_deref(), Some("to_device"));
    assert!(
        text.contains("move the model and the batch before"),
        "{text}"
    );
}

#[test]
fn a_closure_that_seeds_is_refused() {
    let (error, text) = refused(|linear, x| {
        x.device().seed(1);
        linear.forward(x).sum()
    });
    assert!(
        matches!(error, LinearizeError::SeededDevice { .. }),
        "{text}"
    );
}

#[test]
fn a_closure_that_takes_a_gradient_is_refused_with_what_works() {
    let (error, text) = refused(|linear, x| {
        let x = x.autodiff().require_grad();
        let gradients = linear.forward(x.clone()).sum().backward();
        let slope = x.grad(&gradients).expect("a gradient");
        slope.autodiff().sum() + linear.forward(x).sum()
    });
    assert_eq!(error, LinearizeError::NestedBackward);
    assert!(text.contains("make a `Field` in the closure"), "{text}");
}

#[test]
fn a_closure_that_panics_is_refused_with_its_own_words_and_line() {
    let line = line!() + 1;
    let (error, _) = refused(|_, _| panic!("the cat sat on the keyboard"));
    let LinearizeError::Panicked { message } = error else {
        panic!("{error}");
    };
    assert!(message.starts_with("the cat sat on the keyboard ("));
    assert!(
        message.ends_with(&format!("errors.rs:{line})")),
        "{message}"
    );
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
    let traced = GradientTrace::new(
        model,
        plain.settings(),
        |inputs| inputs.float(x),
        |model, x| resize.forward(model.forward(x)).tanh().sum(),
    );
    let traced = traced.expect("recording needs no kernel");
    let error = LinearizedGradient::new(&traced, plain.settings(), &plain);
    let error = error.map(|_| ()).expect_err("Burn has no backward of it");
    assert!(matches!(error, LinearizeError::Execution { .. }), "{error}");
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
    let error = good().program.jvp(&[17], Device::flex().settings());
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
