use rayon::prelude::*;

use super::Conv;
use super::correlate::{Scratch, Source, starts};
use super::inner::{BLOCK, Products, ROWS, sums_len};
use super::plan::Plan;
use super::vectors::{MAX_LANES, Number, vectorized};

/// The number of sums that are kept in vectors from one image to the next. For more, all images of a part are in one
/// line.
const KEPT: usize = 1 << 12;

/// The parts into which the sum over the batch is divided. They depend on nothing but the shapes, so that the result
/// does not depend on the number of threads.
pub(super) struct Parts {
    pub(super) plan: Plan,
    /// The images of a part, and the parts.
    pub(super) images: usize,
    pub(super) count: usize,
}

impl Conv {
    pub(super) fn division(&self, pairs: usize) -> Parts {
        let [ci, co] = self.channels();
        let batch = pairs * self.batch;
        let axes = self.axes();
        let plan = Plan::fastest(&axes, 1, co);
        // A part is worth a task of its own.
        let most = ((pairs * self.products()) >> 17).clamp(1, 8);
        if ci * co * self.taps() <= KEPT && plan.span >= 32 {
            let images = batch.div_ceil(most);
            let count = batch.div_ceil(images);
            return Parts {
                plan,
                images,
                count,
            };
        }
        // The partial sums should not be larger than what they are made of.
        let fit = pairs * (self.input_len() + self.output_len()) / self.weight_len();
        let images = batch.div_ceil(most.min(fit.max(1)));
        Parts {
            plan: Plan::fastest(&axes, images, co),
            images,
            count: batch.div_ceil(images),
        }
    }

    /// What [`weight`](Self::weight) does: products, numbers placed in lines, and results.
    pub(super) fn weight_parts(&self) -> [f64; 3] {
        let [ci, co] = self.channels();
        let Parts {
            plan,
            images,
            count,
        } = self.division(1);
        let lines = (self.groups * count * images.div_ceil(plan.images)) as f64;
        let pitch = plan.span.next_multiple_of(MAX_LANES);
        let depth = (ci * self.taps()).next_multiple_of(3);
        [
            lines * (co.next_multiple_of(ROWS) * depth * pitch) as f64,
            lines * (ci * plan.num_lines * plan.line + co * pitch) as f64,
            (count * self.weight_len()) as f64,
        ]
    }

    /// The gradient with respect to the weight: the sum over pairs of an input and a gradient, as of one batch.
    pub(super) fn weight<N: Number>(&self, pairs: &[[&[N]; 2]]) -> Vec<N> {
        let [_, co] = self.channels();
        let parts = self.division(pairs.len());
        let len = self.weight_len();
        let mut sums = vec![N::default(); parts.count * len];
        let is_split = self.is_split(parts.count) && parts.images == parts.plan.images;
        let starts = starts(&parts.plan, self.channels()[0]);
        let depth = starts.len();
        let tasks = sums.par_chunks_mut(len).enumerate();
        tasks.for_each_init(Scratch::default, |scratch, (index, out)| {
            let first = index * parts.images;
            let images = first..(first + parts.images).min(pairs.len() * self.batch);
            for (group, out) in out.chunks_mut(co * depth).enumerate() {
                let operands = (pairs, group);
                self.part(
                    &parts,
                    operands,
                    (images.clone(), &starts),
                    out,
                    scratch,
                    is_split,
                );
            }
        });
        let (sum, others) = sums.split_at_mut(len);
        for other in others.chunks(len) {
            sum.iter_mut()
                .zip(other)
                .for_each(|(sum, other)| *sum += *other);
        }
        sums.truncate(len);
        // The result lives longer than the other sums.
        sums.shrink_to_fit();
        sums
    }

    /// The sum over some images, for one group of channels.
    fn part<N: Number>(
        &self,
        parts: &Parts,
        (pairs, group): (&[[&[N]; 2]], usize),
        (images, starts): (std::ops::Range<usize>, &[usize]),
        out: &mut [N],
        scratch: &mut Scratch<N>,
        is_split: bool,
    ) {
        let ([ci, co], plan) = (self.channels(), &parts.plan);
        let pitch = plan.span.next_multiple_of(MAX_LANES);
        let Scratch {
            lines,
            gradients,
            out: sums,
            is_used,
        } = scratch;
        let is_one_line = parts.images == plan.images;
        if !is_one_line {
            sums.resize(sums_len(co, starts.len()), N::default());
        }
        for start in images.clone().step_by(plan.images) {
            let range = start..(start + plan.images).min(images.end);
            let source = Source {
                channels: ci,
                plane: &|channel, image| {
                    let [x, _] = pairs[image / self.batch];
                    self.input_plane(x, image % self.batch, group * ci + channel)
                },
            };
            // Images that are missing at the end of the batch must be zero.
            let is_fresh = !*is_used || range.len() < plan.images;
            *is_used = true;
            source.place(plan, range.clone(), lines, is_fresh, is_split);
            if is_fresh {
                gradients.clear();
            }
            gradients.resize(co * pitch, N::default());
            let place = |(row, placed): (usize, &mut [N])| {
                for (place, image) in range.clone().enumerate() {
                    let [_, gradient] = pairs[image / self.batch];
                    let plane = self.output_plane(gradient, image % self.batch, group * co + row);
                    plan.spread(place, plane, placed);
                }
            };
            if is_split {
                gradients.par_chunks_mut(pitch).enumerate().for_each(place);
                let gradients = gradients.par_chunks(BLOCK * pitch);
                let outs = out.par_chunks_mut(BLOCK * starts.len());
                outs.zip(gradients).for_each(|(out, gradient)| {
                    vectorized(Products {
                        gradient,
                        pitch,
                        lines,
                        starts,
                        sums: &mut [],
                        is_first: true,
                        out: Some(out),
                        is_added: false,
                    });
                });
            } else {
                gradients.chunks_mut(pitch).enumerate().for_each(place);
                vectorized(Products {
                    gradient: gradients,
                    pitch,
                    lines,
                    starts,
                    sums,
                    is_first: start == images.start,
                    out: (range.end == images.end).then_some(&mut *out),
                    is_added: false,
                });
            }
        }
    }
}
