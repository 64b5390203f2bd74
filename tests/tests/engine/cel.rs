//! Conditions beside another implementation of their language, on expressions and facts that
//! nobody chose.

mod facts;
mod generator;
mod other;
mod patterns;

use postern::cel::Program;

use self::facts::{Facts, Parted};
use self::generator::Generator;
use self::other::Other;

/// What became of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Holds(bool),
    Fails,
}

/// Why the two may differ, and when that is why.
struct Difference {
    why: &'static str,
    explains: fn(source: &str, facts: &str, ours: Outcome) -> bool,
}

const DIFFERENCES: [Difference; 3] = [
    Difference {
        why: "the hour and the day are in UTC here, as the definition says, and there in the zone \
              in which the moment is written",
        explains: |source, _, _| source.contains("+01:00") && source.contains(").get"),
    },
    Difference {
        why: "strings and lists cannot be put together here, for that allocates",
        explains: |source, _, ours| ours == Outcome::Fails && source.contains(" + "),
    },
    Difference {
        why: "whole numbers and others are compared by value here, and there as other numbers: \
              2^53 + 1 is then 2^53",
        explains: |source, facts, _| {
            let text = format!("{source} {facts}");
            (text.contains("900719925474099") || text.contains("922337203685477"))
                && ["==", "!=", "<", ">", " in "].iter().any(|one| source.contains(one))
        },
    },
];

const EXPRESSIONS: u64 = 20_000;

#[test]
fn every_difference_from_another_implementation_is_a_known_one() {
    let (mut compiled, mut held, mut failed, mut parted) = (0_u32, 0_u32, 0_u32, 0_u32);
    let mut explained = [0_u32; DIFFERENCES.len()];
    for seed in 0..EXPRESSIONS {
        let mut generator = Generator::new(seed);
        let source = generator.condition();
        let Ok(program) = Program::compile(&source, &mut facts::Known) else { continue };
        compiled += 1;
        let mut parts = Parted::default();
        let apart = Program::compile(&source, &mut parts).unwrap();
        parted += u32::from(!parts.is_empty());
        let other = Other::compile(&source);
        for _ in 0..3 {
            let facts = Facts::of(&mut generator);
            let ours = program.holds(&facts).map_or(Outcome::Fails, Outcome::Holds);
            let in_parts = apart.holds(&parts.of(&facts)).map_or(Outcome::Fails, Outcome::Holds);
            assert_eq!(in_parts, ours, "`{source}` of {}, taken apart", facts.text());
            let theirs = other.outcome(&facts);
            held += u32::from(ours == Outcome::Holds(true));
            failed += u32::from(ours == Outcome::Fails);
            if ours != theirs {
                let facts = facts.text();
                let is_why = |one: &Difference| (one.explains)(&source, &facts, ours);
                let why = DIFFERENCES.iter().position(is_why);
                let why = why.unwrap_or_else(|| {
                    panic!("`{source}` of {facts}: {ours:?}, and {theirs:?} elsewhere")
                });
                explained[why] += 1;
            }
        }
    }
    for (difference, count) in DIFFERENCES.iter().zip(explained) {
        assert!(count > 0, "nothing differs any more because {}", difference.why);
    }
    println!(
        "{compiled} of {EXPRESSIONS} compiled, {held} held, {failed} failed, {parted} parted, {explained:?}"
    );
    assert!(
        compiled > 14_000 && held > 10_000 && failed > 10_000 && parted > 10_000,
        "too few to mean anything"
    );
    assert!(explained.iter().sum::<u32>() < 100, "they differ too often: {explained:?}");
}
