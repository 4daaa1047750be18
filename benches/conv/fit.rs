use burnscape::linearize::{Conv, Kind};

use crate::{shapes, timing};

/// What one kernel does for one shape, and how long it takes in nanoseconds.
type Measured = ([f64; 4], f64);

/// Fits the constants and prints them as they are committed.
pub(crate) fn print(rounds: usize) {
    let (mut ours, mut burns) = (Vec::new(), Vec::new());
    let mut all: Vec<(Conv, Kind, [f64; 2])> = Vec::new();
    for kind in [Kind::Forward, Kind::Input, Kind::Weight] {
        let mut measured: [Vec<Measured>; 2] = Default::default();
        for conv in shapes::grid() {
            let [burn, own] = timing::both(&conv, kind, rounds).map(|ms| ms * 1e6);
            measured[0].push((conv.parts_of_ours(kind), own));
            measured[1].push((conv.parts_of_burn(), burn));
            all.push((conv, kind, [own, burn]));
        }
        ours.push(fitted(&measured[0]));
        burns.push(fitted(&measured[1]));
    }
    println!("const OURS: [[f64; 4]; 3] = {ours:.4?};");
    println!("const BURN: [[f64; 4]; 3] = {burns:.4?};");
    // What the model costs where it errs.
    let time = |parts: [f64; 4], constants: &[f64; 4]| -> f64 {
        parts
            .iter()
            .zip(constants)
            .map(|(part, constant)| part * constant)
            .sum()
    };
    let (mut wrong, mut worst, mut spent, mut least) = (0, 1.0_f64, 0.0, 0.0);
    for (conv, kind, [own, burn]) in &all {
        let kind_index = *kind as usize;
        let is_ours = time(conv.parts_of_ours(*kind), &ours[kind_index])
            < time(conv.parts_of_burn(), &burns[kind_index]);
        let (chosen, best) = (if is_ours { *own } else { *burn }, own.min(*burn));
        if chosen > 1.05 * best {
            wrong += 1;
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
fn fitted(measured: &[Measured]) -> [f64; 4] {
    let mut constants = [0.0; 4];
    // Coordinate descent: each constant has a closed form while the others stay.
    for _ in 0..20_000 {
        for index in 0..4 {
            let (mut above, mut below) = (0.0, 0.0);
            for (parts, time) in measured {
                let others = (0..4).filter(|other| *other != index);
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
