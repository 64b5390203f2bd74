//! How agents behave, beside how they used to: what is unusual, and what a policy makes of it.

use postern::decision::Answer;
use postern_cli::mint::AccessToken;
use postern_tests::engine::{
    Call, Gate, NOW, Outcome, World, call, compact, get, policy, problems, token,
};
use serde_json::{Value, json};

const MINUTE: i64 = 60;

/// Agents are known after ten minutes; contacts are read by whoever behaves.
fn watching() -> Value {
    let mut policy = policy();
    policy["behaviour"] = json!({ "learning": "10m" });
    policy["agents"]["crm-sync"] = json!({ "ceiling": "editor" });
    policy["routes"][0]["require"] = json!(["caller.kind != 'agent' || behaviour.score < 0.5"]);
    policy
}

/// A token for the whole test.
fn lasting(token: AccessToken) -> String {
    compact(&token.claim("exp", NOW + 3 * 3_600))
}

fn bot(scope: &str) -> String {
    lasting(token("support-bot", "support-bot", scope))
}

fn read() -> Call {
    get("/v1/contacts").bearer(&bot("crm.read crm.write"))
}

fn write() -> Call {
    call("PUT", "/v1/contacts/7").bearer(&bot("crm.read crm.write"))
}

/// What the agent may not do.
fn forbidden() -> Call {
    call("PUT", "/v1/contacts/7").bearer(&bot("crm.read"))
}

/// Some calls of a well-known agent: 20 a minute, for 20 minutes.
fn acquaint(gate: &Gate) {
    gate.world.call_from("192.0.2.1:1");
    for minute in 0..20 {
        gate.world.set(MINUTE * minute);
        for _ in 0..20 {
            assert_eq!(gate.ask(&read()).code(), "allow");
        }
    }
    gate.world.set(MINUTE * 20);
}

fn times(gate: &Gate, count: usize, call: &Call) -> Vec<Outcome> {
    (0..count).map(|_| gate.ask(call)).collect()
}

/// The number of a record's member.
fn noted(outcome: &Outcome, name: &str) -> f64 {
    outcome.record[name].as_f64().unwrap_or_else(|| panic!("{}", outcome.record))
}

fn fail(gate: &Gate, call: &Call, status: u16) {
    let outcome = gate.ask(call);
    let Answer::Forward(forward) = &outcome.answer else { panic!("{}", outcome.code()) };
    gate.engine.responded(forward.watched.unwrap(), status);
}

#[test]
fn an_agent_that_does_what_it_always_did_has_no_score() {
    let gate = Gate::new(&watching());
    acquaint(&gate);
    let last = times(&gate, 20, &read()).pop().unwrap();
    assert_eq!((noted(&last, "behaviour_score"), last.code().as_str()), (0.0, "allow"));
    assert_eq!(last.record["behaviour_known"], true);
    assert_eq!(last.record["behaviour_rate"], Value::Null, "what is nothing is not written");
}

#[test]
fn an_agent_that_calls_much_more_than_ever_is_told_from_itself_and_from_others() {
    let gate = Gate::new(&watching());
    acquaint(&gate);
    let outcomes = times(&gate, 80, &read());
    let codes: Vec<_> = outcomes.iter().map(Outcome::code).collect();
    let first = codes.iter().position(|code| code == "condition_failed").unwrap();
    // Three times as many as ever are a half.
    assert_eq!(first, 59);
    assert!(codes[first..].iter().all(|code| code == "condition_failed"), "it goes on calling");
    assert_eq!(noted(&outcomes[79], "behaviour_rate"), 0.666);
    for other in [token("crm-sync", "crm-sync", "crm.read"), token("rep-7", "web", "crm.read")] {
        let other = get("/v1/contacts").bearer(&lasting(other));
        assert_eq!(gate.ask(&other).code(), "allow");
    }
    // Once it keeps to what is usual for an interval and the rest of the one at hand.
    gate.world.set(MINUTE * 22);
    assert_eq!(gate.ask(&read()).code(), "allow");
}

#[test]
fn who_was_denied_for_its_score_alone_does_not_stay_denied_for_being_denied() {
    let gate = Gate::new(&watching());
    acquaint(&gate);
    for _ in 0..200 {
        gate.ask(&read());
    }
    let denied = gate.ask(&read());
    assert_eq!(denied.code(), "condition_failed");
    assert_eq!(denied.record["behaviour_failures"], Value::Null);
}

#[test]
fn what_an_agent_may_not_and_what_the_backend_refuses_are_failures_of_it() {
    let gate = Gate::new(&watching());
    times(&gate, 10, &forbidden());
    let tenth = gate.ask(&read());
    // 10 of 11 calls, and 10 that nobody made.
    assert_eq!((noted(&tenth, "behaviour_failures"), tenth.code().as_str()), (0.476, "allow"));
    (0..2).for_each(|_| fail(&gate, &read(), 404));
    assert_eq!(gate.ask(&read()).code(), "condition_failed", "12 of 14");

    let gate = Gate::new(&watching());
    (0..9).for_each(|_| fail(&gate, &write(), 503));
    assert_eq!(gate.ask(&write()).record["behaviour_failures"], Value::Null, "not its doing");
}

#[test]
fn operations_that_an_agent_never_used_are_new_once() {
    let mut policy = watching();
    for n in 0..3 {
        policy["routes"].as_array_mut().unwrap().push(json!({
            "path": format!("/v1/odd{n}"), "methods": ["GET"], "permission": "contacts:read",
        }));
    }
    let gate = Gate::new(&policy);
    acquaint(&gate);
    let odd = |n: u32| get(format!("/v1/odd{n}")).bearer(&bot("crm.read"));
    let novelty = [write(), odd(0), odd(0), odd(1), odd(2)];
    let novelty = novelty.map(|call| noted(&gate.ask(&call), "behaviour_novelty"));
    assert_eq!(novelty, [0.25, 0.5, 0.5, 0.75, 1.0]);
    gate.world.set(MINUTE * 22);
    assert_eq!(gate.ask(&odd(0)).record["behaviour_novelty"], Value::Null);
}

#[test]
fn a_token_that_is_used_from_many_networks_is_noticed() {
    let gate = Gate::new(&watching());
    acquaint(&gate);
    let mut scores = Vec::new();
    for network in 1..=4 {
        gate.world.call_from(&format!("192.0.2.{network}:80"));
        let outcome = gate.ask(&read());
        scores.push(outcome.record["behaviour_sources"].as_f64().unwrap_or_default());
    }
    assert_eq!(scores, [0.0, 0.333, 0.5, 0.666]);
    assert_eq!(gate.ask(&read()).code(), "condition_failed");
    // Of one IPv6 network all addresses are the same.
    gate.world.set(MINUTE * 23);
    for host in 1..=9 {
        gate.world.call_from(&format!("[2001:db8:1:2::{host}]:80"));
        let outcome = gate.ask(&read());
        assert_eq!(outcome.record["behaviour_sources"], Value::Null, "{host}");
    }
}

#[test]
fn workers_know_what_others_see_after_a_second_or_32_calls() {
    let world = World::default();
    let [one, other] = [1, 2].map(|n| Gate::worker(world.clone(), &watching(), n));
    assert_eq!(other.ask(&read()).code(), "allow");
    times(&one, 40, &forbidden());
    assert_eq!(other.ask(&read()).record["behaviour_failures"], Value::Null);
    world.advance_millis(1_000);
    one.ask(&read());
    // 40 of 44 calls, and 10.
    assert_eq!(noted(&other.ask(&read()), "behaviour_failures"), 0.74);
    // Nor does it take another call of the agent.
    times(&one, 10, &forbidden());
    world.advance_millis(1_000);
    one.engine.tick(&world);
    assert_eq!(noted(&other.ask(&read()), "behaviour_failures"), 0.769);
    let before = world.writes();
    one.engine.tick(&world);
    assert_eq!(world.writes(), before, "there is nothing to tell");
    one.ask(&read());
    let before = world.writes();
    times(&one, 30, &read());
    assert_eq!(world.writes(), before, "the store is not written for each call");
}

#[test]
fn what_is_unusual_survives_a_reload_and_is_another_where_time_is_cut_otherwise() {
    let gate = Gate::new(&watching());
    acquaint(&gate);
    times(&gate, 20, &read());
    // What was seen since the store was told last is lost with the worker that saw it.
    gate.world.advance_millis(1_000);
    gate.ask(&read());
    let mut policy = watching();
    policy["revision"] = json!("edition-2");
    let again = Gate::within(gate.world.clone(), &policy);
    assert_eq!(again.ask(&read()).record["behaviour_known"], true);
    policy["behaviour"]["interval"] = json!("5m");
    let other = Gate::within(gate.world.clone(), &policy);
    assert_eq!(other.ask(&read()).record["behaviour_known"], false);
}

#[test]
fn what_cannot_be_known_satisfies_no_condition_and_lets_no_limit_off() {
    let mut policy = watching();
    policy["limits"] = json!({ "agents": [
        { "per": "agent", "rate": "1/h", "when": ["behaviour.score > 0.5"], "name": "odd" },
    ] });
    let gate = Gate::new(&policy);
    assert_eq!([gate.ask(&write()).code(), gate.ask(&write()).code()], ["allow", "allow"]);
    gate.world.spoil(b"what nobody wrote");
    gate.world.advance_millis(1_000);
    let denied = gate.ask(&read());
    assert_eq!(denied.code(), "condition_error");
    assert_eq!(denied.record["behaviour_score"], Value::Null);
    assert_eq!(gate.ask(&write()).code(), "allow", "the one unit of the limit");
    assert_eq!(gate.ask(&write()).code(), "rate_limited");
}

#[test]
fn an_odd_score_can_slow_an_agent_down_or_ask_its_user_to_log_in() {
    let mut policy = policy();
    policy["behaviour"] = json!({});
    policy["limits"] = json!({ "agents": [
        { "per": "agent", "rate": "3/h", "when": ["behaviour.failures >= 0.5"], "name": "odd" },
    ] });
    policy["step_up"] = json!({ "contacts:write": {
        "acr": ["hwk"], "when": ["caller.kind == 'agent'", "behaviour.failures >= 0.5"],
    } });
    let gate = Gate::new(&policy);
    let ours = token("rep-7", "support-bot", "crm.read crm.write")
        .claim("roles", json!(["editor"]))
        .claim("act", json!({ "sub": "support-bot" }));
    let write = call("PUT", "/v1/contacts/7").bearer(&compact(&ours));
    let never = call("PUT", "/v1/deals/7").bearer(&compact(&ours));
    assert_eq!(times(&gate, 5, &write).pop().unwrap().code(), "allow");
    assert_eq!(times(&gate, 30, &never).pop().unwrap().code(), "agent_forbidden");
    let asked = gate.ask(&write);
    assert_eq!(asked.code(), "insufficient_user_authentication");
    assert!(asked.response("www-authenticate")[0].contains(r#"acr_values="hwk""#));
    let read = get("/v1/contacts").bearer(&compact(&ours));
    let codes: Vec<_> = times(&gate, 4, &read).iter().map(Outcome::code).collect();
    assert_eq!(codes, ["allow", "allow", "allow", "rate_limited"]);
    let strong = ours.claim("acr", "hwk");
    let strong = call("PUT", "/v1/contacts/7").bearer(&compact(&strong));
    assert_eq!(gate.ask(&strong).code(), "rate_limited", "asked no more, but slow");
}

#[test]
fn agents_may_be_watched_for_each_user_they_act_for() {
    let acts = |user: &str| {
        let token = token(user, "support-bot", "crm.read")
            .claim("roles", json!(["editor"]))
            .claim("act", json!({ "sub": "support-bot" }));
        compact(&token)
    };
    for (per, other) in [(json!("agent"), 0.5), (json!(["agent", "user"]), 0.0)] {
        let mut policy = watching();
        policy["behaviour"]["per"] = per.clone();
        let gate = Gate::new(&policy);
        times(&gate, 22, &call("PUT", "/v1/contacts/7").bearer(&acts("rep-7")));
        let outcome = gate.ask(&get("/v1/contacts").bearer(&acts("rep-8")));
        let failures = outcome.record["behaviour_failures"].as_f64().unwrap_or_default();
        assert_eq!(failures >= 0.5, other >= 0.5, "{per}: {failures}");
    }
}

#[test]
fn a_candidate_watches_for_itself() {
    let mut policy = watching();
    let mut candidate = watching();
    candidate["agents"]["support-bot"]["ceiling"] = json!("reader");
    policy["candidate"] = candidate;
    let gate = Gate::new(&policy);
    times(&gate, 40, &write());
    let outcome = gate.ask(&read());
    assert_eq!(outcome.record["behaviour_failures"], Value::Null);
    assert_eq!(outcome.record["candidate"], "condition_failed");
}

#[test]
fn what_is_wrong_is_told() {
    let wrong = |behaviour: Value| {
        let mut policy = policy();
        policy["behaviour"] = behaviour;
        problems(&policy)
    };
    for (behaviour, told) in [
        (json!({ "interval": "9s" }), "behaviour.interval: expected `10s` to `1h`"),
        (json!({ "interval": "2h" }), "behaviour.interval: expected `10s` to `1h`"),
        (json!({ "memory": "91d" }), "behaviour.memory: expected at most `90d`"),
        (json!({ "learning": "30s" }), "behaviour.learning: expected at least twice as much"),
        (json!({ "memory": "1h" }), "behaviour.memory: expected at least as much as `learning`"),
        (json!({ "per": "route" }), "behaviour.per: callers are watched, and not calls"),
        (json!({ "per": "key" }), "behaviour.per: an agent has no API key"),
        (json!({ "per": [] }), "behaviour.per: expected at least one"),
        (json!({ "intervall": "1m" }), "intervall"),
    ] {
        let found = wrong(behaviour);
        assert!(found.contains(told), "{found}");
    }
    assert_eq!(wrong(json!({})), "");
    let mut policy = policy();
    policy["routes"][0]["require"] = json!(["behaviour.score < 0.5"]);
    let found = problems(&policy);
    assert!(found.contains("nobody watches how agents behave"), "{found}");
    policy["behaviour"] = json!({});
    policy["limits"] = json!({ "humans": [
        { "per": "user", "rate": "9/h", "when": ["behaviour.score > 0.5"] },
    ] });
    let found = problems(&policy);
    assert!(found.contains("only agents are watched, and these are none"), "{found}");
    policy["limits"] = json!({});
    policy["routes"][0]["require"] = json!(["behaviour.scores < 0.5"]);
    let found = problems(&policy);
    assert!(found.contains("did you mean `score`?"), "{found}");
}
