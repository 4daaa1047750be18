//! How large the basin around a minimum is, and when an estimate of it is none.

use burn::tensor::{DType, Device};
use burnscape::krylov::DiagonalConfig;
use burnscape::loss::Risk;
use burnscape::optim::TrustRegionNewtonConfig;
use burnscape::sharpness::{BasinVolume, BasinVolumeConfig};

use super::digits::{Pixels, SMALL_PIXELS};
use super::network::{Labeled, TanhNet, regularized};
use super::table::{heading, meaning, number, table};
use crate::{Args, Failure};

const DIGITS: usize = 200;
const HIDDEN: usize = 4;
const CLASSES: usize = 10;
const DECAY: f64 = 1e-3;
/// How much higher the loss may be within the basin.
const RISES: [f64; 2] = [1e-3, 1e-1];
const NEWTON_STEPS: usize = 100;
/// At this norm a gradient is rounding.
const SMALLEST_GRADIENT: f64 = 1e-5;
/// All eigenpairs of the Hessian.
const EIGENPAIRS: usize = 128;
/// Products for its diagonal.
const PRODUCTS: usize = 200;

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let device = Device::default().autodiff();
    let place = (&device, DType::F32);
    let pixels = Pixels::first(DIGITS)?;
    let data: [Labeled; 1] = [(pixels.small_images(place), pixels.labels(&device))];
    let loss = regularized(DECAY);
    let mut model = TanhNet::new([SMALL_PIXELS, HIDDEN, CLASSES], args.seed, place)?;

    eprintln!("Newton's method in a trust region…");
    let mut newton = TrustRegionNewtonConfig::new().init()?;
    let (mut steps, mut ends) = (0, [f64::NAN; 2]);
    while steps < args.length(NEWTON_STEPS, 3) {
        let report = newton.step_on(&mut model, data[0].clone(), &loss)?;
        steps += 1;
        let found = report.loss.unwrap_or(f64::NAN);
        ends = [if steps == 1 { found } else { ends[0] }, found];
        if report.gradient_norm < SMALLEST_GRADIENT {
            break;
        }
    }
    let risk = Risk::new(&loss, &data);
    let hessian = risk.hessian(&model)?;
    let slope = hessian.gradient()?.norm()?;
    let count = hessian.space().len();
    heading(
        "Basin volume",
        &format!(
            "{DIGITS} digits of 4×4 pixels, {SMALL_PIXELS}-{HIDDEN}-{CLASSES} with tanh and an L2 term, {count} \
             weights. {steps} steps of Newton's method in a trust region take the loss from {:.2} to {:.4}, with a \
             gradient of {slope:.0e}. How large is the region around it in which the loss is at most ε higher? From \
             the lengths of random rays.",
            ends[0], ends[1]
        ),
    );
    eprintln!("rays…");
    let diagonal = DiagonalConfig::new().with_max_matvecs(args.length(PRODUCTS, 10));
    let diagonal = diagonal.run(&hessian)?.diagonal;
    let mut rows = Vec::new();
    for rise in RISES {
        let config = BasinVolumeConfig::new(rise)
            .with_num_rays(args.length(100, 4))
            .with_num_eigenpairs(EIGENPAIRS)
            .with_seed(args.seed);
        let units = [
            ("the same in all directions", config.run(&risk, &model)?),
            (
                "1/√h of each weight",
                config.run_with_diagonal(&risk, &model, &diagonal)?,
            ),
            (
                "1/√λ of each eigenvector",
                config.run_with_curvature(&risk, &model, &hessian)?,
            ),
        ];
        for (index, (name, found)) in units.iter().enumerate() {
            let rise = if index == 0 {
                format!("{rise:.0e}")
            } else {
                String::new()
            };
            rows.push(row(rise, name, found));
        }
    }
    table(
        &[
            "ε",
            "unit of length",
            "ln V",
            "typical ray",
            "effective rays",
            "reliable",
            "quadratic",
        ],
        &rows,
    );
    meaning(&format!(
        "A ray counts with its length to the power of {count}. Without the right units one of them has all of the \
         volume, and the number is far too small; effective rays say so. With eigenvectors a small basin is known \
         well; in a large one the loss is no longer quadratic, and the estimate is flagged again."
    ));
    Ok(())
}

fn row(rise: String, name: &str, found: &BasinVolume) -> Vec<String> {
    vec![
        rise,
        name.to_string(),
        format!("{:.1}", found.log_volume),
        format!("{:.1}", found.mean_log_volume),
        format!("{:.1} of {}", found.effective_rays, found.log_volumes.len()),
        if found.is_reliable() { "yes" } else { "no" }.to_string(),
        number(found.log_volume_quadratic, 1),
    ]
}
