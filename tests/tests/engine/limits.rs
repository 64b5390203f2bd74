//! How often, and whose calls are counted together.

use postern_cli::mint::AccessToken;
use postern_tests::engine::{
    Gate, ISSUER, Outcome, World, agent, call, compact, delegate, get, issuer, policy, token, user,
};
use serde_json::{Value, json};

const OTHER: &str = "https://login.partner.example/";

fn limited(agents: Value, humans: Value) -> Value {
    let mut policy = policy();
    policy["issuers"] = json!([issuer(ISSUER), issuer(OTHER)]);
    policy["agents"] = json!({
        "support-bot": { "issuer": ISSUER, "ceiling": "editor" },
        "sales-bot": { "issuer": ISSUER, "ceiling": "editor" },
    });
    policy["unregistered_agents"] = json!({ "ceiling": "reader" });
    policy["limits"] = json!({ "agents": agents, "humans": humans });
    policy
}

/// Two calls an hour.
fn two(per: &str) -> Value {
    json!([{ "per": per, "rate": "2/h" }])
}

fn read(gate: &Gate, token: &str) -> Outcome {
    gate.ask(&get("/v1/contacts").bearer(token))
}

/// How many of five calls are allowed.
fn admitted(gate: &Gate, token: &str) -> usize {
    (0..5).filter(|_| read(gate, token).code() == "allow").count()
}

fn acting(user: &str, actor: &str) -> AccessToken {
    token(user, "web-app", "crm.read").roles(&["reader"]).actor(actor)
}

#[test]
fn after_the_burst_the_caller_waits_and_then_goes_on() {
    let gate = Gate::new(&limited(two("agent"), json!([])));
    let token = delegate("crm.read", &["reader"]);
    let first = read(&gate, &token);
    assert_eq!(first.response("ratelimit-policy"), [r#""agent";q=2;w=3600"#]);
    assert_eq!(first.response("ratelimit"), [r#""agent";r=1;t=1800"#]);
    assert_eq!(read(&gate, &token).response("ratelimit"), [r#""agent";r=0;t=1800"#]);
    let refused = read(&gate, &token);
    assert_eq!(refused.code(), "rate_limited");
    assert_eq!(refused.response("retry-after"), ["1800"]);
    assert_eq!(refused.record["kind"], "agent");
}

#[test]
fn agents_do_not_slow_down_humans_or_other_agents() {
    let gate = Gate::new(&limited(two("agent"), two("user")));
    assert_eq!(admitted(&gate, &delegate("crm.read", &["reader"])), 2);
    assert_eq!(admitted(&gate, &user("crm.read")), 2);
    assert_eq!(admitted(&gate, &compact(&acting("ada", "sales-bot"))), 2);
}

#[test]
fn agents_and_humans_of_one_name_share_nothing() {
    for per in ["user", "organization"] {
        let gate = Gate::new(&limited(two(per), two(per)));
        let member = |token: AccessToken| compact(&token.claim("org_id", "acme"));
        assert_eq!(admitted(&gate, &member(token("bot", "web-app", "crm.read"))), 2, "{per}");
        assert_eq!(admitted(&gate, &member(token("bot", "bot", "crm.read"))), 2, "{per}");
    }
    let gate = Gate::new(&limited(two("user"), json!([])));
    assert_eq!(admitted(&gate, &agent("ada", "crm.read")), 2);
    assert_eq!(admitted(&gate, &compact(&acting("ada", "support-bot"))), 2);
}

#[test]
fn the_same_name_at_two_issuers_is_two_callers() {
    let (autonomous, delegated) = (token("bot", "bot", "crm.read"), acting("ada", "support-bot"));
    let human = token("ada", "web-app", "crm.read");
    for (agents, humans, callers) in [
        (two("agent"), json!([]), vec![&autonomous, &delegated]),
        (two("user"), two("user"), vec![&autonomous, &delegated, &human]),
        (two("organization"), two("organization"), vec![&autonomous, &delegated, &human]),
    ] {
        let gate = Gate::new(&limited(agents, humans));
        for token in callers {
            assert_eq!(admitted(&gate, &compact(token)), 2);
            assert_eq!(admitted(&gate, &compact(&token.clone().claim("iss", OTHER))), 2);
        }
    }
}

#[test]
fn actors_of_one_name_whom_different_issuers_know_share_nothing() {
    let gate = Gate::new(&limited(two("agent"), json!([])));
    for act in [
        json!({ "sub": "odd" }),
        json!({ "sub": "odd", "iss": OTHER }),
        json!({ "sub": "odd", "iss": "https://evil.example/" }),
        // Registered here, and a stranger of the same name there.
        json!({ "sub": "support-bot" }),
        json!({ "sub": "support-bot", "iss": OTHER }),
    ] {
        let token = acting("ada", "odd").claim("act", act.clone());
        assert_eq!(admitted(&gate, &compact(&token)), 2, "{act}");
    }
}

#[test]
fn per_agent_counts_for_whomever_it_acts() {
    let gate = Gate::new(&limited(two("agent"), json!([])));
    let codes = ["ada", "bob", "eve"]
        .map(|user| read(&gate, &compact(&acting(user, "support-bot"))).code());
    assert_eq!(codes, ["allow", "allow", "rate_limited"]);
}

#[test]
fn per_user_counts_whichever_agent_acts() {
    let gate = Gate::new(&limited(two("user"), json!([])));
    let codes = ["support-bot", "sales-bot", "odd"]
        .map(|bot| read(&gate, &compact(&acting("ada", bot))).code());
    assert_eq!(codes, ["allow", "allow", "rate_limited"]);
    assert_eq!(admitted(&gate, &compact(&acting("bob", "support-bot"))), 2);
}

#[test]
fn per_organization_counts_all_of_its_members_and_without_one_each_subject() {
    let gate = Gate::new(&limited(json!([]), two("organization")));
    let human = |name: &str| token(name, "web-app", "crm.read");
    let of = |name: &str, org: &str| compact(&human(name).claim("org_id", org));
    assert_eq!(read(&gate, &of("ada", "acme")).code(), "allow");
    assert_eq!(read(&gate, &of("bob", "acme")).code(), "allow");
    assert_eq!(read(&gate, &of("eve", "acme")).code(), "rate_limited");
    assert_eq!(admitted(&gate, &of("eve", "other")), 2);
    assert_eq!(admitted(&gate, &compact(&human("ada"))), 2);
    assert_eq!(admitted(&gate, &compact(&human("bob"))), 2);
    // Nobody is an organization by being called like one.
    assert_eq!(admitted(&gate, &compact(&human("acme"))), 2);
}

#[test]
fn another_token_of_the_same_caller_is_no_fresh_start() {
    let gate = Gate::new(&limited(json!([]), two("user")));
    assert_eq!((0..5).filter(|_| read(&gate, &user("crm.read")).code() == "allow").count(), 2);
    let other_client = compact(&token("ada", "phone-app", "crm.read crm.write"));
    assert_eq!(read(&gate, &other_client).code(), "rate_limited");
}

#[test]
fn a_store_that_fails_admits_nobody() {
    let gate = Gate::new(&limited(two("agent"), two("user")));
    gate.world.break_store(true);
    for token in [user("crm.read"), delegate("crm.read", &["reader"])] {
        let outcome = read(&gate, &token);
        assert_eq!((outcome.code().as_str(), outcome.reply().status), ("not_ready", 503));
    }
    gate.world.break_store(false);
    assert_eq!(admitted(&gate, &user("crm.read")), 2);
}

#[test]
fn a_class_without_limits_needs_no_store() {
    let gate = Gate::new(&limited(two("agent"), json!([])));
    gate.world.break_store(true);
    let outcome = read(&gate, &user("crm.read"));
    assert_eq!(outcome.code(), "allow");
    assert!(outcome.response("ratelimit").is_empty());
    assert!(outcome.response("ratelimit-policy").is_empty());
}

#[test]
fn what_is_denied_uses_nothing_up() {
    let gate = Gate::new(&limited(two("agent"), two("user")));
    for token in [user("crm.read"), delegate("crm.read", &["reader"]), user("")] {
        for _ in 0..5 {
            gate.ask(&call("POST", "/v1/exports").bearer(&token));
            gate.ask(&get("/nowhere").bearer(&token));
            gate.ask(&get("/healthz").bearer(&token));
            gate.ask(&get("/v1/contacts?access_token=x").bearer(&token));
        }
    }
    assert_eq!(gate.world.writes(), 0);
    assert_eq!(admitted(&gate, &user("crm.read")), 2);
}

#[test]
fn a_call_that_one_limit_refuses_is_charged_to_none() {
    let both = json!([{ "per": "user", "rate": "3/h" }, { "per": "organization", "rate": "4/h" }]);
    let gate = Gate::new(&limited(json!([]), both));
    let of = |name: &str| compact(&token(name, "web-app", "crm.read").claim("org_id", "acme"));
    assert_eq!(admitted(&gate, &of("ada")), 3);
    let last = read(&gate, &of("bob"));
    assert_eq!(last.response("ratelimit"), [r#""user";r=2;t=1200, "organization";r=0;t=900"#]);
    let refused = read(&gate, &of("bob"));
    assert_eq!(refused.problem()["violated-policies"], json!(["organization"]));
}

#[test]
fn several_limits_that_count_the_same_are_told_apart() {
    let both = json!([
        { "per": "user", "rate": "100/h" },
        { "per": "user", "rate": "1/s", "burst": 1 },
    ]);
    let gate = Gate::new(&limited(json!([]), both));
    let token = user("crm.read");
    assert_eq!(
        read(&gate, &token).response("ratelimit-policy"),
        [r#""user";q=100;w=3600, "user-1";q=1;w=1"#]
    );
    let refused = read(&gate, &token);
    assert_eq!(refused.problem()["violated-policies"], json!(["user-1"]));
    gate.world.set(1);
    assert_eq!(read(&gate, &token).code(), "allow");
}

#[test]
fn workers_that_share_a_store_share_buckets() {
    let (world, policy) = (World::default(), limited(two("agent"), two("user")));
    let workers = [0; 3].map(|_| Gate::within(world.clone(), &policy));
    for token in [user("crm.read"), delegate("crm.read", &["reader"])] {
        let codes = [0, 1, 2].map(|worker| read(&workers[worker], &token).code());
        assert_eq!(codes, ["allow", "allow", "rate_limited"]);
    }
}

#[test]
fn limits_that_come_before_one_or_beside_it_do_not_begin_it_anew() {
    let world = World::default();
    let token = delegate("crm.read", &["reader"]);
    let hourly = json!({ "per": ["agent", "user"], "rate": "2/h", "name": "hourly" });
    let policy = limited(json!([hourly]), json!([]));
    assert_eq!(admitted(&Gate::within(world.clone(), &policy), &token), 2);
    // What calls are counted by is the same in whatever order it is written.
    let hourly = json!({ "per": ["user", "agent"], "rate": "2/h", "name": "hourly" });
    let daily = json!({ "per": ["agent", "user"], "quota": "9/day", "name": "daily" });
    let more = [json!({ "per": "organization", "rate": "9/s" }), daily, hourly.clone()];
    let gate = Gate::within(world.clone(), &limited(json!(more), json!([])));
    assert_eq!(admitted(&gate, &token), 0);
    // Nor does one that went away and came back, and another one has no part in it.
    let gate = Gate::within(world, &limited(json!([more[1]]), json!([])));
    assert_eq!(read(&gate, &token).response("ratelimit")[0].split(';').nth(1), Some("r=8"));
}

#[test]
fn limits_of_one_owner_cost_one_trip_to_the_store() {
    let all = json!([
        { "per": "agent", "rate": "60/min", "name": "rate" },
        { "per": "agent", "quota": "1000/day", "name": "daily" },
        { "per": "agent", "quota": "9/h", "name": "hourly" },
        { "per": "agent", "concurrent": 4, "name": "at-once" },
        { "per": "agent", "rate": "20/min", "counts": "writes", "name": "writes" },
    ]);
    let gate = Gate::new(&limited(all, json!([])));
    let token = delegate("crm.read", &["reader"]);
    for call in 1..=3 {
        assert_eq!(read(&gate, &token).code(), "allow");
        assert_eq!(gate.world.writes(), call);
    }
}

#[test]
fn another_edition_of_the_policy_forgives_nothing() {
    let world = World::default();
    let policy = limited(two("agent"), two("user"));
    let token = user("crm.read");
    assert_eq!(admitted(&Gate::within(world.clone(), &policy), &token), 2);
    let mut next = policy.clone();
    next["revision"] = json!("edition-2");
    next["roles"]["auditor"] = json!({ "permissions": ["audit:read"] });
    next["issuers"].as_array_mut().unwrap().reverse();
    next["limits"]["agents"] = json!([{ "per": "user", "rate": "9/s" }]);
    next["limits"]["humans"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "per": "organization", "rate": "9/s" }));
    assert_eq!(admitted(&Gate::within(world, &next), &token), 0);
}

#[test]
fn a_clock_that_goes_back_locks_nobody_out_for_long() {
    let gate = Gate::new(&limited(json!([]), json!([{ "per": "user", "rate": "60/min" }])));
    let long = |at: i64| token("ada", "web-app", "crm.read").valid(at, at + 4_000);
    let now = 1_800_000_000;
    let token = compact(&long(now - 2_000));
    assert_eq!(admitted(&gate, &token), 5);
    gate.world.set(-1_800);
    assert!(admitted(&gate, &token) <= 5);
    gate.world.set(-1_700);
    assert_eq!(admitted(&gate, &token), 5);
}
