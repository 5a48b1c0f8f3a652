//! Verbs of a resource type.

use std::borrow::Cow;

/// What can be done to objects of a type, and the sentence that tells it. A constant with a bad name does not compile.
///
/// ```
/// use gesta::Verb;
/// pub const ISSUE_CLOSE: Verb = Verb::new("issue", "close").summary("{actor} closed {object}");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verb {
    object_type: Cow<'static, str>,
    name: Cow<'static, str>,
    template: Option<Cow<'static, str>>,
}

impl Verb {
    /// A verb of a type. Where an action has no object, the type of its target counts, and else that of its actor.
    ///
    /// # Panics
    /// When a name is empty or too long: in a constant, at compile time.
    #[must_use]
    pub const fn new(object_type: &'static str, name: &'static str) -> Self {
        assert!(!object_type.is_empty() && object_type.len() <= 63, "resource type: 1 to 63 bytes");
        assert!(!name.is_empty() && name.len() <= 255, "verb: 1 to 255 bytes");
        let (object_type, name) = (Cow::Borrowed(object_type), Cow::Borrowed(name));
        Self { object_type, name, template: None }
    }

    /// The sentence, with `{actor}`, `{verb}`, `{object}` and `{target}` for the names.
    ///
    /// # Panics
    /// Never: a verb is made by [`Verb::new`] only, from borrowed names.
    #[must_use]
    pub const fn summary(self, template: &'static str) -> Self {
        // `..self` would run a destructor, which a constant cannot; forgetting `None` frees nothing.
        let (Cow::Borrowed(object_type), Cow::Borrowed(name)) = (&self.object_type, &self.name)
        else {
            panic!("a constant verb is made of borrowed names")
        };
        let (object_type, name) = (Cow::Borrowed(*object_type), Cow::Borrowed(*name));
        std::mem::forget(self);
        Self { object_type, name, template: Some(Cow::Borrowed(template)) }
    }

    /// The type of what it is done to.
    #[must_use]
    pub fn object_type(&self) -> &str {
        &self.object_type
    }

    /// The verb as it is stored.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The template of its sentence.
    #[must_use]
    pub fn template(&self) -> Option<&str> {
        self.template.as_deref()
    }
}

impl From<Verb> for String {
    fn from(verb: Verb) -> String {
        verb.name.into_owned()
    }
}
