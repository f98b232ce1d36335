//! Writes values as Godot does. It must not know where the bytes go.

use super::format::{FLAG_64, PATH_ABSOLUTE, PATH_OF_NAMES};
use super::geometry::Reals;
use super::node_path::Parts;
use super::value::Variant;
use super::{VariantError, VariantFormat, VariantLimits};

impl Variant {
    /// Appends the value to `out`, byte for byte as this Godot's `put_var` writes it.
    ///
    /// # Errors
    /// Then `out` is as it was.
    /// - [`VariantError::TooLarge`], [`VariantError::TooDeep`]: beyond the limits.
    /// - [`VariantError::NotInFormat`]: a packed array of 64-bit numbers for Godot 3.
    /// - [`VariantError::Text`]: a text holds U+0000, or a path has a property without a name.
    pub fn encode(
        &self,
        format: VariantFormat,
        out: &mut Vec<u8>,
        limits: VariantLimits,
    ) -> Result<(), VariantError> {
        let start = out.len();
        let end = start.saturating_add(limits.max_size);
        let result = Encoder { out, end, format, limits }.value(self, 0);
        if result.is_err() {
            out.truncate(start);
        }
        result
    }
}

/// Every part that it writes is a multiple of four bytes long, so that every value begins at such a place.
struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    /// `out` must not grow beyond this many bytes.
    end: usize,
    format: VariantFormat,
    limits: VariantLimits,
}

impl Encoder<'_> {
    /// `depth` is the number of containers around the value.
    fn value(&mut self, value: &Variant, depth: u8) -> Result<(), VariantError> {
        self.put(&self.header(value)?.to_le_bytes())?;
        match value {
            Variant::Nil => Ok(()),
            Variant::Bool(yes) => self.put(&u32::from(*yes).to_le_bytes()),
            Variant::Int(number) => match narrow_int(*number) {
                Some(narrow) => self.put(&narrow.to_le_bytes()),
                None => self.put(&number.to_le_bytes()),
            },
            Variant::Float(number) => match narrow_float(*number) {
                Some(narrow) => self.put(&narrow.to_le_bytes()),
                None => self.put(&number.to_le_bytes()),
            },
            Variant::String(text) => self.text(text, b""),
            Variant::Vector2(vector) => self.reals(vector),
            Variant::Rect2(rect) => self.reals(rect),
            Variant::Vector3(vector) => self.reals(vector),
            Variant::Transform2D(transform) => self.reals(transform),
            Variant::Plane(plane) => self.reals(plane),
            Variant::Quaternion(quaternion) => self.reals(quaternion),
            Variant::Aabb(aabb) => self.reals(aabb),
            Variant::Basis(basis) => self.reals(&**basis),
            Variant::Transform3D(transform) => self.reals(&**transform),
            Variant::Color(color) => self.reals(color),
            Variant::NodePath(path) => self.node_path(path),
            Variant::Dictionary(pairs) => self.dictionary(pairs, self.limits.deeper(depth)?),
            Variant::Array(elements) => self.array(elements, self.limits.deeper(depth)?),
            Variant::PackedByteArray(bytes) => self.bytes(&[bytes]),
            Variant::PackedInt32Array(items) => self.packed(items, |it, item| it.put(&item.to_le_bytes())),
            Variant::PackedInt64Array(items) => self.packed(items, |it, item| it.put(&item.to_le_bytes())),
            Variant::PackedFloat32Array(items) => self.packed(items, |it, item| it.put(&item.to_le_bytes())),
            Variant::PackedFloat64Array(items) => self.packed(items, |it, item| it.put(&item.to_le_bytes())),
            // Godot counts the NUL that ends a C string, but here only.
            Variant::PackedStringArray(texts) => self.packed(texts, |it, text| it.text(text, b"\0")),
            Variant::PackedVector2Array(items) => self.packed(items, Self::reals),
            Variant::PackedVector3Array(items) => self.packed(items, Self::reals),
            Variant::PackedColorArray(items) => self.packed(items, Self::reals),
        }
    }

    fn header(&self, value: &Variant) -> Result<u32, VariantError> {
        let number = self.format.number(value.kind());
        let number =
            number.ok_or(VariantError::NotInFormat { name: value.type_name(), format: self.format })?;
        let wide = match value {
            Variant::Int(number) => narrow_int(*number).is_none(),
            Variant::Float(number) => narrow_float(*number).is_none(),
            _ => false,
        };
        Ok(if wide { number | FLAG_64 } else { number })
    }

    fn array(&mut self, elements: &[Variant], depth: u8) -> Result<(), VariantError> {
        self.packed(elements, |it, element| it.value(element, depth))
    }

    fn dictionary(&mut self, pairs: &[(Variant, Variant)], depth: u8) -> Result<(), VariantError> {
        self.packed(pairs, |it, (key, value)| {
            it.value(key, depth)?;
            it.value(value, depth)
        })
    }

    /// A count, and that many items.
    fn packed<T>(
        &mut self,
        items: &[T],
        write: impl Fn(&mut Self, &T) -> Result<(), VariantError>,
    ) -> Result<(), VariantError> {
        self.count(items.len())?;
        items.iter().try_for_each(|item| write(self, item))
    }

    /// Single precision, which every build of Godot reads.
    fn reals<const N: usize>(&mut self, value: &impl Reals<N>) -> Result<(), VariantError> {
        value.reals().iter().try_for_each(|number| self.put(&number.to_le_bytes()))
    }

    fn node_path(&mut self, path: &str) -> Result<(), VariantError> {
        let parts = Parts::of(path)?;
        let names =
            u32::try_from(parts.names.len()).map_err(|_| VariantError::TooLarge(self.limits.max_size))?;
        self.put(&(names | PATH_OF_NAMES).to_le_bytes())?;
        self.count(parts.subnames.len())?;
        self.put(&(u32::from(parts.absolute) * PATH_ABSOLUTE).to_le_bytes())?;
        parts.names.iter().chain(&parts.subnames).try_for_each(|name| self.text(name, b""))
    }

    fn text(&mut self, text: &str, end: &[u8]) -> Result<(), VariantError> {
        if text.contains('\0') {
            return Err(VariantError::Text);
        }
        self.bytes(&[text.as_bytes(), end])
    }

    /// A length, the bytes of all parts, and zeros up to a multiple of four.
    fn bytes(&mut self, parts: &[&[u8]]) -> Result<(), VariantError> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        self.count(length)?;
        parts.iter().try_for_each(|part| self.put(part))?;
        let padding = length.next_multiple_of(4) - length;
        self.put(&[0; 3][..padding])
    }

    /// Godot counts with 31 bits.
    fn count(&mut self, count: usize) -> Result<(), VariantError> {
        let count = i32::try_from(count).map_err(|_| VariantError::TooLarge(self.limits.max_size))?;
        self.put(&count.to_le_bytes())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), VariantError> {
        if self.out.len().saturating_add(bytes.len()) > self.end {
            return Err(VariantError::TooLarge(self.limits.max_size));
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }
}

fn narrow_int(number: i64) -> Option<i32> {
    i32::try_from(number).ok()
}

/// Not a number is not equal to itself and therefore travels in 64 bits, as from Godot.
fn narrow_float(number: f64) -> Option<f32> {
    let narrow = number as f32;
    (f64::from(narrow) == number).then_some(narrow)
}
