//! Losses of a single point with known minima, saddles and valleys.

use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};

/// A module whose only parameter is a point `w`.
#[derive(Module, Debug)]
pub struct Point {
    /// The coordinates.
    pub w: Param<Tensor<1>>,
}

impl Point {
    /// The point with these coordinates.
    pub fn new(coordinates: &[f64], device: &Device, dtype: DType) -> Self {
        let data = TensorData::new(coordinates.to_vec(), [coordinates.len()]);
        Self {
            w: Param::from_tensor(Tensor::from_data(data, (device, dtype))),
        }
    }

    /// The coordinates on the host.
    ///
    /// # Panics
    ///
    /// If reading the device fails.
    pub fn coordinates(&self) -> Vec<f64> {
        self.w.val().into_data().iter::<f64>().collect()
    }

    fn coordinate(&self, index: usize) -> Tensor<1> {
        self.w.val().slice(index..index + 1)
    }
}

/// `½ Σ dᵢ wᵢ²`: the Hessian is `diag(d)`.
pub fn quadratic(point: &Point, diagonal: &[f64]) -> Tensor<1> {
    let w = point.w.val();
    let data = TensorData::new(diagonal.to_vec(), [diagonal.len()]);
    let diagonal = Tensor::from_data(data, (&w.device(), w.dtype()));
    (w.square() * diagonal).sum() * 0.5
}

/// `w²` for `w ≥ 0` and `4w²` for `w < 0`, summed over the coordinates: a valley with a steep and a flat side. In one
/// dimension, the worst loss within `rho` is smallest at `rho/3`, where it is `(4 rho/3)²`.
pub fn valley(point: &Point) -> Tensor<1> {
    let w = point.w.val();
    let steep = w.clone().clamp_max(0.0).square() * 3.0;
    (w.square() + steep).sum()
}

/// `x²/2 − y²/2 + y⁴/4`: a saddle at the origin, minima of `−¼` at `(0, ±1)` with Hessian
/// `diag(1, 2)`.
pub fn saddle(point: &Point) -> Tensor<1> {
    let x = point.coordinate(0).square();
    let y = point.coordinate(1).square();
    x * 0.5 - y.clone() * 0.5 + y.square() * 0.25
}

/// `(x² + y² − 1)²`: the minima form a ring, with a barrier of height one at its center.
pub fn ring(point: &Point) -> Tensor<1> {
    (point.w.val().square().sum() - 1.0).square()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loss and gradient at a point.
    fn at(coordinates: &[f64], loss: impl Fn(&Point) -> Tensor<1>) -> (f64, Vec<f64>) {
        let device = Device::default().autodiff();
        let point = Point::new(coordinates, &device, DType::F64);
        let loss = loss(&point);
        let gradient = point.w.val().grad(&loss.backward()).unwrap();
        let gradient = gradient.into_data().iter::<f64>().collect();
        (loss.into_data().iter::<f64>().next().unwrap(), gradient)
    }

    #[test]
    fn the_quadratic_has_its_diagonal_as_hessian() {
        let (loss, gradient) = at(&[1.0, -2.0], |p| quadratic(p, &[4.0, 1.0]));
        assert_eq!((loss, gradient), (4.0, vec![4.0, -2.0]));
    }

    #[test]
    fn the_valley_is_steep_on_the_left() {
        assert_eq!(at(&[0.5], valley), (0.25, vec![1.0]));
        assert_eq!(at(&[-0.5], valley), (1.0, vec![-4.0]));
    }

    #[test]
    fn the_saddle_is_stationary_between_two_minima() {
        assert_eq!(at(&[0.0, 0.0], saddle), (0.0, vec![0.0, 0.0]));
        assert_eq!(at(&[0.0, 1.0], saddle), (-0.25, vec![0.0, 0.0]));
        assert_eq!(at(&[1.0, 0.0], saddle), (0.5, vec![1.0, 0.0]));
    }

    #[test]
    fn the_ring_is_flat_along_itself_and_high_inside() {
        assert_eq!(at(&[0.6, 0.8], ring).0, 0.0);
        assert_eq!(at(&[0.0, 0.0], ring), (1.0, vec![0.0, 0.0]));
        assert_eq!(at(&[2.0, 0.0], ring), (9.0, vec![24.0, 0.0]));
    }
}
