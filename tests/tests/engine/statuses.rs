//! What became of tokens, as their issuer publishes it (draft-ietf-oauth-status-list-21).

use postern::feed::{Failure, News};
use postern_cli::mint::{Algorithm, PrivateKey, StatusList};
use postern_tests::engine::{
    Call, Gate, ISSUER, NOW, Sent, Workers, agent, compact, get, issuer, key, policy, problems,
    token, user,
};
use serde_json::{Value, json};

const LIST: &str = "https://login.crm.example/statuslists/1";

fn listing(options: Value) -> Value {
    let mut policy = policy();
    let mut list = json!({ "url": LIST, "cluster": "login" });
    list.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    policy["issuers"][0]["status_lists"] = json!([list]);
    policy
}

/// What Ada sends, whose token has this in it.
fn bearing(status: impl Into<Value>) -> Call {
    let now = NOW.cast_signed();
    let token = token("ada", "web-app", "crm.read").valid(now, now + 3_600);
    get("/v1/contacts").bearer(&compact(&token.claim("status", status)))
}

fn at(index: u64) -> Call {
    bearing(json!({ "status_list": { "uri": LIST, "idx": index } }))
}

/// A list, made so many seconds after the beginning.
fn list(later: i64) -> StatusList {
    StatusList::new(LIST, 2, 100, NOW.cast_signed() + later)
}

fn signed(list: &StatusList) -> String {
    list.sign(key()).unwrap()
}

/// Ticks until something is sent, but not for long.
fn next(workers: &Workers) -> Sent {
    for _ in 0..400 {
        if let [sent] = &workers.tick()[..] {
            return sent.clone();
        }
        workers.world.advance_millis(1_000);
    }
    panic!("nothing was sent");
}

fn publish(workers: &Workers, body: &str) -> Option<News> {
    let news = workers.answer(&next(workers), 200, body);
    workers.tick();
    news
}

#[test]
fn status_list_8_3_a_token_is_good_until_its_issuer_says_otherwise_and_again_when_it_says_so() {
    let workers = Workers::new(3, &listing(json!({})));
    let sent = next(&workers);
    assert_eq!((sent.url.as_str(), sent.upstream.as_str()), (LIST, "login"));
    workers.answer(&sent, 200, &signed(&list(0)));
    workers.tick();
    workers.assert_all("allow", &at(17));
    workers.assert_all("allow", &at(18));

    // Invalid and suspended are the same to a caller (§7.1), and remembered by nobody.
    for (later, status) in [(1, 1), (2, 2), (3, 3)] {
        publish(&workers, &signed(&list(later).set(17, status)));
        workers.assert_all("revoked_token", &at(17));
        workers.assert_all("allow", &at(18));
    }
    let outcome = workers.gates[0].ask(&at(17));
    assert_eq!(outcome.record["revocation"], "status_lists[17]");
    assert_eq!(outcome.record["subject"], "ada");
    publish(&workers, &signed(&list(4)));
    workers.assert_all("allow", &at(17));
}

#[test]
fn a_token_with_a_status_waits_for_the_list_and_one_without_does_not() {
    let workers = Workers::new(2, &listing(json!({ "hold": "3s" })));
    let gate = &workers.gates[0];
    assert_eq!(gate.attempt(&at(1)).unwrap_err(), 3);
    assert_eq!(gate.ask(&at(1)).code(), "not_ready");
    assert_eq!(gate.ask(&get("/v1/contacts").bearer(&user("crm.read"))).code(), "allow");
    // That it is good in itself comes first (§8.3).
    let other = PrivateKey::generate(Algorithm::EdDsa).unwrap().with_kid(key().kid());
    let now = NOW.cast_signed();
    let status = json!({ "status_list": { "uri": LIST, "idx": 1 } });
    let ada = || token("ada", "web-app", "crm.read").claim("status", status.clone());
    let forged = ada().sign(&other).unwrap();
    assert_eq!(gate.ask(&get("/v1/contacts").bearer(&forged)).code(), "invalid_token");
    let expired = compact(&ada().valid(now - 600, now - 300));
    assert_eq!(gate.ask(&get("/v1/contacts").bearer(&expired)).code(), "expired_token");
    // Nobody is held for a server that is down.
    let sent = next(&workers);
    workers.silence(&sent);
    assert_eq!(gate.attempt(&at(1)).unwrap().code(), "not_ready");
}

#[test]
fn status_list_8_3_a_status_of_which_nothing_can_be_known_is_none_to_let_anybody_in_by() {
    let workers = Workers::new(1, &listing(json!({})));
    publish(&workers, &signed(&list(0)));
    let elsewhere = "https://login.crm.example/statuslists/2";
    for (status, code) in [
        (json!({ "status_list": { "uri": LIST, "idx": 99 } }), "allow"),
        (json!({ "status_list": { "uri": LIST, "idx": 100 } }), "invalid_token"),
        (json!({ "status_list": { "uri": LIST, "idx": u64::MAX } }), "invalid_token"),
        (json!({ "status_list": { "uri": LIST, "idx": -1 } }), "invalid_token"),
        (json!({ "status_list": { "uri": LIST, "idx": 1.5 } }), "invalid_token"),
        (json!({ "status_list": { "uri": LIST, "idx": "1" } }), "invalid_token"),
        (json!({ "status_list": { "uri": LIST } }), "invalid_token"),
        (json!({ "status_list": { "idx": 1 } }), "invalid_token"),
        (json!({ "status_list": { "uri": elsewhere, "idx": 1 } }), "invalid_token"),
        (json!({ "status_list": [LIST, 1] }), "invalid_token"),
        (json!({ "other_mechanism": {} }), "invalid_token"),
        (
            json!({ "status_list": { "uri": LIST, "idx": 1 }, "other_mechanism": {} }),
            "invalid_token",
        ),
        (json!({}), "invalid_token"),
        // That is somebody's own claim, which happens to be called so.
        (json!("active"), "allow"),
    ] {
        assert_eq!(workers.gates[0].ask(&bearing(status.clone())).code(), code, "{status}");
    }
    // An issuer of which no list is known.
    assert_eq!(Gate::new(&policy()).ask(&at(1)).code(), "invalid_token");
}

#[test]
fn status_list_8_3_a_list_of_one_issuer_says_nothing_of_the_tokens_of_another() {
    let other = "https://login.partner.example/";
    let mut policy = listing(json!({}));
    policy["agents"]["support-bot"]["issuer"] = ISSUER.into();
    policy["issuers"].as_array_mut().unwrap().push(issuer(other));
    let workers = Workers::new(1, &policy);
    publish(&workers, &signed(&list(0)));
    assert_eq!(workers.gates[0].ask(&at(1)).code(), "allow");
    let status = json!({ "status_list": { "uri": LIST, "idx": 1 } });
    let token = token("ada", "web-app", "crm.read").claim("iss", other).claim("status", status);
    let call = get("/v1/contacts").bearer(&compact(&token));
    assert_eq!(workers.gates[0].ask(&call).code(), "invalid_token");
}

#[test]
fn status_list_5_1_what_is_no_list_of_the_issuers_leaves_the_last_one_in_force() {
    let workers = Workers::new(1, &listing(json!({ "max_staleness": "1h" })));
    publish(&workers, &signed(&list(0).set(17, 1)));
    let other = PrivateKey::generate(Algorithm::EdDsa).unwrap().with_kid(key().kid());
    let now = NOW.cast_signed();
    for (body, expected) in [
        (list(1).sign(&other).unwrap(), Failure::NotSigned),
        (signed(&list(1).header("typ", "JWT")), Failure::NotSigned),
        (signed(&list(1).header("typ", "at+jwt")), Failure::NotSigned),
        (signed(&list(1).header("alg", "none")), Failure::NotSigned),
        ("{}".to_owned(), Failure::NotSigned),
        (signed(&list(1).claim("sub", "https://login.crm.example/2")), Failure::NotCurrent),
        (signed(&list(1).claim("iss", "https://evil.example/")), Failure::NotCurrent),
        (signed(&list(1).claim("iat", Value::Null)), Failure::NotCurrent),
        // An older one, in which fewer are taken back.
        (signed(&list(-1)), Failure::NotCurrent),
        (signed(&list(1).claim("exp", now)), Failure::NotCurrent),
        (signed(&list(1).claim("exp", "tomorrow")), Failure::NotAStatusList),
        (signed(&list(1).claim("ttl", -1)), Failure::NotAStatusList),
        (signed(&list(1).claim("status_list", json!({}))), Failure::NotAStatusList),
        (
            signed(&list(1).claim("status_list", json!({ "bits": 3, "lst": "eNrbuRgAAhcBXQ" }))),
            Failure::NotAStatusList,
        ),
        (
            signed(&list(1).claim("status_list", json!({ "bits": 1, "lst": "bm90IHpsaWI" }))),
            Failure::NotAStatusList,
        ),
    ] {
        let Some(News::Failed { failure, .. }) = publish(&workers, &body) else { panic!("{body}") };
        assert_eq!(failure, expected, "{body}");
        workers.assert_all("revoked_token", &at(17));
        workers.assert_all("allow", &at(18));
    }
    publish(&workers, &signed(&list(1)));
    workers.assert_all("allow", &at(17));
}

#[test]
fn status_list_8_3_a_list_that_gets_too_old_or_ends_denies_those_that_it_is_about() {
    for (options, ends, after) in [
        (json!({ "max_staleness": "2m" }), None, 120),
        (json!({ "max_staleness": "2h" }), Some(90), 90),
    ] {
        let workers = Workers::new(2, &listing(options));
        let start = workers.world.now_secs();
        let mut list = list(0);
        if let Some(ends) = ends {
            list = list.claim("exp", start + ends);
        }
        publish(&workers, &signed(&list));
        let begun = start - NOW.cast_signed();
        for (passed, code) in [(0, "allow"), (after - 1, "allow"), (after, "not_ready")] {
            workers.world.set(begun + passed);
            workers.assert_all(code, &at(1));
        }
        assert_eq!(
            workers.gates[0]
                .ask(&get("/v1/contacts").bearer(&agent("support-bot", "crm.read")))
                .code(),
            "allow"
        );
    }
}

#[test]
fn status_list_5_1_a_list_is_fetched_as_often_as_it_says_but_no_more_than_every_five_seconds() {
    for (ttl, seconds) in [(20, 20), (1, 5), (0, 5), (100_000, 60)] {
        let workers = Workers::new(1, &listing(json!({})));
        publish(&workers, &signed(&list(0).claim("ttl", ttl)));
        let published = workers.world.now_secs();
        next(&workers);
        let passed = workers.world.now_secs() - published;
        assert!((seconds - 7..=seconds + 1).contains(&passed), "{ttl}: {passed}");
    }
}

#[test]
fn the_keys_that_a_list_is_signed_with_may_be_fetched_too_and_a_rotation_does_not_undo_it() {
    let mut policy = listing(json!({}));
    policy["issuers"][0]["jwks"] = json!({ "url": format!("{ISSUER}keys"), "cluster": "login" });
    let workers = Workers::new(2, &policy);
    let keys = json!({ "keys": [key().public_jwk()] }).to_string();
    for _ in 0..20 {
        for sent in workers.tick() {
            let body = if sent.url == LIST { signed(&list(0).set(17, 1)) } else { keys.clone() };
            workers.answer(&sent, 200, &body);
        }
        workers.world.advance_millis(1_000);
    }
    workers.tick();
    workers.assert_all("allow", &at(1));
    workers.assert_all("revoked_token", &at(17));
}

#[test]
fn what_is_wrong_with_a_list_is_told() {
    let told = |lists: Value| {
        let mut policy = policy();
        policy["issuers"][0]["status_lists"] = lists;
        problems(&policy)
    };
    let one = json!({ "url": LIST, "cluster": "login" });
    assert_eq!(told(json!([one])), "");
    let twice = told(json!([one, one]));
    assert!(
        twice.contains("issuers[0].status_lists[1].url: this list is there already"),
        "{twice}"
    );
    let no_cluster = told(json!([{ "url": LIST }]));
    assert!(no_cluster.contains("missing field `cluster`"), "{no_cluster}");
    let many = (0..17).map(|n| json!({ "url": format!("{LIST}{n}"), "cluster": "login" }));
    let many = told(Value::from_iter(many));
    assert!(many.contains("more than 16 `status_lists` in all"), "{many}");
    let often = told(json!([{ "url": LIST, "cluster": "login", "refresh": "1s" }]));
    assert!(often.contains("at least `5s`"), "{often}");
    let plain = told(json!([{ "url": "http://login.crm.example/1", "cluster": "login" }]));
    assert!(plain.contains("expected `https`"), "{plain}");
    let mut unsigned = policy();
    unsigned["issuers"][0] = json!({
        "issuer": ISSUER, "audiences": ["a"], "status_lists": [one],
        "introspection": { "url": format!("{ISSUER}introspect"), "cluster": "login",
            "client_id": "postern", "client_secret": "s" },
    });
    assert!(problems(&unsigned).contains("signs no list"), "{}", problems(&unsigned));
}
