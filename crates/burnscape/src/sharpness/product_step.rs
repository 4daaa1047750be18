/// One product with an operator, as an observer sees it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ProductStep {
    /// Products done.
    pub products: usize,
    /// Products planned, at most.
    pub total: usize,
    /// The estimate so far, where there is one after every product.
    pub value: Option<f64>,
}
