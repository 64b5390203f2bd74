//! What a caller may do, and which denial comes first.

use std::collections::{BTreeMap, BTreeSet};

use postern_cli::mint::AccessToken;
use postern_tests::engine::{self, Gate, call, compact, delegate, token};
use proptest::prelude::*;
use serde_json::{Value, json};

const READ: (&str, &str) = ("GET", "/v1/contacts");
const WRITE: (&str, &str) = ("PUT", "/v1/contacts/7");
const DEALS: (&str, &str) = ("PUT", "/v1/deals/7");
const EXPORT: (&str, &str) = ("POST", "/v1/exports");

/// The policy with a scope for everything that is worth it in all hands.
fn policy() -> Value {
    let mut policy = engine::policy();
    policy["scopes"]["crm.admin"] = json!({ "role": "admin" });
    policy
}

fn code(policy: &Value, (method, path): (&str, &str), token: &AccessToken) -> String {
    Gate::new(policy).ask(&call(method, path).bearer(&compact(token))).code()
}

/// A token of the registered agent that acts for Ada, who has `roles`.
fn acting(scope: &str, roles: &[&str]) -> AccessToken {
    token("ada", "web-app", scope).roles(roles).actor("support-bot")
}

fn human(scope: &str) -> AccessToken {
    token("ada", "web-app", scope)
}

#[test]
fn a_scope_grants_its_role_and_all_that_the_role_inherits() {
    for (scope, may, may_not) in [
        ("crm.read", vec![READ], vec![WRITE, DEALS, EXPORT]),
        ("crm.write", vec![READ, WRITE, DEALS], vec![EXPORT]),
        ("crm.admin", vec![READ, WRITE, DEALS, EXPORT], vec![]),
    ] {
        for operation in may {
            assert_eq!(code(&policy(), operation, &human(scope)), "allow", "{scope} {operation:?}");
        }
        for operation in may_not {
            assert_eq!(code(&policy(), operation, &human(scope)), "insufficient_scope", "{scope}");
        }
    }
}

#[test]
fn scopes_add_up_and_unknown_ones_grant_nothing() {
    for scope in ["", "crm", "CRM.READ", "crm.read2", "*", "reader", "contacts:read", "crm.read,x"]
    {
        assert_eq!(code(&policy(), READ, &human(scope)), "insufficient_scope", "{scope}");
    }
    assert_eq!(code(&policy(), EXPORT, &human("crm.read openid crm.admin")), "allow");
    assert_eq!(code(&policy(), READ, &human("").without("scope")), "insufficient_scope");
    let array = human("").without("scope").claim("scp", json!(["crm.read", 7]));
    assert_eq!(code(&policy(), READ, &array), "allow");
}

#[test]
fn whoever_acts_for_a_user_can_do_no_more_than_the_user() {
    assert_eq!(code(&policy(), WRITE, &acting("crm.write", &["editor"])), "allow");
    assert_eq!(code(&policy(), WRITE, &acting("crm.write", &["reader"])), "user_lacks_role");
    assert_eq!(code(&policy(), READ, &acting("crm.write", &["reader"])), "allow");
    assert_eq!(code(&policy(), READ, &acting("crm.write", &[])), "user_lacks_role");
    assert_eq!(code(&policy(), READ, &acting("crm.write", &["unheard-of"])), "user_lacks_role");
    assert_eq!(
        code(&policy(), READ, &acting("crm.read", &["admin"]).without("roles")),
        "user_lacks_role"
    );
}

#[test]
fn a_user_can_lend_no_more_than_the_scope_says() {
    assert_eq!(code(&policy(), WRITE, &acting("crm.read", &["admin"])), "insufficient_scope");
}

#[test]
fn an_agent_stops_at_its_ceiling_whatever_its_token_says() {
    assert_eq!(code(&policy(), EXPORT, &acting("crm.admin", &["admin"])), "agent_ceiling");
    let alone = token("support-bot", "support-bot", "crm.admin").roles(&["admin"]);
    assert_eq!(code(&policy(), EXPORT, &alone), "agent_ceiling");
    assert_eq!(code(&policy(), WRITE, &alone), "allow");
}

#[test]
fn an_agent_never_gets_what_it_never_gets() {
    assert_eq!(code(&policy(), DEALS, &acting("crm.admin", &["admin"])), "agent_forbidden");
    assert_eq!(code(&policy(), DEALS, &acting("", &[])), "agent_forbidden");
}

#[test]
fn the_denial_that_no_other_token_would_mend_comes_first() {
    let mut policy = policy();
    let bot = &mut policy["agents"]["support-bot"];
    bot["ceiling"] = json!("reader");
    bot["require"] = json!([{ "claim": "model", "in": ["m-4", "m-5"] }]);
    policy["routes"][0]["require"] = json!([{ "claim": "acr", "equals": "high" }]);
    policy["routes"][2]["require"] = json!([{ "claim": "acr", "equals": "high" }]);

    let nothing = |token: AccessToken| token.claim("model", "m-4");
    let stranger = token("ada", "web-app", "").actor("stranger");
    assert_eq!(code(&policy, DEALS, &stranger), "agent_unknown");
    assert_eq!(code(&policy, DEALS, &acting("", &[])), "condition_failed");
    assert_eq!(code(&policy, DEALS, &nothing(acting("", &[]))), "agent_forbidden");
    assert_eq!(code(&policy, WRITE, &nothing(acting("", &[]))), "agent_ceiling");
    assert_eq!(code(&policy, READ, &nothing(acting("", &[]))), "user_lacks_role");
    assert_eq!(code(&policy, READ, &nothing(acting("", &["reader"]))), "insufficient_scope");
    assert_eq!(code(&policy, READ, &nothing(acting("crm.read", &["reader"]))), "condition_failed");
    let all = nothing(acting("crm.read", &["reader"])).claim("acr", "high");
    assert_eq!(code(&policy, READ, &all), "allow");
    assert_eq!(code(&policy, ("GET", "/v2"), &all), "no_route");
}

#[test]
fn all_conditions_must_hold_and_a_missing_claim_holds_for_none() {
    let mut policy = policy();
    policy["routes"][0]["require"] = json!([
        { "claim": "acr", "in": ["silver", "gold"] },
        { "claim": "level", "equals": 2 },
        { "claim": "amr", "contains": "otp" },
        { "claim": "blocked", "exists": false },
        { "claim": "/device/id", "exists": true },
    ]);
    let good = human("crm.read")
        .claim("acr", "gold")
        .claim("level", 2.0)
        .claim("amr", json!(["pwd", "otp"]))
        .claim("blocked", Value::Null)
        .claim("device", json!({ "id": "d1" }));
    assert_eq!(code(&policy, READ, &good), "allow");
    for missing in ["acr", "level", "amr", "device"] {
        assert_eq!(
            code(&policy, READ, &good.clone().without(missing)),
            "condition_failed",
            "{missing}"
        );
    }
    for (name, value) in [
        ("acr", json!("GOLD")),
        ("acr", json!(["gold"])),
        ("level", json!("2")),
        ("level", json!(true)),
        ("amr", json!("potp")),
        ("amr", json!({ "otp": true })),
        ("blocked", json!(false)),
        ("device", json!({ "id": null })),
        ("device", json!("id")),
    ] {
        let bad = good.clone().claim(name, value.clone());
        assert_eq!(code(&policy, READ, &bad), "condition_failed", "{name} {value}");
    }
    assert_eq!(code(&policy, READ, &good.claim("amr", "pwd otp")), "allow");
}

#[test]
fn an_unregistered_agent_gets_nothing_or_what_lies_below_the_common_ceiling() {
    let stranger = token("ada", "web-app", "crm.admin").roles(&["admin"]).actor("stranger");
    let mut policy = policy();
    assert_eq!(code(&policy, READ, &stranger), "agent_unknown");
    policy["unregistered_agents"] = json!("deny");
    assert_eq!(code(&policy, READ, &stranger), "agent_unknown");
    policy["unregistered_agents"] = json!({ "ceiling": "reader" });
    assert_eq!(code(&policy, READ, &stranger), "allow");
    assert_eq!(code(&policy, WRITE, &stranger), "agent_ceiling");
    let stranger = token("stranger", "stranger", "crm.admin");
    assert_eq!(code(&policy, READ, &stranger), "allow");
    assert_eq!(code(&policy, WRITE, &stranger), "agent_ceiling");
}

#[test]
fn a_public_route_asks_for_nothing_and_believes_nothing() {
    let gate = Gate::new(&policy());
    for call in [
        call("GET", "/healthz"),
        call("HEAD", "/healthz?x=1"),
        call("GET", "/healthz").bearer("nonsense"),
        call("GET", "/healthz").bearer(&delegate("crm.read", &["reader"])),
    ] {
        let outcome = gate.ask(&call);
        assert_eq!(outcome.told("x-postern-kind").as_deref(), Some("anonymous"));
        assert_eq!(outcome.told("x-postern-subject"), None);
        assert_eq!(outcome.told("authorization"), None);
    }
    assert_eq!(gate.ask(&call("POST", "/healthz")).code(), "no_route");
}

const PERMISSIONS: [&str; 5] = ["p0", "p1", "p2", "p3", "p4"];
const ROLES: [&str; 5] = ["r0", "r1", "r2", "r3", "r4"];

type Names = BTreeSet<&'static str>;

/// A policy and a token, as plainly as they can be put.
#[derive(Clone, Debug)]
struct Case {
    /// Of each role: the permissions, and the roles of lower number that it inherits.
    roles: Vec<(Names, Names)>,
    scopes: Vec<usize>,
    ceiling: usize,
    never: Names,
    unregistered: Option<usize>,
    /// Of the token.
    granted: Vec<usize>,
    held: Vec<usize>,
    caller: Caller,
}

#[derive(Clone, Copy, Debug)]
enum Caller {
    Human,
    Known { delegated: bool },
    Stranger { delegated: bool },
}

impl Case {
    fn any() -> impl Strategy<Value = Self> {
        let names = |all: &'static [&'static str]| {
            proptest::sample::subsequence(all, 0..=all.len())
                .prop_map(|some| some.into_iter().collect::<Names>())
        };
        let role = move |index: usize| {
            let below = names(&ROLES).prop_map(move |mut names| {
                names.retain(|name| ROLES.iter().position(|role| role == name) < Some(index));
                names
            });
            (names(&PERMISSIONS), below)
        };
        let roles = (role(0), role(1), role(2), role(3), role(4))
            .prop_map(|(a, b, c, d, e)| vec![a, b, c, d, e]);
        let index = || 0..ROLES.len();
        let indices = move || proptest::collection::vec(index(), 0..3);
        let caller = prop_oneof![
            Just(Caller::Human),
            any::<bool>().prop_map(|delegated| Caller::Known { delegated }),
            any::<bool>().prop_map(|delegated| Caller::Stranger { delegated }),
        ];
        let policy =
            (roles, indices(), index(), names(&PERMISSIONS), proptest::option::of(index()));
        (policy, indices(), indices(), caller).prop_map(|(policy, granted, held, caller)| {
            let (roles, scopes, ceiling, never, unregistered) = policy;
            Self { roles, scopes, ceiling, never, unregistered, granted, held, caller }
        })
    }

    fn policy(&self) -> Value {
        let mut policy = policy();
        let role = |(name, (permissions, inherits)): (&&str, &(Names, Names))| {
            ((*name).to_owned(), json!({ "permissions": permissions, "inherits": inherits }))
        };
        let mut roles: BTreeMap<_, _> = ROLES.iter().zip(&self.roles).map(role).collect();
        roles.insert("everything".to_owned(), json!({ "permissions": PERMISSIONS }));
        let scope = |(n, role): (usize, &usize)| (format!("s{n}"), json!({ "role": ROLES[*role] }));
        let scopes: BTreeMap<_, _> = self.scopes.iter().enumerate().map(scope).collect();
        let route =
            |name| json!({ "path": format!("/{name}"), "methods": ["GET"], "permission": name });
        policy["roles"] = json!(roles);
        policy["scopes"] = json!(scopes);
        policy["agents"] =
            json!({ "known": { "ceiling": ROLES[self.ceiling], "never": self.never } });
        policy["unregistered_agents"] =
            self.unregistered.map_or(json!("deny"), |role| json!({ "ceiling": ROLES[role] }));
        policy["routes"] = PERMISSIONS.map(route).into();
        policy
    }

    fn token(&self) -> AccessToken {
        let scope: Vec<_> = self.granted.iter().map(|number| format!("s{number}")).collect();
        let held: Vec<_> = self.held.iter().map(|role| ROLES[*role]).collect();
        let scope = scope.join(" ");
        match self.caller {
            Caller::Human => token("ada", "app", &scope),
            Caller::Known { delegated: true } => token("ada", "app", &scope).actor("known"),
            Caller::Known { delegated: false } => token("known", "known", &scope),
            Caller::Stranger { delegated: true } => token("ada", "app", &scope).actor("odd"),
            Caller::Stranger { delegated: false } => token("odd", "odd", &scope),
        }
        .roles(&held)
    }

    fn of_role(&self, index: usize) -> Names {
        let (own, inherited) = &self.roles[index];
        let parents = ROLES.iter().enumerate().filter(|(_, name)| inherited.contains(*name));
        let parents = parents.flat_map(|(parent, _)| self.of_role(parent));
        own.iter().copied().chain(parents).collect()
    }

    fn union<'a>(&self, roles: impl IntoIterator<Item = &'a usize>) -> Names {
        roles.into_iter().flat_map(|role| self.of_role(*role)).collect()
    }

    /// What the policy's own words say, set by set.
    fn allowed(&self) -> Names {
        let scopes = self.granted.iter().filter_map(|number| self.scopes.get(*number));
        let granted = self.union(scopes);
        let user = self.union(&self.held);
        let lent = |delegated: bool| if delegated { &granted & &user } else { granted.clone() };
        match self.caller {
            Caller::Human => granted.clone(),
            Caller::Known { delegated } => {
                &(&lent(delegated) & &self.of_role(self.ceiling)) - &self.never
            }
            Caller::Stranger { delegated } => match self.unregistered {
                None => Names::new(),
                Some(role) => &lent(delegated) & &self.of_role(role),
            },
        }
    }
}

proptest! {
    #[test]
    fn the_engine_allows_what_sets_say_and_nothing_else(case in Case::any()) {
        let gate = Gate::new(&case.policy());
        let token = compact(&case.token());
        let allowed = case.allowed();
        for permission in PERMISSIONS {
            let outcome = gate.ask(&call("GET", format!("/{permission}")).bearer(&token));
            let expected = allowed.contains(permission);
            prop_assert_eq!(outcome.code() == "allow", expected, "{}", outcome.line);
        }
    }
}
