use std::fmt;

use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;

/// The learning rate of a fit or a band: a number or a scheduler. Burn's type has no `Debug`.
#[derive(Clone)]
pub(super) struct Rate(pub(super) ModuleLrScheduler);

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rate(..)")
    }
}
