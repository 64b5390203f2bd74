//! What has been taken back is refused, whatever else the policy says, and nothing besides.

use std::collections::BTreeSet;

use postern::policy::Policy;
use postern_cli::mint::AccessToken;
use postern_tests::engine::{
    Gate, ISSUER, NOW, Outcome, agent, compact, get, issuer, policy, problems, token, user,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const OTHER: &str = "https://login.partner.example/";

/// 2027-01-15T08:00:00Z.
const NOW_TEXT: &str = "2027-01-15T08:00:00Z";

/// Two issuers, two agents with client and actor of different names, and these revocations.
fn revoking(revocations: Value) -> Value {
    let mut policy = policy();
    policy["issuers"] = json!([issuer(ISSUER), issuer(OTHER)]);
    policy["agents"] = json!({
        "support-bot": { "issuer": ISSUER, "ceiling": "editor" },
        "research-bot": { "issuer": ISSUER, "ceiling": "editor", "client": "r-client",
            "actor": "r-actor" },
        "partner-bot": { "issuer": OTHER, "ceiling": "editor" },
    });
    policy["unregistered_agents"] = json!({ "ceiling": "reader" });
    policy["revocations"] = revocations;
    policy
}

fn ask(revocations: &Value, token: &AccessToken) -> Outcome {
    let gate = Gate::new(&revoking(revocations.clone()));
    gate.ask(&get("/v1/contacts").bearer(&compact(token)))
}

fn ada() -> AccessToken {
    token("ada", "web-app", "crm.read").roles(&["reader"]).claim("jti", "t-1")
}

fn acting(act: Value) -> AccessToken {
    ada().claim("act", act)
}

fn at_other(token: AccessToken) -> AccessToken {
    token.claim("iss", OTHER)
}

/// Each of the tokens is refused so, and counts without the revocation.
fn refused(revocations: Value, (status, code): (u16, &str), tokens: &[AccessToken]) {
    for token in tokens {
        let outcome = ask(&revocations, token);
        assert_eq!(outcome.code(), code, "{revocations} {:?}", token.claims());
        assert_eq!(outcome.reply().status, status);
        let (list, _) = revocations.as_object().unwrap().iter().next().unwrap();
        assert_eq!(outcome.record["revocation"], format!("revocations.{list}[0]"));
        assert_eq!(outcome.record["subject"], token.claims()["sub"]);
        let without = ask(&json!({}), token);
        assert_eq!(without.code(), "allow", "{:?}", token.claims());
        assert_eq!(without.record.get("revocation"), None);
    }
}

/// None of the tokens is refused.
fn spared(revocations: &Value, tokens: &[AccessToken]) {
    for token in tokens {
        let code = ask(revocations, token).code();
        assert_eq!(code, "allow", "{revocations} {:?}", token.claims());
    }
}

#[test]
fn a_revoked_token_is_refused_and_no_other_of_its_subject() {
    let one = json!({ "tokens": [{ "issuer": ISSUER, "id": "t-1" }] });
    refused(one.clone(), (401, "revoked_token"), &[ada()]);
    let other = at_other(ada()).claim("aud", ada().claims()["aud"].clone());
    spared(&one, &[ada().claim("jti", "t-2"), ada().claim("jti", "T-1"), other.clone()]);
    refused(json!({ "tokens": [{ "id": "t-1" }] }), (401, "revoked_token"), &[ada(), other]);
}

#[test]
fn a_revoked_subject_is_refused_whoever_acts_for_it_and_whoever_it_acts_for() {
    let one = json!({ "subjects": [{ "issuer": ISSUER, "id": "ada" }] });
    let rex = ada().claim("sub", "rex");
    refused(
        one.clone(),
        (401, "revoked_token"),
        &[
            ada(),
            acting(json!({ "sub": "support-bot" })),
            rex.clone().claim("act", json!({ "sub": "ada" })),
            rex.clone().claim("act", json!({ "sub": "support-bot", "act": { "sub": "ada" } })),
            at_other(rex.clone()).claim("act", json!({ "sub": "ada", "iss": ISSUER })),
        ],
    );
    spared(&one, &[rex, at_other(ada()), ada().claim("sub", "ada2")]);
    refused(json!({ "subjects": [{ "id": "ada" }] }), (401, "revoked_token"), &[at_other(ada())]);
}

#[test]
fn a_blocked_client_gets_through_neither_as_client_nor_as_any_actor() {
    let scraper = || json!({ "sub": "scraper-9000" });
    let inside = json!({ "sub": "support-bot", "act": { "sub": "bot-7", "act": scraper() } });
    let tokens = [
        ada().claim("client_id", "scraper-9000"),
        token("scraper-9000", "scraper-9000", "crm.read"),
        acting(scraper()),
        acting(inside),
        ada().claim("client_id", "scraper-9000").claim("act", json!({ "sub": "support-bot" })),
    ];
    let everywhere = json!({ "clients": [{ "id": "scraper-9000" }] });
    refused(everywhere.clone(), (403, "client_blocked"), &tokens);
    let elsewhere = acting(json!({ "sub": "scraper-9000", "iss": "https://unknown.example/" }));
    refused(everywhere, (403, "client_blocked"), &[at_other(acting(scraper())), elsewhere.clone()]);

    let here = json!({ "clients": [{ "issuer": ISSUER, "id": "scraper-9000" }] });
    refused(here.clone(), (403, "client_blocked"), &tokens);
    spared(&here, &[at_other(acting(scraper())), elsewhere, ada().claim("sub", "scraper-9000")]);
}

#[test]
fn a_stopped_agent_gets_through_under_neither_of_its_names_and_another_does() {
    let stopped = json!({ "agents": ["research-bot"] });
    let inside = |name: &str| json!({ "sub": "support-bot", "act": { "sub": name } });
    let tokens = [
        ada().claim("client_id", "r-client"),
        token("r-client", "r-client", "crm.read"),
        acting(json!({ "sub": "r-actor" })),
        acting(json!({ "sub": "r-client" })),
        acting(inside("r-actor")),
        acting(inside("r-client")),
        acting(json!({ "sub": "support-bot" })).claim("client_id", "r-client"),
        at_other(acting(json!({ "sub": "r-actor", "iss": ISSUER }))),
    ];
    refused(stopped.clone(), (403, "agent_blocked"), &tokens);
    spared(
        &stopped,
        &[
            ada(),
            acting(json!({ "sub": "support-bot" })),
            at_other(acting(json!({ "sub": "r-actor" }))),
            at_other(token("r-client", "r-client", "crm.read")),
        ],
    );
    refused(
        json!({ "agents": ["partner-bot"] }),
        (403, "agent_blocked"),
        &[
            at_other(acting(json!({ "sub": "partner-bot" }))),
            acting(json!({ "sub": "partner-bot", "iss": OTHER })),
        ],
    );
}

#[test]
fn a_stopped_agent_is_stopped_though_the_policy_takes_it_for_a_person() {
    let mut policy = revoking(json!({ "agents": ["research-bot"] }));
    policy["callers"] = json!([{ "kind": "human", "otherwise": true }]);
    let gate = Gate::new(&policy);
    let code = |token: &AccessToken| gate.ask(&get("/v1/contacts").bearer(&compact(token))).code();
    assert_eq!(code(&ada().claim("client_id", "r-client")), "agent_blocked");
    assert_eq!(code(&ada()), "allow");
}

#[test]
fn a_revoked_issuer_vouches_for_nobody() {
    let revoked = json!({ "issuers": [OTHER] });
    refused(
        revoked.clone(),
        (401, "revoked_token"),
        &[
            at_other(ada()),
            at_other(acting(json!({ "sub": "partner-bot" }))),
            acting(json!({ "sub": "partner-bot", "iss": OTHER })),
        ],
    );
    spared(&revoked, &[ada(), acting(json!({ "sub": "support-bot" }))]);
}

#[test]
fn what_was_issued_before_the_moment_is_refused_to_the_second() {
    let now = i64::try_from(NOW).unwrap();
    let issued = |at: Value| ada().claim("iat", at);
    let before = json!({ "issued_before": [{ "issuer": ISSUER, "at": NOW_TEXT }] });
    let old = [issued(json!(now - 1)), issued(json!(f64::from(1_800_000_000_u32) - 0.5))];
    refused(before.clone(), (401, "revoked_token"), &old);
    spared(&before, &[issued(json!(now)), at_other(issued(json!(now - 1)))]);
    let all = json!({ "issued_before": [{ "at": NOW_TEXT }] });
    refused(
        all,
        (401, "revoked_token"),
        &[issued(json!(now - 1)), at_other(issued(json!(now - 1)))],
    );
}

#[test]
fn what_was_issued_before_the_moment_is_refused_of_one_subject_or_one_client() {
    let now = i64::try_from(NOW).unwrap();
    let old = |token: AccessToken| token.claim("iat", now - 1);
    let rex = ada().claim("sub", "rex");
    let subject = json!({ "issued_before": [{ "subject": "ada", "at": NOW_TEXT }] });
    refused(
        subject.clone(),
        (401, "revoked_token"),
        &[
            old(ada()),
            old(acting(json!({ "sub": "support-bot" }))),
            old(rex.clone().claim("act", json!({ "sub": "support-bot", "act": { "sub": "ada" } }))),
        ],
    );
    spared(&subject, &[old(rex.clone()), ada()]);
    let client =
        json!({ "issued_before": [{ "issuer": ISSUER, "client": "bot", "at": NOW_TEXT }] });
    refused(
        client.clone(),
        (401, "revoked_token"),
        &[
            old(ada().claim("client_id", "bot")),
            old(acting(json!({ "sub": "support-bot", "act": { "sub": "bot" } }))),
        ],
    );
    spared(&client, &[old(ada()), ada().claim("client_id", "bot"), old(ada().claim("sub", "bot"))]);
}

#[test]
fn a_token_that_does_not_say_when_it_was_issued_is_refused() {
    let mut policy =
        revoking(json!({ "issued_before": [{ "issuer": OTHER, "at": "2020-01-01" }] }));
    for issuer in policy["issuers"].as_array_mut().unwrap() {
        issuer["profile"] = json!("jwt");
    }
    let gate = Gate::new(&policy);
    let code = |token: AccessToken| gate.ask(&get("/v1/contacts").bearer(&compact(&token))).code();
    assert_eq!(code(at_other(ada()).without("iat")), "revoked_token");
    assert_eq!(code(at_other(ada())), "allow");
    assert_eq!(code(ada().without("iat")), "allow");
}

#[test]
fn of_two_moments_the_later_counts() {
    let now = i64::try_from(NOW).unwrap();
    let early = json!({ "at": "2020-01-01" });
    let late = json!({ "at": NOW_TEXT });
    for (moments, index) in [([&early, &late], 1), ([&late, &early], 0)] {
        let outcome = ask(&json!({ "issued_before": moments }), &ada().claim("iat", now - 1));
        assert_eq!(outcome.code(), "revoked_token");
        assert_eq!(outcome.record["revocation"], format!("revocations.issued_before[{index}]"));
    }
}

#[test]
fn what_no_other_token_would_mend_is_told_first() {
    let revocations = json!({
        "tokens": [{ "id": "t-1" }],
        "subjects": [{ "id": "ada" }],
        "clients": [{ "id": "r-client" }],
        "issuers": [OTHER],
        "agents": ["research-bot"],
        "issued_before": [{ "at": "2030-01-01" }],
    });
    for (token, list) in [
        (ada().claim("client_id", "r-client"), "agents"),
        (at_other(ada()).claim("client_id", "r-client"), "clients"),
        (at_other(ada()), "issuers"),
        (ada(), "subjects"),
        (ada().claim("sub", "rex"), "tokens"),
        (ada().claim("sub", "rex").claim("jti", "t-2"), "issued_before"),
    ] {
        let outcome = ask(&revocations, &token);
        assert_eq!(outcome.record["revocation"], format!("revocations.{list}[0]"));
    }
}

#[test]
fn a_token_that_is_not_valid_is_told_nothing_of_revocations() {
    let revocations = json!({ "tokens": [{ "id": "t-1" }], "subjects": [{ "id": "ada" }] });
    let expired = ask(&revocations, &ada().valid(1, 2));
    assert_eq!(expired.code(), "expired_token");
    assert_eq!(expired.record.get("revocation"), None);
    let gate = Gate::new(&revoking(revocations));
    let token = compact(&ada());
    let forged = format!("{}A", &token.get(..token.len() - 2).unwrap());
    assert_eq!(gate.ask(&get("/v1/contacts").bearer(&forged)).code(), "invalid_token");
    assert_eq!(gate.ask(&get("/healthz").bearer(&token)).code(), "allow");
}

#[test]
fn a_revoked_caller_is_refused_each_time_and_charged_to_no_limit() {
    let mut policy = revoking(json!({ "subjects": [{ "id": "ada" }] }));
    policy["limits"] = json!({ "humans": [{ "per": "user", "rate": "5/min" }] });
    let gate = Gate::new(&policy);
    let token = compact(&ada());
    for _ in 0..10 {
        assert_eq!(gate.ask(&get("/v1/contacts").bearer(&token)).code(), "revoked_token");
    }
    assert_eq!(gate.world.writes(), 0);
}

#[test]
fn a_remembered_token_is_refused_as_soon_as_the_policy_revokes_it() {
    let token = user("crm.read");
    let ask = |gate: &Gate| gate.ask(&get("/v1/contacts").bearer(&token)).code();
    let gate = Gate::new(&policy());
    assert_eq!((ask(&gate), ask(&gate)), ("allow".to_owned(), "allow".to_owned()));
    let mut next = policy();
    next["revocations"] = json!({ "subjects": [{ "id": "ada" }] });
    let revoked = Gate::within(gate.world.clone(), &next);
    assert_eq!(
        (ask(&revoked), ask(&revoked)),
        ("revoked_token".to_owned(), "revoked_token".to_owned())
    );
    let lifted = Gate::within(gate.world, &policy());
    assert_eq!(ask(&lifted), "allow");
}

#[test]
fn what_is_revoked_of_nobody_is_an_error_with_the_nearest_name() {
    for (revocations, told) in [
        (
            json!({ "agents": ["suport-bot"] }),
            "revocations.agents[0]: unknown agent `suport-bot`; did you mean `support-bot`?",
        ),
        (json!({ "agents": [""] }), "revocations.agents[0]: unknown agent ``"),
        (
            json!({ "issuers": ["https://login.crm.example"] }),
            "revocations.issuers[0]: unknown issuer `https://login.crm.example`; did you mean `https://login.crm.example/`?",
        ),
        (
            json!({ "tokens": [{ "id": "a" }, { "id": "b", "issuer": "x" }] }),
            "revocations.tokens[1].issuer: unknown issuer `x`",
        ),
        (
            json!({ "subjects": [{ "id": "a", "issuer": "x" }] }),
            "revocations.subjects[0].issuer: unknown issuer",
        ),
        (
            json!({ "clients": [{ "id": "a", "issuer": "x" }] }),
            "revocations.clients[0].issuer: unknown issuer",
        ),
        (
            json!({ "issued_before": [{ "at": "2026-01-01", "issuer": "x" }] }),
            "revocations.issued_before[0].issuer: unknown issuer",
        ),
        (json!({ "tokens": [{ "id": "" }] }), "revocations.tokens[0].id: expected 1 to 512 bytes"),
        (
            json!({ "tokens": [{ "id": "x".repeat(513) }] }),
            "revocations.tokens[0].id: expected 1 to 512 bytes",
        ),
        (json!({ "subjects": [{ "id": "a\n" }] }), "revocations.subjects[0].id: expected 1 to"),
        (
            json!({ "clients": [{ "id": "" }] }),
            "revocations.clients[0].id: expected 1 to 512 bytes",
        ),
        (json!({ "clients": ["scraper"] }), "revocations.clients[0]: "),
        (json!({ "clients": [{}] }), "revocations.clients[0]: missing field `id`"),
        (json!({ "client": [] }), "did you mean `clients`?"),
        (json!({ "issued_before": [{}] }), "revocations.issued_before[0]: missing field `at`"),
        (json!({ "issued_before": [{ "at": "yesterday" }] }), "revocations.issued_before[0].at: "),
        (json!({ "issued_before": [{ "at": 1 }] }), "revocations.issued_before[0].at: "),
        (
            json!({ "issued_before": [{ "at": "2026-01-01", "subject": "" }] }),
            "issued_before[0].subject: expected",
        ),
        (
            json!({ "issued_before": [{ "at": "2026-01-01", "subject": "a", "client": "b" }] }),
            "not both",
        ),
        (Value::Null, "revocations: "),
    ] {
        let policy = revoking(revocations);
        let told_of = Policy::compile(&policy).map(|_| ()).unwrap_err().to_string();
        assert!(told_of.contains(told), "expected: {told}\ntold: {told_of}");
    }
    let many = vec![json!({ "id": "x" }); 65_537];
    assert!(problems(&revoking(json!({ "tokens": many }))).contains("tokens: more than 65536"));
}

#[test]
fn what_another_revocation_does_already_is_warned_of() {
    for (revocations, told) in [
        (
            json!({ "agents": ["support-bot", "support-bot"] }),
            "agents[1]: this can never be what refuses a token: revocations.agents[0] does",
        ),
        (json!({ "issuers": [OTHER, OTHER] }), "issuers[1]: this"),
        (json!({ "tokens": [{ "id": "a" }, { "id": "a" }] }), "tokens[1]: this"),
        (json!({ "tokens": [{ "id": "a", "issuer": OTHER }, { "id": "a" }] }), "tokens[0]: this"),
        (
            json!({ "tokens": [{ "id": "a", "issuer": OTHER }], "issuers": [OTHER] }),
            "tokens[0]: this can never be what refuses a token: revocations.issuers[0] does",
        ),
        (
            json!({ "subjects": [{ "id": "a", "issuer": OTHER }, { "id": "a" }] }),
            "subjects[0]: this",
        ),
        (json!({ "clients": [{ "id": "a", "issuer": OTHER }, { "id": "a" }] }), "clients[0]: this"),
        (
            json!({ "issued_before": [{ "at": "2026-01-01" }, { "at": "2026-01-02" }] }),
            "issued_before[0]: this can never be what refuses a token: revocations.issued_before[1] does",
        ),
        (
            json!({ "issued_before": [{ "at": "2026-01-01" }, { "at": "2026-01-01" }] }),
            "issued_before[1]: this",
        ),
        (
            json!({ "issued_before": [{ "at": "2026-01-01", "client": "a" }, { "at": "2026-01-01" }] }),
            "issued_before[0]: this",
        ),
        (
            json!({ "issued_before": [{ "at": "2026-01-01", "client": "a", "issuer": OTHER }, { "at": "2026-01-02", "client": "a" }] }),
            "issued_before[0]: this",
        ),
        (
            json!({ "issued_before": [{ "at": "2026-01-01", "subject": "a" }], "subjects": [{ "id": "a" }] }),
            "issued_before[0]: this",
        ),
    ] {
        let warnings = problems(&revoking(revocations));
        assert_eq!(warnings.lines().count(), 1, "{warnings}");
        assert!(
            warnings.contains(&format!("revocations.{told}")),
            "expected: {told}\ntold: {warnings}"
        );
    }
    for sound in [
        json!({ "tokens": [{ "id": "a", "issuer": OTHER }, { "id": "a", "issuer": ISSUER }] }),
        json!({ "subjects": [{ "id": "a" }], "clients": [{ "id": "a" }] }),
        json!({ "clients": [{ "id": "a", "issuer": OTHER }], "issuers": [OTHER] }),
        json!({ "issued_before": [{ "at": "2026-01-01" }, { "at": "2026-01-02", "subject": "a" }] }),
        json!({ "issued_before": [{ "at": "2026-01-02", "issuer": OTHER }, { "at": "2026-01-01", "subject": "a", "issuer": OTHER }] }),
    ] {
        assert_eq!(problems(&revoking(sound.clone())), "", "{sound}");
    }
}

#[test]
fn an_agent_of_its_own_is_stopped_like_one_that_acts_for_somebody() {
    let gate = Gate::new(&revoking(json!({ "agents": ["support-bot"] })));
    let outcome = gate.ask(&get("/v1/contacts").bearer(&agent("support-bot", "crm.read")));
    assert_eq!(outcome.code(), "agent_blocked");
    assert!(outcome.response("www-authenticate").is_empty());
    assert_eq!(outcome.record["agent"], "support-bot");
}

fn names() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("ada"), Just("bot"), Just("support-bot"), Just("r-actor")]
}

proptest! {
    /// A model without look-ups: every party of the token is compared with every entry.
    #[test]
    fn a_token_is_refused_when_a_party_of_it_is_listed_and_only_then(
        (subject, client) in (names(), names()),
        actors in proptest::collection::vec((names(), any::<bool>()), 0..4),
        clients in proptest::collection::vec((names(), proptest::option::of(any::<bool>())), 0..3),
        subjects in proptest::collection::vec((names(), proptest::option::of(any::<bool>())), 0..3),
    ) {
        let at = |other: bool| if other { OTHER } else { ISSUER };
        let list = |entries: &[(&str, Option<bool>)]| -> Vec<Value> {
            let entry = |(name, issuer): &(&str, Option<bool>)| match issuer {
                Some(other) => json!({ "id": name, "issuer": at(*other) }),
                None => json!({ "id": name }),
            };
            entries.iter().map(entry).collect()
        };
        let revocations = json!({
            "clients": list(&clients),
            "subjects": list(&subjects),
        });
        let act = actors.iter().rev().fold(None, |inner: Option<Value>, (name, other)| {
            let mut act = json!({ "sub": name, "iss": at(*other) });
            if let Some(inner) = inner {
                act["act"] = inner;
            }
            Some(act)
        });
        let mut token = token(subject, client, "crm.read").roles(&["reader"]);
        if let Some(act) = act {
            token = token.claim("act", act);
        }
        let listed = |entries: &[(&str, Option<bool>)], first: &str| {
            let parties = std::iter::once((first, false)).chain(actors.iter().copied());
            parties.into_iter().any(|(name, other)| {
                entries.iter().any(|(entry, issuer)| {
                    *entry == name && issuer.is_none_or(|issuer| issuer == other)
                })
            })
        };
        let mut chain = vec![(subject, false)];
        chain.extend(&actors);
        let leads_back = chain.iter().collect::<BTreeSet<_>>().len() < chain.len();
        let expected = match (listed(&clients, client), listed(&subjects, subject)) {
            (true, _) => "client_blocked",
            (false, true) => "revoked_token",
            (false, false) if leads_back => "delegation_forbidden",
            (false, false) => "allow",
        };
        prop_assert_eq!(ask(&revocations, &token).code(), expected);
    }
}
