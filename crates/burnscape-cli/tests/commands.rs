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
    // Statistics are inputs, too.
    let command = format!("merge --method fisher --fisher {files} {models} --force --out");
    folder.refused(
        &format!("{command} ./fa.safetensors"),
        2,
        "is also an input",
    );
    folder.refused(
        &format!("merge --method fisher --fisher fa.safetensors {models} --out d.safetensors"),
        2,
        "1 file in --fisher for 2 models; give one for each",
    );

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
    let layout = "pass --layout out-in (PyTorch) or in-out (Burn)";
    folder.refused(&command, 2, layout);
    folder.done(&format!("{command} --layout in-out"));
    let expected = [4.0, 7.0, 10.0, 1.0].map(|value: f32| value / 11.0);
    assert_near(&folder.values("d.safetensors", "w"), &expected);
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
    for part in ["\"method\":\"ties\"", "\"dry_run\":true"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(folder.names(), before);
}

#[test]
fn a_dry_run_prints_what_depends_on_the_path() {
    let folder = models("columns");
    let command = format!("{TIES} --density 0.5 --out merged.safetensors --dry-run");
    let text = folder.done(&command);
    assert!(!text.contains("density"), "{text}");
    let text = folder.done(&format!("{command} --density head=0.25"));
    let line = |start: &str| text.lines().find(|line| line.starts_with(start));
    let header: Vec<&str> = line("tensor")
        .expect("a header")
        .split_whitespace()
        .collect();
    assert_eq!(header, ["tensor", "shape", "method", "density", "note"]);
    assert!(line("body").expect("a row").ends_with("0.5"), "{text}");
    assert!(line("head").expect("a row").ends_with("0.25"), "{text}");

    folder.write_bytes("merged.safetensors", b"older");
    let text = folder.done(&command);
    assert!(text.contains("a real run would refuse"), "{text}");
    let text = folder.done(&format!("{command} --force"));
    assert!(!text.contains("would refuse"), "{text}");
}

#[test]
fn an_output_is_replaced_by_force_only() {
    let folder = models("force");
    folder.write_bytes("merged.safetensors", b"older");
    let command = format!("{AVERAGE} --out merged.safetensors");
    folder.refused(&command, 1, "exists; write to another file, or replace it");
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
    assert!(text.contains("in total"), "{text}");
    folder.refused(&format!("{command} 16B --force"), 1, "not empty");
    folder.refused(&format!("{command} many"), 2, "use for instance 5GB");
}

#[test]
fn the_element_type_can_be_chosen() {
    let folder = models("dtype");
    // A name that other programs have for it.
    folder.done(&format!("{AVERAGE} --out c.safetensors --dtype BFloat16"));
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
fn a_summary_says_what_was_done() {
    let folder = models("summary");
    let command = format!("{TIES} --out c.safetensors --force");
    let text = folder.done(&command);
    for part in [
        "method  tensors  elements",
        "ties          2         8",
        "wrote c.safetensors (",
    ] {
        assert!(text.contains(part), "{text}");
    }
    // Standard error is no terminal.
    assert!(!text.contains("Compare"), "{text}");
    assert!(!text.contains("body.weight"), "{text}");
    assert!(
        folder
            .done(&format!("{command} --verbose"))
            .contains("body.weight")
    );
    let ended = folder.run(&format!("{command} --quiet"));
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));
    for method in ["base", "model:1"] {
        let inputs = "--base base.safetensors a.safetensors b.safetensors";
        let text = folder.done(&format!(
            "merge --method {method} {inputs} --out c.safetensors --force"
        ));
        assert!(text.contains(method) && !text.contains("take"), "{text}");
    }
}

#[test]
fn what_may_surprise_is_a_warning() {
    let folder = Folder::new("warnings");
    for (name, ids) in [("a", 1), ("b", 2)] {
        folder.write_with_integers(&format!("{name}.safetensors"), &[0.5], &[7], &[ids]);
    }
    let command = "merge --method average --out c.safetensors --force a.safetensors";
    let ended = folder.run(&format!("{command} b.safetensors"));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("warning: `ids`"), "{}", ended.stderr);
    // The same in both: counted only.
    let both = format!("{}{}", ended.stdout, ended.stderr);
    assert!(!both.contains("`step`"), "{both}");
    assert!(both.contains("copied"), "{both}");
    let ended = folder.run(&format!("{command} ./a.safetensors"));
    let expected = "warning: `./a.safetensors` is model 0 and model 1";
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);

    let text = folder.done("distance a.safetensors b.safetensors");
    for part in [
        "not compared: ids (i64, different)",
        "not compared: step (i64, equal)",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn files_of_pytorch_have_its_layout() {
    let folder = Folder::new("pytorch");
    for (name, shift) in [("base", 0.0), ("a", 1.0), ("b", 2.0)] {
        let values = [0.5, -1.0, 0.25, 2.0].map(|value: f32| value + shift);
        let name = format!("{name}.safetensors");
        folder.write_of_pytorch(&name, &[("w", &[2, 2], &values)]);
    }
    let inputs = "--base base.safetensors a.safetensors b.safetensors";
    let della = format!("merge --method della --keep 0.5 --epsilon 0.1 {inputs} --out");
    let text = folder.done(&format!("{della} c.safetensors"));
    let expected = "note: layout: out-in, as PyTorch writes it";
    assert!(text.contains(expected), "{text}");
    let text = folder.done(&format!("{della} d.safetensors --layout out-in"));
    assert!(!text.contains("PyTorch"), "{text}");
    assert_eq!(folder.bytes("c.safetensors"), folder.bytes("d.safetensors"));
}

#[test]
fn what_a_folder_has_beside_weights_is_copied() {
    let folder = Folder::new("folders");
    for name in ["a", "b"] {
        fs::create_dir(folder.path(name)).expect("a folder");
        folder.write(&format!("{name}/model.safetensors"), &[("w", &[1], &[1.0])]);
        for file in ["config.json", "tokenizer.model", "README.md"] {
            folder.write_bytes(&format!("{name}/{file}"), name.as_bytes());
        }
    }
    let average = "merge --method average a/ b/";
    let text = folder.done(&format!("{average} --out one.safetensors"));
    let expected = "note: config.json and tokenizer files are not copied";
    assert!(text.contains(expected), "{text}");
    folder.refused(
        &format!("{average} --out two.safetensors --copy-from a"),
        2,
        "--copy-from needs a directory as output",
    );
    let text = folder.done(&format!(
        "{average} --out c --max-shard-size 5GB --copy-from a"
    ));
    assert!(
        text.contains("copied 2 files from a: config.json, tokenizer.model"),
        "{text}"
    );
    assert_eq!(folder.bytes("c/config.json"), b"a");
    assert!(!folder.path("c/README.md").exists());
    assert!(folder.path("c/model.safetensors").exists());
}

#[test]
fn checkpoints_are_inspected_and_compared() {
    let folder = models("inspected");
    let text = folder.done("inspect a.safetensors");
    for part in ["safetensors", "body.weight", "[2, 2]", "f32", "16"] {
        assert!(text.contains(part), "{text}");
    }
    let text = folder.done("distance a.safetensors b.safetensors");
    for part in [
        "body.weight",
        "head.weight",
        "in total",
        "cosine",
        "relative: |a - b| / |a|",
    ] {
        assert!(text.contains(part), "{text}");
    }
    folder.write(
        "far.safetensors",
        &[("body.weight", &[4], &A), ("head.weight", &[2, 2], &B)],
    );
    let text = folder.done("distance a.safetensors far.safetensors --sort distance --top 1");
    let first = text.lines().nth(1).expect("a row");
    assert!(
        first.starts_with("head.weight ") && first.contains(" 5.100 "),
        "{text}"
    );
    assert!(text.contains("1 tensor more, not printed"), "{text}");
    let text = folder.done("distance a.safetensors a.safetensors");
    let mut total = text.lines().filter(|line| line.starts_with("in total"));
    let total: Vec<&str> = total.next().expect("a row").split_whitespace().collect();
    assert_eq!(total[2], "0", "{text}");
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
    for name in ["tuned", "other"] {
        fs::create_dir(folder.path(name)).expect("a folder");
        folder.write_bytes(&format!("{name}/config.json"), b"{}");
    }
    for (name, shift) in [
        ("base", 0.0),
        ("a", 1.0),
        ("b", 2.0),
        ("tuned/model", 3.0),
        ("other/model", 4.0),
    ] {
        let values = [0.5, -1.0, 0.25, 2.0].map(|value: f32| value + shift);
        let names = [
            "lm_head.weight",
            "model.embed_tokens.weight",
            "model.layers.0.input_layernorm.weight",
            "model.layers.0.mlp.weight",
            "model.layers.1.mlp.weight",
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
