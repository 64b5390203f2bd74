use std::collections::BTreeMap;
use std::num::NonZeroU32;

use insta::assert_snapshot;
use serde::Deserialize;
use serde_json::{Value, json};

use super::from_value;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Policy {
    version: u8,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    routes: Vec<Route>,
    #[serde(default)]
    roles: BTreeMap<Name, Vec<Name>>,
    keys: Option<Keys>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Enforce,
    Shadow,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Route {
    path: String,
    permission: Option<Name>,
    cost: Option<NonZeroU32>,
    #[serde(default)]
    public: bool,
    span: Option<(i64, f64)>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Keys {
    Inline(Vec<String>),
    Fetched { url: String },
}

#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(try_from = "String")]
struct Name(String);

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        if name.contains(' ') { Err(format!("`{name}` has a blank in it")) } else { Ok(Self(name)) }
    }
}

fn error(value: Value) -> String {
    from_value::<Policy>(&value).unwrap_err().to_string()
}

fn route(value: Value) -> String {
    error(json!({ "version": 1, "routes": [{ "path": "/" }, value] }))
}

#[test]
fn what_fits_is_read() {
    let value = json!({
        "version": 1,
        "mode": "shadow",
        "routes": [{ "path": "/a", "permission": "a:read", "cost": 3, "span": [-1, 2] }],
        "roles": { "reader": ["a:read"] },
        "keys": { "fetched": { "url": "https://a.example/" } },
    });
    let policy: Policy = from_value(&value).unwrap();
    assert_eq!(policy.mode, Mode::Shadow);
    assert_eq!(policy.routes[0].cost, NonZeroU32::new(3));
    assert_eq!(policy.routes[0].span, Some((-1, 2.0)));
    assert_eq!(policy.keys, Some(Keys::Fetched { url: "https://a.example/".to_owned() }));
    let inline = from_value(&json!({ "version": 1, "keys": { "inline": ["k"] } }));
    assert_eq!(inline.map(|p: Policy| p.keys), Ok(Some(Keys::Inline(vec!["k".to_owned()]))));
}

#[test]
fn an_unknown_field_in_a_list_is_told_with_the_nearest_name() {
    assert_snapshot!(
        route(json!({ "path": "/", "permision": "a" })),
        @"routes[1].permision: unknown field `permision`, expected one of `path`, `permission`, `cost`, `public`, `span`; did you mean `permission`?"
    );
}

#[test]
fn a_wrong_type_is_told_in_plain_words() {
    assert_snapshot!(route(json!({ "path": 3 })), @"routes[1].path: expected a string, found 3; put it in quotes");
    assert_snapshot!(route(json!("/")), @"routes[1]: expected a map, found a string");
    assert_snapshot!(route(json!(["/", "a:read"])), @"routes[1]: expected a map, found a list");
    assert_snapshot!(route(json!({ "path": "/", "public": "true" })), @"routes[1].public: expected `true` or `false`, found a string; write it without quotes");
    assert_snapshot!(error(json!({ "version": 1, "routes": {} })), @"routes: expected a list, found a map");
    assert_snapshot!(error(json!({ "version": 1, "roles": [] })), @"roles: expected a map, found a list");
    assert_snapshot!(error(json!([])), @"the policy: expected a map, found a list");
}

#[test]
fn a_number_out_of_range_is_told_the_range() {
    assert_snapshot!(error(json!({ "version": 300 })), @"version: expected a whole number from 0 to 255, found 300");
    assert_snapshot!(error(json!({ "version": 1.5 })), @"version: expected a whole number from 0 to 255, found 1.5");
    assert_snapshot!(error(json!({ "version": "1" })), @"version: expected a whole number from 0 to 255, found a string; write it without quotes");
    assert_snapshot!(route(json!({ "path": "/", "cost": 0 })), @"routes[1].cost: expected a whole number from 1 to 4294967295, found 0");
    assert_snapshot!(route(json!({ "path": "/", "cost": -1 })), @"routes[1].cost: expected a whole number from 1 to 4294967295, found -1");
}

#[test]
fn a_missing_field_is_named_at_its_parent() {
    assert_snapshot!(route(json!({ "permission": "a:read" })), @"routes[1]: missing field `path`");
    assert_snapshot!(error(json!({})), @"the policy: missing field `version`");
}

#[test]
fn a_word_that_is_none_of_the_enum_s_is_told_the_words() {
    assert_snapshot!(error(json!({ "version": 1, "mode": "shadwo" })), @"mode: unknown value `shadwo`, expected one of `enforce`, `shadow`; did you mean `shadow`?");
    assert_snapshot!(error(json!({ "version": 1, "mode": 3 })), @"mode: expected one of `enforce`, `shadow`, found a number");
    assert_snapshot!(error(json!({ "version": 1, "mode": { "shadow": {} } })), @"mode: expected the word `shadow` alone, found a map");
    assert_snapshot!(error(json!({ "version": 1, "keys": "inline" })), @"keys: `inline` needs a value, found the word alone");
    assert_snapshot!(error(json!({ "version": 1, "keys": { "fetchd": {} } })), @"keys.fetchd: unknown value `fetchd`, expected one of `inline`, `fetched`; did you mean `fetched`?");
    assert_snapshot!(error(json!({ "version": 1, "keys": { "fetched": {} } })), @"keys.fetched: missing field `url`");
    assert_snapshot!(error(json!({ "version": 1, "keys": { "inline": ["a", 1] } })), @"keys.inline[1]: expected a string, found 1; put it in quotes");
}

#[test]
fn null_is_no_way_to_leave_a_field_out() {
    assert_snapshot!(route(json!({ "path": "/", "permission": null })), @"routes[1].permission: expected a value, found null; give it a value, or leave it out");
    assert_snapshot!(error(json!({ "version": 1, "routes": null })), @"routes: expected a list, found null; give it a value, or leave it out");
    assert_snapshot!(error(json!({ "version": 1, "mode": null })), @"mode: expected one of `enforce`, `shadow`, found null; give it a value, or leave it out");
}

#[test]
fn what_a_type_says_of_itself_is_kept_and_placed() {
    assert_snapshot!(route(json!({ "path": "/", "permission": "a b" })), @"routes[1].permission: `a b` has a blank in it");
    assert_snapshot!(error(json!({ "version": 1, "roles": { "a b": [] } })), @r##"roles."a b": `a b` has a blank in it"##);
    assert_snapshot!(error(json!({ "version": 1, "roles": { "a": ["b", "b c"] } })), @"roles.a[1]: `b c` has a blank in it");
}

#[test]
fn a_list_of_another_length_is_refused() {
    assert_snapshot!(route(json!({ "path": "/", "span": [1] })), @"routes[1].span: expected a list of 2, found 1");
    assert_snapshot!(route(json!({ "path": "/", "span": [1, 2, 3] })), @"routes[1].span: expected a list of 2, found 3");
}
