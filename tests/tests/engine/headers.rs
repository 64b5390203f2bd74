//! What the backend is told, and what nobody but us may tell it.

use postern_tests::engine::{
    Call, Gate, call, compact, delegate, get, issuer, policy, token, user,
};
use serde_json::json;

/// One header in the spellings that a backend may take for it, and others that only we may send.
const FORGED: [&str; 14] = [
    "x-postern-agent",
    "X-Postern-Agent",
    "X_POSTERN_AGENT",
    "x.postern.agent",
    "x-postern_agent",
    "x postern agent",
    "x-postern-kind",
    "x-postern-roles",
    "x-postern-",
    "x-postern-what-we-never-set",
    "X-HTTP-Method-Override",
    "x_original_url",
    "x-rewrite-url",
    "Txn-Token",
];

fn forge(call: Call) -> Call {
    FORGED.iter().fold(call, |call, name| call.header(name, "forged").header(name, "again"))
}

/// What a backend knows of the caller, ours alone, decision id aside.
fn identity(gate: &Gate, call: &Call) -> Vec<(String, String)> {
    let mut told = gate.ask(call).forwarded();
    told.retain(|(name, _)| name.starts_with("x-postern-") && name != "x-postern-decision-id");
    told.sort();
    told
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = expected
        .iter()
        .map(|(name, value)| (format!("x-postern-{name}"), (*value).to_owned()))
        .collect();
    pairs.push(("x-postern-policy-version".to_owned(), "edition-1".to_owned()));
    pairs.sort();
    pairs
}

#[test]
fn forged_headers_never_reach_the_backend() {
    let gate = Gate::new(&policy());
    for call in [
        forge(get("/v1/contacts").bearer(&user("crm.read"))),
        forge(get("/v1/contacts")).bearer(&delegate("crm.read", &["reader"])),
        forge(get("/healthz")),
    ] {
        let outcome = gate.ask(&call);
        for (name, value) in outcome.forwarded() {
            assert!(value != "forged" && value != "again", "{name}");
        }
    }
}

#[test]
fn a_host_that_cannot_strip_headers_refuses_the_request() {
    let gate = Gate::new(&policy());
    for name in FORGED {
        for path in ["/v1/contacts", "/healthz", "/nowhere"] {
            let honest = get(path).bearer(&user("crm.read"));
            let forged = Call { strips_headers: false, ..honest.header(name, "") };
            assert_eq!(gate.ask(&forged).code(), "invalid_request", "{name} {path}");
        }
    }
    let honest = get("/v1/contacts").bearer(&user("crm.read")).header("accept", "*/*");
    assert_eq!(gate.ask(&Call { strips_headers: false, ..honest }).code(), "allow");
}

#[test]
fn a_header_past_the_last_that_is_read_is_no_way_in() {
    let gate = Gate::new(&policy());
    for path in ["/v1/contacts", "/healthz"] {
        let mut call = get(path).bearer(&user("crm.read"));
        while call.headers.len() < postern::decision::MAX_HEADERS {
            call = call.header("x-filler", "");
        }
        assert_eq!(gate.ask(&call).code(), "allow");
        assert_eq!(gate.ask(&call.header("x-postern-agent", "x")).code(), "invalid_request");
    }
}

#[test]
fn rfc6750_5_3_the_credential_stays_here_unless_the_route_keeps_it() {
    let gate = Gate::new(&policy());
    let token = user("crm.read");
    let sent = |path, name| {
        let call = get(path).header(name, format!("Bearer {token}")).header("accept", "*/*");
        let told = gate.ask(&call).forwarded();
        assert!(told.iter().any(|(name, _)| name == "accept"));
        told.iter().any(|(_, value)| value.contains(&token))
    };
    for name in ["authorization", "Authorization", "AUTHORIZATION"] {
        assert!(!sent("/v1/contacts", name) && !sent("/healthz", name));
        assert!(sent("/v1/legacy", name));
    }
}

#[test]
fn a_human_is_told_as_a_human() {
    let token = token("ada", "web-app", "crm.write")
        .roles(&["admin"])
        .claim("org_id", "acme")
        .claim("jti", "t-1");
    let told = identity(&Gate::new(&policy()), &get("/v1/contacts").bearer(&compact(&token)));
    let expected = pairs(&[
        ("kind", "human"),
        ("subject", "ada"),
        ("organization", "acme"),
        ("client", "web-app"),
        ("issuer", "https://login.crm.example/"),
        ("token-id", "t-1"),
        ("roles", "editor,reader"),
    ]);
    assert_eq!(told, expected);
}

#[test]
fn an_agent_that_acts_for_somebody_is_told_with_both_and_what_is_left_of_the_roles() {
    let token = token("ada", "web-app", "crm.write")
        .roles(&["admin"])
        .claim("jti", "t-1")
        .actor("sub-agent")
        .actor("support-bot");
    let told = identity(&Gate::new(&policy()), &get("/v1/contacts").bearer(&compact(&token)));
    let expected = pairs(&[
        ("kind", "agent"),
        ("agent", "support-bot"),
        ("subject", "ada"),
        ("client", "web-app"),
        ("issuer", "https://login.crm.example/"),
        ("token-id", "t-1"),
        // Not `editor`: the agent never gets all of it.
        ("roles", "reader"),
        ("actor-chain", "support-bot,sub-agent"),
    ]);
    assert_eq!(told, expected);
}

#[test]
fn an_agent_that_acts_for_nobody_is_told_as_itself() {
    let token = token("support-bot", "support-bot", "crm.read").claim("jti", "t-1");
    let told = identity(&Gate::new(&policy()), &get("/v1/contacts").bearer(&compact(&token)));
    let expected = pairs(&[
        ("kind", "agent"),
        ("agent", "support-bot"),
        ("subject", "support-bot"),
        ("client", "support-bot"),
        ("issuer", "https://login.crm.example/"),
        ("token-id", "t-1"),
        ("roles", "reader"),
    ]);
    assert_eq!(told, expected);
}

#[test]
fn a_public_route_is_told_that_nobody_was_asked() {
    let told = identity(&Gate::new(&policy()), &get("/healthz").bearer(&user("crm.read")));
    assert_eq!(told, pairs(&[("kind", "anonymous")]));
}

#[test]
fn rfc8725_3_10_no_claim_and_no_name_can_end_a_header_or_pass_for_two() {
    let odd = "https://odd.example/ü,x";
    let mut policy = policy();
    policy["issuers"] = json!([issuer(odd)]);
    policy["roles"]["le rôle, \"x\"\r\n"] = json!({ "permissions": ["contacts:read"] });
    policy["scopes"]["crm.read"]["role"] = json!("le rôle, \"x\"\r\n");
    policy["agents"] = json!({ "bot, a\r\nx: y": { "client": "bot", "ceiling": "reader" } });
    let token = token("ada, admin", "wéb app", "crm.read")
        .claim("iss", odd)
        .claim("org_id", "acme,evil %2C\u{2028}")
        .roles(&["reader"])
        .actor("a,b")
        .actor("bot");
    let told = identity(&Gate::new(&policy), &get("/v1/contacts").bearer(&compact(&token)));
    let value = |name: &str| {
        let mut found = told.iter().filter(|(told, _)| told == &format!("x-postern-{name}"));
        found.next().map(|(_, value)| value.as_str()).unwrap()
    };
    assert_eq!(value("subject"), "ada%2C%20admin");
    assert_eq!(value("client"), "w%C3%A9b%20app");
    assert_eq!(value("organization"), "acme%2Cevil%20%252C%E2%80%A8");
    assert_eq!(value("agent"), "bot%2C%20a%0D%0Ax:%20y");
    assert_eq!(value("roles"), "le%20r%C3%B4le%2C%20\"x\"%0D%0A");
    assert_eq!(value("issuer"), "https://odd.example/%C3%BC%2Cx");
    assert_eq!(value("actor-chain"), "bot,a%2Cb");
    assert!(told.iter().all(|(_, value)| value.bytes().all(|byte| byte.is_ascii_graphic())));
}

#[test]
fn another_prefix_is_used_and_guarded() {
    let mut policy = policy();
    policy["headers"] = json!({ "prefix": "acme-caller-" });
    let gate = Gate::new(&policy);
    let call = get("/v1/contacts").bearer(&user("crm.read")).header("Acme_Caller_Kind", "forged");
    let outcome = gate.ask(&call);
    assert_eq!(outcome.told("acme-caller-kind").as_deref(), Some("human"));
    assert_eq!(outcome.told("x-postern-kind"), None);
    assert_eq!(outcome.told("Acme_Caller_Kind"), None);
}

#[test]
fn what_is_not_ours_goes_through_as_it_came() {
    let gate = Gate::new(&policy());
    let call = call("GET", "/v1/contacts")
        .header(":method", "GET")
        .header("X-Request-Id", b"a\xffb")
        .header("cookie", "a=b")
        .bearer(&user("crm.read"))
        .header("cookie", "c=d")
        .header("x-posternagent", "");
    let told = gate.ask(&call).forwarded();
    let names: Vec<_> = told.iter().take(5).map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, [":method", "X-Request-Id", "cookie", "cookie", "x-posternagent"]);
}

#[test]
fn each_decision_has_an_identifier_that_backend_and_record_share() {
    let gate = Gate::new(&policy());
    let ids = [0; 3].map(|_| {
        let outcome = gate.ask(&get("/v1/contacts").bearer(&user("crm.read")));
        let id = outcome.told("x-postern-decision-id").unwrap();
        assert_eq!(outcome.record["id"], id.as_str());
        id
    });
    assert!(ids[0] != ids[1] && ids[1] != ids[2]);
}
