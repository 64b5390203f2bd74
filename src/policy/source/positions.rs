//! Where each value of a document stands in its text.

mod json;

use std::collections::BTreeMap;

use crate::policy::problem::{Path, Place, Problem, Segment};

pub(super) use self::json::positions as of_json;

/// The places of a document's values: of a map's member, where its key begins; of anything else,
/// where it begins itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Positions {
    place: Place,
    inside: Inside,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Inside {
    Nothing,
    List(Vec<Positions>),
    Map(BTreeMap<String, Positions>),
}

impl Positions {
    pub(super) const fn leaf(place: Place) -> Self {
        Self { place, inside: Inside::Nothing }
    }

    pub(super) const fn list(place: Place, elements: Vec<Self>) -> Self {
        Self { place, inside: Inside::List(elements) }
    }

    pub(super) const fn map(place: Place, members: BTreeMap<String, Self>) -> Self {
        Self { place, inside: Inside::Map(members) }
    }

    /// The same value as a map's member: its place is the key's.
    pub(super) fn keyed(self, place: Place) -> Self {
        Self { place, ..self }
    }

    /// The place of the value at `path`, or of its nearest parent that is there.
    pub fn locate(&self, path: &Path) -> Place {
        let mut here = self;
        for segment in path.segments() {
            let next = match (&here.inside, segment) {
                (Inside::List(elements), Segment::Index(index)) => elements.get(*index),
                (Inside::Map(members), Segment::Key(key)) => members.get(key),
                _ => None,
            };
            match next {
                Some(next) => here = next,
                None => break,
            }
        }
        here.place
    }

    /// `problem` with its place, unless it has one already.
    pub fn place(&self, problem: Problem) -> Problem {
        let place = problem.place.unwrap_or_else(|| self.locate(&problem.path));
        problem.placed(Some(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_has_the_place_of_its_nearest_parent() {
        let at = |line| Place { line, column: 1 };
        let route = Positions::leaf(at(3));
        let routes = Positions::list(at(2), vec![route]).keyed(at(1));
        let policy = Positions::map(at(1), BTreeMap::from([("routes".to_owned(), routes)]));
        let routes = Path::root().join("routes");
        assert_eq!(policy.locate(&routes.join(0)), at(3));
        assert_eq!(policy.locate(&routes.join(0).join("path")), at(3));
        assert_eq!(policy.locate(&routes.join(7)), at(1));
        assert_eq!(policy.locate(&routes.join("x")), at(1));
        assert_eq!(policy.locate(&Path::root().join("issuers")), at(1));
    }

    #[test]
    fn a_problem_keeps_the_place_that_it_has() {
        let positions = Positions::leaf(Place { line: 1, column: 1 });
        let placed = Problem::new("x").placed(Some(Place { line: 9, column: 9 }));
        assert_eq!(positions.place(placed.clone()), placed);
        assert_eq!(positions.place(Problem::new("x")).place, Some(Place { line: 1, column: 1 }));
    }
}
