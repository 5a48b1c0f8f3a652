//! Which field of a JSON object a byte stands in, also where the text after it is broken.

/// Levels that a path shows: `actor.id`. Deeper ones are the payload's own.
const DEPTH_MAX: usize = 2;

/// The keys that lead to a byte of an object's text, such as `actor.id`; nothing outside of any field. Works on what
/// comes before the byte, so what follows may be broken, cut off, or no UTF-8.
pub(super) fn field_at(text: &[u8], offset: usize) -> Option<String> {
    let mut path: Vec<String> = Vec::new();
    let mut scan = Scan { text: &text[..offset.min(text.len())], at: 0 };
    // One entry a level: whether a key comes next. Arrays count as levels that have no keys.
    let mut levels: Vec<Level> = Vec::new();
    while let Some(byte) = scan.next() {
        match byte {
            b'{' => levels.push(Level::Key),
            b'[' => levels.push(Level::Array),
            b'}' | b']' => {
                levels.pop();
                path.truncate(levels.len());
            }
            b',' => {
                if let Some(level @ Level::Value) = levels.last_mut() {
                    *level = Level::Key;
                }
            }
            b'"' => {
                let string = scan.string();
                let depth = levels.len();
                if let Some(level @ Level::Key) = levels.last_mut() {
                    *level = Level::Value;
                    path.truncate(depth - 1);
                    if path.len() == depth - 1 {
                        path.push(string);
                    }
                }
            }
            _ => {}
        }
    }
    path.truncate(DEPTH_MAX);
    (!path.is_empty()).then(|| path.join("."))
}

enum Level {
    Key,
    Value,
    Array,
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn next(&mut self) -> Option<u8> {
        let byte = self.text.get(self.at).copied();
        self.at += 1;
        byte
    }

    /// The rest of a string after its first quote, as it is written, up to its end or the text's.
    fn string(&mut self) -> String {
        let start = self.at.min(self.text.len());
        let mut end = self.text.len();
        while let Some(byte) = self.next() {
            match byte {
                b'\\' => self.at += 1,
                b'"' => {
                    end = self.at - 1;
                    break;
                }
                _ => {}
            }
        }
        let cut = end.min(start + 64).max(start);
        String::from_utf8_lossy(&self.text[start..cut]).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_leads_to_the_byte() {
        let text =
            br#"{"actor":{"type":"user","id":"1\"}"},"data":{"a":[1,{"b":2}],"c":"x"},"verb":"#;
        let at = |needle: &str| {
            let text = std::str::from_utf8(text).expect("text");
            let found = text.find(needle).expect(needle) + needle.len();
            field_at(text.as_bytes(), found)
        };
        assert_eq!(at(r#"{"type":"us"#).as_deref(), Some("actor.type"));
        assert_eq!(at(r#""id":"1\""#).as_deref(), Some("actor.id"));
        assert_eq!(at(r#""a":[1,"#).as_deref(), Some("data.a"));
        assert_eq!(at(r#"{"b":2"#).as_deref(), Some("data.a"));
        assert_eq!(at(r#""c":"x"#).as_deref(), Some("data.c"));
        assert_eq!(at(r#""verb":"#).as_deref(), Some("verb"));
        assert_eq!(field_at(b"[[[[", 4), None);
        assert_eq!(field_at(&b"{".repeat(100_000), 99_999), None);
        assert_eq!(field_at(b"}}]],,\"\\", 99), None);
    }
}
