//! What it takes to merge files, beside NumPy with safetensors.
//!
//! ```text
//! cargo bench -p burnscape --bench merge --features files
//! ```
//!
//! Two models of 100 MB (25 tensors of a million f32 numbers) and their base are merged by TIES, with a threshold for each tensor and
//! with one for the model, by an average and by an arc: the time from files to the file, and the peak of the heap.
//! `benches/peers/merge.py` does the same in turn, twice: one tensor at a time, and with all files in memory; the faster one counts.
//! It needs `python3` with `numpy` and `safetensors`; without them ours stands alone. Times of mergekit are printed if it is
//! installed. Files are in the page cache; the first round does not count.
//!
//! Ours is flushed to the disk before it is moved in place, theirs is not. What that takes for a file of this size is printed, too.
//!
//! Options: `--rounds N` (5 by default), and `--folder DIR` for the files, for instance in `/dev/shm`, where nothing is flushed.
#![allow(clippy::expect_used, reason = "a benchmark stops at its first error")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use burnscape::merge::{
    Average, CheckpointDistance, CheckpointFile, Combine, FileMerge, Recipe, Slerp, Sparsify,
    TaskArithmetic,
};
use serde_json::{Map, Value, json};

#[global_allocator]
static ALLOCATOR: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

const TENSORS: usize = 25;
const SIDE: usize = 1000;
const NUM_MODELS: usize = 2;
const DENSITY: f64 = 0.5;
const TIME_BAR: f64 = 1.2;
const MB: f64 = 1e6;

/// A merge, ours and theirs.
struct Case {
    name: &'static str,
    recipe: fn() -> Recipe,
    has_base: bool,
    peers: &'static [&'static str],
    has_bar: bool,
}

const CASES: [Case; 4] = [
    Case {
        name: "TIES, each tensor",
        recipe: || Recipe::new(TaskArithmetic::ties(DENSITY)),
        has_base: true,
        peers: &["ties", "ties-loaded"],
        has_bar: true,
    },
    Case {
        name: "TIES, over the model",
        recipe: || {
            let density = DENSITY;
            let plain = TaskArithmetic::new().with_combine(Combine::ElectSign);
            Recipe::new(plain.with_sparsify(Sparsify::ModelMagnitude { density }))
        },
        has_base: true,
        peers: &["ties-model-loaded"],
        has_bar: true,
    },
    Case {
        name: "average",
        recipe: || Recipe::new(Average),
        has_base: false,
        peers: &["average", "average-loaded"],
        has_bar: false,
    },
    Case {
        name: "arc",
        recipe: || Recipe::new(Slerp::new()),
        has_base: false,
        peers: &["slerp", "slerp-loaded"],
        has_bar: false,
    },
];

/// The files of the benchmark.
struct Files {
    base: PathBuf,
    models: [PathBuf; NUM_MODELS],
    out: PathBuf,
    out_of_peer: PathBuf,
}

fn main() {
    let option = |name: &str| std::env::args().skip_while(|arg| arg != name).nth(1);
    let rounds: usize = option("--rounds").map_or(5, |rounds| rounds.parse().expect("a number"));
    let folder = concat!(env!("CARGO_TARGET_TMPDIR"), "/merge");
    let folder = option("--folder").map_or(PathBuf::from(folder), PathBuf::from);
    let files = Files::written(&folder);
    let mut peer = Peer::start(&files);
    if let Err(reason) = &peer {
        println!("no peer: {reason}");
    }
    println!(
        "{:<22} {:>7} {:>8} {:>6} {:>5} {:>13} {:>9} {:>7}",
        "merge", "ours s", "NumPy s", "ratio", "bar", "read / size", "peak MB", "bar MB"
    );
    let mut distances = Vec::new();
    for case in &CASES {
        distances.extend(compared(case, &files, peer.as_mut().ok(), rounds));
    }
    for line in distances {
        println!("{line}");
    }
    if let Ok(peer) = &mut peer {
        match medians(1, rounds.min(3), |_| peer.time("ties-mergekit")) {
            Ok(times) => println!("TIES by mergekit, with its start: {:.2} s", times[0]),
            Err(reason) => println!("TIES by mergekit: {reason}"),
        }
    }
    flushed(&files);
    for written in [&files.out, &files.out_of_peer] {
        drop(fs::remove_file(written));
    }
}

/// Prints a line of the table. Returns how far the results are apart.
fn compared(case: &Case, files: &Files, peer: Option<&mut Peer>, rounds: usize) -> Option<String> {
    let before = read_so_far();
    files.merge(case);
    let read = before.zip(read_so_far());
    let read = read.map(|(before, after)| (after - before) as f64 / files.size(case));
    let read = read.map_or("unknown".to_string(), |read| format!("{read:.2}"));

    let used = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    files.merge(case);
    let peak = (ALLOCATOR.peak_usage() - used) as f64 / MB;
    let largest = (SIDE * SIDE * size_of::<f32>()) as f64 / MB;
    let most = (NUM_MODELS + 3) as f64 * largest + 32.0;

    let ours = || -> Result<f64, String> {
        let start = Instant::now();
        files.merge(case);
        Ok(start.elapsed().as_secs_f64())
    };
    let has_peer = peer.is_some();
    let times = match peer {
        None => medians(1, rounds, |_| ours()),
        Some(peer) => medians(1 + case.peers.len(), rounds, |index| match index {
            0 => ours(),
            index => peer.time(case.peers[index - 1]),
        }),
    };
    let times = match times {
        Ok(times) => times,
        Err(reason) => {
            println!("{:<22} {reason}", case.name);
            return None;
        }
    };
    let theirs = times[1..].iter().copied().reduce(f64::min);
    let shown = |number: Option<f64>| number.map_or("-".to_string(), |n| format!("{n:.2}"));
    println!(
        "{:<22} {:>7.2} {:>8} {:>6} {:>5} {read:>13} {peak:>9.1} {most:>7.1}",
        case.name,
        times[0],
        shown(theirs),
        shown(theirs.map(|theirs| times[0] / theirs)),
        shown(case.has_bar.then_some(TIME_BAR)),
    );
    has_peer.then(|| files.distance(case.name))
}

/// The median times of several pieces of work that take turns, after a round that does not count.
fn medians(
    count: usize,
    rounds: usize,
    mut time: impl FnMut(usize) -> Result<f64, String>,
) -> Result<Vec<f64>, String> {
    let mut times = vec![Vec::with_capacity(rounds); count];
    for round in 0..=rounds {
        for turn in 0..count {
            let index = (turn + round) % count;
            let seconds = time(index)?;
            if round > 0 {
                times[index].push(seconds);
            }
        }
    }
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    Ok(times.into_iter().map(median).collect())
}

/// Bytes that this process has read from files, where the system tells.
fn read_so_far() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/io").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("rchar: "));
    line?.trim().parse().ok()
}

/// Prints how long it takes to copy a file of this size, and to flush the copy to the disk.
fn flushed(files: &Files) {
    let seconds = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    };
    let times = medians(1, 3, |_| {
        drop(fs::remove_file(&files.out));
        fs::copy(&files.base, &files.out).expect("a copy");
        let copy = File::options().write(true).open(&files.out);
        let copy = copy.expect("the copy");
        Ok(seconds(&mut || copy.sync_all().expect("a flush")))
    });
    let copied = medians(1, 3, |_| {
        drop(fs::remove_file(&files.out));
        Ok(seconds(&mut || {
            fs::copy(&files.base, &files.out).expect("a copy");
        }))
    });
    if let (Ok(flushed), Ok(copied)) = (times, copied) {
        println!(
            "a copy of a file: {:.2} s; to flush it to the disk, as ours does: {:.2} s more",
            copied[0], flushed[0]
        );
    }
}

impl Files {
    /// Writes the inputs, unless they are there.
    fn written(folder: &Path) -> Self {
        fs::create_dir_all(folder).expect("a folder");
        let path = |name: &str| folder.join(format!("{name}.safetensors"));
        let files = Self {
            base: path("base"),
            models: [path("a"), path("b")],
            out: path("merged"),
            out_of_peer: path("merged-by-peer"),
        };
        let base = |at: u64| 0.1 * normal(at);
        write(&files.base, base);
        for (model, path) in (1_u64..).zip(&files.models) {
            write(path, |at| base(at) + 0.01 * normal((model << 40) + at));
        }
        files
    }

    fn merge(&self, case: &Case) {
        let merge = FileMerge::new((case.recipe)(), &self.models, &self.out);
        let merge = if case.has_base {
            merge.with_base(&self.base)
        } else {
            merge
        };
        merge.run().expect("a merge");
    }

    /// The size of the inputs of a merge.
    fn size(&self, case: &Case) -> f64 {
        let base = case.has_base.then_some(&self.base);
        let sizes = self.models.iter().chain(base).map(|path| {
            let metadata = fs::metadata(path).expect("an input");
            metadata.len()
        });
        sizes.sum::<u64>() as f64
    }

    /// How far our last result is from that of the peer.
    fn distance(&self, name: &str) -> String {
        let [ours, theirs] = [&self.out, &self.out_of_peer]
            .map(|path| CheckpointFile::open(path).expect("a result"));
        let distance = CheckpointDistance::between(&ours, &theirs).expect("the same tensors");
        let relative = distance.total.relative.unwrap_or(0.0);
        let largest = distance.total.largest;
        format!("{name}: results differ by {relative:.1e} of their norm, {largest:.1e} at most")
    }
}

/// Writes a safetensors file, unless there is one of its size.
fn write(path: &Path, value: impl Fn(u64) -> f64) {
    let len = SIDE * SIDE;
    let bytes = len * size_of::<f32>();
    let tensors = (0..TENSORS).map(|tensor| {
        let offsets = [tensor * bytes, (tensor + 1) * bytes];
        let entry = json!({ "dtype": "F32", "shape": [SIDE, SIDE], "data_offsets": offsets });
        (format!("layer.{tensor:02}.weight"), entry)
    });
    let mut header =
        serde_json::to_vec(&tensors.collect::<Map<String, Value>>()).expect("a header");
    header.resize(header.len().next_multiple_of(8), b' ');
    let size = 8 + header.len() + TENSORS * bytes;
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() == size as u64) {
        return;
    }
    let mut file = BufWriter::new(File::create(path).expect("a file"));
    let length = (header.len() as u64).to_le_bytes();
    let mut put = |bytes: &[u8]| file.write_all(bytes).expect("space on the disk");
    put(&length);
    put(&header);
    for at in 0..(TENSORS * len) as u64 {
        put(&(value(at) as f32).to_le_bytes());
    }
    file.flush().expect("space on the disk");
}

/// A sum of four uniform numbers with the variance of a normal one.
fn normal(index: u64) -> f64 {
    let [a, b] = [mixed(2 * index), mixed(2 * index + 1)];
    let halves = [a >> 32, a & 0xFFFF_FFFF, b >> 32, b & 0xFFFF_FFFF];
    let sum: u64 = halves.iter().sum();
    3.0_f64.sqrt() * (sum as f64 / 2.0_f64.powi(32) - 2.0)
}

/// A number of SplitMix64.
fn mixed(index: u64) -> u64 {
    let z = index.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// NumPy in a process of its own, which waits for the next merge.
struct Peer {
    process: Child,
    /// None at the end.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Peer {
    fn start(files: &Files) -> Result<Self, String> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../benches/peers/merge.py");
        let mut process = Command::new("python3")
            .arg(script)
            .arg("--base")
            .arg(&files.base)
            .arg("--models")
            .args(&files.models)
            .arg("--out")
            .arg(&files.out_of_peer)
            .args(["--density", &DENSITY.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("python3 does not start ({error})"))?;
        let input = process.stdin.take();
        let output = process.stdout.take().ok_or("python3 has no output")?;
        let mut peer = Self {
            process,
            input,
            output: BufReader::new(output),
        };
        let line = peer.line()?;
        match line.strip_prefix("ready ") {
            Some(versions) => {
                println!("beside {versions}");
                Ok(peer)
            }
            None => Err(format!("{line}; pip install numpy safetensors")),
        }
    }

    /// The time of a merge in seconds.
    fn time(&mut self, method: &str) -> Result<f64, String> {
        let input = self.input.as_mut().ok_or("python3 has no input")?;
        let told = writeln!(input, "{method}").and_then(|()| input.flush());
        told.map_err(|error| format!("python3 does not listen ({error})"))?;
        let line = self.line()?;
        line.parse().map_err(|_| line)
    }

    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        let read = self.output.read_line(&mut line);
        match read {
            Ok(0) => Err("python3 ended".to_string()),
            Ok(_) => Ok(line.trim_end().to_string()),
            Err(error) => Err(format!("python3 does not answer ({error})")),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Without input it ends.
        self.input = None;
        drop(self.process.wait());
    }
}
