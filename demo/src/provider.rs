//! A real identity provider: `demo/provider`, which is oidc-provider in Node.js. Started, asked for
//! keys and tokens as clients ask, stopped.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::client::{Request, Response, encode};
use crate::clock::wait_for;
use crate::lab::{path_from_env, repository};

/// An API that it issues tokens for.
pub const API: &str = "https://api.crm.example";
/// Another one.
pub const OTHER_API: &str = "https://billing.crm.example";
/// An API for which it issues opaque tokens.
pub const OPAQUE_API: &str = "https://opaque.crm.example";
/// The client that may ask what an opaque token is.
pub const GATEWAY: &str = "crm gateway";
/// What proves that it does.
pub const GATEWAY_SECRET: &str = "a secret: 100% of everybody & his dog know it";
/// A client that is an agent: it has a secret.
pub const AGENT: &str = "support-bot";
/// A client in which people log in: it has none.
pub const WEB: &str = "crm-web";
/// Who logs in.
pub const USER: &str = "ada";

const SECRET: &str = "a secret that everybody knows";
const CALLBACK: &str = "http://127.0.0.1/callback";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// What proves that who asks for the token is who asked for the login (RFC 7636).
const VERIFIER: &str = "a-test-has-nothing-to-hide-and-43-characters-it-needs";

/// How long it may take to be ready, or to do what it is told.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);
/// How long it may take to end when asked to.
const STOPS_WITHIN: Duration = Duration::from_secs(3);
/// The most times a login may send the browser elsewhere.
const MAX_REDIRECTS: usize = 12;

/// A running provider; ends when dropped.
#[derive(Debug)]
pub struct Provider {
    child: Child,
    orders: Option<ChildStdin>,
    said: Receiver<String>,
    issuer: String,
    address: SocketAddr,
}

/// What a login yields.
#[derive(Clone, Debug)]
pub struct Login {
    /// What opens the API.
    pub access_token: String,
    /// What tells the client who logged in, and opens nothing.
    pub id_token: String,
    /// What the client gets other tokens with, and opens nothing.
    pub refresh_token: String,
}

impl Provider {
    /// Starts it with the Node.js at `NODE` and waits until it answers.
    ///
    /// # Errors
    ///
    /// `NODE` is not set, or nothing answers in time.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(&path_from_env("NODE")?)
    }

    fn start_with(node: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(node)
            .arg("server.mjs")
            .current_dir(repository().join("demo/provider"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{}`", node.display()))?;
        let orders = child.stdin.take();
        let output = child.stdout.take().context("the provider has no output")?;
        let (tell, said) = mpsc::channel();
        // Ends with the output, which ends with the child.
        thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            lines.map(|line| tell.send(line)).take_while(Result::is_ok).count()
        });
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut provider = Self { child, orders, said, issuer: String::new(), address };
        let ready = provider.hear()?;
        let issuer = ready.get("issuer").and_then(Value::as_str);
        provider.issuer = issuer.context("the provider does not say who it is")?.to_owned();
        let authority = provider.issuer.strip_prefix("http://");
        provider.address = authority.context("the provider is not at http")?.parse()?;
        Ok(provider)
    }

    fn hear(&self) -> anyhow::Result<Value> {
        let line = self.said.recv_timeout(ANSWERS_WITHIN).context("the provider says nothing")?;
        Ok(serde_json::from_str(&line)?)
    }

    /// Its identifier, as in `iss`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What it says of itself (OpenID Connect Discovery).
    ///
    /// # Errors
    ///
    /// No answer, or none that is JSON.
    pub fn metadata(&self) -> anyhow::Result<Value> {
        self.read(&Request::get("/.well-known/openid-configuration"))
    }

    /// The keys that it publishes now, from where its metadata says.
    ///
    /// # Errors
    ///
    /// No answer, or none that is JSON.
    pub fn jwks(&self) -> anyhow::Result<Value> {
        let metadata = self.metadata()?;
        let url = metadata.get("jwks_uri").and_then(Value::as_str).context("no `jwks_uri`")?;
        self.read(&Request::get(self.path(url)?))
    }

    /// From now on new keys sign; the old ones are still published.
    ///
    /// # Errors
    ///
    /// It does not do so in time.
    pub fn rotate(&mut self) -> anyhow::Result<()> {
        self.order("rotate").map(|_| ())
    }

    /// From now on only keys are published that sign.
    ///
    /// # Errors
    ///
    /// It does not do so in time.
    pub fn retire(&mut self) -> anyhow::Result<()> {
        self.order("retire").map(|_| ())
    }

    /// From now on nobody is there, or somebody again.
    ///
    /// # Errors
    ///
    /// It does not do so in time.
    pub fn go(&mut self, away: bool) -> anyhow::Result<()> {
        self.order(if away { "away" } else { "back" }).map(|_| ())
    }

    /// From now on it takes a second and a half to say what a token is, or no time.
    ///
    /// # Errors
    ///
    /// It does not do so in time.
    pub fn slow(&mut self, slow: bool) -> anyhow::Result<()> {
        self.order(if slow { "slow" } else { "quick" }).map(|_| ())
    }

    /// How often it was asked what a token is since this was asked last.
    ///
    /// # Errors
    ///
    /// It does not say so in time.
    pub fn asked(&mut self) -> anyhow::Result<u64> {
        self.order("asked")?.get("asked").and_then(Value::as_u64).context("no count")
    }

    fn order(&mut self, order: &str) -> anyhow::Result<Value> {
        let orders = self.orders.as_mut().context("the provider takes no orders")?;
        writeln!(orders, "{order}")?;
        let said = self.hear()?;
        said.get("keys").context("the provider did not do it")?;
        Ok(said)
    }

    /// Where it says what an opaque token is (RFC 7662).
    ///
    /// # Errors
    ///
    /// It does not tell.
    pub fn introspection_endpoint(&self) -> anyhow::Result<String> {
        let metadata = self.metadata()?;
        let url = metadata.get("introspection_endpoint").and_then(Value::as_str);
        Ok(url.context("no `introspection_endpoint`")?.to_owned())
    }

    /// The agent gives a token of its own back (RFC 7009).
    ///
    /// # Errors
    ///
    /// The provider does not take it.
    pub fn revoke(&self, token: &str) -> anyhow::Result<()> {
        let fields = [("client_id", AGENT), ("client_secret", SECRET), ("token", token)];
        let response = Request::form("/token/revocation", &fields).send(self.address)?;
        if response.status != 200 {
            bail!("the provider answered {}", answer(&response));
        }
        Ok(())
    }

    /// The agent's own token for `resource` (RFC 6749 §4.4, RFC 8707).
    ///
    /// # Errors
    ///
    /// It is given none.
    pub fn client_credentials(&self, resource: &str, scope: &str) -> anyhow::Result<String> {
        self.token(&[
            ("grant_type", "client_credentials"),
            ("client_id", AGENT),
            ("client_secret", SECRET),
            ("resource", resource),
            ("scope", scope),
        ])
    }

    /// The agent's token to act with for whoever the user's token is about (RFC 8693).
    ///
    /// # Errors
    ///
    /// It is given none.
    pub fn exchange(&self, token: &str, resource: &str, scope: &str) -> anyhow::Result<String> {
        self.token(&[
            ("grant_type", EXCHANGE),
            ("client_id", AGENT),
            ("client_secret", SECRET),
            ("subject_token", token),
            ("subject_token_type", ACCESS_TOKEN),
            ("resource", resource),
            ("scope", scope),
        ])
    }

    /// What the user gets who logs in at the web client: by authorization code with PKCE, as a
    /// browser does.
    ///
    /// # Errors
    ///
    /// She is given nothing.
    pub fn login(&self, resource: &str, scope: &str) -> anyhow::Result<Login> {
        let challenge = Base64UrlUnpadded::encode_string(&Sha256::digest(VERIFIER));
        let query = encode(&[
            ("client_id", WEB),
            ("response_type", "code"),
            ("redirect_uri", CALLBACK),
            ("scope", scope),
            ("resource", resource),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        let back = self.browse(&format!("/auth?{query}"))?;
        let (_, answer) = back.split_once('?').context("the login tells nothing")?;
        let code = answer.split('&').find_map(|field| field.strip_prefix("code="));
        let code = code.with_context(|| format!("no code, but {answer}"))?;
        let answer = self.read(&Request::form(
            "/token",
            &[
                ("grant_type", "authorization_code"),
                ("client_id", WEB),
                ("code", code),
                ("redirect_uri", CALLBACK),
                ("code_verifier", VERIFIER),
                ("resource", resource),
            ],
        ))?;
        let text = |name| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        Ok(Login {
            access_token: text("access_token").context("no access token")?,
            id_token: text("id_token").context("no ID token")?,
            refresh_token: text("refresh_token").context("no refresh token")?,
        })
    }

    /// Follows redirections with the cookies that come on the way, until one leads to the client.
    fn browse(&self, start: &str) -> anyhow::Result<String> {
        let mut cookies = BTreeMap::new();
        let mut target = start.to_owned();
        for _ in 0..MAX_REDIRECTS {
            let held = cookies.iter().map(|(name, value)| format!("{name}={value}"));
            let held: Vec<_> = held.collect();
            let response = Request::get(&target).header("Cookie", held.join("; "));
            let response = response.send(self.address)?;
            for cookie in response.all("set-cookie") {
                let pair = cookie.split(';').next().and_then(|pair| pair.split_once('='));
                let (name, value) = pair.context("a cookie without a name")?;
                cookies.insert(name.to_owned(), value.to_owned());
            }
            let location = response.header("location");
            let location = location.with_context(|| format!("{target}: {}", answer(&response)))?;
            if location.starts_with(CALLBACK) {
                return Ok(location.to_owned());
            }
            target = self.path(location)?.to_owned();
        }
        bail!("the login goes round in a circle");
    }

    fn token(&self, fields: &[(&str, &str)]) -> anyhow::Result<String> {
        let answer = self.read(&Request::form("/token", fields))?;
        let token = answer.get("access_token").and_then(Value::as_str);
        Ok(token.context("no access token")?.to_owned())
    }

    /// The path in a URL of the provider's own.
    fn path<'u>(&self, url: &'u str) -> anyhow::Result<&'u str> {
        let path = url.strip_prefix(self.issuer.as_str()).unwrap_or(url);
        if !path.starts_with('/') {
            bail!("`{url}` is not the provider's");
        }
        Ok(path)
    }

    fn read(&self, request: &Request) -> anyhow::Result<Value> {
        let response = request.send(self.address)?;
        if response.status != 200 {
            bail!("the provider answered {}", answer(&response));
        }
        Ok(serde_json::from_slice(&response.body)?)
    }
}

/// The status, and the error if it is one of OAuth's: never a token.
fn answer(response: &Response) -> String {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let error = body.get("error").and_then(Value::as_str).unwrap_or("something else");
    format!("{} {error}", response.status)
}

impl Drop for Provider {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.orders.take());
        let ended = wait_for("the provider to end", STOPS_WITHIN, || {
            Ok(self.child.try_wait()?.map(|_| ()))
        });
        if ended.is_err() {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}
