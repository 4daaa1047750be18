use std::ops::ControlFlow;

use super::{DataSet, LossError};

/// Batches held in memory.
#[derive(Debug, Clone)]
pub struct Batches<B> {
    batches: Vec<B>,
}

impl<B> Batches<B> {
    /// A data set of the given batches.
    pub fn new(batches: Vec<B>) -> Self {
        Self { batches }
    }

    /// Reads a Burn data loader once and stores its batches.
    ///
    /// A shuffling loader changes its order on every reading *and draws from the generator that training uses*: reading
    /// it in the middle of a training run changes the batches that follow. Collect before training starts, or use a
    /// separate loader.
    ///
    /// # Cost
    ///
    /// All batches stay in memory, on the device of the loader.
    ///
    /// # Errors
    ///
    /// [`LossError::Loader`], [`LossError::EmptyData`].
    #[cfg(feature = "dataset")]
    pub fn collect<L>(loader: &L) -> Result<Self, LossError>
    where
        L: burn::data::dataloader::DataLoader<B> + ?Sized,
    {
        let batches: Result<Vec<B>, _> = loader.iter().collect();
        let batches = batches.map_err(|error| LossError::Loader {
            message: error.to_string(),
        })?;
        if batches.is_empty() {
            return Err(LossError::EmptyData);
        }
        Ok(Self { batches })
    }

    /// The batches.
    pub fn as_slice(&self) -> &[B] {
        &self.batches
    }
}

impl<B: Clone> DataSet<B> for Batches<B> {
    fn visit(&self, visit: &mut dyn FnMut(Result<B, LossError>) -> ControlFlow<()>) {
        self.batches.visit(visit);
    }

    fn num_batches(&self) -> Option<usize> {
        Some(self.batches.len())
    }
}
