//! What Envoy has of its own: a second listener, whose only filter is `jwt_authn`.

use std::net::SocketAddr;

use postern_demo::client::Request;
use serde_json::{Value, json};

use super::forgery::{AUDIENCE, LEEWAY, LOGIN, PARTNER};
use super::keys::Keys;

/// Where it goes in a bootstrap.
pub(crate) const PLACE: &str = "\n  clusters:\n";

fn filter(name: &str, kind: &str, mut config: Value) -> Value {
    let prefix = "type.googleapis.com/envoy.extensions.filters";
    config["@type"] = format!("{prefix}.{kind}").into();
    json!({ "name": name, "typed_config": config })
}

/// The listener, with the same issuers, keys and audience, as strict as it can be told to be.
pub(crate) fn listener(keys: &Keys) -> String {
    let provider = |issuer: &str, set: &Value| {
        json!({
            "issuer": issuer,
            "audiences": [AUDIENCE],
            "local_jwks": { "inline_string": set.to_string() },
            "clock_skew_seconds": LEEWAY,
            "require_expiration": true,
            "max_lifetime": "86400s",
        })
    };
    let authenticate = json!({
        "providers": {
            "login": provider(LOGIN, &keys.login_set()),
            "partner": provider(PARTNER, &keys.partner_set()),
        },
        "rules": [{
            "match": { "prefix": "/" },
            "requires": { "requires_any": { "requirements": [
                { "provider_name": "login" },
                { "provider_name": "partner" },
            ] } },
        }],
    });
    let answer = json!({ "status": 200, "body": { "inline_string": "ok" } });
    let manager = json!({
        "stat_prefix": "native",
        "max_request_headers_kb": 32,
        "route_config": { "virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{ "match": { "prefix": "/" }, "direct_response": answer }],
        }] },
        "http_filters": [
            filter("jwt", "http.jwt_authn.v3.JwtAuthentication", authenticate),
            filter("router", "http.router.v3.Router", json!({})),
        ],
    });
    let kind = "network.http_connection_manager.v3.HttpConnectionManager";
    let listener = json!({
        "name": "native",
        "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } },
        "filter_chains": [{ "filters": [filter("http", kind, manager)] }],
    });
    // JSON is YAML.
    format!("\n  - {listener}\n{PLACE}")
}

/// Where it listens.
pub(crate) fn address(admin: SocketAddr) -> SocketAddr {
    let answer = Request::get("/listeners?format=json").send(admin).unwrap();
    let listeners: Value = serde_json::from_slice(&answer.body).unwrap();
    let listeners = listeners["listener_statuses"].as_array().unwrap();
    let native = listeners.iter().find(|listener| listener["name"] == "native").unwrap();
    let port = &native["local_address"]["socket_address"]["port_value"];
    SocketAddr::new(admin.ip(), u16::try_from(port.as_u64().unwrap()).unwrap())
}
