//! Which kernel is faster, from the shapes alone.

use super::{Conv, Kind};

/// The work of a kernel: calls, images, products, numbers copied before them, and numbers of operands and result.
type Parts = [f64; 5];

/// Nanoseconds for each part of our kernels, by kind. Fitted on an AMD EPYC (Zen 2, AVX2) on one thread by
/// `cargo bench --bench conv -- --fit`, 2026-11-29.
const OURS: [Parts; 3] = [
    [1479.0, 549.0, 0.0340, 0.696, 0.032],
    [2759.0, 560.0, 0.0341, 0.320, 0.041],
    [2330.0, 290.0, 0.0450, 0.000, 0.302],
];

/// The same for those in tiles, from how long they take over the ones above in alternation on a busy processor (Zen 3),
/// one thread; `--fit` prints all of them for a quiet one.
const TILED: [Parts; 3] = [
    [3475.0, 23.0, 0.0584, 0.408, 0.013],
    [3475.0, 23.0, 0.0584, 0.408, 0.013],
    [2330.0, 290.0, 0.0700, 0.500, 0.100],
];

/// The same for Burn's, by [`Way`].
const BURN: [Parts; 6] = [
    [2944.0, 8.0, 0.0462, 0.32, 1.103],
    [718.0, 246.0, 0.0222, 0.056, 0.183],
    [12978.0, 1273.0, 0.2394, 0.000, 0.097],
    [1139.0, 396.0, 0.0259, 0.841, 0.301],
    [1155.0, 107.0, 0.0262, 1.400, 0.000],
    [5231.0, 841.0, 0.0849, 0.490, 1.889],
];

/// The kernels of Burn, which differ in what they copy.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    Columns,
    Pointwise,
    /// Without columns, for at most 4 channels that become at most 16.
    Small,
    Scattered,
    ScatteredPointwise,
    Weight,
}

impl Conv {
    /// Whether our kernel should be used rather than Burn's.
    #[doc(hidden)]
    pub fn is_faster(&self, kind: Kind) -> bool {
        // Sums over a single channel are not products of matrices; Burn has a kernel of their own for them.
        let is_depthwise = self.groups > 1 && self.channels() == [1, 1];
        if is_depthwise && kind == Kind::Forward {
            return false;
        }
        let [ours, burn] = self.times(kind);
        ours < burn
    }

    /// Whether our kernel in tiles should be used rather than the other.
    #[doc(hidden)]
    pub fn is_tiled(&self, kind: Kind) -> bool {
        let [lines, tiles] = self.times_of_ours(kind);
        tiles < lines
    }

    /// The estimated times of our kernel and of Burn's, in nanoseconds.
    #[doc(hidden)]
    pub fn times(&self, kind: Kind) -> [f64; 2] {
        let [lines, tiles] = self.times_of_ours(kind);
        let burn = time(self.parts_of_burn(kind), BURN[self.way_of_burn(kind)]);
        [lines.min(tiles), burn]
    }

    /// The same of our kernels, the second in tiles.
    fn times_of_ours(&self, kind: Kind) -> [f64; 2] {
        let lines = time(self.parts_of_ours(kind), OURS[kind as usize]);
        let tiles = self.parts_in_tiles(kind);
        let tiles = tiles.map_or(f64::INFINITY, |parts| time(parts, TILED[kind as usize]));
        [lines, tiles]
    }

    /// The index of the kernel that Burn uses.
    #[doc(hidden)]
    pub fn way_of_burn(&self, kind: Kind) -> usize {
        self.way(kind) as usize
    }

    pub(super) fn way(&self, kind: Kind) -> Way {
        let is_pointwise = self.taps() == 1 && self.stride == [1; 3] && self.padding == [0; 3];
        let is_small = self.groups == 1 && self.inputs <= 4 && self.outputs <= 16;
        match kind {
            Kind::Forward if is_pointwise => Way::Pointwise,
            Kind::Forward if is_small => Way::Small,
            Kind::Forward => Way::Columns,
            Kind::Input if is_pointwise => Way::ScatteredPointwise,
            Kind::Input => Way::Scattered,
            Kind::Weight => Way::Weight,
        }
    }

    /// What Burn's kernel does; what it copies are columns, one for each tap and input channel.
    #[doc(hidden)]
    pub fn parts_of_burn(&self, kind: Kind) -> Parts {
        let columns = self.batch * self.positions() * self.inputs * self.taps();
        let images = match kind {
            // To Burn, this is a convolution whose images are the input channels.
            Kind::Weight => self.inputs,
            _ => self.batch * self.groups,
        };
        self.parts(images, self.products() as f64, columns as f64)
    }

    /// What our kernel without tiles does. Products include those that come to nothing.
    #[doc(hidden)]
    pub fn parts_of_ours(&self, kind: Kind) -> Parts {
        let [products, placed, written] = match kind {
            Kind::Forward => self.forward_parts(),
            Kind::Input => self.input_parts(),
            Kind::Weight => self.weight_parts(),
        };
        let mut parts = self.parts(self.batch * self.groups, products, placed);
        parts[4] += written;
        parts
    }

    /// What our kernel in tiles does, if there is one. Numbers include transformed kernels.
    #[doc(hidden)]
    pub fn parts_in_tiles(&self, kind: Kind) -> Option<Parts> {
        let [products, transformed, kernels] = self.has_tiles().then(|| self.tiled_parts(kind))?;
        let mut parts = self.parts(self.batch * self.groups, products, transformed);
        parts[4] += kernels;
        Some(parts)
    }

    fn parts(&self, images: usize, products: f64, copied: f64) -> Parts {
        let numbers = self.input_len() + self.output_len() + self.weight_len();
        [1.0, images as f64, products, copied, numbers as f64]
    }
}

fn time(parts: Parts, times: Parts) -> f64 {
    let times = times.into_iter().zip(parts);
    times.map(|(time, part)| time * part).sum()
}
