//! One field of a row, by its dotted path, without building the rest of the row's JSON.

use std::fmt::Display;

use serde::ser::{
    Impossible, Serialize, SerializeMap, SerializeStruct, SerializeStructVariant, Serializer,
};
use serde_json::{Error, Value};

/// The field at a path; `None` if the row has no such field.
pub fn pick<T: Serialize + ?Sized>(row: &T, path: &[String]) -> Option<Value> {
    match path.split_first() {
        None => serde_json::to_value(row).ok(),
        Some((name, rest)) => row.serialize(Picker { name, rest }).ok().flatten(),
    }
}

/// Walks an object for one of its fields.
#[derive(Clone, Copy)]
struct Picker<'p> {
    name: &'p str,
    rest: &'p [String],
}

/// An object that is being walked.
struct Walk<'p> {
    picker: Picker<'p>,
    next_is_it: bool,
    found: Option<Value>,
}

impl<'p> Picker<'p> {
    fn walk(self) -> Walk<'p> {
        Walk { picker: self, next_is_it: false, found: None }
    }
}

impl Walk<'_> {
    fn field<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) {
        if key == self.picker.name {
            self.found = pick(value, self.picker.rest);
        }
    }
}

macro_rules! no_object {
    ($($name:ident($type:ty))*) => {
        $(fn $name(self, _: $type) -> Result<Self::Ok, Error> {
            Ok(None)
        })*
    };
}

impl<'p> Serializer for Picker<'p> {
    type Ok = Option<Value>;
    type Error = Error;
    type SerializeSeq = Impossible<Self::Ok, Error>;
    type SerializeTuple = Impossible<Self::Ok, Error>;
    type SerializeTupleStruct = Impossible<Self::Ok, Error>;
    type SerializeTupleVariant = Impossible<Self::Ok, Error>;
    type SerializeMap = Walk<'p>;
    type SerializeStruct = Walk<'p>;
    type SerializeStructVariant = Walk<'p>;

    no_object! {
        serialize_bool(bool) serialize_i8(i8) serialize_i16(i16) serialize_i32(i32)
        serialize_i64(i64) serialize_u8(u8) serialize_u16(u16) serialize_u32(u32)
        serialize_u64(u64) serialize_f32(f32) serialize_f64(f64) serialize_char(char)
        serialize_str(&str) serialize_bytes(&[u8]) serialize_unit_struct(&'static str)
    }

    fn serialize_none(self) -> Result<Self::Ok, Error> {
        Ok(None)
    }

    fn serialize_unit(self) -> Result<Self::Ok, Error> {
        Ok(None)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Self::Ok, Error> {
        value.serialize(self)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
    ) -> Result<Self::Ok, Error> {
        Ok(None)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Self::Ok, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Self::Ok, Error> {
        Ok(None)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Error> {
        Err(no_field())
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Error> {
        Err(no_field())
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Error> {
        Err(no_field())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        Err(no_field())
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Walk<'p>, Error> {
        Ok(self.walk())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Walk<'p>, Error> {
        Ok(self.walk())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Walk<'p>, Error> {
        Ok(self.walk())
    }

    fn collect_str<T: Display + ?Sized>(self, _: &T) -> Result<Self::Ok, Error> {
        Ok(None)
    }
}

/// A list has no named fields.
fn no_field() -> Error {
    serde::ser::Error::custom("not an object")
}

impl SerializeStruct for Walk<'_> {
    type Ok = Option<Value>;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.field(key, value);
        Ok(())
    }

    fn end(self) -> Result<Self::Ok, Error> {
        Ok(self.found)
    }
}

impl SerializeStructVariant for Walk<'_> {
    type Ok = Option<Value>;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.field(key, value);
        Ok(())
    }

    fn end(self) -> Result<Self::Ok, Error> {
        Ok(self.found)
    }
}

impl SerializeMap for Walk<'_> {
    type Ok = Option<Value>;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.next_is_it = serde_json::to_value(key)? == self.picker.name;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        if std::mem::take(&mut self.next_is_it) {
            self.found = pick(value, self.picker.rest);
        }
        Ok(())
    }

    fn end(self) -> Result<Self::Ok, Error> {
        Ok(self.found)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(serde::Serialize)]
    struct Row {
        name: &'static str,
        inner: Option<Inner>,
        map: BTreeMap<&'static str, Vec<u8>>,
    }

    #[derive(serde::Serialize)]
    struct Inner {
        rate: f64,
    }

    fn at(row: &Row, path: &str) -> Option<Value> {
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        pick(row, &path)
    }

    /// The same as looking into the whole row's JSON.
    #[test]
    fn picks_what_the_json_has() {
        let map = BTreeMap::from([("a", vec![1]), ("b", vec![])]);
        let row = Row { name: "q", inner: Some(Inner { rate: 1.5 }), map };
        let json = serde_json::to_value(&row).unwrap();
        for path in ["name", "inner", "inner.rate", "map.a", "map", "map.c", "name.x", "map.a.x"] {
            let expected = json.pointer(&format!("/{}", path.replace('.', "/")));
            assert_eq!(at(&row, path).as_ref(), expected, "{path}");
        }
        let empty = Row { name: "q", inner: None, map: BTreeMap::new() };
        assert_eq!(at(&empty, "inner.rate"), None);
        assert_eq!(at(&empty, "inner"), Some(Value::Null));
    }
}
