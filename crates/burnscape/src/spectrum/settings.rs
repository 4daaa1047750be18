/// The settings that the questions of a spectrum share.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    pub(super) tolerance: f64,
    pub(super) trace_tolerance: f64,
    pub(super) max_matvecs: usize,
    pub(super) max_basis: Option<usize>,
    pub(super) max_bytes: Option<usize>,
    pub(super) num_probes: usize,
    pub(super) steps: usize,
    pub(super) outliers: usize,
    pub(super) confidence: f64,
    pub(super) zero: Option<f64>,
    pub(super) seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tolerance: 1e-4,
            trace_tolerance: 0.02,
            max_matvecs: 1000,
            max_basis: None,
            max_bytes: None,
            num_probes: 10,
            steps: 80,
            outliers: 0,
            confidence: 0.95,
            zero: None,
            seed: 0,
        }
    }
}
