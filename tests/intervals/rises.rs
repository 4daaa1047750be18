//! Intervals of rises of the loss, which take no products.

use burnscape::loss::Risk;
use burnscape::sharpness::AverageSharpnessConfig;

use super::networks::{Digits, Network, digits};
use super::tally::{Stated, Tally};

const SIGMA: f64 = 0.05;

pub(crate) fn of_network<N: Network>(tally: &mut Tally) {
    let network = N::trained(!tally.is_whole());
    let loss = |network: &N, digits: Digits| network.loss(digits);
    let data = [digits(16)];
    let risk = Risk::new(&loss, &data);
    let measure = |samples: usize, antithetic: bool, seed: u64| {
        AverageSharpnessConfig::new(SIGMA)
            .with_num_samples(samples)
            .with_antithetic(antithetic)
            .with_seed(seed)
            .run(&risk, &network)
            .unwrap()
    };
    // Samples of other seeds, so many that their error is a tenth of the others' or less. The law of a sample is
    // skew, so that a handful of them covers less: the sweep takes the default.
    let (samples, pairs, many) = match tally.is_whole() {
        true => (100, 100, 10_000),
        false => (60, 30, 1_000),
    };
    let truth = measure(many, true, 1 << 40);
    println!(
        "{}: average rise {:.4} ± {:.4}",
        N::NAME,
        truth.rise,
        truth.standard_error.unwrap()
    );
    for seed in 0..tally.seeds {
        for (about, samples, antithetic) in [("plain", samples, false), ("antithetic", pairs, true)]
        {
            let found = measure(samples, antithetic, seed);
            let about = format!("{}, {about}", N::NAME);
            let half = (found.rise, found.half_width);
            tally.half_width(("average rise", &about, Stated::Often), truth.rise, half);
        }
    }
}
