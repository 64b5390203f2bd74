//! Signature checks by the proxy, where it has them.

use postern_cli::mint::{PrivateKey, sign};
use postern_tests::fixture::cast::{Cast, claims, header};
use postern_tests::wasm_host::{Exchange, Fault, Profile, Proxy, Request};

const FUNCTION: &str = "proxy_call_foreign_function";

/// What it takes to learn that the proxy checks signatures rightly.
const TRIALS: u32 = 2;

fn send(proxy: &mut Proxy, token: &str) -> Exchange {
    let exchange = proxy.request(&Request::get("/v1/contacts").bearer(token));
    assert_eq!(exchange.trap, None);
    exchange
}

fn checks(exchange: &Exchange) -> u32 {
    exchange.calls.get(FUNCTION).copied().unwrap_or_default()
}

/// A token signed by `key`, unlike any other that was given another `id`.
fn signed(key: &PrivateKey, algorithm: &str, id: u32) -> String {
    let mut claims = claims();
    claims["jti"] = id.to_string().into();
    sign(key, &header(algorithm, key.kid()), &claims.to_string()).unwrap()
}

#[test]
fn envoy_checks_es256_and_rs256_and_a_token_seen_before_takes_no_check() {
    let cast = Cast::new();
    let mut proxy = Proxy::new(Profile::Envoy, cast.policy().to_string());
    let first = send(&mut proxy, &signed(&cast.ec, "ES256", 0));
    assert_eq!((first.status(), checks(&first)), (Some(200), TRIALS + 1));
    for (key, algorithm) in [(&cast.ec, "ES256"), (&cast.rsa, "RS256")] {
        let token = signed(key, algorithm, 1);
        let cold = send(&mut proxy, &token);
        assert_eq!((cold.status(), checks(&cold)), (Some(200), 1), "{algorithm}");
        let warm = send(&mut proxy, &token);
        assert_eq!((warm.status(), checks(&warm)), (Some(200), 0), "{algorithm}");

        let (input, signature) = token.rsplit_once('.').unwrap();
        let other = signed(key, algorithm, 2);
        let forged = format!("{}.{signature}", other.rsplit_once('.').unwrap().0);
        assert_eq!(send(&mut proxy, &forged).code().as_deref(), Some("invalid_token"));
        let flipped = format!("{input}.{}", signature.chars().rev().collect::<String>());
        assert_eq!(send(&mut proxy, &flipped).code().as_deref(), Some("invalid_token"));
    }
}

#[test]
fn a_proxy_that_may_not_know_the_function_is_never_asked_for_it() {
    let cast = Cast::new();
    for profile in [Profile::Nginx, Profile::TrafficServer] {
        let mut proxy = Proxy::new(profile, cast.policy().to_string());
        let exchange = send(&mut proxy, &signed(&cast.ec, "ES256", 0));
        assert_eq!((exchange.status(), checks(&exchange)), (Some(200), 0), "{profile:?}");
    }
}

#[test]
fn a_proxy_that_does_not_tell_good_from_bad_signatures_is_not_relied_on() {
    let cast = Cast::new();
    for fault in [Fault::Status(1), Fault::Status(2), Fault::Silent, Fault::Elsewhere] {
        let mut proxy = Proxy::new(Profile::Envoy, cast.policy().to_string());
        proxy.worker(0).fail(FUNCTION, fault);
        let first = send(&mut proxy, &signed(&cast.rsa, "RS256", 0));
        assert_eq!((first.status(), checks(&first)), (Some(200), 1), "{fault:?}");
        let second = send(&mut proxy, &signed(&cast.rsa, "RS256", 1));
        assert_eq!((second.status(), checks(&second)), (Some(200), 0), "{fault:?}");
    }
}

#[test]
fn a_proxy_whose_function_fails_later_has_signatures_checked_by_the_filter() {
    let cast = Cast::new();
    let mut proxy = Proxy::new(Profile::Envoy, cast.policy().to_string());
    send(&mut proxy, &signed(&cast.ec, "ES256", 0));
    for fault in [Fault::Status(10), Fault::Silent, Fault::Elsewhere] {
        proxy.worker(0).fail(FUNCTION, fault);
        for (key, algorithm) in [(&cast.ec, "ES256"), (&cast.rsa, "RS256")] {
            let token = signed(key, algorithm, 1);
            let other = signed(key, algorithm, 2);
            let (input, _) = token.rsplit_once('.').unwrap();
            let (_, signature) = other.rsplit_once('.').unwrap();
            let forged = send(&mut proxy, &format!("{input}.{signature}"));
            assert_eq!(forged.code().as_deref(), Some("invalid_token"), "{fault:?}");
        }
    }
    let good = send(&mut proxy, &signed(&cast.rsa, "RS256", 3));
    assert_eq!(good.status(), Some(200));
}
