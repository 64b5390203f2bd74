//! Opaque tokens: what the engine asks their issuer (RFC 7662), what it makes of the answer, and
//! for how long.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on is to fail at once"
)]

use postern::introspection::{MAX_ANSWER_BYTES, MAX_QUESTIONS, News};
use postern::keys::Response;
use postern_tests::engine::{AUDIENCE, Call, Gate, ISSUER, NOW, Sent, World, get, policy, user};
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
        let response = Response { status, length: body.len(), body };
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

#[test]
fn rfc7662_2_1_the_question_is_a_form_from_a_client_with_a_secret() {
    let worker = Worker::new(&asking());
    assert_eq!(worker.0.attempt(&call(TOKEN)).unwrap_err(), 2, "worth so many seconds");
    let sent = &worker.sent()[0];
    assert_eq!((sent.upstream.as_str(), sent.timeout), ("login", 4_000));
    assert_eq!(sent.url, "https://login.crm.example/introspect");
    let form = "token=op_5Kx9.q~-_%2B%2FZt7%3D&token_type_hint=access_token";
    assert_eq!(sent.form.as_deref(), Some(form));
    assert_eq!(sent.authorization.as_deref(), Some("Basic Z2F0ZXdheTpzM2NyM3Q="));
}

#[test]
fn an_active_token_is_worth_what_the_answer_says_and_asked_about_once() {
    let worker = Worker::new(&asking());
    worker.meet(TOKEN, active().to_string().as_bytes());
    for _ in 0..3 {
        let outcome = worker.0.ask(&call(TOKEN));
        assert_eq!(outcome.told("x-postern-subject").as_deref(), Some("ada"));
        assert_eq!(outcome.told("x-postern-client").as_deref(), Some("web-app"));
        assert_eq!(outcome.told("x-postern-kind").as_deref(), Some("human"));
        assert_eq!(outcome.told("x-postern-issuer").as_deref(), Some(ISSUER));
        assert_eq!(outcome.told("authorization"), None, "the token stays here");
        assert!(!outcome.line.contains("op_5Kx9"), "{}", outcome.line);
    }
    let put = postern_tests::engine::call("PUT", "/v1/contacts/7").bearer(TOKEN);
    assert_eq!(worker.0.ask(&put).code(), "insufficient_scope");
    assert_eq!(worker.sent(), []);
}

#[test]
fn an_agent_that_acts_for_a_user_gets_no_more_than_both_may() {
    let mut answer = with("act", json!({ "sub": "support-bot" }));
    answer["roles"] = json!(["reader"]);
    answer["scope"] = json!("crm.read crm.write");
    let worker = Worker::new(&asking());
    worker.meet(TOKEN, answer.to_string().as_bytes());
    let outcome = worker.0.ask(&call(TOKEN));
    assert_eq!(outcome.told("x-postern-agent").as_deref(), Some("support-bot"));
    assert_eq!(outcome.told("x-postern-subject").as_deref(), Some("ada"));
    let put = postern_tests::engine::call("PUT", "/v1/contacts/7").bearer(TOKEN);
    assert_eq!(worker.0.ask(&put).code(), "user_lacks_role");
}

#[test]
fn until_the_answer_is_there_nobody_is_let_through() {
    let worker = Worker::new(&asking());
    for _ in 0..3 {
        let outcome = worker.0.ask(&call(TOKEN));
        assert_eq!((outcome.code().as_str(), outcome.reply().status), ("not_ready", 503));
        assert_eq!(outcome.response("retry-after"), ["1"]);
        assert_eq!(outcome.response("www-authenticate"), [""; 0]);
    }
    assert_eq!(worker.sent().len(), 1, "one question, whoever asks");
    assert_eq!(worker.0.attempt(&call(TOKEN)).unwrap_err(), 2);
    assert_eq!(worker.sent(), []);
}

#[test]
fn rfc7662_2_2_nothing_but_true_is_active() {
    for active in [
        json!(false),
        json!("true"),
        json!(1),
        json!(null),
        json!([true]),
        json!({ "active": true }),
    ] {
        assert_eq!(verdict(&with("active", active.clone())), "invalid_token", "{active}");
    }
    assert_eq!(verdict(&without("active")), "invalid_token");
    assert_eq!(verdict(&json!({})), "invalid_token");
    assert_eq!(verdict(&active()), "allow");
}

#[test]
fn an_inactive_token_is_a_401_and_not_asked_about_again_for_ten_seconds() {
    let worker = Worker::new(&asking());
    worker.meet(TOKEN, br#"{"active":false}"#);
    for offset in [0, 5, 9] {
        worker.world().set(offset);
        let outcome = worker.0.ask(&call(TOKEN));
        assert_eq!((outcome.code().as_str(), outcome.reply().status), ("invalid_token", 401));
        assert!(outcome.response("www-authenticate")[0].contains("error=\"invalid_token\""));
        assert_eq!(worker.sent(), []);
    }
    worker.world().set(10);
    worker.meet(TOKEN, active().to_string().as_bytes());
    assert_eq!(worker.code(TOKEN), "allow");
}

#[test]
fn claims_of_an_answer_pass_the_checks_that_claims_of_a_token_do() {
    let cases = [
        (with("iss", "https://login.crm.example"), "invalid_token"),
        (with("iss", "https://other.example/"), "invalid_token"),
        (with("iss", json!([ISSUER])), "invalid_token"),
        (with("aud", "https://billing.example"), "wrong_audience"),
        (with("aud", json!([])), "invalid_token"),
        (with("aud", json!({ "a": AUDIENCE })), "invalid_token"),
        (without("aud"), "invalid_token"),
        (with("exp", now()), "expired_token"),
        (with("exp", now() - 5), "expired_token"),
        (with("exp", (now() + 3_600) * 1_000), "invalid_token"),
        (with("exp", (now() + 3_600).to_string()), "invalid_token"),
        (without("exp"), "invalid_token"),
        (with("exp", now() + 90_000), "invalid_token"),
        (with("nbf", now() + 60), "invalid_token"),
        (with("iat", now() + 60), "invalid_token"),
        (without("client_id"), "invalid_token"),
        (with("client_id", ""), "invalid_token"),
        (with("azp", "another-app"), "invalid_token"),
        (with("sub", ""), "invalid_token"),
        (with("sub", 7), "invalid_token"),
        (with("act", "support-bot"), "invalid_token"),
        (with("act", json!({})), "invalid_token"),
        (with("cnf", json!({ "jkt": "x" })), "unbound_token"),
        (with("cnf", json!(null)), "unbound_token"),
        (with("nonce", "n"), "invalid_token"),
        (with("org_id", json!(["a", "b"])), "invalid_token"),
        (with("scope", ""), "insufficient_scope"),
        (with("scope", json!({ "crm.read": true })), "insufficient_scope"),
        (without("scope"), "insufficient_scope"),
        (without("iss"), "allow"),
        (with("aud", json!(["https://billing.example", AUDIENCE])), "allow"),
        (with("jti", "t-1"), "allow"),
    ];
    for (answer, code) in cases {
        assert_eq!(verdict(&answer), code, "{answer}");
    }
}

#[test]
fn rfc6749_1_5_a_refresh_token_is_active_too_and_opens_nothing() {
    assert_eq!(verdict(&without("token_type")), "invalid_token");
    for kind in [json!("refresh_token"), json!(""), json!("N_A"), json!(["Bearer"]), json!(null)] {
        assert_eq!(verdict(&with("token_type", kind.clone())), "invalid_token", "{kind}");
    }
    assert_eq!(verdict(&with("token_type", "DPoP")), "unbound_token");
    assert_eq!(verdict(&with("token_type", "bearer")), "allow");
    // Some issuers tell of nothing else, and then need not say so; what they do say counts.
    let mut policy = asking();
    policy["issuers"][0]["introspection"]["access_tokens_only"] = json!(true);
    assert_eq!(verdict_under(&policy, &without("token_type")), "allow");
    for kind in [json!("refresh_token"), json!(null), json!(true), json!("")] {
        let code = verdict_under(&policy, &with("token_type", kind.clone()));
        assert_eq!(code, "invalid_token", "{kind}");
    }
    assert_eq!(verdict_under(&policy, &with("token_type", "DPoP")), "unbound_token");
}

#[test]
fn without_a_subject_it_is_a_machines_only_where_the_policy_says_so() {
    assert_eq!(verdict(&without("sub")), "invalid_token");
    let mut policy = asking();
    policy["unregistered_agents"] = json!({ "ceiling": "reader" });
    policy["issuers"][0]["machine"] = json!({ "when": [{ "claim": "sub", "exists": false }] });
    assert_eq!(verdict_under(&policy, &without("sub")), "allow");
    let worker = Worker::new(&policy);
    worker.meet(TOKEN, without("sub").to_string().as_bytes());
    let outcome = worker.0.ask(&call(TOKEN));
    assert_eq!(outcome.told("x-postern-kind").as_deref(), Some("agent"));
    assert_eq!(outcome.told("x-postern-subject").as_deref(), Some("web-app"));
    // Nobody acts for nobody.
    let mut acting = without("sub");
    acting["act"] = json!({ "sub": "support-bot" });
    assert_eq!(verdict_under(&policy, &acting), "invalid_token");
}

#[test]
fn the_issuers_clients_and_conditions_hold_for_answers() {
    let mut policy = asking();
    policy["issuers"][0]["clients"] = json!(["batch"]);
    assert_eq!(verdict_under(&policy, &active()), "wrong_audience");
    let mut policy = asking();
    policy["issuers"][0]["require"] = json!([{ "claim": "acr", "equals": "2" }]);
    assert_eq!(verdict_under(&policy, &active()), "invalid_token");
    assert_eq!(verdict_under(&policy, &with("acr", "2")), "allow");
}

#[test]
fn what_the_policy_takes_back_stays_taken_back() {
    for revocations in [
        json!({ "subjects": [{ "id": "ada" }] }),
        json!({ "clients": [{ "id": "web-app" }] }),
        json!({ "tokens": [{ "id": "t-1" }] }),
        json!({ "issuers": [ISSUER] }),
        json!({ "issued_before": [{ "issuer": ISSUER, "at": "2100-01-01" }] }),
    ] {
        let mut policy = asking();
        policy["revocations"] = revocations.clone();
        let code = verdict_under(&policy, &with("jti", "t-1"));
        assert!(["revoked_token", "client_blocked"].contains(&code.as_str()), "{revocations}");
    }
}

#[test]
fn rfc7662_4_an_answer_is_good_for_a_minute_and_never_for_longer_than_the_token() {
    let worker = Worker::new(&asking());
    worker.meet(TOKEN, active().to_string().as_bytes());
    worker.world().set(59);
    assert_eq!(worker.code(TOKEN), "allow");
    worker.world().set(60);
    worker.meet(TOKEN, br#"{"active":false}"#);
    assert_eq!(worker.code(TOKEN), "invalid_token");

    let mut policy = asking();
    policy["issuers"][0]["introspection"]["cache"] = json!("1h");
    let worker = Worker::new(&policy);
    worker.meet(TOKEN, with("exp", now() + 20).to_string().as_bytes());
    worker.world().set(19);
    assert_eq!(worker.code(TOKEN), "allow");
    worker.world().set(20);
    // The leeway of a clock is not the issuer's to give away.
    worker.meet(TOKEN, with("exp", now() + 20).to_string().as_bytes());
    assert_eq!(worker.code(TOKEN), "expired_token");
}

#[test]
fn whatever_is_no_answer_is_a_503_and_asked_again_a_second_later() {
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    let many = format!(r#"{{"active":true,"a":[{}1]}}"#, "1,".repeat(1_000));
    let padded = with("pad", "x".repeat(MAX_ANSWER_BYTES)).to_string();
    let twice = active().to_string().replacen('{', r#"{"active":true,"#, 1);
    let inner = with("x", json!({ "k": 1 })).to_string().replace(r#""k":1"#, r#""k":1,"k":1"#);
    let whole = active().to_string();
    let bodies: Vec<(Option<u16>, Vec<u8>)> = vec![
        (None, vec![]),
        (Some(204), vec![]),
        (Some(201), whole.clone().into()),
        (Some(400), br#"{"error":"invalid_request"}"#.to_vec()),
        (Some(401), whole.clone().into()),
        (Some(302), whole.clone().into()),
        (Some(413), vec![]),
        (Some(500), whole.clone().into()),
        (Some(200), vec![]),
        (Some(200), b"true".to_vec()),
        (Some(200), b"[{\"active\":true}]".to_vec()),
        (Some(200), vec![0xff; 9]),
        (Some(200), deep.into()),
        (Some(200), many.into()),
        (Some(200), padded.into()),
        (Some(200), twice.into()),
        (Some(200), inner.into()),
        (Some(200), format!("{whole} {whole}").into()),
        (Some(200), whole.as_bytes()[..whole.len() - 1].to_vec()),
    ];
    for (status, body) in bodies {
        let worker = Worker::new(&asking());
        worker.0.attempt(&call(TOKEN)).unwrap_err();
        worker.answer(&worker.sent()[0], status, &body);
        let shown = (status, String::from_utf8_lossy(&body[..body.len().min(99)]).into_owned());
        let outcome = worker.0.attempt(&call(TOKEN)).expect("nobody is held any longer");
        assert_eq!(
            (outcome.code().as_str(), outcome.reply().status),
            ("not_ready", 503),
            "{shown:?}"
        );
        assert_eq!(outcome.response("retry-after"), ["1"]);
        assert_eq!(worker.sent(), [], "{shown:?}");
        worker.world().set(1);
        worker.meet(TOKEN, whole.as_bytes());
        assert_eq!(worker.code(TOKEN), "allow", "{shown:?}");
    }
}

#[test]
fn an_answer_that_the_proxy_did_not_hand_over_whole_is_none() {
    let worker = Worker::new(&asking());
    worker.0.attempt(&call(TOKEN)).unwrap_err();
    let sent = &worker.sent()[0];
    let body = active().to_string();
    let response = Response { status: Some(200), length: body.len() + 1, body: body.as_bytes() };
    worker.0.engine.answered(sent.call, &response, worker.world());
    assert_eq!(worker.code(TOKEN), "not_ready");
}

#[test]
fn every_mutilation_of_an_answer_is_a_denial() {
    let whole = active().to_string();
    let worker = Worker::new(&asking());
    for length in 0..whole.len() {
        let token = format!("cut-{length}");
        worker.meet(&token, &whole.as_bytes()[..length]);
        assert_eq!(worker.code(&token), "not_ready", "{length}");
        // So that the issuer is not left alone for it.
        worker.world().advance_millis(10_000);
        worker.meet(&format!("good-{length}"), br#"{"active":false}"#);
    }
}

#[test]
fn an_answer_to_no_question_and_a_second_one_to_the_same_change_nothing() {
    let worker = Worker::new(&asking());
    worker.0.attempt(&call(TOKEN)).unwrap_err();
    let sent = worker.sent().remove(0);
    let stranger = Sent { call: sent.call + 1, ..sent.clone() };
    worker.answer(&stranger, Some(200), active().to_string().as_bytes());
    assert_eq!(worker.code(TOKEN), "not_ready");
    worker.answer(&sent, Some(200), br#"{"active":false}"#);
    worker.answer(&sent, Some(200), active().to_string().as_bytes());
    assert_eq!(worker.code(TOKEN), "invalid_token");
}

#[test]
fn each_token_has_the_answer_to_its_own_question() {
    let worker = Worker::new(&asking());
    // The same beginning and the same end, and the one is the other's start.
    let tail = "x".repeat(40);
    let tokens = [format!("aa{tail}"), format!("ab{tail}"), format!("aa{tail}x"), "aa".to_owned()];
    for token in &tokens {
        worker.0.attempt(&call(token)).unwrap_err();
    }
    let sent = worker.sent();
    assert_eq!(sent.len(), tokens.len());
    // Answered in another order than asked.
    for (number, sent) in sent.iter().enumerate().rev() {
        let answer = with("sub", format!("user-{number}")).to_string();
        worker.answer(sent, Some(200), answer.as_bytes());
    }
    for (number, token) in tokens.iter().enumerate() {
        let outcome = worker.0.ask(&call(token));
        assert_eq!(outcome.told("x-postern-subject"), Some(format!("user-{number}")));
    }
    for unknown in ["a".to_owned(), tail.clone(), format!("aa{tail}xx"), format!("Aa{tail}")] {
        worker.0.attempt(&call(&unknown)).unwrap_err();
    }
}

#[test]
fn so_many_questions_are_under_way_and_whoever_comes_then_is_answered_at_once() {
    let worker = Worker::new(&asking());
    for number in 0..MAX_QUESTIONS {
        worker.0.attempt(&call(&format!("t-{number}"))).unwrap_err();
    }
    assert_eq!(worker.0.attempt(&call("one-more")).unwrap().code(), "not_ready");
    let sent = worker.sent();
    assert_eq!(sent.len(), MAX_QUESTIONS);
    assert_eq!(worker.0.attempt(&call("one-more")).unwrap().code(), "not_ready");
    // JWTs and remembered tokens are nobody's question.
    assert_eq!(worker.0.attempt(&call(&user("crm.read"))).unwrap().code(), "allow");
    worker.answer(&sent[0], Some(200), active().to_string().as_bytes());
    assert_eq!(worker.code("t-0"), "allow");
    worker.0.attempt(&call("one-more")).unwrap_err();
    assert_eq!(worker.sent().len(), 1);
}

#[test]
fn questions_whose_answers_are_lost_make_room_again() {
    let worker = Worker::new(&asking());
    for number in 0..MAX_QUESTIONS {
        worker.0.attempt(&call(&format!("t-{number}"))).unwrap_err();
    }
    assert_eq!(worker.sent().len(), MAX_QUESTIONS);
    worker.world().set(5);
    worker.meet("t-0", active().to_string().as_bytes());
    assert_eq!(worker.code("t-0"), "allow");
}

#[test]
fn an_issuer_that_fails_three_times_in_a_row_is_left_alone_and_comes_back_by_itself() {
    let worker = Worker::new(&asking());
    worker.meet("known", active().to_string().as_bytes());
    let mut news = Vec::new();
    for number in 0..3 {
        worker.0.attempt(&call(&format!("t-{number}"))).unwrap_err();
        news.extend(worker.answer(&worker.sent()[0], Some(503), b""));
    }
    let told: Vec<_> = news.iter().map(ToString::to_string).collect();
    let failed =
        format!("introspection at `{ISSUER}` failed: the answer has status 503, expected 200");
    assert_eq!(told, [failed.clone(), format!("{failed}; it is not asked for 1000 ms")]);

    for number in 3..50 {
        let outcome = worker.0.attempt(&call(&format!("t-{number}"))).expect("nobody is held");
        assert_eq!((outcome.code().as_str(), outcome.reply().status), ("not_ready", 503));
    }
    assert_eq!(worker.sent(), []);
    assert_eq!(worker.code("known"), "allow", "what is known is not forgotten");
    assert_eq!(worker.code(&user("crm.read")), "allow", "and who signs is not asked");

    worker.world().set(1);
    worker.0.attempt(&call("probe")).unwrap_err();
    worker.0.attempt(&call("other")).expect("one at a time");
    let sent = worker.sent();
    assert_eq!(sent.len(), 1);
    let news = worker.answer(&sent[0], Some(200), active().to_string().as_bytes()).unwrap();
    assert!(news.to_string().ends_with("it answers again"), "{news}");
    assert_eq!(worker.code("probe"), "allow");
    worker.meet("other", active().to_string().as_bytes());
    assert_eq!(worker.code("other"), "allow");
}

#[test]
fn a_dead_issuer_is_asked_a_few_times_in_a_minute_whoever_comes() {
    let worker = Worker::new(&asking());
    let mut asked = 0;
    for tick in 0..600 {
        for number in 0..10 {
            drop(worker.0.attempt(&call(&format!("t-{tick}-{number}"))));
        }
        for sent in worker.sent() {
            asked += 1;
            worker.answer(&sent, None, b"");
        }
        worker.world().advance_millis(100);
    }
    assert!((10..=32).contains(&asked), "{asked}");
    assert_eq!(worker.0.engine.introspection().pending(), 0);
}

#[test]
fn a_token_that_is_too_long_for_the_issuer_does_not_cost_others_theirs() {
    let worker = Worker::new(&asking());
    for number in 0..20 {
        worker.0.attempt(&call(&format!("t-{number}"))).unwrap_err();
        assert_eq!(worker.answer(&worker.sent()[0], Some(431), b""), None);
    }
    worker.meet(TOKEN, active().to_string().as_bytes());
    assert_eq!(worker.code(TOKEN), "allow");
}

#[test]
fn a_question_that_the_proxy_does_not_send_is_a_503_with_a_word_to_the_operator() {
    let worker = Worker::new(&asking());
    worker.world().send(false);
    worker.0.attempt(&call(TOKEN)).unwrap_err();
    let news = worker.0.engine.ask(worker.world());
    assert!(news[0].to_string().contains("is there such a cluster?"), "{news:?}");
    assert_eq!(worker.0.attempt(&call(TOKEN)).unwrap().code(), "not_ready");
    worker.world().send(true);
    worker.world().set(1);
    worker.meet(TOKEN, active().to_string().as_bytes());
    assert_eq!(worker.code(TOKEN), "allow");
}

#[test]
fn what_is_a_jwt_is_judged_by_its_signature_and_nobody_is_asked() {
    let worker = Worker::new(&asking());
    let good = user("crm.read");
    assert_eq!(worker.code(&good), "allow");
    let (signed, _) = good.rsplit_once('.').unwrap();
    let forged = format!("{signed}.AAAA");
    assert_eq!(worker.code(&forged), "invalid_token");
    for shaped in ["e30.e30.AAAA", "eyJhbGciOiJub25lIn0.e30.AA"] {
        assert_eq!(worker.0.attempt(&call(shaped)).unwrap().code(), "invalid_token", "{shaped}");
    }
    assert_eq!(worker.sent(), []);
    // Three parts, and the first is no header; a JWT of five parts; one cut off.
    for opaque in ["a.b.c", "e30..AA", "e30.e30.A~A", "e30.e30.AA.AA.AA", "e30.e30"] {
        worker.0.attempt(&call(opaque)).unwrap_err();
    }
    assert_eq!(worker.sent().len(), 5);
}

#[test]
fn what_no_token_can_be_is_asked_about_by_nobody() {
    let worker = Worker::new(&asking());
    for token in ["a b", "a,b", "\u{e9}", "a=b", "\"a\"", &"x".repeat(8_193)] {
        assert_ne!(worker.0.attempt(&call(token)).unwrap().code(), "allow");
    }
    assert_eq!(worker.sent(), []);
    worker.0.attempt(&call(&"x".repeat(8_192))).unwrap_err();
}

#[test]
fn among_several_issuers_the_prefix_says_who_is_asked() {
    let mut policy = asking();
    let mut other = policy["issuers"][0].clone();
    other["issuer"] = json!("https://partner.example/");
    other["introspection"]["url"] = json!("https://partner.example/introspect");
    other["introspection"]["token_prefix"] = json!("pt_");
    policy["issuers"][0]["introspection"]["token_prefix"] = json!("op_");
    policy["issuers"].as_array_mut().unwrap().push(other);
    policy["agents"]["support-bot"]["issuer"] = json!(ISSUER);
    let worker = Worker::new(&policy);
    worker.0.attempt(&call("op_1")).unwrap_err();
    worker.0.attempt(&call("pt_1")).unwrap_err();
    let sent = worker.sent();
    let urls = sent.iter().map(|sent| sent.url.as_str()).collect::<Vec<_>>();
    assert_eq!(
        urls,
        ["https://login.crm.example/introspect", "https://partner.example/introspect"]
    );
    // One issuer's word is worth nothing for another's token.
    worker.answer(&sent[1], Some(200), active().to_string().as_bytes());
    assert_eq!(worker.code("pt_1"), "invalid_token");
    worker.answer(&sent[0], Some(200), active().to_string().as_bytes());
    assert_eq!(worker.code("op_1"), "allow");
    for unknown in ["xx_1", "op-1", "OP_1", "p"] {
        assert_eq!(worker.0.attempt(&call(unknown)).unwrap().code(), "invalid_token");
    }
    assert_eq!(worker.sent(), []);
}

#[test]
fn an_issuer_without_keys_vouches_for_opaque_tokens_only() {
    let mut policy = asking();
    let issuer = policy["issuers"][0].as_object_mut().unwrap();
    issuer.remove("jwks");
    issuer.remove("algorithms");
    assert_eq!(verdict_under(&policy, &active()), "allow");
    let worker = Worker::new(&policy);
    assert_eq!(worker.code(&user("crm.read")), "invalid_token");
    assert_eq!(worker.sent(), []);
}

#[test]
fn a_policy_without_introspection_asks_nobody() {
    let worker = Worker::new(&policy());
    assert!(worker.0.engine.introspection().is_empty());
    assert_eq!(worker.0.attempt(&call(TOKEN)).unwrap().code(), "invalid_token");
    assert_eq!(worker.sent(), []);
}

#[test]
fn workers_keep_their_answers_to_themselves_and_ask_each_once() {
    let world = World::default();
    let one = Worker(Gate::worker(world.clone(), &asking(), 1));
    let two = Worker(Gate::worker(world, &asking(), 2));
    one.meet(TOKEN, active().to_string().as_bytes());
    assert_eq!(one.code(TOKEN), "allow");
    two.meet(TOKEN, br#"{"active":false}"#);
    assert_eq!((one.code(TOKEN).as_str(), two.code(TOKEN).as_str()), ("allow", "invalid_token"));
}

#[test]
fn what_answers_say_is_weighed_so_that_they_do_not_fill_the_memory() {
    let worker = Worker::new(&asking());
    let answer = with("pad", "x".repeat(MAX_ANSWER_BYTES - 1_000)).to_string();
    for number in 0..1_500 {
        worker.meet(&format!("t-{number}"), answer.as_bytes());
    }
    assert_eq!(worker.code("t-1499"), "allow");
    worker.0.attempt(&call("t-0")).expect_err("8 MiB of answers are not 1,500 of these");
}

#[test]
fn no_secret_is_in_what_can_be_shown() {
    let gate = Gate::new(&asking());
    drop(gate.attempt(&call(TOKEN)));
    let shown = format!("{:?} {:?}", gate.engine, gate.engine.policy());
    for secret in ["s3cr3t", "czNjcjN0", "op_5Kx9"] {
        assert!(!shown.contains(secret), "{secret}");
    }
}
