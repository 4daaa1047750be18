use std::error::Error;
use std::hint::black_box;

use burn::optim::GradientsParams;
use burnscape::optim::SamConfig;
use burnscape::space::{LeafVector, ParamSpace, unshared_copy};
use peak_alloc::PeakAlloc;

use crate::models::{Batch, Classifier};
use crate::timing::{base, median};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Threads allocate at their own times; the median of a few peaks is steady.
const REPEATS: usize = 9;

/// Prints the peak memory of a SAM step beyond that of two gradients, in copies of the parameters.
pub(crate) fn report<const D: usize, M: Classifier<D>>(
    name: &str,
    model: &M,
    batch: &Batch<D>,
) -> Result<(), Box<dyn Error>> {
    let copy = (model.num_params() * size_of::<f32>()) as f64;
    let gradient = |model: &M| GradientsParams::from_grads(model.loss(batch).backward(), model);
    let mut model = model.clone();
    let mut sam = SamConfig::new().init(base())?;
    // The optimizer's own state, and whatever Burn keeps, exists before the measurement.
    for _ in 0..2 {
        sam.step(1e-4, &mut model, |m: &M| m.loss(batch))?;
    }
    let space = ParamSpace::of(&model)?;
    // The second gradient is that of another model, as SAM's is. This one shares the weights.
    let other = unshared_copy(&model);
    let mut peaks: [Vec<f64>; 3] = Default::default();
    for _ in 0..REPEATS {
        let two_gradients = peak(|| {
            let first = gradient(&model);
            black_box((first, gradient(&other)));
            Ok(())
        })?;
        let by_hand = peak(|| {
            let first = LeafVector::from_gradients(&space, &gradient(&model))?;
            let displaced = first.perturb(&model, 1e-3)?;
            black_box((first, gradient(&displaced)));
            Ok(())
        })?;
        let mut stepped = model.clone();
        let step = peak(|| {
            black_box(sam.step(1e-4, &mut stepped, |m: &M| m.loss(batch))?);
            Ok(())
        })?;
        for (series, peak) in peaks.iter_mut().zip([two_gradients, by_hand, step]) {
            series.push(peak);
        }
    }
    let [two_gradients, by_hand, step] = peaks.map(median);
    let extra = |peak: f64| (peak - two_gradients) / copy;
    let bookkeeping = (step - two_gradients - copy) / 1e3;
    println!(
        "\n{name}: peak memory, one copy of the parameters is {:.1} kB",
        copy / 1e3
    );
    println!(
        "  two gradients, both kept           {:.1} kB",
        two_gradients / 1e3
    );
    println!("  SAM step                           {:.1} kB", step / 1e3);
    println!(
        "  extra, in copies                   {:.3}  (bar 1)",
        extra(step)
    );
    println!("  the same by hand                   {:.3}", extra(by_hand));
    println!("  extra beyond one copy              {bookkeeping:.1} kB");
    Ok(())
}

/// The largest number of bytes in use during `work`, beyond those in use before it.
fn peak(work: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    work()?;
    Ok(ALLOCATOR.peak_usage().saturating_sub(before) as f64)
}
