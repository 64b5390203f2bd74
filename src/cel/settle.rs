//! What of a condition does not hang on the request: worked out once, and then only looked up.

use super::node::Node;
use super::{Names, Program};

/// The most parts of one expression that are put apart: each has the steps of a whole one.
const MAX_PARTS: usize = 4;

/// Puts apart what settled variables alone decide; `node` is what is true or false.
///
/// Of `&&` and `||` such parts are put first, and together: whichever decides does so wherever it
/// stands. Where none does and several fail, another may be the one that is told.
pub(super) fn settle(node: Node, names: &mut dyn Names) -> Node {
    Settling { names, left: MAX_PARTS }.settle(node)
}

struct Settling<'n> {
    names: &'n mut dyn Names,
    /// How many more parts may be put apart.
    left: usize,
}

impl Settling<'_> {
    fn settle(&mut self, node: Node) -> Node {
        if self.is_settled(&node) {
            return self.apart(node);
        }
        match node {
            Node::And(all) => Node::And(self.parted(all, Node::And)),
            Node::Or(all) => Node::Or(self.parted(all, Node::Or)),
            Node::Not(of) => Node::Not(Box::new(self.settle(*of))),
            other => other,
        }
    }

    fn parted(&mut self, all: Vec<Node>, join: fn(Vec<Node>) -> Node) -> Vec<Node> {
        let (mut settled, others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|one| self.is_settled(one));
        let together = if settled.len() > 1 { Some(join(settled)) } else { settled.pop() };
        let together = together.map(|node| self.apart(node));
        together.into_iter().chain(others.into_iter().map(|one| self.settle(one))).collect()
    }

    fn apart(&mut self, node: Node) -> Node {
        let Some(left) = self.left.checked_sub(1) else { return node };
        self.left = left;
        let taken = self.names.settle(Program { root: node });
        taken.map_or_else(|program| program.root, Node::Settled)
    }

    fn is_settled(&self, node: &Node) -> bool {
        let (mut asks, mut all) = (false, true);
        node.each_variable(&mut |id| {
            asks = true;
            all = all && self.names.is_settled(id);
        });
        asks && all
    }
}
