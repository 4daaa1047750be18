//! The laws in the tables of the guide: which methods return equal models, and which commute with symmetries.

use std::collections::HashMap;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{DType, Tensor, TensorData};
use burnscape::loss::{Batch, Risk};
use burnscape::merge::{
    Average, ByPath, Combine, FisherAverage, IsotropicMerge, KarcherMean, MergeMethod, MergeTensor,
    ModelStock, Recipe, RegMean, Slerp, SlerpUnit, SoupConfig, Sparsify, Take, TaskArithmetic,
    TaskSingularVectors, TensorMap, TensorStore, average,
};
use burnscape::symmetry::{ScalesConfig, SignsConfig};

use crate::element::device;
use crate::symmetry::zoo::{
    self, Cnn, Mlp, Specimen, cast, difference, numbers, parameters, rewritten, same, scattered,
};

const SEED: u64 = 97;
const UNITS: [SlerpUnit; 3] = [SlerpUnit::Tensor, SlerpUnit::Filter, SlerpUnit::Model];

/// Equal models, relative to the largest number.
const EQUAL: f64 = 1e-12;
/// The same for models in f32.
const EQUAL_SINGLE: f64 = 1e-6;
/// What symmetries and systems of equations round to.
const ROUNDING: f64 = 1e-10;
/// What is not rounding.
const CLEAR: f64 = 1e-4;

/// With enough examples for Gram matrices of full rank.
fn mlp() -> Specimen<Mlp, Tensor<2>, 2> {
    Specimen {
        batch: numbers([64, 5], SEED, &device()),
        ..zoo::mlp(&device(), SEED)
    }
}

fn cnn() -> Specimen<Cnn, Tensor<4>, 2> {
    Specimen {
        batch: numbers([64, 3, 8, 8], SEED, &device()),
        ..zoo::cnn(&device(), SEED)
    }
}

fn all_numbers<M: Module>(model: &M) -> Vec<f64> {
    let parameters = parameters(model).into_iter();
    parameters.flat_map(|parameter| parameter.values).collect()
}

/// A model of importances: positive numbers, which a symmetry can move.
fn importances<M: Module>(model: &M, seed: u64) -> M {
    let drawn = scattered(model, seed);
    let squares = parameters(&drawn).into_iter().map(|parameter| {
        let squares = parameter.values.iter().map(|value| value * value);
        (parameter.path, squares.collect())
    });
    rewritten(&drawn, &squares.collect::<HashMap<String, Vec<f64>>>())
}

/// What methods look at beside the models, for each of these.
struct Statistics {
    importances: Vec<TensorMap>,
    grams: Vec<TensorMap>,
    /// Zero, unless there are units that are never active.
    ridge: f64,
}

impl Statistics {
    fn of<M: Module, B: Batch, const R: usize>(
        net: &Specimen<M, B, R>,
        models: &[M],
        importances: &[M],
    ) -> Self {
        let data = [net.batch.clone()];
        let grams = models
            .iter()
            .map(|model| RegMean::input_grams(&net.outputs, &data, model));
        let grams: Vec<TensorMap> = grams.collect::<Result<_, _>>().expect(net.name);
        let importances = importances.iter().map(TensorMap::of_module);
        let is_regular = grams.iter().all(is_regular);
        Self {
            importances: importances.collect::<Result<_, _>>().expect(net.name),
            grams,
            ridge: if is_regular { 0.0 } else { 0.01 },
        }
    }

    fn fisher(&self) -> FisherAverage {
        FisherAverage::new(stores(&self.importances))
    }

    fn regmean(&self) -> RegMean {
        RegMean::new(stores(&self.grams)).with_ridge(self.ridge)
    }
}

/// Whether every unit is active sometimes.
fn is_regular(grams: &TensorMap) -> bool {
    grams.iter().all(|(_, gram)| {
        let size = gram.shape().as_slice()[0];
        let mut squares = gram.iter::<f64>().step_by(size + 1);
        squares.all(|square| square > 0.0)
    })
}

fn stores(maps: &[TensorMap]) -> Vec<Arc<dyn TensorStore>> {
    let stores = maps.iter().cloned();
    stores
        .map(|map| -> Arc<dyn TensorStore> { Arc::new(map) })
        .collect()
}

fn over_the_model(density: f64) -> TaskArithmetic {
    TaskArithmetic::ties(1.0).with_sparsify(Sparsify::ModelMagnitude { density })
}

/// Methods with the settings under which they return equal models, and whether they do with any weights.
fn identities(statistics: &Statistics) -> Vec<(Recipe, bool)> {
    let count = statistics.grams.len();
    let share = 1.0 / count as f64;
    let mut all = vec![
        (Recipe::new(Average), true),
        (Recipe::new(Take::Model(count - 1)), true),
        (Recipe::new(ModelStock), false),
        (Recipe::new(statistics.fisher()), true),
        (Recipe::new(statistics.regmean()), true),
        (
            Recipe::new(statistics.regmean().with_off_diagonal(1.0)),
            true,
        ),
        (Recipe::new(TaskArithmetic::new().with_scale(share)), false),
        (
            Recipe::new(TaskArithmetic::new().with_combine(Combine::Mean)),
            true,
        ),
        (Recipe::new(TaskArithmetic::ties(1.0)), true),
        (Recipe::new(over_the_model(1.0)), true),
        (Recipe::new(TaskArithmetic::dare(1.0)), true),
        (Recipe::new(TaskArithmetic::della(1.0, 0.0)), true),
        (Recipe::new(TaskArithmetic::breadcrumbs(1.0, 0.0)), true),
        (
            Recipe::new(TaskSingularVectors::new().with_rank_share(Some(1.0))),
            false,
        ),
        // Layers that are left out.
        (
            Recipe::new(TaskArithmetic::ties(1.0))
                .with("*.weight", Take::Model(0))
                .with("*.bias", Average),
            true,
        ),
    ];
    all.extend(UNITS.map(|unit| (Recipe::new(KarcherMean::new().with_unit(unit)), true)));
    if count == 2 {
        all.extend(UNITS.map(|unit| (Recipe::new(Slerp::new().with_unit(unit)), true)));
    }
    all
}

/// With models of this element type.
fn returns_equal_models<M: Module, B: Batch, const R: usize>(
    net: &Specimen<M, B, R>,
    dtype: DType,
    tolerance: f64,
) {
    let model = cast(&net.model, dtype);
    let own = all_numbers(&model);
    let base = cast(&scattered(&net.model, 1), dtype);
    let one = Statistics::of(
        net,
        std::slice::from_ref(&net.model),
        &[importances(&net.model, 2)],
    );
    for count in [1, 2, 5] {
        let models = vec![&model; count];
        let statistics = Statistics {
            importances: vec![one.importances[0].clone(); count],
            grams: vec![one.grams[0].clone(); count],
            ridge: one.ridge,
        };
        for (index, (recipe, has_weights)) in identities(&statistics).into_iter().enumerate() {
            let unequal = (1..=count).map(|weight| ByPath::new(weight as f64));
            let unequal = has_weights.then(|| recipe.clone().with_weights(unequal));
            for recipe in [Some(recipe), unequal].into_iter().flatten() {
                let merged = recipe.run(Some(&base), &models).expect(net.name).model;
                let gap = difference(&own, &all_numbers(&merged));
                assert!(
                    gap < tolerance,
                    "{}: {index} of {count}: {recipe:?}: {gap}",
                    net.name
                );
            }
        }
    }
}

#[test]
fn any_number_of_equal_models_is_that_model() {
    returns_equal_models(&mlp(), DType::F64, EQUAL);
    returns_equal_models(&cnn(), DType::F64, EQUAL);
    returns_equal_models(&mlp(), DType::F32, EQUAL_SINGLE);
}

#[test]
fn soups_of_equal_models_are_that_model() {
    let net = mlp();
    let loss = |net: &Mlp, x: Tensor<2>| net.outputs(&x).square().mean();
    let data = [net.batch.clone()];
    let risk = Risk::new(&loss, &data);
    let own = parameters(&net.model);
    for count in [1, 2, 5] {
        for greedy in [false, true] {
            let load = |_: usize| Ok::<Mlp, String>(net.model.clone());
            let soup = SoupConfig::new().with_greedy(greedy);
            let soup = soup.run(count, load, &risk, &risk).expect("a soup");
            assert!(same(&parameters(&soup.model), &own), "{count} {greedy}");
            // None of them makes it worse.
            assert_eq!(soup.included, (0..count).collect::<Vec<usize>>());
        }
    }
}

#[test]
fn other_settings_return_another_model() {
    let net = mlp();
    let own = all_numbers(&net.model);
    let base = scattered(&net.model, 1);
    let models = [&net.model; 2];
    for recipe in [
        Recipe::new(TaskArithmetic::new()),
        Recipe::new(TaskArithmetic::ties(0.5)),
        Recipe::new(over_the_model(0.5)),
        Recipe::new(TaskArithmetic::dare(0.5)),
        Recipe::new(TaskArithmetic::della(0.9, 0.05)),
        Recipe::new(TaskArithmetic::breadcrumbs(1.0, 0.1)),
        Recipe::new(TaskSingularVectors::new()),
        Recipe::new(IsotropicMerge::new()),
        Recipe::new(Average).with("last", Take::Base),
    ] {
        let merged = recipe.run(Some(&base), &models).expect("a model").model;
        let gap = difference(&own, &all_numbers(&merged));
        assert!(gap > CLEAR, "{recipe:?}: {gap}");
    }
}

#[test]
fn iso_c_returns_equal_matrices_iff_their_singular_values_are_equal() {
    let base: Vec<f64> = (0..25).map(|index| (1.7 * index as f64).sin()).collect();
    let gap = |change: &[f64], count: usize| {
        let model: Vec<f64> = base.iter().zip(change).map(|(a, b)| a + 0.4 * b).collect();
        let models = vec![TensorData::new(model.clone(), [5, 5]); count];
        let base = TensorData::new(base.clone(), [5, 5]);
        let tensor = MergeTensor::new("w", &models).expect("models");
        let method = IsotropicMerge::new().with_scale(1.0 / count as f64);
        let merged = method.merge(&tensor.with_base(&base)).expect("a tensor");
        difference(&model, &merged.iter::<f64>().collect::<Vec<f64>>())
    };
    let turn = zoo::rotation(5, [0.3, 1.1], false);
    let mut stretched = turn.clone();
    stretched[..5].iter_mut().for_each(|entry| *entry *= 2.0);
    for count in [1, 2, 5] {
        assert!(gap(&turn, count) < EQUAL, "{count}");
        assert!(gap(&stretched, count) > CLEAR, "{count}");
    }
}

/// Whether the merge of moved models is the moved merge.
#[derive(Debug, Clone, Copy)]
enum Law {
    /// Bit for bit.
    Exact,
    /// To rounding.
    Yes,
    No,
}

/// A method with what it does under permutations, under factors and under signs.
struct Row {
    recipe: Recipe,
    laws: [Law; 3],
    num_models: usize,
}

fn rows(statistics: &Statistics) -> Vec<Row> {
    use Law::{Exact, No, Yes};
    let row = |recipe, laws| Row {
        recipe,
        laws,
        num_models: 3,
    };
    let elected = TaskArithmetic::new().with_combine(Combine::ElectSign);
    let mean = TaskArithmetic::new().with_combine(Combine::Mean);
    let parts = Recipe::new(TaskArithmetic::ties(0.5));
    let parts = parts.with("*.bias", Average).with("*.weight", Take::Base);
    let mut all = vec![
        row(Recipe::new(Average), [Exact, Yes, Exact]),
        row(Recipe::new(Take::Base), [Exact, Exact, Exact]),
        row(Recipe::new(Take::Model(1)), [Exact, Exact, Exact]),
        row(Recipe::new(statistics.fisher()), [Exact, Yes, Exact]),
        row(Recipe::new(statistics.regmean()), [Yes, Yes, Yes]),
        row(
            Recipe::new(TaskArithmetic::new().with_scale(0.4)),
            [Exact, Yes, Exact],
        ),
        row(Recipe::new(mean), [Exact, Yes, Exact]),
        row(Recipe::new(elected), [Exact, Yes, Exact]),
        row(Recipe::new(TaskArithmetic::ties(0.5)), [Exact, No, Exact]),
        row(Recipe::new(over_the_model(0.5)), [Exact, No, Exact]),
        row(
            Recipe::new(TaskArithmetic::breadcrumbs(0.5, 0.1)),
            [Exact, No, Exact],
        ),
        row(Recipe::new(TaskArithmetic::dare(0.5)), [No, Yes, Exact]),
        row(
            Recipe::new(TaskArithmetic::della(0.5, 0.4)),
            [No, No, Exact],
        ),
        row(Recipe::new(ModelStock), [Yes, No, Yes]),
        row(Recipe::new(TaskSingularVectors::new()), [Yes, No, Yes]),
        row(
            Recipe::new(IsotropicMerge::new().with_scale(0.4)),
            [Yes, No, Yes],
        ),
        // Layers that are left out, and averages, which commute with factors.
        row(parts, [Exact, Yes, Exact]),
    ];
    for unit in UNITS {
        let recipe = Recipe::new(KarcherMean::new().with_unit(unit));
        all.push(row(recipe, [Yes, No, Yes]));
        all.push(Row {
            num_models: 2,
            ..row(Recipe::new(Slerp::new().with_unit(unit)), [Yes, No, Yes])
        });
    }
    all
}

/// A base and three models, and models of their importances.
struct Inputs<M> {
    base: M,
    models: Vec<M>,
    importances: Vec<M>,
}

impl<M: Module> Inputs<M> {
    fn of(model: &M) -> Self {
        let base = scattered(model, 1);
        let near = |seed| average(&[&base, &scattered(model, seed)]).expect("a mean");
        Self {
            models: (2..5).map(near).collect(),
            importances: (5..8).map(|seed| importances(model, seed)).collect(),
            base,
        }
    }

    fn moved(&self, model: impl Fn(&M) -> M, importance: impl Fn(&M) -> M) -> Self {
        Self {
            base: model(&self.base),
            models: self.models.iter().map(model).collect(),
            importances: self.importances.iter().map(importance).collect(),
        }
    }
}

/// Compares the merges of moved models with moved merges. `symmetry` is the index of its law.
fn obeys<M: Module, B: Batch, const R: usize>(
    net: &Specimen<M, B, R>,
    symmetry: usize,
    model: impl Fn(&M) -> M,
    importance: impl Fn(&M) -> M,
) {
    let inputs = Inputs::of(&net.model);
    let moved = inputs.moved(&model, &importance);
    let shift = difference(&all_numbers(&inputs.base), &all_numbers(&moved.base));
    assert!(shift > CLEAR, "nothing moves: {shift}");
    let merged = [&inputs, &moved].map(|inputs| {
        let statistics = Statistics::of(net, &inputs.models, &inputs.importances);
        let rows = rows(&statistics).into_iter();
        let merged = rows.map(|row| {
            let models: Vec<&M> = inputs.models.iter().take(row.num_models).collect();
            let merged = row.recipe.run(Some(&inputs.base), &models);
            (merged.expect(net.name).model, row)
        });
        merged.collect::<Vec<(M, Row)>>()
    });
    let [plain, moved] = merged;
    for ((plain, row), (moved, _)) in plain.iter().zip(&moved) {
        let expected = all_numbers(&model(plain));
        let gap = difference(&expected, &all_numbers(moved));
        let law = row.laws[symmetry];
        let holds = match law {
            Law::Exact => gap == 0.0,
            Law::Yes => gap < ROUNDING,
            Law::No => gap > CLEAR,
        };
        assert!(holds, "{}: {:?} {law:?}: {gap}", net.name, row.recipe);
    }
}

#[test]
fn methods_commute_with_permutations_as_the_table_says() {
    let net = mlp();
    let element = net.symmetries().random(1);
    let moved = |model: &Mlp| element.apply(model).expect("a model");
    obeys(&net, 0, moved, moved);
    let net = cnn();
    let element = net.symmetries().random(1);
    let moved = |model: &Cnn| element.apply(model).expect("a model");
    obeys(&net, 0, moved, moved);
}

#[test]
fn methods_commute_with_factors_as_the_table_says() {
    let net = mlp();
    let scales = ScalesConfig::new().run(&net.outputs, &net.model, net.batch.clone());
    let scales = scales.expect("scales");
    let factors = scales.random(1);
    // Squared gradients are divided by the squares of what the parameters are multiplied with.
    let squares: Vec<Vec<f64>> = factors
        .iter()
        .map(|factors| factors.iter().map(|factor| factor.powi(-2)).collect())
        .collect();
    obeys(
        &net,
        1,
        |model| scales.apply(model, &factors).expect("a model"),
        |importances| scales.apply(importances, &squares).expect("importances"),
    );
}

#[test]
fn methods_commute_with_signs_as_the_table_says() {
    let net = mlp();
    let signs = SignsConfig::new().run(&net.outputs, &net.model, net.batch.clone());
    let signs = signs.expect("signs");
    let drawn = signs.random(1);
    obeys(
        &net,
        2,
        |model| signs.apply(model, &drawn).expect("a model"),
        Mlp::clone,
    );
}

/// A sum of zero is elected as positive.
#[test]
fn elected_signs_do_not_commute_with_signs_where_the_sum_is_zero() {
    let merged = |sign: f64| {
        let models = [1.0, -1.0].map(|value| TensorData::from([sign * value]));
        let base = TensorData::from([0.0_f64]);
        let tensor = MergeTensor::new("w", &models).expect("models");
        let merged = TaskArithmetic::ties(1.0).merge(&tensor.with_base(&base));
        merged
            .expect("a tensor")
            .iter::<f64>()
            .collect::<Vec<f64>>()
    };
    assert_eq!((merged(1.0), merged(-1.0)), (vec![1.0], vec![1.0]));
}
