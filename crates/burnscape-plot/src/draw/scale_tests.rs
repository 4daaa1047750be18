use super::*;

fn labels(scale: &Scale, most: usize) -> Vec<String> {
    scale
        .ticks(most)
        .major
        .into_iter()
        .map(|tick| tick.1)
        .collect()
}

fn of(kind: AxisScale, values: &[f64]) -> Scale {
    Scale::of(kind, values.iter().copied()).unwrap()
}

#[test]
fn linear_ticks_are_round() {
    let scale = of(AxisScale::Linear, &[-1.0, 1.0]);
    assert_eq!(labels(&scale, 4), ["−1.0", "−0.5", "0.0", "0.5", "1.0"]);
    assert_eq!(scale.place(0.0), Some(0.5));
    let scale = of(AxisScale::Linear, &[0.0, 200.0]);
    assert_eq!(labels(&scale, 5), ["0", "50", "100", "150", "200"]);
}

#[test]
fn logarithmic_ticks_are_powers() {
    let scale = of(AxisScale::Log, &[0.001, 10.0, f64::NAN, -1.0, 0.0]);
    assert_eq!(
        labels(&scale, 6),
        ["0.001", "0.010", "0.100", "1", "10"].map(|t| match t {
            "0.010" => "0.01",
            "0.100" => "0.1",
            other => other,
        })
    );
    assert_eq!(scale.place(0.0), None);
    assert_eq!(scale.place(f64::INFINITY), None);
    let scale = of(AxisScale::Log, &[1e-9, 1.0]);
    assert_eq!(labels(&scale, 5), ["10⁻⁸", "10⁻⁶", "10⁻⁴", "10⁻²", "10⁰"]);
    let scale = of(AxisScale::Log, &[0.8, 6.0]);
    assert_eq!(labels(&scale, 6), ["1", "2", "3", "5"]);
    let scale = of(AxisScale::Log, &[2.30, 2.31]);
    assert!(labels(&scale, 6).len() >= 3, "{:?}", labels(&scale, 6));
}

#[test]
fn extreme_numbers_have_places() {
    for kind in [AxisScale::Linear, AxisScale::Log] {
        for values in [
            vec![f64::MIN, f64::MAX],
            vec![f64::MAX],
            vec![5e-324],
            vec![5e-324, 1e-310],
            vec![0.0],
            vec![1e9, 1e9 + 1e-3],
            vec![-1e308, -1e308 * (1.0 + 1e-9)],
            vec![5e-324, f64::MAX],
            vec![1.0, 1.0 + f64::EPSILON],
        ] {
            let Some(scale) = Scale::of(kind, values.iter().copied()) else {
                continue;
            };
            for value in &values {
                let place = scale.place(*value);
                assert!(
                    kind == AxisScale::Log
                        || place.is_some_and(|p| (-1e-9..=1.0 + 1e-9).contains(&p)),
                    "{value} at {place:?} of {scale:?}"
                );
            }
            let ticks = scale.clone().padded(0.05, 0.05).ticks(5).major;
            assert!(
                (1..14).contains(&ticks.len()),
                "{kind:?} {values:?}: {ticks:?}"
            );
            let mut texts: Vec<_> = ticks.iter().map(|tick| &tick.1).collect();
            texts.dedup();
            assert_eq!(texts.len(), ticks.len(), "{ticks:?}");
            assert!(
                scale
                    .levels(12)
                    .iter()
                    .all(|level| (0.0..=1.0).contains(level))
            );
        }
    }
}

#[test]
fn factors_make_numbers_short() {
    assert_eq!(of(AxisScale::Linear, &[0.0, 3e-5]).factor(), " (×10⁻⁵)");
    assert_eq!(of(AxisScale::Linear, &[0.0, 3.0]).factor(), "");
    let far = of(AxisScale::Linear, &[1_000_000.0, 1_000_000.5]);
    assert_eq!(far.factor(), " − 1000000.0");
}
