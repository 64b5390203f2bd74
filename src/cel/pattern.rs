//! The patterns of `matches`: a subset of RE2's syntax, looked for in time in proportion to the text.
//!
//! A pattern becomes a short program, and all the ways that a text may take through it are followed at
//! once (Thompson 1968): there is nothing to backtrack into, whatever the pattern and the text.

use std::iter::Peekable;
use std::str::CharIndices;

/// The longest program. A repetition that is counted is as long as its count.
const MAX_PROGRAM: usize = 256;

/// How deep groups may be nested.
const MAX_GROUPS: usize = 16;

/// The largest count of a repetition.
const MAX_COUNT: u32 = 200;

/// A pattern.
#[derive(Debug, PartialEq)]
pub(super) struct Pattern {
    program: Box<[Step]>,
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// Goes on after a character of these.
    One(Set),
    /// Goes on at both.
    Fork(usize, usize),
    /// Goes on at the beginning of the text, at its end.
    Begin,
    End,
    Found,
}

/// Characters, as ranges of their numbers.
type Set = Box<[(u32, u32)]>;

/// What a pattern is made of.
#[derive(Clone, Debug)]
enum Part {
    One(Set),
    Begin,
    End,
    Sequence(Vec<Part>),
    Choice(Vec<Part>),
    Repeated(Box<Part>, u32, Option<u32>),
}

/// What is wrong with a pattern, and after how many of its bytes.
type Wrong = (usize, &'static str);

impl Pattern {
    /// # Errors
    ///
    /// Where it is wrong, and how.
    pub(super) fn compile(source: &str) -> Result<Self, Wrong> {
        let mut reader = Reader { source, rest: source.char_indices().peekable(), depth: 0 };
        let part = reader.choice()?;
        if let Some((at, _)) = reader.rest.next() {
            return Err((at, "a `)` without a `(`"));
        }
        let mut program = Vec::new();
        emit(&mut program, &part).map_err(|wrong| (0, wrong))?;
        push(&mut program, Step::Found).map_err(|wrong| (0, wrong))?;
        Ok(Self { program: program.into() })
    }

    /// How long the program is: so much is done at most for each character of a text.
    pub(super) const fn len(&self) -> usize {
        self.program.len()
    }

    /// Whether it is found anywhere in `text`.
    pub(super) fn is_in(&self, text: &str) -> bool {
        let (mut ways, mut rest, mut is_begin) = (Ways::default(), text.chars(), true);
        loop {
            let is_end = rest.as_str().is_empty();
            if self.follow(&mut ways, 0, (is_begin, is_end)) {
                return true;
            }
            let Some(char) = rest.next() else { return false };
            let (mut next, is_end) = (Ways::default(), rest.as_str().is_empty());
            for (at, step) in self.program.iter().enumerate() {
                let Step::One(set) = step else { continue };
                if ways.has(at)
                    && set.iter().any(|(low, high)| (*low..=*high).contains(&u32::from(char)))
                    && self.follow(&mut next, at.saturating_add(1), (false, is_end))
                {
                    return true;
                }
            }
            (ways, is_begin) = (next, false);
        }
    }

    /// Follows the program from `at` on, up to where it takes a character; whether it is found.
    fn follow(&self, ways: &mut Ways, at: usize, (is_begin, is_end): (bool, bool)) -> bool {
        if ways.has(at) {
            return false;
        }
        ways.add(at);
        let next = at.saturating_add(1);
        let here = (is_begin, is_end);
        match self.program.get(at) {
            Some(Step::Found) => true,
            Some(Step::Fork(one, other)) => {
                self.follow(ways, *one, here) || self.follow(ways, *other, here)
            }
            Some(Step::Begin) => is_begin && self.follow(ways, next, here),
            Some(Step::End) => is_end && self.follow(ways, next, here),
            Some(Step::One(_)) | None => false,
        }
    }
}

/// Places of a program.
#[derive(Clone, Copy, Default)]
struct Ways([u64; MAX_PROGRAM / 64]);

impl Ways {
    fn has(&self, at: usize) -> bool {
        self.0.get(at / 64).is_none_or(|word| word & (1 << (at % 64)) != 0)
    }

    fn add(&mut self, at: usize) {
        if let Some(word) = self.0.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }
}

fn push(program: &mut Vec<Step>, step: Step) -> Result<(), &'static str> {
    if program.len() >= MAX_PROGRAM {
        return Err("the pattern is too large: expected fewer or smaller repetitions");
    }
    program.push(step);
    Ok(())
}

fn emit(program: &mut Vec<Step>, part: &Part) -> Result<(), &'static str> {
    match part {
        Part::One(set) => push(program, Step::One(set.clone())),
        Part::Begin => push(program, Step::Begin),
        Part::End => push(program, Step::End),
        Part::Sequence(parts) => parts.iter().try_for_each(|part| emit(program, part)),
        Part::Choice(parts) => {
            let mut leaving = Vec::new();
            for (place, part) in parts.iter().enumerate() {
                let fork = program.len();
                let is_last = place.saturating_add(1) == parts.len();
                if !is_last {
                    push(program, Step::Fork(fork.saturating_add(1), 0))?;
                }
                emit(program, part)?;
                if !is_last {
                    leaving.push(program.len());
                    push(program, Step::Fork(0, 0))?;
                    let next = program.len();
                    if let Some(Step::Fork(_, other)) = program.get_mut(fork) {
                        *other = next;
                    }
                }
            }
            let end = program.len();
            for place in leaving {
                if let Some(step) = program.get_mut(place) {
                    *step = Step::Fork(end, end);
                }
            }
            Ok(())
        }
        Part::Repeated(part, least, most) => {
            for _ in 0..*least {
                let before = program.len();
                emit(program, part)?;
                // Of nothing once is enough, however often it is repeated.
                if program.len() == before {
                    break;
                }
            }
            let Some(most) = most else {
                let fork = program.len();
                push(program, Step::Fork(fork.saturating_add(1), 0))?;
                emit(program, part)?;
                push(program, Step::Fork(fork, fork))?;
                let end = program.len();
                if let Some(Step::Fork(_, other)) = program.get_mut(fork) {
                    *other = end;
                }
                return Ok(());
            };
            let mut forks = Vec::new();
            for _ in *least..*most {
                forks.push(program.len());
                push(program, Step::Fork(program.len().saturating_add(1), 0))?;
                emit(program, part)?;
            }
            let end = program.len();
            for fork in forks {
                if let Some(Step::Fork(_, other)) = program.get_mut(fork) {
                    *other = end;
                }
            }
            Ok(())
        }
    }
}

struct Reader<'s> {
    source: &'s str,
    rest: Peekable<CharIndices<'s>>,
    depth: usize,
}

impl Reader<'_> {
    fn at(&mut self) -> usize {
        self.rest.peek().map_or(self.source.len(), |(at, _)| *at)
    }

    fn takes(&mut self, char: char) -> bool {
        self.rest.next_if(|(_, next)| *next == char).is_some()
    }

    fn choice(&mut self) -> Result<Part, Wrong> {
        let mut parts = vec![self.sequence()?];
        while self.takes('|') {
            parts.push(self.sequence()?);
        }
        Ok(Part::Choice(parts))
    }

    fn sequence(&mut self) -> Result<Part, Wrong> {
        let mut parts = Vec::new();
        while let Some((at, char)) = self.rest.next_if(|(_, char)| !matches!(char, '|' | ')')) {
            let part = self.part(at, char)?;
            parts.push(self.repeated(part)?);
        }
        Ok(Part::Sequence(parts))
    }

    fn part(&mut self, at: usize, char: char) -> Result<Part, Wrong> {
        Ok(match char {
            '^' => Part::Begin,
            '$' => Part::End,
            // All but a line's end.
            '.' => Part::One([(0, 9), (11, 0x10_ffff)].into()),
            '[' => Part::One(self.class(at)?),
            '(' => self.group(at)?,
            '\\' => match self.rest.peek() {
                Some((_, 'A')) => self.take(Part::Begin),
                Some((_, 'z')) => self.take(Part::End),
                _ => Part::One(self.escaped(at)?),
            },
            '*' | '+' | '?' => return Err((at, "a repetition of nothing")),
            '{' | '}' | ']' => {
                return Err((
                    at,
                    "expected a `\\` before a brace or a bracket that stands for itself",
                ));
            }
            _ => Part::One(single(char)),
        })
    }

    fn take(&mut self, part: Part) -> Part {
        self.rest.next();
        part
    }

    fn group(&mut self, at: usize) -> Result<Part, Wrong> {
        if self.takes('?') && !self.takes(':') {
            return Err((at, "flags and names of groups are not part of this subset of RE2"));
        }
        self.depth = self.depth.saturating_add(1);
        if self.depth > MAX_GROUPS {
            return Err((at, "groups are nested too deep"));
        }
        let part = self.choice()?;
        self.depth = self.depth.saturating_sub(1);
        if self.takes(')') { Ok(part) } else { Err((at, "a `(` without a `)`")) }
    }

    fn repeated(&mut self, part: Part) -> Result<Part, Wrong> {
        let at = self.at();
        let (least, most) = match self.rest.peek() {
            Some((_, '*')) => (0, None),
            Some((_, '+')) => (1, None),
            Some((_, '?')) => (0, Some(1)),
            Some((_, '{')) => {
                self.rest.next();
                self.counts(at)?
            }
            _ => return Ok(part),
        };
        self.rest.next();
        // Which of several finds it is does not matter here.
        self.takes('?');
        if matches!(self.rest.peek(), Some((_, '*' | '+' | '?' | '{'))) {
            return Err((at, "a repetition of a repetition: expected a group"));
        }
        if matches!(&part, Part::Begin | Part::End) {
            return Err((at, "a repetition of nothing"));
        }
        Ok(Part::Repeated(Box::new(part), least, most))
    }

    fn number(&mut self) -> Option<u32> {
        let digits = std::iter::from_fn(|| self.rest.next_if(|(_, char)| char.is_ascii_digit()));
        let digits: String = digits.map(|(_, digit)| digit).collect();
        (!digits.is_empty()).then(|| digits.parse().unwrap_or(u32::MAX))
    }

    /// What stands in braces, up to the second.
    fn counts(&mut self, at: usize) -> Result<(u32, Option<u32>), Wrong> {
        let wrong = (at, "expected a repetition such as `{3}`, `{3,}` or `{3,5}`, of at most 200");
        let least = self.number();
        let most = if self.takes(',') { self.number() } else { least };
        let least = least.ok_or(wrong)?;
        let largest = most.unwrap_or(least);
        let is_closed = matches!(self.rest.peek(), Some((_, '}')));
        if is_closed && largest <= MAX_COUNT && least <= largest {
            Ok((least, most))
        } else {
            Err(wrong)
        }
    }

    /// What a `\` and what follows stand for.
    fn escaped(&mut self, at: usize) -> Result<Set, Wrong> {
        let (_, char) = self.rest.next().ok_or((at, "a `\\` before nothing"))?;
        Ok(match char {
            'd' => digits(),
            'D' => others(digits()),
            'w' => word(),
            'W' => others(word()),
            's' => spaces(),
            'S' => others(spaces()),
            'n' => single('\n'),
            'r' => single('\r'),
            't' => single('\t'),
            char if char.is_ascii_punctuation() => single(char),
            _ => return Err((at, "this `\\` is not part of this subset of RE2")),
        })
    }

    /// What stands in brackets.
    fn class(&mut self, at: usize) -> Result<Set, Wrong> {
        let is_negated = self.takes('^');
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        loop {
            let (here, char) = self.rest.next().ok_or((at, "a `[` without a `]`"))?;
            let low = match char {
                ']' if !ranges.is_empty() => break,
                ']' | '[' | '&' | '~' => {
                    return Err((here, "expected a `\\` before this character in brackets"));
                }
                '\\' => self.escaped(here)?,
                char => single(char),
            };
            let is_range = self.takes('-');
            let end = match self.rest.peek() {
                _ if !is_range => {
                    ranges.extend(low.iter().copied());
                    continue;
                }
                // One before the end stands for itself.
                Some((_, ']')) => {
                    ranges.extend(low.iter().chain(&*single('-')).copied());
                    continue;
                }
                Some((_, '\\')) => {
                    self.rest.next();
                    self.escaped(here)?
                }
                _ => single(self.rest.next().ok_or((at, "a `[` without a `]`"))?.1),
            };
            match (&*low, &*end) {
                (&[(low, one)], &[(high, other)]) if low == one && high == other && low <= high => {
                    ranges.push((low, high));
                }
                _ => return Err((here, "a range that has nothing in it")),
            }
        }
        Ok(if is_negated { others(ranges.into()) } else { ranges.into() })
    }
}

fn single(char: char) -> Set {
    [(u32::from(char), u32::from(char))].into()
}

fn digits() -> Set {
    [(0x30, 0x39)].into()
}

fn word() -> Set {
    [(0x30, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7a)].into()
}

fn spaces() -> Set {
    [(0x09, 0x0a), (0x0c, 0x0d), (0x20, 0x20)].into()
}

/// All characters but these.
fn others(set: Set) -> Set {
    let ranges = std::collections::BinaryHeap::from(set.into_vec()).into_sorted_vec();
    let (mut others, mut next) = (Vec::new(), 0);
    for (low, high) in ranges {
        if low > next {
            others.push((next, low.saturating_sub(1)));
        }
        next = next.max(high.saturating_add(1));
    }
    if next <= 0x10_ffff {
        others.push((next, 0x10_ffff));
    }
    others.into()
}
