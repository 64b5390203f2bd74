//! Keys that are fetched, by the compiled filter, on every host.

use postern_cli::mint::{Algorithm, PrivateKey, key_set};
use postern_tests::fixture::{KEY, POLICY, REMOTE, allowed, assert_allowed, denied, remote, token};
use postern_tests::wasm_host::{Outcome, Profile, Proxy, Request};

/// Hosts on which a request can be held.
const HOLDING: [Profile; 2] = [Profile::Envoy, Profile::ProxyWasmHost];

const WARN: u32 = 3;

fn keys<'k>(keys: impl IntoIterator<Item = &'k PrivateKey>) -> String {
    key_set(keys).to_string()
}

/// A new key, and a request with a token that is signed by it.
fn stranger() -> (PrivateKey, Request) {
    let key = PrivateKey::generate(Algorithm::Es256).unwrap().with_kid("new");
    let request = Request::get("/v1/contacts").bearer(&token().sign(&key).unwrap());
    (key, request)
}

/// A proxy that has its keys, with this many workers.
fn ready(profile: Profile, workers: usize) -> Proxy {
    let mut proxy = Proxy::start(profile, Some(REMOTE.as_bytes()), workers);
    proxy.pass(100);
    let call = proxy.the_call();
    assert!(proxy.answer(&call, Some((200, keys([&*KEY]).as_bytes()))).is_empty());
    proxy
}

#[test]
fn keys_are_fetched_soon_after_the_start_by_one_of_the_workers_and_never_while_configuring() {
    for profile in Profile::ALL {
        let mut proxy = Proxy::start(profile, Some(REMOTE.as_bytes()), 3);
        assert!(proxy.configured && proxy.calls().is_empty(), "{profile:?}");
        proxy.pass(100);
        let call = proxy.the_call();
        let field = |name: &str| {
            let mut all = call.headers.iter().filter(|(field, _)| field == name.as_bytes());
            all.next().map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        };
        assert_eq!((call.upstream.as_str(), call.timeout), ("login", 5_000));
        assert_eq!(field(":method").as_deref(), Some("GET"));
        assert_eq!(field(":authority").as_deref(), Some("login.example"));
        assert_eq!(field(":path").as_deref(), Some("/jwks.json"));
        proxy.answer(&call, Some((200, keys([&*KEY]).as_bytes())));
        for worker in 0..3 {
            assert_eq!(proxy.request_on(worker, &allowed()).status(), Some(200), "{profile:?}");
            assert_eq!(proxy.request_on(worker, &denied()).status(), Some(401), "{profile:?}");
        }
        proxy.pass(3_000);
        assert!(proxy.calls().is_empty(), "{profile:?}");
    }
}

#[test]
fn a_request_that_comes_before_the_keys_is_held_until_they_are_there() {
    for profile in HOLDING {
        let mut proxy = Proxy::start(profile, Some(REMOTE.as_bytes()), 2);
        assert_eq!(proxy.request_on(0, &allowed()).outcome, Outcome::Held);
        assert_eq!(proxy.request_on(1, &allowed()).outcome, Outcome::Held);
        assert_eq!(proxy.request_on(1, &denied()).status(), Some(401));
        assert!(proxy.pass(300).is_empty());
        let call = proxy.the_call();
        let mut woken = proxy.answer(&call, Some((200, keys([&*KEY]).as_bytes())));
        // The worker that did not ask notices by its next tick.
        woken.extend(proxy.pass(60).into_iter().map(|(_, one)| one));
        assert_eq!(woken.len(), 2);
        woken.iter().for_each(assert_allowed);
    }
}

#[test]
fn where_no_request_can_be_held_it_is_answered_at_once() {
    for profile in [Profile::Nginx, Profile::TrafficServer] {
        let mut proxy = Proxy::new(profile, &*REMOTE);
        let exchange = proxy.request(&allowed());
        assert_eq!((exchange.status(), exchange.code().as_deref()), (Some(503), Some("not_ready")));
        assert_eq!(exchange.answer("retry-after").as_deref(), Some("1"));
    }
}

#[test]
fn nobody_is_held_for_longer_than_the_policy_says_while_the_provider_is_silent() {
    for profile in HOLDING {
        let mut proxy = Proxy::new(profile, &*REMOTE);
        assert_eq!(proxy.request(&allowed()).outcome, Outcome::Held);
        let woken = proxy.pass(10_000);
        let [(after, exchange)] = &woken[..] else { panic!("{woken:?}") };
        assert!((2_000..2_100).contains(after), "{after} ms");
        assert_eq!((exchange.status(), exchange.code().as_deref()), (Some(503), Some("not_ready")));
        assert_eq!(exchange.answer("retry-after").as_deref(), Some("1"));
        assert!(exchange.record().is_some_and(|record| record["code"] == "not_ready"));
    }
}

#[test]
fn a_provider_that_fails_at_first_is_asked_again_in_time_for_who_is_held() {
    let mut proxy = Proxy::new(Profile::Envoy, &*REMOTE);
    assert_eq!(proxy.request(&allowed()).outcome, Outcome::Held);
    for answer in [None, Some((503, &b""[..]))] {
        let mut waited = 0;
        while proxy.calls().is_empty() {
            assert!(proxy.pass(10).is_empty());
            waited += 10;
        }
        assert!(waited <= 1_100, "{waited} ms");
        let call = proxy.the_call();
        assert!(proxy.answer(&call, answer).is_empty());
    }
    while proxy.calls().is_empty() {
        assert!(proxy.pass(10).is_empty());
    }
    let call = proxy.the_call();
    let woken = proxy.answer(&call, Some((200, keys([&*KEY]).as_bytes())));
    assert_allowed(&woken[0]);
}

#[test]
fn when_the_keys_are_rotated_the_first_tokens_wait_for_them_and_none_is_refused() {
    for profile in HOLDING {
        let mut proxy = ready(profile, 2);
        let (new, request) = stranger();
        proxy.pass(5_000);
        for worker in 0..2 {
            assert_eq!(proxy.request_on(worker, &allowed()).status(), Some(200));
            assert_eq!(proxy.request_on(worker, &request).outcome, Outcome::Held);
        }
        assert!(proxy.pass(60).is_empty());
        let call = proxy.the_call();
        let mut woken = proxy.answer(&call, Some((200, keys([&*KEY, &new]).as_bytes())));
        woken.extend(proxy.pass(60).into_iter().map(|(_, one)| one));
        assert_eq!(woken.len(), 2);
        woken.iter().for_each(assert_allowed);
        for worker in 0..2 {
            assert_eq!(proxy.request_on(worker, &request).status(), Some(200));
            assert_eq!(proxy.request_on(worker, &allowed()).status(), Some(200));
        }
    }
}

#[test]
fn a_key_that_the_provider_does_not_have_either_is_refused_as_soon_as_that_is_known() {
    for profile in HOLDING {
        let mut proxy = ready(profile, 2);
        let (_, request) = stranger();
        proxy.pass(5_000);
        assert_eq!(proxy.request(&request).outcome, Outcome::Held);
        proxy.pass(60);
        let call = proxy.the_call();
        let woken = proxy.answer(&call, Some((200, keys([&*KEY]).as_bytes())));
        assert_eq!(woken[0].code().as_deref(), Some("unknown_key"));
        assert_eq!(woken[0].status(), Some(401));
        for worker in 0..2 {
            let exchange = proxy.request_on(worker, &request);
            assert_eq!(exchange.code().as_deref(), Some("unknown_key"), "held no more");
        }
        proxy.pass(5_000);
        assert!(proxy.calls().is_empty());
    }
}

#[test]
fn an_unknown_key_is_refused_in_time_while_the_provider_is_silent() {
    let mut proxy = ready(Profile::Envoy, 1);
    let (_, request) = stranger();
    assert_eq!(proxy.request(&request).outcome, Outcome::Held);
    let woken = proxy.pass(5_000);
    assert_eq!(woken[0].1.code().as_deref(), Some("unknown_key"));
    assert!((2_000..2_100).contains(&woken[0].0), "{} ms", woken[0].0);
    assert_eq!(proxy.request(&allowed()).status(), Some(200));
}

#[test]
fn no_more_requests_are_held_than_there_is_room_for() {
    let mut proxy = Proxy::new(Profile::Envoy, &*REMOTE);
    for _ in 0..1_024 {
        assert_eq!(proxy.request(&allowed()).outcome, Outcome::Held);
    }
    assert_eq!(proxy.request(&allowed()).status(), Some(503));
    let woken = proxy.pass(2_500);
    assert_eq!(woken.len(), 1_024);
    assert!(woken.iter().all(|(_, exchange)| exchange.status() == Some(503)));
}

#[test]
fn a_client_that_goes_away_while_it_is_held_leaves_nothing_behind() {
    let mut proxy = Proxy::new(Profile::Envoy, &*REMOTE);
    for _ in 0..3_000 {
        assert_eq!(proxy.request(&allowed()).outcome, Outcome::Held);
        proxy.hang_up(0);
    }
    proxy.pass(100);
    let call = proxy.the_call();
    assert!(proxy.answer(&call, Some((200, keys([&*KEY]).as_bytes()))).is_empty());
    assert_eq!(proxy.request(&allowed()).status(), Some(200));
}

#[test]
fn whatever_the_provider_answers_the_keys_that_are_there_stay() {
    let long = vec![b' '; 300 * 1024];
    let answers: [Option<(u16, &[u8])>; 8] = [
        None,
        Some((200, b"")),
        Some((200, b"<html>")),
        Some((200, &[0xff; 99])),
        Some((200, b"{\"keys\":[]}")),
        Some((200, &long)),
        Some((500, b"")),
        Some((302, b"")),
    ];
    for profile in Profile::ALL {
        let mut proxy = ready(profile, 2);
        for answer in answers {
            while proxy.calls().is_empty() {
                proxy.pass(1_000);
                proxy.advance(50);
            }
            let call = proxy.the_call();
            proxy.take_log();
            proxy.answer(&call, answer);
            let log = proxy.take_log();
            assert!(log.iter().any(|(level, _)| *level == WARN), "{profile:?} {log:?}");
            proxy.pass(1_000);
            let now = proxy.now();
            let fresh = token().valid(now, now + 60).sign(&KEY).unwrap();
            let fresh = Request::get("/v1/contacts").bearer(&fresh);
            for worker in 0..2 {
                assert_eq!(proxy.request_on(worker, &fresh).status(), Some(200), "{profile:?}");
            }
            let status = "postern.keys.0.login_example.ready";
            assert_eq!(proxy.gauges()[status], 1, "{profile:?}");
        }
    }
}

#[test]
fn a_cluster_that_is_not_there_yet_is_told_of_and_tried_again() {
    let mut proxy = Proxy::new(Profile::Envoy, &*REMOTE);
    proxy.upstream("login", false);
    assert_eq!(proxy.request(&allowed()).outcome, Outcome::Held);
    proxy.pass(500);
    assert!(proxy.calls().is_empty());
    assert!(proxy.take_log().iter().any(|(_, line)| line.contains("cluster")));
    proxy.upstream("login", true);
    proxy.pass(1_100);
    let call = proxy.the_call();
    assert_allowed(&proxy.answer(&call, Some((200, keys([&*KEY]).as_bytes())))[0]);
}

#[test]
fn another_policy_has_the_keys_at_once() {
    let mut proxy = ready(Profile::Envoy, 2);
    let mut policy = remote();
    policy["revision"] = "fixture-2".into();
    assert!(proxy.reload(policy.to_string()));
    for worker in 0..2 {
        assert_eq!(proxy.request_on(worker, &allowed()).status(), Some(200));
    }
    proxy.pass(2_000);
    assert!(proxy.calls().is_empty());
}

#[test]
fn a_policy_that_replaces_another_amid_a_fetch_fetches_for_itself() {
    let mut proxy = Proxy::new(Profile::Envoy, &*REMOTE);
    proxy.pass(100);
    let lost = proxy.the_call();
    assert!(proxy.reload(&*REMOTE));
    assert_eq!(proxy.request(&allowed()).outcome, Outcome::Held);
    proxy.pass(100);
    let calls = proxy.calls();
    let call = calls.iter().find(|call| call.id != lost.id).expect("another call");
    assert_allowed(&proxy.answer(call, Some((200, keys([&*KEY]).as_bytes())))[0]);
}

#[test]
fn whether_keys_are_there_and_how_old_they_are_can_be_watched() {
    for profile in Profile::ALL {
        let mut proxy = Proxy::new(profile, &*REMOTE);
        let gauge =
            |proxy: &Proxy, what| proxy.gauges()[&format!("postern.keys.0.login_example.{what}")];
        proxy.pass(1_100);
        assert_eq!(gauge(&proxy, "ready"), 0, "{profile:?}");
        let call = proxy.the_call();
        proxy.answer(&call, None);
        proxy.pass(1_200);
        assert_eq!(gauge(&proxy, "failures"), 1, "{profile:?}");
        let call = proxy.the_call();
        proxy.answer(&call, Some((200, keys([&*KEY]).as_bytes())));
        proxy.pass(30_000);
        assert_eq!(gauge(&proxy, "ready"), 1, "{profile:?}");
        assert_eq!(gauge(&proxy, "failures"), 0, "{profile:?}");
        assert!((28..=30).contains(&gauge(&proxy, "age_seconds")), "{profile:?}");
    }
}

#[test]
fn a_remembered_token_costs_the_same_wherever_its_key_came_from() {
    let warm = |mut proxy: Proxy| {
        (0..5).for_each(|_| assert_eq!(proxy.request(&allowed()).status(), Some(200)));
        let exchange = proxy.request(&allowed());
        (exchange.calls, exchange.fuel)
    };
    let (remote, inline) =
        (warm(ready(Profile::Envoy, 1)), warm(Proxy::new(Profile::Envoy, &*POLICY)));
    assert_eq!(remote.0, inline.0);
    let (more, less) = (remote.1.max(inline.1), remote.1.min(inline.1));
    // Where in a table something lies differs from run to run.
    assert!(more - less < less / 10, "{remote:?} {inline:?}");
}

#[test]
fn a_policy_with_its_keys_in_place_is_never_ticked() {
    let mut proxy = Proxy::new(Profile::Envoy, &*POLICY);
    proxy
        .worker(0)
        .fail("proxy_get_current_time_nanoseconds", postern_tests::wasm_host::Fault::Trap);
    assert!(proxy.pass(5_000).is_empty());
    assert!(proxy.calls().is_empty() && proxy.gauges().is_empty());
}
