//! The documentation as it is read: every policy in it is compiled, every command run, every
//! answer given by the engine, every name looked up.
//!
//! | written | what is done with it |
//! | --- | --- |
//! | ` ```yaml policy ` | compiled: it has neither errors nor warnings |
//! | ` ```yaml fragment ` | put in the place of what `policies/crm.yaml` says there, and compiled |
//! | ` ```yaml … file=NAME ` | also written to the directory in which the page's commands run |
//! | ` ```console ` | each line after `$` is run, and prints what follows: `...` stands for any lines, `[..]` for anything in a line |
//! | `<!-- answer: … -->` | the engine is asked, and the block that follows is what it says ([`answers`]) |
//! | `<!-- table: … -->` | the table that follows is compared with the code ([`reference`]) |
//!
//! `BLESS=1 cargo test -p postern-cli --test docs` writes what is printed and answered anew.

#![cfg(test)]

mod answers;
mod commands;
mod conformance;
mod page;
mod policies;
mod reference;
mod schema;
mod sources;
