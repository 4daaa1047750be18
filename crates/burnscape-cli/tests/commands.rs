//! The command as users run it, on small files with results known by hand.
#![allow(clippy::expect_used, reason = "a failed expectation fails the test")]

use std::fs;

use burnscape::prelude::Json;
use files::Folder;
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};

#[allow(dead_code, reason = "other tests use more of it")]
mod files;

const AVERAGE: &str = "merge --method average a.safetensors b.safetensors";
const TIES: &str = "merge --method ties --base base.safetensors a.safetensors b.safetensors";

const BASE: [f32; 4] = [0.0; 4];
const A: [f32; 4] = [1.0, -2.0, 0.1, 3.0];
const B: [f32; 4] = [2.0, 1.0, 0.2, -1.0];

/// Base, `a` and `b` with the tensors `body.weight` and `head.weight`, which are the same.
fn models(name: &str) -> Folder {
    let folder = Folder::new(name);
    for (name, values) in [("base", &BASE), ("a", &A), ("b", &B)] {
        let name = format!("{name}.safetensors");
        let tensors: [(&str, &[usize], &[f32]); 2] = [
            ("body.weight", &[4], values),
            ("head.weight", &[2, 2], values),
        ];
        folder.write(&name, &tensors);
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
fn merges_give_what_their_formulas_say() {
    let folder = models("formulas");
    for (flags, expected) in [
        ("average", [1.5, -0.5, 0.15, 1.0]),
        ("average --weights 1,3", [1.75, 0.25, 0.175, 0.0]),
        ("task-arithmetic", [3.0, -1.0, 0.3, 2.0]),
        ("task-arithmetic --scale 0.5", [1.5, -0.5, 0.15, 1.0]),
        ("task-arithmetic --scale -1", [-3.0, 1.0, -0.3, -2.0]),
        ("task-arithmetic --weights 1,-1", [-1.0, -3.0, -0.1, 4.0]),
        ("ties --density 0.75", [1.5, -2.0, 0.0, 3.0]),
        ("ties --density 0.75 --weights 1,3", [1.75, 1.0, 0.0, 3.0]),
        (
            "ties --density 0.75 --threshold model",
            [1.5, -2.0, 0.0, 3.0],
        ),
        ("dare --keep 1", [1.5, -0.5, 0.15, 1.0]),
        ("dare-ties --keep 1 --seed 3", [1.5, -2.0, 0.15, 3.0]),
        (
            "breadcrumbs-ties --density 1 --top 0",
            [1.5, -2.0, 0.15, 3.0],
        ),
        ("base", BASE),
        ("model:1", B),
    ] {
        let inputs = "--base base.safetensors a.safetensors b.safetensors";
        folder.done(&format!(
            "merge --method {flags} {inputs} --out merged.safetensors --force"
        ));
        for tensor in ["body.weight", "head.weight"] {
            assert_near(&folder.values("merged.safetensors", tensor), &expected);
        }
    }
}

#[test]
fn an_arc_is_an_arc() {
    let folder = Folder::new("arc");
    folder.write("a.safetensors", &[("w", &[2], &[1.0, 0.0])]);
    folder.write("b.safetensors", &[("w", &[2], &[0.0, 1.0])]);
    let half = 0.5_f32.sqrt();
    for method in ["slerp", "slerp --unit model", "karcher"] {
        folder.done(&format!(
            "merge --method {method} a.safetensors b.safetensors --out c.safetensors --force"
        ));
        assert_near(&folder.values("c.safetensors", "w"), &[half, half]);
    }
}

#[test]
fn statistics_come_from_files() {
    let folder = Folder::new("statistics");
    folder.write("a.safetensors", &[("w", &[1], &[1.0])]);
    folder.write("b.safetensors", &[("w", &[1], &[3.0])]);
    folder.write("fa.safetensors", &[("w", &[1], &[1.0])]);
    folder.write("fb.safetensors", &[("w", &[1], &[3.0])]);
    let models = "a.safetensors b.safetensors";
    let files = "fa.safetensors,fb.safetensors";
    folder.done(&format!(
        "merge --method fisher --fisher {files} {models} --out c.safetensors"
    ));
    assert_near(&folder.values("c.safetensors", "w"), &[2.5]);

    let matrix: [usize; 2] = [2, 2];
    for (name, values) in [
        ("a", [1.0, 0.0, 0.0, 1.0]),
        ("b", [0.0, 1.0, 1.0, 0.0]),
        ("ga", [2.0, 1.0, 1.0, 1.0]),
        ("gb", [1.0, 0.0, 0.0, 3.0]),
    ] {
        folder.write(&format!("{name}.safetensors"), &[("w", &matrix, &values)]);
    }
    let files = "ga.safetensors,gb.safetensors";
    let regmean = format!("merge --method regmean --grams {files} --off-diagonal 1 {models}");
    let command = format!("{regmean} --out d.safetensors");
    folder.refused(&command, 2, "set the layout: out-in for PyTorch");
    folder.done(&format!("{command} --layout in-out"));
    let expected = [4.0, 7.0, 10.0, 1.0].map(|value: f32| value / 11.0);
    assert_near(&folder.values("d.safetensors", "w"), &expected);
}

#[test]
fn a_configuration_has_rules_and_values_by_path() {
    let folder = models("rules");
    fs::create_dir(folder.path("configs")).expect("a folder");
    let text = "\
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
    folder.write_bytes("configs/merge.toml", text.as_bytes());
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
        "--density cannot stand beside --config",
    );
    for (from, to, part) in [
        ("density", "densty", "line 6: unknown field `densty`"),
        ("\"ties\"", "\"tie\"", "did you mean `ties`?"),
        ("names", "name", "unknown field `name`"),
        (
            "\"ties\"",
            "\"slerp\"",
            "`slerp` does not use `density`, which is a setting of `ties`",
        ),
        ("[\"head\"]", "[\"tail\"]", "no tensor is `tail`"),
        ("\"head.weight\" = 1", "\"had\" = 1", "no tensor is `had`"),
        ("names = [\"head\"]\n", "", "rule 1: it has no `names`"),
        (
            "method = \"average\"",
            "method = \"average\"\nout = \"x\"",
            "rule 1: `out` belongs above",
        ),
        (
            "density = {",
            "density = { \"a\" = \"b\",",
            "line 6: expected one value, or a table",
        ),
    ] {
        folder.write_bytes(
            "wrong.toml",
            text.replace("../", "").replace(from, to).as_bytes(),
        );
        folder.refused("merge --config wrong.toml --force", 2, part);
    }
    folder.refused("merge --config none.toml", 1, "check the path");
}

#[test]
fn a_dry_run_writes_nothing() {
    let folder = models("dry");
    let before = folder.names();
    let command = format!("{TIES} --out merged.safetensors");
    let text = folder.done(&format!("{command} --dry-run"));
    assert_eq!(folder.names(), before);
    for part in ["body.weight", "[2, 2]", "ties", "this is a dry run"] {
        assert!(text.contains(part), "{text}");
    }
    let text = folder.done(&format!("{command} --dry-run --json"));
    assert!(text.contains("\"method\":\"ties\""), "{text}");
    assert_eq!(folder.names(), before);
}

#[test]
fn what_cannot_be_merged_is_refused_with_the_remedy() {
    let folder = models("refused");
    folder.write(
        "other.safetensors",
        &[("body.weight", &[4], &A), ("tail", &[1], &[1.0])],
    );
    let whole = folder.bytes("a.safetensors");
    folder.write_bytes("short.safetensors", &whole[..whole.len() - 8]);
    let before = folder.names();
    let models = "base.safetensors a.safetensors b.safetensors";
    let out = "--out merged.safetensors";
    let with_base = "--base base.safetensors a.safetensors b.safetensors --out merged.safetensors";
    for (arguments, code, part) in [
        (format!("--method ties {models} {out}"), 2, "`ties`"),
        (
            format!("--method ties --density 1.5 {with_base}"),
            2,
            "`density` is 1.5; use more than 0",
        ),
        (
            format!("--method dare {with_base}"),
            2,
            "`dare` has no default for `keep`",
        ),
        (
            format!("--method dare --keep 0 {with_base}"),
            2,
            "`keep` is 0",
        ),
        (
            format!("--method tie {with_base}"),
            2,
            "did you mean `ties`?",
        ),
        (
            format!("--method ties --ridge 1 {with_base}"),
            2,
            "which is a setting of `regmean`",
        ),
        (
            format!("--method average --layout out-in {with_base}"),
            2,
            "does not use `layout`",
        ),
        (
            format!("--method base --weights 1,1 {with_base}"),
            2,
            "does not use `weights`",
        ),
        (format!("--method slerp {models} {out}"), 2, "slerp"),
        (
            format!("--method average --weights 1 {with_base}"),
            2,
            "use 2 weights",
        ),
        (format!("--method average {out}"), 2, "no model"),
        (format!("--method average {models}"), 2, "there is no --out"),
        (format!("{models} {out}"), 2, "there is no --method"),
        (
            format!("--method della --keep 0.5 --epsilon 0.1 {with_base}"),
            2,
            "set the layout",
        ),
        (
            format!("--method ties --density tail=0.5 {with_base}"),
            2,
            "no tensor is `tail` or below it",
        ),
        (
            format!("--method ties --density 1 --density 0.5 {with_base}"),
            2,
            "`density` has two values",
        ),
        (
            format!("--method average {models} --out ./a.safetensors --force"),
            2,
            "the output `./a.safetensors` is also an input",
        ),
        (
            format!("--method average a.safetensors none.safetensors {out}"),
            1,
            "none.safetensors",
        ),
        (
            format!("--method average a.safetensors other.safetensors {out}"),
            1,
            "missing: `head.weight`: not in the first: `tail`",
        ),
        (
            format!("--method average a.safetensors short.safetensors {out}"),
            1,
            "it ends early",
        ),
        (
            format!("--method average {models} --out merged.txt"),
            1,
            "use the extension",
        ),
    ] {
        folder.refused(&format!("merge {arguments}"), code, part);
        assert_eq!(folder.names(), before, "{arguments}");
    }
}

#[test]
fn an_output_is_replaced_by_force_only() {
    let folder = models("force");
    folder.write_bytes("merged.safetensors", b"older");
    let command = format!("{AVERAGE} --out merged.safetensors");
    folder.refused(
        &command,
        1,
        "it exists; write to another file, or replace it",
    );
    assert_eq!(folder.bytes("merged.safetensors"), b"older");
    folder.done(&format!("{command} --force"));
    assert_near(
        &folder.values("merged.safetensors", "body.weight"),
        &[1.5, -0.5, 0.15, 1.0],
    );
}

#[test]
fn shards_are_files_of_a_directory_that_is_read_as_one_checkpoint() {
    let folder = models("shards");
    let command = format!("{AVERAGE} --out merged --max-shard-size");
    folder.done(&format!("{command} 16B --quiet"));
    let index = fs::read_to_string(folder.path("merged/model.safetensors.index.json"));
    assert!(index.expect("an index").contains("\"total_size\": 32"));
    let text = folder.done("inspect merged");
    for part in ["files     2", "tensors   2", "elements  8", "f32 (2)"] {
        assert!(text.contains(part), "{text}");
    }
    folder.done(&format!("{AVERAGE} --out one.safetensors"));
    let text = folder.done("distance merged one.safetensors");
    assert!(text.contains("total"), "{text}");
    folder.refused(
        &format!("{command} 16B --force"),
        1,
        "the directory is not empty",
    );
    folder.refused(&format!("{command} many"), 2, "use for instance 5GB");
}

#[test]
fn the_element_type_can_be_chosen() {
    let folder = models("dtype");
    folder.done(&format!("{AVERAGE} --out c.safetensors --dtype bf16"));
    let bytes = folder.bytes("c.safetensors");
    let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    let tensor = file.tensor("body.weight").expect("a tensor");
    assert_eq!(tensor.dtype(), Dtype::BF16);
    // 1.5 and −0.5, whose upper halves are all of them.
    assert_eq!(tensor.data()[..4], [0xC0, 0x3F, 0x00, 0xBF]);
}

/// What programs read of a merge.
#[derive(Serialize, Deserialize)]
struct Merged {
    out: String,
    bytes: u64,
    seconds: f64,
    tensors: Vec<MergedTensor>,
}

#[derive(Serialize, Deserialize)]
struct MergedTensor {
    name: String,
    shape: Vec<usize>,
    method: String,
    note: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Inspected {
    num_elements: u64,
    tensors: Vec<InspectedTensor>,
}

#[derive(Serialize, Deserialize)]
struct InspectedTensor {
    name: String,
    dtype: String,
    norm: Option<f64>,
}

#[derive(Serialize, Deserialize)]
struct Distance {
    total: TensorDistance,
}

#[derive(Serialize, Deserialize)]
struct TensorDistance {
    distance: f64,
}

#[test]
fn json_is_for_programs() {
    let folder = models("json");
    let text = folder.done(&format!("{AVERAGE} --out c.safetensors --json"));
    let merged = Merged::from_json(&text).expect("JSON");
    assert_eq!(
        (merged.out.as_str(), merged.tensors.len()),
        ("c.safetensors", 2)
    );
    assert!(merged.seconds >= 0.0);
    assert_eq!(merged.bytes as usize, folder.bytes("c.safetensors").len());
    let head = &merged.tensors[1];
    assert_eq!(
        (head.name.as_str(), head.method.as_str()),
        ("head.weight", "average")
    );
    assert_eq!(
        (head.shape.as_slice(), head.note.is_none()),
        (&[2, 2][..], true)
    );

    let text = folder.done("inspect a.safetensors --json --norms");
    let inspected = Inspected::from_json(&text).expect("JSON");
    assert_eq!(inspected.num_elements, 8);
    let body = &inspected.tensors[0];
    assert_eq!(
        (body.name.as_str(), body.dtype.as_str()),
        ("body.weight", "f32")
    );
    let norm = body.norm.expect("a norm");
    assert!((norm - 14.01_f64.sqrt()).abs() < 1e-6, "{norm}");

    let text = folder.done("distance base.safetensors a.safetensors --json");
    let distance = Distance::from_json(&text).expect("JSON").total.distance;
    assert!((distance - 28.02_f64.sqrt()).abs() < 1e-6, "{distance}");
}

#[test]
fn a_summary_says_what_was_done_and_what_to_compare() {
    let folder = models("summary");
    let command = format!("{TIES} --out c.safetensors --force");
    let text = folder.done(&command);
    for part in [
        "method  tensors  elements",
        "ties          2         8",
        "c.safetensors: ",
        "Compare the result with the plain average (`--method average`)",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains("body.weight"), "{text}");
    assert!(
        folder
            .done(&format!("{command} --verbose"))
            .contains("body.weight")
    );
    let ended = folder.run(&format!("{command} --quiet"));
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));
}

#[test]
fn checkpoints_are_inspected_and_compared() {
    let folder = models("inspected");
    let text = folder.done("inspect a.safetensors");
    for part in ["safetensors", "body.weight", "[2, 2]", "f32", "16"] {
        assert!(text.contains(part), "{text}");
    }
    let text = folder.done("distance a.safetensors b.safetensors");
    for part in ["body.weight", "head.weight", "total", "cosine"] {
        assert!(text.contains(part), "{text}");
    }
    folder.refused("inspect none.safetensors", 1, "none.safetensors");
    folder.refused("distance a.safetensors", 2, "required");
}

#[test]
fn the_examples_of_the_readme_run() {
    let readme = include_str!("../README.md");
    let blocks = |language: &str| {
        let start = format!("```{language}\n");
        let blocks = readme.split(&start).skip(1);
        let blocks = blocks.filter_map(|rest| rest.split("```").next());
        blocks.map(String::from).collect::<Vec<String>>()
    };
    let folder = Folder::new("readme");
    for (name, shift) in [("base", 0.0), ("a", 1.0), ("b", 2.0)] {
        let values = [0.5, -1.0, 0.25, 2.0].map(|value: f32| value + shift);
        let names = [
            "embedding.weight",
            "encoder.layers.0.weight",
            "encoder.norm.bias",
            "lm_head.weight",
        ];
        let tensors = names.map(|name| (name, &[2_usize, 2][..], &values[..]));
        folder.write(&format!("{name}.safetensors"), &tensors);
    }
    folder.write_bytes("merge.toml", blocks("toml")[0].as_bytes());
    let commands = blocks("console").join("\n").replace("\\\n", " ");
    let mut num_commands = 0;
    for command in commands.lines() {
        if let Some(arguments) = command.strip_prefix("burnscape ") {
            folder.done(arguments);
            num_commands += 1;
        }
    }
    assert_eq!(num_commands, 10);
}
