//! The permutations of its channels that leave the CNN as it is.

use std::error::Error;

use burn::tensor::{Device, Tensor};
use burnscape::symmetry::SymmetriesConfig;

use super::models::{Classifier, Cnn};

/// The groups, and why every other axis is fixed.
pub(crate) fn table(device: &Device) -> Result<String, Box<dyn Error>> {
    let model = Cnn::new(device);
    let images = Tensor::<3>::ones([2, 8, 8], device);
    let logits = |model: &Cnn, images: &Tensor<3>| model.logits(images.clone());
    let symmetries = SymmetriesConfig::new().run(&logits, &model, images)?;
    Ok(format!(
        "Permutations of the CNN's weights that leave its outputs as they are:\n{symmetries}\n"
    ))
}
