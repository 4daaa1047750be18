use burnscape::linearize::{Conv, Kind};

use crate::{shapes, timing};

/// What a kernel does, or what each part of it takes.
type Parts = [f64; 5];
/// What one kernel does for one shape, and how long it takes in nanoseconds.
type Measured = (Parts, f64);

/// Fits the constants and prints them as they are committed.
pub(crate) fn print(rounds: usize) {
    let mut all: Vec<(Conv, Kind, [f64; 2])> = Vec::new();
    let mut measured: [Vec<Measured>; 3] = Default::default();
    let mut burns: [Vec<Measured>; 6] = Default::default();
    for kind in [Kind::Forward, Kind::Input, Kind::Weight] {
        for conv in shapes::grid() {
            let [burn, own] = timing::both(&conv, kind, rounds).map(|ms| ms * 1e6);
            measured[kind as usize].push((conv.parts_of_ours(kind), own));
            burns[conv.way_of_burn(kind)].push((conv.parts_of_burn(kind), burn));
            all.push((conv, kind, [own, burn]));
        }
    }
    let ours = measured.map(|measured| fitted(&measured));
    let burns = burns.map(|measured| fitted(&measured));
    println!("const OURS: [Parts; 3] = {ours:.4?};");
    println!("const BURN: [Parts; 6] = {burns:.4?};");
    // What the model costs where it errs.
    let time = |parts: Parts, constants: &Parts| -> f64 {
        parts
            .iter()
            .zip(constants)
            .map(|(part, constant)| part * constant)
            .sum()
    };
    let (mut wrong, mut worst, mut spent, mut least) = (0, 1.0_f64, 0.0, 0.0);
    for (conv, kind, [own, burn]) in &all {
        let estimated = [
            time(conv.parts_of_ours(*kind), &ours[*kind as usize]),
            time(conv.parts_of_burn(*kind), &burns[conv.way_of_burn(*kind)]),
        ];
        let is_ours = estimated[0] < estimated[1];
        let (chosen, best) = (if is_ours { *own } else { *burn }, own.min(*burn));
        if chosen > 1.05 * best {
            wrong += 1;
            if chosen > 1.5 * best {
                println!("{kind:?} {conv:?}: {own:.0} and {burn:.0} ns, estimated {estimated:.0?}");
            }
            worst = worst.max(chosen / best);
        }
        spent += (chosen / best).ln();
        least += (burn / chosen).ln();
    }
    let count = all.len() as f64;
    println!(
        "{} shapes: wrong by more than 5 % for {wrong}, at worst {worst:.2} times; {:.3} times the best in the mean, \
         Burn's takes {:.2} times as long",
        all.len(),
        (spent / count).exp(),
        (least / count).exp()
    );
}

/// Constants that are not negative, with the least squares of relative errors.
fn fitted(measured: &[Measured]) -> Parts {
    let mut constants = [0.0; 5];
    // Coordinate descent: each constant has a closed form while the others stay.
    for _ in 0..20_000 {
        for index in 0..5 {
            let (mut above, mut below) = (0.0, 0.0);
            for (parts, time) in measured {
                let others = (0..5).filter(|other| *other != index);
                let others: f64 = others.map(|other| parts[other] * constants[other]).sum();
                let weight = parts[index] / (time * time);
                above += weight * (time - others);
                below += weight * parts[index];
            }
            constants[index] = (above / below).max(0.0);
        }
    }
    constants
}
