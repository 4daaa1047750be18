use std::hint::black_box;
use std::time::Instant;

use burn::backend::Flex;
use burn::backend::ops::{ConvOptions, ModuleOps};
use burn::tensor::{Device, Distribution, Tensor};
use burnscape::linearize::{Conv, Kind};

/// The shortest times of Burn's kernel, of ours, and of ours in tiles (infinite if it has none), in milliseconds.
pub(crate) fn all(conv: &Conv, kind: Kind, rounds: usize) -> [f64; 3] {
    let [inputs, outputs] = [conv.inputs, conv.outputs];
    let axes = |channels: [usize; 2], [a, b, c]: [usize; 3]| [channels[0], channels[1], a, b, c];
    let x = random(axes([conv.batch, inputs], conv.input));
    let weight = random(axes([outputs, inputs / conv.groups], conv.kernel));
    let gradient = random(axes([conv.batch, outputs], conv.output));
    let numbers = |tensor: &Tensor<5>| -> Vec<f32> { tensor.to_data().iter().collect() };
    let operands = match kind {
        Kind::Forward => [numbers(&x), numbers(&weight)],
        Kind::Input => [numbers(&weight), numbers(&gradient)],
        Kind::Weight => [numbers(&x), numbers(&gradient)],
    };
    let ours = |is_tiled| {
        let operands = [&operands[0][..], &operands[1]];
        drop(black_box(conv.run(kind, is_tiled, operands)));
    };
    // Burn has other kernels for fewer axes.
    let burn: Box<dyn Fn()> = match conv.input {
        [1, _, _] => {
            let [x, weight, gradient] =
                [x, weight, gradient].map(|tensor| tensor.squeeze_dim::<4>(2));
            let [[_, s0, s1], [_, p0, p1], [_, d0, d1]] =
                [conv.stride, conv.padding, conv.dilation];
            let options = ConvOptions::new([s0, s1], [p0, p1], [d0, d1], conv.groups);
            let [x, weight, gradient] = [x, weight, gradient].map(primitive::<4>);
            Box::new(move || {
                let (x, weight, gradient) = (x.clone(), weight.clone(), gradient.clone());
                let options = options.clone();
                drop(black_box(match kind {
                    Kind::Forward => Flex::conv2d(x, weight, None, options),
                    Kind::Input => Flex::conv2d_x_backward(x, weight, gradient, options),
                    Kind::Weight => Flex::conv2d_weight_backward(x, weight, gradient, options),
                }));
            })
        }
        _ => {
            let options = ConvOptions::new(conv.stride, conv.padding, conv.dilation, conv.groups);
            let [x, weight, gradient] = [x, weight, gradient].map(primitive::<5>);
            Box::new(move || {
                let (x, weight, gradient) = (x.clone(), weight.clone(), gradient.clone());
                let options = options.clone();
                drop(black_box(match kind {
                    Kind::Forward => Flex::conv3d(x, weight, None, options),
                    Kind::Input => Flex::conv3d_x_backward(x, weight, gradient, options),
                    Kind::Weight => Flex::conv3d_weight_backward(x, weight, gradient, options),
                }));
            })
        }
    };
    let mut least = [f64::INFINITY; 3];
    for _ in 0..rounds {
        least[0] = least[0].min(time(&*burn));
        least[1] = least[1].min(time(&|| ours(false)));
        if conv.parts_in_tiles(kind).is_some() {
            least[2] = least[2].min(time(&|| ours(true)));
        }
    }
    least
}

type FlexTensor = <Flex as burn::backend::BackendTypes>::FloatTensorPrimitive;

fn random(shape: [usize; 5]) -> Tensor<5> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex())
}

fn primitive<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
    tensor
        .try_into_primitive::<Flex>()
        .expect("a tensor of Flex")
}

/// The time of one run. Short ones are repeated.
fn time(work: &dyn Fn()) -> f64 {
    let start = Instant::now();
    work();
    let first = start.elapsed().as_secs_f64();
    let times = (1e-4 / first) as usize;
    if times < 2 {
        return first * 1e3;
    }
    let start = Instant::now();
    (0..times).for_each(|_| work());
    start.elapsed().as_secs_f64() * 1e3 / times as f64
}
