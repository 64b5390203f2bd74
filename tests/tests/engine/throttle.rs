//! Floods of tokens that are no good: what they cost, and whom.

use std::sync::LazyLock;

use postern_cli::mint::{AccessToken, Algorithm, PrivateKey, Proof, key_set};
use postern_tests::engine::{Call, Gate, NOW, Outcome, get, policy, token};
use serde_json::{Value, json};

const ATTACKER: &str = "192.0.2.66:4711";
const NEIGHBOUR: &str = "192.0.2.7:80";

/// The issuer's, of a kind that proxies check signatures of: those are counted.
static KEY: LazyLock<PrivateKey> =
    LazyLock::new(|| PrivateKey::generate(Algorithm::Es256).unwrap().with_kid("es"));

/// So many refused tokens of each address.
fn allowing(rate: &str) -> Value {
    let mut policy = policy();
    policy["issuers"][0]["jwks"] = key_set([&*KEY]);
    policy["issuers"][0]["algorithms"] = json!(["ES256"]);
    policy["limits"]["refused_tokens"] = rate.into();
    policy
}

fn read(token: &str) -> Call {
    get("/v1/contacts").bearer(token)
}

fn compact(token: &AccessToken) -> String {
    token.sign(&KEY).unwrap()
}

fn user(scope: &str) -> String {
    compact(&token("ada", "web-app", scope))
}

/// A token like no other, whose signature is another's.
fn forged(number: usize) -> String {
    let claimed = compact(&token("ada", "web-app", "crm.admin").claim("jti", number.to_string()));
    let honest = user("crm.read");
    let (claims, signature) = (claimed.rsplit_once('.'), honest.rsplit_once('.'));
    format!("{}.{}", claims.unwrap().0, signature.unwrap().1)
}

#[track_caller]
fn assert_over(outcome: &Outcome) {
    assert_eq!(outcome.code(), "rate_limited");
    assert_eq!(outcome.reply().status, 429);
    assert_eq!(outcome.response("retry-after"), ["1"]);
    let detail = outcome.problem()["detail"].clone();
    assert_eq!(detail, "too many tokens from this address were refused");
}

#[test]
fn a_flood_of_forged_tokens_costs_a_bounded_number_of_checks_and_nobody_else_anything() {
    let gate = Gate::new(&allowing("20/10s"));
    gate.world.call_from(ATTACKER);
    let known = user("crm.read");
    assert_eq!(gate.ask(&read(&known)).code(), "allow");
    let before = gate.world.signature_checks();

    let codes: Vec<_> = (0..1_000).map(|n| gate.ask(&read(&forged(n))).code()).collect();
    assert!(codes.iter().take(20).all(|code| code == "invalid_token"), "{codes:?}");
    assert!(codes.iter().skip(20).all(|code| code == "rate_limited"), "{codes:?}");
    assert_eq!(gate.world.signature_checks() - before, 20);
    assert_over(&gate.ask(&read(&forged(1_000))));

    // Who is known already is not even looked at, and whoever comes from elsewhere is let in.
    assert_eq!(gate.ask(&read(&known)).code(), "allow");
    assert_over(&gate.ask(&read(&user("crm.write"))));
    gate.world.call_from(NEIGHBOUR);
    assert_eq!(gate.ask(&read(&user("crm.read"))).code(), "allow");
}

#[test]
fn a_budget_comes_back_by_itself() {
    let gate = Gate::new(&allowing("20/10s"));
    gate.world.call_from(ATTACKER);
    (0..21).for_each(|n| drop(gate.ask(&read(&forged(n)))));
    assert_over(&gate.ask(&read(&user("crm.read"))));
    gate.world.advance_millis(500);
    assert_eq!(gate.ask(&read(&user("crm.read"))).code(), "allow");
    assert_eq!(gate.ask(&read(&forged(100))).code(), "invalid_token");
    assert_over(&gate.ask(&read(&forged(101))));
    gate.world.advance_millis(10_000);
    (0..20).for_each(|n| assert_eq!(gate.ask(&read(&forged(200 + n))).code(), "invalid_token"));
    assert_over(&gate.ask(&read(&forged(300))));
}

#[test]
fn a_clock_that_goes_back_locks_nobody_out() {
    let gate = Gate::new(&allowing("20/10s"));
    gate.world.call_from(ATTACKER);
    (0..21).for_each(|n| drop(gate.ask(&read(&forged(n)))));
    gate.world.set(-20);
    assert_eq!(gate.ask(&read(&user("crm.read"))).code(), "allow");
}

#[test]
fn good_tokens_take_nothing_from_a_budget() {
    let gate = Gate::new(&allowing("2/h"));
    gate.world.call_from(NEIGHBOUR);
    for _ in 0..100 {
        assert_eq!(gate.ask(&read(&user("crm.read"))).code(), "allow");
    }
    // Nor do tokens of which no signature had to be checked.
    for _ in 0..100 {
        assert_eq!(gate.ask(&read("a.b.c")).code(), "invalid_token");
        let other = token("ada", "web-app", "crm.read").header("kid", "unheard-of");
        assert_eq!(gate.ask(&read(&compact(&other))).code(), "unknown_key");
    }
}

#[test]
fn the_same_forged_token_is_checked_once() {
    let gate = Gate::new(&allowing("2/h"));
    gate.world.call_from(NEIGHBOUR);
    let (token, before) = (forged(0), gate.world.signature_checks());
    for _ in 0..100 {
        assert_eq!(gate.ask(&read(&token)).code(), "invalid_token");
    }
    assert_eq!(gate.world.signature_checks() - before, 1);
    gate.world.set(60);
    assert_eq!(gate.ask(&read(&token)).code(), "invalid_token");
    assert_eq!(gate.world.signature_checks() - before, 2, "a minute later");
}

#[test]
fn an_address_is_the_same_with_another_port_and_all_of_an_ipv6_network_is_one() {
    for (one, other) in
        [("192.0.2.66:4711", "192.0.2.66:4712"), ("[2001:db8:1:2::1]:80", "[2001:db8:1:2::2]:81")]
    {
        let gate = Gate::new(&allowing("1/h"));
        gate.world.call_from(one);
        gate.ask(&read(&forged(0)));
        gate.world.call_from(other);
        assert_over(&gate.ask(&read(&forged(1))));
    }
}

#[test]
fn where_addresses_are_not_known_nobody_pays_for_others() {
    let gate = Gate::new(&allowing("1/h"));
    for n in 0..10 {
        assert_eq!(gate.ask(&read(&forged(n))).code(), "invalid_token");
    }
    assert_eq!(gate.ask(&read(&user("crm.read"))).code(), "allow");
}

#[test]
fn opaque_tokens_that_are_made_up_have_their_issuer_asked_about_so_many() {
    let mut policy = allowing("5/h");
    policy["issuers"][0]["introspection"] = json!({
        "url": "https://login.crm.example/introspect", "cluster": "login", "client_id": "gateway",
    });
    let gate = Gate::new(&policy);
    gate.world.call_from(ATTACKER);
    for n in 0..5 {
        assert_eq!(gate.ask(&read(&format!("made-up-{n}"))).code(), "not_ready");
    }
    assert_over(&gate.ask(&read("made-up-5")));
    gate.engine.ask(&gate.world);
    assert_eq!(gate.world.take_fetches().len(), 5);
    gate.world.call_from(NEIGHBOUR);
    assert_eq!(gate.ask(&read("made-up-6")).code(), "not_ready");
}

#[test]
fn proofs_that_are_signed_by_nobody_are_so_many() {
    let mut policy = allowing("5/h");
    policy["binding"] = json!({ "dpop": {} });
    let gate = Gate::new(&policy);
    gate.world.call_from(ATTACKER);
    let key = PrivateKey::generate(Algorithm::Es256).unwrap();
    let bound = compact(&token("ada", "web-app", "crm.read").bound_to_key(&key.thumbprint()));
    let url = "https://api.crm.example/v1/contacts";
    let proof = || Proof::new("GET", url, NOW.cast_signed()).token(&bound).sign(&key).unwrap();
    let good = |proof: &str| gate.ask(&get("/v1/contacts").dpop(&bound, proof));
    (0..20).for_each(|_| assert_eq!(good(&proof()).code(), "allow"));
    let spoilt = || {
        let (one, other) = (proof(), proof());
        format!("{}.{}", one.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1)
    };
    (0..5).for_each(|_| assert_eq!(good(&spoilt()).code(), "invalid_dpop_proof"));
    assert_over(&good(&spoilt()));
    assert_over(&good(&proof()));
}
