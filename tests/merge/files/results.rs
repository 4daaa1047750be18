//! What a result has besides merged numbers.

use std::collections::BTreeMap;

use burn_pack::{Bytes, DType, Reader, Scalar, Tensor, Writer};
use burnscape::merge::{
    Average, CheckpointFile, FileMerge, MergeError, Recipe, Take, TaskArithmetic,
};

use super::folder::{Folder, Raw, bytes_of, safetensors};

fn numbers(checkpoint: &CheckpointFile, name: &str) -> Vec<f64> {
    checkpoint.read(name).unwrap().iter::<f64>().collect()
}

/// Two tensors that are merged, and three that are not.
fn mixed(counter: u8, floats: [f32; 3]) -> Vec<u8> {
    let tensors: [Raw<'_>; 5] = [
        ("counter", "I64", &[1], vec![counter, 0, 0, 0, 0, 0, 0, 0]),
        ("mask", "BOOL", &[2], vec![1, 0]),
        ("packed", "F8_E5M2", &[3], vec![counter, 2, 3]),
        ("running_var", "F32", &[1], bytes_of(&floats[..1])),
        ("w", "F32", &[2], bytes_of(&floats[1..])),
    ];
    safetensors(&tensors)
}

#[test]
fn what_is_not_merged_is_copied_from_the_base_and_told() {
    let folder = Folder::new();
    let base = folder.write("base.safetensors", &mixed(7, [1.0, 1.0, 1.0]));
    let a = folder.write("a.safetensors", &mixed(8, [2.0, 3.0, 5.0]));
    let b = folder.write("b.safetensors", &mixed(7, [4.0, 1.0, 1.0]));
    let out = folder.path("out.safetensors");
    let recipe = Recipe::new(TaskArithmetic::new());
    let merge = FileMerge::new(recipe, [&a, &b], &out).with_base(&base);
    let report = merge.run().unwrap();
    let told = report.tensors.iter().map(|tensor| {
        let note = tensor.note.as_deref().unwrap_or("no note");
        format!("{}, {}, {note}", tensor.name, tensor.method)
    });
    let told: Vec<String> = told.collect();
    assert_eq!(
        told[0],
        "counter, copied, i64 from the base; it differs between the checkpoints"
    );
    assert_eq!(
        told[1],
        "mask, copied, bool from the base; it is the same in all checkpoints"
    );
    assert_eq!(
        told[2],
        "packed, copied, f8_e5m2 from the base; it differs between the checkpoints"
    );
    assert!(
        told[3].starts_with("running_var, average, running statistics are"),
        "{}",
        told[3]
    );
    assert!(told[4].ends_with("no note"), "{}", told[4]);
    let expected = mixed(7, [3.0, 3.0, 5.0]);
    let written = CheckpointFile::open(&out).unwrap();
    assert_eq!(numbers(&written, "running_var"), [3.0]);
    assert_eq!(numbers(&written, "w"), [3.0, 5.0]);
    let expected = CheckpointFile::open(folder.write("expected.safetensors", &expected)).unwrap();
    let dtypes = |checkpoint: &CheckpointFile| -> Vec<String> {
        let tensors = checkpoint.tensors().iter();
        tensors.map(|tensor| tensor.dtype.clone()).collect()
    };
    assert_eq!(dtypes(&written), dtypes(&expected));
    let bytes = std::fs::read(&out).unwrap();
    // Integers first, then f32, then types of one byte, the largest first.
    let numbers = [
        vec![7, 0, 0, 0, 0, 0, 0, 0],
        bytes_of(&[3.0, 3.0, 5.0]),
        vec![7, 2, 3],
        vec![1, 0],
    ];
    assert!(bytes.ends_with(&numbers.concat()));

    // Burnpack has no numbers of eight bits with an exponent.
    let out = folder.path("out.bpk");
    let recipe = Recipe::new(Average);
    let error = FileMerge::new(recipe, [&a, &b], &out)
        .plan()
        .unwrap_err()
        .to_string();
    assert!(error.contains("`packed` is f8_e5m2"), "{error}");
    assert!(error.contains("write the format of the inputs"), "{error}");
}

#[test]
fn what_is_not_merged_is_taken_from_where_the_recipe_says() {
    let folder = Folder::new();
    let base = folder.write("base.safetensors", &mixed(7, [1.0; 3]));
    let a = folder.write("a.safetensors", &mixed(8, [2.0; 3]));
    let b = folder.write("b.safetensors", &mixed(9, [4.0; 3]));
    let out = folder.path("out.safetensors");
    let merge = |recipe: Recipe| FileMerge::new(recipe, [&a, &b], &out);
    let counter = |take: Take| Recipe::new(Average).with("counter", take);
    for (recipe, values, from) in [
        (Recipe::new(Take::Model(1)), [9, 9], "model 1"),
        (counter(Take::Model(1)), [9, 7], "model 1"),
        (counter(Take::Model(0)), [8, 7], "the first model"),
        (counter(Take::Base), [7, 7], "the base"),
        (Recipe::new(Average), [7, 7], "the base"),
    ] {
        let merge = merge(recipe).with_base(&base);
        let planned = merge.plan().unwrap();
        let note = planned.tensors[0].note.clone().unwrap();
        assert_eq!(note, format!("i64 from {from}"));
        let report = merge.run().unwrap();
        let note = report.tensors[0].note.clone().unwrap();
        let expected = format!("i64 from {from}; it differs between the checkpoints");
        assert_eq!(note, expected);
        // Eight bytes of `counter`, twelve of floats, three of `packed` and two of `mask`.
        let bytes = std::fs::read(&out).unwrap();
        let found = [bytes[bytes.len() - 25], bytes[bytes.len() - 5]];
        assert_eq!(found, values, "{from}");
    }
    let refused = |take: Take| merge(counter(take)).plan().unwrap_err();
    let error = refused(Take::Model(2));
    assert!(matches!(error, MergeError::OutOfRange(_)), "{error}");
    let error = refused(Take::Base);
    assert!(matches!(error, MergeError::NoBase { .. }), "{error}");
    // Other methods have nothing to do there.
    let recipe = Recipe::new(Average).with("counter", Average);
    let error = merge(recipe).plan().unwrap_err();
    assert!(matches!(error, MergeError::NoSuchTensor { .. }), "{error}");
}

#[test]
fn metadata_scalars_and_identities_are_those_of_the_first() {
    let folder = Folder::new();
    let pack = |name: &str, value: f32| {
        let bytes = Bytes::from_bytes_vec(value.to_le_bytes().to_vec());
        let id = Some(value as u64);
        let tensor = Tensor::new("w".to_string(), DType::F32, vec![1], id, bytes);
        let path = folder.path(name);
        Writer::new(vec![tensor])
            .with_metadata("format", "burnpack")
            .with_metadata("author", name)
            .with_scalar("step", Scalar::from(name.len()))
            .write_to_file(&path)
            .unwrap();
        path
    };
    let models = [pack("a.bpk", 1.0), pack("second.bpk", 3.0)];
    let merged = |out: &str| {
        let out = folder.path(out);
        let merge = FileMerge::new(Recipe::new(Average), &models, &out);
        merge.run().unwrap();
        out
    };
    let reader = Reader::from_file(merged("out.bpk")).unwrap();
    assert_eq!(reader.metadata()["author"], "a.bpk");
    assert_eq!(reader.scalars()["step"], Scalar::from(5_usize));
    let tensor = reader.into_tensors().unwrap().remove(0);
    assert_eq!(tensor.param_id, Some(1));
    assert_eq!(tensor.into_bytes().unwrap()[..], 2.0_f32.to_le_bytes());
    // Burn's name of the format follows the file.
    let written = CheckpointFile::open(merged("out.safetensors")).unwrap();
    let expected = [("author", "a.bpk"), ("format", "safetensors")];
    let expected = expected.map(|(key, value)| (key.to_string(), value.to_string()));
    assert_eq!(*written.metadata(), BTreeMap::from(expected));
}

#[test]
fn names_choose_methods_as_in_modules() {
    let folder = Folder::new();
    let a = folder.vectors("a.safetensors", &[("body.w", &[1.0]), ("head.w", &[1.0])]);
    let b = folder.vectors("b.safetensors", &[("body.w", &[3.0]), ("head.w", &[3.0])]);
    let out = folder.path("out.bpk");
    let recipe = Recipe::new(Average).with("head", Take::Model(1));
    let report = FileMerge::new(recipe, [a, b], &out).run().unwrap();
    let methods = report.tensors.iter().map(|tensor| tensor.method.as_str());
    assert_eq!(methods.collect::<Vec<_>>(), ["average", "take"]);
    let merged = CheckpointFile::open(out).unwrap();
    assert_eq!(numbers(&merged, "body.w"), [2.0]);
    assert_eq!(numbers(&merged, "head.w"), [3.0]);
}
