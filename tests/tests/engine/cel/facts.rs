//! What the expressions are about.

use postern::cel::{self, Failure, Moment, Names, Program, Type, Unknown, Value, Variable};
use serde_json::{Value as Json, json};

use super::generator::Generator;

/// The variables, by their place: the token, what is known of an agent and a user, the time.
const VARIABLES: [(&str, &str); 8] = [
    ("token", ""),
    ("agent", "name"),
    ("agent", "confidence"),
    ("agent", "level"),
    ("agent", "trained"),
    ("user", "roles"),
    ("user", "since"),
    ("now", ""),
];

fn of(id: usize) -> Type {
    match id {
        0 => Type::Map(Box::new(Type::Dyn)),
        1 => Type::String,
        2 => Type::Double,
        3 => Type::Int,
        4 => Type::Bool,
        5 => Type::List(Box::new(Type::String)),
        _ => Type::Timestamp,
    }
}

/// The names of them.
pub(crate) struct Known;

impl Names for Known {
    fn resolve(&mut self, first: &str, fields: &[&str]) -> Result<Variable, Unknown> {
        let unknown = |part| Unknown { part, message: "unknown name".to_owned(), help: None };
        if !VARIABLES.iter().any(|(name, _)| *name == first) {
            return Err(unknown(0));
        }
        let field = fields.first().copied().unwrap_or_default();
        let place = VARIABLES
            .iter()
            .position(|(name, of)| *name == first && (of.is_empty() || *of == field))
            .ok_or(unknown(1))?;
        let taken = usize::from(!VARIABLES[place].1.is_empty());
        Ok(Variable { id: u16::try_from(place).unwrap(), of: of(place), fields: taken })
    }
}

/// The same where all but the agent's confidence and the time are settled, and the parts that those
/// decide.
#[derive(Default)]
pub(crate) struct Parted(Vec<Program>);

impl Names for Parted {
    fn resolve(&mut self, first: &str, fields: &[&str]) -> Result<Variable, Unknown> {
        Known.resolve(first, fields)
    }

    fn is_settled(&self, id: u16) -> bool {
        !matches!(VARIABLES[usize::from(id)], ("agent", "confidence") | ("now", _))
    }

    fn settle(&mut self, part: Program) -> Result<u16, Program> {
        self.0.push(part);
        Ok(u16::try_from(self.0.len() - 1).unwrap())
    }
}

impl Parted {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These values for an expression that was taken apart.
    pub(crate) fn of<'a>(&'a self, facts: &'a Facts) -> impl cel::Facts + 'a {
        Apart { facts, parts: &self.0 }
    }
}

struct Apart<'a> {
    facts: &'a Facts,
    parts: &'a [Program],
}

impl cel::Facts for Apart<'_> {
    fn value(&self, id: u16) -> Result<Value<'_>, Failure> {
        self.facts.value(id)
    }

    fn settled(&self, place: u16) -> Result<bool, Failure> {
        self.parts[usize::from(place)].holds(self.facts)
    }
}

/// One set of values; what is `null` besides the token is not there.
pub(crate) struct Facts {
    pub(crate) token: Json,
    pub(crate) values: Vec<Json>,
    pub(crate) since: i64,
    pub(crate) now: i64,
}

impl Facts {
    pub(crate) fn of(generator: &mut Generator) -> Self {
        let token = generator.token();
        let or_nothing = |value: Json, is_there: bool| if is_there { value } else { Json::Null };
        let values = vec![
            Json::Null,
            or_nothing(json!(generator.word()), generator.in_ten(8)),
            or_nothing(json!(generator.fraction()), generator.in_ten(8)),
            or_nothing(json!(generator.whole()), generator.in_ten(8)),
            or_nothing(json!(generator.in_ten(5)), generator.in_ten(8)),
            or_nothing(json!([generator.word(), generator.word()]), generator.in_ten(8)),
        ];
        Self { token, values, since: generator.second(), now: generator.second() }
    }

    /// All of them, for a reader.
    pub(crate) fn text(&self) -> String {
        let Self { token, values, since, now } = self;
        format!("token {token}, agent and user {values:?}, since {since}, now {now}")
    }
}

impl cel::Facts for Facts {
    fn value(&self, id: u16) -> Result<Value<'_>, Failure> {
        let moment = |seconds: i64| Ok(Value::Timestamp(Moment::new(seconds, 0)));
        match id {
            0 => Ok((&self.token).into()),
            6 => moment(self.since),
            7 => moment(self.now),
            id => match &self.values[usize::from(id)] {
                Json::Null => Err(Failure::Missing),
                value => Ok(value.into()),
            },
        }
    }
}
