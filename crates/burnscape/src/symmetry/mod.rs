//! Symmetries: changes of a model's weights that leave its function as it is.
//!
//! The units of a hidden layer have no order. Permuting them in the weights before and behind the layer, in biases,
//! normalizations and running statistics at once, changes nothing in the outputs. [`SymmetriesConfig`] finds all
//! permutations of this kind in the recorded forward pass of any model, without a specification, and verifies them.
//!
//! | task | type |
//! |---|---|
//! | find the symmetries of a model | [`SymmetriesConfig`] |
//! | verify symmetries that you know | [`SymmetriesBuilder`] |
//! | see what is permuted, and why an axis is not | [`Symmetries`], with [`Group`], [`Member`] and [`FixedAxis`] |
//! | permute a model; compose and invert permutations | [`Element`] |
//! | factors, signs and changes of basis that leave the outputs | [`Scales`], [`Signs`], [`Gauges`] |
//!
//! # Verification
//!
//! Every result was verified: the outputs of the recorded program at random weights are compared with its outputs at the
//! same weights after a random element, in f64 on the CPU, whatever the device of the model. The weights of the
//! model itself would not do: at zero biases and unit gains, wrong symmetries pass.
//!
//! # What is not found
//!
//! - Permutations of separate modules, for instance of branches in a `Vec`.
//! - Symmetries that act on inputs or outputs, and symmetries of one set of weights only (units that are zero or equal).
//! - Reorderings that the program itself makes, except the identity (flips, gathered shuffles), and axes that two
//!   operations divide in ways that do not nest. [`Symmetries::fixed`] names the operation.
//!
//! # Example
//!
//! ```
//! use burn::module::Module;
//! use burn::nn::{Linear, LinearConfig};
//! use burn::tensor::activation::relu;
//! use burn::tensor::{Device, Tensor};
//! use burnscape::symmetry::SymmetriesConfig;
//!
//! #[derive(Module, Debug)]
//! struct Mlp {
//!     first: Linear,
//!     second: Linear,
//! }
//!
//! let device = Device::default();
//! let model = Mlp {
//!     first: LinearConfig::new(4, 8).init(&device),
//!     second: LinearConfig::new(8, 2).init(&device),
//! };
//! let outputs = |m: &Mlp, x: &Tensor<2>| m.second.forward(relu(m.first.forward(x.clone())));
//! let x = Tensor::<2>::ones([3, 4], &device);
//!
//! let symmetries = SymmetriesConfig::new().run(&outputs, &model, x.clone())?;
//! println!("{symmetries}"); // a table
//! let hidden = &symmetries.groups()[0];
//! assert_eq!((symmetries.groups().len(), hidden.size()), (1, 8));
//! let members: Vec<String> = hidden.members().iter().map(ToString::to_string).collect();
//! assert_eq!(members, ["first.weight axis 1", "first.bias axis 0", "second.weight axis 0"]);
//!
//! let permuted = symmetries.random(1).apply(&model)?;
//! let change = outputs(&permuted, &x) - outputs(&model, &x);
//! assert!(change.abs().max().into_scalar::<f32>() < 1e-5);
//! # Ok::<(), burnscape::symmetry::SymmetryError>(())
//! ```

mod builder;
mod config;
mod dropping;
mod element;
mod error;
mod gather;
mod layout;
mod repair;
mod scaling;
mod specification;
mod symmetries;
mod table;
mod traced;
mod verifier;

pub use builder::SymmetriesBuilder;
pub use config::SymmetriesConfig;
pub use element::Element;
pub use error::SymmetryError;
pub(crate) use layout::{Layout, TensorAxes};
pub use scaling::{
    Gauge, Gauges, GaugesConfig, ScaledMember, Scales, ScalesConfig, Scaling, Signs, SignsConfig,
};
pub use symmetries::{Dropped, FixedAxis, Group, Member, Symmetries};
pub(crate) use traced::{Traced, moved};
pub(crate) use verifier::{flat, host_device};
