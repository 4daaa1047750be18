//! Which groups may be permuted.

use super::AlignError;
use crate::symmetry::{Group, Symmetries};

/// For each group whether a member is below a path in `only`, unless that is empty, and none below one in `except`.
pub(super) fn active(
    symmetries: &Symmetries,
    only: &[String],
    except: &[String],
) -> Result<Vec<bool>, AlignError> {
    let groups = symmetries.groups();
    for pattern in only.iter().chain(except) {
        if !groups.iter().any(|group| has_member(group, pattern)) {
            let mut members = groups.iter().flat_map(Group::members);
            let example = members.next().map_or("", |member| member.path.as_str());
            return Err(AlignError::NoSuchMember {
                pattern: pattern.clone(),
                example: example.to_string(),
            });
        }
    }
    let selects = |patterns: &[String], group: &Group| {
        patterns.iter().any(|pattern| has_member(group, pattern))
    };
    let is_active =
        |group: &Group| (only.is_empty() || selects(only, group)) && !selects(except, group);
    Ok(groups.iter().map(is_active).collect())
}

fn has_member(group: &Group, pattern: &str) -> bool {
    let mut members = group.members().iter();
    members.any(|member| is_below(&member.path, pattern))
}

/// Whether the pattern is the path or its beginning, name by name; `*` is any one name.
fn is_below(path: &str, pattern: &str) -> bool {
    let mut names = path.split('.');
    let mut expected = pattern.split('.');
    expected.all(|expected| {
        names
            .next()
            .is_some_and(|name| expected == "*" || expected == name)
    })
}

#[cfg(test)]
mod tests {
    use super::is_below;

    #[test]
    fn patterns_are_beginnings_name_by_name() {
        let path = "encoder.layers.1.mha.query.weight";
        for pattern in [
            "encoder",
            "encoder.layers.1",
            "encoder.layers.*.mha",
            "*.layers",
            path,
        ] {
            assert!(is_below(path, pattern), "{pattern}");
        }
        for pattern in ["enc", "encoder.layers.0", "layers", "", "*.*.*.*.*.*.*"] {
            assert!(!is_below(path, pattern), "{pattern}");
        }
    }
}
