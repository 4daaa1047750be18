use std::fmt;

use serde::{Deserialize, Serialize};

/// How an operator uses memory: what [`Risk::with_memory_budget`](crate::loss::Risk::with_memory_budget) chose, and the
/// peak that the shapes predict.
///
/// The prediction counts what an operator takes beyond the model and the data: stored residuals, the total gradient,
/// the checks, and for one product the vector, its result and everything in between. An operator that moves
/// ([`at`](crate::curvature::Hessian::at)) compares its trace with a forward pass of the closure. The
/// prediction assumes that this pass frees each result after its last use; in [`Mode::Train`](crate::loss::Mode::Train) it
/// holds its activations as for a gradient, which is not counted. On Burn's Flex backend the peak is within 20 % of what was measured, except for small networks whose
/// batches are split into many parts, of which the host keeps records (`docs/performance.md`). An allocator that keeps
/// pages of its own may hold more.
///
/// On [several devices](crate::loss::Risk::with_devices) the budget is that of each, and the peaks are those of the
/// device that needs most: without the parts of a result that wait on the device of the model to be added, one for each
/// device, or one for each batch with [exact order](crate::loss::Risk::with_exact_order). Batches are counted, and
/// operations compared, over all devices.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
///
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).square().mean();
/// let data = [Tensor::<2>::ones([64, 2], &device)];
/// let hessian = Risk::new(&loss, &data).with_memory_budget(1 << 20).hessian(&model)?;
/// let plan = hessian.memory_plan();
/// assert!(plan.kept_batches == 1 && plan.peak_bytes <= 1 << 20);
/// println!("{plan}");
/// # Ok::<(), burnscape::curvature::CurvatureError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MemoryPlan {
    /// The memory budget in bytes of a device, if there is one.
    pub budget_bytes: Option<u64>,
    /// The predicted peak in bytes, of making the operator and of a product with one vector.
    pub peak_bytes: u64,
    /// The predicted peak in bytes of a product with one vector.
    pub product_bytes: u64,
    /// Number of batches with stored residuals.
    pub kept_batches: usize,
    /// Number of batches whose residuals every product recomputes.
    pub recomputed_batches: usize,
    /// Into how many segments the forward passes of recomputed batches are cut; 1 if they are not.
    pub segments: usize,
    /// The most examples of a part, if batches are split.
    pub examples_per_batch: Option<usize>,
    /// The floating-point operations of a product over those with all residuals stored.
    pub relative_cost: f64,
}

/// What was chosen on one device, and the floating-point operations of a product: those that it takes, and those with
/// all residuals stored.
pub(super) struct Spent {
    pub(super) plan: MemoryPlan,
    pub(super) flops: u64,
    pub(super) fastest: u64,
}

impl Spent {
    /// The plan of two devices.
    pub(super) fn with(self, other: Self) -> Self {
        let (a, b) = (self.plan, other.plan);
        let (flops, fastest) = (self.flops + other.flops, self.fastest + other.fastest);
        let plan = MemoryPlan {
            budget_bytes: a.budget_bytes,
            peak_bytes: a.peak_bytes.max(b.peak_bytes),
            product_bytes: a.product_bytes.max(b.product_bytes),
            kept_batches: a.kept_batches + b.kept_batches,
            recomputed_batches: a.recomputed_batches + b.recomputed_batches,
            segments: a.segments.max(b.segments),
            // The parts of all devices have one size.
            examples_per_batch: a.examples_per_batch.max(b.examples_per_batch),
            relative_cost: flops as f64 / (fastest as f64).max(1.0),
        };
        Self {
            plan,
            flops,
            fastest,
        }
    }
}

impl fmt::Display for MemoryPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mega = |bytes: u64| bytes as f64 / 1e6;
        write!(f, "residuals of {} batches stored", self.kept_batches)?;
        if self.recomputed_batches > 0 {
            write!(f, ", of {} recomputed", self.recomputed_batches)?;
        }
        if self.segments > 1 {
            write!(f, " in {} segments", self.segments)?;
        }
        if let Some(examples) = self.examples_per_batch {
            write!(f, ", batches split into parts of {examples} examples")?;
        }
        write!(f, "; peak {:.1} MB", mega(self.peak_bytes))?;
        if let Some(budget) = self.budget_bytes {
            write!(f, " of {:.1} MB", mega(budget))?;
        }
        write!(
            f,
            "; a product costs {:.2} of the fastest",
            self.relative_cost
        )
    }
}
