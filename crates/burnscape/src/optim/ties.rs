use super::OptimError;
use crate::space::ParamSpace;

/// Whether a parameter occurs twice.
pub(super) fn has_ties(space: &ParamSpace) -> bool {
    let mut leaves = space.leaves().iter();
    leaves.any(|leaf| !leaf.duplicates().is_empty())
}

pub(super) fn refuse_ties(space: &ParamSpace) -> Result<(), OptimError> {
    for leaf in space.leaves() {
        if let Some(second) = leaf.duplicates().first() {
            let (first, second) = (leaf.path().to_string(), second.clone());
            return Err(OptimError::TiedParameter { first, second });
        }
    }
    Ok(())
}
