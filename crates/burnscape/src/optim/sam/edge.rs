use super::Sam;

impl Sam {
    /// The sharpness above which SAM's linearized dynamics diverge; `rho = 0` gives `2/lr`.
    ///
    /// `λ_SAM = |g|/(2 rho) (sqrt(1 + 8 rho/(lr |g|)) − 1)` (Long and Bartlett 2024, arXiv:2309.12488).
    /// `None` where a rate or gradient of zero leaves no edge.
    ///
    /// # Units
    ///
    /// Loss per squared parameter, as the eigenvalues of the Hessian.
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape::optim::Sam;
    ///
    /// let edge = Sam::edge(0.05, 0.05, 0.1).unwrap_or(f64::NAN);
    /// assert!((edge - 4.0).abs() < 1e-12);
    /// assert_eq!(Sam::edge(1.0, 0.0, 0.1), Some(20.0));
    /// ```
    pub fn edge(gradient_norm: f64, rho: f64, lr: f64) -> Option<f64> {
        let is_defined = lr > 0.0 && rho >= 0.0 && gradient_norm.is_finite();
        if !is_defined {
            return None;
        }
        if rho == 0.0 {
            return Some(2.0 / lr);
        }
        // The same number without the cancellation at small rho: 4/lr over (sqrt(1 + x²) + 1). The root of each
        // factor is taken first: products of small rates and gradients leave the range where their roots do not.
        let x = (8.0 * rho / lr).sqrt() / gradient_norm.sqrt();
        (gradient_norm > 0.0).then(|| 4.0 / (lr * (x.hypot(1.0) + 1.0)))
    }
}
