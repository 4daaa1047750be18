//! What a checkpoint is by its path, and what its header says.

use std::fs;

use burn::tensor::{DType, TensorData};
use burnscape::merge::{CheckpointFile, StoredTensor, TensorMap, TensorStore};

use super::folder::{Folder, Raw, bytes_of, safetensors, with_header};

#[test]
fn a_directory_is_its_only_checkpoint() {
    let folder = Folder::new();
    let refusal = || CheckpointFile::open(&folder.0).unwrap_err().to_string();
    assert!(refusal().contains("the directory has no `.safetensors` file"));
    folder.write("readme.md", b"");
    folder.write("pytorch_model.bin", b"");
    assert!(refusal().contains("PyTorch files and no `.safetensors` file; convert the checkpoint"));
    folder.vectors("a.safetensors", &[("w", &[1.0])]);
    assert_eq!(CheckpointFile::open(&folder.0).unwrap().tensors().len(), 1);
    folder.write("b.bpk", b"");
    let error = refusal();
    assert!(
        error.contains("several checkpoints: `a.safetensors`, `b.bpk`; pass"),
        "{error}"
    );
    // An index is more than the files beside it, and those of PyTorch's own format do not count.
    folder.write("pytorch_model.bin.index.json", b"");
    let index = r#"{"weight_map":{"w":"a.safetensors"}}"#;
    folder.write("model.safetensors.index.json", index.as_bytes());
    let checkpoint = CheckpointFile::open(&folder.0).unwrap();
    assert_eq!(checkpoint.tensors().len(), 1);
    let names = ["a.safetensors", "model.safetensors.index.json"];
    let [shard, index_of] = names.map(|name| folder.path(name));
    assert_eq!(checkpoint.files(), [folder.0.clone(), shard, index_of]);
    folder.write("other.safetensors.index.json", index.as_bytes());
    assert!(refusal().contains("several checkpoints"));
}

#[test]
fn headers_tell_types_and_sizes() {
    let folder = Folder::new();
    let tensors: [Raw<'_>; 5] = [
        ("f8", "F8_E4M3", &[3], vec![1, 2, 3]),
        ("half", "F16", &[2, 1], vec![0, 60, 0, 64]),
        ("long", "I64", &[1], vec![0; 8]),
        ("nothing", "F32", &[0, 4], vec![]),
        ("yes", "BOOL", &[2], vec![1, 0]),
    ];
    let path = folder.write("a.safetensors", &safetensors(&tensors));
    let checkpoint = CheckpointFile::open(&path).unwrap();
    let told = |tensor: &StoredTensor| {
        let (name, dtype, bytes) = (&tensor.name, &tensor.dtype, tensor.bytes);
        format!(
            "{name} {:?} {dtype} {bytes} {}",
            tensor.shape,
            tensor.is_float()
        )
    };
    let found: Vec<String> = checkpoint.tensors().iter().map(told).collect();
    assert_eq!(
        found,
        [
            "f8 [3] f8_e4m3 3 false",
            "half [2, 1] f16 4 true",
            "long [1] i64 8 false",
            "nothing [0, 4] f32 0 true",
            "yes [2] bool 2 false",
        ]
    );
    assert_eq!(checkpoint.bytes_read(), 0);
    let half = checkpoint.read("half").unwrap();
    assert_eq!(half.dtype(), DType::F16);
    assert_eq!(half.iter::<f64>().collect::<Vec<_>>(), [1.0, 2.0]);
    assert_eq!(checkpoint.read("nothing").unwrap().num_elements(), 0);
    assert_eq!(checkpoint.clone().bytes_read(), 4);
    assert_eq!(checkpoint.tensor_names(), ["half", "nothing"]);
    assert_eq!(checkpoint.tensor("half").unwrap(), Some(half));
    assert_eq!(checkpoint.tensor("tail").unwrap(), None);
    assert!(checkpoint.tensor("yes").is_err());
    assert_eq!(
        format!("{checkpoint:?}"),
        format!("CheckpointFile {{ path: {path:?}, num_tensors: 5, .. }}")
    );
}

#[test]
fn maps_are_written_as_every_writer_does() {
    let folder = Folder::new();
    let mut map = TensorMap::new();
    map.insert("b", TensorData::new(vec![1.0_f32, -2.5], [2]));
    map.insert("a", TensorData::new(vec![3.0_f32], [1]));
    map.insert("z", TensorData::new(vec![0.1_f64], [1, 1]));
    let path = folder.path("map.safetensors");
    map.write(&path).unwrap();
    let mut numbers = 0.1_f64.to_le_bytes().to_vec();
    numbers.extend(bytes_of(&[3.0, 1.0, -2.5]));
    let header = [
        r#"{"z":{"dtype":"F64","shape":[1,1],"data_offsets":[0,8]},"#,
        r#""a":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},"#,
        r#""b":{"dtype":"F32","shape":[2],"data_offsets":[12,20]}}"#,
    ];
    let header = header.concat();
    let header = format!("{header:<width$}", width = header.len().next_multiple_of(8));
    let expected = folder.write("expected.safetensors", &with_header(&header, &numbers));
    assert_eq!(fs::read(&path).unwrap(), fs::read(&expected).unwrap());
    // A file is replaced at once, and nothing else stays.
    map.insert("a", TensorData::new(vec![4.0_f32], [1]));
    map.write(&path).unwrap();
    let read = CheckpointFile::open(&path).unwrap().read("a").unwrap();
    assert_eq!(read, TensorData::new(vec![4.0_f32], [1]));
    assert_eq!(folder.names(), ["expected.safetensors", "map.safetensors"]);
    let error = map
        .write(folder.path("missing/map.safetensors"))
        .unwrap_err();
    let error = error.to_string();
    assert!(error.contains(": cannot be written ("), "{error}");
    assert!(!error.contains("os error"), "{error}");
}
