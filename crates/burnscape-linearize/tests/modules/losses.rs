//! Losses on the outputs of a linear layer.

use burn::nn::loss::{
    BinaryCrossEntropyLossConfig, CTCLossConfig, CosineEmbeddingLossConfig, CrossEntropyLossConfig,
    GaussianNLLLossConfig, HingeEmbeddingLossConfig, HuberLossConfig, KLDivLossConfig,
    LpLossConfig, MarginRankingLossConfig, MseLoss, MultiMarginLossConfig, RNNTLossConfig,
    Reduction, SmoothL1LossConfig, SoftMarginLoss, TripletMarginLossConfig,
};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::{log_softmax, sigmoid, softmax};
use burn::tensor::{Int, Tensor};

use super::batch::Batch;
use super::products::device;
use super::referee::{Case, case, wave};

/// A loss on the outputs `[5, 6]` and a target.
fn loss<B: Batch>(
    name: &'static str,
    target: B,
    f: impl Fn(Tensor<2>, B) -> Tensor<1> + 'static,
) -> Case {
    let linear: Linear = LinearConfig::new(4, 6).init(&device());
    case(
        name,
        linear,
        (wave([5, 4]), target),
        move |linear, (x, y)| f(linear.forward(x), y),
    )
}

fn classes() -> Tensor<1, Int> {
    Tensor::from_data([0, 5, 2, 2, 3], &device())
}

fn bits() -> Tensor<2, Int> {
    wave([5, 6]).greater_elem(0.0).int()
}

pub(crate) fn cases() -> Vec<Case> {
    let targets = || wave([5, 6]) * 0.9 + 0.05;
    let weights = vec![0.3, 1.0, 0.5, 2.0, 0.7, 1.1];
    let binary = BinaryCrossEntropyLossConfig::new;
    let cross = CrossEntropyLossConfig::new;
    let with_weights = cross().with_weights(Some(weights.clone()));
    let smoothed = cross().with_smoothing(Some(0.1));
    let both = with_weights.clone().with_smoothing(Some(0.1));
    let padded = cross().with_pad_tokens(Some(vec![2]));
    let binary_weights = binary().with_logits(true).with_weights(Some(weights));
    vec![
        loss("MseLoss", targets(), |y, t| {
            MseLoss::new().forward(y, t, Reduction::Mean)
        }),
        loss("CrossEntropyLoss", classes(), |y, t| {
            CrossEntropyLossConfig::new()
                .init(&y.device())
                .forward(y, t)
        }),
        loss("CrossEntropyLoss, weights", classes(), move |y, t| {
            with_weights.init(&y.device()).forward(y, t)
        }),
        loss("CrossEntropyLoss, smoothing", classes(), move |y, t| {
            smoothed.init(&y.device()).forward(y, t)
        }),
        loss("CrossEntropyLoss, both", classes(), move |y, t| {
            both.init(&y.device()).forward(y, t)
        }),
        loss("CrossEntropyLoss, padding", classes(), move |y, t| {
            padded.init(&y.device()).forward(y, t)
        }),
        loss("BinaryCrossEntropyLoss", bits(), |y, t| {
            let y = sigmoid(y);
            BinaryCrossEntropyLossConfig::new()
                .init(&y.device())
                .forward(y, t)
        }),
        loss(
            "BinaryCrossEntropyLoss, logits, weights",
            bits(),
            move |y, t| binary_weights.init(&y.device()).forward(y, t),
        ),
        loss("BinaryCrossEntropyLoss, smoothing", bits(), |y, t| {
            let loss = BinaryCrossEntropyLossConfig::new()
                .with_logits(true)
                .with_smoothing(Some(0.1));
            loss.init(&y.device()).forward(y, t)
        }),
        loss("CrossEntropyLoss, probabilities", classes(), |y, t| {
            let loss = CrossEntropyLossConfig::new().with_logits(false);
            loss.init(&y.device()).forward(softmax(y, 1), t)
        }),
        loss("LpLoss, 2.5", targets(), |y, t| {
            let distance = LpLossConfig::new(2.5).init();
            distance.forward_reduce_dims(y, t, &[1]).sum()
        }),
        loss("KLDivLoss, log targets", targets(), |y, t| {
            let divergence = KLDivLossConfig::new().with_log_target(true).init();
            divergence.forward(log_softmax(y, 1), log_softmax(t, 1), Reduction::Sum)
        }),
        loss("GaussianNLLLoss, full", targets(), |y, t| {
            let variance = y.clone().square() + 0.3;
            let likelihood = GaussianNLLLossConfig::new().with_full(true).init();
            likelihood.forward(y, t, variance, Reduction::Sum)
        }),
        loss("MultiMarginLoss", classes(), |y, t| {
            let margin = MultiMarginLossConfig::new().init();
            margin.forward(y.tanh(), t, Reduction::Sum)
        }),
        loss("TripletMarginLoss, 3", targets(), |y, t| {
            let triplet = TripletMarginLossConfig::new()
                .with_margin(5.0)
                .with_p(3.0)
                .init();
            let negative = t.clone().flip([0]).square();
            triplet.forward(y, t, negative, Reduction::Sum)
        }),
        loss("HuberLoss", targets(), |y, t| {
            HuberLossConfig::new(0.8)
                .init()
                .forward(y.tanh(), t, Reduction::Mean)
        }),
        loss("SmoothL1Loss", targets(), |y, t| {
            let smooth = SmoothL1LossConfig::new().init();
            smooth.forward_with_reduction(y.tanh(), t, Reduction::Sum)
        }),
        loss("LpLoss, 1", targets(), |y, t| {
            LpLossConfig::new(1.0)
                .init()
                .forward(y.tanh(), t, Reduction::Mean)
        }),
        loss("LpLoss, 3", targets(), |y, t| {
            LpLossConfig::new(3.0).init().forward(y, t, Reduction::Mean)
        }),
        loss("KLDivLoss", targets(), |y, t| {
            let divergence = KLDivLossConfig::new().init();
            divergence.forward(
                log_softmax(y, 1).square(),
                softmax(t, 1),
                Reduction::BatchMean,
            )
        }),
        loss("GaussianNLLLoss", targets(), |y, t| {
            let variance = y.clone().square() + 0.3;
            GaussianNLLLossConfig::new()
                .init()
                .forward(y, t, variance, Reduction::Mean)
        }),
        loss("MultiMarginLoss, squared", classes(), |y, t| {
            let margin = MultiMarginLossConfig::new().with_p(2).init();
            margin.forward(y.tanh(), t, Reduction::Mean)
        }),
        loss("SoftMarginLoss", targets(), |y, t| {
            SoftMarginLoss::new().forward(y, t.sign(), Reduction::Mean)
        }),
        loss(
            "CosineEmbeddingLoss",
            (
                targets(),
                Tensor::<1, Int>::from_data([1, 1, -1, 1, -1], &device()),
            ),
            |y, (t, label)| CosineEmbeddingLossConfig::new().init().forward(y, t, label),
        ),
        loss("HingeEmbeddingLoss", targets(), |y, t| {
            let hinge = HingeEmbeddingLossConfig::new().init();
            hinge.forward(y.sinh(), t.sign(), Reduction::Mean)
        }),
        loss("MarginRankingLoss", targets(), |y, t| {
            let ranking = MarginRankingLossConfig::new().with_margin(0.3).init();
            let other = y.clone().flip([0]).square();
            ranking.forward(y, other, t.sign(), Reduction::Mean)
        }),
        loss("CTCLoss", (), |y, ()| {
            let device = y.device();
            let y = log_softmax(y, 1).reshape([5, 1, 6]);
            let targets = Tensor::from_data([[2, 4]], &device);
            let (len, kept) = (
                Tensor::from_data([5], &device),
                Tensor::from_data([2], &device),
            );
            CTCLossConfig::new()
                .init()
                .forward(y, targets, len, kept)
                .sum()
        }),
        loss("RNNTLoss", (), |y, ()| {
            let device = y.device();
            let y = y.reshape([1, 5, 1, 6]);
            let y = Tensor::cat(vec![y.clone(), y.flip([1]).square()], 2);
            let targets = Tensor::from_data([[2]], &device);
            let (len, kept) = (
                Tensor::from_data([5], &device),
                Tensor::from_data([1], &device),
            );
            RNNTLossConfig::new()
                .init()
                .forward(y, targets, len, kept)
                .sum()
        }),
        loss("TripletMarginLoss", targets(), |y, t| {
            let triplet = TripletMarginLossConfig::new().with_margin(5.0).init();
            let negative = t.clone().flip([0]).square();
            triplet.forward(y, t, negative, Reduction::Mean)
        }),
    ]
}
