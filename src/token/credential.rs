//! The credential of a request: one token in one `authorization` header (RFC 6750 §2.1,
//! RFC 9449 §7.1).

use crate::denial::Denial;

const HEADER: &[u8] = b"authorization";
const QUERY_PARAMETER: &[u8] = b"access_token";

/// How a token is handed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// Whoever has it may use it (RFC 6750).
    #[default]
    Bearer,
    /// Who uses it proves that it has a key besides (RFC 9449).
    Dpop,
}

impl Scheme {
    /// Its name in `Authorization` and in challenges.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => "DPoP",
        }
    }
}

/// A token as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credential<'a> {
    /// How it came.
    pub scheme: Scheme,
    /// The token: anything but empty.
    pub token: &'a [u8],
}

/// Finds the one credential that the request carries, as it came: [`read`] it unless it is one
/// that is known already.
///
/// `headers` are names and values as the host gives them; `query` is what follows the `?`.
///
/// ```
/// use postern::{denial::Denial, token::credential};
///
/// let headers: [(&[u8], &[u8]); 1] = [(b"Authorization", b"Bearer abc")];
/// let found = credential::find(&headers, Some(b"page=2"))?;
/// assert_eq!(credential::read(found.token), Ok("abc"));
/// assert_eq!(credential::find(&[], None), Err(Denial::MissingToken));
/// # Ok::<(), Denial>(())
/// ```
///
/// # Errors
///
/// - [`Denial::InvalidRequest`]: two `authorization` headers (RFC 6750 §3.1), or a token in the
///   query, where logs and referrers would keep it (RFC 6750 §2.3, refused by OAuth 2.1).
/// - [`Denial::MissingToken`]: no header, an empty one (some hosts report an absent header so),
///   or another scheme.
pub fn find<'a>(
    headers: &[(&'a [u8], &'a [u8])],
    query: Option<&[u8]>,
) -> Result<Credential<'a>, Denial> {
    if query.is_some_and(has_token) {
        return Err(Denial::InvalidRequest);
    }
    let mut values = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(HEADER));
    let (_, value) = values.next().ok_or(Denial::MissingToken)?;
    if values.next().is_some() {
        return Err(Denial::InvalidRequest);
    }

    let mut words = trim(value).splitn(2, |byte| *byte == b' ');
    let scheme = words.next().unwrap_or_default();
    let token = trim(words.next().unwrap_or_default());
    let scheme = match scheme {
        _ if token.is_empty() => return Err(Denial::MissingToken),
        scheme if scheme.eq_ignore_ascii_case(b"bearer") => Scheme::Bearer,
        scheme if scheme.eq_ignore_ascii_case(b"dpop") => Scheme::Dpop,
        _ => return Err(Denial::MissingToken),
    };
    Ok(Credential { scheme, token })
}

/// Reads a credential as the token it is. What that says is for [`super::verify`].
///
/// # Errors
///
/// - [`Denial::InvalidRequest`]: two credentials joined by a comma, as some proxies do with two
///   headers.
/// - [`Denial::InvalidToken`]: no `b64token` (RFC 6750 §2.1).
pub fn read(token: &[u8]) -> Result<&str, Denial> {
    if is_b64token(token) {
        return std::str::from_utf8(token).map_err(|_| Denial::InvalidToken);
    }
    Err(if token.contains(&b',') { Denial::InvalidRequest } else { Denial::InvalidToken })
}

/// Without the white space that may surround a header's value (RFC 9110 §5.6.3).
pub(crate) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// `b64token` of RFC 6750 §2.1: characters of either base64 alphabet and a few more, then `=`.
fn is_b64token(token: &[u8]) -> bool {
    let mut body = token;
    while let [rest @ .., b'='] = body {
        body = rest;
    }
    let may_stand = |byte: &u8| MAY_STAND.get(usize::from(*byte)).is_some_and(|may| *may);
    !body.is_empty() && body.iter().all(may_stand)
}

/// Which characters may stand in the body of a `b64token`.
#[expect(clippy::indexing_slicing, reason = "worked out by the compiler")]
const MAY_STAND: [bool; 256] = {
    let mut may = [false; 256];
    let mut byte = 0;
    while byte < may.len() {
        let character = byte as u8;
        may[byte] = character.is_ascii_alphanumeric()
            || matches!(character, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
        byte += 1;
    }
    may
};

/// Whether any parameter is named `access_token`, in whatever spelling a backend might read so.
pub(crate) fn has_token(query: &[u8]) -> bool {
    query.split(|byte| matches!(byte, b'&' | b';')).any(|parameter| {
        let name = parameter.split(|byte| *byte == b'=').next().unwrap_or_default();
        percent_decoded(name)
            .map(|byte| byte.to_ascii_lowercase())
            .eq(QUERY_PARAMETER.iter().copied())
    })
}

/// Decodes `%41` to `A`; a `%` that begins no escape stands for itself.
fn percent_decoded(text: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if let [b'%', high, low, after @ ..] = rest
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            rest = after;
            return Some(high << 4 | low);
        }
        let (first, after) = rest.split_first()?;
        rest = after;
        Some(*first)
    })
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(value: &[u8]) -> Result<&str, Denial> {
        read(find(&[(b"accept", b"*/*"), (b"authorization", value)], None)?.token)
    }

    fn in_query(query: &str) -> Result<&'static str, Denial> {
        read(find(&[(b"authorization", b"Bearer abc")], Some(query.as_bytes()))?.token)
    }

    #[test]
    fn rfc6750_3_1_two_credentials_that_a_proxy_has_joined_are_still_two() {
        for value in ["Bearer abc,Bearer abc", "Bearer abc, Bearer def", "Bearer abc,"] {
            assert_eq!(one(value.as_bytes()), Err(Denial::InvalidRequest), "{value}");
        }
    }

    #[test]
    fn rfc6750_2_1_the_bearer_token_of_the_one_header_is_found() {
        assert_eq!(one(b"Bearer a-Z0.9_~+/=="), Ok("a-Z0.9_~+/=="));
        assert_eq!(one(b" Bearer   abc\t"), Ok("abc"));
        let found = Credential { scheme: Scheme::Bearer, token: b"abc" };
        assert_eq!(find(&[(b"AUTHORIZATION", b"Bearer abc")], None), Ok(found));
    }

    #[test]
    fn rfc9449_7_1_a_token_that_is_bound_to_a_key_comes_by_a_scheme_of_its_own() {
        for value in ["DPoP abc", "dpop abc", "DPOP  abc"] {
            let found = find(&[(b"authorization", value.as_bytes())], None);
            assert_eq!(found, Ok(Credential { scheme: Scheme::Dpop, token: b"abc" }), "{value}");
        }
    }

    #[test]
    fn rfc9110_11_1_the_scheme_is_case_insensitive() {
        for value in ["bearer abc", "BEARER abc", "bEaReR abc"] {
            assert_eq!(one(value.as_bytes()), Ok("abc"), "{value}");
        }
    }

    #[test]
    fn rfc6750_3_no_header_an_empty_one_or_another_scheme_is_no_token() {
        assert_eq!(find(&[], None), Err(Denial::MissingToken));
        assert_eq!(find(&[(b"x-authorization", b"Bearer abc")], None), Err(Denial::MissingToken));
        for value in
            ["", " ", "Bearer", "Bearer ", "Basic YTpi", "DPoP", "DPoP ", "Bearerabc", "abc"]
        {
            assert_eq!(one(value.as_bytes()), Err(Denial::MissingToken), "{value}");
        }
    }

    #[test]
    fn rfc6750_3_1_two_headers_are_an_invalid_request_even_when_they_agree_or_one_is_empty() {
        for second in ["Bearer abc", "Bearer def", "Basic YTpi", ""] {
            let headers: [(&[u8], &[u8]); 2] =
                [(b"authorization", b"Bearer abc"), (b"Authorization", second.as_bytes())];
            assert_eq!(find(&headers, None), Err(Denial::InvalidRequest), "{second}");
        }
    }

    #[test]
    fn rfc6750_2_3_a_token_in_the_query_is_an_invalid_request_with_or_without_a_header() {
        for query in [
            "access_token=abc",
            "access_token",
            "a=b&access_token=abc",
            "a=b;access_token=abc",
            "%61ccess_token=abc",
            "access%5Ftoken=abc",
            "access%5ftoken=abc",
            "Access_Token=abc",
            "a&&access_token=",
        ] {
            assert_eq!(in_query(query), Err(Denial::InvalidRequest), "{query}");
            assert_eq!(find(&[], Some(query.as_bytes())), Err(Denial::InvalidRequest), "{query}");
        }
    }

    #[test]
    fn other_parameters_of_the_query_are_none_of_our_business() {
        for query in
            ["", "a=access_token", "access_tokens=1", "token=1", "%", "%6", "access_token%"]
        {
            assert_eq!(in_query(query), Ok("abc"), "{query}");
        }
    }

    #[test]
    fn characters_that_no_token_has_are_refused() {
        for value in [
            &b"Bearer a b"[..],
            b"Bearer a\xffb",
            b"Bearer \xc3\xa9",
            b"Bearer a\tb",
            b"Bearer a=b",
            b"Bearer =",
            b"Bearer \"abc\"",
            b"Bearer a\0",
            b"Bearer a\r\n",
            b"Bearer \na",
        ] {
            assert_eq!(one(value), Err(Denial::InvalidToken), "{value:?}");
        }
    }
}
