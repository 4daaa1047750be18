/// The coefficients of an embedded pair whose last stage is the first one of the next step.
#[derive(Debug)]
pub(super) struct Tableau {
    /// Of each stage between the first and the last: its time as a fraction of the step, and the weights of the stages
    /// before it in its point.
    pub(super) inner: &'static [(f64, &'static [f64])],
    /// The weights of all stages but the last in the solution.
    pub(super) solution: &'static [f64],
    /// The weights of all stages in the solution minus that of the lower order.
    pub(super) error: &'static [f64],
    /// For each stage the coefficients of `θ, θ², …` in its weight at the fraction `θ` of the step.
    dense: &'static [&'static [f64]],
}

impl Tableau {
    /// The weights of all stages at a fraction of the step.
    pub(super) fn weights(&self, share: f64) -> Vec<f64> {
        let weight = |row: &&[f64]| row.iter().rev().fold(0.0_f64, |sum, c| (sum + c) * share);
        self.dense.iter().map(weight).collect()
    }
}

/// Bogacki and Shampine (1989). The dense output is the cubic through both ends with their slopes.
pub(super) static BOGACKI_SHAMPINE: Tableau = Tableau {
    inner: &[(1.0 / 2.0, &[1.0 / 2.0]), (3.0 / 4.0, &[0.0, 3.0 / 4.0])],
    solution: &[2.0 / 9.0, 1.0 / 3.0, 4.0 / 9.0],
    error: &[5.0 / 72.0, -1.0 / 12.0, -1.0 / 9.0, 1.0 / 8.0],
    dense: &[
        &[1.0, -4.0 / 3.0, 5.0 / 9.0],
        &[0.0, 1.0, -2.0 / 3.0],
        &[0.0, 4.0 / 3.0, -8.0 / 9.0],
        &[0.0, -1.0, 1.0],
    ],
};

/// Dormand and Prince (1980). The dense output is that of Shampine (1986), in which the parameter has its best value.
pub(super) static DORMAND_PRINCE: Tableau = Tableau {
    inner: &[
        (1.0 / 5.0, &[1.0 / 5.0]),
        (3.0 / 10.0, &[3.0 / 40.0, 9.0 / 40.0]),
        (4.0 / 5.0, &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0]),
        (
            8.0 / 9.0,
            &[
                19372.0 / 6561.0,
                -25360.0 / 2187.0,
                64448.0 / 6561.0,
                -212.0 / 729.0,
            ],
        ),
        (
            1.0,
            &[
                9017.0 / 3168.0,
                -355.0 / 33.0,
                46732.0 / 5247.0,
                49.0 / 176.0,
                -5103.0 / 18656.0,
            ],
        ),
    ],
    solution: &[
        35.0 / 384.0,
        0.0,
        500.0 / 1113.0,
        125.0 / 192.0,
        -2187.0 / 6784.0,
        11.0 / 84.0,
    ],
    error: &[
        -71.0 / 57600.0,
        0.0,
        71.0 / 16695.0,
        -71.0 / 1920.0,
        17253.0 / 339200.0,
        -22.0 / 525.0,
        1.0 / 40.0,
    ],
    dense: &[
        &[
            1.0,
            -8048581381.0 / 2820520608.0,
            8663915743.0 / 2820520608.0,
            -12715105075.0 / 11282082432.0,
        ],
        &[],
        &[
            0.0,
            131558114200.0 / 32700410799.0,
            -68118460800.0 / 10900136933.0,
            87487479700.0 / 32700410799.0,
        ],
        &[
            0.0,
            -1754552775.0 / 470086768.0,
            14199869525.0 / 1410260304.0,
            -10690763975.0 / 1880347072.0,
        ],
        &[
            0.0,
            127303824393.0 / 49829197408.0,
            -318862633887.0 / 49829197408.0,
            701980252875.0 / 199316789632.0,
        ],
        &[
            0.0,
            -282668133.0 / 205662961.0,
            2019193451.0 / 616988883.0,
            -1453857185.0 / 822651844.0,
        ],
        &[
            0.0,
            40617522.0 / 29380423.0,
            -110615467.0 / 29380423.0,
            69997945.0 / 29380423.0,
        ],
    ],
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RungeKutta;

    const METHODS: [RungeKutta; 2] = [RungeKutta::BogackiShampine, RungeKutta::DormandPrince];

    fn assert_near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-14, "{found} for {expected}");
    }

    /// `Σ wᵢ cᵢᵏ` over the stages.
    fn moment(tableau: &Tableau, weights: &[f64], k: i32) -> f64 {
        let inner = tableau.inner.iter().map(|(node, _)| *node);
        let nodes = [0.0].into_iter().chain(inner).chain([1.0]);
        let terms = weights.iter().zip(nodes);
        terms.map(|(weight, node)| weight * node.powi(k)).sum()
    }

    #[test]
    fn stages_and_weights_have_the_lengths_of_the_method() {
        for method in METHODS {
            let tableau = method.tableau();
            let stages = tableau.inner.len() + 2;
            assert_eq!(method.evaluations_per_step(), stages - 1);
            assert_eq!(tableau.solution.len(), stages - 1);
            assert_eq!(tableau.error.len(), stages);
            assert_eq!(tableau.dense.len(), stages);
            for (index, (node, weights)) in tableau.inner.iter().enumerate() {
                assert_eq!(weights.len(), index + 1);
                assert_near(weights.iter().sum(), *node);
            }
        }
    }

    #[test]
    fn powers_of_time_are_integrated_up_to_the_orders() {
        for method in METHODS {
            let (tableau, order) = (method.tableau(), method.order() as i32);
            let moment = |weights: &[f64], k| moment(tableau, weights, k);
            for k in 0..order {
                assert_near(moment(tableau.solution, k), 1.0 / f64::from(k + 1));
            }
            for k in 0..order - 1 {
                assert_near(moment(tableau.error, k), 0.0);
            }
            // The solution that it is compared with has one order less.
            assert!(moment(tableau.error, order - 1).abs() > 1e-4);
        }
    }

    #[test]
    fn the_dense_output_has_the_values_and_the_slopes_of_both_ends() {
        for method in METHODS {
            let tableau = method.tableau();
            assert!(tableau.weights(0.0).iter().all(|weight| *weight == 0.0));
            let ends = tableau.solution.iter().chain([&0.0]);
            for (found, expected) in tableau.weights(1.0).iter().zip(ends) {
                assert_near(*found, *expected);
            }
            let last = tableau.dense.len() - 1;
            for (stage, row) in tableau.dense.iter().enumerate() {
                let start = row.first().copied().unwrap_or(0.0);
                assert_eq!(start, f64::from(u8::from(stage == 0)));
                let powers = (1..).zip(row.iter());
                let end: f64 = powers.map(|(power, c)| f64::from(power) * c).sum();
                assert_near(end, f64::from(u8::from(stage == last)));
            }
        }
    }
}
