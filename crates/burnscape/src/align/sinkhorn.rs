use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;

use super::AlignError;
use crate::range::{POSITIVE, ensure};

/// A soft permutation: scores as a matrix of positive entries whose rows and columns sum to one.
///
/// The logarithms `scores / temperature` of shape `[n, n]` are normalized along rows and then along columns,
/// `iterations` times, and exponentiated:
///
/// `L ← L − log Σ_j exp(L_ij)`, `L ← L − log Σ_i exp(L_ij)`, `P = exp(L)`.
///
/// Columns sum to one to rounding, rows to the accuracy of the iteration, which converges linearly and the more slowly
/// the larger the differences of scores are compared to the temperature. In the limit, `P` maximizes
/// `⟨P, scores⟩ + temperature · entropy(P)` among these matrices; towards the temperature zero it becomes the
/// permutation of the linear assignment. A limit of two units is known:
/// `P_11 = 1 / (1 + exp(−(S_11 + S_22 − S_12 − S_21) / (2 τ)))`.
///
/// Numbers stay in the range of the element type however large the scores are. On autodiff the result is
/// differentiable: gradients pass through all iterations.
///
/// # Cost
///
/// `2 · iterations` passes over the matrix; on autodiff about ten matrices are kept for each of them.
///
/// # Errors
///
/// [`AlignError::OutOfRange`] for a temperature that is not positive and for no iterations, [`AlignError::Similarity`]
/// for a matrix that is not square.
///
/// # References
///
/// Mena, Belanger, Linderman, Snoek 2018, *Learning Latent Permutations with Gumbel-Sinkhorn Networks*,
/// arXiv:1802.08665; Cuturi 2013, *Sinkhorn Distances: Lightspeed Computation of Optimal Transport*, arXiv:1306.0895.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burnscape::align::sinkhorn;
///
/// let scores = Tensor::<2>::from_data([[2.0, 0.0], [1.0, 3.0]], &Device::default());
/// let soft = sinkhorn(scores.clone(), 1.0, 50)?;
/// let own = soft.slice([0..1, 0..1]).into_scalar::<f32>();
/// assert!((own - 1.0 / (1.0 + (-2.0_f32).exp())).abs() < 1e-5);
///
/// // A low temperature gives a permutation.
/// let hard = sinkhorn(scores, 0.05, 50)?;
/// assert!(hard.slice([0..1, 0..1]).into_scalar::<f32>() > 0.999);
/// # Ok::<(), burnscape::align::AlignError>(())
/// ```
pub fn sinkhorn(
    scores: Tensor<2>,
    temperature: f64,
    iterations: usize,
) -> Result<Tensor<2>, AlignError> {
    ensure("temperature", temperature, POSITIVE)?;
    ensure("iterations", iterations as f64, 1.0..)?;
    let [rows, columns] = scores.dims();
    if rows != columns {
        return Err(AlignError::Similarity {
            group: None,
            message: format!(
                "the scores have {rows} rows and {columns} columns; pass a square matrix"
            ),
        });
    }
    if rows == 0 {
        return Ok(scores);
    }
    // The gradient of a division is rounded to f32 (docs/upstream.md).
    let start = scores.mul_scalar(1.0 / temperature);
    let logarithms = (0..iterations).fold(start, |logarithms, _| {
        log_softmax(log_softmax(logarithms, 1), 0)
    });
    Ok(logarithms.exp())
}
