//! What values may be, as far as that is known before there are any.

use std::fmt;

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// It is only known once it is there.
    Dyn,
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A whole number of 64 bits with a sign.
    Int,
    /// A number of IEEE 754 in 64 bits.
    Double,
    /// Text.
    String,
    /// A moment.
    Timestamp,
    /// A span of time.
    Duration,
    /// Values one after the other.
    List(Box<Type>),
    /// Values by their names.
    Map(Box<Type>),
}

impl Type {
    /// Whether a value of this type may be one of the other.
    pub(super) fn may_be(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dyn, _) | (_, Self::Dyn) => true,
            (Self::List(one), Self::List(two)) | (Self::Map(one), Self::Map(two)) => {
                one.may_be(two)
            }
            _ => self == other,
        }
    }

    /// Whether a value of this type may be equal to one of the other: numbers of both kinds may.
    pub(super) fn may_equal(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(one), Self::List(two)) | (Self::Map(one), Self::Map(two)) => {
                one.may_equal(two)
            }
            // Whatever it is, it may turn out to be nothing.
            (Self::Null, _) | (_, Self::Null) => true,
            _ => self.may_be(other) || self.is_number() && other.is_number(),
        }
    }

    /// Whether values of this type come before or after one another.
    pub(super) const fn is_ordered(&self) -> bool {
        !matches!(self, Self::Null | Self::List(_) | Self::Map(_))
    }

    pub(super) const fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Double)
    }

    /// The one type that values of both types are surely of.
    pub(super) fn or(self, other: &Self) -> Self {
        if self == *other { self } else { Self::Dyn }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dyn => "anything",
            Self::Null => "`null`",
            Self::Bool => "a boolean",
            Self::Int => "a whole number",
            Self::Double => "a number",
            Self::String => "a string",
            Self::Timestamp => "a timestamp",
            Self::Duration => "a duration",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        })
    }
}
