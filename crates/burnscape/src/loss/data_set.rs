use super::LossError;

/// Anything that yields the same batches again and again: a slice, a `Vec`, an array, a closure
/// that makes an iterator, or [`Batches`](super::Batches).
///
/// A closure must yield the same batches on every call; the determinism probe notices when it does
/// not.
pub trait DataSet<B> {
    /// One pass over the data.
    fn batches<'a>(&'a self) -> Box<dyn Iterator<Item = Result<B, LossError>> + 'a>
    where
        B: 'a;

    /// Number of batches in a pass, where it is known.
    fn num_batches(&self) -> Option<usize> {
        None
    }
}

impl<B: Clone> DataSet<B> for [B] {
    fn batches<'a>(&'a self) -> Box<dyn Iterator<Item = Result<B, LossError>> + 'a>
    where
        B: 'a,
    {
        Box::new(self.iter().cloned().map(Ok))
    }

    fn num_batches(&self) -> Option<usize> {
        Some(self.len())
    }
}

impl<B: Clone> DataSet<B> for Vec<B> {
    fn batches<'a>(&'a self) -> Box<dyn Iterator<Item = Result<B, LossError>> + 'a>
    where
        B: 'a,
    {
        self.as_slice().batches()
    }

    fn num_batches(&self) -> Option<usize> {
        Some(self.len())
    }
}

impl<B: Clone, const N: usize> DataSet<B> for [B; N] {
    fn batches<'a>(&'a self) -> Box<dyn Iterator<Item = Result<B, LossError>> + 'a>
    where
        B: 'a,
    {
        self.as_slice().batches()
    }

    fn num_batches(&self) -> Option<usize> {
        Some(N)
    }
}

impl<B, I, F> DataSet<B> for F
where
    F: Fn() -> I,
    I: IntoIterator<Item = B>,
    I::IntoIter: 'static,
{
    fn batches<'a>(&'a self) -> Box<dyn Iterator<Item = Result<B, LossError>> + 'a>
    where
        B: 'a,
    {
        Box::new(self().into_iter().map(Ok))
    }
}
