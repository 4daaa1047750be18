//! Matrices in place of permutations: a group mixes its units by a matrix whose rows and columns sum to one.

use burn::tensor::{Int, Tensor};

use crate::symmetry::{Symmetries, TensorAxes};

/// For each group whether it is neither within others nor has others within it.
pub(super) fn plain_groups(symmetries: &Symmetries) -> Vec<bool> {
    let groups = symmetries.groups();
    let mut is_plain: Vec<bool> = groups
        .iter()
        .map(|group| group.parents().is_empty())
        .collect();
    for &parent in groups.iter().flat_map(|group| group.parents()) {
        is_plain[parent] = false;
    }
    is_plain
}

/// One matrix for each group, on the device of the tensors and of their type: entry `(i, j)` is how much of unit `j`
/// comes to place `i`. Groups without a matrix stay in place.
pub(super) type Matrices = [Option<Tensor<2>>];

/// How groups without parents and children act on the float tensors of a model by matrices.
///
/// A permutation `p` is the matrix with ones at `(i, p(i))`, and acts by it as by an
/// [`Element`](crate::symmetry::Element).
#[derive(Debug)]
pub(super) struct SoftAction {
    /// The places of each tensor.
    places: Vec<Vec<Place>>,
    degree: usize,
}

/// A factor of one block of an axis on which a group acts.
#[derive(Debug)]
struct Place {
    group: usize,
    /// The size of the group.
    size: usize,
    /// The indices before the axis, of the axis, and after it.
    shape: [usize; 3],
    /// The indices of the axis that are in the block.
    num_moved: usize,
    /// The order of the axis in which those of the block come first, `[units, others of the block]`, and its inverse;
    /// none if it is that in memory.
    orders: Option<[Vec<i64>; 2]>,
}

impl SoftAction {
    pub(super) fn new(symmetries: &Symmetries, is_soft: &[bool]) -> Self {
        let tensors = &symmetries.layout().tensors;
        let mut places = Vec::with_capacity(tensors.len());
        let mut degree = 0;
        for tensor in tensors {
            let mut found = Vec::new();
            let mut own_degree = 0;
            let is_empty = tensor.shape.contains(&0);
            for (axis, blocks) in tensor.axes.iter().enumerate().filter(|_| !is_empty) {
                let mut largest = 0;
                for (block, factors) in blocks.iter().map(|block| &block.factors).enumerate() {
                    let before = found.len();
                    for (factor, group) in factors.iter().map(|factor| factor.group).enumerate() {
                        if let Some(group) = group.filter(|&group| is_soft[group]) {
                            found.push(Place::new(tensor, group, [axis, block, factor]));
                        }
                    }
                    largest = largest.max(found.len() - before);
                }
                own_degree += largest;
            }
            degree = degree.max(own_degree);
            places.push(found);
        }
        Self { places, degree }
    }

    /// Whether a group acts on a tensor.
    pub(super) fn acts_on(&self, tensor: usize) -> bool {
        !self.places[tensor].is_empty()
    }

    /// The largest degree of an element that is moved, as a polynomial of the entries of the matrices.
    pub(super) fn degree(&self) -> usize {
        self.degree
    }

    /// A flat tensor after the matrices.
    ///
    /// # Cost
    ///
    /// A product of a matrix with the tensor for each place, and up to two selections.
    pub(super) fn moved(&self, tensor: usize, values: Tensor<1>, matrices: &Matrices) -> Tensor<1> {
        let places = self.places[tensor].iter();
        places.fold(values, |values, place| place.moved(values, matrices))
    }

    /// The derivatives of `⟨outer, moved⟩` by the matrices: one for each place, with its group.
    pub(super) fn derivatives(
        &self,
        tensor: usize,
        values: &Tensor<1>,
        matrices: &Matrices,
        outer: &Tensor<1>,
    ) -> Vec<(usize, Tensor<2>)> {
        let places = self.places[tensor].iter().enumerate();
        let derivatives = places.clone().map(|(index, place)| {
            let others = places.clone().filter(|(other, _)| *other != index);
            let moved = others.fold(values.clone(), |values, (_, other)| {
                other.moved(values, matrices)
            });
            let [rows, columns] =
                [outer.clone(), moved].map(|values| place.unfolded(place.arranged(values)));
            (place.group, rows.matmul(columns.transpose()))
        });
        derivatives.collect()
    }
}

impl Place {
    fn new(tensor: &TensorAxes, group: usize, [axis, block, factor]: [usize; 3]) -> Self {
        let (shape, block) = (&tensor.shape, &tensor.axes[axis][block]);
        let (len, own) = (shape[axis], block.factors[factor]);
        let mut rest = vec![block.offset];
        for (other, factor_of_other) in block.factors.iter().enumerate() {
            if other != factor {
                let values = 0..factor_of_other.size;
                let longer = rest.into_iter().flat_map(|at| {
                    let values = values.clone();
                    values.map(move |value| at + factor_of_other.stride * value)
                });
                rest = longer.collect();
            }
        }
        let mut order: Vec<usize> = (0..own.size)
            .flat_map(|value| rest.iter().map(move |at| at + own.stride * value))
            .collect();
        let num_moved = order.len();
        let mut is_moved = vec![false; len];
        for &index in &order {
            is_moved[index] = true;
        }
        order.extend((0..len).filter(|index| !is_moved[*index]));
        let mut inverse = vec![0; len];
        for (place, &index) in order.iter().enumerate() {
            inverse[index] = place as i64;
        }
        let is_in_memory = order.iter().enumerate().all(|(to, from)| to == *from);
        let order = order.into_iter().map(|index| index as i64).collect();
        Self {
            group,
            size: own.size,
            shape: [
                shape[..axis].iter().product(),
                len,
                shape[axis + 1..].iter().product(),
            ],
            num_moved,
            orders: (!is_in_memory).then_some([order, inverse]),
        }
    }

    /// With the block first along the axis.
    fn arranged(&self, values: Tensor<1>) -> Tensor<3> {
        let values: Tensor<3> = values.reshape(self.shape);
        match &self.orders {
            Some([order, _]) => selected(values, order),
            None => values,
        }
    }

    /// The columns of the block as a matrix, without the number of units.
    fn rest(&self) -> usize {
        self.num_moved / self.size * self.shape[2]
    }

    /// The block as a matrix with a row for each unit.
    fn unfolded(&self, arranged: Tensor<3>) -> Tensor<2> {
        let [outer, len, _] = self.shape;
        let own = if self.num_moved < len {
            arranged.narrow(1, 0, self.num_moved)
        } else {
            arranged
        };
        let own: Tensor<3> = own.reshape([outer, self.size, self.rest()]);
        own.swap_dims(0, 1)
            .reshape([self.size, outer * self.rest()])
    }

    fn moved(&self, values: Tensor<1>, matrices: &Matrices) -> Tensor<1> {
        let Some(matrix) = &matrices[self.group] else {
            return values;
        };
        let [outer, len, inner] = self.shape;
        let arranged = self.arranged(values);
        let mixed = matrix.clone().matmul(self.unfolded(arranged.clone()));
        let mixed: Tensor<3> = mixed.reshape([self.size, outer, self.rest()]);
        let mixed: Tensor<3> = mixed
            .swap_dims(0, 1)
            .reshape([outer, self.num_moved, inner]);
        let all = if self.num_moved < len {
            let others = arranged.narrow(1, self.num_moved, len - self.num_moved);
            Tensor::cat(vec![mixed, others], 1)
        } else {
            mixed
        };
        let all = match &self.orders {
            Some([_, inverse]) => selected(all, inverse),
            None => all,
        };
        all.reshape([outer * len * inner])
    }
}

fn selected(values: Tensor<3>, order: &[i64]) -> Tensor<3> {
    let order = Tensor::<1, Int>::from_data(order, &values.device());
    values.select(1, order)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device, TensorData};
    use rand_distr::{Distribution, StandardNormal};
    use serde_json::{Value, json};

    use super::*;
    use crate::space::stream;
    use crate::symmetry::Element;

    /// The factors of a block: size, stride and group.
    type Factors = [(usize, usize, Option<usize>)];

    const SIZES: [usize; 3] = [3, 2, 4];

    fn block(offset: usize, factors: &Factors) -> Value {
        let factors = factors
            .iter()
            .map(|(size, stride, group)| json!({ "size": size, "stride": stride, "group": group }));
        json!({ "offset": offset, "factors": factors.collect::<Vec<_>>() })
    }

    fn tensor(path: &str, shape: &[usize], axes: &[Vec<Value>]) -> Value {
        json!({ "paths": [path], "shape": shape, "is_running_statistic": false, "axes": axes })
    }

    /// Groups on one axis and on several, twice in a tensor, beside each other, in blocks, and between other indices.
    fn symmetries() -> Symmetries {
        let [a, b, c] = [0, 1, 2].map(|group| vec![block(0, &[(SIZES[group], 1, Some(group))])]);
        let joined = vec![
            block(0, &[(3, 1, Some(0))]),
            block(3, &[(4, 1, Some(2))]),
            block(7, &[(2, 1, None)]),
        ];
        let interleaved = vec![
            block(0, &[(2, 5, Some(1)), (3, 1, Some(0))]),
            block(3, &[(2, 5, Some(1)), (2, 1, None)]),
        ];
        let flat = vec![block(0, &[(3, 2, Some(0)), (2, 1, None)])];
        let plain = vec![block(0, &[(5, 1, None)])];
        let tensors = [
            tensor("bias", &[3], std::slice::from_ref(&a)),
            tensor("square", &[3, 3], &[a.clone(), a.clone()]),
            tensor("flat", &[6, 4], &[flat, c.clone()]),
            tensor("joined", &[9, 2], &[joined, b.clone()]),
            tensor("interleaved", &[10], &[interleaved]),
            tensor("deep", &[2, 3, 4, 5], &[b, a, c, plain.clone()]),
            tensor("fixed", &[5], &[plain]),
        ];
        let mut members = vec![Vec::new(); SIZES.len()];
        for tensor in &tensors {
            for (axis, blocks) in tensor["axes"].as_array().unwrap().iter().enumerate() {
                for block in blocks.as_array().unwrap() {
                    for factor in block["factors"].as_array().unwrap() {
                        if let Some(group) = factor["group"].as_u64() {
                            members[group as usize].push(json!({
                                "path": tensor["paths"][0],
                                "axis": axis,
                                "offset": block["offset"],
                                "stride": factor["stride"],
                            }));
                        }
                    }
                }
            }
        }
        let groups = SIZES.iter().zip(members);
        let groups = groups
            .map(|(size, members)| json!({ "size": size, "parents": [], "members": members }));
        let layout = json!({
            "groups": groups.collect::<Vec<_>>(),
            "fixed": [],
            "dropped": [],
            "tensors": tensors,
        });
        serde_json::from_value(layout).unwrap()
    }

    fn normal<const D: usize>(shape: [usize; D], seed: u64) -> Tensor<D> {
        let count: usize = shape.iter().product();
        let numbers = StandardNormal.sample_iter(stream(seed, count as u64));
        let numbers: Vec<f64> = numbers.take(count).collect();
        let data = TensorData::new(numbers, shape);
        Tensor::from_data(data, (&Device::default(), DType::F64))
    }

    fn tensors(symmetries: &Symmetries, seed: u64) -> Vec<Tensor<1>> {
        let tensors = symmetries.layout().tensors.iter().enumerate();
        let numbers = tensors
            .map(|(index, tensor)| normal([tensor.shape.iter().product()], seed + index as u64));
        numbers.collect()
    }

    fn matrices(element: &Element, dtype: DType) -> Vec<Option<Tensor<2>>> {
        let matrices = SIZES.iter().enumerate().map(|(group, &size)| {
            let mut entries = vec![0.0; size * size];
            for (row, column) in element.permutation(group).unwrap().iter().enumerate() {
                entries[row * size + column] = 1.0;
            }
            let data = TensorData::new(entries, [size, size]);
            Some(Tensor::from_data(data, (&Device::default(), dtype)))
        });
        matrices.collect()
    }

    fn host(values: Tensor<1>) -> Vec<f64> {
        values.into_data().iter::<f64>().collect()
    }

    #[test]
    fn a_matrix_of_a_permutation_acts_as_the_element() {
        let symmetries = symmetries();
        assert_eq!(plain_groups(&symmetries), [true; 3]);
        let action = SoftAction::new(&symmetries, &[true; 3]);
        assert_eq!(action.degree(), 3);
        let values = tensors(&symmetries, 5);
        for seed in 0..20 {
            let element = symmetries.random(seed);
            for dtype in [DType::F64, DType::F32] {
                let matrices = matrices(&element, dtype);
                for (index, values) in values.iter().enumerate() {
                    let values = values.clone().cast(dtype);
                    let expected = host(element.moved(index, values.clone()));
                    let found = action.moved(index, values.clone(), &matrices);
                    assert_eq!(host(found), expected, "{index} {seed} {dtype:?}");
                    // On autodiff, too.
                    let found = action.moved(index, values.autodiff(), &matrices);
                    assert_eq!(host(found.inner()), expected, "{index} {seed} {dtype:?}");
                }
            }
        }
        let acts: Vec<bool> = (0..7).map(|index| action.acts_on(index)).collect();
        assert_eq!(acts, [true, true, true, true, true, true, false]);
    }

    #[test]
    fn a_group_without_a_matrix_stays() {
        let symmetries = symmetries();
        let action = SoftAction::new(&symmetries, &[true, false, true]);
        let element = symmetries.random(3);
        let own = matrices(&element, DType::F64);
        let tables = [0, 1, 2].map(|group| match group {
            0 => element.permutation(0).unwrap().to_vec(),
            _ => (0..SIZES[group]).collect(),
        });
        let expected = symmetries.element(Vec::from(tables)).unwrap();
        // Group 1 has no places, group 2 no matrix.
        let given = [own[0].clone(), own[1].clone(), None];
        for (index, values) in tensors(&symmetries, 9).into_iter().enumerate() {
            let found = action.moved(index, values.clone(), &given);
            assert_eq!(host(found), host(expected.moved(index, values)), "{index}");
        }
    }

    #[test]
    fn derivatives_are_those_of_autodiff() {
        let symmetries = symmetries();
        let action = SoftAction::new(&symmetries, &[true; 3]);
        let outer = tensors(&symmetries, 30);
        for (index, values) in tensors(&symmetries, 20).into_iter().enumerate() {
            if !action.acts_on(index) {
                continue;
            }
            let plain: Vec<Option<Tensor<2>>> = SIZES
                .iter()
                .map(|&size| Some(normal([size, size], 40 + size as u64)))
                .collect();
            let leaves: Vec<Option<Tensor<2>>> = plain
                .iter()
                .map(|matrix| matrix.clone().map(|own| own.autodiff().require_grad()))
                .collect();
            let moved = action.moved(index, values.clone().autodiff(), &leaves);
            let product = (moved * outer[index].clone().autodiff()).sum();
            let gradients = product.backward();
            let mut found: Vec<Vec<f64>> = SIZES.map(|size| vec![0.0; size * size]).to_vec();
            for (group, part) in action.derivatives(index, &values, &plain, &outer[index]) {
                let part = host(part.reshape([SIZES[group] * SIZES[group]]));
                for (sum, part) in found[group].iter_mut().zip(part) {
                    *sum += part;
                }
            }
            for (group, leaf) in leaves.iter().enumerate() {
                let size = SIZES[group];
                let gradient = leaf.as_ref().unwrap().grad(&gradients);
                let expected = match gradient {
                    Some(gradient) => host(gradient.reshape([size * size])),
                    None => vec![0.0; size * size],
                };
                for (found, expected) in found[group].iter().zip(&expected) {
                    assert!((found - expected).abs() < 1e-12, "{index} {group}");
                }
            }
        }
    }
}
