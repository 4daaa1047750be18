//! The order in which the points of a grid are evaluated: from a coarse grid to the fine one.

/// The depth of each index of an axis: 0 for both ends, and one more with every bisection between neighbors.
pub(super) fn depths(len: usize) -> Vec<usize> {
    let mut depths = vec![0; len];
    let mut open = vec![(0, len.saturating_sub(1), 1)];
    while let Some((low, high, depth)) = open.pop() {
        if high - low < 2 {
            continue;
        }
        let middle = usize::midpoint(low, high);
        depths[middle] = depth;
        open.push((low, middle, depth + 1));
        open.push((middle, high, depth + 1));
    }
    depths
}

/// The level of each point: the largest depth of its indices.
pub(super) fn levels(shape: &[usize]) -> Vec<usize> {
    let depths: Vec<Vec<usize>> = shape.iter().map(|&len| depths(len)).collect();
    let level = |index| {
        let place = place(shape, index);
        let own = place.iter().zip(&depths).map(|(&at, depths)| depths[at]);
        own.max().unwrap_or(0)
    };
    let num_points: usize = shape.iter().product();
    (0..num_points).map(level).collect()
}

/// The points by level, and by index within a level. The points up to the end of a level are a grid of their own.
pub(super) fn order(shape: &[usize]) -> Vec<usize> {
    let levels = levels(shape);
    let mut order: Vec<usize> = (0..levels.len()).collect();
    order.sort_by_key(|&index| levels[index]);
    order
}

/// The index of a point along each axis. The last axis is the fastest.
pub(super) fn place(shape: &[usize], mut index: usize) -> Vec<usize> {
    let mut place = vec![0; shape.len()];
    for (at, &len) in place.iter_mut().zip(shape).rev() {
        // An axis that was read from JSON may be empty.
        let len = len.max(1);
        *at = index % len;
        index /= len;
    }
    place
}

/// The coordinates of a point by its index; NaN where an axis that was read from JSON has no such point.
pub(super) fn coordinates(axes: &[Vec<f64>], index: usize) -> Vec<f64> {
    let shape: Vec<usize> = axes.iter().map(Vec::len).collect();
    let place = place(&shape, index);
    let pairs = place.iter().zip(axes);
    let coordinates = pairs.map(|(&at, axis)| axis.get(at).copied());
    coordinates.map(|x| x.unwrap_or(f64::NAN)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interval_is_halved_before_any_of_its_halves() {
        assert_eq!(depths(1), [0]);
        assert_eq!(depths(2), [0, 0]);
        assert_eq!(depths(3), [0, 1, 0]);
        assert_eq!(depths(4), [0, 1, 2, 0]);
        assert_eq!(depths(9), [0, 3, 2, 3, 1, 3, 2, 3, 0]);
        for len in 2..70 {
            let depths = depths(len);
            let deepest = depths.iter().copied().max().unwrap();
            // The number of bisections that an interval of this length allows.
            assert_eq!(deepest, (len - 1).next_power_of_two().ilog2() as usize);
            for depth in 0..=deepest {
                let kept: Vec<usize> = (0..len).filter(|&index| depths[index] <= depth).collect();
                let gaps = kept.windows(2).map(|pair| pair[1] - pair[0]);
                let widest = gaps.max().unwrap();
                assert!(widest <= (len - 1).div_ceil(1 << depth), "{len} {depth}");
            }
        }
    }

    #[test]
    fn the_points_of_a_level_are_those_of_a_coarser_grid() {
        let shape = [5, 4, 3];
        let (levels, order) = (levels(&shape), order(&shape));
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..60).collect::<Vec<_>>());
        assert!(order.is_sorted_by_key(|&index| (levels[index], index)));
        let axes = shape.map(depths);
        for level in 0..=2 {
            let count = levels.iter().filter(|&&own| own <= level).count();
            let lengths = axes
                .iter()
                .map(|axis| axis.iter().filter(|&&depth| depth <= level).count());
            assert_eq!(count, lengths.product::<usize>());
        }
        // The corners come first.
        assert_eq!(order[..3], [0, 2, 9]);
        assert_eq!(levels[..8], [0, 1, 0, 1, 1, 1, 2, 2]);
    }

    #[test]
    fn the_last_axis_is_the_fastest() {
        assert_eq!(place(&[5, 4, 3], 0), [0, 0, 0]);
        assert_eq!(place(&[5, 4, 3], 1), [0, 0, 1]);
        assert_eq!(place(&[5, 4, 3], 3), [0, 1, 0]);
        assert_eq!(place(&[5, 4, 3], 59), [4, 3, 2]);
        let axes = [vec![0.0, 1.0], vec![-1.0, 0.5, 2.0]];
        assert_eq!(coordinates(&axes, 4), [1.0, 0.5]);
        assert!(coordinates(&[vec![]], 0)[0].is_nan());
    }
}
