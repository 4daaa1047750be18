//! Which groups may be permuted.

use super::AlignError;
use super::weights::groups_of;
use crate::path_pattern::is_below;
use crate::symmetry::Symmetries;

/// The paths of the tensors on which a group acts: all of them where a tensor is tied.
type Paths<'s> = Vec<&'s str>;

/// For each group whether it lies below the paths in `only` as a whole, unless that is empty, and nowhere below one in
/// `except`. Either may name a group by its index.
pub(super) fn active(
    symmetries: &Symmetries,
    only: &[String],
    except: &[String],
) -> Result<Vec<bool>, AlignError> {
    let groups = paths(symmetries);
    for pattern in only.iter().chain(except) {
        let mut known = groups.iter().enumerate();
        if !known.any(|(index, paths)| touches(index, paths, pattern)) {
            let example = groups.iter().flatten().next();
            return Err(AlignError::NoSuchMember {
                pattern: pattern.clone(),
                example: example.map_or_else(String::new, ToString::to_string),
            });
        }
    }
    let groups = groups.iter().enumerate();
    if !only.is_empty()
        && !groups
            .clone()
            .any(|(index, paths)| lies(index, paths, only))
    {
        let mut nearest = groups.filter_map(|(index, paths)| {
            let is_near = only.iter().any(|pattern| touches(index, paths, pattern));
            let outside = paths.iter().find(|path| !is_below_one(path, only))?;
            is_near.then(|| (describe(symmetries, index), outside.to_string()))
        });
        let (group, outside) = nearest.next().unwrap_or_default();
        return Err(AlignError::NoWholeGroup {
            only: only.to_vec(),
            group,
            outside,
        });
    }
    let is_active = groups.map(|(index, paths)| {
        let mut except = except.iter();
        (only.is_empty() || lies(index, paths, only))
            && !except.any(|pattern| touches(index, paths, pattern))
    });
    Ok(is_active.collect())
}

/// A group with its first member.
pub(super) fn describe(symmetries: &Symmetries, index: usize) -> String {
    match first_member(symmetries, index) {
        member if member.is_empty() => format!("group {index}"),
        member => format!("group {index} ({member})"),
    }
}

/// The first member of a group.
pub(super) fn first_member(symmetries: &Symmetries, index: usize) -> String {
    let group = symmetries.groups().get(index);
    let member = group.and_then(|group| group.members().first());
    member.map_or_else(String::new, ToString::to_string)
}

fn paths(symmetries: &Symmetries) -> Vec<Paths<'_>> {
    let layout = symmetries.layout();
    let mut paths = vec![Vec::new(); layout.groups.len()];
    for tensor in &layout.tensors {
        for group in groups_of(tensor) {
            paths[group].extend(tensor.paths.iter().map(String::as_str));
        }
    }
    paths
}

/// Whether a pattern names the group or selects one of its paths.
fn touches(index: usize, paths: &[&str], pattern: &str) -> bool {
    is_index(index, pattern) || paths.iter().any(|path| is_below(path, pattern))
}

/// Whether a pattern names the group, or all of its paths are selected.
fn lies(index: usize, paths: &[&str], patterns: &[String]) -> bool {
    patterns.iter().any(|pattern| is_index(index, pattern))
        || paths.iter().all(|path| is_below_one(path, patterns))
}

/// Whether a pattern is `group` and the index, as tables and errors name groups.
fn is_index(index: usize, pattern: &str) -> bool {
    let number = pattern.strip_prefix("group ");
    number.and_then(|number| number.parse::<usize>().ok()) == Some(index)
}

fn is_below_one(path: &str, patterns: &[String]) -> bool {
    patterns.iter().any(|pattern| is_below(path, pattern))
}

#[cfg(test)]
mod tests {
    use super::{is_index, lies, touches};

    #[test]
    fn a_group_lies_where_all_of_its_paths_do() {
        let paths = ["first.weight", "first.bias", "second.weight"];
        let patterns = |patterns: &[&str]| -> Vec<String> {
            patterns.iter().map(ToString::to_string).collect()
        };
        assert!(touches(3, &paths, "second"));
        assert!(!lies(3, &paths, &patterns(&["first"])));
        assert!(lies(3, &paths, &patterns(&["first", "second.weight"])));
        assert!(lies(3, &paths, &patterns(&["group 3"])) && touches(3, &paths, "group 3"));
        for pattern in ["group 2", "group", "group3", "group x"] {
            assert!(!is_index(3, pattern), "{pattern}");
        }
    }
}
