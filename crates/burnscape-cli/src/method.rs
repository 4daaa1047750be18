//! The names of methods.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// A method by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Method {
    Average,
    TaskArithmetic,
    Ties,
    Dare,
    DareTies,
    Della,
    DellaTies,
    Breadcrumbs,
    BreadcrumbsTies,
    Slerp,
    Karcher,
    ModelStock,
    Fisher,
    RegMean,
    TsvM,
    IsoC,
    /// The tensors as the base has them.
    Base,
    /// The tensors as one of the models has them.
    Model(usize),
}

const NAMES: [(&str, Method); 17] = [
    ("average", Method::Average),
    ("task-arithmetic", Method::TaskArithmetic),
    ("ties", Method::Ties),
    ("dare", Method::Dare),
    ("dare-ties", Method::DareTies),
    ("della", Method::Della),
    ("della-ties", Method::DellaTies),
    ("breadcrumbs", Method::Breadcrumbs),
    ("breadcrumbs-ties", Method::BreadcrumbsTies),
    ("slerp", Method::Slerp),
    ("karcher", Method::Karcher),
    ("model-stock", Method::ModelStock),
    ("fisher", Method::Fisher),
    ("regmean", Method::RegMean),
    ("tsv-m", Method::TsvM),
    ("iso-c", Method::IsoC),
    ("base", Method::Base),
];

impl FromStr for Method {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((_, method)) = NAMES.iter().find(|(name, _)| *name == text) {
            return Ok(*method);
        }
        let number = text.strip_prefix("model:");
        if let Some(Ok(index)) = number.map(str::parse) {
            return Ok(Self::Model(index));
        }
        let names = NAMES.iter().map(|(name, _)| *name);
        let nearest = names.clone().min_by_key(|name| distance(name, text));
        let nearest = nearest.filter(|name| distance(name, text) <= name.len() / 3);
        let advice = match nearest {
            Some(name) => format!("did you mean `{name}`?"),
            None => "use one of these:".to_string(),
        };
        let names: Vec<&str> = names.chain(["model:0"]).collect();
        let names = names.join(", ");
        Err(format!("`{text}` is no method; {advice} {names}"))
    }
}

impl TryFrom<String> for Method {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Model(index) = self {
            return write!(f, "model:{index}");
        }
        let name = NAMES.iter().find(|(_, method)| method == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

/// The least number of letters to insert, remove and replace that make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (index, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, other) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_printed() {
        let methods = NAMES.iter().map(|(_, method)| *method);
        for method in methods.chain([Method::Model(3)]) {
            assert_eq!(method.to_string().parse(), Ok(method));
        }
    }

    #[test]
    fn a_name_that_is_nearly_right_is_suggested() {
        for (wrong, right) in [
            ("tie", "ties"),
            ("dare_ties", "dare-ties"),
            ("averages", "average"),
        ] {
            let refused = wrong.parse::<Method>().unwrap_err();
            let advice = format!("did you mean `{right}`?");
            assert!(refused.contains(&advice), "{refused}");
        }
        let refused = "something else".parse::<Method>().unwrap_err();
        assert!(refused.contains("use one of these: average"), "{refused}");
    }

    #[test]
    fn distances_count_letters() {
        for (a, b, expected) in [("", "ab", 2), ("ties", "tie", 1), ("kitten", "sitting", 3)] {
            assert_eq!(distance(a, b), expected);
        }
    }
}
