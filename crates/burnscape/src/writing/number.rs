//! Fields that may be infinite or NaN, for which JSON has no number: `#[serde(with = "number")]` writes them as
//! `"inf"`, `"-inf"` and `"nan"`. Where `null` stands for such a number, it is read as NaN.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) fn serialize<T: Numbers, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    value.to_written().serialize(serializer)
}

pub(crate) fn deserialize<'de, T: Numbers, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    T::Written::deserialize(deserializer).map(T::from_written)
}

/// A number, or several.
pub(crate) trait Numbers {
    type Written: Serialize + DeserializeOwned;

    fn to_written(&self) -> Self::Written;

    fn from_written(written: Self::Written) -> Self;
}

impl Numbers for f64 {
    type Written = Number;

    fn to_written(&self) -> Number {
        Number(*self)
    }

    fn from_written(written: Number) -> Self {
        written.0
    }
}

impl Numbers for Option<f64> {
    type Written = Option<Number>;

    fn to_written(&self) -> Option<Number> {
        self.map(Number)
    }

    fn from_written(written: Option<Number>) -> Self {
        written.map(|number| number.0)
    }
}

impl Numbers for Vec<f64> {
    type Written = Vec<Number>;

    fn to_written(&self) -> Vec<Number> {
        self.iter().copied().map(Number).collect()
    }

    fn from_written(written: Vec<Number>) -> Self {
        written.into_iter().map(|number| number.0).collect()
    }
}

/// A number as it is written.
pub(crate) struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(value) = *self;
        if value.is_finite() || !serializer.is_human_readable() {
            serializer.serialize_f64(value)
        } else {
            serializer.serialize_str(&value.to_string().to_lowercase())
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(f64),
            Word(String),
            Null(()),
        }
        if !deserializer.is_human_readable() {
            return f64::deserialize(deserializer).map(Self);
        }
        match Written::deserialize(deserializer)? {
            Written::Number(value) => Ok(Self(value)),
            Written::Word(word) => word.parse().map(Self).map_err(D::Error::custom),
            Written::Null(()) => Ok(Self(f64::NAN)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Numbers {
        #[serde(with = "super")]
        one: f64,
        #[serde(with = "super")]
        other: Option<f64>,
        #[serde(with = "super")]
        list: Vec<f64>,
    }

    #[test]
    fn what_is_not_finite_survives_json() {
        let numbers = Numbers {
            one: f64::NEG_INFINITY,
            other: Some(f64::INFINITY),
            list: vec![1.0, 0.1, f64::INFINITY, -0.25],
        };
        let text = serde_json::to_string(&numbers).unwrap();
        let expected = r#"{"one":"-inf","other":"inf","list":[1.0,0.1,"inf",-0.25]}"#;
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<Numbers>(&text).unwrap(), numbers);
        let nothing = r#"{"one":2,"other":null,"list":["nan",null]}"#;
        let read: Numbers = serde_json::from_str(nothing).unwrap();
        assert_eq!((read.one, read.other), (2.0, None));
        assert!(read.list.iter().all(|x| x.is_nan()) && read.list.len() == 2);
        assert!(serde_json::from_str::<Numbers>(r#"{"one":"many"}"#).is_err());
    }

    #[test]
    fn binary_formats_write_numbers() {
        let numbers = Numbers {
            one: f64::INFINITY,
            other: None,
            list: vec![f64::NEG_INFINITY],
        };
        let bytes = rmp_serde::to_vec(&numbers).unwrap();
        assert_eq!(rmp_serde::from_slice::<Numbers>(&bytes).unwrap(), numbers);
    }
}
