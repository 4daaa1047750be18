//! Merges that are refused before anything is written.

use std::fs;
use std::path::Path;

use burn::tensor::{FloatDType, TensorData};
use burnscape::merge::{
    Average, ByPath, FileMerge, MergeError, Recipe, TaskArithmetic, TensorMap, WeightLayout,
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
        model: format!("`{}`", b.display()),
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
        "b.safetensors",
        "missing: `b`, `c`",
        "`f`, `g`",
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
        (directory, None, "it is a directory; use the path of a file"),
        (inner.clone(), Some(10), "not empty; delete it"),
        (file, Some(10), "it is a file, and shards"),
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
    for (input, out) in [(&a, &link), (&link, &a)] {
        let error = refusal(average(&[input], out)).to_string();
        assert!(error.contains("would replace an input"), "{error}");
    }
    // An input of shards is all of its files.
    let index = r#"{"weight_map":{"w":"a.safetensors"}}"#;
    let index = folder.write("model.safetensors.index.json", index.as_bytes());
    let error = refusal(average(&[&index], &a)).to_string();
    assert!(error.contains("would replace an input"), "{error}");
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
        assert_eq!(fs::read(&old).unwrap(), b"old");
    }
    let shards = folder.path("shards");
    let merge = average(&[&a, &b], &shards).with_max_shard_size(4);
    assert!(matches!(merge.run(), Err(MergeError::NonFinite { .. })));
    let names = [
        "a.safetensors",
        "b.safetensors",
        "old.bpk",
        "old.safetensors",
    ];
    assert_eq!(folder.names(), names);
}
