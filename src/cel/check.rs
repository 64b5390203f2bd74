//! An expression as it is written -> as it is evaluated: names resolved, types compared.

use serde_json::{Map, Number, Value as Json};

use super::ast::{Ast, Field, Kind, Operator};
use super::invalid::Invalid;
use super::node::{Arithmetic, Binary, Node, Order, Quantifier, Unary};
use super::pattern::Pattern;
use super::time;
use super::types::Type;
use super::{MAX_DEPTH, MAX_LOCALS, Names};
use crate::policy::nearest::nearest;

type Checked = Result<(Node, Type), Invalid>;

/// Functions of one value, that it is given or of which it is called.
const FUNCTIONS: [(&str, Unary, Type, &[Type]); 8] = [
    ("double", Unary::Double, Type::Double, &[Type::Int, Type::Double]),
    ("duration", Unary::Duration, Type::Duration, &[Type::String, Type::Duration]),
    ("getDayOfWeek", Unary::DayOfWeek, Type::Int, &[Type::Timestamp]),
    ("getHours", Unary::Hours, Type::Int, &[Type::Timestamp]),
    ("getMinutes", Unary::Minutes, Type::Int, &[Type::Timestamp]),
    ("int", Unary::Int, Type::Int, &[Type::Int, Type::Double, Type::Timestamp]),
    ("size", Unary::Size, Type::Int, &[Type::String]),
    ("timestamp", Unary::Timestamp, Type::Timestamp, &[Type::String, Type::Int, Type::Timestamp]),
];

/// What is called of a value.
const METHODS: [&str; 10] = [
    "all",
    "contains",
    "endsWith",
    "exists",
    "getDayOfWeek",
    "getHours",
    "getMinutes",
    "matches",
    "size",
    "startsWith",
];

/// What is called of nothing.
const GLOBALS: [&str; 6] = ["double", "duration", "has", "int", "size", "timestamp"];

/// What the language has and this subset has not.
const OUTSIDE: [&str; 16] = [
    "bytes",
    "dyn",
    "exists_one",
    "filter",
    "getDate",
    "getDayOfMonth",
    "getDayOfYear",
    "getFullYear",
    "getMilliseconds",
    "getMonth",
    "getSeconds",
    "map",
    "optMap",
    "string",
    "type",
    "uint",
];

/// Checks an expression; what it is comes with it.
pub(super) fn check(ast: Ast<'_>, names: &mut dyn Names) -> Checked {
    Checker { names, locals: Vec::new(), depth: 0 }.check(ast)
}

struct Checker<'n, 's> {
    names: &'n mut dyn Names,
    /// What the `exists` and `all` around are looking at, the outermost first.
    locals: Vec<(&'s str, Type)>,
    depth: usize,
}

impl<'s> Checker<'_, 's> {
    fn check(&mut self, ast: Ast<'s>) -> Checked {
        self.depth = self.depth.saturating_add(1);
        if self.depth > MAX_DEPTH {
            let invalid = Invalid::new(ast.at, format!("nested deeper than {MAX_DEPTH}"));
            return Err(invalid.help("`in` with a list replaces many times `||`"));
        }
        let checked = self.check_kind(ast);
        self.depth = self.depth.saturating_sub(1);
        checked
    }

    fn check_kind(&mut self, Ast { at, kind }: Ast<'s>) -> Checked {
        Ok(match kind {
            Kind::Null => (Node::Null, Type::Null),
            Kind::Bool(is) => (Node::Bool(is), Type::Bool),
            Kind::Int(number) => (Node::Int(number), Type::Int),
            Kind::Double(number) => (Node::Double(number), Type::Double),
            Kind::Text(text) => (Node::Text(text.into()), Type::String),
            kind @ (Kind::List(_) | Kind::Map(_)) => {
                let (value, of) = literal(Ast { at, kind })?;
                (Node::Literal(value), of)
            }
            kind @ (Kind::Name(_) | Kind::Field(..)) => self.path(Ast { at, kind }, false)?,
            Kind::Index(both) => self.index(*both)?,
            Kind::Call { name, of: None, arguments } => self.function(at, name, arguments)?,
            Kind::Call { name, of: Some(of), arguments } => {
                self.method(at, name, *of, arguments)?
            }
            Kind::Not(of) => (Node::Not(Box::new(self.typed(*of, &Type::Bool)?)), Type::Bool),
            Kind::Negate(of) => {
                let place = of.at;
                let (node, of) = self.check(*of)?;
                if !matches!(of, Type::Dyn | Type::Int | Type::Double) {
                    return Err(Invalid::new(place, format!("expected a number, not {of}")));
                }
                (Node::Negate(Box::new(node)), of)
            }
            Kind::Binary(operator, both) => self.binary(operator, *both)?,
            Kind::Choice(parts) => {
                let (condition, then, otherwise) = *parts;
                let condition = self.typed(condition, &Type::Bool)?;
                let (then, of) = self.check(then)?;
                let (otherwise, or) = self.check(otherwise)?;
                (Node::Choice(Box::new([condition, then, otherwise])), of.or(&or))
            }
        })
    }

    /// What may be of the type `wanted`.
    fn typed(&mut self, ast: Ast<'s>, wanted: &Type) -> Result<Node, Invalid> {
        let at = ast.at;
        let (node, of) = self.check(ast)?;
        if of.may_be(wanted) {
            Ok(node)
        } else {
            Err(Invalid::new(at, format!("expected {wanted}, not {of}")))
        }
    }

    /// A name and the fields that are selected of it, or whether the last of them is there.
    fn path(&mut self, ast: Ast<'s>, asks: bool) -> Checked {
        let mut fields = Vec::new();
        let mut root = ast;
        while let Kind::Field(of, field) = root.kind {
            fields.push(field);
            root = *of;
        }
        fields.reverse();
        let at = root.at;
        if self.depth.saturating_add(fields.len()) > MAX_DEPTH {
            return Err(Invalid::new(at, format!("nested deeper than {MAX_DEPTH}")));
        }
        let Kind::Name(first) = root.kind else {
            let (node, of) = self.check(root)?;
            return select((node, of), &fields, asks);
        };
        let local = self.locals.iter().rposition(|(name, _)| *name == first);
        if let Some(place) = local {
            let of = self.locals.get(place).map_or(Type::Dyn, |(_, of)| of.clone());
            return select((Node::Local(place), of), &fields, asks);
        }
        let called: Vec<&str> = fields.iter().map(|field| &*field.name).collect();
        let variable = self.names.resolve(first, &called).map_err(|unknown| Invalid {
            at: unknown
                .part
                .checked_sub(1)
                .and_then(|part| fields.get(part))
                .map_or(at, |field| field.at),
            message: unknown.message,
            help: unknown.help,
        })?;
        let rest = fields.get(variable.fields..).unwrap_or_default();
        if asks && rest.is_empty() {
            return Ok((Node::HasVariable(variable.id), Type::Bool));
        }
        select((Node::Variable(variable.id), variable.of), rest, asks)
    }

    fn index(&mut self, (of, index): (Ast<'s>, Ast<'s>)) -> Checked {
        let (at, place) = (of.at, index.at);
        let (of_node, of) = self.check(of)?;
        let (index_node, with) = self.check(index)?;
        let (wanted, element) = match of {
            Type::Dyn => (Type::Dyn, Type::Dyn),
            Type::List(element) => (Type::Int, *element),
            Type::Map(element) => (Type::String, *element),
            other => {
                return Err(Invalid::new(at, format!("expected a list or a map, not {other}")));
            }
        };
        let is_right = match &wanted {
            Type::Dyn => matches!(with, Type::Dyn | Type::Int | Type::String),
            wanted => with.may_be(wanted),
        };
        if !is_right {
            return Err(Invalid::new(place, format!("{with} is no index here")));
        }
        Ok((Node::Index(Box::new([of_node, index_node])), element))
    }

    fn function(&mut self, at: usize, name: &'s str, mut arguments: Vec<Ast<'s>>) -> Checked {
        if !GLOBALS.contains(&name) {
            return Err(no_such_function(at, name, &GLOBALS, &METHODS));
        }
        let (Some(argument), true) = (arguments.pop(), arguments.is_empty()) else {
            return Err(Invalid::new(at, format!("`{name}` takes one value")));
        };
        if name != "has" {
            return self.unary(at, name, argument);
        }
        match &argument.kind {
            Kind::Field(_, field) if !field.is_index => self.path(argument, true),
            _ => Err(Invalid::new(at, "expected a field, such as `has(token.email)`")),
        }
    }

    fn method(
        &mut self,
        at: usize,
        name: &'s str,
        of: Ast<'s>,
        mut arguments: Vec<Ast<'s>>,
    ) -> Checked {
        if !METHODS.contains(&name) || OUTSIDE.contains(&name) {
            return Err(no_such_function(at, name, &METHODS, &GLOBALS));
        }
        match (name, arguments.pop(), arguments.pop()) {
            ("exists" | "all", Some(body), Some(variable)) if arguments.is_empty() => {
                self.each(name, of, variable, body)
            }
            ("exists" | "all", ..) => {
                let message = format!("`{name}` takes a name and what is asked of each");
                Err(Invalid::new(at, message).help(format!("such as `.{name}(x, x == 1)`")))
            }
            ("contains" | "startsWith" | "endsWith", Some(part), None) => {
                let of = self.typed(of, &Type::String)?;
                let part = self.typed(part, &Type::String)?;
                let binary = match name {
                    "contains" => Binary::Contains,
                    "startsWith" => Binary::StartsWith,
                    _ => Binary::EndsWith,
                };
                Ok((Node::Binary(binary, Box::new([of, part])), Type::Bool))
            }
            ("matches", Some(pattern), None) => {
                let at = pattern.at;
                let of = self.typed(of, &Type::String)?;
                let Node::Text(source) = self.typed(pattern, &Type::String)? else {
                    return Err(Invalid::new(at, "expected a pattern in quotes"));
                };
                let pattern = Pattern::compile(&source).map_err(|(place, wrong)| {
                    let message = format!("{wrong} (at byte {place} of the pattern)");
                    Invalid::new(at, message)
                })?;
                Ok((Node::Matches(Box::new(of), pattern), Type::Bool))
            }
            ("contains" | "startsWith" | "endsWith" | "matches", ..) => {
                Err(Invalid::new(at, format!("`{name}` takes one string")))
            }
            (_, Some(_), _) if name.starts_with("get") => {
                Err(Invalid::new(at, "time zones are not part of this subset of CEL"))
            }
            (_, Some(_), _) => Err(Invalid::new(at, format!("`{name}` takes nothing"))),
            (_, None, _) => self.unary(at, name, of),
        }
    }

    /// A function of one value; of a literal, what comes of it.
    fn unary(&mut self, at: usize, name: &str, argument: Ast<'s>) -> Checked {
        let function = FUNCTIONS.iter().find(|(known, ..)| *known == name);
        let Some((_, function, result, takes)) = function else {
            return Err(no_such_function(at, name, &GLOBALS, &METHODS));
        };
        let place = argument.at;
        if let (Kind::Text(text), Unary::Timestamp) = (&argument.kind, function) {
            let moment = time::timestamp(text);
            let expected = "expected a moment such as `2026-11-01T00:00:00Z`";
            let moment = moment.ok_or_else(|| Invalid::new(place, expected))?;
            return Ok((Node::Timestamp(moment), Type::Timestamp));
        }
        if let (Kind::Text(text), Unary::Duration) = (&argument.kind, function) {
            let span = time::duration(text);
            let expected = "expected a duration such as `90s` or `1h30m`";
            let span = span.ok_or_else(|| Invalid::new(place, expected))?;
            return Ok((Node::Duration(span), Type::Duration));
        }
        let (node, of) = self.check(argument)?;
        let is_sized =
            matches!(function, Unary::Size) && matches!(of, Type::List(_) | Type::Map(_));
        if !is_sized && of != Type::Dyn && !takes.contains(&of) {
            return Err(Invalid::new(place, format!("`{name}` does not take {of}")));
        }
        Ok((Node::Unary(*function, Box::new(node)), result.clone()))
    }

    fn each(&mut self, name: &str, of: Ast<'s>, variable: Ast<'s>, body: Ast<'s>) -> Checked {
        let place = of.at;
        let (list, of) = self.check(of)?;
        let element = match of {
            Type::Dyn => Type::Dyn,
            Type::List(element) => *element,
            Type::Map(_) => Type::String,
            other => {
                return Err(Invalid::new(place, format!("expected a list or a map, not {other}")));
            }
        };
        let Kind::Name(local) = variable.kind else {
            return Err(Invalid::new(variable.at, "expected a name for each"));
        };
        let is_taken = self.locals.iter().any(|(name, _)| *name == local)
            || !matches!(self.names.resolve(local, &[]), Err(unknown) if unknown.part == 0);
        if is_taken {
            let message = format!("`{local}` is the name of something else");
            return Err(Invalid::new(variable.at, message));
        }
        if self.locals.len() >= MAX_LOCALS {
            let message = format!("more than {MAX_LOCALS} times `exists` and `all` in each other");
            return Err(Invalid::new(variable.at, message));
        }
        self.locals.push((local, element));
        let body = self.typed(body, &Type::Bool);
        self.locals.pop();
        let quantifier = if name == "all" { Quantifier::All } else { Quantifier::Exists };
        Ok((Node::Each(quantifier, Box::new([list, body?])), Type::Bool))
    }

    fn binary(&mut self, operator: Operator, (left, right): (Ast<'s>, Ast<'s>)) -> Checked {
        if matches!(operator, Operator::Or | Operator::And) {
            let both = [self.typed(left, &Type::Bool)?, self.typed(right, &Type::Bool)?];
            return Ok((joined(operator, both), Type::Bool));
        }
        let at = left.at;
        let (left, one) = self.check(left)?;
        let (right, two) = self.check(right)?;
        let both = [left, right];
        let never = |what: &str| {
            Err(Invalid::new(at, format!("`{}` of {one} and {two} {what}", operator.text())))
        };
        let order = |order| {
            let is_right = one.may_equal(&two) && one.is_ordered() && two.is_ordered();
            is_right.then_some(order)
        };
        let node = match operator {
            Operator::Equal | Operator::Unequal if !one.may_equal(&two) => {
                return never("is always the same");
            }
            Operator::Equal => equal(both),
            Operator::Unequal => Node::Unequal(Box::new(both)),
            Operator::In => match &two {
                Type::Dyn => Node::In(Box::new(both)),
                Type::List(element) if one.may_equal(element) => one_of(both),
                Type::Map(_) if one.may_be(&Type::String) => Node::In(Box::new(both)),
                Type::List(_) | Type::Map(_) => return never("is never true"),
                _ => return never("makes no sense: expected a list or a map on the right"),
            },
            Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual => {
                let ordered = order(match operator {
                    Operator::Less => Order::Less,
                    Operator::LessOrEqual => Order::LessOrEqual,
                    Operator::Greater => Order::Greater,
                    _ => Order::GreaterOrEqual,
                });
                let Some(order) = ordered else { return never("makes no sense") };
                Node::Ordered(order, Box::new(both))
            }
            _ => {
                let arithmetic = match operator {
                    Operator::Subtract => Arithmetic::Subtract,
                    Operator::Multiply => Arithmetic::Multiply,
                    Operator::Divide => Arithmetic::Divide,
                    Operator::Remainder => Arithmetic::Remainder,
                    _ => Arithmetic::Add,
                };
                let Some(result) = result(arithmetic, &one, &two) else {
                    return match (&one, &two) {
                        (Type::Int, Type::Double) | (Type::Double, Type::Int) => {
                            let refused = never("makes no sense");
                            refused.map_err(|invalid| invalid.help("`double(x)` makes both alike"))
                        }
                        (Type::String, Type::String) | (Type::List(_), Type::List(_)) => {
                            never("is not part of this subset of CEL")
                        }
                        _ => never("makes no sense"),
                    };
                };
                return Ok((Node::Arithmetic(arithmetic, Box::new(both)), result));
            }
        };
        Ok((node, Type::Bool))
    }
}

/// `||` or `&&` of two; a chain of them is one, for which side of it is put in brackets does not matter.
fn joined(operator: Operator, both: [Node; 2]) -> Node {
    let mut all = Vec::with_capacity(both.len());
    for one in both {
        match (operator, one) {
            (Operator::Or, Node::Or(more)) | (Operator::And, Node::And(more)) => all.extend(more),
            (_, other) => all.push(other),
        }
    }
    if matches!(operator, Operator::Or) { Node::Or(all) } else { Node::And(all) }
}

fn equal(both: [Node; 2]) -> Node {
    match both {
        [Node::Variable(id), Node::Text(text)] | [Node::Text(text), Node::Variable(id)] => {
            Node::IsText(id, text)
        }
        both => Node::Equal(Box::new(both)),
    }
}

fn one_of([one, list]: [Node; 2]) -> Node {
    let texts = match (&one, &list) {
        (Node::Variable(id), Node::Literal(Json::Array(elements))) => {
            let text = |element: &Json| element.as_str().map(Box::from);
            elements.iter().map(text).collect::<Option<_>>().map(|texts| (*id, texts))
        }
        _ => None,
    };
    match texts {
        Some((id, texts)) => Node::IsOneOf(id, texts),
        None => Node::In(Box::new([one, list])),
    }
}

/// What comes of numbers, moments and spans of time, if anything can.
fn result(arithmetic: Arithmetic, one: &Type, two: &Type) -> Option<Type> {
    use Type::{Double, Duration, Dyn, Int, Timestamp};
    let is_sum = matches!(arithmetic, Arithmetic::Add | Arithmetic::Subtract);
    Some(match (one, two) {
        (Dyn, Dyn) => Dyn,
        (Int, Int | Dyn) | (Dyn, Int) => Int,
        (Double, Double | Dyn) | (Dyn, Double) if !matches!(arithmetic, Arithmetic::Remainder) => {
            Double
        }
        (Duration, Duration) if is_sum => Duration,
        (Timestamp, Duration) if is_sum => Timestamp,
        (Duration, Timestamp) if matches!(arithmetic, Arithmetic::Add) => Timestamp,
        (Timestamp, Timestamp) if matches!(arithmetic, Arithmetic::Subtract) => Duration,
        (Timestamp | Duration, Dyn) | (Dyn, Timestamp | Duration) if is_sum => Dyn,
        _ => return None,
    })
}

/// What is selected of a value, or whether the last of it is there.
fn select((mut node, mut of): (Node, Type), fields: &[Field<'_>], asks: bool) -> Checked {
    for (place, field) in fields.iter().enumerate() {
        let element = match of {
            Type::Dyn => Type::Dyn,
            Type::Map(element) => *element,
            other => {
                let message = format!("{other} has no field `{}`", field.name);
                return Err(Invalid::new(field.at, message));
            }
        };
        let is_asked = asks && place.saturating_add(1) == fields.len();
        let (inner, name) = (Box::new(node), (*field.name).into());
        (node, of) = match is_asked {
            true => (Node::HasField(inner, name), Type::Bool),
            false => (Node::Field(inner, name), element),
        };
    }
    Ok((node, of))
}

/// The value of a literal.
fn literal(Ast { at, kind }: Ast<'_>) -> Result<(Json, Type), Invalid> {
    Ok(match kind {
        Kind::Null => (Json::Null, Type::Null),
        Kind::Bool(is) => (Json::Bool(is), Type::Bool),
        Kind::Int(number) => (Json::from(number), Type::Int),
        Kind::Double(number) => {
            let number = Number::from_f64(number);
            let number = number.ok_or_else(|| Invalid::new(at, "expected a number"))?;
            (Json::Number(number), Type::Double)
        }
        Kind::Negate(of) => match of.kind {
            Kind::Double(number) => literal(Ast { at, kind: Kind::Double(-number) })?,
            _ => return Err(no_literal(at)),
        },
        Kind::Text(text) => (Json::String(text), Type::String),
        Kind::List(elements) => {
            let mut list = Vec::with_capacity(elements.len());
            let mut of = None;
            for element in elements {
                let (value, next) = literal(element)?;
                list.push(value);
                of = Some(of.map_or(next.clone(), |of: Type| of.or(&next)));
            }
            (Json::Array(list), Type::List(Box::new(of.unwrap_or(Type::Dyn))))
        }
        Kind::Map(members) => {
            let mut map = Map::new();
            let mut of = None;
            for (name, value) in members {
                let Kind::Text(key) = name.kind else {
                    return Err(Invalid::new(name.at, "expected a string as the name of a member"));
                };
                let (value, next) = literal(value)?;
                if map.insert(key, value).is_some() {
                    return Err(Invalid::new(name.at, "the map has a member of this name"));
                }
                of = Some(of.map_or(next.clone(), |of: Type| of.or(&next)));
            }
            (Json::Object(map), Type::Map(Box::new(of.unwrap_or(Type::Dyn))))
        }
        _ => return Err(no_literal(at)),
    })
}

fn no_literal(at: usize) -> Invalid {
    Invalid::new(at, "lists and maps of what is no literal are not part of this subset of CEL")
}

fn no_such_function(at: usize, name: &str, known: &[&str], other: &[&str]) -> Invalid {
    let invalid = |message: String| Invalid::new(at, message);
    if OUTSIDE.contains(&name) {
        return invalid(format!("`{name}` is not part of this subset of CEL"));
    }
    if other.contains(&name) {
        return match GLOBALS.contains(&name) {
            true => invalid(format!("`{name}` is not called of a value"))
                .help(format!("such as `{name}(x)`")),
            false => invalid(format!("`{name}` is called of a value"))
                .help(format!("such as `x.{name}(…)`")),
        };
    }
    let unknown = invalid(format!("unknown function `{name}`"));
    match nearest(name, known.iter().copied()) {
        Some(near) => unknown.help(format!("did you mean `{near}`?")),
        None => unknown,
    }
}
