//! What organizations have decided for their own: it only ever takes away.

use postern_cli::mint::AccessToken;
use postern_tests::engine::{Call, Gate, Workers, call, compact, get, policy, problems, token};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The policy with what Acme has decided.
fn decided(acme: Value) -> Value {
    let mut policy = policy();
    policy["unregistered_agents"] = json!({ "ceiling": "reader" });
    policy["organizations"] = json!({ "acme": acme });
    policy
}

/// Ada's, who belongs to Acme.
fn ada(scope: &str, role: &str) -> AccessToken {
    token("ada", "web-app", scope).roles(&[role]).claim("org_id", "acme")
}

fn bot(scope: &str, role: &str) -> AccessToken {
    ada(scope, role).actor("support-bot")
}

fn read() -> Call {
    get("/v1/contacts")
}

fn write() -> Call {
    call("PUT", "/v1/contacts/7")
}

fn code(policy: &Value, call: Call, token: &AccessToken) -> String {
    Gate::new(policy).ask(&call.bearer(&compact(token))).code()
}

#[test]
fn a_blocked_client_calls_for_nobody_of_the_organization_as_client_or_as_actor() {
    for name in ["web-app", "support-bot"] {
        let policy = decided(json!({ "blocked_clients": [name] }));
        assert_eq!(code(&policy, read(), &bot("crm.read", "reader")), "client_blocked", "{name}");
        let other = bot("crm.read", "reader").claim("org_id", "globex");
        assert_eq!(code(&policy, read(), &other), "allow", "{name}");
    }
}

#[test]
fn a_blocked_scope_is_worth_nothing_and_the_others_what_they_are() {
    let policy = decided(json!({ "blocked_scopes": ["crm.write"] }));
    for token in [ada("crm.read crm.write", "editor"), bot("crm.read crm.write", "editor")] {
        assert_eq!(code(&policy, read(), &token), "allow");
        assert_eq!(code(&policy, write(), &token), "scope_blocked");
    }
    assert_eq!(code(&policy, write(), &ada("crm.read", "editor")), "insufficient_scope");
    assert_eq!(code(&policy, write(), &ada("crm.admin", "admin")), "allow");
}

#[test]
fn an_organizations_ceiling_is_for_agents_on_top_of_their_own() {
    let policy = decided(json!({ "agent_ceiling": "reader" }));
    assert_eq!(code(&policy, write(), &bot("crm.write", "editor")), "agent_ceiling");
    assert_eq!(code(&policy, read(), &bot("crm.write", "editor")), "allow");
    assert_eq!(code(&policy, write(), &ada("crm.write", "editor")), "allow");
    // A wide one lifts no agent over its own.
    let policy = decided(json!({ "agent_ceiling": "admin" }));
    let export = call("POST", "/v1/exports");
    assert_eq!(code(&policy, export, &bot("crm.admin", "admin")), "agent_ceiling");
}

#[test]
fn only_registered_agents_act_for_an_organization_that_wants_it_so() {
    let stranger = ada("crm.read", "reader").actor("stranger");
    assert_eq!(code(&decided(json!({})), read(), &stranger), "allow");
    let policy = decided(json!({ "registered_agents_only": true }));
    assert_eq!(code(&policy, read(), &stranger), "agent_unknown");
    assert_eq!(code(&policy, read(), &bot("crm.read", "reader")), "allow");
}

#[test]
fn a_sensitive_scope_is_handed_to_agents_by_those_only_who_may() {
    let policy = decided(json!({ "delegable_by": { "crm.write": "admin" } }));
    assert_eq!(code(&policy, write(), &bot("crm.write", "editor")), "scope_blocked");
    assert_eq!(code(&policy, write(), &bot("crm.write", "admin")), "allow");
    assert_eq!(code(&policy, write(), &ada("crm.write", "editor")), "allow");
    // An agent that acts for nobody has it from nobody who may.
    let alone = token("support-bot", "support-bot", "crm.write").claim("org_id", "acme");
    assert_eq!(code(&policy, write(), &alone.roles(&["admin"])), "scope_blocked");
}

#[test]
fn a_scope_may_be_for_users_of_a_role_whoever_holds_the_token() {
    let mut policy = policy();
    policy["scopes"]["crm.write"]["user_must_hold"] = json!("editor");
    let ada = |roles: &[&str]| token("ada", "web-app", "crm.write").roles(roles);
    assert_eq!(code(&policy, write(), &ada(&["editor"])), "allow");
    assert_eq!(code(&policy, write(), &ada(&["admin"])), "allow");
    for roles in [&["reader"][..], &["unheard-of"], &[]] {
        assert_eq!(code(&policy, write(), &ada(roles)), "user_lacks_role", "{roles:?}");
    }
    let alone = token("support-bot", "support-bot", "crm.write").roles(&["admin"]);
    assert_eq!(code(&policy, write(), &alone), "user_lacks_role");
}

#[test]
fn mistakes_in_what_an_organization_decided_are_found_at_load() {
    for (acme, message) in [
        (
            json!({ "blocked_scopes": ["crm.wirte"] }),
            "organizations.acme.blocked_scopes[0]: unknown scope `crm.wirte`; did you mean `crm.write`?",
        ),
        (
            json!({ "agent_ceiling": "raeder" }),
            "organizations.acme.agent_ceiling: unknown role `raeder`; did you mean `reader`?",
        ),
        (json!({ "delegable_by": { "crm.write": "boss" } }), "unknown role `boss`"),
        (json!({ "delegable_by": { "crm.x": "admin" } }), "unknown scope `crm.x`"),
        (json!({ "permissions": ["deals:write"] }), "unknown field `permissions`"),
    ] {
        let found = problems(&decided(acme.clone()));
        assert!(found.contains(message), "{acme}: {found}");
    }
}

#[test]
fn a_scope_that_opens_everything_is_warned_of_unless_it_is_for_users_of_a_role() {
    assert_eq!(problems(&policy()), "");
    let mut policy = policy();
    policy["scopes"]["crm.admin"] = json!({ "role": "admin" });
    let found = problems(&policy);
    let warning = "scopes.\"crm.admin\": this scope opens everything there is";
    assert!(found.contains(warning), "{found}");
}

/// Two workers that are told what organizations decide.
fn subscribed(own: Value) -> Workers {
    let mut policy = decided(own);
    policy["revocations"]["feed"] =
        json!({ "url": "https://admin.crm.example/feed", "cluster": "admin", "refresh": "5s" });
    Workers::new(2, &policy)
}

/// Lets the next answer of the feed be this.
fn publish(workers: &Workers, document: &Value) {
    for _ in 0..20 {
        workers.world.advance_millis(1_000);
        if let [sent] = &workers.tick()[..] {
            workers.answer(sent, 200, &document.to_string());
            workers.tick();
            return;
        }
    }
    panic!("nothing was asked for");
}

#[test]
fn what_the_admin_page_writes_counts_at_once_for_tokens_that_are_remembered_and_is_taken_back() {
    let workers = subscribed(json!({}));
    let bearer = compact(&bot("crm.write", "editor"));
    let write = write().bearer(&bearer);
    publish(&workers, &json!({}));
    workers.assert_all("allow", &write);
    publish(&workers, &json!({ "organizations": { "acme": { "agent_ceiling": "reader" } } }));
    workers.assert_all("agent_ceiling", &write);
    publish(&workers, &json!({ "organizations": { "globex": { "agent_ceiling": "reader" } } }));
    workers.assert_all("allow", &write);
}

#[test]
fn what_is_told_narrows_what_the_policy_has_and_what_it_does_not_know_narrows_most() {
    for (told, code) in
        [(json!({ "agent_ceiling": "admin" }), "agent_ceiling"), (json!({}), "agent_ceiling")]
    {
        let workers = subscribed(json!({ "agent_ceiling": "reader" }));
        publish(&workers, &json!({ "organizations": { "acme": told } }));
        let bearer = compact(&bot("crm.write", "editor"));
        workers.assert_all(code, &write().bearer(&bearer));
    }
    for (told, code) in [
        (json!({ "agent_ceiling": "unheard-of" }), "agent_ceiling"),
        (json!({ "delegable_by": { "crm.write": "unheard-of" } }), "scope_blocked"),
        (json!({ "blocked_scopes": ["unheard-of"] }), "allow"),
    ] {
        let workers = subscribed(json!({}));
        publish(&workers, &json!({ "organizations": { "acme": told } }));
        let bearer = compact(&bot("crm.write", "admin"));
        workers.assert_all(code, &write().bearer(&bearer));
    }
}

fn names(of: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    proptest::sample::subsequence(of, 0..=of.len())
}

const SCOPES: &[&str] = &["crm.read", "crm.write", "crm.admin"];
const ROLES: &[&str] = &["reader", "editor", "admin"];

prop_compose! {
    fn organization()(
        clients in names(&["web-app", "support-bot", "stranger", "other"]),
        scopes in names(SCOPES),
        ceiling in proptest::option::of(proptest::sample::select(ROLES)),
        registered in any::<bool>(),
        delegable in names(SCOPES),
        role in proptest::sample::select(ROLES),
    ) -> Value {
        let delegable: serde_json::Map<_, _> =
            delegable.into_iter().map(|scope| (scope.to_owned(), json!(role))).collect();
        let mut acme = json!({
            "blocked_clients": clients,
            "blocked_scopes": scopes,
            "registered_agents_only": registered,
            "delegable_by": delegable,
        });
        if let Some(ceiling) = ceiling {
            acme["agent_ceiling"] = json!(ceiling);
        }
        acme
    }
}

proptest! {
    #[test]
    fn nobody_may_more_for_what_an_organization_decided(
        acme in organization(),
        scopes in names(SCOPES),
        roles in names(ROLES),
        actor in proptest::option::of(proptest::sample::select(&["support-bot", "stranger"][..])),
    ) {
        let token = token("ada", "web-app", &scopes.join(" ")).roles(&roles).claim("org_id", "acme");
        let token = compact(&match actor {
            Some(actor) => token.actor(actor),
            None => token,
        });
        let (free, bound) = (Gate::new(&decided(json!({}))), Gate::new(&decided(acme)));
        for (method, path) in
            [("GET", "/v1/contacts"), ("PUT", "/v1/contacts/7"), ("PUT", "/v1/deals/7"), ("POST", "/v1/exports")]
        {
            let ask = |gate: &Gate| gate.ask(&call(method, path).bearer(&token)).code();
            prop_assert!(ask(&bound) != "allow" || ask(&free) == "allow", "{method} {path}");
        }
    }
}
