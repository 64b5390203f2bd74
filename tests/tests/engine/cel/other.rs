//! The other implementation: the crate `cel`.

use std::collections::HashMap;
use std::sync::Arc;

use cel::objects::{Key, Map};
use cel::{Context, Program, Value};
use chrono::DateTime;
use serde_json::Value as Json;

use super::Outcome;
use super::facts::Facts;

pub(crate) struct Other(Program);

impl Other {
    /// # Panics
    ///
    /// For what is no expression.
    pub(crate) fn compile(source: &str) -> Self {
        Self(Program::compile(source).unwrap_or_else(|error| panic!("`{source}`: {error}")))
    }

    pub(crate) fn outcome(&self, facts: &Facts) -> Outcome {
        let mut context = Context::default();
        let moment = |seconds| {
            Value::Timestamp(DateTime::from_timestamp(seconds, 0).unwrap().fixed_offset())
        };
        context.add_variable_from_value("token", value(&facts.token));
        let names = ["name", "confidence", "level", "trained"];
        let agent = names.iter().zip(&facts.values[1..]).filter(|(_, json)| !json.is_null());
        let agent = agent.map(|(name, json)| ((*name).to_owned(), value(json)));
        context.add_variable_from_value("agent", map(agent));
        let roles = Some(&facts.values[5]).filter(|json| !json.is_null());
        let roles = roles.map(|json| ("roles".to_owned(), value(json)));
        let user = roles.into_iter().chain([("since".to_owned(), moment(facts.since))]);
        context.add_variable_from_value("user", map(user));
        context.add_variable_from_value("now", moment(facts.now));
        match self.0.execute(&context) {
            Ok(Value::Bool(is)) => Outcome::Holds(is),
            Ok(_) | Err(_) => Outcome::Fails,
        }
    }
}

fn map(members: impl Iterator<Item = (String, Value)>) -> Value {
    let members = members.map(|(name, value)| (Key::String(Arc::new(name)), value));
    Value::Map(Map { map: Arc::new(HashMap::from_iter(members)) })
}

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(is) => Value::Bool(*is),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Int(number),
            None => Value::Float(number.as_f64().unwrap()),
        },
        Json::String(text) => Value::String(Arc::new(text.clone())),
        Json::Array(list) => Value::List(Arc::new(list.iter().map(value).collect())),
        Json::Object(members) => {
            map(members.iter().map(|(name, json)| (name.clone(), value(json))))
        }
    }
}
