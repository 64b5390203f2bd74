//! Limits that replicas share: what a policy may say, what a service is asked, and what callers get.

use postern::feed::Response;
use postern_tests::engine::{Call, Gate, Sent, World, compact, get, policy, problems, token};
use prost::Message;
use serde_json::{Value, json};

/// `envoy.service.ratelimit.v3.RateLimitRequest`, as its definition numbers it.
#[derive(Clone, PartialEq, Message)]
struct Question {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(message, repeated, tag = "2")]
    descriptors: Vec<Descriptor>,
    #[prost(uint32, tag = "3")]
    hits_addend: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Descriptor {
    #[prost(message, repeated, tag = "1")]
    entries: Vec<Entry>,
    #[prost(message, optional, tag = "2")]
    limit: Option<Override>,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Override {
    #[prost(uint32, tag = "1")]
    requests_per_unit: u32,
    #[prost(int32, tag = "2")]
    unit: i32,
}

/// `RateLimitResponse`.
#[derive(Clone, PartialEq, Message)]
struct Answer {
    #[prost(int32, tag = "1")]
    overall_code: i32,
    #[prost(message, repeated, tag = "2")]
    statuses: Vec<Status>,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(message, optional, tag = "2")]
    current_limit: Option<Override>,
    #[prost(uint32, tag = "3")]
    limit_remaining: u32,
    #[prost(message, optional, tag = "4")]
    duration_until_reset: Option<prost_types::Duration>,
}

const OK: i32 = 1;
const OVER_LIMIT: i32 = 2;

fn sharing(limit: &Value) -> Value {
    let mut policy = policy();
    policy["limits"] = json!({
        "shared": { "url": "http://127.0.0.1:8081", "cluster": "limits", "domain": "crm", "timeout": "2s" },
        "agents": [limit],
    });
    policy
}

fn bot() -> Call {
    get("/v1/contacts").bearer(&compact(&token("support-bot", "support-bot", "crm.read")))
}

fn question(sent: &Sent) -> Question {
    let message = sent.message.as_deref().unwrap();
    assert_eq!(message[0], 0, "not compressed");
    let length = u32::from_be_bytes(message[1..5].try_into().unwrap());
    assert_eq!(usize::try_from(length).unwrap(), message.len() - 5);
    Question::decode(&message[5..]).unwrap()
}

/// Sends what the worker wants to ask.
fn sent(gate: &Gate) -> Vec<Sent> {
    gate.engine.ledger().send(&gate.world);
    gate.world.take_fetches()
}

fn answer(gate: &Gate, sent: &Sent, code: i32, left: u32, seconds: i64) {
    let message = Answer {
        overall_code: code,
        statuses: vec![Status {
            current_limit: Some(Override { requests_per_unit: 600, unit: 2 }),
            limit_remaining: left,
            duration_until_reset: Some(prost_types::Duration { seconds, nanos: 0 }),
        }],
    };
    let message = message.encode_to_vec();
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let body = [&[0][..], &length, &message].concat();
    let response = Response {
        status: Some(200),
        length: body.len(),
        body: &body,
        grpc_status: Some(0),
        ..Response::default()
    };
    respond(gate, sent, &response);
}

fn respond(gate: &Gate, sent: &Sent, response: &Response<'_>) {
    let now = postern::host::Host::now(&gate.world);
    gate.engine.ledger().answered(sent.call, response, now);
}

#[test]
fn the_service_is_asked_for_units_of_a_bucket_that_it_cannot_tell_whose_is() {
    let gate = Gate::new(&sharing(
        &json!({ "per": "agent", "rate": "600/min", "shared": true, "name": "all" }),
    ));
    assert_eq!(gate.ask(&bot()).code(), "allow", "on the overdraft");
    let asked = sent(&gate);
    let [sent] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(
        (sent.upstream.as_str(), sent.url.as_str(), sent.timeout),
        (
            "limits",
            "http://127.0.0.1:8081/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit",
            2_000
        )
    );
    let question = question(sent);
    assert_eq!(
        (question.domain.as_str(), question.hits_addend),
        ("crm", 2),
        "one spent, one ahead"
    );
    let [Descriptor { entries, limit }] = &question.descriptors[..] else { panic!("{question:?}") };
    assert_eq!(*limit, Some(Override { requests_per_unit: 600, unit: 2 }));
    let [limit, key] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!((limit.key.as_str(), limit.value.as_str()), ("limit", "agents.all"));
    assert_eq!((key.key.as_str(), key.value.len()), ("key", 20));
    assert!(key.value.bytes().all(|digit| digit.is_ascii_hexdigit()), "{key:?}");
}

#[test]
fn what_the_service_says_is_left_is_what_callers_are_told() {
    let gate = Gate::new(&sharing(&json!({ "per": "agent", "quota": "600/hour", "shared": true })));
    assert_eq!(gate.ask(&bot()).response("ratelimit"), [r#""agent";r=599;t=3600"#]);
    answer(&gate, &sent(&gate)[0], OK, 41, 1_800);
    assert_eq!(gate.ask(&bot()).response("ratelimit"), [r#""agent";r=41;t=3600"#]);
    answer(&gate, &sent(&gate)[0], OVER_LIMIT, 0, 120);

    let refused = gate.ask(&bot());
    assert_eq!((refused.code().as_str(), refused.reply().status), ("budget_exhausted", 429));
    assert_eq!(refused.response("retry-after"), ["120"]);
    assert_eq!(refused.response("ratelimit"), [r#""agent";r=0;t=120"#]);
    assert!(sent(&gate).is_empty(), "it said no");
    gate.world.set(120);
    assert_eq!(gate.ask(&bot()).code(), "allow", "the next window");
}

#[test]
fn callers_beyond_the_overdraft_are_told_to_come_back_at_once() {
    let limit = json!({ "per": "agent", "rate": "6000/min", "shared": true, "overdraft": 2 });
    let gate = Gate::new(&sharing(&limit));
    let codes: Vec<_> = (0..3).map(|_| gate.ask(&bot()).code()).collect();
    assert_eq!(codes, ["allow", "allow", "rate_limited"]);
    assert_eq!(gate.ask(&bot()).response("retry-after"), ["1"]);
    answer(&gate, &sent(&gate)[0], OK, 5_000, 30);
    assert_eq!(gate.ask(&bot()).code(), "allow");
}

#[test]
fn nobody_passes_who_must_not_while_the_service_is_away() {
    for (on_failure, code) in
        [(None, "not_ready"), (Some("closed"), "not_ready"), (Some("local"), "allow")]
    {
        let mut limit = json!({ "per": "agent", "rate": "600/min", "shared": true });
        if let Some(on_failure) = on_failure {
            limit["on_failure"] = json!(on_failure);
        }
        let gate = Gate::new(&sharing(&limit));
        for _ in 0..3 {
            gate.ask(&bot());
            for sent in sent(&gate) {
                respond(&gate, &sent, &Response::default());
            }
        }
        assert_eq!(gate.ask(&bot()).code(), code, "{on_failure:?}");
    }
}

#[test]
fn even_then_no_proxy_admits_more_than_the_whole_limit() {
    let limit = json!({ "per": "agent", "rate": "5/min", "shared": true, "on_failure": "local" });
    let gate = Gate::new(&sharing(&limit));
    gate.world.send(false);
    let codes: Vec<_> = (0..20)
        .map(|_| {
            gate.engine.ledger().send(&gate.world);
            gate.ask(&bot()).code()
        })
        .collect();
    let allowed = codes.iter().filter(|code| *code == "allow").count();
    assert_eq!(allowed, 5, "{codes:?}");
}

#[test]
fn a_failed_call_is_given_back_to_the_lease() {
    let limit = json!({ "per": "agent", "quota": "600/day", "counts": "cost", "shared": true });
    let mut policy = sharing(&limit);
    policy["routes"][0]["cost"] = json!(20);
    let gate = Gate::new(&policy);
    gate.ask(&bot());
    answer(&gate, &sent(&gate)[0], OK, 580, 3_600);
    let paid = gate.ask(&bot());
    assert_eq!(paid.code(), "allow");
    let postern::decision::Answer::Forward(forward) = &paid.answer else { panic!("{paid:?}") };
    gate.engine.settle(&forward.receipts, 0, &gate.world);
    assert_eq!(gate.ask(&bot()).code(), "allow", "the same units once more");
    assert_eq!(gate.ask(&bot()).code(), "budget_exhausted");
}

#[test]
fn a_candidate_takes_nothing_from_anybody() {
    let mut live = policy();
    live["candidate"] = sharing(&json!({ "per": "agent", "rate": "600/min", "shared": true }));
    let gate = Gate::new(&live);
    gate.ask(&bot());
    assert!(sent(&gate).is_empty());
    assert_eq!(World::take_fetches(&gate.world), []);
}

#[test]
fn what_cannot_be_shared_is_told_at_load() {
    let service = |limit: Value| sharing(&limit);
    let mut alone = service(json!({ "per": "agent", "rate": "600/min", "shared": true }));
    alone["limits"].as_object_mut().unwrap().remove("shared");
    for (policy, expected) in [
        (
            alone,
            "limits.agents[0].shared: nobody counts it for all: expected `limits.shared`, with the \
             service that does",
        ),
        (
            service(json!({ "per": "agent", "rate": "100/10s", "shared": true })),
            "limits.agents[0]: limits that replicas share are counted by seconds, minutes, hours, days \
             or months: expected a `rate` of one of these, such as `600/min`, or a `quota`",
        ),
        (
            service(json!({ "per": "agent", "rate": "600/min", "on_failure": "local" })),
            "limits.agents[0].on_failure: only for a limit that is `shared`",
        ),
        (
            service(json!({ "per": "agent", "rate": "600/min", "overdraft": 1 })),
            "limits.agents[0].overdraft: only for a limit that is `shared`",
        ),
    ] {
        assert_eq!(problems(&policy), expected);
    }
    for (name, value, expected) in [
        (
            "url",
            "http://127.0.0.1:1/v3",
            "limits.shared.url: the path is that of the protocol: expected a URL without one",
        ),
        ("cluster", "", "limits.shared.cluster: expected 1 to 256 visible ASCII characters"),
        ("domain", " ", "limits.shared.domain: expected 1 to 256 visible ASCII characters"),
        ("timeout", "11s", "limits.shared.timeout: expected at most `10s`"),
    ] {
        let mut policy = service(json!({ "per": "agent", "rate": "600/min", "shared": true }));
        policy["limits"]["shared"][name] = json!(value);
        assert_eq!(problems(&policy), expected);
    }
}
