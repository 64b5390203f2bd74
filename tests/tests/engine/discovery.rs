//! Protected resource metadata (RFC 9728).

use postern_tests::engine::{Call, Gate, ISSUER, call, get, issuer, policy, problems, user};
use serde_json::{Value, json};

const PATH: &str = "/.well-known/oauth-protected-resource/crm";

fn with_identifier(identifier: &str) -> Value {
    let mut policy = policy();
    policy["resource"] = json!({ "identifier": identifier });
    policy
}

#[test]
fn rfc9728_3_2_the_metadata_is_there_for_everybody() {
    let mut policy = policy();
    policy["issuers"] = json!([issuer(ISSUER), issuer("https://other.example")]);
    policy["agents"] = json!({});
    policy["resource"]["name"] = json!("The \"CRM\"");
    policy["resource"]["documentation"] = json!("https://docs.crm.example/");
    let gate = Gate::new(&policy);
    for call in [
        get(PATH),
        get(format!("{PATH}?x=1")),
        get(PATH).bearer("nonsense"),
        get(PATH).header("x-postern-agent", "forged"),
        call("HEAD", PATH),
    ] {
        let outcome = gate.ask(&call);
        assert_eq!(outcome.reply().status, 200);
        assert_eq!(outcome.response("content-type"), ["application/json"]);
        assert_eq!(outcome.response("access-control-allow-origin"), ["*"]);
        assert!(outcome.response("www-authenticate").is_empty());
        assert_eq!(outcome.record["decision"], "allow");
        let expected = json!({
            "resource": "https://api.crm.example/crm",
            "authorization_servers": [ISSUER, "https://other.example"],
            "scopes_supported": ["crm.admin", "crm.read", "crm.write"],
            "bearer_methods_supported": ["header"],
            "resource_name": "The \"CRM\"",
            "resource_documentation": "https://docs.crm.example/",
        });
        assert_eq!(outcome.problem(), expected);
    }
}

#[test]
fn rfc9728_3_1_the_metadata_is_nowhere_else_and_answers_nothing_else() {
    let gate = Gate::new(&policy());
    for path in [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/crm/",
        "/.well-known/oauth-protected-resource/crm/x",
        "/.well-known/oauth-protected-resource/CRM",
        "/crm/.well-known/oauth-protected-resource",
    ] {
        assert_eq!(gate.ask(&get(path).bearer(&user("crm.admin"))).code(), "no_route", "{path}");
    }
    for method in ["POST", "PUT", "DELETE"] {
        assert_eq!(gate.ask(&call(method, PATH)).code(), "no_route");
    }
    let forged = get(PATH).header("x-postern-agent", "");
    assert_eq!(gate.ask(&Call { strips_headers: false, ..forged }).code(), "invalid_request");
}

#[test]
fn without_a_resource_there_is_no_metadata() {
    let mut policy = policy();
    policy.as_object_mut().unwrap().remove("resource");
    let gate = Gate::new(&policy);
    assert_eq!(gate.ask(&get(PATH)).code(), "no_route");
}

#[test]
fn rfc9728_3_3_the_challenge_leads_to_the_metadata_of_the_very_resource() {
    for (identifier, path) in [
        ("https://api.example", "/.well-known/oauth-protected-resource"),
        ("https://api.example/", "/.well-known/oauth-protected-resource"),
        ("https://api.example:8443/a/b", "/.well-known/oauth-protected-resource/a/b"),
        ("https://api.example/a%20b", "/.well-known/oauth-protected-resource/a%20b"),
        ("http://localhost:8080/crm", "/.well-known/oauth-protected-resource/crm"),
    ] {
        let gate = Gate::new(&with_identifier(identifier));
        let origin = identifier.split('/').take(3).collect::<Vec<_>>().join("/");
        let challenged = gate.ask(&get("/v1/contacts"));
        let [challenge] = challenged.response("www-authenticate")[..] else { panic!() };
        assert!(
            challenge.contains(&format!("resource_metadata=\"{origin}{path}\"")),
            "{challenge}"
        );
        let metadata = gate.ask(&get(path)).problem();
        assert_eq!(metadata["resource"], identifier, "RFC 9728 §3.3");
    }
}

#[test]
fn a_route_of_the_policy_cannot_take_its_place() {
    for route in [
        json!({ "path": PATH, "methods": ["GET"], "permission": "contacts:read" }),
        json!({ "path": PATH, "public": true }),
        json!({ "path": PATH, "methods": ["*"], "permission": "contacts:read" }),
        json!({ "path": PATH, "methods": ["HEAD"], "permission": "contacts:read" }),
    ] {
        let mut policy = policy();
        policy["routes"].as_array_mut().unwrap().push(route.clone());
        let told = problems(&policy);
        assert!(told.contains("routes[6]: Postern answers"), "{route}: {told}");
    }
    let mut around = policy();
    around["routes"].as_array_mut().unwrap().extend([
        json!({ "path": "/.well-known/**", "methods": ["*"], "permission": "exports:create" }),
        json!({ "path": PATH, "methods": ["POST"], "permission": "contacts:read" }),
    ]);
    let gate = Gate::new(&around);
    assert_eq!(gate.ask(&get(PATH)).reply().status, 200);
    assert_eq!(gate.ask(&call("POST", PATH)).code(), "missing_token");
}

#[test]
fn rfc8707_2_what_is_no_identifier_of_a_resource_is_refused() {
    for identifier in [
        "",
        "api.example",
        "http://api.example/",
        "http://localhost.evil.example/",
        "https://",
        "https://api.example/?a",
        "https://api.example/#a",
        "https://api.example/a b",
        "https://api.example/ü",
        "https://api.example/\"",
        "https://api.example/*",
        "https://api.example/**",
        "https://api.example/a//b",
        "https://api.example/../b",
        "https://api.example/a%2fb",
        "https://api.example/a;b",
    ] {
        let told = problems(&with_identifier(identifier));
        assert!(told.contains("resource.identifier: expected"), "{identifier}: {told}");
    }
}
