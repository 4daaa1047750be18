//! Every result goes through JSON and back: without its vectors, with numbers that are not finite.

use crate::spectra::Diagonal;
use burnscape_krylov::{
    Axis, DensityConfig, DensityCurve, DiagonalConfig, DiagonalEstimate, Eigenpairs,
    EigenpairsConfig, Estimate, KrylovFault, LanczosFactorization, LineFit, Overlap, OverlapConfig,
    Quadrature, RankCorrelation, Solution, SolveConfig, SpectralDensity, TraceConfig,
    TraceEstimate, TrustRegionConfig, TrustRegionSolution, Which,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn squares() -> Diagonal {
    Diagonal((0..40).map(|i| f64::from(i).powi(2)).collect())
}

fn through_json<T: Serialize, R: DeserializeOwned>(value: &T) -> R {
    let text = serde_json::to_string(value).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// Text that is read is written as before: all that is in the JSON is read.
fn is_kept<T: Serialize, R: Serialize + DeserializeOwned>(value: &T) {
    let text = serde_json::to_string(value).unwrap();
    let again: R = through_json(value);
    // Twice: the parser may round the last digit once.
    let (once, twice): (R, R) = (through_json(&again), through_json(&again));
    assert_eq!(
        serde_json::to_string(&once).unwrap(),
        serde_json::to_string(&twice).unwrap()
    );
    let fields = |text: &str| {
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        let fields = value.as_object().unwrap();
        fields.keys().cloned().collect::<Vec<String>>()
    };
    assert_eq!(
        fields(&text),
        fields(&serde_json::to_string(&again).unwrap())
    );
}

#[test]
fn results_without_vectors_come_back() {
    let a = squares();
    let density = DensityConfig::new().with_num_probes(2).with_steps(5);
    let density = density.run(&a).unwrap();
    is_kept::<_, SpectralDensity>(&density);
    is_kept::<_, DensityCurve>(&density.curve(Axis::Linear, 9, None).unwrap());
    is_kept::<_, Quadrature>(&density.measure());
    is_kept::<_, burnscape_krylov::Bracket>(&density.fraction_below(9.0));
    let record = LanczosFactorization::from_random(&a, 6, 0).unwrap();
    is_kept::<_, burnscape_krylov::LanczosCheckpoint>(&record.checkpoint().unwrap());
    is_kept::<_, burnscape_krylov::EigenvalueCount>(&record.count_in(1.0..));
    let trace = TraceConfig::new().run(&a).unwrap();
    assert_eq!(through_json::<_, TraceEstimate>(&trace), trace);
    let overlap = OverlapConfig::new().run(&a, &Diagonal(vec![1.0; 40]));
    is_kept::<_, Overlap>(&overlap.unwrap());
    let pairs = [(1.0, 2.5), (2.0, 2.0), (4.0, 4.0), (5.0, 4.5)];
    let ranks = RankCorrelation::of_grid(&[pairs; 3], 20, 0).unwrap();
    is_kept::<_, RankCorrelation>(&ranks);
    is_kept::<_, LineFit>(&LineFit::of(&pairs).unwrap());
}

#[test]
fn vectors_are_not_in_the_json() {
    let (a, b) = (squares(), vec![1.0; 40]);
    let pairs = EigenpairsConfig::new(2, Which::Largest).run(&a).unwrap();
    is_kept::<_, Eigenpairs<Vec<f64>>>(&pairs);
    let read: Eigenpairs<Vec<f64>> = through_json(&pairs);
    assert!(read.vectors.is_empty() && read.outcome == pairs.outcome);
    let refused = DensityConfig::new().run_deflated(&a, &read).map(|_| ());
    let missing = KrylovFault::MissingVectors {
        values: 2,
        vectors: 0,
    };
    assert_eq!(refused, Err(missing));
    let solution = SolveConfig::minres().run(&a, &b).unwrap();
    is_kept::<_, Solution<()>>(&solution);
    let read: Solution<Vec<f64>> = through_json(&solution);
    assert!(read.x.is_empty() && read.outcome == solution.outcome);
    let diagonal = DiagonalConfig::new().run(&a).unwrap();
    is_kept::<_, DiagonalEstimate<()>>(&diagonal);
    let read: DiagonalEstimate<Vec<f64>> = through_json(&diagonal);
    assert!(read.diagonal.is_empty() && read.num_matvecs == diagonal.num_matvecs);
    let largest = TrustRegionConfig::new(0.5).maximize(&a, &b).unwrap();
    is_kept::<_, TrustRegionSolution<()>>(&largest);
    let read: TrustRegionSolution<Vec<f64>> = through_json(&largest);
    assert!(read.v.is_empty() && read.kind == largest.kind);
}

#[test]
fn numbers_that_are_not_finite_come_back() {
    let (a, b) = (squares(), vec![1.0; 40]);
    let config = DiagonalConfig::new().with_max_matvecs(1);
    let one: DiagonalEstimate<()> = through_json(&config.run(&a).unwrap());
    assert_eq!(one.error, f64::INFINITY);
    let point = TrustRegionConfig::new(0.0).maximize(&a, &b).unwrap();
    let point: TrustRegionSolution<()> = through_json(&point);
    assert_eq!(point.multiplier, f64::INFINITY);
    let zero = DensityConfig::new().run(&Diagonal(vec![0.0; 5])).unwrap();
    let logarithm: Estimate = through_json(&zero.log_determinant());
    assert_eq!(logarithm.value, f64::NEG_INFINITY);
    assert!(logarithm.standard_error.unwrap().is_nan());
    let none: Estimate = through_json(&Estimate::of(&[]));
    assert!(none.value.is_nan());
    // Each product is finite, the quadratic form is not.
    let huge = Diagonal(vec![1e308; 2]);
    let trace = TraceConfig::new().run(&huge).unwrap();
    let read: TraceEstimate = through_json(&trace);
    assert_eq!(read.value, f64::INFINITY);
    assert!(read.half_width.unwrap().is_nan());
    let wide = Estimate {
        standard_error: Some(f64::INFINITY),
        ..Estimate::of(&[1.0, 2.0])
    };
    assert_eq!(through_json::<_, Estimate>(&wide), wide);
    let ranks: RankCorrelation = through_json(&RankCorrelation::of(&[]).unwrap());
    assert!(ranks.value.is_nan() && ranks.resampled.is_empty());
    let far = 2.0_f64.powi(1000);
    let steep = LineFit::of(&[(0.0, 0.0), (far.recip(), far)]).unwrap();
    assert_eq!(steep.slope, f64::INFINITY);
    assert_eq!(through_json::<_, LineFit>(&steep), steep);
    let single = Estimate::of(&[1.0]);
    assert_eq!(through_json::<_, Estimate>(&single), single);
}
