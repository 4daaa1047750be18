//! Burn's convolutions on Flex against those that the programs of this library use there.
//!
//! `cargo bench --bench conv` prints, for a table of shapes, the times of the convolution and of both of its gradients
//! by Burn and by our kernels, their ratio, and what the model of costs chooses.
//!
//! `--fit` fits the constants of that model (`burnscape-linearize/src/run/flex/conv/cost.rs`) to more shapes, and
//! prints them. The model is a function of shapes, never of a clock: it is fitted on one machine, and committed.
//!
//! Both sides run in turn, and the minimum of `--rounds N` (15) runs of each is taken, so that a busy minute of
//! the machine falls on both.
#![allow(clippy::expect_used, reason = "a benchmark has nobody to report to")]

mod fit;
mod shapes;
mod timing;

use burnscape::linearize::Kind;

fn main() {
    let option = |name: &str| std::env::args().skip_while(|arg| arg != name).nth(1);
    let rounds = option("--rounds").map_or(15, |rounds| rounds.parse().expect("a number"));
    // So that glibc does not hand memory back between runs; a program with data has done this.
    drop(std::hint::black_box(vec![1_u8; 31 << 20]));
    if std::env::args().any(|arg| arg == "--fit") {
        return fit::print(rounds);
    }
    println!(
        "minima of {rounds} runs in ms: Burn, ours, ours/Burn (t where ours is in tiles, * where the model keeps Burn's)"
    );
    println!(
        "{:<34} {:>25} {:>25} {:>25}",
        "shape", "forward", "input", "weight"
    );
    for (name, conv) in shapes::table() {
        print!("{name:<34}");
        for kind in [Kind::Forward, Kind::Input, Kind::Weight] {
            let [burn, lines, tiles] = timing::all(&conv, kind, rounds);
            let is_tiled = conv.is_tiled(kind);
            let ours = if is_tiled { tiles } else { lines };
            let mark = match conv.is_faster(kind) {
                false => '*',
                true if is_tiled => 't',
                true => ' ',
            };
            print!(" {burn:>9.3} {ours:>8.3} {:>5.2}{mark}", ours / burn);
        }
        println!();
    }
}
