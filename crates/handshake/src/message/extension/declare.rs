//! The walk over an extension block, and the macro that makes a block from a list of fields.

use super::Others;
use super::others::RawExtension;
use super::table::{Place, is_allowed};
use crate::codec::{DecodeError, DecodeFault, Element, Format, Reader, Vector, Writer};
use crate::message::registry::ExtensionType;

/// A message's extensions: a field for each that it may carry and drystone uses, and the others.
pub(crate) trait ExtensionBlock<'a>: Default {
    /// The name in errors.
    const WHAT: &'static str;
    /// The types that have fields.
    const FIELDS: &'static [ExtensionType];
    /// The type that must be the last of its block.
    const LAST: Option<ExtensionType>;

    /// The row of the table that holds for this block.
    fn place(&self) -> Place;
    /// Reads an extension into its field; false if it has none.
    fn store(&mut self, extension: RawExtension<'a>) -> Result<bool, DecodeError>;
    fn others_mut(&mut self) -> &mut Others<'a>;
    /// Appends every extension, in the order of the fields.
    fn write_extensions(&self, writer: &mut Writer<'_>);
    fn has_extensions(&self) -> bool;
}

/// Reads the content of a block.
fn read_block<'a, B: ExtensionBlock<'a>>(bytes: &'a [u8]) -> Result<B, DecodeError> {
    let error = |fault| DecodeError { what: B::WHAT, fault };
    let mut block = B::default();
    let mut reader = Reader::new(B::WHAT, bytes);
    let mut last = None;
    while !reader.is_empty() {
        let extension = RawExtension::read(&mut reader)?;
        block.store(extension)?;
        if last.replace(extension.extension_type).is_some_and(|before| Some(before) == B::LAST) {
            // "servers MUST check that it is the last extension and otherwise fail the handshake with an
            // "illegal_parameter" alert" (RFC 9846 section 4.3.11, of pre_shared_key).
            return Err(error(DecodeFault::IllegalValue));
        }
    }
    *block.others_mut() = Others::from_block(B::WHAT, bytes, B::FIELDS)?;
    check_places(bytes, block.place()).map_err(error)?;
    Ok(block)
}

/// Checks every extension of a block against the table.
fn check_places(bytes: &[u8], place: Place) -> Result<(), DecodeFault> {
    let mut reader = Reader::new("Extension", bytes);
    while let Ok(extension) = RawExtension::read(&mut reader) {
        if !is_allowed(extension.extension_type, place) {
            return Err(DecodeFault::ExtensionNotAllowed);
        }
    }
    Ok(())
}

/// Fills the field of an extension, once.
pub(super) fn fill<'a, T>(
    field: &mut Option<T>,
    format: impl Format<'a, T>,
    extension: RawExtension<'a>,
) -> Result<bool, DecodeError> {
    let what = extension.extension_type.name().unwrap_or("Extension");
    let value = Reader::all(what, extension.data, |reader| format.read(reader))?;
    match field.replace(value) {
        None => Ok(true),
        Some(_) => Err(DecodeError { what, fault: DecodeFault::DuplicateExtension }),
    }
}

/// Appends an extension, if its field is filled.
pub(super) fn write_field<'a, T>(
    field: &Option<T>,
    format: impl Format<'a, T>,
    extension_type: ExtensionType,
    writer: &mut Writer<'_>,
) {
    if let Some(value) = field {
        extension_type.write(writer);
        writer.vector(Vector::u16(0, 0xffff), |writer| format.write(value, writer));
    }
}

/// Appends the extensions without a field. One that has a field, or occurs twice, would make a block that no
/// receiver takes.
pub(super) fn write_others(others: Others<'_>, fields: &[ExtensionType], writer: &mut Writer<'_>) {
    if others.has_duplicate() || others.iter().any(|extension| fields.contains(&extension.extension_type)) {
        writer.fail("Extension");
    }
    others.iter().for_each(|extension| extension.write(writer));
}

/// The format of a block with its length in front.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block(pub(crate) Vector);

impl<'a, B: ExtensionBlock<'a>> Format<'a, B> for Block {
    fn read(self, reader: &mut Reader<'a>) -> Result<B, DecodeError> {
        read_block(reader.vector(self.0)?)
    }

    fn write(self, block: &B, writer: &mut Writer<'_>) {
        writer.vector(self.0, |writer| block.write_extensions(writer));
    }
}

/// The format of a block at the end of a hello, where it may be absent: "The presence of extensions can be detected
/// by determining whether there are bytes following the compression_methods field" (RFC 9846 section 4.2.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct TrailingBlock(pub(crate) Vector);

impl<'a, B: ExtensionBlock<'a>> Format<'a, B> for TrailingBlock {
    fn read(self, reader: &mut Reader<'a>) -> Result<B, DecodeError> {
        if reader.is_empty() { Ok(B::default()) } else { Block(self.0).read(reader) }
    }

    fn write(self, block: &B, writer: &mut Writer<'_>) {
        if block.has_extensions() {
            Block(self.0).write(block, writer);
        }
    }
}

/// Declares a block. The order of the fields is the order on the wire; the others stand where `..others` stands; the
/// field after `last` must be the last extension of the block.
macro_rules! extension_block {
    (
        $what:literal, |$self:ident| $place:expr;
        $(#[$meta:meta])*
        pub struct $name:ident<'a> {
            $( $(#[$field_meta:meta])* $field:ident: $type:ty = $extension:ident, $format:expr; )*
            ..others
            $( $(#[$last_meta:meta])* last $last:ident: $last_type:ty = $last_extension:ident, $last_format:expr; )?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name<'a> {
            $( $(#[$field_meta])* pub $field: Option<$type>, )*
            /// The extensions that have no field here.
            pub others: Others<'a>,
            $( $(#[$last_meta])* pub $last: Option<$last_type>, )?
        }

        impl<'a> $name<'a> {
            /// The types of all extensions in the block, with and without a field.
            pub fn types(&self) -> impl Iterator<Item = ExtensionType> + use<'a> {
                [
                    $( self.$field.is_some().then_some(ExtensionType::$extension), )*
                    $( self.$last.is_some().then_some(ExtensionType::$last_extension), )?
                ]
                .into_iter()
                .flatten()
                .chain(self.others.iter().map(|extension| extension.extension_type))
            }

            /// Whether an extension is in the block.
            pub fn contains(&self, extension_type: ExtensionType) -> bool {
                self.types().any(|known| known == extension_type)
            }
        }

        impl<'a> ExtensionBlock<'a> for $name<'a> {
            const WHAT: &'static str = $what;
            const FIELDS: &'static [ExtensionType] =
                &[$( ExtensionType::$extension, )* $( ExtensionType::$last_extension, )?];
            const LAST: Option<ExtensionType> = {
                #[allow(unused_mut, unused_assignments, reason = "only one block has a last extension")]
                let mut last = None;
                $( last = Some(ExtensionType::$last_extension); )?
                last
            };

            fn place(&self) -> Place {
                let $self = self;
                $place
            }

            fn store(&mut self, extension: RawExtension<'a>) -> Result<bool, DecodeError> {
                match extension.extension_type {
                    $( ExtensionType::$extension => fill(&mut self.$field, const { $format }, extension), )*
                    $( ExtensionType::$last_extension => fill(&mut self.$last, const { $last_format }, extension), )?
                    _ => Ok(false),
                }
            }

            fn others_mut(&mut self) -> &mut Others<'a> {
                &mut self.others
            }

            fn write_extensions(&self, writer: &mut Writer<'_>) {
                $( write_field(&self.$field, const { $format }, ExtensionType::$extension, writer); )*
                write_others(self.others, Self::FIELDS, writer);
                $( write_field(&self.$last, const { $last_format }, ExtensionType::$last_extension, writer); )?
            }

            fn has_extensions(&self) -> bool {
                self.types().next().is_some()
            }
        }
    };
}

pub(super) use extension_block;
