//! Reading a golden file, and comparing every operator with it.

use std::collections::BTreeMap;

use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Int, Tensor, TensorData};
use burnscape::curvature::CurvatureError;
use burnscape::krylov::{Dense, LinearOperator};
use burnscape::loss::{Likelihood, Mode, Risk, Split};
use burnscape::space::{ParamSpace, ParamVector};
pub(crate) use burnscape_testkit::double::device;
use burnscape_testkit::golden::{GoldenArray, GoldenHeader, load};
use serde::Deserialize;

use super::models::{Mlp, Outputs};
use super::spectra::{self, Which};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameter {
    path: String,
    shape: Vec<usize>,
    values: Vec<f64>,
}

/// The upper triangle of a symmetric matrix, row by row.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Symmetric {
    size: usize,
    values: Vec<f64>,
}

impl Symmetric {
    fn dense(&self) -> Vec<f64> {
        let n = self.size;
        let mut entries = vec![0.0; n * n];
        let mut values = self.values.iter();
        for row in 0..n {
            for column in row..n {
                let value = *values.next().expect("an entry");
                entries[row * n + column] = value;
                entries[column * n + row] = value;
            }
        }
        assert!(values.next().is_none());
        entries
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[allow(dead_code, reason = "read so that unknown fields can be denied")]
    header: GoldenHeader,
    parameters: Vec<Parameter>,
    buffers: BTreeMap<String, GoldenArray>,
    input: GoldenArray,
    target: GoldenArray,
    outputs: GoldenArray,
    loss: f64,
    gradient: GoldenArray,
    hessian: Symmetric,
    gauss_newton: Symmetric,
    fisher: Symmetric,
    empirical_fisher: Symmetric,
    jacobian: GoldenArray,
    ntk: Symmetric,
    weighted_gauss_newton: Option<Symmetric>,
}

pub(crate) struct Case {
    name: String,
    file: File,
    mode: Mode,
}

type Classified<const D: usize> = (Tensor<D>, Tensor<1, Int>);
type Measured<const D: usize> = (Tensor<D>, Tensor<2>);

impl Case {
    pub(crate) fn load(name: &str) -> Self {
        let file = load("curvature", name).expect("a golden file");
        Self {
            name: name.into(),
            file,
            mode: Mode::Eval,
        }
    }

    pub(crate) fn in_training(mut self) -> Self {
        self.mode = Mode::Train;
        self
    }

    pub(crate) fn buffer(&self, name: &str) -> Tensor<1> {
        let buffer = &self.file.buffers[name];
        buffer.tensor(&device(), DType::F64).expect("a vector")
    }

    /// The model with the file's parameters, after a look at their paths and shapes.
    fn with_parameters<M: burn::module::Module>(&self, model: &M) -> M {
        let space = ParamSpace::of(model).expect("a space");
        let found: Vec<(&str, &[usize])> = space
            .leaves()
            .iter()
            .map(|leaf| (leaf.path(), leaf.shape()))
            .collect();
        let expected: Vec<(&str, &[usize])> = self
            .file
            .parameters
            .iter()
            .map(|parameter| (parameter.path.as_str(), parameter.shape.as_slice()))
            .collect();
        assert_eq!(found, expected);
        let values = self.file.parameters.iter().flat_map(|p| p.values.clone());
        let values: Vec<f64> = values.collect();
        let vector = ParamVector::from_host(&space, &values).expect("a vector");
        vector.apply_to(model).expect("a model")
    }

    fn input<const D: usize>(&self) -> Tensor<D> {
        let input = self.file.input.tensor(&device(), DType::F64);
        input.expect("an input")
    }

    pub(crate) fn check_classifier<const D: usize, M: Outputs<D>>(&self, model: M) {
        let model = self.with_parameters(&model);
        let classes: Vec<i64> = self.file.target.values.iter().map(|y| *y as i64).collect();
        let shape = [classes.len()];
        let target = Tensor::<1, Int>::from_data(TensorData::new(classes, shape), &device());
        let data = [(self.input::<D>(), target)];
        let risk = Risk::split(
            |model: &M, (x, _): &Classified<D>| model.outputs(x.clone()),
            |z: Tensor<2>, (_, y): Classified<D>| {
                let device = z.device();
                CrossEntropyLossConfig::new().init(&device).forward(z, y)
            },
            &data,
        );
        let losses = |model: &M, (x, y): Classified<D>| {
            let log = log_softmax(model.outputs(x), 1);
            -log.gather(1, y.unsqueeze_dim::<2>(1)).squeeze_dim::<1>(1)
        };
        let losses = Risk::per_example(losses, &data).with_mode(self.mode);
        self.check(&model, &risk.with_mode(self.mode), Likelihood::Categorical);
        self.compare(
            "empirical Fisher",
            &self.file.empirical_fisher.dense(),
            losses.empirical_fisher(&model),
        );
    }

    pub(crate) fn check_regression<const D: usize, M: Outputs<D>>(&self, model: M) {
        let model = self.with_parameters(&model);
        let target = self.file.target.tensor::<2>(&device(), DType::F64);
        let data = [(self.input::<D>(), target.expect("targets"))];
        let risk = Risk::split(
            |model: &M, (x, _): &Measured<D>| model.outputs(x.clone()),
            |z: Tensor<2>, (_, y): Measured<D>| (z - y).square().mean(),
            &data,
        );
        let losses = |model: &M, (x, y): Measured<D>| {
            (model.outputs(x) - y)
                .square()
                .mean_dim(1)
                .squeeze_dim::<1>(1)
        };
        let losses = Risk::per_example(losses, &data).with_mode(self.mode);
        self.check(&model, &risk.with_mode(self.mode), Likelihood::Gaussian);
        self.compare(
            "empirical Fisher",
            &self.file.empirical_fisher.dense(),
            losses.empirical_fisher(&model),
        );
    }

    fn check<const D: usize, M: Outputs<D>>(
        &self,
        model: &M,
        risk: &Risk<'_, M, Split>,
        likelihood: Likelihood,
    ) {
        let File {
            outputs,
            loss,
            gradient,
            hessian,
            gauss_newton,
            fisher,
            jacobian,
            ntk,
            ..
        } = &self.file;
        if self.mode == Mode::Eval {
            let found = model.outputs(self.input::<D>()).into_data();
            let found: Vec<f64> = found.iter().collect();
            self.near("outputs", &outputs.values, &found, 1e-13);
        }
        let operator = risk.hessian(model).expect("a Hessian");
        self.near("loss", &[*loss], &[operator.loss()], 1e-13);
        let found = operator
            .gradient()
            .expect("a gradient")
            .to_host()
            .expect("numbers");
        self.near("gradient", &gradient.values, &found, 1e-10);
        spectra::check(&self.name, &Which::Hessian, &operator);
        self.compare("Hessian", &hessian.dense(), Ok(operator));
        let operator = risk.gauss_newton(model);
        let operator = operator.inspect(|a| spectra::check(&self.name, &Which::GaussNewton, a));
        self.compare("Gauss-Newton", &gauss_newton.dense(), operator);
        self.compare("Fisher", &fisher.dense(), risk.fisher(model, likelihood));
        self.compare("Jacobian", &jacobian.values, risk.jacobian(model));
        let operator = risk.ntk(model).expect("a kernel");
        let dense: Vec<f64> = operator
            .dense()
            .expect("products")
            .into_data()
            .iter()
            .collect();
        self.near("dense kernel", &ntk.dense(), &dense, 1e-9);
        self.compare("kernel", &ntk.dense(), Ok(operator));
    }

    /// Cross-entropy with class weights and smoothing.
    pub(crate) fn check_weighted(&self, model: Mlp) {
        let model = self.with_parameters(&model);
        let classes: Vec<i64> = self.file.target.values.iter().map(|y| *y as i64).collect();
        let shape = [classes.len()];
        let target = Tensor::<1, Int>::from_data(TensorData::new(classes, shape), &device());
        let data = [(self.input::<2>(), target)];
        let risk = Risk::split(
            |model: &Mlp, (x, _): &Classified<2>| model.outputs(x.clone()),
            |z: Tensor<2>, (_, y): Classified<2>| {
                let criterion = CrossEntropyLossConfig::new()
                    .with_weights(Some(vec![1.0, 0.25, 3.0]))
                    .with_smoothing(Some(0.1875));
                criterion.init(&z.device()).forward(z, y)
            },
            &data,
        );
        let expected = self.file.weighted_gauss_newton.as_ref().expect("a matrix");
        let operator = risk.with_mode(self.mode).gauss_newton(&model);
        self.compare("weighted Gauss-Newton", &expected.dense(), operator);
    }

    fn compare<A: LinearOperator>(
        &self,
        what: &str,
        expected: &[f64],
        operator: Result<A, CurvatureError>,
    ) {
        let operator = operator.unwrap_or_else(|error| panic!("{}: {what}: {error}", self.name));
        let found = Dense::of(&operator).expect("products");
        self.near(what, expected, found.as_slice(), 1e-9);
    }

    /// The largest difference, relative to the largest entry.
    fn near(&self, what: &str, expected: &[f64], found: &[f64], tolerance: f64) {
        assert_eq!(expected.len(), found.len(), "{}: {what}", self.name);
        let size = expected.iter().fold(0.0_f64, |size, x| size.max(x.abs()));
        let difference = expected.iter().zip(found).map(|(a, b)| (a - b).abs());
        let worst = difference.fold(0.0, |worst, d| if d <= worst { worst } else { d });
        println!("{}: {what}: {:.1e}", self.name, worst / size);
        assert!(
            size > 0.0 && worst <= tolerance * size,
            "{}: {what}: {worst:e} of {size:e}",
            self.name
        );
    }
}
