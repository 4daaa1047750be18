//! Merges that a file in TOML describes.
#![allow(clippy::expect_used, reason = "a failed expectation fails the test")]

use std::fs;

use files::Folder;

#[allow(dead_code, reason = "other tests use more of it")]
mod files;

const TEXT: &str = "\
base = \"../base.safetensors\"
models = [\"../a.safetensors\", \"../b.safetensors\"]
weights = [{ default = 1, \"head\" = 3 }, 1.0]
out = \"../merged.safetensors\"
method = \"ties\"
density = { default = 0.75, \"head.weight\" = 1 }

[[rules]]
names = [\"head\"]
method = \"average\"
";

/// Base, `a` and `b` with the tensors `body.weight` and `head.weight`, which are the same.
fn models(name: &str) -> Folder {
    let folder = Folder::new(name);
    for (name, values) in [
        ("base", [0.0; 4]),
        ("a", [1.0, -2.0, 0.1, 3.0]),
        ("b", [2.0, 1.0, 0.2, -1.0]),
    ] {
        let tensors: [(&str, &[usize], &[f32]); 2] = [
            ("body.weight", &[4], &values),
            ("head.weight", &[2, 2], &values),
        ];
        folder.write(&format!("{name}.safetensors"), &tensors);
    }
    folder
}

fn assert_near(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (left, right) in found.iter().zip(expected) {
        assert!((left - right).abs() < 1e-6, "{found:?} {expected:?}");
    }
}

#[test]
fn a_configuration_has_rules_and_values_by_path() {
    let folder = models("rules");
    fs::create_dir(folder.path("configs")).expect("a folder");
    folder.write_bytes("configs/merge.toml", TEXT.as_bytes());
    let config = "merge --config configs/merge.toml";
    // The rule covers all that the density is for.
    folder.done(config);
    assert_near(
        &folder.values("merged.safetensors", "body.weight"),
        &[1.5, -2.0, 0.0, 3.0],
    );
    assert_near(
        &folder.values("merged.safetensors", "head.weight"),
        &[1.25, -1.25, 0.125, 2.0],
    );

    folder.done(&format!(
        "{config} --out other.safetensors --dtype f32 --quiet"
    ));
    assert_eq!(
        folder.bytes("other.safetensors"),
        folder.bytes("merged.safetensors")
    );
    folder.refused(config, 1, "replace it with --force");
    folder.refused(
        &format!("{config} --density 0.5"),
        2,
        "--density cannot be combined with --config",
    );
}

#[test]
fn keys_may_be_written_as_in_python() {
    let folder = models("python");
    let text = TEXT.replace("../", "").replace(
        "out = \"merged.safetensors\"",
        "out = \"shards\"\nmax_shard_size = \"5GB\"\ndtype = \"bfloat16\"",
    );
    folder.write_bytes("merge.toml", text.as_bytes());
    folder.done("merge --config merge.toml");
    let text = folder.done("inspect shards");
    assert!(text.contains("bf16 (2)"), "{text}");
}

#[test]
fn what_is_wrong_has_a_place_and_a_remedy() {
    let folder = models("wrong");
    for (from, to, part) in [
        (
            "density",
            "densty",
            "`wrong.toml`, line 6: `densty` is not a key here; did you mean `density`?",
        ),
        (
            "method = \"ties\"",
            "merge_method = \"ties\"",
            "use `method`.",
        ),
        (
            "\"ties\"",
            "\"tie\"",
            "line 5: `method`: `tie` is not a method; did you mean `ties`?",
        ),
        ("\"ties\"", "ties", "line 5"),
        ("\"ties\"", "ties", "text needs quotes: method = \"ties\""),
        (
            "names",
            "name",
            "rule 1, line 9: `name` is not a key here; did you mean `names`?",
        ),
        (
            "\"ties\"",
            "\"slerp\"",
            "line 6: `slerp` does not use `density`, which is a setting of `ties`",
        ),
        ("[\"head\"]", "[\"tail\"]", "no tensor is `tail`"),
        (
            "\"head.weight\" = 1",
            "\"had\" = 1",
            "line 6: no tensor is `had`",
        ),
        ("names = [\"head\"]\n", "", "rule 1: it has no `names`"),
        (
            "method = \"average\"",
            "method = \"average\"\nout = \"x\"",
            "rule 1, line 11: `out` belongs above the rules",
        ),
        (
            "method = \"average\"",
            "method = \"ties\"\ndensity = 1.5",
            "rule 1, line 11: `density` is 1.5; use more than 0, at most 1",
        ),
        (
            "method = \"average\"",
            "method = \"average\"\nkeep = 0.5",
            "rule 1, line 11: `average` does not use `keep`",
        ),
        (
            "density = {",
            "density = { \"a\" = \"b\",",
            "line 6: `density`: `a`: expected a number, found \"b\"",
        ),
        (
            "[{ default = 1, \"head\" = 3 }, 1.0]",
            "{ default = 1 }",
            "line 3: `weights`: expected a list, one entry for each model",
        ),
        (
            "default = 1, \"head\" = 3",
            "\"head\" = 3",
            "that of model 0 for `head` leaves other tensors without a weight",
        ),
        ("base = ", "# base = ", "and there is none"),
    ] {
        let text = TEXT.replace("../", "").replace(from, to);
        folder.write_bytes("wrong.toml", text.as_bytes());
        folder.refused("merge --config wrong.toml --force", 2, part);
    }
    folder.refused("merge --config none.toml", 1, "check the path");
    folder.write_bytes("merge.yml", b"merge_method: ties\nmodels:\n  - model: a\n");
    folder.refused("merge --config merge.yml", 2, "mergekit's YAML is not read");
    folder.write_bytes("bytes.toml", &[0xFF, 0xFE, 0x00]);
    folder.refused("merge --config bytes.toml", 2, "is not a TOML file");
}

#[test]
fn a_rule_that_is_never_used_is_a_warning() {
    let folder = models("shadowed");
    let text =
        TEXT.replace("../", "") + "\n[[rules]]\nnames = \"head.weight\"\nmethod = \"base\"\n";
    folder.write_bytes("merge.toml", text.as_bytes());
    let ended = folder.run("merge --config merge.toml");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let expected = "warning: rule 2 (`head.weight`) is never used: rule 1 (`head`) matches first";
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);
}

#[test]
fn patterns_may_have_dots_without_quotes() {
    let folder = models("dots");
    let text = TEXT
        .replace("../", "")
        .replace("\"head.weight\" = 1", "head.weight = 1");
    folder.write_bytes("merge.toml", text.as_bytes());
    folder.done("merge --config merge.toml");
}
