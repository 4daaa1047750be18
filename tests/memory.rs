//! The memory of curvature operators, by a counting allocator.
#![allow(clippy::unwrap_used)]
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use burnscape::linearize::{Checkpointing, GradientTrace, LinearMap, Linearized};

#[path = "../benches/curvature/models.rs"]
#[allow(dead_code, reason = "shared with the benchmark")]
mod models;
use models::{Batch, Classifier, ConvNet, Gpt, batch, loss};

#[global_allocator]
static ALLOCATOR: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

fn peak<T>(work: impl Fn() -> T) -> f64 {
    drop(work());
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let held = work();
    let peak = ALLOCATOR.peak_usage() - before;
    drop(held);
    peak as f64 / 1e6
}

fn show<M: Classifier<D>, const D: usize>(name: &str, model: &M, (x, y): Batch<D>) {
    let device = Device::flex();
    let lifted = (x.clone().autodiff(), y.clone().autodiff());
    let gradient = peak(|| {
        let loss = loss(model, lifted.clone());
        GradientsParams::from_grads(loss.backward(), model)
    });
    let trace = GradientTrace::new(
        model.clone().valid().train(),
        device.settings(),
        |i| (i.float(x.clone()), i.int(y.clone())),
        loss,
    )
    .unwrap();
    let wrt: Vec<usize> = (0..trace.parameters.len()).collect();
    let map = LinearMap::hessian(&trace, &wrt, device.settings()).unwrap();
    let n = map.num_columns();
    println!(
        "{name}: n {:.1} MB, gradient {gradient:.1} MB, program {:.1}",
        n as f64 * 4e-6,
        trace.program.peak_bytes() as f64 / 1e6
    );
    let v = Tensor::<1>::ones([n], &device);
    let mut at = Linearized::new(&map, &device).unwrap();
    println!("   residuals {:.1}", at.residual_bytes() as f64 / 1e6);
    for segments in [Some(1), Some(2), Some(4)] {
        let how = if segments.is_none() {
            Checkpointing::Store
        } else {
            Checkpointing::Recompute
        };
        at = at.with_segments(segments.unwrap_or(1));
        let cell = std::cell::RefCell::new(at);
        let made = peak(|| cell.borrow_mut().point(&trace.bindings, how).unwrap());
        let point = cell.borrow_mut().point(&trace.bindings, how).unwrap();
        let product = peak(|| cell.borrow_mut().apply(&point, &[v.clone()]).unwrap());
        let t = std::time::Instant::now();
        cell.borrow_mut().apply(&point, &[v.clone()]).unwrap();
        let t = t.elapsed().as_secs_f64() * 1e3;
        at = cell.into_inner();
        let t0 = std::time::Instant::now();
        let [a, b] = map.programs(segments);
        let t0 = t0.elapsed().as_secs_f64() * 1e3;
        let (pa, pb) = (a.peak_bytes() as f64 / 1e6, b.peak_bytes() as f64 / 1e6);
        println!(
            "   {segments:?}: point {made:.1} (predicted {pa:.1}, {:.2}), product {product:.1} (predicted {pb:.1}, {:.2}), {:.2} gradients, {t:.0} ms, flops {:.2}, plan {t0:.1} ms",
            pa / made,
            pb / product,
            product / gradient,
            b.flops() as f64 / trace.program.flops() as f64
        );
    }
}

#[test]
fn peaks() {
    let device = Device::flex();
    let lifted = device.clone().autodiff();
    let rows = std::env::var("ROWS")
        .ok()
        .and_then(|r| r.parse().ok())
        .unwrap_or(4);
    show(
        "conv_28",
        &ConvNet::new(&lifted),
        batch([128, 1, 28, 28], &device),
    );
    show(
        "gpt_4",
        &Gpt::new(256, 4, 128, &lifted),
        Gpt::batch(rows, 128, &device),
    );
    if std::env::var("ALL").is_ok() {
        show(
            "gpt_12",
            &Gpt::new(256, 12, 128, &lifted),
            Gpt::batch(rows, 128, &device),
        );
    }
}
