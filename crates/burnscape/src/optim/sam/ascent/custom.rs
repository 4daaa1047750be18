use std::sync::Arc;

use burn::serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::AscentRule;
use crate::optim::sam::part::{AnyPart, fresh};

/// An [`AscentRule`] of unknown type. Made by [`Ascent::custom`](super::Ascent::custom).
///
/// A configuration is written with the name of the ascent and cannot be read back: the type is unknown then.
#[derive(Debug, Clone)]
pub struct CustomAscent(Arc<dyn AnyPart>);

impl CustomAscent {
    pub(super) fn new(rule: impl AscentRule) -> Self {
        Self(fresh(rule))
    }

    pub(super) fn part(&self) -> Arc<dyn AnyPart> {
        self.0.clone()
    }
}

/// The same ascent, not an equal one.
impl PartialEq for CustomAscent {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Serialize for CustomAscent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

impl<'de> Deserialize<'de> for CustomAscent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Err(de::Error::custom(format!(
            "the type of the ascent `{name}` is unknown here; read the other settings, and set it with \
             `SamConfig::with_ascent`"
        )))
    }
}
