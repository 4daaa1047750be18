use std::hint::black_box;

use burn::optim::GradientsParams;
use burnscape::curvature::CurvatureError;
use burnscape::krylov::LinearOperator;
use burnscape::loss::{Risk, Split};
use burnscape::space::ParamVector;

use crate::ALLOCATOR;
use crate::models::{Batch, Classifier, loss, risk};

/// Prints the peak of making a Hessian and one product over that of a gradient, and the predicted one over the measured
/// one: with residuals kept, recomputed, and with the least budget.
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
    let gradient = peak(gradient);
    println!("{name}: peak of a gradient {:.1} MB", gradient / 1e6);
    for checks in [false, true] {
        let risk = risk.clone().with_checks(checks);
        // The least budget, as the refusal of a smaller one tells.
        let refused = risk.clone().with_memory_budget(1).hessian(model).map(drop);
        let budget = match refused {
            Err(CurvatureError::MemoryBudget { least, .. }) => least as usize,
            other => panic!("{other:?}"),
        };
        let cases = [
            ("kept", risk.clone().with_residual_budget(usize::MAX)),
            ("recomputed", risk.clone().with_residual_budget(0)),
            ("least budget", risk.clone().with_memory_budget(budget)),
        ];
        let checked = if checks { "checked" } else { "unchecked" };
        for (case, risk) in cases {
            show(&format!("  {checked}, {case}"), &risk, model, gradient);
        }
    }
}

fn show<M: Classifier<D>, const D: usize>(
    name: &str,
    risk: &Risk<'_, M, Split>,
    model: &M,
    gradient: f64,
) {
    let plan = match risk.hessian(model) {
        Ok(hessian) => hessian.memory_plan(),
        Err(error) => return println!("{name}: {error}"),
    };
    let measured = peak(|| {
        let hessian = risk.hessian(model).expect("a Hessian");
        let v = ParamVector::gaussian(hessian.space(), 1).expect("a vector");
        drop(black_box(hessian.matvec(&v).expect("a product")));
    });
    println!(
        "{name}: {:.2} of a gradient, predicted {:.2} of it ({plan})",
        measured / gradient,
        plan.peak_bytes as f64 / measured,
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
