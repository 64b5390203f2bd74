//! What an issuer's tokens look like: where things are in them, and what tells a machine's from a
//! person's.

use std::iter;

use super::condition::Condition;
use super::preset::{Habits, conditions};
use super::problem::{Path, Problem, Problems};
use super::wire;
use crate::token::{ClaimPath, Claims};

/// What stands for the client in [`wire::Machine::subject`].
const CLIENT: &str = "{client}";

/// What an issuer's tokens look like.
#[derive(Debug)]
pub struct Shape {
    /// Where the organization is.
    pub organization: ClaimPath,
    /// Where the user's roles are.
    pub roles: ClaimPath,
    scopes: Vec<ClaimPath>,
    machine: Machine,
    agent_when: Vec<Condition>,
    require: Vec<Condition>,
}

/// How a token is told in which there is no person.
#[derive(Debug)]
struct Machine {
    /// What stands before and after the client in `sub`.
    subject: (String, String),
    when: Vec<Condition>,
    scopes: Vec<ClaimPath>,
    granted: Vec<String>,
    only: bool,
}

/// Who is in a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// Nobody but the client.
    Machine,
    /// A person.
    Person,
}

/// Why a token does not have its issuer's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misshapen {
    /// Some of what tells a machine's token is there, and some is not.
    Ambiguous,
    /// A person's, of an issuer whose tokens are taken from machines only.
    Person,
    /// A claim is not what it must be.
    Required,
}

impl Shape {
    /// Whose token this is, of a subject and issued to a client.
    ///
    /// # Errors
    ///
    /// [`Misshapen`], and then nothing can be believed of it.
    pub fn party(&self, subject: &str, client: &str, claims: &Claims) -> Result<Party, Misshapen> {
        if !self.require.iter().all(|condition| condition.holds(claims)) {
            return Err(Misshapen::Required);
        }
        let (before, after) = &self.machine.subject;
        let inner = subject.strip_prefix(before.as_str());
        let is_named = inner.and_then(|rest| rest.strip_suffix(after.as_str())) == Some(client);
        let holding = self.machine.when.iter().filter(|condition| condition.holds(claims)).count();
        // RFC 9068 §5: whoever is the client's own subject is no person, at every issuer.
        let party = match holding {
            _ if is_named || subject == client => Party::Machine,
            0 => Party::Person,
            all if all == self.machine.when.len() => Party::Machine,
            _ => return Err(Misshapen::Ambiguous),
        };
        match party {
            Party::Person if self.machine.only => Err(Misshapen::Person),
            Party::Machine | Party::Person => Ok(party),
        }
    }

    /// Whether all of what tells a machine's token, besides its subject, is there.
    pub fn is_machines(&self, claims: &Claims) -> bool {
        let when = &self.machine.when;
        !when.is_empty() && when.iter().all(|condition| condition.holds(claims))
    }

    /// Whether the token is an agent's, whoever is in it.
    pub fn is_agents(&self, claims: &Claims) -> bool {
        self.agent_when.iter().any(|condition| condition.holds(claims))
    }

    /// The scopes of a token.
    pub fn scopes<'a>(&'a self, party: Party, claims: &'a Claims) -> impl Iterator<Item = &'a str> {
        let (paths, granted) = match party {
            Party::Machine => (&self.machine.scopes, self.machine.granted.as_slice()),
            Party::Person => (&self.scopes, [].as_slice()),
        };
        iter::chain(claims.scopes(paths), granted.iter().map(String::as_str))
    }

    /// Reads what is written, with a provider's habits for what is not; what is wrong goes to
    /// `problems`.
    pub(super) fn compile(
        claims: wire::ClaimNames,
        machine: wire::Machine,
        (agent_when, require): (Vec<wire::Condition>, Vec<wire::Condition>),
        habits: &Habits,
        here: &Path,
        problems: &mut Problems,
    ) -> Option<Self> {
        let place = here.join("claims");
        let organization = claims.organization.as_deref().unwrap_or(habits.organization);
        let organization = path(organization, &place.join("organization"), problems);
        let roles = claims.roles.as_deref().unwrap_or(habits.roles);
        let roles = path(roles, &place.join("roles"), problems);
        let scopes = paths(claims.scopes, habits.scopes, &place.join("scopes"), problems)?;

        let place = here.join("machine");
        let machine_scopes = match (machine.scopes, habits.machine_scopes) {
            (None, None) => scopes.clone(),
            (written, preset) => {
                paths(written, preset.unwrap_or_default(), &place.join("scopes"), problems)?
            }
        };
        let subject = machine.subject.as_deref().unwrap_or(habits.machine_subject);
        let subject = subject.split_once(CLIENT).filter(|(_, after)| !after.contains(CLIENT));
        let subject = problems.take(subject.ok_or_else(|| {
            let message = "expected a text with `{client}` in it once, such as `{client}@clients`";
            Problem::new(message).at(place.join("subject"))
        }));
        if machine.when.as_ref().is_some_and(Vec::is_empty) {
            let message = "expected at least one condition; leave `when` out for the preset's";
            problems.add(Problem::new(message).at(place.join("when")));
        }
        let when = machine.when.unwrap_or_else(|| conditions(habits.machine_when));
        let when = Condition::all_of_token(when, &place.join("when"), problems);
        let only = machine.only.unwrap_or(habits.machine_only);

        let mut both = |written, preset, name: &str| {
            let mut list = Condition::all_of_token(written, &here.join(name), problems);
            list.extend(Condition::all_of_token(conditions(preset), here, problems));
            list
        };
        let agent_when = both(agent_when, habits.agent_when, "agent_when");
        let require = both(require, habits.require, "require");
        let (before, after) = subject?;
        let subject = (before.to_owned(), after.to_owned());
        let granted = machine.granted_scopes;
        Some(Self {
            organization: organization?,
            roles: roles?,
            scopes,
            machine: Machine { subject, when, scopes: machine_scopes, granted, only },
            agent_when,
            require,
        })
    }
}

/// The claim written as `text`.
fn path(text: &str, here: &Path, problems: &mut Problems) -> Option<ClaimPath> {
    problems.take(text.parse().map_err(|error| Problem::new(format!("{error}")).at(here.clone())))
}

/// The claims that are written, at least one; or else the preset's.
pub(super) fn paths(
    written: Option<Vec<String>>,
    preset: &[&str],
    here: &Path,
    problems: &mut Problems,
) -> Option<Vec<ClaimPath>> {
    let Some(written) = written else {
        return preset.iter().map(|text| path(text, here, problems)).collect();
    };
    if written.is_empty() {
        let message = "expected at least one claim";
        problems.add(Problem::new(message).at(here.clone()));
    }
    let numbered = written.iter().enumerate();
    numbered.map(|(number, text)| path(text, &here.join(number), problems)).collect()
}
