//! Agents that have lost their way: too many at once, denied over and over, changing what they never read.

use postern::decision::Answer;
use postern::limit::Receipt;
use postern_tests::engine::{Call, Gate, Outcome, call, compact, get, policy, problems, token};
use serde_json::{Value, json};

fn limiting(limits: Value) -> Value {
    let mut policy = policy();
    policy["limits"] = json!({ "agents": limits });
    policy
}

fn bot() -> String {
    compact(&token("support-bot", "support-bot", "crm.read crm.write"))
}

fn read() -> Call {
    get("/v1/contacts").bearer(&bot())
}

fn write(id: u32) -> Call {
    call("PUT", format!("/v1/contacts/{id}")).bearer(&bot())
}

/// What the agent may not do: its token lacks the scope.
fn forbidden() -> Call {
    let token = token("support-bot", "support-bot", "crm.read");
    call("PUT", "/v1/contacts/1").bearer(&compact(&token))
}

fn under_way(decision: &Outcome) -> &[Receipt] {
    match &decision.answer {
        Answer::Forward(forward) => &forward.under_way,
        Answer::Reply(reply) => panic!("{reply:?}"),
    }
}

fn codes(gate: &Gate, calls: &[&Call]) -> Vec<String> {
    calls.iter().map(|call| gate.ask(call).code()).collect()
}

#[test]
fn as_many_calls_as_may_be_are_under_way_and_one_more_when_one_ends() {
    let gate = Gate::new(&limiting(json!([{ "per": "agent", "concurrent": 2 }])));
    let (one, two) = (gate.ask(&read()), gate.ask(&read()));
    assert_eq!((under_way(&one).len(), under_way(&two).len()), (1, 1));
    let refused = gate.ask(&read());
    assert_eq!((refused.code().as_str(), refused.reply().status), ("too_many_concurrent", 429));
    assert_eq!(refused.response("retry-after"), ["1"]);
    assert_eq!(refused.response("ratelimit"), [r#""agent";r=0"#]);
    assert_eq!(
        refused.response("content-type"),
        ["application/problem+json"],
        "{:?}",
        refused.reply()
    );

    gate.engine.end(under_way(&one), &gate.world);
    let third = gate.ask(&read());
    assert_eq!(third.code(), "allow");
    assert_eq!(third.response("ratelimit-policy"), [r#""agent";q=2;qu="concurrent-requests""#]);
    assert_eq!(third.response("ratelimit"), [r#""agent";r=0"#]);
    // Once more for the same call ends no other.
    gate.engine.end(under_way(&one), &gate.world);
    gate.engine.end(under_way(&two), &gate.world);
    assert_eq!(codes(&gate, &[&read(), &read(), &read()])[2], "too_many_concurrent");
}

#[test]
fn a_call_of_which_no_end_is_heard_is_forgotten_after_its_longest() {
    let gate =
        Gate::new(&limiting(json!([{ "per": "agent", "concurrent": 1, "max_duration": "30s" }])));
    assert_eq!(codes(&gate, &[&read(), &read()]), ["allow", "too_many_concurrent"]);
    gate.world.set(30);
    assert_eq!(codes(&gate, &[&read()]), ["too_many_concurrent"]);
    gate.world.set(42);
    assert_eq!(codes(&gate, &[&read()]), ["allow"]);
}

#[test]
fn a_call_that_is_denied_after_all_is_not_under_way() {
    let mut policy = limiting(json!([{ "per": "agent", "concurrent": 1 }]));
    policy["limits"]["agents"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "per": "agent", "rate": "2/h" }));
    let gate = Gate::new(&policy);
    for _ in 0..2 {
        let decision = gate.ask(&read());
        gate.engine.end(under_way(&decision), &gate.world);
    }
    for _ in 0..3 {
        assert_eq!(gate.ask(&read()).code(), "rate_limited", "and not too many at once");
    }
}

#[test]
fn who_is_denied_over_and_over_is_stopped_for_a_while_and_longer_each_time() {
    let gate = Gate::new(&limiting(json!([
        { "per": "agent", "rate": "3/min", "counts": "denials", "pause": "10s" },
    ])));
    assert_eq!(gate.ask(&read()).response("ratelimit-policy"), [""; 0], "it limits no calls");
    let mut now = 0;
    for pause in [10, 20, 40] {
        for _ in 0..3 {
            assert_eq!(gate.ask(&forbidden()).code(), "insufficient_scope");
        }
        // From now on nothing it does passes, and is not counted as denied.
        for call in [forbidden(), read(), read()] {
            let refused = gate.ask(&call);
            assert_eq!(
                (refused.code().as_str(), refused.reply().status),
                ("too_many_denials", 429)
            );
            assert_eq!(refused.response("retry-after"), [pause.to_string()]);
            let told = [refused.response("ratelimit"), refused.response("ratelimit-policy")];
            assert_eq!(told.concat(), [""; 0], "nor are they told of it");
        }
        now += pause - 1;
        gate.world.set(now);
        assert_eq!(gate.ask(&read()).code(), "too_many_denials");
        now += 1;
        gate.world.set(now);
        assert_eq!(gate.ask(&read()).code(), "allow");
    }
}

#[test]
fn what_others_are_denied_is_nothing_to_an_agent() {
    let mut policy = limiting(json!([
        { "per": "agent", "rate": "1/min", "counts": "denials", "pause": "10s" },
    ]));
    policy["agents"]["research-bot"] = json!({ "ceiling": "reader" });
    let gate = Gate::new(&policy);
    assert_eq!(gate.ask(&forbidden()).code(), "insufficient_scope");
    let other =
        get("/v1/contacts").bearer(&compact(&token("research-bot", "research-bot", "crm.read")));
    assert_eq!(codes(&gate, &[&read(), &other]), ["too_many_denials", "allow"]);
}

#[test]
fn who_writes_more_than_it_reads_is_stopped_and_reading_makes_up_for_it() {
    let gate = Gate::new(&limiting(json!([
        { "per": "agent", "rate": "2/min", "counts": "writes", "per_read": 2 },
    ])));
    assert_eq!(codes(&gate, &[&write(1), &write(2)]), ["allow", "allow"]);
    let refused = gate.ask(&write(3));
    assert_eq!((refused.code().as_str(), refused.reply().status), ("too_many_writes", 429));
    assert_eq!(refused.response("retry-after"), ["30"]);
    assert_eq!(
        codes(&gate, &[&read(), &write(3), &write(4), &write(5)]),
        ["allow", "allow", "allow", "too_many_writes"]
    );
    // By itself it gets better too.
    gate.world.set(31);
    assert_eq!(codes(&gate, &[&write(5), &write(6)])[1], "too_many_writes");
}

#[test]
fn a_read_that_is_refused_makes_up_for_nothing() {
    let gate = Gate::new(&limiting(json!([
        { "per": "agent", "rate": "1/min", "counts": "writes" },
        { "per": "agent", "rate": "1/min", "permissions": ["contacts:read"] },
    ])));
    assert_eq!(
        codes(&gate, &[&read(), &write(1), &read(), &write(2)]),
        ["allow", "allow", "rate_limited", "too_many_writes"]
    );
}

#[test]
fn a_loop_pauses_too() {
    let gate = Gate::new(&limiting(json!([
        { "per": ["agent", "request"], "rate": "2/min", "pause": "1m" },
    ])));
    assert_eq!(codes(&gate, &[&read(), &read(), &read()])[2], "loop_detected");
    gate.world.set(59);
    assert_eq!(gate.ask(&read()).code(), "loop_detected");
    gate.world.set(60);
    assert_eq!(codes(&gate, &[&read(), &read(), &read()])[2], "loop_detected");
    assert_eq!(gate.ask(&read()).response("retry-after"), ["120"]);
}

#[test]
fn what_is_only_tried_stops_nobody_and_counts_nothing_that_nobody_ends() {
    let gate = Gate::new(&limiting(json!([
        { "per": "agent", "rate": "1/min", "counts": "denials", "mode": "shadow" },
        { "per": "agent", "concurrent": 1, "mode": "shadow" },
    ])));
    assert_eq!(gate.ask(&forbidden()).code(), "insufficient_scope");
    let one = gate.ask(&read());
    assert_eq!(one.record["shadow"], "too_many_denials");
    gate.engine.end(under_way(&one), &gate.world);

    let mut live = policy();
    live["candidate"] = limiting(json!([{ "per": "agent", "concurrent": 1 }]));
    let gate = Gate::new(&live);
    for _ in 0..4 {
        assert_eq!(gate.ask(&read()).record["candidate"], "allow");
    }
}

#[test]
fn what_makes_no_sense_is_told_at_load() {
    for (limit, expected) in [
        (
            json!({ "per": "agent" }),
            "limits.agents[0]: expected one of `rate`, `quota` and `concurrent`",
        ),
        (
            json!({ "per": "agent", "concurrent": 0 }),
            "limits.agents[0].concurrent: no call may be under way then: expected at least 1",
        ),
        (
            json!({ "per": "agent", "concurrent": 4096 }),
            "limits.agents[0]: expected at most 4095 at once",
        ),
        (
            json!({ "per": "agent", "rate": "1/min", "max_duration": "1m" }),
            "limits.agents[0].max_duration: only calls under way last: expected it of a limit of \
             `concurrent` ones",
        ),
        (
            json!({ "per": "agent", "concurrent": 1, "max_duration": "2d" }),
            "limits.agents[0].max_duration: expected at most `1d`",
        ),
        (
            json!({ "per": "agent", "quota": "1/day", "counts": "denials" }),
            "limits.agents[0].counts: expected `calls` or `cost`: these are counted by a `rate`",
        ),
        (
            json!({ "per": "agent", "concurrent": 1, "counts": "cost" }),
            "limits.agents[0].counts: expected `calls`: so many are under way, whatever they cost",
        ),
        (
            json!({ "per": "agent", "rate": "1/min", "per_read": 2 }),
            "limits.agents[0].per_read: only where `writes` are counted",
        ),
        (
            json!({ "per": "agent", "quota": "1/day", "pause": "1m" }),
            "limits.agents[0].pause: only a `rate` can be exceeded and pause, of at most 1000 calls a \
             second",
        ),
        (
            json!({ "per": "agent", "rate": "5000/s", "pause": "1m" }),
            "limits.agents[0].pause: only a `rate` can be exceeded and pause, of at most 1000 calls a \
             second",
        ),
        (
            json!({ "per": "agent", "rate": "1/min", "pause": "2h" }),
            "limits.agents[0].pause: expected at most `1h`",
        ),
    ] {
        assert_eq!(problems(&limiting(json!([limit]))), expected);
    }
}
