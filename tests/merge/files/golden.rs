//! Shards of bf16 by the Python package `safetensors`: `golden/scripts/sharded_checkpoint.py`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use burn::tensor::{DType, FloatDType, TensorData};
use burnscape::merge::{
    Average, CheckpointDistance, CheckpointFile, FileMerge, MergeError, MergeReport, Recipe,
    TaskArithmetic,
};
use burnscape_testkit::golden::{GoldenArray, GoldenHeader, load};
use serde::Deserialize;

use super::folder::Folder;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    #[serde(rename = "header")]
    _header: GoldenHeader,
    a: BTreeMap<String, GoldenArray>,
    b: BTreeMap<String, GoldenArray>,
    average: BTreeMap<String, GoldenArray>,
}

fn expected() -> Expected {
    load("merge/sharded", "expected").unwrap()
}

fn directory(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../golden/merge/sharded")
        .join(name)
}

/// Checks that the float tensors of a checkpoint are these.
fn has(checkpoint: &CheckpointFile, expected: &BTreeMap<String, GoldenArray>) {
    let floats = checkpoint
        .tensors()
        .iter()
        .filter(|tensor| tensor.is_float());
    assert_eq!(floats.count(), expected.len());
    for (name, array) in expected {
        let data = checkpoint.read(name).unwrap();
        assert_eq!(data.shape().as_slice(), array.shape, "{name}");
        let found: Vec<f32> = data.iter::<f32>().collect();
        let values = array.values.iter().map(|value| *value as f32);
        assert_eq!(found, values.collect::<Vec<f32>>(), "{name}");
    }
}

#[test]
fn shards_of_another_library_are_read() {
    let expected = expected();
    let a = CheckpointFile::open(directory("a")).unwrap();
    let index = directory("b").join("model.safetensors.index.json");
    let b = CheckpointFile::open(&index).unwrap();
    has(&a, &expected.a);
    has(&b, &expected.b);
    assert_eq!((a.path(), b.path()), (&*directory("a"), &*index));
    assert_eq!(a.metadata()["format"], "pt");
    let names = a.tensors().iter().map(|tensor| tensor.name.as_str());
    let names: Vec<&str> = names.collect();
    assert_eq!(
        names,
        [
            "embed.weight",
            "head.weight",
            "layers.0.norm.weight",
            "layers.0.weight",
            "logit_scale",
            "norm.running_mean",
            "position_ids",
        ]
    );
    let head = &a.tensors()[1];
    assert_eq!((head.dtype.as_str(), head.bytes), ("bf16", 48));
    assert!(head.file.ends_with("a/model-00002-of-00002.safetensors"));
    let positions = &a.tensors()[6];
    assert_eq!(
        (positions.dtype.as_str(), positions.is_float()),
        ("i64", false)
    );
    let error = a.read("position_ids").unwrap_err().to_string();
    assert!(
        error.contains("`position_ids` is i64; only f16, bf16"),
        "{error}"
    );
    let error = a.read("tail").unwrap_err().to_string();
    assert!(error.contains(": has no tensor `tail`"), "{error}");
}

#[test]
fn shards_are_averaged_into_one_file_and_into_shards() {
    let expected = expected();
    let folder = Folder::new();
    let models = || [directory("a"), directory("b")];
    for name in ["one.safetensors", "one.bpk", "shards"] {
        let out = folder.path(name);
        let merge = FileMerge::new(Recipe::new(Average), models(), &out);
        let merge = match name {
            "shards" => merge.with_max_shard_size(100),
            _ => merge,
        };
        let plan = merge.plan().unwrap();
        let report = merge.run().unwrap();
        let merged = CheckpointFile::open(&out).unwrap();
        has(&merged, &expected.average);
        assert_eq!(merged.read("embed.weight").unwrap().dtype(), DType::BF16);
        assert_eq!(merged.metadata()["format"], "pt");

        let note = |report: &MergeReport, index: usize| {
            let tensor = &report.tensors[index];
            let note = tensor.note.clone().unwrap_or_default();
            format!("{}: {}: {note}", tensor.name, tensor.method)
        };
        let copied = "position_ids: copied: i64 from the first model";
        assert_eq!(note(&plan, 6), copied);
        let copied = format!("{copied}; it is the same in all checkpoints");
        assert_eq!(note(&report, 6), copied);
        assert!(note(&report, 5).contains("running statistics are averaged"));
    }
    // 48 bytes of `embed.weight` and 48 of `head.weight`; 8, 32, 2 and 8; 64.
    let shards = folder.path("shards");
    let files = std::fs::read_dir(&shards).unwrap().map(Result::unwrap);
    let names = files.map(|entry| entry.file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    assert_eq!(
        names,
        [
            "model-00001-of-00003.safetensors",
            "model-00002-of-00003.safetensors",
            "model-00003-of-00003.safetensors",
            "model.safetensors.index.json",
        ]
    );
    let index = std::fs::read_to_string(shards.join("model.safetensors.index.json")).unwrap();
    assert!(index.contains("\"total_size\": 210"), "{index}");
}

#[test]
fn the_same_checkpoint_in_another_layout_of_files_is_the_same() {
    let folder = Folder::new();
    let out = folder.path("again");
    let merge = FileMerge::new(Recipe::new(Average), [directory("a")], &out);
    merge.with_max_shard_size(1_000_000).run().unwrap();
    // One shard is enough.
    let names = std::fs::read_dir(&out).unwrap();
    assert_eq!(names.count(), 1);
    let [a, again] = [directory("a"), out].map(|path| CheckpointFile::open(path).unwrap());
    let distance = CheckpointDistance::between(&a, &again).unwrap();
    assert_eq!(distance.total.distance, 0.0);
    assert_eq!(distance.not_compared, ["position_ids"]);
    assert_eq!(distance.tensors.len(), 6);
}

#[test]
fn element_types_of_results_are_set() {
    let folder = Folder::new();
    let wide = folder.path("wide.safetensors");
    let recipe = Recipe::new(TaskArithmetic::new());
    let merge = FileMerge::new(recipe, [directory("b")], &wide).with_base(directory("a"));
    merge.with_dtype(FloatDType::F32).run().unwrap();
    let (b, merged) = (expected().b, CheckpointFile::open(&wide).unwrap());
    // a + (b − a) is b up to the rounding of f32, but for the running statistic, which is that of b.
    for (name, array) in &b {
        let data: TensorData = merged.read(name).unwrap();
        assert_eq!(data.dtype(), DType::F32);
        for (found, expected) in data.iter::<f64>().zip(&array.values) {
            assert!(
                (found - expected).abs() <= 1e-6,
                "{name}: {found} {expected}"
            );
        }
    }
    assert_eq!(merged.tensors()[6].dtype, "i64");

    // Now types differ, which is refused unless one is set.
    let out = folder.path("out.bpk");
    let merge = || FileMerge::new(Recipe::new(Average), [directory("b"), wide.clone()], &out);
    let error = merge().run().unwrap_err();
    assert!(matches!(error, MergeError::MixedTypes { .. }), "{error}");
    let error = error.to_string();
    for part in [
        "wide.safetensors` has f32 where `",
        "/b` has bf16 (",
        "the first is `embed.weight`); choose the element type",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    merge().with_dtype(FloatDType::F16).run().unwrap();
    let merged = CheckpointFile::open(&out).unwrap();
    assert_eq!(merged.read("head.weight").unwrap().dtype(), DType::F16);
}
