//! Records of SAM: a version, every field, every vector, and the same variant are required.

use std::fmt::Debug;

use burn::tensor::Bytes;
use burn_pack::{Reader, Tensor, Writer};
use burnscape::optim::{
    Ascent, AscentContext, AscentRule, Need, OptimError, OptimRecord, Perturbation, Sam, SamConfig,
};
use burnscape::space::{LeafVector, SpaceError};
use burnscape_testkit::objectives::{Point, quadratic};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::fixture::{build, point};
use super::own_ascent::{Averaged, Doubled, averaged};

/// An ascent with this memory; all have one name.
#[derive(Debug, Clone)]
struct Remembers<T>(std::marker::PhantomData<T>);

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct One {
    count: u32,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Two {
    count: u32,
    mean: f64,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Zeros {
    #[serde(skip)]
    vector: Option<LeafVector>,
}

trait Memory: Clone + Debug + Default + Serialize + DeserializeOwned + Send + Sync + 'static {
    fn vectors(&mut self) -> Vec<(&'static str, &mut Option<LeafVector>)> {
        Vec::new()
    }
}

impl Memory for One {}

impl Memory for Two {}

impl Memory for Zeros {
    fn vectors(&mut self) -> Vec<(&'static str, &mut Option<LeafVector>)> {
        vec![("vector", &mut self.vector)]
    }
}

impl<T: Memory> AscentRule for Remembers<T> {
    type Memory = T;

    fn name(&self) -> &'static str {
        "one name"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Memory]
    }

    fn vectors(memory: &mut T) -> Vec<(&'static str, &mut Option<LeafVector>)> {
        memory.vectors()
    }

    fn ascend(&self, _: &T, context: &mut AscentContext<'_>) -> Result<Perturbation, OptimError> {
        let vector = context.ascent_step();
        Ok(Perturbation::Displacement { vector, scale: 1.0 })
    }

    fn remember(
        &self,
        memory: &mut T,
        gradient: &LeafVector,
        _perturbed: Option<&LeafVector>,
    ) -> Result<(), OptimError> {
        for (_, place) in memory.vectors() {
            *place = Some(LeafVector::zeros(gradient.space()));
        }
        Ok(())
    }
}

fn remembering<T: Memory>() -> SamConfig {
    SamConfig::new().with_ascent(Ascent::custom(Remembers::<T>(std::marker::PhantomData)))
}

fn loss(point: &Point) -> burn::tensor::Tensor<1> {
    quadratic(point, &[1.0, 3.0])
}

/// The record of an optimizer after two steps.
fn record(config: SamConfig) -> (Point, Bytes) {
    let mut model = point(&[1.0, -2.0]);
    let mut sam = build(config);
    for _ in 0..2 {
        sam.step(0.1, &mut model, loss).expect("a step");
    }
    let record = sam.to_record(&model).expect("a record");
    (model, record.into_bytes().expect("bytes"))
}

/// The record without the tensors or the metadata of this name.
fn without(bytes: Bytes, name: &str) -> Bytes {
    let reader = Reader::from_bytes(bytes).expect("a record");
    let (metadata, scalars) = (reader.metadata().clone(), reader.scalars().clone());
    let tensors = reader.into_tensors().expect("tensors").into_iter();
    let tensors = tensors.filter_map(|tensor| {
        let (found, dtype, shape, id, bytes) = tensor.into_parts().expect("a tensor");
        (found != name).then(|| Tensor::new(found, dtype, shape, id, bytes))
    });
    let mut writer = Writer::new(tensors.collect());
    for (name, value) in &scalars {
        writer = writer.with_scalar(name, *value);
    }
    for (key, value) in metadata.iter().filter(|(key, _)| *key != name) {
        writer = writer.with_metadata(key, value);
    }
    writer.into_bytes().expect("bytes")
}

fn load(config: SamConfig, bytes: Bytes, model: &Point) -> Result<Sam, String> {
    let record = OptimRecord::from_bytes(bytes).map_err(|error| error.to_string())?;
    let loaded = build(config).load_record(record, model);
    loaded.map_err(|error| error.to_string())
}

fn refused(config: SamConfig, bytes: Bytes, model: &Point, expected: &str) {
    let text = load(config, bytes, model).expect_err("a refusal");
    assert!(text.contains(expected), "{text}");
}

#[test]
fn a_record_without_a_version_is_refused_with_a_remedy() {
    let (model, bytes) = record(SamConfig::new());
    let old = without(bytes.clone(), "burnscape.version");
    refused(SamConfig::new(), old.clone(), &model, "format is version 1");
    refused(SamConfig::new(), old, &model, "start a new optimizer");
    let torn = without(bytes, "state");
    refused(SamConfig::new(), torn, &model, "`state` is missing");
}

#[test]
fn a_missing_field_is_an_error_and_not_zero() {
    let (model, bytes) = record(remembering::<One>());
    assert!(load(remembering::<One>(), bytes.clone(), &model).is_ok());
    refused(remembering::<Two>(), bytes, &model, "missing field `mean`");
}

#[test]
fn a_missing_vector_is_an_error_and_not_zero() {
    for (config, name) in [
        (SamConfig::friendly_sam(), "direction.average.0"),
        (SamConfig::look_sam(), "descent.kept.0"),
        (
            SamConfig::new().with_ascent(averaged()),
            "ascent.gradient.0",
        ),
    ] {
        let (model, bytes) = record(config.clone());
        assert!(
            load(config.clone(), bytes.clone(), &model).is_ok(),
            "{name}"
        );
        refused(config, without(bytes, name), &model, "is incomplete");
    }
}

#[test]
fn a_vector_of_zeros_comes_back() {
    let (model, bytes) = record(remembering::<Zeros>());
    let resumed = load(remembering::<Zeros>(), bytes.clone(), &model).expect("its own record");
    let again = resumed.to_record(&model).and_then(OptimRecord::into_bytes);
    assert_eq!(again.expect("bytes"), bytes);
}

#[test]
fn a_memory_is_that_of_one_variant() {
    let (model, bytes) = record(SamConfig::friendly_sam());
    refused(
        SamConfig::new(),
        bytes,
        &model,
        "the memory of Friendly SAM",
    );
    let (model, bytes) = record(SamConfig::new());
    refused(SamConfig::look_sam(), bytes.clone(), &model, "LookSAM");
    // A part without a memory may be exchanged during a run.
    assert!(load(SamConfig::gsam(), bytes, &model).is_ok());
}

#[test]
fn a_custom_ascent_is_admitted_by_its_needs() {
    let gradients = |m: &Point| burn::optim::GradientsParams::from_grads(loss(m).backward(), m);
    let model = point(&[1.0, -2.0]);
    let with = |ascent| SamConfig::new().with_ascent(ascent);
    let ascend = |config: SamConfig| {
        let first = gradients(&model);
        build(config).ascend(0.1, model.clone(), &first).map(|_| ())
    };
    let stateless =
        |config: SamConfig| Sam::gradients(&config, &model, loss).map(|(_, report)| report);

    assert_eq!(ascend(with(averaged())), Ok(()));
    let unmet = |feature, need| OptimError::Unmet { feature, need };
    assert_eq!(
        stateless(with(averaged())),
        Err(unmet("an averaged ascent", Need::Memory))
    );
    let doubled = || with(Ascent::custom(Doubled));
    let feature = "a doubled ascent";
    assert_eq!(ascend(doubled()), Err(unmet(feature, Need::Evaluations)));
    let report = stateless(doubled()).expect("gradients");
    assert_eq!(report.num_gradients, 3);
    // ½ (w + 2e)ᵀH(w + 2e) with e along Hw = (1, −6).
    let norm = 37.0_f64.sqrt();
    let [x, y] = [1.0 + 0.1 / norm, -2.0 - 0.6 / norm];
    let expected = 0.5 * (x * x + 3.0 * y * y);
    let found = report.perturbed_loss.expect("a loss");
    assert!((found - expected).abs() < 1e-9, "{found} and {expected}");
    assert_eq!(report.sam_edge, None);
    // Without losses the points cannot be compared.
    let mut moved = model.clone();
    let error = build(doubled()).step(0.1, &mut moved, gradients);
    assert_eq!(error, Err(unmet(feature, Need::Losses)));
    let invalid = with(Ascent::custom(Averaged { decay: 1.0 }));
    assert!(invalid.validate().is_err());
}

/// An ascent that returns a vector of another length.
#[derive(Debug, Clone)]
struct Misfit;

impl AscentRule for Misfit {
    type Memory = ();

    fn name(&self) -> &'static str {
        "a misfit"
    }

    fn ascend(&self, _: &(), context: &mut AscentContext<'_>) -> Result<Perturbation, OptimError> {
        let vector = context.ascent_step();
        let vector =
            vector.map(|_, value| Some(burn::tensor::Tensor::cat(vec![value.clone(), value], 0)));
        Ok(Perturbation::Displacement { vector, scale: 1.0 })
    }
}

#[test]
fn a_displacement_that_does_not_fit_is_an_error() {
    let mut model = point(&[1.0, -2.0]);
    let config = SamConfig::new().with_ascent(Ascent::custom(Misfit));
    let error = build(config).step(0.1, &mut model, loss);
    let expected = SpaceError::WrongLength {
        expected: 2,
        found: 4,
    };
    assert_eq!(error, Err(OptimError::Space(expected)));
    assert_eq!(model.coordinates(), [1.0, -2.0]);
}

#[test]
fn a_default_configuration_is_read_on_every_platform() {
    let text = SamConfig::new().to_string();
    assert!(text.contains("\"active_steps\": null"), "{text}");
    // `usize` has 32 bits in browsers.
    assert!(!text.contains(&usize::MAX.to_string()), "{text}");
    let read: SamConfig = serde_json::from_str(&text).expect("its own text");
    assert_eq!(read.to_string(), text);
}

#[test]
fn a_configuration_with_a_custom_ascent_prints_and_is_not_read() {
    let config = SamConfig::new().with_ascent(averaged());
    let text = config.to_string();
    assert!(text.contains("an averaged ascent"), "{text}");
    let error = serde_json::from_str::<SamConfig>(&text).expect_err("an unknown type");
    assert!(error.to_string().contains("with_ascent"), "{error}");
}
