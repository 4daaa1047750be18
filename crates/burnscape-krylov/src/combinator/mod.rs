//! Operators made of operators.
//!
//! Each checks its parts at construction, so that a product fails only if a part fails, and multiplies blocks of vectors
//! as blocks. Parts are taken by value; pass `&a` to keep `a`.

mod deflated;
mod inverse;
mod observed;
mod preconditioned;
mod product;
mod restricted;
mod scaled;
mod shifted;
mod stop_flag;
mod sum;
mod symmetric;
mod transposed;

pub use deflated::Deflated;
pub use inverse::Inverse;
pub use observed::Observed;
pub use preconditioned::Preconditioned;
pub use product::Product;
pub use restricted::Restricted;
pub use scaled::Scaled;
pub use shifted::Shifted;
pub use sum::Sum;
pub use symmetric::Symmetric;
pub use transposed::Transposed;
