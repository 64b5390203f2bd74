use std::path::Path;

use serde_json::{Value, json};

use super::{Options, Provider, Upstream, envoy, providers, yaml};

fn read(text: &str) -> Value {
    serde_saphyr::from_str(text).expect("YAML")
}

fn repository(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)
}

#[test]
fn whatever_is_in_a_policy_comes_out_the_same() {
    let policy = json!({
        "version": 1,
        "empty": [{}, [], "", null],
        "words": ["no", "True", "~", "1", "60/min", "a: b", "a #b", "{id}", "- x", "é\n\"", "on"],
        "12": { "nested": [[1, 2.5, -3], { "deep": { "deeper": [true, false] } }] },
        "long": vec!["contacts:read"; 20],
        "routes": [{ "path": "/v1/contacts/{id}", "methods": ["GET", "PUT"], "x": "y".repeat(90) }],
    });
    let rendered = envoy(&policy, &Options::default());
    let filter = read(&rendered.filter);
    assert_eq!(filter["resources"][0]["typed_config"]["config"]["configuration"]["value"], policy);
}

#[test]
fn a_path_with_odd_characters_stays_one_path() {
    let odd = "a: \"b\" ${wasm} # c.yaml";
    let options = Options {
        wasm: odd.to_owned(),
        filter_file: odd.to_owned(),
        access_log: odd.to_owned(),
        ..Options::default()
    };
    let rendered = envoy(&json!({}), &options);
    let filter = read(&rendered.filter);
    let config = &filter["resources"][0]["typed_config"]["config"];
    assert_eq!(config["vm_config"]["code"]["local"]["filename"], odd);
    read(&rendered.bootstrap);
}

#[test]
fn no_placeholder_is_left() {
    let rendered = envoy(&json!({}), &Options::default());
    assert!(!rendered.bootstrap.contains("${") && !rendered.filter.contains("${"));
    assert!(!rendered.bootstrap.contains(": ,") && !rendered.bootstrap.contains(": }"));
}

#[test]
fn a_name_is_resolved_and_an_address_is_not() {
    for (upstream, kind) in [("crm.internal:80", "STRICT_DNS"), ("[::1]:80", "STATIC")] {
        let options = Options { upstream: upstream.parse().unwrap(), ..Options::default() };
        let bootstrap = read(&envoy(&json!({}), &options).bootstrap);
        assert_eq!(bootstrap["static_resources"]["clusters"][0]["type"], kind, "{upstream}");
    }
}

#[test]
fn an_upstream_is_a_host_and_a_port() {
    assert_eq!("crm:80".parse(), Ok(Upstream { host: "crm".to_owned(), port: 80 }));
    for text in ["crm", "crm:", ":80", "crm:0", "crm:65536", "a b:80", "::1:80"] {
        let error = text.parse::<Upstream>().unwrap_err().to_string();
        assert_eq!(error, format!("invalid upstream `{text}`: expected `host:port`"));
    }
}

#[test]
fn only_plain_words_go_unquoted() {
    for plain in ["contacts:read", "/v1/contacts", "x-postern-", "https://login.example/"] {
        assert_eq!(yaml::scalar(plain), plain);
    }
    for quoted in ["no", "Null", "1", "1h", "", "a:", "{id}", "a b", "-a", "a#", "*", "\u{7f}"] {
        assert!(yaml::scalar(quoted).starts_with('"'), "{quoted}");
    }
}

fn fetching(url: &str, cluster: &str) -> postern::policy::Policy {
    let mut policy = read(&std::fs::read_to_string(repository("policies/crm.yaml")).unwrap());
    policy["issuers"][0]["jwks"] = json!({ "url": url, "cluster": cluster });
    policy["issuers"][1]["jwks"] =
        json!({ "url": "https://login.example/partner.json", "cluster": "login" });
    postern::policy::Policy::compile(&policy).unwrap().0
}

#[test]
fn each_server_that_keys_are_fetched_from_is_a_cluster_that_checks_its_name() {
    let policy = fetching("https://login.example/jwks.json", "login");
    let options = Options { providers: providers(&policy).unwrap(), ..Options::default() };
    let bootstrap = read(&envoy(&json!({}), &options).bootstrap);
    let clusters = bootstrap["static_resources"]["clusters"].as_array().unwrap();
    assert_eq!(clusters.len(), 2, "{clusters:?}");
    let login = &clusters[1];
    assert_eq!((&login["name"], &login["type"]), (&json!("login"), &json!("STRICT_DNS")));
    let address = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address";
    let address = login.pointer(address).unwrap();
    assert_eq!(*address, json!({ "address": "login.example", "port_value": 443 }));
    let tls = &login["transport_socket"]["typed_config"];
    assert_eq!(tls["sni"], "login.example");
    let validation = &tls["common_tls_context"]["validation_context"];
    assert_eq!(validation["match_typed_subject_alt_names"][0]["matcher"]["exact"], "login.example");
    assert!(validation["trusted_ca"]["filename"].as_str().unwrap().starts_with('/'));

    let policy = fetching("http://127.0.0.1:81/jwks.json", "plain");
    let options = Options { providers: providers(&policy).unwrap(), ..Options::default() };
    let bootstrap = read(&envoy(&json!({}), &options).bootstrap);
    let plain = &bootstrap["static_resources"]["clusters"][2];
    assert_eq!((&plain["name"], &plain["type"]), (&json!("plain"), &json!("STATIC")));
    assert_eq!(plain["transport_socket"], Value::Null);
}

#[test]
fn the_server_that_is_asked_about_tokens_is_a_cluster_too() {
    let asking = |cluster: &str| {
        let mut policy = read(&std::fs::read_to_string(repository("policies/crm.yaml")).unwrap());
        policy["issuers"][0]["introspection"] =
            json!({ "url": "https://ask.example/introspect", "cluster": cluster });
        postern::policy::Policy::compile(&policy).unwrap().0
    };
    let found = providers(&asking("ask")).unwrap();
    let [Provider { cluster, url, .. }] = &found[..] else { panic!("{found:?}") };
    assert_eq!((cluster.as_str(), url.host(), url.port()), ("ask", "ask.example", 443));
    providers(&asking("upstream")).unwrap_err();
}

#[test]
fn the_service_that_counts_shared_limits_is_a_cluster_that_speaks_http_2() {
    let sharing = |cluster: &str| {
        let mut policy = read(&std::fs::read_to_string(repository("policies/crm.yaml")).unwrap());
        policy["issuers"][0]["introspection"] =
            json!({ "url": "https://limits.example/ask", "cluster": "ask" });
        policy["limits"] = json!({ "shared": {
            "url": "https://limits.example", "cluster": cluster,
        } });
        postern::policy::Policy::compile(&policy).unwrap().0
    };
    let options =
        Options { providers: providers(&sharing("limits")).unwrap(), ..Options::default() };
    let bootstrap = read(&envoy(&json!({}), &options).bootstrap);
    let clusters = bootstrap["static_resources"]["clusters"].as_array().unwrap();
    let speaks = |name: &str| {
        let cluster = clusters.iter().find(|cluster| cluster["name"] == name).unwrap();
        cluster
            .pointer("/typed_extension_protocol_options")
            .is_some_and(|options| options.to_string().contains("http2_protocol_options"))
    };
    assert!(speaks("limits") && !speaks("ask"));
    let limits = clusters.iter().find(|cluster| cluster["name"] == "limits").unwrap();
    let tls = &limits["transport_socket"]["typed_config"]["common_tls_context"];
    assert_eq!(tls["alpn_protocols"], json!(["h2"]));
    // What is fetched is fetched by HTTP/1.1, even from the same place.
    providers(&sharing("ask")).unwrap_err();
}

#[test]
fn one_name_is_not_given_to_two_servers() {
    for (url, cluster) in [
        ("https://other.example/k", "login"),
        ("http://login.example/k", "login"),
        ("https://a/k", "upstream"),
    ] {
        let error = providers(&fetching(url, cluster)).unwrap_err().to_string();
        assert!(error.contains(&format!("`{cluster}`")), "{error}");
    }
}

/// `BLESS=1 cargo test -p postern-cli` writes the files anew.
#[test]
fn the_envoy_files_are_what_the_crm_policy_renders_to() {
    let policy = std::fs::read_to_string(repository("policies/crm.yaml")).expect("the policy");
    let rendered = envoy(&read(&policy), &Options::default());
    for (file, text) in
        [("envoy/postern.yaml", rendered.bootstrap), ("envoy/postern.ecds.yaml", rendered.filter)]
    {
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(repository(file), &text).expect("to write");
        }
        let found = std::fs::read_to_string(repository(file)).unwrap_or_default();
        assert!(found == text, "{file} differs: write it with BLESS=1");
    }
}
