//! Element types of files.

use ::safetensors::Dtype;
use burn::tensor::{BoolStore, DType};

/// The element type of a tensor, as its file says it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum StoredType {
    Safetensors(Dtype),
    Burnpack(DType),
}

impl StoredType {
    pub(super) fn name(self) -> String {
        match self {
            Self::Safetensors(dtype) => dtype.to_string().to_lowercase(),
            Self::Burnpack(dtype) => dtype.name().to_string(),
        }
    }

    /// The type of its numbers, if it is merged.
    pub(super) fn float(self) -> Option<DType> {
        match self {
            Self::Safetensors(Dtype::F16) | Self::Burnpack(DType::F16) => Some(DType::F16),
            Self::Safetensors(Dtype::BF16) | Self::Burnpack(DType::BF16) => Some(DType::BF16),
            Self::Safetensors(Dtype::F32) | Self::Burnpack(DType::F32 | DType::Flex32) => {
                Some(DType::F32)
            }
            Self::Safetensors(Dtype::F64) | Self::Burnpack(DType::F64) => Some(DType::F64),
            _ => None,
        }
    }

    /// The type of the same bytes in a safetensors file.
    pub(super) fn in_safetensors(self) -> Option<Dtype> {
        let dtype = match self {
            Self::Safetensors(dtype) => return Some(dtype),
            Self::Burnpack(dtype) => dtype,
        };
        match dtype {
            DType::F64 => Some(Dtype::F64),
            DType::F32 | DType::Flex32 => Some(Dtype::F32),
            DType::F16 => Some(Dtype::F16),
            DType::BF16 => Some(Dtype::BF16),
            DType::I64 => Some(Dtype::I64),
            DType::I32 => Some(Dtype::I32),
            DType::I16 => Some(Dtype::I16),
            DType::I8 => Some(Dtype::I8),
            DType::U64 => Some(Dtype::U64),
            DType::U32 | DType::Bool(BoolStore::U32) => Some(Dtype::U32),
            DType::U16 => Some(Dtype::U16),
            DType::U8 | DType::Bool(BoolStore::U8) => Some(Dtype::U8),
            DType::Bool(BoolStore::Native) => Some(Dtype::BOOL),
            DType::QFloat(_) => None,
        }
    }

    /// The type of the same bytes in a burnpack file.
    pub(super) fn in_burnpack(self) -> Option<DType> {
        let dtype = match self {
            Self::Burnpack(dtype) => return Some(dtype),
            Self::Safetensors(dtype) => dtype,
        };
        match dtype {
            Dtype::F64 => Some(DType::F64),
            Dtype::F32 => Some(DType::F32),
            Dtype::F16 => Some(DType::F16),
            Dtype::BF16 => Some(DType::BF16),
            Dtype::I64 => Some(DType::I64),
            Dtype::I32 => Some(DType::I32),
            Dtype::I16 => Some(DType::I16),
            Dtype::I8 => Some(DType::I8),
            Dtype::U64 => Some(DType::U64),
            Dtype::U32 => Some(DType::U32),
            Dtype::U16 => Some(DType::U16),
            Dtype::U8 => Some(DType::U8),
            Dtype::BOOL => Some(DType::Bool(BoolStore::Native)),
            _ => None,
        }
    }
}
