use burnscape_linearize::LinearizeError;
use thiserror::Error;

use super::Member;
use crate::OutOfRange;
use crate::space::SpaceError;

/// Errors of symmetries.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SymmetryError {
    /// A setting or an argument is outside its range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// No backend that verification could use is compiled in.
    #[error(
        "symmetries are verified on the CPU in f64, and no backend for that is enabled; enable the cargo feature `flex`"
    )]
    NoHostBackend,
    /// The closure returns no tensor.
    #[error("the closure returns no tensor, so that nothing can be compared; return the outputs")]
    NoOutputs,
    /// The outputs are random.
    #[error(
        "two passes at the same weights and inputs give different outputs; leave random numbers out of the closure, or \
         pass them in the batch"
    )]
    RandomOutputs,
    /// No output is finite.
    #[error(
        "no output is a finite number at random weights, so that nothing can be compared; return values from before the \
         logarithm, root or division that is not finite"
    )]
    NothingFinite,
    /// The symmetries of one model were applied to another one.
    #[error(
        "the symmetries belong to another model: expected {expected}, found {found}; find those of this model"
    )]
    DifferentModel {
        /// The first tensor of the symmetries that differs.
        expected: String,
        /// The tensor of the model in its place.
        found: String,
    },
    /// Elements of different symmetries were composed.
    #[error(
        "the elements belong to different symmetries; compose elements that were made by the same `Symmetries`"
    )]
    DifferentSymmetries,
    /// A group is not well defined.
    #[error("group {group}: {message}")]
    Group {
        /// The index of the group.
        group: usize,
        /// What is wrong, and the remedy.
        message: String,
    },
    /// A group does not fit an axis.
    #[error("`{path}`, axis {axis}: {message}")]
    Axis {
        /// The path of the parameter.
        path: String,
        /// The axis.
        axis: usize,
        /// What is wrong, and the remedy.
        message: String,
    },
    /// A specification is not a symmetry of the model.
    #[error(
        "random permutations of group {group} (size {size}) change the outputs by {change:.1e} of their size; {}",
        remedy(.depends, .missing, .wrong)
    )]
    NotASymmetry {
        /// The index of the group.
        group: usize,
        /// The number of its indices.
        size: usize,
        /// The largest change of an output, relative to the largest output.
        change: f64,
        /// Whether it is a symmetry without parents.
        depends: bool,
        /// Members without which it is no symmetry. The changes of members that are named here repair it together.
        missing: Vec<Member>,
        /// Members with which it is no symmetry.
        wrong: Vec<Member>,
    },
    /// The closure cannot be traced, or the program cannot run.
    #[error(transparent)]
    Linearize(#[from] LinearizeError),
    /// Parameters or their device.
    #[error(transparent)]
    Space(#[from] SpaceError),
}

/// What makes a specification right.
fn remedy(depends: &bool, missing: &[Member], wrong: &[Member]) -> String {
    if *depends {
        return "it is a symmetry only if it is the same for all values of its parents: leave out `within`"
            .to_string();
    }
    let list = |members: &[Member]| {
        let names: Vec<String> = members.iter().map(ToString::to_string).collect();
        names.join(", ")
    };
    match (missing.is_empty(), wrong.is_empty()) {
        (true, true) => "no change of one member repairs it: compare it with the groups that \
                         `SymmetriesConfig` finds"
            .to_string(),
        (false, true) => format!("add its members {}", list(missing)),
        (true, false) => format!("leave out its members {}", list(wrong)),
        (false, false) => format!(
            "add its members {}, and leave out {}",
            list(missing),
            list(wrong)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_specification_is_told_what_to_change() {
        let member = |path: &str, offset| Member {
            path: path.to_string(),
            axis: 0,
            offset,
            stride: 1,
        };
        let told = |depends, missing, wrong| {
            let error = SymmetryError::NotASymmetry {
                group: 1,
                size: 4,
                change: 0.5,
                depends,
                missing,
                wrong,
            };
            error.to_string()
        };
        let [bias, gain] = [member("bias", 0), member("norm.gamma", 4)];
        assert_eq!(
            told(false, vec![bias.clone()], vec![gain.clone()]),
            "random permutations of group 1 (size 4) change the outputs by 5.0e-1 of their size; add its members bias \
             axis 0, and leave out norm.gamma axis 0 from 4"
        );
        assert!(told(false, vec![bias], vec![]).ends_with("add its members bias axis 0"));
        assert!(told(false, vec![], vec![gain]).contains("leave out its members norm.gamma"));
        assert!(told(true, vec![], vec![]).ends_with("leave out `within`"));
        assert!(told(false, vec![], vec![]).contains("`SymmetriesConfig`"));
    }
}
