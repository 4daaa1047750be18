//! Hoeffding's decomposition of the bracket, over all draws and all partitions of six examples.

use std::collections::HashMap;
use std::slice::from_ref;

use burnscape::dynamics::CommutatorConfig;
use burnscape::loss::Risk;

use super::losses::{Golden, GoldenRegression, assert_near, norm, one_pair, regression};

const EXAMPLES: usize = GoldenRegression::EXAMPLES;

/// `|C|²` of two batches of examples.
fn square(golden: &GoldenRegression, [a, b]: [&[usize]; 2]) -> f64 {
    let data = [golden.rows(a), golden.rows(b)];
    let risk = Risk::new(&regression, &data).with_checks(false);
    let found = one_pair().run(&risk, &golden.point()).unwrap();
    let norms = norm(&golden.gradient(a)) * norm(&golden.gradient(b));
    (found.bracket.unwrap() * norms).powi(2)
}

/// All lists of so many examples, with repetition.
fn draws(size: usize) -> Vec<Vec<usize>> {
    (0..size).fold(vec![Vec::new()], |lists, _| {
        let longer = lists.iter().flat_map(|list| {
            (0..EXAMPLES).map(move |example| {
                let mut list = list.clone();
                list.push(example);
                list
            })
        });
        longer.collect()
    })
}

#[test]
fn the_mean_square_over_all_draws_is_two_variances_and_the_rest() {
    let golden = Golden::load().regression;
    for (size, expected) in [1, 2].into_iter().zip(golden.mean_squares) {
        let batches = draws(size);
        let mut known: HashMap<[Vec<usize>; 2], f64> = HashMap::new();
        let mut sum = 0.0;
        for a in &batches {
            for b in &batches {
                // Neither the order of examples nor that of batches matters.
                let mut pair = [a, b].map(|batch| {
                    let mut sorted = batch.clone();
                    sorted.sort_unstable();
                    sorted
                });
                pair.sort();
                let of = |[a, b]: &[Vec<usize>; 2]| square(&golden, [a, b]);
                sum += *known.entry(pair).or_insert_with_key(of);
            }
        }
        let found = sum / (batches.len() * batches.len()) as f64;
        assert_near(found, expected, 1e-12);
        let b = size as f64;
        let law = 2.0 * golden.variance / b + golden.rest / (b * b);
        assert_near(found, law, 1e-12);
    }
}

/// The invariant's variance of examples in this order, in parts.
fn variance(golden: &GoldenRegression, order: &[usize], size: usize) -> f64 {
    let data = [golden.rows(order)];
    let config = CommutatorConfig::new()
        .with_batch_size(Some(size))
        .with_num_pairs(1)
        .with_invariant(true);
    let found = config.run(&Risk::new(&regression, &data), &golden.point());
    found.unwrap().variance.unwrap()
}

#[test]
fn single_examples_have_the_variance_itself() {
    let golden = Golden::load().regression;
    let all: Vec<usize> = (0..EXAMPLES).collect();
    let data = [golden.rows(&all[..2]), golden.rows(&all[2..])];
    let config = CommutatorConfig::new()
        .with_batch_size(Some(1))
        .with_num_pairs(3)
        .with_invariant(true);
    let found = config.run(&Risk::new(&regression, &data), &golden.point());
    let found = found.unwrap();
    assert_near(found.variance.unwrap(), golden.variance, 1e-12);
    assert_near(found.invariant.unwrap(), golden.invariant, 1e-12);
    assert_eq!(found.brackets.len(), 3);
    // Brackets and their checks, one-sided brackets of the mean, and six of all data.
    assert_eq!(found.num_matvecs, 1 + 2 + 1 + 6);
    assert_eq!((found.num_gradients, found.num_losses), (2, 2));
}

/// All ways to split the examples into sets of one size. The first set holds the first example that is left.
fn partitions(left: &[usize], size: usize) -> Vec<Vec<usize>> {
    let Some((&first, others)) = left.split_first() else {
        return vec![Vec::new()];
    };
    let mut found = Vec::new();
    for chosen in subsets(others, size - 1) {
        let rest = others.iter().copied();
        let rest: Vec<usize> = rest.filter(|other| !chosen.contains(other)).collect();
        for tail in partitions(&rest, size) {
            found.push([from_ref(&first), &chosen, &tail].concat());
        }
    }
    found
}

fn subsets(of: &[usize], size: usize) -> Vec<Vec<usize>> {
    match (of.split_first(), size) {
        (_, 0) => vec![Vec::new()],
        (None, _) => Vec::new(),
        (Some((&first, others)), _) => {
            let with = subsets(others, size - 1).into_iter();
            let with = with.map(|subset| [from_ref(&first), &subset].concat());
            with.chain(subsets(others, size)).collect()
        }
    }
}

#[test]
fn batches_of_any_size_have_it_on_average_over_all_partitions() {
    let golden = Golden::load().regression;
    let all: Vec<usize> = (0..EXAMPLES).collect();
    for (size, count) in [(2, 15), (3, 10)] {
        let orders = partitions(&all, size);
        assert_eq!(orders.len(), count);
        let found = orders.iter().map(|order| variance(&golden, order, size));
        let found: Vec<f64> = found.collect();
        let mean = found.iter().sum::<f64>() / count as f64;
        assert_near(mean, golden.variance, 1e-12);
        // Single partitions are off by much more.
        assert!(
            found
                .iter()
                .any(|x| (x / golden.variance - 1.0).abs() > 0.1)
        );
    }
}
