//! What is fetched besides key sets by their URL: issuers' metadata, and what is taken back.

use postern::feed::{Failure, News, Response};
use postern_cli::mint::{Algorithm, PrivateKey, key_set, sign};
use postern_tests::engine::{
    Call, Gate, ISSUER, NOW, Sent, Workers, agent, call, get, policy, problems, token, user,
};
use proptest::prelude::{
    ProptestConfig as Config, Strategy as _, any, prop_assert, prop_oneof, proptest,
};
use serde_json::{Value, json};

const MINUTE: i64 = 60;

fn discovering(metadata: &str) -> Value {
    let mut policy = policy();
    policy["issuers"][0]["jwks"] = json!({ "discover": metadata, "cluster": "login" });
    policy
}

fn subscribed(options: Value) -> Value {
    let mut policy = policy();
    let mut feed = json!({ "url": "https://admin.crm.example/revoked", "cluster": "admin" });
    feed.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    policy["revocations"]["feed"] = feed;
    policy
}

fn read(token: &str) -> Call {
    get("/v1/contacts").bearer(token)
}

/// Ticks until something is sent, but not for long.
fn next(workers: &Workers) -> Sent {
    for _ in 0..100 {
        if let [sent] = &workers.tick()[..] {
            return sent.clone();
        }
        workers.world.advance_millis(1_000);
    }
    panic!("nothing was sent");
}

fn failure(news: Option<News>) -> Failure {
    let Some(News::Failed { failure, .. }) = news else { panic!("{news:?}") };
    failure
}

#[test]
fn rfc8414_3_the_metadata_says_where_the_keys_are() {
    for (metadata, url) in [
        ("oauth-authorization-server", ".well-known/oauth-authorization-server"),
        ("openid-configuration", ".well-known/openid-configuration"),
    ] {
        let workers = Workers::new(2, &discovering(metadata));
        let key = PrivateKey::generate(Algorithm::EdDsa).unwrap().with_kid("a");
        let first = next(&workers);
        assert_eq!((&*first.url, &*first.upstream), (&*format!("{ISSUER}{url}"), "login"));
        let document = json!({ "issuer": ISSUER, "jwks_uri": format!("{ISSUER}keys") });
        workers.answer(&first, 200, &document.to_string());
        let second = workers.world.take_fetches();
        assert_eq!(second[0].url, format!("{ISSUER}keys"));
        workers.answer(&second[0], 200, &key_set([&key]).to_string());
        workers.tick();
        let token = token("ada", "web-app", "crm.read").sign(&key).unwrap();
        workers.assert_all("allow", &read(&token));
    }
}

#[test]
fn rfc8414_3_1_the_well_known_path_comes_before_that_of_the_issuer() {
    let mut policy = policy();
    policy["issuers"][0]["issuer"] = "https://login.example/tenant/".into();
    policy["agents"] = json!({});
    for (metadata, url) in [
        (
            "oauth-authorization-server",
            "https://login.example/.well-known/oauth-authorization-server/tenant",
        ),
        ("openid-configuration", "https://login.example/tenant/.well-known/openid-configuration"),
    ] {
        policy["issuers"][0]["jwks"] = json!({ "discover": metadata, "cluster": "login" });
        assert_eq!(next(&Workers::new(1, &policy)).url, url);
    }
}

#[test]
fn metadata_that_is_anothers_or_leads_elsewhere_is_no_reason_to_fetch_anything() {
    let workers = Workers::new(1, &discovering("openid-configuration"));
    for (document, expected) in [
        (
            json!({ "issuer": "https://evil.example/", "jwks_uri": format!("{ISSUER}keys") }),
            Failure::OtherIssuer,
        ),
        (
            json!({ "issuer": ISSUER, "jwks_uri": "https://evil.example/keys" }),
            Failure::KeysElsewhere,
        ),
        (json!({ "issuer": ISSUER }), Failure::NoKeySetNamed),
        (json!([]), Failure::NotJson),
    ] {
        let sent = next(&workers);
        assert_eq!(failure(workers.answer(&sent, 200, &document.to_string())), expected);
        assert_eq!(workers.world.take_fetches(), []);
    }
    let sent = next(&workers);
    assert_eq!(failure(workers.answer(&sent, 304, "")), Failure::Status(304));
}

#[test]
fn a_kill_switch_stops_an_agent_on_all_workers_and_nobody_else() {
    let workers = Workers::new(3, &subscribed(json!({})));
    let (bot, human) = (read(&agent("support-bot", "crm.read")), read(&user("crm.read")));
    workers.assert_all("not_ready", &human);
    let sent = next(&workers);
    assert_eq!(
        (sent.url.as_str(), sent.upstream.as_str()),
        ("https://admin.crm.example/revoked", "admin")
    );
    workers.answer(&sent, 200, "{}");
    workers.tick();
    workers.assert_all("allow", &bot);
    workers.assert_all("allow", &human);

    // Remembered by all, and stopped by all: one poll, and one tick.
    let sent = next(&workers);
    workers.answer(&sent, 200, r#"{"agents":["support-bot"]}"#);
    workers.tick();
    workers.assert_all("agent_blocked", &bot);
    workers.assert_all("allow", &human);
    let outcome = workers.gates[0].ask(&bot);
    assert_eq!(outcome.record["revocation"], "revocations.feed.agents[0]");

    // And taken up again.
    let sent = next(&workers);
    workers.answer(&sent, 200, "{}");
    workers.tick();
    workers.assert_all("allow", &bot);
}

#[test]
fn a_new_policy_has_the_list_that_is_there_from_its_first_request_on() {
    let policy = subscribed(json!({}));
    let workers = Workers::new(1, &policy);
    let sent = next(&workers);
    workers.answer(&sent, 200, r#"{"agents":["support-bot"]}"#);
    let late = Gate::worker(workers.world.clone(), &policy, 9);
    assert_eq!(late.ask(&read(&agent("support-bot", "crm.read"))).code(), "agent_blocked");
    assert_eq!(late.ask(&read(&user("crm.read"))).code(), "allow");
    // Nobody is told more than it takes for being nobody.
    let cold = Gate::new(&policy);
    assert_eq!(cold.ask(&get("/v1/contacts")).code(), "missing_token");
}

#[test]
fn all_that_a_policy_can_take_back_a_feed_can() {
    for (document, code) in [
        (json!({ "subjects": [{ "id": "ada" }] }), "revoked_token"),
        (json!({ "subjects": [{ "id": "ada", "issuer": ISSUER }] }), "revoked_token"),
        (json!({ "subjects": [{ "id": "ada", "issuer": "https://unknown.example/" }] }), "allow"),
        (json!({ "subjects": [{ "id": "bob" }] }), "allow"),
        (json!({ "clients": [{ "id": "web-app" }] }), "client_blocked"),
        (json!({ "issuers": [ISSUER] }), "revoked_token"),
        (json!({ "issuers": ["https://unknown.example/"] }), "allow"),
        (json!({ "agents": ["not-registered-yet"] }), "allow"),
        (json!({ "issued_before": [{ "at": "2027-01-15T08:00:01Z" }] }), "revoked_token"),
        (json!({ "issued_before": [{ "at": "2027-01-15T08:00:00Z" }] }), "allow"),
    ] {
        let workers = Workers::new(1, &subscribed(json!({})));
        let sent = next(&workers);
        workers.answer(&sent, 200, &document.to_string());
        let outcome = workers.gates[0].ask(&read(&user("crm.read")));
        assert_eq!(outcome.code(), code, "{document}");
    }
}

#[test]
fn what_is_no_list_of_revocations_leaves_the_last_one_in_force() {
    let workers = Workers::new(1, &subscribed(json!({ "max_staleness": "1h" })));
    let sent = next(&workers);
    workers.answer(&sent, 200, r#"{"subjects":[{"id":"ada"}]}"#);
    for (status, body) in [
        (500, "{}"),
        (404, "{}"),
        (200, ""),
        (200, "[]"),
        (200, "{\"subjects\":[]"),
        (200, r#"{"subject":[]}"#),
        (200, r#"{"subjects":["ada"]}"#),
        (200, r#"{"subjects":[],"subjects":[]}"#),
        (200, r#"{"feed":{"url":"https://a/","cluster":"b"}}"#),
        (200, r#"{"issued_before":[{"at":"2027-01-15T08:00:00Z","subject":"a","client":"b"}]}"#),
    ] {
        let sent = next(&workers);
        failure(workers.answer(&sent, status, body));
        assert_eq!(
            workers.gates[0].ask(&read(&user("crm.read"))).code(),
            "revoked_token",
            "{body}"
        );
    }
}

#[test]
fn a_list_that_gets_too_old_denies_all_or_is_gone_by_as_the_policy_says() {
    for (when_stale, code) in [("deny", "not_ready"), ("ignore", "allow")] {
        let options = json!({ "max_staleness": "1m", "when_stale": when_stale });
        let workers = Workers::new(2, &subscribed(options));
        let now = NOW.cast_signed();
        let token = token("ada", "web-app", "crm.read").valid(now, now + 3_600);
        let call = read(&postern_tests::engine::compact(&token));
        workers.assert_all(code, &call);
        let sent = next(&workers);
        workers.answer(&sent, 200, "{}");
        workers.tick();
        workers.assert_all("allow", &call);
        let fetched = workers.world.now_secs();
        workers.world.set(fetched - now + MINUTE - 1);
        workers.assert_all("allow", &call);
        workers.world.set(fetched - now + MINUTE);
        workers.assert_all(code, &call);
        // It comes back by itself.
        let sent = next(&workers);
        workers.answer(&sent, 200, "{}");
        workers.tick();
        workers.assert_all("allow", &call);
    }
}

#[test]
fn rfc9110_13_1_2_a_list_that_is_as_it_was_is_not_sent_again_and_not_older() {
    let workers = Workers::new(1, &subscribed(json!({ "max_staleness": "1m" })));
    let sent = next(&workers);
    assert_eq!(sent.known_etag, None);
    let body = br#"{"subjects":[{"id":"bob"}]}"#;
    let etag = b"\"e1\"";
    let response =
        Response { status: Some(200), length: body.len(), body, etag, ..Response::default() };
    workers.respond(&sent, &response);
    for _ in 0..12 {
        let sent = next(&workers);
        assert_eq!(sent.known_etag.as_deref(), Some("\"e1\""));
        assert_eq!(workers.answer(&sent, 304, ""), None);
        assert_eq!(workers.gates[0].ask(&read(&user("crm.read"))).code(), "allow");
        workers.world.advance_millis(9_000);
    }
}

#[test]
fn a_list_that_has_to_be_signed_is_signed_by_its_issuer_or_none() {
    let key = PrivateKey::generate(Algorithm::EdDsa).unwrap().with_kid("r");
    let other = PrivateKey::generate(Algorithm::EdDsa).unwrap().with_kid("r");
    let mut policy = subscribed(json!({ "signed_by": "https://admin.crm.example/" }));
    policy["issuers"].as_array_mut().unwrap().push(json!({
        "issuer": "https://admin.crm.example/",
        "audiences": ["nobody"],
        "algorithms": ["EdDSA"],
        "jwks": key_set([&key]),
    }));
    policy["agents"]["support-bot"]["issuer"] = ISSUER.into();
    let workers = Workers::new(1, &policy);
    let header = json!({ "alg": "EdDSA", "kid": "r", "typ": "revocations+jwt" });
    let now = NOW.cast_signed();
    let claims = |iat: i64, name: &str| {
        json!({
            "iss": "https://admin.crm.example/", "iat": iat,
            "revocations": { "subjects": [{ "id": name }] },
        })
    };
    let signed = |key: &PrivateKey, header: &Value, claims: &Value| {
        sign(key, &header.to_string(), &claims.to_string()).unwrap()
    };
    let ask = || workers.gates[0].ask(&read(&user("crm.read"))).code();
    let answer = |body: &str| {
        let sent = next(&workers);
        workers.answer(&sent, 200, body)
    };
    answer(&signed(&key, &header, &claims(now - 10, "ada")));
    assert_eq!(ask(), "revoked_token");

    let with = |name: &str, value: Value| {
        let mut claims = claims(now, "bob");
        claims[name] = value;
        claims
    };
    let typed = |typ: &str| json!({ "alg": "EdDSA", "kid": "r", "typ": typ });
    for (body, expected) in [
        (claims(now, "bob").to_string(), Failure::NotSigned),
        (signed(&other, &header, &claims(now, "bob")), Failure::NotSigned),
        (signed(&key, &typed("at+jwt"), &claims(now, "bob")), Failure::NotSigned),
        (signed(&key, &typed("JWT"), &claims(now, "bob")), Failure::NotSigned),
        (signed(&key, &header, &with("iss", json!(ISSUER))), Failure::NotCurrent),
        (signed(&key, &header, &with("iat", json!(null))), Failure::NotCurrent),
        (signed(&key, &header, &with("exp", json!(now - 1))), Failure::NotCurrent),
        (signed(&key, &header, &with("exp", json!("soon"))), Failure::NotCurrent),
        (signed(&key, &header, &with("revocations", json!([]))), Failure::NotRevocations),
        // An older one, that did not take back as much yet.
        (signed(&key, &header, &claims(now - 11, "bob")), Failure::NotCurrent),
    ] {
        assert_eq!(failure(answer(&body)), expected, "{body}");
        assert_eq!(ask(), "revoked_token");
    }
    answer(&signed(&key, &header, &claims(now, "bob")));
    assert_eq!(ask(), "allow");
}

#[test]
fn what_is_remembered_of_an_api_key_does_not_outlive_its_revocation_either() {
    let (key, hash) = {
        let key = postern_cli::mint::ApiKey::generate("crm_key_").unwrap();
        (key.secret().to_owned(), key.hash())
    };
    let mut policy = subscribed(json!({}));
    policy["api_keys"] = json!({
        "prefix": "crm_key_",
        "keys": [{
            "id": "acme-1", "organization": "acme", "hash": hash, "scopes": ["crm.read"],
            "created": "2027-01-01",
        }],
    });
    let workers = Workers::new(2, &policy);
    let request = || call("GET", "/v1/contacts").header("x-api-key", &key);
    let sent = next(&workers);
    workers.answer(&sent, 200, "{}");
    workers.tick();
    workers.assert_all("allow", &request());
    let sent = next(&workers);
    workers.answer(&sent, 200, r#"{"keys":["acme-1"]}"#);
    workers.tick();
    workers.assert_all("revoked_token", &request());
}

#[test]
fn what_is_wrong_with_where_things_are_is_told() {
    let feed = |name: &str, value: Value| {
        let mut options = json!({});
        options[name] = value;
        problems(&subscribed(options))
    };
    assert!(feed("signed_by", json!("https://nobody.example/")).contains("unknown issuer"));
    assert!(feed("refresh", json!("1s")).contains("at least `5s`"));
    assert!(feed("max_staleness", json!("5s")).contains("at least `refresh`"));
    assert!(feed("url", json!("ftp://a/")).contains("absolute URL"));
    assert!(feed("cluster", json!("")).contains("1 to 256"));
    let mut policy = discovering("openid-configuration");
    policy["issuers"][0]["jwks"]["url"] = "https://login.crm.example/keys".into();
    assert!(problems(&policy).contains("one of `keys`, `url` and `discover`"));
}

proptest! {
    #![proptest_config(Config { cases: 256, ..Config::default() })]

    #[test]
    fn no_bytes_of_a_server_trap_anything_or_give_back_what_was_taken(
        body in prop_oneof![
            any::<Vec<u8>>(),
            "[{}\\[\\]\",:a-z0-9]{0,64}".prop_map(String::into_bytes),
        ],
        status in any::<u16>(),
        etag in any::<Vec<u8>>(),
    ) {
        let workers = Workers::new(1, &subscribed(json!({ "max_staleness": "1h" })));
        workers.answer(&next(&workers), 200, r#"{"subjects":[{"id":"ada"}]}"#);
        for status in [status, 200, 304] {
            let response =
                Response { status: Some(status), length: body.len(), body: &body, etag: &etag, ..Response::default() };
            workers.respond(&next(&workers), &response);
            let code = workers.gates[0].ask(&read(&user("crm.read"))).code();
            // Only what is a list, and says otherwise, changes anything.
            let is_list = serde_json::from_slice::<Value>(&body).is_ok_and(|list| list == json!({}));
            prop_assert!(code == "revoked_token" || is_list, "{code} {body:?}");
        }
        let workers = Workers::new(1, &discovering("openid-configuration"));
        let response = Response { status: Some(200), length: body.len(), body: &body, etag: &etag, ..Response::default() };
        prop_assert!(workers.respond(&next(&workers), &response).is_some_and(|news| news.is_failure()));
    }
}
