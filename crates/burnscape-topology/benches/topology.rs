//! Times and memory of merge trees and top persistence, on smooth fields and on noise.
//!
//! ```sh
//! cargo bench -p burnscape-topology
//! cargo bench -p burnscape-topology -- --export DIR          # writes the fields for benches/peers/topology.py
//! cargo bench -p burnscape-topology -- --measure FILE 128 128 128   # one measurement, for the same script
//! ```
//!
//! Ratios to cripser and GUDHI are those of `benches/peers/topology.py`, which runs this program between the others.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use burnscape_topology::{
    Connectivity, Death, Diagram, Ground, Level, MergeTreeConfig, Order, ScalarField, TreeMethod,
    bottleneck, wasserstein,
};

type Failure = Box<dyn std::error::Error>;

const ROUNDS: usize = 5;
/// Fields as the peers see them.
const FIELDS: [(&str, &[usize], bool); 9] = [
    ("smooth_51", &[51, 51], true),
    ("smooth_1000", &[1000, 1000], true),
    ("noise_1000", &[1000, 1000], false),
    ("smooth_64_3", &[64, 64, 64], true),
    ("noise_64_3", &[64, 64, 64], false),
    ("smooth_128_3", &[128, 128, 128], true),
    ("noise_128_3", &[128, 128, 128], false),
    ("smooth_215_3", &[215, 215, 215], true),
    ("smooth_32_4", &[32, 32, 32, 32], true),
];

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|text| text != "--bench")
        .collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["--export", directory] => export(Path::new(directory)),
        ["--measure", file, ref shape @ ..] => measure(file, shape),
        [] => report(),
        _ => Err("give nothing, --export DIR, or --measure FILE SHAPE".into()),
    }
}

/// Uniform noise; smooth fields are three box filters of width 9 along each axis.
fn field(shape: &[usize], is_smooth: bool) -> Vec<f64> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let cells: usize = shape.iter().product();
    let mut values: Vec<f64> = (0..cells)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 53) as f64
        })
        .collect();
    if is_smooth {
        let mut stride = 1;
        for &n in shape.iter().rev() {
            for _ in 0..3 {
                blur(&mut values, n, stride);
            }
            stride *= n;
        }
    }
    values
}

fn blur(values: &mut [f64], n: usize, stride: usize) {
    const HALF: usize = 4;
    let mut line = vec![0.0; n];
    for block in values.chunks_mut(n * stride) {
        for start in 0..stride {
            for (i, value) in line.iter_mut().enumerate() {
                *value = block[start + i * stride];
            }
            for i in 0..n {
                let window = &line[i.saturating_sub(HALF)..(i + HALF + 1).min(n)];
                block[start + i * stride] = window.iter().sum::<f64>() / window.len() as f64;
            }
        }
    }
}

fn export(directory: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(directory)?;
    for (name, shape, is_smooth) in FIELDS {
        let lengths: Vec<String> = shape.iter().map(usize::to_string).collect();
        let name = format!("{name}.{}.f64", lengths.join("x"));
        write(&directory.join(name), &field(shape, is_smooth))?;
    }
    Ok(())
}

fn write(path: &Path, values: &[f64]) -> Result<(), Failure> {
    let mut file = BufWriter::new(File::create(path)?);
    for value in values {
        file.write_all(&value.to_le_bytes())?;
    }
    file.flush()?;
    Ok(())
}

/// Seconds of one run.
fn seconds<T>(run: impl FnOnce() -> Result<T, Failure>) -> Result<(f64, T), Failure> {
    let start = Instant::now();
    let result = run()?;
    Ok((start.elapsed().as_secs_f64(), result))
}

/// What `/proc` says of this process, in bytes; 0 on other systems.
fn memory(line: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|text| text.strip_prefix(line));
    let number = found.and_then(|text| text.split_whitespace().nth(1));
    number
        .and_then(|text| text.parse::<usize>().ok())
        .unwrap_or(0)
        * 1024
}

/// One line of JSON: seconds of the tree and of the top diagram for both connectivities, and peak bytes a cell.
fn measure(file: &str, shape: &[&str]) -> Result<(), Failure> {
    let shape = shape
        .iter()
        .map(|text| text.parse())
        .collect::<Result<Vec<usize>, _>>()?;
    let cells: usize = shape.iter().product();
    let mut values = vec![0.0; cells];
    let mut reader = BufReader::new(File::open(file)?);
    let mut bytes = [0; 8];
    for value in &mut values {
        reader.read_exact(&mut bytes)?;
        *value = f64::from_le_bytes(bytes);
    }
    let field = ScalarField::new(&values, &shape)?;
    let before = memory("VmRSS");
    let both = [Connectivity::Axis, Connectivity::Full];
    let configs = both.map(|connectivity| MergeTreeConfig::new().with_connectivity(connectivity));
    let mut trees = Vec::new();
    for config in configs {
        let (time, tree) = seconds(|| Ok(config.run(&field)?))?;
        let method = tree.method();
        drop(tree);
        // The peak so far: that of top diagrams comes later.
        let bytes = memory("VmHWM").saturating_sub(before) as f64 / cells as f64 + 8.0;
        trees.push((time, method, bytes));
    }
    let mut parts = Vec::new();
    for ((connectivity, config), (tree, method, bytes)) in both.iter().zip(configs).zip(trees) {
        let mut top = 0.0;
        if shape.len() > 1 {
            top = seconds(|| Ok(config.run_top(&field)?))?.0;
        }
        parts.push(format!(
            "\"{connectivity:?}\": {{\"h0\": {tree}, \"top\": {top}, \"bytes\": {bytes:.1}, \"method\": \"{method:?}\"}}"
        ));
    }
    println!("{{{}}}", parts.join(", "));
    Ok(())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn report() -> Result<(), Failure> {
    growth()?;
    println!("seconds, one thread, medians of {ROUNDS}");
    println!(
        "{:<16}{:>10}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}",
        "", "cells", "", "branches", "basins", "sweep", "auto", "top"
    );
    for (name, shape, is_smooth) in FIELDS {
        let values = field(shape, is_smooth);
        let field = ScalarField::new(&values, shape)?;
        for connectivity in [Connectivity::Axis, Connectivity::Full] {
            let config = MergeTreeConfig::new().with_connectivity(connectivity);
            let mut times: [Vec<f64>; 4] = Default::default();
            let mut branches = 0;
            for _ in 0..ROUNDS {
                let methods = [TreeMethod::Basins, TreeMethod::Sweep, TreeMethod::Auto];
                for (method, times) in methods.into_iter().zip(&mut times) {
                    let (time, tree) = seconds(|| Ok(config.with_method(method).run(&field)?))?;
                    times.push(time);
                    branches = tree.branches().len();
                }
                times[3].push(seconds(|| Ok(config.run_top(&field)?))?.0);
            }
            let [basins, sweep, auto, top] = times.map(median);
            let cells = values.len();
            let connectivity = format!("{connectivity:?}");
            println!(
                "{name:<16}{cells:>10}{connectivity:>9}{branches:>9}{basins:>9.4}{sweep:>9.4}{auto:>9.4}{top:>9.4}"
            );
        }
    }
    distances()
}

/// Each size in a process of its own, so that the peak of memory is its own.
fn growth() -> Result<(), Failure> {
    println!("as it grows: smooth, one thread; seconds, and peak bytes a cell with the field");
    let file = std::env::temp_dir().join(format!("topology-{}.f64", std::process::id()));
    for n in [128, 256, 512, 1024, 2048] {
        write(&file, &field(&[n, n], true))?;
        let length = n.to_string();
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--measure").arg(&file).args([&length, &length]);
        let output = command.output()?;
        print!(
            "{:>9} cells {}",
            n * n,
            String::from_utf8_lossy(&output.stdout)
        );
    }
    std::fs::remove_file(&file)?;
    println!();
    Ok(())
}

fn distances() -> Result<(), Failure> {
    println!("\ndistances, seconds");
    let diagram = |count: usize, seed: u64| {
        let values = field(&[4 * count + seed as usize], false);
        let points = values[2 * seed as usize..].chunks_exact(2).take(count);
        let points: Vec<(f64, Death)> = points
            .map(|pair| (pair[0], Death::At(pair[0] + pair[1] * 0.2)))
            .collect();
        Diagram::new(Level::Sub, 0, points)
    };
    for count in [100, 300, 1000, 3000] {
        let (a, b) = (diagram(count, 1)?, diagram(count, 33)?);
        let (bottleneck, found) = seconds(|| Ok(bottleneck(&a, &b)?))?;
        let (wasserstein, _) = seconds(|| Ok(wasserstein(&a, &b, Order::Two, Ground::Infinity)?))?;
        println!(
            "{count:>10} points: bottleneck {bottleneck:.4} ({:.5}), W2 {wasserstein:.4}",
            found.distance
        );
    }
    Ok(())
}
