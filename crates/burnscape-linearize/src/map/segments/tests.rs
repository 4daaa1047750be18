use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Distribution, Tensor};

use crate::map::LinearMap;
use crate::program::{Program, is_kernel};
use crate::rule::tests::plain;
use crate::trace::GradientTrace;

const LAYERS: usize = 16;
const WIDTH: usize = 8;
const EXAMPLES: usize = 64;
/// The memory of the activations of a layer.
const LAYER: u64 = (WIDTH * EXAMPLES * 8) as u64;

#[derive(Module, Debug)]
struct Stack {
    layers: Vec<Linear>,
}

/// The Hessian of a stack of tanh layers with residual connections.
fn stack() -> LinearMap {
    let device = plain().autodiff();
    let layer = |_| LinearConfig::new(WIDTH, WIDTH).init(&device);
    let layers = (0..LAYERS).map(layer).collect();
    let x = Tensor::<2>::random([EXAMPLES, WIDTH], Distribution::Default, &plain());
    let trace = GradientTrace::new(
        Stack { layers },
        plain().settings(),
        |inputs| inputs.float(x.clone()),
        |stack: &Stack, x| {
            let step = |x: Tensor<2>, layer: &Linear| x.clone() + layer.forward(x).tanh();
            stack.layers.iter().fold(x, step).powi_scalar(2).mean()
        },
    );
    let trace = trace.expect("a trace");
    let wrt: Vec<usize> = (0..trace.parameters.len()).collect();
    LinearMap::hessian(&trace, &wrt, plain().settings()).expect("a map")
}

/// Everything that is computed once, followed by everything that is computed for a tangent.
fn in_order(map: &LinearMap) -> Program {
    let operations = [&map.once, &map.each].map(|part| part.operations.clone());
    let mut program = map.whole(1);
    program.operations = operations.concat();
    program.remove_dead();
    program
}

fn num_products(program: &Program) -> usize {
    let operations = program.operations.iter();
    operations.filter(|operation| is_kernel(operation)).count()
}

#[test]
fn demand_and_cheap_copies_lower_the_peak_without_more_products() {
    let map = stack();
    let (before, after) = (in_order(&map), map.whole(1));
    after.validate().expect("an order");
    assert_eq!(num_products(&before), num_products(&after));
    let (before, after) = (before.peak_bytes(), after.peak_bytes());
    println!("{after} of {before}");
    assert!(3 * after < 2 * before, "{after} of {before}");
}

#[test]
fn values_are_without_residuals() {
    let map = stack();
    let values = map.values(1);
    values.validate().expect("a program");
    assert_eq!(values.outputs.len(), 2);
    let (point, values) = (map.once.peak_bytes(), values.peak_bytes());
    assert!(
        values + 2 * LAYERS as u64 * LAYER < point,
        "{values} of {point}"
    );
}

/// The peak falls with the root of the number of layers, and no matrix product of the forward pass is computed more than twice.
#[test]
fn segments_hold_less() {
    let map = stack();
    for of in [LinearMap::whole, LinearMap::values] {
        let whole = of(&map, 1);
        let mut peaks = vec![whole.peak_bytes()];
        for segments in [2, 4, 16] {
            let program = of(&map, segments);
            program.validate().expect("a program");
            let products = [&program, &whole].map(num_products);
            assert!(products[0] > products[1]);
            // Three products of a layer depend on its input, and its tangent.
            assert!(products[0] <= products[1] + 3 * LAYERS, "{products:?}");
            peaks.push(program.peak_bytes());
        }
        println!("{peaks:?}");
        assert!(4 * peaks[2] < 3 * peaks[0], "{peaks:?}");
    }
}
