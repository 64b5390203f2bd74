//! Opaque tokens of a real identity provider at a real Envoy with two workers: needs `ENVOY`,
//! `NODE` and `POSTERN_WASM`, as `make test` sets them.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use postern_demo::client::{Request, Response, encode};
use postern_demo::clock::wait_for;
use postern_demo::provider::{
    AGENT, API, GATEWAY, GATEWAY_SECRET, OPAQUE_API, Provider, USER, WEB,
};
use postern_demo::{Lab, Published, Settings, repository};
use serde_json::{Value, json};

/// How long anything may take that is to happen at all.
const SOON: Duration = Duration::from_secs(20);

/// The scenario's policy with the provider for its only issuer.
fn policy(provider: &Provider, cache: &str) -> Value {
    let mut policy = Settings::from_env().unwrap().policy;
    policy["issuers"] = json!([{
        "issuer": provider.issuer(),
        "audiences": [API, OPAQUE_API],
        "algorithms": ["ES256", "RS256"],
        "max_token_lifetime": "1h",
        "jwks": provider.jwks().unwrap(),
        "introspection": {
            "url": provider.introspection_endpoint().unwrap(),
            "cluster": "login",
            "client_id": GATEWAY,
            "client_secret": GATEWAY_SECRET,
            "cache": cache,
            "timeout": "3s",
            "hold": "1s",
        },
        // The provider names no subject where there is no person.
        "machine": { "when": [{ "claim": "sub", "exists": false }] },
    }]);
    for agent in policy["agents"].as_object_mut().unwrap().values_mut() {
        agent["issuer"] = json!(provider.issuer());
    }
    policy["limits"] = json!({});
    policy
}

fn start(cache: &str) -> (Provider, Lab) {
    let provider = Provider::start().unwrap();
    let policy = policy(&provider, cache);
    let lab = Lab::start_as_written(Settings { policy, ..Settings::from_env().unwrap() }).unwrap();
    (provider, lab)
}

fn agents(provider: &Provider) -> String {
    provider.client_credentials(OPAQUE_API, "crm.read").unwrap()
}

fn read(token: &str) -> Request {
    Request::get("/v1/contacts").bearer(token)
}

/// What became of a request: the denial's code, or `allow`.
fn verdict(response: &Response) -> String {
    match response.code() {
        Some(code) => code,
        None => response.echo().map(|_| "allow".to_owned()).unwrap(),
    }
}

fn ask(to: SocketAddr, token: &str) -> String {
    verdict(&read(token).send(to).unwrap())
}

/// Asks until both workers must have met the token; all that was answered.
fn ask_often(to: SocketAddr, token: &str) -> BTreeSet<String> {
    (0..16).map(|_| ask(to, token)).collect()
}

fn only(code: &str) -> BTreeSet<String> {
    BTreeSet::from([code.to_owned()])
}

#[test]
fn agents_and_users_are_who_the_provider_says_and_its_other_tokens_open_nothing() {
    let (provider, lab) = start("60s");
    let to = lab.address();
    let own = agents(&provider);
    assert!(!own.contains('.'), "an opaque token");
    let echo = read(&own).send(to).unwrap().echo().unwrap();
    assert_eq!(echo.all("x-postern-kind"), ["agent"]);
    assert_eq!(echo.all("x-postern-agent"), [AGENT]);
    assert_eq!(echo.all("x-postern-issuer"), [provider.issuer()]);
    assert_eq!(echo.all("authorization"), [""; 0]);

    let login = provider.login(OPAQUE_API, "openid crm.read crm.write").unwrap();
    let echo = read(&login.access_token).send(to).unwrap().echo().unwrap();
    assert_eq!(echo.all("x-postern-kind"), ["human"]);
    assert_eq!(echo.all("x-postern-subject"), [USER]);
    assert_eq!(echo.all("x-postern-client"), [WEB]);
    assert_eq!(echo.all("x-postern-organization"), ["acme"]);

    // What each may do is not the same.
    let write = |token: &str| Request::new("POST", "/v1/deals").bearer(token).send(to).unwrap();
    assert_eq!(verdict(&write(&login.access_token)), "allow");
    let change =
        |token: &str| Request::new("PUT", "/v1/contacts/42").bearer(token).send(to).unwrap();
    assert_eq!(verdict(&change(&own)), "insufficient_scope");

    // The provider calls it active.
    let refused = read(&login.refresh_token).send(to).unwrap();
    assert!(String::from_utf8_lossy(&refused.body).contains("token_type"), "{refused:?}");
    assert_eq!(ask_often(to, &login.refresh_token), only("invalid_token"));
    assert_eq!(ask_often(to, &login.id_token), only("invalid_token"));
    // And a JWT of the same provider is as good as ever.
    let signed = provider.client_credentials(API, "crm.read").unwrap();
    assert_eq!(ask_often(to, &signed), only("allow"));
}

#[test]
fn fifty_callers_at_once_lead_to_one_question_of_each_worker() {
    let (mut provider, lab) = start("60s");
    let to = lab.address();
    provider.slow(true).unwrap();
    let token = agents(&provider);
    // The provider is slower than anybody is held: most are gone when it answers.
    let first: BTreeSet<_> = at_once(50, || ask(to, &token)).into_iter().collect();
    assert!(first.contains("not_ready"), "{first:?}");
    assert!(first.iter().all(|code| code == "not_ready" || code == "allow"), "{first:?}");
    wait_for("the answers", SOON, || Ok((ask_often(to, &token) == only("allow")).then_some(())))
        .unwrap();
    let asked = provider.asked().unwrap();
    assert!((1..=2).contains(&asked), "{asked} questions");

    provider.slow(false).unwrap();
    let token = agents(&provider);
    let codes = at_once(50, || ask(to, &token));
    assert!(codes.iter().all(|code| code == "allow"), "{codes:?} {}", lab.envoy.log_tail());
    let asked = provider.asked().unwrap();
    assert!((1..=2).contains(&asked), "{asked} questions");
}

fn at_once<T: Send>(count: usize, call: impl Fn() -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let callers: Vec<_> = (0..count).map(|_| scope.spawn(&call)).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    })
}

#[test]
fn a_token_that_is_given_back_opens_nothing_once_the_answers_are_old() {
    let (provider, lab) = start("1s");
    let to = lab.address();
    let token = agents(&provider);
    assert_eq!(ask_often(to, &token), only("allow"));
    provider.revoke(&token).unwrap();
    // Each worker may believe its last answer for a second, and no longer.
    thread::sleep(Duration::from_secs(1));
    assert_eq!(ask_often(to, &token), only("invalid_token"));
    assert_eq!(read(&token).send(to).unwrap().status, 401);
}

#[test]
fn while_the_provider_is_away_nobody_new_is_let_through_and_then_all_is_well_by_itself() {
    let (mut provider, lab) = start("60s");
    let to = lab.address();
    let known = agents(&provider);
    assert_eq!(at_once(50, || ask(to, &known)).into_iter().collect::<BTreeSet<_>>(), only("allow"));
    let fresh: Vec<_> = (0..8).map(|_| agents(&provider)).collect();
    provider.go(true).unwrap();
    for token in &fresh {
        let response = read(token).send(to).unwrap();
        assert_eq!((response.status, verdict(&response).as_str()), (503, "not_ready"));
        assert_eq!(response.header("retry-after"), Some("1"));
    }
    let mut made_up = 0_u32;
    let mut invent = || {
        made_up += 1;
        format!("made-up-{made_up}")
    };
    for _ in 0..50 {
        assert_eq!(ask(to, &invent()), "not_ready", "it is not known that it is bad");
    }
    assert_eq!(ask_often(to, &known), only("allow"), "what is known is not forgotten");
    provider.go(false).unwrap();
    for token in &fresh {
        wait_for("the provider to be asked again", SOON, || {
            Ok((ask_often(to, token) == only("allow")).then_some(()))
        })
        .unwrap();
    }
    assert_eq!(ask(to, &invent()), "invalid_token");
}

#[test]
fn a_slow_provider_holds_nobody_for_longer_than_the_policy_says() {
    let (mut provider, lab) = start("60s");
    let to = lab.address();
    provider.slow(true).unwrap();
    let token = agents(&provider);
    let response = read(&token).send(to).unwrap();
    assert_eq!((response.status, verdict(&response).as_str()), (503, "not_ready"));
    wait_for("the late answer", SOON, || Ok((ask(to, &token) == "allow").then_some(()))).unwrap();
}

#[test]
fn a_caller_who_hangs_up_leaves_its_question_to_the_next() {
    let (mut provider, lab) = start("60s");
    let to = lab.address();
    provider.slow(true).unwrap();
    let token = agents(&provider);
    let mut caller = TcpStream::connect(to).unwrap();
    let request =
        format!("GET /v1/contacts HTTP/1.1\r\nHost: {to}\r\nAuthorization: Bearer {token}\r\n\r\n");
    caller.write_all(request.as_bytes()).unwrap();
    let mut asked = 0;
    wait_for("the question", SOON, || {
        asked += provider.asked()?;
        Ok((asked > 0).then_some(()))
    })
    .unwrap();
    drop(caller);
    // The provider is still thinking about it, and about no other from now on.
    provider.slow(false).unwrap();
    wait_for("the answers", SOON, || Ok((ask_often(to, &token) == only("allow")).then_some(())))
        .unwrap();
    asked += provider.asked().unwrap();
    assert!(asked <= 2, "{asked} questions of two workers");
}

#[test]
fn when_the_policy_is_replaced_while_somebody_waits_everybody_is_answered() {
    let (mut provider, lab) = start("60s");
    let to = lab.address();
    provider.slow(true).unwrap();
    for round in 0..3 {
        let tokens: Vec<_> = (0..8).map(|_| agents(&provider)).collect();
        let codes: Vec<_> = thread::scope(|scope| {
            let callers = tokens.iter().map(|token| scope.spawn(move || ask(to, token)));
            let callers: Vec<_> = callers.collect();
            let mut policy = lab.policy().clone();
            policy["revision"] = json!(format!("round-{round}"));
            assert_eq!(lab.publish(&policy).unwrap(), Published::Accepted);
            callers.into_iter().map(|caller| caller.join().unwrap()).collect()
        });
        assert!(codes.iter().all(|code| code == "allow" || code == "not_ready"), "{codes:?}");
    }
    provider.slow(false).unwrap();
    let token = agents(&provider);
    assert_eq!(ask_often(to, &token), only("allow"), "{}", lab.envoy.log_tail());
}

#[test]
fn the_proxy_may_have_the_secret_in_the_policys_place() {
    let provider = Provider::start().unwrap();
    let mut policy = policy(&provider, "60s");
    let introspection = policy["issuers"][0]["introspection"].as_object_mut().unwrap();
    introspection.remove("client_id");
    introspection.remove("client_secret");

    // The client and its secret, as Envoy has them.
    let secret = repository().join(".run").join(format!("secret-{}.yaml", std::process::id()));
    let encoded = |text| encode(&[("", text)]).trim_start_matches('=').to_owned();
    let pair = format!("{}:{}", encoded(GATEWAY), encoded(GATEWAY_SECRET));
    let value = format!("Basic {}", Base64::encode_string(pair.as_bytes()));
    let resource = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
        "name": "introspection",
        "generic_secret": { "secret": { "inline_string": value } },
    });
    fs::create_dir_all(repository().join(".run")).unwrap();
    fs::write(&secret, json!({ "resources": [resource] }).to_string()).unwrap();
    let options = fs::read_to_string(repository().join("envoy/credential.yaml")).unwrap();
    let options =
        options.replace("path: envoy/secret.yaml", &format!("path: {}", secret.display()));
    let options: String = options.lines().map(|line| format!("    {line}\n")).collect();
    // The clusters end where the overload manager begins.
    let end = "\noverload_manager:".to_owned();
    let edits = vec![(end.clone(), format!("{options}{end}"))];

    let settings = Settings { policy: policy.clone(), ..Settings::from_env().unwrap() };
    let without = Lab::start_as_written(settings.clone()).unwrap();
    let token = agents(&provider);
    assert_eq!(ask(without.address(), &token), "not_ready", "who asks is nobody");
    let with = Lab::start_as_written(Settings { edits, ..settings }).unwrap();
    assert_eq!(ask_often(with.address(), &token), only("allow"), "{}", with.envoy.log_tail());
    assert_eq!(ask(with.address(), "made-up"), "invalid_token");
    fs::remove_file(secret).unwrap();
}

#[test]
fn random_tokens_are_refused_and_each_worker_asks_about_each_once() {
    let (mut provider, lab) = start("60s");
    let to = lab.address();
    let good = agents(&provider);
    thread::scope(|scope| {
        for forger in 0..8 {
            scope.spawn(move || {
                for number in 0..10 {
                    let token = format!("made-up-{forger}-{number}");
                    for _ in 0..4 {
                        assert_eq!(ask(to, &token), "invalid_token");
                    }
                }
            });
        }
        for _ in 0..50 {
            assert_eq!(ask(to, &good), "allow");
        }
    });
    let asked = provider.asked().unwrap();
    assert!((80..=162).contains(&asked), "{asked} questions");
}
