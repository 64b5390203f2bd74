//! The policies in the documentation.

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
    read(&std::fs::read_to_string(repository().join(BASE)).unwrap())
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
