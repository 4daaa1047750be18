use burn::module::ParamId;

use crate::LinearizeError;

/// A trained parameter of a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct TracedParam {
    /// Burn's identifier.
    pub id: ParamId,
    /// The index of the program input that holds it.
    pub input: usize,
    /// The index of the program output that holds its gradient; `None` if the output does not depend on
    /// the parameter.
    pub gradient: Option<usize>,
}

/// Selects parameters by index.
pub(crate) fn chosen<'a>(
    parameters: &'a [TracedParam],
    wrt: &[usize],
) -> Result<Vec<&'a TracedParam>, LinearizeError> {
    let found = wrt.iter().map(|&index| {
        let parameter = parameters.get(index);
        parameter.ok_or_else(|| LinearizeError::Mismatch {
            what: format!("parameter {index}"),
            expected: format!("one of {} trained parameters", parameters.len()),
            found: "none".into(),
        })
    });
    found.collect()
}
