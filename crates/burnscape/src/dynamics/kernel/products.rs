//! Products with a kernel, on the host.

use burn::module::Module;
use burn::tensor::Tensor;
use burnscape_krylov::{LinearOperator, Probe};

use super::matrix::symmetrize;
use crate::curvature::{CurvatureError, Ntk};
use crate::loss::{Progress, Risk, Split, Work};
use crate::space::{FlatSpace, FlatVector, SpaceError, limited_by, to_host};

/// The products of a kernel with `count` vectors, one after the other.
///
/// # Cost
///
/// As many products, in blocks of the size that the risk sets; one host synchronization for each block.
pub(super) fn products<M: Module>(
    risk: &Risk<'_, M, Split>,
    kernel: &Ntk<'_>,
    count: usize,
    vector: impl Fn(usize) -> Result<Vec<f64>, SpaceError>,
) -> Result<Vec<f64>, CurvatureError> {
    let block = risk.operators()?.block_size;
    let mut products = Vec::new();
    for first in (0..count).step_by(block) {
        let end = count.min(first + block);
        let vectors = (first..end).map(|index| {
            let values = vector(index)?;
            FlatVector::from_host(kernel.outputs(), &values)
        });
        let vectors = vectors.collect::<Result<Vec<_>, SpaceError>>()?;
        let found = kernel.matmat(&vectors)?.into_iter();
        let found: Vec<Tensor<1>> = found.map(|product| product.values().clone()).collect();
        let waits = kernel.outputs().waits();
        products.extend(limited_by(waits, || to_host(Tensor::cat(found, 0)))?);
        let progress = Progress::new(Work::Matvec, end).of(count);
        if risk.take_break() || risk.report(progress).is_break() {
            return Err(CurvatureError::Stopped);
        }
    }
    Ok(products)
}

/// The kernel as a matrix, by its products with the unit vectors.
///
/// They take `n p` operations each for `n` examples and `p` parameters, and one block of gradients. The product of the
/// whole Jacobian with its transpose would take `N p` for each of the `N` outputs, and all `N` gradients.
pub(super) fn matrix<M: Module>(
    risk: &Risk<'_, M, Split>,
    kernel: &Ntk<'_>,
) -> Result<Vec<f64>, CurvatureError> {
    let size = kernel.outputs().len();
    let unit = |index: usize| {
        Ok((0..size)
            .map(|at| f64::from(u8::from(at == index)))
            .collect())
    };
    let mut matrix = products(risk, kernel, size, unit)?;
    symmetrize(&mut matrix, size);
    Ok(matrix)
}

/// The random signs of a probe.
pub(super) fn probe(size: usize, seed: u64, index: usize) -> Result<Vec<f64>, SpaceError> {
    Ok(Probe::Rademacher.draw::<Vec<f64>>(&size, seed, index as u64)?)
}
