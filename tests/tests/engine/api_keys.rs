//! API keys of organizations: who holds one, what it is worth, and until when.

use std::sync::LazyLock;

use postern::policy::Policy;
use postern_cli::mint::ApiKey;
use postern_tests::engine::{Call, Gate, Outcome, call, get, policy, problems, user};
use serde_json::{Value, json};

const PREFIX: &str = "crm_key_";
const DAY: i64 = 86_400;

static CI: LazyLock<ApiKey> = LazyLock::new(|| ApiKey::generate(PREFIX).unwrap());
static NEXT: LazyLock<ApiKey> = LazyLock::new(|| ApiKey::generate(PREFIX).unwrap());
static ROBOT: LazyLock<ApiKey> = LazyLock::new(|| ApiKey::generate(PREFIX).unwrap());

fn entry(id: &str, organization: &str, key: &ApiKey) -> Value {
    json!({
        "id": id,
        "hash": key.hash(),
        "organization": organization,
        "scopes": ["crm.read"],
        // Ten days before it is now.
        "created": "2027-01-05T08:00:00Z",
    })
}

/// Two keys of one organization, and nobody else's.
fn with_keys() -> Value {
    let mut policy = policy();
    policy["api_keys"] = json!({
        "prefix": PREFIX,
        "keys": [entry("acme-ci", "acme", &CI), entry("robot", "acme", &ROBOT)],
    });
    policy
}

trait Keyed {
    fn key(self, key: &ApiKey) -> Self;
}

impl Keyed for Call {
    fn key(self, key: &ApiKey) -> Self {
        self.header("x-api-key", key.secret())
    }
}

fn ask(policy: &Value, call: &Call) -> Outcome {
    Gate::new(policy).ask(call)
}

fn read() -> Call {
    get("/v1/contacts")
}

#[test]
fn a_key_speaks_for_its_organization_with_its_scopes_and_no_more() {
    let gate = Gate::new(&with_keys());
    for _ in 0..2 {
        let outcome = gate.ask(&read().key(&CI));
        let told = |name: &str| outcome.told(&format!("x-postern-{name}"));
        assert_eq!(told("kind").as_deref(), Some("organization"));
        assert_eq!(told("organization").as_deref(), Some("acme"));
        assert_eq!(told("key").as_deref(), Some("acme-ci"));
        assert_eq!(told("roles").as_deref(), Some("reader"));
        assert_eq!(told("policy-version").as_deref(), Some("edition-1"));
        for absent in ["agent", "subject", "client", "issuer", "token-id", "actor-chain"] {
            assert_eq!(told(absent), None, "{absent}");
        }
        assert_eq!(outcome.record["kind"], "organization");
        assert_eq!(outcome.record["organization"], "acme");
        assert_eq!(outcome.record["key"], "acme-ci");
        assert_eq!(outcome.record.get("warning"), None);

        let outcome = gate.ask(&call("PUT", "/v1/contacts/7").key(&CI));
        assert_eq!(outcome.code(), "insufficient_scope");
        assert_eq!(outcome.problem()["scope"], "crm.write");
        assert_eq!(outcome.record["key"], "acme-ci");
    }
}

#[test]
fn a_key_fulfils_no_condition_on_a_claim() {
    let mut policy = with_keys();
    for (condition, code) in [
        (json!({ "claim": "acr", "exists": true }), "condition_failed"),
        (json!({ "claim": "sub", "equals": "acme" }), "condition_failed"),
        (json!({ "claim": "act", "exists": false }), "allow"),
    ] {
        policy["routes"][0]["require"] = json!([condition]);
        assert_eq!(ask(&policy, &read().key(&CI)).code(), code, "{condition}");
    }
}

#[test]
fn whatever_is_no_listed_key_is_refused_alike() {
    let gate = Gate::new(&with_keys());
    let stranger = ApiKey::generate(PREFIX).unwrap();
    let good = CI.secret();
    let (start, end) = good.split_at(good.len() - 1);
    let flipped = format!("{start}{}", if end == "A" { "B" } else { "A" });
    let mut told = Vec::new();
    for text in [
        stranger.secret(),
        &flipped,
        start,
        &format!("{good}A"),
        &good.to_uppercase(),
        &CI.hash(),
        CI.hash().trim_start_matches("sha256:"),
        "",
        " ",
        "hunter2",
        "crm_key_",
        &format!("Bearer {good}"),
        &format!("{good},{good}"),
        &"x".repeat(100_000),
    ] {
        for _ in 0..2 {
            let outcome = gate.ask(&read().header("x-api-key", text));
            assert_eq!(outcome.code(), "invalid_token", "{text}");
            assert_eq!(outcome.reply().status, 401);
            assert_eq!(outcome.record.get("key"), None);
            assert_eq!(outcome.record["kind"], "anonymous");
            told.push(outcome.record["reason"].clone());
        }
    }
    told.dedup();
    assert_eq!(told, ["the API key is none of this API's"]);
    for bytes in [&b"\xff\xfe"[..], b"crm_key_\0", &[b'x'; 3]] {
        assert_eq!(gate.ask(&read().header("x-api-key", bytes)).code(), "invalid_token");
    }
    assert_eq!(gate.ask(&read().header("x-api-key", format!(" {good}\t"))).code(), "allow");
}

#[test]
fn neither_a_key_nor_its_hash_is_told_to_anybody() {
    let gate = Gate::new(&with_keys());
    let stranger = ApiKey::generate(PREFIX).unwrap();
    for (key, call) in [(&*CI, read()), (&*CI, call("PUT", "/v1/contacts/7")), (&stranger, read())]
    {
        let outcome = gate.ask(&call.key(key));
        let all = format!("{} {:?}", outcome.line, outcome.answer);
        let hash = key.hash();
        let (random, digest) = (key.secret().get(PREFIX.len()..), hash.get(7..));
        for secret in [key.secret(), random.unwrap(), digest.unwrap()] {
            assert!(!all.contains(secret), "{all}");
        }
    }
    assert!(!format!("{:?}", gate.engine).contains(CI.secret()));
}

#[test]
fn two_credentials_are_an_invalid_request_whichever_is_good() {
    let gate = Gate::new(&with_keys());
    let bearer = user("crm.read");
    let calls = [
        read().key(&CI).bearer(&bearer),
        read().bearer(&bearer).key(&CI),
        read().bearer(&bearer).header("x-api-key", ""),
        read().key(&CI).bearer("x"),
        read().key(&CI).header("authorization", "Basic YTpi"),
        read().key(&CI).header("authorization", ""),
        read().key(&CI).key(&CI),
        read().key(&CI).key(&ROBOT),
        read().key(&CI).header("X-API-Key", CI.secret()),
        read().key(&CI).header("x_api_key", CI.secret()),
        get("/v1/contacts?access_token=x").key(&CI),
    ];
    for call in calls {
        assert_eq!(gate.ask(&call).code(), "invalid_request", "{call:?}");
    }
}

#[test]
fn a_key_counts_in_its_own_header_only_and_a_token_in_its() {
    let gate = Gate::new(&with_keys());
    let bearer = user("crm.read");
    for _ in 0..2 {
        assert_eq!(gate.ask(&read().key(&CI)).code(), "allow");
        assert_eq!(gate.ask(&read().bearer(&bearer)).code(), "allow");
        assert_eq!(gate.ask(&read().bearer(CI.secret())).code(), "invalid_token");
        assert_eq!(gate.ask(&read().header("x-api-key", &bearer)).code(), "invalid_token");
        let header = read().header("authorization", format!("ApiKey {}", CI.secret()));
        assert_eq!(gate.ask(&header).code(), "missing_token");
    }
}

#[test]
fn the_backend_does_not_see_the_key_unless_the_route_keeps_credentials() {
    let gate = Gate::new(&with_keys());
    for name in ["x-api-key", "X-Api-Key", "x_api_key", "X.API.KEY"] {
        let sent = |path: &str| gate.ask(&get(path).header(name, CI.secret())).forwarded();
        let holds = |headers: &[(String, String)]| headers.iter().any(|(_, v)| v == CI.secret());
        assert!(!holds(&sent("/v1/contacts")), "{name}");
        assert!(!holds(&sent("/healthz")), "{name}");
        assert!(holds(&sent("/v1/legacy")), "{name}");
    }
}

#[test]
fn without_keys_in_the_policy_the_header_is_the_backends_business() {
    let outcome = ask(&policy(), &read().bearer(&user("crm.read")).header("x-api-key", "abc"));
    assert_eq!(outcome.told("x-api-key").as_deref(), Some("abc"));
    assert_eq!(ask(&policy(), &read().key(&CI)).code(), "missing_token");
}

#[test]
fn another_header_can_bring_keys() {
    let mut policy = with_keys();
    policy["api_keys"]["header"] = json!("x-crm-key");
    let gate = Gate::new(&policy);
    assert_eq!(gate.ask(&read().header("X-CRM-Key", CI.secret())).code(), "allow");
    assert_eq!(gate.ask(&read().key(&CI)).code(), "missing_token");
}

#[test]
fn a_key_ends_to_the_second_though_it_is_remembered() {
    let mut policy = with_keys();
    policy["api_keys"]["keys"][0]["expires"] = json!("2027-01-15T08:01:40Z");
    let gate = Gate::new(&policy);
    for (at, expected) in
        [(0, "allow"), (99, "allow"), (100, "expired_token"), (101, "expired_token")]
    {
        gate.world.set(at);
        let outcome = gate.ask(&read().key(&CI));
        assert_eq!(outcome.code(), expected, "{at}");
        assert_eq!(
            Gate::within(gate.world.clone(), &policy).ask(&read().key(&CI)).code(),
            expected
        );
    }
    assert_eq!(gate.ask(&read().key(&CI)).record["reason"], "the API key has expired");
}

#[test]
fn a_key_that_is_not_rotated_is_warned_of_and_then_refused_though_it_is_remembered() {
    let gate = Gate::new(&with_keys());
    // It was made ten days before the clock starts.
    for (at, expected, warned) in [
        (0, "allow", false),
        (80 * DAY - 1, "allow", false),
        (80 * DAY, "allow", true),
        (94 * DAY - 1, "allow", true),
        (94 * DAY, "expired_token", false),
    ] {
        gate.world.set(at);
        let outcome = gate.ask(&read().key(&CI));
        assert_eq!(outcome.code(), expected, "{at}");
        assert_eq!(outcome.record.get("warning").is_some(), warned, "{at}: {}", outcome.line);
    }
    let reason = gate.ask(&read().key(&CI)).record["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("not rotated in time"), "{reason}");
    // The clock is put right, and what was remembered does not make it younger or older.
    gate.world.set(0);
    assert_eq!(gate.ask(&read().key(&CI)).record.get("warning"), None);
}

#[test]
fn the_ages_are_the_policys() {
    let mut policy = with_keys();
    policy["api_keys"]["rotate_after"] = json!("9d");
    let gate = Gate::new(&policy);
    assert!(gate.ask(&read().key(&CI)).record["warning"].is_string());
    policy["api_keys"]["grace"] = json!("1h");
    assert_eq!(ask(&policy, &read().key(&CI)).code(), "expired_token");
}

#[test]
fn a_key_from_the_future_is_not_made_yet() {
    let mut policy = with_keys();
    policy["api_keys"]["keys"][0]["created"] = json!("2062-01-05");
    assert_eq!(ask(&policy, &read().key(&CI)).code(), "invalid_token");
}

#[test]
fn two_keys_of_one_name_both_work_and_share_a_limit() {
    let mut policy = with_keys();
    policy["api_keys"]["keys"].as_array_mut().unwrap().push(entry("acme-ci", "acme", &NEXT));
    policy["limits"] = json!({ "keys": [{ "per": "key", "rate": "2/h" }] });
    let gate = Gate::new(&policy);
    assert_eq!(gate.ask(&read().key(&CI)).code(), "allow");
    assert_eq!(gate.ask(&read().key(&NEXT)).told("x-postern-key").as_deref(), Some("acme-ci"));
    assert_eq!(gate.ask(&read().key(&NEXT)).code(), "rate_limited");
    assert_eq!(gate.ask(&read().key(&CI)).code(), "rate_limited");
    assert_eq!(gate.ask(&read().key(&ROBOT)).code(), "allow");
}

#[test]
fn keys_agents_and_humans_never_share_a_bucket() {
    let mut policy = with_keys();
    let one = |per: &str| json!([{ "per": per, "rate": "1/h" }]);
    policy["limits"] = json!({ "keys": one("organization"), "agents": one("organization"), "humans": one("organization") });
    let gate = Gate::new(&policy);
    let at_acme = |token: postern_cli::mint::AccessToken| {
        postern_tests::engine::compact(&token.claim("org_id", "acme"))
    };
    let token = |client| postern_tests::engine::token("ada", client, "crm.read").roles(&["reader"]);
    let callers = [
        read().key(&CI),
        read().bearer(&at_acme(token("web-app"))),
        read().bearer(&at_acme(token("support-bot"))),
    ];
    for (number, caller) in callers.iter().enumerate() {
        let first = gate.ask(caller);
        assert_eq!(first.code(), "allow", "{number}");
        assert_eq!(first.response("ratelimit"), ["\"organization\";r=0;t=3600"]);
        assert_eq!(gate.ask(caller).code(), "rate_limited", "{number}");
    }
    // One organization, two keys, one bucket.
    assert_eq!(gate.ask(&read().key(&ROBOT)).code(), "rate_limited");
}

#[test]
fn a_revoked_key_is_refused_under_its_name_and_another_is_not() {
    let mut policy = with_keys();
    let gate = Gate::new(&policy);
    assert_eq!(gate.ask(&read().key(&CI)).code(), "allow");
    policy["api_keys"]["keys"].as_array_mut().unwrap().push(entry("acme-ci", "acme", &NEXT));
    policy["revocations"] = json!({ "keys": ["acme-ci"] });
    let gate = Gate::within(gate.world, &policy);
    for key in [&CI, &NEXT] {
        let outcome = gate.ask(&read().key(key));
        assert_eq!(outcome.code(), "revoked_token");
        assert_eq!(outcome.record["revocation"], "revocations.keys[0]");
        assert_eq!(outcome.record["key"], "acme-ci");
    }
    assert_eq!(gate.ask(&read().key(&ROBOT)).code(), "allow");
}

#[test]
fn a_key_is_forgotten_with_the_policy_that_listed_it() {
    let mut policy = with_keys();
    let gate = Gate::new(&policy);
    assert_eq!(gate.ask(&read().key(&CI)).code(), "allow");
    policy["api_keys"]["keys"].as_array_mut().unwrap().remove(0);
    assert_eq!(Gate::within(gate.world, &policy).ask(&read().key(&CI)).code(), "invalid_token");
}

#[test]
fn a_key_of_a_form_that_anybody_could_guess_is_not_taken_though_the_policy_has_its_hash() {
    let mut policy = with_keys();
    let hash = postern::api_key::hash(b"hunter2");
    let hash = <base64ct::Base64UrlUnpadded as base64ct::Encoding>::encode_string(&hash);

    policy["api_keys"]["keys"][0]["hash"] = json!(format!("sha256:{hash}"));
    assert_eq!(ask(&policy, &read().header("x-api-key", "hunter2")).code(), "invalid_token");
}

#[test]
fn every_mistake_in_keys_is_told_with_its_place() {
    for (pointer, value, told) in [
        (
            "/api_keys/header",
            json!("Authorization"),
            "api_keys.header: expected a header of its own",
        ),
        ("/api_keys/header", json!("authorization"), "api_keys.header: expected"),
        ("/api_keys/header", json!("dpop"), "api_keys.header: expected"),
        ("/api_keys/header", json!("cookie"), "api_keys.header: expected"),
        ("/api_keys/header", json!("x-postern-key"), "api_keys.header: expected"),
        ("/api_keys/header", json!("x api"), "api_keys.header: expected"),
        ("/api_keys/header", json!(""), "api_keys.header: expected"),
        ("/api_keys/prefix", json!(""), "api_keys.prefix: expected 3 to 32"),
        ("/api_keys/prefix", json!("crm"), "api_keys.prefix: expected 3 to 32"),
        ("/api_keys/prefix", json!("CRM_"), "api_keys.prefix: expected 3 to 32"),
        ("/api_keys/rotate_after", json!("0d"), "api_keys.rotate_after"),
        ("/api_keys/grace", json!("a week"), "api_keys.grace"),
        ("/api_keys/keys/0/id", json!(""), "api_keys.keys[0].id: expected 1 to 64"),
        ("/api_keys/keys/0/id", json!("a b"), "api_keys.keys[0].id: expected 1 to 64"),
        ("/api_keys/keys/0/hash", json!(CI.secret()), "api_keys.keys[0].hash: expected `sha256:`"),
        ("/api_keys/keys/0/hash", json!("sha256:abc"), "api_keys.keys[0].hash: expected `sha256:`"),
        ("/api_keys/keys/0/hash", json!("md5:abc"), "api_keys.keys[0].hash: expected `sha256:`"),
        ("/api_keys/keys/0/organization", json!(""), "keys[0].organization: expected 1 to 512"),
        ("/api_keys/keys/0/organization", json!("a\nb"), "keys[0].organization: expected 1 to 512"),
        ("/api_keys/keys/0/scopes", json!([]), "keys[0].scopes: expected at least one scope"),
        (
            "/api_keys/keys/0/scopes",
            json!(["crm.raed"]),
            "keys[0].scopes[0]: unknown scope `crm.raed`; did you mean `crm.read`?",
        ),
        ("/api_keys/keys/0/created", json!("yesterday"), "api_keys.keys[0].created: "),
        (
            "/api_keys/keys/0/expires",
            json!("2027-01-05T08:00:00Z"),
            "keys[0].expires: the key ends before",
        ),
        ("/api_keys/keys/0/secret", json!("x"), "unknown field `secret`"),
        (
            "/api_keys/keys/1",
            entry("other", "acme", &CI),
            "keys[1].hash: another entry has this hash",
        ),
        (
            "/api_keys/keys/1",
            entry("acme-ci", "other", &NEXT),
            "keys[1].id: another organization has a key called `acme-ci`",
        ),
        (
            "/revocations",
            json!({ "keys": ["acme-cl"] }),
            "revocations.keys[0]: unknown key `acme-cl`; did you mean `acme-ci`?",
        ),
        (
            "/limits",
            json!({ "keys": [{ "per": "user", "rate": "1/s" }] }),
            "limits.keys[0].per: expected `key` or `organization`",
        ),
        (
            "/limits",
            json!({ "keys": [{ "per": "agent", "rate": "1/s" }] }),
            "limits.keys[0].per: expected",
        ),
        (
            "/limits",
            json!({ "agents": [{ "per": "key", "rate": "1/s" }] }),
            "limits.agents[0].per: an agent has no API key",
        ),
        (
            "/limits",
            json!({ "humans": [{ "per": "key", "rate": "1/s" }] }),
            "limits.humans[0].per: ",
        ),
        ("/api_keys", Value::Null, "api_keys"),
    ] {
        let mut policy = with_keys();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        match policy.pointer_mut(parent).unwrap() {
            Value::Array(list) => list[name.parse::<usize>().unwrap()] = value,
            object => object[name] = value,
        }
        let told_of = Policy::compile(&policy).map(|_| ()).unwrap_err().to_string();
        assert!(told_of.contains(told), "{pointer}\nexpected: {told}\ntold: {told_of}");
        assert!(!told_of.contains(CI.secret()), "{told_of}");
    }
    let mut three = with_keys();
    let keys = three["api_keys"]["keys"].as_array_mut().unwrap();
    keys.push(entry("acme-ci", "acme", &NEXT));
    keys.push(entry("acme-ci", "acme", &ApiKey::generate(PREFIX).unwrap()));
    assert!(problems(&three).contains("keys[3].id: expected at most 2 entries"));
    assert_eq!(problems(&with_keys()), "");
}
