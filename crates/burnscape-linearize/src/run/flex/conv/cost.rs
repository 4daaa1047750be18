//! Which kernel is faster, from the shapes alone.

use super::{Conv, Kind};

/// Nanoseconds for each of a kernel's [`parts`](Conv::parts_of_ours). Fitted by `cargo bench --bench conv -- --fit`.
const OURS: [[f64; 4]; 3] = [[4e3, 0.01, 0.5, 0.5]; 3];
/// The same for Burn's.
const BURN: [[f64; 4]; 3] = [
    [4e3, 0.012, 0.5, 1.0],
    [4e3, 0.012, 0.5, 1.0],
    [4e3, 0.03, 2.0, 4.0],
];

impl Conv {
    /// Whether our kernel should be used rather than Burn's.
    #[doc(hidden)]
    pub fn is_faster(&self, kind: Kind) -> bool {
        let [ours, burn] = self.times(kind);
        ours < burn
    }

    /// The estimated times of our kernel and of Burn's, in nanoseconds.
    #[doc(hidden)]
    pub fn times(&self, kind: Kind) -> [f64; 2] {
        let time = |parts: [f64; 4], times: [f64; 4]| {
            let times = times.into_iter().zip(parts);
            times.map(|(time, part)| time * part).sum()
        };
        let index = kind as usize;
        [
            time(self.parts_of_ours(kind), OURS[index]),
            time(self.parts_of_burn(), BURN[index]),
        ]
    }

    /// What Burn's kernels do: one call, products, columns, and numbers of input and output.
    #[doc(hidden)]
    pub fn parts_of_burn(&self) -> [f64; 4] {
        let columns = self.output_len() / self.outputs * self.inputs * self.taps();
        let numbers = self.input_len() + self.output_len();
        [1.0, self.products() as f64, columns as f64, numbers as f64]
    }

    /// What our kernel does: one call, products (with those that come to nothing), numbers placed in lines, and
    /// results.
    #[doc(hidden)]
    pub fn parts_of_ours(&self, kind: Kind) -> [f64; 4] {
        let [products, placed, written] = match kind {
            Kind::Forward => self.forward_parts(),
            Kind::Input => self.input_parts(),
            Kind::Weight => self.weight_parts(),
        };
        [1.0, products, placed, written]
    }
}
