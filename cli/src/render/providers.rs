//! The clusters through which the filter fetches keys, and asks about tokens and limits.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use postern::feed::Url;
use postern::policy::Policy;

use super::{Options, UPSTREAM, cluster_type, fill, yaml};

const PROVIDER: &str = include_str!("provider.yaml");
const TLS: &str = include_str!("tls.yaml");
const HTTP2: &str = include_str!("http2.yaml");

/// Servers of gRPC hang up on clients that do not name HTTP/2.
const ALPN: &str = "          alpn_protocols: [h2]\n";

/// A server that publishes keys, or is asked about tokens or limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// What the policy calls it.
    pub cluster: String,
    /// One of the URLs there.
    pub url: Url,
    /// Whether it is asked by gRPC.
    pub speaks_grpc: bool,
}

/// The servers that `policy` fetches keys from or asks about tokens or limits, each once.
///
/// # Errors
///
/// One name for two servers, or the name of the API behind: a cluster is one server here.
pub fn providers(policy: &Policy) -> Result<Vec<Provider>, ClusterConflict> {
    let mut named: BTreeMap<&str, &Url> = BTreeMap::new();
    for (cluster, url) in policy.servers() {
        let conflict = || ClusterConflict(cluster.to_owned());
        if cluster == UPSTREAM {
            return Err(conflict());
        }
        let place = |url: &Url| (url.is_secure(), url.host().to_owned(), url.port());
        let first = named.entry(cluster).or_insert(url);
        if place(first) != place(url) {
            return Err(conflict());
        }
    }
    let service = policy.shared_limits.as_ref().map(|service| service.cluster.as_str());
    let is_service = |(cluster, _): &(&str, &Url)| Some(*cluster) == service;
    // All that is fetched is fetched by HTTP/1.1.
    if let (Some(cluster), true) = (service, policy.servers().filter(is_service).count() > 1) {
        return Err(ClusterConflict(cluster.to_owned()));
    }
    let provider = |(cluster, url): (&str, &Url)| Provider {
        cluster: cluster.to_owned(),
        url: url.clone(),
        speaks_grpc: Some(cluster) == service,
    };
    Ok(named.into_iter().map(provider).collect())
}

/// One name for two servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterConflict(String);

impl fmt::Display for ClusterConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.escape_debug();
        write!(f, "two servers would be called `{name}`: expected another `cluster` for each")
    }
}

impl std::error::Error for ClusterConflict {}

/// All clusters, as they stand in the bootstrap.
pub(super) fn clusters(options: &Options) -> String {
    options.providers.iter().map(|provider| cluster(provider, options)).collect()
}

fn cluster(Provider { cluster, url, speaks_grpc }: &Provider, options: &Options) -> String {
    let host = url.host();
    let san_type = if host.parse::<IpAddr>().is_ok() { "IP_ADDRESS" } else { "DNS" };
    let tls = [
        ("sni", yaml::scalar(host)),
        ("ca", yaml::scalar(&options.ca_file)),
        ("san_type", san_type.to_owned()),
        ("san", yaml::scalar(host)),
        ("alpn", if *speaks_grpc { ALPN.to_owned() } else { String::new() }),
    ];
    let values = [
        ("url", url.as_str().to_owned()),
        ("name", yaml::scalar(cluster)),
        ("type", cluster_type(host).to_owned()),
        ("host", yaml::scalar(host)),
        ("port", url.port().to_string()),
        ("http2", if *speaks_grpc { HTTP2.to_owned() } else { String::new() }),
        ("tls", if url.is_secure() { fill(TLS, &tls) } else { String::new() }),
    ];
    fill(PROVIDER, &values)
}
