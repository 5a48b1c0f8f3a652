//! "Did you mean …": the known word that is nearest to a wrong one.

/// How alike two words must be, from 0 to 1 (Jaro-Winkler): `limti` and `limit` are, `cursor` and `count` are not.
const LIKENESS_MIN: f64 = 0.8;
/// Bytes of a word that is compared: the work grows with both lengths.
const WORD_LEN_MAX: usize = 64;

/// The known word that was probably meant.
pub(super) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    if given.len() > WORD_LEN_MAX {
        return None;
    }
    let given = given.to_lowercase();
    let likeness = |word: &str| strsim::jaro_winkler(&given, word);
    let nearest = known.into_iter().map(|word| (likeness(word), word));
    let (likeness, word) = nearest.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (likeness >= LIKENESS_MIN).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_understood_and_other_words_are_not() {
        let known = ["atomic", "limit", "cursor"];
        for (given, meant) in
            [("limti", "limit"), ("LIMIT", "limit"), ("atomc", "atomic"), ("curser", "cursor")]
        {
            assert_eq!(nearest(given, known).as_deref(), Some(meant));
        }
        for given in ["", "x", "verb", "count", &"limit".repeat(100_000)] {
            assert_eq!(nearest(given, known), None);
        }
    }
}
