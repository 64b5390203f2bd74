//! A token that is remembered is worth what it would be worth if it were not.

use std::rc::Rc;

use postern::host::Timestamp;
use postern::policy::Policy;
use postern::session::{Session, Sessions};
use postern::token::verify;
use postern_cli::mint::sign;
use postern_tests::engine::{Gate, NOW, compact, get, key, policy, token, user};
use serde_json::json;

fn code(gate: &Gate, token: &str) -> String {
    gate.ask(&get("/v1/contacts").bearer(token)).code()
}

#[test]
fn a_remembered_token_expires_to_the_second() {
    let gate = Gate::new(&policy());
    let token = user("crm.read");
    for (at, expected) in [
        (0, "allow"),
        (299, "allow"),
        (329, "allow"),
        (330, "expired_token"),
        (331, "expired_token"),
        (1_000_000, "expired_token"),
    ] {
        gate.world.set(at);
        assert_eq!(code(&gate, &token), expected, "{at}");
        let fresh = Gate::within(gate.world.clone(), &policy());
        assert_eq!(code(&fresh, &token), expected, "{at}, not remembered");
    }
}

#[test]
fn a_remembered_token_is_not_valid_before_its_time() {
    let gate = Gate::new(&policy());
    let now = i64::try_from(NOW).unwrap();
    let token = compact(&token("ada", "web-app", "crm.read").claim("nbf", now));
    for (at, expected) in [(0, "allow"), (-30, "allow"), (-31, "invalid_token"), (0, "allow")] {
        gate.world.set(at);
        assert_eq!(code(&gate, &token), expected, "{at}");
    }
}

#[test]
fn a_token_that_was_refused_is_looked_at_again() {
    let gate = Gate::new(&policy());
    let now = i64::try_from(NOW).unwrap();
    let token = compact(&token("ada", "web-app", "crm.read").claim("nbf", now + 60));
    assert_eq!(code(&gate, &token), "invalid_token");
    gate.world.set(60);
    assert_eq!(code(&gate, &token), "allow");
}

#[test]
fn no_part_of_a_remembered_token_lends_another_its_worth() {
    let gate = Gate::new(&policy());
    let honest = user("crm.read");
    assert_eq!(code(&gate, &honest), "allow");
    let [header, claims, signature] = honest.split('.').collect::<Vec<_>>().try_into().unwrap();

    let other = user("crm.read crm.admin");
    let [_, greedy, other_signature] = other.split('.').collect::<Vec<_>>().try_into().unwrap();
    let (start, end) = signature.split_at(signature.len() / 2);
    let (other_start, other_end) = other_signature.split_at(signature.len() / 2);
    for forged in [
        format!("{header}.{greedy}.{signature}"),
        format!("{header}.{claims}.{other_start}{end}"),
        format!("{header}.{claims}.{start}{other_end}"),
        format!("{header}.{claims}."),
        format!("{header}.{claims}.{signature}A"),
        format!("{header}.{claims}.{signature}="),
        format!("{header}.{claims}.A{signature}"),
        format!("{claims}.{signature}"),
        signature.to_owned(),
        end.to_owned(),
        honest.to_lowercase(),
    ] {
        for _ in 0..2 {
            assert_eq!(code(&gate, &forged), "invalid_token", "{forged}");
        }
    }
    assert_eq!(code(&gate, &honest), "allow");
    assert_eq!(code(&gate, &other), "allow");
}

#[test]
fn an_invalid_token_stays_invalid_however_often_it_comes() {
    let gate = Gate::new(&policy());
    let twice = r#"{"sub":"ada","sub":"eve"}"#;
    let token = sign(key(), r#"{"alg":"EdDSA","typ":"at+jwt"}"#, twice).unwrap();
    for _ in 0..3 {
        assert_eq!(code(&gate, &token), "invalid_token");
    }
}

#[test]
fn what_is_remembered_of_one_token_is_not_told_of_another() {
    let gate = Gate::new(&policy());
    for _ in 0..2 {
        for name in ["ada", "bob", "eve"] {
            let token = compact(&token(name, "web-app", "crm.read"));
            let outcome = gate.ask(&get("/v1/contacts").bearer(&token));
            assert_eq!(outcome.told("x-postern-subject").as_deref(), Some(name));
            assert_eq!(outcome.record["subject"], name);
        }
    }
}

#[test]
fn a_remembered_caller_without_standing_has_none_the_next_time() {
    let gate = Gate::new(&policy());
    let token = compact(&token("odd", "odd", "crm.read"));
    for _ in 0..3 {
        let outcome = gate.ask(&get("/v1/contacts").bearer(&token));
        assert_eq!(outcome.code(), "agent_unknown");
        assert_eq!(outcome.record["subject"], "odd");
    }
}

#[test]
fn a_token_is_forgotten_with_the_policy_that_accepted_it() {
    let token = user("crm.read");
    let gate = Gate::new(&policy());
    assert_eq!(code(&gate, &token), "allow");
    let mut next = policy();
    next["scopes"].as_object_mut().unwrap().remove("crm.read");
    assert_eq!(code(&Gate::within(gate.world, &next), &token), "insufficient_scope");
}

#[test]
fn more_tokens_than_are_remembered_all_get_their_answer() {
    let gate = Gate::new(&policy());
    let tokens: Vec<_> = (0..Sessions::CAPACITY + 100)
        .map(|n| {
            compact(&token(&format!("user-{n}"), "web-app", "crm.read").claim("jti", json!("x")))
        })
        .collect();
    for (n, token) in tokens.iter().enumerate().chain(tokens.iter().enumerate().take(50)) {
        let outcome = gate.ask(&get("/v1/contacts").bearer(token));
        assert_eq!(outcome.record["subject"], format!("user-{n}"));
        assert_eq!(outcome.code(), "allow");
    }
}

fn session() -> Rc<Session> {
    let (policy, _) = Policy::compile(&policy()).unwrap();
    let now = Timestamp::from_secs(NOW);
    let verified = verify(&user("crm.read"), &policy.trusted.issuers, now).unwrap();
    Rc::new(Session::open(&policy, &Default::default(), verified).unwrap())
}

#[test]
fn memory_is_bounded_in_tokens_and_in_bytes() {
    let (session, now) = (session(), Timestamp::from_secs(NOW));
    for (length, most) in [(20, Sessions::CAPACITY), (8_192, Sessions::CAPACITY_BYTES / 8_192)] {
        let mut sessions = Sessions::default();
        for n in 0..3 * Sessions::CAPACITY {
            let token = format!("{n:0length$}");
            sessions.insert(token.as_bytes(), Rc::clone(&session));
            assert!(sessions.len() <= most, "{}", sessions.len());
            assert!(sessions.find(token.as_bytes(), now).is_some());
        }
        assert!(sessions.len() >= most / 2, "{}", sessions.len());
    }
}

#[test]
fn what_is_forgotten_is_freed_little_by_little() {
    for (length, most_at_once) in [(20, 2), (8_192, 18)] {
        let mut sessions = Sessions::default();
        let one = session();
        let (mut held, mut most_held) = (1, 0);
        for n in 0..4 * Sessions::CAPACITY {
            sessions.insert(format!("{n:0length$}").as_bytes(), Rc::clone(&one));
            let now = Rc::strong_count(&one);
            let freed = held + 1 - now;
            assert!(freed <= most_at_once, "{freed}");
            (held, most_held) = (now, most_held.max(now));
        }
        let most = Sessions::CAPACITY.min(Sessions::CAPACITY_BYTES / length);
        assert!(most_held <= most + 2, "{most_held}");
    }
}

#[test]
fn what_is_used_stays_and_what_is_not_goes() {
    let (session, now) = (session(), Timestamp::from_secs(NOW));
    let mut sessions = Sessions::default();
    sessions.insert(b"used", Rc::clone(&session));
    sessions.insert(b"unused", Rc::clone(&session));
    for n in 0..Sessions::CAPACITY {
        sessions.insert(n.to_string().as_bytes(), Rc::clone(&session));
        assert!(sessions.find(b"used", now).is_some(), "{n}");
    }
    assert!(sessions.find(b"unused", now).is_none());
}

#[test]
fn neither_a_session_nor_the_memory_of_it_shows_a_token_when_printed() {
    let mut sessions = Sessions::default();
    sessions.insert(b"top-secret-token", session());
    assert!(!format!("{sessions:?}").contains("top-secret"));
}

#[test]
fn a_scope_may_ask_for_tokens_that_do_not_live_long() {
    let mut policy = policy();
    policy["scopes"]["crm.write"]["max_token_lifetime"] = json!("2m");
    let gate = Gate::new(&policy);
    let now = i64::try_from(NOW).unwrap();
    let lives = |scope: &str, seconds: i64| {
        compact(&token("ada", "web-app", scope).valid(now, now + seconds))
    };
    for (scope, seconds, expected) in [
        ("crm.read", 300, "allow"),
        ("crm.write", 120, "allow"),
        ("crm.write", 121, "invalid_token"),
        ("crm.read crm.write", 121, "invalid_token"),
        ("crm.read unheard-of", 300, "allow"),
    ] {
        assert_eq!(code(&gate, &lives(scope, seconds)), expected, "{scope} {seconds}");
    }
    // It does not come to be short enough by getting old.
    gate.world.set(100);
    assert_eq!(code(&gate, &lives("crm.write", 121)), "invalid_token");
}

#[test]
fn rfc7519_4_1_4_a_clock_that_jumps_makes_no_remembered_token_good_for_longer() {
    let gate = Gate::new(&policy());
    let now = i64::try_from(NOW).unwrap();
    let token = compact(&token("ada", "web-app", "crm.read").claim("nbf", now));
    assert_eq!(code(&gate, &token), "allow");
    // Far ahead it is over, far back it is not valid yet, and both are so the moment it jumps.
    for (at, expected) in [
        (86_400, "expired_token"),
        (0, "allow"),
        (-86_400, "invalid_token"),
        (0, "allow"),
        (i64::from(u32::MAX), "expired_token"),
        (0, "allow"),
    ] {
        gate.world.set(at);
        assert_eq!(code(&gate, &token), expected, "{at}");
    }
}
