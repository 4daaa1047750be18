use std::fmt;

use super::MergeTree;
use crate::{Death, field};

/// How many digits after the first one are shown.
const DIGITS: i32 = 6;

/// The widest indent: branches still deeper stand below each other, so that the text is not longer than its lines.
const DEEPEST: usize = 300;

impl fmt::Display for MergeTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.branches.len();
        let branches = if count == 1 { "branch" } else { "branches" };
        write!(f, "merge tree of {} sets, ", self.level)?;
        match self.connectivity {
            Some(connectivity) => {
                let lengths: Vec<String> = self.shape.iter().map(usize::to_string).collect();
                write!(f, "{} cells, {connectivity}, ", lengths.join(" × "))?;
            }
            None => write!(
                f,
                "{} models (deaths are upper bounds), ",
                self.labels.len()
            )?,
        }
        writeln!(f, "{count} {branches}")?;
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); count];
        let mut roots = Vec::new();
        for (number, branch) in self.branches.iter().enumerate() {
            match branch.parent {
                Some(parent) => children[parent].push(number),
                None => roots.push(number),
            }
        }
        for root in roots {
            self.line(f, root)?;
            // Branches to write, the next one last, with what stands before them.
            let mut open: Vec<(usize, String, bool)> = Vec::new();
            let push = |open: &mut Vec<(usize, String, bool)>, number: usize, indent: &str| {
                for (place, &child) in children[number].iter().rev().enumerate() {
                    open.push((child, indent.to_owned(), place == 0));
                }
            };
            push(&mut open, root, "");
            while let Some((number, indent, is_last)) = open.pop() {
                write!(f, "{indent}{}", if is_last { "└─ " } else { "├─ " })?;
                self.line(f, number)?;
                let deeper = if is_last { "   " } else { "│  " };
                let deeper = if indent.chars().count() < DEEPEST {
                    deeper
                } else {
                    ""
                };
                push(&mut open, number, &format!("{indent}{deeper}"));
            }
        }
        Ok(())
    }
}

impl MergeTree {
    fn line(&self, f: &mut fmt::Formatter<'_>, number: usize) -> fmt::Result {
        let branch = &self.branches[number];
        match self.connectivity {
            Some(_) => {
                let at = field::coordinates(&self.shape, branch.minimum);
                write!(f, "{} at {at:?}, ", short(branch.birth))?;
            }
            None => write!(f, "model {} at {}, ", branch.minimum, short(branch.birth))?,
        }
        match branch.death {
            Death::Never => write!(f, "never dies")?,
            Death::At(death) => {
                let persistence = short(branch.persistence());
                write!(f, "dies at {}, persistence {persistence}", short(death))?;
            }
        }
        match self.connectivity {
            Some(_) => writeln!(f, ", volume {}", branch.volume),
            None => writeln!(f),
        }
    }
}

/// A number with few digits.
pub(crate) fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{}", value + 0.0);
    }
    let exponent = value.abs().log10().floor() as i32;
    if !(-4..=15).contains(&exponent) {
        let text = format!("{value:.*e}", DIGITS as usize - 1);
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let digits = digits.trim_end_matches('0').trim_end_matches('.');
        return format!("{digits}e{exponent}");
    }
    let places = (DIGITS - 1 - exponent).max(0) as usize;
    let text = format!("{value:.places$}");
    if places == 0 {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
