//! Files that cannot be read say why, and what to do.

use std::fs;
use std::path::Path;

use burn::tensor::TensorData;
use burn_pack::{DType, Tensor, Writer};
use burnscape::merge::{CheckpointFile, MergeError};

use super::folder::{Folder, bytes_of, safetensors, with_header};

/// A refusal that names the file and has these parts.
#[track_caller]
fn refused(path: &Path, parts: &[&str]) {
    let error = CheckpointFile::open(path).unwrap_err();
    assert!(matches!(error, MergeError::File { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("`{}`: ", path.display())),
        "{text}"
    );
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    let folder = Folder::new();
    refused(
        &folder.path("none.safetensors"),
        &["`: cannot be opened (", "pass the path"],
    );
    let error = CheckpointFile::open(folder.path("none.bpk")).unwrap_err();
    assert!(!error.to_string().contains("os error"), "{error}");
    for name in ["model.pt", "model.pth", "model.ckpt", "model.bin"] {
        let path = folder.write(name, b"PK");
        refused(&path, &["is a PyTorch file", "convert it to safetensors"]);
    }
    let path = folder.write("model.gguf", b"");
    refused(&path, &["its name does not say", ".safetensors"]);
    let path = folder.write("model", b"");
    refused(&path, &["its name does not say", "convert others"]);
}

#[test]
fn a_safetensors_file_cut_at_any_byte_is_refused() {
    let folder = Folder::new();
    let whole = safetensors(&[
        ("a", "F32", &[2], bytes_of(&[1.0, 2.0])),
        ("b", "F32", &[1], bytes_of(&[3.0])),
    ]);
    for end in 0..whole.len() {
        let path = folder.write("cut.safetensors", &whole[..end]);
        refused(&path, &["ends early", "copy or write it again"]);
    }
    let longer = [&whole[..], &[0; 3]].concat();
    let path = folder.write("longer.safetensors", &longer);
    refused(&path, &["3 bytes follow its last tensor"]);
}

/// A header, what follows it, and parts of the refusal.
type Case<'c> = (String, &'c [u8], [&'c str; 2]);

#[test]
fn headers_that_cannot_be_right_are_refused() {
    let folder = Folder::new();
    let entry =
        |offsets: &str| format!(r#"{{"dtype":"F32","shape":[1],"data_offsets":{offsets}}}"#);
    let first = entry("[0,4]");
    let eight = &[0; 8];
    let cases: [Case<'_>; 11] = [
        (
            "not json".to_string(),
            &[],
            ["not the JSON", "copy or write it again"],
        ),
        (
            "[1]".to_string(),
            &[],
            ["not the JSON", "a map from names to tensors"],
        ),
        (
            r#"{"a":1}"#.to_string(),
            &[],
            ["not the JSON", "TensorInfo"],
        ),
        (
            r#"{"a":{"dtype":"F5","shape":[],"data_offsets":[0,4]}}"#.to_string(),
            &[0; 4],
            ["not the JSON", "F5"],
        ),
        (
            format!(r#"{{"a":{first},"a":{first}}}"#),
            &[0; 4],
            ["`a` occurs twice", "again"],
        ),
        (
            format!(r#"{{"a":{first},"b":{}}}"#, entry("[2,6]")),
            eight,
            ["`b` is at bytes 2 to 6", "end at 4"],
        ),
        (
            format!(r#"{{"a":{first},"b":{}}}"#, entry("[6,10]")),
            eight,
            ["`b` is at bytes 6 to 10", "end at 4"],
        ),
        (
            format!(r#"{{"a":{}}}"#, entry("[4,0]")),
            eight,
            ["`a` is at bytes 4 to 0", "again"],
        ),
        (
            format!(r#"{{"a":{}}}"#, entry("[0,8]")),
            eight,
            ["`a` has 8 bytes", "not the size of [1] F32"],
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}"#
                .to_string(),
            eight,
            ["`a` has 8 bytes", "not the size"],
        ),
        (
            format!(r#"{{"a":{first}}}"#),
            &[],
            ["ends early", "4 bytes, and 0 follow"],
        ),
    ];
    for (header, numbers, parts) in cases {
        let path = folder.write("a.safetensors", &with_header(&header, numbers));
        refused(&path, &parts);
    }
    // Also without the memory for it.
    let huge = (1_u64 << 40).to_le_bytes();
    let path = folder.write("huge.safetensors", &huge);
    refused(
        &path,
        &[
            "is not a safetensors file",
            "1099511627776 bytes",
            "100000000 is the most",
            "convert it to safetensors",
        ],
    );
}

#[test]
fn files_of_other_formats_are_told_from_damaged_ones() {
    let folder = Folder::new();
    // A zip archive, a pickled object of five bytes, and a pointer to a large file.
    let others: [&[u8]; 3] = [
        b"PK\x03\x04\x00\x00\x08\x08\x00\x00",
        b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00}q\x00.",
        b"version https://git-lfs.github.com/spec/v1\n",
    ];
    for bytes in others {
        let path = folder.write("other.safetensors", bytes);
        let remedy = "convert it to safetensors, or download it again";
        refused(&path, &["is not a safetensors file", remedy]);
    }
}

#[test]
fn an_index_must_agree_with_its_shards() {
    let folder = Folder::new();
    folder.vectors("one.safetensors", &[("a", &[1.0]), ("b", &[2.0])]);
    folder.vectors("two.safetensors", &[("c", &[3.0])]);
    folder.vectors("again.safetensors", &[("a", &[1.0])]);
    let index = |text: &str| folder.write("model.safetensors.index.json", text.as_bytes());
    let map = |entries: &str| index(&format!(r#"{{"weight_map":{{{entries}}}}}"#));
    let good = r#""a":"one.safetensors","b":"one.safetensors","c":"two.safetensors""#;
    let checkpoint = CheckpointFile::open(map(good)).unwrap();
    assert_eq!(
        checkpoint.read("c").unwrap(),
        TensorData::new(vec![3.0_f32], [1])
    );

    refused(&index("{"), &["not the index", "a `weight_map`"]);
    refused(
        &index(r#"{"metadata":{}}"#),
        &["not the index", "missing field `weight_map`"],
    );
    let path = map(&good.replace("two.safetensors", "two.bin"));
    let message = "`two.bin` is not a safetensors file; convert the checkpoint to safetensors";
    refused(&path, &[message]);
    let path = map(&good.replace("two", "three"));
    refused(&path, &["its shard `three.safetensors` is missing; copy"]);
    let path = map(&good.replace("two", "../two"));
    refused(&path, &["`../two.safetensors` is not the name of a file"]);
    let path = map(r#""a":"one.safetensors","c":"two.safetensors""#);
    refused(&path, &["does not have `b`, which is in `one.safetensors`"]);
    let path = map(&good.replace(r#""b":"one"#, r#""b":"two"#));
    refused(
        &path,
        &["says that `b` is in `two.safetensors`, and it is in `one.safetensors`"],
    );
    let path = map(&format!(r#"{good},"d":"two.safetensors""#));
    refused(
        &path,
        &["`d` is in `two.safetensors`, which does not have it"],
    );
    let path = map(&format!(r#"{good},"d":"again.safetensors""#));
    refused(
        &path,
        &["`a` is in `again.safetensors` and in `one.safetensors`"],
    );
}

#[test]
fn a_damaged_shard_is_named() {
    let folder = Folder::new();
    let shard = folder.write("one.safetensors", &[1, 2, 3]);
    let index = r#"{"weight_map":{"a":"one.safetensors"}}"#;
    let path = folder.write("model.safetensors.index.json", index.as_bytes());
    let error = CheckpointFile::open(path).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("`{}`: ends early", shard.display())),
        "{error}"
    );
}

#[test]
fn a_burnpack_file_cut_at_any_byte_is_refused() {
    let folder = Folder::new();
    let bytes = burn_pack::Bytes::from_bytes_vec(bytes_of(&[1.0, 2.0]));
    let tensor = Tensor::new("a".to_string(), DType::F32, vec![2], None, bytes);
    let path = folder.path("whole.bpk");
    Writer::new(vec![tensor]).write_to_file(&path).unwrap();
    assert_eq!(CheckpointFile::open(&path).unwrap().tensors()[0].bytes, 8);
    let whole = fs::read(&path).unwrap();
    for end in 0..whole.len() {
        let path = folder.write("cut.bpk", &whole[..end]);
        refused(&path, &["no whole burnpack file", "copy or write it again"]);
    }
    let path = folder.write("zeros.bpk", &vec![0; whole.len()]);
    refused(&path, &["Invalid magic number"]);
}

#[test]
fn a_file_that_shrinks_while_it_is_open_is_an_error() {
    let folder = Folder::new();
    let path = folder.vectors("a.safetensors", &[("w", &[1.0, 2.0])]);
    let checkpoint = CheckpointFile::open(&path).unwrap();
    fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .and_then(|file| file.set_len(20))
        .unwrap();
    let error = checkpoint.read("w").unwrap_err().to_string();
    assert!(error.contains("its numbers cannot be read"), "{error}");
    assert!(error.contains("leave the file as it is"), "{error}");
}
