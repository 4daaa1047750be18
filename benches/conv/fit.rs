use burnscape::linearize::{Conv, Kind};

use crate::{shapes, timing};

/// What a kernel does, or what each part of it takes.
type Parts = [f64; 6];
/// What one kernel does for one shape, and how long it takes in nanoseconds.
type Measured = (Parts, f64);

/// Fits the constants and prints them as they are committed.
pub(crate) fn print(rounds: usize) {
    // Burn's kernel, ours, and ours in tiles.
    let mut all: Vec<(Conv, Kind, [f64; 3])> = Vec::new();
    let mut lines: [Vec<Measured>; 3] = Default::default();
    let mut tiles: [Vec<Measured>; 3] = Default::default();
    let mut burns: [Vec<Measured>; 6] = Default::default();
    for kind in [Kind::Forward, Kind::Input, Kind::Weight] {
        for conv in shapes::grid() {
            let times = timing::all(&conv, kind, rounds).map(|ms| ms * 1e6);
            burns[conv.way_of_burn(kind)].push((conv.parts_of_burn(kind), times[0]));
            lines[kind as usize].push((conv.parts_of_ours(kind), times[1]));
            let parts = conv.parts_in_tiles(kind);
            tiles[kind as usize].extend(parts.map(|parts| (parts, times[2])));
            all.push((conv, kind, times));
        }
    }
    let lines = lines.map(|measured| fitted(&measured));
    let tiles = tiles.map(|measured| fitted(&measured));
    let burns = burns.map(|measured| fitted(&measured));
    println!("const OURS: [Parts; 3] = {lines:.4?};");
    println!("const TILED: [Parts; 3] = {tiles:.4?};");
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
    for (conv, kind, times) in &all {
        let in_tiles = conv.parts_in_tiles(*kind);
        let estimated = [
            time(conv.parts_of_burn(*kind), &burns[conv.way_of_burn(*kind)]),
            time(conv.parts_of_ours(*kind), &lines[*kind as usize]),
            in_tiles.map_or(f64::INFINITY, |parts| time(parts, &tiles[*kind as usize])),
        ];
        let chosen = (0..3).min_by(|a, b| estimated[*a].total_cmp(&estimated[*b]));
        let chosen = times[chosen.expect("three ways")];
        let best = times
            .iter()
            .fold(f64::INFINITY, |best, time| best.min(*time));
        if chosen > 1.05 * best {
            wrong += 1;
            if chosen > 1.5 * best {
                println!("{kind:?} {conv:?}: {times:.0?} ns, estimated {estimated:.0?}");
            }
            worst = worst.max(chosen / best);
        }
        spent += (chosen / best).ln();
        least += (times[0] / chosen).ln();
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
    let mut constants = [0.0; 6];
    // Coordinate descent: each constant has a closed form while the others stay.
    for _ in 0..20_000 {
        for index in 0..6 {
            let (mut above, mut below) = (0.0, 0.0);
            for (parts, time) in measured {
                let others = (0..6).filter(|other| *other != index);
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
