use rayon::prelude::*;

use super::Conv;
use super::correlate::{Panels, Scratch, Source, Target, correlate, starts};
use super::plan::Plan;
use super::vectors::Number;

impl Conv {
    pub(super) fn forward_plan(&self, pairs: usize) -> Plan {
        let [ci, co] = self.channels();
        Plan::new(&self.axes(), self.batch, pairs * ci, co)
    }

    /// What [`forward`](Self::forward) does: products, numbers placed in lines, and results.
    pub(super) fn forward_parts(&self) -> [f64; 3] {
        let [ci, co] = self.channels();
        let plan = self.forward_plan(1);
        let lines = (self.groups * self.batch.div_ceil(plan.images) * ci) as f64;
        [
            lines * plan.sums(co),
            lines * (plan.num_lines * plan.line) as f64,
            self.output_len() as f64,
        ]
    }

    /// The sum of the convolutions of pairs of an input and a weight.
    pub(super) fn forward<N: Number>(&self, pairs: &[[&[N]; 2]], bias: Option<&[N]>) -> Vec<N> {
        let [ci, co] = self.channels();
        let plan = self.forward_plan(pairs.len());
        let starts = starts(&plan, pairs.len() * ci);
        let row_len = ci * self.taps();
        let panels = (0..self.groups).map(|group| {
            Panels::new(co, starts.len(), |row| {
                let rows = pairs
                    .iter()
                    .map(move |[_, weight]| &weight[(group * co + row) * row_len..][..row_len]);
                rows.flatten().copied()
            })
        });
        let panels: Vec<_> = panels.collect();
        let (images, positions) = (plan.images, self.positions());
        let mut out = vec![N::default(); self.output_len()];
        let tasks = out.par_chunks_mut(images * self.outputs * positions);
        let is_split = self.is_split(tasks.len());
        let is_dense = plan.is_dense();
        tasks
            .enumerate()
            .for_each_init(Scratch::default, |scratch, (index, out)| {
                let first = index * images;
                let range = first..(first + images).min(self.batch);
                for (group, panels) in panels.iter().enumerate() {
                    let source = Source {
                        channels: pairs.len() * ci,
                        plane: &|channel, image| {
                            let [x, _] = pairs[channel / ci];
                            self.input_plane(x, image, group * ci + channel % ci)
                        },
                    };
                    let mut write = |from: usize, sums: &[N], pitch: usize| {
                        for (row, sums) in sums.chunks(pitch).enumerate() {
                            for image in 0..range.len() {
                                let channel = image * self.outputs + group * co + from + row;
                                let out = &mut out[channel * positions..][..positions];
                                plan.gather(image, sums, out);
                            }
                        }
                    };
                    let weights = (panels, &starts[..]);
                    let source = (&source, range.clone());
                    if is_dense {
                        let out = &mut out[group * co * positions..][..co * positions];
                        correlate(
                            &plan,
                            source,
                            weights,
                            is_split,
                            scratch,
                            Target::Dense(out),
                        );
                    } else {
                        let target = Target::Scattered(&mut write);
                        correlate(&plan, source, weights, is_split, scratch, target);
                    }
                }
                if let Some(bias) = bias {
                    add_bias(out, bias, positions);
                }
            });
        out
    }
}

/// Adds one number to each channel.
pub(super) fn add_bias<N: Number>(out: &mut [N], bias: &[N], plane: usize) {
    for (channel, out) in out.chunks_mut(plane).enumerate() {
        let shift = bias[channel % bias.len()];
        out.iter_mut().for_each(|out| *out += shift);
    }
}
