/// How the operators of a risk use memory, and whether they are checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OperatorSettings {
    pub(crate) residual_budget: usize,
    pub(crate) block_size: usize,
    pub(crate) checks: bool,
}

impl Default for OperatorSettings {
    fn default() -> Self {
        Self {
            residual_budget: 1 << 30,
            block_size: 16,
            checks: true,
        }
    }
}
