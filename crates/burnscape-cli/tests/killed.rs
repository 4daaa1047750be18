//! A merge that is killed leaves the output as it was.
#![allow(clippy::expect_used, reason = "a failed expectation fails the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::thread;

use files::Folder;

#[allow(dead_code, reason = "other tests use more of it")]
mod files;

const MERGE: &str = "merge --method average a.safetensors b.safetensors --quiet --out";
const TENSORS: usize = 40;
const ELEMENTS: usize = 100_000;
/// The bytes of the result, without its header.
const SIZE: u64 = (TENSORS * ELEMENTS * 4) as u64;
const ROUNDS: u64 = 20;
/// Rounds with other kinds of output.
const FEW: u64 = 4;

/// A number of SplitMix64.
fn mixed(seed: u64) -> u64 {
    let z = seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A place in the result, before its end.
fn place(round: u64) -> u64 {
    mixed(round) % (SIZE * 9 / 10)
}

fn checkpoint(folder: &Folder, name: &str, seed: u64) {
    let shape = [ELEMENTS];
    let names: Vec<String> = (0..TENSORS).map(|index| format!("layer.{index}")).collect();
    let values: Vec<Vec<f32>> = (0..TENSORS as u64)
        .map(|tensor| {
            let first = seed + tensor * ELEMENTS as u64;
            let places = first..first + ELEMENTS as u64;
            places.map(|at| (mixed(at) >> 40) as f32 * 1e-7).collect()
        })
        .collect();
    let tensors: Vec<(&str, &[usize], &[f32])> = names
        .iter()
        .zip(&values)
        .map(|(name, values)| (name.as_str(), &shape[..], values.as_slice()))
        .collect();
    folder.write(name, &tensors);
}

/// A folder with two models, and their mean as `whole.safetensors`.
fn models(name: &str) -> Folder {
    let folder = Folder::new(name);
    checkpoint(&folder, "a.safetensors", 1);
    checkpoint(&folder, "b.safetensors", 1 << 40);
    folder.done(&format!("{MERGE} whole.safetensors"));
    folder
}

/// What a run writes in, beside the output: a file, or a directory.
fn scratch(folder: &Folder) -> Option<PathBuf> {
    let mut names = folder.names().into_iter();
    let is_scratch = |name: &String| name.starts_with("merged") && name.ends_with(".tmp");
    names.find(is_scratch).map(|name| folder.path(&name))
}

/// The bytes of a file, or of those in a directory.
fn size(path: &Path) -> u64 {
    let Ok(metadata) = fs::metadata(path) else {
        return 0;
    };
    if !metadata.is_dir() {
        return metadata.len();
    }
    let Ok(entries) = fs::read_dir(path) else {
        return 0;
    };
    let files = entries.filter_map(|entry| entry.ok()?.metadata().ok());
    files.map(|metadata| metadata.len()).sum()
}

fn removed(path: &Path) {
    if path.is_dir() {
        fs::remove_dir_all(path).expect("a directory");
    } else {
        fs::remove_file(path).expect("a file");
    }
}

/// Starts a merge and kills it as soon as it has written `least` bytes. Returns whether it was killed before its end.
/// What it has left beside the output is removed.
fn killed_after(folder: &Folder, output: &str, least: u64) -> bool {
    let mut child = folder
        .command(&format!("{MERGE} {output}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command");
    let mut place: Option<PathBuf> = None;
    while child.try_wait().expect("a state").is_none() {
        if place.is_none() {
            place = scratch(folder);
        }
        if place.as_deref().is_some_and(|place| size(place) >= least) {
            drop(child.kill());
            break;
        }
        thread::yield_now();
    }
    let ended: ExitStatus = child.wait().expect("its end");
    if let Some(left) = scratch(folder) {
        removed(&left);
    }
    !ended.success()
}

#[test]
fn a_merge_that_is_killed_leaves_the_old_file_or_none_or_the_whole_result() {
    let folder = models("killed");
    let output = folder.path("merged.safetensors");
    let whole = folder.bytes("whole.safetensors");
    let old = b"an older result".to_vec();
    let mut num_killed = 0;
    for round in 0..ROUNDS {
        let has_old = round % 2 == 0;
        if has_old {
            fs::write(&output, &old).expect("an older file");
        } else if output.exists() {
            removed(&output);
        }
        let least = place(round);
        if killed_after(&folder, "merged.safetensors --force", least) {
            num_killed += 1;
        }
        let found = fs::read(&output).ok();
        let is_whole = found.as_ref() == Some(&whole);
        let is_before = found.as_ref() == has_old.then_some(&old);
        let size = found.map(|bytes| bytes.len());
        assert!(
            is_whole || is_before,
            "round {round}, killed after {least} bytes: {size:?} bytes"
        );
    }
    println!("{num_killed} of {ROUNDS} runs were killed while they wrote");
    assert!(
        num_killed >= 15,
        "only {num_killed} of {ROUNDS} runs were killed in time"
    );
}

#[test]
fn other_outputs_are_absent_or_whole_too() {
    let folder = models("killed-others");
    for (name, output) in [
        ("merged.bpk", "merged.bpk"),
        ("merged", "merged --max-shard-size 2MB"),
    ] {
        let path = folder.path(name);
        let mut num_killed = 0;
        for round in 0..FEW {
            let is_killed = killed_after(&folder, output, place(ROUNDS + round));
            num_killed += u64::from(is_killed);
            if path.exists() {
                let text = folder.done(&format!("distance {name} whole.safetensors"));
                let mut total = text.lines().filter(|line| line.starts_with("in total"));
                let total: Vec<&str> = total.next().expect("a row").split_whitespace().collect();
                assert_eq!(total[2], "0", "{text}");
                removed(&path);
            }
        }
        println!("{num_killed} of {FEW} runs were killed while they wrote {name}");
    }
}
