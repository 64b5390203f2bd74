//! A page of the documentation, taken apart.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

/// Every page.
pub(crate) const PAGES: [&str; 16] = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/agents.md",
    "docs/architecture.md",
    "docs/behaviour.md",
    "docs/conformance.md",
    "docs/envoy.md",
    "docs/hosts.md",
    "docs/policy.md",
    "docs/providers.md",
    "docs/scaling.md",
    "docs/testing.md",
    "docs/threats.md",
    "envoy/README.md",
    "policies/README.md",
];

/// A page and its lines.
pub(crate) struct Page {
    pub(crate) name: &'static str,
    lines: Vec<String>,
}

/// A fenced block.
pub(crate) struct Block {
    /// What follows the fence.
    pub(crate) info: String,
    /// The comment before it.
    pub(crate) note: Option<String>,
    pub(crate) text: String,
    /// The place of its first line.
    start: usize,
    end: usize,
}

/// The directory of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Held by whoever may write pages.
pub(crate) fn blessing() -> MutexGuard<'static, ()> {
    static BLESSING: Mutex<()> = Mutex::new(());
    BLESSING.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Page {
    pub(crate) fn all() -> Vec<Self> {
        PAGES.map(Self::read).into()
    }

    pub(crate) fn read(name: &'static str) -> Self {
        let text = fs::read_to_string(repository().join(name));
        let text = text.unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { name, lines: text.lines().map(str::to_owned).collect() }
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    pub(crate) fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<(String, usize)> = None;
        for (number, line) in self.lines.iter().enumerate() {
            let Some(info) = line.strip_prefix("```") else { continue };
            open = match open {
                None => Some((info.trim().to_owned(), number + 1)),
                Some((info, start)) => {
                    let text = self.lines[start..number].join("\n");
                    let note = self.note_before(start - 1);
                    blocks.push(Block { info, note, text, start, end: number });
                    None
                }
            };
        }
        assert!(open.is_none(), "{}: a block is not closed", self.name);
        blocks
    }

    fn note_before(&self, line: usize) -> Option<String> {
        let last = self.lines[..line].iter().rev().find(|line| !line.is_empty())?;
        let note = last.strip_prefix("<!-- ")?.strip_suffix(" -->")?;
        Some(note.to_owned())
    }

    /// The rows of the table after `<!-- table: NAME -->`, without its head.
    pub(crate) fn table(&self, name: &str) -> Vec<Vec<String>> {
        let marker = format!("<!-- table: {name} -->");
        let rows = self.lines().skip_while(|line| *line != marker).skip(1);
        let rows = rows.skip_while(|line| line.is_empty()).take_while(|line| line.starts_with('|'));
        let rows: Vec<_> = rows.skip(2).map(cells).collect();
        assert!(!rows.is_empty(), "{}: expected a table `{name}`", self.name);
        rows
    }

    /// Every row of every table.
    pub(crate) fn rows(&self) -> Vec<Vec<String>> {
        self.lines().filter(|line| line.starts_with("| `")).map(cells).collect()
    }

    /// Fails if there are blocks that should say something else, or writes that if `BLESS` is set.
    pub(crate) fn expect(mut self, changes: Vec<(Block, String)>) {
        if std::env::var_os("BLESS").is_none() {
            if let Some((block, expected)) = changes.first() {
                let line = block.start;
                panic!("{}:{line}: expected\n{expected}\nbut it says\n{}", self.name, block.text);
            }
            return;
        }
        for (block, text) in changes.iter().rev() {
            self.lines.splice(block.start..block.end, text.lines().map(str::to_owned));
        }
        fs::write(repository().join(self.name), self.lines.join("\n") + "\n").unwrap();
    }
}

impl Block {
    /// The value of `name=` after the fence.
    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        self.info.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    pub(crate) fn is(&self, words: &str) -> bool {
        words.split(' ').all(|word| self.info.split(' ').any(|one| one == word))
    }

    pub(crate) fn line(&self) -> usize {
        self.start + 1
    }
}

fn cells(line: &str) -> Vec<String> {
    let line = line.trim().trim_start_matches('|').trim_end_matches('|');
    line.replace("\\|", "\u{0}").split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect()
}

/// What stands between backticks.
pub(crate) fn code(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}
