//! Tokens that are bound to a key, and the proofs that come with them (RFC 9449).

use std::sync::LazyLock;

use base64ct::{Base64UrlUnpadded, Encoding};
use postern::decision::Answer;
use postern_cli::mint::{Algorithm, PrivateKey, Proof, sign, unsecured};
use postern_tests::engine::{
    AUDIENCE, Call, Gate, NOW, Outcome, World, call, compact, get, policy, token, user,
};
use serde_json::{Value, json};

/// Where callers send the request of most tests.
const URL: &str = "https://api.crm.example/v1/contacts";

/// The client's key.
static KEY: LazyLock<PrivateKey> =
    LazyLock::new(|| PrivateKey::generate(Algorithm::Es256).expect("a key"));

/// A token that is bound to it.
static TOKEN: LazyLock<String> = LazyLock::new(|| bound("crm.read"));

fn bound(scope: &str) -> String {
    compact(&token("ada", "web-app", scope).bound_to_key(&KEY.thumbprint()))
}

fn dpop(settings: Value) -> Value {
    let mut policy = policy();
    policy["binding"] = json!({ "dpop": settings });
    policy
}

fn gate() -> Gate {
    Gate::new(&dpop(json!({})))
}

fn now() -> i64 {
    NOW.cast_signed()
}

fn proof() -> Proof {
    Proof::new("GET", URL, now()).token(&TOKEN)
}

fn signed(proof: &Proof) -> String {
    proof.sign(&KEY).unwrap()
}

fn asked(proof: &str) -> Call {
    get("/v1/contacts").dpop(&TOKEN, proof)
}

/// What comes of the token with this proof.
fn with(proof: &str) -> Outcome {
    gate().ask(&asked(proof))
}

/// Code and detail of a denial.
fn why(outcome: &Outcome) -> (String, String) {
    (outcome.code(), outcome.problem()["detail"].as_str().unwrap().to_owned())
}

#[track_caller]
fn assert_refused(outcome: &Outcome, code: &str, word: &str) {
    let (is, detail) = why(outcome);
    assert!(is == code && detail.contains(word), "{is}: {detail}");
}

#[test]
fn a_bound_token_with_its_proof_is_accepted_under_every_algorithm() {
    let gate = Gate::new(&dpop(json!({ "algorithms": ["ES256", "EdDSA", "RS256"] })));
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256] {
        let key = PrivateKey::generate(algorithm).unwrap();
        let token = compact(&token("ada", "web-app", "crm.read").bound_to_key(&key.thumbprint()));
        // The session is remembered, and each request has a proof of its own.
        for _ in 0..2 {
            let proof = Proof::new("GET", URL, now()).token(&token).sign(&key).unwrap();
            let outcome = gate.ask(&get("/v1/contacts").dpop(&token, &proof));
            assert_eq!(outcome.code(), "allow", "{algorithm}: {}", outcome.line);
            assert_eq!(outcome.record["binding"], "dpop");
        }
    }
}

#[test]
fn rfc9449_7_1_a_bound_token_without_a_proof_is_refused_also_when_it_is_remembered() {
    let gate = gate();
    let bare = || get("/v1/contacts").header("authorization", format!("DPoP {}", *TOKEN));
    assert_refused(&gate.ask(&bare()), "unbound_token", "`DPoP` is missing");
    assert_eq!(gate.ask(&asked(&signed(&proof()))).code(), "allow");
    let outcome = gate.ask(&bare());
    assert_refused(&outcome, "unbound_token", "`DPoP` is missing");
    let challenges = outcome.response("www-authenticate");
    assert!(challenges[0].starts_with("DPoP error=\"invalid_token\", "), "{challenges:?}");
    assert!(challenges[0].contains("algs=\"EdDSA ES256\""), "{challenges:?}");
    assert!(challenges[1].starts_with("Bearer "), "{challenges:?}");
    assert!(!challenges[1].contains("error"), "{challenges:?}");
}

#[test]
fn rfc9449_7_2_a_bound_token_is_no_bearer_token_with_or_without_a_proof() {
    let gate = gate();
    let bearer = get("/v1/contacts").bearer(&TOKEN);
    let proven = bearer.clone().header("dpop", signed(&proof()));
    for call in [bearer, proven] {
        let outcome = gate.ask(&call);
        assert_refused(&outcome, "unbound_token", "expected the scheme `DPoP`");
        let challenges = outcome.response("www-authenticate");
        assert!(challenges[0].starts_with("Bearer error=\"invalid_token\""), "{challenges:?}");
        assert!(challenges[1].starts_with("DPoP "), "{challenges:?}");
        assert!(!challenges[1].contains("error="), "{challenges:?}");
    }
}

#[test]
fn rfc9449_7_1_a_token_that_is_not_bound_is_none_for_the_scheme_dpop() {
    let token = user("crm.read");
    let proof = signed(&Proof::new("GET", URL, now()).token(&token));
    let outcome = gate().ask(&get("/v1/contacts").dpop(&token, &proof));
    assert_refused(&outcome, "unbound_token", "not bound to a key");
}

#[test]
fn a_bearer_token_is_as_good_as_ever_and_a_proof_beside_it_is_nobody_s_business() {
    let gate = gate();
    let plain = get("/v1/contacts").bearer(&user("crm.read"));
    for call in [plain.clone(), plain.header("dpop", "nonsense")] {
        let outcome = gate.ask(&call);
        assert_eq!(outcome.code(), "allow");
        assert_eq!(outcome.record.get("binding"), None);
        assert_eq!(outcome.told("dpop"), None);
    }
}

#[test]
fn rfc9449_7_1_without_a_token_both_schemes_are_offered_and_neither_has_an_error() {
    let outcome = gate().ask(&get("/v1/contacts"));
    assert_eq!(outcome.code(), "missing_token");
    let metadata =
        "resource_metadata=\"https://api.crm.example/.well-known/oauth-protected-resource/crm\"";
    assert_eq!(
        outcome.response("www-authenticate"),
        [
            format!("Bearer scope=\"crm.read\", {metadata}"),
            format!("DPoP scope=\"crm.read\", algs=\"EdDSA ES256\", {metadata}"),
        ]
    );
}

#[test]
fn where_no_proof_is_checked_a_bound_token_is_refused_and_the_scheme_is_none() {
    let gate = Gate::new(&policy());
    let outcome = gate.ask(&get("/v1/contacts").bearer(&TOKEN));
    assert_refused(&outcome, "unbound_token", "no proof of that is checked");
    assert_eq!(outcome.response("www-authenticate").len(), 1);
    assert_eq!(gate.ask(&asked(&signed(&proof()))).code(), "missing_token");
}

// RFC 9449 §4.3, one check after the other.

#[test]
fn rfc9449_4_3_check_1_there_is_one_proof() {
    let gate = gate();
    for name in ["dpop", "DPoP", "DPOP"] {
        let twice = asked(&signed(&proof())).header(name, signed(&proof()));
        assert_refused(&gate.ask(&twice), "invalid_dpop_proof", "more than one");
    }
    let joined = format!("{},{}", signed(&proof()), signed(&proof()));
    assert_refused(&gate.ask(&asked(&joined)), "invalid_dpop_proof", "well-formed");
}

#[test]
fn rfc9449_4_3_check_2_the_proof_is_a_well_formed_jwt() {
    let good = signed(&proof());
    let parts: Vec<_> = good.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("{good}") };
    let text =
        |part: &str| String::from_utf8(Base64UrlUnpadded::decode_vec(part).unwrap()).unwrap();
    let twice = text(claims).replacen('{', "{\"htm\":\"PUT\",", 1);
    let critical = text(header).replacen('{', "{\"crit\":[\"exp\"],", 1);
    for malformed in [
        String::new(),
        "nonsense".to_owned(),
        format!("{header}.{claims}"),
        format!("{header}.{claims}."),
        format!("{header}.{claims}.{signature}.{signature}.x"),
        format!("{good}="),
        format!(" {good} x"),
        sign(&KEY, &text(header), &twice).unwrap(),
        sign(&KEY, &critical, &text(claims)).unwrap(),
        sign(&KEY, &text(header), "[]").unwrap(),
        signed(&proof().header("jwk", Value::Null)),
        signed(&proof().header("jwk", "key")),
    ] {
        assert_refused(&with(&malformed), "invalid_dpop_proof", "well-formed");
    }
    let garbled = get("/v1/contacts").dpop(&TOKEN, "").header("x", "y");
    assert_refused(&gate().ask(&garbled), "invalid_dpop_proof", "well-formed");
    let bytes = get("/v1/contacts")
        .header("authorization", format!("DPoP {}", *TOKEN))
        .header("dpop", b"\xff\xfe");
    assert_refused(&gate().ask(&bytes), "invalid_dpop_proof", "well-formed");
}

#[test]
fn rfc9449_4_3_check_3_all_claims_are_there_and_are_what_they_should_be() {
    for name in ["jti", "htm", "htu", "iat", "ath"] {
        for value in [json!(null), json!([]), json!({}), json!(true)] {
            let outcome = with(&signed(&proof().claim(name, value)));
            assert_refused(&outcome, "invalid_dpop_proof", "missing or malformed");
        }
    }
    for name in ["htm", "htu", "iat", "ath"] {
        let outcome = with(&signed(&proof().without(name)));
        assert_refused(&outcome, "invalid_dpop_proof", "missing or malformed");
    }
    let jwk = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": KEY.thumbprint_members() });
    let claims = r#"{"htm":"GET","htu":"https://api.crm.example/v1/contacts","iat":1,"ath":"x"}"#;
    let nameless = sign(&KEY, &jwk.to_string(), claims).unwrap();
    assert_refused(&with(&nameless), "invalid_dpop_proof", "missing or malformed");
    for id in ["", "a\nb", &"x".repeat(257)] {
        let outcome = with(&signed(&proof().claim("jti", id)));
        assert_refused(&outcome, "invalid_dpop_proof", "missing or malformed");
    }
    assert_eq!(with(&signed(&proof().claim("jti", "x".repeat(256)))).code(), "allow");
}

#[test]
fn rfc9449_4_3_check_4_typ_is_dpop_jwt() {
    for typ in ["dpop+jwt", "DPoP+JWT", "application/dpop+jwt"] {
        assert_eq!(with(&signed(&proof().header("typ", typ))).code(), "allow", "{typ}");
    }
    for typ in [json!("JWT"), json!("at+jwt"), json!(""), json!(null), json!("dpop+jwt ")] {
        let outcome = with(&signed(&proof().header("typ", typ)));
        assert_refused(&outcome, "invalid_dpop_proof", "`typ`");
    }
    let outcome = with(&TOKEN);
    assert_eq!(outcome.code(), "invalid_dpop_proof", "an access token is no proof");
}

#[test]
fn rfc9449_4_3_check_5_alg_is_an_asymmetric_one_that_the_policy_takes() {
    for alg in [json!("none"), json!("HS256"), json!("RS256"), json!("es256"), json!("ES999")] {
        let outcome = with(&signed(&proof().header("alg", alg)));
        assert_refused(&outcome, "invalid_dpop_proof", "`alg`");
    }
    let header = json!({ "typ": "dpop+jwt", "alg": "none", "jwk": KEY.thumbprint_members() });
    let outcome = with(&format!("{}AA", unsecured(&header.to_string(), "{}")));
    assert_refused(&outcome, "invalid_dpop_proof", "`alg`");
    // A shared secret in the place of a key, and a token that is bound to it.
    let secret = PrivateKey::symmetric([7; 32]);
    let token = compact(&token("ada", "web-app", "crm.read").bound_to_key(&secret.thumbprint()));
    let proof = Proof::new("GET", URL, now()).token(&token).header("jwk", secret.to_jwk());
    let outcome = gate().ask(&get("/v1/contacts").dpop(&token, &proof.sign(&secret).unwrap()));
    assert_refused(&outcome, "invalid_dpop_proof", "`alg`");
}

#[test]
fn rfc9449_4_3_check_6_the_signature_is_the_embedded_key_s() {
    let other = PrivateKey::generate(Algorithm::Es256).unwrap();
    let forged = proof().header("jwk", KEY.thumbprint_members()).sign(&other).unwrap();
    assert_refused(&with(&forged), "invalid_dpop_proof", "signature");
    let good = signed(&proof());
    let (text, _) = good.rsplit_once('.').unwrap();
    let (_, signature) = forged.rsplit_once('.').unwrap();
    let transplanted = format!("{text}.{signature}");
    assert_refused(&with(&transplanted), "invalid_dpop_proof", "signature");
    let mut odd = KEY.thumbprint_members();
    odd["use"] = "enc".into();
    let outcome = with(&signed(&proof().header("jwk", odd)));
    assert_refused(&outcome, "invalid_dpop_proof", "not a public key");
}

#[test]
fn rfc9449_4_3_check_7_the_embedded_key_has_no_private_part() {
    let outcome = with(&signed(&proof().header("jwk", KEY.to_jwk())));
    assert_refused(&outcome, "invalid_dpop_proof", "private members");
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth"] {
        let mut jwk = KEY.thumbprint_members();
        jwk[name] = "AA".into();
        let outcome = with(&signed(&proof().header("jwk", jwk)));
        assert_refused(&outcome, "invalid_dpop_proof", "private members");
    }
}

#[test]
fn rfc9449_4_3_check_8_htm_is_the_method() {
    for method in ["POST", "get", "HEAD", "", "GET "] {
        let outcome = with(&signed(&proof().claim("htm", method)));
        assert_refused(&outcome, "invalid_dpop_proof", "`htm`");
    }
    // A route of `GET` brings `HEAD`; its proof says what it is.
    let proof = signed(&Proof::new("HEAD", URL, now()).token(&TOKEN));
    let head = call("HEAD", "/v1/contacts").dpop(&TOKEN, &proof);
    assert_eq!(gate().ask(&head).code(), "allow");
}

#[test]
fn rfc9449_4_3_check_9_htu_is_the_uri_of_the_request_as_the_policy_knows_it() {
    for url in [
        "https://api.crm.example/v1/contacts/",
        "https://api.crm.example/v1/contacts/7",
        "http://api.crm.example/v1/contacts",
        "https://other.example/v1/contacts",
        "https://api.crm.example:8443/v1/contacts",
        "/v1/contacts",
        "",
    ] {
        let outcome = with(&signed(&proof().claim("htu", url)));
        assert_refused(&outcome, "invalid_dpop_proof", "`htu`");
    }
    for url in [
        "https://api.crm.example/v1/contacts?page=2#top",
        "HTTPS://API.CRM.EXAMPLE:443/v1/%63ontacts",
    ] {
        assert_eq!(with(&signed(&proof().claim("htu", url))).code(), "allow", "{url}");
    }
}

#[test]
fn rfc9449_4_3_check_9_what_the_request_says_of_its_host_does_not_count() {
    let proof = signed(&proof().claim("htu", "https://evil.example/v1/contacts"));
    let call = asked(&proof)
        .header(":authority", "evil.example")
        .header("host", "evil.example")
        .header("x-forwarded-host", "evil.example")
        .header("x-forwarded-proto", "https")
        .header("forwarded", "host=evil.example");
    assert_refused(&gate().ask(&call), "invalid_dpop_proof", "`htu`");
}

#[test]
fn rfc9449_4_3_check_9_the_origin_of_the_policy_wins_over_that_of_the_resource() {
    let gate = Gate::new(&dpop(json!({ "origin": "http://127.0.0.1:8080" })));
    assert_refused(&gate.ask(&asked(&signed(&proof()))), "invalid_dpop_proof", "`htu`");
    let local = proof().claim("htu", "http://127.0.0.1:8080/v1/contacts");
    assert_eq!(gate.ask(&asked(&signed(&local))).code(), "allow");
}

#[test]
fn rfc9449_4_3_check_11_iat_lies_neither_too_far_back_nor_ahead() {
    for (offset, word) in [(-61, "too far back"), (-100_000, "too far back"), (31, "future")] {
        let outcome = with(&signed(&proof().claim("iat", now() + offset)));
        assert_refused(&outcome, "invalid_dpop_proof", word);
    }
    for offset in [-60, 0, 30] {
        let outcome = with(&signed(&proof().claim("iat", now() + offset)));
        assert_eq!(outcome.code(), "allow", "{offset}");
    }
    let fraction = json!(f64::from(1_800_000_000_u32) + 30.5);
    assert_refused(&with(&signed(&proof().claim("iat", fraction))), "invalid_dpop_proof", "future");
    for iat in [json!(-1), json!(1e300), json!("1800000000")] {
        let outcome = with(&signed(&proof().claim("iat", iat)));
        assert_refused(&outcome, "invalid_dpop_proof", "missing or malformed");
    }
    let gate = Gate::new(&dpop(json!({ "max_age": "5s" })));
    let outcome = gate.ask(&asked(&signed(&proof().claim("iat", now() - 6))));
    assert_refused(&outcome, "invalid_dpop_proof", "too far back");
}

#[test]
fn rfc9449_4_3_check_12_a_ath_is_the_hash_of_the_token() {
    let other = bound("crm.write");
    for ath in [&Proof::new("GET", URL, now()).token(&other), &proof().claim("ath", "")] {
        assert_refused(&with(&signed(ath)), "invalid_dpop_proof", "`ath`");
    }
}

#[test]
fn rfc9449_4_3_check_12_b_the_key_is_the_one_that_the_token_is_bound_to() {
    let thief = PrivateKey::generate(Algorithm::Es256).unwrap();
    let outcome = with(&proof().sign(&thief).unwrap());
    assert_refused(&outcome, "unbound_token", "another key");
    let challenge = outcome.response("www-authenticate")[0];
    assert!(challenge.starts_with("DPoP error=\"invalid_token\""), "{challenge}");
}

#[test]
fn rfc9449_7_1_a_bad_proof_is_told_as_such() {
    let outcome = with(&signed(&proof().claim("htm", "POST")));
    assert_eq!(outcome.reply().status, 401);
    let challenge = outcome.response("www-authenticate")[0];
    assert!(challenge.starts_with("DPoP error=\"invalid_dpop_proof\", "), "{challenge}");
    assert!(challenge.contains("algs=\"EdDSA ES256\""), "{challenge}");
}

// Nonces.

fn with_nonce(gate: &Gate, nonce: Option<&str>) -> Outcome {
    let now = now() + i64::try_from(elapsed(gate)).unwrap();
    let proof = proof().claim("iat", now);
    let proof = nonce.map_or(proof.clone(), |nonce| proof.nonce(nonce));
    gate.ask(&asked(&signed(&proof)))
}

fn elapsed(gate: &Gate) -> u64 {
    use postern::host::Host;
    gate.world.now().as_nanos() / 1_000_000_000 - NOW
}

#[test]
fn rfc9449_9_where_the_policy_wants_a_nonce_the_first_answer_is_one_and_then_it_is_good() {
    let gate = Gate::new(&dpop(json!({ "nonce": true })));
    let outcome = with_nonce(&gate, None);
    assert_refused(&outcome, "use_dpop_nonce", "has no `nonce`");
    assert_eq!(outcome.reply().status, 401);
    let challenge = outcome.response("www-authenticate")[0];
    assert!(challenge.starts_with("DPoP error=\"use_dpop_nonce\""), "{challenge}");
    let nonces = outcome.response("dpop-nonce");
    let [nonce] = nonces[..] else { panic!("{nonces:?}") };
    for _ in 0..2 {
        let outcome = with_nonce(&gate, Some(nonce));
        assert_eq!(outcome.code(), "allow");
        assert!(outcome.response("dpop-nonce").is_empty());
    }
}

#[test]
fn rfc9449_4_3_check_10_a_nonce_that_is_not_ours_or_no_longer_is_refused_for_another() {
    let gate = Gate::new(&dpop(json!({ "nonce": true })));
    let nonce = with_nonce(&gate, None).response("dpop-nonce")[0].to_owned();
    for other in ["", "made-up", "00000000000000000000000000000000", &nonce.to_uppercase()] {
        let outcome = with_nonce(&gate, Some(other));
        assert_refused(&outcome, "use_dpop_nonce", "too old");
        assert_eq!(outcome.response("dpop-nonce"), [&nonce]);
    }
    let numeric = asked(&signed(&proof().claim("nonce", 7)));
    assert_eq!(gate.ask(&numeric).code(), "use_dpop_nonce");
    gate.world.set(240);
    assert_refused(&with_nonce(&gate, Some(&nonce)), "use_dpop_nonce", "too old");
}

#[test]
fn rfc9449_8_2_a_nonce_that_gets_old_is_taken_and_the_next_one_comes_with_the_answer() {
    let gate = Gate::new(&dpop(json!({ "nonce": true })));
    let nonce = with_nonce(&gate, None).response("dpop-nonce")[0].to_owned();
    gate.world.set(120);
    let outcome = with_nonce(&gate, Some(&nonce));
    assert_eq!(outcome.code(), "allow");
    let next = outcome.response("dpop-nonce")[0].to_owned();
    assert_ne!(next, nonce);
    gate.world.set(240);
    assert_eq!(with_nonce(&gate, Some(&next)).code(), "allow");
}

#[test]
fn a_nonce_of_one_worker_is_good_on_another() {
    let world = World::default();
    let policy = dpop(json!({ "nonce": true }));
    let [one, two] = [1, 2].map(|number| Gate::worker(world.clone(), &policy, number));
    let nonce = with_nonce(&one, None).response("dpop-nonce")[0].to_owned();
    assert_eq!(with_nonce(&two, Some(&nonce)).code(), "allow");
    let other = with_nonce(&two, None).response("dpop-nonce")[0].to_owned();
    assert_eq!(other, nonce);
}

#[test]
fn workers_that_a_store_has_let_down_come_to_the_same_nonce_again() {
    let world = World::default();
    let policy = dpop(json!({ "nonce": true }));
    let gates = [1, 2].map(|number| Gate::worker(world.clone(), &policy, number));
    let nonce = |gate: &Gate| with_nonce(gate, None).response("dpop-nonce")[0].to_owned();
    let [old, _] = [nonce(&gates[0]), nonce(&gates[1])];
    world.forget();
    let newcomer = Gate::worker(world, &policy, 3);
    let new = nonce(&newcomer);
    assert_ne!(new, old);
    for gate in &gates {
        let refused = with_nonce(gate, Some(&new));
        assert_eq!(refused.response("dpop-nonce"), [&new]);
        assert_eq!(with_nonce(gate, Some(&new)).code(), "allow");
    }
}

#[test]
fn without_a_store_no_nonce_is_given_and_none_is_taken() {
    let gate = Gate::new(&dpop(json!({ "nonce": true })));
    gate.world.break_store(true);
    let outcome = with_nonce(&gate, None);
    assert_eq!(outcome.code(), "not_ready");
    assert!(outcome.response("dpop-nonce").is_empty());
}

// Replay.

#[test]
fn rfc9449_11_1_a_proof_is_good_once_over_all_workers() {
    let world = World::default();
    let policy = dpop(json!({}));
    let [one, two] = [1, 2].map(|number| Gate::worker(world.clone(), &policy, number));
    let call = asked(&signed(&proof()));
    assert_eq!(one.ask(&call).code(), "allow");
    for gate in [&one, &two, &one] {
        assert_refused(&gate.ask(&call), "invalid_dpop_proof", "used before");
    }
    world.set(59);
    assert_refused(&two.ask(&call), "invalid_dpop_proof", "used before");
    world.set(61);
    assert_refused(&two.ask(&call), "invalid_dpop_proof", "too far back");
}

#[test]
fn rfc9449_11_1_a_proof_from_ahead_cannot_be_used_again_when_its_time_has_come() {
    let gate = gate();
    let call = asked(&signed(&proof().claim("iat", now() + 30)));
    assert_eq!(gate.ask(&call).code(), "allow");
    for offset in [1, 30, 60, 89, 90] {
        gate.world.set(offset);
        assert_refused(&gate.ask(&call), "invalid_dpop_proof", "used before");
    }
    gate.world.set(91);
    assert_refused(&gate.ask(&call), "invalid_dpop_proof", "too far back");
}

#[test]
fn rfc9449_11_1_the_same_jti_under_another_key_is_another_proof() {
    let gate = gate();
    let other = PrivateKey::generate(Algorithm::Es256).unwrap();
    let others = compact(&token("bob", "web-app", "crm.read").bound_to_key(&other.thumbprint()));
    assert_eq!(gate.ask(&asked(&signed(&proof().claim("jti", "1")))).code(), "allow");
    let proof = Proof::new("GET", URL, now()).token(&others).claim("jti", "1");
    let call = get("/v1/contacts").dpop(&others, &proof.sign(&other).unwrap());
    assert_eq!(gate.ask(&call).code(), "allow");
}

#[test]
fn a_store_that_fails_or_holds_something_else_lets_no_proof_through() {
    let gate = gate();
    gate.world.break_store(true);
    assert_eq!(gate.ask(&asked(&signed(&proof()))).code(), "not_ready");
    gate.world.break_store(false);
    let call = asked(&signed(&proof()));
    assert_eq!(gate.ask(&call).code(), "allow");
    for spoilt in [&b"x"[..], &[0; 20 * 65]] {
        gate.world.spoil(spoilt);
        assert_eq!(gate.ask(&call).code(), "not_ready");
    }
}

#[test]
fn a_proof_that_is_no_good_uses_nothing_up() {
    let gate = gate();
    let bad = proof().claim("jti", "1").claim("htm", "PUT");
    assert_eq!(gate.ask(&asked(&signed(&bad))).code(), "invalid_dpop_proof");
    assert_eq!(gate.world.writes(), 0);
    assert_eq!(gate.ask(&asked(&signed(&proof().claim("jti", "1")))).code(), "allow");
}

// What reaches the backend, and what is known of it beforehand.

#[test]
fn the_proof_goes_where_the_credential_goes() {
    let gate = gate();
    let outcome = gate.ask(&asked(&signed(&proof())));
    assert_eq!((outcome.told("authorization"), outcome.told("dpop")), (None, None));
    let text = signed(&Proof::new("GET", &URL.replace("contacts", "legacy"), now()).token(&TOKEN));
    let kept = gate.ask(&get("/v1/legacy").dpop(&TOKEN, &text));
    assert_eq!(kept.told("dpop"), Some(text));
    let public = gate.ask(&get("/healthz").header("dpop", "x").header("D_P", "y"));
    assert_eq!((public.told("dpop"), public.told("D_P")), (None, Some("y".to_owned())));
}

#[test]
fn rfc9728_2_the_metadata_says_which_proofs_are_taken_and_whether_they_are_required() {
    let metadata = |policy: &Value| -> Value {
        let gate = Gate::new(policy);
        let outcome = gate.ask(&get("/.well-known/oauth-protected-resource/crm"));
        let Answer::Reply(reply) = &outcome.answer else { panic!("{outcome:?}") };
        serde_json::from_str(&reply.body).unwrap()
    };
    let plain = metadata(&policy());
    assert_eq!(plain["resource"], AUDIENCE);
    for member in [
        "dpop_signing_alg_values_supported",
        "dpop_bound_access_tokens_required",
        "tls_client_certificate_bound_access_tokens",
    ] {
        assert_eq!(plain.get(member), None, "{member}");
    }
    let mut policy = dpop(json!({ "algorithms": ["ES256", "PS256"] }));
    let offered = metadata(&policy);
    assert_eq!(offered["dpop_signing_alg_values_supported"], json!(["ES256", "PS256"]));
    assert_eq!(offered.get("dpop_bound_access_tokens_required"), None);
    policy["issuers"][0]["require_binding"] = "dpop".into();
    assert_eq!(metadata(&policy)["dpop_bound_access_tokens_required"], true);
}
