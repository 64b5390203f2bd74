//! The look-up from a method and a path to what a policy says of them.

use std::collections::BinaryHeap;
use std::fmt;

use hashbrown::HashMap;

use super::method::{Methods, any_is};
use super::path::NormalPath;
use super::pattern::{Pattern, Segment};

/// The most nodes that one look-up visits; after them nothing matches.
///
/// A node is visited at most once, and only if its pattern agrees with the path as far as it goes,
/// so a look-up costs as much as there are patterns that differ only in where they have `{id}` and
/// where the very segment of the path: a handful in policies that people write, whatever their
/// size. A policy made for it can reach 2^segments, and this is where that ends.
pub const MAX_STEPS: u32 = 4096;

/// Routes by path and method.
///
/// **The most specific path wins**: at the first segment where two patterns that match differ, a
/// literal beats `{id}` and `*`, and those beat `**`. If what follows the literal does not match,
/// the others are tried.
///
/// **Then the method decides, on that path alone.** Where the route `/contacts/export` answers
/// only `POST`, a `GET /contacts/export` is not the `GET` of `/contacts/{id}`: it is no route.
///
/// Patterns that differ in nothing but the names in braces are the same path; their routes must
/// answer different methods.
#[derive(Clone, Debug)]
pub struct Table<T> {
    root: Node,
    routes: Vec<T>,
}

impl<T> Table<T> {
    /// Makes the table; a route is known by its place in `routes`, from zero.
    ///
    /// # Errors
    ///
    /// [`Conflict`] when two routes answer the same method on the same path.
    pub fn build(
        routes: impl IntoIterator<Item = (Pattern, Methods, T)>,
    ) -> Result<Self, Conflict> {
        let mut table = Self::default();
        for (pattern, methods, route) in routes {
            let second = table.routes.len();
            let answers = table.root.grow(pattern.segments()).get_or_insert_default();
            answers.add(&methods, second).map_err(|(first, method)| Conflict {
                first,
                second,
                method,
                pattern,
            })?;
            table.routes.push(route);
        }
        Ok(table)
    }

    /// The route that answers `method` on `path`.
    pub fn find(&self, method: &[u8], path: &NormalPath<'_>) -> Option<&T> {
        let route = self.answers(path, &mut Steps(MAX_STEPS))?.get(method)?;
        self.routes.get(route)
    }

    /// All routes, in the order they came in.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.routes.iter()
    }

    /// The methods that are answered on `path`, in order, `*` for any; none if no pattern matches.
    pub fn permits(&self, path: &NormalPath<'_>) -> Vec<&str> {
        match self.answers(path, &mut Steps(MAX_STEPS)) {
            None => Vec::new(),
            Some(Answers::Any(_)) => vec!["*"],
            Some(Answers::Listed(routes)) => {
                BinaryHeap::from_iter(routes.keys().map(AsRef::as_ref)).into_sorted_vec()
            }
        }
    }

    /// The routes that no request can reach, because others that are more specific take every path
    /// of theirs: `/**` beside `/*`, `/*/` and `/*/**`. Nothing but a `**` can be hidden so.
    pub fn shadowed(&self) -> Vec<usize> {
        let mut hidden = Vec::new();
        self.root.shadowed(&mut hidden);
        BinaryHeap::from(hidden).into_sorted_vec()
    }

    fn answers(&self, path: &NormalPath<'_>, steps: &mut Steps) -> Option<&Answers> {
        self.root.find(Some(path.after_slash()), steps).ok().flatten()
    }
}

impl<T> Default for Table<T> {
    /// The table in which nothing is found.
    fn default() -> Self {
        Self { root: Node::default(), routes: Vec::new() }
    }
}

/// Two routes that answer the same method on the same path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The place of the route that came first, from zero.
    pub first: usize,
    /// The place of the route that came second.
    pub second: usize,
    /// A method that both answer, or `*`.
    pub method: String,
    /// The path, as the second has it.
    pub pattern: Pattern,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, second, method, pattern } = self;
        write!(f, "`routes[{first}]` and `routes[{second}]` both answer `{method} {pattern}`")?;
        if method == "HEAD" {
            f.write_str(", `GET` answers `HEAD` too")?;
        }
        f.write_str(", expected one route for it")
    }
}

impl std::error::Error for Conflict {}

/// What is known after some segments of a path.
#[derive(Clone, Debug, Default)]
struct Node {
    literals: HashMap<Box<str>, Node>,
    one: Option<Box<Node>>,
    here: Option<Answers>,
    rest: Option<Answers>,
}

/// How many nodes may still be visited.
struct Steps(u32);

/// No node may be visited any more.
struct Exhausted;

impl Node {
    /// The place of a pattern, made on the way if it is not there.
    fn grow(&mut self, segments: &[Segment]) -> &mut Option<Answers> {
        match segments.split_first() {
            None => &mut self.here,
            Some((Segment::Rest, _)) => &mut self.rest,
            Some((Segment::One(_), after)) => self.one.get_or_insert_default().grow(after),
            Some((Segment::Literal(literal), after)) => {
                self.literals.entry(literal.clone()).or_default().grow(after)
            }
        }
    }

    /// What the most specific pattern below this node answers on the segments in `path`, `None`
    /// being no segment at all. As deep as a pattern is long.
    fn find(&self, path: Option<&str>, steps: &mut Steps) -> Result<Option<&Answers>, Exhausted> {
        steps.0 = steps.0.checked_sub(1).ok_or(Exhausted)?;
        let Some(path) = path else { return Ok(self.here.as_ref()) };
        let (segment, after) =
            path.split_once('/').map_or((path, None), |(segment, after)| (segment, Some(after)));

        if let Some(node) = self.literals.get(segment)
            && let Some(answers) = node.find(after, steps)?
        {
            return Ok(Some(answers));
        }
        if segment.is_empty() {
            return Ok(None);
        }
        if let Some(node) = &self.one
            && let Some(answers) = node.find(after, steps)?
        {
            return Ok(Some(answers));
        }
        Ok(self.rest.as_ref())
    }

    fn shadowed(&self, hidden: &mut Vec<usize>) {
        if let Some(rest) = &self.rest
            && self.one.as_ref().is_some_and(|one| one.takes_all())
        {
            hidden.extend(rest.routes());
        }
        for node in self.literals.values().chain(self.one.as_deref()) {
            node.shadowed(hidden);
        }
    }

    /// Whether a path that came here ends at a pattern, whatever follows. Literals do not count:
    /// there is always a segment that none of them is.
    fn takes_all(&self) -> bool {
        let slash = self.literals.get("").is_some_and(|node| node.here.is_some());
        let more = self.rest.is_some() || self.one.as_ref().is_some_and(|one| one.takes_all());
        self.here.is_some() && slash && more
    }
}

/// The routes of one path, by method.
#[derive(Clone, Debug)]
enum Answers {
    Any(usize),
    Listed(HashMap<Box<str>, usize>),
}

impl Default for Answers {
    fn default() -> Self {
        Self::Listed(HashMap::new())
    }
}

impl Answers {
    /// Adds a route, or names the one that is in its way and a method of both.
    fn add(&mut self, methods: &Methods, route: usize) -> Result<(), (usize, String)> {
        if let Some(clash) = self.clash(methods) {
            return Err(clash);
        }
        match (&mut *self, methods.listed()) {
            (Self::Listed(routes), Some(listed)) => {
                routes.extend(listed.map(|method| (method.as_str().into(), route)));
            }
            _ => *self = Self::Any(route),
        }
        Ok(())
    }

    fn clash(&self, methods: &Methods) -> Option<(usize, String)> {
        match self {
            Self::Any(route) => {
                let method = methods.listed().and_then(|mut listed| listed.next());
                Some((*route, method.map_or_else(|| "*".into(), ToString::to_string)))
            }
            Self::Listed(routes) => {
                let shared =
                    routes.iter().filter(|(method, _)| methods.contains(method.as_bytes()));
                shared.map(|(method, route)| (*route, method.to_string())).min()
            }
        }
    }

    fn get(&self, method: &[u8]) -> Option<usize> {
        match self {
            Self::Any(route) => any_is(method).then_some(*route),
            Self::Listed(routes) => routes.get(str::from_utf8(method).ok()?).copied(),
        }
    }

    fn routes(&self) -> Vec<usize> {
        let routes = match self {
            Self::Any(route) => vec![*route],
            Self::Listed(routes) => routes.values().copied().collect(),
        };
        let mut routes = BinaryHeap::from(routes).into_sorted_vec();
        routes.dedup();
        routes
    }
}

#[cfg(test)]
mod tests;
