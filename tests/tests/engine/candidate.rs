//! A policy that is tried beside the one that is decided by.

use postern::feed::Response;
use postern_cli::mint::key_set;
use postern_tests::engine::{
    Call, Gate, Outcome, agent, call, delegate, get, key, policy, problems, user,
};
use serde_json::{Value, json};

/// The policy with another beside it: the same, but for what `change` does.
fn trying(change: impl FnOnce(&mut Value)) -> Value {
    let mut candidate = policy();
    candidate["revision"] = json!("edition-2");
    change(&mut candidate);
    let mut policy = policy();
    policy["candidate"] = candidate;
    policy
}

fn write() -> Call {
    call("PUT", "/v1/contacts/7")
}

fn verdicts(outcome: &Outcome) -> (String, &str) {
    (outcome.code(), outcome.record["candidate"].as_str().unwrap_or_default())
}

#[test]
fn what_the_candidate_would_decide_is_written_down_and_changes_nothing() {
    let stricter =
        Gate::new(&trying(|policy| policy["agents"]["support-bot"]["ceiling"] = json!("reader")));
    let by_bot = delegate("crm.write", &["editor"]);
    let outcome = stricter.ask(&write().bearer(&by_bot));
    assert_eq!(verdicts(&outcome), ("allow".to_owned(), "agent_ceiling"));
    assert_eq!(outcome.record["policy"], "edition-1");
    assert_eq!(outcome.record["candidate_policy"], "edition-2");
    assert!(outcome.record["candidate_reason"].is_string(), "{}", outcome.line);
    let outcome = stricter.ask(&write().bearer(&user("crm.write")));
    assert_eq!(verdicts(&outcome), ("allow".to_owned(), "allow"));
    assert_eq!(outcome.record.get("candidate_reason"), None);

    let looser = Gate::new(&trying(|policy| {
        policy["unregistered_agents"] = json!({ "ceiling": "reader" });
    }));
    let outcome = looser.ask(&get("/v1/contacts").bearer(&agent("stranger", "crm.read")));
    assert_eq!(verdicts(&outcome), ("agent_unknown".to_owned(), "allow"));
}

#[test]
fn no_answer_is_another_for_a_candidate() {
    let candidates: [&dyn Fn(&mut Value); 5] = [
        &|policy| policy["routes"] = json!([{ "path": "/v1/contacts", "public": true }]),
        &|policy| policy["mode"] = json!("shadow"),
        &|policy| policy["headers"] = json!({ "prefix": "x-other-" }),
        &|policy| policy["scopes"] = json!({}),
        &|policy| policy["issuers"][0]["audiences"] = json!(["https://other.example"]),
    ];
    let calls = [
        get("/v1/contacts").bearer(&user("crm.read")),
        get("/v1/contacts").bearer(&user("crm.read")).header("x-other-subject", "olga"),
        get("/v1/contacts").header("x-postern-subject", "olga"),
        write().bearer(&delegate("crm.write", &["editor"])),
        write().bearer(&user("crm.read")),
        get("/healthz"),
        get("/nowhere"),
        get("/v1/../x"),
    ];
    for change in candidates {
        let (alone, beside) = (Gate::new(&policy()), Gate::new(&trying(|policy| change(policy))));
        for call in &calls {
            let (one, other) = (alone.ask(call), beside.ask(call));
            assert_eq!(one.code(), other.code(), "{}", other.line);
            for header in ["x-postern-subject", "x-other-subject", "authorization"] {
                let told =
                    |outcome: &Outcome| (outcome.code() == "allow").then(|| outcome.told(header));
                assert_eq!(told(&one), told(&other), "{header}");
            }
            assert!(other.record["candidate"].is_string(), "{}", other.line);
        }
    }
}

#[test]
fn candidates_count_apart() {
    let limits =
        |burst: u32| json!({ "humans": [{ "per": "user", "rate": "60/min", "burst": burst }] });
    let mut policy = trying(|policy| policy["limits"] = limits(1));
    policy["limits"] = limits(2);
    let gate = Gate::new(&policy);
    let call = get("/v1/contacts").bearer(&user("crm.read"));
    let all: Vec<_> = (0..3).map(|_| gate.ask(&call)).collect();
    let all: Vec<_> = all.iter().map(verdicts).collect();
    assert_eq!(
        all,
        [
            ("allow".to_owned(), "allow"),
            ("allow".to_owned(), "rate_limited"),
            ("rate_limited".to_owned(), "rate_limited"),
        ]
    );
}

#[test]
fn uses_of_a_grant_are_counted_apart_too() {
    let grant = |uses: u32| {
        json!([{
            "agent": "support-bot", "permission": "exports:create", "until": "2027-01-15T09:00:00Z",
            "uses": uses, "beyond_user": true, "approved_by": "oncall", "reason": "INC-4711",
        }])
    };
    let mut policy = trying(|policy| policy["grants"] = grant(1));
    policy["grants"] = grant(1);
    let gate = Gate::new(&policy);
    let export = call("POST", "/v1/exports").bearer(&delegate("crm.read", &["editor"]));
    assert_eq!(verdicts(&gate.ask(&export)), ("allow".to_owned(), "allow"));
    assert_eq!(verdicts(&gate.ask(&export)), ("grant_exhausted".to_owned(), "grant_exhausted"));
}

#[test]
fn the_candidate_has_what_it_needs_fetched_and_nobody_waits_for_it() {
    let policy = trying(|policy| {
        policy["issuers"][0]["jwks"] =
            json!({ "url": "https://login.crm.example/keys", "cluster": "login" });
    });
    let gate = Gate::new(&policy);
    let call = get("/v1/contacts").bearer(&user("crm.read"));
    let outcome = gate.attempt(&call).unwrap();
    assert_eq!(verdicts(&outcome), ("allow".to_owned(), "not_ready"));
    gate.engine.tick(&gate.world);
    let sent = gate.world.take_fetches();
    assert_eq!(sent.len(), 1, "{sent:?}");
    let body = key_set([key()]).to_string();
    let response = Response {
        status: Some(200),
        length: body.len(),
        body: body.as_bytes(),
        ..Response::default()
    };
    assert!(gate.engine.fetched(sent[0].call, &response, &gate.world).is_some());
    assert_eq!(verdicts(&gate.ask(&call)), ("allow".to_owned(), "allow"));
}

#[test]
fn what_is_wrong_with_a_candidate_is_found_when_the_policy_is_read() {
    let wrong =
        problems(&trying(|policy| policy["routes"][1]["permission"] = json!("contacts:wrote")));
    assert!(wrong.starts_with("candidate.routes[1].permission: unknown permission"), "{wrong}");
    let warned = problems(&trying(|policy| policy["mode"] = json!("shadow")));
    assert!(warned.starts_with("candidate.mode: nobody is denied anything"), "{warned}");
    let nested = problems(&trying(|candidate| candidate["candidate"] = policy()));
    assert_eq!(nested, "candidate.candidate: a candidate has no candidate of its own");
    assert!(problems(&trying(|policy| *policy = json!(7))).starts_with("candidate: "));
}

#[test]
fn a_policy_is_known_by_the_same_name_with_and_without_a_candidate() {
    let version = |mut policy: Value| {
        policy.as_object_mut().unwrap().remove("revision");
        let outcome = Gate::new(&policy).ask(&get("/healthz"));
        outcome.record["policy"].as_str().unwrap().to_owned()
    };
    assert_eq!(version(policy()), version(trying(|_| {})));
}

#[test]
fn what_both_need_is_fetched_once() {
    let jwks = json!({ "url": "https://login.crm.example/keys", "cluster": "login" });
    let mut policy = trying(|policy| policy["issuers"][0]["jwks"] = jwks.clone());
    policy["issuers"][0]["jwks"] = jwks;
    let gate = Gate::new(&policy);
    gate.engine.tick(&gate.world);
    let sent = gate.world.take_fetches();
    assert_eq!(sent.len(), 1, "{sent:?}");
    let body = key_set([key()]).to_string();
    let response = Response {
        status: Some(200),
        length: body.len(),
        body: body.as_bytes(),
        ..Response::default()
    };
    assert!(gate.engine.fetched(sent[0].call, &response, &gate.world).is_some());
    gate.world.advance_millis(1_000);
    gate.engine.tick(&gate.world);
    assert_eq!(gate.world.take_fetches(), []);
    let call = get("/v1/contacts").bearer(&user("crm.read"));
    assert_eq!(verdicts(&gate.ask(&call)), ("allow".to_owned(), "allow"));
}
