//! How long an answer is good, and for which token.

use postern::feed::Response;
use postern::introspection::MAX_ANSWER_BYTES;
use postern_tests::engine::{Gate, Sent, World};
use serde_json::json;

use super::{TOKEN, Worker, active, asking, call, now, with};

#[test]
fn rfc7662_2_2_an_inactive_token_is_a_401_and_not_asked_about_again_for_ten_seconds() {
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
fn a_clock_that_goes_back_makes_no_answer_good_for_longer() {
    let worker = Worker::new(&asking());
    worker.meet(TOKEN, active().to_string().as_bytes());
    worker.meet("bad", br#"{"active":false}"#);
    worker.0.attempt(&call("lost")).unwrap_err();
    assert_eq!(worker.sent().len(), 1);
    worker.world().set(-3_600);
    worker.meet("bad", br#"{"active":false}"#);
    worker.meet("lost", br#"{"active":false}"#);
    let mut older = active();
    (older["iat"], older["exp"]) = (json!(now() - 4_000), json!(now()));
    worker.meet(TOKEN, older.to_string().as_bytes());
    assert_eq!(worker.code(TOKEN), "allow");
    assert_eq!(worker.code("bad"), "invalid_token");
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

#[test]
fn an_answer_does_not_outlive_what_a_list_that_is_fetched_takes_back() {
    let mut policy = asking();
    policy["issuers"][0]["introspection"]["cache"] = json!("1h");
    policy["revocations"]["feed"] =
        json!({ "url": "https://admin.crm.example/revoked", "cluster": "admin" });
    let worker = Worker::new(&policy);
    let tell = |list: &[u8]| {
        let sent = worker.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        let response =
            Response { status: Some(200), length: list.len(), body: list, ..Response::default() };
        worker.0.engine.fetched(sent[0].call, &response, worker.world());
    };
    worker.0.engine.tick(worker.world());
    tell(b"{}");
    worker.meet(TOKEN, active().to_string().as_bytes());
    assert_eq!(worker.code(TOKEN), "allow");
    worker.world().set(10);
    worker.0.engine.tick(worker.world());
    tell(br#"{"subjects":[{"id":"ada"}]}"#);
    // It is forgotten, and its issuer, which knows nothing of it, is asked anew.
    assert_eq!(worker.code(TOKEN), "not_ready");
    worker.meet(TOKEN, active().to_string().as_bytes());
    assert_eq!(worker.code(TOKEN), "revoked_token");
}
