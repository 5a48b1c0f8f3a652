//! What definitions are called, with what their types are called.

/// A label with the names of a type in it; or what stands in braces and is neither `name` nor `plural`.
pub(super) fn fill(template: &str, name: &str, plural: &str) -> Result<String, String> {
    let mut parts = template.split('{');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (field, rest) = part.split_once('}').ok_or_else(|| part.to_owned())?;
        text.push_str(match field {
            "name" => name,
            "plural" => plural,
            _ => return Err(field.to_owned()),
        });
        text.push_str(rest);
    }
    Ok(text)
}

/// The label of what has none: `make_published` is `Make published`.
pub(super) fn from_name(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The text for a number: one for 1, the other for all else, with the number in groups of three digits where `{count}`
/// stands.
///
/// ```
/// use gesta::definition::by_count;
/// let told = |count| by_count(count, "1 story was published.", "{count} stories were published.");
/// assert_eq!(told(1), "1 story was published.");
/// assert_eq!(told(12_000), "12,000 stories were published.");
/// ```
#[must_use]
pub fn by_count(count: u64, one: &str, many: &str) -> String {
    let text = if count == 1 { one } else { many };
    text.replace("{count}", &grouped(count))
}

/// A number with a comma before each three digits from the end.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let comma = |at: usize| at > 0 && (digits.len() - at).is_multiple_of(3);
    let each =
        digits.char_indices().flat_map(|(at, digit)| [comma(at).then_some(','), Some(digit)]);
    each.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_type_stand_where_the_label_says() {
        let filled = |label: &str| fill(label, "news story", "news stories");
        assert_eq!(filled("Delete selected {plural}"), Ok("Delete selected news stories".into()));
        assert_eq!(
            filled("{name}: {name} of {plural}}"),
            Ok("news story: news story of news stories}".into())
        );
        assert_eq!(fill("Close {name}", "{plural}", "x"), Ok("Close {plural}".into()));
        for (label, wrong) in [("Close {nam}", "nam"), ("{}", ""), ("Close {name", "name")] {
            assert_eq!(filled(label), Err(wrong.to_owned()));
        }
    }

    #[test]
    fn label_that_was_not_given_is_made_of_the_name() {
        for (name, label) in
            [("make_published", "Make published"), ("éteindre", "Éteindre"), ("", "")]
        {
            assert_eq!(from_name(name), label);
        }
    }

    #[test]
    fn texts_go_by_the_count() {
        let told = |count| by_count(count, "1 story was", "{count} stories were");
        assert_eq!(
            [told(0), told(1), told(2)],
            ["0 stories were", "1 story was", "2 stories were"]
        );
        assert_eq!(told(1_234_567), "1,234,567 stories were");
        assert_eq!(
            (told(100), told(1000)),
            ("100 stories were".into(), "1,000 stories were".into())
        );
    }
}
