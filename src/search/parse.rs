//! Text to tree, by recursive descent. Only parentheses recurse, and there are few of them.
//!
//! After a problem it goes on behind the term that has it, so that one look shows all problems of a text.

use super::error::{Code, PROBLEMS_MAX, ParseError, Problem, Span};
use super::key::{Key, Kind};
use super::query::{Node, Op, Term, Text, Value};
use super::value::{self, Wrong};

/// Bytes of a text: what still fits into a URL.
pub const TEXT_LEN_MAX: usize = 4096;
/// Parentheses inside of parentheses: the tree is walked by recursion.
pub const DEPTH_MAX: usize = 32;
/// Terms of a search: each is looked at for every row.
pub const TERMS_MAX: usize = 64;
/// Values of a term.
pub const LIST_LEN_MAX: usize = 100;

pub(super) fn parse(text: &str) -> Result<Node, ParseError> {
    let mut parser = Parser { text, at: 0, depth: 0, terms: 0, problems: Vec::new() };
    let root = parser.whole();
    if parser.problems.is_empty() {
        Ok(root)
    } else {
        Err(ParseError { problems: parser.problems })
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    terms: usize,
    problems: Vec<Problem>,
}

/// A value as it is written.
struct Raw {
    text: String,
    start: usize,
    end: usize,
    is_quoted: bool,
    has_star: bool,
}

impl Raw {
    fn is_missing(&self) -> bool {
        self.text.is_empty() && !self.is_quoted
    }
}

impl<'a> Parser<'a> {
    fn whole(&mut self) -> Node {
        if self.text.len() > TEXT_LEN_MAX {
            let detail = format!(
                "the search has {} bytes; at most {TEXT_LEN_MAX} are taken",
                self.text.len()
            );
            self.problem(TEXT_LEN_MAX, self.text.len(), Code::TooLarge, detail);
            return nothing();
        }
        if let Some(at) = self.text.find('\0') {
            self.problem(at, at + 1, Code::BadCharacter, "no action holds the character `\\u{0}`");
            return nothing();
        }
        self.space();
        if self.rest().is_empty() {
            return nothing();
        }
        let mut node = self.or();
        while self.rest().starts_with(')') {
            let at = self.at;
            self.problem(at, at + 1, Code::Unbalanced, "`)` without a `(` before it");
            self.at += 1;
            self.space();
            if !self.rest().is_empty() {
                node = self.or();
            }
        }
        node
    }

    fn or(&mut self) -> Node {
        let mut parts = vec![self.and()];
        while self.take_word("OR") {
            parts.push(self.and());
        }
        one_or(parts, Node::Or)
    }

    fn and(&mut self) -> Node {
        let (start, mut parts, mut is_due) = (self.at, Vec::new(), true);
        loop {
            self.space();
            if self.rest().is_empty() || self.rest().starts_with(')') || self.is_word("OR") {
                break;
            }
            if !is_due && self.take_word("AND") {
                is_due = true;
                continue;
            }
            parts.extend(self.not());
            is_due = false;
        }
        if is_due && self.problems.is_empty() {
            let (at, end) =
                (self.at, self.at + self.rest().chars().next().map_or(0, char::len_utf8));
            let start = if at < self.text.len() { at } else { start.min(at) };
            self.problem(start, end, Code::MissingTerm, "something to look for is missing here");
        }
        one_or(parts, Node::And)
    }

    fn not(&mut self) -> Option<Node> {
        let mut is_not = false;
        loop {
            let goes_on = |rest: &str| rest.starts_with(|c: char| !c.is_whitespace() && c != ')');
            if self.rest().strip_prefix('-').is_some_and(goes_on) {
                self.at += 1;
            } else if !self.take_word("NOT") {
                break;
            }
            is_not = !is_not;
        }
        let node = self.atom()?;
        Some(if is_not { negated(node) } else { node })
    }

    fn atom(&mut self) -> Option<Node> {
        self.space();
        let start = self.at;
        if self.rest().is_empty()
            || self.rest().starts_with(')')
            || self.is_word("OR")
            || self.is_word("AND")
        {
            self.problem(start, start, Code::MissingTerm, "something to look for is missing here");
            // A word that is no term would be met for ever.
            let _ = self.take_word("AND");
            return None;
        }
        if self.rest().starts_with('(') {
            return self.group();
        }
        self.terms += 1;
        if self.terms > TERMS_MAX {
            let detail = format!("more than {TERMS_MAX} terms");
            self.stop(start, Code::TooLarge, detail);
            return None;
        }
        let word = self.text[start..].find(|c: char| c.is_whitespace() || "()\":".contains(c));
        let end = word.map_or(self.text.len(), |len| start + len);
        if end > start && self.text[end..].starts_with(':') {
            self.at = end + 1;
            return self.term(start, end);
        }
        self.phrase()
    }

    fn group(&mut self) -> Option<Node> {
        let start = self.at;
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let detail = format!("more than {DEPTH_MAX} parentheses inside of each other");
            self.stop(start, Code::TooLarge, detail);
            return None;
        }
        self.at += 1;
        let node = self.or();
        self.depth -= 1;
        if self.rest().starts_with(')') {
            self.at += 1;
        } else {
            self.problem(start, start + 1, Code::Unbalanced, "`(` without a `)` behind it");
        }
        Some(node)
    }

    /// A text in quotes, or a word.
    fn phrase(&mut self) -> Option<Node> {
        let start = self.at;
        let text = if self.rest().starts_with('"') {
            self.quoted()
        } else {
            let end = self.rest().find(|c: char| c.is_whitespace() || "()\"".contains(c));
            let word = &self.rest()[..end.unwrap_or(self.rest().len())];
            self.at += word.len();
            if word.contains('*') {
                self.problem(start, self.at, Code::BadValue, STAR);
                return None;
            }
            word.to_owned()
        };
        if text.is_empty() {
            self.problem(
                start,
                self.at,
                Code::BadValue,
                "an empty text is everywhere; leave it out",
            );
            return None;
        }
        Some(Node::Text(Text { text, span: self.span(start) }))
    }

    /// What stands behind a key.
    fn term(&mut self, start: usize, end: usize) -> Option<Node> {
        let key = Key::parse(&self.text[start..end]);
        let kind = key.as_ref().map_or(Kind::Text, Key::kind);
        let op = value::op(self.rest());
        self.at += op.map_or(0, |(_, len)| len);
        let value_start = self.at;
        let first = self.raw(kind);
        let upper = (kind.is_ordered() && self.take("..")).then(|| self.raw(kind));
        let mut list = vec![first];
        while upper.is_none() && self.take(",") {
            list.push(self.raw(kind));
        }
        let key = match key {
            Ok(key) => key,
            Err(unknown) => {
                self.push(start, end, Code::UnknownKey, unknown.detail, unknown.suggestion);
                return None;
            }
        };
        let (op, is_compared) = op.map_or((None, false), |(op, _)| (op, true));
        if op.is_some() && (!kind.is_ordered() || list.len() > 1 || upper.is_some())
            || is_compared && upper.is_some()
        {
            let detail = format!("`{key}` cannot be compared so; give {}", allowed(kind));
            self.problem(end + 1, self.at, Code::BadOperator, detail);
            return None;
        }
        if list.len() > LIST_LEN_MAX {
            let detail =
                format!("a list of {} values; at most {LIST_LEN_MAX} are taken", list.len());
            self.problem(value_start, self.at, Code::TooLarge, detail);
            return None;
        }
        if let [only] = list.as_slice()
            && upper.is_none()
            && !is_compared
            && (only.text == "*" && !only.is_quoted || only.text.is_empty() && only.is_quoted)
        {
            let is_absent = only.is_quoted;
            let value = value::present(&key);
            let node = Node::Term(Term { key, value, span: self.span(start) });
            return Some(if is_absent { negated(node) } else { node });
        }
        let value = match (op, upper) {
            // A range that is open at one end: `a..` and `..b`.
            (_, Some(upper)) if upper.is_missing() && !list[0].is_missing() => {
                Value::Compare(Op::GreaterOrEqual, self.scalar(&key, list.pop()?)?)
            }
            (_, Some(upper)) if list[0].is_missing() && !upper.is_missing() => {
                Value::Compare(Op::LessOrEqual, self.scalar(&key, upper)?)
            }
            (_, Some(upper)) => {
                let from = self.scalar(&key, list.pop()?)?;
                Value::Range(from, self.scalar(&key, upper)?)
            }
            (Some(op), None) => Value::Compare(op, self.scalar(&key, list.pop()?)?),
            (None, None) => {
                let mut scalars = Vec::with_capacity(list.len());
                for raw in list {
                    scalars.push(self.scalar(&key, raw)?);
                }
                Value::Is(scalars)
            }
        };
        let value = self.wrong(value::check(&key, value), start, self.at)?;
        let node = Node::Term(Term { key, value, span: self.span(start) });
        Some(if is_compared && op.is_none() { negated(node) } else { node })
    }

    fn scalar(&mut self, key: &Key, raw: Raw) -> Option<super::query::Scalar> {
        let (start, end) = (raw.start, raw.end);
        if raw.is_missing() {
            let detail = format!(
                "a value is missing; without a space, `{key}:\"\"` means that there is none, `{key}:*` that there is any"
            );
            self.problem(start, end, Code::MissingValue, detail);
            return None;
        }
        let is_category = key.kind() == Kind::Verb
            && raw.text.find('*').is_some_and(|at| at + 1 == raw.text.len());
        if raw.has_star && !(is_category && raw.text.ends_with(".*")) {
            self.problem(start, end, Code::BadValue, STAR);
            return None;
        }
        self.wrong(value::scalar(key, raw.text), start, end)
    }

    fn wrong<T>(&mut self, result: Result<T, Wrong>, start: usize, end: usize) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.push(start, end, wrong.code, wrong.detail, wrong.suggestion);
                None
            }
        }
    }

    /// A value: bare and quoted pieces without a space between them, such as `user:"Ann Lee"`.
    fn raw(&mut self, kind: Kind) -> Raw {
        let start = self.at;
        let mut raw =
            Raw { text: String::new(), start, end: start, is_quoted: false, has_star: false };
        while let Some(c) = self.rest().chars().next() {
            if c == '"' {
                raw.is_quoted = true;
                raw.text.push_str(&self.quoted());
                continue;
            }
            let is_end = c.is_whitespace() || "(),".contains(c);
            if is_end || kind.is_ordered() && self.rest().starts_with("..") {
                break;
            }
            raw.has_star |= c == '*';
            raw.text.push(c);
            self.at += c.len_utf8();
        }
        raw.end = self.at;
        raw
    }

    /// Up to the other quotation mark. A backslash takes itself and a quotation mark as they are, and is one elsewhere.
    fn quoted(&mut self) -> String {
        let start = self.at;
        let mut text = String::new();
        let mut chars = self.text[start + 1..].char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if c == '"' {
                self.at = start + 1 + at + 1;
                return text;
            }
            let escaped = chars.next_if(|&(_, next)| c == '\\' && matches!(next, '"' | '\\'));
            text.push(escaped.map_or(c, |(_, next)| next));
        }
        self.at = self.text.len();
        self.problem(start, start + 1, Code::Unbalanced, "`\"` without another one behind it");
        text
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn take(&mut self, sign: &str) -> bool {
        let is_there = self.rest().starts_with(sign);
        self.at += if is_there { sign.len() } else { 0 };
        is_there
    }

    /// Whether a word comes next, whole and in capitals.
    fn is_word(&self, word: &str) -> bool {
        let behind = self.rest().strip_prefix(word);
        behind.is_some_and(|rest| {
            rest.chars().next().is_none_or(|c| c.is_whitespace() || "()\"".contains(c))
        })
    }

    fn take_word(&mut self, word: &str) -> bool {
        self.space();
        let is_there = self.is_word(word);
        self.at += if is_there { word.len() } else { 0 };
        self.space();
        is_there
    }

    fn span(&self, start: usize) -> Span {
        Span { offset: start, len: self.at - start }
    }

    /// Nothing behind this is looked at.
    fn stop(&mut self, start: usize, code: Code, detail: String) {
        self.problem(start, self.text.len(), code, detail);
        self.at = self.text.len();
    }

    fn problem(&mut self, start: usize, end: usize, code: Code, detail: impl Into<String>) {
        self.push(start, end, code, detail.into(), None);
    }

    fn push(
        &mut self,
        start: usize,
        end: usize,
        code: Code,
        detail: String,
        suggestion: Option<String>,
    ) {
        let span = Span { offset: start, len: end - start };
        self.problems.push(Problem { span, code, detail, suggestion });
        if self.problems.len() >= PROBLEMS_MAX {
            self.at = self.text.len();
        }
    }
}

const STAR: &str = "`*` stands only alone, as in `changed:*`; a text is found wherever it is, and one with a star stands in quotes";

fn allowed(kind: Kind) -> &'static str {
    if kind.is_ordered() {
        "one value behind `>`, `>=`, `<` or `<=`, a range `a..b`, or a list"
    } else {
        "a value or a list, or `!=` before it"
    }
}

fn nothing() -> Node {
    Node::And(Vec::new())
}

fn one_or(mut parts: Vec<Node>, many: fn(Vec<Node>) -> Node) -> Node {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            many(parts)
        }
    }
}

fn negated(node: Node) -> Node {
    match node {
        Node::Not(inner) => *inner,
        node => Node::Not(Box::new(node)),
    }
}

#[cfg(test)]
mod tests;
