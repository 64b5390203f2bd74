//! Policies of any size and of any content: compiled or refused, in good time, without a panic.

use postern::policy::{MAX_ENTRIES, Policy, problem::MAX_PROBLEMS};
use postern_tests::engine::{Gate, call, get, issuer, policy, problems, user};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A circle of so many roles.
fn circle(length: usize) -> Value {
    let role =
        |n: usize| (format!("r{n}"), json!({ "inherits": [format!("r{}", (n + 1) % length)] }));
    let mut policy = policy();
    let roles: Map<_, _> = (0..length).map(role).collect();
    policy["roles"].as_object_mut().unwrap().extend(roles);
    policy
}

#[test]
fn a_circle_of_roles_is_found_whatever_its_length() {
    for length in [1, 2, 3, 8, 9, 4_000] {
        let told = problems(&circle(length));
        assert!(told.contains("inherits from itself"), "{told}");
        assert!(told.len() < 500, "{told}");
    }
    assert!(problems(&circle(5_000)).contains("more than 4096 roles"));
}

#[test]
fn roles_may_inherit_in_diamonds_and_in_long_chains() {
    let mut policy = policy();
    let roles = policy["roles"].as_object_mut().unwrap();
    for n in 0..4_000 {
        let inherits = if n == 0 { vec!["reader".into()] } else { vec![format!("c{}", n - 1); 2] };
        roles.insert(format!("c{n}"), json!({ "inherits": inherits }));
    }
    policy["scopes"]["long"] = json!({ "role": "c3999" });
    let gate = Gate::new(&policy);
    assert_eq!(gate.ask(&get("/v1/contacts").bearer(&user("long"))).code(), "allow");
    assert_eq!(
        gate.ask(&call("PUT", "/v1/contacts/1").bearer(&user("long"))).code(),
        "insufficient_scope"
    );
}

#[test]
fn ten_thousand_of_everything_are_compiled() {
    let mut policy = policy();
    let names: Vec<_> = (0..10_000).map(|n| format!("n{n}")).collect();
    let each = |value: Value| names.iter().map(|name| (name.clone(), value.clone())).collect();
    let route =
        |name| json!({ "path": format!("/{name}/{{id}}"), "methods": ["GET"], "permission": name });
    policy["scopes"]["crm.read"]["role"] = json!("everything");
    policy["scopes"]
        .as_object_mut()
        .unwrap()
        .extend::<Map<_, _>>(each(json!({ "role": "reader" })));
    policy["agents"] = Value::Object(each(json!({ "ceiling": "reader" })));
    policy["roles"]["everything"] = json!({ "permissions": names });
    policy["routes"] = names.iter().map(route).collect();
    let gate = Gate::new(&policy);
    let ask = |path: &str| gate.ask(&get(path).bearer(&user("crm.read"))).code();
    assert_eq!((ask("/n9999/1").as_str(), ask("/n10000/1").as_str()), ("allow", "no_route"));
}

#[test]
fn more_than_may_be_are_refused() {
    let mut many = policy();
    many["scopes"] =
        (0..=MAX_ENTRIES).map(|n| (format!("n{n}"), json!({ "role": "reader" }))).collect();
    assert!(problems(&many).contains("scopes: more than 65536"));
    let mut many = policy();
    many["issuers"] = (0..257).map(|n| issuer(&format!("https://i{n}.example/"))).collect();
    assert!(problems(&many).contains("expected 1 to 256 issuers"));
}

#[test]
fn a_policy_with_nothing_right_in_it_is_refused_in_good_time() {
    let mut policy = policy();
    let names =
        |from: usize| (from..from + 10_000).map(|n| json!(format!("permission-number-{n}")));
    policy["roles"]["reader"]["permissions"] = names(0).collect::<Value>();
    let route =
        |(n, name)| json!({ "path": format!("/r{n}"), "methods": ["GET"], "permission": name });
    policy["routes"] = names(50_000).enumerate().map(route).collect();
    let told = Policy::compile(&policy).map(|_| ()).unwrap_err();
    assert_eq!(told.iter().count(), MAX_PROBLEMS);
    assert!(told.dropped() > 9_000);
}

const WORDS: [&str; 27] = [
    "version",
    "issuers",
    "routes",
    "roles",
    "scopes",
    "agents",
    "path",
    "methods",
    "GET",
    "*",
    "/**",
    "public",
    "permission",
    "contacts:read",
    "reader",
    "callers",
    "otherwise",
    "human",
    "deny",
    "ceiling",
    "limits",
    "60/min",
    "",
    "in",
    "claim",
    "keys",
    "/v1/contacts",
];

/// Any JSON, and what policies are made of.
fn anything() -> impl Strategy<Value = Value> {
    let word = || prop::sample::select(&WORDS[..]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Into::into),
        (-2_i64..3).prop_map(Into::into),
        word().prop_map(Into::into),
        "\\PC{0,8}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let members = vec((word(), inner.clone()), 0..4);
        prop_oneof![
            vec(inner, 0..4).prop_map(Into::into),
            members.prop_map(|members| {
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            }),
        ]
    })
}

/// All places of a value, as pointers.
fn places(value: &Value, here: &str, found: &mut Vec<String>) {
    let mut inner = |name: &str, value: &Value| {
        let name = name.replace('~', "~0").replace('/', "~1");
        places(value, &format!("{here}/{name}"), found);
    };
    match value {
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(n, one)| inner(&n.to_string(), one))
        }
        Value::Object(members) => members.iter().for_each(|(name, one)| inner(name, one)),
        _ => {}
    }
    found.push(here.to_owned());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn no_json_makes_the_compiler_panic(value in anything()) {
        let _ = Policy::compile(&value);
    }

    #[test]
    fn no_mutilated_policy_lets_anybody_in_without_a_token(
        mutations in vec((any::<prop::sample::Index>(), anything(), any::<bool>()), 1..4),
    ) {
        let mut policy = policy();
        for (place, value, swap) in mutations {
            let mut found = Vec::new();
            places(&policy, "", &mut found);
            let place = place.get(&found).clone();
            let other = found.get(found.len() / 2).and_then(|other| policy.pointer(other)).cloned();
            if let Some(old) = policy.pointer_mut(&place) {
                *old = if swap { other.unwrap_or(value) } else { value };
            }
        }
        let Ok((compiled, _)) = Policy::compile(&policy) else { return Ok(()) };
        drop(compiled);
        let gate = Gate::new(&policy);
        for route in policy["routes"].as_array().into_iter().flatten() {
            let path = route["path"].as_str().unwrap_or_default().replace(['{', '}'], "").replace('*', "x");
            for method in ["GET", "HEAD", "POST", "PUT"] {
                let outcome = gate.ask(&call(method, &path));
                let by = |index: &Value| policy["routes"].as_array().is_some_and(|routes| {
                    routes.iter().any(|route| &route["path"] == index && route["public"] == true)
                });
                let open = outcome.code() == "allow";
                prop_assert!(!open || by(&outcome.record["route"]), "{}", outcome.line);
            }
        }
    }
}
