//! An observer that breaks leaves what was there before, wherever it breaks.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use burnscape::loss::Work;
use burnscape::merge::{Average, Combine, FileMerge, MergeError, Recipe, Sparsify, TaskArithmetic};

use super::folder::Folder;

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn models(folder: &Folder) -> [PathBuf; 2] {
    ["one.safetensors", "two.safetensors"].map(|file| {
        let vectors = NAMES.map(|name| (name, &[1.0_f32, 2.0, -3.0][..]));
        folder.vectors(file, &vectors)
    })
}

fn merge(folder: &Folder, out: &Path) -> FileMerge {
    let merge = FileMerge::new(Recipe::new(Average), models(folder), out);
    sharded(merge, out)
}

/// In shards, if the result has no extension.
fn sharded(merge: FileMerge, out: &Path) -> FileMerge {
    match out.extension() {
        Some(_) => merge,
        None => merge.with_max_shard_size(24),
    }
}

/// A recipe that sees all tensors before it merges the first one.
fn over_model() -> Recipe {
    let method = TaskArithmetic::new();
    let method = method.with_sparsify(Sparsify::ModelMagnitude { density: 0.5 });
    Recipe::new(method.with_combine(Combine::ElectSign))
}

/// What is there before a merge: a file, nothing, or an empty directory.
const OUTPUTS: [&str; 4] = ["out.safetensors", "out.bpk", "out", "empty"];

fn prepare(folder: &Folder, name: &str) -> PathBuf {
    let out = folder.path(name);
    if name.contains('.') {
        fs::write(&out, "old").unwrap();
    } else if name == "empty" {
        fs::create_dir(&out).unwrap();
    }
    out
}

/// Checks that a result is what it was before the merge.
#[track_caller]
fn is_untouched(out: &Path) {
    if out.extension().is_some() {
        assert_eq!(fs::read(out).unwrap(), b"old");
    } else if out.exists() {
        assert_eq!(fs::read_dir(out).unwrap().count(), 0);
    }
}

#[test]
fn nothing_is_left_behind_wherever_the_observer_breaks() {
    for name in OUTPUTS {
        let folder = Folder::new();
        let out = prepare(&folder, name);
        let before = {
            models(&folder);
            folder.names()
        };
        for last in 1..=NAMES.len() {
            let merge = merge(&folder, &out).with_observer(move |progress| {
                assert_eq!(progress.work, Work::Tensor);
                assert_eq!(progress.total, Some(NAMES.len()));
                if progress.done == last {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            let total = NAMES.len();
            let expected = MergeError::Stopped { done: last, total };
            assert_eq!(merge.run().unwrap_err(), expected, "{name}");
            assert_eq!(folder.names(), before, "{name}, {last}");
            is_untouched(&out);
        }
        merge(&folder, &out).run().unwrap();
        assert_eq!(fs::metadata(&out).unwrap().is_file(), name.contains('.'));
    }
}

#[test]
fn nothing_is_left_behind_by_a_break_in_any_pass() {
    for name in OUTPUTS {
        let folder = Folder::new();
        let out = prepare(&folder, name);
        let [one, two] = models(&folder);
        let before = folder.names();
        for stop in 1_usize.. {
            let merge = FileMerge::new(over_model(), [&two], &out).with_base(&one);
            let mut calls = 0;
            let merge = sharded(merge, &out).with_observer(move |_| {
                calls += 1;
                if calls == stop {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            let Err(error) = merge.run() else {
                assert!(stop > 2 * NAMES.len(), "{stop}");
                break;
            };
            assert!(matches!(error, MergeError::Stopped { .. }), "{error}");
            assert_eq!(folder.names(), before, "{name}, {stop}");
            is_untouched(&out);
        }
    }
}

#[test]
fn every_tensor_is_reported_and_those_of_a_first_pass_too() {
    let folder = Folder::new();
    let [one, two] = models(&folder);
    let out = folder.path("out.bpk");
    let observed = |recipe: Recipe, stop: Option<usize>| {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let observer = Arc::clone(&seen);
        let merge = FileMerge::new(recipe, [&two], &out).with_base(&one);
        let merge = merge.with_observer(move |progress| {
            let mut seen = observer.lock().unwrap();
            seen.push(progress.to_string());
            if Some(seen.len()) == stop {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        let result = merge.run();
        (result, seen.lock().unwrap().clone())
    };
    let (result, seen) = observed(Recipe::new(TaskArithmetic::ties(0.5)), None);
    result.unwrap();
    assert_eq!(seen.len(), 5);
    assert_eq!(
        (seen[0].as_str(), seen[4].as_str()),
        ("tensor 1 of 5", "tensor 5 of 5")
    );

    let (result, seen) = observed(over_model(), None);
    result.unwrap();
    assert!(seen.len() >= 10, "{seen:?}");
    assert_eq!(seen[0], "tensor 0 of 5");
    assert_eq!(
        seen[seen.len() - 5..],
        NAMES.map(|name| {
            let done = NAMES.iter().position(|other| *other == name).unwrap() + 1;
            format!("tensor {done} of 5")
        })
    );
    fs::remove_file(&out).unwrap();
    let (result, _) = observed(over_model(), Some(3));
    assert_eq!(
        result.unwrap_err(),
        MergeError::Stopped { done: 0, total: 5 }
    );
    assert_eq!(folder.names(), ["one.safetensors", "two.safetensors"]);
}

#[test]
fn shards_take_the_place_of_an_empty_directory() {
    let folder = Folder::new();
    let out = folder.path("out");
    fs::create_dir(&out).unwrap();
    merge(&folder, &out).run().unwrap();
    assert_eq!(fs::read_dir(&out).unwrap().count(), 4);
    let error = merge(&folder, &out).run().unwrap_err().to_string();
    assert!(error.contains("the directory is not empty"), "{error}");
}

#[test]
fn what_a_killed_run_has_left_is_in_nobodys_way() {
    let folder = Folder::new();
    let out = folder.path("out");
    let process = std::process::id();
    fs::create_dir(folder.path(&format!("out.{process}-0.tmp"))).unwrap();
    merge(&folder, &out).run().unwrap();
    assert!(out.join("model.safetensors.index.json").is_file());
}
