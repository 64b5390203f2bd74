//! Which known name somebody probably meant.

/// The most characters of a word that are compared; longer words have no nearest name.
pub const MAX_WORD: usize = 64;

/// The candidate nearest to `word`, if any is near: at most about a third of the letters missing,
/// superfluous, different or swapped with their neighbour. Case does not count.
///
/// Of two equally near the first is taken. The time is linear in the number of candidates.
pub fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a (impl AsRef<str> + ?Sized + 'a)>,
) -> Option<&'a str> {
    let word = letters(word)?;
    // One more than allowed: each candidate must beat the best so far.
    let mut limit = word.len().saturating_add(1) / 3 + 1;
    let mut best = None;
    for candidate in candidates {
        let name = candidate.as_ref();
        let Some(other) = letters(name) else { continue };
        if word.len().abs_diff(other.len()) >= limit {
            continue;
        }
        let distance = distance(&word, &other);
        if distance < limit {
            limit = distance;
            best = Some(name);
        }
        if distance == 0 {
            break;
        }
    }
    best
}

fn letters(word: &str) -> Option<Vec<char>> {
    let letters: Vec<char> =
        word.chars().take(MAX_WORD + 1).flat_map(char::to_lowercase).take(MAX_WORD + 1).collect();
    (letters.len() <= MAX_WORD).then_some(letters)
}

/// Edits between two words, a swap of neighbours being one: optimal string alignment.
fn distance(a: &[char], b: &[char]) -> usize {
    let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX);
    let mut two_above: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut before_x = None;
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        let mut before_y = None;
        for (j, y) in b.iter().enumerate() {
            let replaced = at(&above, j).saturating_add(usize::from(x != y));
            let removed = at(&above, j + 1).saturating_add(1);
            let inserted = at(&row, j).saturating_add(1);
            let swapped = if before_x == Some(y) && before_y == Some(x) {
                at(&two_above, j.saturating_sub(1)).saturating_add(1)
            } else {
                usize::MAX
            };
            row.push(replaced.min(removed).min(inserted).min(swapped));
            before_y = Some(y);
        }
        before_x = Some(x);
        two_above = std::mem::replace(&mut above, row);
    }
    at(&above, b.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn edits(a: &str, b: &str) -> usize {
        distance(&letters(a).unwrap(), &letters(b).unwrap())
    }

    #[test]
    fn edits_are_letters_missing_superfluous_different_or_swapped() {
        for (a, b, count) in [
            ("", "", 0),
            ("", "abc", 3),
            ("read", "rad", 1),
            ("read", "reads", 1),
            ("read", "road", 1),
            ("read", "raed", 1),
            ("kitten", "sitting", 3),
            ("ca", "abc", 3),
        ] {
            assert_eq!(edits(a, b), count, "{a} {b}");
        }
    }

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not_named() {
        let names = ["contacts:read", "contacts:write", "deals:read"];
        assert_eq!(nearest("contacts:raed", names), Some("contacts:read"));
        assert_eq!(nearest("Contacts:Write", names), Some("contacts:write"));
        assert_eq!(nearest("exports", names), None);
        assert_eq!(nearest("ab", ["cd"]), None);
        assert_eq!(nearest("nmae", ["path", "name"]), Some("name"));
        assert_eq!(nearest("x", Vec::<&str>::new()), None);
    }

    #[test]
    fn overlong_words_are_not_compared_at_all() {
        let long = "a".repeat(1_000_000);
        assert_eq!(nearest(&long, [long.as_str()]), None);
        assert_eq!(nearest("a", [long.as_str(), "a"]), Some("a"));
    }

    #[test]
    fn ten_thousand_names_are_searched() {
        let names: Vec<String> = (0..10_000).map(|i| format!("permission-{i:05}:read")).collect();
        assert_eq!(nearest("permission-09999:raed", &names), Some("permission-09999:read"));
    }

    proptest! {
        #[test]
        fn distance_is_symmetric_and_at_most_the_longer_word(a in "[a-d]{0,9}", b in "[a-d]{0,9}") {
            prop_assert_eq!(edits(&a, &b), edits(&b, &a));
            prop_assert!(edits(&a, &b) <= a.len().max(b.len()));
            prop_assert_eq!(edits(&a, &b) == 0, a == b);
        }
    }
}
