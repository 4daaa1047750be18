//! A merge that is killed leaves the output as it was.
#![allow(clippy::expect_used, reason = "a failed expectation fails the test")]

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use files::Folder;

#[allow(dead_code, reason = "other tests use more of it")]
mod files;

const MERGE: &str = "merge --method average a.safetensors b.safetensors --out merged.safetensors";
const OUTPUT: &str = "merged.safetensors";
const TENSORS: usize = 40;
const ELEMENTS: usize = 50_000;
const ROUNDS: u64 = 20;

/// A number of SplitMix64.
fn mixed(seed: u64) -> u64 {
    let z = seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
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

/// The files beside the output in which a run writes.
fn scratch(folder: &Folder) -> Vec<String> {
    let names = folder.names().into_iter();
    let is_scratch = |name: &String| name.starts_with("merged.") && name.ends_with(".tmp");
    names.filter(is_scratch).collect()
}

/// Starts a merge and kills it once it has written `least` bytes. Returns whether it was still running.
fn killed_after(folder: &Folder, least: u64) -> bool {
    let mut child = folder
        .command(&format!("{MERGE} --force --quiet"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command");
    let is_running = loop {
        if child.try_wait().expect("a state").is_some() {
            break false;
        }
        let mut files = scratch(folder).into_iter();
        let is_far = files.any(|name| {
            let written = fs::metadata(folder.path(&name)).map(|metadata| metadata.len());
            written.is_ok_and(|written| written >= least)
        });
        if is_far {
            break true;
        }
        thread::sleep(Duration::from_micros(100));
    };
    drop(child.kill());
    child.wait().expect("its end");
    is_running
}

#[test]
fn a_merge_that_is_killed_leaves_the_old_file_or_none_or_the_whole_result() {
    let folder = Folder::new("killed");
    checkpoint(&folder, "a.safetensors", 1);
    checkpoint(&folder, "b.safetensors", 1 << 40);
    folder.done(MERGE);
    let whole = folder.bytes(OUTPUT);
    let old = b"an older result".to_vec();
    let mut num_killed = 0;
    for round in 0..ROUNDS {
        let has_old = round % 2 == 0;
        if has_old {
            folder.write_bytes(OUTPUT, &old);
        } else if folder.path(OUTPUT).exists() {
            fs::remove_file(folder.path(OUTPUT)).expect("the output");
        }
        let least = mixed(round) % (whole.len() as u64 * 9 / 10);
        if killed_after(&folder, least) {
            num_killed += 1;
        }
        let found = fs::read(folder.path(OUTPUT)).ok();
        let is_whole = found.as_ref() == Some(&whole);
        let is_before = found.as_ref() == has_old.then_some(&old);
        let size = found.map(|bytes| bytes.len());
        assert!(
            is_whole || is_before,
            "round {round}, killed after {least} bytes: {size:?} bytes"
        );
        for name in scratch(&folder) {
            fs::remove_file(folder.path(&name)).expect("what a killed run left");
        }
    }
    println!("{num_killed} of {ROUNDS} runs were killed while they wrote");
    assert!(
        num_killed >= 5,
        "only {num_killed} runs were killed in time"
    );
}
