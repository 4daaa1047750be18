//! Operators made of operators.
//!
//! Each checks its parts when it is made, so that a product can only fail where the parts fail.
//! Each passes blocks of vectors on as blocks. Parts are taken by value; give `&a` to keep `a`.

mod counted;
mod deflated;
mod inverse;
mod observed;
mod product;
mod restricted;
mod scaled;
mod shifted;
mod stop_flag;
mod sum;
mod symmetric;
mod transposed;

pub use counted::Counted;
pub use deflated::Deflated;
pub use inverse::{Inverse, Solver};
pub use observed::Observed;
pub use product::Product;
pub use restricted::Restricted;
pub use scaled::Scaled;
pub use shifted::Shifted;
pub use sum::Sum;
pub use symmetric::Symmetric;
pub use transposed::Transposed;

use crate::KrylovFault;

fn finite(name: &'static str, value: f64) -> Result<f64, KrylovFault> {
    if !value.is_finite() {
        return Err(KrylovFault::NonFiniteArgument { name, value });
    }
    Ok(value)
}
