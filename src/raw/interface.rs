//! The numbers of network interfaces.

use std::ffi::{CString, c_uint};
use std::io;

/// The number of the network interface that a scope of an IPv6 address names, by its name or its number.
///
/// # Errors
///
/// `ENODEV` or `ENXIO` if no interface has the name or number; `EMFILE` or `ENFILE` if no descriptor is left for the query.
pub(crate) fn interface_number(scope: &str) -> io::Result<u32> {
    let missing = || io::Error::from_raw_os_error(libc::ENODEV);
    if let Ok(number) = scope.parse::<c_uint>() {
        let mut name = [0; libc::IF_NAMESIZE];
        // SAFETY: the buffer has IF_NAMESIZE bytes.
        let found = unsafe { libc::if_indextoname(number, name.as_mut_ptr()) };
        return if found.is_null() { Err(io::Error::last_os_error()) } else { Ok(number) };
    }
    let name = CString::new(scope).map_err(|_| missing())?;
    // SAFETY: the text ends with a NUL.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        number => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interface_has_a_name_and_a_number() {
        let lo = ["lo", "lo0"].into_iter().find_map(|name| interface_number(name).ok()).unwrap();
        assert_eq!(interface_number(&lo.to_string()).unwrap(), lo);
        for scope in ["nope", "", "4000000000", "a-name-that-is-too-long-for-an-interface"] {
            let error = interface_number(scope).unwrap_err();
            assert!(matches!(error.raw_os_error(), Some(libc::ENODEV | libc::ENXIO)), "{scope:?}: {error}");
        }
    }
}
