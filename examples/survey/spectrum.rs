//! The eigenvalues of the training loss's Hessian.

use std::error::Error;
use std::fs::File;
use std::path::Path;

use burnscape::Csv;
use burnscape::krylov::{Axis, SpectralDensity, TraceEstimate};
use burnscape::loss::Risk;
use burnscape::spectrum::{CriticalPoint, Spectrum};
use serde::Serialize;

use super::models::Classifier;
use super::settings::{DENSITY_PROBES, DENSITY_STEPS, GRADIENT_ZERO, TRACE_PRODUCTS};

/// How many of the largest eigenvalues are looked at.
pub(crate) const TOP: usize = 5;

/// What the eigenvalues say about one trained network.
#[derive(Serialize, Debug, Clone)]
pub(crate) struct Eigenvalues {
    /// The largest, the largest first.
    pub(crate) top: Vec<f64>,
    pub(crate) residuals: Vec<f64>,
    pub(crate) products: usize,
    pub(crate) trace: TraceEstimate,
    pub(crate) point: CriticalPoint,
    /// Of the first seed only: it takes more products than all of the above.
    pub(crate) density: Option<SpectralDensity>,
}

pub(crate) fn eigenvalues<M: Classifier>(
    risk: &Risk<'_, M>,
    model: &M,
    with_density: bool,
) -> Result<Eigenvalues, Box<dyn Error>> {
    let hessian = risk.hessian(model)?;
    let spectrum = Spectrum::of(&hessian)
        .with_tolerance(1e-4)
        .with_max_matvecs(300)
        .with_num_probes(DENSITY_PROBES)
        .with_steps(DENSITY_STEPS);
    let top = spectrum.top_eigenpairs(TOP)?;
    let point = spectrum.critical_point(GRADIENT_ZERO)?;
    let density = match with_density {
        true => Some(spectrum.density()?),
        false => None,
    };
    let trace = spectrum.with_max_matvecs(TRACE_PRODUCTS).trace()?;
    Ok(Eigenvalues {
        top: top.values,
        residuals: top.residuals,
        products: top.num_matvecs,
        trace,
        point,
        density,
    })
}

/// Writes the measure and the curve of a density into a directory.
pub(crate) fn write(
    density: &SpectralDensity,
    directory: &Path,
    name: &str,
) -> Result<(), Box<dyn Error>> {
    let create = |kind: &str| {
        let path = directory.join(format!("{name}-{kind}.csv"));
        File::create(&path).map_err(|error| format!("cannot write {}: {error}", path.display()))
    };
    density.write_csv(create("density")?)?;
    let curve = density.curve(Axis::Linear, 400, None)?;
    curve.write_csv(create("density-curve")?)?;
    Ok(())
}
