//! What is known of agents besides their names: its type, and who says it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::problem::{Path, Problem, Problems, quoted};
use super::wire::AttributeType;
use super::{unknown, wire};
use crate::audit::Firewall;
use crate::binding::parse_digest;
use crate::cel::Type;
use crate::token::ClaimPath;

/// The most attributes of a policy.
pub const MAX_ATTRIBUTES: usize = 32;

/// The longest text in an attribute, in bytes.
const MAX_TEXT_BYTES: usize = 256;

/// The most texts in one.
const MAX_TEXTS: usize = 16;

/// The most proxies whose headers are believed.
const MAX_HOPS: usize = 64;

/// Names that an agent has of its own.
const TAKEN: [&str; 3] = ["name", "owner", "registered"];

/// The attributes of a policy, in the order of their names.
#[derive(Debug, Default)]
pub struct Attributes {
    list: Vec<Attribute>,
    /// The certificates of the proxies whose headers are believed.
    hops: Vec<[u8; 32]>,
}

/// Something that is known of agents.
#[derive(Debug)]
pub struct Attribute {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub kind: AttributeType,
    /// The claim that says it.
    pub claim: Option<ClaimPath>,
    /// The header that says it, in lower case.
    pub header: Option<String>,
}

impl Attribute {
    /// `value` as one of this attribute; whole numbers are numbers.
    pub fn read(&self, value: &Value) -> Option<Value> {
        let text = |value: &Value| value.as_str().is_some_and(is_text);
        let is_right = match (self.kind, value) {
            (AttributeType::Boolean, value) => value.is_boolean(),
            (AttributeType::Integer, value) => value.is_i64(),
            (AttributeType::Number, value) => return value.as_f64().map(Value::from),
            (AttributeType::String, value) => text(value),
            (AttributeType::Strings, Value::Array(list)) => {
                list.len() <= MAX_TEXTS && list.iter().all(text)
            }
            (AttributeType::Strings, _) => false,
        };
        is_right.then(|| value.clone())
    }

    /// The value that a header says.
    pub fn parse(&self, text: &str) -> Option<Value> {
        let value = match self.kind {
            AttributeType::Boolean => Value::Bool(text.parse().ok()?),
            AttributeType::Integer => Value::from(text.parse::<i64>().ok()?),
            AttributeType::Number => {
                Value::from(text.parse::<f64>().ok().filter(|number| number.is_finite())?)
            }
            AttributeType::String => text.into(),
            AttributeType::Strings => text.split(',').map(str::trim).collect(),
        };
        self.read(&value)
    }
}

/// Whether a text is fit for records: of bounded length, and without control characters.
fn is_text(text: &str) -> bool {
    text.len() <= MAX_TEXT_BYTES && !text.chars().any(char::is_control)
}

impl Attributes {
    /// Reads them; what is wrong goes to `problems`.
    #[inline(never)]
    pub(super) fn compile(
        written: BTreeMap<String, wire::Attribute>,
        hops: &[String],
        firewall: &Firewall,
        problems: &mut Problems,
    ) -> Self {
        let place = Path::root().join("attributes");
        if written.len() > MAX_ATTRIBUTES {
            problems.add(Problem::new(format!("more than {MAX_ATTRIBUTES}")).at(place.clone()));
        }
        let mut list = Vec::with_capacity(written.len());
        for (name, wire::Attribute { kind, claim, header }) in written {
            let here = place.join(name.as_str());
            let is_name = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
            let is_right =
                name.bytes().all(is_name) && !name.starts_with(|c: char| c.is_ascii_digit());
            if name.is_empty() || !is_right || name.len() > 64 {
                let message = "expected a name of at most 64 letters, digits and `_`";
                problems.add(Problem::new(message).at(here.clone()));
            }
            if TAKEN.contains(&name.as_str()) {
                let message = format!("every agent has a {} of its own", quoted(&name));
                problems.add(Problem::new(message).at(here.clone()));
            }
            let claim = claim.and_then(|claim| {
                let claim = claim.parse().map_err(|error| Problem::new(format!("{error}")));
                problems.take(claim.map_err(|problem| problem.at(here.join("claim"))))
            });
            if let Some(header) = &header {
                let is_name =
                    |byte: u8| byte == b'-' || byte == b'_' || byte.is_ascii_alphanumeric();
                if header.is_empty() || !header.bytes().all(is_name) {
                    let message = "expected a header's name of letters, digits and `-`";
                    problems.add(Problem::new(message).at(here.join("header")));
                }
                if firewall.guards(header.as_bytes()) {
                    let message = "nobody can send a header that only Postern may set";
                    problems.add(Problem::new(message).at(here.join("header")));
                }
                if hops.is_empty() {
                    let message = "expected `trusted_hops`: whose headers are believed";
                    problems.add(Problem::new(message).at(here.join("header")));
                }
            }
            let header = header.map(|header| header.to_ascii_lowercase());
            list.push(Attribute { name, kind, claim, header });
        }
        let place = Path::root().join("trusted_hops");
        if hops.len() > MAX_HOPS {
            problems.add(Problem::new(format!("more than {MAX_HOPS}")).at(place.clone()));
        }
        let expected = "expected a SHA-256 in 64 hexadecimal digits";
        let hops = hops.iter().enumerate().filter_map(|(index, digits)| {
            let digest = parse_digest(digits.as_bytes());
            problems.take(digest.ok_or_else(|| Problem::new(expected).at(place.join(index))))
        });
        let hops = hops.collect();
        Self { list, hops }
    }

    /// The values that an agent's entry has, by their places; what is wrong goes to `problems`.
    pub(super) fn values(
        &self,
        written: BTreeMap<String, Value>,
        here: &Path,
        problems: &mut Problems,
    ) -> Vec<Option<Value>> {
        let mut values = Vec::new();
        for (name, value) in written {
            let place = || here.join(name.as_str());
            let found = unknown::or_report(
                self.find(&name),
                ("attribute", &name),
                self.names(),
                place,
                problems,
            );
            let Some((found, attribute)) = found.and_then(|at| Some((at, self.list.get(at)?)))
            else {
                continue;
            };
            let read = attribute.read(&value);
            if read.is_none() {
                let message = format!("expected {}", described(attribute.kind));
                problems.add(Problem::new(message).at(place()));
            }
            values.resize(self.list.len(), None);
            if let Some(value) = values.get_mut(found) {
                *value = read;
            }
        }
        values
    }

    /// The attribute called `name`.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.list.binary_search_by(|attribute| attribute.name.as_str().cmp(name)).ok()
    }

    /// What they are called.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|attribute| attribute.name.as_str())
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Attribute> {
        self.list.iter()
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether any comes in a header.
    pub fn any_has_header(&self) -> bool {
        !self.hops.is_empty() && self.list.iter().any(|attribute| attribute.header.is_some())
    }

    /// Whether the one at this place may come in a header.
    pub(super) fn has_header(&self, place: usize) -> bool {
        self.list.get(place).is_some_and(|attribute| attribute.header.is_some())
    }

    /// Whether the headers of whoever has this certificate are believed.
    pub fn believes(&self, certificate: &[u8; 32]) -> bool {
        self.hops.contains(certificate)
    }

    /// What the values of the one at this place are.
    pub(super) fn of(&self, place: usize) -> Type {
        match self.list.get(place).map(|attribute| attribute.kind) {
            Some(AttributeType::Boolean) => Type::Bool,
            Some(AttributeType::Integer) => Type::Int,
            Some(AttributeType::Number) => Type::Double,
            Some(AttributeType::String) => Type::String,
            Some(AttributeType::Strings) => Type::List(Box::new(Type::String)),
            None => Type::Dyn,
        }
    }
}

const fn described(kind: AttributeType) -> &'static str {
    match kind {
        AttributeType::Boolean => "`true` or `false`",
        AttributeType::Integer => "a whole number",
        AttributeType::Number => "a number",
        AttributeType::String => "a text of at most 256 bytes without control characters",
        AttributeType::Strings => "a list of at most 16 texts of at most 256 bytes each",
    }
}
