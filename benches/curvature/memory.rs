use std::hint::black_box;

use burn::optim::GradientsParams;
use burnscape::krylov::LinearOperator;
use burnscape::space::ParamVector;

use crate::ALLOCATOR;
use crate::models::{Batch, Classifier, loss, risk};

/// Prints the peak of a product, residuals kept and recomputed, over that of a gradient.
pub(crate) fn report<M: Classifier<D>, const D: usize>(name: &str, model: &M, batch: Batch<D>) {
    let lifted = (batch.0.clone().autodiff(), batch.1.clone().autodiff());
    let data = [batch];
    let risk = risk::<M, D>(&data);
    let gradient = || {
        let loss = loss(model, lifted.clone());
        drop(black_box(GradientsParams::from_grads(
            loss.backward(),
            model,
        )));
    };
    let product = |budget: usize| {
        let hessian = risk
            .clone()
            .with_checks(false)
            .with_residual_budget(budget)
            .hessian(model)
            .expect("a Hessian");
        let v = ParamVector::gaussian(hessian.space(), 1).expect("a vector");
        drop(black_box(hessian.matvec(&v).expect("a product")));
    };
    let gradient_peak = peak(gradient);
    let (kept, recomputed) = (peak(|| product(usize::MAX)), peak(|| product(0)));
    println!(
        "{name}: peak of a gradient {:.2} MB; of linearizing and a product {:.2} times that with \
         residuals kept, {:.2} recomputed",
        gradient_peak / 1e6,
        kept / gradient_peak,
        recomputed / gradient_peak
    );
}

/// The most that `work` allocates beyond what is allocated before it, in bytes, the second time.
fn peak(work: impl Fn()) -> f64 {
    work();
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    work();
    (ALLOCATOR.peak_usage() - before) as f64
}
