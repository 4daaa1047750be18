//! Parameter space: a module's trainable parameters as an ordered vector.
//!
//! Only this room reads and writes the numbers of modules. All other rooms use vector algebra on
//! [`ParamVector`] (one flat tensor, a [`FlatVector`]) or [`LeafVector`] (leaf by leaf, without copies).

mod buffers;
mod cache;
mod cast;
mod chunks;
mod context;
mod device_name;
mod direction;
mod direction_norm;
mod dot;
mod epsilon;
mod error;
mod filter;
mod flat_vector;
mod float_tensors;
mod grid;
mod host;
mod kernel;
mod kind;
mod leaf_vector;
mod module_path;
mod nearby;
mod offload;
mod outer;
mod param_space;
mod param_vector;
mod parameter_plane;
mod placed;
mod products;
mod range;
mod rank;
mod read;
mod running_mean;
mod running_statistics;
mod scale;
mod seed;
mod tensor_block;
mod units;
mod vector_space;
mod wait;
mod wide;
mod working_copy;
mod write;

pub(crate) use buffers::BufferSnapshot;
pub(crate) use cache::SpaceCache;
pub(crate) use cast::{as_accumulator, as_dtype};
pub(crate) use device_name::device_name;
pub use direction_norm::DirectionNorm;
pub(crate) use dot::dot;
pub(crate) use epsilon::{epsilon, parallel_bound};
pub use error::SpaceError;
pub use filter::UnfilteredRule;
pub use flat_vector::{FlatSpace, FlatVector};
pub(crate) use float_tensors::{FloatTensor, float_tensors, with_values};
pub use grid::Grid;
#[cfg(test)]
pub(crate) use host::READS;
pub(crate) use host::{downloaded, to_host, transfer};
pub use kind::ParamKind;
pub use leaf_vector::LeafVector;
pub(crate) use nearby::{Distance, Nearby};
pub(crate) use outer::outer_gaussian;
pub use param_space::{ParamLeaf, ParamSpace};
pub use param_vector::ParamVector;
pub use parameter_plane::{ParameterPlane, PlanePlace};
pub(crate) use placed::placed;
pub(crate) use products::norm;
pub(crate) use range::scaled;
pub(crate) use running_mean::{RunningMean, Towards};
pub use running_statistics::RunningStatistics;
pub use scale::Scale;
pub(crate) use seed::{mix, stream};
pub(crate) use units::Units;
pub(crate) use wait::{
    Silence, Transfer, Waits, limited, limited_by, moved, on_device, thread_limit, waited,
};
pub(crate) use wide::{Wide, power_of_two};
pub(crate) use working_copy::{checkpointing_strategy, is_training, renamed_copy};
pub use working_copy::{copy_for_gradients, unshared_copy};
