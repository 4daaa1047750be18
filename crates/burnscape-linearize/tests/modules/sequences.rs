//! Recurrent layers, attention and positions.

use super::activations::uneven;
use super::products::device;
use super::referee::{Case, case, spec, wave};
use burn::nn::activation::ActivationConfig;
use burn::nn::attention::{
    CrossAttentionConfig, MhaInput, MultiHeadAttentionConfig, generate_autoregressive_mask,
};
use burn::nn::gru::GruConfig;
use burn::nn::transformer::{
    PositionWiseFeedForwardConfig, TransformerDecoderConfig, TransformerDecoderInput,
    TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{
    BiGruConfig, BiLstmConfig, BiRnnConfig, GateController, Initializer, Linear, LinearConfig,
    LstmConfig, LstmState, PositionalEncoding, PositionalEncodingConfig, RnnConfig, RnnState,
    RotaryEncoding, RotaryEncodingConfig,
};
use burn::tensor::FloatDType;

fn initializer() -> Initializer {
    Initializer::Constant { value: 0.1 }
}

pub(crate) fn cases() -> Vec<Case> {
    let d = device();
    vec![
        case(
            "MultiHeadAttention",
            MultiHeadAttentionConfig::new(8, 2)
                .with_dropout(0.0)
                .init(&d),
            wave([2, 3, 8]),
            |m, x| uneven(m.forward(MhaInput::self_attn(x)).context),
        ),
        case(
            "TransformerEncoder",
            TransformerEncoderConfig::new(8, 16, 2, 2)
                .with_dropout(0.0)
                .init(&d),
            wave([2, 3, 8]),
            |m, x| uneven(m.forward(TransformerEncoderInput::new(x))),
        ),
        spec(
            "TransformerEncoder, dropout",
            TransformerEncoderConfig::new(8, 16, 2, 1)
                .with_dropout(0.2)
                .init(&d),
            wave([2, 3, 8]),
            |m, x| uneven(m.forward(TransformerEncoderInput::new(x))),
        )
        .case(),
        case(
            "Lstm",
            LstmConfig::new(3, 4, true).init(&d),
            wave([2, 5, 3]),
            |m, x| uneven(m.forward(x, None).0),
        ),
        case(
            "Gru",
            GruConfig::new(3, 4, true).init(&d),
            wave([2, 5, 3]),
            |m, x| uneven(m.forward(x, None)),
        ),
        case(
            "Rnn",
            RnnConfig::new(3, 4, true).init(&d),
            wave([2, 5, 3]),
            |m, x| uneven(m.forward(x, None).0),
        ),
        case(
            "BiRnn",
            BiRnnConfig::new(3, 4, true).init(&d),
            wave([2, 4, 3]),
            |m, x| uneven(m.forward(x, None).0),
        ),
        case(
            "BiLstm",
            BiLstmConfig::new(3, 4, true).init(&d),
            wave([2, 4, 3]),
            |m, x| uneven(m.forward(x, None).0),
        ),
        case(
            "BiGru",
            BiGruConfig::new(3, 4, true).init(&d),
            wave([2, 4, 3]),
            |m, x| uneven(m.forward(x, None).0),
        ),
        case(
            "MultiHeadAttention, masked",
            MultiHeadAttentionConfig::new(8, 2)
                .with_dropout(0.0)
                .init(&d),
            wave([2, 4, 8]),
            |m, x| {
                let mask = generate_autoregressive_mask(2, 4, &x.device());
                uneven(m.forward(MhaInput::self_attn(x).mask_attn(mask)).context)
            },
        ),
        case(
            "MultiHeadAttention, quiet",
            MultiHeadAttentionConfig::new(8, 2)
                .with_dropout(0.0)
                .with_quiet_softmax(true)
                .init(&d),
            wave([2, 3, 8]),
            |m, x| {
                let out = m.forward(MhaInput::self_attn(x));
                uneven(out.context) + uneven(out.weights)
            },
        ),
        case(
            "MultiHeadAttention, padded",
            MultiHeadAttentionConfig::new(8, 2)
                .with_dropout(0.0)
                .init(&d),
            (wave([2, 4, 8]), wave([2, 4]).greater_elem(0.9)),
            |m, (x, mask)| uneven(m.forward(MhaInput::self_attn(x).mask_pad(mask)).context),
        ),
        case(
            "CrossAttention",
            CrossAttentionConfig::new(8, 6, 2, 1, 4)
                .with_dropout(0.0)
                .init(&d),
            (wave([2, 3, 8]), wave([2, 5, 6])),
            |m, (x, y)| uneven(m.forward(x, y, None)),
        ),
        case(
            "TransformerDecoder",
            TransformerDecoderConfig::new(8, 16, 2, 1)
                .with_dropout(0.0)
                .init(&d),
            (wave([2, 3, 8]), wave([2, 4, 8])),
            |m, (x, y)| uneven(m.forward(TransformerDecoderInput::new(x, y))),
        ),
        case(
            "TransformerDecoder, masked",
            TransformerDecoderConfig::new(8, 16, 2, 1)
                .with_dropout(0.0)
                .with_norm_first(true)
                .init(&d),
            (wave([2, 3, 8]), wave([2, 4, 8])),
            |m, (x, y)| {
                let mask = generate_autoregressive_mask(2, 3, &x.device());
                let input = TransformerDecoderInput::new(x, y).target_mask_attn(mask);
                uneven(m.forward(input))
            },
        ),
        case(
            "GateController",
            GateController::new(3, 4, true, initializer(), &d),
            (wave([2, 3]), wave([2, 4])),
            |m, (x, h)| uneven(m.gate_product(x, h)),
        ),
        case(
            "Lstm, coupled and clipped",
            LstmConfig::new(3, 4, true)
                .with_input_forget(true)
                .with_clip(Some(0.4))
                .with_gate_activation(ActivationConfig::Softsign)
                .init(&d),
            (wave([2, 5, 3]), wave([2, 4])),
            |m, (x, h)| {
                let state = LstmState::new(h.clone(), h.sin());
                uneven(m.forward(x, Some(state)).0)
            },
        ),
        case(
            "Gru, reset before",
            GruConfig::new(3, 4, false).with_reset_after(false).init(&d),
            (wave([2, 5, 3]), wave([2, 4])),
            |m, (x, h)| uneven(m.forward(x, Some(h))),
        ),
        case(
            "Rnn, backwards",
            RnnConfig::new(3, 4, true)
                .with_reverse(true)
                .with_hidden_activation(ActivationConfig::Gelu)
                .init(&d),
            (wave([2, 5, 3]), wave([2, 4])),
            |m, (x, h)| uneven(m.forward(x, Some(RnnState::new(h))).0),
        ),
        case(
            "PositionWiseFeedForward",
            PositionWiseFeedForwardConfig::new(4, 8)
                .with_dropout(0.0)
                .init(&d),
            wave([2, 3, 4]),
            |m, x| uneven(m.forward(x)),
        ),
        spec(
            "PositionalEncoding",
            (
                LinearConfig::new(4, 6).init(&d),
                PositionalEncodingConfig::new(6)
                    .with_max_sequence_size(8)
                    .init(&d),
            ),
            wave([2, 3, 4]),
            |m, x| uneven(m.1.forward(m.0.forward(x))),
        )
        .narrowed(|(linear, mut encoding): (Linear, PositionalEncoding)| {
            encoding.sinusoids = encoding.sinusoids.cast(FloatDType::F32);
            (linear, encoding)
        })
        .case(),
        spec(
            "RotaryEncoding",
            (
                LinearConfig::new(4, 6).init(&d),
                RotaryEncodingConfig::new(8, 6).init(&d),
            ),
            wave([2, 3, 4]),
            |m, x| uneven(m.1.forward(m.0.forward(x))),
        )
        .narrowed(|(linear, mut encoding): (Linear, RotaryEncoding)| {
            encoding.freq_complex = encoding.freq_complex.cast(FloatDType::F32);
            encoding.theta = encoding.theta.cast(FloatDType::F32);
            (linear, encoding)
        })
        .case(),
    ]
}
