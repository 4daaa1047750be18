//! The order in which the recipes were tried.

/// `numpy.random.default_rng(0).permutation(count)`: numbers of PCG64 from the state that NumPy makes of the seed 0, and
/// a shuffle from the end.
pub(super) fn numpy_order(count: u32) -> Vec<usize> {
    let mut generator = Pcg64 {
        state: 35_399_562_948_360_463_058_890_781_895_381_311_971,
        spare: None,
    };
    let mut order: Vec<usize> = (0..count as usize).collect();
    for last in (1..count).rev() {
        order.swap(last as usize, generator.up_to(last));
    }
    order
}

const MULTIPLIER: u128 = 0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645;
const INCREMENT: u128 = 87_136_372_517_582_989_555_478_159_403_783_844_777;

/// O'Neill's generator with a state of 128 bits and XSL-RR output.
struct Pcg64 {
    state: u128,
    /// The upper half of the last number.
    spare: Option<u32>,
}

impl Pcg64 {
    /// From 0 to `most`, uniformly.
    fn up_to(&mut self, most: u32) -> usize {
        let mask = u32::MAX >> most.leading_zeros();
        loop {
            let drawn = self.draw() & mask;
            if drawn <= most {
                return drawn as usize;
            }
        }
    }

    fn draw(&mut self) -> u32 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        self.state = self.state.wrapping_mul(MULTIPLIER);
        self.state = self.state.wrapping_add(INCREMENT);
        let folded = (self.state >> 64) as u64 ^ self.state as u64;
        let number = folded.rotate_right((self.state >> 122) as u32);
        self.spare = Some((number >> 32) as u32);
        number as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_numpy() {
        let order = numpy_order(1797);
        let first = [360, 1773, 1482, 600, 850, 196, 968, 1742, 567, 1168];
        assert_eq!(order[..10], first);
        assert_eq!(order[1792..], [1449, 184, 1528, 975, 607]);
    }
}
