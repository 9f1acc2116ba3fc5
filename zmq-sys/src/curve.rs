//! The functions of `sodium/sodium.h`, which libzmq calls for CURVE, implemented with the crate dryoc.
//!
//! Each function has the meaning of libsodium's function of the same name. It returns 0, or -1 if a box is not authentic, a
//! public key has a small order, a size is out of range, or the operating system gives no random bytes. An output buffer
//! is unchanged after -1. It may overlap the text or the box, and may be uninitialised, as with libsodium. It must not
//! overlap the nonce or a key.
//!
//! A function takes nonces and keys, and the places for keys, as references to arrays of bytes: C gives pointers that are not
//! null to as many bytes, which no other thread uses meanwhile. An array of bytes has no alignment.

use dryoc::classic::crypto_box::{
    PublicKey, SecretKey, crypto_box_detached_afternm_inplace, crypto_box_open_detached_afternm_inplace,
};
use dryoc::classic::crypto_core::{crypto_core_hsalsa20, crypto_scalarmult, crypto_scalarmult_base};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ffi::{c_int, c_uchar, c_ulonglong, c_void};
use std::mem::MaybeUninit;
use std::ptr;
use std::slice;
use zeroize::{Zeroize, Zeroizing};

/// The size of a public key, of a secret key, and of the key that is derived from both.
const KEY: usize = 32;
const NONCE: usize = 24;
/// The size of the message authentication code of a box.
const MAC: usize = 16;
/// How many zeros NaCl's interface has before a text.
const ZEROS: usize = 32;
/// How many zeros NaCl's interface has before a box.
const BOX_ZEROS: usize = 16;

/// The alignment of allocated memory, for every type as with libsodium. The space for the size is as large.
const ALIGNMENT: usize = 16;

/// A key that seals and opens boxes: the result of [`shared_key`], or the key of a secretbox. Both make the same box.
type Key = [u8; KEY];
type Nonce = [u8; NONCE];
/// The place for a key, which may be uninitialised.
type Room = [MaybeUninit<u8>; KEY];

/// Gives the key of a pair, as `crypto_box_beforenm` does. `None` if the public key has a small order.
fn shared_key(public_key: &PublicKey, secret_key: &SecretKey) -> Option<Zeroizing<Key>> {
    // The functions write to memory that is wiped. dryoc's `crypto_box_beforenm` returns the key by value instead, and a
    // copy may stay on the stack.
    let mut secret = Zeroizing::new([0; KEY]);
    crypto_scalarmult(&mut secret, secret_key, public_key).ok()?;
    let mut key = Zeroizing::new([0; KEY]);
    crypto_core_hsalsa20(&mut key, &[0; 16], &secret, None);
    Some(key)
}

/// Seals the `size` bytes at `text`: writes the MAC of the box and then as many bytes to `sealed`.
///
/// # Safety
///
/// `text` must be valid for reads of `size` bytes, and `sealed` for writes of [`MAC`] and `size` bytes. `sealed` must not
/// overlap `nonce` and `key`.
unsafe fn seal(sealed: *mut c_uchar, text: *const c_uchar, size: usize, nonce: &Nonce, key: &Key) {
    let content = sealed.wrapping_add(MAC);
    // SAFETY: the caller vouches for both pointers; they may overlap.
    unsafe { ptr::copy(text, content, size) };
    // SAFETY: `content` is not null, its bytes are initialised by now, and nothing else refers to them during the call.
    let content = unsafe { slice::from_raw_parts_mut(content, size) };
    let mut mac = [0; MAC];
    crypto_box_detached_afternm_inplace(content, &mut mac, nonce, key);
    // SAFETY: the caller vouches for the pointer, and an array of bytes has no alignment.
    unsafe { *sealed.cast() = mac };
}

/// Opens the box at `sealed`, which is [`MAC`] and `size` bytes: writes `size` bytes to `text`, or none if the box is not
/// authentic.
///
/// # Safety
///
/// `sealed` must be valid for reads of [`MAC`] and `size` bytes, and `text` for writes of `size` bytes. `text` must not
/// overlap `nonce` and `key`.
unsafe fn open(text: *mut c_uchar, sealed: *const c_uchar, size: usize, nonce: &Nonce, key: &Key) -> Option<()> {
    // SAFETY: the caller vouches for the pointer, and an array of bytes has no alignment.
    let mac: [u8; MAC] = unsafe { *sealed.cast() };
    let content = sealed.wrapping_add(MAC);
    if !ptr::eq(text, sealed) {
        // SAFETY: `content` is not null, its bytes are initialised, and nothing writes to them while they are copied.
        let mut opened = Zeroizing::new(unsafe { slice::from_raw_parts(content, size) }.to_vec());
        crypto_box_open_detached_afternm_inplace(&mut opened, &mac, nonce, key).ok()?;
        // SAFETY: the caller vouches for `text`, and `opened` is memory of its own.
        unsafe { ptr::copy_nonoverlapping(opened.as_ptr(), text, size) };
        return Some(());
    }

    // libzmq opens each message in its own memory: no second buffer is needed.
    // SAFETY: the caller vouches for both pointers; they may overlap.
    unsafe { ptr::copy(content, text, size) };
    // SAFETY: `text` is as `sealed` not null, its bytes are initialised, and nothing else refers to them during the call.
    let opened = unsafe { slice::from_raw_parts_mut(text, size) };
    let done = crypto_box_open_detached_afternm_inplace(opened, &mac, nonce, key).ok();
    if done.is_none() {
        // dryoc leaves a box that is not authentic unchanged. Move its content back to the place after the MAC.
        let proof = size.min(MAC);
        opened.copy_within(..size - proof, proof);
        opened[..proof].copy_from_slice(&mac[..proof]);
    }
    done
}

/// [`seal`] as NaCl has it: `size` and `text` include [`ZEROS`] bytes before the text, and as many are written to `sealed`
/// before its content: [`BOX_ZEROS`] zeros and the MAC.
///
/// # Safety
///
/// `text` must be valid for reads of `size` bytes, and `sealed` for writes of `size` bytes. `sealed` must not overlap
/// `nonce` and `key`.
unsafe fn seal_padded(
    sealed: *mut c_uchar,
    text: *const c_uchar,
    size: c_ulonglong,
    nonce: &Nonce,
    key: &Key,
) -> Option<()> {
    let size = usize::try_from(size).ok()?.checked_sub(ZEROS)?;
    // SAFETY: `BOX_ZEROS` and `MAC` together are `ZEROS`: `size` bytes are left of either buffer.
    unsafe { seal(sealed.wrapping_add(BOX_ZEROS), text.wrapping_add(ZEROS), size, nonce, key) };
    // SAFETY: `sealed` is at least `ZEROS` bytes, and `BOX_ZEROS` are fewer.
    unsafe { ptr::write_bytes(sealed, 0, BOX_ZEROS) };
    Some(())
}

/// [`open`] as NaCl has it: the output of [`seal_padded`] gives [`ZEROS`] zeros and the text.
///
/// # Safety
///
/// `sealed` must be valid for reads of `size` bytes, and `text` for writes of `size` bytes. `text` must not overlap `nonce`
/// and `key`.
unsafe fn open_padded(
    text: *mut c_uchar,
    sealed: *const c_uchar,
    size: c_ulonglong,
    nonce: &Nonce,
    key: &Key,
) -> Option<()> {
    let size = usize::try_from(size).ok()?.checked_sub(ZEROS)?;
    // SAFETY: `BOX_ZEROS` and `MAC` together are `ZEROS`: `size` bytes are left of either buffer.
    unsafe { open(text.wrapping_add(ZEROS), sealed.wrapping_add(BOX_ZEROS), size, nonce, key) }?;
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
            nonce: &Nonce,
            key: &Key,
        ) -> c_int {
            // SAFETY: C gives buffers of these sizes, and an output that does not overlap nonce and key.
            code(unsafe { $function(out, input, size, nonce, key) })
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

/// Defines the functions that take a nonce and a pair of keys. They derive the key of the pair before they write anything.
macro_rules! with_pair {
    ($($name:ident by $function:ident)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(
            out: *mut c_uchar,
            input: *const c_uchar,
            size: c_ulonglong,
            nonce: &Nonce,
            public_key: &PublicKey,
            secret_key: &SecretKey,
        ) -> c_int {
            let Some(key) = shared_key(public_key, secret_key) else { return -1 };
            // SAFETY: C gives buffers of these sizes, and an output that does not overlap the nonce. `key` is memory of its own.
            code(unsafe { $function(out, input, size, nonce, &key) })
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
    nonce: &Nonce,
    key: &Key,
) -> Option<()> {
    let size = usize::try_from(size).ok()?;
    size.checked_add(MAC)?;
    // SAFETY: the caller vouches for the same.
    unsafe { seal(sealed, text, size, nonce, key) };
    Some(())
}

/// [`open`], with the size of the box.
///
/// # Safety
///
/// `sealed` must be valid for reads of `size` bytes, and `text` for writes of [`MAC`] bytes less than `size`. `text` must not
/// overlap `nonce` and `key`.
unsafe fn open_easy(
    text: *mut c_uchar,
    sealed: *const c_uchar,
    size: c_ulonglong,
    nonce: &Nonce,
    key: &Key,
) -> Option<()> {
    let size = usize::try_from(size).ok()?.checked_sub(MAC)?;
    // SAFETY: `sealed` is `MAC` and `size` bytes, and `text` is `size` bytes.
    unsafe { open(text, sealed, size, nonce, key) }
}

#[unsafe(no_mangle)]
extern "C" fn zmq_sys_crypto_scalarmult_base(public_key: &mut Room, secret_key: &SecretKey) -> c_int {
    let mut result = PublicKey::default();
    crypto_scalarmult_base(&mut result, secret_key);
    fill(public_key, &result);
    0
}

#[unsafe(no_mangle)]
extern "C" fn zmq_sys_crypto_box_keypair(public_key: &mut Room, secret_key: &mut Room) -> c_int {
    let mut secret = Zeroizing::new(SecretKey::default());
    if getrandom::fill(&mut *secret).is_err() {
        return -1;
    }
    let mut public = PublicKey::default();
    crypto_scalarmult_base(&mut public, &secret);
    fill(public_key, &public);
    fill(secret_key, &secret);
    0
}

#[unsafe(no_mangle)]
extern "C" fn zmq_sys_crypto_box_beforenm(key: &mut Room, public_key: &PublicKey, secret_key: &SecretKey) -> c_int {
    let Some(shared) = shared_key(public_key, secret_key) else { return -1 };
    fill(key, &shared);
    0
}

/// Copies a key byte by byte: a copy as a whole may go over the stack and stay there.
fn fill(room: &mut Room, key: &Key) {
    for (place, byte) in room.iter_mut().zip(key) {
        place.write(*byte);
    }
}

/// Aborts the process if the operating system gives no random bytes, as libsodium does: the function returns nothing.
#[unsafe(no_mangle)]
unsafe extern "C" fn zmq_sys_randombytes(buffer: *mut c_uchar, size: c_ulonglong) {
    let size = usize::try_from(size).expect("no buffer is larger than memory");
    // With the size 0, C may give a null pointer, from which no slice can be made.
    if size == 0 {
        return;
    }
    // SAFETY: C gives a buffer of this size.
    unsafe { ptr::write_bytes(buffer, 0, size) };
    // SAFETY: the bytes are initialised by now, and nothing else refers to them during the call.
    let buffer = unsafe { slice::from_raw_parts_mut(buffer, size) };
    getrandom::fill(buffer).expect("the operating system gives random bytes");
}

/// Draws a byte, to detect a system without random bytes before a key is made. The random bytes have no state to prepare, or
/// to share with a forked child.
#[unsafe(no_mangle)]
extern "C" fn zmq_sys_sodium_init() -> c_int {
    if getrandom::fill(&mut [0]).is_ok() { 0 } else { -1 }
}

/// The memory for `size` bytes, and for the space before them that keeps the size. `None` if no memory is as large.
fn layout(size: usize) -> Option<Layout> {
    Layout::from_size_align(size.checked_add(ALIGNMENT)?, ALIGNMENT).ok()
}

/// Memory that [`zmq_sys_sodium_free`] wipes. libsodium's memory is also locked, kept out of core dumps, and has pages
/// around it that trap. This memory has none of these: libzmq copies its content from or to ordinary memory anyway.
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
    start.wrapping_add(ALIGNMENT).cast()
}

#[unsafe(no_mangle)]
unsafe extern "C" fn zmq_sys_sodium_free(memory: *mut c_void) {
    if memory.is_null() {
        return;
    }
    let start = memory.cast::<u8>().wrapping_sub(ALIGNMENT);
    // SAFETY: `zmq_sys_sodium_allocarray` gave an address this far into its memory, and wrote the size at its start.
    let size = unsafe { *start.cast::<usize>() };
    // SAFETY: it initialised as many bytes, and C no longer uses them.
    unsafe { slice::from_raw_parts_mut(memory.cast::<u8>(), size) }.zeroize();
    let layout = layout(size).expect("the layout that it was allocated with");
    // SAFETY: the memory was allocated with this layout.
    unsafe { dealloc(start, layout) };
}
