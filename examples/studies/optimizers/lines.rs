//! Straight lines between the ends of one seed.

use std::iter::zip;
use std::slice::from_ref;

use burn::tensor::{DType, Device};
use burnscape::loss::Risk;
use burnscape::merge::average;
use burnscape::path::{CurveProfile, CurveProfileConfig, PolygonalChain};

use super::{AVERAGE, FEW, TEST_LOSS};
use crate::Failure;
use crate::studies::criteria::optimizers::{
    BARRIER, LOSS, MATCHED, OTHER_ORDER, SGD, TEST, between,
};
use crate::studies::digits::{Digits, NUM_TRAIN};
use crate::studies::frame::{Measured, Plan};
use crate::studies::losses::{accuracy, cross_entropy, number};
use crate::studies::network::Mlp;

/// Points on a line, ends included.
const POINTS: usize = 11;

const APART: &str = "distance of the ends";
const MIDDLE: &str = "training loss in the middle";

/// The training loss on the line between each pair of ends, and what the average of the five is worth.
pub(super) fn between_ends(
    plan: &Plan,
    digits: &Digits,
    ends: &[(&str, Option<&Mlp>)],
    is_shown: bool,
    found: &mut Measured,
) -> Result<(), Failure> {
    let device = Device::default();
    let place = (&device, DType::F32);
    let count = plan.pick(NUM_TRAIN, FEW);
    let (train, test) = (digits.labeled(0..count, place), digits.test(place));
    let objective = cross_entropy::<Mlp>;
    let risk = Risk::new(&objective, from_ref(&train));
    let points = plan.pick(POINTS, 5);
    let end = |name: &str| {
        let found = ends.iter().find(|(own, _)| *own == name);
        found.map(|(_, net)| *net)
    };
    for [first, second] in pairs() {
        let (Some(one), Some(other)) = (end(first), end(second)) else {
            continue;
        };
        let profile = match one.zip(other) {
            Some((a, b)) => Some(profile(&risk, [a, b], points)?),
            None => None,
        };
        let row = between(first, second);
        for (column, value) in zip([BARRIER, APART, MIDDLE], numbers(profile.as_ref())) {
            found.push(row.as_str(), column, value);
        }
        if let Some(profile) = profile.filter(|_| is_shown && first == SGD) {
            let points = zip(profile.times, profile.train.values).collect();
            let name = format!("to {second}");
            found.line("Lines from the end of SGD", "place", LOSS, &name, points);
        }
    }
    let five = MATCHED.into_iter().map(|name| end(name).flatten());
    let five: Option<Vec<&Mlp>> = five.collect();
    if let Some(five) = five {
        let mean = average(&five)?;
        let loss = number(cross_entropy(&mean, test.clone()))?;
        found.push(AVERAGE, LOSS, risk.loss(&mean)?.value);
        found.push(AVERAGE, TEST_LOSS, loss);
        found.push(AVERAGE, TEST, accuracy(&mean, &test)?);
    }
    Ok(())
}

/// All of the five, and the two orders of SGD.
fn pairs() -> Vec<[&'static str; 2]> {
    let five = MATCHED.into_iter().enumerate();
    let five = five.flat_map(|(index, first)| {
        let later = MATCHED.into_iter().skip(index + 1);
        later.map(move |second| [first, second])
    });
    five.chain([[SGD, OTHER_ORDER]]).collect()
}

fn profile(
    risk: &Risk<'_, Mlp>,
    [a, b]: [&Mlp; 2],
    points: usize,
) -> Result<CurveProfile, Failure> {
    let line = PolygonalChain::line(a, b)?;
    let config = CurveProfileConfig::new().with_num_points(points);
    Ok(config.run(risk, &line)?)
}

/// The barrier of a line, its length, and the loss in its middle.
fn numbers(profile: Option<&CurveProfile>) -> [f64; 3] {
    let Some(profile) = profile else {
        return [f64::NAN; 3];
    };
    let barriers = profile.barriers();
    let losses = &profile.train.values;
    [
        barriers.map_or(f64::NAN, |barriers| barriers.above_line),
        profile.length(),
        losses.get(losses.len() / 2).copied().unwrap_or(f64::NAN),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::criteria::optimizers::{ADAM_W, MUON};

    #[test]
    fn every_two_of_the_five_are_joined_once() {
        let pairs = pairs();
        assert_eq!(pairs.len(), 11);
        assert!(pairs.iter().all(|[first, second]| first != second));
        assert!(pairs.contains(&[SGD, OTHER_ORDER]) && pairs.contains(&[ADAM_W, MUON]));
    }
}
