//! Tiny runs of all examples.

use std::env::consts::EXE_SUFFIX;
use std::path::{Path, PathBuf};

use crate::check::FEATURES;
use crate::finding::Finding;
use crate::invocation::{Invocation, target_folder};
use crate::tree::has_extension;

/// Names and arguments. Examples run in the dev profile, which optimizes dependencies.
const EXAMPLES: &[(&str, &str)] = &[
    ("minimal", ""),
    ("learner", "--epochs 1"),
    ("own_ascent", "--steps 5"),
    ("own_similarity", "--units 8 --examples 64"),
    (
        "merge",
        "target/merge-tiny-a.bpk target/merge-tiny-b.bpk --out target/merge-tiny.bpk --train --epochs 1 --starts 1",
    ),
    ("landscape", "target/merge-tiny-a.bpk"),
    (
        "edge_of_stability",
        "--steps 60 --every 5 --flow 2 --digits 60 --width 8 --out target/edge-tiny.csv",
    ),
    (
        "skip_connections",
        "--seeds 1 --planes 1 --points 9 --depth 4 --steps 30 --json target/skip-tiny.json",
    ),
    (
        "trajectory",
        "--out target/trajectory-tiny --train --epochs 1 --checkpoints 8 --points 5 --draws 19",
    ),
    (
        "pinn",
        "--iterations 100 --points 50 --width 8 --only Poisson",
    ),
    ("dynamics", "--shorter 100"),
    (
        "study",
        "all --quick --json target/studies-tiny --report target/studies-tiny",
    ),
    ("serve", "--check"),
    (
        "learning_coefficient",
        "--epochs 1 --seconds 0.2 --shorter 1000",
    ),
    (
        "survey",
        "--device flex --epochs 1 --seeds 1 --images 128 --path-epochs 2 --verbose --surface-points 7 --out target \
         --figures target --json target/survey-tiny.json --report target/survey-tiny.html",
    ),
];

/// One build of all packages, which shares what the tests have compiled, and a run of each example.
pub(crate) fn invocations() -> Vec<Invocation> {
    // Programs are started in the root of the workspace.
    let folder = target_folder(Path::new("")).join("debug/examples");
    let build = format!("cargo build --quiet --workspace --examples {FEATURES}");
    let runs = EXAMPLES.iter().map(|(name, arguments)| {
        let program = Invocation::program(&folder.join(format!("{name}{EXE_SUFFIX}")));
        let words = arguments.split_whitespace();
        words.fold(program, |run, word| run.with_argument(word))
    });
    [Invocation::new(&build)].into_iter().chain(runs).collect()
}

/// Finds examples that are not listed, and listed examples that do not exist.
pub(crate) fn listed(files: &[PathBuf]) -> Vec<Finding> {
    listed_as(files, EXAMPLES)
}

fn listed_as(files: &[PathBuf], list: &[(&str, &str)]) -> Vec<Finding> {
    let here = Path::new(file!());
    let on_disk: Vec<(&Path, &str)> = files
        .iter()
        .filter(|path| path.parent() == Some(Path::new("examples")) && has_extension(path, "rs"))
        .filter_map(|path| Some((path.as_path(), path.file_stem()?.to_str()?)))
        .collect();
    let unlisted = on_disk
        .iter()
        .filter(|(_, stem)| list.iter().all(|(name, _)| name != stem))
        .map(|(path, _)| {
            let message = format!(
                "not listed; add it to {} with its arguments",
                here.display()
            );
            Finding::new(path, 1, message)
        });
    let gone = list
        .iter()
        .filter(|(name, _)| on_disk.iter().all(|(_, stem)| stem != name))
        .map(|(name, _)| {
            let message = format!("examples/{name}.rs does not exist; remove it from the list");
            Finding::new(here, 1, message)
        });
    unlisted.chain(gone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(files: &[&str]) -> usize {
        let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
        listed_as(&files, &[("minimal", "")]).len()
    }

    #[test]
    fn an_example_and_the_list_name_each_other() {
        assert_eq!(findings(&["examples/minimal.rs"]), 0);
        assert_eq!(findings(&["examples/minimal.rs", "examples/new.rs"]), 1);
        assert_eq!(findings(&[]), 1);
    }

    #[test]
    fn parts_and_data_of_examples_are_no_examples() {
        let files = [
            "examples/minimal.rs",
            "examples/survey/table.rs",
            "examples/data/README.md",
        ];
        assert_eq!(findings(&files), 0);
    }
}
