//! What a user said, used by many at once in a real Envoy with two workers.

use std::thread;

use postern_cli::mint::AccessToken;
use postern_demo::cast::{ADA, AUDIENCE, LOGIN, SUPPORT_BOT, acting};
use postern_demo::client::Request;
use postern_demo::clock::now;
use postern_demo::{Lab, Settings};
use serde_json::json;

const WRITES: usize = 16;

fn start() -> Lab {
    let mut settings = Settings::from_env().unwrap();
    settings.policy["limits"] = json!({});
    settings.policy["agents"][SUPPORT_BOT]["consent"] = json!({ "contacts:write": {} });
    settings.policy["consent"] =
        json!({ "issuer": LOGIN, "audience": AUDIENCE, "url": "https://crm.example/consent" });
    Lab::start(settings).unwrap()
}

/// What Ada says to changing a contact.
fn said(lab: &Lab) -> String {
    AccessToken::new(LOGIN, AUDIENCE, now())
        .header("typ", "consent+jwt")
        .subject(ADA.subject)
        .claim("agent", SUPPORT_BOT)
        .claim("permission", "contacts:write")
        .claim("htm", "PUT")
        .claim("path", "/v1/contacts/42")
        .sign(&lab.cast.login)
        .unwrap()
}

#[test]
fn of_many_that_come_with_it_at_once_one_gets_through() {
    let lab = start();
    let token = acting(SUPPORT_BOT, ADA, "crm.write").sign(&lab.cast.login).unwrap();
    let write = Request::new("PUT", "/v1/contacts/42").bearer(&token);
    let code = |request: &Request| {
        let response = lab.send(request).unwrap();
        response.code().unwrap_or_else(|| response.status.to_string())
    };
    assert_eq!(code(&write), "consent_required");
    for _ in 0..3 {
        let write = write.clone().header("x-agent-consent", said(&lab));
        let codes: Vec<String> = thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITES).map(|_| scope.spawn(|| code(&write))).collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        let count = |wanted: &str| codes.iter().filter(|code| *code == wanted).count();
        assert_eq!((count("200"), count("consent_spent")), (1, WRITES - 1), "{codes:?}");
    }
}
