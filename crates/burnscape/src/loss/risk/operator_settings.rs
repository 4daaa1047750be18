/// How the operators of a risk use memory, and whether they are checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OperatorSettings {
    /// The most bytes of residuals to store, if it is set.
    pub(crate) residual_budget: Option<usize>,
    /// The most bytes that making an operator and multiplying once may take, if it is set.
    pub(crate) memory_budget: Option<usize>,
    pub(crate) block_size: usize,
    pub(crate) checks: bool,
    /// Whether operators remember their data, to notice at another model that they have changed.
    pub(crate) fingerprints: bool,
}

impl OperatorSettings {
    /// The most bytes of residuals to store. A memory budget limits them as well, and replaces the default.
    pub(crate) fn residuals(&self) -> usize {
        let default = match self.memory_budget {
            None => 1 << 30,
            Some(_) => usize::MAX,
        };
        self.residual_budget.unwrap_or(default)
    }
}

impl Default for OperatorSettings {
    fn default() -> Self {
        Self {
            residual_budget: None,
            memory_budget: None,
            block_size: 16,
            checks: true,
            fingerprints: true,
        }
    }
}
