//! What identity providers do differently: a table, and nothing but defaults. Whatever an issuer
//! says itself takes its place, but for conditions that a token must fulfil: those are added.
//!
//! `docs/providers.md` says the same for people, with a policy for each.

use super::wire::{ClaimTest, Condition, Preset, Profile};

/// The habits of a provider.
pub(super) struct Habits {
    pub(super) profile: Profile,
    /// The claims that may name the client.
    pub(super) client: &'static [&'static str],
    /// The claims that may hold scopes.
    pub(super) scopes: &'static [&'static str],
    pub(super) organization: &'static str,
    pub(super) roles: &'static str,
    /// What `sub` is in a token without a person, `{client}` standing for the client.
    pub(super) machine_subject: &'static str,
    /// What else tells such a token: all of it, or none.
    pub(super) machine_when: &'static [(&'static str, Test)],
    /// Where such a token has its scopes, if not where others have theirs.
    pub(super) machine_scopes: Option<&'static [&'static str]>,
    /// Whether the provider issues no other tokens that are for an API.
    pub(super) machine_only: bool,
    /// What makes a token an agent's: any of it.
    pub(super) agent_when: &'static [(&'static str, Test)],
    /// What every access token has.
    pub(super) require: &'static [(&'static str, Test)],
}

/// A test of a claim.
#[derive(Clone, Copy)]
pub(super) enum Test {
    Absent,
    Contains(&'static str),
    Is(&'static str),
    StartsWith(&'static str),
}

const RFC9068: Habits = Habits {
    profile: Profile::Rfc9068,
    client: &["client_id", "azp"],
    scopes: &["scope", "scp"],
    organization: "org_id",
    roles: "roles",
    machine_subject: "{client}",
    machine_when: &[],
    machine_scopes: None,
    machine_only: false,
    agent_when: &[],
    require: &[],
};

const AUTH0: Habits = Habits {
    profile: Profile::Jwt,
    // `azp` under the Auth0 token profile, `client_id` under its RFC 9068 profile.
    client: &["azp", "client_id"],
    scopes: &["scope"],
    roles: "permissions",
    machine_subject: "{client}@clients",
    ..RFC9068
};

const COGNITO: Habits = Habits {
    profile: Profile::Jwt,
    client: &["client_id"],
    scopes: &["scope"],
    roles: "cognito:groups",
    require: &[("token_use", Test::Is("access"))],
    ..RFC9068
};

const ENTRA: Habits = Habits {
    profile: Profile::Jwt,
    // `appid` in version 1.0, `azp` in version 2.0.
    client: &["azp", "appid"],
    scopes: &["scp"],
    organization: "tid",
    machine_when: &[("scp", Test::Absent), ("idtyp", Test::Is("app"))],
    // Application permissions.
    machine_scopes: Some(&["roles"]),
    // Facets: 11 is an agent identity, 13 an agent's user account.
    agent_when: &[
        ("xms_act_fct", Test::Contains("11")),
        ("xms_sub_fct", Test::Contains("11")),
        ("xms_sub_fct", Test::Contains("13")),
    ],
    ..RFC9068
};

const GOOGLE: Habits = Habits {
    profile: Profile::Jwt,
    client: &["azp"],
    scopes: &[],
    organization: "hd",
    // A person's identity token is for a login; her access tokens are for Google alone.
    machine_only: true,
    ..RFC9068
};

const KEYCLOAK: Habits = Habits {
    profile: Profile::Jwt,
    client: &["azp"],
    scopes: &["scope"],
    organization: "organization",
    roles: "/realm_access/roles",
    // A service account has a user, and no session.
    machine_when: &[
        ("preferred_username", Test::StartsWith("service-account-")),
        ("sid", Test::Absent),
    ],
    // The claim, not the header: ID tokens have `ID`, refresh tokens `Refresh`.
    require: &[("typ", Test::Is("Bearer"))],
    ..RFC9068
};

const OKTA: Habits = Habits {
    profile: Profile::Jwt,
    client: &["cid"],
    scopes: &["scp"],
    roles: "groups",
    ..RFC9068
};

const SPIFFE: Habits = Habits {
    profile: Profile::Jwt,
    // A workload is all there is in such a token.
    client: &["sub"],
    scopes: &[],
    machine_only: true,
    require: &[("sub", Test::StartsWith("spiffe://"))],
    ..RFC9068
};

impl Preset {
    /// What the provider does.
    pub(super) const fn habits(self) -> &'static Habits {
        match self {
            Self::Auth0 => &AUTH0,
            Self::Cognito => &COGNITO,
            Self::Entra => &ENTRA,
            Self::Google => &GOOGLE,
            Self::Keycloak => &KEYCLOAK,
            Self::Okta => &OKTA,
            Self::Rfc9068 => &RFC9068,
            Self::Spiffe => &SPIFFE,
        }
    }
}

/// The tests as a policy would write them.
pub(super) fn conditions(tests: &[(&str, Test)]) -> Vec<Condition> {
    let written = |(claim, test): &(&str, Test)| {
        let mut condition = ClaimTest {
            claim: (*claim).to_owned(),
            exists: None,
            equals: None,
            one_of: None,
            contains: None,
            starts_with: None,
        };
        match *test {
            Test::Absent => condition.exists = Some(false),
            Test::Contains(part) => condition.contains = Some(part.to_owned()),
            Test::Is(value) => condition.equals = Some(value.into()),
            Test::StartsWith(start) => condition.starts_with = Some(start.to_owned()),
        }
        Condition::Claim(condition)
    };
    tests.iter().map(written).collect()
}
