use std::error::Error;

use burn::optim::GradientsParams;
use burnscape::optim::{SaddleFreeNewtonConfig, SamConfig};

use crate::models::{Batch, Classifier};
use crate::timing::{base, median, timed};

/// Prints what steps with curvature cost in gradients, and how much higher in the ball they look, while
/// a model is trained on one batch.
pub(crate) fn report<const D: usize, M: Classifier<D>>(
    name: &str,
    model: &M,
    batch: &Batch<D>,
    rounds: usize,
) -> Result<(), Box<dyn Error>> {
    let loss = |m: &M, batch: Batch<D>| m.loss(&batch);
    let rho = 0.05;
    let mut trained = model.clone();
    let mut sam = SamConfig::new().with_rho(rho).init(base())?;
    let mut projected = SamConfig::sa_gd().with_seed(0).with_rho(rho).init(base())?;
    let mut exact = SamConfig::sa_gd_trust_region()
        .with_seed(0)
        .with_rho(rho)
        .init(base())?;
    let mut newton = SaddleFreeNewtonConfig::new().init()?;
    let mut columns: [Vec<f64>; 8] = Default::default();
    let mut unsettled = 0;
    for _ in 0..rounds {
        let (_, gradient) = timed(|| {
            let loss = trained.loss(batch);
            GradientsParams::from_grads(loss.backward(), &trained)
        });
        // Rates of zero: all three look from the same point.
        let look = |optimizer: &mut burnscape::optim::Sam| {
            let mut copy = trained.clone();
            let (report, time) = timed(|| optimizer.step_on(0.0, &mut copy, batch.clone(), &loss));
            let report = report?;
            let rise = report.perturbed_loss.zip(report.loss);
            let rise = rise.map_or(f64::NAN, |(there, here)| there - here);
            Ok::<_, Box<dyn Error>>((report, rise, time / gradient))
        };
        let (_, sam_rise, _) = look(&mut sam)?;
        let (_, projected_rise, projected_time) = look(&mut projected)?;
        let (report, exact_rise, exact_time) = look(&mut exact)?;
        let Some(inner) = report.inner else { continue };
        unsettled += usize::from(!(inner.outcome.is_converged() && inner.certified));
        let mut copy = trained.clone();
        let (report, newton_time) = timed(|| newton.step_on(0.0, &mut copy, batch.clone(), &loss));
        let newton_products = report?.num_matvecs;
        let measured = [
            projected_rise / sam_rise,
            projected_time,
            exact_rise / sam_rise,
            exact_time,
            inner.num_matvecs as f64,
            inner.rise / exact_rise,
            newton_time / gradient,
            newton_products as f64,
        ];
        for (column, value) in columns.iter_mut().zip(measured) {
            column.push(value);
        }
        for _ in 0..5 {
            sam.step_on(0.02, &mut trained, batch.clone(), &loss)?;
        }
    }
    let spread = |column: &[f64]| {
        let least = column.iter().copied().fold(f64::INFINITY, f64::min);
        let most = column.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        format!("{:.3} ({least:.3} to {most:.3})", median(column.to_vec()))
    };
    println!("\n{name}: median of {} (least to most)", columns[0].len());
    let rows = [
        ("rise by projected ascent / SAM's", 0),
        ("its step / gradient", 1),
        ("rise by trust region / SAM's", 2),
        ("its step / gradient", 3),
        ("its products", 4),
        ("rise of the quadratic model / true rise", 5),
        ("saddle-free Newton step / gradient", 6),
        ("its products", 7),
    ];
    for (label, index) in rows {
        println!("  {label:<42} {}", spread(&columns[index]));
    }
    println!("  not converged or not certified             {unsettled}");
    Ok(())
}
