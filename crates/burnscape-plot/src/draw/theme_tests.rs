use super::*;

/// Machado, Oliveira and Fernandes 2009, *A Physiologically-based Model for Simulation of Color Vision Deficiency*,
/// severity 1, on linear RGB.
const DEFICIENCIES: [[[f64; 3]; 3]; 4] = [
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    // Protanopia
    [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    // Deuteranopia
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    // Tritanopia
    [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
];

fn linear(color: Color) -> [f64; 3] {
    color.map(|c| {
        let c = f64::from(c) / 255.0;
        if c <= 0.04045 {
            c / 12.92
        } else {
            ((c + 0.055) / 1.055).powf(2.4)
        }
    })
}

fn times(matrix: &[[f64; 3]; 3], v: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|i| (0..3).map(|j| matrix[i][j] * v[j]).sum())
}

/// CIE 1976 L*a*b* for the white of D65.
fn lab(rgb: [f64; 3]) -> [f64; 3] {
    let xyz = times(
        &[
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ],
        rgb,
    );
    let f = |t: f64| {
        if t > 216.0 / 24389.0 {
            t.cbrt()
        } else {
            (24389.0 / 27.0 * t + 16.0) / 116.0
        }
    };
    let [x, y, z] = [f(xyz[0] / 0.95047), f(xyz[1]), f(xyz[2] / 1.08883)];
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// WCAG 2.2.
fn contrast(a: Color, b: Color) -> f64 {
    let luminance = |c| {
        let [r, g, b] = linear(c);
        0.2126 * r + 0.7152 * g + 0.0722 * b
    };
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn black_on_white_has_the_largest_contrast() {
    assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 1e-12);
}

#[test]
fn text_and_lines_stand_out() {
    for theme in [&LIGHT, &DARK] {
        for text in [theme.ink, theme.secondary, theme.warning] {
            assert!(contrast(text, theme.ground) >= 4.5, "{text:?}");
        }
        // Labels stand on shaded regions as well.
        for text in [theme.ink, theme.secondary] {
            assert!(contrast(text, theme.grid) >= 4.5, "{text:?}");
        }
        for line in theme.series.iter().chain([&theme.axis]) {
            assert!(contrast(*line, theme.ground) >= 3.0, "{line:?}");
        }
    }
}

#[test]
fn curves_remain_apart_for_the_color_blind() {
    for theme in [&LIGHT, &DARK] {
        for matrix in &DEFICIENCIES {
            let seen = theme
                .series
                .map(|c| lab(times(matrix, linear(c)).map(|v| v.clamp(0.0, 1.0))));
            for (i, a) in seen.iter().enumerate() {
                for b in &seen[..i] {
                    let distance = (0..3).map(|k| (a[k] - b[k]).powi(2)).sum::<f64>().sqrt();
                    assert!(distance >= 20.0, "{distance} in {theme:?}");
                }
            }
        }
    }
}

#[test]
fn no_two_curves_look_alike() {
    let looks: std::collections::BTreeSet<_> = (0..36)
        .map(|i| (LIGHT.series(i), format!("{:?}", dash(i))))
        .collect();
    assert_eq!(looks.len(), 36);
    // Nor do the first ones in black and white.
    assert_eq!(
        (0..6)
            .map(|i| format!("{:?}", dash(i)))
            .collect::<std::collections::BTreeSet<_>>()
            .len(),
        6
    );
}

#[test]
fn values_get_lighter() {
    let lightness: Vec<f64> = (0..=20)
        .map(|i| lab(linear(value_color(f64::from(i) / 20.0)))[0])
        .collect();
    assert!(lightness.windows(2).all(|w| w[0] < w[1]));
    // What has no value is gray, which no value is.
    for theme in [&LIGHT, &DARK] {
        let gray = lab(linear(theme.gray));
        for i in 0..=50 {
            let value = lab(linear(value_color(f64::from(i) / 50.0)));
            let distance = (0..3)
                .map(|k| (gray[k] - value[k]).powi(2))
                .sum::<f64>()
                .sqrt();
            assert!(distance >= 15.0, "{distance}");
        }
    }
}
