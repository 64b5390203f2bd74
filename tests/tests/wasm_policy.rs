//! Without a policy that was accepted, nothing passes.

use postern_tests::fixture::{BAD_POLICY, POLICY, THRICE, allowed};
use postern_tests::wasm_host::{Fault, Outcome, Profile, Proxy};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestRunner};

const ERROR: u32 = 4;

#[test]
fn a_request_before_any_policy_is_answered_not_ready() {
    for profile in Profile::ALL {
        let mut proxy = Proxy::start(profile, None, 1);
        let exchange = proxy.request(&allowed());
        let Outcome::Reply { status: 503, headers, body } = exchange.outcome else {
            panic!("{profile:?}: {exchange:?}")
        };
        assert!(body.contains("not_ready"), "{body}");
        let problem = (b"content-type".to_vec(), b"application/problem+json".to_vec());
        assert!(headers.contains(&problem), "{headers:?}");
        assert!(proxy.take_log().iter().any(|(_, line)| line.contains("not_ready")));
    }
}

#[test]
fn a_bad_policy_is_refused_with_each_problem_on_a_line_and_the_door_stays_closed() {
    for profile in Profile::ALL {
        let mut proxy = Proxy::new(profile, &*BAD_POLICY);
        assert!(!proxy.configured);
        let log = proxy.take_log();
        assert!(log.len() >= 2, "{log:?}");
        assert!(log.iter().all(|(level, line)| *level == ERROR && !line.contains('\n')), "{log:?}");
        assert_eq!(proxy.request(&allowed()).status(), Some(503));
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
        for _ in 0..3 {
            assert_eq!(proxy.request(&allowed()).status(), Some(200));
        }
        assert!(!proxy.reload(&*BAD_POLICY));
        assert_eq!(proxy.request(&allowed()).status(), Some(200), "{profile:?}");
        assert!(proxy.reload(&*THRICE));
        for worker in 0..2 {
            assert_eq!(proxy.request_on(worker, &allowed()).status(), Some(429), "{profile:?}");
        }
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
