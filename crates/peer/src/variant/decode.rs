//! Reads values that Godot, or somebody who pretends to be Godot, has written. It must not know where the bytes come
//! from, and trusts none of them.
//!
//! A count reserves nothing: memory is taken as elements are read, and each element stands on bytes that are there.

use super::format::{
    ELEMENT_SORT, Entry, FLAG_64, KEY_SORT, Kind, NUMBER_MASK, PATH_ABSOLUTE, PATH_HAS_PROPERTY,
    PATH_OF_NAMES, SORT_MASK, VALUE_SORT,
};
use super::geometry::Reals;
use super::node_path::Parts;
use super::value::Variant;
use super::{VariantError, VariantFormat, VariantLimits};

/// Elements for which a container reserves room at once. The vector doubles it as they come.
const FIRST_ELEMENTS: usize = 4;

impl Variant {
    /// Reads the value at the beginning of `bytes`; also returns how many bytes it took. What follows them is not
    /// looked at.
    ///
    /// It takes at most 32 times as much memory as `bytes` has, and 16 KiB.
    ///
    /// Declared types of arrays and dictionaries (Godot 4) are checked and then forgotten.
    ///
    /// # Errors
    /// - [`VariantError::TooLarge`], [`VariantError::TooDeep`]: beyond the limits.
    /// - [`VariantError::Object`], [`VariantError::Unsupported`]: a type that is not carried.
    /// - All others: damaged, or of the other format, or no value at all.
    pub fn decode(
        bytes: &[u8],
        format: VariantFormat,
        limits: VariantLimits,
    ) -> Result<(Self, usize), VariantError> {
        if bytes.len() > limits.max_size {
            return Err(VariantError::TooLarge(limits.max_size));
        }
        let mut decoder = Decoder { rest: bytes, format, limits };
        let value = decoder.value(0)?;
        Ok((value, bytes.len() - decoder.rest.len()))
    }
}

struct Decoder<'a> {
    rest: &'a [u8],
    format: VariantFormat,
    limits: VariantLimits,
}

impl<'a> Decoder<'a> {
    /// `depth` is the number of containers around the value.
    fn value(&mut self, depth: u8) -> Result<Variant, VariantError> {
        let header = self.u32()?;
        let kind = self.kind(header)?;
        let wide = header & FLAG_64 != 0;
        Ok(match kind {
            Kind::Nil => Variant::Nil,
            Kind::Bool => Variant::Bool(self.u32()? != 0),
            Kind::Int => Variant::Int(self.int(wide)?),
            Kind::Float => Variant::Float(self.float(wide)?),
            Kind::String => Variant::String(text(self.bytes()?)?.to_owned()),
            Kind::Vector2 => Variant::Vector2(self.reals(wide)?),
            Kind::Rect2 => Variant::Rect2(self.reals(wide)?),
            Kind::Vector3 => Variant::Vector3(self.reals(wide)?),
            Kind::Transform2D => Variant::Transform2D(self.reals(wide)?),
            Kind::Plane => Variant::Plane(self.reals(wide)?),
            Kind::Quaternion => Variant::Quaternion(self.reals(wide)?),
            Kind::Aabb => Variant::Aabb(self.reals(wide)?),
            Kind::Basis => Variant::Basis(Box::new(self.reals(wide)?)),
            Kind::Transform3D => Variant::Transform3D(Box::new(self.reals(wide)?)),
            // Single precision in every build of Godot.
            Kind::Color => Variant::Color(self.reals(false)?),
            Kind::NodePath => Variant::NodePath(self.node_path()?),
            Kind::Dictionary => Variant::Dictionary(self.dictionary(header, depth)?),
            Kind::Array => Variant::Array(self.elements(header, depth)?),
            Kind::PackedByteArray => Variant::PackedByteArray(self.bytes()?.to_vec()),
            Kind::PackedInt32Array => Variant::PackedInt32Array(self.packed(4, Self::i32)?),
            Kind::PackedInt64Array => Variant::PackedInt64Array(self.packed(8, |it| it.int(true))?),
            Kind::PackedFloat32Array => Variant::PackedFloat32Array(self.packed(4, Self::f32)?),
            Kind::PackedFloat64Array => Variant::PackedFloat64Array(self.packed(8, |it| it.float(true))?),
            Kind::PackedStringArray => Variant::PackedStringArray(self.texts()?),
            Kind::PackedVector2Array => {
                Variant::PackedVector2Array(self.packed(real_size(wide) * 2, |it| it.reals(wide))?)
            }
            Kind::PackedVector3Array => {
                Variant::PackedVector3Array(self.packed(real_size(wide) * 3, |it| it.reals(wide))?)
            }
            Kind::PackedColorArray => Variant::PackedColorArray(self.packed(16, |it| it.reals(false))?),
        })
    }

    fn kind(&self, header: u32) -> Result<Kind, VariantError> {
        let kind = match self.entry(header & NUMBER_MASK)? {
            Entry::Carried(kind) => kind,
            Entry::Object => return Err(VariantError::Object),
            Entry::Refused(name) => return Err(VariantError::Unsupported(name)),
        };
        if header & !NUMBER_MASK & !self.format.flags(kind) != 0 {
            return Err(VariantError::UnknownFlags(header));
        }
        Ok(kind)
    }

    fn entry(&self, number: u32) -> Result<Entry, VariantError> {
        self.format.entry(number).ok_or(VariantError::UnknownType(number))
    }

    fn elements(&mut self, header: u32, depth: u8) -> Result<Vec<Variant>, VariantError> {
        let depth = self.limits.deeper(depth)?;
        let declared = self.declared_type(header >> ELEMENT_SORT)?;
        let count = self.container_count(4)?;
        let mut elements = Vec::with_capacity(count.min(FIRST_ELEMENTS));
        for _ in 0..count {
            elements.push(self.element(declared, depth)?);
        }
        Ok(elements)
    }

    fn dictionary(&mut self, header: u32, depth: u8) -> Result<Vec<(Variant, Variant)>, VariantError> {
        let depth = self.limits.deeper(depth)?;
        let declared_key = self.declared_type(header >> KEY_SORT)?;
        let declared_value = self.declared_type(header >> VALUE_SORT)?;
        let count = self.container_count(8)?;
        let mut pairs = Vec::with_capacity(count.min(FIRST_ELEMENTS));
        for _ in 0..count {
            let key = self.element(declared_key, depth)?;
            pairs.push((key, self.element(declared_value, depth)?));
        }
        Ok(pairs)
    }

    fn element(&mut self, declared: Option<Entry>, depth: u8) -> Result<Variant, VariantError> {
        let element = self.value(depth)?;
        match declared {
            Some(declared) if declared != Entry::Carried(element.kind()) => Err(VariantError::WrongElement),
            _ => Ok(element),
        }
    }

    /// The type that Godot 4 declares for the elements of a container; `None` if anything may be in it. The bits that
    /// say how it is declared are the lowest of `flags`; those of Godot 3 are zero, `kind` has seen to that.
    fn declared_type(&mut self, flags: u32) -> Result<Option<Entry>, VariantError> {
        match flags & SORT_MASK {
            0 => Ok(None),
            // One of the types in the table, by number. "Nil" is how it says "anything".
            1 => match self.u32()? {
                0 => Ok(None),
                number => match self.entry(number)? {
                    Entry::Object => Err(VariantError::Object),
                    entry => Ok(Some(entry)),
                },
            },
            // A class, or a script: both are objects.
            _ => Err(VariantError::Object),
        }
    }

    fn texts(&mut self) -> Result<Vec<String>, VariantError> {
        let count = self.count(4)?;
        let mut texts = Vec::with_capacity(count.min(FIRST_ELEMENTS));
        for _ in 0..count {
            let bytes = self.bytes()?;
            // Godot counts the NUL that ends a C string, but here only, and it reads texts without it too.
            texts.push(text(bytes.strip_suffix(b"\0").unwrap_or(bytes))?.to_owned());
        }
        Ok(texts)
    }

    /// A length, the bytes, and what fills them up to a multiple of four, which may be anything.
    fn bytes(&mut self) -> Result<&'a [u8], VariantError> {
        let length = self.count(1)?;
        let bytes = self.take(length)?;
        self.take(length.next_multiple_of(4) - length)?;
        Ok(bytes)
    }

    /// The one place that reserves by count: each of the items stands on `size` bytes that are there, and takes no
    /// more than that in memory.
    fn packed<T>(
        &mut self,
        size: usize,
        read: impl Fn(&mut Self) -> Result<T, VariantError>,
    ) -> Result<Vec<T>, VariantError> {
        let count = self.count(size)?;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(read(self)?);
        }
        Ok(items)
    }

    fn reals<const N: usize, T: Reals<N>>(&mut self, wide: bool) -> Result<T, VariantError> {
        let mut reals = [0.0; N];
        for real in &mut reals {
            *real = self.real(wide)?;
        }
        Ok(T::of(reals))
    }

    fn node_path(&mut self) -> Result<String, VariantError> {
        let (names, subnames, flags) = (self.u32()?, self.u32()?, self.u32()?);
        // Without the first flag it is the one text of Godot 1, which Godot refuses as well.
        if names & PATH_OF_NAMES == 0 || flags & !(PATH_ABSOLUTE | PATH_HAS_PROPERTY) != 0 {
            return Err(VariantError::UnknownFlags(flags));
        }
        let subnames = subnames.saturating_add(u32::from(flags & PATH_HAS_PROPERTY != 0));
        let absolute = flags & PATH_ABSOLUTE != 0;
        Parts { absolute, names: self.names(names & !PATH_OF_NAMES)?, subnames: self.names(subnames)? }.join()
    }

    fn names(&mut self, count: u32) -> Result<Vec<&'a str>, VariantError> {
        let count = self.believable(count, 4)?;
        let mut names = Vec::with_capacity(count.min(FIRST_ELEMENTS));
        for _ in 0..count {
            names.push(text(self.bytes()?)?);
        }
        Ok(names)
    }

    /// A component of a vector. Double precision is rounded; what is too large for single becomes infinite.
    fn real(&mut self, wide: bool) -> Result<f32, VariantError> {
        if wide { Ok(self.float(true)? as f32) } else { self.f32() }
    }

    fn int(&mut self, wide: bool) -> Result<i64, VariantError> {
        if wide { self.array().map(i64::from_le_bytes) } else { self.i32().map(i64::from) }
    }

    fn float(&mut self, wide: bool) -> Result<f64, VariantError> {
        if wide { self.array().map(f64::from_le_bytes) } else { self.f32().map(f64::from) }
    }

    /// The count of a container; Godot 2 and 3 keep a flag in its highest bit.
    fn container_count(&mut self, least: usize) -> Result<usize, VariantError> {
        let count = self.u32()? & 0x7fff_ffff;
        self.believable(count, least)
    }

    fn count(&mut self, least: usize) -> Result<usize, VariantError> {
        let count = self.u32()?;
        self.believable(count, least)
    }

    /// Every element takes at least `least` bytes: do we have so many?
    fn believable(&self, count: u32, least: usize) -> Result<usize, VariantError> {
        let count = usize::try_from(count).map_err(|_| VariantError::Truncated)?;
        let bytes = count.checked_mul(least).ok_or(VariantError::Truncated)?;
        if bytes > self.rest.len() { Err(VariantError::Truncated) } else { Ok(count) }
    }

    fn u32(&mut self) -> Result<u32, VariantError> {
        self.array().map(u32::from_le_bytes)
    }

    fn i32(&mut self) -> Result<i32, VariantError> {
        self.array().map(i32::from_le_bytes)
    }

    fn f32(&mut self) -> Result<f32, VariantError> {
        self.array().map(f32::from_le_bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], VariantError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(VariantError::Truncated)?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], VariantError> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(VariantError::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }
}

fn text(bytes: &[u8]) -> Result<&str, VariantError> {
    match str::from_utf8(bytes) {
        // Godot would cut it there, we would not: two ends that read different texts.
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(VariantError::Text),
    }
}

const fn real_size(wide: bool) -> usize {
    if wide { 8 } else { 4 }
}
