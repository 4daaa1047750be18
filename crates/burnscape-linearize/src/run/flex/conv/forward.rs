use rayon::prelude::*;

use super::Conv;
use super::correlate::{Panels, Scratch, Source, correlate, starts};
use super::plan::{Plan, copy_row};
use super::vectors::Number;

impl Conv {
    fn forward_plan(&self) -> Plan {
        let [ci, co] = self.channels();
        Plan::new(&self.axes(), self.batch, ci, co)
    }

    /// What [`forward`](Self::forward) does: products, numbers placed in lines, and results.
    pub(super) fn forward_parts(&self) -> [f64; 3] {
        let [ci, co] = self.channels();
        let plan = self.forward_plan();
        let lines = (self.groups * self.batch.div_ceil(plan.images) * ci) as f64;
        [
            lines * plan.sums(co),
            lines * (plan.num_lines * plan.line) as f64,
            self.output_len() as f64,
        ]
    }

    /// The convolution.
    pub(super) fn forward<N: Number>(&self, x: &[N], weight: &[N], bias: Option<&[N]>) -> Vec<N> {
        let [ci, co] = self.channels();
        let plan = self.forward_plan();
        let starts = starts(&plan, ci);
        let depth = starts.len();
        let panels = (0..self.groups).map(|group| {
            let weight = &weight[group * co * depth..][..co * depth];
            Panels::new(co, depth, |row, r| weight[row * depth + r])
        });
        let panels: Vec<_> = panels.collect();
        let (images, positions) = (plan.images, self.positions());
        let mut out = vec![N::default(); self.output_len()];
        let tasks = out.par_chunks_mut(images * self.outputs * positions);
        let is_split = self.is_split(tasks.len());
        let width = self.output[2];
        tasks
            .enumerate()
            .for_each_init(Scratch::default, |scratch, (index, out)| {
                let first = index * images;
                let range = first..(first + images).min(self.batch);
                for (group, panels) in panels.iter().enumerate() {
                    let source = Source {
                        numbers: x,
                        plane: self.plane(),
                        channels: self.inputs,
                        read: group * ci..(group + 1) * ci,
                    };
                    let write = |from: usize, sums: &[N], pitch: usize| {
                        for (row, sums) in sums.chunks(pitch).enumerate() {
                            let channel = group * co + from + row;
                            let shift = bias.map(|bias| bias[channel]);
                            for image in 0..range.len() {
                                let start = (image * self.outputs + channel) * positions;
                                let out = &mut out[start..][..positions];
                                plan.rows(image, |i, j, at| {
                                    let out = &mut out[(i * self.output[1] + j) * width..][..width];
                                    copy_row(out, &sums[at..]);
                                    if let Some(shift) = shift {
                                        out.iter_mut().for_each(|out| *out += shift);
                                    }
                                });
                            }
                        }
                    };
                    let weights = (panels, &starts[..]);
                    correlate(
                        &plan,
                        (&source, range.clone()),
                        weights,
                        is_split,
                        scratch,
                        write,
                    );
                }
            });
        out
    }
}
