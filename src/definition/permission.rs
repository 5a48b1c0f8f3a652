//! Which permissions there are: a registered type and one of its words.

use super::check::list;
use super::spec::TypeSpec;
use crate::error::quote;

/// What stands for the type that a definition is offered for.
const TYPE: &str = "{type}";

/// A permission with its type in it.
pub(super) fn resolve(permission: &str, kind: &str) -> String {
    permission.replacen(TYPE, kind, 1)
}

/// Bytes of a permission's word, as of a type.
pub const WORD_LEN_MAX: usize = 63;

/// Whether a word can be one: no points and no asterisk, which mean something in a permission. A type may hold points.
pub(crate) fn is_word(word: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    matches!(word.len(), 1..=WORD_LEN_MAX) && word.bytes().all(is_allowed)
}

/// Why a permission with its type in it is none: nobody could ever be given it.
pub(super) fn problem(permission: &str, types: &[TypeSpec]) -> Option<String> {
    let Some((kind, word)) = permission.rsplit_once('.') else {
        return Some("write it as `TYPE.WORD`, such as `article.change`".to_owned());
    };
    let Some(spec) = types.iter().find(|spec| spec.kind() == kind) else {
        let known = list(types.iter().map(TypeSpec::kind));
        return Some(format!("{} is no registered type; there are {known}", quote(kind)));
    };
    if spec.words().any(|known| known == word) {
        return None;
    }
    let (word, known) = (quote(word), list(spec.words()));
    Some(format!(
        "{word} is no word of `{kind}`; there are {known}; add one with `TypeSpec::permission`"
    ))
}
