//! Where the filter and `jwt_authn` may disagree, and why the filter is right: all there is to it.
//!
//! A rule says what the filter answers and looks for the reason in the token itself, by other code than
//! the filter's. Each must be needed.

use std::collections::BTreeSet;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::Value;

use super::forgery::{AUDIENCE, LEEWAY};

/// What a token is, as far as it can be read at all.
pub(crate) struct Facts<'a> {
    scheme: &'a str,
    token: &'a str,
    parts: Vec<&'a str>,
    header: Value,
    claims: Value,
    now: i64,
}

/// What stands for the code where the filter takes the token, whatever its holder may do then.
pub(crate) const ACCEPTED: &str = "accepted";

/// Why the filter refuses what `jwt_authn` takes, or the other way round.
pub(crate) struct Rule {
    /// Who asks for it.
    pub(crate) source: &'static str,
    /// What the filter answers: the code, and how its explanation begins.
    answer: (&'static str, &'static str),
    holds: fn(&Facts<'_>) -> bool,
}

impl Rule {
    /// Whether it explains that the filter gives this answer and `jwt_authn` another.
    pub(crate) fn explains(&self, facts: &Facts<'_>, code: &str, detail: &str) -> bool {
        let (own, begins) = self.answer;
        own == code && detail.starts_with(begins) && (self.holds)(facts)
    }
}

const fn rule(
    source: &'static str,
    answer: (&'static str, &'static str),
    holds: fn(&Facts<'_>) -> bool,
) -> Rule {
    Rule { source, answer, holds }
}

pub(crate) const RULES: &[Rule] = &[
    // What the filter takes and `jwt_authn` does not.
    rule("RFC 9110 §11.1: a scheme is called by its name in any case", (ACCEPTED, ""), |facts| {
        facts.scheme != "Bearer" && facts.scheme.eq_ignore_ascii_case("bearer")
    }),
    rule("RFC 9864 §2.2: `EdDSA` is called `Ed25519` too", (ACCEPTED, ""), |facts| {
        facts.header["alg"] == "Ed25519"
    }),
    // What `jwt_authn` takes and the filter does not.
    rule("RFC 6750 §2.1: the scheme begins the value", ("missing_token", ""), |facts| {
        !facts.scheme.eq_ignore_ascii_case("bearer")
    }),
    rule("RFC 6750 §2.1: no space in a token", ("invalid_token", "the token is not"), |facts| {
        facts.token.contains(' ')
    }),
    rule("RFC 7515 §7.1: three parts", ("invalid_token", "not three parts"), |facts| {
        facts.parts.len() != 3
    }),
    rule("RFC 7515 §2: nothing but base64url", ("invalid_token", "a character"), |facts| {
        let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !facts.token.chars().all(known)
    }),
    rule("RFC 4648 §3.5: one spelling", ("invalid_token", "a part is not"), |facts| {
        let decoded = |part: &&str| Base64UrlUnpadded::decode_vec(part).is_err();
        facts.parts.iter().any(decoded)
    }),
    rule("RFC 7515 §4: a header of one reading", ("invalid_token", "the header is not"), |facts| {
        !has_one_reading(facts.parts[0])
    }),
    rule("RFC 7519 §4: claims of one reading", ("invalid_token", "the payload is not"), |facts| {
        !has_one_reading(facts.parts[1])
    }),
    rule("RFC 9068 §4: `typ`", ("invalid_token", "`typ`"), |facts| {
        let says = |kind: &str| matches!(&*kind.to_lowercase(), "at+jwt" | "application/at+jwt");
        !facts.header["typ"].as_str().is_some_and(says)
    }),
    rule("RFC 7515 §4.1.11: `crit`", ("invalid_token", "`crit`"), |facts| {
        facts.header.get("crit").is_some()
    }),
    rule("RFC 7797 §7: `b64`", ("invalid_token", "`b64`"), |facts| {
        facts.header.get("b64").is_some()
    }),
    rule("RFC 7519 §5.2: `cty` of a nested token", ("invalid_token", "`cty`"), |facts| {
        facts.header.get("cty").is_some()
    }),
    rule("RFC 7515 §4.1.4: a `kid` names a key, the empty one too", ("unknown_key", ""), |facts| {
        facts.header["kid"] == ""
    }),
    rule("RFC 7518 §3.4: 64 octets", ("invalid_token", "the signature"), |facts| {
        facts.header["alg"] == "ES256" && facts.signature_length() != Some(64)
    }),
    rule("RFC 7519 §4.1.3: `aud` character for character", ("wrong_audience", ""), |facts| {
        let audiences = match &facts.claims["aud"] {
            Value::Array(all) => all.clone(),
            one => vec![one.clone()],
        };
        !audiences.contains(&AUDIENCE.into())
    }),
    rule("RFC 9068 §2.2: `iat`", ("invalid_token", "`iat` is missing"), |facts| {
        facts.claims.get("iat").is_none()
    }),
    rule("RFC 9068 §2.2: `jti`", ("invalid_token", "`jti` is missing"), |facts| {
        facts.claims.get("jti").is_none()
    }),
    rule("RFC 9068 §2.2: `sub`", ("invalid_token", "`sub` is missing"), |facts| {
        facts.claims.get("sub").is_none()
    }),
    rule("RFC 9068 §2.2: `client_id`", ("invalid_token", "no claim names the client"), |facts| {
        facts.claims.get("client_id").is_none()
    }),
    rule(
        "RFC 7519 §4.1: names are text, and not empty",
        ("invalid_token", "`iss`, `sub`"),
        |facts| {
            let is_name = |value: &Value| {
                value
                    .as_str()
                    .is_some_and(|name| !name.is_empty() && !name.contains(char::is_control))
            };
            let names = ["iss", "sub", "jti", "client_id", "azp"];
            names.iter().filter_map(|name| facts.claims.get(name)).any(|value| !is_name(value))
        },
    ),
    rule("OpenID Connect Core §2: `azp` is the client", ("invalid_token", "two claims"), |facts| {
        facts.claims.get("azp").is_some_and(|azp| *azp != facts.claims["client_id"])
    }),
    rule("RFC 7519 §4.1.6: `iat` is in the past", ("invalid_token", "`iat` lies"), |facts| {
        facts.claims["iat"].as_i64().is_some_and(|iat| iat > facts.now + LEEWAY - 5)
    }),
    rule("a day at most, from `iat` on", ("invalid_token", "the lifetime"), |facts| {
        let date = |name: &str| facts.claims[name].as_f64();
        date("exp").zip(date("iat")).is_some_and(|(exp, iat)| exp - iat > 86_400.0)
    }),
    rule("RFC 8693 §4.1: `act` is an object", ("invalid_token", "`act` is"), |facts| {
        !facts.claims["act"]["sub"].is_string()
    }),
    rule("RFC 7800 §3.1: `cnf` is proven", ("unbound_token", ""), |facts| {
        facts.claims.get("cnf").is_some()
    }),
];

impl<'a> Facts<'a> {
    /// Those of a value of `Authorization`.
    pub(crate) fn of(value: &'a str, now: i64) -> Self {
        let value = value.trim_matches([' ', '\t']);
        let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
        let token = token.trim_start_matches(' ');
        let parts: Vec<_> = token.split('.').collect();
        let read = |at: usize| {
            let part = parts.get(at).and_then(|part| Base64UrlUnpadded::decode_vec(part).ok());
            part.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
        };
        let (header, claims) = (read(0), read(1));
        Self { scheme, token, parts, header, claims, now }
    }

    fn signature_length(&self) -> Option<usize> {
        Some(Base64UrlUnpadded::decode_vec(self.parts.get(2)?).ok()?.len())
    }
}

/// Whether a part of a token is an object that everybody reads alike, and not a monstrous one.
fn has_one_reading(part: &str) -> bool {
    let Ok(text) = Base64UrlUnpadded::decode_vec(part) else { return false };
    let Ok(value) = serde_json::from_slice::<Value>(&text) else { return false };
    let Ok(text) = String::from_utf8(text) else { return false };
    let names: Vec<_> = names(&text);
    let different: BTreeSet<_> = names.iter().collect();
    value.is_object()
        && different.len() == names.len()
        && depth(&value) <= 16
        && size(&value) <= 256
}

/// The names of the outermost members.
fn names(text: &str) -> Vec<String> {
    let (mut names, mut depth, mut rest) = (Vec::new(), 0, text);
    while let Some(at) = rest.find(['"', '{', '[', '}', ']']) {
        let found = rest.as_bytes()[at];
        rest = rest.get(at..).unwrap_or_default();
        let mut length = 1;
        match found {
            b'"' => {
                let mut strings = serde_json::Deserializer::from_str(rest).into_iter::<String>();
                let name = strings.next().and_then(Result::ok).unwrap_or_default();
                length = strings.byte_offset().max(1);
                let after = rest.get(length..).unwrap_or_default().trim_start();
                if depth == 1 && after.starts_with(':') {
                    names.push(name);
                }
            }
            b'{' | b'[' => depth += 1,
            _ => depth -= 1,
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    names
}

fn depth(value: &Value) -> usize {
    1 + children(value).iter().map(|child| depth(child)).max().unwrap_or_default()
}

fn size(value: &Value) -> usize {
    1 + children(value).iter().map(|child| size(child)).sum::<usize>()
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(all) => all.iter().collect(),
        Value::Object(all) => all.values().collect(),
        _ => Vec::new(),
    }
}
