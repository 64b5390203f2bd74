//! A proxy whose functions fail, one at a time and in every way: no trap, and nothing gets
//! through that should not.

use postern_tests::fixture::{KEY, POLICY, REMOTE, RESERVED, allowed, denied};
use postern_tests::wasm_host::{Fault, Filter, Outcome, Profile, Proxy};

/// Every status of the ABI, and two it does not have.
const STATUSES: [u32; 14] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, u32::MAX];

/// Without these a request is still decided and forwarded rightly, if its keys are there.
const DISPENSABLE: [&str; 10] = [
    "proxy_call_foreign_function",
    "proxy_continue_stream",
    "proxy_define_metric",
    "proxy_http_call",
    "proxy_increment_metric",
    "proxy_log",
    "proxy_record_metric",
    "proxy_set_effective_context",
    "proxy_set_property",
    "proxy_set_tick_period_milliseconds",
];

const FUNCTIONS: [&str; 20] = [
    "proxy_add_header_map_value",
    "proxy_call_foreign_function",
    "proxy_continue_stream",
    "proxy_define_metric",
    "proxy_get_buffer_bytes",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_header_map_pairs",
    "proxy_get_property",
    "proxy_get_shared_data",
    "proxy_http_call",
    "proxy_increment_metric",
    "proxy_log",
    "proxy_record_metric",
    "proxy_remove_header_map_value",
    "proxy_send_local_response",
    "proxy_set_effective_context",
    "proxy_set_header_map_pairs",
    "proxy_set_property",
    "proxy_set_shared_data",
    "proxy_set_tick_period_milliseconds",
];

fn faults() -> Vec<Fault> {
    let statuses = STATUSES.into_iter().map(Fault::Status);
    statuses.chain([Fault::Silent, Fault::Elsewhere]).collect()
}

#[test]
fn every_function_the_filter_asks_for_is_tried() {
    for import in Filter::this().imports() {
        let tried = import.strip_prefix("env.").is_none_or(|name| FUNCTIONS.contains(&name));
        assert!(tried, "`{import}`");
    }
}

#[test]
fn no_failing_function_traps_the_filter_or_lets_a_denied_request_through() {
    for profile in Profile::ALL {
        for function in FUNCTIONS {
            for fault in faults() {
                let mut proxy = Proxy::new(profile, &*POLICY);
                proxy.worker(0).fail(function, fault);
                for request in [denied(), denied().header(RESERVED, "spoofed")] {
                    let exchange = proxy.request(&request);
                    let told = format!("{profile:?} {function} {fault:?}: {exchange:?}");
                    assert_eq!(exchange.trap, None, "{told}");
                    assert_eq!(exchange.upstream(RESERVED), None, "{told}");
                }
            }
        }
    }
}

#[test]
fn a_request_that_would_be_allowed_is_forwarded_as_decided_or_not_at_all() {
    for profile in Profile::ALL {
        for function in FUNCTIONS {
            for status in STATUSES {
                let mut proxy = Proxy::new(profile, &*POLICY);
                proxy.worker(0).fail(function, Fault::Status(status));
                let exchange = proxy.request(&allowed());
                let told = format!("{profile:?} {function} {status}: {exchange:?}");
                assert_eq!(exchange.trap, None, "{told}");
                match exchange.upstream(RESERVED) {
                    Some(identity) => assert_eq!(identity.len(), 1, "{told}"),
                    None => assert!(!DISPENSABLE.contains(&function), "{told}"),
                }
                proxy.worker(0).heal();
                assert_eq!(proxy.request(&allowed()).status(), Some(200), "{told}");
            }
        }
    }
}

#[test]
fn while_keys_are_fetched_no_failing_function_traps_the_filter_or_opens_it() {
    let keys = postern_cli::mint::key_set([&*KEY]).to_string();
    for profile in Profile::ALL {
        for function in FUNCTIONS {
            for fault in faults() {
                let mut proxy = Proxy::new(profile, &*REMOTE);
                proxy.worker(0).fail(function, fault);
                let told = format!("{profile:?} {function} {fault:?}");
                let spoofed = denied().header(RESERVED, "spoofed");
                let first = [proxy.request(&allowed()), proxy.request(&spoofed)];
                let mut woken: Vec<_> = proxy.pass(100).into_iter().map(|one| one.1).collect();
                for call in proxy.calls() {
                    woken.extend(proxy.answer(&call, Some((200, keys.as_bytes()))));
                }
                woken.extend(proxy.pass(2_500).into_iter().map(|one| one.1));
                for exchange in first.iter().chain(&woken) {
                    assert_eq!(exchange.trap, None, "{told}");
                    let seen = exchange.upstream(RESERVED).unwrap_or_default();
                    assert!(seen.iter().all(|one| one == "support-bot"), "{told}: {exchange:?}");
                }
                assert_eq!(first[1].upstream(RESERVED), None, "{told}");
                proxy.worker(0).heal();
                assert_eq!(proxy.request(&denied()).status(), Some(401), "{told}");
            }
        }
    }
}

#[test]
fn a_denial_that_the_proxy_does_not_send_holds_the_request() {
    let mut proxy = Proxy::new(Profile::Envoy, &*POLICY);
    proxy.worker(0).fail("proxy_send_local_response", Fault::Status(10));
    assert_eq!(proxy.request(&denied()).outcome, Outcome::Held);
}

#[test]
fn a_proxy_that_cannot_be_made_out_is_trusted_with_nothing() {
    let mut proxy = Proxy::new(Profile::Envoy, &*POLICY);
    proxy.worker(0).fail("proxy_get_property", Fault::Status(10));
    assert_eq!(proxy.request(&allowed().header(RESERVED, "spoofed")).status(), Some(400));
    proxy.worker(0).heal();
    assert_eq!(proxy.request(&allowed().header(RESERVED, "spoofed")).status(), Some(200));
}

#[test]
fn a_proxy_that_calls_back_before_it_answers_traps_nothing() {
    for profile in Profile::ALL {
        let mut proxy = Proxy::new(profile, &*POLICY);
        proxy.worker(0).interrupt();
        for (request, status) in [(allowed(), 200), (denied(), 401)] {
            let exchange = proxy.request(&request);
            assert_eq!(exchange.trap, None);
            assert_eq!(exchange.status(), Some(status), "{profile:?}: {exchange:?}");
        }
    }
}

#[test]
fn a_denial_for_want_of_a_proxy_that_works_is_written_down_and_no_allowance_is() {
    for function in ["proxy_get_header_map_pairs", "proxy_set_header_map_pairs"] {
        let mut proxy = Proxy::new(Profile::Envoy, &*POLICY);
        proxy.worker(0).fail(function, Fault::Status(10));
        let exchange = proxy.request(&allowed());
        assert_eq!(exchange.status(), Some(503));
        let record = String::from_utf8(exchange.properties["postern"].clone()).unwrap();
        assert!(record.contains("not_ready") && !record.contains("allow"), "{record}");
        assert!(proxy.take_log().iter().any(|(_, line)| *line == record));
    }
}

#[test]
fn a_record_that_the_access_log_cannot_have_goes_to_the_log() {
    for profile in Profile::ALL {
        let mut proxy = Proxy::new(profile, &*POLICY);
        let exchange = proxy.request(&allowed());
        let logged = proxy.take_log().iter().any(|(_, line)| line.contains("allow"));
        let kept = exchange.properties.contains_key("postern");
        assert!(logged != kept, "{profile:?}: {exchange:?}");

        proxy.worker(0).fail("proxy_set_property", Fault::Status(1));
        proxy.request(&allowed());
        assert!(proxy.take_log().iter().any(|(_, line)| line.contains("allow")), "{profile:?}");
    }
}
