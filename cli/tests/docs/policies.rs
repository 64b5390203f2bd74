//! The policies in the documentation.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use postern::policy::Policy;
use postern::policy::source::document;
use serde_json::Value;

use crate::page::{Page, repository};

/// What fragments are put into.
const BASE: &str = "policies/crm.yaml";

fn read(text: &str) -> Value {
    document::parse(text.as_bytes()).unwrap_or_else(|problem| panic!("{problem}\n{text}")).0
}

/// The policy that the examples are about.
pub(crate) fn base() -> Value {
    read(&fs::read_to_string(repository().join(BASE)).unwrap())
}

/// Puts each of a fragment's members in the place of the base's.
pub(crate) fn merge(base: &mut Value, fragment: &str) {
    let Value::Object(fragment) = read(fragment) else { panic!("expected a mapping: {fragment}") };
    base.as_object_mut().unwrap().extend(fragment);
}

#[test]
fn every_policy_shown_is_one() {
    let mut shown = 0;
    for page in Page::all() {
        for block in page.blocks().iter().filter(|block| block.is("yaml")) {
            let place = format!("{}:{}", page.name, block.line());
            if block.is("tests") {
                continue;
            }
            let fragment = block.is("fragment");
            assert!(fragment || block.is("policy"), "{place}: expected `policy` or `fragment`");
            let mut value = if fragment { base() } else { Value::Null };
            if fragment {
                merge(&mut value, &block.text);
            } else {
                value = read(&block.text);
            }
            let (_, warnings) = Policy::compile(&value).unwrap_or_else(|p| panic!("{place}: {p}"));
            assert!(fragment || warnings.iter().next().is_none(), "{place}: {warnings}");
            shown += 1;
        }
    }
    assert!(shown > 8, "{shown}");
}

/// Runs `postern test`; whatever it prints.
fn tested(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
    let output = command.arg("test").args(arguments).current_dir(repository()).output().unwrap();
    let printed = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    let printed = printed.concat();
    assert!(output.status.success(), "{printed}");
    printed
}

#[test]
fn every_example_policy_has_tests_that_see_all_of_it_at_work() {
    let printed = tested(&["policies", "--min-coverage", "100"]);
    let mut policies = 0;
    for file in fs::read_dir(repository().join("policies")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let Some(policy) = name.strip_suffix(".yaml") else { continue };
        if !policy.ends_with(".test") {
            policies += 1;
            assert!(printed.contains(&format!("policies/{policy}.test.yaml")), "{name}: {printed}");
        }
    }
    assert!(policies > 0);
}

#[test]
fn every_file_of_tests_shown_passes() {
    let mut shown = 0;
    for page in Page::all() {
        for block in page.blocks().iter().filter(|block| block.is("tests")) {
            shown += 1;
            let name = format!("shown-{}-{shown}.test.yaml", std::process::id());
            let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
            let base = repository().join(BASE);
            fs::write(&path, format!("policy: {}\n{}", base.display(), block.text)).unwrap();
            tested(&[path.to_str().unwrap()]);
        }
    }
    assert!(shown > 0);
}
