//! Data whose batches are split along their examples.

use super::source::{Data, SharedData, Source, Visit, VisitTensors};

/// Data in parts of at most `examples`.
pub(crate) struct DataInParts<'a> {
    pub(crate) whole: SharedData<'a>,
    pub(crate) examples: usize,
}

impl Data for DataInParts<'_> {
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

/// A loss over data in parts of at most `examples`.
pub(crate) struct SourceInParts<'s, M> {
    pub(crate) whole: &'s (dyn Source<M> + 's),
    pub(crate) examples: usize,
}

impl<M> Data for SourceInParts<'_, M> {
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

impl<M> Source<M> for SourceInParts<'_, M> {
    fn visit(&self, visit: &mut Visit<'_, M>) {
        self.whole.visit_parts(self.examples, visit);
    }

    fn visit_parts(&self, examples: usize, visit: &mut Visit<'_, M>) {
        self.whole.visit_parts(examples.min(self.examples), visit);
    }
}
