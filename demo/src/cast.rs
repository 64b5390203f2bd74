//! Who is in it: two issuers with keys made for this run, people with roles, and agents.

use anyhow::{Context as _, bail};
use postern_cli::mint::{self, AccessToken, Algorithm, ApiKey, PrivateKey};
use serde_json::{Value, json};

use crate::clock;

/// The API that tokens are for.
pub const AUDIENCE: &str = "https://api.crm.example";
/// The product's own login.
pub const LOGIN: &str = "https://login.crm.example/";
/// A partner's login.
pub const PARTNER: &str = "https://login.partner.example/";

/// What API keys begin with.
pub const KEY_PREFIX: &str = "crm_key_";

/// Who may edit.
pub const ADA: Person = Person { subject: "ada", role: "editor" };
/// Who may do all.
pub const OLGA: Person = Person { subject: "olga", role: "admin" };
/// Who may read.
pub const REX: Person = Person { subject: "rex", role: "reader" };

/// The claim in which agents say how sure they are of themselves.
pub const CONFIDENCE: &str = "agent_confidence";

/// An agent that the policy lets edit, but not deals.
pub const SUPPORT_BOT: &str = "support-bot";
/// An agent that the policy lets read.
pub const RESEARCH_BOT: &str = "research-bot";
/// An agent that the policy does not know.
pub const SCRAPER: &str = "scraper-9000";

/// Somebody with an account at the product.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    /// The `sub` of their tokens.
    pub subject: &'static str,
    /// Their role in the product.
    pub role: &'static str,
}

/// The issuers' keys.
#[derive(Debug)]
pub struct Cast {
    /// The login's key, called `key-1`.
    pub login: PrivateKey,
    /// The login's older key, called `key-0`.
    pub login_rsa: PrivateKey,
    /// The partner's key, called `key-1` too.
    pub partner: PrivateKey,
    /// The partner's other key, called `key-2`.
    pub partner_eddsa: PrivateKey,
    /// An API key of the organization `acme`, to read with.
    pub api_key: ApiKey,
    /// Another one, which has expired.
    pub expired_key: ApiKey,
}

impl Cast {
    /// Issuers with new keys.
    ///
    /// # Errors
    ///
    /// The operating system gives no randomness.
    pub fn new() -> Result<Self, mint::Error> {
        Ok(Self {
            login: PrivateKey::generate(Algorithm::Es256)?.with_kid("key-1"),
            login_rsa: PrivateKey::generate(Algorithm::Rs256)?.with_kid("key-0"),
            partner: PrivateKey::generate(Algorithm::Es256)?.with_kid("key-1"),
            partner_eddsa: PrivateKey::generate(Algorithm::EdDsa)?.with_kid("key-2"),
            api_key: ApiKey::generate(KEY_PREFIX)?,
            expired_key: ApiKey::generate(KEY_PREFIX)?,
        })
    }

    /// Puts the API keys and the issuers' public keys into `policy`, except where it says from where
    /// to fetch them, and that tokens may be bound to keys unless it
    /// speaks of binding.
    ///
    /// # Errors
    ///
    /// The policy has an issuer that is not in the cast, or none.
    pub fn equip(&self, policy: &mut Value) -> anyhow::Result<()> {
        let issuers = policy.get_mut("issuers").and_then(Value::as_array_mut);
        for issuer in issuers.context("the policy has no issuers")? {
            if issuer.pointer("/jwks/url").is_some() {
                continue;
            }
            let keys = match issuer.get("issuer").and_then(Value::as_str) {
                Some(LOGIN) => mint::key_set([&self.login, &self.login_rsa]),
                Some(PARTNER) => mint::key_set([&self.partner, &self.partner_eddsa]),
                other => bail!("nobody plays the issuer {other:?}"),
            };
            let issuer = issuer.as_object_mut().context("an issuer is no mapping")?;
            issuer.insert("jwks".to_owned(), keys);
        }
        let entry = |id: &str, key: &ApiKey, days: i64| -> anyhow::Result<Value> {
            Ok(json!({
                "id": id,
                "hash": key.hash(),
                "organization": "acme",
                "scopes": ["crm.read"],
                "created": clock::day(-2)?,
                "expires": clock::day(days)?,
            }))
        };
        let keys = [entry("acme-ci", &self.api_key, 2)?, entry("acme-old", &self.expired_key, -1)?];
        let policy = policy.as_object_mut().context("the policy is no mapping")?;
        let binding = policy.entry("binding");
        binding.or_insert_with(|| json!({ "dpop": { "origin": AUDIENCE } }));
        policy.insert("api_keys".to_owned(), json!({ "prefix": KEY_PREFIX, "keys": keys }));
        Ok(())
    }
}

/// A token with which `person` calls.
pub fn human(person: Person, scope: &str) -> AccessToken {
    new().subject(person.subject).client("crm-web").roles(&[person.role]).scope(scope)
}

/// A token with which `agent`, which is sure of itself, calls for `person`.
pub fn acting(agent: &str, person: Person, scope: &str) -> AccessToken {
    let token = new().subject(person.subject).client(agent).actor(agent);
    token.roles(&[person.role]).scope(scope).claim(CONFIDENCE, 0.9)
}

/// A token with which `agent` calls for itself.
pub fn alone(agent: &str, scope: &str) -> AccessToken {
    new().subject(agent).client(agent).scope(scope)
}

fn new() -> AccessToken {
    AccessToken::new(LOGIN, AUDIENCE, clock::now()).claim("org_id", "acme")
}
