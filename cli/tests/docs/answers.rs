//! What the engine answers, tells the backend and writes down, as the documentation shows it.
//!
//! The comment before a block says what is asked of the engine, parted by semicolons: what is
//! shown (`answer`, `backend`, `record`), the request, and then, each once or more:
//!
//! `anonymous` | `subject` | `client` | `actor` | `scope` | `role` | `claim NAME=JSON` |
//! `header NAME: VALUE` | `age SECONDS` | `kid NAME` | `calls COUNT`

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;

use postern::decision::{Answer, Decision, Engine, Request};
use postern::denial::Reply;
use postern::host::{Expected, Host, HostError, Stored, Swap, Timestamp};
use postern::limit::RateLimit;
use postern::policy::Policy;
use postern_cli::mint::{AccessToken, Algorithm, PrivateKey, key_set};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::page::{PAGES, Page, blessing};
use crate::policies::{base, merge};

/// 2026-01-01T12:00:00Z.
pub(crate) const NOW: i64 = 1_767_268_800;
/// The seed of the decisions' names.
const SEED: [u8; 16] = [0x15, 0x3c, 0x9e, 0x70, 0x42, 0xa8, 0xd1, 0x6b, 0, 0, 0, 0, 0, 0, 0, 0];
pub(crate) const LOGIN: &str = "https://login.crm.example/";
const AUDIENCE: &str = "https://api.crm.example";

/// A store in memory, at a moment that does not pass.
#[derive(Default)]
struct Memory(RefCell<HashMap<Vec<u8>, Stored>>);

impl Host for Memory {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(NOW.unsigned_abs())
    }

    fn load(&self, key: &[u8]) -> Result<Option<Stored>, HostError> {
        Ok(self.0.borrow().get(key).cloned())
    }

    fn swap(&self, key: &[u8], value: &[u8], _: Expected) -> Result<Swap, HostError> {
        self.0.borrow_mut().insert(key.to_vec(), Stored { value: value.to_vec(), version: 1 });
        Ok(Swap::Done)
    }
}

/// The login's key, and a policy that knows it.
pub(crate) fn equipped(mut policy: Value) -> (PrivateKey, Policy) {
    let key = PrivateKey::generate(Algorithm::Es256).unwrap().with_kid("key-1");
    policy["issuers"][0]["jwks"] = key_set([&key]);
    (key, Policy::compile(&policy).unwrap().0)
}

/// A token of the login's, but for whom it is about.
pub(crate) fn token() -> AccessToken {
    AccessToken::new(LOGIN, AUDIENCE, NOW).claim("jti", "t-1")
}

/// What is asked.
struct Example<'a> {
    shown: &'a str,
    method: &'a str,
    path: &'a str,
    headers: Vec<(String, String)>,
    calls: u32,
}

impl<'a> Example<'a> {
    fn read(note: &'a str, key: &PrivateKey) -> Option<Self> {
        let mut parts = note.split("; ");
        let (shown, request) = parts.next()?.split_once(": ")?;
        let (method, path) =
            request.split_once(' ').filter(|_| ["answer", "backend", "record"].contains(&shown))?;
        let mut token = token().subject("ada").client("support-bot");
        let (mut headers, mut calls, mut anonymous) = (Vec::new(), 1, false);
        for part in parts {
            let (name, value) = part.split_once(' ').unwrap_or((part, ""));
            let number = || value.parse::<i64>().unwrap();
            token = match name {
                "anonymous" => {
                    anonymous = true;
                    token
                }
                "calls" => {
                    calls = value.parse().unwrap();
                    token
                }
                "header" => {
                    let (name, value) = value.split_once(": ").unwrap();
                    headers.push((name.to_owned(), value.to_owned()));
                    token
                }
                "age" => token.valid(NOW - number(), NOW - number() + 300),
                "actor" => token.actor(value),
                "claim" => {
                    let (name, json) = value.split_once('=').unwrap();
                    token.claim(name, serde_json::from_str::<Value>(json).unwrap())
                }
                "client" => token.client(value),
                "kid" => token.header("kid", value),
                "role" => token.roles(&[value]),
                "scope" => token.scope(value),
                "subject" => token.subject(value),
                _ => panic!("unknown word `{name}` in `{note}`"),
            };
        }
        if !anonymous {
            let token = token.sign(key).unwrap();
            headers.push(("authorization".to_owned(), format!("Bearer {token}")));
        }
        Some(Self { shown, method, path, headers, calls })
    }

    fn decide(&self, policy: Policy) -> Decision {
        let engine = Engine::new(policy, SEED);
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        let request = Request {
            method: self.method.as_bytes(),
            path: self.path.as_bytes(),
            headers: &headers,
            strips_headers: true,
        };
        let host = Memory::default();
        let mut decision = engine.decide(&request, &host, &mut ());
        for _ in 1..self.calls {
            decision = engine.decide(&request, &host, &mut ());
        }
        decision
    }

    fn show(&self, policy: Policy) -> String {
        let Decision { answer, record, .. } = self.decide(policy);
        match (self.shown, answer) {
            ("record", _) => pretty(&record.line),
            ("answer", Answer::Reply(reply)) => show_reply(&reply),
            ("answer", Answer::Forward(forward)) => {
                let fields = forward.rate_limit.iter().flat_map(RateLimit::fields);
                let fields = fields.map(|(name, value)| format!("{name}: {value}"));
                fields.collect::<Vec<_>>().join("\n")
            }
            ("backend", Answer::Forward(forward)) => {
                let kept = self.headers.iter().enumerate();
                let kept = kept.filter(|(place, _)| !forward.drop.contains(place));
                let kept = kept.map(|(_, (name, value))| format!("{name}: {value}"));
                let added = forward.added().map(|(name, value)| format!("{name}: {value}"));
                let first = format!("{} {} HTTP/1.1", self.method, self.path);
                [first].into_iter().chain(kept).chain(added).collect::<Vec<_>>().join("\n")
            }
            (shown, answer) => panic!("there is no {shown}: {answer:?}"),
        }
    }
}

fn show_reply(reply: &Reply) -> String {
    let body: Value = serde_json::from_str(&reply.body).unwrap();
    let phrase = body["title"].as_str().unwrap_or("OK");
    let mut lines = vec![format!("HTTP/1.1 {} {phrase}", reply.status)];
    lines.extend(reply.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    lines.push(String::new());
    lines.push(pretty(&reply.body));
    lines.join("\n")
}

/// The members of a JSON object one a line, in their order.
fn pretty(json: &str) -> String {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(String, Value)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
            let mut list = Vec::new();
            while let Some(member) = members.next_entry()? {
                list.push(member);
            }
            Ok(list)
        }
    }
    let members = serde_json::Deserializer::from_str(json).deserialize_map(Members).unwrap();
    let lines = members.iter().map(|(name, value)| format!("  \"{name}\": {value}"));
    format!("{{\n{}\n}}", lines.collect::<Vec<_>>().join(",\n"))
}

#[test]
fn every_answer_shown_is_the_engines() {
    let _alone = blessing();
    let mut asked = 0;
    for name in PAGES {
        let page = Page::read(name);
        let mut policy = base();
        let blocks = page.blocks();
        for block in blocks.iter().filter(|block| block.is("yaml fragment answers")) {
            merge(&mut policy, &block.text);
        }
        let mut changes = Vec::new();
        for block in blocks {
            let (key, policy) = equipped(policy.clone());
            let Some(note) = block.note.clone() else { continue };
            let Some(example) = Example::read(&note, &key) else { continue };
            asked += 1;
            let expected = example.show(policy);
            if expected != block.text {
                changes.push((block, expected));
            }
        }
        page.expect(changes);
    }
    assert!(asked > 8, "{asked}");
}
