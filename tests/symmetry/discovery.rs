//! Networks of all kinds: their groups are found without a hint, and nothing else is.

use burn::module::Module;
use burn::tensor::{Bool, Int, Tensor};
use burnscape::linearize::{Axes, Forward, Inputs, ScalingMode};
use burnscape::loss::{Batch, BatchMapper};
use burnscape::symmetry::Symmetries;

use super::zoo::{self, Specimen, difference, found, listing, parameters, same, tolerance};
use crate::element::device;

/// Of weights and batches.
const SEED: u64 = 11;

fn check<M: Module, B: Batch, const R: usize>(net: &Specimen<M, B, R>) {
    let name = net.name;
    let untouched = parameters(&net.model);
    let symmetries = net.symmetries();
    let listed = listing(&symmetries);
    assert_eq!(symmetries.dropped().len(), 0, "{name}: dropped\n{listed}");
    let mut expected = net.expected.clone();
    expected.sort();
    assert_eq!(found(&symmetries), expected, "{name}\n{listed}");
    is_the_same_in_elementary_operations(net);
    leaves_the_outputs(net, &symmetries);
    keeps_the_laws(net, &symmetries);
    let is_untouched = same(&untouched, &parameters(&net.model));
    assert!(is_untouched, "{name}: the model has changed");
}

/// Groups and where they lie, with the operations of the program as they were recorded and in elementary ones.
fn is_the_same_in_elementary_operations<M: Module, B: Batch, const R: usize>(
    net: &Specimen<M, B, R>,
) {
    struct Declare<'a, 'b>(&'a mut Inputs<'b>);
    impl BatchMapper for Declare<'_, '_> {
        fn map_float<const D: usize>(&mut self, tensor: Tensor<D>) -> Tensor<D> {
            self.0.float(tensor)
        }
        fn map_int<const D: usize>(&mut self, tensor: Tensor<D, Int>) -> Tensor<D, Int> {
            self.0.int(tensor)
        }
        fn map_bool<const D: usize>(&mut self, tensor: Tensor<D, Bool>) -> Tensor<D, Bool> {
            self.0.bool(tensor)
        }
    }
    let forward = Forward::new(
        &net.model,
        device().settings(),
        |inputs| net.batch.clone().map_tensors(&mut Declare(inputs)),
        |model: &M, batch| vec![(net.outputs)(model, batch).into_dispatch()],
    );
    let forward = forward.expect(net.name);
    let movable = vec![true; forward.num_model_inputs()];
    let lowered = forward
        .scalings(&movable, ScalingMode::Sign)
        .expect(net.name);
    let places = |axes: &Axes| {
        let blocks = axes.inputs.iter().flatten().flatten();
        let places = blocks.map(|block| {
            let factors = block.factors.iter();
            let factors = factors.map(|f| (f.size, f.stride, f.group.as_ref().ok().copied()));
            (block.offset, factors.collect::<Vec<_>>())
        });
        places.collect::<Vec<_>>()
    };
    let axes = forward.axes();
    assert_eq!(axes.groups, lowered.axes.groups, "{}", net.name);
    assert_eq!(places(&axes), places(&lowered.axes), "{}", net.name);
}

/// Random elements move the parameters, and not the outputs.
fn leaves_the_outputs<M: Module, B: Batch, const R: usize>(
    net: &Specimen<M, B, R>,
    symmetries: &Symmetries,
) {
    let name = net.name;
    let answers = net.answers(&net.model);
    let mut has_moved = false;
    for seed in 0..3 {
        let moved = symmetries.random(seed).apply(&net.model).expect(name);
        has_moved |= !same(&parameters(&net.model), &parameters(&moved));
        let gap = difference(&answers, &net.answers(&moved));
        assert!(gap <= tolerance(), "{name}: seed {seed}, off by {gap:e}");
    }
    assert!(has_moved, "{name}: nothing has moved");
}

/// `(g h) m = g (h m)`, `g⁻¹ g = 1`, bit for bit.
fn keeps_the_laws<M: Module, B: Batch, const R: usize>(
    net: &Specimen<M, B, R>,
    symmetries: &Symmetries,
) {
    let (name, model) = (net.name, &net.model);
    let start = parameters(model);
    let (g, h) = (symmetries.random(4), symmetries.random(5));
    let product = g.compose(&h).expect(name).apply(model).expect(name);
    let after = g.apply(&h.apply(model).expect(name)).expect(name);
    let is_same = same(&parameters(&product), &parameters(&after));
    assert!(is_same, "{name}: (g h) m is not g (h m)");

    let back = g.inverse().apply(&g.apply(model).expect(name));
    let is_same = same(&parameters(&back.expect(name)), &start);
    assert!(is_same, "{name}: g⁻¹ (g m) is not m");
    let one = g.inverse().compose(&g).expect(name).apply(model);
    let is_same = same(&parameters(&one.expect(name)), &start);
    assert!(is_same, "{name}: g⁻¹ g is not 1");
    let identity = symmetries.identity().apply(model).expect(name);
    let is_same = same(&parameters(&identity), &start);
    assert!(is_same, "{name}: 1 m is not m");
}

#[test]
fn hidden_units_of_an_mlp_are_found() {
    check(&zoo::mlp(&device(), SEED));
}

#[test]
fn channels_are_found_through_batch_norm_and_flatten() {
    check(&zoo::cnn(&device(), SEED));
}

#[test]
fn residual_streams_are_found_where_activations_come_first() {
    check(&zoo::residual(true, &device(), SEED));
}

#[test]
fn residual_streams_are_found_where_activations_come_last() {
    check(&zoo::residual(false, &device(), SEED));
}

#[test]
fn depthwise_convolutions_pass_channels_and_multipliers_are_within_them() {
    check(&zoo::depthwise(&device(), SEED));
}

#[test]
fn channels_of_grouped_convolutions_are_within_groups() {
    check(&zoo::grouped(&device(), SEED));
}

#[test]
fn group_norm_makes_groups_of_a_residual_stream() {
    check(&zoo::group_norm(&device(), SEED));
}

#[test]
fn an_encoder_that_normalizes_first_has_heads_and_widths_within_them() {
    check(&zoo::encoder(true, &device(), SEED));
}

#[test]
fn an_encoder_that_normalizes_last_has_the_same_groups() {
    check(&zoo::encoder(false, &device(), SEED));
}

#[test]
fn one_matrix_of_queries_keys_and_values_is_cut_by_slices() {
    check(&zoo::fused_slices(&device(), SEED));
}

#[test]
fn one_matrix_of_queries_keys_and_values_is_cut_by_a_case_axis() {
    check(&zoo::fused_stacked(&device(), SEED));
}

#[test]
fn one_matrix_of_queries_keys_and_values_is_cut_inside_heads() {
    check(&zoo::fused_inside_heads(&device(), SEED));
}

#[test]
fn grouped_queries_are_within_their_keys() {
    check(&zoo::grouped_queries(&device(), SEED));
}

#[test]
fn rotations_keep_queries_and_keys_in_place_and_leave_heads_free() {
    check(&zoo::rotary(&device(), SEED));
}

#[test]
fn learned_positions_are_members_of_the_stream() {
    check(&zoo::learned_positions(&device(), SEED));
}

#[test]
fn constant_positions_pin_the_stream_and_the_table_says_why() {
    let net = zoo::constant_positions(&device(), SEED);
    check(&net);
    let symmetries = net.symmetries();
    let fixed = symmetries.fixed().iter();
    let mut fixed = fixed.filter(|one| one.path == "embedding.weight" && one.axis == 1);
    let reason = &fixed.next().expect("the width stays in place").reason;
    assert!(reason.contains("constant"), "{reason}");
    let table = symmetries.to_string();
    let mut lines = table.lines();
    let is_printed =
        lines.any(|line| line.contains("embedding.weight") && line.contains("constant"));
    assert!(is_printed, "{table}");
}

#[test]
fn a_gated_layer_has_one_group_in_both_of_its_matrices() {
    check(&zoo::gated(&device(), SEED));
}

#[test]
fn a_tied_embedding_is_one_member() {
    check(&zoo::tied_embedding(&device(), SEED));
}

#[test]
fn the_gates_of_an_lstm_have_one_group() {
    check(&zoo::lstm(&device(), SEED));
}

#[test]
fn two_lstms_of_one_size_share_their_zeros_and_no_group() {
    check(&zoo::stacked_lstms(&device(), SEED));
}

#[test]
fn the_directions_of_a_bi_lstm_have_a_group_each() {
    check(&zoo::bi_lstm(&device(), SEED));
}

#[test]
fn the_gates_of_a_gru_have_one_group() {
    check(&zoo::gru(&device(), SEED));
}

#[test]
fn concatenated_channels_of_a_dense_net_keep_their_groups() {
    check(&zoo::dense_net(&device(), SEED));
}

#[test]
fn both_sides_of_a_u_net_are_found_through_transposed_convolutions() {
    check(&zoo::u_net(&device(), SEED));
}

#[test]
fn codes_of_an_autoencoder_are_found() {
    check(&zoo::autoencoder(&device(), SEED));
}

#[test]
fn codes_of_a_tied_autoencoder_are_one_group_on_both_sides() {
    check(&zoo::tied_autoencoder(&device(), SEED));
}

#[test]
fn shuffled_channels_are_products_of_both_groupings() {
    check(&zoo::channel_shuffle(&device(), SEED));
}

#[test]
fn channels_that_become_pixels_keep_their_places() {
    check(&zoo::sub_pixel(&device(), SEED));
}

#[test]
fn experts_are_a_group_and_their_units_are_within_them() {
    check(&zoo::experts(&device(), SEED));
}

#[test]
fn codes_that_argmax_chooses_stay_in_place() {
    check(&zoo::quantized(&device(), SEED));
}

/// Of the helper that the tests above rely on.
#[test]
fn an_output_that_differs_is_noticed() {
    let net = zoo::mlp(&device(), SEED);
    let answers = net.answers(&net.model);
    let other = zoo::mlp(&device(), SEED + 1);
    assert!(difference(&answers, &net.answers(&other.model)) > 0.01);
    let outputs: Tensor<2> = net.model.outputs(&net.batch);
    assert_eq!(outputs.dims(), [3, 4]);
}
