use std::ops::Range;

use burn::tensor::{DType, Device, Tensor};

use super::kernel::Kernel;

/// The most numbers of a chunk: 4 GiB in single precision, and an index that fits in 32 bits.
const MOST: usize = 1 << 30;
/// A chunk has this many rows, or as many as have so many numbers: with fewer, adding up the sums of chunks would count.
const ROWS: usize = 32;
const NUMBERS: usize = 1 << 22;

/// Rows in chunks of several. All chunks but the last are full.
///
/// Where chunks begin depends on the length of a row alone, so that products do not depend on the history of a basis: a
/// run that was stored and continued has the numbers of one that was not interrupted. A basis of a large model is several
/// allocations, and rows that were planned are never copied to make room.
#[derive(Debug, Clone)]
pub(super) struct Chunks {
    chunks: Vec<Chunk>,
    kernel: Kernel,
    /// The length of a vector, and of a row.
    dimension: usize,
    width: usize,
    /// The number of rows to make room for.
    capacity: usize,
    device: Device,
    dtype: DType,
}

/// A tensor `[height, width]` whose first `len` rows are used.
#[derive(Debug, Clone)]
struct Chunk {
    rows: Tensor<2>,
    room: usize,
    len: usize,
}

impl Chunks {
    pub(super) fn new(
        kernel: Kernel,
        dimension: usize,
        capacity: usize,
        (device, dtype): (Device, DType),
    ) -> Self {
        Self {
            chunks: Vec::new(),
            kernel,
            dimension,
            width: kernel.width(dimension),
            capacity,
            device,
            dtype,
        }
    }

    /// No rows, and room for as many as before.
    pub(super) fn emptied(&self) -> Self {
        Self {
            chunks: Vec::new(),
            device: self.device.clone(),
            ..*self
        }
    }

    pub(super) fn len(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.len).sum()
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn device(&self) -> &Device {
        &self.device
    }

    pub(super) fn dtype(&self) -> DType {
        self.dtype
    }

    /// The rows of a full chunk.
    fn rows(&self) -> usize {
        let width = self.width.max(1);
        (NUMBERS / width).max(ROWS).min(MOST / width).max(1)
    }

    /// Appends a vector without padding.
    pub(super) fn push(&mut self, v: Tensor<1>) {
        let mut last = match self.chunks.pop() {
            Some(chunk) if chunk.len < chunk.room => chunk,
            Some(chunk) if chunk.room < self.rows() => self.grown(chunk),
            full => {
                self.chunks.extend(full);
                self.fresh()
            }
        };
        let row = v.unsqueeze_dim::<2>(0);
        let place = [last.len..last.len + 1, 0..self.dimension];
        // Burn writes in place if there is a single owner.
        last.rows = last.rows.slice_assign(place, row);
        last.len += 1;
        self.chunks.push(last);
    }

    /// The rows to make room for in a chunk after `before` rows: those that were planned, or a full chunk.
    pub(super) fn room(&self, before: usize) -> usize {
        match self.capacity.saturating_sub(before) {
            0 => self.rows(),
            left => left.min(self.rows()),
        }
    }

    fn zeros(&self, height: usize) -> Tensor<2> {
        Tensor::zeros([height, self.width], (&self.device, self.dtype))
    }

    fn fresh(&self) -> Chunk {
        let room = self.room(self.len());
        Chunk {
            rows: self.zeros(self.kernel.height(room)),
            room,
            len: 0,
        }
    }

    /// A chunk with room for more rows than were planned: the only one that is copied.
    fn grown(&self, chunk: Chunk) -> Chunk {
        let room = self.rows();
        let Chunk { rows, len, .. } = chunk;
        let [height, _] = rows.dims();
        let more = self.kernel.height(room) - height;
        let rows = match more {
            0 => rows,
            more => Tensor::cat(vec![rows, self.zeros(more)], 0),
        };
        Chunk { rows, room, len }
    }

    /// Appends padded rows, of which the first `len` hold vectors and `room` may. The last chunk must be full.
    pub(super) fn append(&mut self, rows: Tensor<2>, room: usize, len: usize) {
        self.chunks.push(Chunk { rows, room, len });
    }

    pub(super) fn truncate(&mut self, len: usize) {
        let mut rest = len;
        for chunk in &mut self.chunks {
            chunk.len = chunk.len.min(rest);
            rest -= chunk.len;
        }
        // An empty first chunk is kept, as room.
        let used = self.chunks.iter().filter(|chunk| chunk.len > 0).count();
        self.chunks.truncate(used.max(1));
    }

    /// A vector without padding.
    pub(super) fn get(&self, index: usize) -> Option<Tensor<1>> {
        let mut index = index;
        for chunk in &self.chunks {
            if index < chunk.len {
                let row = [index..index + 1, 0..self.dimension];
                let row = chunk.rows.clone().slice(row);
                return Some(row.reshape([self.dimension]));
            }
            index -= chunk.len;
        }
        None
    }

    /// The chunks with vectors from `first` on, each with the range of its rows that hold them.
    pub(super) fn from(&self, first: usize) -> impl Iterator<Item = (&Tensor<2>, Range<usize>)> {
        let mut before = 0;
        let ranges = self.chunks.iter().map(move |chunk| {
            let start = first.saturating_sub(before).min(chunk.len);
            before += chunk.len;
            (&chunk.rows, start..chunk.len)
        });
        ranges.filter(|(_, range)| !range.is_empty())
    }

    /// The rows that hold vectors, with their padding, chunk by chunk.
    pub(super) fn used(&self) -> impl Iterator<Item = Tensor<2>> {
        self.from(0).map(|(rows, range)| {
            let [height, width] = rows.dims();
            if range.len() == height {
                rows.clone()
            } else {
                rows.clone().slice([range, 0..width])
            }
        })
    }

    /// All numbers of the rows that hold vectors.
    pub(super) fn numbers(&self) -> Vec<Tensor<1>> {
        let flat = |rows: Tensor<2>| {
            let len = rows.shape().num_elements();
            rows.reshape([len])
        };
        self.used().map(flat).collect()
    }

    /// The same rows, changed.
    pub(super) fn map(&self, change: impl Fn(Tensor<2>) -> Tensor<2>) -> Self {
        let chunks = self.chunks.iter().map(|chunk| Chunk {
            rows: change(chunk.rows.clone()),
            ..*chunk
        });
        Self {
            chunks: chunks.collect(),
            ..self.emptied()
        }
    }

    /// Ranges of so many rows that fit in a chunk each.
    pub(super) fn groups(&self, rows: usize) -> impl Iterator<Item = Range<usize>> {
        let step = self.rows();
        (0..rows)
            .step_by(step)
            .map(move |start| start..rows.min(start + step))
    }
}
