/// The role of a parameter, read from its rank and from the module that holds it.
///
/// Directions that are normalized filter by filter, and adaptive metrics, treat matrices, biases
/// and normalization parameters differently; this is what they look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParamKind {
    /// Rank two or more: the weight of a linear map, a convolution, an embedding.
    Weight,
    /// Rank one, outside a normalization layer.
    Bias,
    /// A gain or shift that lives in a normalization layer (`BatchNorm`, `LayerNorm`, …).
    Normalization,
}

/// What `ModuleVisitor::enter_module` says about the modules around a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) kind: ParamKind,
    pub(super) filter_axis: Option<usize>,
}

impl Role {
    /// `containers` are Burn's container types from the outside in, `Struct:Linear` for instance.
    pub(super) fn of(containers: &[String], rank: usize) -> Self {
        let is_normalization = containers
            .last()
            .is_some_and(|container| container.ends_with("Norm"));
        let kind = match (rank, is_normalization) {
            (_, true) => ParamKind::Normalization,
            (0 | 1, false) => ParamKind::Bias,
            _ => ParamKind::Weight,
        };
        let filter_axis = (kind == ParamKind::Weight).then(|| Self::filter_axis(containers, rank));
        Self { kind, filter_axis }
    }

    /// The axis that counts output units: one index along it is one filter.
    ///
    /// Burn keeps a linear weight as `[d_input, d_output]`, a convolution as `[out, in, …]`, a
    /// transposed convolution as `[in, out / groups, …]` (the same output of every group counts as
    /// one) and an embedding as `[n, d]` (one row a token).
    fn filter_axis(containers: &[String], rank: usize) -> usize {
        let container = containers.last().map(String::as_str).unwrap_or_default();
        if container.starts_with("Struct:ConvTranspose") {
            1
        } else if container == "Struct:Embedding" {
            0
        } else {
            usize::from(rank == 2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(container: &str, rank: usize) -> Role {
        Role::of(&["Struct:Net".into(), container.into()], rank)
    }

    #[test]
    fn the_holder_and_the_rank_give_the_role() {
        assert_eq!(role("Struct:Linear", 2).filter_axis, Some(1));
        assert_eq!(role("Struct:Conv2d", 4).filter_axis, Some(0));
        assert_eq!(role("Struct:ConvTranspose2d", 4).filter_axis, Some(1));
        assert_eq!(role("Struct:Embedding", 2).filter_axis, Some(0));
        assert_eq!(role("Struct:Linear", 1).kind, ParamKind::Bias);
        assert_eq!(role("Struct:LayerNorm", 1).kind, ParamKind::Normalization);
        assert_eq!(role("Struct:LayerNorm", 1).filter_axis, None);
        // A name that only resembles one of Burn's says nothing.
        assert_eq!(role("Struct:EmbeddingNet", 2).filter_axis, Some(1));
        // Only the holder counts, not what is around it.
        let around = ["Struct:Embedding".to_string(), "Vec".to_string()];
        assert_eq!(Role::of(&around, 2).filter_axis, Some(1));
    }
}
