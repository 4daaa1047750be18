//! Distances of known vectors.

use burn::tensor::TensorData;
use burnscape::Json;
use burnscape::merge::{CheckpointDistance, CheckpointFile, MergeError, TensorMap};

use super::folder::{Folder, bytes_of, safetensors};

fn open(folder: &Folder, name: &str, vectors: &[(&str, &[f32])]) -> CheckpointFile {
    CheckpointFile::open(folder.vectors(name, vectors)).unwrap()
}

#[test]
fn known_vectors_have_known_distances() {
    let folder = Folder::new();
    let a = open(
        &folder,
        "a.safetensors",
        &[("v", &[3.0, 4.0]), ("w", &[0.0, 0.0]), ("x", &[1.0, 0.0])],
    );
    let b = open(
        &folder,
        "b.safetensors",
        &[("v", &[0.0, 8.0]), ("w", &[0.0, 2.0]), ("x", &[-2.0, 0.0])],
    );
    let found = CheckpointDistance::between(&a, &b).unwrap();
    let [v, w, x] = &found.tensors[..] else {
        panic!("{found}");
    };
    assert_eq!((v.name.as_str(), v.distance, v.largest), ("v", 5.0, 4.0));
    assert_eq!((v.norm_a, v.norm_b), (5.0, 8.0));
    assert_eq!((v.relative, v.cosine), (Some(1.0), Some(0.8)));
    assert_eq!((w.distance, w.relative, w.cosine), (2.0, None, None));
    assert_eq!((x.relative, x.cosine), (Some(3.0), Some(-1.0)));
    let total = &found.total;
    let norms = [total.distance, total.norm_a, total.norm_b];
    let expected = [38.0_f64, 26.0, 72.0].map(f64::sqrt);
    for (found, expected) in norms.into_iter().zip(expected) {
        assert!((found - expected).abs() < 1e-15 * expected);
    }
    let cosine = total.cosine.unwrap();
    assert!((cosine - 30.0 / (26.0_f64 * 72.0).sqrt()).abs() < 1e-15);
    assert_eq!(total.largest, 4.0);
    assert!(found.not_compared.is_empty());

    let text = found.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 5, "{text}");
    assert!(
        lines[0].starts_with("tensor") && lines[0].ends_with("largest"),
        "{text}"
    );
    assert!(lines[2].contains("none"), "{text}");
    assert!(lines[4].starts_with("total"), "{text}");
    let read = CheckpointDistance::from_json(&found.to_json().unwrap()).unwrap();
    assert_eq!(read.tensors[0], found.tensors[0]);
    assert_eq!(
        (read.total.name.as_str(), read.total.largest),
        ("total", 4.0)
    );
    assert_eq!((a.bytes_read(), b.bytes_read()), (24, 24));
}

#[test]
fn types_and_formats_do_not_matter_and_integers_do_not_count() {
    let folder = Folder::new();
    let raw = |value: f32, count: u8| {
        safetensors(&[
            ("count", "I64", &[1], vec![count, 0, 0, 0, 0, 0, 0, 0]),
            ("w", "F32", &[1], bytes_of(&[value])),
        ])
    };
    let a = CheckpointFile::open(folder.write("a.safetensors", &raw(1.0, 1))).unwrap();
    let b = CheckpointFile::open(folder.write("b.safetensors", &raw(1.5, 2))).unwrap();
    let found = CheckpointDistance::between(&a, &b).unwrap();
    assert_eq!(
        (found.total.distance, found.total.relative),
        (0.5, Some(0.5))
    );
    assert_eq!(found.not_compared, ["count"]);
    assert!(
        found.to_string().ends_with("not compared: count\n"),
        "{found}"
    );

    let mut map = TensorMap::new();
    map.insert("w", TensorData::new(vec![1.25_f64], [1]));
    let path = folder.path("c.safetensors");
    map.write(&path).unwrap();
    let c = CheckpointFile::open(&path).unwrap();
    let single = open(&folder, "d.safetensors", &[("w", &[1.0])]);
    let found = CheckpointDistance::between(&single, &c).unwrap();
    assert_eq!(found.total.distance, 0.25);
    let error = CheckpointDistance::between(&a, &c).unwrap_err();
    assert!(
        matches!(error, MergeError::DifferentTensors { .. }),
        "{error}"
    );
}

#[test]
fn numbers_that_are_not_finite_are_told() {
    let folder = Folder::new();
    let a = open(&folder, "a.safetensors", &[("w", &[1.0, f32::NAN])]);
    let b = open(&folder, "b.safetensors", &[("w", &[1.0, 2.0])]);
    let found = CheckpointDistance::between(&a, &b).unwrap();
    assert!(found.total.distance.is_nan() && found.total.largest.is_nan());
    let text = found.to_json().unwrap();
    let read = CheckpointDistance::from_json(&text).unwrap();
    assert!(read.total.largest.is_nan(), "{text}");
}
