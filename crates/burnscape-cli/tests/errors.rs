//! What the command refuses, with the remedy, and the words that users of mergekit write.
#![allow(clippy::expect_used, reason = "a failed expectation fails the test")]

use files::Folder;

#[allow(dead_code, reason = "other tests use more of it")]
mod files;

const A: [f32; 4] = [1.0, -2.0, 0.1, 3.0];

/// Base, `a` and `b` with the tensors `body.weight` and `head.weight`.
fn models(name: &str) -> Folder {
    let folder = Folder::new(name);
    for (name, factor) in [("base", 0.0), ("a", 1.0), ("b", -0.5)] {
        let values = A.map(|value| factor * value);
        let tensors: [(&str, &[usize], &[f32]); 2] = [
            ("body.weight", &[4], &values),
            ("head.weight", &[2, 2], &values),
        ];
        folder.write(&format!("{name}.safetensors"), &tensors);
    }
    folder
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
    let pair = format!("a.safetensors b.safetensors {out}");
    let with_base = format!("--base base.safetensors {pair}");
    for (arguments, code, part) in [
        (format!("--method ties {models} {out}"), 2, "`ties`"),
        (
            format!("--method base {models} {out}"),
            2,
            "`base` copies from the base; pass --base FILE",
        ),
        (
            format!("--method model:5 {pair}"),
            2,
            "`model:5`: there are models 0 and 1",
        ),
        (format!("--method slerp {models} {out}"), 2, "slerp"),
        (
            format!("--method average --weights 1 {pair}"),
            2,
            "1 weight for 2 models; give one for each model (the base has none)",
        ),
        (
            format!("--method average --weights 0,0 {pair}"),
            2,
            "the weights add up to 0",
        ),
        (
            format!("--method average --weights 0.5 0.5 {pair}"),
            2,
            "separate weights by commas",
        ),
        (
            format!("--method average --weights head=1,1 {pair}"),
            2,
            "only in a configuration",
        ),
        (
            format!("--method base --weights 1,1 {with_base}"),
            2,
            "does not use `--weights`",
        ),
        (format!("--method average {out}"), 2, "no model"),
        (format!("--method average {models}"), 2, "there is no --out"),
        (format!("{models} {out}"), 2, "there is no --method"),
        (
            format!("--method della --keep 0.5 --epsilon 0.1 {with_base}"),
            2,
            "--layout out-in (PyTorch) or in-out (Burn)",
        ),
        (
            format!("--method average --layout out-in {pair}"),
            2,
            "does not use `--layout`",
        ),
        (
            format!("--method average {models} --out ./a.safetensors --force"),
            2,
            "the output `./a.safetensors` is also an input",
        ),
        (
            format!("--method average {models} --out o"),
            2,
            "`o` has no extension: add `.safetensors`, or pass --max-shard-size 5GB",
        ),
        (
            format!("--method average {models} --out merged.txt"),
            1,
            "extension",
        ),
        (
            format!("--method average {pair} --max-shard-size 5GB"),
            2,
            "a name without extension",
        ),
        (
            format!("--method average a.safetensors none.safetensors {out}"),
            1,
            "none.safetensors",
        ),
        (
            format!("--method average a.safetensors other.safetensors {out}"),
            1,
            "`tail`",
        ),
        (
            format!("--method average a.safetensors short.safetensors {out}"),
            1,
            "ends early",
        ),
        (
            format!("--method slerp --unit tensor {pair}"),
            1,
            "(cosine -1.000)",
        ),
    ] {
        folder.refused(&format!("merge {arguments}"), code, part);
        assert_eq!(folder.names(), before, "{arguments}");
    }
}

#[test]
fn settings_are_refused_with_the_remedy() {
    let folder = models("settings");
    let before = folder.names();
    let rest = "--base base.safetensors a.safetensors b.safetensors --out merged.safetensors";
    for (flags, part) in [
        (
            "ties --density 1.5",
            "`--density` is 1.5; use more than 0, at most 1",
        ),
        ("ties --density -0.5", "`--density` is -0.5; use more than"),
        ("ties --density tail=0.5", "no tensor is `tail` or below it"),
        (
            "ties --density 1 --density 0.5",
            "`--density` has two values",
        ),
        ("ties --density 0.3,head=0.5", "repeat the flag for each of"),
        ("ties --ridge 1", "which is a setting of `regmean`"),
        ("dare", "`dare` has no default for `--keep`"),
        ("dare --keep 0", "`--keep` is 0; use more than 0"),
        ("dare --density 0.5", "use --keep for `dare`"),
        ("dare --keep 0.5 --seed -1", "`-1` is no seed"),
        (
            "dare --keep head=0.5",
            "`--keep head=0.5` leaves other tensors without a value; add `--keep 0.5` as well",
        ),
        (
            "breadcrumbs --density 0.95 --top 0.1",
            "`--density` 0.95 and `--top` 0.1 are more than 1 together",
        ),
        (
            "tsv-m --rank-share 2",
            "`--rank-share` is 2; use more than 0, at most 1",
        ),
        ("slerp --t 0.3", "for slerp use --weights 0.7,0.3"),
        ("tie", "did you mean `ties`?"),
        ("passthrough", "stacking layers is not supported"),
        ("average --dtype f12", "possible values"),
    ] {
        folder.refused(&format!("merge --method {flags} {rest}"), 2, part);
        assert_eq!(folder.names(), before, "{flags}");
    }
}

#[test]
fn names_of_mergekit_are_known() {
    let folder = models("mergekit");
    let rest = "--base base.safetensors a.safetensors b.safetensors --force --out";
    for (theirs, ours) in [
        ("linear", "average"),
        ("task_arithmetic", "task-arithmetic"),
        ("TIES", "ties"),
        ("dare_linear --keep 0.5", "dare --keep 0.5"),
        ("dare_ties --keep 0.5", "dare-ties --keep 0.5"),
        ("model_stock", "model-stock"),
    ] {
        folder.done(&format!(
            "merge --method {theirs} {rest} theirs.safetensors"
        ));
        folder.done(&format!("merge --method {ours} {rest} ours.safetensors"));
        let (theirs, ours) = (
            folder.bytes("theirs.safetensors"),
            folder.bytes("ours.safetensors"),
        );
        assert_eq!(theirs, ours);
    }
}

#[test]
fn weights_may_have_spaces() {
    let folder = models("spaces");
    let mut command = folder.command("merge --method average a.safetensors b.safetensors");
    let command = command.args(["--out", "c.safetensors", "--weights", "1, 3"]);
    let ended = command.output().expect("the command");
    assert!(ended.status.success(), "{ended:?}");
    let first = folder.values("c.safetensors", "body.weight")[0];
    assert!((first + 0.125).abs() < 1e-6, "{first}");
}

#[test]
fn the_help_fits_on_a_screen() {
    let folder = Folder::new("help");
    let text = folder.done("merge -h");
    assert!(text.lines().count() <= 40, "{text}");
    for command in ["--help", "merge -h", "merge --help", "distance --help"] {
        for line in folder.done(command).lines() {
            assert!(line.chars().count() <= 100, "{command}: {line}");
        }
    }
    let text = folder.done("merge --help");
    let place = |part: &str| text.find(part).expect("a part");
    assert!(place("Methods:") < place("--density"));
    for part in [
        "Weights are normalized in all methods but task-arithmetic, tsv-m and iso-c",
        "folders of Hugging Face",
        "Examples:",
    ] {
        assert!(text.contains(part), "{part}");
    }
    assert!(folder.done("--help").contains("Exit codes: 0 success"));
}
