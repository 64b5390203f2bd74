//! What stands side by side: the filter chains of an Envoy, each in front of an answer of Envoy's
//! own. None writes an access log.

use std::path::Path;

use base64ct::{Base64, Encoding as _};
use serde_json::{Value, json};

use crate::case::{AUDIENCE, Case, ISSUER, PATH, Rules, USER};
use crate::envoy::Kit;

/// One of the chains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chain {
    /// No filter.
    None,
    /// A Wasm filter that moves what Postern moves for a request that it allows by such a policy, and decides
    /// nothing.
    Calls(Rules),
    /// A Wasm filter that has Envoy check one signature, the same for each request.
    Check,
    /// A Wasm filter that does nothing.
    Empty,
    /// What Envoy brings of its own: `jwt_authn`, which remembers the tokens it has verified,
    /// `rbac` and `local_ratelimit`.
    NativeCached,
    /// The same, without that memory: what one gets unless one asks for it.
    NativeUncached,
    /// Postern.
    Postern(Rules),
}

impl Chain {
    /// Those that stand in for each other, in the order in which they take turns.
    pub(crate) const SIDE_BY_SIDE: [Self; 6] = [
        Self::None,
        Self::Empty,
        Self::Calls(Rules::Usual),
        Self::NativeCached,
        Self::NativeUncached,
        Self::Postern(Rules::Usual),
    ];

    /// What it is called in figures.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Calls(Rules::Usual) => "calls",
            Self::Calls(Rules::Limit) => "limit_calls",
            Self::Calls(Rules::FiveOfOne) => "five_of_one_calls",
            Self::Calls(Rules::FiveLimits) => "five_limits_calls",
            Self::Calls(Rules::Unlimited) => "unlimited_calls",
            Self::Calls(Rules::Condition) => "condition_calls",
            Self::Calls(Rules::Narrow) => "narrow_calls",
            Self::Check => "check",
            Self::Empty => "empty",
            Self::NativeCached => "native_cached",
            Self::NativeUncached => "native_uncached",
            Self::Postern(rules) => rules.name(),
        }
    }

    /// Whether it turns a request without a token away.
    pub(crate) const fn guards(self) -> bool {
        !matches!(self, Self::None | Self::Calls(_) | Self::Check | Self::Empty)
    }

    /// The filters of it.
    fn filters(self, kit: &Kit) -> Vec<Value> {
        let Kit { case, wasm, calls, empty, check, .. } = kit;
        let structure = |value: &Value| typed(STRUCT, json!({ "value": value }));
        let mut filters = match self {
            Self::None => Vec::new(),
            Self::Calls(rules) => {
                let moved = typed(STRING, json!({ "value": moved(rules) }));
                vec![wasm_filter("calls", calls, &moved)]
            }
            Self::Check => {
                let arguments = Base64::encode_string(&kit.arguments);
                let arguments = typed(BYTES, json!({ "value": arguments }));
                vec![wasm_filter("check", check, &arguments)]
            }
            Self::Empty => vec![wasm_filter("empty", empty, &structure(&json!({})))],
            Self::NativeCached => native(case, json!({ "jwt_cache_size": 1000 })),
            Self::NativeUncached => native(case, Value::Null),
            Self::Postern(rules) => {
                vec![wasm_filter("postern", wasm, &structure(&case.with(rules)))]
            }
        };
        filters.push(filter("router", "router.v3.Router", json!({})));
        filters
    }
}

/// What the filter `calls` is to move besides: trips to the store, the headers of responses, and the fields
/// that tell callers of their limits.
fn moved(rules: Rules) -> String {
    let item = |name: &str, rest: &str| format!("{name:?};{rest}");
    let fields = |names: &[&str]| {
        let list =
            |rest: &str| names.iter().map(|name| item(name, rest)).collect::<Vec<_>>().join(", ");
        format!("{}\n{}", list("q=1000000;w=1"), list("r=999999;t=1"))
    };
    match rules {
        Rules::Usual => format!("0\n0\n{}", fields(&["agent"])),
        Rules::Limit | Rules::Narrow => format!("1\n0\n{}", fields(&["agent"])),
        Rules::FiveOfOne => {
            format!("1\n1\n{}", fields(&["agent", "burst", "hourly", "daily", "monthly"]))
        }
        Rules::FiveLimits => {
            format!("5\n0\n{}", fields(&["agent", "user", "organization", "client", "route"]))
        }
        Rules::Unlimited | Rules::Condition => "0\n0\n".to_owned(),
    }
}

const STRING: &str = "type.googleapis.com/google.protobuf.StringValue";
const BYTES: &str = "type.googleapis.com/google.protobuf.BytesValue";
const STRUCT: &str = "type.googleapis.com/google.protobuf.Struct";

fn filter(name: &str, kind: &str, config: Value) -> Value {
    let kind = format!("type.googleapis.com/envoy.extensions.filters.http.{kind}");
    json!({ "name": format!("envoy.filters.http.{name}"), "typed_config": typed(&kind, config) })
}

fn typed(kind: &str, mut config: Value) -> Value {
    if let Some(config) = config.as_object_mut() {
        config.insert("@type".to_owned(), kind.into());
    }
    config
}

fn wasm_filter(name: &str, path: &Path, configuration: &Value) -> Value {
    let config = json!({
        "name": name,
        "root_id": name,
        "failure_policy": "FAIL_RELOAD",
        "vm_config": {
            "vm_id": name,
            "runtime": "envoy.wasm.runtime.v8",
            "code": { "local": { "filename": path } },
        },
        "configuration": configuration,
    });
    filter("wasm", "wasm.v3.Wasm", json!({ "config": config }))
}

fn native(case: &Case, cache: Value) -> Vec<Value> {
    let mut provider = json!({
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "local_jwks": { "inline_string": case.jwks().to_string() },
        "payload_in_metadata": "claims",
    });
    if let (Some(provider), false) = (provider.as_object_mut(), cache.is_null()) {
        provider.insert("jwt_cache_config".to_owned(), cache);
    }
    let authenticate = json!({
        "providers": { "login": provider },
        "rules": [{ "match": { "prefix": "/" }, "requires": { "provider_name": "login" } }],
    });
    let reads = json!({ "and_rules": { "rules": [
        { "url_path": { "path": { "prefix": PATH } } },
        { "header": { "name": ":method", "string_match": { "exact": "GET" } } },
    ] } });
    let user = json!({ "metadata": {
        "filter": "envoy.filters.http.jwt_authn",
        "path": [{ "key": "claims" }, { "key": "sub" }],
        "value": { "string_match": { "exact": USER } },
    } });
    let authorize = json!({ "rules": {
        "action": "ALLOW",
        "policies": { "contacts": { "permissions": [reads], "principals": [user] } },
    } });
    let always = json!({ "default_value": { "numerator": 100 } });
    let limit = json!({
        "stat_prefix": "bench",
        "token_bucket": {
            "max_tokens": 1_000_000,
            "tokens_per_fill": 1_000_000,
            "fill_interval": "1s",
        },
        "filter_enabled": always,
        "filter_enforced": always,
    });
    vec![
        filter("jwt_authn", "jwt_authn.v3.JwtAuthentication", authenticate),
        filter("rbac", "rbac.v3.RBAC", authorize),
        filter("local_ratelimit", "local_ratelimit.v3.LocalRateLimit", limit),
    ]
}

/// The configuration of an Envoy that has a listener for each of these, on ports that the system chooses.
/// Filters of the same file share a virtual machine.
pub(crate) fn bootstrap(chains: &[Chain], kit: &Kit) -> Value {
    let listeners = chains.iter().map(|chain| listener(chain.name(), chain.filters(kit)));
    json!({
        "admin": { "address": any_port() },
        "static_resources": { "listeners": listeners.collect::<Vec<_>>() },
    })
}

fn any_port() -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": 0 } })
}

fn listener(name: &str, filters: Vec<Value>) -> Value {
    let answer = json!({ "status": 200, "body": { "inline_string": "ok\n" } });
    let manager = typed(
        "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3\
         .HttpConnectionManager",
        json!({
            "stat_prefix": "bench",
            "codec_type": "HTTP1",
            "normalize_path": true,
            "route_config": { "virtual_hosts": [{
                "name": "all",
                "domains": ["*"],
                "routes": [{ "match": { "prefix": "/" }, "direct_response": answer }],
            }] },
            "http_filters": filters,
        }),
    );
    let network_filter =
        json!({ "name": "envoy.filters.network.http_connection_manager", "typed_config": manager });
    json!({
        "name": name,
        "address": any_port(),
        "filter_chains": [{ "filters": [network_filter] }],
    })
}
