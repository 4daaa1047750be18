use super::TangentKernelReading;
use crate::dynamics::{Cost, Quantity, Reading};

const QUANTITIES: &[Quantity<TangentKernelReading>] = &[
    Quantity {
        name: "drift",
        description: "distance of the tangent kernel from that of the start, relative to its norm",
        value: |reading| Some(reading.drift),
    },
    Quantity {
        name: "drift_standard_error",
        description: "standard error of the drift",
        value: |reading| reading.drift_standard_error,
    },
    Quantity {
        name: "distance",
        description: "1 minus the cosine of the tangent kernel and that of the start",
        value: |reading| reading.distance,
    },
    Quantity {
        name: "distance_standard_error",
        description: "standard error of the distance",
        value: |reading| reading.distance_standard_error,
    },
    Quantity {
        name: "alignment",
        description: "alignment of the tangent kernel with the targets",
        value: |reading| reading.alignment,
    },
    Quantity {
        name: "alignment_standard_error",
        description: "standard error of the alignment",
        value: |reading| reading.alignment_standard_error,
    },
    Quantity {
        name: "centered_alignment",
        description: "alignment of the centered tangent kernel with the centered targets",
        value: |reading| reading.centered_alignment,
    },
    Quantity {
        name: "centered_alignment_standard_error",
        description: "standard error of the centered alignment",
        value: |reading| reading.centered_alignment_standard_error,
    },
    Quantity {
        name: "effective_rank",
        description: "squared trace of the tangent kernel over its squared norm",
        value: |reading| reading.effective_rank,
    },
    Quantity {
        name: "effective_rank_standard_error",
        description: "standard error of the effective rank",
        value: |reading| reading.effective_rank_standard_error,
    },
    Quantity {
        name: "trace",
        description: "trace of the tangent kernel",
        value: |reading| Some(reading.trace),
    },
    Quantity {
        name: "trace_standard_error",
        description: "standard error of the trace",
        value: |reading| reading.trace_standard_error,
    },
    Quantity {
        name: "relative_move",
        description: "distance of the weights from those of the start, relative to their norm",
        value: |reading| reading.relative_move,
    },
    Quantity {
        name: "linearization_gap",
        description: "distance of the outputs from those of the linearized model, relative to how far they moved",
        value: |reading| reading.linearization_gap,
    },
];

impl Reading for TangentKernelReading {
    fn quantities() -> &'static [Quantity<Self>] {
        QUANTITIES
    }

    fn cost(&self) -> Cost {
        self.cost
    }
}
