//! Actions in the binary format of COPY (PostgreSQL, "COPY", section "Binary Format").

use bytes::{BufMut, Bytes, BytesMut};
use chrono::{DateTime, Utc};

use super::rows::names;
use crate::action::{ActionId, NewAction};
use crate::json::Json;
use crate::resource::Named;

/// Columns of a row, in the order of the COPY statements.
const COLUMNS: i16 = 19;
/// Signature, flags and length of the extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// The number of columns that no row has.
const TRAILER: &[u8] = b"\xff\xff";
/// Microseconds from 1970 to 2000, where PostgreSQL begins to count.
const EPOCH: i64 = 946_684_800_000_000;
/// The type `text`, as the type of an array's elements.
const TEXT_OID: u32 = 25;
/// Bytes of one message of COPY. The server reads each as a whole.
const MESSAGE_LEN: usize = 1 << 16;

/// Rows under construction.
#[derive(Default)]
pub(crate) struct Encoder {
    bytes: BytesMut,
    ends: Vec<usize>,
}

/// Rows, encoded back to back.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    bytes: Bytes,
    ends: Vec<usize>,
}

impl Encoder {
    /// Adds a row. The action was checked, so every part has a length that its column takes.
    pub(crate) fn push(&mut self, id: ActionId, time: DateTime<Utc>, action: &NewAction) {
        let out = &mut self.bytes;
        out.put_i16(COLUMNS);
        text(out, action.tenant.as_str());
        value(out, id.uuid().as_bytes());
        party(out, Some(&action.actor));
        text(out, &action.verb);
        party(out, action.object.as_ref());
        party(out, action.target.as_ref());
        value(out, &(time.timestamp_micros() - EPOCH).to_be_bytes());
        optional(out, action.run.as_ref(), |out, run| value(out, run.as_bytes()));
        text(out, action.source.as_str());
        text(out, action.outcome.as_str());
        optional(out, action.description.as_deref(), text);
        optional(out, action.changes.as_ref(), json);
        optional(out, action.data.as_ref(), json);
        optional(out, names(action).as_ref(), json);
        optional(out, action.context.as_ref(), json);
        labels(out, &action.audience.0);
        self.ends.push(self.bytes.len());
    }

    /// Bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The rows so far; the next ones start anew.
    pub(crate) fn take(&mut self) -> Rows {
        Rows { bytes: self.bytes.split().freeze(), ends: std::mem::take(&mut self.ends) }
    }
}

impl Rows {
    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The messages that copy some of the rows. Nothing is copied in memory but the ends.
    pub(crate) fn messages(&self, rows: &std::ops::Range<usize>) -> impl Iterator<Item = Bytes> {
        let start = self.start(rows.start);
        let bytes = self.bytes.slice(start..self.start(rows.end));
        let pieces = (0..bytes.len()).step_by(MESSAGE_LEN).map({
            let bytes = bytes.clone();
            move |at| bytes.slice(at..bytes.len().min(at + MESSAGE_LEN))
        });
        let first = std::iter::once(Bytes::from_static(HEADER));
        first.chain(pieces).chain(std::iter::once(Bytes::from_static(TRAILER)))
    }

    /// The id of a row: its second column, after the count and the tenant, each with its length in front.
    pub(crate) fn id(&self, row: usize) -> Option<ActionId> {
        let row = self.bytes.get(self.start(row)..)?;
        let tenant = usize::try_from(u32::from_be_bytes(row.get(2..6)?.try_into().ok()?)).ok()?;
        let id = row.get(6 + tenant + 4..6 + tenant + 20)?;
        ActionId::try_from(uuid::Uuid::from_slice(id).ok()?).ok()
    }

    fn start(&self, row: usize) -> usize {
        row.checked_sub(1).and_then(|last| self.ends.get(last)).copied().unwrap_or(0)
    }
}

fn length(out: &mut BytesMut, len: usize) {
    // What `NewAction::check` lets through has far less than 2 GiB.
    out.put_i32(i32::try_from(len).unwrap_or(i32::MAX));
}

fn value(out: &mut BytesMut, bytes: &[u8]) {
    length(out, bytes.len());
    out.put_slice(bytes);
}

fn text(out: &mut BytesMut, text: &str) {
    value(out, text.as_bytes());
}

/// The version of the format, then the text.
fn json(out: &mut BytesMut, json: &Json) {
    length(out, 1 + json.get().len());
    out.put_u8(1);
    out.put_slice(json.get().as_bytes());
}

fn optional<T: ?Sized>(out: &mut BytesMut, given: Option<&T>, put: impl Fn(&mut BytesMut, &T)) {
    match given {
        Some(given) => put(out, given),
        None => out.put_i32(-1),
    }
}

/// Type and id.
fn party(out: &mut BytesMut, named: Option<&Named>) {
    optional(out, named.map(|named| named.resource.kind.as_str()), text);
    optional(out, named.map(|named| named.resource.id.as_str()), text);
}

/// An array of texts: dimensions, no nulls, type; of its one dimension length and lower bound; elements.
fn labels(out: &mut BytesMut, labels: &[String]) {
    let elements: usize = labels.iter().map(|label| 4 + label.len()).sum();
    let dimensions = usize::from(!labels.is_empty());
    length(out, 12 + 8 * dimensions + elements);
    length(out, dimensions);
    out.put_i32(0);
    out.put_u32(TEXT_OID);
    if !labels.is_empty() {
        length(out, labels.len());
        out.put_i32(1);
    }
    for label in labels {
        text(out, label);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, ResourceRef};

    #[test]
    fn rows_can_be_taken_apart_again() {
        let actor = ResourceRef::new("user", "1").expect("valid");
        let mut encoder = Encoder::default();
        let ids: Vec<_> = (0..3).map(|n| ActionId::new(DateTime::UNIX_EPOCH, n)).collect();
        for id in &ids {
            let data = serde_json::json!("x".repeat(MESSAGE_LEN / 2));
            let action = NewAction::new("close", &Context::new(&actor)).data(data);
            encoder.push(*id, DateTime::UNIX_EPOCH, &action);
        }
        let rows = encoder.take();
        assert_eq!((rows.len(), encoder.len()), (3, 0));
        assert_eq!((0..3).map(|n| rows.id(n).expect("an id")).collect::<Vec<_>>(), ids);
        let bytes = |range: std::ops::Range<usize>| -> Vec<u8> {
            rows.messages(&range).flat_map(|message| message.to_vec()).collect()
        };
        let frame = HEADER.len() + TRAILER.len();
        let (whole, first, rest) = (bytes(0..3), bytes(0..1), bytes(1..3));
        assert_eq!(whole.len() + frame, first.len() + rest.len());
        assert!(rows.messages(&(0..3)).all(|message| message.len() <= MESSAGE_LEN));
    }
}
