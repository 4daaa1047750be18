//! Symmetries as a table for reading.

use std::fmt;

use super::{Member, Symmetries};
use crate::writing::write_aligned;

/// Members that are printed for each group.
const SHOWN: usize = 3;

impl fmt::Display for Symmetries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.groups().is_empty() {
            writeln!(f, "no group permutes the parameters")?;
        } else {
            let mut rows = vec![["group", "size", "within", "members", ""].map(str::to_owned)];
            rows.extend(self.groups().iter().enumerate().map(|(index, group)| {
                let parents: Vec<String> = group.parents.iter().map(ToString::to_string).collect();
                [
                    index.to_string(),
                    group.size.to_string(),
                    parents.join(", "),
                    group.members.len().to_string(),
                    shortened(&group.members),
                ]
            }));
            write_aligned(f, &rows, [true, true, false, true, false])?;
        }
        if !self.fixed().is_empty() {
            writeln!(f)?;
            let mut rows = vec![["fixed", "size", "reason"].map(str::to_owned)];
            rows.extend(self.fixed().iter().map(|fixed| {
                let place = Member {
                    path: fixed.path.clone(),
                    axis: fixed.axis,
                    offset: fixed.offset,
                    stride: 1,
                };
                [
                    place.to_string(),
                    fixed.size.to_string(),
                    fixed.reason.clone(),
                ]
            }));
            write_aligned(f, &rows, [false, true, false])?;
        }
        for dropped in self.dropped() {
            writeln!(f, "did not pass verification: {dropped}")?;
        }
        Ok(())
    }
}

/// The first members, and how many more there are.
fn shortened(members: &[Member]) -> String {
    let shown: Vec<String> = members
        .iter()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect();
    let shown = shown.join(", ");
    match members.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::{Block, Factor, Layout, TensorAxes};
    use super::*;
    use crate::symmetry::FixedAxis;

    #[test]
    fn groups_and_fixed_axes_are_aligned() {
        let factor = |size, stride, group| Factor {
            size,
            stride,
            group,
        };
        let block = |factors| Block { offset: 0, factors };
        let tensor = TensorAxes {
            paths: vec!["heads.weight".to_string()],
            shape: vec![10, 12],
            is_running_statistic: false,
            axes: vec![
                vec![block(vec![factor(10, 1, None)])],
                vec![block(vec![factor(3, 4, Some(0)), factor(4, 1, Some(1))])],
            ],
        };
        let fixed = FixedAxis {
            path: "heads.weight".to_string(),
            axis: 0,
            offset: 0,
            size: 10,
            reason: "an axis of the batch".to_string(),
        };
        let groups = vec![(3, vec![]), (4, vec![0])];
        let layout = Layout::new(groups, vec![tensor], vec![fixed]).unwrap();
        let expected = "group  size  within  members\n    0     3                1  heads.weight axis 1 by 4\n    1     4  \
                        0             1  heads.weight axis 1\n\nfixed                size  reason\nheads.weight axis 0    10  \
                        an axis of the batch\n";
        assert_eq!(Symmetries::of(layout).to_string(), expected);
        let members: Vec<Member> = (0..5)
            .map(|offset| Member {
                path: "w".to_string(),
                axis: 0,
                offset,
                stride: 1,
            })
            .collect();
        assert_eq!(
            shortened(&members),
            "w axis 0, w axis 0 from 1, w axis 0 from 2 and 2 more"
        );
    }
}
