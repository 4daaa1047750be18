//! Merges that are refused before anything is written.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::{FloatDType, TensorData};
use burnscape::merge::{
    Average, ByPath, CheckpointFile, FileMerge, FisherAverage, MergeError, Recipe, RegMean, Slerp,
    SlerpUnit, TaskArithmetic, TensorMap, TensorStore, WeightLayout,
};

use super::folder::{Folder, bytes_of, safetensors};

/// The refusal of a merge, and of its plan.
#[track_caller]
fn refusal(merge: FileMerge) -> MergeError {
    let planned = merge.plan().unwrap_err();
    let error = merge.run().unwrap_err();
    assert_eq!(planned, error);
    error
}

fn average(models: &[&Path], out: &Path) -> FileMerge {
    FileMerge::new(Recipe::new(Average), models.iter().copied(), out)
}

#[test]
fn all_tensors_that_differ_are_named() {
    let folder = Folder::new();
    let a = safetensors(&[
        ("a", "F32", &[2], bytes_of(&[1.0, 2.0])),
        ("b", "F32", &[1], bytes_of(&[1.0])),
        ("c", "F32", &[1], bytes_of(&[1.0])),
        ("d", "I64", &[1], vec![0; 8]),
        ("e", "F32", &[2, 1], bytes_of(&[1.0, 2.0])),
    ]);
    let b = safetensors(&[
        ("a", "F32", &[1], bytes_of(&[1.0])),
        ("d", "F32", &[1], bytes_of(&[1.0])),
        ("e", "F32", &[1, 2], bytes_of(&[1.0, 2.0])),
        ("f", "F32", &[1], bytes_of(&[1.0])),
        ("g", "F16", &[1], vec![0; 2]),
    ]);
    let a = folder.write("a.safetensors", &a);
    let b = folder.write("b.safetensors", &b);
    let out = folder.path("out.safetensors");
    let error = refusal(average(&[&a, &a, &b], &out));
    let owned = |names: &[&str]| -> Vec<String> { names.iter().map(ToString::to_string).collect() };
    let expected = MergeError::DifferentTensors {
        first: format!("`{}`", a.display()).into(),
        model: format!("`{}`", b.display()).into(),
        missing: owned(&["b", "c"]),
        extra: owned(&["f", "g"]),
        different: owned(&[
            "a ([1] instead of [2])",
            "d (f32 instead of i64)",
            "e ([1, 2] instead of [2, 1])",
        ]),
    };
    assert_eq!(error, expected);
    let text = error.to_string();
    for name in [
        "a.safetensors` and `",
        "b.safetensors` do not have the same tensors: only in the first (2): `b`, `c`;",
        "only in the second (2): `f`, `g`; different (3): `a (",
        "`e ([1, 2]",
        "architecture",
    ] {
        assert!(text.contains(name), "{text}");
    }
    // A type that is set does not make an integer a number.
    let merge = average(&[&a, &b], &out).with_dtype(FloatDType::F32);
    assert_eq!(refusal(merge), expected);
    assert_eq!(folder.names(), ["a.safetensors", "b.safetensors"]);
}

#[test]
fn types_that_differ_alone_are_told_in_short() {
    let folder = Folder::new();
    let a = folder.vectors("a.safetensors", &[("v", &[1.0]), ("w", &[1.0, 2.0])]);
    let mut map = TensorMap::new();
    map.insert("v", TensorData::new(vec![1.0_f64], [1]));
    map.insert("w", TensorData::new(vec![1.0_f64, 2.0], [2]));
    let wide = folder.path("wide.safetensors");
    map.write(&wide).unwrap();
    let out = folder.path("out.safetensors");
    let error = refusal(average(&[&a, &wide], &out));
    let expected = MergeError::MixedTypes {
        first: format!("`{}`", a.display()).into(),
        second: format!("`{}`", wide.display()).into(),
        found: "f64".into(),
        expected: "f32".into(),
        count: 2,
        example: "v".into(),
    };
    assert_eq!(error, expected);
    let text = error.to_string();
    assert!(text.contains("(`with_dtype`, --dtype)"), "{text}");
    let merge = average(&[&a, &wide], &out).with_dtype(FloatDType::F32);
    merge.run().unwrap();
}

#[test]
fn a_checkpoint_without_numbers_to_merge_is_refused() {
    let folder = Folder::new();
    let packed = safetensors(&[
        ("ids", "I64", &[1], vec![0; 8]),
        ("v", "F8_E4M3", &[1], vec![1]),
        ("w", "F8_E4M3", &[2], vec![1, 2]),
    ]);
    let empty = folder.write("empty.safetensors", &safetensors(&[]));
    let packed = folder.write("packed.safetensors", &packed);
    let out = folder.path("out.safetensors");
    for (path, part) in [
        (&packed, "a type that is merged (f16, bf16, f32, f64)"),
        (&packed, "(f8_e4m3: 2, i64: 1); convert"),
        (&empty, ": has no tensors; pass"),
    ] {
        let error = refusal(average(&[path, path], &out)).to_string();
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn results_go_where_they_can() {
    let folder = Folder::new();
    let a = folder.vectors("a.safetensors", &[("w", &[1.0])]);
    let inner = folder.path("inner");
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("note"), "").unwrap();
    let file = folder.write("file", b"");
    let directory = folder.path("directory.bpk");
    fs::create_dir(&directory).unwrap();
    for (out, shards, part) in [
        (a.clone(), None, "the result would replace an input"),
        (
            folder.path("inner/../a.safetensors"),
            None,
            "would replace an input",
        ),
        (
            folder.path("out"),
            None,
            "use the extension `.safetensors` or `.bpk`",
        ),
        (folder.path("out.pt"), None, "use the extension"),
        (
            folder.path("out.bpk"),
            Some(10),
            "use a name without extension",
        ),
        (
            folder.path("none/out.bpk"),
            None,
            "does not exist; make it first",
        ),
        (directory, None, "is a directory; use the path of a file"),
        (inner.clone(), Some(10), "not empty; delete it"),
        (file, Some(10), "is a file, and shards"),
    ] {
        let mut merge = average(&[&a, &a], &out);
        if let Some(size) = shards {
            merge = merge.with_max_shard_size(size);
        }
        let error = refusal(merge);
        let MergeError::File { path, message } = &error else {
            panic!("{error}");
        };
        assert_eq!(*path, out.display().to_string());
        assert!(message.contains(part), "{part}: {error}");
    }
    let none = average(&[&a], &folder.path("out")).with_max_shard_size(0);
    assert!(matches!(refusal(none), MergeError::OutOfRange(_)));
    assert_eq!(
        refusal(average(&[], &folder.path("out.bpk"))),
        MergeError::NoModels
    );
    assert_eq!(
        folder.names(),
        ["a.safetensors", "directory.bpk", "file", "inner"]
    );
}

#[cfg(unix)]
#[test]
fn a_link_to_an_input_is_that_input() {
    let folder = Folder::new();
    let a = folder.vectors("a.safetensors", &[("w", &[1.0])]);
    let link = folder.path("link.safetensors");
    std::os::unix::fs::symlink(&a, &link).unwrap();
    let hard = folder.path("hard.safetensors");
    fs::hard_link(&a, &hard).unwrap();
    for (input, out) in [(&a, &link), (&link, &a), (&a, &hard), (&hard, &link)] {
        let error = refusal(average(&[input], out)).to_string();
        assert!(error.contains("would replace an input"), "{error}");
    }
    // An input of shards is all of its files.
    let index = r#"{"weight_map":{"w":"a.safetensors"}}"#;
    let index = folder.write("model.safetensors.index.json", index.as_bytes());
    let error = refusal(average(&[&index], &a)).to_string();
    assert!(error.contains("would replace an input"), "{error}");
}

#[cfg(unix)]
#[test]
fn shards_do_not_replace_a_link() {
    let folder = Folder::new();
    let a = folder.vectors("a.safetensors", &[("w", &[1.0])]);
    let inner = folder.path("inner");
    fs::create_dir(&inner).unwrap();
    std::os::unix::fs::symlink(&inner, folder.path("link")).unwrap();
    for out in ["link", "link/"] {
        let merge = average(&[&a], &folder.path(out)).with_max_shard_size(10);
        let error = refusal(merge).to_string();
        let part = "is a link, and shards replace a directory; use the path";
        assert!(error.contains(part), "{error}");
    }
    let merge = average(&[&a], &inner).with_max_shard_size(10);
    merge.run().unwrap();
}

#[test]
fn statistics_are_inputs() {
    let folder = Folder::new();
    let a = folder.vectors("a.safetensors", &[("w", &[1.0])]);
    let shards = folder.path("statistics");
    fs::create_dir(&shards).unwrap();
    let shard = folder.vectors("statistics/part.safetensors", &[("w", &[1.0])]);
    let index = r#"{"weight_map":{"w":"part.safetensors"}}"#;
    folder.write("statistics/model.safetensors.index.json", index.as_bytes());
    let stores = || -> Vec<Arc<dyn TensorStore>> {
        let store: Arc<dyn TensorStore> = Arc::new(CheckpointFile::open(&shards).unwrap());
        vec![store.clone(), store]
    };
    let before = fs::read(&shard).unwrap();
    for recipe in [
        Recipe::new(FisherAverage::new(stores())),
        Recipe::new(RegMean::new(stores())),
        Recipe::new(Average).with("w", FisherAverage::new(stores())),
    ] {
        let error = refusal(FileMerge::new(recipe, [&a, &a], &shard)).to_string();
        assert!(error.contains("would replace an input"), "{error}");
    }
    assert_eq!(fs::read(&shard).unwrap(), before);
    let recipe = Recipe::new(FisherAverage::new(stores()));
    let out = folder.path("out.safetensors");
    FileMerge::new(recipe, [&a, &a], &out).run().unwrap();
}

#[test]
fn rows_and_columns_need_a_layout() {
    let folder = Folder::new();
    let mut map = TensorMap::new();
    map.insert(
        "head.w",
        TensorData::new(vec![1.0_f32, 2.0, 3.0, -4.0], [2, 2]),
    );
    let [base, a] = ["base", "a"].map(|name| folder.path(&format!("{name}.safetensors")));
    map.write(&base).unwrap();
    map.write(&a).unwrap();
    let out = folder.path("out.safetensors");
    let recipe = || Recipe::new(TaskArithmetic::della(0.5, 0.2));
    let merge = || FileMerge::new(recipe(), [&a], &out).with_base(&base);
    let error = refusal(merge());
    assert!(matches!(error, MergeError::NoLayout { .. }), "{error}");
    assert!(error.to_string().contains("`head.w`"), "{error}");
    let layout = ByPath::new(WeightLayout::OutIn).with("tail", WeightLayout::InOut);
    let error = refusal(merge().with_layout(layout));
    let expected = MergeError::NoSuchTensor {
        pattern: "tail".to_string(),
        example: "head.w".to_string(),
    };
    assert_eq!(error, expected);
    merge().with_layout(WeightLayout::OutIn).run().unwrap();
    let no_base = refusal(FileMerge::new(recipe(), [&a], &out).with_layout(WeightLayout::OutIn));
    assert!(matches!(no_base, MergeError::NoBase { .. }), "{no_base}");
}

#[test]
fn numbers_that_are_not_finite_leave_the_old_file() {
    let folder = Folder::new();
    let a = folder.vectors("a.safetensors", &[("v", &[1.0]), ("w", &[1.0, 2.0])]);
    let b = folder.vectors("b.safetensors", &[("v", &[1.0]), ("w", &[1.0, f32::NAN])]);
    for name in ["old.safetensors", "old.bpk"] {
        let old = folder.write(name, b"old");
        let error = average(&[&a, &b], &old).run().unwrap_err();
        assert!(
            matches!(error, MergeError::NonFinite { index: 1, .. }),
            "{error}"
        );
        let start = format!("`w` of `{}` is NaN at flat index 1;", b.display());
        assert!(error.to_string().starts_with(&start), "{error}");
        assert_eq!(fs::read(&old).unwrap(), b"old");
    }
    let shards = folder.path("shards");
    let merge = average(&[&a, &b], &shards).with_max_shard_size(4);
    assert!(matches!(merge.run(), Err(MergeError::NonFinite { .. })));
    // In a pass before the first tensor.
    let recipe = Recipe::new(Slerp::new().with_unit(SlerpUnit::Model));
    let merge = FileMerge::new(recipe, [&b, &a], folder.path("out.bpk"));
    let error = merge.run().unwrap_err().to_string();
    let start = format!("`w` of `{}` is NaN", b.display());
    assert!(error.starts_with(&start), "{error}");
    let names = [
        "a.safetensors",
        "b.safetensors",
        "old.bpk",
        "old.safetensors",
    ];
    assert_eq!(folder.names(), names);
}

#[test]
fn results_beyond_the_range_of_their_type_leave_the_old_file() {
    let folder = Folder::new();
    let a = folder.vectors("a.safetensors", &[("v", &[1.0]), ("w", &[1.0, 1e6])]);
    for name in ["old.safetensors", "old.bpk"] {
        let old = folder.write(name, b"old");
        let merge = average(&[&a, &a], &old).with_dtype(FloatDType::F16);
        let error = merge.run().unwrap_err();
        assert!(error.to_string().contains("`w`"), "{error}");
        assert_eq!(fs::read(&old).unwrap(), b"old");
        let merge = average(&[&a, &a], &old).with_dtype(FloatDType::BF16);
        merge.run().unwrap();
    }
}
