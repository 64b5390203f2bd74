//! What a policy must say, and what becomes of one that says something else.

use postern::policy::{Policy, Severity};
use postern_tests::engine::{Gate, ISSUER, get, issuer, key, policy, problems, user};
use serde_json::{Value, json};

/// The policy with `value` at `pointer`, or without what is there.
fn with(pointer: &str, value: Option<Value>) -> Value {
    let mut policy = policy();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let name = name.replace("~1", "/");
    match (policy.pointer_mut(parent), value) {
        (Some(Value::Object(members)), Some(value)) => {
            members.insert(name, value);
        }
        (Some(Value::Object(members)), None) => {
            members.remove(&name);
        }
        (Some(Value::Array(list)), Some(value)) => list.push(value),
        other => panic!("{pointer}: {other:?}"),
    }
    policy
}

fn refused(policy: &Value) -> String {
    let told = Policy::compile(policy).map(|_| ()).unwrap_err();
    assert!(told.iter().any(|problem| problem.severity == Severity::Error), "{told}");
    told.to_string()
}

/// Keys at a URL, with one member otherwise.
fn fetched(name: &str, value: &str) -> Value {
    let mut jwks = json!({ "url": "https://a/k", "cluster": "a" });
    jwks[name] = value.into();
    jwks
}

#[test]
fn keys_that_come_without_tls_are_warned_of_and_shared_secrets_are_at_no_url() {
    let mut policy = policy();
    policy["issuers"][0]["jwks"] = fetched("url", "http://login.example/k");
    assert!(problems(&policy).contains("issuers[0].jwks.url: what comes without TLS"));
    for fine in ["https://login.example/k", "http://127.0.0.1:1/k", "http://localhost/k"] {
        policy["issuers"][0]["jwks"]["url"] = fine.into();
        assert_eq!(problems(&policy), "", "{fine}");
    }
    policy["issuers"][0]["allow_symmetric_keys_for_development"] = true.into();
    assert!(problems(&policy).contains("issuers[0].jwks.url: a shared secret is at no URL"));
}

#[test]
fn the_policy_to_start_from_is_sound() {
    assert_eq!(problems(&policy()), "");
}

#[test]
fn every_mistake_is_told_with_its_place() {
    for (pointer, value, told) in [
        ("/version", json!(2), "version: version 2 of the policy language: expected 1"),
        ("/version", json!("1"), "version: "),
        ("/versions", json!(1), "unknown field `versions`"),
        ("/revision", json!(""), "revision: expected 1 to 64 visible ASCII characters"),
        ("/revision", json!("a b"), "revision: expected"),
        ("/revision", json!("a\r\nx: y"), "revision: expected"),
        ("/revision", json!("x".repeat(65)), "revision: expected"),
        ("/issuers", json!([]), "issuers: expected 1 to 256 issuers, or `api_keys`"),
        ("/issuers/-", issuer(ISSUER), "is listed twice"),
        ("/issuers/0/issuer", json!(""), "identifier is empty"),
        ("/issuers/0/audiences", json!([]), "no audience"),
        ("/issuers/0/audiences", json!([""]), "no audience or an empty one"),
        ("/issuers/0/algorithms", json!([]), "has no algorithm"),
        ("/issuers/0/algorithms", json!(["HS256"]), "issuers[0].algorithms[0]: `HS256`"),
        ("/issuers/0/algorithms", json!(["none"]), "issuers[0].algorithms[0]: unknown algorithm"),
        ("/issuers/0/algorithms", json!(["ES384"]), "issuers[0].algorithms[0]: unknown algorithm"),
        ("/issuers/0/algorithms", json!(["eddsa"]), "issuers[0].algorithms[0]: unknown algorithm"),
        (
            "/issuers/0/jwks",
            json!({}),
            "issuers[0].jwks: expected one of `keys`, `url` and `discover`",
        ),
        (
            "/issuers/0/jwks",
            json!({ "keys": [], "url": "https://a/k", "cluster": "a" }),
            "issuers[0].jwks: expected one of `keys`, `url` and `discover`",
        ),
        ("/issuers/0/jwks", json!({ "url": "https://a/k" }), "issuers[0].jwks: it is fetched"),
        ("/issuers/0/jwks", json!({ "cluster": "a" }), "issuers[0].jwks: expected one of"),
        (
            "/issuers/0/jwks",
            json!({ "keys": [key().public_jwk()], "hold": "1s" }),
            "jwks.hold: keys",
        ),
        (
            "/issuers/0/jwks",
            fetched("url", "login.example"),
            "issuers[0].jwks.url: expected an abs",
        ),
        ("/issuers/0/jwks", fetched("url", "https://u:p@a/k"), "without a user or a password"),
        ("/issuers/0/jwks", fetched("url", "https://a/k#1"), "without a fragment"),
        ("/issuers/0/jwks", fetched("cluster", ""), "issuers[0].jwks.cluster: expected 1 to 256"),
        ("/issuers/0/jwks", fetched("refresh", "4s"), "jwks.refresh: expected at least `5s`"),
        ("/issuers/0/jwks", fetched("refresh", "2d"), "jwks.refresh: expected at most `1d`"),
        ("/issuers/0/jwks", fetched("max_staleness", "8d"), "expected at most `7d`"),
        ("/issuers/0/jwks", fetched("max_staleness", "1m"), "expected at least `refresh`"),
        ("/issuers/0/jwks", fetched("timeout", "31s"), "jwks.timeout: expected at most `30s`"),
        ("/issuers/0/jwks", fetched("hold", "11s"), "jwks.hold: expected at most `10s`"),
        ("/issuers/0/jwks", json!({ "keys": [] }), "issuers[0].jwks: no usable key"),
        ("/issuers/0/jwks", json!({ "keys": [{ "kty": "oct", "k": "AAAA" }] }), "issuers[0].jwks"),
        ("/issuers/0/leeway", json!("6m"), "issuers[0].leeway: expected at most `300s`"),
        ("/issuers/0/leeway", json!("0s"), "issuers[0].leeway"),
        ("/issuers/0/max_token_lifetime", json!("1 h"), "issuers[0].max_token_lifetime"),
        ("/issuers/0/profile", json!("loose"), "issuers[0].profile"),
        ("/issuers/0/claims", json!({ "roles": "/a~2" }), "issuers[0].claims.roles: expected"),
        ("/issuers/0/claims", json!({ "organization": "" }), "issuers[0].claims.organization"),
        ("/roles/reader/inherits", json!(["editr"]), "did you mean `editor`?"),
        ("/roles/reader/inherits", json!(["reader"]), "`reader` -> `reader` inherits from itself"),
        ("/roles/reader/inherits", json!(["admin"]), "inherits from itself"),
        ("/roles/reader/permissions", json!([""]), "a permission without a name"),
        ("/roles/", json!({}), "a role without a name"),
        ("/scopes/crm.read", json!({ "role": "raeder" }), "did you mean `reader`?"),
        ("/scopes/crm.read", json!({ "role": "" }), "scopes.\"crm.read\".role: unknown role ``"),
        ("/scopes/a b", json!({ "role": "reader" }), "expected an OAuth scope"),
        ("/scopes/", json!({ "role": "reader" }), "expected an OAuth scope"),
        ("/scopes/a\"b", json!({ "role": "reader" }), "expected an OAuth scope"),
        ("/scopes/é", json!({ "role": "reader" }), "expected an OAuth scope"),
        ("/callers", json!([]), "callers: expected at least one rule"),
        ("/callers", json!([{ "kind": "human" }]), "callers[0]: expected exactly one of"),
        (
            "/callers",
            json!([{ "kind": "agent", "registered": true }]),
            "callers[0]: `otherwise: true`",
        ),
        (
            "/callers",
            json!([{ "kind": "human", "otherwise": true }, { "kind": "human", "otherwise": true }]),
            "callers[0]: `otherwise: true` is the last rule",
        ),
        (
            "/callers",
            json!([{ "kind": "human", "otherwise": true, "registered": true }]),
            "callers[0]: expected exactly one of",
        ),
        (
            "/callers",
            json!([{ "kind": "agent", "when": { "claim": "a" } }]),
            "callers[0].when: expected exactly one of `exists`, `equals`, `in`, `contains` and `starts_with`",
        ),
        ("/agents/support-bot/ceiling", json!("root"), "agents.support-bot.ceiling: unknown role"),
        ("/agents/support-bot/never", json!(["deals:wriet"]), "did you mean `deals:write`?"),
        ("/agents/support-bot/issuer", json!("https://x/"), "agents.support-bot.issuer: unknown"),
        ("/agents/support-bot/client", json!(""), "must not be empty"),
        ("/agents/support-bot/ceilling", json!("reader"), "did you mean `ceiling`?"),
        ("/agents/", json!({ "ceiling": "reader" }), "must not be empty"),
        (
            "/agents/twin",
            json!({ "ceiling": "reader", "client": "support-bot" }),
            "agents.twin: another agent has the client `support-bot` too",
        ),
        (
            "/agents/twin",
            json!({ "ceiling": "reader", "actor": "support-bot" }),
            "agents.twin: another agent has the actor `support-bot` too",
        ),
        (
            "/agents/support-bot/require",
            json!([{ "claim": "a", "in": [] }]),
            "require[0].in: an empty list holds for nobody",
        ),
        (
            "/agents/support-bot/require",
            json!([{ "claim": "a", "equals": ["b"] }]),
            "a claim is compared with a string, a number or a boolean",
        ),
        (
            "/agents/support-bot/require",
            json!([{ "claim": "a", "contains": "" }]),
            "require[0].contains: expected",
        ),
        ("/unregistered_agents", json!({ "ceiling": "root" }), "unregistered_agents.ceiling"),
        ("/unregistered_agents", json!("allow"), "unregistered_agents: "),
        ("/unregistered_agents", Value::Null, "unregistered_agents"),
        ("/routes", json!([]), "routes: expected at least one route"),
        ("/routes/-", json!({ "path": "/x", "methods": ["GET"] }), "expected `permission`, or"),
        ("/routes/-", json!({ "path": "/x", "permission": "contacts:read" }), "expected `methods`"),
        (
            "/routes/-",
            json!({ "path": "/x", "methods": [], "permission": "contacts:read" }),
            "routes[6]: expected `methods`",
        ),
        (
            "/routes/-",
            json!({ "path": "/x", "methods": ["get"], "permission": "contacts:read" }),
            "routes[6].methods: `get`: expected `GET`",
        ),
        (
            "/routes/-",
            json!({ "path": "/x", "public": true, "permission": "contacts:read" }),
            "routes[6]: a public route needs no permission",
        ),
        (
            "/routes/-",
            json!({ "path": "/x", "public": true, "require": [{ "claim": "a", "exists": true }] }),
            "routes[6].require: a public route has no token",
        ),
        (
            "/routes/-",
            json!({ "path": "/x", "methods": ["GET"], "permission": "contacts:raed" }),
            "routes[6].permission: unknown permission `contacts:raed`: no role holds it",
        ),
        ("/routes/-", json!({ "path": "x", "public": true }), "routes[6].path: "),
        ("/routes/-", json!({ "path": "/a/../b", "public": true }), "routes[6].path: "),
        (
            "/routes/-",
            json!({ "path": "/v1/contacts", "public": true }),
            "routes[6]: routes[0] answers `GET /v1/contacts` already",
        ),
        (
            "/routes/-",
            json!({ "path": "/v1/deals/{x}", "methods": ["*"], "permission": "deals:read" }),
            "routes[6]: routes[2] answers",
        ),
        (
            "/limits",
            json!({ "humans": [{ "per": "agent", "rate": "1/s" }] }),
            "a human is no agent",
        ),
        ("/limits", json!({ "agents": [{ "per": "agent", "rate": "0/s" }] }), "agents[0].rate"),
        ("/limits", json!({ "agents": [{ "per": "agent", "rate": "1/week" }] }), "agents[0].rate"),
        (
            "/limits",
            json!({ "agents": [{ "per": "agent", "rate": "1/s", "burst": 0 }] }),
            "limits.agents[0].burst: a burst of 0 admits nobody",
        ),
        (
            "/limits",
            json!({ "agents": [{ "per": "agent", "rate": "1/365d", "burst": 5 }] }),
            "takes more than 366 days to fill",
        ),
        (
            "/limits",
            json!({ "agents": vec![json!({ "per": "user", "rate": "1/s" }); 9] }),
            "limits.agents: expected at most 8 limits",
        ),
        ("/headers", json!({ "prefix": "X-Postern-" }), "headers.prefix: "),
        ("/headers", json!({ "prefix": "" }), "headers.prefix: "),
        ("/headers", json!({ "prefix": "x-forwarded-" }), "headers.prefix: "),
        ("/audit", json!({ "log": "nowhere" }), "audit.log: "),
    ] {
        let messages = refused(&with(pointer, Some(value.clone())));
        assert!(messages.contains(told), "{pointer} {value}\nexpected: {told}\ntold: {messages}");
    }
}

#[test]
fn what_is_needed_cannot_be_left_out() {
    for pointer in [
        "/version",
        "/issuers",
        "/roles",
        "/routes",
        "/issuers/0/issuer",
        "/issuers/0/audiences",
        "/issuers/0/algorithms",
        "/issuers/0/jwks",
        "/agents/support-bot/ceiling",
        "/scopes/crm.read/role",
        "/routes/0/path",
        "/routes/0/methods",
        "/routes/0/permission",
    ] {
        assert!(!refused(&with(pointer, None)).is_empty(), "{pointer}");
    }
}

#[test]
fn what_is_left_out_is_denied_or_as_documented() {
    let mut policy = policy();
    for name in ["revision", "resource", "agents"] {
        policy.as_object_mut().unwrap().remove(name);
    }
    let (compiled, warnings) = Policy::compile(&policy).unwrap();
    assert_eq!(warnings.to_string(), "");
    assert!(!compiled.version.is_empty() && compiled.version.len() <= 64);
    assert_eq!(compiled.header_prefix, "x-postern-");
    assert!(compiled.human_limits.rules.is_empty());

    policy.as_object_mut().unwrap().remove("scopes");
    let gate = Gate::new(&policy);
    assert_eq!(
        gate.ask(&get("/v1/contacts").bearer(&user("crm.read"))).code(),
        "insufficient_scope"
    );
}

#[test]
fn two_editions_have_two_fingerprints_and_one_has_one() {
    let version = |policy: &Value| {
        let mut policy = policy.clone();
        policy.as_object_mut().unwrap().remove("revision");
        Policy::compile(&policy).unwrap().0.version
    };
    let other = with("/roles/reader/permissions", Some(json!(["contacts:read"])));
    assert_eq!(version(&policy()), version(&policy()));
    assert_ne!(version(&policy()), version(&other));
}

#[test]
fn a_shared_secret_needs_the_switch_for_development() {
    let secret = json!({ "keys": [{ "kty": "oct", "kid": "dev", "alg": "HS256",
        "k": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }] });
    let mut policy = with("/issuers/0/jwks", Some(secret));
    policy["issuers"][0]["algorithms"] = json!(["HS256"]);
    assert!(refused(&policy).contains("`HS256` shares its secret"));
    policy["issuers"][0]["allow_symmetric_keys_for_development"] = json!(true);
    assert!(Policy::compile(&policy).is_ok());
}

#[test]
fn what_is_odd_is_warned_of_and_works() {
    for (pointer, value, told) in [
        ("/scopes/idle", json!({ "role": "auditor" }), "scopes.idle: nobody can use this scope"),
        ("/roles/ghost", json!({ "permissions": ["x"] }), "roles.ghost: nothing grants this role"),
        (
            "/routes/-",
            json!({ "path": "/x", "methods": ["GET"], "permission": "audit:read" }),
            "routes[6]: this route can never be used: no scope grants `audit:read`",
        ),
    ] {
        let mut policy = with(pointer, Some(value));
        policy["roles"]["auditor"] = json!({ "permissions": ["audit:read"] });
        let (_, warnings) = Policy::compile(&policy).unwrap();
        assert!(warnings.to_string().contains(told), "{warnings}");
    }
    let mut policy = policy();
    let unused = json!({ "kty": "RSA", "use": "enc", "n": "AQ", "e": "AQAB" });
    policy["issuers"][0]["jwks"]["keys"] = json!([key().public_jwk(), unused]);
    let (_, warnings) = Policy::compile(&policy).unwrap();
    assert!(warnings.to_string().contains("issuers[0].jwks.keys[1]: this key is not used"));

    let mut policy = self::policy();
    let hidden = ["/f/*", "/f/*/", "/f/*/**", "/f/**"];
    let route = |path| json!({ "path": path, "methods": ["GET"], "permission": "contacts:read" });
    policy["routes"].as_array_mut().unwrap().extend(hidden.map(route));
    assert!(problems(&policy).contains("routes[9]: this route can never match"));
}

#[test]
fn several_issuers_make_an_agent_say_which_knows_it() {
    let mut policy = with("/issuers/-", Some(issuer("https://other.example/")));
    assert!(refused(&policy).contains("agents.support-bot: expected `issuer`"));
    policy["agents"]["support-bot"]["issuer"] = json!("https://other.example/");
    policy["agents"]["twin"] =
        json!({ "client": "support-bot", "issuer": ISSUER, "ceiling": "reader" });
    assert_eq!(problems(&policy), "");
}

#[test]
fn what_an_operator_wrote_is_repeated_short_and_on_one_line() {
    let long = format!("\u{1b}[31m\n{}", "x".repeat(10_000));
    for policy in [
        with("/scopes/crm.read/role", Some(json!(long))),
        with("/agents/support-bot/ceiling", Some(json!(long))),
        with("/agents/support-bot/issuer", Some(json!(long))),
        with("/agents/support-bot/never", Some(json!([long]))),
        with("/routes/0/permission", Some(json!(long))),
    ] {
        let told = refused(&policy);
        assert!(!told.contains(['\u{1b}', '\n']) && told.len() < 600, "{told}");
    }
}
