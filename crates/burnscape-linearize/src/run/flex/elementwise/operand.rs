use burn::tensor::Shape;

/// How a tensor is repeated to the shape of a result: number `i` of the result meets number
/// `i / inner % count` of the tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broadcast {
    pub(super) inner: usize,
    pub(super) count: usize,
}

impl Broadcast {
    /// `None` if the axes that are not repeated have others between them.
    pub(super) fn new(shape: &Shape, out: &Shape) -> Option<Self> {
        if shape.num_dims() != out.num_dims() {
            return None;
        }
        let len = |axes: std::ops::Range<usize>| axes.map(|axis| out[axis]).product::<usize>();
        let own: Vec<usize> = (0..out.num_dims())
            .filter(|axis| shape[*axis] != 1)
            .collect();
        let from = own.first().copied().unwrap_or_default();
        let until = own.last().map_or(from, |last| last + 1);
        let is_whole = (from..until).all(|axis| shape[axis] == out[axis]);
        is_whole.then(|| Self {
            inner: len(until..out.num_dims()),
            count: len(from..until),
        })
    }
}

/// The numbers of an input.
pub(super) enum Numbers<'a, T> {
    /// One for each of the result.
    All(&'a [T]),
    Repeated(&'a [T], Broadcast),
    /// Those that are in the memory of the result before it is written.
    Own,
}

impl Broadcast {
    /// Writes the numbers that those of the result from `start` on meet.
    pub(super) fn repeat<T: Copy>(self, numbers: &[T], start: usize, mut to: &mut [T]) {
        let Self { inner, count } = self;
        let mut at = start;
        while !to.is_empty() {
            let len = match inner {
                1 => count - at % count,
                _ => inner - at % inner,
            };
            let (now, rest) = to.split_at_mut(len.min(to.len()));
            let from = at / inner % count;
            match inner {
                1 => now.copy_from_slice(&numbers[from..][..now.len()]),
                _ => now.fill(numbers[from]),
            }
            at += now.len();
            to = rest;
        }
    }
}
