use std::collections::BTreeMap;

use burn::module::{Module, ParamGroup};

use super::PathError;
use crate::space::ParamSpace;

/// The parameters that are moved together.
#[derive(Debug, Clone)]
pub enum Layers {
    /// Each field of the model is a layer: the first part of the parameters' paths. The entries of a
    /// field that is a list (`layers.0`, `layers.1`, …) are layers of their own.
    TopLevel,
    /// Named groups. A parameter in several of them is moved with each; one in none with none.
    Groups(Vec<(String, ParamGroup)>),
}

impl Layers {
    /// Name and leaves of each layer, in the order of the model.
    pub(super) fn masks<M: Module>(
        &self,
        model: &M,
        space: &ParamSpace,
    ) -> Result<Vec<(String, Vec<bool>)>, PathError> {
        let leaves = space.leaves();
        match self {
            Self::TopLevel => {
                let mut names: Vec<String> = Vec::new();
                let mut masks: BTreeMap<String, Vec<bool>> = BTreeMap::new();
                for (index, leaf) in leaves.iter().enumerate() {
                    let name = layer_name(leaf.path());
                    if !names.contains(&name) {
                        names.push(name.clone());
                    }
                    let mask = masks
                        .entry(name)
                        .or_insert_with(|| vec![false; leaves.len()]);
                    mask[index] = true;
                }
                let named = names.into_iter().map(|name| {
                    let mask = masks.remove(&name).unwrap_or_default();
                    (name, mask)
                });
                Ok(named.collect())
            }
            Self::Groups(groups) => groups
                .iter()
                .map(|(name, group)| {
                    let own = ParamSpace::of_group(model, group)?;
                    let paths: Vec<&str> = own.leaves().iter().map(|leaf| leaf.path()).collect();
                    let mask = leaves.iter().map(|leaf| paths.contains(&leaf.path()));
                    Ok((name.clone(), mask.collect()))
                })
                .collect(),
        }
    }
}

/// The first part of a path, with the index that follows where the field is a list.
fn layer_name(path: &str) -> String {
    let mut parts = path.split('.');
    let first = parts.next().unwrap_or_default();
    match parts.next() {
        Some(index) if index.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{first}.{index}")
        }
        _ => first.to_string(),
    }
}
