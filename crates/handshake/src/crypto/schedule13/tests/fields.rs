//! The fields of a file of vectors, each to be used exactly once: a test that leaves one aside fails at its end.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::string::String;
use std::vec::Vec;

use serde_json::Value;

use crate::crypto::test_support::hex;

/// The fields that are left, by their path: `values.client_hs.key`.
pub(super) struct Fields(RefCell<BTreeMap<String, Value>>);

impl Fields {
    pub(super) fn of(value: &Value) -> Self {
        let mut fields = BTreeMap::new();
        flatten(String::new(), value, &mut fields);
        assert!(!fields.is_empty());
        Self(RefCell::new(fields))
    }

    /// Takes a field out.
    pub(super) fn take(&self, path: &str) -> Value {
        let field = self.0.borrow_mut().remove(path);
        field.unwrap_or_else(|| panic!("{path} is not there, or was taken before"))
    }

    pub(super) fn text(&self, path: &str) -> String {
        self.take(path).as_str().expect("a string").into()
    }

    pub(super) fn number(&self, path: &str) -> u64 {
        self.take(path).as_u64().expect("a number")
    }

    pub(super) fn hex(&self, path: &str) -> Vec<u8> {
        hex(&self.text(path))
    }

    /// Nothing may be left.
    pub(super) fn end(self) {
        let left: Vec<_> = self.0.into_inner().into_keys().collect();
        assert!(left.is_empty(), "nobody looked at {left:?}");
    }
}

fn flatten(path: String, value: &Value, fields: &mut BTreeMap<String, Value>) {
    let below = |name: &str| if path.is_empty() { name.into() } else { std::format!("{path}.{name}") };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            flatten(below(name), value, fields);
        }),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, value)| {
            flatten(below(&std::format!("{index}")), value, fields);
        }),
        leaf => {
            fields.insert(path, leaf.clone());
        }
    }
}

#[test]
#[should_panic(expected = "nobody looked at [\"a.b\", \"a.c.1\"]")]
fn a_field_left_aside_is_noticed() {
    let fields = Fields::of(&serde_json::json!({ "a": { "b": "00", "c": ["01", "02"] } }));
    assert_eq!(fields.hex("a.c.0"), [1]);
    fields.end();
}
