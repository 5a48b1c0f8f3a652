//! JSON text without white space between its tokens; numbers and strings stay as they are written.

use std::borrow::Cow;

/// The text without white space outside of its strings.
pub(super) fn compact(json: &str) -> Cow<'_, str> {
    if !json.bytes().any(|byte| byte.is_ascii_whitespace()) {
        return json.into();
    }
    let (mut inside, mut escaped) = (false, false);
    let kept = json.chars().filter(|&c| {
        let string = inside;
        match c {
            '"' if !escaped => inside = !inside,
            _ => {}
        }
        escaped = string && c == '\\' && !escaped;
        string || !c.is_ascii_whitespace()
    });
    kept.collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_white_space_between_tokens_goes() {
        let json = "{ \"a b\\\" c\\\\\" :\r\n [1.10 ,\t\"\\\\ \"] }";
        assert_eq!(compact(json), "{\"a b\\\" c\\\\\":[1.10,\"\\\\ \"]}");
    }

    proptest! {
        #[test]
        fn value_stays_the_same(key: String, text: String) {
            let value = serde_json::json!({ key: [text, 1, null, { "x": true }] });
            let pretty = serde_json::to_string_pretty(&value).expect("JSON");
            prop_assert_eq!(compact(&pretty), value.to_string());
        }
    }
}
