//! Headers that say something of a request: its id, its trace, the program that sent it. All of them are somebody's input.

use http::header::USER_AGENT;
use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Builder;

/// Characters of a request id: a UUID has 36, the ids of common proxies up to 100.
pub const REQUEST_ID_LEN_MAX: usize = 128;
/// Bytes of a user agent; browsers send up to 250, and a longer one is cut.
pub const USER_AGENT_LEN_MAX: usize = 512;
/// Bytes of a `traceparent` of version 00, and of the part of later ones that is known (W3C Trace Context, section 3.2.4).
const TRACE_LEN: usize = 55;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

/// The only value of a header; none where it is there twice, of which each could be somebody else's.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

/// The id that the request came with, or a new one. None only where the system has no random bytes to give.
pub(super) fn request_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let given = only(headers, &REQUEST_ID).filter(|given| is_request_id(given.as_bytes()));
    given.cloned().or_else(|| {
        let mut random = [0; 16];
        getrandom::fill(&mut random).ok()?;
        let id = Builder::from_random_bytes(random).into_uuid().to_string();
        HeaderValue::try_from(id).ok()
    })
}

/// Whether it can stand in a log line, an URL and a search box as it is.
fn is_request_id(given: &[u8]) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:+/=@".contains(byte);
    (1..=REQUEST_ID_LEN_MAX).contains(&given.len()) && given.iter().all(is_allowed)
}

/// The program, cut between two characters. Bytes that are no UTF-8 become `U+FFFD`.
pub(super) fn user_agent(headers: &HeaderMap) -> Option<String> {
    let given = headers.get(USER_AGENT)?.as_bytes();
    let given = &given[..given.len().min(USER_AGENT_LEN_MAX)];
    let mut agent = String::from_utf8_lossy(given).into_owned();
    agent.truncate(agent.floor_char_boundary(USER_AGENT_LEN_MAX));
    (!agent.is_empty()).then_some(agent)
}

/// The trace, where it is valid.
pub(super) fn trace(headers: &HeaderMap) -> Option<&str> {
    let text = only(headers, &TRACE_PARENT)?.to_str().ok()?;
    let known = text.get(..TRACE_LEN)?;
    let goes_on = &text[TRACE_LEN..];
    let fields: Vec<&str> = known.split('-').collect();
    let &[version, trace, parent, flags] = fields.as_slice() else { return None };
    let is_hex = |text: &str, len| {
        text.len() == len && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_zero = |text: &str| text.bytes().all(|byte| byte == b'0');
    let is_version = is_hex(version, 2)
        && match version {
            "ff" => false,
            "00" => goes_on.is_empty(),
            _ => goes_on.is_empty() || goes_on.starts_with('-'),
        };
    let is_trace = is_hex(trace, 32) && !is_zero(trace);
    let is_parent = is_hex(parent, 16) && !is_zero(parent);
    (is_version && is_trace && is_parent && is_hex(flags, 2)).then_some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&HeaderName, &[u8])]) -> HeaderMap {
        let value = |bytes: &[u8]| HeaderValue::from_bytes(bytes).expect("a value");
        pairs.iter().map(|(name, bytes)| ((*name).clone(), value(bytes))).collect()
    }

    #[test]
    fn traces_are_those_of_the_specification() {
        let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let found =
            |text: &str| trace(&headers(&[(&TRACE_PARENT, text.as_bytes())])).map(str::to_owned);
        assert_eq!(found(valid).as_deref(), Some(valid));
        let later = valid.replacen("00", "cc", 1);
        assert_eq!(found(&later).as_ref(), Some(&later));
        assert_eq!(found(&format!("{later}-what-comes-later")), Some(later.clone()));
        for wrong in [
            "",
            "00",
            &valid.to_uppercase(),
            &format!("{valid}-01"),
            &format!("{later}.x"),
            &valid.replacen("00", "ff", 1),
            &valid.replace('-', "_"),
            &valid.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &valid.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &valid.replace("4bf9", "4bg9"),
            &valid[..54],
        ] {
            assert_eq!(found(wrong), None, "{wrong}");
        }
        let twice =
            headers(&[(&TRACE_PARENT, valid.as_bytes()), (&TRACE_PARENT, valid.as_bytes())]);
        assert_eq!(trace(&twice), None);
    }

    #[test]
    fn request_ids_are_taken_where_they_are_short_and_harmless() {
        let taken = |given: &[u8]| {
            let id = request_id(&headers(&[(&REQUEST_ID, given)])).expect("an id");
            id.as_bytes() == given
        };
        assert!(taken(b"7f3a") && taken(b"Root=1-67891233-abcdef012345678912345678"));
        assert!(taken(&[b'x'; REQUEST_ID_LEN_MAX]) && !taken(&[b'x'; REQUEST_ID_LEN_MAX + 1]));
        for wrong in [&b""[..], b"a b", b"<b>", b"\xff\xfe", b"a\tb", "é".as_bytes()] {
            assert!(!taken(wrong), "{wrong:?}");
        }
        let made = [0; 2].map(|_| request_id(&HeaderMap::new()).expect("an id"));
        assert!(made[0] != made[1], "each request has its own");
        let made = uuid::Uuid::try_parse_ascii(made[0].as_bytes()).expect("a UUID");
        assert_eq!(made.get_version_num(), 4);
    }

    #[test]
    fn user_agents_are_cut_between_characters_and_become_utf_8() {
        let agent = |given: &[u8]| user_agent(&headers(&[(&USER_AGENT, given)]));
        assert_eq!(agent(b"curl/8").as_deref(), Some("curl/8"));
        assert_eq!((agent(b""), user_agent(&HeaderMap::new())), (None, None));
        assert_eq!(agent(b"a\xffb").as_deref(), Some("a\u{fffd}b"));
        for hostile in ["x".repeat(8192), "é".repeat(4096), "x".to_owned() + &"日".repeat(2000)] {
            let cut = agent(hostile.as_bytes()).expect("an agent");
            assert!(cut.len() <= USER_AGENT_LEN_MAX && cut.len() > USER_AGENT_LEN_MAX - 4);
        }
        let garbage = agent(&[0xff; 8192]).expect("an agent");
        assert!(garbage.len() <= USER_AGENT_LEN_MAX);
    }
}
