//! E16: distances between diagrams.

use burnscape_topology::{Death, Diagram, Ground, Level, Order, bottleneck, wasserstein};

fn diagram(points: &[(f64, f64)], essential: &[f64]) -> Diagram {
    let dying = points
        .iter()
        .map(|&(birth, death)| (birth, Death::At(death)));
    let lasting = essential.iter().map(|&birth| (birth, Death::Never));
    Diagram::new(Level::Sub, 0, lasting.chain(dying)).unwrap()
}

/// Bottleneck, W1∞, W2∞, W1₂, W2₂.
fn all(a: &Diagram, b: &Diagram) -> [f64; 5] {
    let w = |order, ground| wasserstein(a, b, order, ground).unwrap().distance;
    [
        bottleneck(a, b).unwrap().distance,
        w(Order::One, Ground::Infinity),
        w(Order::Two, Ground::Infinity),
        w(Order::One, Ground::Euclidean),
        w(Order::Two, Ground::Euclidean),
    ]
}

fn check(a: &Diagram, b: &Diagram, expected: [f64; 5]) {
    for found in [all(a, b), all(b, a)] {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() <= 5e-9, "{found} {expected}");
        }
    }
}

#[test]
fn distances_are_known_for_small_diagrams() {
    let half = std::f64::consts::FRAC_1_SQRT_2;
    let none = diagram(&[], &[]);
    let (a, b) = (
        diagram(&[(0.0, 4.0), (1.0, 2.0)], &[]),
        diagram(&[(0.0, 5.0)], &[]),
    );
    check(
        &a,
        &b,
        [1.0, 1.5, 1.25_f64.sqrt(), 1.0 + half, 1.5_f64.sqrt()],
    );
    assert_eq!(all(&a, &b)[..3], [1.0, 1.5, 1.25_f64.sqrt()]);
    check(
        &diagram(&[(0.0, 10.0)], &[]),
        &none,
        [5.0, 5.0, 5.0, 10.0 * half, 10.0 * half],
    );
    let (a, b) = (diagram(&[(0.0, 1.0)], &[]), diagram(&[(10.0, 11.0)], &[]));
    check(&a, &b, [0.5, 1.0, half, 2.0 * half, 1.0]);
    let a = diagram(&[(0.0, 6.0), (0.0, 5.0)], &[]);
    let b = diagram(&[(1.0, 6.0), (0.0, 4.0), (2.0, 3.0)], &[]);
    check(&a, &b, [1.0, 2.5, 1.5, 2.0 + half, 1.58113883]);
    check(&none, &none, [0.0; 5]);
}

#[test]
fn essential_classes_are_matched_among_themselves() {
    let (a, b) = (diagram(&[(1.0, 2.0)], &[0.0]), diagram(&[], &[0.7]));
    assert_eq!(all(&a, &b)[..2], [0.7, 1.2]);
    let two = diagram(&[], &[0.0, 1.0]);
    assert_eq!(all(&two, &b), [f64::INFINITY; 5]);
    let found = bottleneck(&two, &b).unwrap();
    assert_eq!(found.matching.len(), 2);
    assert_eq!(
        found
            .matching
            .iter()
            .filter(|pair| pair.second.is_none())
            .count(),
        1
    );
}

#[test]
fn classes_that_die_at_infinity_are_matched_among_themselves() {
    let inf = f64::INFINITY;
    let (a, b) = (
        diagram(&[(0.0, inf), (3.0, inf)], &[]),
        diagram(&[(4.0, inf), (0.5, inf)], &[]),
    );
    assert_eq!(bottleneck(&a, &b).unwrap().distance, 1.0);
    assert_eq!(all(&a, &diagram(&[(0.0, inf)], &[])), [inf; 5]);
    // They are no essential classes.
    assert_eq!(
        all(&diagram(&[(0.0, inf)], &[]), &diagram(&[], &[0.0])),
        [inf; 5]
    );
    let low = diagram(&[(-inf, 1.0), (-inf, inf)], &[]);
    assert_eq!(all(&low, &low), [0.0; 5]);
}

#[test]
fn points_on_the_diagonal_change_nothing() {
    let a = diagram(&[(0.0, 4.0), (1.0, 2.0)], &[]);
    let b = diagram(&[(0.0, 5.0)], &[]);
    let with = diagram(&[(0.0, 5.0), (3.0, 3.0), (7.0, 7.0)], &[]);
    assert_eq!(all(&a, &b), all(&a, &with));
    assert_eq!(all(&with, &b), [0.0; 5]);
}

#[test]
fn sizes_do_not_matter() {
    for factor in [1e-300, 1e-160, 1e150, 1e300] {
        let scaled = |points: &[(f64, f64)]| {
            diagram(
                &points
                    .iter()
                    .map(|&(b, d)| (b * factor, d * factor))
                    .collect::<Vec<_>>(),
                &[],
            )
        };
        let found = all(&scaled(&[(0.0, 4.0), (1.0, 2.0)]), &scaled(&[(0.0, 5.0)]));
        for (found, expected) in found.iter().zip([1.0, 1.5, 1.25_f64.sqrt()]) {
            assert!(
                (found / factor - expected).abs() < 1e-12,
                "{found} {expected}"
            );
        }
    }
    let widest = diagram(&[(-f64::MAX, f64::MAX)], &[]);
    assert_eq!(
        bottleneck(&widest, &diagram(&[], &[])).unwrap().distance,
        f64::MAX
    );
    let narrowest = diagram(&[(0.0, 5e-324)], &[]);
    assert!(
        all(&narrowest, &diagram(&[], &[]))
            .iter()
            .all(|found| *found <= 5e-324)
    );
}

#[test]
fn the_matching_has_the_distance() {
    let a = diagram(&[(0.0, 6.0), (0.0, 5.0)], &[]);
    let b = diagram(&[(1.0, 6.0), (0.0, 4.0), (2.0, 3.0)], &[]);
    let found = wasserstein(&a, &b, Order::One, Ground::Infinity).unwrap();
    let ends: Vec<_> = found
        .matching
        .iter()
        .map(|pair| (pair.first, pair.second, pair.cost))
        .collect();
    assert_eq!(
        ends,
        [
            (Some(0), Some(0), 1.0),
            (Some(1), Some(1), 1.0),
            (None, Some(2), 0.5)
        ]
    );
}
