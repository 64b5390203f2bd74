//! What of a condition does not hang on the request: worked out once, and then only looked up.

use super::node::Node;
use super::{Names, Program};

/// Puts apart what settled variables alone decide; `node` is what is true or false.
///
/// Of `&&` and `||` such parts are put first, and together: whichever decides does so wherever it
/// stands. Where none does and several fail, another may be the one that is told.
pub(super) fn settle(node: Node, names: &mut dyn Names) -> Node {
    if is_settled(&node, names) {
        return apart(node, names);
    }
    match node {
        Node::And(all) => Node::And(parted(all, Node::And, names)),
        Node::Or(all) => Node::Or(parted(all, Node::Or, names)),
        Node::Not(of) => Node::Not(Box::new(settle(*of, names))),
        other => other,
    }
}

fn parted(all: Vec<Node>, join: fn(Vec<Node>) -> Node, names: &mut dyn Names) -> Vec<Node> {
    let (mut settled, others): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|one| is_settled(one, names));
    let together = if settled.len() > 1 { Some(join(settled)) } else { settled.pop() };
    let together = together.map(|node| apart(node, names));
    together.into_iter().chain(others.into_iter().map(|one| settle(one, names))).collect()
}

fn apart(node: Node, names: &mut dyn Names) -> Node {
    names.settle(Program { root: node }).map_or_else(|program| program.root, Node::Settled)
}

fn is_settled(node: &Node, names: &dyn Names) -> bool {
    let (mut asks, mut all) = (false, true);
    node.each_variable(&mut |id| {
        asks = true;
        all = all && names.is_settled(id);
    });
    asks && all
}
