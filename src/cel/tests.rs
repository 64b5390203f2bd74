//! What compiles, what does not and where it is wrong, and what comes of it.

use serde_json::{Value as Json, json};

use super::{Facts, Failure, MAX_BYTES, Names, Program, Type, Unknown, Value, Variable};

/// `token`, whose fields are not known, `agent.name`, `agent.level` and `now`.
struct Known;

impl Names for Known {
    fn resolve(&mut self, first: &str, fields: &[&str]) -> Result<Variable, Unknown> {
        let unknown = |part| Unknown { part, message: "unknown".to_owned(), help: None };
        let (id, of, fields) = match (first, fields) {
            ("token", _) => (0, Type::Map(Box::new(Type::Dyn)), 0),
            ("agent", ["name", ..]) => (1, Type::String, 1),
            ("agent", ["level", ..]) => (2, Type::Int, 1),
            ("now", _) => (3, Type::Timestamp, 0),
            ("agent", _) => return Err(unknown(1)),
            _ => return Err(unknown(0)),
        };
        Ok(Variable { id, of, fields })
    }
}

/// The token, the agent's name, and its level.
struct Of(Json, Option<&'static str>, Option<i64>);

impl Facts for Of {
    fn value(&self, id: u16) -> Result<Value<'_>, Failure> {
        match id {
            0 => Ok((&self.0).into()),
            1 => self.1.map(Value::Text).ok_or(Failure::Missing),
            2 => self.2.map(Value::Int).ok_or(Failure::Missing),
            // 2026-11-26 is a Thursday.
            _ => Ok(Value::Timestamp(super::Moment::new(1_795_699_800, 0))),
        }
    }
}

fn facts() -> Of {
    Of(json!({ "a": 1, "b": { "c": [1, "x", null] }, "e": "é", "n": null }), Some("bot"), None)
}

fn outcome(source: &str) -> Result<bool, Failure> {
    let program = Program::compile(source, &mut Known);
    program.unwrap_or_else(|invalid| panic!("`{source}`: {invalid}")).holds(&facts())
}

/// The same where all but the time is settled.
#[derive(Default)]
struct Parted(Vec<Program>);

impl Names for Parted {
    fn resolve(&mut self, first: &str, fields: &[&str]) -> Result<Variable, Unknown> {
        Known.resolve(first, fields)
    }

    fn is_settled(&self, id: u16) -> bool {
        id != 3
    }

    fn settle(&mut self, part: Program) -> Result<u16, Program> {
        self.0.push(part);
        Ok(u16::try_from(self.0.len() - 1).unwrap())
    }
}

#[test]
fn what_settled_variables_decide_is_put_apart_together_and_not_in_more_parts_than_a_few() {
    let parts = |source: &str| {
        let mut parts = Parted::default();
        Program::compile(source, &mut parts).unwrap();
        parts.0
    };
    let early = "now < timestamp('2026-01-01T00:00:00Z')";
    let together = parts(&format!("agent.name == 'bot' && {early} && !(agent.level > 2)"));
    assert_eq!(together, parts("agent.name == 'bot' && !(agent.level > 2)"));
    assert_eq!(together.len(), 1);
    assert!(parts(early).is_empty() && parts("true").is_empty());
    let nested = |depth: usize| {
        (0..depth).fold(early.to_owned(), |inner, level| {
            format!("{early} || agent.level == {level} && ({inner})")
        })
    };
    assert_eq!((parts(&nested(3)).len(), parts(&nested(9)).len()), (3, 4));
}

#[test]
fn what_is_true_holds() {
    for source in [
        "true",
        "token.a == 1 && token['a'] == 1.0 && 1.0 == 1",
        "token.b.c[1] == \"x\" && token.b.c[2] == null",
        "agent.name in ['bot', 'dog']",
        "'a' in token && !('z' in token) && 'k' in {'k': 1}",
        "agent.name == 'dog' ? false : true",
        "has(token.n) && !has(token.z) && has(agent.name) && !has(agent.level)",
        "size(token.e) == 1 && token.e.size() == 1 && size(token.b.c) == 3 && size([]) == 0",
        "agent.name.startsWith('b') && agent.name.endsWith('t') && agent.name.contains('o')",
        "token.b.c.exists(x, x == 'x') && !token.b.c.all(x, x == 'x')",
        "[1, 2].all(x, [2, 3].exists(y, y == x + 1))",
        "token.b.exists(name, name == 'c')",
        "-7 / 2 == -3 && -7 % 2 == -1 && 7 - 2 - 1 == 4 && 2 + 3 * 4 == 14",
        "0x10 == 16 && 1e3 == 1000.0 && .5 == 0.5 && -9223372036854775808 < 0",
        "now > timestamp('2026-11-26T13:29:59Z') && now - timestamp(0) > duration('1h')",
        "now.getHours() == 13 && now.getMinutes() == 30 && now.getDayOfWeek() == 4",
        "timestamp('2026-11-26T14:30:00+01:00') == now",
        "int(now) == 1795699800 && timestamp(int(now)) == now",
        "duration('1h30m') == duration('90m') && duration('-1.5s') < duration('0')",
        "double(1) / 2.0 == 0.5 && int(2.9) == 2",
        "9007199254740993 != 9007199254740992.0",
        "r'\\n' == '\\\\n' // and that is all",
        "true || token.z == 1",
        "token.z == 1 || true",
        "!(false && token.z == 1) && !(token.z == 1 && false)",
    ] {
        assert_eq!(outcome(source), Ok(true), "{source}");
    }
    assert_eq!(outcome("'\\x41\\u00e9\\U0001F600\\101' == 'Aé😀A'"), Ok(true));
}

#[test]
fn what_is_not_there_or_not_as_it_should_be_is_neither_true_nor_false() {
    for (source, failure) in [
        ("token.z == 1", Failure::Missing),
        ("token.z != 1", Failure::Missing),
        ("!(token.z == 1)", Failure::Missing),
        ("agent.level != 3", Failure::Missing),
        ("agent.level < 3 || false", Failure::Missing),
        ("has(token.z.y)", Failure::Missing),
        ("token.b.c[3] == 1", Failure::Missing),
        ("token.b.c[-1] == 1", Failure::Missing),
        ("token.a", Failure::Mistyped),
        ("token.n > 1", Failure::Mistyped),
        ("token.a.b == 1", Failure::Mistyped),
        ("token.a.startsWith('x')", Failure::Mistyped),
        ("token.e + 1 == 2", Failure::Mistyped),
        ("1 in token.e", Failure::Mistyped),
        ("token.e ? true : true", Failure::Mistyped),
        ("0.0 / 0.0 < 1.0", Failure::Mistyped),
        ("token.a / 0 == 1", Failure::DividedByZero),
        ("token.a % 0 == 1", Failure::DividedByZero),
        ("9223372036854775807 + token.a > 0", Failure::Overflow),
        ("-9223372036854775808 / -1 > 0", Failure::Overflow),
        ("-(-9223372036854775808) > 0", Failure::Overflow),
        ("int(1e300) > 0", Failure::Overflow),
        (
            "now + duration('2540400h') + duration('2540400h') + duration('2540400h') + \
          duration('2540400h') + duration('2540400h') + duration('2540400h') + \
          duration('2540400h') + duration('2540400h') + duration('2540400h') + \
          duration('2540400h') + duration('2540400h') + duration('2540400h') + \
          duration('2540400h') + duration('2540400h') + duration('2540400h') + \
          duration('2540400h') + duration('2540400h') + duration('2540400h') + \
          duration('2540400h') + duration('2540400h') + duration('2540400h') + \
          duration('2540400h') + duration('2540400h') + duration('2540400h') + \
          duration('2540400h') + duration('2540400h') + duration('2540400h') + \
          duration('2540400h') > now",
            Failure::Overflow,
        ),
        ("timestamp(token.e) > now", Failure::Unreadable),
        ("duration(token.e) > duration('1s')", Failure::Unreadable),
    ] {
        assert_eq!(outcome(source), Err(failure), "{source}");
    }
}

#[test]
fn what_can_only_fail_does_not_compile_and_the_place_is_told() {
    for (source, at, message) in [
        ("", 0, "expected a value, not the end"),
        ("token.a ==", 10, "expected a value, not the end"),
        ("token.a = 1", 8, "unexpected `=`; `==` compares"),
        ("token.a & true", 8, "unexpected `&`; `&&` is and"),
        ("token.a 1", 8, "expected an operator, or the end, not a number"),
        ("(true", 5, "expected `)`, not the end"),
        ("tokn.a == 1", 0, "unknown"),
        ("true && agent.modle == 'x'", 14, "unknown"),
        ("agent.name == 1", 0, "`==` of a string and a whole number is always the same"),
        ("agent.name < 1", 0, "`<` of a string and a whole number makes no sense"),
        ("agent.name in [1]", 0, "`in` of a string and a list is never true"),
        ("agent.name", 0, "expected what is true or false, not a string"),
        ("!agent.name", 1, "expected a boolean, not a string"),
        ("agent.name.first == 1", 11, "a string has no field `first`"),
        (
            "1 + 1.0 == 2.0",
            0,
            "`+` of a whole number and a number makes no sense; `double(x)` makes both alike",
        ),
        ("'a' + 'b' == 'ab'", 0, "`+` of a string and a string is not part of this subset of CEL"),
        ("size(1) == 1", 5, "`size` does not take a whole number"),
        (
            "[token.a] == [1]",
            1,
            "lists and maps of what is no literal are not part of this subset of CEL",
        ),
        ("token.b.c.map(x, x) == []", 10, "`map` is not part of this subset of CEL"),
        ("string(token.a) == '1'", 0, "`string` is not part of this subset of CEL"),
        ("startWith(token.e, 'a')", 0, "unknown function `startWith`"),
        ("token.e.startWith('a')", 8, "unknown function `startWith`; did you mean `startsWith`?"),
        (
            "startsWith(token.e, 'a')",
            0,
            "`startsWith` is called of a value; such as `x.startsWith(…)`",
        ),
        ("token.a.has()", 8, "`has` is not called of a value; such as `has(x)`"),
        ("has(token)", 0, "expected a field, such as `has(token.email)`"),
        ("has(token['a'])", 0, "expected a field, such as `has(token.email)`"),
        ("token.b.c.exists(token, true)", 17, "`token` is the name of something else"),
        ("token.b.c.exists(agent, true)", 17, "`agent` is the name of something else"),
        (
            "token.b.c.exists(x, x == 1, true)",
            10,
            "`exists` takes a name and what is asked of each; such as `.exists(x, x == 1)`",
        ),
        ("1u == 1", 0, "unsigned numbers are not part of this subset of CEL"),
        ("b'a' == 'a'", 0, "bytes are not part of this subset of CEL"),
        ("'''a''' == 'a'", 0, "strings in triple quotes are not part of this subset of CEL"),
        ("'a == 1", 0, "the string has no end"),
        (
            "'\\q' == 'q'",
            1,
            "expected an escape such as `\\n`, `\\\\`, `\\x41`, `\\u00e9` or `\\101`",
        ),
        ("token.e.matches(token.e)", 16, "expected a pattern in quotes"),
        ("token.e.matches('a(b')", 16, "a `(` without a `)` (at byte 1 of the pattern)"),
        ("token.e.matches('a)')", 16, "a `)` without a `(` (at byte 1 of the pattern)"),
        ("token.e.matches('+')", 16, "a repetition of nothing (at byte 0 of the pattern)"),
        ("token.e.matches('[a')", 16, "a `[` without a `]` (at byte 0 of the pattern)"),
        (
            "token.e.matches('(?i)a')",
            16,
            "flags and names of groups are not part of this subset of RE2 (at byte 0 of the pattern)",
        ),
        (
            "token.e.matches('a{300}')",
            16,
            "expected a repetition such as `{3}`, `{3,}` or `{3,5}`, of at most 200 (at byte 1 of the pattern)",
        ),
        (
            "token.e.matches('(a{100}){100}')",
            16,
            "the pattern is too large: expected fewer or smaller repetitions (at byte 0 of the pattern)",
        ),
        (
            r"token.e.matches(r'\pL')",
            16,
            "this `\\` is not part of this subset of RE2 (at byte 0 of the pattern)",
        ),
        ("9223372036854775808 > 0", 0, "expected a whole number of at most 64 bits with its sign"),
        ("1e999 > 0.0", 0, "expected a number of at most 64 bits"),
        ("token.if == 1 && while == 1", 17, "`while` is a word that CEL reserves"),
        ("timestamp('yesterday') < now", 10, "expected a moment such as `2026-11-01T00:00:00Z`"),
        ("duration('1 h') < duration('2h')", 9, "expected a duration such as `90s` or `1h30m`"),
        ("now.getHours('Europe/Berlin') == 1", 4, "time zones are not part of this subset of CEL"),
        ("{'a': 1, 'a': 2} == token.b", 9, "the map has a member of this name"),
        ("{1: 1} == token.b", 1, "expected a string as the name of a member"),
    ] {
        let invalid = Program::compile(source, &mut Known).unwrap_err();
        assert_eq!((invalid.at, invalid.to_string()), (at, message.to_owned()), "{source}");
    }
}

#[test]
fn an_expression_is_bounded_in_length_depth_and_steps() {
    let refused = |source: &str| Program::compile(source, &mut Known).unwrap_err().to_string();
    assert!(refused(&"(".repeat(MAX_BYTES + 1)).contains("at most"));
    assert!(refused(&format!("{}true{}", "(".repeat(65), ")".repeat(65))).contains("nested"));
    assert!(refused(&format!("{}true", "!".repeat(70))).contains("nested"));
    assert!(refused(&format!("true{}", " || true".repeat(70))).contains("more than 64 times"));
    assert!(refused(&format!("token{} == 1", ".a".repeat(70))).contains("nested"));
    assert!(Program::compile(&format!("true{}", " || true".repeat(60)), &mut Known).is_ok());
    let mut fields = format!("token{}", ".a".repeat(60));
    fields = format!("({fields}){} == 1", ".a".repeat(60));
    assert!(refused(&fields).contains("nested"));
    // Parts that are deep each for themselves add up.
    let chain = format!("(false{})", " || false".repeat(60));
    assert!(refused(&format!("{chain}{}", " || false".repeat(10))).contains("nested"));

    let list: Vec<Json> = (0..200).map(Json::from).collect();
    let facts = Of(json!({ "a": list }), None, None);
    let program = "token.a.all(x, token.a.all(y, token.a.all(z, x + y + z >= 0)))";
    let program = Program::compile(program, &mut Known).unwrap();
    assert_eq!(program.holds(&facts), Err(Failure::TooManySteps));
    let long = Of(json!({ "a": vec!["x"; 200], "b": "y".repeat(8_000) }), None, None);
    let program = Program::compile("!token.a.exists(x, token.b.contains(x))", &mut Known).unwrap();
    assert_eq!(program.holds(&long), Err(Failure::TooManySteps));
    // However a pattern is made, it takes no more than its length for each character.
    let program = Program::compile("token.b.matches('(y*)*(y*)*(y*)*$z')", &mut Known).unwrap();
    let short = Of(json!({ "b": "y".repeat(4_000) }), None, None);
    assert_eq!(program.holds(&short), Ok(false));
    let program = Program::compile("token.b.matches('(y{15}){12}z')", &mut Known).unwrap();
    assert_eq!(program.holds(&long), Err(Failure::TooManySteps));
    let program = Program::compile("true || token.a.all(x, x in token.a)", &mut Known).unwrap();
    assert_eq!(program.holds(&facts), Ok(true));
}

#[test]
fn durations_and_moments_are_read_exactly_or_not_at_all() {
    let second = 1_000_000_000;
    for (text, nanos) in [
        ("0", Some(0)),
        ("1s", Some(second)),
        ("-1.5s", Some(-second * 3 / 2)),
        ("+1m", Some(60 * second)),
        ("1h2m3s4ms5us6ns", Some(3_723 * second + 4_005_006)),
        (".5s", Some(second / 2)),
        ("1.s", Some(second)),
        ("", None),
        ("-", None),
        ("1", None),
        ("1d", None),
        ("1 s", None),
        (".s", None),
        ("9999999999h", None),
        ("99999999999999999999999999h", None),
    ] {
        assert_eq!(super::time::duration(text), nanos, "{text}");
    }
    for (text, seconds) in [
        ("1970-01-01T00:00:00Z", Some(0)),
        ("2000-02-29T12:00:00+01:00", Some(951_822_000)),
        ("0001-01-01T00:00:00Z", Some(-62_135_596_800)),
        ("9999-12-31T23:59:59Z", Some(253_402_300_799)),
        ("9999-12-31T23:59:59-00:01", None),
        ("0000-01-01T00:00:00Z", None),
        ("2001-02-29T12:00:00Z", None),
        ("2001-02-28T24:00:00Z", None),
        ("2001-02-28T12:00:60Z", None),
        ("2001-02-28T12:00:00", None),
        ("2001-02-28T12:00:00+1:00", None),
        ("2001-02-28T12:00:00.Z", None),
        ("2001-02-28t12:00:00z", None),
        ("+001-02-28T12:00:00Z", None),
        ("2001-02-28", None),
    ] {
        let nanos = seconds.map(|seconds: i128| seconds * 1_000_000_000);
        assert_eq!(super::time::timestamp(text).map(i128::from), nanos, "{text}");
    }
    let quarter = super::time::timestamp("1970-01-01T00:00:00.25Z");
    assert_eq!(quarter.map(i128::from), Some(250_000_000));
}
