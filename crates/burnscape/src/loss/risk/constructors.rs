use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Int, Tensor};

use super::classes::OfClasses;
use super::form::{OfExamples, OfObjective, OfOutputs, Ranked};
use super::source::{Parts, Source};
use super::{Classes, PerExample, Risk, Split, Whole};
use crate::loss::{Batch, DataSet, Objective, Reduction};

impl<'a, M: Module> Risk<'a, M> {
    /// The risk of a loss over data, both borrowed. [`owned`](Self::owned) takes them by value.
    pub fn new<B, O, D>(objective: &'a O, data: &'a D) -> Self
    where
        B: Batch + 'a,
        O: Objective<M, B> + Sync,
        D: DataSet<B> + Sync + ?Sized,
    {
        let form = OfObjective::<&'a O, O>::new(objective);
        let parts = Parts::<_, &'a D, D, B>::new(form, data);
        Self::of(Arc::new(parts), Whole::KIND, objective.reduction())
    }

    /// The risk of a loss over data, both taken by value. It is a `Risk<'static, M>` if they borrow nothing; its
    /// operators can then be stored in a struct and sent to a thread.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::{Linear, LinearConfig};
    /// use burn::tensor::{Device, Tensor};
    /// use burnscape::curvature::Hessian;
    /// use burnscape::loss::Risk;
    ///
    /// let device = Device::default();
    /// let model = LinearConfig::new(2, 1).init(&device);
    /// let data = vec![Tensor::<2>::ones([4, 2], &device)];
    /// let risk = Risk::owned(|m: &Linear, x: Tensor<2>| m.forward(x).square().mean(), data);
    /// let hessian: Hessian<'static> = risk.hessian(&model)?;
    /// let thread = std::thread::spawn(move || hessian.loss());
    /// assert!(thread.join().is_ok());
    /// # Ok::<(), burnscape::curvature::CurvatureError>(())
    /// ```
    pub fn owned<B, O, D>(objective: O, data: D) -> Self
    where
        B: Batch + 'a,
        O: Objective<M, B> + Send + Sync + 'a,
        D: DataSet<B> + Send + Sync + 'a,
    {
        let reduction = objective.reduction();
        let form = OfObjective::<O, O>::new(objective);
        let parts = Parts::<_, D, D, B>::new(form, data);
        Self::of(Arc::new(parts), Whole::KIND, reduction)
    }
}

impl<'a, M: Module> Risk<'a, M, Split> {
    /// The risk of a loss in two parts: the outputs of the model on a batch, for instance logits `[n, classes]`, and a
    /// criterion of outputs and batch, which is a mean over examples. Gauss-Newton and Fisher matrices, the Jacobian
    /// and the tangent kernel need both parts.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::{Linear, LinearConfig};
    /// use burn::tensor::{Device, Tensor};
    /// use burnscape::loss::Risk;
    ///
    /// type Batch = (Tensor<2>, Tensor<2>);
    /// let device = Device::default();
    /// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
    /// let data: [Batch; 1] = [(Tensor::zeros([4, 2], &device), Tensor::ones([4, 1], &device))];
    /// let risk = Risk::split(
    ///     |model: &Linear, (x, _): &Batch| model.forward(x.clone()),
    ///     |outputs: Tensor<2>, (_, y): Batch| (outputs - y).powi_scalar(2).mean(),
    ///     &data,
    /// );
    /// assert!((risk.loss(&model)?.value - 1.0).abs() < 1e-6);
    /// # Ok::<(), burnscape::loss::LossError>(())
    /// ```
    ///
    /// # Compile errors
    ///
    /// A risk made with [`new`](Self::new) does not separate outputs and criterion, so it lacks these methods. The
    /// compiler names the kind of risk that has the method; make the risk with `Risk::split` instead.
    ///
    /// ```compile_fail,E0599
    /// use burn::nn::{Linear, LinearConfig};
    /// use burn::tensor::{Device, Tensor};
    /// use burnscape::loss::Risk;
    ///
    /// let device = Device::default();
    /// let model = LinearConfig::new(2, 1).init(&device);
    /// let loss = |model: &Linear, x: Tensor<2>| model.forward(x).square().mean();
    /// let data = [Tensor::<2>::ones([4, 2], &device)];
    /// let matrix = Risk::new(&loss, &data).gauss_newton(&model); // found for `Risk<'a, M, Split>`
    /// ```
    pub fn split<B, F, G, D, const R: usize>(outputs: F, criterion: G, data: &'a D) -> Self
    where
        B: Batch + 'a,
        F: Fn(&M, &B) -> Tensor<R> + Send + Sync + 'a,
        G: Fn(Tensor<R>, B) -> Tensor<1> + Send + Sync + 'a,
        D: DataSet<B> + Sync + ?Sized,
    {
        let form = Ranked(OfOutputs { outputs, criterion });
        let parts = Parts::<_, &'a D, D, B>::new(form, data);
        Self::of(Arc::new(parts), Split::KIND, Reduction::Mean)
    }

    /// Same as [`split`](Self::split), with the data taken by value.
    pub fn split_owned<B, F, G, D, const R: usize>(outputs: F, criterion: G, data: D) -> Self
    where
        B: Batch + 'a,
        F: Fn(&M, &B) -> Tensor<R> + Send + Sync + 'a,
        G: Fn(Tensor<R>, B) -> Tensor<1> + Send + Sync + 'a,
        D: DataSet<B> + Send + Sync + 'a,
    {
        let form = Ranked(OfOutputs { outputs, criterion });
        let parts = Parts::<_, D, D, B>::new(form, data);
        Self::of(Arc::new(parts), Split::KIND, Reduction::Mean)
    }

    /// Sets whether the criterion is a sum or a mean over examples.
    #[must_use]
    pub fn with_reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }
}

impl<'a, M: Module> Risk<'a, M, PerExample> {
    /// The risk of the losses of single examples, `[n]`. It is their mean by default; see
    /// [`with_reduction`](Self::with_reduction). The empirical Fisher matrix and the covariance of gradients need this
    /// form.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::{Linear, LinearConfig};
    /// use burn::tensor::{Device, Tensor};
    /// use burnscape::krylov::LinearOperator;
    /// use burnscape::loss::Risk;
    /// use burnscape::space::ParamVector;
    ///
    /// let device = Device::default();
    /// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
    /// let data = [Tensor::<2>::eye(2, &device)];
    /// let losses = |model: &Linear, x: Tensor<2>| model.forward(x).flatten(0, 1);
    /// let fisher = Risk::per_example(losses, &data).empirical_fisher(&model)?;
    /// // The gradients of the two examples are (1, 0) and (0, 1); the mean of g gᵀ is I/2.
    /// let v = ParamVector::from_host(fisher.space(), &[1.0, 2.0])?;
    /// assert_eq!(fisher.matvec(&v)?.to_host()?, [0.5, 1.0]);
    /// # Ok::<(), burnscape::curvature::CurvatureError>(())
    /// ```
    ///
    /// # Compile errors
    ///
    /// A risk made with [`new`](Self::new) has no empirical Fisher matrix, because a mean over a batch does not
    /// separate its examples. Return the loss of each example, and make the risk with `Risk::per_example`.
    ///
    /// ```compile_fail,E0599
    /// use burn::nn::{Linear, LinearConfig};
    /// use burn::tensor::{Device, Tensor};
    /// use burnscape::loss::Risk;
    ///
    /// let device = Device::default();
    /// let model = LinearConfig::new(2, 1).init(&device);
    /// let loss = |model: &Linear, x: Tensor<2>| model.forward(x).square().mean();
    /// let data = [Tensor::<2>::ones([4, 2], &device)];
    /// let matrix = Risk::new(&loss, &data).empirical_fisher(&model); // found for `Risk<'a, M, PerExample>`
    /// ```
    pub fn per_example<B, F, D>(losses: F, data: &'a D) -> Self
    where
        B: Batch + 'a,
        F: Fn(&M, B) -> Tensor<1> + Send + Sync + 'a,
        D: DataSet<B> + Sync + ?Sized,
    {
        let parts = Parts::<_, &'a D, D, B>::new(Ranked(OfExamples(losses)), data);
        Self::of(Arc::new(parts), PerExample::KIND, Reduction::Mean)
    }

    /// Same as [`per_example`](Self::per_example), with the data taken by value.
    pub fn per_example_owned<B, F, D>(losses: F, data: D) -> Self
    where
        B: Batch + 'a,
        F: Fn(&M, B) -> Tensor<1> + Send + Sync + 'a,
        D: DataSet<B> + Send + Sync + 'a,
    {
        let parts = Parts::<_, D, D, B>::new(Ranked(OfExamples(losses)), data);
        Self::of(Arc::new(parts), PerExample::KIND, Reduction::Mean)
    }

    /// Sets whether the loss of a batch is the sum or the mean of the losses of its examples.
    #[must_use]
    pub fn with_reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }
}

impl<'a, M: Module> Risk<'a, M, Classes<'a, M>> {
    /// The mean cross-entropy `−log softmax(z)_y` of a classifier, with logits `z` `[n, classes]` and labels `y`
    /// `[n]`. Calibrated profiles of paths need this form; for Gauss-Newton and Fisher matrices, make a second risk with
    /// [`split`](Risk::split).
    pub fn classes<B, F, G, D>(logits: F, labels: G, data: &'a D) -> Self
    where
        B: Batch + 'a,
        F: Fn(&M, &B) -> Tensor<2> + Send + Sync + 'a,
        G: Fn(&B) -> Tensor<1, Int> + Send + Sync + 'a,
        D: DataSet<B> + Sync + ?Sized,
    {
        let form = Ranked(OfClasses { logits, labels });
        let parts = Arc::new(Parts::<_, &'a D, D, B>::new(form, data));
        Self::of(parts.clone(), Classes(parts), Reduction::Mean)
    }
}

/// A loss on a single batch, which need not be `Sync`.
pub(crate) fn of_one_batch<'a, M, B, O>(
    objective: &'a O,
    batch: &'a B,
) -> impl Source<M> + use<'a, M, B, O>
where
    M: Module,
    B: Batch,
    O: Objective<M, B>,
{
    let form = OfObjective::<&'a O, O>::new(objective);
    Parts::<_, &'a [B], [B], B>::new(form, std::slice::from_ref(batch))
}
