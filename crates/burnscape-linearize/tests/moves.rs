//! Closures that bring tensors to the model's device, as Burn's own examples do.

use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::tensor::{Bool, Device, Distribution, Int, Tensor, TensorData};
use burnscape_linearize::{GradientTrace, LinearizedGradient};

/// A text model: words, a mask, a table that is no parameter.
#[derive(Module, Debug)]
struct Net {
    words: Embedding,
    head: Linear,
    table: Tensor<2>,
}

type Batch = (Tensor<2>, Tensor<2, Int>, Tensor<2, Bool>);

/// A device that a closure can name.
type Place = fn(&Net, &Batch) -> Device;

fn device() -> Device {
    Device::flex().autodiff()
}

fn net() -> Net {
    Net {
        words: EmbeddingConfig::new(5, 3).init(&device()),
        head: LinearConfig::new(3, 2).init(&device()),
        table: Tensor::ones([2, 3], &Device::flex()),
    }
}

fn batch() -> Batch {
    let device = Device::flex();
    (
        Tensor::random([2, 3], Distribution::Normal(0.0, 1.0), &device),
        Tensor::from_data([[0, 4], [2, 2]], &device),
        Tensor::from_data([[false, true], [false, false]], &device),
    )
}

/// The loss, of tensors that are where they have to be.
fn outcome(net: &Net, (x, words, pad): Batch, table: Tensor<2>) -> Tensor<1> {
    let embedded = net.words.forward(words);
    let pad = pad.unsqueeze_dim::<3>(2).expand([2, 2, 3]);
    let mean = embedded.mask_fill(pad, 0.0).mean_dim(1).squeeze_dim::<2>(1);
    let inner = (mean + x * 0.5) * table;
    net.head.forward(inner).tanh().square().mean()
}

fn product(loss: impl Fn(&Net, Batch) -> Tensor<1>, net: &Net, batch: &Batch) -> Vec<TensorData> {
    let settings = Device::flex().settings();
    let (x, words, pad) = batch.clone();
    let trace = GradientTrace::new(
        net.clone(),
        settings,
        |inputs| (inputs.float(x), inputs.int(words), inputs.bool(pad)),
        loss,
    );
    let trace = trace.expect("a trace");
    let mut at = LinearizedGradient::new(&trace, settings, &Device::flex()).expect("a point");
    let parts = trace.parameters.iter().map(|parameter| {
        let len = trace.program.inputs()[parameter.input].num_elements();
        Tensor::<1>::ones([len], &Device::flex())
    });
    let products = at.hvp(&parts.collect::<Vec<_>>()).expect("a product");
    let products = products.into_iter().flatten();
    products.map(Tensor::into_data).collect()
}

#[test]
fn the_batch_and_constants_may_be_moved_to_any_device_of_the_closure() {
    let (net, batch) = (net(), batch());
    let expected = product(
        |net, batch| outcome(net, batch, net.table.clone()),
        &net,
        &batch,
    );
    assert_eq!(expected.len(), 3);
    let places: [(&str, Place); 4] = [
        ("the model's", |net, _| net.devices()[0].clone()),
        ("the model's, plain", |net, _| {
            net.devices()[0].clone().without_autodiff()
        }),
        ("the batch's", |_, (x, _, _)| x.device()),
        ("a parameter's", |net, _| net.head.weight.val().device()),
    ];
    for (name, place) in places {
        let moved = |net: &Net, batch: Batch| {
            let there = place(net, &batch);
            let (x, words, pad) = batch;
            let batch = (
                x.to_device(&there),
                words.to_device(&there),
                pad.to_device(&there),
            );
            outcome(net, batch, net.table.clone().to_device(&there))
        };
        assert_eq!(product(moved, &net, &batch), expected, "{name}");
    }
}

#[test]
fn tensors_may_be_made_on_any_device_of_the_closure() {
    let (net, batch) = (net(), batch());
    let expected = product(
        |net, batch| outcome(net, batch, net.table.clone()),
        &net,
        &batch,
    );
    let places: [Place; 3] = [
        |net, _| net.devices()[0].clone(),
        |net, _| net.devices()[0].clone().without_autodiff(),
        |_, (x, _, _)| x.device(),
    ];
    for place in places {
        let made = |net: &Net, batch: Batch| {
            let table = Tensor::<2>::ones([2, 3], &place(net, &batch));
            outcome(net, batch, table)
        };
        assert_eq!(product(made, &net, &batch), expected);
    }
}
