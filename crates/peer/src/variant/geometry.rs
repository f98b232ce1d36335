//! Godot's values that are a few real numbers each, and the order in which these travel. It knows nothing of bytes.

/// Two coordinates. A Godot 4 that was built with double precision sends 64 bits each; they are rounded, here and in all
/// types below.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Vector2 {
    pub x: f32,
    pub y: f32,
}

/// Three coordinates.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Vector3 {
    pub x: f32,
    pub y: f32,
    pub z: f32,
}

/// Red, green, blue and opacity, each from 0 to 1 for what a screen can show. Single precision in every build of Godot.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Color {
    pub r: f32,
    pub g: f32,
    pub b: f32,
    pub a: f32,
}

/// A rectangle with sides along the axes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Rect2 {
    pub position: Vector2,
    pub size: Vector2,
}

/// A movement of the plane: where its axes `x` and `y` come to lie, and where its origin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Transform2D {
    pub x: Vector2,
    pub y: Vector2,
    pub origin: Vector2,
}

/// A plane in space: the points whose scalar product with `normal` is `d`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Plane {
    pub normal: Vector3,
    pub d: f32,
}

/// A rotation (Godot 3: `Quat`).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Quaternion {
    pub x: f32,
    pub y: f32,
    pub z: f32,
    pub w: f32,
}

/// A box with sides along the axes (`AABB`).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Aabb {
    pub position: Vector3,
    pub size: Vector3,
}

/// A matrix of 3 rows and 3 columns. Godot's `Basis.x`, `y` and `z` are its columns.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Basis {
    pub rows: [Vector3; 3],
}

/// A movement of space (Godot 3: `Transform`).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Transform3D {
    pub basis: Basis,
    pub origin: Vector3,
}

/// A value that is `N` real numbers on the wire.
pub(super) trait Reals<const N: usize>: Sized {
    fn reals(&self) -> [f32; N];
    fn of(reals: [f32; N]) -> Self;
}

/// Names the places of the numbers in their order.
macro_rules! reals {
    ($($type:ident [$($number:ident = $($place:tt).+),+];)*) => {$(
        impl Reals<{ [$(stringify!($number)),+].len() }> for $type {
            fn reals(&self) -> [f32; { [$(stringify!($number)),+].len() }] {
                [$(self.$($place).+),+]
            }

            fn of([$($number),+]: [f32; { [$(stringify!($number)),+].len() }]) -> Self {
                let mut value = Self::default();
                $(value.$($place).+ = $number;)+
                value
            }
        }
    )*};
}

reals! {
    Vector2 [x = x, y = y];
    Vector3 [x = x, y = y, z = z];
    Color [r = r, g = g, b = b, a = a];
    Rect2 [x = position.x, y = position.y, width = size.x, height = size.y];
    Transform2D [xx = x.x, xy = x.y, yx = y.x, yy = y.y, ox = origin.x, oy = origin.y];
    Plane [x = normal.x, y = normal.y, z = normal.z, d = d];
    Quaternion [x = x, y = y, z = z, w = w];
    Aabb [x = position.x, y = position.y, z = position.z, width = size.x, height = size.y, depth = size.z];
}

impl Reals<9> for Basis {
    fn reals(&self) -> [f32; 9] {
        let [[a, b, c], [d, e, f], [g, h, i]] = self.rows.map(|row| row.reals());
        [a, b, c, d, e, f, g, h, i]
    }

    fn of([a, b, c, d, e, f, g, h, i]: [f32; 9]) -> Self {
        Self { rows: [[a, b, c], [d, e, f], [g, h, i]].map(Vector3::of) }
    }
}

impl Reals<12> for Transform3D {
    fn reals(&self) -> [f32; 12] {
        let [a, b, c, d, e, f, g, h, i] = self.basis.reals();
        let [x, y, z] = self.origin.reals();
        [a, b, c, d, e, f, g, h, i, x, y, z]
    }

    fn of([a, b, c, d, e, f, g, h, i, x, y, z]: [f32; 12]) -> Self {
        Self { basis: Basis::of([a, b, c, d, e, f, g, h, i]), origin: Vector3::of([x, y, z]) }
    }
}
