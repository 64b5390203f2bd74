//! The methods a route answers.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// The longest name of a method that a policy may use.
pub const MAX_METHOD_BYTES: usize = 32;

/// Those of RFC 9110 §9.3 and RFC 5789; a policy has to write them as they are registered.
const STANDARD: [&str; 9] =
    ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];

/// A method that a policy may name: a token, case-sensitive (RFC 9110 §9.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Method(Box<str>);

impl Method {
    /// The method as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Method {
    type Err = MethodError;

    /// # Errors
    ///
    /// [`MethodError`] for what is no token or too long, for a standard method that is not in upper
    /// case, and for `CONNECT`, which asks for a tunnel and names no path (RFC 9110 §9.3.6).
    fn from_str(name: &str) -> Result<Self, MethodError> {
        if name.len() > MAX_METHOD_BYTES {
            return Err(MethodError::TooLong);
        }
        if !is_token(name.as_bytes()) {
            return Err(MethodError::NotAToken(name.into()));
        }
        match STANDARD.into_iter().find(|standard| standard.eq_ignore_ascii_case(name)) {
            Some("CONNECT") => Err(MethodError::Connect),
            Some(standard) if standard != name => {
                Err(MethodError::NotUpperCase { found: name.into(), expected: standard })
            }
            _ => Ok(Self(name.into())),
        }
    }
}

/// The methods a route answers: at least one, or any.
///
/// `GET` stands for `HEAD` as well, which asks the same without the content (RFC 9110 §9.3.2).
/// Any method never is `CONNECT`, which names no path; Extended `CONNECT` (RFC 8441) neither.
///
/// ```
/// use postern::route::Methods;
///
/// let methods = Methods::from_names(["GET", "PUT"])?;
/// assert!(methods.contains(b"HEAD") && !methods.contains(b"get"));
/// assert_eq!(methods.to_string(), "GET, HEAD, PUT");
/// assert!(Methods::from_names(["*"])?.contains(b"PURGE"));
/// # Ok::<(), postern::route::MethodError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Methods(
    // `None` is any.
    Option<BTreeSet<Method>>,
);

impl Methods {
    /// Any method.
    pub const ANY: Self = Self(None);

    /// The methods of these names, or any for `*` alone.
    ///
    /// # Errors
    ///
    /// [`MethodError`] for an empty list, a name listed twice, `*` among others, and whatever
    /// [`Method`] refuses.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, MethodError> {
        let mut names = names.into_iter().peekable();
        if names.next_if_eq(&"*").is_some() {
            return if names.next().is_none() { Ok(Self::ANY) } else { Err(MethodError::NotAlone) };
        }
        let mut listed = BTreeSet::new();
        for name in names {
            if name == "*" {
                return Err(MethodError::NotAlone);
            }
            if !listed.insert(name.parse()?) {
                return Err(MethodError::Twice(name.into()));
            }
        }
        if listed.is_empty() {
            return Err(MethodError::Empty);
        }
        if listed.contains(&Method("GET".into())) {
            listed.insert(Method("HEAD".into()));
        }
        Ok(Self(Some(listed)))
    }

    /// Whether a request with this method is answered.
    pub fn contains(&self, method: &[u8]) -> bool {
        match &self.0 {
            None => any_is(method),
            Some(listed) => listed.iter().any(|listed| listed.as_str().as_bytes() == method),
        }
    }

    /// The methods one by one; `None` for any.
    pub(super) fn listed(&self) -> Option<impl Iterator<Item = &Method>> {
        self.0.as_ref().map(BTreeSet::iter)
    }
}

impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(listed) = &self.0 else { return f.write_str("*") };
        for (index, method) in listed.iter().enumerate() {
            write!(f, "{}{method}", if index > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

/// Whether "any method" is this one.
pub(super) fn any_is(method: &[u8]) -> bool {
    is_token(method) && !method.eq_ignore_ascii_case(b"CONNECT")
}

/// RFC 9110 §5.6.2.
fn is_token(name: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(is_tchar)
}

/// Why a policy's methods are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MethodError {
    /// `CONNECT`, in whatever case.
    Connect,
    /// No method at all.
    Empty,
    /// `*` among others.
    NotAlone,
    /// Not a token.
    NotAToken(String),
    /// A standard method in another case than its own.
    NotUpperCase {
        /// As the policy has it.
        found: String,
        /// As it is registered.
        expected: &'static str,
    },
    /// Longer than [`MAX_METHOD_BYTES`].
    TooLong,
    /// The same method again.
    Twice(String),
}

impl fmt::Display for MethodError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("`CONNECT` names no path, expected another method"),
            Self::Empty => f.write_str("no method is listed, expected `GET` or the like, or `*`"),
            Self::NotAlone => f.write_str("`*` is any method, expected no other beside it"),
            Self::NotAToken(found) => write!(f, "`{found}`: expected a method such as `GET`"),
            Self::NotUpperCase { found, expected } => {
                write!(f, "`{found}`: expected `{expected}`, methods are case-sensitive")
            }
            Self::TooLong => write!(f, "expected a method of at most {MAX_METHOD_BYTES} bytes"),
            Self::Twice(found) => write!(f, "`{found}` is listed twice"),
        }
    }
}

impl std::error::Error for MethodError {}

#[cfg(test)]
mod tests {
    use super::{MAX_METHOD_BYTES, Method, MethodError, Methods};

    fn error(names: &[&str]) -> MethodError {
        Methods::from_names(names.iter().copied()).unwrap_err()
    }

    #[test]
    fn any_token_is_a_method() {
        for name in ["GET", "QUERY", "PROPFIND", "M-SEARCH", "purge"] {
            assert_eq!(name.parse::<Method>().unwrap().as_str(), name);
        }
        for name in ["", "GET ", "GET,PUT", "GÉT", "G/T", "GET\0"] {
            assert_eq!(error(&[name]), MethodError::NotAToken(name.into()));
        }
        assert_eq!(error(&[&"A".repeat(MAX_METHOD_BYTES + 1)]), MethodError::TooLong);
    }

    #[test]
    fn a_standard_method_in_lower_case_is_corrected() {
        let message = error(&["get"]).to_string();
        assert_eq!(message, "`get`: expected `GET`, methods are case-sensitive");
        assert!(error(&["Delete"]).to_string().contains("expected `DELETE`"));
    }

    #[test]
    fn connect_is_refused_in_any_case_and_under_any() {
        assert_eq!(error(&["CONNECT"]), MethodError::Connect);
        assert_eq!(error(&["connect"]), MethodError::Connect);
        assert!(!Methods::ANY.contains(b"CONNECT"));
        assert!(!Methods::ANY.contains(b"Connect"));
    }

    #[test]
    fn get_implies_head_and_head_does_not_imply_get() {
        let get = Methods::from_names(["GET"]).unwrap();
        assert!(get.contains(b"GET") && get.contains(b"HEAD") && !get.contains(b"POST"));
        let head = Methods::from_names(["HEAD"]).unwrap();
        assert!(head.contains(b"HEAD") && !head.contains(b"GET"));
        assert_eq!(Methods::from_names(["HEAD", "GET"]).unwrap(), get);
    }

    #[test]
    fn a_request_must_spell_the_method_exactly() {
        let get = Methods::from_names(["GET"]).unwrap();
        for method in [&b"get"[..], b"GET ", b"GE", b"", b"GET\xff", b"*"] {
            assert!(!get.contains(method));
        }
    }

    #[test]
    fn any_is_any_token() {
        let any = Methods::from_names(["*"]).unwrap();
        assert!(any.contains(b"GET") && any.contains(b"BREW"));
        assert!(!any.contains(b"") && !any.contains(b"A B") && !any.contains(b"\xff"));
        assert_eq!(any.to_string(), "*");
    }

    #[test]
    fn lists_that_say_nothing_or_too_much_are_refused() {
        assert_eq!(error(&[]), MethodError::Empty);
        assert_eq!(error(&["*", "GET"]), MethodError::NotAlone);
        assert_eq!(error(&["GET", "*"]), MethodError::NotAlone);
        assert_eq!(error(&["*", "*"]), MethodError::NotAlone);
        assert_eq!(error(&["PUT", "PUT"]), MethodError::Twice("PUT".into()));
    }
}
