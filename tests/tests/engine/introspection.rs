//! Opaque tokens: what the engine asks their issuer (RFC 7662), what it makes of the answer, and
//! for how long.

mod answers;
mod asking;
mod bound;
mod memory;

use postern::feed::Response;
use postern::introspection::News;
use postern_tests::engine::{AUDIENCE, Call, Gate, ISSUER, NOW, Sent, World, get, policy};
use serde_json::{Value, json};

const TOKEN: &str = "op_5Kx9.q~-_+/Zt7=";

/// The policy, whose issuer is asked about tokens that are not its JWTs.
fn asking() -> Value {
    let mut policy = policy();
    policy["issuers"][0]["introspection"] = json!({
        "url": "https://login.crm.example/introspect",
        "cluster": "login",
        "client_id": "gateway",
        "client_secret": "s3cr3t",
        "timeout": "4s",
    });
    policy
}

fn call(token: &str) -> Call {
    get("/v1/contacts").bearer(token)
}

fn now() -> i64 {
    NOW.cast_signed()
}

/// What the issuer says of Ada's token.
fn active() -> Value {
    json!({
        "active": true,
        "token_type": "Bearer",
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ada",
        "client_id": "web-app",
        "scope": "crm.read",
        "iat": now(),
        "exp": now() + 3_600,
    })
}

fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut answer = active();
    answer[name] = value.into();
    answer
}

fn without(name: &str) -> Value {
    let mut answer = active();
    answer.as_object_mut().unwrap().remove(name).unwrap();
    answer
}

/// One worker, and the network.
struct Worker(Gate);

impl Worker {
    fn new(policy: &Value) -> Self {
        Self(Gate::new(policy))
    }

    fn world(&self) -> &World {
        &self.0.world
    }

    /// Sends what there is to send.
    fn sent(&self) -> Vec<Sent> {
        self.0.engine.ask(self.world());
        self.world().take_fetches()
    }

    fn answer(&self, sent: &Sent, status: Option<u16>, body: &[u8]) -> Option<News> {
        let response = Response { status, length: body.len(), body, ..Response::default() };
        self.0.engine.answered(sent.call, &response, self.world())
    }

    /// Asks about a token that is not known yet, and answers so.
    fn meet(&self, token: &str, answer: &[u8]) -> Option<News> {
        self.0.attempt(&call(token)).unwrap_err();
        let sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        self.answer(&sent[0], Some(200), answer)
    }

    fn code(&self, token: &str) -> String {
        self.0.ask(&call(token)).code()
    }
}

/// What becomes of a token of which the issuer says `answer`.
fn verdict(answer: &Value) -> String {
    verdict_under(&asking(), answer)
}

fn verdict_under(policy: &Value, answer: &Value) -> String {
    let worker = Worker::new(policy);
    worker.meet(TOKEN, answer.to_string().as_bytes());
    let code = worker.code(TOKEN);
    assert_eq!(worker.sent(), [], "an answer settles it: {code}");
    code
}
