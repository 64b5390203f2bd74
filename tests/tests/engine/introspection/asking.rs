//! When an issuer is asked, how often, and when it is left alone.

use postern::introspection::MAX_QUESTIONS;
use postern_tests::engine::{ISSUER, policy, user};
use serde_json::json;

use super::{TOKEN, Worker, active, asking, call};

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
fn a_policy_without_introspection_asks_nobody() {
    let worker = Worker::new(&policy());
    assert!(worker.0.engine.introspection().is_empty());
    assert_eq!(worker.0.attempt(&call(TOKEN)).unwrap().code(), "invalid_token");
    assert_eq!(worker.sent(), []);
}
