//! Conditions that a policy's author writes, and what they ask about.

use postern_cli::mint::AccessToken;
use postern_tests::engine::{
    Call, Gate, agent, call, compact, delegate, get, policy, problems, token, user,
};
use serde_json::{Value, json};

/// The policy with this condition on writing to a contact.
fn on_writing(condition: &str) -> Value {
    let mut policy = policy();
    policy["routes"][1]["require"] = json!([condition]);
    policy
}

/// The policy with attributes, and this condition on its agent.
fn on_agent(condition: &str) -> Value {
    let mut policy = policy();
    policy["attributes"] = json!({
        "confidence": { "type": "number", "claim": "/agent/confidence" },
        "model": { "type": "string", "claim": "model" },
        "rank": { "type": "integer" },
        "risk": { "type": "string" },
        "trained_on": { "type": "strings", "claim": "training_data" },
    });
    policy["agents"]["support-bot"]["attributes"] = json!({ "risk": "low", "rank": 2 });
    policy["agents"]["support-bot"]["require"] = json!([condition]);
    policy
}

/// The agent, which writes for Ada.
fn bot() -> AccessToken {
    token("ada", "web-app", "crm.write").roles(&["editor"]).actor("support-bot")
}

fn write() -> Call {
    call("PUT", "/v1/contacts/7")
}

fn writes(policy: &Value, token: &AccessToken) -> String {
    Gate::new(policy).ask(&write().bearer(&compact(token))).code()
}

#[test]
fn a_condition_of_a_route_asks_about_all_that_is_known_of_the_request() {
    for condition in [
        "token.client_id == 'web-app'",
        "agent.name == 'support-bot' && agent.owner == 'support' && agent.registered",
        "user.subject == 'ada' && 'editor' in user.roles",
        "caller.kind == 'agent' && caller.delegated && caller.client == 'web-app'",
        "request.method == 'PUT' && request.path == '/v1/contacts/7'",
        "request.parameters.id == '7' && request.parameters['id'] == '7'",
        "request.headers['x-ticket'].startsWith('T-') && request.headers['X-Ticket'] == 'T-1'",
        "has(request.headers.accept) == false",
        "now > timestamp('2027-01-01T00:00:00Z') && now.getHours() < 24",
        "organization.id == 'acme'",
    ] {
        let gate = Gate::new(&on_writing(condition));
        let call = write().header("x-ticket", "T-1");
        let token = compact(&bot().claim("org_id", "acme"));
        assert_eq!(gate.ask(&call.bearer(&token)).code(), "allow", "{condition}");
    }
}

#[test]
fn a_condition_that_does_not_hold_and_one_that_cannot_be_told_have_codes_of_their_own() {
    for (condition, code) in [
        ("user.subject == 'bob'", "condition_failed"),
        ("request.parameters.id != '7'", "condition_failed"),
        ("organization.id != 'acme'", "condition_error"),
        ("token.amr[0] == 'pwd'", "condition_error"),
        ("!(request.headers['x-ticket'] == 'T-1')", "condition_error"),
        ("token.client_id > 3", "condition_error"),
        ("token.client_id", "condition_error"),
    ] {
        let outcome = Gate::new(&on_writing(condition)).ask(&write().bearer(&compact(&bot())));
        assert_eq!(outcome.code(), code, "{condition}");
        assert_eq!(outcome.reply().status, 403);
        assert_eq!(outcome.record["code"], code);
    }
}

#[test]
fn a_header_that_comes_twice_is_neither_of_the_two() {
    let gate = Gate::new(&on_writing("request.headers['x-ticket'] == 'T-1'"));
    let call = write().header("x-ticket", "T-1").header("X-Ticket", "T-2");
    assert_eq!(gate.ask(&call.bearer(&compact(&bot()))).code(), "condition_error");
}

#[test]
fn whoever_is_no_agent_has_none_of_its_names_and_an_agent_alone_is_no_user() {
    let of = |condition: &str, bearer: &str| {
        let mut policy = policy();
        policy["routes"][0]["require"] = json!([condition]);
        Gate::new(&policy).ask(&get("/v1/contacts").bearer(bearer)).code()
    };
    assert_eq!(of("!has(agent.name) && caller.kind == 'human'", &user("crm.read")), "allow");
    assert_eq!(of("agent.name != 'x'", &user("crm.read")), "condition_error");
    let alone = agent("support-bot", "crm.read");
    assert_eq!(of("!has(user.subject) && !caller.delegated", &alone), "allow");
    assert_eq!(of("has(user.subject)", &delegate("crm.read", &["reader"])), "allow");
}

#[test]
fn what_is_said_of_an_agent_is_what_the_policy_says_and_else_its_token() {
    for (condition, code) in [
        ("agent.risk == 'low' && agent.rank == 2", "allow"),
        ("agent.model in ['m-4', 'm-5'] && agent.confidence >= 0.8", "allow"),
        ("agent.trained_on.all(one, one != 'customers')", "allow"),
        ("agent.confidence > 0.9", "condition_failed"),
    ] {
        let token = bot()
            .claim("agent", json!({ "confidence": 0.9 }))
            .claim("model", "m-4")
            .claim("risk", "high")
            .claim("training_data", json!(["web", "docs"]));
        assert_eq!(writes(&on_agent(condition), &token), code, "{condition}");
    }
}

#[test]
fn an_attribute_that_is_missing_satisfies_no_condition_be_it_one_of_difference() {
    for condition in [
        "agent.model == 'm-4'",
        "agent.model != 'm-3'",
        "!(agent.model == 'm-3')",
        "agent.confidence < 2.0",
    ] {
        for token in [bot(), bot().claim("model", json!(null))] {
            assert_eq!(writes(&on_agent(condition), &token), "condition_error", "{condition}");
        }
    }
    assert_eq!(writes(&on_agent("!has(agent.model)"), &bot()), "allow");
}

#[test]
fn an_attribute_of_another_type_is_refused_whether_or_not_a_condition_asks_about_it() {
    for (claim, value) in [
        ("model", json!(4)),
        ("model", json!("a".repeat(257))),
        ("model", json!("line\nbreak")),
        ("agent", json!({ "confidence": "0.9" })),
        ("agent", json!({ "confidence": true })),
        ("training_data", json!("web")),
        ("training_data", json!(["web", 1])),
        ("training_data", json!(vec!["web"; 17])),
    ] {
        let outcome = Gate::new(&on_agent("true"))
            .ask(&write().bearer(&compact(&bot().claim(claim, value.clone()))));
        assert_eq!(outcome.code(), "attribute_invalid", "{claim}: {value}");
        assert_eq!(outcome.reply().status, 403);
    }
    // Whoever is no agent may have claims of these names that mean something else.
    let ada = token("ada", "web-app", "crm.write").roles(&["editor"]).claim("model", 4);
    assert_eq!(writes(&on_agent("true"), &ada), "allow");
}

#[test]
fn what_is_known_of_an_agent_is_in_the_record() {
    let token = bot().claim("model", "m-4").claim("agent", json!({ "confidence": 1 }));
    let outcome = Gate::new(&on_agent("true")).ask(&write().bearer(&compact(&token)));
    let expected = json!({ "confidence": 1.0, "model": "m-4", "rank": 2, "risk": "low" });
    assert_eq!(outcome.record["attributes"], expected);
    let outcome = Gate::new(&on_agent("true")).ask(&get("/v1/contacts").bearer(&user("crm.read")));
    assert_eq!(outcome.record.get("attributes"), None);
}

#[test]
fn what_is_said_of_an_agent_is_written_down_in_visible_ascii() {
    let token = bot().claim("model", "m\u{2028}4\u{202e}\u{e9}\"");
    let outcome = Gate::new(&on_agent("true")).ask(&write().bearer(&compact(&token)));
    assert!(outcome.line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{}", outcome.line);
    assert_eq!(outcome.record["attributes"]["model"], "m\u{2028}4\u{202e}\u{e9}\"");
}

#[test]
fn a_header_about_an_agent_is_believed_of_a_trusted_hop_only() {
    let hop = [7; 32];
    let mut policy = on_agent("agent.task == 'triage'");
    policy["attributes"]["task"] = json!({ "type": "string", "header": "X-Agent-Task" });
    policy["trusted_hops"] = json!(["07".repeat(32)]);
    let gate = Gate::new(&policy);
    let ask = |certificate, values: &[&str]| {
        gate.world.connect(certificate);
        let call = values.iter().fold(write(), |call, value| call.header("x-agent-task", value));
        let outcome = gate.ask(&call.bearer(&compact(&bot())));
        (outcome.code(), outcome.record["request_attributes"]["task"].clone())
    };
    let code = |code: &str, task: Value| (code.to_owned(), task);
    assert_eq!(ask(Some(hop), &["triage"]), code("allow", json!("triage")));
    assert_eq!(ask(Some(hop), &["sales"]), code("condition_failed", json!("sales")));
    assert_eq!(ask(Some(hop), &[]), code("condition_error", json!(null)));
    assert_eq!(ask(Some([8; 32]), &["triage"]), code("condition_error", json!(null)));
    assert_eq!(ask(None, &["triage"]), code("condition_error", json!(null)));
    assert_eq!(ask(Some(hop), &["triage", "triage"]), code("attribute_invalid", json!(null)));
    assert_eq!(ask(Some(hop), &[&"a".repeat(257)]), code("attribute_invalid", json!(null)));
}

#[test]
fn a_header_is_not_believed_where_the_policy_or_the_token_says_it() {
    let mut policy = on_agent("agent.risk == 'low' && agent.model == 'm-4'");
    policy["attributes"]["risk"] = json!({ "type": "string", "header": "x-risk" });
    policy["attributes"]["model"]["header"] = json!("x-model");
    policy["trusted_hops"] = json!(["07".repeat(32)]);
    let gate = Gate::new(&policy);
    gate.world.connect(Some([7; 32]));
    let call = write().header("x-risk", "high").header("x-model", "m-9");
    let bearer = compact(&bot().claim("model", "m-4"));
    assert_eq!(gate.ask(&call.bearer(&bearer)).code(), "allow");
}

#[test]
fn a_condition_on_the_request_is_asked_again_with_each_though_the_token_is_remembered() {
    let gate = Gate::new(&on_agent("request.headers['x-ticket'] == 'T-1'"));
    let bearer = compact(&bot());
    let code = |ticket: &str| gate.ask(&write().header("x-ticket", ticket).bearer(&bearer)).code();
    assert_eq!(code("T-1"), "allow");
    assert_eq!(code("T-2"), "condition_failed");
    assert_eq!(code("T-1"), "allow");
}

#[test]
fn what_a_token_alone_decides_is_decided_for_each_token_and_beside_what_the_request_does() {
    let gate = Gate::new(&on_writing(
        "request.headers['x-ticket'] == 'T-1' && user.subject == 'ada' && token.level > 2 \
         || request.headers['x-ticket'] == 'T-9'",
    ));
    let of = |subject, level| {
        let token = token(subject, "web-app", "crm.write").roles(&["editor"]).actor("support-bot");
        compact(&token.claim("level", level))
    };
    let [ada, low, bob, odd] =
        [of("ada", json!(3)), of("ada", json!(2)), of("bob", json!(3)), of("ada", json!("3"))];
    for _ in 0..2 {
        for (bearer, ticket, expected) in [
            (&ada, "T-1", "allow"),
            (&ada, "T-2", "condition_failed"),
            (&ada, "T-9", "allow"),
            (&low, "T-1", "condition_failed"),
            (&bob, "T-1", "condition_failed"),
            (&odd, "T-1", "condition_error"),
            (&odd, "T-2", "condition_failed"),
            (&odd, "T-9", "allow"),
        ] {
            let call = write().header("x-ticket", ticket).bearer(bearer);
            assert_eq!(gate.ask(&call).code(), expected, "{ticket} {bearer}");
        }
    }
}

#[test]
fn more_conditions_on_tokens_than_are_remembered_are_all_asked() {
    let mut policy = policy();
    let route = |n: u32| {
        json!({
            "path": format!("/v1/rooms/{n}"), "methods": ["GET"], "permission": "contacts:read",
            "require": [format!("request.method == 'GET' && token.room == {n}")],
        })
    };
    let routes = policy["routes"].as_array_mut().unwrap();
    routes.extend((0..600).map(route));
    let gate = Gate::new(&policy);
    for room in [0, 255, 256, 599] {
        let bearer = compact(&token("ada", "web-app", "crm.read").claim("room", room));
        for (path, expected) in [(room, "allow"), ((room + 1) % 600, "condition_failed")] {
            let call = get(format!("/v1/rooms/{path}")).bearer(&bearer);
            assert_eq!(gate.ask(&call).code(), expected, "{room} at {path}");
        }
    }
}

#[test]
fn a_condition_on_the_time_is_asked_again_when_it_has_passed() {
    let gate = Gate::new(&on_agent("now < timestamp(token.iat) + duration('1m')"));
    let bearer = compact(&bot());
    assert_eq!(gate.ask(&write().bearer(&bearer)).code(), "allow");
    gate.world.set(60);
    assert_eq!(gate.ask(&write().bearer(&bearer)).code(), "condition_failed");
}

#[test]
fn an_expression_tells_agents_from_humans_and_one_that_cannot_be_told_does_not_match() {
    let mut policy = policy();
    policy["callers"] = json!([
        { "kind": "agent", "when": "has(token.act) || token.sub_profile == 'ai_agent'" },
        { "kind": "human", "otherwise": true },
    ]);
    let gate = Gate::new(&policy);
    let kind = |token: &AccessToken| {
        gate.ask(&get("/v1/contacts").bearer(&compact(token))).record["kind"].clone()
    };
    let ada = || token("ada", "web-app", "crm.read");
    assert_eq!(kind(&ada()), "human");
    assert_eq!(kind(&ada().claim("sub_profile", "ai_agent")), "agent");
    assert_eq!(kind(&ada().claim("sub_profile", 3)), "human");
    assert_eq!(kind(&ada().actor("support-bot")), "agent");
}

#[test]
fn a_token_that_its_issuers_condition_cannot_judge_is_refused() {
    let mut policy = policy();
    policy["issuers"][0]["require"] = json!(["token.env != 'test'"]);
    let gate = Gate::new(&policy);
    let code = |token: &AccessToken| gate.ask(&get("/v1/contacts").bearer(&compact(token))).code();
    let ada = || token("ada", "web-app", "crm.read");
    assert_eq!(code(&ada().claim("env", "live")), "allow");
    assert_eq!(code(&ada().claim("env", "test")), "invalid_token");
    assert_eq!(code(&ada()), "invalid_token");
}

#[test]
fn mistakes_in_expressions_are_found_at_load() {
    for (condition, message) in [
        (
            "agent.modle == 'm-4'",
            "unknown attribute `modle` (at character 7); did you mean `model`?",
        ),
        ("agnt.model == 'm-4'", "unknown name `agnt` (at character 1); did you mean `agent`?"),
        ("agent.confidence == 'high'", "`==` of a number and a string is always the same"),
        ("agent.model >= 4", "`>=` of a string and a whole number makes no sense"),
        ("agent == 'x'", "expected a field of `agent` (at character 1); there are `name`"),
        (
            "request.parameters.id == '1'",
            "the path has parameters in the conditions of a route only",
        ),
        ("request.headers == 'x'", "expected a header's name (at character 1)"),
        (
            "request.heders.accept == 'x'",
            "unknown field `heders` (at character 9); did you mean `headers`?",
        ),
    ] {
        let found = problems(&on_agent(condition));
        let place = "agents.support-bot.require[0]: ";
        assert!(found.contains(place) && found.contains(message), "{condition}: {found}");
    }
    let found = problems(&on_writing("request.parameters.di == '7'"));
    assert!(
        found.contains("the path has no parameter `di` (at character 20); did you mean `id`?"),
        "{found}"
    );
    let mut policy = policy();
    policy["issuers"][0]["require"] = json!(["agent.name == 'x'", "tokn.env == 'live'"]);
    let found = problems(&policy);
    assert!(found.contains("nothing but `token` is known here, not `agent`"), "{found}");
    assert!(
        found.contains("unknown name `tokn` (at character 1); did you mean `token`?"),
        "{found}"
    );
}

#[test]
fn mistakes_in_attributes_are_found_at_load() {
    for (pointer, value, message) in [
        (
            "/attributes",
            json!({ "name": { "type": "string" } }),
            "every agent has a `name` of its own",
        ),
        (
            "/attributes",
            json!({ "a-b": { "type": "string" } }),
            "expected a name of at most 64 letters, digits and `_`",
        ),
        ("/attributes", json!({ "a": { "type": "text" } }), "unknown value `text`"),
        ("/attributes/model/claim", json!("/a~b"), "claim"),
        (
            "/attributes/model/header",
            json!("x-model"),
            "expected `trusted_hops`: whose headers are believed",
        ),
        (
            "/agents/support-bot/attributes",
            json!({ "rnk": 2 }),
            "unknown attribute `rnk`; did you mean `rank`?",
        ),
        ("/agents/support-bot/attributes", json!({ "rank": "2" }), "expected a whole number"),
        ("/agents/support-bot/attributes", json!({ "rank": null }), "expected a whole number"),
    ] {
        let mut policy = on_agent("true");
        if let Some(place) = policy.pointer_mut(pointer) {
            *place = value;
        } else {
            policy["attributes"]["model"]["header"] = value;
        }
        let found = problems(&policy);
        assert!(found.contains(message), "{pointer}: {found}");
    }
    let mut policy = on_agent("true");
    policy["trusted_hops"] = json!(["7".repeat(63)]);
    policy["attributes"]["model"]["header"] = json!("x-postern-model");
    let found = problems(&policy);
    assert!(found.contains("expected a SHA-256 in 64 hexadecimal digits"), "{found}");
    assert!(found.contains("nobody can send a header that only Postern may set"), "{found}");
}
