//! Opaque tokens that are bound to a key.

use postern_cli::mint::{Algorithm, PrivateKey, Proof};
use postern_tests::engine::{Call, NOW, get};
use serde_json::json;

use super::{TOKEN, Worker, active, asking};

fn proven(key: &PrivateKey) -> Call {
    let url = "https://api.crm.example/v1/contacts";
    let proof = Proof::new("GET", url, NOW.cast_signed()).token(TOKEN).sign(key).unwrap();
    get("/v1/contacts").dpop(TOKEN, &proof)
}

#[test]
fn rfc9449_6_2_an_opaque_token_is_bound_to_the_key_that_its_issuer_names() {
    let [owner, thief] = [(); 2].map(|()| PrivateKey::generate(Algorithm::Es256).unwrap());
    let mut policy = asking();
    policy["binding"] = json!({ "dpop": {} });
    let mut answer = active();
    answer["token_type"] = json!("DPoP");
    answer["cnf"] = json!({ "jkt": owner.thumbprint() });

    let worker = Worker::new(&policy);
    // One proof serves before and after the answer: asking does not use it up.
    let call = proven(&owner);
    worker.0.attempt(&call).unwrap_err();
    let sent = worker.sent();
    worker.answer(&sent[0], Some(200), answer.to_string().as_bytes());
    assert_eq!(worker.0.ask(&call).code(), "allow");

    assert_eq!(worker.0.ask(&call).code(), "invalid_dpop_proof", "a proof is good once");
    assert_eq!(worker.0.ask(&proven(&owner)).code(), "allow");
    assert_eq!(worker.0.ask(&proven(&thief)).code(), "unbound_token");
    assert_eq!(worker.code(TOKEN), "unbound_token", "as a bearer token it is nobody's");
    assert_eq!(worker.sent(), [], "all of that without another question");
}
