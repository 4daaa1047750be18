//! Shards: safetensors files with an index, which says in which of them each tensor is.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use super::checkpoint::Contents;
use super::writer::Item;
use super::{damaged, reason, refused, safetensors};
use crate::merge::MergeError;

/// How the name of an index ends.
pub(super) const ENDING: &str = ".index.json";

/// The name of an index that is written.
pub(super) const NAME: &str = "model.safetensors.index.json";

/// An index as it is read.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// An index as it is written.
#[derive(Serialize)]
struct Written<'a> {
    metadata: Size,
    weight_map: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
struct Size {
    total_size: u64,
}

/// Opens all shards of an index.
pub(super) fn open(path: &Path) -> Result<Contents, MergeError> {
    let text = fs::read(path);
    let text =
        text.map_err(|error| damaged(path, format!("cannot be read ({})", reason(error))))?;
    let index: Index = serde_json::from_slice(&text).map_err(|error| {
        let message = format!(
            "is not the index of safetensors files ({error}); an index has a `weight_map` from \
             names of tensors to names of files in its own folder"
        );
        refused(path, message)
    })?;
    let mut contents = Contents::default();
    let mut homes: BTreeMap<String, String> = BTreeMap::new();
    let shards: BTreeSet<&String> = index.weight_map.values().collect();
    for (number, shard) in shards.into_iter().enumerate() {
        let own = opened(path, shard)?;
        for (tensor, place) in own.tensors {
            if let Some(other) = homes.insert(tensor.name.clone(), shard.clone()) {
                let what = format!("`{}` is in `{other}` and in `{shard}`", tensor.name);
                return Err(damaged(path, what));
            }
            contents.tensors.push((tensor, place));
        }
        if number == 0 {
            contents.metadata = own.metadata;
        }
    }
    for (name, shard) in &index.weight_map {
        match homes.get(name) {
            Some(found) if found == shard => {}
            Some(found) => {
                let what = format!("says that `{name}` is in `{shard}`, and it is in `{found}`");
                return Err(damaged(path, what));
            }
            None => {
                let what = format!("says that `{name}` is in `{shard}`, which does not have it");
                return Err(damaged(path, what));
            }
        }
    }
    let mut homes = homes.iter();
    if let Some((name, shard)) = homes.find(|(name, _)| !index.weight_map.contains_key(*name)) {
        let what = format!("does not have `{name}`, which is in `{shard}`");
        return Err(damaged(path, what));
    }
    Ok(contents)
}

fn opened(index: &Path, shard: &str) -> Result<Contents, MergeError> {
    let mut parts = Path::new(shard).components();
    if !matches!(
        (parts.next(), parts.next()),
        (Some(Component::Normal(_)), None)
    ) {
        let message = format!("`{shard}` is not the name of a file in its folder; correct that");
        return Err(refused(index, message));
    }
    let path = index.with_file_name(shard);
    if path.extension().and_then(OsStr::to_str) != Some("safetensors") {
        let message = format!(
            "its shard `{shard}` is not a safetensors file; convert the checkpoint to safetensors"
        );
        return Err(refused(index, message));
    }
    if !path.is_file() {
        let message = format!("its shard `{shard}` is missing; copy it into the same folder");
        return Err(refused(index, message));
    }
    safetensors::open(&path)
}

/// The tensors of each shard: in their order, as many as fit. A tensor that is larger than a shard has one of its own.
pub(super) fn shards(items: Vec<Item>, largest: u64) -> Vec<Vec<Item>> {
    let mut shards: Vec<Vec<Item>> = Vec::new();
    let mut size = 0;
    for item in items {
        match shards.last_mut() {
            Some(last) if size + item.bytes <= largest => {
                size += item.bytes;
                last.push(item);
            }
            _ => {
                size = item.bytes;
                shards.push(vec![item]);
            }
        }
    }
    shards
}

/// The name of a shard, counted from zero.
pub(super) fn shard_name(index: usize, count: usize) -> String {
    if count == 1 {
        "model.safetensors".to_string()
    } else {
        format!("model-{:05}-of-{count:05}.safetensors", index + 1)
    }
}

/// The text of the index of shards.
pub(super) fn text(shards: &[Vec<Item>]) -> Result<String, serde_json::Error> {
    let names: Vec<String> = (0..shards.len())
        .map(|index| shard_name(index, shards.len()))
        .collect();
    let homes = shards.iter().zip(&names).flat_map(|(items, shard)| {
        let items = items.iter();
        items.map(move |item| (item.name.as_str(), shard.as_str()))
    });
    let index = Written {
        metadata: Size {
            total_size: shards.iter().flatten().map(|item| item.bytes).sum(),
        },
        weight_map: homes.collect(),
    };
    Ok(serde_json::to_string_pretty(&index)? + "\n")
}

#[cfg(test)]
mod tests {
    use burn::tensor::DType;

    use super::super::stored_type::StoredType;
    use super::*;

    fn items(sizes: &[u64]) -> Vec<Item> {
        let items = sizes.iter().enumerate();
        let items = items.map(|(index, &bytes)| Item {
            index,
            name: format!("t{index}"),
            shape: vec![bytes as usize],
            kind: StoredType::Burnpack(DType::U8),
            bytes,
            param_id: None,
        });
        items.collect()
    }

    fn split(sizes: &[u64], largest: u64) -> Vec<Vec<usize>> {
        let shards = shards(items(sizes), largest).into_iter();
        let indices = |shard: Vec<Item>| shard.into_iter().map(|item| item.index).collect();
        shards.map(indices).collect()
    }

    #[test]
    fn shards_take_what_fits() {
        assert_eq!(split(&[3, 3, 3, 1], 6), [vec![0, 1], vec![2, 3]]);
        assert_eq!(split(&[9, 1, 9], 6), [vec![0], vec![1], vec![2]]);
        assert_eq!(split(&[1, 2, 3], 100), [vec![0, 1, 2]]);
        assert_eq!(split(&[], 100), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn an_index_says_where_everything_is() {
        let text = text(&shards(items(&[3, 3, 3]), 6)).unwrap();
        let expected = r#"{
  "metadata": {
    "total_size": 9
  },
  "weight_map": {
    "t0": "model-00001-of-00002.safetensors",
    "t1": "model-00001-of-00002.safetensors",
    "t2": "model-00002-of-00002.safetensors"
  }
}
"#;
        assert_eq!(text, expected);
    }
}
