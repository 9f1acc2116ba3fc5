//! The functions behind CURVE give the bytes that libsodium's give, in a program that has both.

#![cfg(all(curve_by_dryoc, target_os = "linux"))]

use std::ffi::{CString, c_int, c_ulonglong, c_void};
use std::io::{Write as _, stderr};
use std::ptr;

// Names the crate, so that it is linked.
use zmq_sys as _;

type WithKey = unsafe extern "C" fn(*mut u8, *const u8, c_ulonglong, *const u8, *const u8) -> c_int;
type WithPair = unsafe extern "C" fn(*mut u8, *const u8, c_ulonglong, *const u8, *const u8, *const u8) -> c_int;
type Agree = unsafe extern "C" fn(*mut u8, *const u8, *const u8) -> c_int;

unsafe extern "C" {
    fn zmq_sys_crypto_scalarmult_base(public_key: *mut u8, secret_key: *const u8) -> c_int;
    fn zmq_sys_crypto_box_keypair(public_key: *mut u8, secret_key: *mut u8) -> c_int;
    fn zmq_sys_crypto_box_beforenm(key: *mut u8, public_key: *const u8, secret_key: *const u8) -> c_int;
    fn zmq_sys_crypto_box(
        out: *mut u8,
        text: *const u8,
        size: c_ulonglong,
        nonce: *const u8,
        public_key: *const u8,
        secret_key: *const u8,
    ) -> c_int;
    fn zmq_sys_crypto_box_open(
        out: *mut u8,
        sealed: *const u8,
        size: c_ulonglong,
        nonce: *const u8,
        public_key: *const u8,
        secret_key: *const u8,
    ) -> c_int;
    fn zmq_sys_randombytes(buffer: *mut u8, size: c_ulonglong);
    fn zmq_sys_sodium_allocarray(count: usize, size: usize) -> *mut c_void;
    fn zmq_sys_sodium_free(memory: *mut c_void);
}

/// Declares functions of one type by their names without the prefix, and lists them.
macro_rules! functions {
    ($list:ident: $type:ty; $($name:ident)*) => {
        unsafe extern "C" {
            $(fn $name(out: *mut u8, input: *const u8, size: c_ulonglong, nonce: *const u8, key: *const u8) -> c_int;)*
        }
        const $list: &[(&str, $type)] = &[$((stringify!($name), $name)),*];
    };
}

functions! { SEALS: WithKey; zmq_sys_crypto_box_afternm zmq_sys_crypto_box_easy_afternm zmq_sys_crypto_secretbox }
functions! { OPENS: WithKey;
    zmq_sys_crypto_box_open_afternm zmq_sys_crypto_box_open_easy_afternm zmq_sys_crypto_secretbox_open
}

/// Debian's libsodium, if it is installed. Without it the tests of this file say so, and fail if ZMQ_REQUIRE_LIBSODIUM=1.
struct Libsodium(*mut c_void);

impl Libsodium {
    fn load() -> Option<Libsodium> {
        let handle = ["libsodium.so.23", "libsodium.so.26", "libsodium.so"].into_iter().find_map(|name| {
            let name = CString::new(name).unwrap();
            // SAFETY: the name is a C string; libsodium's constructors have no conditions.
            let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
            (!handle.is_null()).then_some(Libsodium(handle))
        });
        if handle.is_none() {
            let required = std::env::var("ZMQ_REQUIRE_LIBSODIUM").is_ok_and(|value| value == "1");
            assert!(!required, "ZMQ_REQUIRE_LIBSODIUM=1, but there is no libsodium");
            // Past the capture of the test harness, which knows no skipped tests.
            let skipped = "skipped: no libsodium to compare with (Debian: libsodium-dev)";
            writeln!(stderr(), "{skipped}").expect("standard error takes text");
        }
        let sodium = handle?;
        // SAFETY: this is the type that sodium.h declares.
        let init: extern "C" fn() -> c_int = unsafe { std::mem::transmute(sodium.symbol("sodium_init")) };
        assert_ne!(init(), -1);
        Some(sodium)
    }

    /// libsodium's function for one of ours, whose name has a prefix.
    fn symbol(&self, name: &str) -> *mut c_void {
        let name = CString::new(name.trim_start_matches("zmq_sys_")).unwrap();
        // SAFETY: the handle is an open library's, and the name a C string.
        let symbol = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        assert!(!symbol.is_null(), "{name:?}");
        symbol
    }

    fn with_key(&self, name: &str) -> WithKey {
        // SAFETY: this is the type that sodium.h declares for the functions that tests ask for.
        unsafe { std::mem::transmute(self.symbol(name)) }
    }

    fn with_pair(&self, name: &str) -> WithPair {
        // SAFETY: as above.
        unsafe { std::mem::transmute(self.symbol(name)) }
    }

    fn agree(&self, name: &str) -> Agree {
        // SAFETY: as above.
        unsafe { std::mem::transmute(self.symbol(name)) }
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // SAFETY: the buffer is this large.
    unsafe { zmq_sys_randombytes(bytes.as_mut_ptr(), N as c_ulonglong) };
    bytes
}

fn random_vec(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    // SAFETY: the buffer is this large.
    unsafe { zmq_sys_randombytes(bytes.as_mut_ptr(), size as c_ulonglong) };
    bytes
}

/// Calls a function that takes one key. Gives the bytes that it wrote if it returned 0. The output is unchanged after -1.
fn by_key(function: WithKey, input: &[u8], out: usize, nonce: &[u8; 24], key: &[u8; 32]) -> Option<Vec<u8>> {
    let mut written = vec![0xAA; out];
    let size = input.len() as c_ulonglong;
    // SAFETY: the buffers are as large as the function needs: it writes `out` bytes for this input.
    let code = unsafe { function(written.as_mut_ptr(), input.as_ptr(), size, nonce.as_ptr(), key.as_ptr()) };
    assert!(code == 0 || (code == -1 && written.iter().all(|byte| *byte == 0xAA)), "{code}: {written:x?}");
    (code == 0).then_some(written)
}

/// Calls a function that takes two keys and whose output is as large as its input. The output is unchanged after -1.
fn by_pair(
    function: WithPair,
    input: &[u8],
    nonce: &[u8; 24],
    public_key: &[u8; 32],
    secret_key: &[u8; 32],
) -> Option<Vec<u8>> {
    let mut written = vec![0xAA; input.len()];
    let size = input.len() as c_ulonglong;
    let (public_key, secret_key) = (public_key.as_ptr(), secret_key.as_ptr());
    // SAFETY: the buffers are of the same size, and the keys and the nonce as large as the function needs.
    let code = unsafe { function(written.as_mut_ptr(), input.as_ptr(), size, nonce.as_ptr(), public_key, secret_key) };
    assert!(code == 0 || (code == -1 && written.iter().all(|byte| *byte == 0xAA)), "{code}: {written:x?}");
    (code == 0).then_some(written)
}

fn agree(function: Agree, public_key: &[u8; 32], secret_key: &[u8; 32]) -> Option<[u8; 32]> {
    let mut key = [0xAA; 32];
    // SAFETY: the buffers are keys.
    let code = unsafe { function(key.as_mut_ptr(), public_key.as_ptr(), secret_key.as_ptr()) };
    assert!(code == 0 || code == -1);
    assert!(code == 0 || key == [0xAA; 32], "{key:x?}");
    (code == 0).then_some(key)
}

fn keypair() -> ([u8; 32], [u8; 32]) {
    let (mut public_key, mut secret_key) = ([0; 32], [0; 32]);
    // SAFETY: the buffers are keys.
    let code = unsafe { zmq_sys_crypto_box_keypair(public_key.as_mut_ptr(), secret_key.as_mut_ptr()) };
    assert_eq!(code, 0);
    (public_key, secret_key)
}

/// Sizes around those of a block, of several blocks that are computed side by side, and of the texts that libzmq's handshake
/// seals.
fn sizes() -> impl Iterator<Item = usize> {
    (0..=300).chain([511, 512, 513, 767, 768, 769, 1023, 1024, 1025, 2047, 4096, 5000, 65_535, 65_536, 65_537])
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(|digit| !digit.is_whitespace()).collect();
    digits.chunks(2).map(|two| u8::from_str_radix(&String::from_iter(two), 16).unwrap()).collect()
}

/// The example of the paper "Cryptography in NaCl", which needs no libsodium.
#[test]
fn example_of_nacl_gives_its_published_box() {
    let key = |hex| <[u8; 32]>::try_from(bytes_of(hex)).unwrap();
    let secret_key = key("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    let peer = key("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    let shared = key("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389");
    let nonce = bytes_of("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37").try_into().unwrap();
    let text = bytes_of(
        "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c6129 \
     6cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde \
     048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f937763848645e0705",
    );
    let sealed = bytes_of(
        "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186a \
     c0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae \
     90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74 \
     e355a5",
    );

    assert_eq!(agree(zmq_sys_crypto_box_beforenm, &peer, &secret_key).unwrap(), shared);
    let (_, seal) = SEALS[1];
    assert_eq!(by_key(seal, &text, text.len() + 16, &nonce, &shared).unwrap(), sealed);
    let padded_text = [vec![0; 32], text].concat();
    let padded_box = [vec![0; 16], sealed].concat();
    assert_eq!(by_pair(zmq_sys_crypto_box, &padded_text, &nonce, &peer, &secret_key).unwrap(), padded_box);
    assert_eq!(by_pair(zmq_sys_crypto_box_open, &padded_box, &nonce, &peer, &secret_key).unwrap(), padded_text);
}

#[test]
fn boxes_are_those_of_libsodium() {
    let Some(sodium) = Libsodium::load() else { return };
    let (key, nonce): ([u8; 32], [u8; 24]) = (random(), random());
    for ((seal_name, seal), (open_name, open)) in SEALS.iter().zip(OPENS) {
        let easy = seal_name.ends_with("easy_afternm");
        // NaCl's functions have 32 zeros before a text; the easy ones' boxes are 16 bytes longer than their texts.
        let (zeros, more) = if easy { (0, 16) } else { (32, 0) };
        for size in sizes() {
            let text = [vec![0; zeros], random_vec(size)].concat();
            let sealed = by_key(*seal, &text, text.len() + more, &nonce, &key).unwrap();
            let theirs = by_key(sodium.with_key(seal_name), &text, text.len() + more, &nonce, &key).unwrap();
            assert_eq!(sealed, theirs, "{seal_name} of {size} bytes, {key:x?}, {nonce:x?}");
            let opened = by_key(*open, &sealed, text.len(), &nonce, &key).unwrap();
            assert_eq!(opened, text, "{open_name} of {size} bytes, {key:x?}, {nonce:x?}");

            let proof = if easy { 0 } else { 16 };
            for place in [proof, proof + 15, proof + 16, sealed.len() - 1].into_iter().filter(|at| *at < sealed.len()) {
                let mut forged = sealed.clone();
                forged[place] ^= 0x80;
                assert_eq!(by_key(*open, &forged, text.len(), &nonce, &key), None, "{open_name}: byte {place}");
            }
        }
        assert_eq!(by_key(*open, &[0; 15], 0, &nonce, &key), None, "{open_name} of less than a box");
    }
}

#[test]
fn boxes_for_a_peer_are_those_of_libsodium() {
    let Some(sodium) = Libsodium::load() else { return };
    let (ours, theirs) = (keypair(), keypair());
    let nonce: [u8; 24] = random();
    let with = format!("{:x?}, {:x?}, {nonce:x?}", theirs.0, ours.1);
    for size in sizes().step_by(7) {
        let text = [vec![0; 32], random_vec(size)].concat();
        let sealed = by_pair(zmq_sys_crypto_box, &text, &nonce, &theirs.0, &ours.1).unwrap();
        assert_eq!(
            by_pair(sodium.with_pair("crypto_box"), &text, &nonce, &theirs.0, &ours.1).unwrap(),
            sealed,
            "{with}"
        );
        assert_eq!(by_pair(zmq_sys_crypto_box_open, &sealed, &nonce, &ours.0, &theirs.1).unwrap(), text, "{with}");
        assert_eq!(by_pair(zmq_sys_crypto_box_open, &sealed, &nonce, &theirs.0, &theirs.1), None);
    }
    assert_eq!(by_pair(zmq_sys_crypto_box, &[0; 31], &nonce, &theirs.0, &ours.1), None);
    assert_eq!(by_pair(zmq_sys_crypto_box_open, &[0; 31], &nonce, &theirs.0, &ours.1), None);
}

#[test]
fn keys_are_those_of_libsodium() {
    let Some(sodium) = Libsodium::load() else { return };
    // SAFETY: this is the type that sodium.h declares.
    let base: unsafe extern "C" fn(*mut u8, *const u8) -> c_int =
        unsafe { std::mem::transmute(sodium.symbol("crypto_scalarmult_base")) };
    for _ in 0..50 {
        // Any 32 bytes are a secret key and a public key, even those of the curve's twist and those above its field.
        let (mut public_key, secret_key): ([u8; 32], [u8; 32]) = (random(), random());
        let expected = agree(sodium.agree("crypto_box_beforenm"), &public_key, &secret_key);
        let key = agree(zmq_sys_crypto_box_beforenm, &public_key, &secret_key);
        assert_eq!(key, expected, "{public_key:x?}, {secret_key:x?}");

        // SAFETY: the buffers are keys.
        assert_eq!(unsafe { zmq_sys_crypto_scalarmult_base(public_key.as_mut_ptr(), secret_key.as_ptr()) }, 0);
        let mut expected = [0; 32];
        // SAFETY: the buffers are keys.
        assert_eq!(unsafe { base(expected.as_mut_ptr(), secret_key.as_ptr()) }, 0);
        assert_eq!(public_key, expected, "{secret_key:x?}");
    }
}

#[test]
fn public_keys_of_small_order_are_refused_as_by_libsodium() {
    let Some(sodium) = Libsodium::load() else { return };
    let near = |low: u8| {
        // The field's prime is 2^255 - 19: 0xED is its lowest byte.
        let mut bytes = [0xFF; 32];
        (bytes[0], bytes[31]) = (low, 0x7F);
        bytes
    };
    let mut one = [0; 32];
    one[0] = 1;
    let eighth = [
        [
            0xE0, 0xEB, 0x7A, 0x7C, 0x3B, 0x41, 0xB8, 0xAE, 0x16, 0x56, 0xE3, 0xFA, 0xF1, 0x9F, 0xC4, 0x6A, 0xDA, 0x09,
            0x8D, 0xEB, 0x9C, 0x32, 0xB1, 0xFD, 0x86, 0x62, 0x05, 0x16, 0x5F, 0x49, 0xB8, 0x00,
        ],
        [
            0x5F, 0x9C, 0x95, 0xBC, 0xA3, 0x50, 0x8C, 0x24, 0xB1, 0xD0, 0xB1, 0x55, 0x9C, 0x83, 0xEF, 0x5B, 0x04, 0x44,
            0x5C, 0xC4, 0x58, 0x1C, 0x8E, 0x86, 0xD8, 0x22, 0x4E, 0xDD, 0xD0, 0x9F, 0x11, 0x57,
        ],
    ];
    let secret_key = random();
    for mut public_key in [[0; 32], one, eighth[0], eighth[1], near(0xEC), near(0xED), near(0xEE)] {
        for _ in 0..2 {
            assert_eq!(agree(sodium.agree("crypto_box_beforenm"), &public_key, &secret_key), None, "{public_key:x?}");
            assert_eq!(agree(zmq_sys_crypto_box_beforenm, &public_key, &secret_key), None, "{public_key:x?}");
            let nonce = random();
            assert_eq!(by_pair(zmq_sys_crypto_box, &[0; 64], &nonce, &public_key, &secret_key), None);
            assert_eq!(by_pair(zmq_sys_crypto_box_open, &[0; 64], &nonce, &public_key, &secret_key), None);
            // The highest bit has no effect.
            public_key[31] |= 0x80;
        }
    }
}

#[test]
fn boxes_are_made_and_opened_in_place() {
    let (key, nonce): ([u8; 32], [u8; 24]) = (random(), random());
    let (_, seal) = SEALS[1];
    let (_, open) = OPENS[1];
    for size in [0, 1, 16, 17, 100, 5000] {
        let text = random_vec(size);
        let expected = by_key(seal, &text, size + 16, &nonce, &key).unwrap();
        let mut buffer = [text.clone(), vec![0; 16]].concat();
        let start = buffer.as_mut_ptr();
        // SAFETY: the buffer has room for the box.
        assert_eq!(unsafe { seal(start, start, size as c_ulonglong, nonce.as_ptr(), key.as_ptr()) }, 0);
        assert_eq!(buffer, expected);
        for place in [0, 15, buffer.len() - 1] {
            let mut forged = buffer.clone();
            forged[place] ^= 1;
            let unchanged = forged.clone();
            let (start, size) = (forged.as_mut_ptr(), forged.len() as c_ulonglong);
            // SAFETY: the buffer has room for the text.
            assert_eq!(unsafe { open(start, start, size, nonce.as_ptr(), key.as_ptr()) }, -1);
            assert_eq!(forged, unchanged, "byte {place} of {size}");
        }
        let (start, size) = (buffer.as_mut_ptr(), buffer.len() as c_ulonglong);
        // SAFETY: the buffer has room for the text.
        assert_eq!(unsafe { open(start, start, size, nonce.as_ptr(), key.as_ptr()) }, 0);
        assert_eq!(&buffer[..text.len()], text);
        // libsodium does not change the bytes after the text.
        assert_eq!(buffer[text.len()..], expected[text.len()..]);
    }
}

#[test]
fn empty_box_takes_a_null_pointer_for_the_text() {
    let (key, nonce): ([u8; 32], [u8; 24]) = (random(), random());
    let (_, seal) = SEALS[1];
    let (_, open) = OPENS[1];
    let mut sealed = [0; 16];
    // SAFETY: the box has no content, and the buffer has room for its proof.
    assert_eq!(unsafe { seal(sealed.as_mut_ptr(), ptr::null(), 0, nonce.as_ptr(), key.as_ptr()) }, 0);
    assert_eq!(by_key(seal, &[], 16, &nonce, &key).unwrap(), sealed);
    // SAFETY: the box has no content.
    assert_eq!(unsafe { open(ptr::null_mut(), sealed.as_ptr(), 16, nonce.as_ptr(), key.as_ptr()) }, 0);
    sealed[0] ^= 1;
    // SAFETY: the box has no content.
    assert_eq!(unsafe { open(ptr::null_mut(), sealed.as_ptr(), 16, nonce.as_ptr(), key.as_ptr()) }, -1);
    // SAFETY: nothing is written.
    unsafe { zmq_sys_randombytes(ptr::null_mut(), 0) };
}

#[test]
fn allocated_memory_can_be_written_and_has_a_limit() {
    for (count, size) in [(0, 1), (1, 1), (64, 1), (3, 1000)] {
        let memory = zmq_allocarray(count, size);
        assert!(!memory.is_null() && memory.cast::<u128>().is_aligned());
        // SAFETY: the memory is this large.
        unsafe { ptr::write_bytes(memory.cast::<u8>(), 0xFF, count * size) };
        // SAFETY: the memory is allocated, and no longer used.
        unsafe { zmq_sys_sodium_free(memory) };
    }
    assert!(zmq_allocarray(usize::MAX / 2, 3).is_null());
    assert!(zmq_allocarray(usize::MAX, 1).is_null());
    // SAFETY: a null pointer is allowed.
    unsafe { zmq_sys_sodium_free(ptr::null_mut()) };
}

fn zmq_allocarray(count: usize, size: usize) -> *mut c_void {
    // SAFETY: the function has no conditions.
    unsafe { zmq_sys_sodium_allocarray(count, size) }
}

#[test]
fn random_bytes_differ() {
    assert_ne!(random::<32>(), random::<32>());
    assert_ne!(keypair(), keypair());
}
