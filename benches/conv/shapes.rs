use burnscape::linearize::Conv;

/// A convolution of square images with a square kernel.
fn square(
    [batch, inputs, size, outputs]: [usize; 4],
    kernel: usize,
    stride: usize,
    padding: usize,
) -> Conv {
    let output = (size + 2 * padding - kernel) / stride + 1;
    Conv {
        batch,
        groups: 1,
        inputs,
        outputs,
        input: [1, size, size],
        kernel: [1, kernel, kernel],
        output: [1, output, output],
        stride: [1, stride, stride],
        padding: [0, padding, padding],
        dilation: [1; 3],
    }
}

/// The shapes that are printed, with their names.
pub(crate) fn table() -> Vec<(String, Conv)> {
    let squares = [
        ([128, 1, 28, 8], 3, 1, 0),
        ([128, 8, 13, 16], 3, 1, 0),
        ([64, 1, 8, 8], 3, 1, 1),
        ([64, 8, 4, 16], 3, 1, 1),
        ([16, 3, 32, 64], 3, 1, 1),
        ([16, 64, 32, 64], 3, 1, 1),
        ([16, 64, 32, 128], 3, 2, 1),
        ([16, 64, 32, 128], 1, 2, 0),
        ([16, 128, 16, 128], 3, 1, 1),
        ([16, 256, 8, 256], 3, 1, 1),
        ([16, 512, 4, 512], 3, 1, 1),
        ([32, 64, 16, 64], 3, 1, 1),
        ([32, 3, 32, 16], 5, 1, 2),
        ([32, 16, 28, 32], 5, 1, 0),
        ([8, 3, 64, 32], 7, 2, 3),
        ([32, 128, 8, 128], 1, 1, 0),
    ];
    let named = squares.into_iter().map(|(sizes, kernel, stride, padding)| {
        let [batch, inputs, size, outputs] = sizes;
        let name = format!(
            "{batch}x{inputs}x{size}² to {outputs}, {kernel}², stride {stride}, pad {padding}"
        );
        (name, square(sizes, kernel, stride, padding))
    });
    let mut all: Vec<_> = named.collect();
    let mut depthwise = square([16, 32, 32, 32], 3, 1, 1);
    depthwise.groups = 32;
    all.push(("16x32x32² to 32, 3², 32 groups".into(), depthwise));
    let mut grouped = square([16, 64, 16, 64], 3, 1, 1);
    grouped.groups = 4;
    all.push(("16x64x16² to 64, 3², 4 groups".into(), grouped));
    let mut line = square([64, 16, 1, 32], 1, 1, 0);
    (
        line.input[2],
        line.kernel[2],
        line.output[2],
        line.padding[2],
    ) = (128, 5, 128, 2);
    all.push(("64x16x128 to 32, 5, pad 2".into(), line));
    let mut cube = square([8, 8, 12, 16], 3, 1, 1);
    (
        cube.input[0],
        cube.kernel[0],
        cube.output[0],
        cube.padding[0],
    ) = (12, 3, 12, 1);
    all.push(("8x8x12³ to 16, 3³, pad 1".into(), cube));
    all
}

/// The shapes that the model is fitted to: channels, sizes, kernels and batches in all combinations that take no
/// more than a few milliseconds.
pub(crate) fn grid() -> Vec<Conv> {
    let mut all = Vec::new();
    for batch in [1, 8, 64] {
        for size in [4, 8, 14, 28] {
            for (inputs, outputs) in [
                (1, 8),
                (3, 16),
                (8, 16),
                (16, 64),
                (64, 64),
                (128, 32),
                (256, 256),
            ] {
                for (kernel, stride) in [(1, 1), (3, 1), (3, 2), (5, 1)] {
                    if kernel <= size {
                        all.push(square(
                            [batch, inputs, size, outputs],
                            kernel,
                            stride,
                            kernel / 2,
                        ));
                    }
                }
            }
        }
    }
    for groups in [4, 16] {
        for size in [8, 16] {
            let mut grouped = square([16, 16, size, 16], 3, 1, 1);
            grouped.groups = groups;
            all.push(grouped);
        }
    }
    let products = |conv: &Conv| conv.output_len() * conv.weight_len() / conv.outputs;
    all.retain(|conv| products(conv) < 60_000_000);
    all
}
