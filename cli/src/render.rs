//! A policy as an Envoy configuration that enforces it.
//!
//! Two files: the bootstrap, which stays, and the filter with its policy, which Envoy reads again
//! when another file is renamed over it (the extension configuration discovery service, from a
//! file). Both are templates that read as they will be written, `render/*.yaml`.

mod providers;
mod yaml;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

pub use providers::{ClusterConflict, Provider, providers};
use serde_json::Value;

/// What the cluster of the API behind is called.
const UPSTREAM: &str = "upstream";

const BOOTSTRAP: &str = include_str!("render/bootstrap.yaml");
const FILTER: &str = include_str!("render/filter.yaml");

/// Where `${policy}` stands in the template, in columns.
const POLICY_INDENT: usize = 10;

/// What to fill in. Paths are as Envoy will see them, relative to where it is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where callers come in; port 0 lets the system choose one.
    pub listen: SocketAddr,
    /// Envoy's own interface, for operators only; port 0 lets the system choose one.
    pub admin: SocketAddr,
    /// The API behind.
    pub upstream: Upstream,
    /// The compiled filter.
    pub wasm: String,
    /// The second of the two files, as the first one names it.
    pub filter_file: String,
    /// Where the access log goes.
    pub access_log: String,
    /// Where the filter fetches keys; see [`providers()`].
    pub providers: Vec<Provider>,
    /// The authorities that may vouch for those, as PEM.
    pub ca_file: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 8000),
            admin: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 9901),
            upstream: Upstream { host: Ipv4Addr::LOCALHOST.to_string(), port: 8080 },
            wasm: "dist/postern.wasm".to_owned(),
            filter_file: "envoy/postern.ecds.yaml".to_owned(),
            access_log: "/dev/stdout".to_owned(),
            providers: Vec::new(),
            ca_file: "/etc/ssl/certs/ca-certificates.crt".to_owned(),
        }
    }
}

/// A host, by name or by address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// A DNS name or an IP address.
    pub host: String,
    /// A TCP port.
    pub port: u16,
}

impl FromStr for Upstream {
    type Err = InvalidUpstream;

    fn from_str(text: &str) -> Result<Self, InvalidUpstream> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self { host: address.ip().to_string(), port: address.port() });
        }
        let invalid = || InvalidUpstream(text.to_owned());
        let (host, port) = text.split_once(':').ok_or_else(invalid)?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        match port.parse() {
            Ok(port) if port > 0 && !host.is_empty() && host.chars().all(is_name) => {
                Ok(Self { host: host.to_owned(), port })
            }
            _ => Err(invalid()),
        }
    }
}

/// A text that is no [`Upstream`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidUpstream(String);

impl fmt::Display for InvalidUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid upstream `{}`: expected `host:port`", self.0)
    }
}

impl std::error::Error for InvalidUpstream {}

/// An Envoy configuration, as YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// What Envoy is started with (`envoy --config-path`).
    pub bootstrap: String,
    /// The filter and its policy: what belongs at [`Options::filter_file`].
    pub filter: String,
}

/// The configuration that puts `policy` in front of the upstream.
///
/// The policy is not looked at: Envoy starts with a policy that the filter refuses, and answers
/// every request with 500.
pub fn envoy(policy: &Value, options: &Options) -> Configuration {
    let bootstrap = fill(
        BOOTSTRAP,
        &[
            ("admin_host", yaml::scalar(&options.admin.ip().to_string())),
            ("admin_port", options.admin.port().to_string()),
            ("listen_host", yaml::scalar(&options.listen.ip().to_string())),
            ("listen_port", options.listen.port().to_string()),
            ("upstream_host", yaml::scalar(&options.upstream.host)),
            ("upstream_port", options.upstream.port.to_string()),
            ("upstream_type", cluster_type(&options.upstream.host).to_owned()),
            ("providers", providers::clusters(options)),
            ("filter_file", yaml::scalar(&options.filter_file)),
            ("access_log", yaml::scalar(&options.access_log)),
        ],
    );
    let filter = fill(
        FILTER,
        &[("wasm", yaml::scalar(&options.wasm)), ("policy", yaml::block(policy, POLICY_INDENT))],
    );
    Configuration { bootstrap, filter }
}

/// An address is where it is, a name has to be looked up.
fn cluster_type(host: &str) -> &'static str {
    if host.parse::<IpAddr>().is_ok() { "STATIC" } else { "STRICT_DNS" }
}

/// `template` with every `${name}` replaced; what is put in is not looked at again.
fn fill(template: &str, values: &[(&str, String)]) -> String {
    let mut parts = template.split("${");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap_or((part, ""));
        let value = values.iter().find(|(known, _)| *known == name);
        text.push_str(value.map_or("", |(_, value)| value));
        text.push_str(rest);
    }
    text
}
