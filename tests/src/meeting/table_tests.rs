//! The tests that every implementation gets which drystone meets, as a macro: each is a `#[test]` of its own, so that they
//! run side by side and a failure names its cell.

/// Makes the tests of drystone with `$stack` in both roles and both versions. `$others` says what the implementation has and
/// drystone has not; `$count` handshakes are tried per cell if `DRYSTONE_INTEROP_HANDSHAKES` says nothing else.
#[macro_export]
macro_rules! meeting_tests {
    ($stack:expr, $others:expr, $count:literal) => {
        $crate::meeting_tests! { @each $stack, $others, $count;
            dtls12_our_client: DTLS_1_2, false;
            dtls12_our_server: DTLS_1_2, true;
            dtls13_our_client: DTLS_1_3, false;
            dtls13_our_server: DTLS_1_3, true;
        }
    };
    (@each $stack:expr, $others:expr, $count:literal;
        $($test:ident: $version:ident, $we_serve:literal;)*) => {
        $(
            #[test]
            fn $test() {
                let version = $crate::meeting::ProtocolVersion::$version;
                let count = $crate::meeting::handshakes($count);
                let against = $crate::meeting::Against { peer: &$stack, version, we_serve: $we_serve, count };
                against.suites_and_groups().note($others).finish();
                against.settings().finish();
            }
        )*
    };
}
