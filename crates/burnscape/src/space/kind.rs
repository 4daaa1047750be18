/// The role of a parameter, derived from its rank and the module that holds it.
///
/// Filter normalization and adaptive metrics use it: they treat matrices, biases and normalization parameters
/// differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParamKind {
    /// Rank two or more: the weight of a linear map, a convolution or an embedding.
    Weight,
    /// Rank one, outside normalization layers.
    Bias,
    /// The gain or shift of a normalization layer (`BatchNorm`, `LayerNorm`, …).
    Normalization,
}

/// The role of a parameter, derived from the containers that `ModuleVisitor::enter_module` reports.
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

    /// The axis of the output units: each index along it is one filter.
    ///
    /// Burn stores a linear weight as `[d_input, d_output]`, a convolution as `[out, in, …]`, a
    /// transposed convolution as `[in, out / groups, …]` (output `i` of all groups counts as one filter) and an
    /// embedding as `[n, d]` (one row per token).
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
        // A name that merely resembles one of Burn's is ignored.
        assert_eq!(role("Struct:EmbeddingNet", 2).filter_axis, Some(1));
        // Only the innermost module counts.
        let around = ["Struct:Embedding".to_string(), "Vec".to_string()];
        assert_eq!(Role::of(&around, 2).filter_axis, Some(1));
    }
}
