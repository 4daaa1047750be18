//! Recurrent layers, attention and positions.

use super::activations::uneven;
use super::referee::{Case, case, device, wave};
use burn::nn::attention::{
    CrossAttentionConfig, MhaInput, MultiHeadAttentionConfig, generate_autoregressive_mask,
};
use burn::nn::gru::GruConfig;
use burn::nn::transformer::{
    PositionWiseFeedForwardConfig, TransformerDecoderConfig, TransformerDecoderInput,
    TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{
    BiGruConfig, BiLstmConfig, BiRnnConfig, LinearConfig, LstmConfig, PositionalEncodingConfig,
    RnnConfig, RotaryEncodingConfig,
};

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
        case(
            "TransformerEncoder, dropout",
            TransformerEncoderConfig::new(8, 16, 2, 1)
                .with_dropout(0.2)
                .init(&d),
            wave([2, 3, 8]),
            |m, x| uneven(m.forward(TransformerEncoderInput::new(x))),
        )
        .drawing(),
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
            "PositionWiseFeedForward",
            PositionWiseFeedForwardConfig::new(4, 8)
                .with_dropout(0.0)
                .init(&d),
            wave([2, 3, 4]),
            |m, x| uneven(m.forward(x)),
        ),
        case(
            "PositionalEncoding",
            (
                LinearConfig::new(4, 6).init(&d),
                PositionalEncodingConfig::new(6)
                    .with_max_sequence_size(8)
                    .init(&d),
            ),
            wave([2, 3, 4]),
            |m, x| uneven(m.1.forward(m.0.forward(x))),
        ),
        case(
            "RotaryEncoding",
            (
                LinearConfig::new(4, 6).init(&d),
                RotaryEncodingConfig::new(8, 6).init(&d),
            ),
            wave([2, 3, 4]),
            |m, x| uneven(m.1.forward(m.0.forward(x))),
        ),
    ]
}
