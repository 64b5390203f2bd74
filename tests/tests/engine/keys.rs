//! Keys that are fetched: the engine with a provider that stops, lies, corrupts and rotates.

use postern::feed::{Failure, MAX_RESPONSE_BYTES, News, Response};
use postern_cli::mint::{Algorithm, PrivateKey, key_set, sign};
use postern_tests::engine::{Call, Gate, ISSUER, NOW, Workers, get, policy, token};
use serde_json::{Value, json};

const URL: &str = "https://login.crm.example/jwks.json";
const MINUTE: i64 = 60;

fn key(kid: &str) -> PrivateKey {
    PrivateKey::generate(Algorithm::EdDsa).unwrap().with_kid(kid)
}

/// The policy, with keys that are fetched every ten minutes and believed for an hour.
fn remote() -> Value {
    let mut policy = policy();
    policy["issuers"][0]["jwks"] =
        json!({ "url": URL, "cluster": "login", "max_staleness": "1h", "timeout": "4s" });
    policy
}

/// What somebody sends whose token is signed by `key`, and good for two hours.
fn signed(key: &PrivateKey, subject: &str) -> Call {
    let now = NOW.cast_signed();
    let token = token(subject, "web-app", "crm.read").valid(now, now + 7_200);
    get("/v1/contacts").bearer(&token.sign(key).unwrap())
}

#[test]
fn one_worker_fetches_for_all() {
    let (workers, key) = (Workers::new(3, &remote()), key("a"));
    let sent = workers.tick();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!((sent[0].upstream.as_str(), sent[0].url.as_str()), ("login", URL));
    assert_eq!(sent[0].timeout, 4_000);
    workers.answer(&sent[0], 200, &key_set([&key]).to_string());
    workers.assert_all("allow", &signed(&key, "ada"));
    assert_eq!(workers.tick(), []);
}

#[test]
fn nothing_is_fetched_for_keys_that_stand_in_the_policy() {
    let workers = Workers::new(2, &policy());
    assert!(workers.gates.iter().all(|gate| gate.engine.feeds().is_empty()));
    assert_eq!(workers.tick(), []);
    assert_eq!(workers.world.writes(), 0);
}

#[test]
fn a_cold_start_answers_not_ready_and_when_to_come_again() {
    let (workers, key) = (Workers::new(1, &remote()), key("a"));
    let outcome = workers.gates[0].ask(&signed(&key, "ada"));
    assert_eq!((outcome.code().as_str(), outcome.reply().status), ("not_ready", 503));
    assert_eq!(outcome.response("retry-after"), ["1"]);
    assert_eq!(outcome.record["code"], "not_ready");
    assert_eq!(workers.gates[0].attempt(&signed(&key, "ada")).unwrap_err(), 2);
    assert_eq!(workers.gates[0].ask(&get("/healthz")).code(), "allow");
    assert_eq!(workers.gates[0].ask(&get("/v1/contacts")).code(), "missing_token");
}

#[test]
fn what_is_wrong_with_a_token_anyway_is_not_waited_for() {
    let (workers, key) = (Workers::new(1, &remote()), key("a"));
    let now = NOW.cast_signed();
    let stale = token("ada", "web-app", "crm.read").valid(now - 120, now - 60).sign(&key).unwrap();
    for (bearer, code) in [(stale.as_str(), "expired_token"), ("a.b.c", "invalid_token")] {
        let outcome = workers.gates[0].attempt(&get("/v1/contacts").bearer(bearer)).unwrap();
        assert_eq!(outcome.code(), code);
    }
}

#[test]
fn a_worker_that_comes_later_finds_the_keys_without_a_tick() {
    let (workers, key) = (Workers::new(1, &remote()), key("a"));
    workers.serve([&key]);
    let late = Gate::worker(workers.world.clone(), &remote(), 9);
    assert_eq!(late.ask(&signed(&key, "ada")).code(), "allow");
    late.engine.tick(&workers.world);
    assert_eq!(workers.world.take_fetches(), []);
}

#[test]
fn keys_are_fetched_anew_before_they_are_ten_minutes_old_and_once_each_time() {
    let (workers, key) = (Workers::new(3, &remote()), key("a"));
    let mut before = None;
    let mut sent = Vec::new();
    for _ in 0..3_600 {
        for one in workers.tick() {
            let gap = before.map_or(0, |before| one.at - before) / 1_000_000_000;
            assert!(before.is_none() || (530..=600).contains(&gap), "{gap} s");
            before = Some(one.at);
            workers.answer(&one, 200, &key_set([&key]).to_string());
            sent.push(one);
        }
        workers.world.advance_millis(1_000);
    }
    assert!((6..=8).contains(&sent.len()), "{}", sent.len());
}

#[test]
fn a_rotated_key_is_found_by_the_first_token_that_names_it_and_nobody_is_refused() {
    let (workers, old, new) = (Workers::new(3, &remote()), key("old"), key("new"));
    workers.serve([&old]);
    workers.assert_all("allow", &signed(&old, "ada"));
    workers.world.set(MINUTE);

    let call = signed(&new, "ada");
    for gate in &workers.gates {
        assert_eq!(gate.attempt(&call).unwrap_err(), 2);
    }
    let sent = workers.tick();
    assert_eq!(sent.len(), 1, "one flight for all: {sent:?}");
    // While it is under way nobody else asks, and whoever comes waits for it, too.
    for gate in &workers.gates {
        assert_eq!(gate.attempt(&call).unwrap_err(), 2);
    }
    assert_eq!(workers.tick(), []);
    let turns: Vec<_> = workers.gates.iter().map(|gate| gate.engine.feeds().turn()).collect();
    workers.answer(&sent[0], 200, &key_set([&old, &new]).to_string());
    workers.tick();
    for (gate, turn) in workers.gates.iter().zip(turns) {
        assert_ne!(gate.engine.feeds().turn(), turn);
        assert_eq!(gate.attempt(&call).unwrap().code(), "allow");
    }
    workers.assert_all("allow", &signed(&old, "ada"));
}

#[test]
fn a_key_id_that_the_provider_does_not_have_is_asked_for_once_in_a_minute() {
    let (workers, key, other) = (Workers::new(3, &remote()), key("a"), key("b"));
    workers.serve([&key]);
    let mut fetches = 0;
    for second in 0..300 {
        workers.world.set(MINUTE + second);
        for gate in &workers.gates {
            drop(gate.attempt(&signed(&other, "ada")));
        }
        fetches += workers.serve([&key]);
        workers.assert_all("unknown_key", &signed(&other, "ada"));
    }
    assert!((4..=6).contains(&fetches), "{fetches}");
    let outcome = workers.gates[0].attempt(&signed(&other, "ada")).unwrap();
    assert_eq!(outcome.reply().status, 401);
}

#[test]
fn whoever_makes_up_key_ids_does_not_drive_the_fetching() {
    let (workers, key) = (Workers::new(3, &remote()), key("a"));
    workers.serve([&key]);
    let mut fetches = 0;
    for second in 0..300_i64 {
        workers.world.set(MINUTE + second);
        for n in 0..10 {
            let forged = self::key(&format!("{second}-{n}"));
            let gate = &workers.gates[usize::try_from(second % 3).unwrap()];
            drop(gate.attempt(&signed(&forged, "ada")));
            assert_eq!(gate.ask(&signed(&forged, "ada")).code(), "unknown_key");
        }
        fetches += workers.serve([&key]);
        workers.assert_all("allow", &signed(&key, "ada"));
    }
    // Four at once, then one in fifteen seconds.
    assert!((20..=25).contains(&fetches), "{fetches}");
}

#[test]
fn a_token_that_names_no_key_asks_for_nothing() {
    let (workers, key, other) = (Workers::new(1, &remote()), key("a"), key("b"));
    workers.serve([&key, &other]);
    let header = json!({ "alg": "EdDSA", "typ": "at+jwt" }).to_string();
    let claims = token("ada", "web-app", "crm.read").claim("jti", "t-1");
    let claims = Value::Object(claims.claims().clone()).to_string();
    let call = get("/v1/contacts").bearer(&sign(&key, &header, &claims).unwrap());
    assert_eq!(workers.gates[0].attempt(&call).unwrap().code(), "unknown_key");
    assert_eq!(workers.tick(), []);
}

#[test]
fn the_last_good_keys_serve_while_the_provider_is_down_for_as_long_as_the_policy_says() {
    let (workers, key) = (Workers::new(2, &remote()), key("a"));
    workers.serve([&key]);
    let down = |second: i64| {
        workers.world.set(second);
        workers.tick().iter().for_each(|sent| drop(workers.silence(sent)));
    };
    for second in 0..3_600 {
        down(second);
        if second % 97 == 0 {
            // One token that is remembered, and one that is not.
            workers.assert_all("allow", &signed(&key, "ada"));
            workers.assert_all("allow", &signed(&key, &format!("user-{second}")));
        }
    }
    let remembered = signed(&key, "ada");
    workers.assert_all("allow", &remembered);
    down(3_600);
    workers.assert_all("not_ready", &remembered);
    workers.assert_all("not_ready", &signed(&key, "rex"));
    let status = workers.gates[0].engine.feeds().status(postern::host::Host::now(&workers.world));
    let status: Vec<_> = status.collect();
    assert_eq!((status[0].ready, status[0].age), (false, Some(3_600)));
    assert!(status[0].failures > 10, "{status:?}");

    down(3_700);
    workers.world.advance_millis(5_000);
    assert_eq!(workers.serve([&key]), 1);
    workers.assert_all("allow", &remembered);
}

/// How many milliseconds after the provider is back its keys are there, when it was down for
/// `down` milliseconds from the start.
fn outage(down: u64) -> u64 {
    let (workers, key) = (Workers::new(1, &remote()), key("a"));
    let step = 50;
    for at in (0..600_000).step_by(50) {
        for sent in workers.tick() {
            if at >= down {
                workers.answer(&sent, 200, &key_set([&key]).to_string());
                return at - down;
            }
            workers.silence(&sent);
        }
        workers.world.advance_millis(step);
    }
    panic!("never there again");
}

#[test]
fn a_short_outage_does_not_become_a_long_one() {
    assert!(outage(1_000) <= 1_000, "{}", outage(1_000));
    assert!(outage(30_000) <= 5_000, "{}", outage(30_000));
    assert!(outage(300_000) <= 5_000, "{}", outage(300_000));
}

#[test]
fn while_there_are_keys_a_provider_that_is_down_is_asked_less_and_less_often() {
    let (workers, key) = (Workers::new(2, &remote()), key("a"));
    workers.serve([&key]);
    workers.world.set(10 * MINUTE);
    let mut attempts = Vec::new();
    for _ in 0..600 {
        for sent in workers.tick() {
            attempts.push(sent.at / 1_000_000);
            workers.silence(&sent);
        }
        workers.world.advance_millis(1_000);
    }
    let gaps: Vec<_> = attempts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps[0] <= 1_000 && *gaps.last().unwrap() > 40_000, "{gaps:?}");
    assert!(gaps.iter().all(|gap| *gap <= 61_000), "{gaps:?}");
}

#[test]
fn an_answer_that_is_no_key_set_changes_nothing() {
    let (workers, key) = (Workers::new(2, &remote()), key("a"));
    workers.serve([&key]);
    let good = key_set([&key]);
    let many = vec![good["keys"][0].clone(); 65];
    let secret = json!({ "kty": "oct", "kid": "a", "k": "x".repeat(43) });
    let private = key.to_jwk();
    let bodies = [
        (200, String::new(), Failure::NotJson),
        (200, "<html>maintenance</html>".to_owned(), Failure::NotJson),
        (200, good.to_string().split_at(30).0.to_owned(), Failure::NotJson),
        (200, r#"{"keys":[],"keys":[]}"#.to_owned(), Failure::NotJson),
        (200, "[".repeat(10_000), Failure::NotJson),
        (200, "[]".to_owned(), Failure::NotAKeySet),
        (200, "{}".to_owned(), Failure::NotAKeySet),
        (200, r#"{"keys":{}}"#.to_owned(), Failure::NotAKeySet),
        (200, r#"{"keys":[]}"#.to_owned(), Failure::NoUsableKey),
        (200, json!({ "keys": [secret] }).to_string(), Failure::NoUsableKey),
        (200, json!({ "keys": [private] }).to_string(), Failure::NoUsableKey),
        (200, json!({ "keys": [1, null, "a"] }).to_string(), Failure::NoUsableKey),
        (200, json!({ "keys": many }).to_string(), Failure::TooManyKeys),
        (200, " ".repeat(MAX_RESPONSE_BYTES + 1), Failure::TooLong),
        (500, good.to_string(), Failure::Status(500)),
        (302, good.to_string(), Failure::Status(302)),
        (204, String::new(), Failure::Status(204)),
        (304, String::new(), Failure::Status(304)),
    ];
    for (at, (status, body, expected)) in (1..).zip(bodies) {
        workers.world.set(at * 20 * MINUTE / 10);
        workers.world.advance_millis(9 * 60_000);
        let mut sent = workers.tick();
        while sent.is_empty() {
            workers.world.advance_millis(1_000);
            sent = workers.tick();
        }
        let Some(News::Failed { failure, feed, .. }) = workers.answer(&sent[0], status, &body)
        else {
            panic!("{status} {body}");
        };
        assert_eq!((failure, feed.contains(ISSUER)), (expected, true), "{status} {body}");
        workers.tick();
        workers.assert_all("allow", &signed(&key, "ada"));
    }
    let sent = loop {
        workers.world.advance_millis(1_000);
        if let [sent] = &workers.tick()[..] {
            break sent.clone();
        }
    };
    let half =
        Response { status: Some(200), length: 1_000, body: &[b' '; 500], ..Response::default() };
    let news = workers.respond(&sent, &half).unwrap();
    assert!(matches!(news, News::Failed { failure: Failure::Broken, .. }), "{news}");
}

#[test]
fn one_bad_key_never_voids_a_set() {
    let (good, twin) = (key("good"), key("twice"));
    let mut other = key("twice").public_jwk().unwrap();
    other["use"] = "sig".into();
    let bad = [
        json!({ "kty": "oct", "kid": "good", "k": "x".repeat(43) }),
        json!({ "kty": "EC", "crv": "P-999", "kid": "curve" }),
        json!({ "kty": "RSA", "kid": "short", "n": "AQ", "e": "AQAB" }),
        json!({ "kty": "RSA", "use": "enc", "n": "AQ", "e": "AQAB" }),
        json!({ "kid": { "a": 1 } }),
        json!(null),
        key("leaked").to_jwk(),
    ];
    for bad in bad {
        let workers = Workers::new(2, &remote());
        let sent = workers.tick();
        let keys = json!([bad, good.public_jwk().unwrap(), bad]);
        let news = workers.answer(&sent[0], 200, &json!({ "keys": keys }).to_string()).unwrap();
        assert!(matches!(news, News::Changed { count: 1, skipped: 2, .. }), "{news}");
        workers.assert_all("allow", &signed(&good, "ada"));
    }
    // Two keys under one name: neither can be told from the other, and the rest stays.
    let workers = Workers::new(2, &remote());
    let keys = json!([twin.public_jwk().unwrap(), good.public_jwk().unwrap(), other]);
    let sent = workers.tick();
    workers.answer(&sent[0], 200, &json!({ "keys": keys }).to_string());
    workers.assert_all("allow", &signed(&good, "ada"));
    workers.assert_all("unknown_key", &signed(&twin, "ada"));
}

#[test]
fn a_token_that_is_remembered_does_not_outlive_its_key() {
    let (workers, old, new) = (Workers::new(3, &remote()), key("old"), key("new"));
    workers.serve([&old, &new]);
    let (of_old, of_new) = (signed(&old, "ada"), signed(&new, "ada"));
    workers.assert_all("allow", &of_old);
    workers.assert_all("allow", &of_new);
    workers.world.set(10 * MINUTE);
    assert_eq!(workers.serve([&new]), 1);
    workers.tick();
    workers.assert_all("unknown_key", &of_old);
    workers.assert_all("allow", &of_new);
}

#[test]
fn a_key_of_another_that_takes_over_a_name_does_not_inherit_what_is_remembered() {
    let (workers, old, new) = (Workers::new(2, &remote()), key("same"), key("same"));
    workers.serve([&old]);
    workers.assert_all("allow", &signed(&old, "ada"));
    workers.world.set(10 * MINUTE);
    workers.serve([&new]);
    workers.tick();
    workers.assert_all("invalid_token", &signed(&old, "ada"));
    workers.assert_all("allow", &signed(&new, "ada"));
}

#[test]
fn a_worker_that_never_comes_back_does_not_keep_the_others_from_fetching() {
    let (workers, key) = (Workers::new(2, &remote()), key("a"));
    assert_eq!(workers.tick().len(), 1);
    workers.world.set(4);
    assert_eq!(workers.tick(), [], "the first may still be answered");
    workers.world.set(6);
    assert_eq!(workers.serve([&key]), 1);
    workers.assert_all("allow", &signed(&key, "ada"));
}

#[test]
fn a_worker_that_is_told_to_stop_hands_over_at_once() {
    let (workers, key) = (Workers::new(2, &remote()), key("a"));
    assert_eq!(workers.tick().len(), 1);
    workers.gates.iter().for_each(|gate| gate.engine.feeds().abandon(&workers.world));
    assert_eq!(workers.serve([&key]), 1);
    workers.assert_all("allow", &signed(&key, "ada"));
}

#[test]
fn an_answer_that_comes_late_does_not_bring_old_keys_back() {
    let (workers, old, new) = (Workers::new(2, &remote()), key("old"), key("new"));
    let late = workers.tick();
    workers.world.set(6);
    assert_eq!(workers.serve([&new]), 1);
    drop(workers.answer(&late[0], 200, &key_set([&old]).to_string()));
    workers.tick();
    workers.assert_all("allow", &signed(&new, "ada"));
    workers.assert_all("unknown_key", &signed(&old, "ada"));
}

#[test]
fn an_answer_that_nobody_asked_for_is_nothing() {
    let (workers, key) = (Workers::new(1, &remote()), key("a"));
    let body = key_set([&key]).to_string();
    let response = Response {
        status: Some(200),
        length: body.len(),
        body: body.as_bytes(),
        ..Response::default()
    };
    for call in [0, 1, 77, u32::MAX] {
        assert_eq!(workers.gates[0].engine.fetched(call, &response, &workers.world), None);
    }
    workers.assert_all("not_ready", &signed(&key, "ada"));
}

#[test]
fn a_cluster_that_is_not_there_is_told_and_asked_again() {
    let (workers, key) = (Workers::new(1, &remote()), key("a"));
    workers.world.send(false);
    let news = workers.gates[0].engine.tick(&workers.world);
    let told: Vec<_> = news.iter().map(ToString::to_string).collect();
    assert!(told[0].contains(ISSUER) && told[0].contains("cluster"), "{told:?}");
    assert!(!told[0].contains("jwks.json"), "a URL may hold a secret: {told:?}");
    workers.assert_all("not_ready", &signed(&key, "ada"));
    workers.world.send(true);
    workers.world.advance_millis(500);
    assert_eq!(workers.serve([&key]), 1);
    workers.assert_all("allow", &signed(&key, "ada"));
}

#[test]
fn without_a_store_nothing_new_is_believed_and_nothing_is_fetched() {
    let (workers, key, other) = (Workers::new(2, &remote()), key("a"), key("b"));
    workers.world.break_store(true);
    assert_eq!(workers.tick(), []);
    workers.assert_all("not_ready", &signed(&key, "ada"));
    workers.world.break_store(false);
    let sent = workers.tick();
    workers.world.break_store(true);
    let news = workers.answer(&sent[0], 200, &key_set([&key]).to_string()).unwrap();
    assert!(matches!(news, News::Failed { failure: Failure::Store, .. }), "{news}");
    workers.world.break_store(false);
    workers.world.set(6);
    workers.serve([&key]);
    workers.tick();
    workers.world.break_store(true);
    workers.assert_all("allow", &signed(&key, "ada"));
    workers.assert_all("not_ready", &signed(&other, "ada"));
}

#[test]
fn a_store_that_forgets_or_holds_nonsense_is_filled_again() {
    for nonsense in [None, Some(&b""[..]), Some(b"\x01"), Some(&[0xff; 500]), Some(b"{}")] {
        let (workers, key) = (Workers::new(2, &remote()), key("a"));
        workers.serve([&key]);
        workers.tick();
        match nonsense {
            None => workers.world.forget(),
            Some(value) => workers.world.spoil(value),
        }
        workers.assert_all("allow", &signed(&key, "ada"));
        assert_eq!(workers.serve([&key]), 1, "{nonsense:?}");
        let late = Gate::worker(workers.world.clone(), &remote(), 9);
        assert_eq!(late.ask(&signed(&key, "ada")).code(), "allow", "{nonsense:?}");
    }
}

#[test]
fn a_clock_that_goes_back_stops_nothing() {
    let (workers, old, new) = (Workers::new(2, &remote()), key("old"), key("new"));
    workers.world.set(100 * MINUTE);
    workers.serve([&old]);
    let sent = workers.tick();
    assert_eq!(sent, []);
    workers.world.set(0);
    workers.assert_all("allow", &signed(&old, "ada"));
    assert_eq!(workers.serve([&old, &new]), 1, "due: the moment lies farther ahead than it can");
    workers.tick();
    workers.assert_all("allow", &signed(&new, "ada"));
}

#[test]
fn an_issuers_fetched_keys_verify_nobody_elses_tokens() {
    let mut policy = remote();
    let mut other = policy["issuers"][0].clone();
    other["issuer"] = "https://other.example/".into();
    other["jwks"]["url"] = "https://other.example/jwks.json".into();
    policy["issuers"].as_array_mut().unwrap().push(other);
    policy["agents"]["support-bot"]["issuer"] = ISSUER.into();
    let (workers, own, others) = (Workers::new(1, &policy), key("same"), key("same"));
    for sent in workers.tick() {
        let key = if sent.url == URL { &own } else { &others };
        workers.answer(&sent, 200, &key_set([key]).to_string());
    }
    workers.assert_all("allow", &signed(&own, "ada"));
    workers.assert_all("invalid_token", &signed(&others, "ada"));
}

#[test]
fn what_changed_is_told_and_what_did_not_is_not() {
    let (workers, old, new) = (Workers::new(1, &remote()), key("old"), key("new"));
    let tell = |keys: &[&PrivateKey]| {
        let sent = loop {
            if let [sent] = &workers.tick()[..] {
                break sent.clone();
            }
            workers.world.advance_millis(1_000);
        };
        workers.answer(&sent, 200, &key_set(keys.iter().copied()).to_string())
    };
    let feed = format!("keys of `{ISSUER}`");
    assert_eq!(tell(&[&old]), Some(News::Changed { feed: feed.clone(), count: 1, skipped: 0 }));
    assert_eq!(tell(&[&old]), None);
    assert_eq!(tell(&[&old, &new]), Some(News::Changed { feed, count: 2, skipped: 0 }));
}
