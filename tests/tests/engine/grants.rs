//! What agents may for a while besides what they have.

use postern_cli::mint::{AccessToken, Algorithm, PrivateKey, key_set, sign};
use postern_tests::engine::{
    Call, Gate, ISSUER, NOW, Outcome, Workers, World, call, compact, policy, problems, token,
};
use serde_json::{Value, json};

/// The policy with this grant to the agent, whose ceiling is now that of readers.
fn granting(grant: &Value) -> Value {
    let mut policy = policy();
    policy["agents"]["support-bot"]["ceiling"] = json!("reader");
    policy["attributes"] = json!({ "alert": { "type": "string", "claim": "alert" } });
    policy["routes"].as_array_mut().unwrap().push(json!({
        "path": "/v1/notes/{id}", "methods": ["PUT"], "permission": "contacts:write",
        "require": ["has(grant.reason) || caller.kind == 'human'"],
    }));
    let mut whole = json!({
        "agent": "support-bot",
        "permission": "contacts:write",
        "until": "2027-01-15T09:00:00Z",
        "approved_by": "oncall",
        "reason": "INC-4711",
    });
    for (name, value) in grant.as_object().unwrap() {
        match value {
            Value::Null => drop(whole.as_object_mut().unwrap().remove(name)),
            value => whole[name] = value.clone(),
        }
    }
    policy["grants"] = json!([whole]);
    policy
}

/// The agent, with a token to read with, for Ada, who edits.
fn bot() -> AccessToken {
    token("ada", "web-app", "crm.read").roles(&["editor"]).actor("support-bot")
}

fn write() -> Call {
    call("PUT", "/v1/contacts/7")
}

fn ask(grant: &Value, call: Call, token: &AccessToken) -> Outcome {
    Gate::new(&granting(grant)).ask(&call.bearer(&compact(token)))
}

fn code(grant: Value, token: &AccessToken) -> String {
    ask(&grant, write(), token).code()
}

#[test]
fn a_grant_lets_its_agent_do_what_scope_ceiling_and_never_would_not() {
    assert_eq!(code(json!({ "until": "2027-01-15T07:59:59Z" }), &bot()), "agent_ceiling");
    assert_eq!(code(json!({}), &bot()), "allow");
    assert_eq!(code(json!({ "permission": null, "role": "editor" }), &bot()), "allow");
    // Nobody else, and nothing else.
    let ada = token("ada", "web-app", "crm.read").roles(&["editor"]);
    assert_eq!(code(json!({}), &ada), "insufficient_scope");
    assert_eq!(code(json!({ "permission": "exports:create" }), &bot()), "agent_ceiling");
    let deals = call("PUT", "/v1/deals/7");
    assert_eq!(ask(&json!({ "permission": "deals:write" }), deals, &bot()).code(), "allow");
}

#[test]
fn a_grant_counts_from_its_first_second_to_its_last() {
    let gate = Gate::new(&granting(&json!({ "from": "2027-01-15T08:30:00Z" })));
    let bearer = compact(&bot().valid(NOW.cast_signed(), NOW.cast_signed() + 7_200));
    let mut codes = Vec::new();
    for offset in [0, 1_799, 1_800, 3_599, 3_600] {
        gate.world.set(offset);
        codes.push(gate.ask(&write().bearer(&bearer)).code());
    }
    assert_eq!(codes, ["agent_ceiling", "agent_ceiling", "allow", "allow", "agent_ceiling"]);
}

#[test]
fn a_grant_reaches_beyond_the_user_only_if_it_says_so() {
    let rex = bot().roles(&["reader"]);
    assert_eq!(code(json!({}), &rex), "agent_ceiling");
    assert_eq!(code(json!({ "beyond_user": true }), &rex), "allow");
    let alone = token("support-bot", "support-bot", "crm.read");
    assert_eq!(code(json!({}), &alone), "allow");
}

#[test]
fn a_grant_is_for_its_paths() {
    for (path, code) in [
        ("/v1/contacts/7", "allow"),
        ("/v1/contacts/{id}", "allow"),
        ("/v1/**", "allow"),
        ("/v1/contacts/8", "agent_ceiling"),
        ("/v1/contacts", "agent_ceiling"),
        ("/v1/contacts/7/notes", "agent_ceiling"),
    ] {
        assert_eq!(ask(&json!({ "path": path }), write(), &bot()).code(), code, "{path}");
    }
}

#[test]
fn a_rule_widens_an_agent_while_something_is_so_and_no_longer() {
    let rule = json!({
        "until": null,
        "path": "/v1/contacts/{id}",
        "when": ["agent.alert == 'fraud'", "request.parameters.id == token.case"],
    });
    let flagged = bot().claim("alert", "fraud").claim("case", "7");
    assert_eq!(code(rule.clone(), &flagged), "allow");
    assert_eq!(code(rule.clone(), &flagged.clone().claim("case", "8")), "agent_ceiling");
    assert_eq!(code(rule.clone(), &flagged.clone().claim("alert", "none")), "agent_ceiling");
    assert_eq!(code(rule, &flagged.without("alert")), "agent_ceiling");
}

#[test]
fn no_grant_goes_over_what_an_organization_lets_agents_do() {
    let mut policy = granting(&json!({}));
    policy["organizations"] = json!({ "acme": { "agent_ceiling": "reader" } });
    let bearer = compact(&bot().claim("org_id", "acme"));
    assert_eq!(Gate::new(&policy).ask(&write().bearer(&bearer)).code(), "agent_ceiling");
    // Whatever scopes its token has or has not.
    for acme in [
        json!({ "blocked_scopes": ["crm.write", "crm.admin"] }),
        json!({ "delegable_by": { "crm.write": "admin", "crm.admin": "admin" } }),
    ] {
        policy["organizations"] = json!({ "acme": acme });
        let outcome = Gate::new(&policy).ask(&write().bearer(&bearer));
        assert_eq!(outcome.code(), "agent_ceiling", "{acme}");
    }
    policy["organizations"] = json!({ "acme": { "blocked_scopes": ["crm.admin"] } });
    assert_eq!(Gate::new(&policy).ask(&write().bearer(&bearer)).code(), "allow");
    policy["organizations"] = json!({ "acme": { "blocked_clients": ["support-bot"] } });
    assert_eq!(Gate::new(&policy).ask(&write().bearer(&bearer)).code(), "client_blocked");
}

#[test]
fn uses_are_counted_across_workers_and_reloads_and_end_with_a_code_of_their_own() {
    let policy = granting(&json!({ "uses": 3 }));
    let world = World::default();
    let workers = [1, 2].map(|number| Gate::worker(world.clone(), &policy, number));
    let bearer = compact(&bot());
    let ask = |gate: &Gate| gate.ask(&write().bearer(&bearer));
    let first = ask(&workers[0]);
    assert_eq!((first.code().as_str(), &first.record["uses_left"]), ("allow", &json!(2)));
    assert_eq!(ask(&workers[1]).record["uses_left"], 1);
    // What an operation takes that needs no grant is not counted.
    let read = call("GET", "/v1/contacts").bearer(&bearer);
    assert_eq!(workers[0].ask(&read).record.get("grant"), None);
    let reloaded = Gate::worker(world.clone(), &policy, 3);
    assert_eq!(ask(&reloaded).record["uses_left"], 0);
    for gate in workers.iter().chain([&reloaded]) {
        let outcome = ask(gate);
        assert_eq!((outcome.code().as_str(), outcome.reply().status), ("grant_exhausted", 403));
    }
    // Another grant, though it stands in the same place, has uses of its own.
    let other = Gate::worker(world, &granting(&json!({ "uses": 3, "reason": "INC-4712" })), 4);
    assert_eq!(ask(&other).record["uses_left"], 2);
}

#[test]
fn a_use_that_cannot_be_counted_is_none() {
    let gate = Gate::new(&granting(&json!({ "uses": 3 })));
    let call = write().bearer(&compact(&bot()));
    gate.world.break_store(true);
    assert_eq!(gate.ask(&call).code(), "not_ready");
    gate.world.break_store(false);
    assert_eq!(gate.ask(&call).code(), "allow");
    gate.world.spoil(b"x");
    assert_eq!(gate.ask(&call).code(), "not_ready");
}

#[test]
fn each_use_is_in_the_record_and_conditions_may_ask_about_it() {
    let outcome = ask(&json!({}), write(), &bot());
    assert_eq!(outcome.record["grant"], "grants[0]");
    assert_eq!(outcome.record["approved_by"], "oncall");
    assert_eq!(outcome.record["grant_reason"], "INC-4711");
    assert_eq!(outcome.record.get("uses_left"), None);
    let notes = || call("PUT", "/v1/notes/7");
    assert_eq!(ask(&json!({}), notes(), &bot()).code(), "allow");
}

#[test]
fn mistakes_in_grants_are_found_at_load() {
    for (grant, message) in [
        (json!({ "until": null }), "grants[0]: expected `until`, or `when`: no grant is for ever"),
        (json!({ "role": "editor" }), "expected exactly one of `permission` and `role`"),
        (json!({ "permission": null }), "expected exactly one of `permission` and `role`"),
        (
            json!({ "agent": "suport-bot" }),
            "unknown agent `suport-bot`; did you mean `support-bot`?",
        ),
        (json!({ "permission": "contacts:wirte" }), "unknown permission `contacts:wirte`"),
        (json!({ "uses": 0 }), "grants[0].uses: expected at least 1"),
        (json!({ "from": "2027-01-15T09:00:00Z" }), "expected an end after the beginning"),
        (json!({ "reason": "" }), "grants[0].reason: expected 1 to 256 bytes"),
        (json!({ "path": "v1" }), "expected a path that starts with `/`"),
        (json!({ "when": ["agent.alrt == 'x'"] }), "unknown attribute `alrt`"),
        (json!({ "approved_by": null }), "approved_by"),
    ] {
        let found = problems(&granting(&grant));
        assert!(found.contains(message), "{grant}: {found}");
    }
}

/// What a feed says, by whom it is signed.
fn publish(workers: &Workers, body: &str) {
    for _ in 0..20 {
        workers.world.advance_millis(1_000);
        if let [sent] = &workers.tick()[..] {
            workers.answer(sent, 200, body);
            workers.tick();
            return;
        }
    }
    panic!("nothing was asked for");
}

#[test]
fn a_grant_that_is_fetched_counts_if_it_is_signed_and_is_nothing_if_it_is_wrong() {
    let key = PrivateKey::generate(Algorithm::EdDsa).unwrap().with_kid("r");
    let grant = json!({
        "agent": "support-bot", "permission": "contacts:write", "until": "2027-01-15T09:00:00Z",
        "approved_by": "oncall", "reason": "INC-4711",
    });
    let signed = |grants: Value| {
        let header = json!({ "alg": "EdDSA", "kid": "r", "typ": "revocations+jwt" });
        let claims = json!({
            "iss": "https://admin.crm.example/", "iat": NOW, "revocations": { "grants": grants },
        });
        sign(&key, &header.to_string(), &claims.to_string()).unwrap()
    };
    let subscribed = |signed_by: Option<&str>| {
        let mut policy = granting(&json!({}));
        policy["grants"] = json!([]);
        policy["agents"]["support-bot"]["issuer"] = json!(ISSUER);
        let mut admin = policy["issuers"][0].clone();
        admin["issuer"] = json!("https://admin.crm.example/");
        admin["jwks"] = key_set([&key]);
        policy["issuers"].as_array_mut().unwrap().push(admin);
        policy["revocations"]["feed"] =
            json!({ "url": "https://admin.crm.example/feed", "cluster": "admin", "refresh": "5s" });
        if let Some(issuer) = signed_by {
            policy["revocations"]["feed"]["signed_by"] = json!(issuer);
        }
        Workers::new(2, &policy)
    };
    let call = write().bearer(&compact(&bot()));
    for (change, code) in [
        (json!({}), "allow"),
        (json!({ "agent": "unheard-of" }), "agent_ceiling"),
        (json!({ "until": "2027-01-15T07:00:00Z" }), "agent_ceiling"),
        (json!({ "uses": 0 }), "agent_ceiling"),
        (json!({ "path": "v1" }), "agent_ceiling"),
        (json!({ "when": ["true"] }), "agent_ceiling"),
    ] {
        let workers = subscribed(Some("https://admin.crm.example/"));
        let mut grant = grant.clone();
        grant.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        publish(&workers, &signed(json!([grant])));
        workers.assert_all(code, &call);
    }
    let workers = subscribed(Some("https://admin.crm.example/"));
    let mut endless = grant.clone();
    endless.as_object_mut().unwrap().remove("until");
    publish(&workers, &signed(json!([endless])));
    workers.assert_all("agent_ceiling", &call);
    // Whoever can put something in the place of what is not signed gives nobody anything.
    let workers = subscribed(None);
    publish(&workers, "{}");
    publish(&workers, &json!({ "grants": [grant] }).to_string());
    workers.assert_all("agent_ceiling", &call);
}
