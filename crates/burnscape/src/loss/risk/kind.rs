use super::source::ClassSource;
use std::fmt;
use std::sync::Arc;

/// The kind of a [`Risk`](super::Risk) with a single loss function.
#[derive(Debug, Clone, Copy)]
pub struct Whole(());

/// The kind of a [`Risk`](super::Risk) with separate outputs and criterion.
#[derive(Debug, Clone, Copy)]
pub struct Split(());

/// The kind of a [`Risk`](super::Risk) with the losses of single examples.
#[derive(Debug, Clone, Copy)]
pub struct PerExample(());

/// The kind of a [`Risk`](super::Risk) with the logits and labels of a classifier.
pub struct Classes<'a, M>(pub(crate) Arc<dyn ClassSource<M> + Send + Sync + 'a>);

impl Whole {
    pub(super) const KIND: Self = Self(());
}

impl Split {
    pub(super) const KIND: Self = Self(());
}

impl PerExample {
    pub(super) const KIND: Self = Self(());
}

impl<M> Clone for Classes<'_, M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M> fmt::Debug for Classes<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Classes")
    }
}
