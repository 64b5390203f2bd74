//! The filter beside Envoy's own `jwt_authn`, with the same issuers and keys: tokens by the ten
//! thousand, good and bent, and not one disagreement that `rules` do not explain.

mod draw;
mod engine;
mod forgery;
mod keys;
mod native;
mod rules;

use std::thread;

use postern_demo::client::Request;
use postern_demo::clock::now;
use postern_demo::{Lab, Settings};
use serde_json::{Value, json};

use self::engine::InProcess;
use self::forgery::{AUDIENCE, LOGIN, PARTNER, forge};
use self::keys::Keys;
use self::rules::{ACCEPTED, Facts, RULES};

/// Tokens that are tried.
const TOKENS: u64 = 24_000;

/// How many are at it at once.
const THREADS: u64 = 2;

/// What became of a token.
struct Verdict {
    authorization: String,
    /// When it was written and sent.
    at: i64,
    /// The filter's status, code and explanation.
    ours: (u16, String, String),
    /// The code of the engine without a proxy.
    engine: String,
    /// The status of `jwt_authn`.
    theirs: u16,
}

impl Verdict {
    /// Whether the filter takes the token, whatever its holder may do then.
    const fn is_ours(&self) -> bool {
        matches!(self.ours.0, 200 | 403)
    }

    const fn is_theirs(&self) -> bool {
        self.theirs == 200
    }
}

fn policy(keys: &Keys) -> Value {
    let issuer = |issuer: &str, set: Value| {
        json!({
            "issuer": issuer,
            "audiences": [AUDIENCE],
            "algorithms": ["ES256", "EdDSA", "PS256", "RS256", "RS384", "RS512"],
            "jwks": set,
            "leeway": "30s",
        })
    };
    json!({
        "version": 1,
        "issuers": [issuer(LOGIN, keys.login_set()), issuer(PARTNER, keys.partner_set())],
        "roles": { "reader": { "permissions": ["contacts:read"] } },
        "scopes": { "crm.read": { "role": "reader" } },
        "routes": [{ "path": "/v1/contacts", "methods": ["GET"], "permission": "contacts:read" }],
        "limits": { "refused_tokens": "4000000000/s" },
    })
}

/// Has every token judged by all three.
fn verdicts(keys: &Keys, lab: &Lab) -> Vec<Verdict> {
    let native = native::address(lab.envoy.admin());
    let judge = |engine: &InProcess, number: u64| {
        let at = now();
        let authorization = forge(keys, number, at);
        let request = Request::get("/v1/contacts").header("Authorization", &authorization);
        let ours = request.send(lab.address()).unwrap();
        let body: Value = serde_json::from_slice(&ours.body).unwrap_or_default();
        let detail = body["detail"].as_str().unwrap_or_default().to_owned();
        let code = ours.code().unwrap_or("allow".to_owned());
        let theirs = request.send(native).unwrap().status;
        let engine = engine.code(&authorization);
        Verdict { authorization, at, ours: (ours.status, code, detail), engine, theirs }
    };
    let judge = &judge;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|first| {
                scope.spawn(move || {
                    let engine = InProcess::new(lab.policy());
                    let numbers = (first..TOKENS).step_by(usize::try_from(THREADS).unwrap());
                    numbers.map(|number| judge(&engine, number)).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn tokens_by_the_ten_thousand_are_judged_as_envoy_judges_them_or_by_a_rule_that_says_why() {
    let keys = Keys::new();
    let mut settings = Settings::from_env().unwrap();
    settings.policy = policy(&keys);
    settings.edits = vec![(native::PLACE.to_owned(), native::listener(&keys))];
    let lab = Lab::start_as_written(settings).unwrap();
    let verdicts = verdicts(&keys, &lab);

    let mut used = vec![0; RULES.len()];
    let mut unexplained = Vec::new();
    for verdict in verdicts.iter().filter(|verdict| verdict.is_ours() != verdict.is_theirs()) {
        let facts = Facts::of(&verdict.authorization, verdict.at);
        let (_, code, detail) = &verdict.ours;
        let answer = if verdict.is_ours() { ACCEPTED } else { code };
        match RULES.iter().position(|rule| rule.explains(&facts, answer, detail)) {
            Some(rule) => used[rule] += 1,
            None => unexplained.push(format!(
                "{code} ({detail}), and jwt_authn {}: {}",
                verdict.theirs, verdict.authorization
            )),
        }
    }
    let idle: Vec<_> = RULES.iter().zip(&used).filter(|(_, used)| **used == 0).collect();
    let idle: Vec<_> = idle.into_iter().map(|(rule, _)| rule.source).collect();
    let disagreements: usize = used.iter().sum::<usize>() + unexplained.len();
    let both = verdicts.iter().filter(|one| one.is_ours() && one.is_theirs()).count();
    println!("{} tokens, {both} good to both, {disagreements} disagreements", verdicts.len());
    for (rule, used) in RULES.iter().zip(&used) {
        println!("{used:>6} {}", rule.source);
    }
    assert_eq!(unexplained.iter().take(20).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(idle, Vec::<&str>::new(), "rules that nothing needs");
    // That they agree is worth something only if there is much to agree about.
    let neither = verdicts.iter().filter(|one| !one.is_ours() && !one.is_theirs()).count();
    assert!(both > 3_000 && neither > 8_000, "{both} {neither}");

    // The compiled filter, which has signatures checked by the proxy, and the engine are of one mind.
    let differ = verdicts.iter().filter(|one| one.ours.1 != one.engine);
    let differ: Vec<_> = differ.map(|one| (&one.ours.1, &one.engine, &one.authorization)).collect();
    assert_eq!(differ, []);
}
