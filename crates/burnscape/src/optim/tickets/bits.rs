//! One bit for each weight.

use serde::{Deserialize, Serialize};

/// The kept weights of one parameter: 32 to a word, the first in the lowest bit. Bits after the last weight are zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub(super) struct Bits {
    len: usize,
    words: Vec<u32>,
}

#[derive(Deserialize)]
struct Written {
    len: usize,
    words: Vec<u32>,
}

impl TryFrom<Written> for Bits {
    type Error = String;

    fn try_from(Written { len, words }: Written) -> Result<Self, String> {
        let rest = len % 32;
        let is_clean = rest == 0 || words.last().is_some_and(|word| word >> rest == 0);
        if words.len() == len.div_ceil(32) && is_clean {
            return Ok(Self { len, words });
        }
        Err(format!(
            "the mask of {len} weights has {} words of 32 bits, or bits after the last weight; write the mask again",
            words.len()
        ))
    }
}

impl Bits {
    /// Keeps the weights for which `is_kept` is true.
    pub(super) fn from_fn(len: usize, is_kept: impl Fn(usize) -> bool) -> Self {
        let word = |word: usize| {
            let indices = (32 * word)..len.min(32 * (word + 1));
            let kept = indices.filter(|&index| is_kept(index));
            kept.fold(0, |bits, index| bits | (1_u32 << (index % 32)))
        };
        Self {
            len,
            words: (0..len.div_ceil(32)).map(word).collect(),
        }
    }

    pub(super) fn all(len: usize) -> Self {
        Self::from_fn(len, |_| true)
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, index: usize) -> bool {
        let word = self.words.get(index / 32);
        word.is_some_and(|word| (word >> (index % 32)) & 1 == 1)
    }

    pub(super) fn clear(&mut self, index: usize) {
        if let Some(word) = self.words.get_mut(index / 32) {
            *word &= !(1_u32 << (index % 32));
        }
    }

    /// Number of kept weights.
    pub(super) fn count(&self) -> usize {
        let ones = self.words.iter().map(|word| word.count_ones() as usize);
        ones.sum()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = bool> {
        (0..self.len).map(|index| self.get(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_end_at_any_length() {
        for len in [0, 1, 31, 32, 33, 64, 70] {
            let thirds = Bits::from_fn(len, |index| index % 3 == 0);
            assert_eq!(thirds.count(), len.div_ceil(3));
            let listed: Vec<bool> = thirds.iter().collect();
            assert_eq!(listed.len(), len);
            assert!(
                listed
                    .iter()
                    .enumerate()
                    .all(|(i, &bit)| bit == (i % 3 == 0))
            );
            assert_eq!(Bits::all(len).count(), len);
            assert!(!thirds.get(len) && !Bits::all(len).get(len));
        }
    }

    #[test]
    fn only_the_bit_that_is_cleared_changes() {
        let mut bits = Bits::all(40);
        bits.clear(33);
        bits.clear(99);
        assert_eq!(bits, Bits::from_fn(40, |index| index != 33));
    }

    #[test]
    fn words_that_do_not_fit_the_length_are_refused() {
        let read = |text: &str| serde_json::from_str::<Bits>(text);
        assert_eq!(
            read(r#"{"len":3,"words":[5]}"#).unwrap(),
            Bits::from_fn(3, |index| index != 1)
        );
        for text in [
            r#"{"len":3,"words":[8]}"#,
            r#"{"len":3,"words":[]}"#,
            r#"{"len":33,"words":[1]}"#,
            r#"{"len":32,"words":[1,0]}"#,
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains("write the mask again"), "{error}");
        }
        assert_eq!(read(r#"{"len":0,"words":[]}"#).unwrap(), Bits::all(0));
    }
}
