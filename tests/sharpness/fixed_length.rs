//! Rises along random directions of one length.

use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use burnscape::OutOfRange;
use burnscape::loss::Risk;
use burnscape::sharpness::{AverageSharpnessConfig, SharpnessError};
use burnscape::space::{ParamSpace, ParamVector, Scale, UnfilteredRule};

use super::models::{Point, matrix, quadratic};

#[test]
fn along_random_directions_a_sphere_has_no_spread_and_a_valley_has_its_eigenvalues() {
    let model = Point::new(&[0.0, 0.0]);
    let config = AverageSharpnessConfig::new(2.0)
        .with_fixed_length(true)
        .with_num_samples(300);
    let measure = |h| {
        let data = matrix(h);
        config.run(&Risk::new(&quadratic, &data), &model).unwrap()
    };
    let sphere = measure([[1.0, 0.0], [0.0, 1.0]]);
    assert!((sphere.rise - 2.0).abs() < 1e-12);
    assert!(sphere.standard_error.unwrap() < 1e-12);
    assert_eq!(sphere.displacement_norm, 2.0);
    let valley = measure([[4.0, 0.0], [0.0, 1.0]]);
    // ½ ε² times the eigenvalues bounds the rises, times their mean is the expectation.
    assert!(valley.quantile(0.0).unwrap() >= 2.0 && valley.quantile(1.0).unwrap() <= 8.0);
    assert!((valley.rise - 5.0).abs() < 4.0 * valley.standard_error.unwrap());
    // The rise is 5 + 3 cos 2φ: its median is the mean.
    assert!((valley.quantile(0.5).unwrap() - 5.0).abs() < 1.0);
    assert_eq!(valley.num_losses, 301);
    assert!(matches!(
        valley.quantile(1.5),
        Err(SharpnessError::OutOfRange(OutOfRange { name: "q", .. }))
    ));
}

#[test]
fn relative_directions_are_as_long_as_the_weights() {
    // The loss is ½|w' - w|², so it reads off the squared length of the displacement.
    let device = Device::default();
    let layer = LinearConfig::new(3, 2).with_bias(false).init(&device);
    let space = ParamSpace::of(&layer).unwrap();
    let weights = [3.0, 2.0, 4.0, 0.0, 0.0, 0.0];
    let vector = ParamVector::from_host(&space, &weights).unwrap();
    let layer = vector.apply_to(&layer).unwrap();
    let origin = Tensor::<2>::from_floats([[3.0, 2.0], [4.0, 0.0], [0.0, 0.0]], &device);
    let loss = |model: &Linear, (x, y): (Tensor<2>, Tensor<2>)| {
        (model.forward(x) - y).powi_scalar(2).sum() * 0.5
    };
    let found = AverageSharpnessConfig::new(0.1)
        .with_fixed_length(true)
        .with_scale(Scale::FilterRelative(UnfilteredRule::Zero))
        .with_num_samples(5)
        .run(
            &Risk::new(&loss, &[(Tensor::eye(3, &device), origin)]),
            &layer,
        )
        .unwrap();
    assert!((found.displacement_norm - 0.1 * 29.0_f64.sqrt()).abs() < 1e-6);
    for rise in found.rises {
        assert!((rise - 0.5 * 0.01 * 29.0).abs() < 1e-5, "{rise}");
    }
}
