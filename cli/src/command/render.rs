//! `postern render`.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::Answer;
use super::file::Input;
use super::output::{note, plain, print};
use super::problems::Source;
use crate::render::{Configuration, Options, Provider, Upstream, envoy, providers};

/// The name of what a proxy is started with.
const BOOTSTRAP: &str = "postern.yaml";
/// The name of what it reads again when it changes.
const FILTER: &str = "postern.ecds.yaml";

/// Turn a policy into a proxy's configuration that enforces it.
///
/// Writes two files: what Envoy is started with (postern.yaml), and the filter with its policy
/// (postern.ecds.yaml), which Envoy reads again when another file is renamed over it. A policy
/// with errors is not rendered.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  postern render policy.yaml --for envoy --upstream 127.0.0.1:8080 --out-dir envoy
  envoy --config-path envoy/postern.yaml")]
pub(super) struct Render {
    /// A policy, in YAML or JSON
    #[arg(value_name = "FILE")]
    file: Input,
    /// Another policy, to be tried beside it: what it would decide is written down
    #[arg(long, value_name = "FILE")]
    candidate: Option<Input>,
    /// The proxy
    #[arg(long = "for", value_name = "PROXY")]
    proxy: Proxy,
    /// Where the files go; without it, they are printed
    #[arg(long, value_name = "DIR")]
    out_dir: Option<PathBuf>,
    /// The API behind
    #[arg(long, value_name = "HOST:PORT")]
    upstream: Option<Upstream>,
    /// Where callers come in: a port, or an address and a port
    #[arg(long, value_name = "[ADDRESS:]PORT", value_parser = listen)]
    listen: Option<Listen>,
    /// Where the proxy's own interface is, for operators only
    #[arg(long, value_name = "[ADDRESS:]PORT", value_parser = listen)]
    admin: Option<Listen>,
    /// The compiled filter, as the proxy will find it
    #[arg(long, value_name = "FILE")]
    wasm: Option<String>,
    /// Where the access log goes
    #[arg(long, value_name = "FILE")]
    access_log: Option<String>,
    /// The authorities that may vouch for servers from which keys are fetched, as PEM, as the proxy
    /// will find them
    #[arg(long, value_name = "FILE")]
    ca_file: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Proxy {
    Envoy,
}

/// A port, at an address if that matters.
#[derive(Clone, Copy, Debug)]
struct Listen {
    address: Option<IpAddr>,
    port: u16,
}

impl Listen {
    fn over(self, default: SocketAddr) -> SocketAddr {
        SocketAddr::new(self.address.unwrap_or(default.ip()), self.port)
    }
}

fn listen(text: &str) -> Result<Listen, &'static str> {
    if let Ok(port) = text.parse() {
        return Ok(Listen { address: None, port });
    }
    let address: SocketAddr =
        text.parse().map_err(|_| "expected a port, such as `8000`, or `127.0.0.1:8000`")?;
    Ok(Listen { address: Some(address.ip()), port: address.port() })
}

impl Render {
    pub(super) fn run(&self) -> anyhow::Result<Answer> {
        let (mut value, mut policy) = Source::read(&self.file)?.policy()?;
        if let Some(candidate) = &self.candidate {
            let (candidate, _) = Source::read(candidate)?.policy()?;
            value = with_candidate(value, candidate);
            policy = Source::of(&self.file, value.to_string()).policy()?.1;
        }
        let Proxy::Envoy = self.proxy;
        let options = self.options(providers(&policy)?);
        let Configuration { bootstrap, filter } = envoy(&value, &options);
        let Some(dir) = &self.out_dir else {
            print(&format!("# {BOOTSTRAP}\n{bootstrap}\n---\n# {FILTER}\n{filter}"))?;
            return Ok(Answer::Yes);
        };
        std::fs::create_dir_all(dir).with_context(|| cannot_write(dir))?;
        // The filter first: the other one names it.
        for (name, text) in [(FILTER, filter), (BOOTSTRAP, bootstrap)] {
            let path = dir.join(name);
            replace(&path, &text).with_context(|| cannot_write(&path))?;
            note(&format!("wrote {}", plain(&path.to_string_lossy())));
        }
        Ok(Answer::Yes)
    }

    fn options(&self, providers: Vec<Provider>) -> Options {
        let default = Options::default();
        Options {
            listen: self.listen.map_or(default.listen, |listen| listen.over(default.listen)),
            admin: self.admin.map_or(default.admin, |admin| admin.over(default.admin)),
            upstream: self.upstream.clone().unwrap_or(default.upstream),
            wasm: self.wasm.clone().unwrap_or(default.wasm),
            filter_file: match &self.out_dir {
                Some(dir) => dir.join(FILTER).to_string_lossy().into_owned(),
                None => default.filter_file,
            },
            access_log: self.access_log.clone().unwrap_or(default.access_log),
            providers,
            ca_file: self.ca_file.clone().unwrap_or(default.ca_file),
        }
    }
}

/// `policy` with another beside it.
fn with_candidate(mut policy: Value, candidate: Value) -> Value {
    if let Some(members) = policy.as_object_mut() {
        members.insert("candidate".to_owned(), candidate);
    }
    policy
}

/// Puts `text` at `path` by a rename, which is what a running Envoy looks for.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    std::fs::write(&new, text)?;
    std::fs::rename(&new, path)
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write `{}`", plain(&path.to_string_lossy()))
}
