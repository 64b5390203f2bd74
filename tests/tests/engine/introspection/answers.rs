//! What an answer means: who is accepted, and for what.

use postern::feed::Response;
use postern::introspection::MAX_ANSWER_BYTES;
use postern_tests::engine::{AUDIENCE, ISSUER, user};
use serde_json::{Value, json};

use super::{TOKEN, Worker, active, asking, call, now, verdict, verdict_under, with, without};

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
fn rfc7662_2_2_claims_of_an_answer_pass_the_checks_that_claims_of_a_token_do() {
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
    assert_eq!(verdict(&with("token_type", "DPoP")), "invalid_token");
    assert_eq!(verdict(&with("token_type", "bearer")), "allow");
    // Some issuers tell of nothing else, and then need not say so; what they do say counts.
    let mut policy = asking();
    policy["issuers"][0]["introspection"]["access_tokens_only"] = json!(true);
    assert_eq!(verdict_under(&policy, &without("token_type")), "allow");
    for kind in [json!("refresh_token"), json!(null), json!(true), json!("")] {
        let code = verdict_under(&policy, &with("token_type", kind.clone()));
        assert_eq!(code, "invalid_token", "{kind}");
    }
    assert_eq!(verdict_under(&policy, &with("token_type", "DPoP")), "invalid_token");
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
fn rfc7662_4_whatever_is_no_answer_is_a_503_and_asked_again_a_second_later() {
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
    let response = Response {
        status: Some(200),
        length: body.len() + 1,
        body: body.as_bytes(),
        ..Response::default()
    };
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
fn no_byte_changed_in_an_answer_lets_anybody_in_whom_it_does_not_name() {
    let whole = active().to_string();
    let worker = Worker::new(&asking());
    let replacements = [b'"', b'0', b'9', b'{', b'}', b',', b':', b't', b' ', b'\\', 0, 0xff];
    let mut allowed = 0;
    for (place, replacement) in
        (0..whole.len()).flat_map(|place| replacements.map(|byte| (place, byte)))
    {
        let mut answer = whole.clone().into_bytes();
        answer[place] = replacement;
        let token = format!("{place}-{replacement}");
        worker.meet(&token, &answer);
        let code = worker.code(&token);
        if code == "allow" {
            // Then another reader sees in it what we do.
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            assert_eq!(answer["active"], true, "{answer}");
            assert_eq!(answer["token_type"], "Bearer", "{answer}");
            assert_eq!(answer["aud"], AUDIENCE, "{answer}");
            assert!(answer.get("iss").is_none_or(|issuer| issuer == ISSUER), "{answer}");
            assert_eq!(answer["scope"], "crm.read", "{answer}");
            assert!(answer["exp"].as_f64().unwrap() > 0.0, "{answer}");
            allowed += 1;
        }
        // So that the issuer is not left alone.
        worker.meet(&format!("good-{token}"), br#"{"active":false}"#);
    }
    // Subjects and clients may be called anything.
    assert!(allowed > 0, "nothing was put to the test");
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
