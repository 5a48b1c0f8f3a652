//! Structs that are read from JSON objects only.
//!
//! What serde derives for a struct also takes an array, whose elements are the fields in the order of the source: nobody
//! is told of that form, it has no unknown keys that could be refused, and fields could not change places any more.

use serde::de::{Deserializer, Visitor};
use serde::forward_to_deserialize_any;

/// Reads a struct as a map, which an array is not.
pub(crate) struct ObjectOnly<D>(pub(crate) D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for ObjectOnly<D> {
    type Error = D::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// Lets structs be read from objects only. They derive `Deserialize` with `#[serde(remote = "Self", expecting = "an object")]`,
/// which makes it a function of their own that this calls.
macro_rules! only_objects {
    ($($form:ident),+) => {$(
        impl<'de> serde::Deserialize<'de> for $form {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                // The derived function, which comes before the one of the trait.
                $form::deserialize($crate::json::object::ObjectOnly(deserializer))
            }
        }
    )+};
}
pub(crate) use only_objects;

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(remote = "Self", expecting = "an object", deny_unknown_fields)]
    struct Pair {
        left: u8,
        right: Option<Box<Pair>>,
    }
    only_objects!(Pair);

    #[test]
    fn arrays_are_no_objects_at_any_depth() {
        let read =
            |text: &str| serde_json::from_str::<Pair>(text).map_err(|error| error.to_string());
        let pair = read(r#"{"left":1,"right":{"left":2,"right":null}}"#).expect("objects");
        assert_eq!((pair.left, pair.right.map(|pair| pair.left)), (1, Some(2)));
        for text in ["[1,null]", r#"{"left":1,"right":[2,null]}"#] {
            let error = read(text).expect_err(text);
            assert!(error.starts_with("invalid type: sequence, expected an object"), "{error}");
        }
        assert!(
            read(r#"{"left":1,"up":2}"#).expect_err("unknown").starts_with("unknown field `up`")
        );
    }
}
