//! Networks whose groups are known from their architecture.
//!
//! The groups were counted by hand before the first of them was found. A member is one parameter, one axis, and one
//! block of it; `weight 0` stands for axis 0 of a weight. Burn's linear weights are `[in, out]`, those of
//! convolutions `[out, in / groups, ...]`, those of transposed convolutions `[in, out / groups, ...]`.

mod attention;
mod convolutions;
mod encoders;
mod feedforward;
mod joined;
mod recurrent;
mod residual;
mod specimen;
mod values;

pub(crate) use attention::{
    constant_positions, fused_inside_heads, fused_slices, fused_stacked, grouped_queries,
    learned_positions, rotary,
};
pub(crate) use convolutions::{
    Cnn, channel_shuffle, cnn, depthwise, fresh_cnn, group_norm, grouped, sub_pixel,
};
pub(crate) use encoders::encoder;
pub(crate) use feedforward::{
    Mlp, autoencoder, experts, gated, mlp, quantized, tied_autoencoder, tied_embedding,
};
pub(crate) use joined::{dense_net, u_net};
pub(crate) use recurrent::{bi_lstm, gru, lstm, stacked_lstms};
pub(crate) use residual::{RootMeanSquare, residual};
pub(crate) use specimen::{Specimen, difference, found, group, listing, tolerance};
pub(crate) use values::{
    Parameter, cast, numbers, parameters, rewritten, rotation, same, scattered,
};
