//! A flood of forged tokens in a real Envoy: it is cut off, and nobody else notices.

use postern_demo::cast::{ADA, human};
use postern_demo::client::Request;
use postern_demo::{Lab, Settings};

/// Behind a load balancer that says who called.
const ADDRESSES: [&str; 3] = ["192.0.2.66", "192.0.2.7", "2001:db8::7"];

fn lab(refused_tokens: &str) -> Lab {
    let mut settings = Settings::from_env().unwrap();
    // One worker has all the budget there is.
    settings.workers = 1;
    settings.policy["limits"] = serde_json::json!({ "refused_tokens": refused_tokens });
    settings.edits = vec![(
        "use_remote_address: true\n".to_owned(),
        "use_remote_address: true\n          xff_num_trusted_hops: 1\n".to_owned(),
    )];
    Lab::start(settings).unwrap()
}

#[test]
fn a_flood_from_one_address_is_cut_off_and_others_get_in() {
    let lab = lab("50/h");
    let ask = |token: &str, address: &str| {
        let request = Request::get("/v1/contacts").bearer(token);
        let response = request.header("x-forwarded-for", address).send(lab.address()).unwrap();
        response.code().unwrap_or("allow".to_owned())
    };
    let fresh = || human(ADA, "crm.read").sign(&lab.cast.login).unwrap();
    let forged = || {
        let (one, other) = (fresh(), fresh());
        format!("{}.{}", one.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1)
    };
    let [attacker, neighbour, network] = ADDRESSES;
    let known = fresh();
    assert_eq!(ask(&known, attacker), "allow");
    let codes: Vec<_> = (0..200).map(|_| ask(&forged(), attacker)).collect();
    let (tried, cut): (Vec<_>, Vec<_>) = codes.iter().partition(|code| *code == "invalid_token");
    assert_eq!(tried.len(), 50, "{codes:?}");
    assert!(cut.iter().all(|code| *code == "rate_limited"), "{codes:?}");
    // Who is known stays so; who comes with another token from there is not even tried.
    assert_eq!(ask(&known, attacker), "allow");
    assert_eq!(ask(&fresh(), attacker), "rate_limited");
    for address in [neighbour, network] {
        assert_eq!(ask(&fresh(), address), "allow", "{address}");
    }
}
