use std::cmp::Ordering;

use proptest::prelude::{Strategy, prop, prop_assert_eq, proptest};

use super::{Conflict, MAX_STEPS, Methods, NormalPath, Pattern, Segment, Steps, Table};

/// A table of routes written `GET,PUT /path`; each stands for its own text.
fn table<'a>(routes: &[&'a str]) -> Table<&'a str> {
    build(routes).unwrap()
}

fn build<'a>(routes: &[&'a str]) -> Result<Table<&'a str>, Conflict> {
    Table::build(routes.iter().map(|route| {
        let (methods, pattern) = route.split_once(' ').unwrap();
        let methods = Methods::from_names(methods.split(',')).unwrap();
        (pattern.parse().unwrap(), methods, *route)
    }))
}

fn path(raw: &str) -> NormalPath<'_> {
    NormalPath::parse(raw.as_bytes()).unwrap()
}

fn get<'a>(table: &Table<&'a str>, raw: &str) -> Option<&'a str> {
    table.find(b"GET", &path(raw)).copied()
}

fn steps<T>(table: &Table<T>, raw: &str) -> u32 {
    let mut steps = Steps(MAX_STEPS);
    table.answers(&path(raw), &mut steps);
    MAX_STEPS - steps.0
}

#[test]
fn an_empty_table_matches_nothing() {
    let table = table(&[]);
    assert_eq!(get(&table, "/"), None);
    assert_eq!(table.permits(&path("/a")), [""; 0]);
}

#[test]
fn the_literal_beats_one_and_one_beats_rest() {
    let table = table(&["GET /v1/export", "GET /v1/{id}", "GET /v1/**", "GET /**"]);
    assert_eq!(get(&table, "/v1/export"), Some("GET /v1/export"));
    assert_eq!(get(&table, "/v1/%65xport?x"), Some("GET /v1/export"));
    assert_eq!(get(&table, "/v1/7"), Some("GET /v1/{id}"));
    assert_eq!(get(&table, "/v1/Export"), Some("GET /v1/{id}"));
    assert_eq!(get(&table, "/v1/7/notes"), Some("GET /v1/**"));
    assert_eq!(get(&table, "/v2/7"), Some("GET /**"));
}

#[test]
fn the_first_segment_that_differs_decides() {
    let table = table(&["GET /a/{x}/{y}", "GET /{x}/b/c", "GET /a/**"]);
    assert_eq!(get(&table, "/a/b/c"), Some("GET /a/{x}/{y}"));
    assert_eq!(get(&table, "/z/b/c"), Some("GET /{x}/b/c"));
    assert_eq!(get(&table, "/a/b/c/d"), Some("GET /a/**"));
}

#[test]
fn what_goes_no_further_is_left_for_the_next_best() {
    let table = table(&["GET /a/b/c", "GET /a/{x}/d", "GET /{x}/b/e", "GET /*/**"]);
    assert_eq!(get(&table, "/a/b/d"), Some("GET /a/{x}/d"));
    assert_eq!(get(&table, "/a/b/e"), Some("GET /{x}/b/e"));
    assert_eq!(get(&table, "/a/b/f"), Some("GET /*/**"));
    assert_eq!(get(&table, "/a"), None);
}

#[test]
fn another_method_does_not_fall_through_to_a_broader_path() {
    let table = table(&["POST /contacts/export", "GET /contacts/{id}", "* /**"]);
    assert_eq!(get(&table, "/contacts/export"), None);
    assert_eq!(table.find(b"DELETE", &path("/contacts/7")), None);
    assert_eq!(table.find(b"DELETE", &path("/other")), Some(&"* /**"));
}

#[test]
fn one_path_may_have_a_route_for_each_method() {
    let table = table(&["GET /a/{id}", "PUT,PATCH /a/{key}", "DELETE /a/*"]);
    let find = |method: &[u8]| table.find(method, &path("/a/1")).copied();
    assert_eq!(find(b"GET"), Some("GET /a/{id}"));
    assert_eq!(find(b"HEAD"), Some("GET /a/{id}"));
    assert_eq!(find(b"PATCH"), Some("PUT,PATCH /a/{key}"));
    assert_eq!(find(b"DELETE"), Some("DELETE /a/*"));
    assert_eq!(find(b"delete"), None);
    assert_eq!(find(b"\xff"), None);
    assert_eq!(table.permits(&path("/a/1")), ["DELETE", "GET", "HEAD", "PATCH", "PUT"]);
    assert_eq!(table.permits(&path("/a")), [""; 0]);
}

#[test]
fn any_method_is_never_connect() {
    let table = table(&["* /a"]);
    assert_eq!(table.find(b"PURGE", &path("/a")), Some(&"* /a"));
    assert_eq!(table.find(b"CONNECT", &path("/a")), None);
    assert_eq!(table.permits(&path("/a")), ["*"]);
}

#[test]
fn rest_is_one_segment_or_more_and_the_collection_is_not_in_it() {
    let table = table(&["GET /files/**"]);
    for raw in ["/files/a", "/files/a/b", "/files/a/", "/files/a/b/"] {
        assert_eq!(get(&table, raw), Some("GET /files/**"), "{raw}");
    }
    for raw in ["/files", "/files/", "/", "/filesa"] {
        assert_eq!(get(&table, raw), None, "{raw}");
    }
}

#[test]
fn a_trailing_slash_is_another_path() {
    let bare = table(&["GET /a", "GET /{x}/b"]);
    assert_eq!(get(&bare, "/a/"), None);
    assert_eq!(get(&bare, "/a/b/"), None);
    let slashed = table(&["GET /a/", "GET /a/{x}", "GET /a/{x}/"]);
    assert_eq!(get(&slashed, "/a"), None);
    assert_eq!(get(&slashed, "/a/"), Some("GET /a/"));
    assert_eq!(get(&slashed, "/a/b"), Some("GET /a/{x}"));
    assert_eq!(get(&slashed, "/a/b/"), Some("GET /a/{x}/"));
}

#[test]
fn the_root_is_a_path_of_its_own() {
    let table = table(&["GET /", "GET /**"]);
    assert_eq!(get(&table, "/"), Some("GET /"));
    assert_eq!(get(&table, "/a"), Some("GET /**"));
    assert_eq!(get(&self::table(&["GET /*", "GET /**"]), "/"), None);
}

#[test]
fn two_routes_for_one_request_are_a_conflict() {
    for (routes, message) in [
        (
            &["GET /b", "GET /a/{id}", "PUT,GET /a/*"][..],
            "`routes[1]` and `routes[2]` both answer `GET /a/*`, expected one route for it",
        ),
        (
            &["GET /a", "HEAD /%61"],
            "`routes[0]` and `routes[1]` both answer `HEAD /a`, `GET` answers `HEAD` too, \
             expected one route for it",
        ),
        (
            &["PUT /a", "GET /a", "* /a"],
            "`routes[0]` and `routes[2]` both answer `PUT /a`, expected one route for it",
        ),
        (
            &["* /**", "PUT /**"],
            "`routes[0]` and `routes[1]` both answer `PUT /**`, expected one route for it",
        ),
        (
            &["* /", "* /"],
            "`routes[0]` and `routes[1]` both answer `* /`, expected one route for it",
        ),
    ] {
        assert_eq!(build(routes).unwrap_err().to_string(), message);
    }
}

#[test]
fn a_route_that_no_request_can_reach_is_shadowed() {
    let shadowed = |routes| table(routes).shadowed();
    assert_eq!(shadowed(&["GET /**", "GET /*", "GET /*/", "PUT /*/**", "PUT /**"]), [0, 4]);
    assert_eq!(shadowed(&["GET /a/**", "GET /a/*", "GET /a/*/", "GET /a/*/**", "* /**"]), [0]);
    assert_eq!(shadowed(&["* /**", "* /*", "* /*/", "* /*/*", "* /*/*/", "* /*/*/**"]), [0]);
    assert_eq!(shadowed(&["* /**", "* /*", "* /*/**"]), [0; 0], "`/a/` is left for `/**`");
    assert_eq!(shadowed(&["* /**", "* /a", "* /a/", "* /a/**"]), [0; 0]);
}

#[test]
fn a_large_policy_costs_a_look_up_no_more_than_a_small_one() {
    let visited = |size: usize| {
        let routes = (0..size).flat_map(|index| {
            [format!("/v1/r{index}"), format!("/v1/r{index}/{{id}}"), format!("/v{index}/**")]
        });
        let entries = routes.map(|route| (route.parse().unwrap(), Methods::ANY, ()));
        let table = Table::build(entries).unwrap();
        ["/v1/r7", "/v1/r7/1", "/v1/r7/1/x", "/v1/none", "/v5/x/y", "/none"]
            .map(|raw| steps(&table, raw))
    };
    assert_eq!(visited(10), [3, 4, 4, 2, 2, 1]);
    assert_eq!(visited(10), visited(10_000));
}

#[test]
fn a_policy_made_to_backtrack_is_cut_off_and_then_matches_nothing() {
    let routes = |depth: u32| {
        let spelt = move |bits: u32| -> String {
            (0..depth).map(|at| if bits >> at & 1 == 0 { "/a" } else { "/*" }).collect()
        };
        (0..1 << depth).map(move |bits| (format!("{}/end", spelt(bits)), bits))
    };
    let all = |depth| {
        let catch_all = std::iter::once(("/**".to_owned(), u32::MAX));
        let entries = routes(depth).chain(catch_all);
        Table::build(entries.map(|(text, n)| (text.parse().unwrap(), Methods::ANY, n))).unwrap()
    };
    let find = |depth: u32| {
        let raw = "/a".repeat(usize::try_from(depth).unwrap() + 1);
        all(depth).find(b"GET", &path(&raw)).copied()
    };
    assert_eq!(find(8), Some(u32::MAX));
    assert_eq!(find(12), None, "not even the `/**` that would be next");
}

#[test]
fn the_longest_path_is_looked_up() {
    let table = table(&["GET /**"]);
    assert_eq!(get(&table, &"/a".repeat(super::super::MAX_SEGMENTS)), Some("GET /**"));
}

/// What a pattern matches, by definition.
fn matches(pattern: &[Segment], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((Segment::Rest, _)), Some((first, _))) => !first.is_empty(),
        (Some((Segment::One(_), pattern)), Some((first, path))) => {
            !first.is_empty() && matches(pattern, path)
        }
        (Some((Segment::Literal(literal), pattern)), Some((first, path))) => {
            literal.as_ref() == *first && matches(pattern, path)
        }
        _ => false,
    }
}

/// The more specific first; equal when they are the same path.
fn by_specificity(left: &Pattern, right: &Pattern) -> Ordering {
    let rank = |segment: &Segment| match segment {
        Segment::Literal(literal) => (0, literal.clone()),
        Segment::One(_) => (1, "".into()),
        Segment::Rest => (2, "".into()),
    };
    left.segments().iter().map(rank).cmp(right.segments().iter().map(rank))
}

fn patterns() -> impl Strategy<Value = Vec<(Pattern, Methods)>> {
    let pattern = "(/a|/b|/\\*){0,4}(/a|/|/\\{x\\}|/\\*\\*)".prop_map(|text| text.parse().unwrap());
    let methods = prop::sample::select(vec!["GET", "PUT", "POST", "*"])
        .prop_map(|name| Methods::from_names([name]).unwrap());
    prop::collection::vec((pattern, methods), 0..24)
}

/// Leaves out what conflicts with what came before.
fn without_conflicts(routes: Vec<(Pattern, Methods)>) -> Vec<(Pattern, Methods)> {
    let overlap = |left: &Methods, right: &Methods| {
        ["GET", "HEAD", "PUT", "POST", "X"]
            .iter()
            .any(|method| left.contains(method.as_bytes()) && right.contains(method.as_bytes()))
    };
    let mut kept: Vec<(Pattern, Methods)> = Vec::new();
    for (pattern, methods) in routes {
        if !kept.iter().any(|(other, others)| {
            by_specificity(&pattern, other).is_eq() && overlap(&methods, others)
        }) {
            kept.push((pattern, methods));
        }
    }
    kept
}

proptest! {
    #[test]
    fn the_table_agrees_with_reading_all_patterns(
        routes in patterns(),
        raws in prop::collection::vec("(/a|/b|/c){0,5}(/a|/b|/)", 1..16),
        method in prop::sample::select(vec!["GET", "HEAD", "PUT", "X"]),
    ) {
        let routes = without_conflicts(routes);
        let entries = routes.iter().cloned().enumerate();
        let table = Table::build(entries.map(|(at, (pattern, methods))| (pattern, methods, at))).unwrap();
        for raw in raws {
            let path = path(&raw);
            let segments: Vec<_> = path.segments().collect();
            let matching = || routes.iter().filter(|(pattern, _)| matches(pattern.segments(), &segments));
            let best = matching().map(|(pattern, _)| pattern).min_by(|left, right| by_specificity(left, right));
            let expected = routes.iter().position(|(pattern, methods)| {
                best.is_some_and(|best| by_specificity(best, pattern).is_eq())
                    && methods.contains(method.as_bytes())
            });
            let found = table.find(method.as_bytes(), &path).copied();
            prop_assert_eq!(found, expected, "{} {}", method, raw);
            if let Some(found) = found {
                prop_assert_eq!(table.shadowed().contains(&found), false);
            }
        }
    }

    #[test]
    fn conflicts_are_what_the_table_refuses(routes in patterns()) {
        let kept = without_conflicts(routes.clone());
        let table = Table::build(routes.iter().cloned().map(|(pattern, methods)| (pattern, methods, ())));
        prop_assert_eq!(table.is_ok(), kept.len() == routes.len());
    }
}
