//! Tables of the documentation that say what the code says.

use std::collections::BTreeSet;
use std::fs;

use postern::denial::Denial;
use postern::host::Timestamp;
use postern::policy::Kind;
use postern::route::{Methods, NormalPath, Pattern, Table};
use postern::session::Session;
use postern::token;
use serde_json::{Map, Value};

use crate::answers::{self, NOW, equipped};
use crate::page::{Page, code, repository};
use crate::policies::base;

fn source(file: &str) -> String {
    let text = fs::read_to_string(repository().join(file)).unwrap();
    text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned()
}

/// What stands in quotes right after each `before`.
fn quoted<'a>(text: &'a str, before: &str) -> BTreeSet<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// The first word in backticks of each row.
fn names(rows: &[Vec<String>]) -> BTreeSet<&str> {
    rows.iter().map(|row| *code(&row[0]).first().unwrap()).collect()
}

#[test]
fn every_denial_is_told_with_its_status() {
    for page in ["README.md", "docs/agents.md"] {
        let rows = Page::read(page).table("denials");
        let told: Vec<_> = rows
            .iter()
            .flat_map(|row| code(&row[0]).into_iter().map(|code| (code, row[1].as_str())))
            .collect();
        assert_eq!(told.len(), Denial::ALL.len(), "{page}");
        for denial in Denial::ALL {
            let expected = (denial.code(), denial.status().to_string());
            assert!(told.contains(&(expected.0, &expected.1)), "{page}: {expected:?}");
        }
    }
}

#[test]
fn every_member_of_a_record_is_told() {
    let page = Page::read("docs/policy.md");
    let rows = page.table("record");
    let code = source("src/audit/record.rs");
    let mut members = quoted(&code, "(&mut members, \"");
    for before in ["(&mut line, \"", "{\\\"", ",\\\""] {
        members.extend(quoted(&code, before).iter().map(|name| name.trim_end_matches('\\')));
    }
    assert_eq!(names(&rows), members);
}

#[test]
fn every_header_for_the_backend_is_told() {
    let page = Page::read("docs/policy.md");
    let rows = page.table("identity headers");
    let code = source("src/audit/identity.rs");
    let mut headers = quoted(&code, "tell(\"");
    headers.extend(quoted(&code, "name(policy, \""));
    let told: BTreeSet<_> =
        names(&rows).iter().map(|name| name.strip_prefix("x-postern-").unwrap()).collect();
    assert_eq!(told, headers);
}

#[test]
fn every_other_guarded_header_is_told() {
    let page = Page::read("docs/policy.md").lines().collect::<Vec<_>>().join("\n");
    let code = source("src/audit/firewall.rs");
    let list = code.split("ALSO_GUARDED: ").nth(1).unwrap().split("];").next().unwrap();
    for name in quoted(list, "b\"") {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn every_refused_path_is_refused_for_the_reason_told() {
    let rows = Page::read("docs/policy.md").table("refused paths");
    for row in &rows {
        for path in code(&row[0]) {
            let error = NormalPath::parse(path.as_bytes()).unwrap_err();
            let told = row[1].replace('`', "");
            assert_eq!(told, error.reason().replace('`', ""), "{path}");
        }
    }
    let reasons: BTreeSet<_> = rows.iter().map(|row| row[1].as_str()).collect();
    assert_eq!(reasons.len(), rows.len(), "a reason is told twice");
}

#[test]
fn every_pattern_matches_what_is_told() {
    for row in Page::read("docs/policy.md").table("patterns") {
        let pattern: Pattern = code(&row[0])[0].parse().unwrap();
        let table = Table::build([(pattern, Methods::ANY, ())]).unwrap();
        let matches = |path: &str| {
            NormalPath::parse(path.as_bytes()).is_ok_and(|path| table.find(b"GET", &path).is_some())
        };
        for (cell, expected) in [(&row[1], true), (&row[2], false)] {
            for path in code(cell) {
                assert_eq!(matches(path), expected, "{path} and {}", row[0]);
            }
        }
    }
}

/// What `field` is in the habits of `preset`; those that do not say have RFC 9068's.
fn habit<'a>(code: &'a str, preset: &str, field: &str) -> &'a str {
    let of = |name: &str| {
        let start = format!("const {}: Habits = Habits {{", name.to_uppercase());
        let (_, body) = code.split_once(&start).unwrap_or_else(|| panic!("{start}"));
        let (_, value) = body.split("\n};").next()?.split_once(&format!("\n    {field}: "))?;
        value.split(",\n").next()
    };
    of(preset).or_else(|| of("rfc9068")).unwrap_or_else(|| panic!("{preset}.{field}"))
}

#[test]
fn every_preset_is_told_with_its_claims() {
    let code = source("src/policy/preset.rs");
    let page = Page::read("docs/providers.md");
    let presets: BTreeSet<_> = code.split("\nconst ").skip(1).collect();
    let rows = page.table("presets");
    assert_eq!(rows.len(), presets.len());
    for row in &rows {
        let preset = crate::page::code(&row[0])[0];
        for (column, fields) in [
            (1, &["client"][..]),
            (2, &["scopes", "machine_scopes"]),
            (3, &["organization"]),
            (4, &["roles"]),
        ] {
            let habits = fields.iter().map(|field| habit(&code, preset, field));
            let habits: Vec<_> =
                habits.flat_map(|text| text.split('"').skip(1).step_by(2)).collect();
            assert_eq!(crate::page::code(&row[column]), habits, "{preset}");
        }
        let tests = ["machine_subject", "machine_when"].map(|field| habit(&code, preset, field));
        for word in tests.iter().flat_map(|text| text.split('"').skip(1).step_by(2)) {
            let told = word.replace("{client}", "CLIENT");
            let is_told = told == "CLIENT" || row[5].contains(&format!("`{told}`"));
            assert!(is_told, "{preset}: {told}");
        }
    }
}

#[test]
fn every_caller_is_who_is_told_and_may_what_is_told() {
    for row in Page::read("docs/policy.md").table("callers") {
        let (key, policy) = equipped(base());
        let claims: Map<String, Value> = serde_json::from_str(code(&row[0])[0]).unwrap();
        let token = claims
            .into_iter()
            .fold(answers::token(), |token, (name, value)| token.claim(&name, value));
        let token = token.sign(&key).unwrap();
        let now = Timestamp::from_secs(NOW.unsigned_abs());
        let verified = token::verify(&token, &policy.trusted.issuers, now).unwrap();
        let session = Session::open(&policy, &Default::default(), verified).unwrap();
        let principal = session.principal().unwrap();
        let who = match (principal.kind, &principal.agent) {
            (Kind::Agent, Some(agent)) if principal.delegated => {
                format!("agent `{}`, for `{}`", agent.name, principal.subject)
            }
            (Kind::Agent, Some(agent)) => format!("agent `{}`, for itself", agent.name),
            _ if principal.delegated => {
                format!("human, `{}` for `{}`", principal.actors[0], principal.subject)
            }
            _ => format!("human `{}`", principal.subject),
        };
        let may = match &session.standing {
            Err(refusal) => format!("`{}`", refusal.denial.code()),
            Ok(grant) if grant.permissions.is_empty() => "nothing".to_owned(),
            Ok(grant) => {
                let names = grant.permissions.iter().map(|id| policy.permissions.name(id));
                names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            }
        };
        assert_eq!((&row[1], &row[2]), (&who, &may), "{}", row[0]);
    }
}
