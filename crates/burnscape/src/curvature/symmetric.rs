//! Sums of symmetric matrices, which are checked.

use burn::module::Module;

use super::CurvatureError;
use super::batch_points::Setup;
use super::batch_sum::BatchSum;
use super::displaced::{Displaced, of_products};
use super::kept::KeptShard;
use super::site::Site;
use super::spread::non_finite;
use crate::loss::{Agreement, Sides, compare_nearby};
use crate::space::{Distance, ParamSpace, ParamVector, outer_gaussian};

/// The batches of a device whose maps are symmetric matrices over parameters.
pub(super) fn symmetric<'a, M: Module>(
    site: &Site<'_, 'a, M>,
    setup: &Setup<'_, M>,
    kept: Option<KeptShard>,
) -> Result<BatchSum<'a>, CurvatureError> {
    let must_check = site.operators.checks && kept.is_none();
    let batches = BatchSum::new(site, setup, kept)?;
    if must_check {
        check(&site.space, &batches)?;
    }
    Ok(batches)
}

/// Checks that two products are finite and symmetric.
///
/// If the terms of a product cancel, it consists of rounding errors. The size of the terms then shows at
/// displaced weights. The vectors are drawn again for each use: a product needs the memory.
fn check(space: &ParamSpace, batches: &BatchSum<'_>) -> Result<(), CurvatureError> {
    let dtype = space.dtype()?;
    let drawn = |seed| {
        let values = outer_gaussian(space.len(), seed, space.device(), dtype);
        ParamVector::from_values(space, values)
    };
    // The product with one vector: its inner product with the other, and the sizes.
    let side = |own: u64, other: u64, near: Option<(&Displaced, Distance)>| {
        let w = drawn(own)?;
        let product = match near {
            None => batches.sum(&batches.watch(), 0, |_| w.values().clone())?,
            Some((displaced, distance)) => {
                batches.sum_displaced(displaced, distance, w.values())?
            }
        };
        let product = ParamVector::from_values(space, product)?;
        batches.check_break()?;
        let norms = [w.norm()?, product.norm()?];
        drop(w);
        Ok::<_, CurvatureError>((drawn(other)?.dot(&product)?, norms))
    };
    let sides = |near: Option<(&Displaced, Distance)>| {
        let (u, v) = (1, 2);
        let (au_v, [norm_u, norm_au]) = side(u, v, near)?;
        let (av_u, [norm_v, norm_av]) = side(v, u, near)?;
        for (seed, norm) in [(u, norm_au), (v, norm_av)] {
            if !norm.is_finite() {
                let vector = drawn(seed)?;
                let tangent = |_| vector.values().clone();
                return match near {
                    Some(_) => Ok(None),
                    None => {
                        let watch = batches.watch();
                        let found = batches.find_non_finite(&watch, 0, tangent)?;
                        Err(non_finite(found))
                    }
                };
            }
        }
        Ok(Some(Sides {
            difference: (av_u - au_v).abs(),
            size: norm_u * norm_av + norm_au * norm_v,
        }))
    };
    let tolerance = of_products(dtype);
    let own = sides(None)?;
    if own.is_some_and(|own| own.difference <= tolerance * own.size) {
        return Ok(());
    }
    let displaced = batches.displaced(space)?;
    let found = compare_nearby(tolerance, dtype, own, |distance| {
        sides(Some((&displaced, distance)))
    })?;
    match found {
        Agreement::Different { defect } => Err(CurvatureError::NotSymmetric { defect, tolerance }),
        Agreement::Equal | Agreement::NotFinite => Ok(()),
    }
}
