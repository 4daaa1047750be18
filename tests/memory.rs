//! The memory of curvature operators, by a counting allocator.
//!
//! A binary of its own with a single test: what others allocate meanwhile would count.
#![allow(clippy::expect_used, reason = "a failed expectation fails the test")]

#[path = "../benches/curvature/models.rs"]
#[allow(dead_code, reason = "shared with the benchmark")]
mod models;

use burn::optim::GradientsParams;
use burn::tensor::Device;
use burnscape::krylov::LinearOperator;
use burnscape::loss::{Risk, Split};
use burnscape::space::ParamVector;
use models::{Batch, Classifier, ConvNet, Gpt, batch, loss, risk};

#[global_allocator]
static ALLOCATOR: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// The most that `work` allocates beyond what is allocated before it, in bytes, the second time.
fn peak<T>(work: impl Fn() -> T) -> f64 {
    drop(work());
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    drop(work());
    (ALLOCATOR.peak_usage() - before) as f64
}

fn gradient_peak<M: Classifier<D>, const D: usize>(model: &M, batch: &Batch<D>) -> f64 {
    let lifted = (batch.0.clone().autodiff(), batch.1.clone().autodiff());
    peak(|| {
        let loss = loss(model, lifted.clone());
        GradientsParams::from_grads(loss.backward(), model)
    })
}

/// Making a Hessian and a product, in units of `gradient`. It must be near what was predicted.
fn measured<M: Classifier<D>, const D: usize>(
    name: &str,
    risk: &Risk<'_, M, Split>,
    model: &M,
    gradient: f64,
) -> f64 {
    let plan = risk.hessian(model).expect("a Hessian").memory_plan();
    let measured = peak(|| {
        let hessian = risk.hessian(model).expect("a Hessian");
        let v = ParamVector::gaussian(hessian.space(), 1).expect("a vector");
        hessian.matvec(&v).expect("a product")
    });
    let predicted = plan.peak_bytes as f64 / measured;
    let ratio = measured / gradient;
    println!("{name}: {ratio:.2} gradients, predicted {predicted:.2} of it ({plan})");
    assert!((0.8..=1.2).contains(&predicted), "{name}: {predicted}");
    ratio
}

fn product<M: Classifier<D>, const D: usize>(risk: &Risk<'_, M, Split>, model: &M) -> Vec<f64> {
    let hessian = risk.hessian(model).expect("a Hessian");
    let v = ParamVector::gaussian(hessian.space(), 1).expect("a vector");
    let product = hessian.matvec(&v).expect("a product");
    product.to_host().expect("numbers")
}

#[test]
fn peaks_are_as_predicted_and_within_budgets() {
    let device = Device::flex();
    let lifted = device.clone().autodiff();
    let convolutions = ConvNet::new(&lifted);
    let images = [batch([128, 1, 28, 28], &device)];
    let gradient = gradient_peak(&convolutions, &images[0]);
    let kept = risk::<ConvNet, 4>(&images);
    measured("convolutions, kept", &kept, &convolutions, gradient);
    let recomputed = kept.clone().with_residual_budget(0);
    let ratio = measured(
        "convolutions, recomputed",
        &recomputed,
        &convolutions,
        gradient,
    );
    assert!(ratio < 1.5);

    let gpt = Gpt::new(64, 3, 128, &lifted);
    let tokens = [Gpt::batch(4, 128, &device)];
    let gradient = gradient_peak(&gpt, &tokens[0]);
    let kept = risk::<Gpt, 2>(&tokens);
    let ratio = measured("GPT, kept", &kept, &gpt, gradient);
    assert!(ratio > 3.0);
    let reference = product(&kept, &gpt);
    let recomputed = kept.clone().with_residual_budget(0);
    let ratio = measured("GPT, recomputed", &recomputed, &gpt, gradient);
    assert!(ratio < 2.1);
    assert_eq!(product(&recomputed, &gpt), reference);
    let budget = 1.3 * gradient;
    let segments = kept.clone().with_memory_budget(budget as usize);
    let plan = segments.hessian(&gpt).expect("a Hessian").memory_plan();
    assert!(
        plan.segments > 1 && plan.examples_per_batch.is_none(),
        "{plan}"
    );
    let ratio = measured("GPT, in segments", &segments, &gpt, gradient);
    assert!(ratio < 1.3 * 1.2);
    assert_eq!(product(&segments, &gpt), reference);
}
