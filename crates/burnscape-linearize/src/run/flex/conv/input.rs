use rayon::prelude::*;

use super::Conv;
use super::correlate::{Panels, Scratch, Source, Target, correlate, starts};
use super::forward::add_bias;
use super::plan::{Axis, Plan};
use super::vectors::Number;

/// The indices of the input with the same remainders modulo the stride. All of them meet the same taps, and their
/// gradient is a convolution of the output's gradient with a stride of one.
pub(super) struct Phase {
    first: [usize; 3],
    pub(super) plan: Plan,
    /// The taps, by their numbers in the kernel.
    pub(super) taps: Vec<usize>,
}

impl Conv {
    /// What [`input`](Self::input) does: products, numbers placed in lines, and results.
    pub(super) fn input_parts(&self) -> [f64; 3] {
        let [ci, co] = self.channels();
        let mut parts = [0.0, 0.0, self.input_len() as f64];
        for Phase { plan, .. } in self.phases(1) {
            let lines = (self.groups * self.batch.div_ceil(plan.images) * co) as f64;
            parts[0] += lines * plan.sums(ci);
            parts[1] += lines * (plan.num_lines * plan.line) as f64;
        }
        parts
    }

    /// The gradient with respect to the input, or the transposed convolution, to which a bias is added: the sum over
    /// pairs of a weight and a gradient.
    pub(super) fn input<N: Number>(&self, pairs: &[[&[N]; 2]], bias: Option<&[N]>) -> Vec<N> {
        let [ci, co] = self.channels();
        let (plane, all) = (self.plane(), self.taps());
        let phases = self.phases(pairs.len());
        let images = phases.first().map_or(1, |phase| phase.plan.images);
        let phases = phases.into_iter().map(|phase| {
            let num = phase.taps.len();
            let panels = (0..self.groups).map(|group| {
                Panels::new(ci, pairs.len() * co * num, |row| {
                    let kernels = pairs.iter().flat_map(move |[weight, _]| {
                        let channels = group * co..(group + 1) * co;
                        channels.map(move |channel| &weight[(channel * ci + row) * all..])
                    });
                    kernels.flat_map(|kernel| phase.taps.iter().map(|tap| kernel[*tap]))
                })
            });
            let panels: Vec<_> = panels.collect();
            (starts(&phase.plan, pairs.len() * co), panels, phase)
        });
        let phases: Vec<_> = phases.collect();
        let mut out = vec![N::default(); self.input_len()];
        let tasks = out.par_chunks_mut(images * self.inputs * plane);
        let is_split = self.is_split(tasks.len());
        tasks
            .enumerate()
            .for_each_init(Scratch::default, |scratch, (index, out)| {
                let first = index * images;
                let range = first..(first + images).min(self.batch);
                for (starts, panels, phase) in &phases {
                    scratch.is_used &= phases.len() == 1;
                    for (group, panels) in panels.iter().enumerate() {
                        let source = Source {
                            channels: pairs.len() * co,
                            plane: &|channel, image| {
                                let [_, gradient] = pairs[channel / co];
                                self.output_plane(gradient, image, group * co + channel % co)
                            },
                        };
                        let source = (&source, range.clone());
                        let weights = (panels, &starts[..]);
                        if phase.plan.is_dense() && phase.plan.span == plane {
                            let out = &mut out[group * ci * plane..][..ci * plane];
                            let target = Target::Dense(out);
                            correlate(&phase.plan, source, weights, is_split, scratch, target);
                            continue;
                        }
                        let mut write = |from: usize, sums: &[N], pitch: usize| {
                            for (row, sums) in sums.chunks(pitch).enumerate() {
                                for image in 0..range.len() {
                                    let channel = image * self.inputs + group * ci + from + row;
                                    self.scatter(
                                        phase,
                                        image,
                                        sums,
                                        &mut out[channel * plane..][..plane],
                                    );
                                }
                            }
                        };
                        let target = Target::Scattered(&mut write);
                        correlate(&phase.plan, source, weights, is_split, scratch, target);
                    }
                }
                if let Some(bias) = bias {
                    add_bias(out, bias, plane);
                }
            });
        out
    }

    /// Writes the results of a phase for one channel of one image.
    fn scatter<N: Number>(&self, phase: &Phase, image: usize, sums: &[N], out: &mut [N]) {
        let [s0, s1, s2] = self.stride;
        let plan = &phase.plan;
        if [s0, s1, s2] == [1; 3] {
            return plan.gather(image, sums, out);
        }
        let [f0, f1, f2] = phase.first;
        let [_, rows, width] = plan.outputs();
        for (row, at) in plan.rows.iter().enumerate() {
            let (i, j) = (row / rows * s0 + f0, row % rows * s1 + f1);
            let out = &mut out[(i * self.input[1] + j) * self.input[2]..][..self.input[2]];
            let sums = &sums[image * plan.image + at..][..width];
            let out = out[f2..].iter_mut().step_by(s2);
            out.zip(sums).for_each(|(out, sum)| *out = *sum);
        }
    }

    /// The phases that meet a tap. All have the same number of images in a line.
    pub(super) fn phases(&self, pairs: usize) -> Vec<Phase> {
        let [ci, co] = self.channels();
        let mut found: Vec<Phase> = Vec::new();
        let [_, s1, s2] = self.stride;
        for index in 0..self.stride.iter().product() {
            let first = [index / (s1 * s2), index / s2 % s1, index % s2];
            let mut met: [Vec<usize>; 3] = Default::default();
            let axes: [Axis; 3] = std::array::from_fn(|a| {
                let stride = self.stride[a] as isize;
                // The output index of a tap, times the stride, for the first input index.
                let from = (first[a] + self.padding[a]) as isize;
                let output = |tap: &usize| from - (tap * self.dilation[a]) as isize;
                let taps = (0..self.kernel[a]).filter(|tap| output(tap).rem_euclid(stride) == 0);
                met[a] = taps.collect();
                Axis {
                    size: self.output[a],
                    out: self.input[a]
                        .saturating_sub(first[a])
                        .div_ceil(self.stride[a]),
                    step: 1,
                    shifts: met[a]
                        .iter()
                        .map(|tap| output(tap).div_euclid(stride))
                        .collect(),
                }
            });
            if axes
                .iter()
                .any(|axis| axis.out == 0 || axis.shifts.is_empty())
            {
                continue;
            }
            let plan = match found.first() {
                None => Plan::new(&axes, self.batch, pairs * co, ci),
                Some(Phase { plan, .. }) => Plan::fastest(&axes, plan.images, ci),
            };
            let mut taps = Vec::new();
            for i in &met[0] {
                for j in &met[1] {
                    let row = (i * self.kernel[1] + j) * self.kernel[2];
                    taps.extend(met[2].iter().map(|k| row + k));
                }
            }
            found.push(Phase { first, plan, taps });
        }
        found
    }
}
