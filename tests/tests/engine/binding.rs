//! Tokens that are bound to a client certificate (RFC 8705), and bindings that are required.

use postern_cli::mint::{Algorithm, PrivateKey, Proof};
use postern_tests::engine::{
    Call, Gate, ISSUER, NOW, Outcome, call, compact, get, issuer, policy, problems, token, user,
};
use serde_json::{Value, json};

const CERTIFICATE: [u8; 32] = [7; 32];

fn with(binding: Value) -> Value {
    let mut policy = policy();
    policy["binding"] = binding;
    policy
}

fn mtls(certificate: &str) -> Gate {
    Gate::new(&with(json!({ "mtls": { "certificate": certificate } })))
}

fn bound(scope: &str) -> String {
    compact(&token("ada", "web-app", scope).bound_to_certificate(&CERTIFICATE))
}

fn hex(digest: [u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(token: &str) -> Call {
    get("/v1/contacts").bearer(token)
}

#[track_caller]
fn assert_refused(outcome: &Outcome, word: &str) {
    let detail = outcome.problem()["detail"].as_str().unwrap().to_owned();
    assert!(outcome.code() == "unbound_token" && detail.contains(word), "{}", outcome.line);
    assert_eq!(outcome.reply().status, 401);
    let challenge = outcome.response("www-authenticate")[0];
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
}

#[test]
fn rfc8705_3_a_token_is_good_over_a_connection_with_the_certificate_it_is_bound_to_only() {
    let gate = mtls("connection");
    let token = bound("crm.read");
    // Known or not, each request is looked at.
    for _ in 0..2 {
        gate.world.connect(None);
        assert_refused(&gate.ask(&read(&token)), "no client certificate");
        gate.world.connect(Some([8; 32]));
        assert_refused(&gate.ask(&read(&token)), "another client certificate");
        gate.world.connect(Some(CERTIFICATE));
        let outcome = gate.ask(&read(&token));
        assert_eq!(outcome.code(), "allow");
        assert_eq!(outcome.record["binding"], "mtls");
    }
}

#[test]
fn rfc8705_3_a_header_is_no_certificate_unless_the_policy_says_so() {
    let gate = mtls("connection");
    let claimed = read(&bound("crm.read"))
        .header("x-forwarded-client-cert", format!("Hash={}", hex(CERTIFICATE)));
    assert_refused(&gate.ask(&claimed), "no client certificate");

    let gate = mtls("x-forwarded-client-cert");
    assert_eq!(gate.ask(&claimed).code(), "allow");
    // The connection is then that of the proxy before ours.
    gate.world.connect(Some(CERTIFICATE));
    assert_refused(&gate.ask(&read(&bound("crm.read"))), "no client certificate");
}

#[test]
fn a_header_that_may_speak_of_two_certificates_is_refused() {
    let gate = mtls("x-forwarded-client-cert");
    let hash = format!("Hash={}", hex(CERTIFICATE));
    let one = |value: &str| read(&bound("crm.read")).header("x-forwarded-client-cert", value);
    for call in [
        one(&hash).header("x-forwarded-client-cert", &hash),
        one(&hash).header("X_Forwarded_Client_Cert", "By=x"),
        // Who removes a forged header may not know that it has another spelling.
        read(&bound("crm.read")).header("x_forwarded_client_cert", &hash),
        one(&format!("{hash},{hash}")),
        one(&format!("{hash},By=x")),
        one(&format!("{hash};{hash}")),
        one("By=x"),
        one(""),
    ] {
        assert_refused(&gate.ask(&call), "not of one certificate");
    }
    let shouted = read(&bound("crm.read")).header("X-Forwarded-Client-Cert", &hash);
    assert_eq!(gate.ask(&shouted).code(), "allow");
    assert_refused(&gate.ask(&one(&format!("Hash={}", hex([8; 32])))), "another");
    assert_eq!(gate.ask(&one(&format!("By=x;{hash};URI=spiffe://a/b"))).code(), "allow");
}

#[test]
fn a_token_that_is_bound_to_a_certificate_is_a_bearer_token_by_scheme() {
    let gate = Gate::new(&with(json!({ "mtls": {}, "dpop": {} })));
    gate.world.connect(Some(CERTIFICATE));
    let token = bound("crm.read");
    assert_eq!(gate.ask(&read(&token)).code(), "allow");
    let key = PrivateKey::generate(Algorithm::Es256).unwrap();
    let url = "https://api.crm.example/v1/contacts";
    let proof = Proof::new("GET", url, NOW.cast_signed()).token(&token).sign(&key).unwrap();
    assert_refused(&gate.ask(&get("/v1/contacts").dpop(&token, &proof)), "not bound to a key");
}

#[test]
fn a_token_that_is_bound_in_a_way_that_is_not_checked_is_refused() {
    let key = PrivateKey::generate(Algorithm::Es256).unwrap();
    let to_key = compact(&token("ada", "web-app", "crm.read").bound_to_key(&key.thumbprint()));
    for (policy, token) in [
        (policy(), bound("crm.read")),
        (policy(), to_key.clone()),
        (with(json!({ "dpop": {} })), bound("crm.read")),
        (with(json!({ "mtls": {} })), to_key),
    ] {
        let gate = Gate::new(&policy);
        gate.world.connect(Some(CERTIFICATE));
        assert_refused(&gate.ask(&read(&token)), "no proof of that is checked");
    }
}

#[test]
fn a_confirmation_that_we_do_not_know_or_of_two_members_is_refused() {
    let gate = Gate::new(&with(json!({ "mtls": {}, "dpop": {} })));
    gate.world.connect(Some(CERTIFICATE));
    let digest = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
    let good = token("ada", "web-app", "crm.read").bound_to_certificate(&CERTIFICATE);
    assert_eq!(good.claims()["cnf"]["x5t#S256"], digest);
    for cnf in [
        json!(null),
        json!({}),
        json!("x"),
        json!({ "kid": "a" }),
        json!({ "x5t#S256": digest, "jkt": digest }),
        json!({ "x5t#S256": digest, "jwk": {} }),
        json!({ "x5t#S256": [digest] }),
        json!({ "x5t#s256": digest }),
        json!({ "x5t#S256": hex(CERTIFICATE) }),
    ] {
        let token = compact(&good.clone().claim("cnf", cnf));
        assert_refused(&gate.ask(&read(&token)), "not one member that can be checked");
    }
}

#[test]
fn the_certificate_goes_where_the_credential_goes() {
    let hash = format!("Hash={}", hex(CERTIFICATE));
    for source in ["connection", "x-forwarded-client-cert"] {
        let gate = mtls(source);
        gate.world.connect(Some(CERTIFICATE));
        let sent =
            |path| get(path).bearer(&bound("crm.read")).header("x-forwarded-client-cert", &hash);
        assert_eq!(gate.ask(&sent("/v1/contacts")).told("x-forwarded-client-cert"), None);
        assert_eq!(
            gate.ask(&sent("/v1/legacy")).told("x-forwarded-client-cert").as_ref(),
            Some(&hash)
        );
    }
    let plain = Gate::new(&policy());
    let sent = read(&user("crm.read")).header("x-forwarded-client-cert", &hash).header("dpop", "x");
    assert_eq!(plain.ask(&sent).told("x-forwarded-client-cert"), Some(hash));
    assert_eq!(plain.ask(&sent).told("dpop"), Some("x".to_owned()));
}

#[test]
fn an_issuer_a_scope_or_a_route_can_require_a_binding() {
    let all = |place: &str, path: &str, scope: &str, expected: [bool; 2]| {
        let place = format!("{place}/require_binding");
        for (required, permitted) in [("any", expected), ("mtls", expected), ("dpop", [false; 2])] {
            let mut policy = with(json!({ "mtls": {}, "dpop": {} }));
            let (parent, member) = place.rsplit_once('/').unwrap();
            policy.pointer_mut(parent).unwrap()[member] = required.into();
            let gate = Gate::new(&policy);
            gate.world.connect(Some(CERTIFICATE));
            for (token, permitted) in [user(scope), bound(scope)].iter().zip(permitted) {
                let outcome = gate.ask(&get(path).bearer(token));
                if permitted {
                    assert_eq!(outcome.code(), "allow", "{place} {required}");
                } else {
                    assert_refused(&outcome, "in the way that is required");
                }
            }
        }
    };
    all("/issuers/0", "/v1/contacts", "crm.read", [false, true]);
    all("/scopes/crm.read", "/v1/contacts", "crm.read openid", [false, true]);
    all("/routes/0", "/v1/contacts", "crm.read", [false, true]);
}

#[test]
fn what_is_not_required_of_a_scope_or_a_route_is_not_required() {
    let mut policy = with(json!({ "mtls": {} }));
    policy["scopes"]["crm.admin"]["require_binding"] = "any".into();
    policy["routes"][3]["require_binding"] = "mtls".into();
    let gate = Gate::new(&policy);
    assert_eq!(gate.ask(&read(&user("crm.read"))).code(), "allow");
    let export = call("POST", "/v1/exports").bearer(&user("crm.read"));
    assert_refused(&gate.ask(&export), "in the way that is required");
    // Other scopes of the token do not help it.
    assert_refused(&gate.ask(&read(&user("crm.read crm.admin"))), "required");
}

#[test]
fn requirements_that_contradict_each_other_are_met_by_nobody() {
    let mut policy = with(json!({ "mtls": {}, "dpop": {} }));
    policy["issuers"][0]["require_binding"] = "dpop".into();
    policy["routes"][0]["require_binding"] = "mtls".into();
    let gate = Gate::new(&policy);
    gate.world.connect(Some(CERTIFICATE));
    for token in [user("crm.read"), bound("crm.read")] {
        assert_refused(&gate.ask(&read(&token)), "required");
    }
}

#[test]
fn a_route_that_takes_one_scheme_offers_one() {
    let mut policy = with(json!({ "mtls": {}, "dpop": {} }));
    policy["routes"][0]["require_binding"] = "dpop".into();
    policy["routes"][3]["require_binding"] = "mtls".into();
    let gate = Gate::new(&policy);
    let schemes = |call: &Call| -> Vec<String> {
        let outcome = gate.ask(call);
        let challenges = outcome.response("www-authenticate");
        challenges.iter().map(|one| one.split(' ').next().unwrap().to_owned()).collect()
    };
    assert_eq!(schemes(&get("/v1/contacts")), ["DPoP"]);
    assert_eq!(schemes(&call("POST", "/v1/exports")), ["Bearer"]);
    assert_eq!(schemes(&call("PUT", "/v1/contacts/1")), ["Bearer", "DPoP"]);
    assert_eq!(schemes(&read(&user("crm.read"))), ["Bearer", "DPoP"]);
    // Another scheme would not mend this.
    assert_eq!(schemes(&call("PUT", "/v1/contacts/1").bearer(&user("crm.read"))), ["Bearer"]);
}

#[test]
fn where_every_issuer_wants_one_scheme_one_is_offered() {
    let mut policy = with(json!({ "mtls": {}, "dpop": {} }));
    policy["issuers"][0]["require_binding"] = "dpop".into();
    let offered = |policy: &Value| {
        let outcome = Gate::new(policy).ask(&get("/v1/contacts"));
        outcome.response("www-authenticate").len()
    };
    assert_eq!(offered(&policy), 1);
    policy["issuers"].as_array_mut().unwrap().push(issuer("https://login.partner.example/"));
    policy["agents"]["support-bot"]["issuer"] = ISSUER.into();
    assert_eq!(offered(&policy), 2);
}

#[test]
fn an_api_key_is_bound_to_nothing() {
    let key = postern_cli::mint::ApiKey::generate("acme_key_").unwrap();
    let mut policy = with(json!({ "mtls": {} }));
    policy["api_keys"] = json!({ "prefix": "acme_key_", "keys": [{
        "id": "etl", "hash": key.hash(), "organization": "acme", "scopes": ["crm.read"],
        "created": "2027-01-01T00:00:00Z",
    }] });
    policy["routes"][0]["require_binding"] = "any".into();
    let gate = Gate::new(&policy);
    gate.world.connect(Some(CERTIFICATE));
    let sent = |path| get(path).header("x-api-key", key.secret());
    assert_refused(&gate.ask(&sent("/v1/contacts")), "required");
    assert_eq!(gate.ask(&sent("/v1/legacy")).code(), "allow");

    policy["scopes"]["crm.read"]["require_binding"] = "any".into();
    let told = problems(&policy);
    assert!(told.contains("an API key is bound to nothing"), "{told}");
}

#[test]
fn rfc9728_2_the_metadata_says_that_certificates_are_checked() {
    let gate = Gate::new(&with(json!({ "mtls": {} })));
    let outcome = gate.ask(&get("/.well-known/oauth-protected-resource/crm"));
    let metadata: Value = serde_json::from_str(&outcome.reply().body).unwrap();
    assert_eq!(metadata["tls_client_certificate_bound_access_tokens"], true);
    assert_eq!(metadata.get("dpop_signing_alg_values_supported"), None);
}

#[test]
fn what_makes_no_sense_is_told_where_it_stands() {
    let at = |change: &dyn Fn(&mut Value)| {
        let mut policy = policy();
        change(&mut policy);
        problems(&policy)
    };
    for (change, place, message) in [
        (
            &(|policy: &mut Value| policy["binding"] = json!({})) as &dyn Fn(&mut Value),
            "binding",
            "expected `dpop`, `mtls` or both",
        ),
        (
            &|policy| {
                policy["binding"] = json!({ "dpop": {} });
                policy.as_object_mut().unwrap().remove("resource");
            },
            "binding.dpop",
            "expected `origin`, or `resource`",
        ),
        (
            &|policy| policy["binding"] = json!({ "dpop": { "origin": "https://a.example/v1" } }),
            "binding.dpop.origin",
            "scheme, host and port only",
        ),
        (
            &|policy| policy["binding"] = json!({ "dpop": { "origin": "http://a.example" } }),
            "binding.dpop.origin",
            "without TLS",
        ),
        (
            &|policy| policy["binding"] = json!({ "dpop": { "algorithms": [] } }),
            "binding.dpop.algorithms",
            "at least one",
        ),
        (
            &|policy| policy["binding"] = json!({ "dpop": { "algorithms": ["ES256", "HS256"] } }),
            "binding.dpop.algorithms[1]",
            "of a public key",
        ),
        (
            &|policy| policy["binding"] = json!({ "dpop": { "max_age": "6m" } }),
            "binding.dpop.max_age",
            "at most `5m`",
        ),
        (
            &|policy| policy["issuers"][0]["require_binding"] = "any".into(),
            "issuers[0].require_binding",
            "expected `binding`",
        ),
        (
            &|policy| {
                policy["binding"] = json!({ "mtls": {} });
                policy["scopes"]["crm.read"]["require_binding"] = "dpop".into();
            },
            "require_binding",
            "expected `binding.dpop`",
        ),
        (
            &|policy| {
                policy["binding"] = json!({ "dpop": {} });
                policy["routes"][0]["require_binding"] = "mtls".into();
            },
            "routes[0].require_binding",
            "expected `binding.mtls`",
        ),
        (
            &|policy| {
                policy["binding"] = json!({ "dpop": {} });
                policy["routes"][5]["require_binding"] = "any".into();
            },
            "routes[5].require_binding",
            "a public route has no token",
        ),
    ] {
        let told = at(change);
        assert!(told.contains(place) && told.contains(message), "{place}: {told}");
    }
}
