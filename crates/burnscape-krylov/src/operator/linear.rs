use std::error::Error;
use std::ops::ControlFlow;

use crate::{KrylovFault, Observed, Step, VectorSpace, check};

/// An operator from the range of `A` to its domain.
pub(crate) type Preconditioner<'a, A> = dyn LinearOperator<
        Domain = <A as LinearOperator>::Range,
        Range = <A as LinearOperator>::Domain,
        Error = <A as LinearOperator>::Error,
    > + 'a;

/// A linear map from one space to another, known by its products.
///
/// Operators nest by value or by reference: `&A` and `Box<A>` are operators if `A` is. The trait is object safe.
///
/// # Laws
///
/// `A(au + bv) = a Au + b Av` to rounding, exactly so for a lone factor that is a power of two;
/// equal vectors have equal products; [`matmat`](Self::matmat) agrees with [`matvec`](Self::matvec)
/// to rounding. [`linearity_defect`](Self::linearity_defect) checks the first.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, KrylovFault, LinearOperator};
///
/// /// The difference of neighbors: n + 1 numbers to n.
/// struct Difference(usize);
///
/// impl LinearOperator for Difference {
///     type Domain = Vec<f64>;
///     type Range = Vec<f64>;
///     type Error = KrylovFault;
///
///     fn domain(&self) -> usize {
///         self.0 + 1
///     }
///
///     fn range(&self) -> usize {
///         self.0
///     }
///
///     fn matvec(&self, v: &Vec<f64>) -> Result<Vec<f64>, KrylovFault> {
///         Ok(v.windows(2).map(|pair| pair[1] - pair[0]).collect())
///     }
/// }
///
/// assert_eq!(Dense::of(&Difference(2))?.as_slice(), [-1.0, 1.0, 0.0, 0.0, -1.0, 1.0]);
/// # Ok::<(), KrylovFault>(())
/// ```
pub trait LinearOperator {
    /// The vectors that are multiplied.
    type Domain: VectorSpace;
    /// The products.
    type Range: VectorSpace;
    /// The errors of products and of methods: they hold those of the vectors, and faults of methods.
    type Error: Error
        + From<KrylovFault>
        + From<<Self::Domain as VectorSpace>::Error>
        + From<<Self::Range as VectorSpace>::Error>
        + 'static;

    /// The space of the vectors that can be multiplied.
    fn domain(&self) -> <Self::Domain as VectorSpace>::Space;

    /// The space of the products.
    fn range(&self) -> <Self::Range as VectorSpace>::Space;

    /// `A v`.
    ///
    /// # Errors
    ///
    /// The operator's own, for a vector that is not of its [`domain`](Self::domain) in particular.
    /// Values that are not finite are not errors; they pass through.
    fn matvec(&self, v: &Self::Domain) -> Result<Self::Range, Self::Error>;

    /// `A v` for each vector.
    ///
    /// # Cost
    ///
    /// One product for each by default. An operator that shares work between products (a pass over
    /// the data, a larger kernel) does it here; combinators pass blocks on as they are.
    ///
    /// # Errors
    ///
    /// As [`matvec`](Self::matvec).
    fn matmat(&self, vectors: &[Self::Domain]) -> Result<Vec<Self::Range>, Self::Error> {
        vectors.iter().map(|v| self.matvec(v)).collect()
    }

    /// How far the operator is from linear: the largest `|A(au + bv) − a Au − b Av| / (|a||Au| + |b||Av|)` over `pairs`
    /// pairs of Gaussian vectors, with `a = 3/4` and `b = −3/2`; zero if the numerator is zero. An operator that returns
    /// different products for equal vectors is not linear either.
    ///
    /// # Units
    ///
    /// Rounding gives about the `epsilon` of the vectors, and more where the products are small by cancellation (easily
    /// so in a range of one dimension); a map that is not linear gives the order of 1.
    ///
    /// # Cost
    ///
    /// Three products per pair.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::NoProbes`], [`KrylovFault::NonFinite`], and those of the operator.
    ///
    /// # Reproducibility
    ///
    /// `seed` determines the vectors; more pairs keep the earlier ones.
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape_krylov::{Dense, LinearOperator};
    ///
    /// let a = Dense::from_rows(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])?;
    /// assert!(a.linearity_defect(2, 0)? < 1e-15);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn linearity_defect(&self, pairs: usize, seed: u64) -> Result<f64, Self::Error> {
        check::linearity_defect(self, pairs, seed)
    }

    /// Reports a step of a run to the observer of this operator. Every method calls it after each product. If it returns
    /// `Break`, the method ends and returns its result so far.
    ///
    /// By default there is no observer; [`observed`](Self::observed) attaches one.
    fn report(&self, step: &Step) -> ControlFlow<()> {
        let _ = step;
        ControlFlow::Continue(())
    }

    /// Whether a product failed because an observer stopped it. The run then ends as if [`report`](Self::report) had
    /// returned `Break`, with its result from before that product; without one, it fails with the error.
    ///
    /// False by default. An operator whose products can be stopped half-way overrides it.
    fn is_stop(&self, error: &Self::Error) -> bool {
        let _ = error;
        false
    }

    /// The preconditioner of this operator: none, unless [`Preconditioned`](crate::Preconditioned) attached one.
    fn preconditioner(&self) -> Option<&Preconditioner<'_, Self>> {
        None
    }

    /// The same operator, with an observer that sees every step of a run and can end it.
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape_krylov::{Dense, LinearOperator, Symmetric, TraceConfig};
    /// use std::ops::ControlFlow;
    ///
    /// let a = Symmetric::verified(Dense::diagonal(&[1.0, 2.0]), 1e-12, 0)?;
    /// let mut lines = Vec::new();
    /// let observed = (&a).observed(|step| {
    ///     lines.push(step.to_string());
    ///     ControlFlow::Continue(())
    /// });
    /// TraceConfig::new().with_max_matvecs(8).run(&observed)?;
    /// assert_eq!(lines[7], "trace: 8 of 8 products, 3.000000e0 ± 0.0e0");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn observed<F>(self, observer: F) -> Observed<Self, F>
    where
        Self: Sized,
        F: FnMut(&Step) -> ControlFlow<()> + Send,
    {
        Observed::new(self, observer)
    }
}

// The text is the same for every pointer.
macro_rules! through_pointer {
    ($pointer:ty) => {
        impl<A: LinearOperator + ?Sized> LinearOperator for $pointer {
            type Domain = A::Domain;
            type Range = A::Range;
            type Error = A::Error;

            fn domain(&self) -> <A::Domain as VectorSpace>::Space {
                (**self).domain()
            }

            fn range(&self) -> <A::Range as VectorSpace>::Space {
                (**self).range()
            }

            fn matvec(&self, v: &A::Domain) -> Result<A::Range, A::Error> {
                (**self).matvec(v)
            }

            fn matmat(&self, vectors: &[A::Domain]) -> Result<Vec<A::Range>, A::Error> {
                (**self).matmat(vectors)
            }

            fn report(&self, step: &Step) -> ControlFlow<()> {
                (**self).report(step)
            }

            fn is_stop(&self, error: &A::Error) -> bool {
                (**self).is_stop(error)
            }

            fn preconditioner(&self) -> Option<&Preconditioner<'_, Self>> {
                (**self).preconditioner()
            }
        }
    };
}

through_pointer!(&A);
through_pointer!(Box<A>);
