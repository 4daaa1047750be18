//! The names of methods.

use std::fmt;
use std::str::FromStr;

use super::near::nearest;

/// A method by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// Names that mergekit has for methods with another name here.
const ALIASES: [(&str, Method); 3] = [
    ("linear", Method::Average),
    ("dare-linear", Method::Dare),
    ("della-linear", Method::Della),
];

impl FromStr for Method {
    type Err = String;

    /// In any case, with `_` or `-` between words.
    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.trim().to_lowercase().replace('_', "-");
        let mut known = NAMES.iter().chain(&ALIASES);
        if let Some((_, method)) = known.find(|(known, _)| *known == name) {
            return Ok(*method);
        }
        if let Some(index) = name.strip_prefix("model:") {
            let index = index.parse::<usize>().map(Self::Model);
            return index.map_err(|_| {
                format!(
                    "`{text}` has no index of a model; model:0 is the first, model:1 the second"
                )
            });
        }
        if name == "passthrough" {
            let message = "`passthrough`: stacking layers is not supported; use model:0 or rules \
                           of a configuration";
            return Err(message.to_string());
        }
        let names = NAMES.iter().map(|(name, _)| *name);
        let advice = match nearest(&name, names.clone()) {
            Some(name) => format!("; did you mean `{name}`?"),
            None => ".".to_string(),
        };
        let names: Vec<&str> = names.chain(["model:0"]).collect();
        let names = names.join(", ");
        Err(format!("`{text}` is not a method{advice} Methods: {names}"))
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
    fn names_of_mergekit_are_read() {
        for (name, method) in [
            ("linear", Method::Average),
            ("TIES", Method::Ties),
            ("task_arithmetic", Method::TaskArithmetic),
            ("dare_linear", Method::Dare),
            ("dare_ties", Method::DareTies),
            ("della_linear", Method::Della),
            ("breadcrumbs_ties", Method::BreadcrumbsTies),
            ("model_stock", Method::ModelStock),
        ] {
            assert_eq!(name.parse(), Ok(method));
        }
        let refused = "passthrough".parse::<Method>().unwrap_err();
        assert!(refused.contains("stacking layers is not supported"));
    }

    #[test]
    fn a_name_that_is_nearly_right_is_suggested() {
        for (wrong, right) in [
            ("tie", "ties"),
            ("DARE_TIE", "dare-ties"),
            ("averages", "average"),
        ] {
            let refused = wrong.parse::<Method>().unwrap_err();
            let advice = format!("did you mean `{right}`? Methods: average, ");
            assert!(refused.contains(&advice), "{refused}");
        }
        let refused = "something else".parse::<Method>().unwrap_err();
        assert!(refused.contains("Methods: average, "), "{refused}");
        let refused = "model:first".parse::<Method>().unwrap_err();
        assert!(refused.contains("model:0 is the first"), "{refused}");
    }
}
