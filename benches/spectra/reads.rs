//! What reading a growing basis costs, which the steps of a Lanczos run cannot do without.

use std::hint::black_box;
use std::thread::{available_parallelism, scope};
use std::time::Instant;

use burnscape::krylov::{LanczosFactorization, VectorBlock};
use burnscape::space::ParamVector;

/// Seconds of the products with a growing basis and with its transpose that as many steps need at least.
pub(crate) fn by_products(record: LanczosFactorization<ParamVector>) -> f64 {
    let space = record.space();
    let v = ParamVector::gaussian(&space, 1).expect("a vector");
    let mut block = record.basis().clone();
    drop(record);
    let mut seconds = 0.0;
    // From the end, so that nothing is pushed.
    for len in (1..=block.len()).rev() {
        block.truncate(len);
        let start = Instant::now();
        let coefficients = block.dots(&v).expect("numbers");
        let sum = block.linear_combination(&coefficients).expect("a vector");
        black_box(sum);
        seconds += start.elapsed().as_secs_f64();
    }
    seconds
}

/// Seconds of reading numbers of as many bytes from memory as often: every thread reads its share of the rows so far
/// twice for each step, and adds them as integers, which keeps up with memory. Threads do not wait for each other.
pub(crate) fn from_memory(num_rows: usize, row: usize) -> f64 {
    let threads = available_parallelism().map_or(1, usize::from);
    let basis = vec![1_u32; num_rows * row];
    let basis = basis.as_slice();
    let start = Instant::now();
    scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                for len in (1..=num_rows).rev() {
                    let rows = &basis[..len * row];
                    let share = rows.len().div_ceil(threads);
                    let own = rows.chunks(share).nth(thread).unwrap_or_default();
                    for _ in 0..2 {
                        // Hidden from the optimizer, which would leave out the second read.
                        let own = black_box(own);
                        black_box(own.iter().fold(0_u32, |sum, x| sum.wrapping_add(*x)));
                    }
                }
            });
        }
    });
    start.elapsed().as_secs_f64()
}
