//! Opaque tokens, by the compiled filter, on every host.

use postern_tests::fixture::{
    AGENT, AUDIENCE, ISSUER, POLICY, allowed, assert_allowed, denied, document,
};
use postern_tests::wasm_host::{Call, Exchange, Fault, Outcome, Profile, Proxy, Request, START};
use serde_json::{Value, json};

/// Hosts on which a request can be held.
const HOLDING: [Profile; 2] = [Profile::Envoy, Profile::ProxyWasmHost];
/// Hosts on which none can.
const OTHERS: [Profile; 2] = [Profile::Nginx, Profile::TrafficServer];

const INACTIVE: Option<(u16, &[u8])> = Some((200, br#"{"active":false}"#));

fn asking() -> Value {
    let mut policy = document();
    policy["issuers"][0]["introspection"] = json!({
        "url": "https://login.example/introspect",
        "cluster": "login",
        "client_id": "gateway",
        "client_secret": "s3cr3t",
    });
    policy
}

fn proxy(profile: Profile, workers: usize) -> Proxy {
    let mut proxy = Proxy::start(profile, Some(asking().to_string().as_bytes()), workers);
    assert!(proxy.configured, "{:?}", proxy.take_log());
    proxy
}

fn opaque(token: &str) -> Request {
    Request::get("/v1/contacts").bearer(token)
}

/// What the issuer says of the agent's token.
fn active() -> String {
    json!({
        "active": true,
        "token_type": "Bearer",
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ada",
        "client_id": AGENT,
        "act": { "sub": AGENT },
        "roles": ["reader"],
        "scope": "contacts.read",
        "iat": START,
        "exp": START + 3_600,
    })
    .to_string()
}

fn yes(body: &str) -> Option<(u16, &[u8])> {
    Some((200, body.as_bytes()))
}

fn assert_not_ready(exchange: &Exchange) {
    assert_eq!((exchange.status(), exchange.code().as_deref()), (Some(503), Some("not_ready")));
    assert_eq!(exchange.answer("retry-after").as_deref(), Some("1"));
}

#[test]
fn a_request_is_held_until_the_issuer_has_said_what_its_token_is() {
    for profile in HOLDING {
        let mut proxy = proxy(profile, 1);
        assert_eq!(proxy.request(&opaque("op-1")).outcome, Outcome::Held);
        // At once, and no tick had to come.
        let call = proxy.the_call();
        let field = |name: &str| {
            let mut all = call.headers.iter().filter(|(field, _)| field == name.as_bytes());
            all.next().map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        };
        assert_eq!((call.upstream.as_str(), call.timeout), ("login", 5_000));
        assert_eq!(field(":method").as_deref(), Some("POST"));
        assert_eq!(field(":path").as_deref(), Some("/introspect"));
        assert_eq!(field("content-type").as_deref(), Some("application/x-www-form-urlencoded"));
        assert_eq!(field("accept").as_deref(), Some("application/json"));
        assert_eq!(field("authorization").as_deref(), Some("Basic Z2F0ZXdheTpzM2NyM3Q="));
        assert_eq!(call.body, b"token=op-1&token_type_hint=access_token");
        let woken = proxy.answer(&call, yes(&active()));
        assert_eq!(woken.len(), 1);
        woken.iter().for_each(assert_allowed);
        assert_allowed(&proxy.request(&opaque("op-1")));
        assert!(proxy.calls().is_empty());
    }
}

#[test]
fn an_inactive_token_is_refused_as_soon_as_that_is_known_and_then_at_once() {
    for profile in HOLDING {
        let mut proxy = proxy(profile, 1);
        assert_eq!(proxy.request(&opaque("op-1")).outcome, Outcome::Held);
        let call = proxy.the_call();
        let woken = proxy.answer(&call, INACTIVE);
        assert_eq!(woken[0].status(), Some(401));
        assert_eq!(woken[0].code().as_deref(), Some("invalid_token"));
        assert_eq!(proxy.request(&opaque("op-1")).status(), Some(401));
        assert!(proxy.calls().is_empty());
    }
}

#[test]
fn all_who_come_with_one_token_wait_for_one_question_and_are_woken_together() {
    for profile in HOLDING {
        let mut proxy = proxy(profile, 2);
        for _ in 0..50 {
            assert_eq!(proxy.request_on(0, &opaque("op-1")).outcome, Outcome::Held);
            assert_eq!(proxy.request_on(1, &opaque("op-1")).outcome, Outcome::Held);
        }
        // Workers know nothing of one another.
        let calls = proxy.calls();
        assert_eq!(calls.len(), 2);
        for call in calls {
            let woken = proxy.answer(&call, yes(&active()));
            assert_eq!(woken.len(), 50);
            woken.iter().for_each(assert_allowed);
        }
    }
}

#[test]
fn who_waits_for_one_token_is_not_woken_by_the_answers_about_others() {
    let mut proxy = proxy(Profile::Envoy, 1);
    assert_eq!(proxy.request(&opaque("op-1")).outcome, Outcome::Held);
    let first = proxy.the_call();
    for number in 0..40 {
        assert_eq!(proxy.request(&opaque(&format!("bad-{number}"))).outcome, Outcome::Held);
        let calls = proxy.calls();
        let other = calls.iter().find(|call| call.id != first.id).unwrap();
        let woken = proxy.answer(other, INACTIVE);
        assert_eq!(woken.len(), 1);
        assert_eq!(woken[0].status(), Some(401));
    }
    woken_as_allowed(&mut proxy, &first);
}

fn woken_as_allowed(proxy: &mut Proxy, call: &Call) {
    let woken = proxy.answer(call, yes(&active()));
    assert_eq!(woken.len(), 1);
    woken.iter().for_each(assert_allowed);
}

#[test]
fn an_answer_comes_even_if_the_request_that_led_to_the_question_has_gone() {
    for profile in HOLDING {
        let mut proxy = proxy(profile, 1);
        assert_eq!(proxy.request(&opaque("op-1")).outcome, Outcome::Held);
        proxy.hang_up(0);
        let call = proxy.the_call();
        assert_eq!(proxy.request(&opaque("op-1")).outcome, Outcome::Held);
        assert_eq!(proxy.calls().len(), 1, "it is asked once");
        woken_as_allowed(&mut proxy, &call);
        proxy.hang_up(0);
        assert_allowed(&proxy.request(&opaque("op-1")));
    }
}

#[test]
fn whatever_the_issuer_does_instead_of_an_answer_is_a_503_at_once() {
    let long = vec![b' '; 20 * 1_024];
    let answers: [Option<(u16, &[u8])>; 9] = [
        None,
        Some((200, b"")),
        Some((200, b"<html>")),
        Some((200, &[0xff; 99])),
        Some((200, b"[true]")),
        Some((200, br#"{"active":true,"active":true}"#)),
        Some((200, &long)),
        Some((401, br#"{"error":"invalid_client"}"#)),
        Some((500, b"")),
    ];
    for profile in HOLDING {
        for answer in answers {
            let mut proxy = proxy(profile, 1);
            assert_eq!(proxy.request(&opaque("op-1")).outcome, Outcome::Held);
            let call = proxy.the_call();
            let woken = proxy.answer(&call, answer);
            assert_not_ready(&woken[0]);
            assert_not_ready(&proxy.request(&opaque("op-1")));
            assert!(proxy.calls().is_empty());
            assert_eq!(proxy.request(&allowed()).status(), Some(200), "who signs is not asked");
            proxy.advance(1);
            assert_eq!(proxy.request(&opaque("op-1")).outcome, Outcome::Held);
            let call = proxy.the_call();
            woken_as_allowed(&mut proxy, &call);
        }
    }
}

#[test]
fn nobody_is_held_for_longer_than_the_policy_says_and_a_late_answer_serves_the_next() {
    for profile in HOLDING {
        let mut proxy = proxy(profile, 1);
        assert_eq!(proxy.request(&opaque("op-1")).outcome, Outcome::Held);
        let call = proxy.the_call();
        let woken = proxy.pass(4_000);
        let [(after, exchange)] = &woken[..] else { panic!("{woken:?}") };
        assert!((2_000..2_100).contains(after), "{after} ms");
        assert_not_ready(exchange);
        assert!(proxy.answer(&call, yes(&active())).is_empty());
        assert_allowed(&proxy.request(&opaque("op-1")));
    }
}

#[test]
fn when_nobody_waits_a_worker_that_can_hold_requests_is_not_ticked() {
    for profile in HOLDING {
        let mut proxy = proxy(profile, 1);
        assert_eq!(proxy.request(&opaque("op-1")).outcome, Outcome::Held);
        let call = proxy.the_call();
        woken_as_allowed(&mut proxy, &call);
        proxy.pass(100);
        proxy.worker(0).fail("proxy_get_current_time_nanoseconds", Fault::Trap);
        proxy.pass(5_000);
    }
}

#[test]
fn where_no_request_can_be_held_the_next_one_finds_the_answer() {
    for profile in OTHERS {
        let mut proxy = proxy(profile, 1);
        for (token, answer, code) in [
            ("op-1", yes(&active()), None),
            ("op-2", INACTIVE, Some("invalid_token")),
            ("op-3", None, Some("not_ready")),
        ] {
            assert_not_ready(&proxy.request(&opaque(token)));
            assert!(proxy.calls().is_empty(), "a request sends nothing here");
            assert_not_ready(&proxy.request(&opaque(token)));
            // In time for whoever comes back after the second that they were told.
            proxy.pass(300);
            let call = proxy.the_call();
            assert_not_ready(&proxy.request(&opaque(token)));
            assert!(proxy.answer(&call, answer).is_empty());
            let exchange = proxy.request(&opaque(token));
            assert_eq!(exchange.code().as_deref(), code, "{profile:?} {exchange:?}");
            assert_eq!(exchange.status() == Some(200), code.is_none());
            assert!(proxy.calls().is_empty());
        }
    }
}

#[test]
fn an_upstream_that_is_not_there_is_told_of_and_who_waits_is_answered_soon() {
    let mut proxy = proxy(Profile::Envoy, 1);
    proxy.upstream("login", false);
    proxy.take_log();
    assert_eq!(proxy.request(&opaque("op-1")).outcome, Outcome::Held);
    let woken = proxy.pass(100);
    assert_not_ready(&woken[0].1);
    let log = proxy.take_log();
    assert!(log.iter().any(|(_, line)| line.contains("is there such a cluster?")), "{log:?}");
    proxy.upstream("login", true);
    proxy.advance(1);
    assert_eq!(proxy.request(&opaque("op-1")).outcome, Outcome::Held);
    let call = proxy.the_call();
    woken_as_allowed(&mut proxy, &call);
}

#[test]
fn no_token_and_no_secret_is_ever_logged() {
    for profile in Profile::ALL {
        let mut proxy = proxy(profile, 1);
        for (number, answer) in [None, INACTIVE, Some((500, &b""[..]))].into_iter().enumerate() {
            proxy.request(&opaque(&format!("s3cr3t-{number}")));
            proxy.pass(300);
            for call in proxy.calls() {
                proxy.answer(&call, answer);
            }
            proxy.request(&opaque(&format!("s3cr3t-{number}")));
        }
        let log = proxy.take_log();
        assert!(!log.is_empty());
        for secret in ["s3cr3t", "czNjcjN0"] {
            assert!(log.iter().all(|(_, line)| !line.contains(secret)), "{log:?}");
        }
    }
}

#[test]
fn another_policy_asks_anew_and_does_not_take_what_the_old_one_asked() {
    let mut proxy = proxy(Profile::Envoy, 1);
    assert_eq!(proxy.request(&opaque("op-1")).outcome, Outcome::Held);
    let old = proxy.the_call();
    let mut policy = asking();
    policy["revision"] = json!("fixture-2");
    policy["issuers"][0]["clients"] = json!(["somebody-else"]);
    assert!(proxy.reload(policy.to_string()));
    assert!(proxy.answer(&old, yes(&active())).is_empty());
    assert_eq!(proxy.request(&opaque("op-1")).outcome, Outcome::Held);
    let call = proxy.the_call();
    let woken = proxy.answer(&call, yes(&active()));
    assert_eq!(woken[0].code().as_deref(), Some("wrong_audience"));
    // Whoever came under the old policy is answered in time, and not let through.
    let woken = proxy.pass(2_500);
    assert_not_ready(&woken[0].1);
}

#[test]
fn random_tokens_are_each_asked_about_once_and_cost_no_memory() {
    let mut proxy = proxy(Profile::Envoy, 1);
    let mut send = |number: u32| {
        let request = opaque(&format!("{number}-{}", "x".repeat(2_000)));
        assert_eq!(proxy.request(&request).outcome, Outcome::Held);
        let call = proxy.the_call();
        assert_eq!(proxy.answer(&call, INACTIVE)[0].status(), Some(401));
        assert_eq!(proxy.request(&request).status(), Some(401));
        proxy.take_log();
        proxy.worker(0).memory_size()
    };
    let before = (0..200).map(&mut send).max().unwrap();
    let after = (200..6_000).map(&mut send).max().unwrap();
    assert_eq!(after, before);
}

#[test]
fn a_flood_of_tokens_takes_no_more_questions_than_there_is_room_for() {
    let mut proxy = proxy(Profile::Envoy, 1);
    let held = (0..2_000).map(|number| proxy.request(&opaque(&format!("op-{number}")))).filter(
        |exchange| match exchange.status() {
            None => true,
            Some(_) => {
                assert_not_ready(exchange);
                false
            }
        },
    );
    assert_eq!(held.count(), 64);
    assert_eq!(proxy.calls().len(), 64);
    assert_eq!(proxy.request(&allowed()).status(), Some(200));
    assert_eq!(proxy.request(&denied()).status(), Some(401));
}

#[test]
fn a_remembered_opaque_token_costs_what_a_remembered_jwt_does() {
    let warm = |mut proxy: Proxy, request: &Request| {
        (0..5).for_each(|_| assert_eq!(proxy.request(request).status(), Some(200)));
        let exchange = proxy.request(request);
        (exchange.calls, exchange.fuel)
    };
    let mut asked = proxy(Profile::Envoy, 1);
    assert_eq!(asked.request(&opaque("op-1")).outcome, Outcome::Held);
    let call = asked.the_call();
    woken_as_allowed(&mut asked, &call);
    let (opaque, jwt) =
        (warm(asked, &opaque("op-1")), warm(Proxy::new(Profile::Envoy, &*POLICY), &allowed()));
    println!("{opaque:?} {jwt:?}");
    assert_eq!(opaque.0, jwt.0);
    assert!(opaque.1 < jwt.1 + jwt.1 / 10, "{opaque:?} {jwt:?}");
}

#[test]
fn a_host_that_calls_back_in_the_midst_of_every_call_gets_the_same_answers() {
    for profile in HOLDING {
        let mut proxy = proxy(profile, 1);
        proxy.worker(0).interrupt();
        assert_eq!(proxy.request(&opaque("op-1")).outcome, Outcome::Held);
        let call = proxy.the_call();
        woken_as_allowed(&mut proxy, &call);
        assert_eq!(proxy.request(&opaque("op-2")).outcome, Outcome::Held);
        let call = proxy.the_call();
        assert_eq!(proxy.answer(&call, INACTIVE)[0].status(), Some(401));
        assert_eq!(proxy.request(&opaque("op-3")).outcome, Outcome::Held);
        assert_not_ready(&proxy.pass(2_100)[0].1);
    }
}

#[test]
fn every_function_of_the_host_may_fail_and_nobody_is_let_through_for_it() {
    let functions = [
        "proxy_http_call",
        "proxy_set_effective_context",
        "proxy_set_tick_period_milliseconds",
        "proxy_get_current_time_nanoseconds",
        "proxy_get_buffer_bytes",
        "proxy_get_header_map_pairs",
        "proxy_continue_stream",
    ];
    for function in functions {
        for fault in [Fault::Status(10), Fault::Silent, Fault::Elsewhere] {
            let mut proxy = proxy(Profile::Envoy, 1);
            proxy.worker(0).fail(function, fault);
            let exchange = proxy.request(&opaque("op-1"));
            assert_ne!(exchange.status(), Some(200), "{function} {fault:?}");
            for call in proxy.calls() {
                for exchange in proxy.answer(&call, INACTIVE) {
                    assert_ne!(exchange.status(), Some(200), "{function} {fault:?}");
                }
            }
            for (_, exchange) in proxy.pass(3_000) {
                assert_ne!(exchange.status(), Some(200), "{function} {fault:?}");
            }
        }
    }
}
