//! All that a run of the survey found.

use super::arguments::Arguments;
use super::data::Split;
use super::experiment::Run;
use super::paths_run::Paths;
use super::summary::Summary;
use super::surfaces::Surface;

pub(crate) struct Findings<'a> {
    pub(crate) arguments: &'a Arguments,
    pub(crate) split: &'a Split,
    pub(crate) runs: &'a [Run],
    pub(crate) summary: &'a Summary,
    pub(crate) paths: &'a Paths,
    /// Around the CNNs of the first seed; none if nothing shows them.
    pub(crate) surfaces: &'a [Surface],
    pub(crate) seconds: f64,
}
