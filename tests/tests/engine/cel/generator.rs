//! Expressions and values that nobody chose: the same for the same seed.

use serde_json::{Map, Value as Json, json};

/// Makes them.
pub(crate) struct Generator {
    state: u64,
    /// Names of what the `exists` and `all` around look at.
    locals: Vec<&'static str>,
}

/// What an expression is to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Int,
    Double,
    Text,
    Moment,
    Span,
    Any,
}

const KINDS: [Kind; 7] =
    [Kind::Bool, Kind::Int, Kind::Double, Kind::Text, Kind::Moment, Kind::Span, Kind::Any];

const WORDS: [&str; 8] = ["", "a", "b", "ab", "ba", "é", "m-4", "a b"];

const FIELDS: [&str; 4] = ["a", "b", "c", "d"];

impl Generator {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed, locals: Vec::new() }
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(crate) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// True so many times out of ten.
    pub(crate) fn in_ten(&mut self, times: usize) -> bool {
        self.below(10) < times
    }

    pub(crate) fn word(&mut self) -> &'static str {
        self.one(&WORDS)
    }

    pub(crate) fn whole(&mut self) -> i64 {
        self.one(&[0, 1, -1, 2, 3, 7, i64::MAX, i64::MIN, 1 << 53, (1 << 53) + 1])
    }

    pub(crate) fn fraction(&mut self) -> f64 {
        self.one(&[0.0, 0.5, 1.0, -1.0, 2.5, 1e10, 9_007_199_254_740_992.0, 1e300])
    }

    /// A moment, in seconds since the epoch.
    pub(crate) fn second(&mut self) -> i64 {
        self.one(&[0, 1, 1_764_000_000, 1_764_086_399, -1, 951_782_400])
    }

    /// The claims of a token.
    pub(crate) fn token(&mut self) -> Json {
        let mut members = Map::new();
        for name in FIELDS {
            if self.in_ten(8) {
                members.insert(name.to_owned(), self.json(2));
            }
        }
        Json::Object(members)
    }

    fn json(&mut self, depth: usize) -> Json {
        match self.below(if depth == 0 { 5 } else { 8 }) {
            0 => Json::Null,
            1 => json!(self.in_ten(5)),
            2 => json!(self.whole()),
            3 => json!(self.fraction()),
            4 | 5 => json!(self.word()),
            6 => (0..self.below(4)).map(|_| self.json(depth - 1)).collect(),
            _ => {
                let members = (0..self.below(4)).map(|_| {
                    let name = self.one(&FIELDS).to_owned();
                    (name, self.json(depth - 1))
                });
                Json::Object(members.collect())
            }
        }
    }

    /// An expression that says yes or no, most of the time.
    pub(crate) fn condition(&mut self) -> String {
        let depth = 1 + self.below(4);
        self.locals.clear();
        self.expression(Kind::Bool, depth)
    }

    fn expression(&mut self, kind: Kind, depth: usize) -> String {
        // Now and then something else than what belongs there.
        let kind = if self.below(40) == 0 { self.one(&KINDS) } else { kind };
        if depth == 0 {
            return self.leaf(kind);
        }
        let d = depth - 1;
        match kind {
            Kind::Bool => self.bool(d),
            Kind::Int => match self.below(6) {
                0 => format!("{} + {}", self.expression(Kind::Int, d), self.tight(Kind::Int, d)),
                1 => format!("{} - {}", self.expression(Kind::Int, d), self.tight(Kind::Int, d)),
                2 => format!("{} * {}", self.tight(Kind::Int, d), self.tight(Kind::Int, d)),
                3 => {
                    let operator = self.one(&["/", "%"]);
                    format!("{} {operator} {}", self.tight(Kind::Int, d), self.tight(Kind::Int, d))
                }
                4 => format!("size({})", self.sized(d)),
                _ => match self.below(3) {
                    0 => format!("-{}", self.tight(Kind::Int, d)),
                    1 => format!("{}.getHours()", self.tight(Kind::Moment, d)),
                    _ => format!("{}.getDayOfWeek()", self.tight(Kind::Moment, d)),
                },
            },
            Kind::Double => match self.below(3) {
                0 => {
                    let operator = self.one(&["+", "-", "*", "/"]);
                    format!(
                        "{} {operator} {}",
                        self.tight(Kind::Double, d),
                        self.tight(Kind::Double, d)
                    )
                }
                1 => format!("double({})", self.expression(Kind::Int, d)),
                _ => format!("-{}", self.tight(Kind::Double, d)),
            },
            Kind::Moment => match self.below(3) {
                0 => format!("{} + {}", self.tight(Kind::Moment, d), self.tight(Kind::Span, d)),
                1 => format!("{} - {}", self.tight(Kind::Moment, d), self.tight(Kind::Span, d)),
                _ => format!("timestamp({})", self.expression(Kind::Text, d)),
            },
            Kind::Span => match self.below(3) {
                0 => format!("{} - {}", self.tight(Kind::Moment, d), self.tight(Kind::Moment, d)),
                1 => format!("{} + {}", self.tight(Kind::Span, d), self.tight(Kind::Span, d)),
                _ => format!("{} - {}", self.tight(Kind::Span, d), self.tight(Kind::Span, d)),
            },
            Kind::Any if self.in_ten(3) => {
                let inner = self.expression(Kind::Any, d);
                match self.below(3) {
                    0 => format!("({inner})[{}]", self.expression(Kind::Int, d)),
                    1 => format!("({inner})[{}]", self.expression(Kind::Text, d)),
                    _ => format!("({inner}).{}", self.one(&FIELDS)),
                }
            }
            Kind::Any | Kind::Text => self.leaf(kind),
        }
    }

    /// The same, to stand beside an operator.
    fn tight(&mut self, kind: Kind, depth: usize) -> String {
        format!("({})", self.expression(kind, depth))
    }

    fn sized(&mut self, depth: usize) -> String {
        match self.below(3) {
            0 => self.expression(Kind::Text, depth),
            1 => self.list(),
            _ => self.expression(Kind::Any, depth),
        }
    }

    fn list(&mut self) -> String {
        let kind = self.one(&[Kind::Int, Kind::Text, Kind::Double, Kind::Bool]);
        let elements: Vec<_> = (0..self.below(4)).map(|_| self.literal(kind)).collect();
        match self.below(4) {
            0 => "user.roles".to_owned(),
            1 => self.leaf(Kind::Any),
            2 => {
                let names = FIELDS.iter().zip(&elements);
                let members: Vec<_> =
                    names.map(|(name, value)| format!("'{name}': {value}")).collect();
                format!("{{{}}}", members.join(", "))
            }
            _ => format!("[{}]", elements.join(", ")),
        }
    }

    fn bool(&mut self, d: usize) -> String {
        match self.below(11) {
            0 | 1 => {
                let operator = self.one(&["&&", "||"]);
                format!("{} {operator} {}", self.tight(Kind::Bool, d), self.tight(Kind::Bool, d))
            }
            2 => format!("!{}", self.tight(Kind::Bool, d)),
            3 | 4 => {
                let kind = self.one(&KINDS);
                let operator = self.one(&["==", "!="]);
                let other = if self.in_ten(3) { Kind::Any } else { kind };
                format!("{} {operator} {}", self.tight(kind, d), self.tight(other, d))
            }
            5 => {
                let kind = self.one(&KINDS);
                let operator = self.one(&["<", "<=", ">", ">="]);
                let other = if self.in_ten(3) { Kind::Any } else { kind };
                format!("{} {operator} {}", self.tight(kind, d), self.tight(other, d))
            }
            6 => {
                let kind = self.one(&[Kind::Int, Kind::Text, Kind::Double, Kind::Any]);
                format!("{} in {}", self.tight(kind, d), self.list())
            }
            7 => {
                let function = self.one(&["contains", "startsWith", "endsWith"]);
                let text = self.tight(Kind::Text, d);
                format!("{text}.{function}({})", self.expression(Kind::Text, d))
            }
            8 => {
                let field =
                    self.one(&["token.a", "token.b.c", "agent.name", "agent.level", "user.roles"]);
                format!("has({field})")
            }
            9 => {
                let name = self.one(&["x", "y", "z"]);
                if self.locals.contains(&name) {
                    return self.leaf(Kind::Bool);
                }
                let list = self.list();
                self.locals.push(name);
                let body = self.expression(Kind::Bool, d);
                self.locals.pop();
                let function = self.one(&["exists", "all"]);
                format!("{list}.{function}({name}, {body})")
            }
            _ => format!(
                "{} ? {} : {}",
                self.tight(Kind::Bool, d),
                self.tight(Kind::Bool, d),
                self.tight(Kind::Bool, d)
            ),
        }
    }

    fn leaf(&mut self, kind: Kind) -> String {
        if self.in_ten(2) && !self.locals.is_empty() {
            let locals = self.locals.clone();
            return self.one(&locals).to_owned();
        }
        if kind == Kind::Any || self.in_ten(2) {
            return self
                .one(&["token.a", "token.b", "token.a.b", "token.c[0]", "token['d']", "token"])
                .to_owned();
        }
        match kind {
            Kind::Text if self.in_ten(5) => "agent.name".to_owned(),
            Kind::Double if self.in_ten(5) => "agent.confidence".to_owned(),
            Kind::Int if self.in_ten(5) => "agent.level".to_owned(),
            Kind::Bool if self.in_ten(5) => "agent.trained".to_owned(),
            Kind::Moment if self.in_ten(7) => self.one(&["now", "user.since"]).to_owned(),
            kind => self.literal(kind),
        }
    }

    fn literal(&mut self, kind: Kind) -> String {
        match kind {
            Kind::Bool => self.one(&["true", "false"]).to_owned(),
            Kind::Int => self.whole().to_string(),
            Kind::Double => format!("{:?}", self.fraction()),
            Kind::Text => format!("{:?}", self.word()),
            Kind::Moment => self
                .one(&[
                    "timestamp('2000-02-29T12:00:00Z')",
                    "timestamp('9999-12-31T23:59:59Z')",
                    "timestamp('1970-01-01T00:00:00.5+01:00')",
                ])
                .to_owned(),
            Kind::Span => self
                .one(&[
                    "duration('1h30m')",
                    "duration('-0.5s')",
                    "duration('0')",
                    "duration('2500000h')",
                ])
                .to_owned(),
            Kind::Any => "null".to_owned(),
        }
    }
}
