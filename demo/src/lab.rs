use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, process};

use anyhow::{Context as _, bail};
use postern::policy::source::document;
use serde_json::Value;

use crate::backend::Backend;
use crate::cast::Cast;
use crate::client::{Request, Response};
use crate::clock::wait_for;
use crate::envoy::{Envoy, Setup};
use crate::interrupt;

/// How long Envoy may take to write a line of its log.
const LOGS_WITHIN: Duration = Duration::from_secs(3);

/// What a lab is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The Envoy to run.
    pub envoy: PathBuf,
    /// The compiled filter.
    pub wasm: PathBuf,
    /// The policy.
    pub policy: Value,
    /// How many workers Envoy has.
    pub workers: u32,
    /// What is otherwise in its bootstrap: what stands there once, and what is to.
    pub edits: Vec<(String, String)>,
}

impl Settings {
    /// The Envoy at `ENVOY`, the filter at `POSTERN_WASM`, the policy of `policies/crm.yaml`, two
    /// workers.
    ///
    /// # Errors
    ///
    /// One of the variables is not set, or the policy is no YAML.
    pub fn from_env() -> anyhow::Result<Self> {
        let policy = repository().join("policies/crm.yaml");
        let text =
            fs::read(&policy).with_context(|| format!("cannot read `{}`", policy.display()))?;
        let (policy, _) = document::parse(&text).context("policies/crm.yaml")?;
        Ok(Self {
            envoy: path_from_env("ENVOY")?,
            wasm: path_from_env("POSTERN_WASM")?,
            policy,
            workers: 2,
            edits: Vec::new(),
        })
    }
}

pub(crate) fn path_from_env(name: &str) -> anyhow::Result<PathBuf> {
    let path = env::var_os(name).with_context(|| format!("{name} is not set: use make"))?;
    fs::canonicalize(&path).with_context(|| format!("{name} is `{}`", path.display()))
}

/// The directory that all paths of the project are relative to.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Envoy with the filter, a backend behind it, and keys for the policy's issuers. All of it ends
/// when this is dropped.
#[derive(Debug)]
pub struct Lab {
    /// The issuers' keys.
    pub cast: Cast,
    /// Envoy, with the filter.
    pub envoy: Envoy,
    policy: Value,
    // Dropped in this order: the backend outlives Envoy, the directory both.
    _backend: Backend,
    directory: Directory,
}

/// What Envoy made of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// It is in force.
    Accepted,
    /// It was refused; the one before is in force.
    Refused,
}

impl Lab {
    /// Starts it all, the policy's issuers played by the cast.
    ///
    /// # Errors
    ///
    /// A part of it does not start; the error shows Envoy's log.
    pub fn start(mut settings: Settings) -> anyhow::Result<Self> {
        let cast = Cast::new()?;
        cast.equip(&mut settings.policy)?;
        Self::with_policy(settings, cast)
    }

    /// Starts it all with the policy as it is, whoever its issuers are.
    ///
    /// # Errors
    ///
    /// A part of it does not start; the error shows Envoy's log.
    pub fn start_as_written(settings: Settings) -> anyhow::Result<Self> {
        Self::with_policy(settings, Cast::new()?)
    }

    fn with_policy(settings: Settings, cast: Cast) -> anyhow::Result<Self> {
        let Settings { envoy, wasm, policy, workers, edits } = settings;
        let backend = Backend::start()?;
        let directory = Directory::new()?;
        let setup = Setup {
            program: envoy,
            wasm,
            workers,
            edits,
            directory: directory.0.clone(),
            upstream: backend.address(),
        };
        let envoy = Envoy::start(setup, &policy)?;
        Ok(Self { cast, envoy, policy, _backend: backend, directory })
    }

    /// The policy it started with.
    pub const fn policy(&self) -> &Value {
        &self.policy
    }

    /// Where callers come in.
    pub const fn address(&self) -> SocketAddr {
        self.envoy.listen()
    }

    /// Where the configuration and the logs are while it runs.
    pub fn directory(&self) -> &Path {
        &self.directory.0
    }

    /// Sends a request through Envoy.
    ///
    /// # Errors
    ///
    /// No answer, or an interruption.
    pub fn send(&self, request: &Request) -> anyhow::Result<Response> {
        interrupt::check()?;
        request.send(self.address())
    }

    /// Gives Envoy another policy, as an operator would: by renaming a file.
    ///
    /// # Errors
    ///
    /// Envoy says neither yes nor no.
    pub fn publish(&self, policy: &Value) -> anyhow::Result<Published> {
        let taken = self.envoy.replace_policy(policy)?;
        Ok(if taken { Published::Accepted } else { Published::Refused })
    }

    /// The line of the access log about the request with this id.
    ///
    /// # Errors
    ///
    /// There is none after a while.
    pub fn log_line(&self, request_id: &str) -> anyhow::Result<Value> {
        let is_it =
            |line: &Value| line.get("request_id").and_then(Value::as_str) == Some(request_id);
        let (line, _) = wait_for("a line in the access log", LOGS_WITHIN, || {
            // The last line may be half written.
            Ok(self.envoy.access_log().ok().and_then(|lines| lines.into_iter().find(is_it)))
        })?;
        Ok(line)
    }
}

/// A directory for one run, gone when dropped.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let parent = repository().join(".run");
        fs::create_dir_all(&parent)?;
        for number in 0..1000 {
            let path = parent.join(format!("{}-{number}", process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => (),
                Err(error) => return Err(error.into()),
            }
        }
        bail!("`{}` is full", parent.display());
    }
}

impl Directory {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Kept for whoever looks into a failed test.
        if !std::thread::panicking() {
            drop(fs::remove_dir_all(&self.0));
        }
    }
}
