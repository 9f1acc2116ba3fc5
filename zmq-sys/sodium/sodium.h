/* The functions of libsodium that libzmq uses, under names of this crate: a program may link libsodium too.
 *
 * src/curve.rs defines the functions. Each has the meaning that libsodium's documentation gives to the function whose
 * name it replaces. libzmq's own sources include this file as <sodium.h>.
 */
#ifndef ZMQ_SYS_SODIUM_H
#define ZMQ_SYS_SODIUM_H

#include <stddef.h>

/* libzmq decrypts in place if the version is 7.4 or newer. */
#define SODIUM_LIBRARY_VERSION_MAJOR 26
#define SODIUM_LIBRARY_VERSION_MINOR 0

/* libzmq compares these in #if. */
#define crypto_box_PUBLICKEYBYTES 32U
#define crypto_box_SECRETKEYBYTES 32U
#define crypto_box_BEFORENMBYTES 32U
#define crypto_box_NONCEBYTES 24U
#define crypto_box_MACBYTES 16U
#define crypto_box_ZEROBYTES 32U
#define crypto_box_BOXZEROBYTES 16U
#define crypto_secretbox_KEYBYTES 32U
#define crypto_secretbox_NONCEBYTES 24U
#define crypto_secretbox_ZEROBYTES 32U
#define crypto_secretbox_BOXZEROBYTES 16U

#define sodium_init zmq_sys_sodium_init
#define sodium_allocarray zmq_sys_sodium_allocarray
#define sodium_free zmq_sys_sodium_free
#define randombytes zmq_sys_randombytes
#define crypto_scalarmult_base zmq_sys_crypto_scalarmult_base
#define crypto_box_keypair zmq_sys_crypto_box_keypair
#define crypto_box_beforenm zmq_sys_crypto_box_beforenm
#define crypto_box zmq_sys_crypto_box
#define crypto_box_open zmq_sys_crypto_box_open
#define crypto_box_afternm zmq_sys_crypto_box_afternm
#define crypto_box_open_afternm zmq_sys_crypto_box_open_afternm
#define crypto_box_easy_afternm zmq_sys_crypto_box_easy_afternm
#define crypto_box_open_easy_afternm zmq_sys_crypto_box_open_easy_afternm
#define crypto_secretbox zmq_sys_crypto_secretbox
#define crypto_secretbox_open zmq_sys_crypto_secretbox_open

#ifdef __cplusplus
extern "C" {
#endif

int sodium_init (void);
void *sodium_allocarray (size_t count, size_t size);
void sodium_free (void *memory);
void randombytes (unsigned char *buffer, unsigned long long size);

int crypto_scalarmult_base (unsigned char *public_key, const unsigned char *secret_key);
int crypto_box_keypair (unsigned char *public_key, unsigned char *secret_key);
int crypto_box_beforenm (unsigned char *key, const unsigned char *public_key, const unsigned char *secret_key);

int crypto_box (unsigned char *box, const unsigned char *text, unsigned long long size, const unsigned char *nonce,
                const unsigned char *public_key, const unsigned char *secret_key);
int crypto_box_open (unsigned char *text, const unsigned char *box, unsigned long long size,
                     const unsigned char *nonce, const unsigned char *public_key, const unsigned char *secret_key);
int crypto_box_afternm (unsigned char *box, const unsigned char *text, unsigned long long size,
                        const unsigned char *nonce, const unsigned char *key);
int crypto_box_open_afternm (unsigned char *text, const unsigned char *box, unsigned long long size,
                             const unsigned char *nonce, const unsigned char *key);
int crypto_box_easy_afternm (unsigned char *box, const unsigned char *text, unsigned long long size,
                             const unsigned char *nonce, const unsigned char *key);
int crypto_box_open_easy_afternm (unsigned char *text, const unsigned char *box, unsigned long long size,
                                  const unsigned char *nonce, const unsigned char *key);
int crypto_secretbox (unsigned char *box, const unsigned char *text, unsigned long long size,
                      const unsigned char *nonce, const unsigned char *key);
int crypto_secretbox_open (unsigned char *text, const unsigned char *box, unsigned long long size,
                           const unsigned char *nonce, const unsigned char *key);

#ifdef __cplusplus
}
#endif

#endif
