//! Tokens honest and hostile: the compiled filter says of each what the engine says.
#![expect(clippy::string_slice, reason = "a test that cannot go on is to fail at once")]

use std::cell::RefCell;
use std::collections::BTreeSet;

use postern_cli::mint::{Algorithm, Encoding, PrivateKey, sign, unsecured};
use postern_tests::fixture::cast::{Cast, PARTNER, PSS, claims, header};
use postern_tests::fixture::{self, ISSUER};
use postern_tests::native::{Native, Verdict};
use postern_tests::wasm_host::{Profile, Proxy, Request, START};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

/// The filter and the engine, side by side.
struct Pair {
    filter: RefCell<Proxy>,
    engine: Native,
}

impl Pair {
    fn new(cast: &Cast, profile: Profile) -> Self {
        let policy = cast.policy().to_string();
        let filter = Proxy::new(profile, &policy);
        assert!(filter.configured);
        Self { filter: RefCell::new(filter), engine: Native::new(&policy) }
    }

    /// What both say.
    fn decide(&self, token: &str) -> Verdict {
        let request = Request::get("/v1/contacts").bearer(token);
        let exchange = self.filter.borrow_mut().request(&request);
        assert_eq!(exchange.trap, None, "{token}");
        let verdict = Verdict::from(&exchange);
        assert_eq!(verdict, self.engine.decide(&request), "{token}");
        verdict
    }
}

#[test]
fn a_good_token_of_every_algorithm_is_accepted() {
    let cast = Cast::new();
    for profile in Profile::ALL {
        let pair = Pair::new(&cast, profile);
        for token in cast.good() {
            // Twice, since the second time it is remembered.
            for _ in 0..2 {
                assert_eq!(pair.decide(&token).code, "allow", "{profile:?} {token}");
            }
        }
    }
}

#[test]
fn a_hostile_token_is_refused_for_what_it_is() {
    let cast = Cast::new();
    let (ec, rsa, partner) = (&cast.ec, &cast.rsa, &cast.partner);
    let text = || claims().to_string();
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        sign(ec, &header("ES256", ec.kid()), &claims.to_string()).unwrap()
    };
    let headed = |name: &str, value: Value| {
        let mut header: Value = serde_json::from_str(&header("ES256", ec.kid())).unwrap();
        header[name] = value;
        sign(ec, &header.to_string(), &text()).unwrap()
    };
    let confused = |encoding| {
        let secret = PrivateKey::symmetric(rsa.public_bytes(encoding).unwrap());
        sign(&secret, &header("HS256", rsa.kid()), &text()).unwrap()
    };
    let good = sign(ec, &header("ES256", ec.kid()), &text()).unwrap();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let twice = text().replacen('{', r#"{"sub":"mallory","#, 1);
    let mallory = PrivateKey::generate(Algorithm::Es256).unwrap();
    let now = START.cast_signed();
    let id_token = {
        let mut claims = claims();
        claims["iss"] = PARTNER.into();
        claims["nonce"] = "n".into();
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": partner.kid() });
        sign(partner, &header.to_string(), &claims.to_string()).unwrap()
    };

    let hostile = [
        ("alg none", unsecured(&header("none", ec.kid()), &text()), "invalid_token"),
        ("alg None", unsecured(&header("None", ec.kid()), &text()), "invalid_token"),
        ("no signature", format!("{signed}."), "invalid_token"),
        ("half a signature", format!("{signed}.{}", &signature[..43]), "invalid_token"),
        ("a signature of zeros", format!("{signed}.{}", "A".repeat(86)), "invalid_token"),
        ("HS256 with the PEM", confused(Encoding::Pem), "invalid_token"),
        ("HS256 with the DER", confused(Encoding::Der), "invalid_token"),
        ("HS256 with the modulus", confused(Encoding::Modulus), "invalid_token"),
        (
            "the RSA key under ES256",
            sign(rsa, &header("ES256", rsa.kid()), &text()).unwrap(),
            "unknown_key",
        ),
        ("PKCS#1 under PS256", sign(rsa, &header("PS256", PSS), &text()).unwrap(), "invalid_token"),
        (
            "another issuer's key of the same name",
            sign(partner, &header("ES256", ec.kid()), &text()).unwrap(),
            "invalid_token",
        ),
        ("the partner's issuer under our key", with("iss", PARTNER.into()), "invalid_token"),
        ("nobody's issuer", with("iss", "https://login.evil/".into()), "invalid_token"),
        ("an unknown key", headed("kid", "key-9".into()), "unknown_key"),
        (
            "signed by the key in the header",
            sign(
                &mallory,
                &json!({ "alg": "ES256", "typ": "at+jwt", "kid": ec.kid(),
                         "jwk": mallory.public_jwk() })
                .to_string(),
                &text(),
            )
            .unwrap(),
            "invalid_token",
        ),
        ("expired", with("exp", (now - 100).into()), "expired_token"),
        ("for years", with("exp", (now + 100_000_000).into()), "invalid_token"),
        ("not yet", with("nbf", (now + 3_600).into()), "invalid_token"),
        ("of the future", with("iat", (now + 3_600).into()), "invalid_token"),
        ("for another API", with("aud", "https://other.example".into()), "wrong_audience"),
        ("for nobody", with("aud", json!([])), "invalid_token"),
        ("bound to a key", with("cnf", json!({ "jkt": "x" })), "unbound_token"),
        ("an ID token", id_token, "invalid_token"),
        ("an empty subject", with("sub", "".into()), "invalid_token"),
        ("an actor that is text", with("act", "support-bot".into()), "invalid_token"),
        ("critical", headed("crit", json!(["exp"])), "invalid_token"),
        ("unencoded", headed("b64", false.into()), "invalid_token"),
        ("typ JWT", headed("typ", "JWT".into()), "invalid_token"),
        ("a nested token", headed("cty", "JWT".into()), "invalid_token"),
        (
            "a claim named twice",
            sign(ec, &header("ES256", ec.kid()), &twice).unwrap(),
            "invalid_token",
        ),
        (
            "a parameter named twice",
            sign(ec, &header("ES256", ec.kid()).replacen('{', r#"{"alg":"none","#, 1), &text())
                .unwrap(),
            "invalid_token",
        ),
        ("five parts", format!("{good}.{signature}.{signature}"), "invalid_token"),
        ("padding", format!("{good}="), "invalid_token"),
        ("huge", with("padding", "x".repeat(40_000).into()), "invalid_token"),
    ];
    for profile in [Profile::Envoy, Profile::Nginx] {
        let pair = Pair::new(&cast, profile);
        assert_eq!(pair.decide(&good).code, "allow");
        for (what, token, code) in &hostile {
            let verdict = pair.decide(token);
            assert_eq!(verdict.code, *code, "{what}: {verdict:?}");
        }
    }
}

/// What may be done to a token without its key.
fn mutation() -> impl Strategy<Value = (u8, usize, char)> {
    const ALPHABET: &str = "AQgw01_-.=~ ";
    let alphabet: Vec<char> = ALPHABET.chars().collect();
    (0..6_u8, any::<usize>(), prop_oneof![select(alphabet), Just('x')])
}

fn mutate(token: &str, others: &[String], (kind, at, to): (u8, usize, char)) -> String {
    let at = at % token.len();
    let parts: Vec<&str> = token.split('.').collect();
    let other: Vec<&str> = others[at % others.len()].split('.').collect();
    match kind {
        0 => format!("{}{to}{}", &token[..at], &token[at + 1..]),
        1 => format!("{}{to}{}", &token[..at], &token[at..]),
        2 => format!("{}{}", &token[..at], &token[at + 1..]),
        3 => token[..at].to_owned(),
        4 => [other[0], parts[1], parts[2]].join("."),
        _ => [parts[0], other[1], parts[2]].join("."),
    }
}

#[test]
fn the_filter_and_the_engine_agree_on_every_mutation_of_a_token() {
    let cast = Cast::new();
    let pair = Pair::new(&cast, Profile::Envoy);
    let good = cast.good();
    let codes = RefCell::new(BTreeSet::new());
    let config = Config { cases: 400, failure_persistence: None, ..Config::default() };
    let strategy = (select(good.clone()), mutation());
    let checked = TestRunner::new(config).run(&strategy, |(token, mutation)| {
        let mutated = mutate(&token, &good, mutation);
        let verdict = pair.decide(&mutated);
        assert!(verdict.code != "allow" || good.contains(&mutated), "{mutated}");
        codes.borrow_mut().insert(verdict);
        Ok(())
    });
    checked.unwrap();
    assert!(codes.borrow().len() >= 6, "{codes:?}");
}

#[test]
fn the_filter_and_the_engine_agree_on_every_claim_that_an_issuer_may_write() {
    const CLAIMS: [&str; 14] = [
        "act",
        "aud",
        "azp",
        "client_id",
        "cnf",
        "exp",
        "iat",
        "iss",
        "jti",
        "nbf",
        "org_id",
        "roles",
        "scope",
        "sub",
    ];
    let now = START.cast_signed();
    let values = [
        Value::Null,
        json!(true),
        json!(""),
        json!("support-bot"),
        json!("contacts.read contacts.write"),
        json!(["reader"]),
        json!([1]),
        json!([]),
        json!({}),
        json!({ "sub": "support-bot" }),
        json!({ "sub": "support-bot", "act": { "sub": 1 } }),
        json!({ "sub": "stranger", "iss": PARTNER }),
        json!(now + 10),
        json!(now - 10),
        json!(-1),
        json!(1e300),
        json!(ISSUER),
        json!(fixture::AUDIENCE),
    ];
    let cast = Cast::new();
    let pair = Pair::new(&cast, Profile::Envoy);
    let mut codes = BTreeSet::new();
    for name in CLAIMS {
        let mut without = claims();
        without.as_object_mut().unwrap().remove(name);
        let changed = values.iter().map(|value| {
            let mut claims = claims();
            claims[name] = value.clone();
            claims
        });
        for claims in std::iter::once(without).chain(changed) {
            let header = header("ES256", cast.ec.kid());
            codes.insert(pair.decide(&sign(&cast.ec, &header, &claims.to_string()).unwrap()));
        }
    }
    assert!(codes.len() >= 12 && codes.iter().any(|one| one.code == "allow"), "{codes:#?}");
}
