use std::error::Error;
use std::hint::black_box;

use burnscape::optim::ClosureStep;
use burnscape::path::{BezierCurve, CurveFitterConfig};
use peak_alloc::PeakAlloc;

use crate::models::Classifier;
use crate::{Batch, RATE, base};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Threads allocate at their own times; the median of a few peaks is steady.
const REPEATS: usize = 9;

/// Prints what a fitting step holds at its peak beyond a plain step, in copies of the parameters,
/// for one free control point and for three.
pub(crate) fn report<const D: usize, M: Classifier<D>>(
    name: &str,
    [first, last]: &[M; 2],
    batch: &Batch<D>,
) -> Result<(), Box<dyn Error>> {
    let copy = (first.num_params() * size_of::<f32>()) as f64;
    let loss = |model: &M, batch: Batch<D>| model.loss(&batch);
    let mut optimizer = base();
    let mut model = first.clone();
    let plain = peak(|| {
        black_box(optimizer.closure_step(RATE, &mut model, |m: &M| m.loss(batch))?);
        Ok(())
    })?;
    println!(
        "\n{name}: peak memory, one copy of the parameters is {:.1} kB",
        copy / 1e3
    );
    println!("  plain step                         {:.1} kB", plain / 1e3);
    for degree in [2, 4] {
        let curve = BezierCurve::between(first, last, degree)?;
        let mut fitter = CurveFitterConfig::new(RATE).init(curve, base())?;
        let fitted = peak(|| {
            black_box(fitter.step(batch.clone(), &loss)?);
            Ok(())
        })?;
        println!(
            "  fitting step, {} free points        {:.1} kB: {:.2} copies more",
            degree - 1,
            fitted / 1e3,
            (fitted - plain) / copy
        );
    }
    Ok(())
}

/// The median of the largest number of bytes in use during `work`, beyond those in use before it.
fn peak(mut work: impl FnMut() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    // The optimizer's own state exists before the measurement.
    work()?;
    work()?;
    let mut peaks = Vec::with_capacity(REPEATS);
    for _ in 0..REPEATS {
        ALLOCATOR.reset_peak_usage();
        let before = ALLOCATOR.current_usage();
        work()?;
        peaks.push(ALLOCATOR.peak_usage().saturating_sub(before) as f64);
    }
    Ok(crate::median(peaks))
}
