//! The memory of curvature operators, by a counting allocator.
//!
//! A binary of its own: what other tests allocate meanwhile would count.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation fails the test"
)]

#[path = "../benches/curvature/models.rs"]
#[allow(dead_code, reason = "shared with the benchmark")]
mod models;

use burn::optim::GradientsParams;
use burn::tensor::Device;
use burnscape::curvature::{CurvatureError, Hessian};
use burnscape::krylov::LinearOperator;
use burnscape::loss::{Risk, Split};
use burnscape::space::{ParamSpace, ParamVector};
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

/// Makes a Hessian and multiplies once; the vector is counted as well.
fn product<M: Classifier<D>, const D: usize>(risk: &Risk<'_, M, Split>, model: &M) -> ParamVector {
    let hessian = risk.hessian(model).expect("a Hessian");
    let v = ParamVector::gaussian(hessian.space(), 1).expect("a vector");
    hessian.matvec(&v).expect("a product")
}

/// The predicted peak over the measured one, and the measured one over that of a gradient.
fn ratios<M: Classifier<D>, const D: usize>(
    name: &str,
    risk: &Risk<'_, M, Split>,
    model: &M,
    gradient: f64,
) -> (f64, f64) {
    let plan = risk.hessian(model).expect("a Hessian").memory_plan();
    let measured = peak(|| product(risk, model));
    let predicted = plan.peak_bytes as f64;
    println!(
        "{name}: {plan}; measured {:.1} MB, predicted {:.2} of it, {:.2} gradients",
        measured / 1e6,
        predicted / measured,
        measured / gradient
    );
    (predicted / measured, measured / gradient)
}

#[test]
fn peaks_are_as_predicted_and_within_budgets() {
    let device = Device::flex();
    let lifted = device.clone().autodiff();
    let scale = std::env::var("SCALE")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(2);
    {
        let model = ConvNet::new(&lifted);
        let data = [batch([128, 1, 28, 28], &device)];
        let gradient = gradient_peak(&model, &data[0]);
        let risk = risk::<ConvNet, 4>(&data);
        for checks in [false, true] {
            let risk = risk.clone().with_checks(checks);
            ratios("conv kept", &risk, &model, gradient);
            ratios(
                "conv recomputed",
                &risk.clone().with_residual_budget(0),
                &model,
                gradient,
            );
        }
    }
    for layers in [4, 12] {
        let model = Gpt::new(32 * scale, layers, 128, &lifted);
        let data = [Gpt::batch(4, 128, &device)];
        let gradient = gradient_peak(&model, &data[0]);
        println!("gradient {:.1} MB", gradient / 1e6);
        let risk = risk::<Gpt, 2>(&data);
        for checks in [false, true] {
            println!("checks {checks}");
            let risk = risk.clone().with_checks(checks);
            ratios("kept", &risk, &model, gradient);
            ratios(
                "recomputed",
                &risk.clone().with_residual_budget(0),
                &model,
                gradient,
            );
            let least = match risk.clone().with_memory_budget(1).hessian(&model) {
                Err(CurvatureError::MemoryBudget { least, .. }) => least,
                other => panic!("{other:?}"),
            };
            println!("least {:.1} MB", least as f64 / 1e6);
            for budget in [1.0, 0.8, 0.6] {
                let risk = risk
                    .clone()
                    .with_memory_budget((budget * gradient) as usize);
                if risk.hessian(&model).is_err() {
                    println!("{budget} does not fit");
                    continue;
                }
                ratios(&format!("budget {budget}"), &risk, &model, gradient);
            }
        }
    }
}
