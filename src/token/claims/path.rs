//! Where in the claims something is.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

/// The longest path, in bytes.
const MAX_PATH_BYTES: usize = 256;

/// Where in the claims something is: a member's exact name, or, when it begins with `/`, a JSON
/// Pointer (RFC 6901). So `https://crm.example/roles` is one name and `/act/sub` a path of two.
///
/// ```
/// use postern::token::ClaimPath;
///
/// assert!("/act/sub".parse::<ClaimPath>().is_ok());
/// assert!("/act~sub".parse::<ClaimPath>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClaimPath {
    /// What was written.
    text: String,
    first: String,
    rest: Vec<String>,
}

impl ClaimPath {
    /// The path as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn find<'a>(&self, members: &'a Map<String, Value>) -> Option<&'a Value> {
        self.rest.iter().try_fold(members.get(&self.first)?, |value, step| match value {
            Value::Object(members) => members.get(step),
            Value::Array(list) => list.get(index(step)?),
            _ => None,
        })
    }
}

impl FromStr for ClaimPath {
    type Err = InvalidClaimPath;

    fn from_str(text: &str) -> Result<Self, InvalidClaimPath> {
        if text.is_empty() {
            return Err(InvalidClaimPath::Empty);
        }
        if text.len() > MAX_PATH_BYTES {
            return Err(InvalidClaimPath::TooLong);
        }
        let text = text.to_owned();
        let Some(pointer) = text.strip_prefix('/') else {
            return Ok(Self { first: text.clone(), text, rest: Vec::new() });
        };
        let mut steps = pointer.split('/').map(unescape);
        let first = steps.next().ok_or(InvalidClaimPath::Empty)??;
        let rest = steps.collect::<Result<_, _>>()?;
        Ok(Self { text, first, rest })
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text is no path to a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidClaimPath {
    /// It says nothing.
    Empty,
    /// A `~` in a pointer is followed by neither `0` nor `1` (RFC 6901 §3).
    Escape,
    /// It is longer than 256 bytes.
    TooLong,
}

impl fmt::Display for InvalidClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("expected the name of a claim or a JSON pointer"),
            Self::Escape => f.write_str("expected `~0` or `~1` where a JSON pointer has `~`"),
            Self::TooLong => write!(f, "expected at most {MAX_PATH_BYTES} bytes"),
        }
    }
}

impl std::error::Error for InvalidClaimPath {}

/// `~1` is `/` and `~0` is `~`, in that order (RFC 6901 §4).
fn unescape(step: &str) -> Result<String, InvalidClaimPath> {
    if step.split('~').skip(1).any(|after| !after.starts_with(['0', '1'])) {
        return Err(InvalidClaimPath::Escape);
    }
    Ok(step.replace("~1", "/").replace("~0", "~"))
}

/// Digits without a leading zero (RFC 6901 §4).
fn index(step: &str) -> Option<usize> {
    let canonical = step == "0" || !step.starts_with('0');
    (canonical && step.bytes().all(|b| b.is_ascii_digit())).then(|| step.parse().ok())?
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn find(path: &str) -> Option<Value> {
        let claims = json!({
            "role": "reader", "https://crm.example/roles": ["editor"], "a/b": {"m~n": 1},
            "act": {"sub": "bot", "": 0}, "list": [["x"], "y"],
        });
        path.parse::<ClaimPath>().unwrap().find(claims.as_object().unwrap()).cloned()
    }

    #[test]
    fn a_plain_path_is_one_exact_name() {
        assert_eq!(find("role"), Some(json!("reader")));
        assert_eq!(find("https://crm.example/roles"), Some(json!(["editor"])));
        assert_eq!(find("act.sub"), None);
        assert_eq!(find("Role"), None);
    }

    #[test]
    fn rfc6901_3_a_path_that_begins_with_a_slash_is_a_json_pointer() {
        assert_eq!(find("/act/sub"), Some(json!("bot")));
        assert_eq!(find("/act/"), Some(json!(0)));
        assert_eq!(find("/a~1b/m~0n"), Some(json!(1)));
        assert_eq!(find("/list/0/0"), Some(json!("x")));
        for missing in ["/list/00", "/list/+0", "/list/-", "/list/2", "/role/0", "/", "/act/x/y"] {
            assert_eq!(find(missing), None, "{missing}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        let refused = |path: &str| path.parse::<ClaimPath>().unwrap_err();
        assert_eq!(refused(""), InvalidClaimPath::Empty);
        assert_eq!(refused("/a~2"), InvalidClaimPath::Escape);
        assert_eq!(refused("/a~"), InvalidClaimPath::Escape);
        assert_eq!(refused(&"a".repeat(257)), InvalidClaimPath::TooLong);
    }
}
