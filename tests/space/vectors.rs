//! The algebra of parameter vectors, in closed form.

use approx::assert_relative_eq;
use burn::module::{Module, Param, ParamGroup};
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Tensor};
use burnscape::space::{
    LeafVector, ParamKind, ParamSpace, ParamVector, SpaceError, UnfilteredRule,
};

#[derive(Module, Debug)]
struct Net {
    conv: Conv2d,
    norm: BatchNorm,
    up: ConvTranspose2d,
    table: Embedding,
    last: Linear,
}

impl Net {
    fn new() -> Self {
        let device = Device::default().autodiff();
        Self {
            conv: Conv2dConfig::new([2, 3], [2, 2]).init(&device),
            norm: BatchNormConfig::new(3).init(&device),
            up: ConvTranspose2dConfig::new([3, 2], [2, 2]).init(&device),
            table: EmbeddingConfig::new(4, 3).init(&device),
            last: LinearConfig::new(3, 2).init(&device),
        }
    }
}

/// A linear layer with weight `[[0, 1], [2, 3], [4, 5]]` and bias `[6, 7]`.
fn counted() -> (Linear, ParamSpace, ParamVector) {
    let layer = LinearConfig::new(3, 2).init(&Device::default().autodiff());
    let space = ParamSpace::of(&layer).unwrap();
    let values: Vec<f64> = (0..8).map(f64::from).collect();
    let vector = ParamVector::from_host(&space, &values).unwrap();
    (vector.apply_to(&layer).unwrap(), space, vector)
}

#[test]
fn a_leaf_is_a_slice_in_visit_order() {
    let (layer, space, vector) = counted();
    let weight = layer.weight.val().inner().into_data();
    assert_eq!(
        weight.iter::<f64>().collect::<Vec<_>>(),
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    );
    let [weight, bias] = space.leaves() else {
        panic!("two leaves");
    };
    assert_eq!(
        (weight.path(), weight.shape(), weight.offset()),
        ("weight", &[3, 2][..], 0)
    );
    assert_eq!(
        (bias.path(), bias.shape(), bias.offset()),
        ("bias", &[2][..], 6)
    );
    let part = vector.leaf(bias).into_data();
    assert_eq!(part.iter::<f64>().collect::<Vec<_>>(), [6.0, 7.0]);
}

#[test]
fn axpy_scale_and_times_are_coordinate_wise() {
    let (_, space, x) = counted();
    let y = ParamVector::from_host(&space, &[1.0; 8]).unwrap();
    let z = y.clone().axpy(-0.5, &x).unwrap().scale(4.0);
    assert_eq!(
        z.to_host().unwrap(),
        [4.0, 2.0, 0.0, -2.0, -4.0, -6.0, -8.0, -10.0]
    );
    let squares = x.clone().hadamard(&x).unwrap();
    assert_eq!(
        squares.to_host().unwrap(),
        [0.0, 1.0, 4.0, 9.0, 16.0, 25.0, 36.0, 49.0]
    );
    assert_eq!(x.dot(&y).unwrap(), 28.0);
    assert_eq!(x.norm().unwrap(), 140.0_f64.sqrt());
    assert_eq!(x.leaf_norms().unwrap(), [55.0_f64.sqrt(), 85.0_f64.sqrt()]);

    let (x, y) = (x.to_leaves(), y.to_leaves());
    let sum = ParamVector::from_leaves(&x.axpby(2.0, -1.0, &y).unwrap()).unwrap();
    assert_eq!(
        sum.to_host().unwrap(),
        [-1.0, 1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0]
    );
    let product = ParamVector::from_leaves(&x.hadamard(&x).unwrap()).unwrap();
    assert_eq!(product.to_host().unwrap(), squares.to_host().unwrap());
    assert_eq!(x.dot(&y).unwrap(), 28.0);
}

#[derive(Module, Debug)]
struct Two {
    a: Param<Tensor<1>>,
    b: Param<Tensor<1>>,
}

#[test]
fn sums_across_leaves_are_in_f64() {
    let device = Device::default();
    let model = Two {
        a: Param::from_tensor(Tensor::from_floats([4096.0], &device)),
        b: Param::from_tensor(Tensor::from_floats([1.0], &device)),
    };
    let space = ParamSpace::of(&model).unwrap();
    let vector = ParamVector::from_module(&space, &model).unwrap();
    // 2²⁴ + 1 is the first integer that f32 cannot hold.
    assert_eq!(vector.dot(&vector).unwrap(), 16_777_217.0);
    assert_eq!(vector.to_leaves().norm().unwrap(), 16_777_217.0_f64.sqrt());
}

#[test]
fn an_absent_leaf_is_zero() {
    let (layer, space, x) = counted();
    let zero = LeafVector::zeros(&space);
    assert_eq!(zero.num_absent(), 2);
    assert_eq!(zero.norm().unwrap(), 0.0);
    let x = x.to_leaves();
    let weight_only = x
        .clone()
        .map(|leaf, value| (leaf.path() == "weight").then_some(value));
    assert_eq!(weight_only.num_absent(), 1);
    assert_eq!(x.dot(&weight_only).unwrap(), 55.0);
    let sum = weight_only.axpby(1.0, 2.0, &x).unwrap();
    let sum = ParamVector::from_leaves(&sum).unwrap();
    assert_eq!(
        sum.to_host().unwrap(),
        [0.0, 3.0, 6.0, 9.0, 12.0, 15.0, 12.0, 14.0]
    );
    let moved = weight_only.perturb(&layer, -1.0).unwrap();
    let moved = ParamVector::from_module(&space, &moved).unwrap();
    assert_eq!(
        moved.to_host().unwrap(),
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 6.0, 7.0]
    );
    assert_eq!(weight_only.into_gradients().len(), 1);
}

#[test]
fn several_products_and_a_loss_come_in_one_call() {
    let (_, space, x) = counted();
    let (x, zero) = (x.to_leaves(), LeafVector::zeros(&space));
    let loss = Tensor::<1>::from_floats([2.5], &Device::default());
    let (dots, losses) = LeafVector::dots(&[(&x, &x), (&zero, &x), (&x, &x)], &[loss]).unwrap();
    assert_eq!(dots, [140.0, 0.0, 140.0]);
    assert_eq!(losses, [2.5]);
}

#[test]
fn filters_are_output_units() {
    let (_, _, vector) = counted();
    // Columns of a linear weight, then the bias as one.
    let expected = [
        vec![20.0_f64.sqrt(), 35.0_f64.sqrt()],
        vec![85.0_f64.sqrt()],
    ];
    for (norms, expected) in vector.filter_norms().unwrap().iter().zip(&expected) {
        for (norm, expected) in norms.iter().zip(expected) {
            assert_relative_eq!(*norm, *expected, max_relative = 1e-6);
        }
    }
    let net = Net::new();
    let space = ParamSpace::of(&net).unwrap();
    let ones = ParamVector::from_host(&space, &vec![1.0; space.len()]).unwrap();
    let norms = ones.filter_norms().unwrap();
    for (leaf, norms) in space.leaves().iter().zip(norms) {
        // The number of filters, and the number of weights in each.
        let (count, size): (usize, f64) = match leaf.path() {
            "conv.weight" => (3, 8.0),
            "up.weight" => (2, 12.0),
            "table.weight" => (4, 3.0),
            "last.weight" => (2, 3.0),
            _ => (1, leaf.len() as f64),
        };
        assert_eq!(norms.len(), count, "{}", leaf.path());
        for norm in norms {
            assert_relative_eq!(norm, size.sqrt(), max_relative = 1e-6);
        }
    }
}

#[test]
fn a_filter_normalized_direction_has_the_filter_norms_of_the_weights() {
    let net = Net::new();
    let space = ParamSpace::of(&net).unwrap();
    let weights = ParamVector::from_module(&space, &net).unwrap();
    let direction = ParamVector::gaussian(&space, 5).unwrap();
    let wanted = weights.filter_norms().unwrap();
    let before = direction.clone();
    for rule in [
        UnfilteredRule::Zero,
        UnfilteredRule::AsOneFilter,
        UnfilteredRule::Keep,
    ] {
        let normalized = direction.clone().filter_normalize(&weights, rule).unwrap();
        let norms = normalized.filter_norms().unwrap();
        for ((leaf, norms), wanted) in space.leaves().iter().zip(&norms).zip(&wanted) {
            let has_filters = leaf.kind() == ParamKind::Weight;
            let part = |v: &ParamVector| v.leaf(leaf).into_data().iter::<f64>().collect::<Vec<_>>();
            match (has_filters, rule) {
                (false, UnfilteredRule::Zero) => {
                    assert!(part(&normalized).iter().all(|&value| value == 0.0));
                }
                (false, UnfilteredRule::Keep) => assert_eq!(part(&normalized), part(&before)),
                _ => {
                    for (norm, wanted) in norms.iter().zip(wanted) {
                        assert_relative_eq!(*norm, *wanted, max_relative = 1e-5);
                    }
                }
            }
        }
        // Filters keep their direction: the first column of the linear weight by hand.
        let leaf = space
            .leaves()
            .iter()
            .find(|leaf| leaf.path() == "last.weight")
            .unwrap();
        let column = |v: &ParamVector| {
            let data = v.leaf(leaf).into_data();
            data.iter::<f64>().step_by(2).collect::<Vec<_>>()
        };
        let (d, w, found) = (column(&before), column(&weights), column(&normalized));
        let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
        for (d_i, found) in d.iter().zip(&found) {
            assert_relative_eq!(d_i * norm(&w) / norm(&d), *found, max_relative = 1e-5);
        }
    }
}

#[test]
fn a_filter_of_norm_zero_stays_zero() {
    let (_, space, weights) = counted();
    // The first column of the direction, and the second of the weights, are zero.
    let direction = [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0];
    let direction = ParamVector::from_host(&space, &direction).unwrap();
    let dead = ParamVector::from_host(&space, &[1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0]).unwrap();
    let rule = UnfilteredRule::Zero;
    let one = direction.clone().filter_normalize(&dead, rule).unwrap();
    assert_eq!(one.to_host().unwrap(), [0.0; 8]);
    let other = direction
        .filter_normalize(&weights, rule)
        .unwrap()
        .to_host()
        .unwrap();
    assert_eq!((other[0], other[2], other[4]), (0.0, 0.0, 0.0));
    assert_relative_eq!(other[1], (35.0_f64 / 3.0).sqrt(), max_relative = 1e-6);
}

#[test]
fn one_seed_gives_one_direction() {
    let net = Net::new();
    let space = ParamSpace::of(&net).unwrap();
    type Draw = fn(&ParamSpace, u64) -> Result<ParamVector, SpaceError>;
    let draws: [Draw; 4] = [
        ParamVector::gaussian,
        ParamVector::rademacher,
        ParamVector::sphere,
        ParamVector::ball,
    ];
    for draw in draws {
        let first = draw(&space, 1).unwrap().to_host().unwrap();
        assert_eq!(draw(&space, 1).unwrap().to_host().unwrap(), first);
        assert_ne!(draw(&space, 2).unwrap().to_host().unwrap(), first);
    }
}

#[test]
fn directions_have_the_distribution_they_are_named_after() {
    let layer = LinearConfig::new(100, 100).init(&Device::default());
    let space = ParamSpace::of(&layer).unwrap();
    let n = space.len() as f64;
    let gaussian = ParamVector::gaussian(&space, 11)
        .unwrap()
        .to_host()
        .unwrap();
    let moment = |power: i32| gaussian.iter().map(|x| x.powi(power)).sum::<f64>() / n;
    // Five standard errors: √(1, 2, 15, 96) / √10100 · 5.
    for (power, expected, error) in [
        (1, 0.0, 0.05),
        (2, 1.0, 0.071),
        (3, 0.0, 0.2),
        (4, 3.0, 0.5),
    ] {
        assert!(
            (moment(power) - expected).abs() < error,
            "moment {power}: {}",
            moment(power)
        );
    }
    let signs = ParamVector::rademacher(&space, 11)
        .unwrap()
        .to_host()
        .unwrap();
    assert!(signs.iter().all(|&sign| sign == 1.0 || sign == -1.0));
    assert!((signs.iter().sum::<f64>() / n).abs() < 0.05);
    for seed in 0..5 {
        let sphere = ParamVector::sphere(&space, seed).unwrap();
        assert_relative_eq!(sphere.norm().unwrap(), 1.0, max_relative = 1e-5);
    }
}

#[test]
fn the_ball_is_filled_evenly() {
    let device = Device::default();
    let model = Param::from_tensor(Tensor::<1>::zeros([2], &device));
    let space = ParamSpace::of(&model).unwrap();
    let radii: Vec<f64> = (0..400)
        .map(|seed| ParamVector::ball(&space, seed).unwrap().norm().unwrap())
        .collect();
    assert!(radii.iter().all(|&radius| radius <= 1.0 + 1e-6));
    // In the plane a quarter of the area lies within half the radius: 100 ± 4 · √75.
    let inner = radii.iter().filter(|&&radius| radius < 0.5).count();
    assert!((65..=135).contains(&inner), "{inner}");
}

#[test]
fn orthogonalization_removes_every_component_of_the_basis() {
    let net = Net::new();
    let space = ParamSpace::of(&net).unwrap();
    let draw = |seed| ParamVector::gaussian(&space, seed).unwrap();
    let first = draw(1).scale(30.0);
    let second = draw(2).orthogonalize(std::slice::from_ref(&first)).unwrap();
    let basis = [first, second];
    // Nearly in the span of the basis: the case that one pass does not survive.
    let vector = basis[0]
        .clone()
        .axpy(-2.0, &basis[1])
        .unwrap()
        .axpy(1e-4, &draw(3))
        .unwrap();
    let rest = vector.orthogonalize(&basis).unwrap();
    let norm = rest.norm().unwrap();
    assert!(norm > 0.0);
    for direction in &basis {
        let cosine = rest.dot(direction).unwrap() / norm / direction.norm().unwrap();
        assert!(cosine.abs() < 1e-5, "{cosine}");
    }
    let (_, small, x) = counted();
    let axis = ParamVector::from_host(&small, &[0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]).unwrap();
    let rest = x.orthogonalize(&[axis]).unwrap();
    assert_eq!(
        rest.to_host().unwrap(),
        [0.0, 0.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    );
}

#[test]
fn a_zero_vector_has_no_direction() {
    let (_, space, x) = counted();
    let zero = ParamVector::zeros(&space).unwrap();
    let refusal = Err(SpaceError::NoDirection { norm: 0.0 });
    assert_eq!(zero.clone().normalize().map(|_| ()), refusal);
    assert_eq!(x.clone().orthogonalize(&[zero]).map(|_| ()), refusal);
    let nan = x.scale(f64::NAN).normalize().unwrap_err();
    assert!(matches!(nan, SpaceError::NoDirection { norm } if norm.is_nan()));
}

#[test]
fn gradients_go_in_and_out_unchanged_and_drive_an_optimizer() {
    let (layer, space, x) = counted();
    let gradients = x.clone().into_gradients();
    assert_eq!(gradients.get::<2>(layer.weight.id).unwrap().dims(), [3, 2]);
    let again = ParamVector::from_gradients(&space, &gradients).unwrap();
    assert_eq!(again.to_host().unwrap(), x.to_host().unwrap());
    let mut optimizer: ModuleOptimizer = SgdConfig::new().init();
    let moved = optimizer.step(0.5, layer, gradients);
    let moved = ParamVector::from_module(&space, &moved).unwrap();
    assert_eq!(moved.to_host().unwrap(), x.scale(0.5).to_host().unwrap());
}

#[test]
fn gradients_that_do_not_fit_are_refused() {
    let (layer, space, _) = counted();
    let none = ParamVector::from_gradients(&space, &GradientsParams::new()).unwrap_err();
    assert_eq!(none, SpaceError::NoGradients { parameters: 2 });
    let mut gradients = GradientsParams::new();
    gradients.register(
        layer.weight.id,
        Tensor::<2>::zeros([2, 3], &Device::default()),
    );
    let error = ParamVector::from_gradients(&space, &gradients).unwrap_err();
    let expected = SpaceError::GradientShape {
        path: "weight".to_string(),
        expected: vec![3, 2],
        found: vec![2, 3],
    };
    assert_eq!(error, expected);
}

#[test]
fn a_missing_gradient_counts_as_zero() {
    let (layer, space, _) = counted();
    let loss = layer.weight.val().sum();
    let gradients = GradientsParams::from_grads(loss.backward(), &layer);
    let gradient = LeafVector::from_gradients(&space, &gradients).unwrap();
    assert_eq!(gradient.num_absent(), 1);
    let flat = ParamVector::from_leaves(&gradient).unwrap();
    assert_eq!(
        flat.to_host().unwrap(),
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    );
}

#[test]
fn vectors_of_different_spaces_do_not_combine() {
    let (_, _, x) = counted();
    let wide = LinearConfig::new(4, 2).init(&Device::default());
    let space = ParamSpace::of(&wide).unwrap();
    let y = ParamVector::zeros(&space).unwrap();
    let error = x.dot(&y).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("`weight` [3, 2]") && message.contains("`weight` [4, 2]"),
        "{message}"
    );
    assert!(matches!(
        x.clone().axpy(1.0, &y),
        Err(SpaceError::DifferentSpaces { .. })
    ));
    assert!(matches!(
        x.clone().hadamard(&y),
        Err(SpaceError::DifferentSpaces { .. })
    ));
    let rule = UnfilteredRule::Zero;
    assert!(matches!(
        x.filter_normalize(&y, rule),
        Err(SpaceError::DifferentSpaces { .. })
    ));
    let net = Net::new();
    assert!(matches!(
        y.apply_to(&net),
        Err(SpaceError::DifferentSpaces { .. })
    ));
    let wrong = SpaceError::WrongLength {
        expected: 10,
        found: 3,
    };
    assert_eq!(
        ParamVector::from_host(&space, &[0.0; 3]).map(|_| ()),
        Err(wrong.clone())
    );
    let tensor = Tensor::zeros([3], &Device::default());
    assert_eq!(
        ParamVector::from_values(&space, tensor).map(|_| ()),
        Err(wrong)
    );
}

#[test]
fn a_group_is_a_subspace() {
    let net = Net::new();
    let weights = ParamGroup::all().exclude(ParamGroup::from_predicate("bias"));
    let space = ParamSpace::of_group(&net, &weights).unwrap();
    let paths: Vec<_> = space.leaves().iter().map(|leaf| leaf.path()).collect();
    let expected = [
        "conv.weight",
        "norm.gamma",
        "norm.beta",
        "up.weight",
        "table.weight",
        "last.weight",
    ];
    assert_eq!(paths, expected);
    let moved = ParamVector::rademacher(&space, 1)
        .unwrap()
        .perturb(&net, 1.0)
        .unwrap();
    let bias = |net: &Net| net.last.bias.as_ref().unwrap().val().into_data();
    assert_eq!(bias(&moved), bias(&net));
    assert_ne!(
        moved.last.weight.val().into_data(),
        net.last.weight.val().into_data()
    );

    let error = ParamSpace::of_group(&net, &ParamGroup::from_predicate("encoder")).unwrap_err();
    let expected = SpaceError::EmptyGroup {
        available: 9,
        example: "conv.weight".to_string(),
    };
    assert_eq!(error, expected);
}

#[test]
fn a_displacement_of_zero_changes_no_bit() {
    let net = Net::new();
    let space = ParamSpace::of(&net).unwrap();
    let weights = ParamVector::from_module(&space, &net).unwrap();
    let direction = ParamVector::gaussian(&space, 1).unwrap();
    for moved in [
        direction.perturb(&net, 0.0).unwrap(),
        weights.apply_to(&net).unwrap(),
    ] {
        let values = ParamVector::from_module(&space, &moved).unwrap();
        assert_eq!(values.values().to_data(), weights.values().to_data());
    }
}
