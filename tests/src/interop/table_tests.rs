//! The tests that every peer with both roles gets, as a macro: each is a `#[test]` of its own, so that they run side by
//! side and a failure names its cell.

/// Makes the tests of drystone with `$stack` in both roles. `$name` names the folders of their certificates.
#[macro_export]
macro_rules! interop_tests {
    ($stack:expr, $name:literal) => {
        $crate::interop_tests! { @each $stack, $name;
            client_suites_and_groups: with_our_client, suites_and_groups;
            client_certificates_and_settings: with_our_client, certificates_and_settings;
            client_failures: with_our_client, failures;
            server_suites_and_groups: with_our_server, suites_and_groups;
            server_certificates_and_settings: with_our_server, certificates_and_settings;
            server_failures: with_our_server, failures;
            client_single_faults: with_our_client, single_faults;
            server_single_faults: with_our_server, single_faults;
        }
    };
    (@each $stack:expr, $name:literal; $($test:ident: $role:ident, $part:ident;)*) => {
        $(
            #[test]
            fn $test() {
                // Certificates of its own for each test: they run at the same time.
                let folder = concat!($name, "-", stringify!($test));
                let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
                if $crate::interop::peers_are_here(&[$stack]) {
                    let pki = $crate::interop::Pki::make(&folder).expect("certificates can be made");
                    $crate::interop::Pair::$role($stack).$part(&pki).finish();
                }
            }
        )*
    };
}
