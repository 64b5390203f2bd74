//! The `RateLimit-Policy` and `RateLimit` fields (draft-ietf-httpapi-ratelimit-headers).
//!
//! Both are Lists of Strings with parameters (RFC 9651 §3.1). A limit's name needs no escapes, and
//! its numbers are far below the 999,999,999,999,999 that an Integer may be: `q` and `r` are 32 bits
//! wide, and `w` and `t` at most 366 days and a second.

use std::rc::Rc;

use super::gcra::NANOS_PER_SEC;
use super::{Kind, Limit, Usage};

/// The header that says which quotas are nearly used up.
const RUNNING_OUT: &str = "x-postern-running-out";

/// What a response says of its caller's limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// The value of `RateLimit-Policy`.
    pub policy: Rc<str>,
    /// The value of `RateLimit`.
    pub usage: String,
    /// The names of the quotas that are nearly used up, with commas between them.
    pub running_out: Option<Box<str>>,
}

impl RateLimit {
    /// The fields by name and value.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let running_out = self.running_out.as_deref().map(|names| (RUNNING_OUT, names));
        let always = [("ratelimit-policy", &*self.policy), ("ratelimit", self.usage.as_str())];
        always.into_iter().filter(|(_, value)| !value.is_empty()).chain(running_out)
    }
}

/// Appends the value of `RateLimit-Policy`: of each limit the quota `q` and its window `w` in
/// seconds. Empty for no limits, and then the field must not be sent.
///
/// The same for every request, so written once for a policy.
///
/// ```
/// use postern::limit::{Class, Limit, write_policy};
///
/// let limit = Limit::new("agent", Class::Agents, 0, "60/min".parse()?, 20.try_into()?)?;
/// let mut value = String::new();
/// write_policy(&mut value, &[limit]);
/// assert_eq!(value, r#""agent";q=60;w=60"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_policy<'a>(out: &mut String, limits: impl IntoIterator<Item = &'a Limit>) {
    for limit in limits.into_iter().filter(|limit| limit.is_told()) {
        open(out, limit);
        let (quota, window) = limit.told;
        out.push_str(";q=");
        decimal(out, quota.into());
        if limit.kind == Kind::Concurrent {
            out.push_str(r#";qu="concurrent-requests""#);
        }
        if let Some(window) = window {
            out.push_str(";w=");
            decimal(out, window.into());
        }
    }
}

/// Appends the value of `RateLimit`: of each usage the remaining units `r` and the seconds `t` until
/// there is one more, rounded up. Empty for no usages, and then the field must not be sent.
///
/// `t` is left out where the bucket is full and nothing more will come. For the cost of one that was
/// refused `Retry-After` tells the wait, which may be longer. A usage of none of `limits` is not
/// written.
pub fn write_usage<'a>(
    out: &mut String,
    limits: impl Iterator<Item = &'a Limit> + Clone,
    usages: impl IntoIterator<Item = Usage>,
) {
    for usage in usages {
        let told = |limit: &&Limit| usage.is_of(limit) && limit.is_told();
        let Some(limit) = limits.clone().find(told) else { continue };
        open(out, limit);
        out.push_str(";r=");
        decimal(out, usage.remaining.into());
        if usage.until_more > 0 {
            out.push_str(";t=");
            decimal(out, usage.until_more.div_ceil(NANOS_PER_SEC));
        }
    }
}

/// Begins the next item of a List.
fn open(out: &mut String, limit: &Limit) {
    if !out.is_empty() {
        out.push_str(", ");
    }
    out.push('"');
    out.push_str(&limit.name);
    out.push('"');
}

/// Appends a number: on the path of every request, and `write!` takes ten times as long.
fn decimal(out: &mut String, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut first = digits.len().saturating_sub(1);
    for (place, digit) in digits.iter_mut().enumerate().rev() {
        first = place;
        *digit = b'0' | (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    let digits = digits.get(first..).unwrap_or_default();
    out.push_str(str::from_utf8(digits).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sfv::{BareItem, List, ListEntry, Parser};

    use super::*;
    use crate::limit::Class;

    /// What `sfv` finds in a List of Strings: each with its parameters, all of them Integers.
    fn parse(value: &str) -> Vec<(String, Vec<(String, i64)>)> {
        let list: List = Parser::new(value).parse().unwrap();
        let read = |entry| {
            let ListEntry::Item(item) = entry else { panic!("an inner list in {value}") };
            let BareItem::String(name) = item.bare_item else { panic!("no string in {value}") };
            let parameter = |(key, value): (sfv::Key, BareItem)| {
                let BareItem::Integer(number) = value else { panic!("no integer for {key}") };
                (key.as_str().to_owned(), i64::from(number))
            };
            (name.as_str().to_owned(), item.params.into_iter().map(parameter).collect())
        };
        list.into_iter().map(read).collect()
    }

    fn limits() -> Vec<Limit> {
        let limit = |name, class, index, rate: &str| {
            Limit::new(name, class, index, rate.parse().unwrap(), 1.try_into().unwrap()).unwrap()
        };
        vec![
            limit("agent", Class::Agents, 0, "60/min"),
            limit("per-organization_2", Class::Agents, 1, "4294967295/365d"),
        ]
    }

    fn usage(index: u8, remaining: u32, until_more: u64) -> Usage {
        Usage { class: Class::Agents, index, kind: Kind::Rate, remaining, until_more, state: 0 }
    }

    #[test]
    fn the_policy_names_every_limit_with_quota_and_window() {
        let mut value = String::new();
        write_policy(&mut value, &limits());
        let of = |q, w| vec![("q".to_owned(), q), ("w".to_owned(), w)];
        assert_eq!(
            parse(&value),
            [
                ("agent".to_owned(), of(60, 60)),
                ("per-organization_2".to_owned(), of(4_294_967_295, 31_536_000)),
            ]
        );
    }

    #[test]
    fn a_full_bucket_has_no_time_until_more() {
        let mut value = String::new();
        write_usage(&mut value, limits().iter(), [usage(0, 20, 0)]);
        assert_eq!(value, "\"agent\";r=20");
    }

    #[test]
    fn a_usage_of_another_policy_is_not_written() {
        let mut value = String::new();
        let human = Usage { class: Class::Humans, ..usage(0, 1, 0) };
        write_usage(&mut value, limits().iter(), [usage(9, 1, 0), human]);
        assert_eq!(value, "");
    }

    proptest! {
        #[test]
        fn sfv_finds_in_the_usage_what_was_put_in(remaining: u32, until_more: u64) {
            let mut value = String::new();
            write_usage(&mut value, limits().iter(), [usage(1, 3, 1), usage(0, remaining, until_more)]);
            let read = parse(&value);
            let of = |name: &str, r, t| {
                (name.to_owned(), vec![("r".to_owned(), r), ("t".to_owned(), t)])
            };
            let seconds = i64::try_from(until_more.div_ceil(1_000_000_000)).unwrap();
            prop_assume!(until_more > 0);
            let mut number = String::new();
            decimal(&mut number, until_more);
            prop_assert_eq!(number, until_more.to_string());
            prop_assert_eq!(&read[0], &of("per-organization_2", 3, 1));
            prop_assert_eq!(&read[1], &of("agent", remaining.into(), seconds));
        }
    }
}
