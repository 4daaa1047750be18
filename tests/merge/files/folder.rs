//! Folders that are deleted after a test, and files made byte by byte.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::TensorData;
use burnscape::merge::TensorMap;

/// A folder that is deleted after the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("burnscape-merge-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file of these bytes.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Writes a checkpoint of f32 vectors.
    pub(crate) fn vectors(&self, name: &str, vectors: &[(&str, &[f32])]) -> PathBuf {
        let path = self.path(name);
        let vectors = vectors.iter().map(|(name, values)| {
            let data = TensorData::new(values.to_vec(), [values.len()]);
            (name.to_string(), data)
        });
        vectors.collect::<TensorMap>().write(&path).unwrap();
        path
    }

    /// The names of all entries, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap().map(Result::unwrap);
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A tensor as a header of safetensors names it: name, type, shape, and bytes.
pub(crate) type Raw<'r> = (&'r str, &'r str, &'r [usize], Vec<u8>);

/// The bytes of a safetensors file.
pub(crate) fn safetensors(tensors: &[Raw<'_>]) -> Vec<u8> {
    let (mut entries, mut numbers) = (Vec::new(), Vec::new());
    for (name, dtype, shape, bytes) in tensors {
        let start = numbers.len();
        numbers.extend_from_slice(bytes);
        let end = numbers.len();
        entries.push(format!(
            r#""{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{start},{end}]}}"#
        ));
    }
    with_header(&format!("{{{}}}", entries.join(",")), &numbers)
}

/// A header with any text, and what follows it.
pub(crate) fn with_header(text: &str, numbers: &[u8]) -> Vec<u8> {
    let length = (text.len() as u64).to_le_bytes();
    [&length[..], text.as_bytes(), numbers].concat()
}

pub(crate) fn bytes_of(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}
