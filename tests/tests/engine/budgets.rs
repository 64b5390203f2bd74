//! What calls cost, by what they are counted together, and for how long.

use postern::decision::Answer;
use postern::limit::Receipt;
use postern_cli::mint::AccessToken;
use postern_tests::engine::{Call, Gate, Outcome, call, compact, get, policy, problems, token};
use serde_json::{Value, json};

/// The base policy with these limits for agents.
fn limiting(limits: Value) -> Value {
    let mut policy = policy();
    policy["limits"] = json!({ "agents": limits });
    policy["routes"].as_array_mut().unwrap().push(
        json!({ "path": "/v1/reports/{id}", "methods": ["GET"], "permission": "contacts:read", "cost": 40 }),
    );
    policy
}

/// An agent that acts for nobody, of an organization.
fn bot(client: &str, organization: &str) -> AccessToken {
    token("support-bot", client, "crm.write").claim("org_id", organization)
}

fn by(token: &AccessToken, call: Call) -> Call {
    call.bearer(&compact(token))
}

fn report() -> Call {
    get("/v1/reports/7")
}

fn codes(gate: &Gate, calls: &[&Call]) -> Vec<String> {
    calls.iter().map(|call| gate.ask(call).code()).collect()
}

#[test]
fn calls_cost_what_their_route_says_of_a_budget_for_the_day() {
    let gate =
        Gate::new(&limiting(json!([{ "per": "agent", "quota": "100/day", "counts": "cost" }])));
    let (report, list) = (
        by(&bot("support-bot", "acme"), report()),
        by(&bot("support-bot", "acme"), get("/v1/contacts")),
    );
    let first = gate.ask(&report);
    assert_eq!((first.code().as_str(), &first.record["cost"]), ("allow", &json!(40)));
    assert_eq!(first.response("ratelimit"), [r#""agent";r=60;t=57600"#]);
    assert_eq!(first.response("ratelimit-policy"), [r#""agent";q=100;w=86400"#]);
    assert_eq!(codes(&gate, &[&list, &report, &report]), ["allow", "allow", "budget_exhausted"]);
    let refused = gate.ask(&report);
    assert_eq!(refused.reply().status, 429);
    assert_eq!(refused.response("retry-after"), ["57600"]);
    // What is left is enough for what costs less.
    assert_eq!(codes(&gate, &[&list]), ["allow"]);
    // At midnight there is a new one.
    gate.world.set(57_599);
    let at_the_end =
        bot("support-bot", "acme").valid(postern_tests::engine::NOW.cast_signed(), 1_800_060_000);
    assert_eq!(codes(&gate, &[&by(&at_the_end, self::report())]), ["budget_exhausted"]);
    gate.world.set(57_600);
    assert_eq!(codes(&gate, &[&by(&at_the_end, self::report())]), ["allow"]);
}

#[test]
fn days_begin_where_the_organization_is() {
    let mut policy = limiting(json!([{ "per": "organization", "quota": "1/day" }]));
    policy["organizations"] =
        json!({ "acme": { "time_zone": "+05:30" }, "globex": { "time_zone": "-08:00" } });
    let gate = Gate::new(&policy);
    // It is 08:00 in UTC: 13:30 at the one, midnight at the other.
    for (organization, wait) in [("acme", "37800"), ("globex", "86400"), ("initech", "57600")] {
        let call = by(&bot("support-bot", organization), get("/v1/contacts"));
        assert_eq!(gate.ask(&call).code(), "allow");
        assert_eq!(gate.ask(&call).response("retry-after"), [wait], "{organization}");
    }
    policy["limits"]["agents"][0]["time_zone"] = json!("+02:00");
    let gate = Gate::new(&policy);
    let call = by(&bot("support-bot", "acme"), get("/v1/contacts"));
    assert_eq!(codes(&gate, &[&call]), ["allow"]);
    assert_eq!(gate.ask(&call).response("retry-after"), ["50400"]);
}

#[test]
fn calls_are_counted_together_by_all_that_a_limit_names() {
    let list = |client: &str| by(&bot(client, "acme"), get("/v1/contacts"));
    let (write, other) = (
        by(&bot("support-bot", "acme"), call("PUT", "/v1/contacts/7")),
        by(&bot("support-bot", "acme"), call("PUT", "/v1/contacts/8")),
    );
    let legacy = by(&bot("support-bot", "acme"), get("/v1/legacy"));
    for (per, expected) in [
        // list, the same, another route with the same permission, another permission, the same with other parameters
        (json!("agent"), ["allow", "rate_limited", "rate_limited", "rate_limited", "rate_limited"]),
        (json!(["agent", "route"]), ["allow", "rate_limited", "allow", "allow", "rate_limited"]),
        (
            json!(["agent", "permission"]),
            ["allow", "rate_limited", "rate_limited", "allow", "rate_limited"],
        ),
        (json!(["agent", "request"]), ["allow", "loop_detected", "allow", "allow", "allow"]),
        (json!("route"), ["allow", "rate_limited", "allow", "allow", "rate_limited"]),
    ] {
        let gate = Gate::new(&limiting(json!([{ "per": per, "rate": "1/h" }])));
        let found =
            codes(&gate, &[&list("support-bot"), &list("support-bot"), &legacy, &write, &other]);
        assert_eq!(found, expected, "{per}");
    }
    let gate = Gate::new(&limiting(json!([{ "per": ["organization", "client"], "rate": "1/h" }])));
    let elsewhere = by(&bot("support-bot", "globex"), get("/v1/contacts"));
    let found = codes(&gate, &[&list("support-bot"), &list("support-bot"), &elsewhere]);
    assert_eq!(found, ["allow", "rate_limited", "allow"]);
}

#[test]
fn the_same_request_over_and_over_is_a_loop_and_another_is_none() {
    let gate = Gate::new(&limiting(json!([{ "per": ["agent", "request"], "rate": "3/min" }])));
    let call = |path: &str| by(&bot("support-bot", "acme"), get(path));
    let page = call("/v1/contacts?page=1");
    assert_eq!(codes(&gate, &[&page; 4]), ["allow", "allow", "allow", "loop_detected"]);
    let outcome = gate.ask(&page);
    assert_eq!(outcome.reply().status, 429);
    let problem: Value = serde_json::from_str(&outcome.reply().body).unwrap();
    assert!(problem["type"].as_str().unwrap().ends_with("#abnormal-usage-detected"), "{problem}");
    for page in 2..20 {
        assert_eq!(codes(&gate, &[&call(&format!("/v1/contacts?page={page}"))]), ["allow"]);
    }
}

#[test]
fn a_limit_counts_the_calls_that_it_is_for() {
    let mut policy = limiting(json!([
        { "per": "agent", "rate": "1/h", "permissions": ["contacts:write"] },
        { "per": "agent", "rate": "1/h", "name": "doubtful", "when": ["agent.confidence < 0.9"] },
    ]));
    policy["attributes"] = json!({ "confidence": { "type": "number", "claim": "confidence" } });
    let gate = Gate::new(&policy);
    let of = |confidence: Value, call: Call| {
        by(&bot("support-bot", "acme").claim("confidence", confidence), call)
    };
    let (list, write) =
        (of(json!(0.95), get("/v1/contacts")), of(json!(0.95), call("PUT", "/v1/contacts/7")));
    assert_eq!(
        codes(&gate, &[&list, &list, &write, &write, &list]),
        ["allow", "allow", "allow", "rate_limited", "allow"]
    );
    let doubtful = of(json!(0.5), get("/v1/contacts"));
    assert_eq!(codes(&gate, &[&doubtful, &doubtful]), ["allow", "rate_limited"]);
    // Of whom it is not known, it counts: nothing is let through because something is missing.
    let unknown = by(&bot("support-bot", "acme"), get("/v1/contacts"));
    assert_eq!(codes(&gate, &[&unknown]), ["rate_limited"]);
}

#[test]
fn a_limit_in_shadow_mode_denies_nobody_and_says_whom_it_would() {
    let gate = Gate::new(&limiting(json!([
        { "per": "agent", "rate": "3/h" },
        { "per": "agent", "rate": "1/h", "name": "tried", "mode": "shadow" },
    ])));
    let call = by(&bot("support-bot", "acme"), get("/v1/contacts"));
    let all: Vec<Outcome> = (0..4).map(|_| gate.ask(&call)).collect();
    let shadows: Vec<_> = all.iter().map(|one| one.record["shadow"].as_str()).collect();
    assert_eq!(shadows, [None, Some("rate_limited"), Some("rate_limited"), None]);
    assert_eq!(all[3].code(), "rate_limited");
    assert_eq!(all[0].response("ratelimit"), [r#""agent";r=2;t=1200"#]);
    // Callers know nothing of it.
    assert_eq!(all[0].response("ratelimit-policy"), [r#""agent";q=3;w=3600"#]);
}

#[test]
fn what_a_call_costs_may_depend_on_it() {
    let mut policy = limiting(json!([{ "per": "agent", "quota": "10/hour", "counts": "cost" }]));
    policy["routes"][1]["cost"] = json!("1 + request.size / 1024");
    let gate = Gate::new(&policy);
    let write = |size: &str| {
        by(&bot("support-bot", "acme"), call("PUT", "/v1/contacts/7"))
            .header("content-length", size)
    };
    let outcome = gate.ask(&write("5000"));
    assert_eq!((outcome.code().as_str(), &outcome.record["cost"]), ("allow", &json!(5)));
    assert_eq!(gate.ask(&write("5000")).code(), "allow");
    assert_eq!(gate.ask(&write("0")).code(), "budget_exhausted");
    for size in ["-1", "1e3", "", "99999999999999999999"] {
        assert_eq!(gate.ask(&write(size)).code(), "condition_error", "{size}");
    }
    let unsized_write = by(&bot("support-bot", "acme"), call("PUT", "/v1/contacts/7"));
    assert_eq!(gate.ask(&unsized_write).code(), "condition_error");
    assert_eq!(gate.ask(&write("9000000000000000000")).code(), "condition_error");
}

/// What is reserved for a call, and how it is answered.
fn reserve(gate: &Gate, call: &Call) -> Box<[Receipt]> {
    let headers: Vec<_> =
        call.headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
    let request = postern::decision::Request {
        method: &call.method,
        path: &call.path,
        headers: &headers,
        strips_headers: true,
    };
    match gate.engine.decide(&request, &gate.world, &mut ()).answer {
        Answer::Forward(forward) => forward.receipts,
        Answer::Reply(reply) => panic!("{}", reply.body),
    }
}

fn left(gate: &Gate) -> String {
    let outcome = gate.ask(&by(&bot("support-bot", "acme"), get("/v1/contacts")));
    outcome.response("ratelimit")[0].to_owned()
}

#[test]
fn what_was_reserved_is_given_back_when_the_backend_fails_and_corrected_when_it_says_so() {
    for (status, cost, remaining) in [
        (200, None, 59),
        (404, None, 59),
        (500, None, 99),
        (503, Some("7"), 99),
        (200, Some("7"), 92),
        (200, Some("0"), 99),
        (200, Some("75"), 24),
        (200, Some("-7"), 59),
        (200, Some("7.5"), 59),
        (200, Some(""), 59),
    ] {
        let mut policy =
            limiting(json!([{ "per": "agent", "quota": "100/day", "counts": "cost" }]));
        policy["limits"]["cost_header"] = json!("X-Cost");
        let gate = Gate::new(&policy);
        let receipts = reserve(&gate, &by(&bot("support-bot", "acme"), report()));
        let headers: Vec<(&[u8], &[u8])> =
            cost.iter().map(|cost| (b"x-cost".as_slice(), cost.as_bytes())).collect();
        if let Some(cost) = gate.engine.true_cost(Some(status), headers.into_iter()) {
            gate.engine.settle(&receipts, cost, &gate.world);
        }
        assert_eq!(left(&gate), format!(r#""agent";r={remaining};t=57600"#), "{status} {cost:?}");
    }
}

#[test]
fn a_budget_is_never_overrun_by_calls_at_once_and_nothing_is_given_back_twice_over_midnight() {
    let mut policy = limiting(json!([{ "per": "agent", "quota": "100/day", "counts": "cost" }]));
    policy["limits"]["cost_header"] = json!("x-cost");
    let gate = Gate::new(&policy);
    let call = by(&bot("support-bot", "acme"), report());
    let (first, _second) = (reserve(&gate, &call), reserve(&gate, &call));
    assert_eq!(gate.ask(&call).code(), "budget_exhausted");
    // What came of yesterday's call is nothing to today's budget.
    gate.world.set(57_600);
    let late =
        bot("support-bot", "acme").valid(postern_tests::engine::NOW.cast_signed(), 1_800_060_000);
    assert_eq!(gate.ask(&by(&late, report())).code(), "allow");
    gate.engine.settle(&first, 0, &gate.world);
    let outcome = gate.ask(&by(&late, get("/v1/contacts")));
    assert_eq!(outcome.response("ratelimit"), [r#""agent";r=59;t=86400"#]);
}

#[test]
fn a_budget_that_is_running_out_is_told_to_the_caller_and_the_auditor() {
    let gate = Gate::new(&limiting(json!([
        { "per": "agent", "rate": "1000/s", "burst": 10 },
        { "per": "organization", "quota": "5/month" },
    ])));
    let call = by(&bot("support-bot", "acme"), get("/v1/contacts"));
    for used in 1..=5 {
        let outcome = gate.ask(&call);
        let is_low = used >= 4;
        let told: &[&str] = if is_low { &["organization"] } else { &[] };
        assert_eq!(outcome.response("x-postern-running-out"), told, "{used}");
        assert_eq!(outcome.record.get("running_out").is_some(), is_low, "{used}");
    }
    let refused = gate.ask(&call);
    assert_eq!(refused.code(), "budget_exhausted");
    assert_eq!(refused.response("ratelimit-policy"), [r#""agent";q=1000;w=1, "organization";q=5"#]);
}

#[test]
fn mistakes_in_limits_are_found_when_the_policy_is_read() {
    for (limit, message) in [
        (
            json!({ "per": "agent" }),
            "limits.agents[0]: expected one of `rate`, `quota` and `concurrent`",
        ),
        (json!({ "per": "agent", "rate": "1/s", "quota": "1/day" }), "expected one of"),
        (
            json!({ "per": "agent", "quota": "1/week" }),
            "limits.agents[0].quota: `1/week` is not a quota",
        ),
        (
            json!({ "per": "agent", "quota": "1/day", "burst": 2 }),
            "limits.agents[0].burst: a quota may",
        ),
        (json!({ "per": "agent", "rate": "1/s", "time_zone": "+01:00" }), "a rate knows no days"),
        (
            json!({ "per": "agent", "quota": "1/day", "time_zone": "CET" }),
            "limits.agents[0].time_zone: expected hours",
        ),
        (json!({ "per": [], "rate": "1/s" }), "limits.agents[0].per: expected at least one"),
        (json!({ "per": ["agent", "agent"], "rate": "1/s" }), "expected each only once"),
        (json!({ "per": ["agent", "key"], "rate": "1/s" }), "an agent has no API key"),
        (json!({ "per": "agents", "rate": "1/s" }), "limits.agents[0].per: unknown value `agents`"),
        (json!({ "per": "agent", "rate": "1/s", "name": "An agent" }), "is not a limit's name"),
        (
            json!({ "per": "agent", "rate": "1/s", "permissions": ["contacts:raed"] }),
            "did you mean `contacts:read`?",
        ),
        (
            json!({ "per": "agent", "rate": "1/s", "when": ["agent.modle == 'x'"] }),
            "limits.agents[0].when[0]: unknown attribute",
        ),
    ] {
        let found = problems(&limiting(json!([limit])));
        assert!(found.contains(message), "{limit}: {found}");
    }
    let twice = json!([{ "per": "agent", "rate": "1/s", "name": "a" }, { "per": "user", "rate": "1/s", "name": "a" }]);
    assert!(problems(&limiting(twice)).contains("another limit of these is called so"));
    let mut policy = limiting(json!([{ "per": "agent", "quota": "30/day", "counts": "cost" }]));
    assert!(problems(&policy).contains("routes[6].cost: nobody can afford this"));
    policy["routes"][6]["cost"] = json!("request.method");
    assert!(problems(&policy).contains("routes[6].cost: expected a whole number, not a string"));
    policy["routes"][6]["cost"] = json!(-1);
    assert!(problems(&policy).contains("routes[6].cost: "));
}
