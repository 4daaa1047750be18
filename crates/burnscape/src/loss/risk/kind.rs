use super::source::ClassSource;
use std::fmt;
use std::sync::Arc;

/// A [`Risk`](super::Risk) of a loss that is known as a whole.
#[derive(Debug, Clone, Copy)]
pub struct Whole(());

/// A [`Risk`](super::Risk) whose outputs and criterion are known apart.
#[derive(Debug, Clone, Copy)]
pub struct Split(());

/// A [`Risk`](super::Risk) that knows the losses of single examples.
#[derive(Debug, Clone, Copy)]
pub struct PerExample(());

/// A [`Risk`](super::Risk) of a classifier's cross-entropy, which knows logits and labels.
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
