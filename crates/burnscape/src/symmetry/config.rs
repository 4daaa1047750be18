use burn::config::Config;
use burn::module::Module;

use super::dropping::verified;
use super::layout::Layout;
use super::traced::Traced;
use super::verifier::Verifier;
use super::{Symmetries, SymmetryError};
use crate::loss::Batch;
use crate::range::ensure;

/// Finds the permutations of a model's weights that leave its outputs as they are.
///
/// The forward pass is recorded as a program. A walk over the program finds which axes of all tensors are one, how they are
/// divided, and which the program fixes: axes of the batch and of the outputs, windows of convolutions, and so on. The
/// axes that stay free are the groups, which are then verified.
///
/// Parameters that are trained, frozen ones and running statistics are permuted alike. Fields of type `Tensor` that are no
/// parameters are constants, and fix the axes along which they vary.
///
/// # Cost
///
/// One recording, and `draws` + 1 forward passes of the batch in f64 on the CPU. Memory is that of two copies of the
/// parameters in f64 and of a forward pass. The walk takes milliseconds.
///
/// # Reproducibility
///
/// `seed` draws the values and the elements of verification. The groups do not depend on it.
///
/// # Example
///
/// See [`symmetry`](super).
#[derive(Config, Debug, PartialEq)]
pub struct SymmetriesConfig {
    /// Seed of verification.
    #[config(default = 0)]
    pub seed: u64,
    /// Random elements that are tried in verification.
    #[config(default = 3)]
    pub draws: usize,
}

impl SymmetriesConfig {
    /// The symmetries of `model` with the outputs that `outputs` computes from a batch. It is the closure of
    /// [`Risk::split`](crate::loss::Risk::split), and may also return several tensors, of any kind, as a tuple or `Vec`.
    ///
    /// The model is evaluated as by [`Module::valid`], and is not changed. No group at all is a result, not an error.
    ///
    /// # Errors
    ///
    /// [`SymmetryError::Linearize`] if the closure cannot be recorded, for instance because it reads a value;
    /// [`SymmetryError::OutOfRange`] for no draws; [`SymmetryError::NoOutputs`], [`SymmetryError::RandomOutputs`],
    /// [`SymmetryError::NothingFinite`]; [`SymmetryError::NoHostBackend`]; [`SymmetryError::Space`] for quantized
    /// parameters, and for a device that fails.
    pub fn run<M, B, T, F>(
        &self,
        outputs: &F,
        model: &M,
        batch: B,
    ) -> Result<Symmetries, SymmetryError>
    where
        M: Module,
        B: Batch,
        T: Batch,
        F: Fn(&M, &B) -> T,
    {
        ensure("draws", self.draws as f64, 1.0..)?;
        let traced = Traced::of(outputs, model, batch)?;
        let layout = Layout::found(&traced, &traced.forward.axes())?;
        if layout.groups.is_empty() {
            return Ok(Symmetries::of(layout));
        }
        let mut verifier = Verifier::new(&traced, self.seed, self.draws)?;
        verified(&mut verifier, Symmetries::of(layout))
    }
}
