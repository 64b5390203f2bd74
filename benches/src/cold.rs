//! What a token costs that was not seen before, and the check of its signature alone, beside what
//! Envoy's own check of it costs a filter that does nothing else.

use std::path::PathBuf;

use anyhow::Context as _;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use postern::session::Sessions;
use postern_cli::mint::Algorithm;
use serde_json::{Value, json};

use crate::Effort;
use crate::case::{Case, Rules};
use crate::chain::Chain;
use crate::cores::Cores;
use crate::envoy::{Envoy, Kit};
use crate::figure::{Figures, Goal, median};
use crate::load::{self, Answers, Tokens};

/// So many that each has been forgotten when its turn comes again.
const TOKENS: usize = Sessions::CAPACITY + Sessions::CAPACITY / 4;

/// Measures what is wanted.
///
/// # Errors
///
/// An Envoy does not start, or an answer is wrong.
pub(crate) fn measure(effort: &Effort, figures: &mut Figures) -> anyhow::Result<()> {
    for (name, algorithm) in [("es256", Algorithm::Es256), ("rs256", Algorithm::Rs256)] {
        let prefixes = [format!("envoy_cold_{name}"), format!("envoy_check_{name}")];
        if prefixes.iter().any(|prefix| figures.wants_some(prefix)) {
            of(name, &Kit::new(Case::new(algorithm)?)?, effort, figures)?;
        }
    }
    Ok(())
}

/// What one request costs each in one round, in microseconds of CPU time.
struct Round {
    /// The filter that does nothing.
    empty: f64,
    /// The one that has a signature checked.
    function: f64,
    /// Postern, with a token that it remembers.
    warm: f64,
    /// Postern, with tokens that it has not seen or has forgotten.
    cold: f64,
    /// Postern, with tokens by a key that the issuer does not have: no signature is checked.
    unattributed: f64,
    /// Postern, with tokens that have another's signature.
    forged: f64,
}

impl Round {
    /// What the proxy's function takes.
    const fn called(&self) -> f64 {
        self.function - self.empty
    }

    /// What a check takes in Postern.
    const fn checked(&self) -> f64 {
        self.forged - self.unattributed
    }

    /// What a token takes that was not seen before.
    const fn added(&self) -> f64 {
        self.cold - self.warm
    }
}

fn of(name: &str, kit: &Kit, effort: &Effort, figures: &mut Figures) -> anyhow::Result<()> {
    let scripts = Scripts::write(kit)?;
    let cores = Cores::apart();
    let start = |chain| Envoy::start(kit, chain, &cores);
    let (empty, function, postern) =
        (start(Chain::Empty)?, start(Chain::Check)?, start(Chain::Postern(Rules::Usual))?);
    let cost = |expected, envoy, script| {
        postern_demo::interrupt::check()?;
        let load = load::answered(expected, envoy, Tokens::InTurn(script), &cores, effort.round)?;
        Ok::<_, anyhow::Error>(load.cpu_micros)
    };
    let mut rounds = Vec::new();
    // The first is to warm up.
    for (number, new) in (0..=effort.rounds).zip(scripts.new.iter().cycle()) {
        let round = Round {
            empty: cost(Answers::Allow, &empty, &scripts.one)?,
            function: cost(Answers::Allow, &function, &scripts.one)?,
            warm: cost(Answers::Allow, &postern, &scripts.one)?,
            cold: cost(Answers::Allow, &postern, new)?,
            unattributed: cost(Answers::Deny, &postern, &scripts.unattributed)?,
            forged: cost(Answers::Deny, &postern, &scripts.forged)?,
        };
        eprintln!(
            "bench: round {number} of {}, {name}: the function {:.1} us, the check {:.1} us, \
             the token {:.1} us",
            effort.rounds,
            round.called(),
            round.checked(),
            round.added(),
        );
        rounds.push(round);
    }
    rounds.remove(0);
    let each = |of: fn(&Round) -> f64| median(rounds.iter().map(of));
    let check = each(|round| round.checked() / round.called())?;
    figures.add(&format!("envoy_check_{name}_vs_function"), check, "ratio", Goal::AtMost(1.5));
    let token = each(|round| round.added() / round.called())?;
    figures.add(&format!("envoy_cold_{name}_vs_function"), token, "ratio", Goal::None);
    for (what, of) in [
        ("function", Round::called as fn(&Round) -> f64),
        ("check", Round::checked),
        ("token", Round::added),
    ] {
        figures.add(&format!("envoy_cold_{name}_us_{what}"), each(of)?, "us", Goal::None);
    }
    Ok(())
}

/// What is asked, as `wrk` takes it.
struct Scripts {
    /// One token, again and again.
    one: PathBuf,
    /// Many good ones, and as many others: those of one round are not remembered in the next.
    new: [PathBuf; 2],
    /// Many by a key that nobody knows.
    unattributed: PathBuf,
    /// Many with each other's signature.
    forged: PathBuf,
}

impl Scripts {
    fn write(kit: &Kit) -> anyhow::Result<Self> {
        let mint = || {
            let tokens = (0..TOKENS).map(|_| {
                postern_demo::interrupt::check()?;
                kit.case.token()
            });
            tokens.collect::<anyhow::Result<Vec<_>>>()
        };
        let (tokens, others) = (mint()?, mint()?);
        let forged = tokens.iter().zip(tokens.iter().skip(1)).map(|(token, other)| {
            let parts = token.rsplit_once('.').zip(other.rsplit_once('.'));
            let ((claims, _), (_, signature)) = parts.context("a token without a signature")?;
            Ok(format!("{claims}.{signature}"))
        });
        let forged = forged.collect::<anyhow::Result<Vec<_>>>()?;
        let unattributed = tokens.iter().map(|token| unattributed(token));
        let unattributed = unattributed.collect::<anyhow::Result<Vec<_>>>()?;
        let script =
            |name: &str, tokens: &[String]| load::in_turn(tokens, kit.file(&format!("{name}.lua")));
        Ok(Self {
            one: script("one", std::slice::from_ref(&kit.token))?,
            new: [script("new", &tokens)?, script("newer", &others)?],
            unattributed: script("unattributed", &unattributed)?,
            forged: script("forged", &forged)?,
        })
    }
}

/// The token, as if by a key of another name.
fn unattributed(token: &str) -> anyhow::Result<String> {
    let (header, rest) = token.split_once('.').context("a token without parts")?;
    let header = Base64UrlUnpadded::decode_vec(header).map_err(anyhow::Error::msg)?;
    let mut header: Value = serde_json::from_slice(&header)?;
    let members = header.as_object_mut().context("a header that is no object")?;
    members.insert("kid".to_owned(), json!("unheard-of"));
    let header = Base64UrlUnpadded::encode_string(header.to_string().as_bytes());
    Ok(format!("{header}.{rest}"))
}
