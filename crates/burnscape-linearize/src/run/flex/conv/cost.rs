//! Which kernel is faster, from the shapes alone.

use super::{Conv, Kind};

/// The work of a kernel: calls, images, products, numbers copied before them, numbers of input and output, and those of
/// the weight, which are packed.
type Parts = [f64; 6];

/// Nanoseconds for each part of our kernels, by kind. Fitted on an AMD EPYC (Zen 5, AVX-512) on one thread by
/// `cargo bench --bench conv -- --fit --rounds 25`, 2026-11-29.
const OURS: [Parts; 3] = [
    [288.0, 700.2, 0.0122, 0.366, 0.020, 0.704],
    [862.2, 692.2, 0.0121, 0.225, 0.000, 1.491],
    [1132.0, 104.3, 0.0189, 0.204, 0.000, 0.446],
];

/// The same for those in tiles.
const TILED: [Parts; 3] = [
    [11977.9, 286.7, 0.0187, 0.000, 1.127, 0.833],
    [1457.2, 262.0, 0.0141, 0.000, 1.334, 0.954],
    [1617.7, 80.3, 0.0344, 0.074, 0.476, 1.560],
];

/// The same for Burn's, by [`Way`].
const BURN: [Parts; 6] = [
    [1101.3, 0.0, 0.0119, 0.155, 1.693, 0.444],
    [0.0, 575.0, 0.0080, 0.000, 0.079, 0.057],
    [2679.3, 1069.9, 0.1107, 0.000, 0.567, 58.343],
    [743.1, 175.8, 0.0091, 0.434, 0.154, 0.240],
    [655.1, 54.9, 0.0079, 0.761, 0.001, 0.172],
    [1357.9, 822.3, 0.0358, 0.207, 0.993, 1.812],
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
        // Sums over images are written apart before they are added.
        parts[if kind == Kind::Weight { 5 } else { 4 }] += written;
        parts
    }

    /// What our kernel in tiles does, if there is one. Numbers include transformed kernels.
    #[doc(hidden)]
    pub fn parts_in_tiles(&self, kind: Kind) -> Option<Parts> {
        let [products, transformed, kernels] = self.has_tiles().then(|| self.tiled_parts(kind))?;
        let mut parts = self.parts(self.batch * self.groups, products, transformed);
        parts[5] += kernels;
        Some(parts)
    }

    fn parts(&self, images: usize, products: f64, copied: f64) -> Parts {
        let numbers = (self.input_len() + self.output_len()) as f64;
        let weights = self.weight_len() as f64;
        [1.0, images as f64, products, copied, numbers, weights]
    }
}

fn time(parts: Parts, times: Parts) -> f64 {
    let times = times.into_iter().zip(parts);
    times.map(|(time, part)| time * part).sum()
}
