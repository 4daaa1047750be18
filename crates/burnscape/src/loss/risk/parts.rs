//! Data whose batches are split along their examples.

use std::ops::Deref;

use super::source::{Data, Source, Visit, VisitTensors};

/// Data, or a loss over data, in parts of at most `examples`.
pub(crate) struct InParts<W> {
    pub(crate) whole: W,
    pub(crate) examples: usize,
}

/// A loss over data in parts.
pub(crate) type SourceInParts<'s, M> = InParts<&'s (dyn Source<M> + 's)>;

impl<W> Data for InParts<W>
where
    W: Deref<Target: Data>,
{
    fn num_batches(&self) -> Option<usize> {
        None
    }

    fn shares_traces(&self) -> bool {
        self.whole.shares_traces()
    }

    fn type_name(&self) -> &'static str {
        self.whole.type_name()
    }

    fn visit_tensors(&self, visit: &mut VisitTensors<'_>) {
        self.whole.visit_tensor_parts(self.examples, visit);
    }

    fn visit_tensor_parts(&self, examples: usize, visit: &mut VisitTensors<'_>) {
        self.whole
            .visit_tensor_parts(examples.min(self.examples), visit);
    }
}

impl<M, W> Source<M> for InParts<W>
where
    W: Deref<Target: Source<M>>,
{
    fn visit(&self, visit: &mut Visit<'_, M>) {
        self.whole.visit_parts(self.examples, visit);
    }

    fn visit_parts(&self, examples: usize, visit: &mut Visit<'_, M>) {
        self.whole.visit_parts(examples.min(self.examples), visit);
    }
}
