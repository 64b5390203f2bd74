//! The policy file as it is written: the shape that the parser, the JSON Schema and
//! `docs/policy.md` share.
//!
//! Nothing here is checked beyond its type; [`super::Policy`] is what comes out of checking.

mod api_keys;
mod attribute;
mod authorization_detail;
mod behaviour;
mod binding;
mod condition;
mod consent;
mod delegation;
mod grant;
mod introspection;
mod limit;
mod organization;
mod revocations;
mod step_up;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use api_keys::{ApiKey, ApiKeys};
pub use attribute::{Attribute, AttributeType};
pub use authorization_detail::AuthorizationDetail;
pub use behaviour::Behaviour;
pub use binding::{Binding, CertificateSource, Dpop, Mtls, RequireBinding};
pub use condition::{ClaimTest, Condition};
pub use consent::{Consent, ConsentTerm};
pub use delegation::{Delegation, DelegationPair};
pub use grant::Grant;
pub use introspection::Introspection;
pub use limit::{Cost, Counts, Limit, Limits, OnFailure, Per, Pers, SharedLimits};
pub use organization::Organization;
pub use revocations::{IssuedBefore, RevocationFeed, Revocations, Revoked, WhenStale};
pub use step_up::StepUp;

use super::duration::Seconds;

/// A Postern policy: who may do what, on whose behalf, and how often.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a policy")]
pub struct File {
    /// The version of the policy language: 1.
    pub version: u64,
    /// Whether decisions are enforced, or only written down.
    #[serde(default)]
    pub mode: Mode,
    /// A policy to try beside this one: what it would decide is written down, and changes nothing.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Box<Self>>"))]
    pub candidate: Option<serde_json::Value>,
    /// A name for this edition of the file, told to the backend and the auditors. Left out, it is
    /// the fingerprint of the contents.
    pub revision: Option<String>,
    /// Who issues the tokens that are accepted, and how to tell that they did. May be left out where
    /// there are `api_keys`: then no token is accepted.
    #[serde(default)]
    pub issuers: Vec<Issuer>,
    /// What the API is called in OAuth, for `WWW-Authenticate` and protected resource metadata
    /// (RFC 9728).
    pub resource: Option<Resource>,
    /// The product's roles and the permissions they hold.
    pub roles: BTreeMap<String, Role>,
    /// What each OAuth scope amounts to; a scope not listed grants nothing.
    #[serde(default)]
    pub scopes: BTreeMap<String, Scope>,
    /// What `authorization_details` in tokens are worth, by their `type` (RFC 9396); a type not listed
    /// grants nothing.
    #[serde(default)]
    pub authorization_details: BTreeMap<String, AuthorizationDetail>,
    /// What makes a caller an agent: the first rule that matches decides. Left out: a token with
    /// an actor (`act`) or of a registered agent is an agent's, any other a human's. A token
    /// without a person in it is an agent's whatever is written here.
    pub callers: Option<Vec<Caller>>,
    /// The agents that are known, by name.
    #[serde(default)]
    pub agents: BTreeMap<String, Agent>,
    /// What an agent gets that is not listed under `agents`: `deny`, or `{ ceiling: ROLE }`.
    #[serde(default)]
    pub unregistered_agents: UnregisteredAgents,
    /// What is known of agents besides their names, for conditions and records.
    #[serde(default)]
    pub attributes: BTreeMap<String, Attribute>,
    /// The certificates of proxies whose headers about agents are believed: the SHA-256 of each, in
    /// 64 hexadecimal digits.
    #[serde(default)]
    pub trusted_hops: Vec<String>,
    /// How the behaviour of agents is held against their past; it is not when left out.
    pub behaviour: Option<Behaviour>,
    /// How far authority may be handed on from actor to actor.
    #[serde(default)]
    pub delegation: Delegation,
    /// What organizations have decided for their own, by name: it can only take away.
    #[serde(default)]
    pub organizations: BTreeMap<String, Organization>,
    /// What agents may for a while besides what they have.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// The operations of the API and the permission each needs; what is not listed is denied.
    pub routes: Vec<Route>,
    /// How often a caller may call. Agents, humans and API keys never share a bucket.
    #[serde(default)]
    pub limits: Limits,
    /// The API keys of organizations.
    pub api_keys: Option<ApiKeys>,
    /// How callers prove that a bound token is theirs.
    pub binding: Option<Binding>,
    /// How users say that an agent may do what it has to ask for.
    pub consent: Option<Consent>,
    /// How the user must have logged in for what needs a permission, by its name (RFC 9470).
    #[serde(default)]
    pub step_up: BTreeMap<String, StepUp>,
    /// What is taken back before it ends by itself.
    #[serde(default)]
    pub revocations: Revocations,
    /// How the backend is told who is calling.
    #[serde(default)]
    pub headers: Headers,
    /// Where decisions are written down.
    #[serde(default)]
    pub audit: Audit,
}

/// One token issuer. Its keys verify its tokens and nobody else's.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "an issuer")]
pub struct Issuer {
    /// The exact value of the `iss` claim.
    pub issuer: String,
    /// The provider whose habits are the defaults of `profile`, `claims`, `machine`, `agent_when`
    /// and `require`.
    #[serde(default)]
    pub preset: Preset,
    /// The names of this API; a token must carry one of them in `aud`. May be left out only where
    /// tokens have no `aud`, and `clients` says whose are accepted.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// The clients whose tokens are accepted; those of all when left out.
    #[serde(default)]
    pub clients: Vec<String>,
    /// The signature algorithms that are accepted: `ES256`, `EdDSA` (or `Ed25519`), `RS256`,
    /// `RS384`, `RS512`, `PS256`, `PS384`, `PS512`; `HS256` only with the switch below. Goes with
    /// `jwks`.
    #[serde(default)]
    pub algorithms: Vec<String>,
    /// The public keys, as a JSON Web Key Set (RFC 7517), or where they are. May be left out only
    /// where there is `introspection`: then no token that is signed is accepted.
    pub jwks: Option<Jwks>,
    /// Where the issuer is asked about its opaque tokens (RFC 7662); without it none is accepted.
    pub introspection: Option<Introspection>,
    /// Where it says what became of its tokens (Token Status List); a token whose `status` names
    /// another list is refused.
    #[serde(default)]
    pub status_lists: Vec<StatusList>,
    /// How strictly the token must follow the access token profile; as the preset says when left
    /// out.
    pub profile: Option<Profile>,
    /// How far clocks may disagree, at most `5m`.
    pub leeway: Option<Seconds>,
    /// The longest time a token may be valid; `24h` when left out.
    pub max_token_lifetime: Option<Seconds>,
    /// Where this issuer puts things.
    #[serde(default)]
    pub claims: ClaimNames,
    /// How a token is told in which there is no person, and what it is worth.
    #[serde(default)]
    pub machine: Machine,
    /// A token of which one of these holds is an agent's, whatever `callers` says. They come on
    /// top of the preset's.
    #[serde(default)]
    pub agent_when: Vec<Condition>,
    /// Conditions that must all hold of a token, or it is refused. They come on top of the
    /// preset's.
    #[serde(default)]
    pub require: Vec<Condition>,
    /// How a token must be bound (`cnf`), or it is refused; not at all when left out.
    pub require_binding: Option<RequireBinding>,
    /// Accepts a shared secret (`HS256`, keys with `kty: oct`). For development only: whoever
    /// reads this file can then make tokens.
    #[serde(default)]
    pub allow_symmetric_keys_for_development: bool,
}

/// Whose habits an issuer has.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Auth0.
    Auth0,
    /// Amazon Cognito user pools.
    Cognito,
    /// Microsoft Entra ID.
    Entra,
    /// Google's identity tokens of service accounts.
    Google,
    /// Keycloak.
    Keycloak,
    /// Okta's custom authorization servers.
    Okta,
    /// Whoever follows RFC 9068.
    #[default]
    Rfc9068,
    /// SPIFFE's JWT-SVIDs.
    Spiffe,
}

/// An issuer's keys: in place (`keys`), or fetched by the proxy (`cluster`, and `url` or `discover`).
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("oneOf" = [
    { "required": ["keys"] },
    { "required": ["url", "cluster"] },
    { "required": ["discover", "cluster"] }
])))]
#[serde(deny_unknown_fields, expecting = "a key set, or where it is")]
pub struct Jwks {
    /// The keys as the issuer publishes them.
    pub keys: Option<Vec<serde_json::Value>>,
    /// Where the issuer publishes them: an `https` URL, its `jwks_uri`.
    pub url: Option<String>,
    /// Which of its metadata says where they are.
    pub discover: Option<Metadata>,
    /// Through which upstream the proxy gets there: the name of a cluster in Envoy, `host:port` in
    /// nginx.
    pub cluster: Option<String>,
    /// How often they are fetched anew, `5s` to `24h`; `10m` when left out.
    pub refresh: Option<Seconds>,
    /// How old they may get while they cannot be fetched, at most `7d`; `24h` when left out.
    pub max_staleness: Option<Seconds>,
    /// How long an answer may take, at most `30s`; `5s` when left out.
    pub timeout: Option<Seconds>,
    /// How long a request may be held until they are there, at most `10s`; `2s` when left out.
    pub hold: Option<Seconds>,
}

/// A list that an issuer signs of what became of its tokens, one place for each
/// (draft-ietf-oauth-status-list-21).
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a status list")]
pub struct StatusList {
    /// Where it is: the `uri` in its tokens.
    pub url: String,
    /// Through which upstream the proxy gets there: the name of a cluster in Envoy, `host:port` in
    /// nginx.
    pub cluster: String,
    /// How often it is fetched anew, `5s` to `24h`; `60s` when left out. Sooner where its `ttl` says
    /// so.
    pub refresh: Option<Seconds>,
    /// How old it may get while it cannot be fetched, at most `7d`; `10m` when left out. Then its
    /// tokens are denied.
    pub max_staleness: Option<Seconds>,
    /// How long an answer may take, at most `30s`; `5s` when left out.
    pub timeout: Option<Seconds>,
    /// How long a request may be held until it is there, at most `10s`; `2s` when left out.
    pub hold: Option<Seconds>,
}

/// What an issuer publishes about itself.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Metadata {
    /// The metadata of RFC 8414: `/.well-known/oauth-authorization-server` before the issuer's path.
    OauthAuthorizationServer,
    /// That of OpenID Connect Discovery 1.0: `/.well-known/openid-configuration` after it.
    OpenidConfiguration,
}

/// How strictly a token must follow the JWT profile for access tokens.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// RFC 9068 to the letter: `typ` is `at+jwt`, and `iss`, `exp`, `aud`, `sub`, `client_id`,
    /// `iat` and `jti` are all there.
    Rfc9068,
    /// For issuers that do not follow RFC 9068 yet: `typ` may be `JWT` or absent, and `iat` and
    /// `jti` may be missing. ID tokens are still refused.
    Jwt,
}

/// Where an issuer puts things: a claim's exact name or, beginning with `/`, a JSON Pointer
/// (RFC 6901). What is left out is as the preset says.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "claim names")]
pub struct ClaimNames {
    /// The OAuth client: the claims that may name it. Those that are there must agree.
    pub client: Option<Vec<String>>,
    /// The scopes: the claims that may hold some. They add up.
    pub scopes: Option<Vec<String>>,
    /// The organization (tenant, customer) the caller belongs to.
    pub organization: Option<String>,
    /// The roles of the user.
    pub roles: Option<String>,
}

/// How a token is told in which there is no person, and what it is worth. What is left out is as
/// the preset says.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "machine settings")]
pub struct Machine {
    /// What `sub` is in such a token: a text in which `{client}` stands for its client.
    pub subject: Option<String>,
    /// Conditions that all hold of such a token. A token of which only some hold is refused.
    pub when: Option<Vec<Condition>>,
    /// The claims that may hold its scopes; those of `claims` when left out.
    pub scopes: Option<Vec<String>>,
    /// Scopes that such a token has besides those it carries.
    pub granted_scopes: Vec<String>,
    /// Whether only such tokens are accepted.
    pub only: Option<bool>,
}

/// What the API is called in OAuth.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a resource")]
pub struct Resource {
    /// The resource identifier: an `https` URL without query or fragment (RFC 8707 §2).
    pub identifier: String,
    /// A name for people.
    pub name: Option<String>,
    /// Where developers read about the API.
    pub documentation: Option<String>,
}

/// A role of the product.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a role")]
pub struct Role {
    /// Roles whose permissions this one has too.
    #[serde(default)]
    pub inherits: Vec<String>,
    /// The permissions it holds of its own.
    #[serde(default)]
    pub permissions: Vec<String>,
}

/// What an OAuth scope amounts to.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a scope")]
pub struct Scope {
    /// The role whose permissions a token with this scope may use.
    pub role: String,
    /// The role that the user in the token must have, or the scope is worth nothing.
    pub user_must_hold: Option<String>,
    /// How a token with this scope must be bound (`cnf`), or it is refused.
    pub require_binding: Option<RequireBinding>,
    /// The longest time a token with this scope may be valid, or it is refused; as the issuer's
    /// when left out.
    pub max_token_lifetime: Option<Seconds>,
}

/// A rule that tells agents from humans. Exactly one of `when`, `registered` and `otherwise`.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a caller rule")]
pub struct Caller {
    /// What a caller is that this rule matches.
    pub kind: CallerKind,
    /// Matches a token of which this holds.
    pub when: Option<Condition>,
    /// Matches a token of an agent listed under `agents`.
    #[serde(default)]
    pub registered: bool,
    /// Matches every token; the last rule.
    #[serde(default)]
    pub otherwise: bool,
}

/// What a caller is.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CallerKind {
    /// A program that acts on its own or for somebody.
    Agent,
    /// A person.
    Human,
}

/// An agent that is known.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "an agent")]
pub struct Agent {
    /// Its OAuth client identifier; the agent's name when left out.
    pub client: Option<String>,
    /// The `sub` under which it appears as an actor (`act`); its client identifier when left out.
    pub actor: Option<String>,
    /// The issuer that knows it; may be left out where there is only one.
    pub issuer: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The role beyond which it never reaches, whatever its token says.
    pub ceiling: String,
    /// Permissions it never gets, even below its ceiling.
    #[serde(default)]
    pub never: Vec<String>,
    /// Permissions for which it asks the user whom it acts for, and how often.
    #[serde(default)]
    pub consent: BTreeMap<String, ConsentTerm>,
    /// Conditions that must all hold.
    #[serde(default)]
    pub require: Vec<Condition>,
    /// What is known of it, whatever its token says: the values of `attributes`, by their names.
    #[serde(default)]
    pub attributes: BTreeMap<String, serde_json::Value>,
}

/// What an agent gets that is not registered.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum UnregisteredAgents {
    /// Nothing.
    #[default]
    Deny,
    /// What its token grants, up to this role.
    Ceiling(String),
}

/// An operation of the API.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a route")]
pub struct Route {
    /// The path: `/v1/contacts/{id}`; `{name}` or `*` stands for one segment, `**` for the rest.
    pub path: String,
    /// The HTTP methods; `GET` brings `HEAD`, `*` is any. Only a public route may leave them out,
    /// and then has `GET`.
    pub methods: Option<Vec<String>>,
    /// The permission it needs.
    pub permission: Option<String>,
    /// Needs no token at all.
    #[serde(default)]
    pub public: bool,
    /// Conditions that must all hold.
    #[serde(default)]
    pub require: Vec<Condition>,
    /// How the token must be bound (`cnf`).
    pub require_binding: Option<RequireBinding>,
    /// What a call costs, where limits count it: 1 when left out.
    pub cost: Option<Cost>,
    /// Hands the caller's credential on to the backend, and its proof.
    #[serde(default)]
    pub keep_credential: bool,
    /// Whether it is enforced what those may who are known, or only written down.
    #[serde(default)]
    pub mode: Mode,
}

/// Whether decisions are enforced.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// They are.
    #[default]
    Enforce,
    /// They are written down, and nobody is denied anything.
    Shadow,
}

/// How the backend is told who is calling.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "header settings")]
pub struct Headers {
    /// What the names of the identity headers begin with. No caller can send such a header.
    pub prefix: String,
}

impl Default for Headers {
    fn default() -> Self {
        Self { prefix: "x-postern-".to_owned() }
    }
}

/// Where decisions are written down.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "audit settings")]
pub struct Audit {
    /// Where each decision's record goes.
    pub log: AuditLog,
}

/// Where each decision's record goes.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AuditLog {
    /// One line in the proxy's own log, and to its access log.
    #[default]
    Host,
    /// To the proxy's access log only (in Envoy `%FILTER_STATE(wasm.postern:PLAIN)%`), which it
    /// writes without holding a request up; on a host without one, to its own log.
    AccessLog,
}
