//! What is written down of a request, where, and what never is.
#![expect(clippy::string_slice, reason = "a test that cannot go on is to fail at once")]

use postern_tests::fixture::{AGENT, ISSUER, POLICY, allowed, denied, document, signed, token};
use postern_tests::wasm_host::{Outcome, Profile, Proxy, Request};
use serde_json::Value;

const INFO: u32 = 2;

#[test]
fn a_record_says_who_wanted_what_and_what_came_of_it() {
    let mut proxy = Proxy::new(Profile::Envoy, &*POLICY);
    let request = allowed().header("x-request-id", "request-1");
    let record = proxy.request(&request).record().unwrap();
    for (member, value) in [
        ("time", "2026-11-18T11:06:40.000Z"),
        ("decision", "allow"),
        ("request_id", "request-1"),
        ("policy", "fixture-1"),
        ("method", "GET"),
        ("path", "/v1/contacts"),
        ("permission", "contacts:read"),
        ("kind", "agent"),
        ("agent", AGENT),
        ("owner", "support"),
        ("subject", "ada"),
        ("issuer", ISSUER),
    ] {
        assert_eq!(record[member], value, "{member}: {record:#}");
    }
    let record = proxy.request(&denied()).record().unwrap();
    for (member, value) in [("decision", "deny"), ("code", "missing_token"), ("kind", "anonymous")]
    {
        assert_eq!(record[member], value, "{member}: {record:#}");
    }
    assert_eq!(record["status"], 401);
}

#[test]
fn the_upstream_the_caller_and_the_record_name_the_same_decision() {
    for profile in Profile::ALL {
        let mut proxy = Proxy::new(profile, &*POLICY);
        let exchange = proxy.request(&allowed());
        let record = |proxy: &mut Proxy| -> Value {
            serde_json::from_str(&proxy.take_log().pop().unwrap().1).unwrap()
        };
        let kept = exchange.record().unwrap_or_else(|| record(&mut proxy));
        assert_eq!(
            exchange.upstream("x-postern-decision-id").unwrap(),
            [kept["id"].as_str().unwrap()]
        );
        let exchange = proxy.request(&denied());
        let kept = exchange.record().unwrap_or_else(|| record(&mut proxy));
        let Outcome::Reply { body, .. } = exchange.outcome else { panic!("{profile:?}") };
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["decision"], kept["id"], "{profile:?}");
    }
}

#[test]
fn two_workers_never_give_two_decisions_one_name() {
    let mut proxy = Proxy::start(Profile::Envoy, Some(POLICY.as_bytes()), 2);
    let id = |worker, proxy: &mut Proxy| {
        proxy.request_on(worker, &denied()).record().unwrap()["id"].to_string()
    };
    let ids: Vec<_> = [0, 1, 0, 1].map(|worker| id(worker, &mut proxy)).to_vec();
    let different: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(different.len(), ids.len(), "{ids:?}");
}

#[test]
fn a_policy_that_logs_to_the_host_has_each_record_in_both_logs() {
    let mut policy = document();
    policy["audit"]["log"] = "host".into();
    for profile in Profile::ALL {
        let mut proxy = Proxy::new(profile, policy.to_string());
        for request in [allowed(), denied(), Request::get("/healthz")] {
            let exchange = proxy.request(&request);
            let mut log = proxy.take_log();
            // Told once, at the first request.
            log.retain(|(_, line)| !line.starts_with("signatures of"));
            let [(INFO, line)] = log.as_slice() else { panic!("{profile:?}: {log:?}") };
            let record: Value = serde_json::from_str(line).unwrap();
            assert_eq!(record["decision"] == "allow", exchange.status() == Some(200), "{line}");
            if let Some(kept) = exchange.record() {
                assert_eq!(kept, record);
            }
        }
    }
}

#[test]
fn rfc6750_5_3_no_part_of_a_token_and_nothing_of_a_query_is_ever_written_down_or_sent_back() {
    const SECRET: &str = "secret-of-the-query";
    let good = signed(&token());
    let (unsigned, signature) = good.rsplit_once('.').unwrap();
    let payload = unsigned.rsplit_once('.').unwrap().1;
    let broken = format!("{unsigned}.{}", signature.chars().rev().collect::<String>());
    for profile in Profile::ALL {
        let mut proxy = Proxy::new(profile, &*POLICY);
        for token in [&good, &broken, &good.replace('.', ","), &good.repeat(8)] {
            for path in ["/v1/contacts?a=", "/v1/../x?a=", "/v1/contacts?access_token=", "/?a="] {
                let request = Request::get(&format!("{path}{SECRET}")).bearer(token);
                let exchange = proxy.request(&request);
                let mut told = format!("{:?}", proxy.take_log());
                for value in exchange.properties.values() {
                    told.push_str(&String::from_utf8_lossy(value));
                }
                if let Outcome::Reply { headers, body, .. } = exchange.outcome {
                    let value = |(_, value): (Vec<u8>, Vec<u8>)| String::from_utf8(value).unwrap();
                    told.extend(headers.into_iter().map(value));
                    told.push_str(&body);
                }
                for secret in [&signature[..20], &payload[..20], SECRET] {
                    assert!(!told.contains(secret), "{profile:?} {path}: {told}");
                }
            }
        }
    }
}
