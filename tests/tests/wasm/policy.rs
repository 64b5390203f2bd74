//! Without a policy that was accepted, nothing passes.

use postern::policy::source::document;
use postern_tests::fixture::{self, BAD_POLICY, POLICY, THRICE, allowed, as_struct, denied};
use postern_tests::wasm_host::{Exchange, Fault, Outcome, Profile, Proxy, Request};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

const ERROR: u32 = 4;
const WARN: u32 = 3;

#[test]
fn a_request_before_any_policy_is_answered_not_ready() {
    for profile in Profile::ALL {
        let mut proxy = Proxy::start(profile, None, 1);
        let exchange = proxy.request(&allowed());
        assert_eq!(exchange.answer("retry-after").as_deref(), Some("1"), "{exchange:?}");
        assert_eq!(exchange.answer("cache-control").as_deref(), Some("no-store"));
        let Outcome::Reply { status: 503, headers, body } = exchange.outcome else {
            panic!("{profile:?}: {exchange:?}")
        };
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (&body["code"], &body["detail"]),
            (&json!("not_ready"), &json!("no policy is in force"))
        );
        assert_eq!(body.get("decision"), None);
        let problem = (b"content-type".to_vec(), b"application/problem+json".to_vec());
        assert!(headers.contains(&problem), "{headers:?}");
        assert!(proxy.take_log().iter().any(|(_, line)| line.contains("not_ready")));
    }
}

#[test]
fn a_bad_policy_is_refused_with_each_problem_on_a_line_and_the_door_stays_closed() {
    let wanted = [
        "policy refused: version: version 2 of the policy language: expected 1",
        "policy refused: routes[0].permission: unknown permission `contacts:raed`: no role holds it; \
         did you mean `contacts:read`?",
        "policy refused: agents.support-bot.ceiling: unknown role `raeder`; \
         did you mean `reader`?",
    ];
    for profile in Profile::ALL {
        let mut proxy = Proxy::new(profile, &*BAD_POLICY);
        assert!(!proxy.configured);
        let log = proxy.take_log();
        for line in wanted {
            assert!(log.contains(&(ERROR, line.to_owned())), "{line}: {log:#?}");
        }
        assert_eq!(log.len(), wanted.len(), "{log:#?}");
        assert_eq!(proxy.request(&allowed()).status(), Some(503));
    }
}

#[test]
fn a_policy_with_more_problems_than_are_told_says_how_many_more() {
    let mut policy = fixture::document();
    let route = |n| json!({ "path": format!("/{n}"), "methods": ["GET"], "permission": "none" });
    policy["routes"] = (0..130).map(route).collect();
    let mut proxy = Proxy::new(Profile::Envoy, policy.to_string());
    assert!(!proxy.configured);
    let log = proxy.take_log();
    assert_eq!(log.len(), 101, "{log:#?}");
    assert_eq!(log[100], (ERROR, "policy refused: and 30 more problems".to_owned()));
}

#[test]
fn what_is_merely_odd_about_a_refused_policy_is_a_warning() {
    let mut policy = fixture::document();
    let unusable = json!({ "kty": "EC", "crv": "P-521", "kid": "old", "x": "AA", "y": "AA" });
    policy["issuers"][0]["jwks"]["keys"].as_array_mut().unwrap().push(unusable);
    assert!(Proxy::new(Profile::Envoy, policy.to_string()).configured);
    policy["version"] = 2.into();
    let log = Proxy::new(Profile::Envoy, policy.to_string()).take_log();
    let said = |level, start: &str| log.iter().any(|(l, s)| *l == level && s.starts_with(start));
    assert!(said(WARN, "policy: issuers[0].jwks.keys[1]: "), "{log:#?}");
    assert!(said(ERROR, "policy refused: version: ") && log.len() == 2, "{log:#?}");
}

#[test]
fn every_example_loads_as_json_and_as_a_struct_and_is_the_same_policy() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../policies");
    let mut loaded = 0;
    for example in std::fs::read_dir(examples).unwrap() {
        let path = example.unwrap().path();
        let name = path.to_string_lossy();
        if !name.ends_with(".yaml") || name.ends_with(".test.yaml") {
            continue;
        }
        let (mut policy, _) = document::parse(&std::fs::read(&path).unwrap())
            .unwrap_or_else(|problem| panic!("{}", problem.in_file(&path.to_string_lossy())));
        // Without a revision, a policy's version is the fingerprint of what is in it.
        policy.as_object_mut().unwrap().remove("revision");
        let versions = [policy.to_string().into_bytes(), as_struct(&policy)].map(|written| {
            let mut proxy = Proxy::new(Profile::Envoy, &written);
            assert!(proxy.configured, "{}: {:?}", path.display(), proxy.take_log());
            let record = proxy.request(&Request::get("/")).record().unwrap();
            assert_eq!(record["decision"], "deny");
            record["policy"].as_str().unwrap().to_owned()
        });
        assert_eq!(versions[0], versions[1], "{}", path.display());
        assert!(!versions[0].is_empty());
        loaded += 1;
    }
    assert!(loaded > 0);
}

#[test]
fn a_policy_given_as_a_struct_decides_like_the_same_given_as_json() {
    for profile in Profile::ALL {
        for policy in [POLICY.clone().into_bytes(), as_struct(&fixture::document())] {
            let mut proxy = Proxy::new(profile, policy);
            assert!(proxy.configured, "{:?}", proxy.take_log());
            assert_eq!(proxy.request(&allowed()).status(), Some(200));
            assert_eq!(proxy.request(&denied()).status(), Some(401));
        }
    }
}

#[test]
fn an_empty_policy_is_no_policy() {
    let mut proxy = Proxy::new(Profile::Envoy, "");
    assert!(!proxy.configured);
    assert_eq!(proxy.request(&allowed()).status(), Some(503));
}

#[test]
fn a_refused_update_leaves_the_policy_before_it_in_force() {
    let mut proxy = Proxy::new(Profile::Envoy, &*POLICY);
    let size = 1_u32;
    assert_eq!(proxy.worker(0).call::<_, u32>("proxy_on_configure", (1_u32, size)).unwrap(), 0);
    assert_eq!(proxy.request(&allowed()).status(), Some(200));
}

#[test]
fn a_new_policy_decides_from_then_on_and_a_bad_one_changes_nothing() {
    for profile in Profile::ALL {
        let mut proxy = Proxy::start(profile, Some(POLICY.as_bytes()), 2);
        let version = |exchange: Exchange| exchange.upstream("x-postern-policy-version").unwrap();
        assert_eq!(version(proxy.request(&allowed())), ["fixture-1"]);
        for bad in [BAD_POLICY.as_str(), "", "{", "version: 1"] {
            assert!(!proxy.reload(bad), "{bad}");
            for worker in 0..2 {
                let exchange = proxy.request_on(worker, &allowed());
                assert_eq!(version(exchange), ["fixture-1"], "{profile:?} {bad}");
            }
        }
        assert!(proxy.reload(&*THRICE));
        proxy.advance(10);
        assert_eq!(version(proxy.request(&allowed())), ["limited-3-day"]);
        let statuses = [1, 0, 1, 0].map(|worker| proxy.request_on(worker, &allowed()).status());
        assert_eq!(statuses, [Some(200), Some(200), Some(429), Some(429)], "{profile:?}");
    }
}

#[test]
fn a_request_is_decided_by_the_policy_that_was_in_force_when_it_came() {
    let mut proxy = Proxy::new(Profile::Envoy, &*POLICY);
    let worker = proxy.worker(0);
    worker.call::<_, ()>("proxy_on_context_create", (60_u32, 1_u32)).unwrap();
    worker.call::<_, ()>("proxy_on_delete", 1_u32).unwrap();
    let _: u32 = worker.call("proxy_on_request_headers", (60_u32, 4_u32, 1_u32)).unwrap();
    let log = proxy.take_log();
    assert!(!log.iter().any(|(_, line)| line.contains("no policy")), "{log:?}");
}

#[test]
fn a_policy_that_the_proxy_hands_over_by_half_is_refused() {
    for fault in [Fault::Silent, Fault::Elsewhere, Fault::Status(1), Fault::Status(10)] {
        let mut proxy = Proxy::start(Profile::Envoy, None, 1);
        proxy.worker(0).fail("proxy_get_buffer_bytes", fault);
        let taken = proxy.worker(0).call::<_, u32>("proxy_on_configure", (1_u32, 64_u32));
        assert_eq!(taken.unwrap(), 0, "{fault:?}");
        assert_eq!(proxy.request(&allowed()).status(), Some(503));
    }
}

#[test]
fn any_bytes_are_taken_or_refused_and_never_trap() {
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let checked = runner.run(&vec(any::<u8>(), 0..300), |policy| {
        let mut proxy = Proxy::start(Profile::Envoy, Some(&policy), 1);
        assert!(!proxy.configured);
        assert_eq!(proxy.request(&allowed()).status(), Some(503));
        Ok(())
    });
    checked.unwrap();
}

#[test]
fn a_policy_cut_or_garbled_anywhere_never_traps() {
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let checked = runner.run(&(0..POLICY.len(), any::<u8>()), |(at, byte)| {
        let mut policy = POLICY.as_bytes().to_vec();
        policy[at] = byte;
        Proxy::start(Profile::Envoy, Some(&policy), 1).request(&allowed()).status().unwrap();
        Proxy::start(Profile::Envoy, Some(&policy[..at]), 1).request(&allowed()).status().unwrap();
        Ok(())
    });
    checked.unwrap();
}
