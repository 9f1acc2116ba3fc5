//! The cryptography behind CURVE: the functions of `sodium/sodium.h`, which libzmq calls, by the crate dryoc.
//!
//! Each function has the meaning of libsodium's of the same name. It returns 0, or -1 if a box is not authentic, a public
//! key has a small order, or a size is out of range. Buffers may overlap, and output buffers may be uninitialised, as
//! with libsodium.

use dryoc::classic::crypto_box::{
    PublicKey, SecretKey, crypto_box_beforenm, crypto_box_detached_afternm_inplace, crypto_box_detached_inplace,
    crypto_box_keypair_inplace, crypto_box_open_detached_afternm_inplace, crypto_box_open_detached_inplace,
};
use dryoc::classic::crypto_core::crypto_scalarmult_base;
use dryoc::rng::copy_randombytes;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ffi::{c_int, c_uchar, c_ulonglong, c_void};
use std::ptr;
use std::slice;
use zeroize::{Zeroize, Zeroizing};

/// The size of a public key, a secret key, and of what both give together.
const KEY: usize = 32;
const NONCE: usize = 24;
/// The size of what proves that a box is authentic.
const MAC: usize = 16;
/// How many zeros NaCl's interface has before a text.
const ZEROS: usize = 32;
/// How many zeros NaCl's interface has before a box.
const BOX_ZEROS: usize = 16;

/// What libsodium's allocator gives is aligned for every type; the space for the size is as large.
const ALIGNMENT: usize = 16;

/// What seals a text, or opens a box, in place.
enum With {
    /// The key that [`zmq_sys_crypto_box_beforenm`] gives, or a secretbox's: both make the same box.
    Key(Zeroizing<[u8; KEY]>),
    /// The peer's public key and the own secret key.
    Pair(PublicKey, Zeroizing<SecretKey>),
}

impl With {
    /// # Safety
    ///
    /// `key` must be valid for reads of [`KEY`] bytes.
    unsafe fn key(key: *const c_uchar) -> With {
        // SAFETY: the caller vouches for the pointer, and an array of bytes has no alignment.
        With::Key(Zeroizing::new(unsafe { *key.cast() }))
    }

    /// # Safety
    ///
    /// Both pointers must be valid for reads of [`KEY`] bytes.
    unsafe fn pair(public_key: *const c_uchar, secret_key: *const c_uchar) -> With {
        // SAFETY: the caller vouches for the pointer, and an array of bytes has no alignment.
        let public_key = unsafe { *public_key.cast() };
        // SAFETY: as above.
        let secret_key = Zeroizing::new(unsafe { *secret_key.cast() });
        With::Pair(public_key, secret_key)
    }

    fn seal(&self, text: &mut [u8], nonce: &[u8; NONCE]) -> Option<[u8; MAC]> {
        let mut mac = [0; MAC];
        match self {
            With::Key(key) => crypto_box_detached_afternm_inplace(text, &mut mac, nonce, key),
            With::Pair(public_key, secret_key) => {
                crypto_box_detached_inplace(text, &mut mac, nonce, public_key, secret_key).ok()?;
            }
        }
        Some(mac)
    }

    fn open(&self, sealed: &mut [u8], mac: &[u8; MAC], nonce: &[u8; NONCE]) -> Option<()> {
        match self {
            With::Key(key) => crypto_box_open_detached_afternm_inplace(sealed, mac, nonce, key).ok(),
            With::Pair(public_key, secret_key) => {
                crypto_box_open_detached_inplace(sealed, mac, nonce, public_key, secret_key).ok()
            }
        }
    }
}

/// Seals the `size` bytes at `text`: writes the box's proof and then as many bytes to `sealed`.
///
/// # Safety
///
/// `text` must be valid for reads of `size` bytes, `nonce` of [`NONCE`], and `sealed` for writes of [`MAC`] and `size`
/// bytes.
unsafe fn seal(
    sealed: *mut c_uchar,
    text: *const c_uchar,
    size: usize,
    nonce: *const c_uchar,
    with: &With,
) -> Option<()> {
    // SAFETY: the caller vouches for the pointer, and an array of bytes has no alignment.
    let nonce = unsafe { *nonce.cast() };
    // SAFETY: `sealed` has room for the proof and more.
    let content = unsafe { sealed.add(MAC) };
    // SAFETY: the caller vouches for both pointers; they may overlap.
    unsafe { ptr::copy(text, content, size) };
    // SAFETY: the bytes are initialised by now, and nothing else refers to them during the call.
    let mac = with.seal(unsafe { slice::from_raw_parts_mut(content, size) }, &nonce)?;
    // SAFETY: the caller vouches for the pointer, and an array of bytes has no alignment.
    unsafe { *sealed.cast() = mac };
    Some(())
}

/// Opens the box at `sealed`, which is [`MAC`] and `size` bytes: writes `size` bytes to `text`.
///
/// # Safety
///
/// `sealed` must be valid for reads of [`MAC`] and `size` bytes, `nonce` of [`NONCE`], and `text` for writes of `size`
/// bytes.
unsafe fn open(
    text: *mut c_uchar,
    sealed: *const c_uchar,
    size: usize,
    nonce: *const c_uchar,
    with: &With,
) -> Option<()> {
    // SAFETY: the caller vouches for the pointer, and an array of bytes has no alignment.
    let nonce = unsafe { *nonce.cast() };
    // SAFETY: as above.
    let mac = unsafe { *sealed.cast() };
    // SAFETY: `size` bytes follow the proof.
    let content = unsafe { sealed.add(MAC) };
    // SAFETY: the caller vouches for both pointers; they may overlap.
    unsafe { ptr::copy(content, text, size) };
    // SAFETY: the bytes are initialised by now, and nothing else refers to them during the call.
    with.open(unsafe { slice::from_raw_parts_mut(text, size) }, &mac, &nonce)
}

/// [`seal`] as NaCl has it: `size` and `text` include [`ZEROS`] bytes before the text, and as many are written to `sealed`
/// before its content: [`BOX_ZEROS`] zeros and the proof.
///
/// # Safety
///
/// `text` must be valid for reads of `size` bytes, `nonce` of [`NONCE`], and `sealed` for writes of `size` bytes.
unsafe fn seal_padded(
    sealed: *mut c_uchar,
    text: *const c_uchar,
    size: c_ulonglong,
    nonce: *const c_uchar,
    with: &With,
) -> Option<()> {
    let size = usize::try_from(size).ok()?.checked_sub(ZEROS)?;
    // SAFETY: `sealed` is at least `ZEROS` bytes, and `BOX_ZEROS` are fewer.
    let proof = unsafe { sealed.add(BOX_ZEROS) };
    // SAFETY: `text` is `ZEROS` and `size` bytes.
    let text = unsafe { text.add(ZEROS) };
    // SAFETY: `BOX_ZEROS` and `MAC` together are `ZEROS`: `size` bytes are left of either buffer.
    unsafe { seal(proof, text, size, nonce, with) }?;
    // SAFETY: `sealed` is at least `BOX_ZEROS` bytes.
    unsafe { ptr::write_bytes(sealed, 0, BOX_ZEROS) };
    Some(())
}

/// [`open`] as NaCl has it: what [`seal_padded`] wrote gives [`ZEROS`] zeros and the text.
///
/// # Safety
///
/// `sealed` must be valid for reads of `size` bytes, `nonce` of [`NONCE`], and `text` for writes of `size` bytes.
unsafe fn open_padded(
    text: *mut c_uchar,
    sealed: *const c_uchar,
    size: c_ulonglong,
    nonce: *const c_uchar,
    with: &With,
) -> Option<()> {
    let size = usize::try_from(size).ok()?.checked_sub(ZEROS)?;
    // SAFETY: `sealed` is at least `ZEROS` bytes, and `BOX_ZEROS` are fewer.
    let proof = unsafe { sealed.add(BOX_ZEROS) };
    // SAFETY: `text` is `ZEROS` and `size` bytes.
    let content = unsafe { text.add(ZEROS) };
    // SAFETY: `BOX_ZEROS` and `MAC` together are `ZEROS`: `size` bytes are left of either buffer.
    unsafe { open(content, proof, size, nonce, with) }?;
    // SAFETY: `text` is at least `ZEROS` bytes.
    unsafe { ptr::write_bytes(text, 0, ZEROS) };
    Some(())
}

fn code(done: Option<()>) -> c_int {
    if done.is_some() { 0 } else { -1 }
}

/// Defines the functions that take a nonce and one key.
macro_rules! with_key {
    ($($name:ident by $function:ident)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(
            out: *mut c_uchar,
            input: *const c_uchar,
            size: c_ulonglong,
            nonce: *const c_uchar,
            key: *const c_uchar,
        ) -> c_int {
            // SAFETY: C gives a key.
            let with = unsafe { With::key(key) };
            // SAFETY: C gives buffers of these sizes.
            code(unsafe { $function(out, input, size, nonce, &with) })
        }
    )*};
}

with_key! {
    zmq_sys_crypto_box_afternm by seal_padded
    zmq_sys_crypto_box_open_afternm by open_padded
    zmq_sys_crypto_box_easy_afternm by seal_easy
    zmq_sys_crypto_box_open_easy_afternm by open_easy
    zmq_sys_crypto_secretbox by seal_padded
    zmq_sys_crypto_secretbox_open by open_padded
}

/// Defines the functions that take a nonce and a pair of keys.
macro_rules! with_pair {
    ($($name:ident by $function:ident)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(
            out: *mut c_uchar,
            input: *const c_uchar,
            size: c_ulonglong,
            nonce: *const c_uchar,
            public_key: *const c_uchar,
            secret_key: *const c_uchar,
        ) -> c_int {
            // SAFETY: C gives two keys.
            let with = unsafe { With::pair(public_key, secret_key) };
            // SAFETY: C gives buffers of these sizes.
            code(unsafe { $function(out, input, size, nonce, &with) })
        }
    )*};
}

with_pair! {
    zmq_sys_crypto_box by seal_padded
    zmq_sys_crypto_box_open by open_padded
}

/// [`seal`], with the size of the text.
///
/// # Safety
///
/// As for [`seal`].
unsafe fn seal_easy(
    sealed: *mut c_uchar,
    text: *const c_uchar,
    size: c_ulonglong,
    nonce: *const c_uchar,
    with: &With,
) -> Option<()> {
    let size = usize::try_from(size).ok()?;
    size.checked_add(MAC)?;
    // SAFETY: the caller vouches for the same.
    unsafe { seal(sealed, text, size, nonce, with) }
}

/// [`open`], with the size of the box.
///
/// # Safety
///
/// `sealed` must be valid for reads of `size` bytes, `nonce` of [`NONCE`], and `text` for writes of [`MAC`] bytes less
/// than `size`.
unsafe fn open_easy(
    text: *mut c_uchar,
    sealed: *const c_uchar,
    size: c_ulonglong,
    nonce: *const c_uchar,
    with: &With,
) -> Option<()> {
    let size = usize::try_from(size).ok()?.checked_sub(MAC)?;
    // SAFETY: `sealed` is `MAC` and `size` bytes, and `text` is `size` bytes.
    unsafe { open(text, sealed, size, nonce, with) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn zmq_sys_crypto_scalarmult_base(public_key: *mut c_uchar, secret_key: *const c_uchar) -> c_int {
    // SAFETY: C gives a key, and an array of bytes has no alignment.
    let secret_key = Zeroizing::new(unsafe { *secret_key.cast::<SecretKey>() });
    let mut result = PublicKey::default();
    crypto_scalarmult_base(&mut result, &secret_key);
    // SAFETY: C gives room for a key.
    unsafe { *public_key.cast() = result };
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn zmq_sys_crypto_box_keypair(public_key: *mut c_uchar, secret_key: *mut c_uchar) -> c_int {
    let mut public = PublicKey::default();
    let mut secret = Zeroizing::new(SecretKey::default());
    crypto_box_keypair_inplace(&mut public, &mut secret);
    // SAFETY: C gives room for a key, and an array of bytes has no alignment.
    unsafe { *public_key.cast() = public };
    // SAFETY: as above.
    unsafe { *secret_key.cast() = *secret };
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn zmq_sys_crypto_box_beforenm(
    key: *mut c_uchar,
    public_key: *const c_uchar,
    secret_key: *const c_uchar,
) -> c_int {
    // SAFETY: C gives a key, and an array of bytes has no alignment.
    let public_key = unsafe { *public_key.cast() };
    // SAFETY: as above.
    let secret_key = Zeroizing::new(unsafe { *secret_key.cast() });
    let Ok(result) = crypto_box_beforenm(&public_key, &secret_key).map(Zeroizing::new) else { return -1 };
    // SAFETY: C gives room for a key.
    unsafe { *key.cast() = *result };
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn zmq_sys_randombytes(buffer: *mut c_uchar, size: c_ulonglong) {
    let size = usize::try_from(size).expect("no buffer is larger than memory");
    // SAFETY: C gives a buffer of this size.
    unsafe { ptr::write_bytes(buffer, 0, size) };
    // SAFETY: the bytes are initialised by now, and nothing else refers to them during the call.
    copy_randombytes(unsafe { slice::from_raw_parts_mut(buffer, size) });
}

/// The operating system gives the random bytes: no state is there to be prepared, nor to be shared with a forked child.
#[unsafe(no_mangle)]
extern "C" fn zmq_sys_sodium_init() -> c_int {
    0
}

/// The size of `count` elements of `size` bytes, and of the space before them that keeps it.
fn layout(size: usize) -> Option<Layout> {
    Layout::from_size_align(size.checked_add(ALIGNMENT)?, ALIGNMENT).ok()
}

/// Memory that [`zmq_sys_sodium_free`] wipes. Unlike libsodium's, it is not locked and has no pages around it that trap:
/// libzmq copies all that it keeps there from, or to, memory that has neither.
#[unsafe(no_mangle)]
extern "C" fn zmq_sys_sodium_allocarray(count: usize, size: usize) -> *mut c_void {
    let Some((size, layout)) = count.checked_mul(size).and_then(|size| Some((size, layout(size)?))) else {
        return ptr::null_mut();
    };
    // SAFETY: the layout is not empty.
    let start = unsafe { alloc_zeroed(layout) };
    if start.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: the memory is aligned for it and large enough.
    unsafe { *start.cast() = size };
    // SAFETY: the memory is `ALIGNMENT` bytes or more.
    unsafe { start.add(ALIGNMENT) }.cast()
}

#[unsafe(no_mangle)]
unsafe extern "C" fn zmq_sys_sodium_free(memory: *mut c_void) {
    if memory.is_null() {
        return;
    }
    // SAFETY: `zmq_sys_sodium_allocarray` gave an address this far into its memory.
    let start = unsafe { memory.cast::<u8>().sub(ALIGNMENT) };
    // SAFETY: it wrote the size there.
    let size = unsafe { *start.cast::<usize>() };
    // SAFETY: it initialised as many bytes, and C no longer uses them.
    unsafe { slice::from_raw_parts_mut(memory.cast::<u8>(), size) }.zeroize();
    let layout = layout(size).expect("the layout that it was allocated with");
    // SAFETY: the memory was allocated with this layout.
    unsafe { dealloc(start, layout) };
}
