//! What a denied caller gets: RFC 9457, RFC 6750 §3, RFC 9728 §5.1 and the rate limit fields.

use std::collections::BTreeMap;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use postern::denial::Denial;
use postern_cli::mint::{AccessToken, Algorithm, PrivateKey, Proof};
use postern_tests::engine::{
    AUDIENCE, Call, Gate, ISSUER, NOW, Outcome, call, compact, get, policy, token, user,
};
use serde_json::{Value, json};

const METADATA: &str = "https://api.crm.example/.well-known/oauth-protected-resource/crm";

/// Words of the token below that no answer may repeat.
const PRIVATE: [&str; 5] = ["ada-lovelace", "private-app", "private-org", "token-4711", "stranger"];

/// A policy that can deny for every reason.
fn strict() -> Value {
    let mut policy = policy();
    policy["limits"] = json!({ "humans": [
        { "per": "user", "rate": "60/min", "burst": 1 },
        { "per": "organization", "rate": "1000/h" },
        { "per": "user", "quota": "1/day",
          "when": ["has(organization.id) && organization.id == 'thrifty'"] },
        { "per": ["user", "request"], "rate": "1/d",
          "when": ["has(organization.id) && organization.id == 'looping'"] },
        { "per": "user", "rate": "1/d", "counts": "denials", "name": "denials",
          "when": ["has(organization.id) && organization.id == 'denied'"] },
        { "per": "user", "rate": "1/d", "counts": "writes", "name": "writes",
          "when": ["has(organization.id) && organization.id == 'writing'"] },
    ] });
    policy["routes"][1]["require"] = json!([{ "claim": "acr", "exists": true }]);
    policy["attributes"] = json!({ "model": { "type": "string", "claim": "model" } });
    policy["agents"]["support-bot"]["require"] =
        json!(["request.method == 'GET' || agent.model == 'm-4'"]);
    policy["organizations"] = json!({ "narrow": { "blocked_scopes": ["crm.read"] } });
    policy["grants"] = json!([{
        "agent": "support-bot", "permission": "contacts:write", "uses": 1,
        "until": "2030-01-01", "approved_by": "oncall", "reason": "INC-4711",
    }]);
    policy["agents"]["asking-bot"] =
        json!({ "ceiling": "editor", "consent": { "deals:write": {} } });
    policy["consent"] = json!({ "issuer": ISSUER, "url": "https://crm.example/consent" });
    policy["agents"]["stopped-bot"] = json!({ "ceiling": "reader" });
    policy["revocations"] = json!({
        "agents": ["stopped-bot"],
        "clients": [{ "id": "blocked-app" }],
        "tokens": [{ "id": "revoked-4711" }],
    });
    policy["step_up"] = json!({ "exports:create": { "acr": ["mfa", "hwk"], "max_age": "5m" } });
    policy
}

fn secretive(scope: &str) -> AccessToken {
    token("ada-lovelace", "private-app", scope)
        .claim("org_id", "private-org")
        .claim("jti", "token-4711")
        .roles(&["reader"])
}

/// A request that is denied so, and what came of it.
fn provoke(denial: Denial) -> (Outcome, String) {
    let mut policy = strict();
    let (key, of_proof) =
        (PrivateKey::generate(Algorithm::Es256).unwrap(), json!({ "nonce": true }));
    if matches!(denial, Denial::InvalidDpopProof | Denial::UseDpopNonce) {
        policy["binding"] = json!({ "dpop": of_proof });
    }
    if denial == Denial::UserRequired {
        policy["step_up"]["contacts:read"] = json!({ "max_age": "1h" });
    }
    if denial == Denial::TooManyConcurrent {
        policy["limits"] = json!({ "humans": [{ "per": "user", "concurrent": 1 }] });
    }
    let gate = Gate::new(&policy);
    let read = || get("/v1/contacts?query=secret");
    let sent = |call: Call, token: AccessToken| (call, compact(&token));
    let (call, token) = match denial {
        Denial::AgentBlocked => sent(read(), secretive("crm.read").actor("stopped-bot")),
        Denial::AgentCeiling => {
            sent(call("POST", "/v1/exports"), secretive("crm.admin").actor("support-bot"))
        }
        Denial::AgentForbidden => {
            sent(call("PUT", "/v1/deals/1"), secretive("crm.admin").actor("support-bot"))
        }
        Denial::AgentUnknown => sent(read(), secretive("crm.read").actor("stranger")),
        Denial::ClientBlocked => sent(read(), secretive("crm.read").client("blocked-app")),
        Denial::AttributeInvalid => {
            let token = secretive("crm.read").actor("support-bot").claim("model", 4);
            sent(read(), token.roles(&["reader"]))
        }
        Denial::ConditionError => {
            let token = secretive("crm.write").claim("acr", "mfa").roles(&["editor"]);
            sent(call("PUT", "/v1/contacts/7"), token.actor("support-bot"))
        }
        Denial::ConditionFailed => sent(call("PUT", "/v1/contacts/1"), secretive("crm.write")),
        Denial::ConsentInvalid | Denial::ConsentRequired => {
            let token = secretive("crm.write").actor("asking-bot").roles(&["editor"]);
            let (call, token) = sent(call("PUT", "/v1/deals/7"), token);
            match denial {
                Denial::ConsentInvalid => (call.header("x-agent-consent", "yes"), token),
                _ => (call, token),
            }
        }
        Denial::ConsentSpent => {
            let token = secretive("crm.write").actor("asking-bot").roles(&["editor"]);
            let (call, token) = sent(call("PUT", "/v1/deals/7"), token);
            let said = AccessToken::new(ISSUER, AUDIENCE, NOW.cast_signed())
                .header("typ", "consent+jwt")
                .subject("ada-lovelace")
                .claim("agent", "asking-bot")
                .claim("permission", "deals:write")
                .claim("htm", "PUT")
                .claim("path", "/v1/deals/7");
            let call = call.header("x-agent-consent", compact(&said));
            assert_eq!(gate.ask(&call.clone().bearer(&token)).code(), "allow");
            (call, token)
        }
        Denial::DelegationForbidden => {
            let chain = json!({ "sub": "support-bot", "act": { "sub": "support-bot" } });
            sent(read(), secretive("crm.read").claim("act", chain))
        }
        Denial::ExpiredToken => sent(read(), secretive("crm.read").valid(1, 2)),
        Denial::GrantExhausted => {
            let token = secretive("crm.read").actor("support-bot").roles(&["editor"]);
            let (call, token) = sent(
                call("PUT", "/v1/contacts/7"),
                token.claim("acr", "mfa").claim("model", "m-4"),
            );
            assert_eq!(gate.ask(&call.clone().bearer(&token)).code(), "allow");
            (call, token)
        }
        Denial::InsufficientScope => sent(call("PUT", "/v1/contacts/1"), secretive("crm.read")),
        Denial::InsufficientUserAuthentication => {
            sent(call("POST", "/v1/exports"), secretive("crm.admin").roles(&["admin"]))
        }
        Denial::InvalidDpopProof | Denial::UseDpopNonce => {
            let token = compact(&secretive("crm.read").bound_to_key(&key.thumbprint()));
            let url = "https://api.crm.example/v1/contacts";
            let method = if denial == Denial::UseDpopNonce { "GET" } else { "PUT" };
            let proof =
                Proof::new(method, url, NOW.cast_signed()).token(&token).sign(&key).unwrap();
            return (gate.ask(&read().dpop(&token, &proof)), token);
        }
        Denial::InvalidRequest => {
            sent(read().header("Authorization", "Bearer x"), secretive("crm.read"))
        }
        Denial::InvalidToken => sent(read(), secretive("crm.read").claim("act", "stranger")),
        Denial::MissingToken => (read(), String::new()),
        Denial::NoRoute => sent(call("DELETE", "/v1/contacts"), secretive("crm.admin")),
        Denial::NotReady => {
            gate.world.break_store(true);
            sent(read(), secretive("crm.read"))
        }
        Denial::BudgetExhausted => {
            let token = compact(&secretive("crm.read").claim("org_id", "thrifty"));
            assert_eq!(gate.ask(&read().bearer(&token)).code(), "allow");
            (read(), token)
        }
        Denial::LoopDetected => {
            let token = compact(&secretive("crm.read").claim("org_id", "looping"));
            assert_eq!(gate.ask(&read().bearer(&token)).code(), "allow");
            (read(), token)
        }
        Denial::TooManyConcurrent => {
            let token = compact(&secretive("crm.read"));
            assert_eq!(gate.ask(&read().bearer(&token)).code(), "allow");
            (read(), token)
        }
        Denial::TooManyDenials => {
            let token = compact(&secretive("crm.read").claim("org_id", "denied"));
            let write = call("PUT", "/v1/contacts/1").bearer(&token);
            assert_eq!(gate.ask(&write).code(), "insufficient_scope");
            (read(), token)
        }
        Denial::TooManyWrites => {
            let writing = secretive("crm.write").claim("org_id", "writing").roles(&["editor"]);
            let token = compact(&writing.claim("acr", "mfa"));
            let write = || call("PUT", "/v1/contacts/1?query=secret");
            assert_eq!(gate.ask(&write().bearer(&token)).code(), "allow");
            (write(), token)
        }
        Denial::RateLimited => {
            let token = compact(&secretive("crm.read"));
            assert_eq!(gate.ask(&read().bearer(&token)).code(), "allow");
            (read(), token)
        }
        Denial::RevokedToken => sent(read(), secretive("crm.read").claim("jti", "revoked-4711")),
        Denial::ScopeBlocked => sent(read(), secretive("crm.read").claim("org_id", "narrow")),
        Denial::UnboundToken => sent(read(), secretive("crm.read").claim("cnf", json!({}))),
        Denial::UnknownKey => {
            let other = PrivateKey::generate(Algorithm::EdDsa).unwrap();
            (read(), secretive("crm.read").sign(&other).unwrap())
        }
        Denial::UserLacksRole => {
            sent(call("PUT", "/v1/contacts/1"), secretive("crm.write").actor("support-bot"))
        }
        Denial::UserRequired => {
            sent(read(), secretive("crm.read").subject("support-bot").client("support-bot"))
        }
        Denial::WrongAudience => sent(read(), secretive("crm.read").claim("aud", "elsewhere")),
    };
    let call = if token.is_empty() { call } else { call.bearer(&token) };
    (gate.ask(&call), token)
}

/// The parameters of the first challenge (RFC 9110 §11.2, RFC 6750 §3), each named once.
fn challenge(outcome: &Outcome) -> Option<BTreeMap<String, String>> {
    let values = outcome.response("www-authenticate");
    let first = values.first()?;
    let parameters = ["Bearer", "DPoP"].into_iter().find_map(|scheme| first.strip_prefix(scheme));
    let parameters = parameters.unwrap();
    let mut read = BTreeMap::new();
    for parameter in parameters.split(',').filter(|text| !text.is_empty()) {
        let (name, value) = parameter.trim_start().split_once('=').unwrap();
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap();
        assert!(read.insert(name.to_owned(), value.to_owned()).is_none(), "{name} twice");
    }
    Some(read)
}

#[test]
fn rfc9457_3_every_denial_is_told_in_all_its_members() {
    for denial in Denial::ALL {
        let (outcome, _) = provoke(denial);
        let (reply, problem) = (outcome.reply(), outcome.problem());
        assert_eq!(outcome.code(), denial.code());
        assert_eq!(reply.status, denial.status());
        assert_eq!(problem["status"], reply.status);
        assert!(problem["type"].is_string() && problem["title"].is_string(), "{denial:?}");
        assert!(problem["detail"].as_str().is_some_and(|text| text.len() > 3), "{denial:?}");
        assert_eq!(problem["decision"], outcome.record["id"]);
        assert_eq!(outcome.response("content-type"), ["application/problem+json"]);
        assert_eq!(outcome.response("cache-control"), ["no-store"]);
    }
}

#[test]
fn rfc6750_3_no_answer_repeats_anything_of_the_token_or_the_query() {
    for denial in Denial::ALL {
        let (outcome, token) = provoke(denial);
        let whole = format!("{:?}", outcome.reply());
        for word in PRIVATE.into_iter().chain(["secret"]) {
            assert!(!whole.contains(word), "{denial:?}: {whole}");
        }
        let token = token.as_bytes().windows(20).map(|part| str::from_utf8(part).unwrap());
        token.for_each(|part| assert!(!whole.contains(part), "{denial:?}: {whole}"));
    }
}

#[test]
fn rfc6750_2_2_a_token_in_a_form_is_none() {
    let token = user("crm.write");
    let put =
        call("PUT", "/v1/contacts/7").header("content-type", "application/x-www-form-urlencoded");
    let gate = Gate::new(&policy());
    assert_eq!(gate.ask(&put.clone().bearer(&token)).code(), "allow");
    // What a body says is not even asked for; where the header is missing nothing takes its place.
    assert_eq!(gate.ask(&put.clone()).code(), "missing_token");
    let field = format!("access_token={token}");
    assert_eq!(gate.ask(&put.header("authorization", &field)).code(), "missing_token");
}

#[test]
fn rfc7515_6_what_kid_says_is_in_no_answer_and_no_record() {
    let gate = Gate::new(&policy());
    let good = user("crm.read");
    assert_eq!(gate.ask(&get("/v1/contacts").bearer(&good)).code(), "allow");
    let (_, rest) = good.split_once('.').unwrap();
    for kid in ["curious-name", "curious-name\r\nx-role: admin", "curious-name\u{1b}[31m"] {
        let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": kid }).to_string();
        let header = Base64UrlUnpadded::encode_string(header.as_bytes());
        let outcome = gate.ask(&get("/v1/contacts").bearer(&format!("{header}.{rest}")));
        assert_eq!(outcome.code(), "unknown_key");
        let shown = format!("{:?} {}", outcome.reply(), outcome.line);
        assert!(!shown.contains("curious-name"), "{shown}");
    }
}

#[test]
fn rfc6750_3_1_the_challenge_has_the_error_that_fits_the_status() {
    for denial in Denial::ALL {
        let (outcome, _) = provoke(denial);
        let error = challenge(&outcome).map(|challenge| challenge.get("error").cloned());
        let expected = match outcome.reply().status {
            400 => Some(Some("invalid_request")),
            401 if denial == Denial::MissingToken => Some(None),
            401 if matches!(
                denial,
                Denial::InsufficientUserAuthentication
                    | Denial::InvalidDpopProof
                    | Denial::UseDpopNonce
            ) =>
            {
                Some(Some(denial.code()))
            }
            401 => Some(Some("invalid_token")),
            403 if denial == Denial::InsufficientScope => Some(Some("insufficient_scope")),
            _ => None,
        };
        assert_eq!(error.as_ref().map(Option::as_deref), expected, "{denial:?}");
    }
}

#[test]
fn rfc6750_3_challenges_are_made_of_the_characters_that_they_may_have() {
    for denial in Denial::ALL {
        let (outcome, _) = provoke(denial);
        let Some(challenge) = challenge(&outcome) else { continue };
        let described = challenge.get("error_description");
        assert_eq!(described.is_some(), challenge.contains_key("error"), "{denial:?}");
        for (name, value) in &challenge {
            let fits = |byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            assert!(!value.is_empty() && value.bytes().all(fits), "{name}={value}");
        }
        let scope = challenge.get("scope").map(String::as_str).unwrap_or_default();
        assert!(scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)));
    }
}

#[test]
fn rfc9728_5_1_every_challenge_says_where_the_metadata_is() {
    for denial in Denial::ALL {
        let (outcome, _) = provoke(denial);
        if let Some(challenge) = challenge(&outcome) {
            assert_eq!(challenge.get("resource_metadata").map(String::as_str), Some(METADATA));
        }
    }
}

#[test]
fn without_a_resource_and_a_token_the_challenge_is_bare() {
    let mut policy = policy();
    policy.as_object_mut().unwrap().remove("resource");
    policy["scopes"] = json!({});
    let outcome = Gate::new(&policy).ask(&get("/v1/contacts"));
    assert_eq!(outcome.response("www-authenticate"), ["Bearer"]);
}

#[test]
fn the_scope_that_is_named_grants_the_operation_and_the_least_besides() {
    let mut policy = policy();
    policy["scopes"]["a.all"] = json!({ "role": "admin" });
    policy["scopes"]["z.read"] = json!({ "role": "reader" });
    let gate = Gate::new(&policy);
    for (method, path, scope) in [
        ("GET", "/v1/contacts", "crm.read"),
        ("PUT", "/v1/contacts/1", "crm.write"),
        ("POST", "/v1/exports", "a.all"),
    ] {
        for call in [
            call(method, path),
            call(method, path).bearer(&compact(&token("ada", "app", "openid"))),
        ] {
            let outcome = gate.ask(&call);
            assert_eq!(challenge(&outcome).unwrap()["scope"], scope);
            assert_eq!(outcome.problem()["scope"], scope);
        }
    }
}

#[test]
fn a_scope_that_would_not_help_is_not_named() {
    for denial in [Denial::AgentCeiling, Denial::AgentForbidden, Denial::UserLacksRole] {
        let (outcome, _) = provoke(denial);
        assert_eq!(outcome.problem().get("scope"), None, "{denial:?}");
        assert!(outcome.problem()["permission"].is_string(), "{denial:?}");
    }
}

#[test]
fn a_used_up_limit_is_told_as_the_rate_limit_draft_wants_it() {
    let (outcome, _) = provoke(Denial::RateLimited);
    let problem = outcome.problem();
    assert_eq!(problem["type"], "https://iana.org/assignments/http-problem-types#quota-exceeded");
    assert_eq!(problem["violated-policies"], json!(["user"]));
    assert_eq!((outcome.response("retry-after"), &problem["retry_after"]), (vec!["1"], &json!(1)));
    assert_eq!(
        outcome.response("ratelimit-policy"),
        [concat!(
            r#""user";q=60;w=60, "organization";q=1000;w=3600, "#,
            r#""user-2";q=1;w=86400, "user-request";q=1;w=86400"#,
        )]
    );
    assert_eq!(outcome.response("ratelimit"), [r#""user";r=0;t=1"#]);
    for name in ["ratelimit", "ratelimit-policy"] {
        let field = outcome.response(name)[0];
        assert!(sfv::Parser::new(field).parse::<sfv::List>().is_ok(), "{field}");
    }
}

#[test]
fn what_is_not_ready_says_when_to_come_back() {
    let (outcome, _) = provoke(Denial::NotReady);
    assert_eq!(outcome.response("retry-after"), ["1"]);
    assert!(outcome.response("ratelimit").is_empty());
}

#[test]
fn only_what_time_mends_says_when_to_come_back() {
    for denial in Denial::ALL {
        let mends = matches!(
            denial,
            Denial::BudgetExhausted
                | Denial::LoopDetected
                | Denial::NotReady
                | Denial::RateLimited
                | Denial::TooManyConcurrent
                | Denial::TooManyDenials
                | Denial::TooManyWrites
        );
        let (outcome, _) = provoke(denial);
        assert_eq!(!outcome.response("retry-after").is_empty(), mends, "{denial:?}");
    }
}
