/* The functions of this folder's sodium.h, by libsodium: for a C program that links the static libzmq without Rust.
 *
 *     cc program.c libsodium.c -lzmq -lsodium -lstdc++
 *
 * A Rust program must not link this: src/curve.rs defines the same functions.
 */
#include <sodium.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FORWARD(result, name, parameters, arguments)                                                                   \
    result zmq_sys_##name parameters;                                                                                  \
    result zmq_sys_##name parameters                                                                                   \
    {                                                                                                                  \
        return name arguments;                                                                                         \
    }

#define SEAL(name)                                                                                                     \
    FORWARD (int, name,                                                                                                \
             (unsigned char *out, const unsigned char *in, unsigned long long size, const unsigned char *nonce,        \
              const unsigned char *key),                                                                               \
             (out, in, size, nonce, key))

#define SEAL_FOR(name)                                                                                                 \
    FORWARD (int, name,                                                                                                \
             (unsigned char *out, const unsigned char *in, unsigned long long size, const unsigned char *nonce,        \
              const unsigned char *public_key, const unsigned char *secret_key),                                       \
             (out, in, size, nonce, public_key, secret_key))

FORWARD (int, sodium_init, (void), ())
FORWARD (void *, sodium_allocarray, (size_t count, size_t size), (count, size))
FORWARD (int, crypto_scalarmult_base, (unsigned char *public_key, const unsigned char *secret_key),
         (public_key, secret_key))
FORWARD (int, crypto_box_keypair, (unsigned char *public_key, unsigned char *secret_key), (public_key, secret_key))
FORWARD (int, crypto_box_beforenm,
         (unsigned char *key, const unsigned char *public_key, const unsigned char *secret_key),
         (key, public_key, secret_key))

void zmq_sys_sodium_free (void *memory);
void zmq_sys_sodium_free (void *memory)
{
    sodium_free (memory);
}

void zmq_sys_randombytes (unsigned char *buffer, unsigned long long size);
void zmq_sys_randombytes (unsigned char *buffer, unsigned long long size)
{
    randombytes (buffer, size);
}

SEAL_FOR (crypto_box)
SEAL_FOR (crypto_box_open)
SEAL (crypto_box_afternm)
SEAL (crypto_box_open_afternm)
SEAL (crypto_box_easy_afternm)
SEAL (crypto_box_open_easy_afternm)
SEAL (crypto_secretbox)
SEAL (crypto_secretbox_open)

#ifdef __cplusplus
}
#endif
