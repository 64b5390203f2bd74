//! One record for each decision, whatever the request was made of.

use postern_tests::engine::{Call, Gate, agent, call, compact, delegate, get, policy, token, user};
use proptest::prelude::*;
use serde_json::{Value, json};

fn hold(line: &str) {
    assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{line}");
    let record: Value = serde_json::from_str(line).unwrap();
    assert!(record.is_object() && line.len() < 8_192, "{line}");
}

#[test]
fn an_allowed_request_is_recorded_with_who_and_what() {
    let token = token("ada", "web-app", "crm.read")
        .roles(&["reader"])
        .claim("org_id", "acme")
        .claim("jti", "t-1")
        .actor("support-bot");
    let call = get("/v1/contacts?q=secret").bearer(&compact(&token)).header("x-request-id", "r-1");
    let outcome = Gate::new(&policy()).ask(&call);
    let expected = json!({
        "time": "2027-01-15T08:00:00.000Z",
        "decision": "allow",
        "id": outcome.told("x-postern-decision-id"),
        "request_id": "r-1",
        "policy": "edition-1",
        "method": "GET",
        "path": "/v1/contacts",
        "route": "/v1/contacts",
        "permission": "contacts:read",
        "kind": "agent",
        "agent": "support-bot",
        "registered": true,
        "owner": "support",
        "subject": "ada",
        "organization": "acme",
        "client": "web-app",
        "issuer": "https://login.crm.example/",
        "token_id": "t-1",
        "delegated": true,
        "actors": ["support-bot"],
    });
    assert_eq!(outcome.record, expected);
}

#[test]
fn a_denied_request_is_recorded_with_why_and_what_is_known() {
    let gate = Gate::new(&policy());
    let outcome = gate.ask(&call("PUT", "/v1/contacts/7").bearer(&user("crm.read")));
    for (member, value) in [
        ("decision", json!("deny")),
        ("code", json!("insufficient_scope")),
        ("status", json!(403)),
        ("route", json!("/v1/contacts/{id}")),
        ("permission", json!("contacts:write")),
        ("kind", json!("human")),
        ("subject", json!("ada")),
    ] {
        assert_eq!(outcome.record[member], value, "{member}");
    }
    let anonymous = gate.ask(&call("DELETE", "/v2"));
    assert_eq!(anonymous.record["code"], "no_route");
    assert_eq!(anonymous.record["kind"], "anonymous");
    assert_eq!(anonymous.record.get("route"), None);
}

#[test]
fn what_a_token_says_is_not_recorded_before_it_is_verified() {
    let honest = user("crm.read");
    let forged = honest.rsplit_once('.').unwrap().0.to_owned() + "." + &"A".repeat(86);
    let outcome = Gate::new(&policy()).ask(&get("/v1/contacts").bearer(&forged));
    assert_eq!(outcome.record["code"], "invalid_token");
    assert_eq!(outcome.record["kind"], "anonymous");
    assert!(!outcome.line.contains("ada"));
}

#[test]
fn neither_token_nor_query_nor_fragment_is_written_down() {
    let gate = Gate::new(&policy());
    for token in [user("crm.read"), user(""), agent("odd", ""), delegate("crm.read", &[])] {
        for call in [
            get("/v1/contacts").bearer(&token),
            get(format!("/v1/contacts?access_token={token}")),
            get(format!("/v1/contacts?access_token={token}")).bearer(&token),
            get(format!("/v1/contacts?a=?{token}")),
            get(format!("/v1/contacts#access_token={token}")),
            get("/v1/contacts").bearer(&format!("{token}x")),
            get("/v1/contacts").bearer(&token).bearer(&token),
            get("/healthz").bearer(&token),
            get("/nowhere").bearer(&token),
        ] {
            let line = gate.ask(&call).line;
            for part in token.as_bytes().windows(20) {
                assert!(!line.contains(str::from_utf8(part).unwrap()), "{line}");
            }
            assert!(!line.contains("access_token"), "{line}");
        }
    }
}

#[test]
fn hostile_bytes_neither_end_the_line_nor_reach_a_terminal() {
    let gate = Gate::new(&policy());
    let hostile: [&[u8]; 8] = [
        b"/a\n{\"decision\":\"allow\"}",
        b"/a\r\n",
        b"/\x1b[31m\x07",
        b"/\x7f",
        "/\u{85}\u{9b}31m".as_bytes(),
        "/\u{2028}\u{202e}\u{feff}\u{10ffff}".as_bytes(),
        b"/\xff\xfe\x80",
        b"/\"\\\",\"decision\":\"allow\"",
    ];
    for bytes in hostile {
        for call in [
            call("GET", bytes),
            call(bytes, "/v1/contacts"),
            get("/v1/contacts").header("x-request-id", bytes).bearer(&user("crm.read")),
        ] {
            let outcome = gate.ask(&call);
            hold(&outcome.line);
            assert_eq!(outcome.record["decision"] == "allow", outcome.code() == "allow");
        }
    }
}

#[test]
fn what_was_escaped_reads_back_as_it_was() {
    let token = token("Zoë 🦀", "web-app", "crm.read").claim("org_id", "a\u{2028}b");
    let outcome = Gate::new(&policy()).ask(&get("/v1/contacts").bearer(&compact(&token)));
    hold(&outcome.line);
    assert_eq!(outcome.record["subject"], "Zoë 🦀");
    assert_eq!(outcome.record["organization"], "a\u{2028}b");
}

#[test]
fn what_is_long_is_cut() {
    let long = "x".repeat(100_000);
    let call = call(&long, format!("/{long}")).header("x-request-id", &long);
    let outcome = Gate::new(&policy()).ask(&call);
    assert!(outcome.line.len() < 1_500);
    hold(&outcome.line);
}

proptest! {
    #[test]
    fn any_request_leaves_one_line_of_json(
        method in proptest::collection::vec(any::<u8>(), 0..40),
        path in proptest::collection::vec(any::<u8>(), 0..80),
        id in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let gate = Gate::new(&policy());
        let call: Call = call(method, path).header("x-request-id", id);
        hold(&gate.ask(&call).line);
    }
}
