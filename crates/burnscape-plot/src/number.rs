//! Numbers that may be infinite or NaN, for which JSON has no number: `#[serde(with = "number")]` writes them as text, whole
//! numbers without a point, and others with as few digits as tell them apart.

use std::fmt;

use serde::de::{DeserializeOwned, Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Below this, every whole number is an `f64` of its own, and short.
const MOST_WHOLE: f64 = 1e15;

pub(crate) fn serialize<T: Numbers, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    value.written().serialize(serializer)
}

pub(crate) fn deserialize<'de, T: Numbers, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    T::Written::deserialize(deserializer).map(T::read)
}

/// One number, or several in some order.
pub(crate) trait Numbers: Sized {
    /// The same with numbers as they are written.
    type Written: Serialize + DeserializeOwned;

    fn written(&self) -> Self::Written;

    fn read(written: Self::Written) -> Self;
}

impl Numbers for f64 {
    type Written = Number;

    fn written(&self) -> Number {
        Number(*self)
    }

    fn read(Number(value): Number) -> Self {
        value
    }
}

impl<T: Numbers> Numbers for Option<T> {
    type Written = Option<T::Written>;

    fn written(&self) -> Self::Written {
        self.as_ref().map(T::written)
    }

    fn read(written: Self::Written) -> Self {
        written.map(T::read)
    }
}

impl<T: Numbers> Numbers for Vec<T> {
    type Written = Vec<T::Written>;

    fn written(&self) -> Self::Written {
        self.iter().map(T::written).collect()
    }

    fn read(written: Self::Written) -> Self {
        written.into_iter().map(T::read).collect()
    }
}

/// The lower and the upper ends of a band.
impl<T: Numbers> Numbers for [T; 2] {
    type Written = [T::Written; 2];

    fn written(&self) -> Self::Written {
        self.each_ref().map(T::written)
    }

    fn read(written: Self::Written) -> Self {
        written.map(T::read)
    }
}

/// Numbers with a name.
impl<T: Numbers> Numbers for (String, T) {
    type Written = (String, T::Written);

    fn written(&self) -> Self::Written {
        (self.0.clone(), self.1.written())
    }

    fn read((name, written): Self::Written) -> Self {
        (name, T::read(written))
    }
}

/// A number as it is written.
pub(crate) struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(value) = *self;
        if !serializer.is_human_readable() {
            return serializer.serialize_f64(value);
        }
        if !value.is_finite() {
            return serializer.serialize_str(&value.to_string().to_lowercase());
        }
        let is_negative_zero = value == 0.0 && value.is_sign_negative();
        if value.fract() == 0.0 && value.abs() < MOST_WHOLE && !is_negative_zero {
            return serializer.serialize_i64(value as i64);
        }
        serializer.serialize_f64(value)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(NumberVisitor)
        } else {
            f64::deserialize(deserializer).map(Self)
        }
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"a number, "nan", "inf" or "-inf""#)
    }

    fn visit_f64<E>(self, value: f64) -> Result<Number, E> {
        Ok(Number(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Number, E> {
        Ok(Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Number, E> {
        Ok(Number(value as f64))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
        match text {
            "nan" => Ok(Number(f64::NAN)),
            "inf" => Ok(Number(f64::INFINITY)),
            "-inf" => Ok(Number(f64::NEG_INFINITY)),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}
