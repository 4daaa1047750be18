//! How many random directions are enough to learn the digits.

use burn::optim::AdamConfig;
use burn::tensor::Device;
use burnscape::optim::{IntrinsicDimensionConfig, RandomSubspaceConfig};

use super::table::{heading, meaning, table};
use super::trained::{initial, momentum, test_accuracy, trained};
use crate::survey::data::Split;
use crate::{Args, Failure};

const DIMENSIONS: [usize; 6] = [10, 20, 40, 80, 160, 320];
const QUICK_DIMENSIONS: [usize; 2] = [5, 10];

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let device = Device::default().autodiff();
    let split = Split::load(&device)?;
    let (start, parameters) = initial(args.seed, &device)?;
    eprintln!("training in the whole space…");
    let whole = trained(start.clone(), momentum(), &split, args)?;
    let baseline = test_accuracy(&whole, &split)?;
    heading(
        "Intrinsic dimension",
        &format!(
            "The survey's MLP, {} digits. All {parameters} weights are trained to an accuracy of {:.1} % on {} \
             others; then w = w₀ + P z, where P is random and only the d numbers z are trained (by Adam).",
            split.num_train,
            100.0 * baseline,
            split.num_test
        ),
    );
    let dimensions = if args.is_quick() {
        QUICK_DIMENSIONS.to_vec()
    } else {
        DIMENSIONS.to_vec()
    };
    let config = IntrinsicDimensionConfig::new(dimensions, baseline).with_all(true);
    let found = config.run(|dimension| -> Result<f64, Failure> {
        eprintln!("training {dimension} numbers…");
        let subspace = RandomSubspaceConfig::new(dimension).with_seed(args.seed);
        let optimizer = subspace.init(&start, AdamConfig::new().init())?;
        let model = trained(start.clone(), optimizer, &split, args)?;
        test_accuracy(&model, &split)
    })?;
    let rows: Vec<Vec<String>> = found
        .dimensions
        .iter()
        .zip(&found.scores)
        .map(|(dimension, score)| {
            let share = 100.0 * score / baseline;
            vec![
                dimension.to_string(),
                format!("{:.1}", 100.0 * score),
                format!("{share:.0}"),
            ]
        })
        .collect();
    table(&["d", "accuracy %", "% of that of all weights"], &rows);
    let enough = match found.dimension {
        Some(dimension) => {
            format!("{dimension} random directions of {parameters} reach 90 % of the accuracy")
        }
        None => format!(
            "None of these numbers of directions, of {parameters}, reaches 90 % of the accuracy"
        ),
    };
    meaning(&format!(
        "{enough}: the solutions fill so much of the space that a random subspace of this dimension meets them. It \
         depends on the network, the data and the training."
    ));
    Ok(())
}
