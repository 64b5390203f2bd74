//! Floods of tokens that are no good, in each proxy.

use std::collections::BTreeMap;

use postern_cli::mint::{PrivateKey, sign};
use postern_tests::fixture::cast::{Cast, claims, header};
use postern_tests::wasm_host::{Profile, Proxy, Request};

const BUDGET: usize = 30;

fn signed(key: &PrivateKey, id: usize) -> String {
    let mut claims = claims();
    claims["jti"] = id.to_string().into();
    sign(key, &header("ES256", key.kid()), &claims.to_string()).unwrap()
}

/// Claims of one token, the signature of another.
fn forged(key: &PrivateKey, id: usize) -> String {
    let (one, other) = (signed(key, id), signed(key, id + 1));
    format!("{}.{}", one.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1)
}

#[test]
fn a_flood_is_cut_off_where_the_proxy_says_who_it_is_from() {
    let cast = Cast::new();
    for profile in Profile::ALL {
        let mut policy = cast.policy();
        policy["limits"] = serde_json::json!({ "refused_tokens": format!("{BUDGET}/h") });
        let mut proxy = Proxy::new(profile, policy.to_string());
        let mut checks = 0;
        let mut send = |token: &str, address: &str| {
            let request = Request::get("/v1/contacts").bearer(token);
            let request = request.property(&["source", "address"], address);
            let exchange = proxy.request(&request);
            assert_eq!(exchange.trap, None, "{profile:?}");
            checks +=
                exchange.calls.get("proxy_call_foreign_function").copied().unwrap_or_default();
            (exchange.code().unwrap_or("allow".to_owned()), checks)
        };
        let known = signed(&cast.ec, 0);
        let (code, before) = send(&known, "192.0.2.66:1");
        assert_eq!(code, "allow", "{profile:?}");
        let mut codes: BTreeMap<String, usize> = BTreeMap::new();
        for n in 0..100 {
            *codes.entry(send(&forged(&cast.ec, n), "192.0.2.66:2").0).or_default() += 1;
        }
        let tried = codes.get("invalid_token").copied();
        match profile {
            // It tells nobody apart, so nobody pays for others.
            Profile::TrafficServer => assert_eq!(tried, Some(100)),
            _ => assert_eq!(tried, Some(BUDGET), "{profile:?} {codes:?}"),
        }
        assert_eq!(send(&known, "192.0.2.66:3").0, "allow", "{profile:?}");
        let (code, checks) = send(&signed(&cast.ec, 200), "192.0.2.7:1");
        assert_eq!(code, "allow", "{profile:?}");
        if profile == Profile::Envoy {
            assert_eq!(usize::try_from(checks - before).unwrap(), BUDGET + 1);
        }
    }
}
