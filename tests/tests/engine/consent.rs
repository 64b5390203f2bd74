//! What an agent has to ask its user each time, or from time to time.

use std::sync::LazyLock;

use postern_cli::mint::{AccessToken, Algorithm, PrivateKey, key_set};
use postern_tests::engine::{
    AUDIENCE, Call, Gate, NOW, Outcome, World, call, compact, policy, problems, token,
};
use serde_json::{Value, json};

const ASKING: &str = "https://consent.crm.example/";
const HEADER: &str = "x-agent-consent";

static KEY: LazyLock<PrivateKey> =
    LazyLock::new(|| PrivateKey::generate(Algorithm::EdDsa).unwrap().with_kid("c"));

/// The policy whose agent has to ask for writing, as `term` says.
fn asking(term: Value) -> Value {
    let mut policy = policy();
    let mut issuer = policy["issuers"][0].clone();
    issuer["issuer"] = json!(ASKING);
    issuer["jwks"] = key_set([&*KEY]);
    policy["issuers"].as_array_mut().unwrap().push(issuer);
    policy["agents"]["support-bot"]["issuer"] = policy["issuers"][0]["issuer"].clone();
    policy["agents"]["support-bot"]["consent"] = json!({ "contacts:write": term });
    policy["consent"] = json!({ "issuer": ASKING, "url": "https://crm.example/consent" });
    policy
}

/// The agent, which acts for Ada, who edits.
fn bot() -> AccessToken {
    token("ada", "web-app", "crm.write").roles(&["editor"]).actor("support-bot")
}

fn write() -> Call {
    call("PUT", "/v1/contacts/7?full=1").bearer(&compact(&bot()))
}

/// What Ada says to that.
fn said() -> AccessToken {
    AccessToken::new(ASKING, AUDIENCE, NOW.cast_signed())
        .header("typ", "consent+jwt")
        .subject("ada")
        .claim("agent", "support-bot")
        .claim("permission", "contacts:write")
        .claim("htm", "PUT")
        .claim("path", "/v1/contacts/7")
}

fn with(call: Call, said: &AccessToken) -> Call {
    call.header(HEADER, said.sign(&KEY).unwrap())
}

fn each_time() -> Gate {
    Gate::new(&asking(json!({})))
}

fn ask(said: &AccessToken) -> Outcome {
    each_time().ask(&with(write(), said))
}

#[test]
fn an_agent_that_has_not_asked_is_told_where_to_ask_and_for_what() {
    let outcome = each_time().ask(&write());
    assert_eq!((outcome.code().as_str(), outcome.reply().status), ("consent_required", 403));
    let problem = outcome.problem();
    assert_eq!(problem["permission"], "contacts:write");
    assert_eq!(
        problem["consent"],
        json!({
            "url": "https://crm.example/consent", "header": HEADER, "audience": AUDIENCE,
            "agent": "support-bot",
        })
    );
}

#[test]
fn what_the_user_said_lets_one_request_through_and_is_written_down() {
    let gate = each_time();
    let call = with(write(), &said().claim("jti", "consent-1"));
    let outcome = gate.ask(&call);
    assert_eq!(
        (outcome.code().as_str(), &outcome.record["consent"]),
        ("allow", &json!("consent-1"))
    );
    let outcome = gate.ask(&call);
    assert_eq!((outcome.code().as_str(), outcome.reply().status), ("consent_spent", 403));
    assert!(outcome.problem()["consent"]["url"].is_string());
    assert_eq!(gate.ask(&with(write(), &said())).code(), "allow");
}

#[test]
fn it_works_once_across_workers_and_reloads() {
    let world = World::default();
    let policy = asking(json!({}));
    let call = with(write(), &said());
    let codes = [1, 2, 3].map(|n| Gate::worker(world.clone(), &policy, n).ask(&call).code());
    assert_eq!(codes, ["allow", "consent_spent", "consent_spent"]);
}

#[test]
fn an_answer_to_something_else_is_none() {
    let now = NOW.cast_signed();
    for said in [
        said().subject("bob"),
        said().claim("agent", "other-bot"),
        said().claim("permission", "deals:write"),
        said().claim("htm", "DELETE"),
        said().claim("path", "/v1/contacts/8"),
        said().claim("path", "/v1/contacts/7?full=1"),
        said().claim("aud", "https://other.example/"),
        said().claim("iss", "https://login.crm.example/"),
        said().valid(now - 400, now - 100),
        said().valid(now - 300, now),
        said().valid(now, now + 301),
        said().valid(now + 100, now + 200),
        said().claim("jti", ""),
        said().claim("jti", "a".repeat(257)),
        said().without("sub"),
        said().without("agent"),
        said().without("permission"),
        said().without("htm"),
        said().without("path"),
        said().without("exp"),
        said().without("iat"),
        said().claim("permission", json!(["contacts:write"])),
        said().header("typ", "at+jwt"),
        said().header("typ", "JWT"),
    ] {
        assert_eq!(ask(&said).code(), "consent_invalid", "{:?}", said.claims());
    }
}

#[test]
fn what_is_not_signed_by_who_asks_users_is_no_answer() {
    let gate = each_time();
    let other = PrivateKey::generate(Algorithm::EdDsa).unwrap().with_kid("c");
    let good = said().sign(&KEY).unwrap();
    let (head, _) = good.rsplit_once('.').unwrap();
    let altered = said().claim("sub", "bob").sign(&KEY).unwrap();
    let (altered, _) = altered.rsplit_once('.').unwrap();
    let signature = good.rsplit('.').next().unwrap();
    for text in [
        said().sign(&other).unwrap(),
        // By the login, whose access tokens are good.
        said().sign(postern_tests::engine::key()).unwrap(),
        said().unsecured().unwrap(),
        format!("{head}."),
        format!("{altered}.{signature}"),
        compact(&bot()),
        "yes".to_owned(),
        String::new(),
    ] {
        let outcome = gate.ask(&write().header(HEADER, &text));
        assert_eq!(outcome.code(), "consent_invalid", "{text}");
    }
    let twice = with(with(write(), &said()), &said());
    assert_eq!(gate.ask(&twice).code(), "consent_invalid");
    let long = write().header(HEADER, "a".repeat(8_193));
    assert_eq!(gate.ask(&long).code(), "consent_invalid");
}

#[test]
fn nobody_can_be_asked_for_an_agent_on_its_own_and_others_ask_nobody() {
    let gate = each_time();
    let alone = token("support-bot", "support-bot", "crm.write");
    let call = |token: &AccessToken| call("PUT", "/v1/contacts/7").bearer(&compact(token));
    assert_eq!(
        gate.ask(&with(call(&alone), &said().subject("support-bot"))).code(),
        "user_required"
    );
    let ada = token("ada", "web-app", "crm.write").roles(&["editor"]);
    assert_eq!(gate.ask(&call(&ada)).code(), "allow");
    let read = postern_tests::engine::get("/v1/contacts").bearer(&compact(&bot()));
    assert_eq!(gate.ask(&read).code(), "allow");
}

#[test]
fn what_the_user_said_is_not_used_up_by_a_request_that_is_denied_for_something_else() {
    let mut policy = asking(json!({}));
    policy["limits"] = json!({ "agents": [{ "per": "agent", "rate": "60/min", "burst": 1 }] });
    let gate = Gate::new(&policy);
    assert_eq!(gate.ask(&with(write(), &said())).code(), "allow");
    let call = with(write(), &said());
    assert_eq!(gate.ask(&call).code(), "rate_limited");
    gate.world.set(5);
    assert_eq!(gate.ask(&call).code(), "allow");
}

#[test]
fn what_is_remembered_counts_for_its_time_for_that_user_that_agent_and_that_permission() {
    let world = World::default();
    let policy = asking(json!({ "remember": "10m" }));
    let workers = [1, 2].map(|n| Gate::worker(world.clone(), &policy, n));
    let long =
        |token: AccessToken| compact(&token.valid(NOW.cast_signed(), NOW.cast_signed() + 3_600));
    let put = |bearer: &str| call("PUT", "/v1/contacts/9").bearer(bearer);
    let ada = long(bot());
    assert_eq!(workers[0].ask(&put(&ada)).code(), "consent_required");
    assert_eq!(workers[0].ask(&with(write(), &said())).code(), "allow");
    assert_eq!(workers[1].ask(&put(&ada)).code(), "allow");
    let bob = long(bot().subject("bob"));
    assert_eq!(workers[1].ask(&put(&bob)).code(), "consent_required");
    world.set(599);
    assert_eq!(workers[0].ask(&put(&ada)).code(), "allow");
    world.set(600);
    assert_eq!(workers[0].ask(&put(&ada)).code(), "consent_required");
    // And can be said again.
    let again = said().valid(NOW.cast_signed() + 600, NOW.cast_signed() + 700);
    let call = call("PUT", "/v1/contacts/7").bearer(&ada);
    assert_eq!(workers[0].ask(&with(call, &again)).code(), "allow");
    assert_eq!(workers[1].ask(&put(&ada)).code(), "allow");
}

#[test]
fn what_cannot_be_looked_up_or_remembered_is_no_answer() {
    for term in [json!({}), json!({ "remember": "10m" })] {
        let gate = Gate::new(&asking(term));
        let call = with(write(), &said().claim("jti", "consent-1"));
        gate.world.break_store(true);
        assert_eq!(gate.ask(&call).code(), "not_ready");
        gate.world.break_store(false);
        assert_eq!(gate.ask(&call).code(), "allow");
        // What the store has to say of it cannot be read.
        gate.world.spoil(b"x");
        assert_eq!(gate.ask(&call).code(), "not_ready");
    }
}

#[test]
fn mistakes_are_found_at_load() {
    for (pointer, value, message) in [
        (
            "/agents/support-bot/consent",
            json!({ "contacts:wirte": {} }),
            "unknown permission `contacts:wirte`",
        ),
        (
            "/agents/support-bot/consent",
            json!({ "contacts:write": { "remember": "2d" } }),
            "remember: expected at most 86400 s",
        ),
        ("/consent/issuer", json!("https://consnt.crm.example/"), "unknown issuer"),
        ("/consent/url", json!("ftp://crm.example/"), "consent.url: expected an `https` URL"),
        (
            "/consent/url",
            json!("https://crm.example/\u{e9}"),
            "consent.url: expected an `https` URL",
        ),
        (
            "/consent",
            json!({ "issuer": ASKING, "url": "https://a.example/", "header": "x-postern-consent" }),
            "consent.header: expected a header's name that callers can send",
        ),
        (
            "/consent",
            json!({ "issuer": ASKING, "url": "https://a.example/", "max_lifetime": "2h" }),
            "consent.max_lifetime: expected at most 3600 s",
        ),
    ] {
        let mut policy = asking(json!({}));
        *policy.pointer_mut(pointer).unwrap() = value;
        let found = problems(&policy);
        assert!(found.contains(message), "{pointer}: {found}");
    }
    let mut policy = asking(json!({}));
    policy.as_object_mut().unwrap().remove("consent");
    assert!(
        problems(&policy).contains("agents.support-bot.consent: expected `consent` in the policy")
    );
    let mut policy = asking(json!({}));
    policy.as_object_mut().unwrap().remove("resource");
    assert!(problems(&policy).contains("consent: expected `audience`"));
}
