//! Saving and resuming [`Sam`].

use burn::module::Module;

use super::combination::Kept;
use super::core::{SamCore, SamState};
use super::{Combination, OptimError, OptimRecord, Sam, Source};
use crate::space::{ParamSpace, Wide};

const KIND: &str = "sam";

impl SamCore {
    pub(super) fn to_record<M: Module>(&self, model: &M) -> Result<OptimRecord, OptimError> {
        let SamState {
            step,
            ascents,
            average,
            kept,
        } = &self.state;
        let square = kept.as_ref().map_or(Wide::ZERO, |kept| kept.square);
        OptimRecord::new(KIND, model)?
            .with_counter("step", *step as f64)
            .with_counter("ascents", *ascents as f64)
            .with_vector("average", average.as_ref())?
            .with_counter("kept.square", square.shifted(-square.exponent()).value())
            .with_counter("kept.exponent", f64::from(square.exponent()))
            .with_vector("kept", kept.as_ref().map(|kept| &kept.vector))
    }

    pub(super) fn load_record<M: Module>(
        &mut self,
        record: &OptimRecord,
        model: &M,
    ) -> Result<ParamSpace, OptimError> {
        let space = record.check(KIND, model)?;
        self.refuse_other_variant(record)?;
        self.state = SamState {
            step: record.counter("step").unwrap_or(0.0) as usize,
            ascents: record.counter("ascents").unwrap_or(0.0) as usize,
            average: record.vector("average", &space),
            kept: record.vector("kept", &space).map(|vector| Kept {
                square: Wide::new(
                    record.counter("kept.square").unwrap_or(0.0),
                    // Absent where an earlier version wrote the square as one number.
                    record.counter("kept.exponent").unwrap_or(0.0) as i32,
                ),
                vector,
            }),
        };
        Ok(space)
    }
}

impl SamCore {
    /// Vectors that this configuration has no use for belong to another variant.
    fn refuse_other_variant(&self, record: &OptimRecord) -> Result<(), OptimError> {
        let keeps = [
            (
                "average",
                "Friendly SAM",
                matches!(self.config.source, Source::Friendly { .. }),
            ),
            (
                "kept",
                "LookSAM",
                matches!(self.config.combination, Combination::Look { .. }),
            ),
        ];
        match keeps
            .into_iter()
            .find(|(name, _, is_used)| !is_used && record.has_vector(name))
        {
            Some((_, variant, _)) => Err(OptimError::Record {
                message: format!("it is that of {variant}, which this configuration is not"),
            }),
            None => Ok(()),
        }
    }
}

impl Sam {
    /// The state of this optimizer and of its base, for the parameters of `model`.
    ///
    /// # Errors
    ///
    /// [`OptimError::Record`], [`OptimError::Space`].
    pub fn to_record<M: Module>(&self, model: &M) -> Result<OptimRecord, OptimError> {
        self.core.to_record(model)?.with_base(&self.base)
    }

    /// Restores a saved state, for the parameters of `model`: they are matched by path and shape, so that
    /// the model may have been built anew, or read from a file without Burn's identifiers.
    ///
    /// Training resumes bit for bit where it stopped, given the same configuration and base and the
    /// same batches in the same order.
    ///
    /// # Errors
    ///
    /// [`OptimError::OtherModel`] if paths or shapes differ, [`OptimError::Record`].
    pub fn load_record<M: Module>(
        mut self,
        record: OptimRecord,
        model: &M,
    ) -> Result<Self, OptimError> {
        let space = self.core.load_record(&record, model)?;
        self.base = record.load_base(self.base, &space)?;
        Ok(self)
    }
}
